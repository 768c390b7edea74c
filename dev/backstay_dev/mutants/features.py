"""Mutants of what agents list that they know, and of what they are asked by people."""

from __future__ import annotations

from typing import Final

from .kinds import AGENT, PLANNER, UNIT, Mutant, one

_JUDGES: Final = f"{PLANNER}/judge/judges.py"
_POINTS: Final = f"{UNIT}/planner/judge/test_points.py"
_CASES: Final = f"{UNIT}/planner/judge/test_judges.py"

_SURVEYS: Final = f"{AGENT}/asked_surveys.py"
_ASKED: Final = f"{UNIT}/agent/test_asked_surveys.py"
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
    one(
        "its own words are no question to an agent",
        _SURVEYS,
        'phase not in ("Done", "Failed")',
        "True",
        _ASKED,
    ),
    one(
        "nobody is answered who does not wait any more",
        _SURVEYS,
        "        if _is_over(until, now):\n",
        "        if False:\n",
        _ASKED,
    ),
    one(
        "what the host's policy lets nobody name is not looked into from afar",
        _SURVEYS,
        "        if why := refusal(unit):\n",
        '        if why := "":\n',
        _ASKED,
    ),
    one(
        "a survey is asked in one's own name",
        "charts/backstay/templates/admission-walls.yaml",
        "    - expression: object.spec.by == request.userInfo.username\n",
        "    - expression: 'true'\n",
        "tests/contract/test_negatives.py",
    ),
    one(
        "only that host's agent answers what it is asked",
        "charts/backstay/templates/admission-walls.yaml",
        "serviceclasses/status, hostsurveys/status]",
        "serviceclasses/status]",
        "tests/contract/test_negatives.py",
    ),
)
