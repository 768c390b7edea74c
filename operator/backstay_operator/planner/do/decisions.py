"""What is decided about one service in a round: made here, once. Orders, standbys and statuses describe it.

The judges of hosts are asked one thing afresh, which is only told: who could take over now (`tell/other_hosts.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass

from backstay_api.objects.models import HAInstance, HAService
from backstay_api.objects.models.assignment import StandbyOrder
from backstay_api.objects.names import key_of
from backstay_api.objects.object_kinds import HA_INSTANCES
from backstay_operator.planner.judge import last_accepted
from backstay_operator.planner.judge.acceptance import Acceptance, Accepted, accept
from backstay_operator.planner.judge.copies import are_many, instances_of
from backstay_operator.planner.judge.dependencies import is_unanswered, starts
from backstay_operator.planner.judge.manifest_faults import OBJECT_NAME_CHARS
from backstay_operator.planner.judge.placement import NoHost, Placed, place, standbys
from backstay_operator.planner.judge.promotion import is_scored, last_over
from backstay_operator.planner.judge.questions import Question
from backstay_operator.planner.know.dependencies import dependents
from backstay_operator.planner.know.parts import part_of
from backstay_operator.planner.know.unforeseen import BROKEN
from backstay_operator.planner.know.world import World
from backstay_operator.planner.preconditions import Precondition, still

from . import instances, moves
from .course import Course
from .orders import standby_order
from .rounds import Round, begin, in_turn
from .slots import slots_of


@dataclass(frozen=True)
class Slot:
    """What is decided about one instance of a service, be it there yet or not."""

    name: str
    """Of its HAInstance."""
    instance: HAInstance | None
    in_force: HAService
    """The manifest that is carried out: as it stands, or where that is refused, as it was before."""
    acceptance: Acceptance
    """Of what is in force."""
    course: Course
    is_leaving: bool = False
    """Its service has no slot for it any more, or is deleted."""
    asked: tuple[str, ...] = ()
    """Hosts that shall keep themselves ready for it, the best first."""


@dataclass(frozen=True)
class Decision:
    """What is decided about one service."""

    service: HAService
    acceptance: Acceptance
    """Of the manifest as it stands."""
    slots: tuple[Slot, ...]

    @property
    def is_leaving(self) -> bool:
        return self.service.metadata.deletion_timestamp is not None


def decide(round_: Round, service: HAService) -> Decision:
    """Decide about every slot of a service, and every instance that has none; of one that is being deleted, about all that is left."""
    world, acceptance = round_.world, accept(round_.world, service)
    if service.metadata.deletion_timestamp is not None:
        left = [_last(round_, service, one, acceptance, "it is deleted") for one in instances_of(world, service)]
        return Decision(service, acceptance, tuple(left))
    found = slots_of(world, service, is_accepted=isinstance(acceptance, Accepted))
    unedited = still(service, same_generation=True, what_for=f"{service.key} has no slot for what is deleted")
    slots = [_slot(round_, service, name, acceptance) for name in found.names]
    left = [
        _last(round_, service, one, acceptance, surplus.why, (unedited, *surplus.needs))
        for one in instances_of(world, service)
        if (surplus := found.surplus.get(one.metadata.name))
    ]
    if service.key in dependents(world) and any(_is_starting(round_, slot) for slot in slots):
        round_.starting.add(service.key)
    return Decision(service, acceptance, (*slots, *left))


def _is_starting(round_: Round, slot: Slot) -> bool:
    """Whether it is about to start: what comes after it waits. What finds no host is waited for by nobody."""
    instance, course, service = slot.instance, slot.course, slot.in_force
    if not isinstance(slot.acceptance, Accepted) or service.spec.state != "Running":
        return False
    if instance is None or course.to or instance.uid in round_.delayed:
        return bool(course.actions or instance)
    if instance.spec.grant is not None:
        return starts(round_.world, instance)
    return is_unanswered(round_.world, service, instance, slot.asked)


def decide_in_turn(world: World, service: HAService) -> tuple[Round, Decision]:
    """What the operator decides about one service: after those that come before it, whose hosts are taken by then."""
    world.memo = {}  # as in a plan: who depends on whom is worked out once, not once for each of them
    try:
        round_ = begin(world)
        keys = in_turn(world)
        for key in keys[: keys.index(service.key)] if service.key in keys else keys:
            with suppress(*BROKEN):  # it cannot be planned, which stops no other
                decide(round_, world.services[key])
        return round_, decide(round_, service)
    finally:
        world.memo = None


def next_host(round_: Round, slot: Slot) -> Placed | NoHost:
    """Where it starts, or goes next: as decided; of what stays, where it would go if it had to leave."""
    if slot.course.placed is not None:
        return slot.course.placed
    if slot.instance is None and slot.course.missing:
        return NoHost(slot.course.missing, ())
    return moves.elsewhere(round_, slot.in_force, slot.instance, announced=slot.course.to)


def _slot(round_: Round, service: HAService, name: str, acceptance: Acceptance) -> Slot:
    world, instance = round_.world, round_.world.instance_of(service, name)
    if instance is None:
        service = part_of(world, service, name)
        course = _creation(world, service, name, acceptance)
        # Of several copies each host can have one: which is for whom is seen when it is there.
        asked = () if are_many(world, service) else standbys(world, service, None)
        if course.actions and service.spec.mode == "Replicated":
            round_.placing.setdefault(service.uid, name)
        return Slot(name, None, service, acceptance, course, asked=asked)
    in_force, accepted = last_accepted.in_force(world, service, instance, acceptance)
    course = instances.course(round_, in_force, instance, accepted)
    return Slot(name, instance, in_force, accepted, course, asked=_asked(round_, in_force, instance, accepted))


def _last(
    round_: Round,
    service: HAService,
    instance: HAInstance,
    acceptance: Acceptance,
    why: str,
    needs: tuple[Precondition, ...] = (),
) -> Slot:
    """An instance that goes."""
    service = part_of(round_.world, service, instance.metadata.name)
    course = instances.leave(round_, service, instance, why, needs)
    asked = _asked(round_, service, instance, acceptance)
    return Slot(instance.metadata.name, instance, service, acceptance, course, is_leaving=True, asked=asked)


def _creation(world: World, service: HAService, name: str, acceptance: Acceptance) -> Course:
    key = key_of(service.metadata.namespace, name)
    if not isinstance(acceptance, Accepted) or service.spec.state != "Running":
        return Course()
    if len(name) > OBJECT_NAME_CHARS:
        return Course(
            missing=f"its HAInstance {name} would have a name of {len(name)} characters, and {OBJECT_NAME_CHARS} is the most"
        )
    if why := world.why_unreadable(HA_INSTANCES.kind, key):
        return Course(missing=f"its HAInstance {key} cannot be read, so nobody knows where it runs: {why}")
    if key in world.instances:
        return Course(missing=_taken(world, world.instances[key]))
    placed = None if are_many(world, service) else place(world, service, None)
    return Course((instances.create(service, name),), placed=placed)


def _taken(world: World, instance: HAInstance) -> str:
    other = world.services.get(instance.service_key)
    if other is not None and other.uid == instance.spec.service.uid:
        return (
            f"its HAInstance would be named {instance.key}, as one of the HAService {other.key} is: rename one of them"
        )
    return f"the HAInstance {instance.key} of an earlier service of this name is being deleted first"


def _asked(round_: Round, service: HAService, instance: HAInstance, acceptance: Acceptance) -> tuple[str, ...]:
    world, room = round_.world, round_.rooms.by_uid.get(instance.uid)
    if not isinstance(acceptance, Accepted):
        return tuple(host for host, _, _ in stored_standbys(world, instance))
    wished = moves.wished_host(service, instance)
    hosts = [*standbys(world, service, instance), *([wished] if wished is not None and wished in world.hosts else [])]
    hosts += [room.host] if room else []
    return tuple(host for host in dict.fromkeys(hosts) if host != instance.holder)


def standby_orders(world: World, slot: Slot) -> Iterable[tuple[str, str, StandbyOrder]]:
    """Host, UID and order for each host that shall keep itself ready; what cannot be rendered now stays as it was."""
    instance = slot.instance
    if instance is None or instance.metadata.deletion_timestamp is not None:
        return ()
    if not isinstance(slot.acceptance, Accepted):
        return stored_standbys(world, instance)
    return ((host, instance.uid, standby_order(world, host, slot.in_force, instance)) for host in slot.asked)


def ends(world: World, slot: Slot) -> Iterator[tuple[str, str, int]]:
    """Host, UID and last epoch that is over, for each host that says how fresh its data is: it says that once more then."""
    instance = slot.instance
    if (
        instance is not None
        and is_scored(Question(world, slot.in_force, instance))
        and (over := last_over(world, instance))
    ):
        yield from ((host, instance.uid, over) for host in slot.asked)


def stored_standbys(world: World, instance: HAInstance) -> Iterator[tuple[str, str, StandbyOrder]]:
    """What hosts have been asked. Rare, so that looking at every host does no harm."""
    for host in sorted(world.assignments):
        if told := world.assignments[host].spec.standbys.get(instance.uid):
            yield host, instance.uid, told
