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
from backstay_operator.planner.know.fitting import no_room, some_are_full
from backstay_operator.planner.know.holdings import contested
from backstay_operator.planner.know.parts import role_of
from backstay_operator.planner.know.selection import unselected
from backstay_operator.planner.words import UNCLEAR

from .affinity import could_be_together, has_ties, is_apart, is_together
from .agents import is_understood, may_be_unknown
from .capacity import has_capacity
from .copies import are_many, its_host, other_there
from .host_facts import HostFacts, Rejected, facts_of, some_are_tainted
from .move_budget import used_up
from .prerequisites import older_while_it_runs, prerequisites_of, told, unmet
from .promotion import has_copy_that_works, has_fresh_data, is_not_passed_over, is_scored, keeps_its_copy
from .questions import Point, Question
from .retries import could_fail_over, failures_of, may_fail_over, starts_here
from .spread import is_spread

# --- filters: cheapest first -----------------------------------------------------------------------------------------


def may_stay(ask: Question, facts: HostFacts) -> Rejected | None:
    """The host is neither removed nor drained."""
    return facts.leaving


def is_selected(ask: Question, facts: HostFacts) -> Rejected | None:
    """The host's labels are what placement.hosts asks for."""
    wanted = ask.service.spec.placement.hosts
    why = ask.once("unselected", lambda: unselected(ask.world, wanted)).get(facts.name) if wanted else None
    if why is None:
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


def is_ready(ask: Question, facts: HostFacts) -> Rejected | None:
    """The host has examined this very manifest and could run it now. The holder counts: it runs it."""
    if facts.name in (ask.holder, ask.ran_on):
        return None
    answer = facts.report.standbys.get(ask.instance.uid) if ask.instance else None
    if answer is None or answer.revision != ask.service.metadata.generation:
        says = "said yet whether"
        return _unready(f"has not {says} it is ready", f"have not {says} they are ready", is_unanswered=True)
    if answer.active and answer.unclear:
        return _unready(UNCLEAR, UNCLEAR, answer.why)
    if answer.active:
        done = "some of it already, not started by Backstay, stop it there"
        return _unready(f"runs {done}", f"run {done}", answer.why)
    if not answer.ready:
        return _unready("is not ready", "are not ready", answer.why)
    return None


def _unready(one: str, many: str, why: str = "", *, is_unanswered: bool = False) -> Rejected:
    return Rejected("Ready", one, many, why, is_passing=True, is_unanswered=is_unanswered, reason="NotReady")


def meets_prerequisites(ask: Question, facts: HostFacts) -> Rejected | None:
    """The host has what the service needs, as it is where the service runs or ran last. The holder counts: what ran there may run there."""
    if facts.name == ask.holder or ask.instance is None:
        return None
    found = [one for one in unmet(ask.world, ask.service, ask.instance, facts.name) if one.blocks]
    if not found:
        return None
    if not all(one.is_known for one in found):
        return _not_looked(
            "has not looked yet whether it has what it needs", "have not looked yet whether they have what it needs"
        )
    lacks, why = ("lacks what it needs", "lack what it needs"), told(found)
    return Rejected("Prerequisites", *lacks, why, is_passing=True, reason=found[0].reason)


def is_not_older(ask: Question, facts: HostFacts) -> Rejected | None:
    """What runs is not moved to a host that has what it needs as it was before an edit: that is for when there is an outage."""
    found = older_while_it_runs(ask.world, ask.service, ask.instance, facts.name) if ask.instance else ()
    says = "what it needs as it was before an edit, good for an outage alone"
    return Rejected("Prerequisites", f"has {says}", f"have {says}", told(found), is_passing=True) if found else None


