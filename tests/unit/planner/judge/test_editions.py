"""Which edition of a file shall be in place where: the table of a rollout, and of what comes in its way."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from backstay_api.objects.editions import KEEP
from backstay_operator.planner.judge.editions import Facts, Rollout

A, B = "a" * 32, "b" * 32


def has(edition: str, *staged: str, **more: str) -> Facts:
    return {"edition": edition, "staged": " ".join(staged), **more}


OLD, READY, DONE = has(A, A), has(A, A, B), has(B, A, B)


def rollout(holder: str = "n1", target: str = B, proven: str = A, **said: Facts) -> Rollout:
    standing_by = [host for host in sorted(said) if host != holder]
    return Rollout(target=target, proven=proven, holder=holder, said=said, standing_by=standing_by, before=said)


def uses(one: Rollout) -> list[str]:
    return [{A: "a", B: "b", KEEP: "-"}[one.use(host)] for host in ("n1", "n2", "n3")]


ALL = {"n1": READY, "n2": READY, "n3": READY}


@pytest.mark.parametrize(
    ("said", "more", "expected"),
    [
        pytest.param({}, {"holder": "", "proven": ""}, "bbb", id="it has never run: what the manifest says"),
        pytest.param({"n1": OLD}, {"proven": ""}, "---", id="it runs, and nobody knows with what: nothing is touched"),
        pytest.param(ALL, {"target": A}, "aaa", id="settled"),
        pytest.param({"n1": OLD, "n2": READY, "n3": READY}, {}, "aaa", id="staging: the holder has not got it"),
        pytest.param({"n1": READY, "n2": OLD, "n3": READY}, {}, "aaa", id="staging: a standby has not got it"),
        pytest.param({"n1": READY, "n2": READY, "n3": {}}, {}, "aaa", id="staging: one has not said anything"),
        pytest.param(ALL, {}, "aba", id="all have it: the first standby"),
        pytest.param(ALL | {"n2": DONE}, {}, "abb", id="then the next"),
        pytest.param(ALL | {"n2": DONE, "n3": DONE}, {}, "bbb", id="and at last the holder"),
        pytest.param(
            {"n1": has(A, A, B, trial=B), "n2": DONE, "n3": DONE},
            {},
            "bbb",
            id="on trial where it runs: nobody goes back",
        ),
        pytest.param(
            {"n1": has(A, A, refused=B, why="x"), "n2": DONE, "n3": DONE}, {}, "aaa", id="it failed there: all go back"
        ),
        pytest.param(ALL | {"n3": has(A, A, refused=B)}, {}, "aaa", id="a standby calls it wrong: nobody has it"),
        pytest.param(
            {"n1": has(A, A, B, trial=B), "n2": DONE, "n3": DONE},
            {"holder": "n2"},
            "aaa",
            id="its host was lost while it was on trial: it may have been the cause",
        ),
        pytest.param(
            {"n1": READY, "n2": DONE, "n3": READY}, {"holder": "n3"}, "bba", id="the holder was lost before: goes on"
        ),
        pytest.param(ALL, {"holder": ""}, "aaa", id="it runs nowhere: what is proven is what it starts with"),
        pytest.param({"n1": READY}, {}, "bbb", id="nobody stands by"),
    ],
)
def test_which_edition_shall_be_in_place(said: dict[str, Facts], more: dict[str, Any], expected: str) -> None:
    assert "".join(uses(rollout(**{**more, **said}))) == expected


def test_a_trial_goes_on_while_hosts_have_not_said_anew_what_they_have() -> None:
    on_trial = {"n1": has(A, A, B, trial=B), "n2": DONE, "n3": DONE}
    edited = Rollout(target=B, proven=A, holder="n1", said={}, standing_by=("n2", "n3"), before=on_trial)
    assert uses(edited) == ["b", "b", "b"]


@pytest.mark.parametrize(
    ("said", "expected", "is_next"),
    [
        pytest.param({"n1": READY, "n2": OLD}, "aa", False, id="staged and checked as ever"),
        pytest.param({"n1": READY, "n2": READY}, "ab", False, id="those that stand by have it"),
        pytest.param({"n1": READY, "n2": DONE}, "ab", True, id="and the one that runs it waits"),
        pytest.param({"n1": has(A, A, B, trial=B), "n2": DONE}, "bb", False, id="what is on trial goes on"),
        pytest.param({"n1": READY, "n2": has(A, A, refused=B)}, "aa", False, id="what is refused waits for nobody"),
        pytest.param({"n1": DONE, "n2": DONE}, "bb", False, id="what is proven neither"),
    ],
)
def test_while_it_is_paused_the_host_that_runs_it_waits(said: dict[str, Any], expected: str, is_next: bool) -> None:
    proven = said["n1"]["edition"]
    found = replace(rollout(proven=proven, **said), is_paused=True)
    assert ("".join(uses(found)[:2]), found.is_next) == (expected, is_next)


SO = "soak 300s"


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        pytest.param({"n1": has(A, A, B, tries=SO), "n2": DONE}, "bb", id="its agent can"),
        pytest.param({"n1": READY, "n2": DONE}, "ab", id="an agent that says nothing of it may not know it"),
        pytest.param({"n1": has(A, A, B, tries="soak 1s"), "n2": DONE}, "ab", id="nor one that says another thing"),
        pytest.param({"n1": READY, "n2": READY}, "ab", id="those that stand by try nothing"),
    ],
)
def test_where_it_runs_an_agent_must_know_how_it_is_to_be_tried(said: dict[str, Any], expected: str) -> None:
    found = rollout(**said)
    assert "".join(uses(replace(found, tries=SO))[:2]) == expected
    assert uses(found)[1] == "b"


AT = "2026-11-28T14:00:00Z"


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        pytest.param({"n1": has(A, A, refused=B), "n2": DONE}, "aa", id="it has not forgotten yet, and cannot have it"),
        pytest.param({"n1": has(A, A, B, retried=AT), "n2": READY}, "ab", id="it has: begun anew"),
        pytest.param({"n1": has(A, A, B, retried=AT), "n2": DONE}, "bb", id="and tried where it runs"),
        pytest.param({"n1": has(A, A, B), "n2": DONE}, "ab", id="an agent that says nothing of it would not forget"),
        pytest.param({"n1": has(A, A, refused=B, retried=AT), "n2": DONE}, "aa", id="refused once more"),
    ],
)
def test_what_was_refused_is_tried_again_where_a_person_says_so(said: dict[str, Any], expected: str) -> None:
    assert "".join(uses(replace(rollout(**said), retried=AT))[:2]) == expected


def test_what_was_on_trial_where_a_host_was_lost_is_tried_again_where_a_person_says_so() -> None:
    lost = {"n1": has(A, A, B, trial=B)}
    there = has(A, A, B, retried=AT)
    found = Rollout(target=B, proven=A, holder="n2", said={"n2": there}, before={**lost, "n2": there})
    assert (found.use("n2"), replace(found, retried=AT).use("n2")) == (A, B)


@pytest.mark.parametrize(
    ("facts", "why"),
    [
        pytest.param({}, "n1 has not said yet what it has there", id="it waits for the content itself"),
        pytest.param(
            READY, "the agent of n1 has not said that it can try it so (restart): upgrade it", id="an agent of before"
        ),
        pytest.param({**READY, "tries": "restart"}, "", id="it can"),
    ],
)
def test_whose_agent_is_to_be_upgraded_has_said_what_it_has(facts: Facts, why: str) -> None:
    assert replace(rollout(n1=facts), tries="restart").unable == why
