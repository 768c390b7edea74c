"""Which of the hosts that may run a service is the best: small judges again, weightiest first, each with its reason.

To add one, write the function and give it a row in `SCORES`, which says at which points it is asked.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass
from typing import Final

from backstay_operator.planner.know.selection import why_not_selected
from backstay_operator.planner.words import listed

from . import affinity
from .host_facts import HostFacts
from .judges import RUN, by_point, is_ready, reboot_awaited, recent_failures, untolerated
from .questions import Point, Question


@dataclass(frozen=True)
class Score:
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
    """The host on which it leaves room for all others that wait, where each by itself would not."""
    is_it = facts.name == ask.room
    return Score("Capacity", int(is_it), "leaves room for all that wait" if is_it else "")


def awaited_there(ask: Question, facts: HostFacts) -> Score:
    """The host that it waits for is asked to keep itself ready before all others."""
    _, host = reboot_awaited(ask)
    return Score("Reboot", int(facts.name == host), "ran it before its reboot" if facts.name == host else "")


def fewest_taints(ask: Question, facts: HostFacts) -> Score:
    """Taints that only make a host the worse one, PreferNoSchedule: as few as may be."""
    taints = [one.text for one in untolerated(ask, facts) if one.effect == "PreferNoSchedule"]
    return Score("Taint", -len(taints), f"has the taint {', '.join(taints)}" if taints else "")


def rules_kept(ask: Question, facts: HostFacts) -> Score:
    """As many of the rules about other services as may be: who follows it would have to move, and a standby could not take over."""
    names = affinity.broken(ask, facts)
    why = f"goes against a rule about {listed(names)}" if names else ""
    return Score("Affinity", -len(names), why)


def preference(ask: Question, facts: HostFacts) -> Score:
    """The sum of the weights in placement.prefer, together and apart that this host earns."""
    labels, wishes = facts.host.metadata.labels, ask.service.spec.placement.prefer or ()
    points = sum(wish.weight for wish in wishes if not why_not_selected(wish.hosts, labels))
    points += affinity.weight(ask, facts)
    return Score("Preference", points, f"preferred by {points:+d}" if points else "")


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

# Later: spread, as a wish, is added to what `preference` says. The name breaks what ties remain.
SCORES: Final[Sequence[tuple[Scorer, Set[Point]]]] = (
    (announced, RUN),
    (leaves_room, RUN),
    (fewest_failures, {Point.RETRY}),
    (awaited_there, {Point.STANDBY}),
    (no_recent_failure, _STANDBY),
    (fewest_taints, {*RUN, *_STANDBY}),
    (rules_kept, {*RUN, Point.STANDBY}),
    (preference, {*RUN, *_STANDBY}),
    (readiness, RUN),
    (already_asked, _STANDBY),
    (fewer_services, {*RUN, *_STANDBY}),
)

SCORES_AT: Final = by_point(SCORES)
