"""`plan(world) -> Plan`: facts in, actions with their reasons out. One way through; the topics decide.

Planned service by service and host by host, so that a later change can plan only what was touched: what a service says
about hosts (`ServicePlan`) depends on nothing but the world, and a host's plan only on what services say about it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from pydantic import ValidationError

from backstay_api.objects.models import HAInstance, HAService
from backstay_api.objects.models.assignment import InstanceOrder, StandbyOrder
from backstay_api.objects.resource_kinds import units_of

from .actions import Action, ReportUnreadable, WriteHostStatus, WriteServiceStatus
from .do import instances, moves, ownership, removal
from .do.fences import fence_actions, guards_refusal, owes_on
from .do.instances import Course
from .do.orders import Wanted, assign, standby_order
from .do.rounds import Round, begin
from .judge import edits, evidence, last_accepted
from .judge.acceptance import Acceptance, Accepted, accept
from .judge.evidence import Missing, closed
from .judge.placement import candidates, standbys
from .know.liveness import Liveness, held, next_look_s, of_host
from .know.sessions import lease_actions
from .know.world import World
from .preconditions import Gone, Precondition
from .tell import unplannable
from .tell.host_status import host_status
from .tell.status import service_status
from .words import listed


@dataclass(frozen=True)
class ServicePlan:
    """What one service (or an instance without one) asks for."""

    actions: tuple[Action, ...] = ()
    orders: tuple[tuple[str, str, InstanceOrder], ...] = ()
    """Host, UID of the HAInstance, order."""
    standbys: tuple[tuple[str, str, StandbyOrder], ...] = ()
    look_again_s: float | None = None
    secured: tuple[tuple[str, str], ...] = ()
    """Host and unit: none of these may start by itself."""
    needs: tuple[Precondition, ...] = ()
    """What must be so elsewhere before its order is sent."""
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
    services = [_planned(round_, key, owned) for key in sorted(world.services)]
    services += [plan_ownerless(round_, key) for key in sorted(_ownerless(world))]
    wanted = _by_host(services, _hosts(world), _named(world), keep_secured=_is_blurred(world))
    actions = [action for service in services for action in service.actions]
    actions += [action for name in _hosts(world) for action in _host_planned(round_, name, wanted[name])]
    actions += ownership.abandoned(world)
    actions += _unreadable(world)
    times = [one.look_again_s for one in services if one.look_again_s is not None]
    wake_at_s = min([*times, *evidence.wakes_s(world)], default=None)
    return Plan(tuple(sorted(actions, key=lambda action: action.rank)), wake_at_s, next_look_s(world))


def _planned(round_: Round, key: str, owned: Mapping[str, Sequence[str]]) -> ServicePlan:
    """One service; if a rule of our own models is broken on the way, what was ordered for it stays."""
    try:
        return plan_service(round_, key, owned)
    except ValidationError as error:
        world, service = round_.world, round_.world.services[key]
        instance = _instance_of(world, service)
        stays = _stored_standbys(world, instance) if instance is not None else ()
        return ServicePlan(tuple(unplannable.of_service(world, service, error)), standbys=stays)


def _host_planned(round_: Round, name: str, wanted: Wanted) -> list[Action]:
    try:
        return plan_host(round_, name, wanted)
    except ValidationError as error:
        return unplannable.of_host(round_.world, round_.world.hosts.get(name), error)


# --- services --------------------------------------------------------------------------------------------------------


def plan_service(round_: Round, key: str, owned: Mapping[str, Sequence[str]]) -> ServicePlan:
    """What one service asks for."""
    world, service = round_.world, round_.world.services[key]
    claims = list(owned.get(service.uid, ()))
    if service.metadata.deletion_timestamp is not None:
        return _plan_deletion(round_, service, claims)
    acceptance = accept(world, service)
    instance = _instance_of(world, service)
    actions: list[Action] = []
    if isinstance(acceptance, Accepted) or instance is not None:
        actions += ownership.marks(service, instance)
    if isinstance(acceptance, Accepted):
        actions += ownership.give_back_unused(world, service, instance, claims)
    if instance is None:
        actions += ownership.take(world, service, None) if isinstance(acceptance, Accepted) else []
        actions += _creation(world, service, acceptance)
        told = (*actions, *moves.spent_wish(world, service, None), *_told(world, service, ""))
        return ServicePlan(told, secured=_secured(world, service))
    in_force, accepted = last_accepted.in_force(world, service, instance, acceptance)
    if isinstance(accepted, Accepted):
        actions += ownership.take(world, in_force, instance)
    course = instances.course(round_, in_force, instance, accepted)
    actions += [*course.actions, *moves.spent_wish(world, service, instance), *_told(world, service, course.missing)]
    ready = _standbys(world, in_force, instance, accepted)
    first = (instance.uid,) if instance.spec.epoch == 0 or edits.news(world, in_force, instance) else ()
    return ServicePlan(
        tuple(actions),
        _ordered(instance, course),
        ready,
        course.look_again_s,
        _secured(world, service),
        course.needs,
        first,
    )


def plan_ownerless(round_: Round, key: str) -> ServicePlan:
    """An instance without its service: stopped, proven over and deleted; or left as it is, if the service is only unreadable."""
    world, instance = round_.world, round_.world.instances[key]
    if ("HAService", instance.service_key) in world.unreadable:
        return ServicePlan(standbys=_stored_standbys(world, instance))
    service = instance.spec.service
    what_for = f"{instance.key} is stopped and deleted if its service is gone"
    needs = (Gone("HAService", instance.metadata.namespace or "", service.name, service.uid, what_for),)
    course = instances.leave(world, instance, f"its HAService {service.name} is gone", needs)
    return ServicePlan(course.actions, _ordered(instance, course), needs=course.needs)


def _plan_deletion(round_: Round, service: HAService, claims: list[str]) -> ServicePlan:
    world = round_.world
    keys = sorted(world.instances_of.get(service.uid, ()))
    if not keys:
        return ServicePlan(tuple(ownership.let_go(world, service, claims)))
    courses = [(world.instances[key], instances.leave(world, world.instances[key], "it is deleted")) for key in keys]
    missing = "; ".join(filter(None, (course.missing for _, course in courses)))
    actions = [action for _, course in courses for action in course.actions]
    orders = tuple(order for instance, course in courses for order in _ordered(instance, course))
    return ServicePlan((*actions, *_told(world, service, missing)), orders, secured=_secured(world, service))


def _instance_of(world: World, service: HAService) -> HAInstance | None:
    instance = world.instances.get(_instance_key(service))
    return instance if instance is not None and instance.spec.service.uid == service.uid else None


def _instance_key(service: HAService) -> str:
    return f"{service.metadata.namespace}/{instances.instance_name(service)}"


def _creation(world: World, service: HAService, acceptance: Acceptance) -> list[Action]:
    key = _instance_key(service)
    is_taken = key in world.instances or ("HAInstance", key) in world.unreadable
    if is_taken or not isinstance(acceptance, Accepted) or service.spec.state != "Running":
        return []
    return [instances.create(service)]


def _ordered(instance: HAInstance, course: Course) -> tuple[tuple[str, str, InstanceOrder], ...]:
    grant = instance.spec.grant
    return ((grant.host, instance.uid, course.order),) if grant is not None and course.order is not None else ()


def _standbys(
    world: World, service: HAService, instance: HAInstance, acceptance: Acceptance
) -> tuple[tuple[str, str, StandbyOrder], ...]:
    if instance.metadata.deletion_timestamp is not None:
        return ()
    if not isinstance(acceptance, Accepted):
        return _stored_standbys(world, instance)
    holder = instance.spec.grant.host if instance.spec.grant else None
    wished = moves.wished_host(service)
    hosts = [*standbys(world, service, instance), *([wished] if wished is not None and wished in world.hosts else [])]
    return tuple(
        (host, instance.uid, standby_order(world, host, service, instance))
        for host in dict.fromkeys(hosts)
        if host != holder
    )


def _secured(world: World, service: HAService) -> tuple[tuple[str, str], ...]:
    """Every candidate's unit waits for our word, ready or not: it must not start by itself at a boot."""
    units = units_of(service.spec.resources)
    return tuple((host, unit) for host in candidates(world, service) for unit in units)


