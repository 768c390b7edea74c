"""The life of an instance: created, granted, stopped, closed, granted again, deleted (PROTOCOL 6).

One compare-and-swap writes the evidence for an epoch and the grant of the next together. Only `_granted` and `_closed`
make a spec that is written, and their assertions stay on: no grant without evidence, and epochs grow by one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from backstay_api.objects.models import HAInstance, HAService, Host
from backstay_api.objects.models.assignment import InstanceOrder
from backstay_api.objects.models.instance import Closed, Grant, HAInstanceSpec, ServiceRef
from backstay_operator.planner.actions import Action, CreateInstance, DeleteInstance, WriteClaim, WriteInstance
from backstay_operator.planner.judge import edits, first_epoch
from backstay_operator.planner.judge.acceptance import Acceptance, Refused
from backstay_operator.planner.judge.copies import are_many, its_host, recorded_for_another
from backstay_operator.planner.judge.evidence import Evidence, closed
from backstay_operator.planner.judge.placement import NoHost, Placed, choose_or_retry, held_by_nobody, must_leave, place
from backstay_operator.planner.judge.questions import Question
from backstay_operator.planner.judge.remains import stored_order
from backstay_operator.planner.know import sessions
from backstay_operator.planner.know.liveness import Liveness, of_host, untouched
from backstay_operator.planner.know.world import World
from backstay_operator.planner.preconditions import Precondition
from backstay_operator.planner.words import joined

from . import moves, rolling
from .fences import about_stop, guards_refusal
from .finalizers import INSTANCE_FINALIZER, is_ours
from .orders import order
from .ownership import needs_to_run, not_yet_ours, record
from .rounds import Round


@dataclass(frozen=True)
class Course:
    """What is to be done about one instance now."""

    actions: tuple[Action, ...] = ()
    order: InstanceOrder | None = None
    """For the holder of the present grant."""
    missing: str = ""
    """What it waits for and what a person can do, in a sentence; empty if that is plain from everything else."""
    look_again_s: float | None = None
    waits: str = ""
    """For whom an edit waits, in a sentence, while all goes on as it was."""
    needs: tuple[Precondition, ...] = ()
    """What must be so elsewhere before the order is sent."""
    to: str = ""
    """The host that it goes to next: by a grant of this very plan, or by the move for which it is stopped."""
    placed: Placed | NoHost | None = None
    """What was found where it looked for a host."""


@dataclass(frozen=True)
class Next:
    """Where the next epoch goes."""

    grant: Grant
    placed: Placed
    needs: tuple[Precondition, ...] = ()
    records: tuple[WriteClaim, ...] = ()
    """What the claims must say before the order goes out: written beside the grant, not after it."""

    @property
    def why(self) -> str:
        return f"{self.placed.host}, {self.placed.why}"


@dataclass(frozen=True)
class Nowhere:
    """Why there is no next epoch now."""

    missing: str
    """What stands against it; empty if it is only that no host will do."""
    placed: Placed | NoHost | None = None

    @property
    def why(self) -> str:
        return self.missing or (self.placed.why if self.placed else "")

    @property
    def look_again_s(self) -> float | None:
        return self.placed.look_again_s if isinstance(self.placed, NoHost) and not self.missing else None


def create(service: HAService, name: str) -> CreateInstance:
    """The instance of a slot that has none."""
    assert service.metadata.namespace is not None, f"{service.key}: services live in namespaces"
    ref = ServiceRef(name=service.metadata.name, uid=service.uid)
    spec = HAInstanceSpec(service=ref, exclusive=service.exclusive)
    return CreateInstance(service.metadata.namespace, name, spec, f"{service.key} has no instance yet")


def course(round_: Round, service: HAService, instance: HAInstance, acceptance: Acceptance) -> Course:
    """What is to be done about the instance of a service that is to stay."""
    if instance.metadata.deletion_timestamp is not None:
        # What can be asked is asked: an instance of which somebody has taken our finalizer away is soon not there at all.
        return leave(round_.world, instance, "its HAInstance is being deleted")
    if instance.spec.grant is None:
        return _grant_next(round_, service, instance, acceptance, None)
    found = closed(round_.world, instance)
    if isinstance(found, Evidence):
        return _grant_next(round_, service, instance, acceptance, found)
    return _hold(round_, service, instance, acceptance, found.why)


def leave(world: World, instance: HAInstance, why: str, needs: tuple[Precondition, ...] = ()) -> Course:
    """What is to be done about an instance that shall not be any more: stop it, prove it, delete it.

    `needs`: what the API server must say of its service before anything is done about it.
    """
    if instance.spec.grant is None:
        return Course((DeleteInstance(instance, f"{why}, and nothing of it runs", needs),))
    found = closed(world, instance)
    if isinstance(found, Evidence):
        return Course((WriteInstance(instance, _closed(instance, found), f"{why}; {found.why}", needs),))
    stored = stored_order(world, instance.spec.grant.host, instance)
    hands_off = untouched(world, instance.spec.grant.host)
    if hands_off and (stored is None or stored.want == "Up"):
        return Course(order=stored, missing=f"{why}, but {hands_off}")
    return Course(order=order(world, None, instance, "Down", why), missing=f"{why}; {found.why}", needs=needs)


# --- nobody holds it, or not for much longer -------------------------------------------------------------------------


def _grant_next(
    round_: Round, service: HAService, instance: HAInstance, acceptance: Acceptance, found: Evidence | None
) -> Course:
    """Grant the next epoch; where the present one is open, with the evidence that it is over, or write that alone."""
    chosen = _choose(round_, service, instance, acceptance)
    if isinstance(chosen, Next):
        why = f"{found.why}; next {chosen.why}" if found else chosen.why
        write = WriteInstance(instance, _granted(instance, chosen.grant, found), why, chosen.needs)
        return Course((write, *chosen.records), to=chosen.grant.host, placed=chosen.placed)
    waits = Course(missing=chosen.missing, look_again_s=chosen.look_again_s, placed=chosen.placed)
    if found is None:
        return waits
    if found.kind == "NotExclusive" and are_many(round_.world, service) and _may_return(round_.world, instance):
        # Closed, it would be stopped when its host is back, in order to start there anew.
        return replace(waits, order=stored_order(round_.world, instance.holder, instance))
    why = f"{found.why}; not granted again: {chosen.why}"
    return replace(waits, actions=(WriteInstance(instance, _closed(instance, found), why),))


def _may_return(world: World, instance: HAInstance) -> bool:
    """Whether its host is merely silent: nobody else has its Lease."""
    grant, seen = instance.spec.grant, world.leases.get(instance.holder)
    return grant is not None and seen is not None and not seen.lease.sealed and seen.lease.holder == grant.session.text


def _choose(round_: Round, service: HAService, instance: HAInstance, acceptance: Acceptance) -> Next | Nowhere:
    """The session that the next epoch goes to. Whoever held the last one is now a host like any other."""
    world, free = round_.world, held_by_nobody(instance)
    if isinstance(acceptance, Refused):
        return Nowhere(acceptance.message)
    if service.spec.state != "Running":
        return Nowhere(f"spec.state is {service.spec.state}")
    if instance.spec.epoch == 0 and (other := round_.placing.get(service.uid)):
        return Nowhere(f"{other} is placed first")
    placed = _placed(round_, service, instance)
    if instance.spec.epoch == 0 and isinstance(placed, Placed) and not its_host(service, instance):
        round_.placing[service.uid] = instance.metadata.name
    obstacle = _why_not_run(world, service, free)
    if obstacle or isinstance(placed, NoHost):
        return Nowhere(obstacle or "", placed)
    if obstacle := moves.cannot_take(world, service, free, placed.host):
        return Nowhere(obstacle, placed)
    session = sessions.live(world, placed.host)
    assert session is not None, f"{instance.key}: {placed.host} can take it, and has no live session"
    round_.send(instance, placed.host)
    grant = Grant(host=placed.host, session=session.ref, machine_uuid=session.machine_uuid)
    records = record(world, service, instance, instance.spec.epoch + 1, placed.host)
    return Next(grant, placed, needs_to_run(world, service, instance, placed.host), tuple(records))


def _why_not_run(world: World, service: HAService, instance: HAInstance) -> str | None:
    if not_ours := not_yet_ours(world, service, instance):
        return not_ours
    if instance.spec.epoch == 0:
        return first_epoch.blocked(world, service, instance)
    return first_epoch.ahead(world, instance)


def _placed(round_: Round, service: HAService, instance: HAInstance) -> Placed | NoHost:
    world, free = round_.world, held_by_nobody(instance)
    wish = moves.wished_host(service, instance)
    if wish is not None:
        placed = place(world, service, free, to=wish, planned=round_.planned)
        if isinstance(placed, Placed):
            return placed
    stopped = stored_order(world, instance.holder, instance)
    announced = stopped.to if stopped is not None else ""
    room = round_.rooms.get(instance.uid, "")
    return choose_or_retry(Question(world, service, free, planned=round_.planned, announced=announced, room=room))


# --- somebody holds it -----------------------------------------------------------------------------------------------


def _hold(round_: Round, service: HAService, instance: HAInstance, acceptance: Acceptance, proof: str) -> Course:
    """The epoch is not over: say what its holder shall do, and what is missing where that holder is lost or stuck."""
    world, grant = round_.world, instance.spec.grant
    assert grant is not None, f"{instance.key}: nobody holds it"
    stored = stored_order(world, grant.host, instance)
    missing = _proof_missing(round_, instance, grant, proof)
    if stored is not None and stored.want == "Down":
        return Course(order=stored, missing=missing, to=_still_to(round_, service, instance, acceptance, stored))
    if hands_off := untouched(world, grant.host):
        return Course(order=stored, missing=missing or hands_off)
    if isinstance(acceptance, Refused):
        # What was granted and never ordered waits for a manifest that can be carried out.
        return Course(order=stored, missing=missing)
    return _run_or_stop(round_, service, instance, stored, missing)


def _still_to(
    round_: Round, service: HAService, instance: HAInstance, acceptance: Acceptance, stored: InstanceOrder
) -> str:
    """The host that it was stopped for, while that will do."""
    if not stored.to or isinstance(acceptance, Refused) or service.spec.state != "Running":
        return ""
    placed = place(round_.world, service, held_by_nobody(instance), to=stored.to, planned=round_.planned)
    return stored.to if isinstance(placed, Placed) else ""


def _proof_missing(round_: Round, instance: HAInstance, grant: Grant, proof: str) -> str:
    """What is missing to run it elsewhere, where it should: its holder is lost, or could not stop it."""
    world = round_.world
    session, report = sessions.live(world, grant.host), sessions.report_of(world, grant.host, instance)
    is_stuck = report is not None and report.phase == "Stuck"
    is_here = (session is not None and session.ref == grant.session) or _is_merely_late(world, grant)
    if is_here and not is_stuck:
        return ""
    return joined(proof, about_stop(round_.guard, instance), guards_refusal(world, round_.guard, grant.host))


def _is_merely_late(world: World, grant: Grant) -> bool:
    """It will be one or the other in a moment, or our own path is in trouble: nobody is told of that, let alone asked for proof."""
    seen = world.leases.get(grant.host)
    holds = seen is not None and seen.lease.holder == grant.session.text
    return holds and of_host(world, grant.host) in (Liveness.SUSPECT, Liveness.UNSURE)


def _run_or_stop(
    round_: Round, service: HAService, instance: HAInstance, stored: InstanceOrder | None, missing: str
) -> Course:
    world = round_.world
    assert instance.spec.grant is not None, f"{instance.key}: nobody holds it"
    if service.spec.state == "Stopped":
        why = f"spec.state is {service.spec.state}"
        return Course(order=order(world, service, instance, "Down", why), missing=missing)
    if why := _not_beside(world, service, instance, stored):
        # It was never ordered, so nothing is stopped by this; what runs there is the other's.
        return Course(order=order(world, None, instance, "Down", why), missing=joined(missing, why))
    if why := _leaves_for_nowhere(world, service, instance):
        return Course(order=order(world, service, instance, "Down", why), missing=joined(missing, why))
    found = moves.consider(round_, service, instance)
    if isinstance(found, moves.Move):
        down = order(world, service, instance, "Down", found.why, to=found.host)
        return Course(order=down, missing=missing, to=found.host, placed=found.placed)
    is_news, host = stored is None or stored.revision != service.metadata.generation, instance.spec.grant.host
    if is_news and (goes_first := rolling.waits(round_, service, instance, stored)):
        return Course(order=stored, missing=missing, waits=goes_first)
    if is_news and (waits := _edit_waits(world, service, instance, host)):
        return Course(order=stored, missing=missing or waits)
    if is_news and (records := record(world, service, instance, instance.spec.epoch, host)):
        return Course(tuple(records), order=stored, missing=missing)
    up = order(world, service, instance, "Up", "it is granted here")
    look_again_s = found.nowhere.look_again_s if found.nowhere else None
    return Course(
        order=up,
        missing=missing or found.why or _goes_on_managing(world, host, instance, stored),
        look_again_s=look_again_s,
        placed=found.nowhere,
    )


def _edit_waits(world: World, service: HAService, instance: HAInstance, host: str) -> str | None:
    """Why its holder is not told of an edit yet."""
    # It is ordered when all that it names is ours, as a grant is: two services may want one address at once.
    if waits := not_yet_ours(world, service, None, host):
        return waits
    if edits.news(world, service, instance):
        return first_epoch.edit_blocked(world, service, instance, host)
    return None


def _not_beside(world: World, service: HAService, instance: HAInstance, stored: InstanceOrder | None) -> str:
    """Two copies were granted to one host, by two operators at once, and the claims there are the other's."""
    if stored is not None or not are_many(world, service):
        return ""
    other = recorded_for_another(world, service, instance, instance.holder)
    return f"{instance.holder} has another copy of it, {other}" if other else ""


