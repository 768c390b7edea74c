"""Rules between services, over worlds that are drawn: none that must hold is broken, whatever the weights and the order of things."""

from __future__ import annotations

import random
from typing import Any, Final

from hypothesis import given
from hypothesis import strategies as st

from backstay_operator.planner.judge import placement
from backstay_operator.planner.judge.placement import Placed
from backstay_operator.planner.know.world import World
from backstay_testing.builders import a_service, unit
from backstay_testing.worlds import NOW_S, add_host, put, say_ready

NAMES: Final = ("a", "b", "c", "d")
RACKS: Final = {"n1": "x", "n2": "x", "n3": "y", "n4": "z"}
Rule = dict[str, Any]
rules = st.fixed_dictionaries(
    {"service": st.sampled_from(NAMES)},
    optional={"topologyKey": st.just("rack"), "mutual": st.booleans(), "weight": st.integers(1, 1000)},
).map(lambda rule: rule if "weight" in rule else {**rule, "required": True})
manifests = st.fixed_dictionaries(
    {"apart": st.lists(rules, max_size=3), "together": st.lists(rules, max_size=1)},
    optional={"prefer": st.just([{"hosts": {"matchLabels": {"rack": "x"}}, "weight": 1000}])},
)
worlds = st.tuples(
    st.lists(manifests, min_size=4, max_size=4), st.lists(st.sampled_from([None, *RACKS]), min_size=4, max_size=4)
)
Drawn = tuple[list[Rule], list[str | None]]


def world_of(drawn: Drawn, dice: random.Random) -> World:
    """Services a to d, each on its host or on none; the last, d, is the one that looks for a host."""
    world = World(now_s=NOW_S)
    for name in dice.sample(sorted(RACKS), len(RACKS)):
        add_host(world, name, labels={"rack": RACKS[name]})
    for number in dice.sample(range(4), 4):
        spec, host = drawn[0][number], drawn[1][number]
        service = a_service(NAMES[number], unit(NAMES[number]), placement=spec)
        put(world, service, epoch=1, host=None if NAMES[number] == "d" else host)
        say_ready(world, service, *RACKS)
    return world


def placed(world: World, name: str = "d") -> str | None:
    answer = placement.place(world, world.services[f"shop/{name}"], world.instances[f"shop/{name}-0"])
    return answer.host if isinstance(answer, Placed) else None


def are_near(host: str, other: str | None, rule: Rule) -> bool:
    return other is not None and (RACKS[host] == RACKS[other] if "topologyKey" in rule else host == other)


@given(worlds, st.randoms(use_true_random=False))
def test_the_order_of_things_decides_nothing(drawn: Drawn, dice: random.Random) -> None:
    one, other = world_of(drawn, dice), world_of(drawn, dice)
    assert placed(one) == placed(other)
    standbys = [
        placement.standbys(world, world.services["shop/d"], world.instances["shop/d-0"]) for world in (one, other)
    ]
    assert standbys[0] == standbys[1]


@given(worlds, st.randoms(use_true_random=False))
def test_no_weight_outdoes_a_rule_that_must_hold(drawn: Drawn, dice: random.Random) -> None:
    world = world_of(drawn, dice)
    host = placed(world)
    if host is None:
        return
    specs, hosts = dict(zip(NAMES, drawn[0], strict=True)), dict(zip(NAMES, [*drawn[1][:3], None], strict=True))
    for rule in specs["d"]["apart"]:
        if rule.get("required") and rule["service"] != "d":
            assert not are_near(host, hosts[rule["service"]], rule)
    for rule in specs["d"]["together"]:
        if rule.get("required") and rule["service"] != "d" and not rule.get("mutual"):
            assert are_near(host, hosts[rule["service"]], rule)


@given(worlds, st.randoms(use_true_random=False))
def test_what_was_placed_does_not_want_to_move(drawn: Drawn, dice: random.Random) -> None:
    world = world_of(drawn, dice)
    host = placed(world)
    if host is None:
        return
    service = world.services["shop/d"]
    instance = put(world, service, epoch=2, host=host)
    assert placement.must_leave(world, service, instance) is None
    assert placement.better_host(world, service, instance) is None


@given(worlds, st.randoms(use_true_random=False))
def test_of_two_that_must_be_apart_and_are_not_only_one_wants_to_move(drawn: Drawn, dice: random.Random) -> None:
    world = world_of(drawn, dice)
    apart = [{"service": "b", "required": True}]
    for name, spec in (("a", {"apart": apart}), ("b", {})):
        put(world, a_service(name, unit(name), placement=spec), epoch=2, host="n1")
    for name in ("c", "d"):
        put(world, a_service(name, unit(name)), epoch=2)
    wants = [
        name
        for name in ("a", "b")
        if placement.must_leave(world, world.services[f"shop/{name}"], world.instances[f"shop/{name}-0"])
    ]
    assert wants == ["b"]
