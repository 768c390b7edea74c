"""Hosts for all that wait at once: asked before each is decided about by itself (`packing.py` searches)."""

from __future__ import annotations

from collections import Counter
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

from .acceptance import Accepted, accept, priority_of
from .affinity import follows, has_ties, tied_to
from .capacity import taken
from .evidence import Evidence, closed
from .host_facts import facts_of
from .judges import rejection, rejections
from .packing import Amounts, Found, Item, as_many, search
from .placement import FOR_BETTER_S, best_among, place
from .questions import Planned, Point, Question, Room, held_by_nobody
from .remains import stored_order

MOST: Final = 40
"""Of more that wait each is decided about by itself: nobody waits for a search that will not end."""
_MOST_LOOKED_AT: Final = 4 * MOST
"""With those that have no host whoever else waits."""
_MOST_QUESTIONS: Final = 2_000
"""Of more hosts and services nobody is asked anew for the sake of others."""
FOR_ALL: Final = "leaves room for all that wait"
FOR_OTHERS: Final = "leaves room for others that wait"
ENDED: Final = "the search for a place for all that wait ended before all was tried"


@dataclass(frozen=True)
class Rooms:
    """What a search for all that wait has found."""

    by_uid: Mapping[str, Room] = field(default_factory=dict)
    """By UID of an HAInstance that waits: its host, where deciding one by one would leave somebody out."""
    ended: frozenset[str] = frozenset()
    """UIDs of those for which there may be a way that was not tried."""


@dataclass(frozen=True)
class _Waiting:
    """One that waits."""

    service: HAService
    """Its part of it."""
    instance: HAInstance
    item: Item
    priority: int

    def ask(self, world: World, planned: Planned) -> Question:
        return Question(world, self.service, held_by_nobody(self.instance), planned=planned, retry=True)


def rooms(world: World, keys: Iterable[str], planned: Planned) -> Rooms:
    """Hosts for all that wait, where deciding one by one would leave somebody out. `keys`: services in their turn.

    Where there is no way for all on hosts that are ready, those count too that have yet to answer; and where there is none then either, the
    more important are placed, as many as there is a way for.
    """
    if not world.ruled and not any(host.spec.capacity for host in world.hosts.values()):
        return Rooms()
    try:
        return _rooms(world, keys, planned)
    except BROKEN:
        return Rooms()  # each is decided about by itself, and whichever is odd is told of there


def _rooms(world: World, keys: Iterable[str], planned: Planned) -> Rooms:
    there = (one for key in keys for one in _waiting_of(world, world.services[key], planned))
    looked_at = list(islice(there, _MOST_LOOKED_AT + 1))  # of thousands not all are looked at, only to be left alone
    waiting = [one for one in looked_at if one.item.hosts]
    if not 1 < len(waiting) <= MOST or len(looked_at) > _MOST_LOOKED_AT:
        return Rooms()
    if len(by_turn := _one_by_one(world, waiting, planned)) == len(waiting):
        return Rooms()
    found, is_ended = _searched(world, _leaders_first(world, waiting) if world.ruled else waiting, planned)
    why = FOR_ALL if len(found) == len(looked_at) else FOR_OTHERS
    is_better = len(found) >= len(by_turn) and found != by_turn
    hosts = {uid: Room(host, why) for uid, host in found.items()} if is_better else {}
    return Rooms(hosts, frozenset(one.item.key for one in waiting) if is_ended else frozenset())


def _one_by_one(world: World, waiting: Sequence[_Waiting], planned: Planned) -> Found:
    """Where each would go, decided about by itself, round after round; without those that would find no host."""
    going, found, left = {host: set(keys) for host, keys in planned.items()}, dict[str, str](), list(waiting)
    while left:
        for one in left:
            if host := best_among(replace(one.ask(world, going), retry=False), one.item.hosts):
                found[one.item.key] = host
                going.setdefault(host, set()).add(one.instance.key)
        before, left = left, [one for one in left if one.item.key not in found]
        if len(left) == len(before) or not world.ruled:
            break  # only where one must be together with another may who found no host find one later
    return found


def _searched(world: World, waiting: Sequence[_Waiting], planned: Planned) -> tuple[Found, bool]:
    """Hosts for all, or for as many as may be, and whether there may be a way for more."""
    free = {host: _free(world, host, planned) for host in world.hosts}
    items = _asked_where_rules_count(world, waiting, planned)
    looking = search(items, free)
    if looking.found:
        return looking.found, False
    found = as_many(items, free)
    more = _with_those_yet_to_answer(world, waiting, items, planned, found)
    return (more and search(more, free).found) or found, looking.has_ended_early


