"""Mutants of where a service may run: selectors and the judges that ask them."""

from __future__ import annotations

from typing import Final

from .kinds import API, PLANNER, STORIES, UNIT, Mutant, one

_SELECTION: Final = f"{PLANNER}/know/selection.py"
_JUDGES: Final = f"{PLANNER}/judge/judges.py"
_SCORES: Final = f"{PLANNER}/judge/scores.py"
_CAPACITY: Final = f"{PLANNER}/judge/capacity.py"
_AFFINITY: Final = f"{PLANNER}/judge/affinity.py"
_RULES: Final = f"{UNIT}/planner/judge/test_affinity_properties.py"
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
        "    if any(judge(ask, others).points < judge(ask, its).points for judge in (fewest_taints, rules_kept)):",
        "    if False:",
        _PLACES,
    ),
    one(
        "who must be apart is not started on the same host",
        _JUDGES,
        "    (is_apart, {*RUN, Point.STAY, Point.TAKE_OVER}),\n",
        "    (is_apart, {Point.STAY}),\n",
        _CASES,
    ),
    one(
        "who must be together is not started elsewhere",
        _JUDGES,
        "    (is_together, {*RUN, Point.STAY}),\n",
        "    (is_together, {Point.STAY}),\n",
        _CASES,
    ),
    one(
        "what runs against a new rule moves",
        _JUDGES,
        "    (is_apart, {*RUN, Point.STAY, Point.TAKE_OVER}),\n",
        "    (is_apart, {*RUN, Point.TAKE_OVER}),\n",
        _CASES,
    ),
    one(
        "apart is asked of what is on its way as well",
        _AFFINITY,
        "        for host in ((bound or holder,) if is_settled else (holder, bound))",
        "        for host in (holder,)",
        _CASES,
    ),
    one(
        "a service that is leaving keeps its host until it has left it",
        _AFFINITY,
        "        for host in ((bound or holder,) if is_settled else (holder, bound))",
        "        for host in (bound or holder,)",
        _CASES,
    ),
    one(
        "of two that must be apart only one moves",
        _AFFINITY,
        "        if tie.is_together or (is_here and not tie.binds):",
        "        if tie.is_together:",
        _RULES,
    ),
    one(
        "the other minds as well, where a rule is mutual",
        _AFFINITY,
        "            if not is_mutual(path, rule) or not names(owner, rule, service):",
        "            if True:",
        _CASES,
    ),
    one(
        "apart counts against a host",
        _AFFINITY,
        "            points += tie.rule.weight if tie.is_together else -tie.rule.weight",
        "            points += tie.rule.weight",
        _CASES,
    ),
    one(
        "a host without the label is near no other",
        _AFFINITY,
        "    return value is not None and value ==",
        "    return value ==",
        _CASES,
    ),
    one(
        "keeping rules about others is better than breaking them",
        _SCORES,
        '    return Score("Affinity", -len(names)',
        '    return Score("Affinity", len(names)',
        _CASES,
    ),
    one(
        "together and apart with one service is refused",
        f"{PLANNER}/judge/contradictions.py",
        "            if _is_same(rule, other) and _collide(rule, other):",
        "            if False:",
        f"{UNIT}/planner/judge/test_contradictions.py",
    ),
    one(
        "no more is started on a host than fits",
        _JUDGES,
        "    (has_capacity, {*RUN, Point.TAKE_OVER}),\n",
        "    (has_capacity, {Point.TAKE_OVER}),\n",
        _CASES,
    ),
    one(
        "what others have been granted is taken",
        _CAPACITY,
        "        if asked > offered - total(_need(one, name) for one in others):",
        "        if asked > offered:",
        _CASES,
    ),
    one(
        "what is on its way is taken as well",
        _CAPACITY,
        "*planned.get(host, ())}",
        "}",
        _CASES,
    ),
    one(
        "the more important goes first",
        f"{PLANNER}/do/rounds.py",
        "(-(world.services[key].spec.placement.priority or 0), key)",
        "((world.services[key].spec.placement.priority or 0), key)",
        f"{STORIES}/test_text.py",
    ),
    one(
        "a way for all that wait is looked for",
        f"{PLANNER}/judge/waiting.py",
        "    return all_of_them(items, free) or _as_many(items, free)",
        "    return {}",
        f"{STORIES}/test_text.py",
    ),
    one(
        "what one has taken is free again where that leads nowhere",
        f"{PLANNER}/judge/packing.py",
        "        _take(item, left[host], -1)\n",
        "",
        f"{UNIT}/planner/judge/test_packing.py",
    ),
)
