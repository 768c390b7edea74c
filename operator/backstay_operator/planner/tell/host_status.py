"""What users see of a host: does it live, could it be fenced, may services come to it. Its `fencing` is the fencer's to write."""

from __future__ import annotations

from typing import Any

from backstay_api import VERSION
from backstay_api.objects.models import Host
from backstay_api.objects.models.host import HostStatus
from backstay_api.objects.releases import SERVED, skew
from backstay_operator.planner.judge import budget
from backstay_operator.planner.judge.capacity import usage
from backstay_operator.planner.judge.fence_path import fence_path
from backstay_operator.planner.judge.host_facts import HostFacts, facts_of
from backstay_operator.planner.know.liveness import Liveness, of_host, shutting_down
from backstay_operator.planner.know.sessions import last_sealed
from backstay_operator.planner.know.unforeseen import BROKEN
from backstay_operator.planner.know.world import World
from backstay_operator.planner.words import first_words, joined, listed

from .conditions import Finding, settled, updated

_READY_REASON = {
    Liveness.LIVE: "Alive",
    Liveness.UNSURE: "Alive",
    Liveness.SUSPECT: "Late",
    Liveness.SILENT: "Silent",
    Liveness.SEALED: "Sealed",
    Liveness.UNKNOWN: "NeverSeen",
}


def host_status(world: World, host: Host, *, missing: str = "") -> dict[str, Any] | None:
    """A merge patch of the operator's part of `.status`, or nothing where it is so already.

    `missing`: what evidence about this host's session is waited for, and what a person can do, in a sentence.
    """
    facts = facts_of(world, host.metadata.name)
    wanted = _status(world, facts, missing)
    if wanted is host.status:
        return None
    patch = wanted.wire()
    patch |= {
        name: patch.get(name) for name in ("session", "sealed")
    }  # in a merge patch, null is what takes a value away
    return patch


def _status(world: World, facts: HostFacts, missing: str) -> HostStatus:
    host, session = facts.host, facts.report.session
    liveness = of_host(world, facts.name)
    findings = [
        _ready(world, facts, liveness, missing),
        _fencing_ready(world, facts.name),
        _schedulable(facts),
        *_healthy(facts),
        *_supported(facts),
        *_has_room(world, facts.name),
    ]
    return updated(
        host.status,
        conditions=settled(host.status.conditions, findings, host.metadata.generation, world.wall),
        # What we cannot judge for trouble of our own, we go on saying as we said it.
        liveness=(host.status.liveness or "Unknown") if liveness is Liveness.UNSURE else liveness.value,
        session=session.ref if session else None,
        sealed=last_sealed(world, facts.name),
        instances=facts.services,
        agent_version=facts.report.facts.agent_version,
        credential_until=facts.report.facts.credential_until,
        fences=budget.status_fences(world, facts.name),
    )


def _ready(world: World, facts: HostFacts, liveness: Liveness, missing: str) -> Finding:
    host, going_down = facts.host, shutting_down(world, facts.name)
    if liveness is Liveness.UNSURE:
        before = next((condition for condition in host.status.conditions if condition.type == "Ready"), None)
        if before is not None:
            return Finding("Ready", {"True": True, "False": False}.get(before.status), before.reason, before.message)
    if facts.no_session is None and going_down:
        return Finding("Ready", False, "ShuttingDown", joined(f"{facts.name} is shutting down: {going_down}", missing))
    if facts.no_session is None:
        return Finding("Ready", True, "Alive", missing or "Its agent renews its lease")
    why = f"{facts.name} {facts.no_session.why}"
    if refused := facts.report.renewal_refused:
        why = f"{why}; its agent says that the renewals of its lease are refused: {refused}"
    if going_down:
        why = f"{why}; it has said that it shuts down: {going_down}"
    is_true = None if liveness in (Liveness.SUSPECT, Liveness.UNSURE) else False
    reason = "Opening" if liveness is Liveness.LIVE else _READY_REASON[liveness]
    return Finding("Ready", is_true, reason, joined(why, missing))


def _fencing_ready(world: World, host: str) -> Finding:
    path = fence_path(world, host)
    return Finding("FencingReady", path.works, path.reason, path.why)


def _healthy(facts: HostFacts) -> list[Finding]:
    """What the host's own checks say; nothing, where its agent does not check."""
    found = facts.report.problems
    if found is None:
        return []
    if lost := facts.lost:
        return [Finding("Healthy", None, "NotReported", f"{facts.name} {lost.why}")]
    if not found:
        return [Finding("Healthy", True, "NothingFound", "Its own checks find nothing wrong with it")]
    reason = found[0].check if len(found) == 1 else "SeveralChecks"
    whys = "; ".join(first_words(one.why, 400) for one in found)
    is_held = not all(one.tolerated for one in found)
    what = (
        f"Nothing new is started on {facts.name}"
        if is_held
        else f"It has lasted, and {facts.name} is used all the same"
    )
    return [Finding("Healthy", False, reason, f"{what}: {whys}")]


def _supported(facts: HostFacts) -> list[Finding]:
    """Whether operator and agent go with each other; nothing, where the agent has not said of which release it is."""
    version = facts.report.facts.agent_version
    if not version:
        return []
    match skew(version, VERSION):
        case "Newer":
            why = f"Its agent {version} is newer than the operator {VERSION}: upgrade the operator, which comes first"
            return [Finding("AgentSupported", False, "Newer", why)]
        case "TooOld":
            why = f"Its agent {version} is too old for the operator {VERSION}, which serves its own release and the {SERVED} before it"
            return [Finding("AgentSupported", False, "TooOld", f"{why}: upgrade the agent")]
        case _:
            return [Finding("AgentSupported", True, "Served", f"The operator {VERSION} serves its agent {version}")]


def _has_room(world: World, host: str) -> list[Finding]:
    """Whether it offers all that is asked of it; nothing, where nobody has said what it offers, and nobody asks for anything."""
    try:
        found = list(usage(world, host))
    except BROKEN as error:  # what nobody has foreseen of one service keeps no host from being fenced
        why = f"what is asked for cannot be added up: {type(error).__name__}"
        return [Finding("CapacitySufficient", None, "NotKnown", why)]
    if not found:
        return []
    if not any(one.is_over for one in found):
        return [Finding("CapacitySufficient", True, "Sufficient", f"Asked for: {listed([one.text for one in found])}")]
    over = "; ".join(one.who_asks for one in found if one.is_over)
    why = f"{over}: what runs stays, and nothing that asks for it comes"
    return [Finding("CapacitySufficient", False, "AskedForMore", why)]


def _schedulable(facts: HostFacts) -> Finding:
    if facts.unschedulable:
        reason = facts.unschedulable.reason or facts.unschedulable.rule
        left = f"; {facts.services} still here" if facts.leaving and facts.services else ""
        return Finding("Schedulable", False, reason, f"{facts.name} {facts.unschedulable.why}{left}")
    if facts.lost:
        return Finding("Schedulable", False, "NotReady", f"{facts.name} {facts.lost.why}")
    return Finding("Schedulable", True, "Open", "Services may be placed here")
