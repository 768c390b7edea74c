"""Where a place for all takes a host that nobody has asked yet, it is asked at once."""

from __future__ import annotations

from backstay_operator.planner.do.decisions import decide_in_turn
from backstay_operator.planner.know.world import World
from backstay_testing.builders import a_service, unit
from backstay_testing.worlds import a_world, add_host, make_ours, put, say_ready


def four_wait_for_room() -> World:
    """Four hosts with room for one each; nobody has asked n4, for three others are ready and as good."""
    world = a_world()
    for host in ("n1", "n2", "n3", "n4"):
        add_host(world, host, capacity={"cpu": 1})
    for name in ("a", "b", "c", "d"):
        service = a_service(name, unit(name), placement={"capacity": {"cpu": 1}})
        instance = put(world, service, epoch=1)
        say_ready(world, service, "n1", "n2", "n3", uid=instance.uid)
    make_ours(world)
    return world


def test_a_host_that_nobody_has_asked_is_asked_where_all_have_a_place_with_it() -> None:
    world = four_wait_for_room()
    found = {name: decide_in_turn(world, world.services[f"shop/{name}"])[1].slots[0] for name in "abcd"}
    assert {name: slot.course.to for name, slot in found.items()} == {"a": "n1", "b": "n2", "c": "n3", "d": ""}
    assert "n4" in found["d"].asked and "n4" not in found["a"].asked
