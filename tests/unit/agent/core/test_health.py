"""Thresholds: so many answers in a row change a verdict, and not one less; and what may only be slow is given more time, once."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backstay_agent.core.health import (
    CALM,
    HIGH_PERCENT,
    RECENT,
    Health,
    Look,
    Pressure,
    Signs,
    Thresholds,
    Verdict,
    judge,
    no_answer,
    patient,
)

UNKNOWN, WORKS, SUSPECT, FAILS = Verdict
BUSY = Signs((Pressure("the host's", "cpu", 63.4),))
# By a character: good at once, good but slow, refused, no answer in time.
LOOKS = {"+": Look(True, 0.1), "s": Look(True, 1.0), "-": Look(False, 0.1), ".": Look(False, 2.0, in_time=False)}


def healths(answers: str, thresholds: Thresholds, signs: Signs = CALM) -> list[Health]:
    health, seen = Health(), list[Health]()
    for answer in answers:
        health = judge(health, LOOKS[answer], thresholds, signs)
        seen.append(health)
    return seen


def verdicts(answers: str, thresholds: Thresholds, signs: Signs = CALM) -> str:
    return "".join(health.verdict.value[0] for health in healths(answers, thresholds, signs))


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


# Two bad answers in a row, and three more for what may be slow.
PATIENT = Thresholds(2, 1, limit_s=2.0, every_s=5.0, more=3)


@pytest.mark.parametrize(
    ("answers", "signs", "expected"),
    [
        pytest.param("+..", CALM, "WWF", id="without a reason to think it slow, no answer is a failure"),
        pytest.param("+..", BUSY, "WWS", id="under pressure it is suspected, at its threshold"),
        pytest.param("+.....", BUSY, "WWSSSF", id="so often more, and not once more"),
        pytest.param("+....+", BUSY, "WWSSSW", id="an answer ends it"),
        pytest.param("..", BUSY, "US", id="also what has not answered yet"),
        pytest.param("+--", BUSY, "WWF", id="what answers that it fails is never given more time"),
        pytest.param("+-.", BUSY, "WWF", id="nor where one of the row was such an answer"),
        pytest.param("+.-", BUSY, "WWF", id="whichever it was"),
        pytest.param("+-+..", BUSY, "WWWWS", id="one of a row before says nothing"),
        pytest.param("+..-", BUSY, "WWSF", id="such an answer ends the patience at once"),
        pytest.param("+.....+..", BUSY, "WWSSSFWWF", id="once an episode: it answered once and was away again"),
        pytest.param("+...+...", BUSY, "WWSSWWSS", id="what is left of it is left"),
        pytest.param("+...+....", BUSY, "WWSSWWSSF", id="and no more than that"),
        pytest.param("+.....+++++..", BUSY, "WWSSSFWWWWWWS", id="five good answers in a row end an episode"),
        pytest.param("+.....+++++.....", BUSY, "WWSSSFWWWWWWSSSF", id="and its time is whole again"),
        pytest.param("+.....++++..", BUSY, "WWSSSFWWWWWF", id="four do not"),
        pytest.param("+ss..", CALM, "WWWWS", id="answers that took longer and longer speak for slowness"),
        pytest.param("ss..", CALM, "WWWS", id="two are enough"),
        pytest.param("ss+..", CALM, "WWWWF", id="not if the last was quick again"),
        pytest.param("++s..", CALM, "WWWWF", id="nor one alone"),
        pytest.param("s..", CALM, "WWF", id="nor the only one"),
        pytest.param("+..", Signs(hanging=("7 (tick, in nfs)",)), "WWF", id="a hang alone is no slowness"),
        pytest.param("+..", Signs((Pressure("its own", "io", HIGH_PERCENT),)), "WWS", id="its own pressure counts too"),
        pytest.param("+..", Signs((Pressure("the host's", "io", HIGH_PERCENT - 0.1),)), "WWF", id="below the limit"),
    ],
)
def test_what_may_only_be_slow_is_suspected_for_a_while(answers: str, signs: Signs, expected: str) -> None:
    assert verdicts(answers, PATIENT, signs) == expected


def test_an_answer_between_that_is_not_enough_costs_no_less_of_the_time() -> None:
    assert verdicts("..+...", replace(PATIENT, successes=2), BUSY) == "USSSSF"


def test_what_has_failed_is_not_suspected_again_and_keeps_its_reason() -> None:
    failed = healths("+.....", PATIENT, BUSY)[-1]
    assert judge(failed, LOOKS["."], PATIENT, BUSY).why == failed.why != ""
    (*_, at_once) = healths("+..", PATIENT)
    assert judge(at_once, LOOKS["."], PATIENT, BUSY).verdict is FAILS


@pytest.mark.parametrize(
    ("answers", "signs", "expected"),
    [
        pytest.param(
            "+ss..",
            BUSY,
            "answers slowly: its last 3 answers took 0.1-1.0 s of 2 s, and then none came; the host's cpu pressure is 63 %;"
            " waiting up to 15 s more before it counts as failed",
            id="all that is known",
        ),
        pytest.param(
            "+..",
            BUSY,
            "answers slowly: its last answer took 0.1 s of 2 s, and then none came; the host's cpu pressure is 63 %;"
            " waiting up to 15 s more before it counts as failed",
            id="it has answered once",
        ),
        pytest.param(
            "..",
            Signs((Pressure("its own", "memory", 90.0),), ("7 (tick, in nfs_wait)",)),
            "answers slowly: no answer within 2 s; its own memory pressure is 90 %; it hangs in the kernel (D state): 7 (tick, in"
            " nfs_wait); waiting up to 15 s more before it counts as failed",
            id="it has never answered",
        ),
        pytest.param(
            "+...+..",
            BUSY,
            "answers slowly: its last 2 answers took 0.1 s of 2 s, and then none came; the host's cpu pressure is 63 %;"
            " waiting up to 10 s more before it counts as failed",
            id="what is left of the time is said",
        ),
        pytest.param(
            "+.....",
            BUSY,
            "it was given 15 s more, for it might only have been slow",
            id="what was given in vain is said",
        ),
        pytest.param("+..-", BUSY, "", id="not where an answer decided"),
        pytest.param("+..+", BUSY, "", id="nor where all is well"),
    ],
)
def test_why_it_is_suspected(answers: str, signs: Signs, expected: str) -> None:
    assert healths(answers, PATIENT, signs)[-1].why == expected


@pytest.mark.parametrize(
    ("failures", "limit_s", "every_s", "more", "more_s"),
    [
        pytest.param(3, 1.0, 10.0, 3, 30.0, id="as long again as the threshold takes"),
        pytest.param(3, 0.5, 1.0, 10, 10.0, id="at least ten seconds"),
        pytest.param(9, 1.0, 10.0, 6, 60.0, id="at most a minute"),
        pytest.param(1, 1.0, 300.0, 1, 300.0, id="and once in any case"),
        pytest.param(2, 20.0, 1.0, 2, 40.0, id="one that takes longer than its period is asked as often as it can be"),
    ],
)
def test_how_much_more_time(failures: int, limit_s: float, every_s: float, more: int, more_s: float) -> None:
    by = patient(Thresholds(failures, 1, limit_s, every_s))
    assert (by.more, by.more_s) == (more, more_s)


def test_no_answer_names_what_hangs() -> None:
    assert no_answer(0.5, CALM) == "no answer within 0.5 s"
    said = no_answer(0.5, Signs(hanging=("7 (tick, in nfs_wait)", "8 (tock, in nfs_wait)")))
    assert (
        said == "no answer within 0.5 s; it hangs in the kernel (D state): 7 (tick, in nfs_wait), 8 (tock, in nfs_wait)"
    )


thresholds = st.builds(Thresholds, st.integers(1, 5), st.integers(1, 5))
patient_ones = st.builds(
    lambda one, more: Thresholds(one.failures, one.successes, 2.0, 5.0, more), thresholds, st.integers(1, 4)
)
ANSWERS = st.text("+s-.", max_size=40)


@given(st.text("+-", max_size=40), thresholds)
def test_a_verdict_changes_only_after_its_number_of_equal_answers(answers: str, limits: Thresholds) -> None:
    seen = verdicts(answers, limits)
    for at in range(len(answers)):
        if seen[at] != (seen[at - 1] if at else "U"):
            needed = limits.successes if seen[at] == "W" else limits.failures
            assert answers[: at + 1].endswith(("+" if seen[at] == "W" else "-") * needed)


@given(ANSWERS, patient_ones, st.sampled_from([CALM, BUSY]))
def test_enough_equal_answers_always_decide(answers: str, limits: Thresholds, signs: Signs) -> None:
    assert verdicts(answers + "-" * limits.failures, limits, signs)[-1] == "F"
    assert verdicts(answers + "." * (limits.failures + limits.more), limits, signs)[-1] == "F"
    assert verdicts(answers + "+" * limits.successes, limits, signs)[-1] == "W"


@given(ANSWERS, patient_ones)
def test_no_answer_that_says_so_ever_becomes_a_suspicion(answers: str, limits: Thresholds) -> None:
    seen = verdicts(answers, limits, BUSY)
    for at, answer in enumerate(answers):
        if answer == "-":
            assert seen[at] != "S"


@given(ANSWERS, patient_ones)
def test_it_is_asked_no_oftener_more_than_is_said_between_two_calm_times(answers: str, limits: Thresholds) -> None:
    seen, spent = healths(answers, limits, BUSY), 0
    for at, health in enumerate(seen):
        before = seen[at - 1].verdict if at else UNKNOWN
        spent += before is SUSPECT and answers[at] == "."
        spent = 0 if health.last_was_good and health.row >= RECENT else spent
        assert spent <= limits.more


@given(st.text("+s-", max_size=40), patient_ones)
def test_patience_changes_nothing_where_every_question_is_answered(answers: str, limits: Thresholds) -> None:
    assert verdicts(answers, limits, BUSY) == verdicts(answers, Thresholds(limits.failures, limits.successes))


def test_health_begins_unknown() -> None:
    assert Health().verdict is UNKNOWN and Health().why == ""
    assert {WORKS, SUSPECT, FAILS} == set(Verdict) - {UNKNOWN}
