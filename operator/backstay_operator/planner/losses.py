"""What the loss of each host would leave over: decided by the planner itself, in a picture in which that host is gone.

As `whatif`, where all goes well: a host that is asked to be ready is ready. But only those services are decided about whom the loss
concerns, round after round, and the work can be done in small pieces between plans: each `next` decides about one service.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Generator, Iterable, Mapping
from contextlib import suppress
from copy import copy
from dataclasses import fields, replace

from backstay_api.objects.models import HAInstance, HAService, Host, HostAssignment
from backstay_api.objects.models.assignment import InstanceOrder, StandbyOrder, StandbyReport
from backstay_api.objects.names import key_of

from .actions import Action
from .do import ownership
from .do.decisions import Decision, Slot, decide, standby_orders
from .do.removal import host_finalizer
from .do.rounds import begin, in_turn
from .judge.acceptance import Accepted
from .judge.affinity import has_ties
from .judge.copies import instances_of, its_host, of_part
from .judge.host_facts import facts_of
from .judge.questions import Question
from .judge.remains import stored_order
from .know.losses import Domain, HostLoss, Losses, spread_over
from .know.unforeseen import BROKEN
from .know.world import World
from .offline import report_as_told
from .whatif import MOST_ROUNDS, Told, carry_out, holders, lose, why_nowhere

Work = Generator[None, None, Losses]
Decisions = dict[str, Decision]
"""By key of a service: what was decided about it last, in the order of the plan."""


def each_host(world: World) -> tuple[Domain, ...]:
    """Each host by itself."""
    return tuple(Domain(name, (name,)) for name in sorted(world.hosts))


def by_label(world: World, key: str) -> tuple[Domain, ...]:
    """All hosts with one value of a label. A host without it is in none."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    for name in sorted(world.hosts):
        value = (world.hosts[name].metadata.labels or {}).get(key)
        if value is not None:
            found[value].append(name)
    return tuple(Domain(f"{key}={value}", tuple(those), key) for value, those in sorted(found.items()))


def every_domain(world: World) -> tuple[Domain, ...]:
    """Each host, and the domains that the operator's settings or the `spread` of a service name."""
    keys = {
        *world.settings.topology_keys,
        *(one for service in world.services.values() for one in spread_over(service)),
    }
    return (*each_host(world), *(domain for key in sorted(keys) for domain in by_label(world, key)))


def losses(world: World, lost: Iterable[Domain]) -> Losses:
    """Of each: whether everything that runs would have a host if these were lost and proven to be off. The world stays as it is."""
    work = study(world, lost)
    while True:
        try:
            next(work)
        except StopIteration as done:
            found: Losses = done.value
            return found


def study(world: World, lost: Iterable[Domain]) -> Work:
    """The same in pieces. The world must stay as it is until the last: `copied`."""
    found: list[HostLoss] = []
    for domain in lost:
        found.append((yield from _loss(world, domain)))
    return Losses(tuple(found))


def copied(world: World) -> World:
    """The same picture, in which other objects can be put."""
    made = replace(world, memo=None)
    for name in (each.name for each in fields(world)):
        value = getattr(world, name)
        if isinstance(value, defaultdict):
            setattr(made, name, defaultdict(value.default_factory, {key: copy(one) for key, one in value.items()}))
        elif isinstance(value, dict | set):
            setattr(made, name, copy(value))
    return made


def made_from(world: World) -> tuple[object, ...]:
    """What the answer is made from: while this is equal, the answer is the same. Times, and what only tells, are no part of it."""
    services = {key: _of_service(one) for key, one in world.services.items()}
    instances = {key: one.spec for key, one in world.instances.items()}
    hosts = {name: (*_of_host(one), _can_come(world, name)) for name, one in world.hosts.items()}
    assignments = {name: _of_assignment(one) for name, one in world.assignments.items()}
    claims = {name: one.spec for name, one in world.claims.items()}
    classes = {name: one.spec for name, one in world.classes.items()}
    return services, instances, hosts, assignments, claims, classes, dict(world.unreadable), dict(world.missed)


def _of_service(one: HAService) -> tuple[object, ...]:
    meta, status = one.metadata, one.status
    told = (status.failures, status.moves, status.last_ran_with)
    return one.spec, meta.labels, meta.annotations, meta.deletion_timestamp, *told


def _of_host(one: Host) -> tuple[object, ...]:
    return one.spec, one.metadata.labels, one.metadata.deletion_timestamp


def _can_come(world: World, host: str) -> bool:
    facts = facts_of(world, host)
    return facts.lost is None and facts.unschedulable is None


def _of_assignment(one: HostAssignment) -> tuple[object, ...]:
    spec, status = one.spec, one.status
    reports = {uid: (said.phase, said.epoch, said.released, said.revision) for uid, said in status.instances.items()}
    return spec.instances, spec.standbys, reports, status.standbys, status.prerequisites


# --- the loss of some hosts ------------------------------------------------------------------------------------------


def _loss(world: World, domain: Domain) -> Generator[None, None, HostLoss]:
    """What a host alone has a copy for (mode EveryHost) goes with it, and is left over only where that was the last."""
    supposed, before, told = copied(world), holders(world), Told()
    held = tuple(sorted(key for key, host in before.items() if host in domain.hosts))
    for host in domain.hosts:
        lose(supposed, host, told)
    found: Decisions = {}
    for action in (action for host in world.hosts for action in host_finalizer(world, host, is_needed=True)):
        carry_out(supposed, action, told)
    may_act = {key for key, service in supposed.services.items() if held and _may_act(supposed, service)}
    yield
    for _ in range(MOST_ROUNDS if held else 0):
        found = yield from _round(supposed, may_act)
        done = [_carried_out(supposed, decision, told) for decision in found.values()]
        if not any(done):
            break
    return HostLoss(domain, held, tuple(_left(supposed, found, before)))


