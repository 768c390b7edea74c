"""Labels by which placement takes several hosts for one: racks, rooms, power feeds."""

from __future__ import annotations

from collections.abc import Iterator

from backstay_api.objects.models import HAService

from .affinity import rules_of
from .selection import declared
from .world import World


def without_label(world: World, service: HAService) -> str:
    """The first rule about a label that no host has on which the service may run, in a sentence; empty: there is none."""
    found = next((one for one in _rules(service) if not _has_any(world, service, one[1])), None)
    if found is None:
        return ""
    path, key, then = found
    return f"{path} names the label {key}, which no host has that it selects: {then}"


def _rules(service: HAService) -> Iterator[tuple[str, str, str]]:
    """Its place, its label, and what follows where no host has that."""
    for number, one in enumerate(service.spec.placement.spread or ()):
        then = "no copy can start" if one.is_required else "it spreads nothing"
        yield f"spec.placement.spread[{number}].topologyKey", one.topology_key, then
    for path, rule in rules_of(service):
        if rule.topology_key is not None:
            yield f"{path}.topologyKey", rule.topology_key, "each host counts by itself"


def _has_any(world: World, service: HAService, key: str) -> bool:
    return any(key in (world.hosts[name].metadata.labels or {}) for name in declared(world, service))
