"""What users see of a service: one state, conditions with reasons, who could take over, and what has happened.

Everything is worked out again from the objects in each round, but for what has happened: times (a condition keeps its time while its
status stays, so a status in which nothing has changed is equal to the one before), and what judges count by (`_REMEMBERED`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Final

from backstay_api.objects.models import HAInstance, HAService
from backstay_api.objects.models.assignment import InstanceReport
from backstay_api.objects.models.instance import Grant
from backstay_api.objects.models.service import (
    HAServiceStatus,
    InstanceSummary,
    StandbySummary,
)
from backstay_api.objects.names import promoted_name
from backstay_api.objects.texts import clip
from backstay_operator.planner.do.course import Course
from backstay_operator.planner.do.decisions import Decision, Slot
from backstay_operator.planner.judge.acceptance import Acceptance, Accepted, Refused, is_to_stop
from backstay_operator.planner.judge.copies import its_host
from backstay_operator.planner.judge.placement import NoHost
from backstay_operator.planner.judge.remains import stored_order
from backstay_operator.planner.know import sessions
from backstay_operator.planner.know.liveness import untouched
from backstay_operator.planner.know.parts import part_of
from backstay_operator.planner.know.topology import without_label
from backstay_operator.planner.know.world import World
from backstay_operator.planner.words import (
    SUSPECT,
    UNMANAGED,
    WORKS_PARTLY,
    first_words,
    joined,
    listed,
)

from . import fold
from .accepted_drift import accepted_differences
from .conditions import Finding, settled, updated
from .failovers import last_failover, why_lost
from .losses import left_over, survives_domains
from .other_hosts import (
    address_of_a_host,
    held_units,
    not_reached,
    runs_twice,
    standby_ready,
    survives,
    survives_elsewhere,
    who_could_take_over,
)
from .prerequisites import edition_paused, prerequisites_unmet, recorded_run
from .recovery import restarts_told, start_failures
from .reports import because, not_well, reported

_MOST_CHARS: Final = 3700  # of a reason, so that where the service goes next is not lost behind it
_REMEMBERED: Final = ("start_failures", "moves", "failovers", "last_clear", "last_ran_with")
"""What stands in no other object: it outlives a status that the API server refuses."""
_WORST_FIRST: Final = ("Failed", "Recovering", "Waiting", "Stopping", "Starting", "Stopped", "Running")


def service_status(world: World, decision: Decision) -> HAServiceStatus:
    """The status as it should be now."""
    service, generation = decision.service, decision.service.metadata.generation
    # What is least well is what its service is; what goes anyway does not count, unless there is nothing else.
    views = sorted((_view(world, decision, slot) for slot in decision.slots), key=_least_well_first)
    kept = [view for view in views if not view.slot.is_leaving] or views
    copies = [fold.Copy(view.slot.name, view.is_well, view.holder, _findings(view), view.is_promoted) for view in kept]
    found = fold.findings(copies) if copies else fold.of_none(world, decision)
    conditions = settled(service.status.conditions, found, generation, world.wall)
    if service.key in world.short_status:
        kept_as_it_was = {name: getattr(service.status, name) for name in _REMEMBERED}
        return HAServiceStatus(observed_generation=generation, conditions=conditions, **kept_as_it_was)
    return updated(
        service.status,
        observed_generation=generation,
        conditions=conditions,
        **fold.replica_counts(decision, copies),
        **_instances(decision, views, kept, world.wall),
        **fold.history(world, decision),
        standbys=fold.standbys_of_copies([view.standbys for view in fold.what_counts(kept)]),
        promoted=next((view.holder for view in kept if view.is_promoted and view.state == "Running"), ""),
        accepted_differences=accepted_differences(world, decision),
        last_ran_with=recorded_run(world, service, [(view.slot, view.is_well) for view in kept]),
    )


def _instances(decision: Decision, views: Sequence[_View], kept: Sequence[_View], wall: str) -> dict[str, Any]:
    """Where each is, of too many those that are least well, in the order of the slots."""
    summaries = {view.slot.name: _summary(view) for view in views}
    told = {view.slot.name for view in [view for view in views if view.instance][: fold.MOST_TOLD]}
    return {
        **fold.where(decision.service, [summaries[view.slot.name] for view in kept], wall),
        "instances": [summaries[slot.name] for slot in decision.slots if slot.name in told],
    }


def _least_well_first(view: _View) -> tuple[int, str]:
    return _WORST_FIRST.index(view.state), view.slot.name


@dataclass(frozen=True)
class _View:
    """One slot of a service with everything that is told of it."""

    world: World
    service: HAService
    acceptance: Acceptance
    slot: Slot
    missing: str
    """What evidence is waited for, and what a person can do, in a sentence."""
    state: str = ""
    why: str = ""
    """Why it is in this state, in a sentence."""

    @cached_property
    def instance(self) -> HAInstance | None:
        return self.slot.instance

    @property
    def course(self) -> Course:
        return self.slot.course

    @cached_property
    def grant(self) -> Grant | None:
        return self.instance.spec.grant if self.instance else None

    @cached_property
    def holder(self) -> str:
        return self.instance.holder if self.instance else ""

    @cached_property
    def before(self) -> InstanceSummary:
        """What was said of the instance last time."""
        return self.service.status.of(self.slot.name)

    @cached_property
    def standbys(self) -> list[StandbySummary]:
        return who_could_take_over(self.world, self.service, self.slot)

    @cached_property
    def report(self) -> InstanceReport | None:
        """What the holder's own session says of the granted epoch."""
        # A report of another session is never looked at: a newer one makes the holder lost (`why_lost`).
        return sessions.report_of(self.world, self.holder, self.instance) if self.instance else None

    @property
    def is_promoted(self) -> bool:
        """Whether it is the promoted role, which stands on one of the copies."""
        return self.slot.name == promoted_name(self.service.metadata.name)

    @property
    def shall_run(self) -> bool:
        return self.slot.in_force.spec.state == "Running" and self.service.metadata.deletion_timestamp is None

    @property
    def is_unmanaged(self) -> bool:
        return self.slot.in_force.spec.state == "Unmanaged" and self.service.metadata.deletion_timestamp is None

    @cached_property
    def is_well(self) -> bool:
        return self.state == "Running" and self.report is not None and self.report.healthy

    @property
    def sentence(self) -> str:
        """Why it is in this state, and where it goes next."""
        if not self.course.to or not self.grant:
            return self.why
        goes = "starts again on" if self.course.to == self.holder else "moves to"
        return joined(self.why, f"{goes} {self.course.to}")


