"""Shedding by priority over small worlds that are drawn, each planned until nothing is left to do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import combinations
from typing import Any, Final, NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from backstay_api.objects.models import HAInstance, HAService, Host
from backstay_operator.planner import offline, whatif
from backstay_operator.planner.actions import Assign, WriteInstance
from backstay_operator.planner.know.world import World
from backstay_operator.planner.plan import plan
from backstay_testing.builders import a_host, a_service, an_instance, unit

HOSTS: Final = ("n1", "n2", "n3")
WAITS: Final = "new"


class Small(NamedTuple):
    """Hosts and what they offer; what runs, with its host, priority and need; and what waits, of which the first is looked at."""

    offers: tuple[int, int, int]
    running: list[tuple[str, int, int]]
    priority: int
    need: int
    are_pinned: bool
    """No other host is selected by what runs, so that whatever is stopped runs nowhere."""


def fits(small: Small) -> bool:
    used = {host: sum(need for where, _, need in small.running if where == host) for host in HOSTS}
    return all(used[host] <= offer for host, offer in zip(HOSTS, small.offers, strict=True))


drawn: Final = st.builds(
    Small,
    st.tuples(*[st.integers(0, 4)] * 3),
    st.lists(st.tuples(st.sampled_from(HOSTS), st.integers(-1, 3), st.integers(1, 3)), max_size=5),
    st.integers(-1, 4),
    st.integers(1, 4),
    st.booleans(),
).filter(fits)


def service(name: str, priority: int, need: int, host: str = "") -> HAService:
    hosts = {"hosts": {"matchLabels": {"name": host}}} if host else {}
    return a_service(name, unit(name), placement={"priority": priority, "capacity": {"cpu": need}, **hosts})


def world_of(small: Small) -> World:
    hosts = [
        a_host(name, labels={"name": name}, capacity={"cpu": much})
        for name, much in zip(HOSTS, small.offers, strict=True)
    ]
    services: list[HAService] = []
    instances: list[HAInstance] = []
    for number, (host, priority, need) in enumerate(small.running):
        services.append(service(f"s{number}", priority, need, host if small.are_pinned else ""))
        instances.append(an_instance(services[-1], epoch=1, host=host))
    return settled(hosts, services, instances)


def settled(hosts: Iterable[Host], services: Iterable[HAService], instances: Iterable[HAInstance]) -> World:
    world = offline.as_if_running(hosts, services, instances)
    whatif.outcome(world, {})
    return world


def priorities(world: World) -> dict[str, int]:
    return {key: world.services[one.service_key].spec.placement.priority or 0 for key, one in world.instances.items()}


def least_lost(small: Small) -> list[int] | None:
    """By trying everything: the priorities of what must stop, the worst first; None: nothing would help."""
    ways = [
        sorted((priority for _, priority, _ in stopped), reverse=True)
        for host, offer in zip(HOSTS, small.offers, strict=True)
        for here in [[one for one in small.running if one[0] == host]]
        for many in range(len(here) + 1)
        for stopped in combinations(here, many)
        if all(priority < small.priority for _, priority, _ in stopped)
        and small.need <= offer - sum(need for _, _, need in here) + sum(need for _, _, need in stopped)
    ]
    return min(ways, default=None)


def used(world: World, after: Mapping[str, str]) -> dict[str, float]:
    found = dict.fromkeys(HOSTS, 0.0)
    for key, host in after.items():
        found[host] += float((world.services[world.instances[key].service_key].spec.placement.capacity or {})["cpu"])
    return found


@settings(max_examples=40, deadline=None)
@given(drawn)
def test_only_lower_priority_stops_and_only_for_what_then_runs_and_as_little_as_may_be(small: Small) -> None:
    world = world_of(small)
    before = whatif.holders(world)
    offline.apply(world, service(WAITS, small.priority, small.need))
    whatif.outcome(world, before)
    after, ranks = whatif.holders(world), priorities(world)
    lost = sorted((ranks[key] for key in before if key not in after), reverse=True)
    is_placed, wanted = f"shop/{WAITS}-0" in after, least_lost(small)
    assert is_placed == (wanted is not None)
    assert all(rank < small.priority for rank in lost)
    assert is_placed or before == after
    assert all(much <= offer for much, offer in zip(used(world, after).values(), small.offers, strict=True))
    if wanted is not None:
        assert lost == wanted if small.are_pinned else lost <= wanted
    moved = [key for key, host in before.items() if after.get(key, host) != host]
    assert all(ranks[key] < small.priority for key in moved)


@settings(max_examples=40, deadline=None)
@given(drawn)
def test_where_nothing_is_changed_nothing_is_done(small: Small) -> None:
    world = world_of(small)
    offline.apply(world, service(WAITS, small.priority, small.need))
    whatif.outcome(world, {})
    acts: list[Any] = [one for one in plan(world).actions if isinstance(one, WriteInstance | Assign)]
    assert acts == []
