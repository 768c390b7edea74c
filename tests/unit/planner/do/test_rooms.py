"""Who waits for what, and for how long, so that all have a place."""

from __future__ import annotations

from dataclasses import replace

import pytest

from backstay_operator.planner.do.decisions import decide_in_turn
from backstay_operator.planner.do.rounds import begin
from backstay_operator.planner.judge import waiting
from backstay_operator.planner.judge.placement import FOR_BETTER_S, NoHost
from backstay_operator.planner.know.unforeseen import BROKEN
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


def two_wait(first: int, *, ago_s: float) -> World:
    """Both could go to n1, where b alone has room, and a to n2 as well, which has not answered; for so long nobody has held them."""
    world = a_world()
    add_host(world, "n1", capacity={"cpu": 2})
    add_host(world, "n2", capacity={"cpu": 1})
    for name, cpu, priority in (("a", 1, first), ("b", 2, 0)):
        service = a_service(name, unit(name), placement={"capacity": {"cpu": cpu}, "priority": priority})
        instance = put(world, service, epoch=1)
        say_ready(world, service, "n1", uid=instance.uid)
    make_ours(world)
    world.now_s += ago_s
    for host, seen in list(world.leases.items()):
        world.leases[host] = replace(seen, first_seen_s=world.now_s)
    return world


@pytest.mark.parametrize(
    ("first", "ago_s", "goes"),
    [
        pytest.param(0, FOR_BETTER_S / 2, {"a": "", "b": "n1"}, id="a moment, so that both have a place"),
        pytest.param(0, FOR_BETTER_S, {"a": "n1", "b": ""}, id="no longer than a moment"),
        pytest.param(5, FOR_BETTER_S / 2, {"a": "n1", "b": ""}, id="not for the sake of what is less important"),
    ],
)
def test_who_could_go_to_a_host_that_has_yet_to_answer_waits(first: int, ago_s: float, goes: dict[str, str]) -> None:
    world = two_wait(first, ago_s=ago_s)
    found = {name: decide_in_turn(world, world.services[f"shop/{name}"])[1].slots[0].course for name in "ab"}
    assert {name: course.to for name, course in found.items()} == goes
    placed = found["a"].placed
    if not goes["a"]:
        assert isinstance(placed, NoHost) and placed.look_again_s == world.now_s + FOR_BETTER_S - ago_s
        assert (
            placed.why
            == "n1 could run it; waiting for n2, where it leaves room for all that wait, to say whether it is ready"
        )


def test_a_rule_of_one_service_takes_nobody_elses_place() -> None:
    """Thirty of one size, and one that is selected nowhere, which would rather not be with another."""
    world = a_world()
    add_host(world, "n1", capacity={"cpu": 12})
    add_host(world, "n2", capacity={"cpu": 20})
    names = [f"s{number:02}" for number in range(30)]
    for name in names:
        hosts = {"hosts": {"matchLabels": {"pool": "none"}}} if name == "s00" else {}
        rule = {"apart": [{"service": "s01", "weight": 1}]} if name == "s00" else {}
        service = a_service(name, unit(name), placement={"capacity": {"cpu": 1}, **hosts, **rule})
        instance = put(world, service, epoch=1)
        say_ready(world, service, *(("n1",) if name > "s20" else ("n1", "n2")), uid=instance.uid)
    make_ours(world)
    found = begin(world).rooms
    assert found.ended == frozenset()
    assert {room.why for room in found.by_uid.values()} == {"leaves room for others that wait"} and len(
        found.by_uid
    ) == 29


@pytest.mark.parametrize("error", BROKEN)
def test_where_the_search_meets_what_nobody_has_foreseen_each_is_decided_about_by_itself(
    error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    def odd(*_: object) -> None:
        raise error("odd")

    world = two_wait(0, ago_s=0.0)
    monkeypatch.setattr(waiting, "search", odd)
    found = {name: decide_in_turn(world, world.services[f"shop/{name}"])[1].slots[0].course for name in "ab"}
    assert {name: course.to for name, course in found.items()} == {"a": "n1", "b": ""}


def test_nobody_waits_for_an_answer_where_a_search_that_ended_early_has_left_nobody_out() -> None:
    world = two_wait(0, ago_s=0.0)
    there = [one for key in sorted(world.services) for one in waiting._waiting_of(world, world.services[key], {})]
    found = {one.item.key: "n1" for one in there}
    assert waiting._with_those_yet_to_answer(world, there, [one.item for one in there], {}, found) == []
