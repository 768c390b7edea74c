"""Mutants of what agents list that they know."""

from __future__ import annotations

from typing import Final

from .kinds import PLANNER, UNIT, Mutant, one

_JUDGES: Final = f"{PLANNER}/judge/judges.py"
_POINTS: Final = f"{UNIT}/planner/judge/test_points.py"
_CASES: Final = f"{UNIT}/planner/judge/test_judges.py"

MUTANTS: Final[tuple[Mutant, ...]] = (
    one(
        "what an agent does not know is not brought to its host",
        _JUDGES,
        "    (is_understood, {*RUN, *_SPARE}),\n",
        "    (is_understood, {*_SPARE}),\n",
        _POINTS,
    ),
    one(
        "what runs there was understood",
        f"{PLANNER}/judge/agents.py",
        " if known and facts.name != ask.holder else []",
        " if known else []",
        _CASES,
    ),
    one(
        "an agent that lists nothing answers for itself",
        f"{PLANNER}/judge/agents.py",
        " if known and facts.name != ask.holder else []",
        " if facts.name != ask.holder else []",
        _CASES,
    ),
)
