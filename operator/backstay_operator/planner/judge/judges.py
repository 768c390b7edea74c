"""Which hosts may run a service: small judges, each with its reason. Which of those is best, `scores.py` says.

To add one, write the function and give it a row in `FILTERS`, which says at which points it is asked; nothing else knows how
many there are. They stand in the order of what they cost, and a host that one has rejected is shown to no other.
What is the same for every service stands in the facts of a host (`host_facts.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence, Set
from dataclasses import dataclass, field
from enum import Enum
from typing import Final, TypeVar

from backstay_api.objects.durations import seconds
from backstay_api.objects.models import HAInstance, HAService
from backstay_operator.planner.know.fitting import no_room
from backstay_operator.planner.know.holdings import contested
from backstay_operator.planner.know.world import World
from backstay_operator.planner.words import UNCLEAR, roughly

from .failures import Failure, failures_that_count
from .host_facts import HostFacts, Rejected, facts_of
from .move_budget import forgotten_at_s, home, used_up


class Point(Enum):
    """What the judges are asked about a host."""

    START = "may it start there?"
    RETRY = "may it be tried there again, though a start has failed there?"
    STAY = "may what runs well stay there?"
    FIRST_EPOCH = "before the first epoch: does the host have to say that nothing of it runs there?"
    STANDBY = "may the host be asked to keep itself ready?"
    TAKE_OVER = "could it take over? Being late lasts for a moment, and is nothing to write a status about."


Planned = Mapping[str, Collection[str]]


@dataclass(frozen=True)
class Question:
    """One service, looking for a host."""

    world: World
    service: HAService
    instance: HAInstance | None
    to: str | None = None
    """The only host that a person wants."""
    away_from: frozenset[str] = frozenset()
    """Hosts that it shall leave."""
    planned: Planned = field(default_factory=dict)
    """Keys of HAInstances on their way to each host: given by this same plan, or stopped elsewhere in order to go there."""
    announced: str = ""
    """The host for which it was stopped where it ran."""
    retry: bool = False
    """No host is without a failed start: one where the last is long enough ago will do."""

    @property
    def holder(self) -> str:
        return self.instance.holder if self.instance else ""

    @property
    def slot(self) -> str:
        """Of an instance that is not there yet: the first, the only one of a Single service."""
        return self.instance.metadata.name if self.instance else self.service.slots[0]


# --- filters: cheapest first -----------------------------------------------------------------------------------------


def may_stay(ask: Question, facts: HostFacts) -> Rejected | None:
    """The host is neither removed nor drained."""
    return facts.leaving


def is_selected(ask: Question, facts: HostFacts) -> Rejected | None:
    """The host carries the labels that placement.hosts asks for."""
    labels = facts.host.metadata.labels or {}
    wanted = ask.service.spec.placement.hosts
    for key, value in wanted.match_labels.items() if wanted else ():
        if labels.get(key) != value:
            has = f"has {key}={labels[key]}" if key in labels else f"has no label {key}"
            return Rejected("Selector", "is not selected", "are not selected by placement.hosts", f"{has}, not {value}")
    return None


def is_free(ask: Question, facts: HostFacts) -> Rejected | None:
    """No other service has a unit or command of it on this host."""
    found = contested(ask.world, ask.service).get(facts.name)
    if found is None:
        return None
    key, other = found
    return Rejected(
        "Claimed",
        "may not run it",
        "may not run it: what it names belongs to another HAService there",
        f"{key.text} belongs to the HAService {other.key} there",
    )


def is_wished(ask: Question, facts: HostFacts) -> Rejected | None:
    """Where a person has named the host, no other will do; and what shall leave a host does not go there."""
    if ask.to is not None and facts.name != ask.to:
        return Rejected("Move", f"is not {ask.to}, which was asked for", f"are not {ask.to}, which was asked for")
    if facts.name in ask.away_from:
        return Rejected("Move", "is the host that it leaves", "are the hosts that it leaves")
    return None


def is_open(ask: Question, facts: HostFacts) -> Rejected | None:
    """Neither removed nor drained; and, for what is not there already, neither cordoned, in other hands nor shutting down."""
    return facts.leaving if facts.name == ask.holder else facts.unschedulable


def has_session(ask: Question, facts: HostFacts) -> Rejected | None:
    """The host's own session holds its lease unsealed and renews it."""
    return facts.no_session


def is_reachable(ask: Question, facts: HostFacts) -> Rejected | None:
    """The host can be asked something: it lives, though it may be late."""
    return facts.lost


def may_answer(ask: Question, facts: HostFacts) -> Rejected | None:
    """The host can be asked, or has been: one that is back and no longer asked would take back what it has said of its own copy."""
    return None if ask.instance is not None and ask.instance.uid in facts.asked else facts.lost


def has_room(ask: Question, facts: HostFacts) -> Rejected | None:
    """The host can be asked to keep itself ready for one more. The holder need not be asked."""
    if ask.instance is None or facts.name == ask.holder or ask.instance.uid in facts.asked:
        return None
    why = no_room(ask.world, facts.name, ask.instance.uid)
    return Rejected("Room", why, "can be asked about no more services at a time") if why else None


