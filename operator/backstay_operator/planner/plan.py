"""`plan(world) -> Plan`: facts in, actions with their reasons out. One way through; the topics decide.

Planned service by service and host by host, so that a later change can plan only what was touched: what a service says
about hosts (`ServicePlan`) depends on nothing but the world, and a host's plan only on what services say about it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from pydantic import ValidationError

from backstay_api.objects.models import HAInstance, HAService, Host
from backstay_api.objects.models.assignment import InstanceOrder, StandbyOrder
from backstay_api.objects.object_kinds import HA_SERVICES, HOSTS
from backstay_api.objects.resource_kinds import units_of

from .actions import Action, WriteHostStatus, WriteInstance, WriteServiceStatus
from .do import clears, instances, moves, ownership, removal
from .do.decisions import Decision, Slot, decide, standby_orders, stored_standbys
from .do.fences import fence_actions, guards_refusal, owes_on
from .do.instances import Course
from .do.orders import Wanted, assign
from .do.rounds import Round, begin, in_turn
from .judge import edits, evidence
from .judge.acceptance import Accepted
from .judge.copies import instances_of
from .judge.evidence import Missing, closed
from .judge.placement import candidates
from .know.liveness import Liveness, held, next_look_s, of_host
from .know.sessions import lease_actions
from .know.world import World
from .preconditions import Gone, Precondition
from .tell import unplannable
from .tell.host_status import host_status
from .tell.status import service_status
from .words import joined, listed

Ordered = tuple[str, str, InstanceOrder, tuple[Precondition, ...]]
"""Host, UID of the HAInstance, order, and what must be so elsewhere before it is sent."""


@dataclass(frozen=True)
class ServicePlan:
    """What one service (or an instance without one) asks for."""

    actions: tuple[Action, ...] = ()
    orders: tuple[Ordered, ...] = ()
    standbys: tuple[tuple[str, str, StandbyOrder], ...] = ()
    look_again_s: float | None = None
    secured: tuple[tuple[str, str], ...] = ()
    """Host and unit: none of these may start by itself."""
    first: tuple[str, ...] = ()
    """UID of the HAInstance, if every host's answer is waited for."""


@dataclass(frozen=True)
class Plan:
    """What is to be done now, and when to look again if nothing changes."""

    actions: tuple[Action, ...]
    wake_at_s: float | None = None
    """On the same clock as `World.now_s`; silence apart."""
    silence_wake_s: float | None = None
    """When silence alone will next change what there is to say. Renewals that come meanwhile put it off."""


def plan(world: World) -> Plan:
    """Everything that is to be done now, the most urgent first, and when to look again if nothing changes."""
    world.memo = {}
    try:
        return _plan(world)
    finally:
        world.memo = None


def _plan(world: World) -> Plan:
    round_ = begin(world)
    owned = ownership.owned(world)
    services = [_planned(round_, key, owned) for key in in_turn(world)]
    services += [plan_ownerless(round_, key) for key in sorted(_ownerless(world))]
    written = (action for service in services for action in service.actions if isinstance(action, WriteInstance))
    round_.over.update(action.before.key for action in written)
    wanted = _by_host(services, _hosts(world), _named(world), keep_secured=_is_blurred(world))
    actions = [action for service in services for action in service.actions]
    actions += [action for name in _hosts(world) for action in _host_planned(round_, name, wanted[name])]
    actions += ownership.abandoned(world)
    actions += unplannable.of_unreadable(world)
    times = [one.look_again_s for one in services if one.look_again_s is not None]
    wake_at_s = min([*times, *evidence.wakes_s(world)], default=None)
    return Plan(tuple(sorted(actions, key=lambda action: action.rank)), wake_at_s, next_look_s(world))


def _planned(round_: Round, key: str, owned: Mapping[str, Sequence[str]]) -> ServicePlan:
    """One service; if a rule of our own models is broken on the way, what was ordered for it stays."""
    try:
        return plan_service(round_, key, owned)
    except ValidationError as error:
        world, service = round_.world, round_.world.services[key]
        there = instances_of(world, service)
        stays = tuple(one for instance in there for one in stored_standbys(world, instance))
        return ServicePlan(tuple(unplannable.about_service(world, service, error)), standbys=stays)


