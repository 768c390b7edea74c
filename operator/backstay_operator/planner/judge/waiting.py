"""Hosts for all that wait at once and need capacity: asked before each is decided about by itself (`packing.py` searches)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from typing import Final

from backstay_api.objects.models import HAInstance, HAService
from backstay_api.objects.quantities import amount
from backstay_operator.planner.know.parts import part_of
from backstay_operator.planner.know.unforeseen import BROKEN
from backstay_operator.planner.know.world import World

from .acceptance import Accepted, accept
from .capacity import taken
from .evidence import Evidence, closed
from .packing import MOST_STEPS, Amounts, Item, all_of_them
from .placement import NoHost, place
from .questions import Planned, held_by_nobody
from .remains import stored_order

MOST: Final = 40
"""Of more that wait each is decided about by itself: nobody waits for a search that will not end."""


@dataclass(frozen=True)
class _Waiting:
    """One that waits."""

    service: HAService
    """Its part of it."""
    instance: HAInstance
    item: Item


def rooms(world: World, keys: Iterable[str], planned: Planned) -> Mapping[str, str]:
    """By UID of an HAInstance that waits: its host, where deciding one by one would leave somebody out.

    `keys`: services in their turn. Where there is no way for all, the more important are placed, as many as there is a way for.
    """
    if not any(host.spec.capacity for host in world.hosts.values()):
        return {}
    waiting = [one for key in keys for one in _waiting_of(world, world.services[key], planned) if one.item.hosts]
    if not 1 < len(waiting) <= MOST or not _leaves_somebody_out(world, waiting, planned):
        return {}
    items, free = [one.item for one in waiting], {host: _free(world, host, planned) for host in world.hosts}
    return all_of_them(items, free) or _as_many(items, free)


def _leaves_somebody_out(world: World, waiting: Sequence[_Waiting], planned: Planned) -> bool:
    """Whether one after the other, as each is decided about by itself, somebody would find no host."""
    going = {host: set(keys) for host, keys in planned.items()}
    for one in waiting:
        placed = place(world, one.service, held_by_nobody(one.instance), planned=going, retry=True)
        if isinstance(placed, NoHost):
            return True
        going.setdefault(placed.host, set()).add(one.instance.key)
    return False


def _as_many(items: list[Item], free: Mapping[str, Amounts]) -> Mapping[str, str]:
    found: dict[str, str] = {}
    for item in items:
        with_it = [one for one in items if one.key in found or one is item]
        found = all_of_them(with_it, free, MOST_STEPS // len(items)) or found
    return found


def _waiting_of(world: World, service: HAService, planned: Planned) -> list[_Waiting]:
    try:
        return _all_waiting(world, service, planned)
    except BROKEN:
        return []  # it is told of where it is decided about


def _all_waiting(world: World, service: HAService, planned: Planned) -> list[_Waiting]:
    said = {name: amount(much) or Fraction(0) for name, much in (service.spec.placement.capacity or {}).items()}
    needs = {name: much for name, much in said.items() if much > 0}
    if not needs or service.metadata.deletion_timestamp is not None or service.spec.state != "Running":
        return []
    there = [one for one in (world.instance_of(service, slot) for slot in service.slots) if one and not one.is_promoted]
    waiting = [one for one in there if _waits(world, one)] if isinstance(accept(world, service), Accepted) else []
    part = partial(part_of, world, service)
    return [
        _Waiting(mine := part(one.metadata.name), one, Item(one.uid, needs, _hosts(world, mine, one, planned)))
        for one in waiting
    ]


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