def _left(world: World, found: Decisions, before: Mapping[str, str]) -> Iterable[tuple[str, str]]:
    for slot in (slot for decision in found.values() for slot in decision.slots):
        service, key = slot.in_force, key_of(slot.in_force.metadata.namespace, slot.name)
        there = world.instances.get(key)
        if key not in before or (there is not None and there.holder) or service.spec.state != "Running":
            continue
        others = its_host(service, slot.instance) and any(one.holder for one in instances_of(world, service))
        if not others:
            yield key, why_nowhere(slot)


def _may_act(world: World, service: HAService) -> bool:
    """Whether it may do anything else than go on as it is: what it was told, where it is, and with whom it has to do."""
    placement, there = service.spec.placement, instances_of(world, service)
    is_to_start = service.spec.state == "Running" and not there
    return bool(
        is_to_start
        or service.spec.depends_on
        or placement.failback != "Never"
        or has_ties(Question(world, service, None))
        or any(not _goes_on(world, service, one) for one in there)
    )


def _goes_on(world: World, service: HAService, instance: HAInstance) -> bool:
    """Whether its host was told to run it as its manifest says, and is to be left by nobody."""
    stored = stored_order(world, instance.holder, instance) if instance.holder in world.hosts else None
    is_up = stored is not None and stored.want == "Up" and stored.revision == service.metadata.generation
    return is_up and service.spec.state == "Running" and facts_of(world, instance.holder).leaving is None


def _round(world: World, may_act: set[str]) -> Generator[None, None, Decisions]:
    """One plan, of those who may do anything, and of those who are stopped to make room for them."""
    world.memo = {}
    round_, found = begin(world), Decisions()
    yield
    for key in in_turn(world):
        service = world.services[key]
        if round_.sheds and any(one.uid in round_.sheds for one in instances_of(world, service)):
            may_act.add(key)
        elif key not in may_act or not _may_act(world, service):
            continue
        with suppress(*BROKEN):  # it cannot be planned, which stops no other
            found[key] = decide(round_, service)
        yield
    world.memo = None
    return found


# --- what is decided is done at once ---------------------------------------------------------------------------------


def _carried_out(world: World, decision: Decision, told: Told) -> bool:
    """Whether anything is another afterwards that the next round must see."""
    done = [carry_out(world, action, told) for action in _owning(world, decision)]
    done += [_slot_done(world, slot, told) for slot in decision.slots]
    return any(done)


def _owning(world: World, decision: Decision) -> list[Action]:
    service = decision.service
    there = [slot.instance for slot in decision.slots if slot.instance is not None]
    if decision.is_leaving or not isinstance(decision.acceptance, Accepted):
        return []
    return [*ownership.marks(service, there), *ownership.take(world, service, of_part(service, there))]


def _slot_done(world: World, slot: Slot, told: Told) -> bool:
    instance, order = slot.instance, slot.course.order
    done = [carry_out(world, action, told) for action in slot.course.actions]
    if instance is None:
        return any(done)
    done += [_tell(world, instance, host, order) for host in _told_of(world, instance)]
    asked = {host: one for host, _, one in standby_orders(world, slot)}
    done += [_ask(world, instance, host, asked.get(host)) for host in {*asked, *world.asked_on.get(instance.uid, ())}]
    return any(done)


def _told_of(world: World, instance: HAInstance) -> list[str]:
    return sorted({*world.ordered_on.get(instance.uid, ()), instance.holder} - {""})


def _tell(world: World, instance: HAInstance, host: str, order: InstanceOrder | None) -> bool:
    """The holder is told, and does it; of any other nothing is wanted any more. One that is lost does nothing."""
    known, uid = world.assignments.get(host), instance.uid
    wanted = order if host == instance.holder else None
    if known is None or known.spec.instances.get(uid) == wanted or _is_lost(world, host):
        return False
    orders, reports = dict(known.spec.instances), dict(known.status.instances)
    orders.pop(uid, None)
    reports.pop(uid, None)
    if wanted is not None:
        orders[uid], reports[uid] = wanted, report_as_told(wanted)
    world.put_assignment(_with(known, spec={"instances": orders}, status={"instances": reports}))
    return True


def _ask(world: World, instance: HAInstance, host: str, wanted: StandbyOrder | None) -> bool:
    """What it has said of this very manifest it goes on saying; of any other it is ready."""
    known, uid = world.assignments.get(host), instance.uid
    if known is None or known.spec.standbys.get(uid) == wanted or _is_lost(world, host):
        return False
    orders, answers = dict(known.spec.standbys), dict(known.status.standbys)
    orders.pop(uid, None)
    said = answers.pop(uid, None)
    if wanted is not None:
        is_its = said is not None and said.revision == wanted.revision
        orders[uid] = wanted
        answers[uid] = said if said is not None and is_its else StandbyReport(ready=True, revision=wanted.revision)
    world.put_assignment(_with(known, spec={"standbys": orders}, status={"standbys": answers}))
    return True


def _is_lost(world: World, host: str) -> bool:
    seen = world.leases.get(host)
    return seen is not None and seen.lease.sealed


def _with(known: HostAssignment, *, spec: Mapping[str, object], status: Mapping[str, object]) -> HostAssignment:
    parts = {"spec": known.spec.model_copy(update=spec), "status": known.status.model_copy(update=status)}
    return known.model_copy(update=parts)
