"""Properties of placement, over worlds that are drawn."""

from __future__ import annotations

import random
from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st

from backstay_api.objects.models import HAService
from backstay_operator.planner.judge import placement
from backstay_operator.planner.judge.placement import Placed
from backstay_operator.planner.know.world import World
from backstay_testing.builders import a_service
from backstay_testing.worlds import NOW_S, add_host, put, say_ready

Described = list[tuple[str, float, str, bool | None, str]]
"""Hosts: mode, for how long it has been silent, rack, what it has said, and the effect of its taint."""
hosts = st.lists(
    st.tuples(
        st.sampled_from(["", "Cordon", "Drain"]),
        st.sampled_from([0.0, 1.0, 9.0]),
        st.sampled_from(["a", "b"]),
        st.sampled_from([True, False, None]),
        st.sampled_from(["", "", "NoSchedule", "PreferNoSchedule", "NoExecute"]),
    ),
    min_size=1,
    max_size=8,
)


def world_of(described: Described, order: Iterable[int]) -> tuple[World, HAService]:
    world = World(now_s=NOW_S)
    weights = [{"hosts": {"matchLabels": {"rack": "a"}}, "weight": 150}]
    service = a_service(placement={"prefer": weights, "failback": "Always"})
    for number in order:
        mode, silent_s, rack, ready, effect = described[number]
        taints = [f"worn:{effect}"] if effect else []
        add_host(world, f"n{number}", mode=mode, silent_s=silent_s, labels={"rack": rack}, taints=taints)
        if ready is not None:
            say_ready(world, service, f"n{number}", ready=ready)
    return world, service


@given(hosts, st.randoms(use_true_random=False), st.booleans())
def test_the_order_in_which_hosts_became_known_decides_nothing(
    described: Described, dice: random.Random, held: bool
) -> None:
    orders = [list(range(len(described))), dice.sample(range(len(described)), len(described))]
    answers = []
    for order in orders:
        world, service = world_of(described, order)
        instance = put(world, service, epoch=1, host="n0" if held else None)
        answers.append((placement.place(world, service, instance), placement.standbys(world, service, instance)))
    assert answers[0] == answers[1]


@given(hosts)
def test_a_service_that_was_placed_does_not_want_to_move(described: Described) -> None:
    world, service = world_of(described, range(len(described)))
    placed = placement.place(world, service, put(world, service, epoch=0))
    if isinstance(placed, Placed):
        instance = put(world, service, epoch=1, host=placed.host)
        assert placement.must_leave(world, service, instance) is None
        assert placement.better_host(world, service, instance) is None


@given(hosts)
def test_standbys_that_have_been_asked_stay_the_same(described: Described) -> None:
    world, service = world_of(described, range(len(described)))
    instance = put(world, service, epoch=1)
    first = placement.standbys(world, service, instance)
    for name in first:
        if f"{service.uid}-0" not in world.assignments[name].status.standbys:
            say_ready(world, service, name, ready=False)
    second = placement.standbys(world, service, instance)
    assert set(first) <= set(second)
