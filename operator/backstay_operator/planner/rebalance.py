"""Moves that would spread services more evenly over the hosts: thought of only when a person asks, and never made by a plan.

Each goes where the planner would send the service if it had to leave, so every rule holds; and only if that host has at least two fewer,
and is preferred no less. They are found one after the other, each as if those before it had been made.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from backstay_api.objects.models import HAInstance, HAService
from backstay_api.objects.models.instance import Grant

from .do.decisions import Slot, decide
from .do.dependencies import stopped_for_a_move
from .do.moves import elsewhere
from .do.rounds import Round, begin
from .judge.acceptance import Accepted
from .judge.copies import its_host
from .judge.dependencies import runs
from .judge.host_facts import facts_of
from .judge.placement import Placed
from .judge.questions import Question
from .judge.scores import preference
from .know import sessions
from .know.liveness import untouched
from .know.unforeseen import BROKEN
from .know.world import World
from .losses import copied

MOST_MOVES: Final = 20


@dataclass(frozen=True)
class Proposal:
    """One move."""

    service: HAService
    instance: str
    """Name of the HAInstance."""
    from_: str
    to: str
    why: str
    restarted: tuple[str, ...]
    """Keys of other services that are stopped with it, because they require it, and start again."""


def proposals(world: World) -> tuple[Proposal, ...]:
    """The moves, in their order; no more than twenty. The world stays as it is."""
    supposed, found = copied(world), list[Proposal]()
    while len(found) < MOST_MOVES and (one := _next(supposed)) is not None:
        found.append(one)
    return tuple(found)


def _next(world: World) -> Proposal | None:
    """The first that evens out; it is made in the picture."""
    world.memo = {}
    round_ = begin(world)
    found = next((one for slot in _in_order(round_) if (one := _proposal(round_, slot))), None)
    world.memo = None
    if found is not None:
        proposal, instance = found
        _move(world, instance, proposal.to)
        return proposal
    return None


def _in_order(round_: Round) -> Iterator[Slot]:
    """What runs and may be asked about: of the host that has most first, and of that the least important first."""
    world = round_.world
    for host in sorted(world.hosts, key=lambda name: (-len(world.held_by.get(name, ())), name)):
        there = [world.instances[key] for key in world.held_by.get(host, ())]
        for instance in sorted(there, key=lambda one: (_priority(world, one), one.key)):
            service = world.services.get(instance.service_key)
            if service is None or service.uid != instance.spec.service.uid or instance.is_promoted:
                continue
            with suppress(*BROKEN):  # one that cannot be planned stays where it is
                yield from [one for one in decide(round_, service).slots if _may_move(world, one, instance)]


def _priority(world: World, instance: HAInstance) -> int:
    service = world.services.get(instance.service_key)
    return (service.spec.placement.priority or 0) if service is not None else 0


def _may_move(world: World, slot: Slot, instance: HAInstance) -> bool:
    """Whether it is this one, and at rest: it runs as its manifest says, and is neither leaving nor on its way."""
    if slot.instance is not instance or slot.is_leaving or not isinstance(slot.acceptance, Accepted):
        return False
    order, service = slot.course.order, slot.in_force
    is_up = runs(world, instance) and not slot.course.to and (order is None or order.want == "Up")
    is_ours = service.spec.state == "Running" and not untouched(world, instance.holder)
    return is_up and is_ours and not its_host(service, instance)


def _proposal(round_: Round, slot: Slot) -> tuple[Proposal, HAInstance] | None:
    world, service, instance = round_.world, slot.in_force, slot.instance
    assert instance is not None, f"{slot.name}: only what is there moves"
    placed = elsewhere(round_, service, instance)
    if not isinstance(placed, Placed):
        return None
    here, there = len(world.held_by.get(instance.holder, ())), len(world.held_by.get(placed.host, ()))
    if here - there < 2 or _is_preferred_here(world, service, instance, placed.host):
        return None
    others = tuple(sorted({one.key for one, _ in stopped_for_a_move(world, service)}))
    why = f"{instance.holder} has {here}, {placed.host} {there}"
    return Proposal(service, slot.name, instance.holder, placed.host, why, others), instance


def _is_preferred_here(world: World, service: HAService, instance: HAInstance, other: str) -> bool:
    ask = Question(world, service, instance)
    there, here = (preference(ask, facts_of(world, host)).points for host in (other, instance.holder))
    return there < here


def _move(world: World, instance: HAInstance, to: str) -> None:
    """It is there, in the picture; what hosts were told and say of it stays where it was, so that it is not asked about again."""
    session = sessions.live(world, to)
    assert session is not None, f"{instance.key}: {to} can take it, and has no live session"
    grant = Grant(host=to, session=session.ref, machine_uuid=session.machine_uuid)
    world.put_instance(instance.model_copy(update={"spec": instance.spec.model_copy(update={"grant": grant})}))
