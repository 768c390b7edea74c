"""Thresholds: so many answers in a row change a verdict, and not one less."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backstay_agent.core.health import Health, Thresholds, Verdict, judge

UNKNOWN, WORKS, FAILS = Verdict


def verdicts(answers: str, thresholds: Thresholds) -> str:
    health, seen = Health(), ""
    for answer in answers:
        health = judge(health, answer == "+", thresholds)
        seen += health.verdict.value[0]
    return seen


@pytest.mark.parametrize(
    ("answers", "failures", "successes", "expected"),
    [
        pytest.param("+", 3, 1, "W", id="one success is enough by default"),
        pytest.param("--", 3, 1, "UU", id="two failures are not three"),
        pytest.param("---", 3, 1, "UUF", id="three are"),
        pytest.param("+--+--+", 3, 1, "WWWWWWW", id="a success between starts the count anew"),
        pytest.param("+---", 3, 1, "WWWF", id="it fails"),
        pytest.param("+---+", 3, 1, "WWWFW", id="and works again"),
        pytest.param("-+-", 1, 2, "FFF", id="one success of two is not enough"),
        pytest.param("-++", 1, 2, "FFW", id="two are"),
        pytest.param("-+-++", 1, 2, "FFFFW", id="in a row"),
        pytest.param("+-", 1, 1, "WF", id="thresholds of one follow every answer"),
        pytest.param("+-+-+-", 2, 2, "UUUUUU", id="one that cannot decide is left alone"),
    ],
)
def test_verdicts(answers: str, failures: int, successes: int, expected: str) -> None:
    assert verdicts(answers, Thresholds(failures, successes)) == expected


thresholds = st.builds(Thresholds, st.integers(1, 5), st.integers(1, 5))


@given(st.text("+-", max_size=40), thresholds)
def test_a_verdict_changes_only_after_its_number_of_equal_answers(answers: str, limits: Thresholds) -> None:
    seen = verdicts(answers, limits)
    for at in range(len(answers)):
        if seen[at] != (seen[at - 1] if at else "U"):
            needed = limits.successes if seen[at] == "W" else limits.failures
            assert answers[: at + 1].endswith(("+" if seen[at] == "W" else "-") * needed)


@given(st.text("+-", max_size=20), thresholds)
def test_enough_equal_answers_always_decide(answers: str, limits: Thresholds) -> None:
    assert verdicts(answers + "-" * limits.failures, limits)[-1] == "F"
    assert verdicts(answers + "+" * limits.successes, limits)[-1] == "W"


def test_health_begins_unknown() -> None:
    assert Health().verdict is UNKNOWN and Health() == Health(UNKNOWN, 0, None)
    assert {WORKS, FAILS} == set(Verdict) - {UNKNOWN}
