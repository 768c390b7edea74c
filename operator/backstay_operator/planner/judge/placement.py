"""Where a service shall run: asks the judges about each host, takes the best, and says why, of every host.

Deterministic, and whatever the order of the inputs: nothing is compared but what the judges say and, at last, the name.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

from backstay_api.objects import windows
from backstay_api.objects.durations import seconds
from backstay_api.objects.models import HAInstance, HAService
from backstay_operator.planner.know.holdings import contested
from backstay_operator.planner.know.parts import role_of
from backstay_operator.planner.know.selection import declared, unselected
from backstay_operator.planner.know.world import World
from backstay_operator.planner.words import listed

from . import edits
from .budget import unstable
from .host_facts import HostFacts, Rejected, all_facts, facts_of
from .judges import Filter, filters, is_selected, rejection, rejections
from .prerequisites import seen_on, unmet
from .questions import Planned, Point, Question
from .scores import Score, Scorer, evenness, fewest_taints, preference, rules_kept, scorers
from .strangers import acquainted, as_a_stranger, what_they_read

# As many as a service's status can list (HAServiceStatus.standbys). Hosts that said no are kept asked, so that they can
# change their mind and so that nobody asks in circles; beyond this many, others get no chance before one of them is repaired.
MOST_ASKED: Final = 32
FOR_BETTER_S: Final = 1.0
"""Hosts that are asked at once answer within milliseconds of each other; where the first edit or report of many comes, within tenths."""


class Verdict(NamedTuple):
    """What the judges said of one host."""

    host: str
    rejected: Rejected | None = None
    scores: tuple[Score, ...] = ()

    @property
    def why(self) -> str:
        if self.rejected:
            return self.rejected.why
        return ", ".join(score.why for score in self.scores if score.why)


@dataclass(frozen=True)
class Placed:
    """The host for it."""

    host: str
    why: str
    verdicts: tuple[Verdict, ...]
    """All hosts, the best first, the rejected last."""


@dataclass(frozen=True)
class NoHost:
    """No host can run it now."""

    why: str
    """In one line: `0/3 hosts can run it: 2 are cordoned, 1 has been silent for 4 s`."""
    verdicts: tuple[Verdict, ...]
    look_again_s: float | None = None
    """When time alone may change this, on the clock of `World.now_s`."""


Barred = Mapping[str, Rejected]
_Rank = tuple[bool, tuple[int, ...], str]
"""Of a verdict, the best first; at last by the host, so that no two are alike."""


def candidates(world: World, service: HAService) -> tuple[str, ...]:
    """Hosts that may ever run it: selected, not being removed, and no other service's for what it names."""
    others = contested(world, service)
    hosts = declared(world, service)
    return tuple(name for name in hosts if name not in others) if others else hosts


def place(
    world: World,
    service: HAService,
    instance: HAInstance | None,
    *,
    to: str | None = None,
    away_from: Iterable[str] = (),
    planned: Planned | None = None,
    announced: str = "",
    retry: bool = False,
) -> Placed | NoHost:
    """Choose the host that the instance should be granted to now.

    `to` is a person's wish: that host or none. `away_from` are hosts that it shall leave (a drain, a move). `planned` names
    what is on its way to each host already, so that many services that start at once do not all choose one. `announced` is the
    host that people were told of, best if it will do.
    `retry`: it runs nowhere, so where no host is without a failed start, the one where it failed least is tried again.
    """
    ask = Question(world, service, instance, to, frozenset(away_from), planned or {}, announced)
    return choose_or_retry(ask) if retry else choose(ask)


def choose_or_retry(ask: Question) -> Placed | NoHost:
    """Judge every host; and where none is without a failed start, once more, for the one where it failed least."""
    placed = choose(ask)
    return choose(replace(ask, retry=True)) if isinstance(placed, NoHost) else placed


def choose(ask: Question) -> Placed | NoHost:
    """Judge every host."""
    verdicts = _judged(Point.RETRY if ask.retry else Point.START, ask)
    if verdicts and verdicts[0].rejected is None:
        return Placed(verdicts[0].host, _why_chosen(verdicts), verdicts)
    return NoHost(fold(verdicts), verdicts, _look_again_s(verdicts))


