"""The record of failovers in a service's status: what happened when, by which proof, and why it went where it went.

Each round adds what it sees for the first time to what the status says already, so a record outlives the operator that began it.
Times are the operator's own: those of silence are counted back from now, by its own clock. Where nothing is wrong nothing is written,
and what proves to be a false alarm leaves no record.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, Literal

from backstay_api.objects.durations import shifted
from backstay_api.objects.models import HAInstance
from backstay_api.objects.models.assignment import InstanceReport
from backstay_api.objects.models.failovers import FailoverRecord, FailoverStep, HostVerdict
from backstay_api.objects.models.instance import Grant
from backstay_api.objects.models.service import FailoverSummary, InstanceSummary
from backstay_api.objects.promise import suspect_after_s
from backstay_operator.planner.do.decisions import Decision, Slot
from backstay_operator.planner.judge.evidence import Evidence, closed, was_lost
from backstay_operator.planner.judge.host_facts import facts_of
from backstay_operator.planner.judge.placement import Placed
from backstay_operator.planner.know import sessions
from backstay_operator.planner.know.liveness import Liveness, of_host, sealed_since_s, shutting_down
from backstay_operator.planner.know.world import World
from backstay_operator.planner.words import elapsed_s, first_words

MOST_RECORDS: Final = 10
MOST_VERDICTS: Final = 8
_MOST_CHARS: Final = 240

_Cause = Literal["HostLost", "Failed", "Shutdown", "Asked", "Unknown"]
_Phase = Literal["Fault", "Asked", "Suspected", "Sealed", "Proven", "Granted", "Started", "Answered", "GivenUp"]

_News = tuple[_Phase, str, float]
"""What is new, why, and how long ago it was, in seconds."""


def failovers_told(world: World, decision: Decision) -> list[FailoverRecord]:
    """All records of a service, newest first. Those that go on come before others, so that no round takes away what the last has begun."""
    known = decision.service.status.failovers
    if decision.is_leaving:
        return known
    slots = {slot.name: slot for slot in decision.slots}
    going_on = [_followed(world, slots[one.slot], one) for one in known if not one.is_over and one.slot in slots]
    over = [one for one in known if one.is_over or one.slot not in slots]
    begun = [one for slot in decision.slots if (one := _begun(world, decision, slot))]
    there = [*filter(None, going_on), *begun, *over][:MOST_RECORDS]
    return sorted(there, key=lambda one: one.steps[0].at, reverse=True)


def why_lost(world: World, instance: HAInstance) -> str:
    """Why the holder's session is taken for gone; empty: it is not. Being late is not enough: that alone changes no status."""
    grant = instance.spec.grant
    assert grant is not None, f"{instance.key} is granted to nobody"
    latest = sessions.published(world, grant.host)
    if latest is not None and latest.seq > grant.session.seq:
        return f"{grant.host} has begun a new session since it was started there"
    if grant.host not in world.hosts:
        return f"{grant.host} has no Host object any more"
    rejected = facts_of(world, grant.host).lost
    return f"{grant.host} {rejected.why}" if rejected else ""


# --- how it begins ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Trouble:
    cause: _Cause
    why: str
    ago_s: float = 0.0


def _begun(world: World, decision: Decision, slot: Slot) -> FailoverRecord | None:
    """A record of the present epoch, or of the one before, where there is none and something has happened to it."""
    instance, before = slot.instance, decision.service.status.of(slot.name)
    if instance is None or not _shall_run(slot):
        return None
    grant, epoch = instance.spec.grant, instance.spec.epoch
    is_new = before.host and before.epoch and before.epoch < epoch + (grant is None)
    ended = before.epoch if is_new else epoch
    if any((one.slot, one.epoch) == (slot.name, ended) for one in decision.service.status.failovers):
        return None
    trouble = _unseen(instance) if is_new else _trouble(world, slot, instance)
    if trouble is None:
        return None
    phase: _Phase = "Asked" if trouble.cause == "Asked" else "Fault"
    first = FailoverStep(phase=phase, at=_ago(world, trouble.ago_s), why=first_words(trouble.why, _MOST_CHARS))
    host = before.host if is_new or grant is None else grant.host
    return _followed(
        world, slot, FailoverRecord(slot=slot.name, epoch=ended, from_=host, cause=trouble.cause, steps=[first])
    )


