"""Hosts for all that wait at once: asked before each is decided about by itself (`packing.py` searches)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import partial
from itertools import islice
from typing import Final

from backstay_api.objects.models import HAInstance, HAService
from backstay_api.objects.quantities import amount
from backstay_operator.planner.know.parts import part_of
from backstay_operator.planner.know.unforeseen import BROKEN
from backstay_operator.planner.know.world import World

from .acceptance import Accepted, accept
from .affinity import follows
from .capacity import taken
from .evidence import Evidence, closed
from .host_facts import facts_of
from .judges import rejection, rejections
from .packing import MOST_STEPS, Amounts, Found, Item, search
from .placement import Placed, place, still_to_answer
from .questions import Planned, Point, Question, held_by_nobody
from .remains import stored_order

MOST: Final = 40
"""Of more that wait each is decided about by itself: nobody waits for a search that will not end."""
_MOST_QUESTIONS: Final = 2_000
"""Of more hosts and services nobody is asked anew for the sake of others."""
FOR_ALL: Final = "leaves room for all that wait"
FOR_MANY: Final = "leaves room for as many as there is a way for"


@dataclass(frozen=True)
class Room:
    """Where it leaves room for others."""

    host: str
    why: str


@dataclass(frozen=True)
class Rooms:
    """What a search for all that wait has found."""

    by_uid: Mapping[str, Room] = field(default_factory=dict)
    """By UID of an HAInstance that waits: its host, where deciding one by one would leave somebody out."""
    ended: str = ""
    """That there may be a way for more, in a sentence: the search was not carried to its end."""


@dataclass(frozen=True)
class _Waiting:
    """One that waits."""

    service: HAService
    """Its part of it."""
    instance: HAInstance
    item: Item


def rooms(world: World, keys: Iterable[str], planned: Planned) -> Rooms:
    """Hosts for all that wait, where deciding one by one would leave somebody out. `keys`: services in their turn.

    Where there is no way for all on hosts that are ready, those count too that have yet to answer; and where there is none then either, the
    more important are placed, as many as there is a way for.
    """
    if not world.ruled and not any(host.spec.capacity for host in world.hosts.values()):
        return Rooms()
    there = (one for key in keys for one in _waiting_of(world, world.services[key], planned) if one.item.hosts)
    waiting = list(islice(there, MOST + 1))  # of thousands not all are looked at, only to be left alone
    if not 1 < len(waiting) <= MOST:
        return Rooms()
    waiting = _leaders_first(world, waiting) if world.ruled else waiting
    if len(by_turn := _one_by_one(world, waiting, planned)) == len(waiting):
        return Rooms()
    found, why, ended = _searched(world, waiting, planned)
    return Rooms({} if found == by_turn else {uid: Room(host, why) for uid, host in found.items()}, ended)


def _one_by_one(world: World, waiting: Sequence[_Waiting], planned: Planned) -> Found:
    """Where each would go, decided about by itself; without those that would find no host."""
    going, found = {host: set(keys) for host, keys in planned.items()}, {}
    for one in waiting:
        placed = place(world, one.service, held_by_nobody(one.instance), planned=going, retry=True)
        if isinstance(placed, Placed):
            found[one.item.key] = placed.host
            going.setdefault(placed.host, set()).add(one.instance.key)
    return found


def _searched(world: World, waiting: Sequence[_Waiting], planned: Planned) -> tuple[Found, str, str]:
    """Hosts, what is said of them, and that there may be a way for more."""
    free = {host: _free(world, host, planned) for host in world.hosts}
    items = _asked_where_rules_count(world, waiting, planned)
    looking = search(items, free)
    if not looking.found and (more := _with_those_yet_to_answer(world, waiting, items, planned)):
        looking = search(more, free)
    if looking.found:
        return looking.found, FOR_ALL, ""
    ended = (
        f"the search for a place for all that wait ended after {MOST_STEPS} steps" if looking.has_ended_early else ""
    )
    return _as_many(items, free), FOR_MANY, ended


def _asked_where_rules_count(world: World, waiting: Sequence[_Waiting], planned: Planned) -> list[Item]:
    """What waits; where anything is said about others, each host is asked about."""
    keys = {one.item.key: one.instance.key for one in waiting}
    is_ruled = bool(world.ruled) or any(one.service.spec.placement.spread for one in waiting)
    is_ruled = is_ruled or len({one.service.uid for one in waiting}) < len(waiting)
    if not is_ruled:
        return [one.item for one in waiting]
    return [replace(one.item, may=partial(_may, world, one, planned, keys)) for one in waiting]


def _leaders_first(world: World, waiting: Sequence[_Waiting]) -> list[_Waiting]:
    """What runs together with another that goes where it likes comes after that."""
    followed = {one.item.key: follows(Question(world, one.service, one.instance)) for one in waiting}
    left, ordered = list(waiting), list[_Waiting]()
    while left:
        there = {one.service.uid for one in left}
        free = (one for one in left if not followed[one.item.key] & (there - {one.service.uid}))
        left.remove(first := next(free, left[0]))
        ordered.append(first)
    return ordered


def _may(world: World, one: _Waiting, planned: Planned, keys: Mapping[str, str], host: str, found: Found) -> bool:
    going = {name: set(there) for name, there in planned.items()}
    for uid, at in found.items():
        going.setdefault(at, set()).add(keys[uid])
    ask = Question(world, one.service, held_by_nobody(one.instance), planned=going, retry=True)
    return all(one.is_unanswered for one in rejections(Point.RETRY, ask, facts_of(world, host)))


def _with_those_yet_to_answer(
    world: World, waiting: Sequence[_Waiting], items: Sequence[Item], planned: Planned
) -> list[Item]:
    """With hosts that are asked and have not answered, after all that are ready; none, where there are no such hosts."""
    if len(waiting) * len(world.hosts) > _MOST_QUESTIONS:
        return []
    found = [
        replace(item, hosts=(*item.hosts, *_yet_to_answer(world, one, planned)))
        for one, item in zip(waiting, items, strict=True)
    ]
    return found if any(len(new.hosts) > len(old.hosts) for new, old in zip(found, items, strict=True)) else []


def _yet_to_answer(world: World, one: _Waiting, planned: Planned) -> list[str]:
    """Hosts that nothing speaks against but that they have yet to say something, be it that nobody has asked them."""
    ask = Question(world, one.service, held_by_nobody(one.instance), planned=planned)
    found = still_to_answer(ask, sorted(world.hosts))
    return [host for host in found if rejection(Point.STANDBY, ask, facts_of(world, host)) is None]


def _as_many(items: Sequence[Item], free: Mapping[str, Amounts]) -> Found:
    found: Found = {}
    for item in items:
        with_it = [one for one in items if one.key in found or one is item]
        found = search(with_it, free, MOST_STEPS // len(items)).found or found
    return found


def _waiting_of(world: World, service: HAService, planned: Planned) -> list[_Waiting]:
    try:
        return _all_waiting(world, service, planned)
    except BROKEN:
        return []  # it is told of where it is decided about


def _all_waiting(world: World, service: HAService, planned: Planned) -> list[_Waiting]:
    said = {name: amount(much) or Fraction(0) for name, much in (service.spec.placement.capacity or {}).items()}
    needs = {name: much for name, much in said.items() if much > 0}
    is_of_concern = bool(needs or world.ruled)
    if not is_of_concern or service.metadata.deletion_timestamp is not None or service.spec.state != "Running":
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
    """Those that would take it, the best first; at last those against which only others speak, who may wait as well."""
    free = held_by_nobody(instance)
    placed = place(world, service, free, planned=planned, retry=True)
    found = [verdict.host for verdict in placed.verdicts if verdict.rejected is None]
    if not world.ruled:
        return found
    ask = Question(world, service, free, planned=planned, retry=True)
    may = (verdict.host for verdict in placed.verdicts if verdict.rejected and verdict.rejected.is_between_services)
    against = ((host, rejections(Point.RETRY, ask, facts_of(world, host))) for host in may)
    return [*found, *(host for host, all_ in against if all(one.is_between_services for one in all_))]


def _free(world: World, host: str, planned: Planned) -> Amounts:
    offered = {name: amount(said) for name, said in (world.hosts[host].spec.capacity or {}).items()}
    return {name: much - taken(world, host, planned, name) for name, much in offered.items() if much is not None}