def best_among(ask: Question, hosts: Collection[str]) -> str:
    """The host of these that `choose_or_retry` would take, where it could take no other; empty: none will do."""
    for point, asks in ((Point.START, ask), (Point.RETRY, replace(ask, retry=True))):
        asked, scored = filters(point, asks), scorers(point, asks)
        ranked = (_ranked(asks, facts_of(ask.world, name), asked, scored) for name in hosts)
        _, best = min(ranked)
        if best.rejected is None:
            return best.host
    return ""


def better_to_come(ask: Question, placed: Placed, asked: Collection[str]) -> NoHost | None:
    """What nobody holds waits a moment for hosts that it would rather have, and that are asked and have not answered yet.

    Else it would go to whoever answers first, and with `failback: Never` stay there. By our own clock, from when the first was seen ready.
    """
    seen = ask.world.ready_s.get(ask.instance.uid) if ask.instance is not None else None
    is_of_this = seen is not None and seen[0] == ask.service.metadata.generation
    if seen is None or not is_of_this or ask.world.now_s >= seen[1] + FOR_BETTER_S:
        return None
    its = _wanted(ask, placed.host)
    better = [host for host in still_to_answer(ask, asked) if _wanted(ask, host) > its]
    if not better:
        return None
    why = f"{placed.host} could run it; waiting a moment for {listed(better)}, which would be better, to say whether it is ready"
    return NoHost(why, placed.verdicts, seen[1] + FOR_BETTER_S)


def _wanted(ask: Question, host: str) -> tuple[int, ...]:
    """How much people want it there; that it does less, or is named first, is nothing to wait for."""
    facts = facts_of(ask.world, host)
    return tuple(judge(ask, facts).points for judge in (fewest_taints, rules_kept, evenness, preference))


def still_to_answer(ask: Question, asked: Collection[str], *, or_late: bool = False) -> list[str]:
    """Of hosts that are asked, those that nothing speaks against but that they have yet to say something; or that they are late."""
    return [host for host in asked if _may_still_say_yes(ask, host, or_late)]


def _may_still_say_yes(ask: Question, host: str, or_late: bool) -> bool:
    facts = facts_of(ask.world, host)
    against = rejections(Point.START, ask, facts)
    late = facts.no_session if or_late and not facts.lost else None
    return bool(against) and all(one.is_unanswered or one is late for one in against)


def standbys(world: World, service: HAService, instance: HAInstance | None) -> tuple[str, ...]:
    """Hosts that shall keep themselves ready for it, best first.

    Before the first epoch, and before an edit that brings a unit, all live candidates are asked, cordoned ones too: each has to say
    that nothing of it runs there.
    Later the best few, and those that have said no: asked on, they tell when that has changed.
    """
    return _chosen_standbys(world, service, instance).hosts


def barred(world: World, service: HAService, instance: HAInstance | None) -> Barred:
    """By host, why it may not be asked to keep itself ready for it."""
    known = _chosen_standbys(world, service, instance).barred
    return known if known is not None else _barred(_judged(Point.STANDBY, Question(world, service, instance)))


def _barred(verdicts: Sequence[Verdict]) -> Barred:
    return {verdict.host: verdict.rejected for verdict in verdicts if verdict.rejected}


class _Standbys(NamedTuple):
    hosts: tuple[str, ...]
    barred: Barred | None = None
    """Why others are not asked, where that was looked at on the way."""


def _chosen_standbys(world: World, service: HAService, instance: HAInstance | None) -> _Standbys:
    return world.once("standbys", (service, instance), lambda: _choose_standbys(world, service, instance))


def _choose_standbys(world: World, service: HAService, instance: HAInstance | None) -> _Standbys:
    ask = Question(world, service, instance)
    if instance is None or instance.spec.epoch == 0 or edits.news(world, service, instance):
        return _Standbys(tuple(verdict.host for verdict in _judged(Point.FIRST_EPOCH, ask) if not verdict.rejected))
    verdicts = _judged(Point.STANDBY, ask)
    others = [verdict.host for verdict in verdicts if not verdict.rejected and verdict.host != ask.holder]
    return _Standbys(_best_standbys(ask, others), _barred(verdicts))


