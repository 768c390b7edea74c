"""Plans of services that are new and wait are kept, and equal those from nothing, whatever is written, answered or changed meanwhile."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backstay_operator.planner import rest
from backstay_operator.planner.actions import WriteServiceStatus
from backstay_operator.planner.know import fitting
from backstay_operator.planner.know.world import World
from backstay_operator.planner.plan import plan
from backstay_testing.resting import from_nothing
from backstay_testing.starting import STEPS, carry_out, new_services, passes


@pytest.fixture(autouse=True)
def hosts_have_little_room(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that some services wait until a host may be asked about one more."""
    monkeypatch.setattr(fitting, "MOST_INSTANCES", 5)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.lists(st.tuples(st.sampled_from(sorted(STEPS)), st.integers(0, 30)), min_size=1, max_size=14),
    st.randoms(use_true_random=False),
    st.sampled_from([0.1, 0.5, 1.0]),
)
def test_whatever_happens_while_services_wait(steps: list[tuple[str, int]], rng: random.Random, share: float) -> None:
    world = new_services()
    for name, number in steps:
        begun = [one for one in plan(world).actions if rng.random() < share]
        for action in begun:
            carry_out(world, action)
            assert share < 1.0 or plan(world) == from_nothing(world)
        plan(world)
        STEPS[name](world, number)
        assert plan(world) == from_nothing(world)


def rounds(world: World) -> Iterator[tuple[World, list[str]]]:
    """Round by round, a third of what is to be written, until all run: what was planned anew."""
    for number in range(200):
        before = {key: world.kept[key].get(rest._TOPIC) for key in world.services}
        made = plan(world)
        yield world, [key for key, one in before.items() if one is None or world.kept[key].get(rest._TOPIC) is not one]
        if not made.actions:
            return
        for action in made.actions[: 1 + len(made.actions) // 3]:
            carry_out(world, action)
        STEPS["all hosts answer"](world, number)
        STEPS["a host runs what it was told"](world, number)


def test_each_round_of_a_start_is_as_from_nothing_and_most_plans_of_it_are_kept() -> None:
    planned = services = 0
    for world, anew in rounds(new_services()):
        assert plan(world) == from_nothing(world)
        planned, services = planned + len(anew), services + len(world.services)
    assert all(one.holder for one in world.instances.values() if one.metadata.name not in ("d-0", "g-0"))
    assert planned < services / 2, (planned, services)


def test_what_is_told_late_bears_the_time_at_which_it_was_decided() -> None:
    world = new_services()
    world.wall = "2026-01-01T00:00:00Z"
    first = {one.ref: one for one in plan(world).actions if isinstance(one, WriteServiceStatus)}
    world.wall = "2026-01-01T00:00:09Z"
    passes(9.0)(world, 0)
    kept = {one.ref: one for one in plan(world).actions if isinstance(one, WriteServiceStatus)}
    assert kept.keys() == first.keys()
    is_kept = [key for key in world.services if rest._TOPIC in world.kept[key]]
    assert len(is_kept) >= 4 and all(kept[ref] is one for ref, one in first.items() if ref.key in is_kept)