def _unseen(instance: HAInstance) -> _Trouble:
    """It has gone on before anybody saw what was wrong: only the proof tells."""
    ended = instance.spec.closed
    if ended is None or not ended.why:
        return _Trouble("Unknown", "no operator saw it")
    return _Trouble("HostLost" if was_lost(ended) else "Asked", ended.why)


def _trouble(world: World, slot: Slot, instance: HAInstance) -> _Trouble | None:
    grant, order = instance.spec.grant, slot.course.order
    if grant is None:
        return None
    if lost := why_lost(world, instance):
        return _Trouble("HostLost", lost, _silent_s(world, grant))
    report = sessions.report_of(world, grant.host, instance)
    if report is not None and report.phase in ("Failed", "Stuck"):
        return _Trouble("Failed", report.why or f"{grant.host} gives no reason")
    down = shutting_down(world, grant.host)
    if down and report is not None and report.phase in ("Stopping", "Stopped"):
        return _Trouble("Shutdown", f"{grant.host} is shutting down: {down}")
    return _Trouble("Asked", order.why) if order is not None and order.want == "Down" else None


def _silent_s(world: World, grant: Grant) -> float:
    """How long ago its session was last seen to renew, in seconds; 0 where another session has the Lease."""
    seen = world.leases.get(grant.host)
    if seen is None or seen.lease.holder != grant.session.text:
        return 0.0
    return world.now_s - (seen.moved_s if seen.moved_s is not None else seen.first_seen_s)


def _shall_run(slot: Slot) -> bool:
    return slot.in_force.spec.state == "Running" and slot.in_force.metadata.deletion_timestamp is None


# --- how it goes on --------------------------------------------------------------------------------------------------


def _followed(world: World, slot: Slot, record: FailoverRecord) -> FailoverRecord | None:
    """The record with what is new. None: it was a false alarm."""
    instance = slot.instance
    if instance is None or not _shall_run(slot):
        return _with(record, world, [("GivenUp", "it shall not run any more", 0.0)])
    spec = instance.spec
    if spec.epoch == record.epoch and spec.grant is not None:
        return _in_trouble(world, slot, instance, record)
    if spec.epoch > record.epoch + 1:
        return _with(record, world, [("GivenUp", "it was lost again before it answered", 0.0)])
    return _granted(world, instance, record)


def _in_trouble(world: World, slot: Slot, instance: HAInstance, record: FailoverRecord) -> FailoverRecord | None:
    """The epoch is not over, or only just."""
    grant = instance.spec.grant
    assert grant is not None, f"{instance.key} is granted to nobody"
    found = closed(world, instance)
    if not isinstance(found, Evidence) and _trouble(world, slot, instance) is None:
        return None
    proven: list[_News] = [("Proven", found.why, 0.0)] if isinstance(found, Evidence) else []
    record = _with(record, world, [*_silence(world, grant), *proven])
    if isinstance(found, Evidence) and not record.evidence:
        record = record.model_copy(update={"evidence": found.kind})
    placed = slot.course.placed
    if not isinstance(placed, Placed):
        return record
    chosen = {"reason": first_words(placed.why, _MOST_CHARS), "verdicts": _verdicts(placed)}
    return record.model_copy(update=chosen)


