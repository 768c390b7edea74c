"""Where something important finds no room: what is less important is stopped for it, as little as may be.

Nothing is stopped that does not bring it onto a host: all judges are asked as if those were gone. While they stop, its place is kept for
it by nothing but its turn, which comes first in each plan; and it is granted only when the room is really free.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from backstay_api.objects.models import HAInstance, HAService
from backstay_operator.planner.judge.acceptance import priority_of
from backstay_operator.planner.judge.affinity import follows
from backstay_operator.planner.judge.capacity import lacks
from backstay_operator.planner.judge.host_facts import facts_of
from backstay_operator.planner.judge.placement import Placed, choose
from backstay_operator.planner.judge.questions import Question
from backstay_operator.planner.judge.shedding import Held, Loss, all_held, least
from backstay_operator.planner.preconditions import still
from backstay_operator.planner.words import listed

from . import moves
from .rounds import Round, Shed

MOST_ASKED: Final = 20
"""Of more that could be stopped nobody asks whether each would find another host: it counts as lost."""


@dataclass(frozen=True)
class _Way:
    """A host that would have room, and what would be stopped there for it."""

    host: str
    stopped: tuple[Loss, ...]


def make_room(round_: Round, service: HAService, instance: HAInstance) -> str:
    """Have stopped what must be for an instance that nobody holds and that has no host; as a sentence. Empty: nothing would help."""
    held = _in_its_way(round_, service, instance)
    if not held or instance.spec.grant is not None:
        return ""
    ask = Question(round_.world, service, instance, planned=round_.planned)
    way = _best(round_, ask, held)
    if way is None:
        return ""
    round_.send(instance, way.host)
    gone = [one for one in held if one.instance.holder == way.host and _is_part(round_, one, way)]
    for one in gone:
        if one.priority < priority_of(round_.world, service):
            round_.sheds.setdefault(one.instance.uid, _shed(round_, service, instance, one))
    return f"room is made for it on {way.host}, where {listed([one.service.key for one in gone])} is stopped"


def _is_part(round_: Round, one: Held, way: _Way) -> bool:
    return _is_going(round_, one) or one.instance.key in {each.key for each in way.stopped}


def gives_way(round_: Round, service: HAService, instance: HAInstance) -> str:
    """What is more important and has the room that it would need, as a sentence; empty: it is not for that that it waits."""
    mine = priority_of(round_.world, service)
    more = [one for one in all_held(round_.world) if one.priority > mine and not one.is_going]
    coming = [key for keys in round_.planned.values() for key in keys if _is_above(round_, key, mine)]
    if not service.spec.placement.capacity or not (more or coming):
        return ""
    leaving = frozenset({*(one.instance.key for one in more), *coming})
    placed = choose(Question(round_.world, service, instance, planned=round_.planned, leaving=leaving))
    if not isinstance(placed, Placed):
        return ""
    keys = {*round_.world.held_by.get(placed.host, ()), *round_.planned.get(placed.host, ())} & leaving
    names = listed(sorted({round_.world.instances[key].service_key for key in keys}))
    return f"it gives way on {placed.host} to {names}, whose priority is higher than its own, {mine}" if names else ""


def _is_above(round_: Round, key: str, priority: int) -> bool:
    instance = round_.world.instances.get(key)
    service = round_.world.services.get(instance.service_key) if instance is not None else None
    return (
        service is not None and bool(service.spec.placement.capacity) and priority_of(round_.world, service) > priority
    )


def _shed(round_: Round, service: HAService, instance: HAInstance, one: Held) -> Shed:
    what_for = f"{one.service.key} is stopped only while {service.key} waits for its room"
    needs = (
        still(service, same_generation=True, what_for=what_for),
        still(instance, same_version=True, what_for=what_for),
    )
    why = f"{service.key} needs the room, and its priority is {priority_of(round_.world, service)}, not {one.priority}"
    return Shed(why, needs)


def _in_its_way(round_: Round, service: HAService, instance: HAInstance) -> Sequence[Held]:
    """What is being stopped, and what could be for this: neither what is as important, nor what it must run together with."""
    if not service.spec.placement.capacity:
        return ()
    beside = follows(Question(round_.world, service, instance, planned=round_.planned))
    return [
        one
        for one in all_held(round_.world)
        if one.is_going or (one.priority < priority_of(round_.world, service) and one.service.uid not in beside)
    ]


def _is_going(round_: Round, one: Held) -> bool:
    return one.is_going or one.instance.uid in round_.sheds


def _best(round_: Round, ask: Question, held: Sequence[Held]) -> _Way | None:
    """The way of the least loss; of equals that to the best host."""
    placed = choose(replace(ask, leaving=frozenset(one.instance.key for one in held), noted={}))
    able = [verdict.host for verdict in placed.verdicts if verdict.rejected is None]
    ways = [way for host in able if (way := _way(round_, ask, host, held)) is not None]
    return min(ways, key=lambda way: [one.rank for one in way.stopped], default=None)


def _way(round_: Round, ask: Question, host: str, held: Sequence[Held]) -> _Way | None:
    assert ask.instance is not None
    if moves.cannot_take(ask.world, ask.service, ask.instance, host):
        return None
    there = [one for one in held if one.instance.holder == host]
    going = frozenset(one.instance.key for one in there if _is_going(round_, one))
    could = [one for one in there if not _is_going(round_, one)]
    left = lacks(replace(ask, leaving=going, noted={}), facts_of(ask.world, host))
    found = least(left, list(_losses(round_, could))) if left is not None else None
    return _Way(host, found) if found is not None else None


def _losses(round_: Round, could: Sequence[Held]) -> Iterator[Loss]:
    for one in could:
        is_lost = len(could) > MOST_ASKED or not _goes_elsewhere(round_, one)
        yield Loss(one.instance.key, (is_lost, one.priority), one.frees)


def _goes_elsewhere(round_: Round, one: Held) -> bool:
    return isinstance(moves.elsewhere(round_, one.service, one.instance), Placed)
