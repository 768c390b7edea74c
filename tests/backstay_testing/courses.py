"""What befalls hosts and instances, and what is said of the course of a slot."""

from __future__ import annotations

from backstay_operator.planner.actions import Action, DeleteInstance, WriteClaim, WriteInstance
from backstay_operator.planner.do.course import Course
from backstay_operator.planner.do.finalizers import HOST_FINALIZER
from backstay_operator.planner.know.world import World
from backstay_testing.builders import a_host, a_service, an_order, marked
from backstay_testing.worlds import Befall, report, tell

WEB = a_service()


def said(action: Action) -> str:
    match action:
        case WriteInstance(before=before, spec=spec):
            closed = spec.closed.evidence if spec.closed is not None and spec.closed != before.spec.closed else ""
            by = f" by {closed}" if closed else ""
            return f"grant {spec.grant.host} {spec.epoch}{by}" if spec.grant is not None else f"close {spec.epoch}{by}"
        case WriteClaim():
            return "record"
        case DeleteInstance():
            return "delete"
        case _:
            return type(action).__name__


def told(found: Course) -> str:
    """What is done, what its holder is told, and where it goes."""
    order = f"{found.order.want} {found.order.revision}" if found.order is not None else ""
    to = f"to {found.to}" if found.to else ""
    return ", ".join(filter(None, (*map(said, found.actions), order, to)))


def released(world: World) -> None:
    report(world, WEB, "n1", "Stopped", epoch=2, released=True)


def unordered(world: World) -> None:
    raw = world.assignments["n1"].wire()
    raw["spec"]["instances"] = {}
    world.put_assignment(world.assignments["n1"].from_wire(raw))


def down(to: str = "") -> Befall:
    def befall(world: World) -> None:
        instance = world.instances["shop/web-0"]
        tell(world, "n1", instance, an_order(instance, "Down", to=to))

    return befall


def mode(name: str) -> Befall:
    def befall(world: World) -> None:
        world.hosts["n1"] = marked(a_host("n1", mode=name), HOST_FINALIZER)

    return befall


HANDS_OFF = "n1 is in maintenance (HandsOff): nothing there is touched"
