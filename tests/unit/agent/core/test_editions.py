"""What an agent does next about a file that it brings: one row for each situation."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backstay_agent.core.editions import (
    SOAK_S,
    Act,
    Edition,
    Examine,
    FileRecord,
    Note,
    Put,
    Situated,
    Tell,
    Trying,
    before_a_start,
    facts_of,
    fault_of,
    next_act,
)

A, B, C = Edition("a"), Edition("b"), Edition("c")
THERE = {one.id: replace(one, owner="root", group="root", mode="0644") for one in (A, B, C)}
PATH = "/etc/web.conf"


def record(*editions: Edition, **more: object) -> FileRecord:
    found = FileRecord(path=PATH)
    for one in editions:
        found = found.with_edition(one, is_checked=True)
    return replace(found, **more)  # type: ignore[arg-type]


def view(kept: FileRecord, *, use: Edition, there: Edition, target: Edition = B, **more: object) -> Situated:
    seen = THERE.get(there.id, there)
    return Situated(record=kept, target=target, use=use.id, there=seen, **more)  # type: ignore[arg-type]


WELL: dict[str, Any] = {"runs": True, "is_well": True}
AB = record(A, B)
ON_TRIAL = replace(AB, good=A.id, trial=B.id)
MINE = Edition("a", named="1" * 32)
"""With values of this host in it."""
SAME = record(A, MINE, good=A.id)
TRIED = Trying(edition=B.id, since_s=100.0, restarts=2)


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        pytest.param(view(AB, use=A, there=A), None, id="standby: what shall be in place is"),
        pytest.param(view(AB, use=B, there=A), Put(B.id), id="standby: another is put in place"),
        pytest.param(view(AB, use=B, there=C), Put(B.id), id="standby: what somebody edited by hand is put right"),
        pytest.param(view(AB, use=C, there=A), None, id="standby: what it does not have stays away"),
        pytest.param(view(record(A).with_edition(B), use=A, there=A), Examine(B.id), id="what is new is checked first"),
        pytest.param(
            view(record(A).with_edition(B), use=B, there=A), Examine(B.id), id="and is not put in place before"
        ),
        pytest.param(
            view(replace(AB, good=A.id), use=B, there=A, **WELL),
            Note(ON_TRIAL),
            id="where it runs: remembered first, as on trial",
        ),
        pytest.param(
            view(replace(AB, good=A.id), use=B, there=A, runs=True), None, id="no trial while the service is not well"
        ),
        pytest.param(
            view(replace(AB, good=A.id), use=B, there=C, **WELL), None, id="nor over what somebody edited by hand"
        ),
        pytest.param(
            view(SAME, use=MINE, there=A, target=MINE, **WELL),
            Note(replace(SAME, trial=MINE.id)),
            id="another that comes to the very bytes is in place already, and tried all the same",
        ),
        pytest.param(
            view(replace(SAME, is_reverting=True), use=MINE, there=A, target=MINE, **WELL),
            Tell(A.id),
            id="and where it is taken back nothing is put in place again",
        ),
        pytest.param(view(ON_TRIAL, use=B, there=A, **WELL), Put(B.id), id="on trial: then put in place"),
        pytest.param(view(ON_TRIAL, use=B, there=B, **WELL), Tell(B.id), id="then what runs is told"),
        pytest.param(
            view(ON_TRIAL, use=B, there=B, trying=TRIED, now_s=100.0 + SOAK_S - 1, restarts=2, **WELL),
            None,
            id="then it is waited",
        ),
        pytest.param(
            view(ON_TRIAL, use=B, there=B, trying=TRIED, now_s=100.0 + SOAK_S, restarts=2, **WELL),
            Note(replace(AB, good=B.id, back=A.id)),
            id="well for long enough: proven",
        ),
        pytest.param(
            view(ON_TRIAL, use=B, there=B, trying=TRIED, now_s=100.0 + SOAK_S, restarts=2, soak_s=300.0, **WELL),
            None,
            id="for as long as the manifest says",
        ),
        pytest.param(
            view(ON_TRIAL, use=B, there=B, trying=TRIED, now_s=101.0, restarts=2, soak_s=1.0, **WELL),
            Note(replace(AB, good=B.id, back=A.id)),
            id="or no longer than that",
        ),
        pytest.param(
            view(ON_TRIAL, use=B, there=B, trying=TRIED, now_s=101.0, restarts=2, runs=True, trouble="no answer"),
            Note(ON_TRIAL.refusing(B.id, "the service was not well with it: no answer", is_reverting=True)),
            id="not well: refused, and taken back",
        ),
        pytest.param(
            view(ON_TRIAL, use=B, there=B, trying=TRIED, now_s=101.0, restarts=3, **WELL),
            Note(
                ON_TRIAL.refusing(
                    B.id, "the service was not well with it: it failed, and was restarted", is_reverting=True
                )
            ),
            id="restarted with it: the same",
        ),
        pytest.param(
            view(ON_TRIAL, use=B, there=B, trying=TRIED, now_s=101.0, restarts=2, runs=True, is_restarted=True),
            None,
            id="not well because somebody has it restarted: that says nothing",
        ),
        pytest.param(
            view(ON_TRIAL, use=A, there=B, trying=TRIED, **WELL),
            Note(replace(AB, good=A.id, is_reverting=True)),
            id="not wanted any more: taken back, and not called bad",
        ),
        pytest.param(
            view(replace(AB, good=A.id, is_reverting=True), use=A, there=B, **WELL),
            Put(A.id),
            id="taking back: the file",
        ),
        pytest.param(
            view(replace(AB, good=A.id, is_reverting=True), use=A, there=A, **WELL), Tell(A.id), id="then what runs"
        ),
        pytest.param(
            view(ON_TRIAL, use=B, there=B),
            Note(ON_TRIAL.refusing(B.id, "the service left this host while it was on trial")),
            id="the service left during the trial",
        ),
        pytest.param(view(record(A, B, good=A.id), use=B, there=A), Note(AB), id="the service left: it only stands by"),
        pytest.param(
            view(FileRecord(path=PATH), use=B, there=A),
            Note(replace(FileRecord(path=PATH).with_edition(THERE[A.id], is_checked=True), back=THERE[A.id].id)),
            id="what was there before us is kept",
        ),
        pytest.param(
            view(replace(record(A), refused=C.id, why="bad"), use=A, there=A),
            Note(record(A)),
            id="what was refused is forgotten with another edit",
        ),
        pytest.param(
            view(replace(record(A), refused=B.id, why="bad"), use=A, there=A, retried="now"),
            Note(replace(record(A), retried="now")),
            id="and where a person has it tried again",
        ),
        pytest.param(
            view(replace(record(A).with_edition(B), refused=B.id, retried="now"), use=A, there=A, retried="now"),
            None,
            id="once",
        ),
    ],
)
def test_what_is_done_next(seen: Situated, expected: Act | None) -> None:
    assert next_act(seen) == expected


def test_values_of_a_host_are_remembered_and_where_there_are_none_as_the_release_before_knows_it() -> None:
    for kept in (record(A, MINE), record(A, Edition(None), Edition(""))):
        assert FileRecord.from_json(json.loads(json.dumps(kept.to_json()))) == kept
    assert "retried" not in record(A).to_json()
    assert FileRecord.from_json(replace(record(A), retried="now").to_json()).retried == "now"
    assert record(A).to_json()["editions"][A.id].keys() == {"content", "owner", "group", "mode"}


def test_one_on_trial_is_not_what_others_are_compared_by() -> None:
    facts = facts_of(view(ON_TRIAL, use=B, there=B, **WELL))
    assert facts["edition"] == A.id
    assert facts["trial"] == B.id
    assert facts["staged"].split() == sorted([A.id, B.id])


def test_one_that_was_refused_is_not_among_those_that_could_be_in_place() -> None:
    refused = view(AB.refusing(B.id, "exited with 1"), use=A, there=A)
    assert facts_of(refused) == {"edition": A.id, "staged": A.id, "refused": B.id, "why": "exited with 1"}
    assert fault_of(refused) == ""
    assert fault_of(replace(refused, use=B.id)) == f"{PATH} is not taken: exited with 1"


def test_what_somebody_edited_by_hand_is_said() -> None:
    assert "edited it on this host" in fault_of(view(replace(AB, good=A.id), use=A, there=C, **WELL))


@given(st.text(max_size=20), st.sampled_from([None, "root"]), st.booleans())
def test_a_record_is_read_as_it_was_written(content: str, owner: str | None, trial: bool) -> None:
    content = content.encode(errors="surrogatepass").decode(errors="surrogateescape")
    kept = record(A, Edition(content, owner), good=A.id, trial=B.id if trial else "")
    assert FileRecord.from_json(json.loads(json.dumps(kept.to_json()))) == kept


@pytest.mark.parametrize(
    ("seen", "is_ready"),
    [
        pytest.param(view(record(A), use=B, there=A), False, id="what it would start with is not checked yet"),
        pytest.param(view(AB, use=B, there=A), True, id="it would put it in place before it starts"),
        pytest.param(
            view(record(Edition(), B), use=B, there=Edition()), False, id="but there is no file, and never was"
        ),
        pytest.param(
            view(record(Edition(), B), use=Edition(), there=Edition()), True, id="unless that is what is right"
        ),
        pytest.param(replace(view(record(A), use=A, there=A), use="0" * 32), True, id="whatever is there stays"),
        pytest.param(view(replace(record(A), good=A.id), use=B, there=A, **WELL), True, id="it runs here"),
    ],
)
def test_whether_a_host_could_start_the_service(seen: Situated, is_ready: bool) -> None:
    assert fault_of(seen) == ("" if is_ready else f"{PATH} is not in place yet")


REFUSED_B = AB.refusing(B.id, "the service was not well with it, and had to be started anew")


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        pytest.param(view(replace(AB, good=A.id), use=A, there=A), None, id="what was proven is there"),
        pytest.param(view(replace(AB, good=A.id), use=A, there=C), None, id="what somebody edited by hand stays"),
        pytest.param(
            view(ON_TRIAL, use=B, there=B), Note(replace(REFUSED_B, good=A.id)), id="what was on trial has failed"
        ),
        pytest.param(view(replace(REFUSED_B, good=A.id), use=B, there=B), Put(A.id), id="and is taken back"),
        pytest.param(
            view(replace(REFUSED_B, back=A.id), use=B, there=B), Put(A.id), id="though nobody knows what runs well"
        ),
        pytest.param(
            view(replace(AB, good=A.id, is_reverting=True), use=A, there=B), Put(A.id), id="what is no more wanted too"
        ),
        pytest.param(
            view(replace(AB, good=A.id, is_reverting=True), use=A, there=A),
            Note(replace(AB, good=A.id)),
            id="what starts with it need not be told",
        ),
        pytest.param(
            view(replace(SAME, refused=MINE.id), use=MINE, there=A, target=MINE), None, id="the very bytes are there"
        ),
    ],
)
def test_what_is_done_before_it_is_started_anew(seen: Situated, expected: Act | None) -> None:
    assert before_a_start(seen) == expected
