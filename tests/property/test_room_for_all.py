"""Small random worlds: where there is a place for everything, the planner finds one, whatever would be best for each by itself."""

from __future__ import annotations

from itertools import product

from hypothesis import example, given
from hypothesis import strategies as st

from backstay_operator.planner import offline, whatif
from backstay_testing.builders import WALL, a_host, a_service, an_instance, unit

OFFERED = st.lists(st.integers(0, 7), min_size=2, max_size=3)
NEEDED = st.lists(st.tuples(st.integers(1, 4), st.sampled_from(["", "n0", "n1"])), min_size=1, max_size=6)


def placed(offered: list[int], needed: list[tuple[int, str]]) -> dict[str, str]:
    """By name of an instance: its host. Each service would rather be on the host that is named with it."""
    names = [f"n{number}" for number in range(len(offered))]
    hosts = [
        a_host(name, labels={"name": name}, capacity={"cpu": cpu}) for name, cpu in zip(names, offered, strict=True)
    ]
    services = [
        a_service(
            name := f"s{number}",
            unit(name),
            placement={
                "capacity": {"cpu": cpu},
                "prefer": [{"hosts": {"matchLabels": {"name": likes}}, "weight": 10}] if likes else [],
            },
        )
        for number, (cpu, likes) in enumerate(needed)
    ]
    world = offline.as_if_running(hosts, services, [])
    world.wall = WALL
    whatif.outcome(world, {})
    return whatif.holders(world)


def fits(offered: list[int], needed: list[tuple[int, str]], way: tuple[int, ...]) -> bool:
    return all(
        sum(cpu for (cpu, _), host in zip(needed, way, strict=True) if host == number) <= much
        for number, much in enumerate(offered)
    )


@given(OFFERED, NEEDED)
def test_everything_has_a_place_where_there_is_one_for_everything(
    offered: list[int], needed: list[tuple[int, str]]
) -> None:
    found = placed(offered, needed)
    way = tuple(int(found.get(f"shop/s{number}-0", "n-1")[1:]) for number in range(len(needed)))
    assert fits(offered, needed, way)
    if any(fits(offered, needed, one) for one in product(range(len(offered)), repeat=len(needed))):
        assert len(found) == len(needed)


@example([0, 1, 1, 2, 1], [1, 1, 1, 2])  # nobody was asked to stand by on n4
@example([1, 1, 1, 1, 1], [1, 1, 1, 1, 1])
@given(st.lists(st.integers(0, 4), min_size=5, max_size=5), st.lists(st.integers(1, 4), min_size=1, max_size=4))
def test_everything_of_a_lost_host_has_a_place_though_few_of_the_others_were_asked_to_stand_by(
    offered: list[int], needed: list[int]
) -> None:
    hosts = [a_host(f"n{number}", capacity={"cpu": cpu}) for number, cpu in enumerate(offered)]
    services = [
        a_service(name := f"s{number}", unit(name), placement={"capacity": {"cpu": cpu}})
        for number, cpu in enumerate(needed)
    ]
    instances = [an_instance(one, epoch=1, host="z") for one in services]
    world = offline.as_if_running([*hosts, a_host("z", capacity={"cpu": 20})], services, instances)
    world.wall = WALL
    held = whatif.holders(world)
    assert whatif.outcome(world, held).changes == () and len(held) == len(needed)
    whatif.outcome(world, held, lost=["z"])
    found = whatif.holders(world)
    named = [(cpu, "") for cpu in needed]
    if any(fits(offered, named, one) for one in product(range(len(offered)), repeat=len(needed))):
        assert len(found) == len(needed)


RULED = st.lists(
    st.tuples(st.integers(0, 2), st.sampled_from(["", "apart", "together"]), st.integers(0, 4)), min_size=2, max_size=5
)


@given(st.lists(st.integers(0, 5), min_size=2, max_size=3), RULED, st.booleans())
def test_everything_has_a_place_where_rules_between_services_leave_one(
    offered: list[int], needed: list[tuple[int, str, int]], is_turned: bool
) -> None:
    names = [f"s{9 - number if is_turned else number}" for number in range(len(needed))]
    hosts = [a_host(f"n{number}", capacity={"cpu": cpu}) for number, cpu in enumerate(offered)]
    rules = [(rule, number, other) for number, (_, rule, other) in enumerate(needed) if rule and number > other]
    placements = {number: {rule: [{"service": names[other], "required": True}]} for rule, number, other in rules}
    services = [
        a_service(
            names[number], unit(names[number]), placement={"capacity": {"cpu": cpu}, **placements.get(number, {})}
        )
        for number, (cpu, _, _) in enumerate(needed)
    ]
    world = offline.as_if_running(hosts, services, [])
    world.wall = WALL
    whatif.outcome(world, {})
    found = whatif.holders(world)
    sizes = [(cpu, "") for cpu, _, _ in needed]
    for way in product(range(len(offered)), repeat=len(needed)):
        if fits(offered, sizes, way) and all(
            (way[one] == way[two]) == (rule == "together") for rule, one, two in rules
        ):
            assert len(found) == len(needed)
            break
