"""Who stops for whom: what both statuses and an Event say, what is asked once more before the stop, and what is left alone."""

from __future__ import annotations

from typing import Any, Final

import pytest

from backstay_api.objects.models.service import HAServiceStatus
from backstay_operator.planner.actions import WriteServiceStatus
from backstay_operator.planner.do.decisions import Decision, decide_in_turn
from backstay_operator.planner.judge.shedding import all_held
from backstay_operator.planner.know.world import World
from backstay_operator.planner.tell.status import service_status
from backstay_testing.builders import a_service, an_instance, an_order, unit
from backstay_testing.statuses import condition
from backstay_testing.worlds import Befall, a_world, add_host, all_of, make_ours, nothing, put, report, say_ready, tell

TWO: Final = {"capacity": {"cpu": 2}}
WEB: Final = a_service("web", placement=TWO)
DB: Final = a_service("db", unit("db"), placement={**TWO, "priority": 5})
WHY: Final = "shop/db needs the room, and its priority is 5, not 0"


def full(*, web: Any = WEB, db: Any = DB) -> World:
    """web runs on n1, and db has run before and is to go where it has room; both hosts are ready for db, and n2 offers nothing."""
    world = a_world("n2")
    add_host(world, "n1", capacity={"cpu": 2})
    put(world, web, epoch=1, host="n1")
    put(world, db, epoch=1)
    report(world, web, "n1", "Running", epoch=1)
    say_ready(world, db, "n1")
    make_ours(world)
    return world


def decided(world: World, name: str) -> Decision:
    return decide_in_turn(world, world.services[f"shop/{name}"])[1]


def told(world: World, name: str) -> HAServiceStatus:
    return service_status(world, decided(world, name))


def test_both_statuses_and_an_event_say_who_stops_for_whom() -> None:
    world = full()
    for_db, for_web = told(world, "db"), told(world, "web")
    assert for_db.instances[0].why.endswith("; room is made for it on n1, where shop/web is stopped")
    assert condition(for_web, "Degraded") == ("True", "Shed", f"Being stopped on n1: {WHY}")
    event = WriteServiceStatus(world.services["shop/web"], for_web).event()
    assert event is not None and (event.type, event.reason, event.note) == (
        "Warning",
        "Shed",
        f"Being stopped on n1: {WHY}",
    )


def test_before_the_stop_it_is_asked_whether_the_other_still_waits() -> None:
    (slot,) = decided(full(), "web").slots
    assert slot.course.order is not None and (slot.course.order.want, slot.course.order.why) == ("Down", WHY)
    assert [(need.kind, need.name, need.version, need.generation) for need in slot.course.needs] == [  # type: ignore[union-attr]
        ("HAService", "db", "", 1),
        ("HAInstance", "db-0", "1", None),
    ]


def test_while_it_stops_and_after_that_its_status_says_for_whom() -> None:
    world = full()
    instance = world.instances["shop/web-0"]
    tell(world, "n1", instance, an_order(instance, "Down", why=WHY))
    report(world, WEB, "n1", "Stopping", epoch=1)
    assert condition(told(world, "web"), "Degraded")[:2] == ("True", "Shed")
    put(world, DB, epoch=2, host="n1")
    put(world, WEB, epoch=1)
    say_ready(world, WEB, "n1")
    make_ours(world)
    status, reason, why = condition(told(world, "web"), "Degraded")
    assert (status, reason) == ("True", "Shed")
    assert why.endswith("; it gives way on n1 to shop/db, whose priority is higher than its own, 0")


def unmanaged(world: World) -> None:
    world.put_service(a_service("web", placement=TWO, state="Unmanaged"))
    make_ours(world)


def stuck(world: World) -> None:
    report(world, WEB, "n1", "Stuck", epoch=1, why="busy")


def unready(world: World) -> None:
    say_ready(world, DB, "n1", ready=False, why="masked")


def required(type_: str) -> Befall:
    depends = [{"service": "web", "type": type_}]
    return lambda world: world.put_service(a_service("shop", unit("shop"), dependsOn=depends))


def granted(world: World) -> None:
    """db is on n2, which is lost, and nothing has proven that yet."""
    put(world, DB, epoch=1, host="n2")
    make_ours(world)


def needs(**placement: Any) -> Befall:
    def befall(world: World) -> None:
        world.put_service(a_service("db", unit("db"), placement={**TWO, "priority": 5, **placement}))
        make_ours(world)

    return befall


@pytest.mark.parametrize(
    ("befall", "is_shed"),
    [
        pytest.param(nothing, True, id="it stops for what is more important"),
        pytest.param(needs(priority=0), False, id="what is as important waits"),
        pytest.param(needs(priority=-1), False, id="and what is less important"),
        pytest.param(needs(capacity={"cpu": 3}), False, id="more than the host ever has: nobody stops for that"),
        pytest.param(needs(capacity={"gpu": 1}), False, id="nor for what the host does not offer"),
        pytest.param(needs(capacity={}), False, id="what needs no room needs none to be made"),
        pytest.param(needs(together=[{"service": "web", "required": True}]), False, id="what it must run with stays"),
        pytest.param(needs(apart=[{"service": "web", "required": True}]), False, id="only for want of room"),
        pytest.param(needs(hosts={"matchLabels": {"pool": "db"}}), False, id="not where it is not selected"),
        pytest.param(unready, False, id="not where it could not start"),
        pytest.param(stuck, False, id="what cannot be stopped is not counted on"),
        pytest.param(required("Requires"), False, id="what another service requires is not stopped"),
        pytest.param(required("After"), True, id="an order binds nobody"),
        pytest.param(unmanaged, False, id="what is unmanaged is not touched"),
        pytest.param(granted, False, id="not before the other is proven over"),
        pytest.param(
            all_of(needs(capacity={"cpu": 1}), lambda world: add_host(world, "n2", capacity={"cpu": 1})),
            True,
            id="n2 has not said that it is ready",
        ),
    ],
)
def test_for_what_it_stops(befall: Befall, is_shed: bool) -> None:
    world = full()
    befall(world)
    before = world.instances["shop/web-0"]
    (slot,) = decided(world, "web").slots
    assert before.holder == "n1"
    assert (slot.course.order is not None and slot.course.order.want == "Down") == is_shed
    assert ("room is made for it" in told(world, "db").instances[0].why) == is_shed, "nobody promises what is not done"


def test_the_room_of_a_stop_that_is_refused_does_not_come() -> None:
    """It is stopped only where its manifest is accepted, but for what a class refuses."""
    stopped = a_service("web", placement=TWO, state="Stopped")
    refused = a_service("web", unit(), {**unit(), "name": "again"}, placement=TWO, state="Stopped")
    assert [[one.is_going for one in all_held(full(web=web))] for web in (stopped, refused)] == [[True], []]


def test_a_promoted_role_takes_no_room_so_nothing_is_gained_by_its_stop() -> None:
    """Two are as little important: the pair on n1 comes first by name, and of it only the copy counts."""
    world = a_world("n1")
    pair = a_service("a", unit("a"), unit("writer", role="Promoted"), mode="Promotable", replicas=1, placement=TWO)
    world.put_service(pair)
    for slot in range(2):
        world.put_instance(an_instance(pair, epoch=1, host="n1", slot=slot))
        report(world, pair, "n1", "Running", epoch=1, slot=slot)
    make_ours(world)
    assert [one.instance.metadata.name for one in all_held(world)] == ["a-0"]
