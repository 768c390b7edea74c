"""Which services anything was changed of between two rounds: seen by looking at all objects at once, and by identity alone."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Set
from typing import NamedTuple, TypeVar

from backstay_api.objects.models import HAInstance, HAService, HostAssignment, ResourceClaim
from backstay_api.objects.object_kinds import HA_INSTANCES

from .claims import things
from .contents import ConfigMapSeen
from .world import Rebooting, World

T = TypeVar("T")


class Seen(NamedTuple):
    """All objects that are about certain services, as they were at one moment."""

    services: dict[str, HAService]
    instances: dict[str, HAInstance]
    claims: dict[str, ResourceClaim]
    assignments: dict[str, HostAssignment]
    rebooting: dict[str, Rebooting]
    contents: dict[str, ConfigMapSeen]


def seen(world: World) -> Seen:
    """As they are now."""
    return Seen(
        world.services.copy(),
        world.instances.copy(),
        world.claims.copy(),
        world.assignments.copy(),
        world.rebooting.copy(),
        world.contents.copy(),
    )


def touched(world: World, before: Seen) -> Set[str]:
    """Keys of services of which any object is another than it was: their own, a claim, or what a host says of them or is told about them,
    be it of a copy that is gone; or a ConfigMap that they name; and of those that want what another has come to want, or wants no more."""
    found = set(_replaced(before.services, world.services))
    found.update(_wanting(before, world, tuple(found)))
    for name in _replaced(before.contents, world.contents):
        found |= world.named_by.get(name, set())
    services, instances = set[str](), {*_said_of(before, world), *_replaced(before.rebooting, world.rebooting)}
    for key in _replaced(before.instances, world.instances):
        services.update(one.spec.service.uid for one in _both(before.instances, world.instances, key))
    for name in _replaced(before.claims, world.claims):
        found |= world.wanted_by.get(name, set())
        services.update(owner.uid for one in _both(before.claims, world.claims, name) for owner in one.owners)
    if instances:
        there = {one.uid: one.spec.service.uid for one in world.instances.values() if one.uid in instances}
        gone = instances - there.keys()
        services.update(there.values(), _recorded_for(world, gone), _of_that_name(before, world, gone))
    return found | {key for key, one in world.services.items() if one.uid in services} if services else found


def _wanting(before: Seen, world: World, replaced: Collection[str]) -> Iterator[str]:
    """Keys of services that want anything which one of these does, or did, whose manifest is another."""
    for key in replaced:
        old, new = before.services.get(key), world.services.get(key)
        if old is None or new is None or old.spec is not new.spec:
            for thing in {thing for one in (old, new) if one is not None for thing in things(one)}:
                yield from world.wanted_by.get(thing, ())


def _of_that_name(before: Seen, world: World, gone: Set[str]) -> Iterator[str]:
    """UIDs of services that have an HAInstance under the name of one that is gone, of which a host says something else than it did."""
    for host in _replaced(before.assignments, world.assignments) if gone else ():
        for one in (before.assignments.get(host), world.assignments.get(host)):
            said = (one.spec.instances, one.status.instances) if one is not None else ()
            entries = (part[uid] for part in said for uid in part.keys() & gone)
            keys = {HA_INSTANCES.key(entry.namespace, entry.name) for entry in entries}
            yield from (world.instances[key].spec.service.uid for key in keys & world.instances.keys())


def _recorded_for(world: World, gone: Set[str]) -> Iterator[str]:
    """UIDs of services that have anything which was recorded for one of these HAInstances that are gone."""
    for claim in world.claims.values() if gone else ():
        yield from (owner.uid for owner in claim.owners if owner.instance in gone)


def _said_of(before: Seen, world: World) -> Iterator[str]:
    """UIDs of instances of which an entry of a HostAssignment is another."""
    for host in _replaced(before.assignments, world.assignments):
        old, new = before.assignments.get(host), world.assignments.get(host)
        for one, other in zip(_entries(old), _entries(new), strict=True):
            yield from _replaced(one, other)


def _entries(assignment: HostAssignment | None) -> tuple[Mapping[str, object], ...]:
    if assignment is None:
        return ({},) * 8
    spec, status = assignment.spec, assignment.status
    looks = spec.prerequisites, status.prerequisites
    return spec.instances, spec.standbys, spec.roles, status.instances, status.standbys, status.roles, *looks


def _replaced(before: Mapping[str, object], after: Mapping[str, object]) -> list[str]:
    """Keys under which there is not the very same now."""
    return [key for key in before.keys() | after.keys() if before.get(key) is not after.get(key)]


def _both(before: Mapping[str, T], after: Mapping[str, T], key: str) -> list[T]:
    return [one[key] for one in (before, after) if key in one]