def _view(world: World, decision: Decision, slot: Slot) -> _View:
    missing = joined(slot.course.missing, world.refusal(HAService, decision.service.key))
    view = _View(world, decision.service, decision.acceptance, slot, missing)
    state, why = _with_holder(view) if view.grant and not slot.course.is_over else _without_holder(view)
    return replace(view, state=state, why=clip(why, _MOST_CHARS))


# --- what happens ----------------------------------------------------------------------------------------------------


def _without_holder(view: _View) -> tuple[str, str]:
    course, placed = view.course, view.course.placed
    if not view.shall_run:
        is_leaving = view.service.metadata.deletion_timestamp is not None
        if view.is_unmanaged:
            return "Stopped", f"Granted to no host, so not started; {UNMANAGED}"
        return "Stopped", "Being deleted" if is_leaving else "Stopped, as spec.state asks"
    if course.to and placed:
        return "Starting", f"About to start on {course.to}: {placed.why}"
    if isinstance(view.slot.acceptance, Refused):
        return "Waiting", view.slot.acceptance.message
    return "Waiting", joined(_nowhere(view), view.missing, course.shed)


def _with_holder(view: _View) -> tuple[str, str]:
    lost = why_lost(view.world, view.instance) if view.instance else ""
    if lost:
        return "Recovering", joined(lost, view.missing or _nowhere(view))
    if view.report is None and view.course.order is None and view.missing:
        return "Waiting", joined(f"Granted to {view.holder}, which is not told to start it yet", view.missing)
    if view.report is None:
        return "Starting", f"Granted to {view.holder}, which has not answered yet"
    return _as_reported(view, view.report, view.holder)


