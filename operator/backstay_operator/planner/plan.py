"""`plan(world) -> Plan`: facts in, actions with their reasons out. One way through; the topics decide.

Planned service by service and host by host, so that a later change can plan only what was touched: what a service says
about hosts (`ServicePlan`) depends on nothing but the world, and a host's plan only on what services say about it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from backstay_api.objects.models import HAInstance, HAService, Host
from backstay_api.objects.object_kinds import HA_SERVICES, HOSTS
from backstay_api.objects.resource_kinds import units_of

from . import by_host, keepable, rest
from .actions import Action, WriteHostStatus, WriteInstance, WriteServiceStatus
from .by_host import Ordered, ServicePlan
from .do import clears, instances, moves, ownership, prerequisites, removal, roles
from .do.course import Course
from .do.decisions import Decision, Slot, decide, ends, standby_orders, stored_standbys
from .do.fence_guard import guards_refusal
from .do.fences import fence_actions, owes_on
from .do.orders import Wanted, assign
from .do.rounds import Round, begin, in_turn
from .judge import edits, evidence
from .judge.acceptance import Accepted
from .judge.copies import instances_of, of_part
from .judge.evidence import Missing, closed
from .judge.placement import candidates
from .know.liveness import Liveness, held, next_look_s, of_host
from .know.sessions import lease_actions
from .know.unforeseen import BROKEN
from .know.world import World
from .preconditions import Gone
from .tell import unplannable
from .tell.class_status import class_statuses
from .tell.host_status import host_status
from .tell.status import service_status
from .words import joined, listed


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
    plans = _service_plans(round_) | {f"instance {key}": _ownerless_planned(round_, key) for key in _ownerless(world)}
    services = plans.values()
    written = (action for service in services for action in service.actions if isinstance(action, WriteInstance))
    round_.over.update(action.before.key for action in written)
    hosts = _hosts(world)
    wanted = by_host.wanted(
        world, plans, hosts, _named(world), keep_secured=_is_blurred(world) or any(one.is_broken for one in services)
    )
    actions = [action for service in services for action in service.actions]
    actions += [action for name in hosts for action in _host_planned(round_, name, wanted[name])]
    actions += ownership.abandoned(world)
    actions += unplannable.of_unreadable(world)
    actions += class_statuses(world)
    times = [one.look_again_s for one in services if one.look_again_s is not None]
    wake_at_s = min([*times, *evidence.wakes_s(world)], default=None)
    return Plan(tuple(sorted(actions, key=lambda action: action.rank)), wake_at_s, next_look_s(world))


def _service_plans(round_: Round) -> dict[str, ServicePlan]:
    """Those of all services, in their turn. One need not be made again while its service is at rest."""
    world, owned = round_.world, ownership.owned(round_.world)
    known = rest.known(round_) if len(world.services) >= world.settings.keeps_plans_from else None
    if known is None:
        return {key: _planned(round_, key, owned) for key in in_turn(world)}
    plans = {key: rest.kept(world, key, owned, known, partial(_planned, round_, key, owned)) for key in in_turn(world)}
    rest.note(world)
    return plans


def _planned(round_: Round, key: str, owned: Mapping[str, Sequence[str]]) -> ServicePlan:
    """One service; if it breaks something on the way, what was ordered for it stays."""
    try:
        return plan_service(round_, key, owned)
    except BROKEN as error:
        world, service = round_.world, round_.world.services[key]
        there = instances_of(world, service)
        stays = tuple(one for instance in there for one in stored_standbys(world, instance))
        kept = tuple(one for instance in there for one in prerequisites.stored(world, instance))
        told = tuple(unplannable.about_service(world, service, error))
        return ServicePlan(told, standbys=stays, prerequisites=kept, is_broken=True)


def _ownerless_planned(round_: Round, key: str) -> ServicePlan:
    try:
        return plan_ownerless(round_, key)
    except BROKEN:
        return ServicePlan(is_broken=True)  # nobody is left to be told


def _host_planned(round_: Round, name: str, wanted: Wanted) -> list[Action]:
    try:
        return plan_host(round_, name, wanted)
    except BROKEN as error:
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
        units=units_of(service.spec.resources),
        candidates=candidates(world, service),
    )
    if decision.is_leaving:
        stops = [action for slot in decision.slots for action in slot.course.actions]
        return replace(common, actions=(*stops, *common.actions))
    return _staying(world, decision, claims, common)


def _staying(world: World, decision: Decision, claims: Sequence[str], common: ServicePlan) -> ServicePlan:
    service = decision.service
    actions = _owning(world, decision, claims)
    actions += [action for slot in decision.slots for action in slot.course.actions]
    actions += [*moves.spent_wish(world, service), *clears.spent_clear(world, service), *common.actions]
    return replace(
        common,
        actions=tuple(actions),
        standbys=tuple(one for slot in decision.slots for one in standby_orders(world, slot)),
        prerequisites=tuple(one for slot in decision.slots for one in prerequisites.orders(world, slot)),
        questions=tuple(one for slot in decision.slots for one in prerequisites.questions(world, slot)),
        over=tuple(one for slot in decision.slots for one in ends(world, slot)),
        roles=tuple(roles.told_by_host(world, service, [slot.instance for slot in decision.slots if slot.instance])),
        first=tuple(uid for slot in decision.slots for uid in _first(world, slot)),
        rests=common.look_again_s is None and keepable.is_keepable(world, decision, actions),
        reads_other_names=keepable.reads_other_names(decision),
        goes_by=keepable.goes_by(decision),
        sends=tuple((slot.instance, slot.course.to) for slot in decision.slots if slot.instance and slot.course.to),
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
        *(
            action
            for manifest in in_force.values()
            for action in ownership.take(world, manifest, of_part(manifest, there))
        ),
    ]


def _first(world: World, slot: Slot) -> tuple[str, ...]:
    is_waiting = slot.instance and (slot.instance.spec.epoch == 0 or edits.news(world, slot.in_force, slot.instance))
    return (slot.instance.uid,) if slot.instance is not None and is_waiting else ()


def plan_ownerless(round_: Round, key: str) -> ServicePlan:
    """An instance without its service: stopped, proven over and deleted; or left as it is, if the service is only unreadable."""
    world, instance = round_.world, round_.world.instances[key]
    if world.cannot_read(HAService, instance.service_key):
        stays, kept = tuple(stored_standbys(world, instance)), tuple(prerequisites.stored(world, instance))
        return ServicePlan(standbys=stays, prerequisites=kept)
    service = instance.spec.service
    what_for = f"{instance.key} is stopped and deleted if its service is gone"
    needs = (Gone(HA_SERVICES.kind, instance.metadata.namespace or "", service.name, service.uid, what_for),)
    course = instances.leave(round_, None, instance, f"its HAService {service.name} is gone", needs)
    return ServicePlan(course.actions, _ordered(instance, course))


def _ordered(instance: HAInstance | None, course: Course) -> tuple[Ordered, ...]:
    grant = instance.spec.grant if instance else None
    if instance is None or grant is None or course.order is None:
        return ()
    return ((grant.host, instance.uid, course.order, course.needs),)


def _is_blurred(world: World) -> bool:
    """Whether some service or host cannot be read now, or was once not found, so that nobody knows which units must wait where."""
    return any(kind in (HA_SERVICES.kind, HOSTS.kind) for kind, _ in (*world.unreadable, *world.missed))


def _status_actions(world: World, decision: Decision) -> list[Action]:
    service, status = decision.service, service_status(world, decision)
    return [] if status == service.status else [WriteServiceStatus(service, status)]


def _ownerless(world: World) -> Sequence[str]:
    """Keys of instances without a service, in a fixed order."""
    made_from = (*world.services.values(), *world.instances.values())
    return world.keep("ownerless", "", made_from, lambda: sorted(_without_service(world)))


def _without_service(world: World) -> Iterable[str]:
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


def _named(world: World) -> frozenset[str]:
    """Units that some service names which is to stay: asked only about what hosts hold."""
    services = tuple(world.services.values()) if world.held_on else ()
    return world.keep("named", "", services, lambda: _all_named(services))


def _all_named(services: Iterable[HAService]) -> frozenset[str]:
    staying = (service for service in services if not service.metadata.deletion_timestamp)
    return frozenset(unit for service in staying for unit in units_of(service.spec.resources))
