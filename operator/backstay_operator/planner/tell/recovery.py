"""Where in its recovery a service stands, in a sentence: how many restarts are used up, when one is forgotten, and what comes next."""

from __future__ import annotations

from typing import Final

from backstay_api.objects.models import HAService
from backstay_api.objects.models.assignment import InstanceReport
from backstay_api.objects.models.service import ClearSummary, StartFailure
from backstay_api.objects.recovery import Policy, policy_of
from backstay_operator.planner.do.decisions import Slot
from backstay_operator.planner.judge import failures, move_budget
from backstay_operator.planner.know.clearing import Clear, clear_of
from backstay_operator.planner.know.sessions import report_of
from backstay_operator.planner.know.world import World
from backstay_operator.planner.words import first_words, joined, listed

_INSTEAD: Final = {
    "Move": "it is not restarted in place: the service is stopped at once, and another host tries (onFailure: Move)",
    "Degrade": "it is left as it is until its next start, and the service is Degraded (onFailure: Degrade)",
    "Ignore": "it is left as it is until its next start, and only told (onFailure: Ignore)",
}


def restarts_told(service: HAService, report: InstanceReport | None, *, brief: bool = True) -> str:
    """Empty where nothing is to be said. `brief`: nothing, where no restart is used up."""
    if report is None or report.phase != "Running" or report.recent_restarts is None:
        return ""  # nothing that is restarted in place; or an agent of an earlier release
    policy, used = policy_of(service.spec.recovery), report.recent_restarts
    if brief and not used:
        return ""
    forgotten = f", and one is forgotten at {report.forgotten_at}" if report.forgotten_at else ""
    return f"{used} of {policy.restarts} restarts in place within {policy.window} are used{forgotten}; {_next(policy, report)}"


def recovery_of(world: World, slot: Slot) -> str:
    """The same, of what the holder says; where it says nothing of that, of the failures that count against hosts."""
    service, instance = slot.in_force, slot.instance
    report = report_of(world, instance.holder, instance) if instance else None
    failed = [f"{one.host} in epoch {one.epoch}" for one in start_failures(world, service, slot)]
    forgets = f"`backstay clear {service.metadata.name} --reason WHY` forgets them"
    counted = f"failures count against {listed(failed)}; {forgets}" if failed else ""
    budget = service.spec.recovery.moves if service.spec.recovery else None
    moves = len(move_budget.counted(world, service, slot.name))
    moved = f"{moves} of {budget.limit} moves within {budget.per} are used" if budget else ""
    return joined(restarts_told(service, report, brief=False), _apart_from(service), moved, counted)


def _apart_from(service: HAService) -> str:
    """Of which resources a failure does something else, whatever is used up."""
    by_what: dict[str, list[str]] = {}
    for resource in service.spec.resources:
        by_what.setdefault(_INSTEAD.get(resource.on_failure or "", ""), []).append(resource.name)
    return joined(*(f"where {' or '.join(names)} fails, {what}" for what, names in by_what.items() if what))


def start_failures(world: World, service: HAService, slot: Slot) -> list[StartFailure]:
    """Those that still count against a host, oldest first."""
    return failures.to_remember(failures.failures_that_count(world, service, slot.name, slot.instance))


def last_clear(world: World, service: HAService) -> ClearSummary | None:
    """What stands there now, or the last that did."""
    clear, before = clear_of(service), service.status.last_clear
    if not isinstance(clear, Clear) or (before and before.number >= clear.number):
        return before
    return ClearSummary(number=clear.number, by=first_words(clear.by), reason=first_words(clear.reason), at=world.wall)


def _next(policy: Policy, report: InstanceReport) -> str:
    used = report.recent_restarts or 0
    if report.next_try_at:
        return f"it is restarted in place at {report.next_try_at}"
    if used >= policy.restarts:
        before = " before that" if report.forgotten_at else ""
        return f"if it fails{before}, it is stopped and another host tries"
    if not used:
        return "if it fails, it is restarted in place at once"
    return f"if it fails again, it is restarted in place, {policy.pause_s(used):g} s after the last time or later"