def _best_standbys(ask: Question, others: Sequence[str]) -> tuple[str, ...]:
    """Of hosts that may be asked, the best first."""
    known = acquainted(ask)  # of all others nobody knows what they would answer
    answers = {name: _answer(ask, name) for name in others if name in known}
    hopeful = [name for name in others if answers.get(name) is not False]
    # Of copies that could be promoted each is asked how fresh its data is.
    best = hopeful[: MOST_ASKED if role_of(ask.service) == "Promoted" else ask.world.settings.standbys]
    if not any(answers.get(name) for name in best):
        # A better host that has yet to answer does not replace the one that is known to be ready.
        best += [name for name in hopeful if answers.get(name)][:1]
    unwilling = [name for name in others if answers.get(name) is False]
    return tuple((best + unwilling)[:MOST_ASKED])


def better_host(
    world: World, service: HAService, instance: HAInstance, planned: Planned | None = None
) -> Placed | NoHost | None:
    """With `failback: Always` or `Window`, a host that is preferred to the present one by more than the stickiness; or why it must wait."""
    holder = instance.holder
    if service.spec.placement.failback == "Never" or holder not in world.hosts:
        return None
    ask = Question(world, service, instance, away_from=frozenset([holder]), planned=planned or {})
    placed = choose(ask)
    if not isinstance(placed, Placed):
        return None
    its, others = facts_of(world, holder), facts_of(world, placed.host)
    if any(judge(ask, others).points < judge(ask, its).points for judge in (fewest_taints, rules_kept, evenness)):
        return None  # a start would not choose it either
    here, there = preference(ask, its).points, preference(ask, others).points
    stickiness = service.spec.placement.stickiness
    if there <= here + stickiness:
        return None
    why = f"{placed.host} is preferred by {there}, {holder} by {here}: more than the stickiness of {stickiness} apart"
    wait_s = unstable(world, placed.host)
    if wait_s is not None:
        said = f"{why}; but it was fenced lately, and is moved back to only when it has been stable for some minutes"
        return NoHost(said, placed.verdicts, world.now_s + wait_s)
    if (closed := _closed(world, service)) is not None:
        said = f"{why}; it moves there in placement.window, which opens at {closed.opens_next}"
        return NoHost(said, placed.verdicts, world.now_s + closed.in_s)
    return Placed(placed.host, why, placed.verdicts)


def _closed(world: World, service: HAService) -> windows.Opening | None:
    """The window in which it may move back, unless that is open, or it needs none."""
    wanted = service.spec.placement.window
    if service.spec.placement.failback != "Window" or wanted is None:
        return None
    found = windows.opening(wanted.schedule, wanted.zone, seconds(wanted.duration), world.wall)
    return None if found.is_open else found


def must_leave(
    world: World, service: HAService, instance: HAInstance, planned: Planned | None = None
) -> Rejected | None:
    """Why a service that runs well must leave its holder all the same: drained, removed, no longer selected, or against a rule."""
    holder = instance.holder
    if not holder:
        return None
    if holder not in world.hosts:
        return Rejected("Removed", "has no Host object any more", "have no Host objects any more")
    return rejection(Point.STAY, Question(world, service, instance, planned=planned or {}), facts_of(world, holder))


def fold(verdicts: Sequence[Verdict]) -> str:
    """All rejections in one line, the most frequent first, as kube-scheduler puts it."""
    if not verdicts:
        return "there are no hosts: add one with `backstay host add`"
    groups: dict[str, list[Rejected]] = defaultdict(list)
    for verdict in verdicts:
        if verdict.rejected:
            groups[verdict.rejected.many].append(verdict.rejected)
    ranked = sorted(groups.items(), key=lambda group: (-len(group[1]), group[0]))
    parts = [
        f"1 {group[0].why}" if len(group) == 1 else f"{len(group)} {many}{_shared(group)}" for many, group in ranked
    ]
    able = sum(verdict.rejected is None for verdict in verdicts)
    return f"{able}/{len(verdicts)} hosts can run it: {', '.join(parts)}"


def _shared(group: Sequence[Rejected]) -> str:
    """The particulars, where all of them have the same."""
    particulars = {rejected.particulars for rejected in group}
    one = particulars.pop() if len(particulars) == 1 else ""
    return f": {one}" if one else ""