def _is_blurred(world: World) -> bool:
    """Whether some service or host cannot be read now, so that nobody knows which units must wait where."""
    return any(kind in ("HAService", "Host") for kind, _ in world.unreadable)


def _stored_standbys(world: World, instance: HAInstance) -> tuple[tuple[str, str, StandbyOrder], ...]:
    """What cannot be rendered now stays as it was. Rare, so that looking at every host does no harm."""
    return tuple(
        (host, instance.uid, world.assignments[host].spec.standbys[instance.uid])
        for host in sorted(world.assignments)
        if instance.uid in world.assignments[host].spec.standbys
    )


def _told(world: World, service: HAService, missing: str) -> list[Action]:
    status = service_status(world, service, missing=missing)
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
    refused = world.refused.get(("Host", name), "")
    return "; ".join(filter(None, (_still_holds(round_, name), refused)))


def _still_holds(round_: Round, name: str) -> str:
    world = round_.world
    keys = held(world, name)
    host = world.hosts.get(name)
    is_leaving = host is not None and host.metadata.deletion_timestamp is not None
    state = of_host(world, name)
    if not keys or not (is_leaving or state in (Liveness.SILENT, Liveness.SEALED)):
        return ""
    held_here = f"it still holds {listed(keys)}"
    if state is Liveness.QUIET:
        return f"{held_here}; a service leaves when another host is ready for it"
    proof = next((p.why for p in (closed(world, world.instances[key]) for key in keys) if isinstance(p, Missing)), "")
    return "; ".join(filter(None, (held_here, proof, guards_refusal(world, round_.guard, name))))


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
        for host, uid, order in service.orders:
            orders[host][uid] = order
            needs[uid] = service.needs
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


# --- the whole -------------------------------------------------------------------------------------------------------


def _unreadable(world: World) -> list[Action]:
    return [
        ReportUnreadable(kind, key, unreadable.generation, unreadable.why, f"{kind} {key} cannot be read")
        for (kind, key), unreadable in sorted(world.unreadable.items())
        if kind in ("HAService", "Host")
    ]
