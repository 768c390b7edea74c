"""The rules, one a row: what stands in the survey, and what need comes of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from backstay_api.objects.survey import (
    Clue,
    PathFacts,
    Survey,
)
from backstay_cli.drafting.needs import Confidence, Need
from backstay_cli.drafting.recipes import Recipe
from backstay_cli.drafting.rules import RULES, needs_of
from backstay_testing.need_rows import BASELINE, DAY, HUGE, LEFT_OUT, PROGRAM, RECIPE, ROWS, SHOP, L, M, S, a_folder
from backstay_testing.surveys import UNIT, a_path, a_survey


def of(survey: Survey, number: int, recipes: Sequence[Recipe] = ()) -> list[Need]:
    return [need for need in needs_of(survey, recipes, BASELINE) if need.number == number]


@pytest.mark.parametrize(("number", "survey", "kind", "spec", "confidence", "strategy"), ROWS)
def test_what_is_found_is_a_need(
    number: int, survey: Survey, kind: str, spec: dict[str, Any], confidence: Confidence, strategy: str
) -> None:
    (need,) = of(survey, number, (RECIPE,))
    assert (need.kind, dict(need.spec), need.confidence, need.strategy) == (kind, spec, confidence, strategy)
    assert need.why


@pytest.mark.parametrize(("number", "survey", "name"), LEFT_OUT)
def test_what_need_not_be_elsewhere_is_left_out_and_told(number: int, survey: Survey, name: str) -> None:
    (need,) = of(survey, number, (RECIPE,))
    assert need.is_left_out and need.name == name


def test_each_rule_has_its_number_and_a_case_here() -> None:
    assert [rule.number for rule in RULES] == list(range(1, 32))
    told = {row.values[0] for row in (*ROWS, *LEFT_OUT)}
    assert {rule.number for rule in RULES} - told == {21}, "that one is a choice of the data, not a need"


def test_a_way_to_replicate_is_a_choice_of_the_data() -> None:
    survey = a_survey(SHOP, a_folder("/var/lib/shop", HUGE, "Written"), programs=(PROGRAM,))
    (need,) = of(survey, 20, (RECIPE,))
    assert need.choices[-1] == "replicate in the application: its own"
    assert of(survey, 21, (RECIPE,)) == []


def test_what_one_rule_has_told_no_later_one_sees() -> None:
    survey = a_survey(
        a_path("/opt/shop/bin/shopd", "Executed"),
        a_folder("/opt/shop/data", DAY, "Written"),
        a_path("/opt/shop/x", "Argument"),
    )
    assert [need.number for need in needs_of(survey, (), BASELINE) if not need.is_left_out and need.kind == "path"] == [
        9
    ]


def test_a_file_that_only_lies_there_makes_nothing_likely_and_two_in_use_make_it_sure() -> None:
    def certainty(*where: str, known: str) -> Confidence:
        clues = tuple(Clue("Mentioned", f"{file}:1") for file in where)
        lies = [
            PathFacts(file, "File", clues=(Clue("Place", "lies there"),))
            for file in ("/etc/shop/a", "/etc/shop/b")
            if file != known
        ]
        return of(a_survey(PathFacts("/etc/default/shop", "File", clues=clues), *lies), 15)[0].confidence

    assert certainty("/etc/shop/a", known="") is M
    assert certainty("/etc/shop/a", known="/etc/shop/a") is L
    assert certainty("/etc/other/a", "/etc/other/b", known="") is S


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        pytest.param({"ignores_failure": True}, 'ExecStart has a "-"', id="a failed start counts as a success"),
        pytest.param({}, "DECIDE how it can be told", id="no port, no probe"),
    ],
)
def test_the_unit_comes_with_a_warning(facts: dict[str, Any], said: str) -> None:
    assert said in of(a_survey(units=(replace(UNIT, **facts),)), 1)[0].why


@pytest.mark.parametrize(
    ("facts", "timeouts"),
    [
        pytest.param({"type": "notify", "stop_limit_s": 3600.0}, {"start": "5m", "stop": "60s"}, id="without limits"),
        pytest.param({"type": "notify", "start_limit_s": 90.0, "stop_limit_s": 90.0}, {}, id="with limits of its own"),
    ],
)
def test_a_unit_that_waits_too_long_gets_limits(facts: dict[str, Any], timeouts: dict[str, str]) -> None:
    assert of(a_survey(units=(replace(UNIT, **facts),)), 1)[0].rest.get("timeouts", {}) == timeouts