def _host_planned(round_: Round, name: str, wanted: Wanted) -> list[Action]:
    try:
        return plan_host(round_, name, wanted)
    except ValidationError as error:
        return unplannable.about_host(round_.world, round_.world.hosts.get(name), error)


# --- services --------------------------------------------------------------------------------------------------------


def plan_service(round_: Round, key: str, owned: Mapping[str, Sequence[str]]) -> ServicePlan:
    """What one service asks for."""
    world, service = round_.world, round_.world.services[key]
    claims = list(owned.get(service.uid, ()))
    decision = decide(round_, service)
    if decision.is_leaving and not decision.slots:
        return ServicePlan(tuple(ownership.let_go(world, service, claims)))
    common = ServicePlan(
        tuple(_status_actions(world, decision)),
        tuple(one for slot in decision.slots for one in _ordered(slot.instance, slot.course)),
        look_again_s=_look_again_s(decision),
        secured=_secured(world, service),
    )
    if decision.is_leaving:
        stops = [action for slot in decision.slots for action in slot.course.actions]
        return replace(common, actions=(*stops, *common.actions))
    return _staying(world, decision, claims, common)


def _staying(world: World, decision: Decision, claims: Sequence[str], common: ServicePlan) -> ServicePlan:
    service = decision.service
    actions = _owning(world, decision, claims)
    actions += [action for slot in decision.slots for action in slot.course.actions]
    return replace(
        common,
        actions=(*actions, *moves.spent_wish(world, service), *clears.spent_clear(world, service), *common.actions),
        standbys=tuple(one for slot in decision.slots for one in standby_orders(world, slot)),
        first=tuple(uid for slot in decision.slots for uid in _first(world, slot)),
    )


def _look_again_s(decision: Decision) -> float | None:
    times_s = (slot.course.look_again_s for slot in decision.slots)
    return min((at_s for at_s in times_s if at_s is not None), default=None)


def _owning(world: World, decision: Decision, claims: Sequence[str]) -> list[Action]:
    """What a service puts on, takes and gives back, for all of its instances together."""
    service, is_accepted = decision.service, isinstance(decision.acceptance, Accepted)
    there = [slot.instance for slot in decision.slots if slot.instance is not None]
    # Of what was refused an edit each may go on by another manifest; of what was accepted all have this one.
    in_force = {id(slot.in_force): slot.in_force for slot in decision.slots if isinstance(slot.acceptance, Accepted)}
    return [
        *(ownership.marks(service, there) if is_accepted or there else ()),
        *(ownership.give_back_unused(world, service, there, claims) if is_accepted else ()),
        *(action for manifest in in_force.values() for action in ownership.take(world, manifest, there)),
    ]


def _first(world: World, slot: Slot) -> tuple[str, ...]:
    is_waiting = slot.instance and (slot.instance.spec.epoch == 0 or edits.news(world, slot.in_force, slot.instance))
    return (slot.instance.uid,) if slot.instance is not None and is_waiting else ()


def plan_ownerless(round_: Round, key: str) -> ServicePlan:
    """An instance without its service: stopped, proven over and deleted; or left as it is, if the service is only unreadable."""
    world, instance = round_.world, round_.world.instances[key]
    if world.cannot_read(HAService, instance.service_key):
        return ServicePlan(standbys=tuple(stored_standbys(world, instance)))
    service = instance.spec.service
    what_for = f"{instance.key} is stopped and deleted if its service is gone"
    needs = (Gone(HA_SERVICES.kind, instance.metadata.namespace or "", service.name, service.uid, what_for),)
    course = instances.leave(world, instance, f"its HAService {service.name} is gone", needs)
    return ServicePlan(course.actions, _ordered(instance, course))


def _ordered(instance: HAInstance | None, course: Course) -> tuple[Ordered, ...]:
    grant = instance.spec.grant if instance else None
    if instance is None or grant is None or course.order is None:
        return ()
    return ((grant.host, instance.uid, course.order, course.needs),)


def _secured(world: World, service: HAService) -> tuple[tuple[str, str], ...]:
    """Every candidate's unit waits for our word, ready or not: it must not start by itself at a boot."""
    units = units_of(service.spec.resources)
    return tuple((host, unit) for host in candidates(world, service) for unit in units)


