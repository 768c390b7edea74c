"""What ServiceClasses say of a service as a whole: a table of fields, of what classes say, and of what is told."""

from __future__ import annotations

from typing import Any

import pytest

from backstay_api.objects.models import ServiceClass
from backstay_operator.planner.judge import service_classes
from backstay_operator.planner.judge.acceptance import priority_of
from backstay_operator.planner.know.reading import put
from backstay_operator.planner.know.world import World
from backstay_testing.builders import a_service, unit
from backstay_testing.worlds import a_world

FENCE: Any = {"recovery": {"onStopFailure": "Fence"}}


def a_class(name: str = "shop", namespaces: tuple[str, ...] = ("shop",), **spec: Any) -> ServiceClass:
    body = {"namespaces": list(namespaces), "allow": [{"units": ["*"], "overrides": ["*"]}], **spec}
    return ServiceClass.from_wire({"metadata": {"name": name}, "spec": body})


def in_a_world(*classes: ServiceClass) -> World:
    world = a_world("n1", "n2")
    for one in classes:
        put(world, one)
    return world


def priority(number: int) -> Any:
    return {"placement": {"priority": number}}


def capacity(**amounts: Any) -> Any:
    return {"placement": {"capacity": amounts}}


ONLY = "ServiceClass shop allows namespace shop only"


@pytest.mark.parametrize(
    ("said", "service", "why"),
    [
        pytest.param({}, a_service(), "", id="nothing that others mind"),
        pytest.param(
            {},
            a_service(**FENCE),
            f"spec.recovery.onStopFailure: {ONLY} Block, for Fence powers a host off: say that, or add `onStopFailure: Fence` there",
            id="a stop that fails powers no host off",
        ),
        pytest.param({"onStopFailure": "Block"}, a_service(**FENCE), "spec.recovery.onStopFailure", id="in words"),
        pytest.param({"onStopFailure": "Fence"}, a_service(**FENCE), "", id="unless that is allowed"),
        pytest.param({}, a_service(**priority(-5)), "", id="who gives way to others may"),
        pytest.param(
            {},
            a_service(**priority(1)),
            f"spec.placement.priority: {ONLY} a priority up to 0, for a higher one has others stopped:"
            " say a lower one, or raise `maxPriority` there",
            id="nobody is stopped for it",
        ),
        pytest.param({"maxPriority": 10}, a_service(**priority(10)), "", id="up to a number"),
        pytest.param({"maxPriority": 10}, a_service(**priority(11)), "spec.placement.priority", id="not above it"),
        pytest.param({}, a_service(mode="Replicated", replicas=100), "", id="any number of copies"),
        pytest.param({}, a_service(mode="EveryHost"), "", id="on any number of hosts"),
        pytest.param({"maxReplicas": 3}, a_service(mode="Replicated", replicas=3), "", id="so many copies"),
        pytest.param(
            {"maxReplicas": 3},
            a_service(mode="Replicated", replicas=4),
            f"spec.replicas: {ONLY} up to 3 copies: ask for fewer, or raise `maxReplicas` there",
            id="and no more",
        ),
        pytest.param(
            {"maxReplicas": 3},
            a_service(mode="EveryHost"),
            f"spec.replicas: {ONLY} up to 3 copies, and mode EveryHost has any number: choose another, or take out"
            " `maxReplicas` there",
            id="nor as many as hosts come to be",
        ),
        pytest.param({"maxReplicas": 1}, a_service(), "", id="one is always allowed"),
        pytest.param({"maxResources": 2}, a_service("web", unit("a"), unit("b")), "", id="so many resources"),
        pytest.param(
            {"maxResources": 1},
            a_service("web", unit("a"), unit("b")),
            f"spec.resources: {ONLY} up to 1 resources, not 2: bring fewer, or raise `maxResources` there",
            id="and no more of them",
        ),
        pytest.param({}, a_service(**capacity(memory="9Ti")), "", id="as much as it likes"),
        pytest.param({"maxCapacity": {"memory": "8Gi"}}, a_service(**capacity(memory="8192Mi")), "", id="as much"),
        pytest.param({"maxCapacity": {"memory": "8Gi"}}, a_service(**capacity(cpu=64)), "", id="of another name"),
        pytest.param(
            {"maxCapacity": {"cpu": "1500m", "memory": "8Gi"}},
            a_service(**capacity(cpu=2, memory="1Gi")),
            f"spec.placement.capacity: {ONLY} up to 1500m of cpu: ask for less, or raise it in `maxCapacity` there",
            id="more than that",
        ),
        pytest.param(
            {"maxCapacity": {"cpu": "much"}},
            a_service(**capacity(cpu=1)),
            "spec.placement.capacity: ServiceClass shop allows namespace shop only what it can understand, and 'much' for cpu",
            id="a class that nobody understands allows none of it",
        ),
    ],
)
def test_what_a_service_may_ask_for_as_a_whole(said: dict[str, Any], service: Any, why: str) -> None:
    found = service_classes.refusal(in_a_world(a_class(**said)), service)
    assert found.startswith(why) and bool(found) == bool(why), found
    assert service_classes.refusal(in_a_world(), service) == "", "without any class everything is allowed"


def test_a_priority_that_no_class_allows_is_none() -> None:
    important = a_service(**priority(11))
    assert priority_of(in_a_world(), important) == 11
    assert priority_of(in_a_world(a_class(maxPriority=10)), important) == 0
    assert priority_of(in_a_world(a_class(maxPriority=11)), important) == 11


def test_each_class_that_names_it_must_allow_it() -> None:
    all_, shop = a_class("all", ("*",)), a_class(maxPriority=10)
    found = service_classes.refusal(in_a_world(all_, shop), a_service(**priority(1)))
    assert found.startswith("spec.placement.priority: ServiceClass all allows namespace shop only a priority up to 0")


def test_a_setting_is_a_word_of_an_entry() -> None:
    limited = unit(systemd={"unit": "web.service", "overrides": {"Nice": "-20"}})
    world = in_a_world(a_class(allow=[{"units": ["*"], "overrides": ["Memory*"]}]))
    assert "does not allow namespace shop the override Nice" in service_classes.refusal(
        world, a_service("web", limited)
    )
    assert service_classes.refusal(in_a_world(a_class()), a_service("web", limited)) == ""


def test_what_is_asked_for_is_told_item_by_item() -> None:
    told = service_classes.answers(in_a_world(a_class(onStopFailure="Fence")), a_service(**FENCE, **priority(3)))
    assert [(one.item.name, one.by, bool(one.why)) for one in told] == [
        ("spec.placement.hosts", "ServiceClass shop", False),
        ("spec.recovery.onStopFailure", "ServiceClass shop", False),
        ("spec.placement.priority", "", True),
        ("web", "ServiceClass shop", False),
    ]


@pytest.mark.parametrize(
    ("classes", "may"),
    [
        pytest.param([], True, id="no class"),
        pytest.param([a_class(onStopFailure="Fence")], True, id="allowed"),
        pytest.param([a_class(onStopFailure="Fence"), a_class("all", ("*",))], False, id="not by each"),
        pytest.param([a_class("db", ("db",), onStopFailure="Fence")], False, id="named by none"),
    ],
)
def test_who_may_have_a_host_fenced(classes: list[ServiceClass], may: bool) -> None:
    assert service_classes.may_fence(in_a_world(*classes), "shop") is may
