"""Which of the hosts that may run a service is the best: small judges again, weightiest first, each with its reason.

To add one, write the function and give it a row in `SCORES`, which says at which points it is asked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Set
from typing import Final, NamedTuple

from backstay_api.objects.models.placement import Preference
from backstay_operator.planner.know.selection import unselected
from backstay_operator.planner.words import listed

from . import affinity, spread
from .capacity import has_capacity
from .host_facts import HostFacts, some_are_tainted
from .judges import RUN, by_point, is_ready, reboot_awaited, untolerated, worth_asking
from .prerequisites import prerequisites_of, unmet
from .promotion import freshness, is_scored
from .questions import Point, Question
from .retries import failures_of, recent_failures


class Score(NamedTuple):
    """How good a host is by one judge. A judge that stands earlier outweighs all that follow."""

    judge: str
    points: int
    why: str = ""
    """Said only where it makes a difference."""


def announced(ask: Question, facts: HostFacts) -> Score:
    """Where people were told that it goes, it goes, if that host still will do."""
    is_it = facts.name == ask.announced
    return Score("Announced", int(is_it), "was chosen when it was stopped" if is_it else "")


def leaves_room(ask: Question, facts: HostFacts) -> Score:
    """The host on which it leaves room for others that wait, where each by itself would not."""
    is_it = ask.room is not None and facts.name == ask.room.host
    return Score("Capacity", int(is_it), ask.room.why if ask.room and is_it else "")


def awaited_there(ask: Question, facts: HostFacts) -> Score:
    """The host that it waits for is asked to keep itself ready before all others."""
    _, host = reboot_awaited(ask)
    return Score("Reboot", int(facts.name == host), "ran it before its reboot" if facts.name == host else "")


def has_what_it_needs(ask: Question, facts: HostFacts) -> Score:
    """A standby that is full could not take over: one with enough left of what placement.capacity names is the better one."""
    is_enough = has_capacity(ask, facts) is None
    return Score("Capacity", int(is_enough), "has enough left of placement.capacity" if is_enough else "")


def fewest_unmet(ask: Question, facts: HostFacts) -> Score:
    """A host that lacks something whose gate only warns, or has it otherwise, is the worse one."""
    if ask.instance is None or facts.name == ask.holder:
        return Score("Prerequisites", 0)
    found = unmet(ask.world, ask.service, ask.instance, facts.name)
    older, others = ([one.resource for one in found if one.is_older is is_older] for is_older in (True, False))
    said = [f"does not have {listed(others)} as it should be"] if others else []
    said += [f"has {listed(older)} as before an edit"] if older else []
    return Score("Prerequisites", -len(found), " and ".join(said))


def fewest_taints(ask: Question, facts: HostFacts) -> Score:
    """Taints that only make a host the worse one, PreferNoSchedule: as few as may be."""
    taints = [one.text for one in untolerated(ask, facts) if one.effect == "PreferNoSchedule"]
    return Score("Taint", -len(taints), f"has the taint {', '.join(taints)}" if taints else "")


def rules_kept(ask: Question, facts: HostFacts) -> Score:
    """As many of the rules about other services as may be: who follows it would have to move, and a standby could not take over."""
    names = affinity.broken(ask, facts)
    why = f"goes against a rule about {listed(names)}" if names else ""
    return Score("Affinity", -len(names), why)


def freshest(ask: Question, facts: HostFacts) -> Score:
    """The copy with the freshest data is promoted: of any other, what was written last would be lost."""
    points = freshness(ask, facts)
    return Score("Freshness", points, f"its data is the freshest ({points})" if points else "")


def evenness(ask: Question, facts: HostFacts) -> Score:
    """As few copies too many as may be, by placement.spread."""
    excess = spread.excess(ask, facts)
    many = f"{excess} cop{'y' if excess == 1 else 'ies'} too many"
    return Score("Spread", -excess, f"would have {many} by placement.spread" if excess else "")


def preference(ask: Question, facts: HostFacts) -> Score:
    """The sum of the weights in placement.prefer, together and apart that this host earns."""
    points = sum(wish.weight for wish, others in _wishes(ask) if facts.name not in others) + affinity.weight(ask, facts)
    return Score("Preference", points, f"preferred by {points:+d}" if points else "")


def _wishes(ask: Question) -> Sequence[tuple[Preference, Mapping[str, str]]]:
    """Each with the hosts that it is not about."""
    wishes = ask.service.spec.placement.prefer or ()
    return ask.once("wishes", lambda: [(one, unselected(ask.world, one.hosts)) for one in wishes])


def readiness(ask: Question, facts: HostFacts) -> Score:
    """Ready beats not asked yet, and that beats having said no."""
    rejected = is_ready(ask, facts)
    answer = facts.report.standbys.get(ask.instance.uid) if ask.instance else None
    is_no = answer is not None and answer.revision == ask.service.metadata.generation
    return Score("Ready", 1, "is ready") if rejected is None else Score("Ready", -1 if is_no else 0)


def fewer_services(ask: Question, facts: HostFacts) -> Score:
    """The host with less to do, counting what is on its way there already."""
    services = facts.services + len(ask.planned.get(facts.name, ()))
    return Score("Services", -services, f"runs {services} other{'' if services == 1 else 's'}")


def already_asked(ask: Question, facts: HostFacts) -> Score:
    """A standby stays a standby: others come and go, and that is no reason to change."""
    return Score("Asked", int(ask.instance is not None and ask.instance.uid in facts.asked), "is a standby already")


def fewest_failures(ask: Question, facts: HostFacts) -> Score:
    """Where a start has failed everywhere: the host where it has failed least."""
    failed = len(recent_failures(ask, facts))
    return Score("StartFailed", -failed, f"failed to start it {failed} time{'' if failed == 1 else 's'}")


def no_recent_failure(ask: Question, facts: HostFacts) -> Score:
    """Where a start has failed lately, another host is the better standby, however preferred this one is."""
    return Score("StartFailed", -1 if recent_failures(ask, facts) else 0, "no start has failed there")


_STANDBY: Final = frozenset({Point.STANDBY, Point.FIRST_EPOCH})
Scorer = Callable[[Question, HostFacts], Score]

# The name breaks what ties remain.
SCORES: Final[Sequence[tuple[Scorer, Set[Point]]]] = (
    # It was announced by numbers that still grew. Where a start has failed everywhere, those that failed least come before.
    (freshest, {Point.START}),
    (announced, RUN),
    (leaves_room, RUN),
    (fewest_failures, {Point.RETRY}),
    (awaited_there, {Point.STANDBY}),
    (no_recent_failure, _STANDBY),
    (has_what_it_needs, {Point.STANDBY}),
    (freshest, {Point.RETRY}),
    (fewest_unmet, RUN),
    (fewest_taints, {*RUN, *_STANDBY}),
    (rules_kept, {*RUN, Point.STANDBY}),
    (evenness, {*RUN, Point.STANDBY}),
    (preference, {*RUN, *_STANDBY}),
    (readiness, RUN),
    (already_asked, _STANDBY),
    # Before the first epoch all are asked, so that it is no matter who has less to do.
    (fewer_services, {*RUN, Point.STANDBY}),
)

SCORES_AT: Final = by_point(SCORES)

# A score that stands here makes a difference where this holds of the question; where it does not, all hosts are alike to it.
ASKED_IF: Final[Mapping[Scorer, Callable[[Question], bool]]] = {
    fewest_unmet: lambda ask: bool(prerequisites_of(ask.service)),
    announced: lambda ask: ask.announced != "",
    leaves_room: lambda ask: ask.room is not None,
    has_what_it_needs: lambda ask: bool(ask.service.spec.placement.capacity),
    awaited_there: lambda ask: reboot_awaited(ask)[1] != "",
    no_recent_failure: lambda ask: bool(failures_of(ask)),
    fewest_taints: lambda ask: some_are_tainted(ask.world),
    freshest: is_scored,
    rules_kept: affinity.has_ties,
    evenness: lambda ask: bool(ask.service.spec.placement.spread),
    preference: lambda ask: bool(ask.service.spec.placement.prefer) or affinity.has_ties(ask),
}


def scorers(point: Point, ask: Question) -> Sequence[Scorer]:
    """Who has to be asked about each host that will do, in the order of the rows."""
    return worth_asking(SCORES_AT[point], ASKED_IF, ask)
