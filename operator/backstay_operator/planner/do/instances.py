"""The life of an instance: created, granted, stopped, closed, granted again, deleted (PROTOCOL 6).

Here is what becomes of what somebody holds; what nobody holds is granted, or waits, in `granting.py`.
"""

from __future__ import annotations

from backstay_api.objects.models import HAInstance, HAService, Host
from backstay_api.objects.models.assignment import InstanceOrder
from backstay_api.objects.models.instance import Grant, HAInstanceSpec, ServiceRef
from backstay_operator.planner.actions import CreateInstance, DeleteInstance, WriteInstance
from backstay_operator.planner.judge import edits, first_epoch
from backstay_operator.planner.judge.acceptance import Acceptance, Accepted, Refused, is_to_stop
from backstay_operator.planner.judge.copies import are_many, its_host, recorded_for_another
from backstay_operator.planner.judge.evidence import Evidence, closed
from backstay_operator.planner.judge.placement import Placed, must_leave, place
from backstay_operator.planner.judge.promotion import other_part_has, stops_for_its_copies
from backstay_operator.planner.judge.questions import held_by_nobody
from backstay_operator.planner.judge.remains import stored_order
from backstay_operator.planner.know import sessions
from backstay_operator.planner.know.liveness import Liveness, of_host, untouched
from backstay_operator.planner.know.world import World
from backstay_operator.planner.preconditions import Precondition
from backstay_operator.planner.words import joined

from . import dependencies, moves, rolling
from .course import Course
from .fence_guard import about_stop, guards_refusal
from .granting import closed_spec, grant_next
from .orders import order
from .ownership import not_yet_ours, record
from .rounds import Round, Shed, Stop


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
        return leave(round_, service, instance, "its HAInstance is being deleted")
    if instance.spec.grant is None:
        return grant_next(round_, service, instance, acceptance, None)
    found = closed(round_.world, instance)
    if isinstance(found, Evidence):
        return grant_next(round_, service, instance, acceptance, found)
    return _hold(round_, service, instance, acceptance, found.why)


def leave(
    round_: Round, service: HAService | None, instance: HAInstance, why: str, needs: tuple[Precondition, ...] = ()
) -> Course:
    """What is to be done about an instance that shall not be any more: stop it, prove it, delete it.

    `needs`: what the API server must say of its service before anything is done about it. Without a service nothing depends on it.
    """
    world = round_.world
    if instance.spec.grant is None:
        return Course((DeleteInstance(instance, f"{why}, and nothing of it runs", needs),))
    found = closed(world, instance)
    if isinstance(found, Evidence):
        return Course(
            (WriteInstance(instance, closed_spec(instance, found), f"{why}; {found.why}", needs),), is_over=True
        )
    stored = stored_order(world, instance.spec.grant.host, instance)
    hands_off = untouched(world, instance.spec.grant.host)
    if hands_off and (stored is None or stored.want == "Up"):
        return Course(order=stored, missing=f"{why}, but {hands_off}")
    if service is not None and (waits := _stop_waits(round_, service, instance, stored, Stop(why, False))):
        return waits
    return Course(order=order(world, None, instance, "Down", why), missing=f"{why}; {found.why}", needs=needs)


# --- somebody holds it -----------------------------------------------------------------------------------------------


def _hold(round_: Round, service: HAService, instance: HAInstance, acceptance: Acceptance, proof: str) -> Course:
    """The epoch is not over: say what its holder shall do, and what is missing where that holder is lost or stuck."""
    world, grant = round_.world, instance.spec.grant
    assert grant is not None, f"{instance.key}: nobody holds it"
    stored = stored_order(world, grant.host, instance)
    missing = _proof_missing(round_, instance, grant, proof)
    if stored is not None and stored.want == "Down":
        to, shed = _still_to(round_, service, instance, acceptance, stored), round_.sheds.get(instance.uid)
        return Course(order=stored, missing=missing, to=to, shed=shed.why if shed and not to else "")
    if hands_off := untouched(world, grant.host):
        return Course(order=stored, missing=missing or hands_off)
    stop = dependencies.stops_with(round_, service, instance)
    if stop and not (stop.is_move and isinstance(acceptance, Refused)):  # it could not be started again
        return _stop_with(round_, service, instance, acceptance, stop)
    if is_to_stop(service, acceptance):
        return _stop(round_, service, instance, acceptance, missing)
    if isinstance(acceptance, Refused):
        # What was granted and never ordered waits for a manifest that can be carried out.
        return Course(order=stored, missing=missing)
    return _run_or_stop(round_, service, instance, stored, missing)


def _stop_waits(
    round_: Round, service: HAService, instance: HAInstance, stored: InstanceOrder | None, stop: Stop
) -> Course | None:
    """It goes on as it was ordered until what depends on it has stopped; nothing: it may stop now."""
    if stored is None or stored.want == "Down":
        return None
    why = dependencies.stop_waits(round_, service, instance, stop)
    return Course(order=stored, missing=why) if why else None


