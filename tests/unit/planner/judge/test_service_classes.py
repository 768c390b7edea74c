"""What ServiceClasses allow: each that names a namespace must, one entry of it all that a resource asks for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from backstay_api.objects.models import HAService, ServiceClass
from backstay_api.objects.object_kinds import SERVICE_CLASSES, Unreadable
from backstay_operator.planner.judge import acceptance, service_classes
from backstay_operator.planner.judge.acceptance import Accepted, Refused
from backstay_operator.planner.know.reading import put, take_out
from backstay_operator.planner.know.selection import unasked
from backstay_operator.planner.know.world import World
from backstay_testing.builders import a_service, address, command, unit
from backstay_testing.worlds import a_world

POOL = {"matchLabels": {"pool": "shop"}}
WEB = {"units": ["web.service"]}
UNNAMED = (
    "namespace shop: no ServiceClass names it, and where there is any, services of other namespaces may bring nothing:"
    " add it to `namespaces` of one, or make one for it (role backstay:policy-admins)"
)


def a_class(name: str = "shop", *allow: Mapping[str, Any], namespaces: tuple[str, ...] = ("shop",), **spec: Any) -> Any:
    body = {"namespaces": list(namespaces), "allow": list(allow), **spec}
    return ServiceClass.from_wire({"metadata": {"name": name}, "spec": body})


def in_a_world(*classes: ServiceClass, services: tuple[HAService, ...] = ()) -> World:
    world = a_world("n1", "n2")
    for one in classes:
        put(world, one)
    for service in services:
        world.put_service(service)
    return world


def said(service: HAService, *classes: ServiceClass) -> str:
    return service_classes.refusal(in_a_world(*classes), service)


PROBED = unit(probes=[{"name": "alive", "exec": {"command": ["/bin/true"]}}])
PROMOTED: Any = {"mode": "Promotable", "promotion": {"scoreCommand": ["/bin/position"]}}


@pytest.mark.parametrize(
    ("classes", "service", "why"),
    [
        pytest.param([], a_service(), "", id="no class at all: everything, as before there were any"),
        pytest.param([a_class("shop", WEB)], a_service(), "", id="allowed"),
        pytest.param([a_class("shop", WEB, namespaces=("s*p",))], a_service(), "", id="by a pattern of its namespace"),
        pytest.param([a_class("db", WEB, namespaces=("db",))], a_service(), UNNAMED, id="no class names it"),
        pytest.param(
            [a_class("shop")],
            a_service(),
            'web: ServiceClass shop has no entry of spec.allow for namespace shop: add one, with units = ["web.service"]',
            id="a class without an entry allows nothing",
        ),
        pytest.param(
            [a_class("shop", {"units": ["api.service"]})],
            a_service(),
            "web: ServiceClass shop does not allow namespace shop the unit web.service:"
            ' add "web.service" to `units` of one entry of spec.allow there',
            id="the sentence names the class, what it lacks and where to add it",
        ),
        pytest.param(
            [a_class("shop", WEB), a_class("nobody-as-root", {"units": ["api.service"]}, namespaces=("*",))],
            a_service(),
            "web: ServiceClass nobody-as-root does not allow namespace shop the unit web.service",
            id="each class that names it must allow it",
        ),
        pytest.param(
            [a_class("shop", WEB), a_class("all", {"kinds": ["systemd"], "units": ["*"]}, namespaces=("*",))],
            a_service(),
            "",
            id="and both do",
        ),
        pytest.param(
            [a_class("shop", {"commands": ["/bin/a"], "users": ["shop"]}, {"users": ["root"]})],
            a_service("web", command("a", start=["/bin/a"], stop=["/bin/a"])),
            "a: ServiceClass shop does not allow namespace shop the user root",
            id="one entry must allow all of a resource",
        ),
        pytest.param(
            [a_class("shop", WEB)],
            a_service("web", unit(), address("192.0.2.7/24")),
            "address: ServiceClass shop does not allow namespace shop the address 192.0.2.7",
            id="every resource",
        ),
        pytest.param(
            [a_class("shop", WEB)],
            a_service("web", PROBED),
            "web, probe alive: ServiceClass shop does not allow namespace shop the command /bin/true, the user root",
            id="and every probe",
        ),
        pytest.param(
            [a_class("shop", WEB)],
            a_service(**PROMOTED),
            "promotion.scoreCommand: ServiceClass shop does not allow namespace shop the command /bin/position",
            id="and what says how fresh data is, which runs as root",
        ),
        pytest.param(
            [a_class("shop", WEB, {"commands": ["/bin/position"], "users": ["root"]})],
            a_service(**PROMOTED),
            "",
            id="which may be allowed",
        ),
        pytest.param(
            [a_class("shop", WEB, hosts=POOL)],
            a_service(),
            "spec.placement.hosts: ServiceClass shop allows namespace shop only hosts with pool=shop: ask for that there",
            id="anywhere is not its pool",
        ),
        pytest.param([a_class("shop", WEB, hosts=POOL)], a_service(placement={"hosts": POOL}), "", id="its pool"),
        pytest.param(
            [a_class("shop", WEB), a_class("all", WEB, namespaces=("*",), hosts=POOL)],
            a_service(),
            "spec.placement.hosts: ServiceClass all allows namespace shop only hosts with pool=shop",
            id="the pool of each class",
        ),
    ],
)
def test_what_is_allowed(classes: list[ServiceClass], service: HAService, why: str) -> None:
    found = said(service, *classes)
    assert found.startswith(why) and bool(found) == bool(why), found


def expression(operator: str, *values: str, key: str = "pool") -> dict[str, Any]:
    return {"key": key, "operator": operator, **({"values": list(values)} if values else {})}


@pytest.mark.parametrize(
    ("pool", "asked", "lacks"),
    [
        pytest.param(POOL, None, "pool=shop", id="nothing is asked for"),
        pytest.param(POOL, {}, "pool=shop", id="or everything selected"),
        pytest.param(POOL, {"matchLabels": {"pool": "db"}}, "pool=shop", id="another pool"),
        pytest.param(POOL, {"matchLabels": {"pool": "shop", "disk": "ssd"}}, "", id="some of its hosts"),
        pytest.param(POOL, {"matchExpressions": [expression("In", "shop")]}, "", id="by an expression"),
        pytest.param(POOL, {"matchExpressions": [expression("In", "shop", "db")]}, "pool=shop", id="one of two pools"),
        pytest.param(
            POOL,
            {"matchExpressions": [expression("In", "shop", "db"), expression("In", "shop", "x")]},
            "",
            id="what both expressions take",
        ),
        pytest.param(POOL, {"matchExpressions": [expression("Exists")]}, "pool=shop", id="any value"),
        pytest.param(
            {"matchExpressions": [expression("In", "a", "b")]}, {"matchLabels": {"pool": "b"}}, "", id="one of several"
        ),
        pytest.param(
            {"matchExpressions": [expression("In", "a", "b")]},
            {"matchLabels": {"pool": "c"}},
            "pool In a, b",
            id="none of several",
        ),
        pytest.param(
            {"matchExpressions": [expression("NotIn", "db")]}, {"matchLabels": {"pool": "shop"}}, "", id="not that one"
        ),
        pytest.param({"matchExpressions": [expression("NotIn", "db")]}, {}, "pool NotIn db", id="nor without a label"),
        pytest.param(
            {"matchExpressions": [expression("NotIn", "db")]},
            {"matchExpressions": [expression("NotIn", "db")]},
            "",
            id="in the same words",
        ),
        pytest.param(
            {"matchExpressions": [expression("DoesNotExist", key="db")]},
            {"matchLabels": {"db": "x"}},
            "db DoesNotExist",
            id="what must not be there",
        ),
        pytest.param({"matchExpressions": [expression("Gt", "4")]}, {"matchLabels": {"pool": "8"}}, "", id="above"),
    ],
)
def test_a_selector_stays_within_a_pool_by_its_words_alone(pool: Any, asked: Any, lacks: str) -> None:
    service = a_service(placement={} if asked is None else {"hosts": asked})
    hosts = a_class("shop", hosts=pool).spec.hosts
    assert hosts is not None and unasked(service.spec.placement.hosts, hosts) == lacks


def test_it_is_refused_with_that_sentence_and_others_are_not() -> None:
    bad = a_service("bad", unit("ssh"))
    world = in_a_world(a_class("shop", WEB), services=(a_service(), bad))
    assert isinstance(acceptance.accept(world, world.services["shop/web"]), Accepted)
    refused = acceptance.accept(world, bad)
    assert isinstance(refused, Refused) and refused.reason == "NotAllowed"
    assert refused.message.startswith("ssh: ServiceClass shop does not allow namespace shop the unit ssh.service")


def test_one_that_may_not_bring_a_thing_keeps_nobody_from_having_it() -> None:
    """Else an older service of a namespace without rights could take every address there is."""
    older = a_service("older", address("192.0.2.7/24"), created="2020-01-01T00:00:00Z")
    older = older.model_copy(update={"metadata": older.metadata.model_copy(update={"namespace": "other"})})
    younger = a_service("web", address("192.0.2.7/24"))
    taken = in_a_world(services=(older, younger))
    assert isinstance(acceptance.accept(taken, younger), Refused), "without classes the older one has it"
    world = in_a_world(a_class("shop", {"networks": ["192.0.2.0/24"]}), services=(older, younger))
    assert isinstance(acceptance.accept(world, younger), Accepted)


def test_a_class_that_changes_counts_at_the_next_plan() -> None:
    service = a_service()
    world = in_a_world(services=(service,))
    changes: list[Callable[[], object]] = [
        lambda: put(world, a_class("shop", WEB)),
        lambda: put(world, a_class("shop", {"units": ["api.service"]})),
        lambda: take_out(world, SERVICE_CLASSES, "shop"),
    ]
    told = []
    for change in changes:
        change()
        told.append(isinstance(acceptance.accept(world, service), Accepted))
    assert told == [True, False, True]


def test_one_that_cannot_be_read_allows_nothing_and_is_there() -> None:
    """Written by a later release: what its earlier version allowed, the present one may not."""
    world = in_a_world(a_class("shop", WEB))
    unread = Unreadable("ServiceClass", "shop", "spec.namespaces: there is none")
    world.unreadable["ServiceClass", "shop"] = unread
    said = service_classes.refusal(world, a_service())
    assert said == UNNAMED.replace("it, and", "it (shop cannot be read, and so allows nothing), and")
    take_out(world, SERVICE_CLASSES, "shop")
    assert service_classes.refusal(world, a_service()) == said, "nor does it count as none at all"
    world.unreadable = {("ServiceClass", "db"): replace(unread, key="db")}
    assert "(db cannot be read" in service_classes.refusal(world, a_service())


def test_what_is_allowed_is_told_item_by_item() -> None:
    world = in_a_world(a_class("shop", WEB), a_class("all", {"units": ["*"]}, namespaces=("*",)))
    told = [(one.item.name, one.by, bool(one.why)) for one in service_classes.answers(world, a_service("web", PROBED))]
    assert told == [
        ("spec.placement.hosts", "ServiceClass all, ServiceClass shop", False),
        ("web", "ServiceClass all, ServiceClass shop", False),
        ("web, probe alive", "", True),
    ]
    assert [one.by for one in service_classes.answers(in_a_world(), a_service())] == [service_classes.NO_CLASS]
