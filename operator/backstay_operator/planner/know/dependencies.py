"""`spec.dependsOn` as it is declared: who depends on whom, cycles, and an order in which nobody comes before what it depends on."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Mapping
from graphlib import CycleError, TopologicalSorter

from backstay_api.objects.models import HAService
from backstay_api.objects.models.service import Dependency
from backstay_api.objects.names import key_of

from .world import World

Edge = tuple[HAService, Dependency]
"""Who depends, and how."""


def dependencies(world: World, service: HAService) -> tuple[Dependency, ...]:
    """Those that count: of the manifest as it stands, though something else in it is refused; of a service in a cycle none."""
    if service.key not in world.depending or service.key in cycles(world):
        return ()
    return tuple(world.services[service.key].spec.depends_on or ())


def other_key(service: HAService, dependency: Dependency) -> str:
    """Key of the HAService that a dependency names."""
    return key_of(service.metadata.namespace, dependency.service)


def dependents(world: World) -> Mapping[str, list[Edge]]:
    """By key of a service: those that depend on it, in a fixed order."""
    return world.once("dependents", (), lambda: _dependents(world)) if world.depending else {}


def _dependents(world: World) -> Mapping[str, list[Edge]]:
    found: defaultdict[str, list[Edge]] = defaultdict(list)
    for service in (world.services[key] for key in sorted(world.depending)):
        for one in dependencies(world, service):
            found[other_key(service, one)].append((service, one))
    return found


def cycles(world: World) -> Mapping[str, tuple[str, ...]]:
    """By key of each service that in the end depends on itself: the shortest way round, from it back to it.

    One that is being deleted counts until it is gone: otherwise two that depend on each other would wait for each other's stop.
    """
    return world.once("cycles", (), lambda: _cycles(world)) if world.depending else {}


def _cycles(world: World) -> Mapping[str, tuple[str, ...]]:
    edges = {key: _named(world, key) for key in sorted(world.depending)}
    # What can be put in an order is in no cycle; what is left is in one, or depends on one.
    sorter, ordered = TopologicalSorter(edges), set[str]()
    try:
        sorter.prepare()
        return {}
    except CycleError:
        while ready := sorter.get_ready():
            ordered.update(ready)
            sorter.done(*ready)
    left = [key for key in edges if key not in ordered]
    return {key: way for key in left if (way := _way_round(edges, key))}


def _named(world: World, key: str) -> list[str]:
    service = world.services[key]
    return [other_key(service, one) for one in service.spec.depends_on or ()]


def _way_round(edges: Mapping[str, list[str]], start: str) -> tuple[str, ...]:
    ways: deque[tuple[str, ...]] = deque([(start,)])
    seen: set[str] = set()
    while ways:
        way = ways.popleft()
        for after in edges.get(way[-1], ()):
            if after == start:
                return (*way, after)
            if after not in seen:
                seen.add(after)
                ways.append((*way, after))
    return ()


def after_what_they_depend_on(world: World, keys: Iterable[str]) -> list[str]:
    """The same services in the same order, but that each is preceded by what it depends on."""
    found: dict[str, None] = {}
    for key in keys:
        path = [key]
        while path:
            named = (other_key(world.services[path[-1]], one) for one in dependencies(world, world.services[path[-1]]))
            first = next((one for one in named if one in world.services and one not in found), None)
            if first is None:
                found.setdefault(path.pop())
            else:
                path.append(first)
    return list(found)
