"""What would have to be otherwise for a certain host to be chosen: every rule against it, and the host that would still come before it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from backstay_operator.planner.do.decisions import Slot
from backstay_operator.planner.do.rounds import Round
from backstay_operator.planner.judge.host_facts import Rejected, facts_of
from backstay_operator.planner.judge.judges import rejections
from backstay_operator.planner.judge.placement import Verdict, choose
from backstay_operator.planner.judge.questions import Point, Question
from backstay_operator.planner.judge.scores import Score, scorers

_SCORE_OF: Final = {"Apart": "Affinity", "Together": "Affinity", "Taint": ""}
"""Where a filter's rule and the score that goes by the same have other names. Of taints the score counts others than the filter."""


@dataclass(frozen=True)
class Counterfactual:
    """Of one instance and one host that does not hold it."""

    against: tuple[Rejected, ...]
    """Each of these would have to be otherwise."""
    before: str
    """The host that would come before it even then; empty: none."""
    by: Score | None = None
    """What that host is better by; None: by its name alone."""
    its: Score | None = None
    """The same of this host."""


def counterfactual(round_: Round, slot: Slot, host: str) -> Counterfactual:
    """Ask every judge about this host, where the choice of a host ends with the first that is against it."""
    world, instance = round_.world, slot.instance
    leaves = frozenset([instance.holder]) if instance is not None and instance.holder else frozenset[str]()
    own = {instance.key} if instance is not None else set[str]()
    planned = {name: keys - own for name, keys in round_.planned.items()}
    ask = Question(world, slot.in_force, instance, away_from=leaves, planned=planned, announced=slot.course.to)
    facts = facts_of(world, host)
    against = rejections(Point.START, ask, facts)
    mine = [judge(ask, facts) for judge in scorers(Point.START, ask)]
    able = [verdict for verdict in choose(ask).verdicts if verdict.rejected is None and verdict.host != host]
    if not able:
        return Counterfactual(against, "")
    return _compared(against, able[0], mine, host)


def _compared(against: tuple[Rejected, ...], best: Verdict, mine: Sequence[Score], host: str) -> Counterfactual:
    """With the best of those that could run it."""
    # Where what is against it is otherwise, the score by the same is as well.
    rules = {_SCORE_OF.get(one.rule, one.rule) for one in against}
    scores = [pair for pair in zip(best.scores, mine, strict=True) if pair[0].judge not in rules]
    apart = next(((one, its) for one, its in scores if one.points != its.points), None)
    if apart is None:
        return Counterfactual(against, best.host if best.host < host else "")
    one, its = apart
    return Counterfactual(against, best.host, one, its) if one.points > its.points else Counterfactual(against, "")
