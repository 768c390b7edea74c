"""A plan depends on what is known and on nothing else, and changes nothing of it."""

from __future__ import annotations

from dataclasses import fields

from hypothesis import HealthCheck, assume, given, settings

from backstay_operator.planner.know.world import OwnPath, World
from backstay_operator.planner.plan import plan
from backstay_testing.random_worlds import Wires, build, own_paths, wires

FEW = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])


@FEW
@given(wires(), own_paths)
def test_the_same_world_gives_the_same_plan_in_whatever_order_it_was_learned(
    random_world: Wires, own_path: OwnPath
) -> None:
    once, again = plan(build(random_world, own_path)), plan(build(random_world, own_path, backwards=True))
    assert once == again


@FEW
@given(wires(), own_paths)
def test_planning_alters_nothing(random_world: Wires, own_path: OwnPath) -> None:
    world = build(random_world, own_path)
    assume(world.instances)
    before = known(world)
    first = plan(world)
    assert known(world) == before
    assert plan(world) == first, "what was kept changes nothing"
    world.kept.clear()
    assert plan(world) == first, "nor does it change anything that nothing is kept any more"


def known(world: World) -> dict[str, object]:
    """All of a world but what the planner keeps there for itself across plans."""
    return {one.name: _copied(getattr(world, one.name)) for one in fields(world) if one.name != "kept"}


def _copied(value: object) -> object:
    """An index that was only asked for a key has an empty set there: that is as good as nothing."""
    match value:
        case dict():
            return {key: _copied(one) for key, one in value.items() if one != set()}
        case set():
            return frozenset(value)
    return value
