"""The next epoch of what nobody holds, or not for much longer: who gets it, or why nobody does (PROTOCOL 6).

One compare-and-swap writes the evidence for an epoch and the grant of the next together. Only `_granted` and `closed_spec`
make a spec that is written, and their assertions stay on: no grant without evidence, and epochs grow by one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from backstay_api.objects.models import HAInstance, HAService
from backstay_api.objects.models.instance import Closed, Grant, HAInstanceSpec, Required
from backstay_operator.planner.actions import WriteInstance
from backstay_operator.planner.judge import first_epoch
from backstay_operator.planner.judge.acceptance import Acceptance, Refused
from backstay_operator.planner.judge.copies import are_many, its_host
from backstay_operator.planner.judge.dependencies import required
from backstay_operator.planner.judge.evidence import Evidence
from backstay_operator.planner.judge.placement import (
    NoHost,
    Placed,
    better_to_come,
    choose_or_retry,
    place,
    standbys,
    still_to_answer,
)
from backstay_operator.planner.judge.promotion import is_scored, older_words, other_part_has
from backstay_operator.planner.judge.questions import Question, held_by_nobody
from backstay_operator.planner.judge.remains import stored_order
from backstay_operator.planner.judge.waiting import ENDED, answers_until_s
from backstay_operator.planner.know import sessions
from backstay_operator.planner.know.world import World
from backstay_operator.planner.words import joined, listed

from . import dependencies, moves, shedding
from .course import Course, Next, Nowhere
from .finalizers import INSTANCE_FINALIZER, is_ours
from .ownership import needs_to_run, not_yet_ours, record
from .recorded import grants
from .rounds import Round


def grant_next(
    round_: Round, service: HAService, instance: HAInstance, acceptance: Acceptance, found: Evidence | None
) -> Course:
    """Grant the next epoch; where the present one is open, with the evidence that it is over, or write that alone."""
    chosen = _choose(round_, service, instance, acceptance)
    if isinstance(chosen, Next):
        why = f"{found.why}; next {chosen.why}" if found else chosen.why
        started_with = required(round_.world, service)
        spec = _granted(instance, chosen.grant, found, started_with)
        spec = spec.model_copy(update={"grants": grants(instance.spec, chosen.placed, why, round_.world.wall)})
        write = WriteInstance(instance, spec, why, chosen.needs)
        return Course((write, *chosen.records), to=chosen.grant.host, placed=chosen.placed)
    waits = Course(
        missing=chosen.missing,
        look_again_s=chosen.look_again_s,
        placed=chosen.placed,
        shed=chosen.shed,
        goes_by_load=chosen.goes_by_load,
    )
    if found is None:
        return waits
    stored = stored_order(round_.world, instance.holder, instance)
    if found.kind == "Released" and stored and stored.to and instance.uid in round_.delayed:
        return replace(waits, order=stored, to=stored.to)  # its place is kept, until what it depends on is there again
    if found.kind == "NotExclusive" and are_many(round_.world, service) and _may_return(round_.world, instance):
        # Closed, it would be stopped when its host is back, in order to start there anew.
        return replace(waits, order=stored)
    why = f"{found.why}; not granted again: {chosen.why}"
    return replace(waits, actions=(WriteInstance(instance, closed_spec(instance, found), why),), is_over=True)


def _may_return(world: World, instance: HAInstance) -> bool:
    """Whether its host is merely silent: nobody else has its Lease."""
    grant, seen = instance.spec.grant, world.leases.get(instance.holder)
    return grant is not None and seen is not None and not seen.lease.sealed and seen.lease.holder == grant.session.text


def _choose(round_: Round, service: HAService, instance: HAInstance, acceptance: Acceptance) -> Next | Nowhere:
    """The session that the next epoch goes to. Whoever held the last one is now a host like any other."""
    world, free = round_.world, held_by_nobody(instance)
    if why := _why_not_placed(round_, service, instance, acceptance):
        return Nowhere(why)
    placed = _placed(round_, service, instance)
    if instance.spec.epoch == 0 and isinstance(placed, Placed) and not its_host(service, instance):
        round_.placing[service.uid] = instance.metadata.name
    obstacle = _why_not_run(world, service, free) or _copies_to_come(round_, service, instance)
    if obstacle:
        return Nowhere(obstacle, placed)
    if isinstance(placed, NoHost):
        _note_to_come(round_, service, instance)
        makes_room = shedding.make_room(round_, service, instance)
        return Nowhere(makes_room, placed, "" if makes_room else shedding.gives_way(round_, service, free))
    if waits := _waits_for_better(round_, service, instance, placed):
        return Nowhere("", waits)
    if too_much := moves.cannot_take(world, service, free, placed.host):
        return Nowhere(too_much, placed, goes_by_load=True)
    session = sessions.live(world, placed.host)
    assert session is not None, f"{instance.key}: {placed.host} can take it, and has no live session"
    round_.send(instance, placed.host)
    grant = Grant(host=placed.host, session=session.ref, machine_uuid=session.machine_uuid)
    placed = replace(placed, why=joined(placed.why, older_words(Question(world, service, free))))
    records = record(world, service, instance, instance.spec.epoch + 1, placed.host)
    needs = needs_to_run(world, service, instance, placed.host)
    asked = first_epoch.passed_over(world, service, instance) if instance.spec.epoch == 0 else ()
    return Next(grant, placed, (*needs, *asked), tuple(records))


def _why_not_placed(round_: Round, service: HAService, instance: HAInstance, acceptance: Acceptance) -> str:
    """Why no host is looked for, whichever there are."""
    if isinstance(acceptance, Refused):
        return acceptance.message
    if service.spec.state != "Running":
        return f"spec.state is {service.spec.state}"
    if wait := dependencies.start_waits(round_, service):
        if wait.is_passing:
            round_.delayed.add(instance.uid)
        return wait.why
    other = round_.placing.get(service.uid) if instance.spec.epoch == 0 else None
    return f"{other} is placed first" if other else ""


def _why_not_run(world: World, service: HAService, instance: HAInstance) -> str | None:
    if waits := not_yet_ours(world, service, instance) or other_part_has(world, service, instance):
        return waits
    if instance.spec.epoch == 0:
        return first_epoch.blocked(world, service, instance)
    return first_epoch.ahead(world, instance)


def _note_to_come(round_: Round, service: HAService, instance: HAInstance) -> None:
    """Whose answer a copy that has never run waits for: the promoted role, which is decided about last, waits for it too."""
    if instance.spec.epoch == 0 and are_many(round_.world, service):
        ask = Question(round_.world, service, instance, planned=round_.planned)
        if hosts := still_to_answer(ask, standbys(round_.world, service, instance), or_late=True):
            round_.answering[service.uid] = hosts


def _copies_to_come(round_: Round, service: HAService, instance: HAInstance) -> str:
    """Before the first promotion nobody knows who has data: the host with the freshest may be one that has yet to say what it can do."""
    ask, hosts = Question(round_.world, service, instance), round_.answering.get(service.uid)
    if not hosts or instance.spec.epoch or not is_scored(ask):
        return ""
    return f"waiting for {listed(hosts)} to say whether a copy can start there: its data may be the freshest"


def _placed(round_: Round, service: HAService, instance: HAInstance) -> Placed | NoHost:
    world, free = round_.world, held_by_nobody(instance)
    wish = moves.wished_host(service, instance)
    if wish is not None:
        placed = place(world, service, free, to=wish, planned=round_.planned)
        if isinstance(placed, Placed):
            return placed
    stopped = stored_order(world, instance.holder, instance)
    announced = stopped.to if stopped is not None else ""
    ask = Question(world, service, free, planned=round_.planned, announced=announced)
    again = dependencies.starts_again_on(world, service, instance, stopped)
    placed = choose_or_retry(replace(ask, room=round_.rooms.by_uid.get(instance.uid), ran_on=again))
    if isinstance(placed, NoHost) and instance.uid in round_.rooms.ended:
        return replace(placed, why=joined(placed.why, ENDED))
    return placed


def _waits_for_better(round_: Round, service: HAService, instance: HAInstance, placed: Placed) -> NoHost | None:
    """A person's wish, the host that was announced and the one that leaves room for others are waited for no better than."""
    world, stopped = round_.world, stored_order(round_.world, instance.holder, instance)
    room = round_.rooms.by_uid.get(instance.uid)
    if placed.host in (moves.wished_host(service, instance), stopped.to if stopped else None, room and room.host):
        return None
    ask = Question(world, service, held_by_nobody(instance), planned=round_.planned)
    if room and still_to_answer(ask, [room.host]):
        why = f"{placed.host} could run it; waiting for {room.host}, where it {room.why}, to say whether it is ready"
        return NoHost(why, placed.verdicts, answers_until_s(ask))
    return better_to_come(ask, placed, standbys(world, service, instance))


# --- what is written -------------------------------------------------------------------------------------------------


def _granted(
    instance: HAInstance, grant: Grant, found: Evidence | None, required: Sequence[Required]
) -> HAInstanceSpec:
    assert is_ours(instance, INSTANCE_FINALIZER), f"{instance.key}: no grant without our finalizer"
    before = closed_spec(instance, found) if found is not None else instance.spec
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
        required=list(required) or None,
        conditional=before.conditional,
    )
    assert spec.epoch == before.epoch + 1, f"{instance.key}: epochs grow by one"
    return spec


def closed_spec(instance: HAInstance, found: Evidence) -> HAInstanceSpec:
    """That its present epoch is over, and nobody holds it."""
    before = instance.spec
    return HAInstanceSpec(
        service=before.service,
        exclusive=before.exclusive,
        epoch=before.epoch,
        closed=Closed(epoch=before.epoch, evidence=found.kind, why=found.why),
        grants=before.grants,
        conditional=before.conditional,
    )
