"""What is told of a ServiceClass: a table of services, and of what is counted."""

from __future__ import annotations

from typing import Any

import pytest

from backstay_api.objects.models import HAService, ServiceClass
from backstay_api.objects.models.service_class import ServiceClassStatus
from backstay_api.objects.object_kinds import Unreadable
from backstay_operator.control.watch.urgency import Soon, object_soon
from backstay_operator.planner.know.reading import put
from backstay_operator.planner.know.world import World
from backstay_operator.planner.plan import plan
from backstay_operator.planner.tell.class_status import class_statuses
from backstay_testing.builders import a_service, unit
from backstay_testing.worlds import a_world


def a_class(name: str = "shop", unit: str = "web.service", **status: Any) -> ServiceClass:
    meta = {"name": name, "generation": 3}
    spec = {"namespaces": ["shop"], "allow": [{"units": [unit]}]}
    return ServiceClass.from_wire({"metadata": meta, "spec": spec, "status": status})


def scene(*services: HAService) -> World:
    world = a_world("n1", "n2")
    put(world, a_class())
    for service in services:
        world.put_service(service)
    return world


def bad(name: str) -> HAService:
    return a_service(name, unit("ssh"))


def elsewhere() -> HAService:
    service = bad("other")
    return service.model_copy(update={"metadata": service.metadata.model_copy(update={"namespace": "db"})})


def deleted() -> HAService:
    service = bad("gone")
    meta = service.metadata.model_copy(update={"deletion_timestamp": "2026-01-01T00:00:00Z"})
    return service.model_copy(update={"metadata": meta})


WHY = "ssh: ServiceClass shop does not allow namespace shop the unit ssh.service"


@pytest.mark.parametrize(
    ("services", "counts", "said"),
    [
        pytest.param([], (0, 0), ("True", "NoServices", "There is no HAService"), id="nobody"),
        pytest.param([a_service()], (1, 0), ("True", "AllAllowed", "It allows all"), id="one, and it is allowed"),
        pytest.param([a_service(), bad("a")], (2, 1), ("False", "Refuses", f"shop/a: {WHY}"), id="one of two"),
        pytest.param(
            [bad("a"), bad("b"), bad("c")],
            (3, 3),
            ("False", "Refuses", f"shop/a (and 2 more: backstay policy test -A): {WHY}"),
            id="the first of several",
        ),
        pytest.param([elsewhere(), deleted()], (0, 0), ("True", "NoServices", ""), id="others' and what goes"),
    ],
)
def test_whom_a_class_is_about_and_how_many_it_refuses(
    services: list[HAService], counts: tuple[int, int], said: tuple[str, str, str]
) -> None:
    (told,) = class_statuses(scene(*services))
    (condition,) = told.status.conditions
    assert (told.status.services, told.status.refused, told.status.observed_generation) == (*counts, 3)
    assert (condition.type, condition.status, condition.reason) == ("AllAllowed", *said[:2])
    assert condition.message.startswith(said[2])


def test_each_class_tells_what_it_refuses_itself() -> None:
    world = scene(a_service())
    put(world, a_class("narrow", "api.service"))
    assert {one.before.key: one.status.refused for one in class_statuses(world)} == {"narrow": 1, "shop": 0}


def test_what_stands_there_already_is_not_written_again_and_a_plan_writes_the_rest() -> None:
    world = scene(a_service())
    (told,) = class_statuses(world)
    put(world, told.before.model_copy(update={"status": told.status}))
    assert list(class_statuses(world)) == []
    world.put_service(bad("a"))
    written = [one for one in plan(world).actions if one.ref.kind.kind == "ServiceClass"]
    assert [(type(one).__name__, one.rank.name) for one in written] == [("WriteClassStatus", "PEOPLE")]


def test_of_a_class_that_cannot_be_read_nothing_is_told() -> None:
    world = scene(a_service())
    world.unreadable["ServiceClass", "shop"] = Unreadable("ServiceClass", "shop", "spec.namespaces: there is none")
    assert list(class_statuses(world)) == []


def test_its_status_is_no_news_and_no_reason_to_judge_anybody_anew() -> None:
    world, before = scene(), a_class()
    put(world, before)
    kept = world.classes["shop"].spec
    after = before.model_copy(update={"status": ServiceClassStatus(services=1, refused=0)})
    assert object_soon(after, world) is Soon.LATER
    put(world, ServiceClass.from_wire(after.wire()))
    assert world.classes["shop"].spec is kept and world.classes["shop"].status.services == 1
    assert object_soon(a_class(unit="api.service"), world) is Soon.GATHER