def _is_blurred(world: World) -> bool:
    """Whether some service or host cannot be read now, or was once not found, so that nobody knows which units must wait where."""
    return any(kind in (HA_SERVICES.kind, HOSTS.kind) for kind, _ in (*world.unreadable, *world.missed))


def _status_actions(world: World, decision: Decision) -> list[Action]:
    service, status = decision.service, service_status(world, decision)
    return [] if status == service.status else [WriteServiceStatus(service, status)]


def _ownerless(world: World) -> Iterable[str]:
    for key, instance in world.instances.items():
        service = world.services.get(instance.service_key)
        if service is None or service.uid != instance.spec.service.uid:
            yield key


# --- hosts -----------------------------------------------------------------------------------------------------------


def plan_host(round_: Round, name: str, wanted: Wanted) -> list[Action]:
    """What one host needs: its Lease, its orders, whatever its silence asks for, and what people are told of it."""
    world = round_.world
    if gone := removal.of_removed_host(world, name, is_needed=bool(wanted.standbys) or bool(wanted.instances)):
        return gone
    actions = [*lease_actions(world, name), *fence_actions(world, round_.guard, name)]
    orders = assign(world, name, wanted)
    if orders is not None:
        actions.append(orders)
    is_needed = bool(wanted.standbys) or bool(wanted.instances) or bool(held(world, name))
    if not any(owes_on(world, world.requests[request]) for request in world.requests_of.get(name, ())):
        actions += removal.host_finalizer(world, name, is_needed=is_needed)
    host = world.hosts.get(name)
    patch = host_status(world, host, missing=_host_misses(round_, name)) if host is not None else None
    if host is not None and patch is not None:
        is_lost = of_host(world, name) in (Liveness.SILENT, Liveness.SEALED)
        actions.append(WriteHostStatus(host, patch, is_lost))
    return actions


def _host_misses(round_: Round, name: str) -> str:
    """What stands between a lost or leaving host and the services that it still holds; and what the API server refuses about it."""
    world = round_.world
    refused = world.refusal(Host, name)
    return joined(_still_holds(round_, name), refused)


def _still_holds(round_: Round, name: str) -> str:
    world = round_.world
    keys = [key for key in held(world, name) if key not in round_.over]
    host = world.hosts.get(name)
    is_leaving = host is not None and host.metadata.deletion_timestamp is not None
    state = of_host(world, name)
    if not keys or not (is_leaving or state in (Liveness.SILENT, Liveness.SEALED)):
        return ""
    held_here = f"it still holds {listed(keys)}"
    if state is Liveness.LIVE:
        return f"{held_here}; a service leaves when another host is ready for it"
    proof = next((p.why for p in (closed(world, world.instances[key]) for key in keys) if isinstance(p, Missing)), "")
    return joined(held_here, proof, guards_refusal(world, round_.guard, name))


def _hosts(world: World) -> list[str]:
    known = {*world.hosts, *world.assignments, *world.leases}
    return sorted(known | {name for name, requests in world.requests_of.items() if requests})


def _by_host(
    services: Iterable[ServicePlan], hosts: Iterable[str], named: frozenset[str], *, keep_secured: bool
) -> Mapping[str, Wanted]:
    needs: dict[str, tuple[Precondition, ...]] = {}
    first: set[str] = set()
    orders: dict[str, dict[str, InstanceOrder]] = defaultdict(dict)
    ready: dict[str, dict[str, StandbyOrder]] = defaultdict(dict)
    secured: dict[str, set[str]] = defaultdict(set)
    for service in services:
        for host, uid, order, asked in service.orders:
            orders[host][uid], needs[uid] = order, asked
        for host, uid, standby in service.standbys:
            ready[host][uid] = standby
        for host, unit in service.secured:
            secured[host].add(unit)
        first.update(service.first)
    return {
        host: Wanted(orders[host], ready[host], frozenset(secured[host]), keep_secured, needs, frozenset(first), named)
        for host in hosts
    }


def _named(world: World) -> frozenset[str]:
    """Units that some service names which is to stay."""
    services = (service for service in world.services.values() if not service.metadata.deletion_timestamp)
    return frozenset(unit for service in services for unit in units_of(service.spec.resources))
