"""The questions of `questions/`, asked again. `--rewrite` records the answers as they are now: read the difference before you commit it."""

from __future__ import annotations

from pathlib import Path

import pytest

from backstay_testing.question_texts import answered
from backstay_testing.recorded import Recorded, recorded_in

QUESTIONS = list(recorded_in(Path(__file__).with_name("questions")))


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question.title)
def test_it_is_answered_as_recorded(question: Recorded, request: pytest.FixtureRequest) -> None:
    question.check(answered, rewrite=request.config.getoption("--rewrite"))


def test_there_are_questions_and_each_has_a_title_of_its_own() -> None:
    titles = [question.title for question in QUESTIONS]
    assert len(titles) > 100 and len(set(titles)) == len(titles)