def _leaves_for_nowhere(world: World, service: HAService, instance: HAInstance) -> str:
    """A copy of mode EveryHost whose host is to be left has nowhere else to go, and is stopped all the same."""
    if not its_host(service, instance) or service.spec.state == "Unmanaged" or world.cannot_read(Host, instance.holder):
        return ""
    leave = must_leave(world, service, instance)
    return f"{instance.holder} {leave.why}; its copy comes back when that is over" if leave else ""


def _goes_on_managing(world: World, host: str, instance: HAInstance, stored: InstanceOrder | None) -> str:
    """An agent that was told to touch nothing, and does not say that it knows."""
    report = world.assignments[host].status.instances.get(instance.uid) if stored and stored.is_unmanaged else None
    if report is None or report.hands_off:
        return ""
    return f"{host} has not said that it touches nothing of it: an agent of an earlier release goes on as always; upgrade it"


# --- what is written -------------------------------------------------------------------------------------------------


def _granted(instance: HAInstance, grant: Grant, found: Evidence | None) -> HAInstanceSpec:
    assert is_ours(instance, INSTANCE_FINALIZER), f"{instance.key}: no grant without our finalizer"
    before = _closed(instance, found) if found is not None else instance.spec
    assert before.grant is None, (
        f"{instance.key}: epoch {before.epoch} is open, and there is no evidence that it is over"
    )
    is_closed = before.closed is not None and before.closed.epoch == before.epoch
    assert is_closed or before.epoch == 0, f"{instance.key}: no evidence closed epoch {before.epoch}"
    spec = HAInstanceSpec(
        service=before.service,
        exclusive=before.exclusive,
        epoch=before.epoch + 1,
        grant=grant,
        closed=before.closed,
        conditional=before.conditional,
    )
    assert spec.epoch == before.epoch + 1, f"{instance.key}: epochs grow by one"
    return spec


def _closed(instance: HAInstance, found: Evidence) -> HAInstanceSpec:
    before = instance.spec
    return HAInstanceSpec(
        service=before.service,
        exclusive=before.exclusive,
        epoch=before.epoch,
        closed=Closed(epoch=before.epoch, evidence=found.kind, why=found.why),
        conditional=before.conditional,
    )
