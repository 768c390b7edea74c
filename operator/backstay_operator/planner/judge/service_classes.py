"""What the ServiceClasses allow a service to bring, and to which hosts. No class at all: everything.

Each class that names the service's namespace must allow all of it, and one entry of the class all that a resource asks for. That is how
an API server judges by several objects too, so that admission (the chart's `backstay-service-classes`) never refuses what is allowed here.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from backstay_api.objects.models import HAService, ServiceClass
from backstay_api.objects.models.service_class import Allowed
from backstay_api.objects.object_kinds import SERVICE_CLASSES, Unreadable
from backstay_api.objects.policies import WORDS, Answer, Item, PolicyRow, answer, items_of, score_item
from backstay_api.objects.texts import clip
from backstay_operator.planner.know.selection import unasked
from backstay_operator.planner.know.world import World

from .class_bounds import Bound, allows_fence, asked_of

NO_CLASS: Final = "no ServiceClass: services may bring whatever they like"
_ENTRY: Final = "entry of spec.allow"


def refusal(world: World, service: HAService) -> str:
    """Why it may not bring what it brings, in a sentence that names the class; empty if it may."""
    if not _are_any(world):
        return ""
    made_from = (service.spec, *(one.spec for one in _readable(world)), *_unreadable(world))
    return world.keep("service classes", service.key, made_from, lambda: _refusal(world, service))


def _refusal(world: World, service: HAService) -> str:
    found = (f"{one.item.name}: {one.why}" for one in answers(world, service) if one.why)
    return clip(next(found, ""))


def answers(world: World, service: HAService) -> Iterator[Answer]:
    """What the classes say of its hosts, of what it asks for as a whole, then of each of its resources and their probes, in order."""
    namespace = service.metadata.namespace or ""
    if not _are_any(world):
        yield from (Answer(item, by=NO_CLASS) for item in _items(service))
        return
    classes = _about(world, namespace)
    if not classes:
        yield Answer(Item(f"namespace {namespace}", "", ()), why=_unnamed(world))
        return
    yield _of_hosts(service, classes)
    yield from (_of_bound(service, bound, classes) for bound in asked_of(service.spec))
    for item in _items(service):
        said = [_answer(one, namespace, item) for one in classes]
        refused = next((one for one in said if one.why), None)
        yield refused or Answer(item, by=", ".join(one.by for one in said))


def services_of(world: World, one: ServiceClass) -> list[HAService]:
    """Those that are to stay in the namespaces that it names."""
    row = row_of(one, Allowed())
    is_named = {
        name: row.is_for(name) for name in {service.metadata.namespace or "" for service in world.services.values()}
    }
    return [
        service
        for _, service in sorted(world.services.items())
        if is_named[service.metadata.namespace or ""] and service.metadata.deletion_timestamp is None
    ]


def refusal_by(world: World, one: ServiceClass, service: HAService) -> str:
    """Why this class alone, which names its namespace, does not allow what it brings, in a sentence; empty if it does."""
    return world.keep(
        f"ServiceClass {one.key}", service.key, (service.spec, one.spec), lambda: _refusal_by(one, service)
    )


def _refusal_by(one: ServiceClass, service: HAService) -> str:
    namespace = service.metadata.namespace or ""
    said = [_of_hosts(service, [one]), *(_of_bound(service, bound, [one]) for bound in asked_of(service.spec))]
    found = (answer for answer in (*said, *(_answer(one, namespace, item) for item in _items(service))) if answer.why)
    return next((f"{answer.item.name}: {answer.why}" for answer in found), "")


def may_fence(world: World, namespace: str) -> bool:
    """Whether a stop that fails in this namespace may have the host fenced: asked when it comes to that, whatever was accepted once."""
    classes = _about(world, namespace)
    return not _are_any(world) or (bool(classes) and all(allows_fence(one.spec) for one in classes))


def _about(world: World, namespace: str) -> list[ServiceClass]:
    """Those that name it."""
    return [one for one in _readable(world) if row_of(one, Allowed()).is_for(namespace)]


_HOSTS: Final = Item("spec.placement.hosts", "", ())


def _unnamed(world: World) -> str:
    unread = [one.key for one in _unreadable(world)]
    more = f" ({', '.join(unread)} cannot be read, and so allows nothing)" if unread else ""
    return (
        f"no ServiceClass names it{more}, and where there is any, services of other namespaces may bring nothing:"
        " add it to `namespaces` of one, or make one for it (role backstay:policy-admins)"
    )


def _of_hosts(service: HAService, classes: list[ServiceClass]) -> Answer:
    for one in classes:
        lacks = unasked(service.spec.placement.hosts, one.spec.hosts) if one.spec.hosts else ""
        if lacks:
            why = f"ServiceClass {one.key} allows namespace {service.metadata.namespace} only hosts with {lacks}"
            return Answer(_HOSTS, why=f"{why}: ask for that there")
    return Answer(_HOSTS, by=_names(classes))


def _of_bound(service: HAService, bound: Bound, classes: list[ServiceClass]) -> Answer:
    item = Item(bound.path, "", ())
    for one in classes:
        if only := bound.refusal(one.spec, service.spec):
            who = f"ServiceClass {one.key} allows namespace {service.metadata.namespace}"
            return Answer(item, why=f"{who} only {only} there")
    return Answer(item, by=_names(classes))


def _names(classes: list[ServiceClass]) -> str:
    return ", ".join(f"ServiceClass {one.key}" for one in classes)


def _items(service: HAService) -> Iterator[Item]:
    for resource in service.spec.resources:
        yield from items_of(resource)
    yield from score_item(service.spec.promotion.score_command if service.spec.promotion else None)


def _answer(one: ServiceClass, namespace: str, item: Item) -> Answer:
    rows = [row_of(one, allowed) for allowed in one.spec.allow]
    return answer(rows, namespace, item, place=f"ServiceClass {one.key}", noun=_ENTRY)


def row_of(one: ServiceClass, allowed: Allowed) -> PolicyRow:
    """One entry, in the words that hosts have as well."""
    patterns = {word: tuple(getattr(allowed, word)) for word in WORDS}
    kinds = tuple(allowed.kinds) if allowed.kinds is not None else None
    return PolicyRow(f"ServiceClass {one.key}", tuple(one.spec.namespaces), patterns, kinds)


def _are_any(world: World) -> bool:
    return bool(world.classes or _unreadable(world))


def _unreadable(world: World) -> list[Unreadable]:
    return [world.unreadable[key] for key in sorted(world.unreadable) if key[0] == SERVICE_CLASSES.kind]


def _readable(world: World) -> list[ServiceClass]:
    """What an earlier version of one allowed, the present one may not."""
    found = (world.classes[key] for key in sorted(world.classes))
    return [one for one in found if not world.why_unreadable(SERVICE_CLASSES.kind, one.key)]