def _silence(world: World, grant: Grant) -> Iterator[_News]:
    seen, state = world.leases.get(grant.host), of_host(world, grant.host)
    if seen is None or seen.lease.holder != grant.session.text:
        return
    if state.is_late or state is Liveness.SEALED:
        late_s = max(0.0, world.now_s - seen.first_seen_s - suspect_after_s(seen.lease.contract))
        yield "Suspected", f"{grant.host} is late with its heartbeat", late_s
    if state is Liveness.SEALED:
        yield "Sealed", f"no renewal of {grant.host} can succeed any more", world.now_s - sealed_since_s(seen)


def _granted(world: World, instance: HAInstance, record: FailoverRecord) -> FailoverRecord:
    """The epoch is over; another one may have begun."""
    ended, grant = instance.spec.closed, instance.spec.grant
    if ended is not None and ended.epoch == record.epoch:
        record = _with(record, world, [("Proven", ended.why, 0.0)])
        record = record if record.evidence else record.model_copy(update={"evidence": ended.evidence})
    if grant is None:
        return record
    record = _with(record, world, [("Granted", record.reason or f"to {grant.host}", 0.0)])
    record = record if record.to else record.model_copy(update={"to": grant.host})
    return _with(record, world, _running(grant, sessions.report_of(world, grant.host, instance)))


def _running(grant: Grant, report: InstanceReport | None) -> Iterator[_News]:
    if report is None or report.phase != "Running":
        return
    yield "Started", f"all of it is up on {grant.host}", 0.0
    if report.healthy:
        yield "Answered", "it runs, and no probe fails", 0.0


def _with(record: FailoverRecord, world: World, news: Iterable[_News]) -> FailoverRecord:
    """The record with those steps that it lacks. None is earlier than the one before it."""
    steps = list(record.steps)
    for phase, why, ago_s in news:
        if record.step(phase) is None:
            at = _ago(world, ago_s)
            last = steps[-1].at if steps else at
            at = last if (elapsed_s(last, at) or 0.0) < 0 else at
            steps.append(FailoverStep(phase=phase, at=at, why=first_words(why, _MOST_CHARS)))
    return record if len(steps) == len(record.steps) else record.model_copy(update={"steps": steps})


def _verdicts(placed: Placed) -> list[HostVerdict]:
    told = placed.verdicts[:MOST_VERDICTS]
    return [
        HostVerdict(
            host=one.host,
            verdict="No" if one.rejected else "Chosen" if one.host == placed.host else "Possible",
            rule=one.rejected.rule if one.rejected else "",
            why=first_words(placed.why if one.host == placed.host else one.why),
        )
        for one in told
    ]


def _ago(world: World, seconds: float) -> str:
    return shifted(world.instant or world.wall, -seconds)


# --- the last one, in the summary of an instance ---------------------------------------------------------------------


def last_failover(
    before: InstanceSummary, instance: HAInstance | None, *, state: str, holder: str, shall_run: bool, wall: str
) -> FailoverSummary | None:
    """Noted when the holder changes, completed when it runs again. `before`: as it was told last; the rest is as it is now."""
    begun = _noted(before, instance, holder, wall) if shall_run else None
    last = begun or before.last_failover
    if last is None or last.duration:
        return last
    if not last.to and holder:
        last = last.model_copy(update={"to": holder})
    if state == "Running" and last.to == holder:
        took_s = elapsed_s(last.at, wall)
        return last.model_copy(update={"duration": f"{took_s:.1f}s" if took_s is not None else "unknown"})
    return last


def _noted(before: InstanceSummary, instance: HAInstance | None, holder: str, wall: str) -> FailoverSummary | None:
    if not before.host or before.host == holder or instance is None:
        return None
    is_since_then = before.since and before.state in ("Recovering", "Stopping", "Failed")
    # A planned move has its reason in the order to stop; of anything else the evidence knows more.
    why_closed = instance.spec.closed if before.state != "Stopping" else None
    return FailoverSummary(
        from_=before.host,
        to=holder,
        cause=first_words(why_closed.why if why_closed and why_closed.why else before.why),
        at=before.since if before.since and is_since_then else wall,
    )