def _judged(point: Point, ask: Question) -> tuple[Verdict, ...]:
    """A verdict on every host, the best first."""
    asked, scored, facts = filters(point, ask), scorers(point, ask), all_facts(ask.world)
    said = what_they_read(ask, (*asked, *scored))
    if said is None:
        return _verdicts(_all_ranked(ask, asked, scored))
    of_strangers = ask.world.once(
        ("of strangers", asked, scored, said), (), lambda: _all_ranked(as_a_stranger(ask), asked, scored)
    )
    known = acquainted(ask)
    if not known:
        return ask.world.once("verdicts", (of_strangers,), lambda: _verdicts(of_strangers))
    ranked = [one for one in of_strangers if one[0][-1] not in known]
    ranked += [_ranked(ask, facts[name], asked, scored) for name in known if name in facts]
    return _verdicts(sorted(ranked))


def _verdicts(ranked: Sequence[tuple[_Rank, Verdict]]) -> tuple[Verdict, ...]:
    return tuple([verdict for _, verdict in ranked])


def _all_ranked(ask: Question, asked: Sequence[Filter], scored: Sequence[Scorer]) -> list[tuple[_Rank, Verdict]]:
    facts, selector = all_facts(ask.world), ask.service.spec.placement.hosts
    if selector is None or asked[0] is not is_selected:
        return sorted(_ranked(ask, one, asked, scored) for one in facts.values())
    # Of hosts that it does not select everybody with that selector is told the same, whatever else is asked.
    others = unselected(ask.world, selector)
    rejected = ask.world.once(
        ("not selected", selector.model_dump_json()),
        (),
        lambda: sorted(_ranked(ask, facts[name], asked[:1], ()) for name in others if name in facts),
    )
    return sorted([*rejected, *(_ranked(ask, one, asked, scored) for name, one in facts.items() if name not in others)])


def _ranked(
    ask: Question, facts: HostFacts, asked: Sequence[Filter], scored: Sequence[Scorer]
) -> tuple[_Rank, Verdict]:
    verdict = _verdict(ask, facts, asked, scored)
    return _rank(verdict), verdict


def _verdict(ask: Question, facts: HostFacts, asked: Sequence[Filter], scored: Sequence[Scorer]) -> Verdict:
    for judge in asked:
        if rejected := judge(ask, facts):
            return Verdict(facts.name, rejected)
    return Verdict(facts.name, None, tuple([scorer(ask, facts) for scorer in scored]))


def _rank(verdict: Verdict) -> _Rank:
    return (verdict.rejected is not None, tuple([-score.points for score in verdict.scores]), verdict.host)


def _why_chosen(verdicts: Sequence[Verdict]) -> str:
    """What sets the best host apart from the second, in the words of the first judge that saw a difference."""
    able = [verdict for verdict in verdicts if verdict.rejected is None]
    best = able[0]
    if len(able) == 1:
        return f"the only host of {len(verdicts)} that can run it"
    for ours, theirs in zip(best.scores, able[1].scores, strict=True):
        if ours.points != theirs.points:
            against = f"{able[1].host} {theirs.why}" if theirs.why else f"better by {ours.judge}"
            return f"{ours.why or against}; {listed([other.host for other in able[1:]])} could run it too"
    return f"as good as {listed([other.host for other in able[1:]])}, and first by name"


def _look_again_s(verdicts: Sequence[Verdict]) -> float | None:
    """When the first of them may change though nobody writes anything."""
    times_s = (verdict.rejected.look_again_s for verdict in verdicts if verdict.rejected)
    return min((at_s for at_s in times_s if at_s is not None), default=None)


def _answer(ask: Question, name: str) -> bool | None:
    """Whether this host has said that it could run it by the present manifest, and has what that needs; None: that is not known yet."""
    answer = facts_of(ask.world, name).report.standbys.get(ask.instance.uid) if ask.instance else None
    if ask.instance is None or answer is None or answer.revision != ask.service.metadata.generation:
        return None
    if not answer.ready or answer.active:
        return False
    lacks = [one for one in unmet(ask.world, ask.service, ask.instance, name) if one.blocks]
    if lacks and ask.holder and not seen_on(ask.world, ask.service, ask.instance, ask.holder):
        return None  # what they are held against is about to be known: nobody else is asked for that
    return False if any(one.is_known for one in lacks) else None if lacks else True
