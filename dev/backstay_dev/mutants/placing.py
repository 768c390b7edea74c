"""Mutants of where a service may run: selectors and the judges that ask them."""

from __future__ import annotations

from typing import Final

from .kinds import API, PLANNER, UNIT, Mutant, one

_SELECTION: Final = f"{PLANNER}/know/selection.py"
_JUDGES: Final = f"{PLANNER}/judge/judges.py"
_SCORES: Final = f"{PLANNER}/judge/scores.py"
_PLACES: Final = f"{UNIT}/planner/judge/test_placement_properties.py"
_CASES: Final = f"{UNIT}/planner/judge/test_judges.py"
_SELECTS: Final = f"{UNIT}/planner/know/test_selection.py"

MUTANTS: Final[tuple[Mutant, ...]] = (
    one(
        "a host that lacks a label of matchLabels is not selected",
        _SELECTION,
        "        if has.get(key) != value:",
        "        if key in has and has[key] != value:",
        _CASES,
    ),
    one(
        "all expressions must hold",
        _SELECTION,
        "    for one in selector.match_expressions or ():",
        "    for one in (selector.match_expressions or ())[:0]:",
        _SELECTS,
    ),
    one(
        "NotIn holds without the label",
        _SELECTION,
        "            return value not in (one.values or ())",
        "            return value is not None and value not in (one.values or ())",
        _SELECTS,
    ),
    one(
        "Gt is above, not at",
        _SELECTION,
        "(number > limit if",
        "(number >= limit if",
        _SELECTS,
    ),
    one(
        "numbers are compared as numbers, and up to 64 bits as Kubernetes does",
        _SELECTION,
        "    return number if number is not None and number <= _LARGEST else None",
        "    return number",
        _SELECTS,
    ),
    one(
        "a host that is not selected is not chosen",
        _JUDGES,
        "    (is_selected, frozenset(Point)),\n",
        "    (is_selected, {Point.STAY}),\n",
        _CASES,
    ),
    one(
        "what a host does not want does not come there",
        _JUDGES,
        "    (is_tolerated, {*RUN, *_SPARE, Point.STAY}),\n",
        "    (is_tolerated, {Point.STAY}),\n",
        _CASES,
    ),
    one(
        "NoExecute lets nothing stay that does not tolerate it",
        _JUDGES,
        "    (is_tolerated, {*RUN, *_SPARE, Point.STAY}),\n",
        "    (is_tolerated, {*RUN, *_SPARE}),\n",
        _CASES,
    ),
    one(
        "NoSchedule moves nothing away",
        _JUDGES,
        '    effects = ("NoExecute",) if facts.name == ask.holder else ("NoSchedule", "NoExecute")',
        '    effects = ("NoSchedule", "NoExecute")',
        _CASES,
    ),
    one(
        "a toleration is of one effect, if it names one",
        f"{API}/objects/models/placement.py",
        "            self.effect in (None, taint.effect)\n            and ",
        "            ",
        _CASES,
    ),
    one(
        "PreferNoSchedule makes a host the worse one",
        _SCORES,
        '    return Score("Taint", -len(taints)',
        '    return Score("Taint", len(taints)',
        _CASES,
    ),
    one(
        "what a start would not choose is not moved back to",
        f"{PLANNER}/judge/placement.py",
        "    if fewest_taints(ask, others).points < fewest_taints(ask, its).points:",
        "    if False:",
        _PLACES,
    ),
)