def _stop_with(round_: Round, service: HAService, instance: HAInstance, acceptance: Acceptance, stop: Stop) -> Course:
    """Stop it for a service that it requires; where that goes on, its own place is kept."""
    world, stored = round_.world, stored_order(round_.world, instance.holder, instance)
    if waits := _stop_waits(round_, service, instance, stored, stop):
        return waits
    to = ""
    if stop.is_move and isinstance(acceptance, Accepted) and service.spec.state == "Running":
        found = moves.consider(round_, service, instance)
        is_to_stay = isinstance(found, moves.Stay) and not must_leave(world, service, instance)
        to = found.host if isinstance(found, moves.Move) else instance.holder if is_to_stay else ""
    if to:
        round_.send(instance, to)
    return Course(order=order(world, None, instance, "Down", stop.why, to), to=to)


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
    if why := _not_beside(world, service, instance, stored):
        # It was never ordered, so nothing is stopped by this; what runs there is the other's.
        return Course(order=order(world, None, instance, "Down", why), missing=joined(missing, why))
    if why := _leaves_for_nowhere(world, service, instance):
        waits = _stop_waits(round_, service, instance, stored, Stop(why, False))
        return waits or Course(order=order(world, service, instance, "Down", why), missing=joined(missing, why))
    if shed := round_.sheds.get(instance.uid):
        return _make_way(round_, service, instance, shed, missing)
    found = dependencies.checked(round_, service, instance, moves.consider(round_, service, instance))
    if isinstance(found, moves.Move):
        if held_up := _stop_waits(round_, service, instance, stored, Stop(found.why, True)):
            return held_up
        down = order(world, service, instance, "Down", found.why, to=found.host)
        return Course(order=down, missing=missing, to=found.host, placed=found.placed)
    is_news, host = stored is None or stored.revision != service.metadata.generation, instance.spec.grant.host
    if is_news and (goes_first := rolling.waits(round_, service, instance, stored)):
        return Course(order=stored, missing=missing, waits=goes_first)
    if is_news and (change := stops_for_its_copies(world, service, instance)):
        waits = _stop_waits(round_, service, instance, stored, Stop(change, True))
        return waits or Course(order=order(world, service, instance, "Down", change), missing=joined(missing, change))
    if is_news and (not_yet := _edit_waits(world, service, instance, host)):
        return Course(order=stored, missing=missing or not_yet)
    if is_news and (records := record(world, service, instance, instance.spec.epoch, host)):
        return Course(tuple(records), order=stored, missing=missing)
    noted = dependencies.noted(world, service, instance)
    needs = _edit_needs(world, service, instance, host) if is_news else ()
    up = order(world, service, instance, "Up", "it is granted here")
    look_again_s = found.nowhere.look_again_s if found.nowhere else None
    return Course(
        tuple(noted),
        order=up,
        missing=missing or found.why or _goes_on_managing(world, host, instance, stored),
        look_again_s=look_again_s,
        needs=needs,
        placed=found.nowhere,
    )


def _stop(round_: Round, service: HAService, instance: HAInstance, acceptance: Acceptance, missing: str) -> Course:
    """Stopped by its manifest. Of one that is refused nothing else is told to anybody."""
    world, why = round_.world, f"spec.state is {service.spec.state}"
    waits = _stop_waits(round_, service, instance, stored_order(world, instance.holder, instance), Stop(why, False))
    told = service if isinstance(acceptance, Accepted) else None
    return waits or Course(order=order(world, told, instance, "Down", why), missing=missing)


def _make_way(round_: Round, service: HAService, instance: HAInstance, shed: Shed, missing: str) -> Course:
    """Stopped for what is more important: it moves, if another host can take it now."""
    away = moves.towards_any(round_, service, instance, shed.why)
    to, why = (away.host, "") if isinstance(away, moves.Move) else ("", shed.why)
    down = order(round_.world, service, instance, "Down", shed.why, to=to)
    placed = away.placed if isinstance(away, moves.Move) else away.nowhere
    return Course(order=down, missing=missing, to=to, placed=placed, needs=shed.needs, shed=why)


def _edit_waits(world: World, service: HAService, instance: HAInstance, host: str) -> str | None:
    """Why its holder is not told of an edit yet."""
    # It is ordered when all that it names is ours, as a grant is: two services may want one address at once.
    if waits := not_yet_ours(world, service, None, host) or other_part_has(world, service, instance):
        return waits
    if edits.news(world, service, instance):
        return first_epoch.edit_blocked(world, service, instance, host)
    return None


def _edit_needs(world: World, service: HAService, instance: HAInstance, host: str) -> tuple[Precondition, ...]:
    """What must be so when the holder is told of an edit: nobody whose answer it did not wait for has one by then."""
    if not edits.news(world, service, instance):
        return ()
    return first_epoch.passed_over(world, service, instance, holder=host)


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
