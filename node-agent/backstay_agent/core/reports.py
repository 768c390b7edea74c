"""What the status says of one instance: always of the epoch that the record is at, never of the one before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from backstay_api.objects.edits import Reloadable as Known
from backstay_api.objects.edits import same_work
from backstay_api.objects.plain import InstanceReport, Reloadable, ResourceReport, StandbyReport
from backstay_api.objects.recovery import ErrorType

from .checkpoint import Record
from .machine import Phase
from .patience import STOPS


@dataclass(frozen=True, slots=True)
class Restarts:
    """In place; times as people read them."""

    counted: int = 0
    """Against the limit, now."""
    forgotten_at: str | None = None
    """The oldest of these."""
    next_at: str | None = None
    """If it is down."""


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What a runner knows besides the record."""

    epoch: int
    """What the rest of this is about; the record may be ahead."""
    phase: Phase
    since: str
    why: str
    unrecorded: bool
    """Of its last failure: only the disk was in the way."""
    stops_failed: int = 0
    """So many stops in a row could not bring it down."""
    stop_note: str
    """What is to be said about its last stop: that it had to be killed."""
    gave_up: str
    error_type: ErrorType
    """Of what it was given up for."""
    by_admin: str
    hands_off: str
    is_well: bool
    restarts: Restarts
    sentence: str
    not_applied: str = ""
    """Why an edit that needs no restart has not reached what runs."""
    reloadable: Known = field(default_factory=dict)
    troubles: Mapping[str, str]
    tolerated: Mapping[str, str] = field(default_factory=dict)
    """What has failed and may."""
    unclear: Mapping[str, str] = field(default_factory=dict)
    """Of which nobody can tell whether they are up."""
    degraded: Mapping[str, str]
    suspect: Mapping[str, str]
    states: Mapping[str, str]
    """Of its resources, as their drivers call them."""


def report_of(record: Record, view: View) -> InstanceReport:
    """`released` comes from the checkpoint, which is on disk."""
    is_known, is_healthy = view.epoch == record.epoch, view.phase in (Phase.RUNNING, Phase.LEFT) and view.is_well
    return InstanceReport(
        namespace=record.namespace,
        name=record.name,
        service=record.service,
        epoch=record.epoch,
        phase=(phase := _phase(record, view)),
        error_type=view.error_type if phase == "Failed" else "Soft",
        released=record.closed,
        revision=record.told_revision,
        healthy=is_healthy,
        degraded=_of_each(view.degraded) if is_healthy else "",
        suspect=_of_each(view.suspect) if is_healthy else "",
        restarts=record.restarts,
        recent_restarts=view.restarts.counted,
        forgotten_at=view.restarts.forgotten_at,
        next_try_at=view.restarts.next_at if view.phase is Phase.RUNNING and view.troubles else None,
        since=view.since,
        why=_why(record, view) if is_known else "",
        # Hands off, and what an admin had stopped runs again: outside of that mode it stays told, for it may last only a moment.
        by_admin=view.by_admin if is_known and not (view.phase is Phase.LEFT and view.is_well) else "",
        hands_off=bool(view.hands_off),
        unrecorded=is_known and view.phase is Phase.STUCK and view.unrecorded,
        unstoppable=not record.closed and is_known and view.stops_failed >= STOPS,
        resources=() if record.closed else _resources(view),
        reloadable=() if record.closed else _reloadable(view),
    )


def of_record(record: Record) -> InstanceReport:
    """Of what has no runner: it is over, or its runner is only about to begin."""
    return InstanceReport(
        namespace=record.namespace,
        name=record.name,
        service=record.service,
        epoch=record.epoch,
        phase="Running" if record.may_run else "Stopped",
        released=record.closed,
        revision=record.told_revision,
        healthy=False,
        restarts=record.restarts,
    )


def foreign_since(found: Mapping[str, StandbyReport], before: Mapping[str, str], now: str) -> Mapping[str, str]:
    """Since when something runs here that we have not started, by UID: what ran before keeps its time."""
    running = [uid for uid, report in found.items() if report.active and not report.unclear]
    return {uid: before.get(uid, now) for uid in running}


# A restart in place is a running instance that is not healthy for a moment.
_REPORTED: Final[Mapping[Phase, Any]] = {
    **{phase: phase.value for phase in Phase},
    Phase.RECOVERING: Phase.RUNNING.value,
}


def _phase(record: Record, view: View) -> Any:
    if record.closed:
        return "Stopped"
    if view.phase is Phase.LEFT:
        return _as_seen(record, view)
    if view.phase is Phase.FAILED and not _has_failed(record, view):
        return "Stopped"  # what failed is another epoch, or other resources
    if view.phase is Phase.STOPPING and view.stops_failed:
        return Phase.STUCK.value  # that it is tried again is no news
    return _REPORTED[view.phase]


def _has_failed(record: Record, view: View) -> bool:
    """Whether giving up was about what the record wants now."""
    is_same = not record.resources or same_work(record.resources, record.wanted)
    return view.epoch == record.epoch and bool(view.gave_up) and is_same


def _as_seen(record: Record, view: View) -> str:
    """Hands off: what is, whoever made it so."""
    states = {view.states.get(resource.name, "Unknown") for resource in record.resources}
    if not record.may_run or states <= {"Stopped", "Failed"}:
        return "Stopped"
    for phase in ("Starting", "Stopping"):
        if phase in states:
            return phase
    return "Running"


def _why(record: Record, view: View) -> str:
    if view.phase is Phase.FAILED:
        return _joined(view.gave_up, view.stop_note) if _has_failed(record, view) else ""
    if view.phase is Phase.STOPPED:
        return _joined(view.why, view.stop_note)
    if view.phase is Phase.LEFT:
        return _joined(_left(record, view), view.why, view.sentence)
    if view.phase is Phase.RUNNING:
        return _joined(view.sentence, view.not_applied, view.why if view.troubles else "")
    return view.why


def _of_each(whys: Mapping[str, str]) -> str:
    return "; ".join(f"{name}: {why}" for name, why in whys.items())


def _joined(*sentences: str) -> str:
    return "; ".join(dict.fromkeys(filter(None, sentences)))


def _left(record: Record, view: View) -> str:
    waits = "; it was told to stop, which waits until that ends" if record.want == "Down" else ""
    return f"hands off: {view.hands_off}{waits}"


def _reloadable(view: View) -> tuple[Reloadable, ...]:
    found = view.reloadable.items() if view.phase in (Phase.RUNNING, Phase.LEFT) else ()
    return tuple(Reloadable(name=name, parameters=tuple(sorted(known))) for name, known in found)


def _resources(view: View) -> tuple[ResourceReport, ...]:
    if view.phase not in (Phase.RUNNING, Phase.LEFT):
        return ()
    found: dict[str, tuple[Literal["Running", "Starting", "Failed", "Unknown"], str]]
    found = {name: ("Running", why) for name, why in {**view.degraded, **view.suspect}.items()}
    found |= {
        name: ("Starting" if view.states.get(name) == "Starting" else "Unknown", why)
        for name, why in view.unclear.items()
    }
    found |= {name: ("Failed", why) for name, why in {**view.tolerated, **view.troubles}.items()}
    return tuple(ResourceReport(name=name, state=state, why=why) for name, (state, why) in sorted(found.items()))