def _as_reported(view: _View, report: InstanceReport, host: str) -> tuple[str, str]:
    stored = stored_order(view.world, host, view.instance) if view.instance else None
    order, left = view.course.order or stored, UNMANAGED if view.is_unmanaged else ""
    hands_off = untouched(view.world, host) or left
    match report.phase:
        case "Stopped" | "Failed" if hands_off:
            return "Stopped", joined(f"Stopped on {host}{reported(report)}", view.missing or hands_off)
        case "Stuck":
            return "Failed", joined(f"{host} cannot prove that it is down: {first_words(report.why)}", view.missing)
        case "Failed" if stored is None or stored.want == "Up":
            return _after_failure(view, report)
        case _ if order is not None and order.want == "Down":
            return "Stopping", joined(f"Being stopped on {host}{f': {order.why}' if order.why else ''}", view.missing)
        case "Running":
            return "Running", joined(f"Runs on {host}{not_well(report)}{because(view.instance)}", left, view.missing)
        case "Stopping":
            return "Stopping", f"Stopping on {host}{reported(report)}"
        case phase:
            doing = "Starting" if phase == "Starting" else "Not started yet"
            return "Starting", f"{doing} on {host}{reported(report)}"


def _after_failure(view: _View, report: InstanceReport) -> tuple[str, str]:
    failed = f"Could not be kept running on {view.holder}: {first_words(report.why) or 'no reason was given'}"
    order = view.course.order
    if not view.shall_run:
        return "Stopping", failed
    if view.course.to:
        return "Recovering", failed
    if order is not None and order.want == "Up" and order.revision > report.revision:
        return "Recovering", f"{failed}; the present manifest is tried there"
    return "Failed", joined(failed, _nowhere(view) or view.missing)


def _nowhere(view: _View) -> str:
    return view.course.placed.why if isinstance(view.course.placed, NoHost) else ""


# --- conditions ------------------------------------------------------------------------------------------------------


def _findings(view: _View) -> list[Finding]:
    standby, held = standby_ready(view.standbys), held_units(view.world, view.service)
    only = its_host(view.service, view.instance)
    own = survives_elsewhere(view.world, view.service, only) if only else _survives(view, standby)
    by_domain = survives_domains(view.world, view.slot.in_force, view.instance)
    return [
        _accepted(view),
        Finding("Ready", view.is_well, _ready_reason(view), view.sentence),
        _progressing(view),
        _degraded(view),
        *(() if only else (standby,)),
        left_over(view.world, view.service, view.instance, own),
        *([by_domain] if by_domain else []),
        *([held] if held else []),
    ]


def _ready_reason(view: _View) -> str:
    if isinstance(view.slot.acceptance, Refused) and not view.grant and view.shall_run:
        return view.slot.acceptance.reason
    if view.state == "Running" and not view.is_well:
        return "NotWorking"
    return SUSPECT if view.report and view.state == "Running" and view.report.suspect else view.state


def _accepted(view: _View) -> Finding:
    if isinstance(view.acceptance, Accepted):
        wanted = part_of(view.world, view.service, view.slot.name).exclusive
        kept = view.instance is not None and view.instance.spec.exclusive is not wanted
        said = "whose copies must never run twice" if kept and not wanted else "of which two may run"
        if kept:
            why = f"spec.exclusive does not change while it lives: it stays one {said}; delete it and create it again"
            return Finding("Accepted", True, "ExclusiveKept", why)
        if why := without_label(view.world, view.slot.in_force):
            return Finding("Accepted", True, "NoSuchLabel", why)
        return Finding("Accepted", True, "Accepted", "Everything it asks for can be done")
    return Finding("Accepted", False, view.acceptance.reason, view.acceptance.message)


def _progressing(view: _View) -> Finding:
    if refused := view.world.refusal(HAService, view.service.key):
        return Finding("Progressing", False, "RefusedByAPI", f"It cannot proceed: {refused}")
    if view.course.waits:
        return Finding("Progressing", True, "Updating", view.course.waits)
    is_moving = view.state in ("Starting", "Stopping", "Recovering")
    if not is_moving and (why := edition_paused(view.world, view.slot)):
        return Finding("Progressing", False, "EditionPaused", why)
    return Finding("Progressing", is_moving, view.state, view.sentence if is_moving else "No change is in progress")