def _asked_where_rules_count(world: World, waiting: Sequence[_Waiting], planned: Planned) -> list[Item]:
    """What waits; of whatever a rule, a spread or another copy has to do with others each host is asked about."""
    keys = {one.item.key: one.instance.key for one in waiting}
    concerned = _concerned(world, waiting, planned)
    return [
        replace(one.item, may=partial(_may, world, one, planned, keys)) if one.service.uid in concerned else one.item
        for one in waiting
    ]


def _concerned(world: World, waiting: Sequence[_Waiting], planned: Planned) -> frozenset[str]:
    """UIDs of services about whose hosts more is to be said than how much room there is."""
    copies = Counter(one.service.uid for one in waiting)
    spread = {uid for uid, many in copies.items() if many > 1} | {
        one.service.uid for one in waiting if one.service.spec.placement.spread
    }
    tied = {one.service.uid: tied_to(one.ask(world, planned)) for one in waiting} if world.ruled else {}
    return frozenset(spread.union(*tied.values(), (uid for uid, others in tied.items() if others)))


def _leaders_first(world: World, waiting: Sequence[_Waiting]) -> list[_Waiting]:
    """In their turn; but what runs together with another that goes where it likes comes right after that."""
    followed = {one.item.key: follows(one.ask(world, {})) for one in waiting}
    ordered = dict[str, _Waiting]()

    def add(one: _Waiting, behind: frozenset[str] = frozenset()) -> None:
        if one.item.key in ordered or one.item.key in behind:
            return
        for leader in (other for other in waiting if other.service.uid in followed[one.item.key]):
            add(leader, behind | {one.item.key})
        ordered[one.item.key] = one

    for one in waiting:
        add(one)
    return list(ordered.values())


def _may(world: World, one: _Waiting, planned: Planned, keys: Mapping[str, str], host: str, found: Found) -> bool:
    going = {name: set(there) for name, there in planned.items()}
    for uid, at in found.items():
        going.setdefault(at, set()).add(keys[uid])
    against = rejections(Point.RETRY, one.ask(world, going), facts_of(world, host))
    return all(rejected.is_unanswered for rejected in against)


def _with_those_yet_to_answer(
    world: World, waiting: Sequence[_Waiting], items: Sequence[Item], planned: Planned, found: Found
) -> list[Item]:
    """With hosts that have not answered, after all that are ready; none, where there are no such hosts.

    Nobody waits for an answer so that something less important has its place.
    """
    left_out = [one for one in waiting if one.item.key not in found]
    if not left_out or len(waiting) * len(world.hosts) > _MOST_QUESTIONS:
        return []
    least = min(one.priority for one in left_out)
    more = {one.item.key: _yet_to_answer(world, one, planned) for one in waiting if one.priority <= least}
    return [replace(one, hosts=(*one.hosts, *more.get(one.key, ()))) for one in items] if any(more.values()) else []


def _yet_to_answer(world: World, one: _Waiting, planned: Planned) -> list[str]:
    """Hosts that nothing speaks against but that they have yet to say something, be it that nobody has asked them."""
    ask = one.ask(world, planned)
    if world.now_s >= answers_until_s(ask):
        return []
    found = []
    for host in sorted(world.hosts.keys() - set(one.item.hosts)):
        facts = facts_of(world, host)
        against = rejections(Point.RETRY, ask, facts)
        is_open = all(rejected.is_unanswered or rejected.is_between_services for rejected in against)
        if is_open and rejection(Point.STANDBY, ask, facts) is None:
            found.append(host)
    return found


def answers_until_s(ask: Question) -> float:
    """Until when it waits for an answer, on the clock of `World.now_s`: a moment from when we first saw that nobody holds it."""
    instance = ask.instance
    since = ask.world.free_s.get(instance.uid) if instance is not None else None
    is_of_this = instance is not None and since is not None and since[0] == instance.spec.epoch
    return (since[1] if since is not None and is_of_this else ask.world.now_s) + FOR_BETTER_S


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
    part, priority = partial(part_of, world, service), priority_of(world, service)
    return [
        _Waiting(
            mine := part(one.metadata.name), one, Item(one.uid, needs, _hosts(world, mine, one, planned)), priority
        )
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
    ask = Question(world, service, held_by_nobody(instance), planned=planned, retry=True)
    placed = place(world, service, ask.instance, planned=planned, retry=True)
    found = [verdict.host for verdict in placed.verdicts if verdict.rejected is None]
    if not has_ties(ask):
        return found
    may = (verdict.host for verdict in placed.verdicts if verdict.rejected and verdict.rejected.is_between_services)
    against = ((host, rejections(Point.RETRY, ask, facts_of(world, host))) for host in may)
    return [*found, *(host for host, all_ in against if all(one.is_between_services for one in all_))]


def _free(world: World, host: str, planned: Planned) -> Amounts:
    offered = {name: amount(said) for name, said in (world.hosts[host].spec.capacity or {}).items()}
    return {name: much - taken(world, host, planned, name) for name, much in offered.items() if much is not None}
