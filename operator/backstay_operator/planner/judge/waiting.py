"""Hosts for all that wait at once and need capacity: asked before each is decided about by itself (`packing.py` searches)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fractions import Fraction
from typing import Final

from backstay_api.objects.models import HAInstance, HAService
from backstay_api.objects.quantities import amount
from backstay_operator.planner.know.world import World

from .acceptance import Accepted, accept
from .capacity import taken
from .evidence import Evidence, closed
from .packing import MOST_STEPS, Amounts, Item, all_of_them, one_by_one
from .placement import held_by_nobody, place
from .questions import Planned
from .remains import stored_order

MOST: Final = 40
"""Of more that wait each is decided about by itself: nobody waits for a search that will not end."""


def rooms(world: World, keys: Iterable[str], planned: Planned) -> Mapping[str, str]:
    """By UID of an HAInstance that waits: its host, where deciding one by one would leave somebody out.

    `keys`: services in their turn. Where there is no way for all, the more important are placed, as many as there is a way for.
    """
    if not any(host.spec.capacity for host in world.hosts.values()):
        return {}
    items = [item for key in keys for item in _items(world, world.services[key], planned) if item.hosts]
    if not 1 < len(items) <= MOST:
        return {}
    free = {host: _free(world, host, planned) for host in world.hosts}
    if len(one_by_one(items, free)) == len(items):
        return {}
    return all_of_them(items, free) or _as_many(items, free)


def _as_many(items: list[Item], free: Mapping[str, Amounts]) -> Mapping[str, str]:
    found: dict[str, str] = {}
    for item in items:
        with_it = [one for one in items if one.key in found or one is item]
        found = all_of_them(with_it, free, MOST_STEPS // len(items)) or found
    return found


def _items(world: World, service: HAService, planned: Planned) -> list[Item]:
    needs = {name: amount(said) or Fraction(0) for name, said in (service.spec.placement.capacity or {}).items()}
    if not needs or service.metadata.deletion_timestamp is not None or service.spec.state != "Running":
        return []
    there = [one for one in (world.instance_of(service, slot) for slot in service.slots) if one is not None]
    waiting = [one for one in there if _waits(world, one)] if isinstance(accept(world, service), Accepted) else []
    return [Item(one.uid, needs, _hosts(world, service, one, planned)) for one in waiting]


def _waits(world: World, instance: HAInstance) -> bool:
    """Nobody holds it, or nobody can any more; and it was not stopped for a certain host, where its place is kept."""
    if instance.metadata.deletion_timestamp is not None:
        return False
    stored = stored_order(world, instance.holder, instance) if instance.holder else None
    is_over = instance.spec.grant is None or isinstance(closed(world, instance), Evidence)
    return is_over and not (stored is not None and stored.to)


def _hosts(world: World, service: HAService, instance: HAInstance, planned: Planned) -> list[str]:
    placed = place(world, service, held_by_nobody(instance), planned=planned, retry=True)
    return [verdict.host for verdict in placed.verdicts if verdict.rejected is None]


def _free(world: World, host: str, planned: Planned) -> Amounts:
    offered = {name: amount(said) for name, said in (world.hosts[host].spec.capacity or {}).items()}
    return {name: much - taken(world, host, planned, name) for name, much in offered.items() if much is not None}