def _degraded(view: _View) -> Finding:
    """Something is not as wanted, whether or not it runs."""
    trouble = (
        runs_twice(view.world, view.slot)
        or _own_trouble(view)
        or _trouble_while_it_runs(view)
        or _trouble_around_it(view)
    )
    reason, why = trouble or ("", "")
    return Finding("Degraded", bool(reason), reason or "AsWanted", why or "No problem was found")


def _own_trouble(view: _View) -> tuple[str, str] | None:
    if isinstance(view.acceptance, Refused) and view.grant and not is_to_stop(view.service, view.acceptance):
        why = f"because the present one is refused: {view.acceptance.message}"
        return "ManifestRefused", f"It keeps running by the previous manifest, {why}"
    if view.course.shed and view.state in ("Stopping", "Waiting"):
        return "Shed", view.sentence
    if view.state in ("Failed", "Recovering", "Waiting"):
        is_stuck = view.state == "Failed" and view.report is not None and view.report.unstoppable
        return "Unstoppable" if is_stuck else view.state, view.sentence
    if view.state == "Stopped" and view.grant and view.shall_run:
        return "HandsOff", view.why
    return None


def _trouble_while_it_runs(view: _View) -> tuple[str, str] | None:
    report = view.report
    if report is not None and view.state == "Running" and not view.is_well:
        return "NotWorking", view.why
    if report is not None and view.state == "Running" and (report.suspect or report.degraded):
        return SUSPECT if report.suspect else WORKS_PARTLY, view.why
    if view.is_well and (unreached := not_reached(view.world, view.slot, view.standbys)):
        return unreached
    return ("HeldBack", view.missing) if view.missing and view.state == "Running" else None


def _trouble_around_it(view: _View) -> tuple[str, str] | None:
    """Of its object, its addresses, and the hosts where it was."""
    if refused := view.world.refusal(HAService, view.service.key):
        return "RefusedByAPI", refused
    if twice := address_of_a_host(view.world, view.service):
        return "AddressOfAHost", twice
    if unmet := prerequisites_unmet(view.world, view.slot):
        return unmet
    if failures := start_failures(view.world, view.service, view.slot):
        hosts = listed(sorted({failure.host for failure in failures}))
        return "StartFailed", f"Could not be started on {hosts}: {first_words(failures[-1].why)}"
    return None


def _survives(view: _View, standby: Finding) -> Finding:
    """Whether the loss of its host would be mended without a person."""
    if view.state != "Running":
        return Finding("SurvivesHostLoss", False, "NotRunning", "It is not running")
    if view.is_unmanaged:
        return Finding("SurvivesHostLoss", False, "Unmanaged", UNMANAGED)
    if not standby.is_true:
        return Finding("SurvivesHostLoss", False, "NoStandby", standby.message)
    exclusive = view.instance.spec.exclusive if view.instance else view.service.exclusive
    return survives(view.world, view.holder, standby, exclusive=exclusive)


# --- who could take over, and what has happened ----------------------------------------------------------------------


def _summary(view: _View) -> InstanceSummary:
    before = view.before
    is_same = (before.state, before.host) == (view.state, view.holder) and before.since is not None
    return updated(
        before,
        name=before.name,
        host=view.holder,
        role=("Promoted" if view.is_promoted else "Started") if view.holder else "",
        state=view.state,
        epoch=view.instance.spec.epoch if view.instance else 0,
        since=before.since if is_same else _since_without_instance(view),
        why=view.why,
        to=view.course.to,
        by_admin=first_words(view.report.by_admin) if view.report else "",
        recovery=restarts_told(view.slot.in_force, view.report),
        last_failover=last_failover(
            before, view.instance, state=view.state, holder=view.holder, shall_run=view.shall_run, wall=view.world.wall
        ),
    )


def _since_without_instance(view: _View) -> str:
    status = view.service.status
    is_same = view.instance is None and status.state == view.state and not status.instances
    return status.since if is_same and status.since else view.world.wall