def _not_looked(one: str, many: str) -> Rejected:
    return Rejected("Prerequisites", one, many, is_passing=True, is_unanswered=True, reason="NotVerified")


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
    (keeps_its_copy, {Point.STAY, Point.STANDBY}),
    (has_copy_that_works, {*RUN, Point.TAKE_OVER}),
    (is_open, {*RUN, *_SPARE}),
    (is_tolerated, {*RUN, *_SPARE, Point.STAY}),
    (is_understood, {*RUN, *_SPARE}),
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
    (is_spread, {*RUN, Point.TAKE_OVER}),
    (is_ready, {*RUN, Point.TAKE_OVER}),
    (meets_prerequisites, {*RUN, Point.TAKE_OVER}),
    (is_not_older, RUN),
    (need_not_wait, RUN),
    (has_fresh_data, {*RUN, Point.TAKE_OVER}),
    (is_not_passed_over, RUN),
)

_Judge = TypeVar("_Judge")


def by_point(rows: Sequence[tuple[_Judge, Set[Point]]]) -> Mapping[Point, Sequence[_Judge]]:
    """Who is asked at each point, in the order of the rows."""
    return {point: tuple(judge for judge, points in rows if point in points) for point in Point}


FILTERS_AT: Final = by_point(FILTERS)


# A filter that stands here is asked about hosts where this holds of the question; where it does not, it has nothing against any host.
ASKED_IF: Final[Mapping[Filter, Callable[[Question], bool]]] = {
    is_selected: lambda ask: ask.service.spec.placement.hosts is not None,
    is_its_host: lambda ask: its_host(ask.service, ask.instance) != "",
    is_free: lambda ask: bool(contested(ask.world, ask.service)),
    is_wished: lambda ask: ask.to is not None or bool(ask.away_from),
    has_no_other: lambda ask: are_many(ask.world, ask.service),
    is_tolerated: lambda ask: some_are_tainted(ask.world),
    is_understood: may_be_unknown,
    has_room: lambda ask: some_are_full(ask.world),
    starts_here: lambda ask: bool(failures_of(ask)),
    may_fail_over: lambda ask: used_up(ask.world, ask.service, ask.slot) != "",
    could_fail_over: lambda ask: used_up(ask.world, ask.service, ask.slot) != "",
    has_capacity: lambda ask: bool(ask.service.spec.placement.capacity),
    is_apart: has_ties,
    is_together: has_ties,
    could_be_together: has_ties,
    meets_prerequisites: lambda ask: bool(prerequisites_of(ask.service)),
    is_not_older: lambda ask: bool(ask.holder and prerequisites_of(ask.service)),
    keeps_its_copy: lambda ask: role_of(ask.service) == "Promoted",
    has_copy_that_works: lambda ask: role_of(ask.service) == "Promoted",
    has_fresh_data: is_scored,
    is_not_passed_over: is_scored,
    is_spread: lambda ask: bool(ask.service.spec.placement.spread),
    need_not_wait: lambda ask: reboot_awaited(ask)[1] != "",
}


def filters(point: Point, ask: Question) -> Sequence[Filter]:
    """Who has to be asked about each host, in the order of the rows."""
    return ask.once(f"filters {point}", lambda: worth_asking(FILTERS_AT[point], ASKED_IF, ask))


def worth_asking(
    judges: Sequence[_Judge], asked_if: Mapping[_Judge, Callable[[Question], bool]], ask: Question
) -> Sequence[_Judge]:
    """Those of the judges that may say different things of different hosts."""
    return tuple(judge for judge in judges if judge not in asked_if or asked_if[judge](ask))


def rejection(point: Point, ask: Question, facts: HostFacts) -> Rejected | None:
    """Why this host will not do, by the first filter that has something against it."""
    for judge in filters(point, ask):
        if rejected := judge(ask, facts):
            return rejected
    return None


def rejections(point: Point, ask: Question, facts: HostFacts) -> tuple[Rejected, ...]:
    """All that is against this host, each filter asked whatever the others say."""
    return tuple(rejected for judge in filters(point, ask) if (rejected := judge(ask, facts)))
