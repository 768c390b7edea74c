"""The record of a service's failovers, for people: what happened when, how long each step took, and why it went where it went."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from backstay_api.objects.models import HAInstance, HAService
from backstay_api.objects.models.failovers import FailoverRecord
from backstay_api.objects.models.instance import GrantRecord, VerdictOnHosts
from backstay_operator.planner.words import elapsed_s

from .session import NO_SUCH_THING, Session, Stop
from .tables import table

_CLOCK: Final = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)(?::([0-5]\d))?")
_DAY: Final = timedelta(days=1)


def duration(start: str, end: str) -> str:
    """Seconds between two times, as a table shows them; "-" where one of them cannot be read."""
    seconds = elapsed_s(start, end)
    return "-" if seconds is None else f"{seconds:.3f}s" if seconds < 100 else f"{seconds:.0f}s"


def took(record: FailoverRecord) -> str:
    """From the fault to the first answer; "-" while it has not come so far."""
    answered = record.step("Answered")
    return duration(record.steps[0].at, answered.at) if answered else "-"


@dataclass(frozen=True)
class Happened:
    """What had happened last by some time: a failover or move, a grant, or both."""

    failover: FailoverRecord | None
    slot: str
    """Name of the HAInstance that was granted."""
    grant: GrantRecord | None


def record_at(service: HAService, instances: Sequence[HAInstance], at: str) -> Happened:
    """What had happened last by then; `at` empty: by now. Stop where nothing is recorded."""
    told = [one for one in service.status.failovers if one.steps]
    failover = next((one for one in told if _is_by(one.steps[0].at, at)), None)
    granted = list(_grants(instances))
    by_then = [one for one in granted if _is_by(one[1].at, at)]
    slot, grant = max(by_then, key=lambda one: (one[1].at, one[1].epoch, one[0]), default=("", None))
    if failover is None and grant is None:
        ends = [one.steps[0].at for one in told] + [one.at for _, one in granted]
        oldest = f"; the oldest record begins at {min(ends)}" if ends else ""
        when = f" at or before {at}" if at else ""
        raise Stop(f"nothing is recorded of a failover of {service.key}{when}{oldest}", NO_SUCH_THING)
    if failover is None or (grant is not None and _is_later(grant, failover)):
        return Happened(None, slot, grant)
    its = next((one for name, one in granted if (name, one.epoch) == (failover.slot, failover.epoch + 1)), None)
    return Happened(failover, failover.slot, its)


def _grants(instances: Sequence[HAInstance]) -> Iterator[tuple[str, GrantRecord]]:
    return ((instance.metadata.name, one) for instance in instances for one in instance.spec.grants or ())


def _is_by(when: str, at: str) -> bool:
    return not at or (elapsed_s(when, at) or 0.0) >= 0


def _is_later(grant: GrantRecord, failover: FailoverRecord) -> bool:
    """Than all of a failover that has come to its end: it is no part of that."""
    return failover.is_over and (elapsed_s(failover.steps[-1].at, grant.at) or 0.0) > 0


def time_of(text: str, now: str) -> str:
    """What somebody has typed as a time: RFC 3339, or 03:10, the last time that it was that in UTC.

    Raises ValueError with a sentence where it is neither.
    """
    clock = _CLOCK.fullmatch(text)
    try:
        present = datetime.fromisoformat(now)
        at = _on_that_day(present, clock) if clock else datetime.fromisoformat(text)
        if clock and at > present:
            at -= _DAY
        if at.tzinfo is None:
            raise ValueError(text)
        return f"{(at - (at.utcoffset() or timedelta())).replace(tzinfo=None).isoformat(timespec='seconds')}Z"
    except ValueError:
        raise ValueError(f"{text!r} is no time: write for example 2026-03-01T03:10:00Z, or 03:10 (UTC)") from None


def _on_that_day(day: datetime, clock: re.Match[str]) -> datetime:
    hour, minute, second = (int(part or 0) for part in clock.groups())
    return day.replace(hour=hour, minute=minute, second=second, microsecond=0)


def print_record(session: Session, service: HAService, happened: Happened) -> None:
    """One record: a sentence, its timeline with durations, and what was said of each host."""
    record, grant = happened.failover, happened.grant
    if record is None:
        assert grant is not None, f"{service.key}: neither a failover nor a grant to tell of"
        session.say(
            f"{service.key} ({happened.slot}): granted to {grant.host} at {grant.at}, epoch {grant.epoch}: {grant.why}"
        )
        _print_verdicts(session, grant)
        return
    goes = f"to {record.to}" if record.to else "and is nowhere yet"
    slot = f" ({record.slot})" if len(service.status.instances) > 1 else ""
    session.say(f"{service.key}{slot}: from {record.from_} {goes}: {record.cause}")
    session.out.print()
    table(session.out, ("STEP", "AT", "TOOK", "IN ALL", "WHY"), _timeline(record))
    if grant is not None and grant.verdicts:
        _print_verdicts(session, grant)
    elif record.verdicts:
        session.out.print()
        rows = [(one.host, one.verdict, one.rule or "-", one.why) for one in record.verdicts]
        table(session.out, ("HOST", "VERDICT", "RULE", "WHY"), rows)


def _print_verdicts(session: Session, grant: GrantRecord) -> None:
    rows = [(_hosts(one), one.verdict, one.rule or "-", one.why) for one in grant.verdicts]
    session.out.print()
    table(session.out, ("HOST", "VERDICT", "RULE", "WHY"), rows)


def _hosts(said: VerdictOnHosts) -> str:
    return ", ".join([*said.hosts, *([f"{said.more} more"] if said.more else [])])


def _timeline(record: FailoverRecord) -> Sequence[tuple[str, ...]]:
    steps = record.steps
    before = [steps[0], *steps]
    rows = []
    for one, last in zip(steps, before, strict=False):
        why = f"{record.evidence}: {one.why}" if one.phase == "Proven" and record.evidence else one.why
        rows.append((one.phase, one.at, duration(last.at, one.at), duration(steps[0].at, one.at), why))
    return rows


def print_all(session: Session, service: HAService) -> None:
    """One line for each record of a service, newest first; nothing where there is none."""
    told = [one for one in service.status.failovers if one.steps]
    if told:
        session.out.print()
        rows = [
            (one.steps[0].at, one.from_, one.to or "-", one.cause, one.evidence or "-", took(one), one.steps[0].why)
            for one in told
        ]
        table(session.out, ("FAILOVER", "FROM", "TO", "CAUSE", "EVIDENCE", "TOOK", "WHY"), rows)
