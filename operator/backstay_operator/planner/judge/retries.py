"""Where a service is tried again after it has failed: not at once where it failed, and not on more hosts than its budget of moves allows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from backstay_operator.planner.words import roughly

from .failures import MOST_FAILURES, Failure, failures_that_count, pause_s
from .host_facts import HostFacts, Rejected
from .move_budget import forgotten_at_s, home, used_up
from .questions import Question

_LONG_S: Final = 60.0
"""From such a pause on people are told how to end it."""


def starts_here(ask: Question, facts: HostFacts) -> Rejected | None:
    """No start has failed here lately, so that a service does not bounce between two bad hosts; none for good. A person may insist."""
    failed = failures_of(ask)
    if ask.to is not None or not failed:
        return None
    if final := next((one for one in failed if one.is_final(facts.name)), None):
        return _cannot_run(ask, final)
    here, wait_s = recent_failures(ask, facts), _until_next_try_s(ask, failed)
    is_new = not here and len(failed) < MOST_FAILURES
    if is_new or (wait_s <= 0 and (ask.retry or not here)):
        return None
    return _failed_lately(ask, failed, here, wait_s)


def _until_next_try_s(ask: Question, failed: Sequence[Failure]) -> float:
    """How long it waits where no host is left without a failure: not at all, where it was no failure that ended its last epoch."""
    if ask.instance is not None and max(one.told.epoch for one in failed) < ask.instance.spec.epoch:
        return 0.0
    return pause_s(ask.world.settings, failed) - _since_last_s(failed)


def _since_last_s(failed: Sequence[Failure]) -> float:
    return min(one.ago_s for one in failed)


def _failed_lately(ask: Question, failed: Sequence[Failure], here: Sequence[Failure], wait_s: float) -> Rejected:
    is_tried, again = ask.retry or not here, ""
    if is_tried:
        after_s, clear = (
            pause_s(ask.world.settings, failed),
            f"`backstay clear {ask.service.metadata.name} --reason WHY`",
        )
        at_once = f"; {clear} has it tried at once" if after_s >= _LONG_S else ""
        again = f" (tried again {roughly(after_s)} after the last failure{at_once})"
    else:
        wait_s = ask.world.settings.start_failure_memory_s - _since_last_s(failed)
    look_again_s = ask.world.now_s + wait_s
    if not here:
        says = f"waits: its start has failed {len(failed)} times{again}"
        return Rejected("StartFailed", says, says, look_again_s=look_again_s)
    many = f"failed to start it lately{again}"
    one = f"failed to start it {roughly(here[0].ago_s)} ago{again}"
    return Rejected("StartFailed", one, many, here[0].told.why, look_again_s=look_again_s)


def _cannot_run(ask: Question, final: Failure) -> Rejected:
    told, clear = final.told, f"backstay clear {ask.service.metadata.name} --reason WHY"
    if told.error_type == "Fatal":
        says = "may not try it"
        why = f"as it is configured no host can run it, says {told.host} ({told.why}): edit it; or mend what it names, then `{clear}`"
        return Rejected("StartFailed", says, says, why)
    says = "cannot run it until that is mended there"
    return Rejected("StartFailed", says, says, f"{told.why}; then `{clear}`")


def may_fail_over(ask: Question, facts: HostFacts) -> Rejected | None:
    """What has failed elsewhere goes on here only within `recovery.moves`. A person may insist."""
    if ask.to is not None or (why := used_up(ask.world, ask.service, ask.slot)) == "":
        return None
    home_ = home(ask.world, ask.service, ask.instance)
    return None if home_ is None or facts.name == home_ else _stays(ask, why)


def could_fail_over(ask: Question, facts: HostFacts) -> Rejected | None:
    """The same, if its host were lost now."""
    why = used_up(ask.world, ask.service, ask.slot)
    return _stays(ask, why) if why and facts.name != ask.holder else None


def _stays(ask: Question, why: str) -> Rejected:
    says = "may not take it over"
    return Rejected("Moves", says, says, why, look_again_s=forgotten_at_s(ask.world, ask.service, ask.slot))


def failures_of(ask: Question) -> Sequence[Failure]:
    """All that still count, wherever they were."""
    return failures_that_count(ask.world, ask.service, ask.slot, ask.instance)


def recent_failures(ask: Question, facts: HostFacts) -> list[Failure]:
    """Those on this host, the latest first."""
    return sorted((one for one in failures_of(ask) if one.told.host == facts.name), key=lambda one: one.ago_s)
