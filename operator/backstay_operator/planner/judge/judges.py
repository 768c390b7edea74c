"""Which hosts may run a service: small judges, each with its reason. Which of those is best, `scores.py` says.

To add one, write the function and give it a row in `FILTERS`, which says at which points it is asked; nothing else knows how
many there are. They stand in the order of what they cost, and a host that one has rejected is shown to no other.
What is the same for every service stands in the facts of a host (`host_facts.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Set
from typing import Final, TypeVar

from backstay_api.objects.durations import seconds
from backstay_api.objects.models.placement import Taint
from backstay_operator.planner.know.fitting import no_room
from backstay_operator.planner.know.holdings import contested
from backstay_operator.planner.know.selection import why_not_selected
from backstay_operator.planner.words import UNCLEAR, roughly

from .affinity import could_be_together, is_apart, is_together
from .capacity import has_capacity
from .copies import are_many, its_host, other_there
from .failures import Failure, failures_that_count
from .host_facts import HostFacts, Rejected, facts_of
from .move_budget import forgotten_at_s, home, used_up
from .questions import Point, Question

# --- filters: cheapest first -----------------------------------------------------------------------------------------


def may_stay(ask: Question, facts: HostFacts) -> Rejected | None:
    """The host is neither removed nor drained."""
    return facts.leaving


def is_selected(ask: Question, facts: HostFacts) -> Rejected | None:
    """The host's labels are what placement.hosts asks for."""
    wanted = ask.service.spec.placement.hosts
    why = why_not_selected(wanted, facts.host.metadata.labels) if wanted else ""
    if not why:
        return None
    return Rejected("Selector", "is not selected", "are not selected by placement.hosts", why)


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


def is_its_host(ask: Question, facts: HostFacts) -> Rejected | None:
    """A copy of mode EveryHost is for one host."""
    host = its_host(ask.service, ask.instance)
    if not host or facts.name == host:
        return None
    return Rejected(
        "EveryHost", "has a copy of its own", "have copies of their own", f"this one is for {host}", has_copy=True
    )


def has_no_other(ask: Question, facts: HostFacts) -> Rejected | None:
    """The host has no other copy of the service, and none is on its way there: two would be one unit."""
    if not are_many(ask.world, ask.service):
        return None
    name = other_there(ask.world, ask.service, ask.instance, facts.name) or _on_its_way(ask, facts.name)
    if not name:
        return None
    return Rejected("Copy", f"has another copy of it, {name}", "have other copies of it", has_copy=True)


def _on_its_way(ask: Question, host: str) -> str:
    others = ask.world.instances_of.get(ask.service.uid, set()) - {ask.instance.key if ask.instance else ""}
    keys = sorted(others.intersection(ask.planned.get(host, ()))) if others else []
    return ask.world.instances[keys[0]].metadata.name if keys else ""


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


def is_tolerated(ask: Question, facts: HostFacts) -> Rejected | None:
    """The host has no taint that the service does not tolerate; for what is there already, none that lets nothing stay."""
    effects = ("NoExecute",) if facts.name == ask.holder else ("NoSchedule", "NoExecute")
    taint = next((one for one in untolerated(ask, facts) if one.effect in effects), None)
    if taint is None:
        return None
    says = "that it does not tolerate"
    return Rejected("Taint", f"has a taint {says}", f"have taints {says}", taint.text)


def untolerated(ask: Question, facts: HostFacts) -> list[Taint]:
    """The taints of the host that placement.tolerations say nothing of."""
    tolerations = ask.service.spec.placement.tolerations or ()
    return [one for one in facts.host.spec.taints or () if not any(each.tolerates(one) for each in tolerations)]


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
    is_out = its.barred or any(judge(ask, its) for judge in (is_selected, is_free, is_tolerated))
    return (0.0, "") if is_out else (until_s, found.host)


Filter = Callable[[Question, HostFacts], Rejected | None]
RUN: Final = frozenset({Point.START, Point.RETRY})
_SPARE: Final = frozenset({Point.STANDBY, Point.TAKE_OVER})

# What failed may be repaired while the host is asked to be ready, and what a cordoned host says counts before the first epoch, too.
FILTERS: Final[Sequence[tuple[Filter, Set[Point]]]] = (
    (may_stay, {Point.STAY}),
    (is_selected, frozenset(Point)),
    (is_its_host, frozenset(Point)),
    (is_free, {*RUN, *_SPARE, Point.FIRST_EPOCH}),
    (is_wished, RUN),
    (has_no_other, {*RUN, *_SPARE, Point.FIRST_EPOCH}),
    (is_open, {*RUN, *_SPARE}),
    (is_tolerated, {*RUN, *_SPARE, Point.STAY}),
    (has_session, RUN),
    (is_reachable, _SPARE),
    (may_answer, {Point.FIRST_EPOCH}),
    (has_room, {Point.STANDBY}),
    (starts_here, {*RUN, Point.TAKE_OVER}),
    (may_fail_over, {*RUN, Point.STANDBY}),
    (could_fail_over, {Point.TAKE_OVER}),
    (has_capacity, {*RUN, Point.TAKE_OVER}),
    (is_apart, {*RUN, Point.STAY, Point.TAKE_OVER}),
    (is_together, {*RUN, Point.STAY}),
    (could_be_together, {Point.TAKE_OVER}),
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
