"""The document of a survey: written and read alike, joined without loss, and refused with a sentence where it is none."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backstay_api.objects.survey import (
    MOST_BYTES,
    CertificateFacts,
    Clue,
    MountFacts,
    PathFacts,
    ProgramFacts,
    Skipped,
    SocketFacts,
    Survey,
    TreeFacts,
    UnitFacts,
    UnreadableSurvey,
    merged,
    parse_survey,
    survey_text,
)

TEXT = st.text(st.characters(codec="utf-8", categories=["L", "N", "P"]), min_size=1, max_size=8)
CLUES = st.builds(Clue, st.sampled_from(["Unit", "Read", "Place"]), TEXT, TEXT)
PATHS = st.builds(
    PathFacts,
    TEXT,
    mode=st.integers(0, 0o7777),
    uid=st.integers(-1, 99999),
    clues=st.lists(CLUES, max_size=3).map(tuple),
    is_secret=st.booleans(),
    certificate=st.none() | st.builds(CertificateFacts, TEXT),
    tree=st.none() | st.builds(TreeFacts, st.integers(0, 9), st.integers(0, 9), st.integers(0, 9), st.integers(0, 9)),
)
SURVEYS = st.builds(
    Survey,
    unit=TEXT,
    units=st.lists(st.builds(UnitFacts, TEXT, stop_limit_s=st.just(0) | st.floats(0, 9)), min_size=1, max_size=3).map(
        tuple
    ),
    paths=st.lists(PATHS, max_size=4).map(tuple),
    programs=st.lists(st.builds(ProgramFacts, TEXT, uid=st.integers(-1, 9)), max_size=3).map(tuple),
    sockets=st.lists(st.builds(SocketFacts, st.just("tcp"), st.just("Listens"), TEXT), max_size=3).map(tuple),
    mounts=st.lists(st.builds(MountFacts, TEXT, TEXT, TEXT), max_size=2).map(tuple),
    skipped=st.lists(st.builds(Skipped, TEXT, TEXT), max_size=2).map(tuple),
)


@given(SURVEYS)
def test_what_is_written_is_read(survey: Survey) -> None:
    assert parse_survey(survey_text(survey)) == survey


@given(SURVEYS)
def test_a_survey_joined_with_itself_is_itself(survey: Survey) -> None:
    once = merged(survey, survey)
    assert merged(once, survey) == once
    assert {one.path for one in once.paths} == {one.path for one in survey.paths}


def test_of_a_path_that_two_sources_know_all_is_kept() -> None:
    one = Survey(unit="a", paths=(PathFacts("/x", "File", 0o640, clues=(Clue("Read", "a"),)),))
    other = Survey(unit="a", paths=(PathFacts("/x", package="shop", clues=(Clue("Read", "a"), Clue("Unit", "b"))),))
    assert merged(one, other).paths == (
        PathFacts("/x", "File", 0o640, clues=(Clue("Read", "a"), Clue("Unit", "b")), package="shop"),
    )


GOOD = {"format": 1, "unit": "a.service", "units": [{"name": "a.service"}]}


def test_what_a_later_agent_knows_more_is_left_out() -> None:
    assert (
        parse_survey(json.dumps({**GOOD, "moon": 1, "units": [{"name": "a.service", "phase": 2}]})).unit == "a.service"
    )


def test_no_text_of_it_can_end_a_comment() -> None:
    assert parse_survey(json.dumps({**GOOD, "host": "n1\nspec: {}\u2028x\x1b"})).host == "n1?spec: {}?x?"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        pytest.param("", "it is not JSON", id="nothing"),
        pytest.param("[" * 100_000, "it is not JSON", id="nested without end"),
        pytest.param("[]", "no number `format`", id="a list"),
        pytest.param('{"format": 2}', "it has format 2, and this release reads 1", id="of a later release"),
        pytest.param('{"format": 1}', "it names no unit", id="empty"),
        pytest.param(json.dumps({**GOOD, "paths": {}}), "survey.paths is not a list", id="a field of another type"),
        pytest.param(
            json.dumps({**GOOD, "paths": [{}]}), "survey.paths[0] lacks a field", id="a path without its path"
        ),
        pytest.param(
            json.dumps({**GOOD, "paths": [{"path": "/x", "mode": True}]}),
            "mode is not a int",
            id="a number that is none",
        ),
        pytest.param(
            json.dumps({**GOOD, "units": [{"name": "a", "role": "King"}]}),
            "role is none of Asked",
            id="a word that is not known",
        ),
        pytest.param(" " * (MOST_BYTES + 1), "longer than 1024 KiB", id="too long"),
    ],
)
def test_what_is_no_survey_is_refused_with_a_sentence(text: str, why: str) -> None:
    with pytest.raises(UnreadableSurvey) as refused:
        parse_survey(text)
    assert why in str(refused.value)


def test_a_unit_is_known_by_its_role() -> None:
    survey = Survey(unit="a", units=(UnitFacts("b", role="Peer"), UnitFacts("a")))
    assert survey.main.name == "a" and replace(survey, units=()).main == UnitFacts("a")