def starts_here(ask: Question, facts: HostFacts) -> Rejected | None:
    """No start has failed here lately, so that a service does not bounce between two bad hosts; none for good. A person may insist."""
    if ask.to is not None:
        return None
    if final := next((one for one in failures_of(ask) if one.is_final(facts.name)), None):
        return _cannot_run(ask, final)
    failed = recent_failures(ask, facts)
    again_s = retry_after_s(ask, failed)
    if not failed or (ask.retry and failed[0].ago_s >= again_s):
        return None
    again = f" (tried again {roughly(again_s)} after that)" if ask.retry else ""
    ago, why = f"failed to start it {roughly(failed[0].ago_s)} ago", failed[0].told.why
    many = f"failed to start it lately{again}"
    one, particulars = (ago, f"{why}{again}") if why else (f"{ago}{again}", "")
    wait_s = (again_s if ask.retry else ask.world.settings.start_failure_memory_s) - failed[0].ago_s
    return Rejected("StartFailed", one, many, particulars, look_again_s=ask.world.now_s + wait_s)


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


def retry_after_s(ask: Question, failed: Sequence[Failure]) -> float:
    """How long after its last failure a host is tried again where no other will do: twice as long each time."""
    settings = ask.world.settings
    return min(settings.start_failure_memory_s, settings.start_retry_s * 2.0 ** max(0, len(failed) - 1))


def recent_failures(ask: Question, facts: HostFacts) -> list[Failure]:
    """Those on this host, the latest first."""
    return sorted((one for one in failures_of(ask) if one.told.host == facts.name), key=lambda one: one.ago_s)


def is_ready(ask: Question, facts: HostFacts) -> Rejected | None:
    """The host has examined this very manifest and could run it now. The holder counts: it runs it."""
    if facts.name == ask.holder:
        return None
    answer = facts.report.standbys.get(ask.instance.uid) if ask.instance else None
    if answer is None or answer.revision != ask.service.metadata.generation:
        return _unready("has not said yet whether it is ready", "have not said yet whether they are ready")
    if answer.active and answer.unclear:
        return _unready(UNCLEAR, UNCLEAR, answer.why)
    if answer.active:
        done = "some of it already, not started by Backstay, stop it there"
        return _unready(f"runs {done}", f"run {done}", answer.why)
    if not answer.ready:
        return _unready("is not ready", "are not ready", answer.why)
    return None


def _unready(one: str, many: str, why: str = "") -> Rejected:
    return Rejected("Ready", one, many, why, is_passing=True)


def need_not_wait(ask: Question, facts: HostFacts) -> Rejected | None:
    """The host that ran it last reboots in order, and within `recovery.rebootGrace` it waits for that one. A person may insist."""
    until_s, host = reboot_awaited(ask)
    if host in ("", facts.name) or ask.to is not None:
        return None
    reboots = f"for {host}, which reboots"
    return Rejected(
        "Reboot",
        f"waits {reboots}",
        f"wait {reboots}",
        f"recovery.rebootGrace is {ask.service.spec.recovery.reboot_grace}" if ask.service.spec.recovery else "",
        is_passing=True,
        look_again_s=until_s,
    )


def reboot_awaited(ask: Question) -> tuple[float, str]:
    """Until when, on the clock of `World.now_s`, which host is waited for while it reboots; without a host: none is."""
    instance, recovery = ask.instance, ask.service.spec.recovery
    found = ask.world.rebooting.get(instance.uid) if instance and recovery and recovery.reboot_grace else None
    if instance is None or recovery is None or found is None or found.epoch != instance.spec.epoch or instance.holder:
        return 0.0, ""
    until_s = found.seen_s + seconds(recovery.reboot_grace or "0s")
    if ask.world.now_s >= until_s or found.host not in ask.world.hosts:
        return 0.0, ""
    its = facts_of(ask.world, found.host)
    return (0.0, "") if its.barred or is_selected(ask, its) or is_free(ask, its) else (until_s, found.host)


Filter = Callable[[Question, HostFacts], Rejected | None]
RUN: Final = frozenset({Point.START, Point.RETRY})
_SPARE: Final = frozenset({Point.STANDBY, Point.TAKE_OVER})

# Later: capacity and required together/apart stand before is_ready; they look at HostFacts too, never at other services.
# What failed may be repaired while the host is asked to be ready, and what a cordoned host says counts before the first epoch, too.
FILTERS: Final[Sequence[tuple[Filter, Set[Point]]]] = (
    (may_stay, {Point.STAY}),
    (is_selected, frozenset(Point)),
    (is_free, {*RUN, *_SPARE, Point.FIRST_EPOCH}),
    (is_wished, RUN),
    (is_open, {*RUN, *_SPARE}),
    (has_session, RUN),
    (is_reachable, _SPARE),
    (may_answer, {Point.FIRST_EPOCH}),
    (has_room, {Point.STANDBY}),
    (starts_here, {*RUN, Point.TAKE_OVER}),
    (may_fail_over, {*RUN, Point.STANDBY}),
    (could_fail_over, {Point.TAKE_OVER}),
    (is_ready, {*RUN, Point.TAKE_OVER}),
    (need_not_wait, RUN),
)

_Judge = TypeVar("_Judge")


def by_point(rows: Sequence[tuple[_Judge, Set[Point]]]) -> Mapping[Point, Sequence[_Judge]]:
    """Who is asked at each point, in the order of the rows."""
    return {point: tuple(judge for judge, points in rows if point in points) for point in Point}


FILTERS_AT: Final = by_point(FILTERS)


def rejection(point: Point, ask: Question, facts: HostFacts) -> Rejected | None:
    """Why this host will not do, by the first filter that has something against it."""
    for judge in FILTERS_AT[point]:
        if rejected := judge(ask, facts):
            return rejected
    return None
