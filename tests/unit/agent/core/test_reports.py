"""What a host tells of what it has not started, and of what has no runner."""

from dataclasses import replace

import pytest

from backstay_agent.core.checkpoint import Record
from backstay_agent.core.machine import Phase
from backstay_agent.core.reports import Restarts, View, foreign_since, of_record, report_of
from backstay_api.objects.plain import StandbyReport

A_RECORD = Record(uid="u1", namespace="shop", name="web-0", epoch=1, nonce="a", want="Up", exclusive=True)
RUNS = StandbyReport(ready=True, active=True)
GAVE_UP = View(
    since="",
    stop_note="",
    by_admin="",
    hands_off="",
    sentence="",
    troubles={},
    degraded={},
    suspect={},
    states={},
    epoch=1,
    phase=Phase.FAILED,
    why="exit 1",
    gave_up="exit 1",
    error_type="Soft",
    unrecorded=False,
    is_well=False,
    restarts=Restarts(0),
)


@pytest.mark.parametrize(
    ("report", "before", "since"),
    [
        pytest.param(RUNS, {}, {"u1": "now"}, id="found by this look"),
        pytest.param(RUNS, {"u1": "then"}, {"u1": "then"}, id="found before"),
        pytest.param(StandbyReport(ready=True), {"u1": "then"}, {}, id="it is gone"),
        pytest.param(StandbyReport(ready=False, active=True, unclear=True), {}, {}, id="nobody can say"),
    ],
)
def test_foreign_since(report: StandbyReport, before: dict[str, str], since: dict[str, str]) -> None:
    assert foreign_since({"u1": report}, before, "now") == since


@pytest.mark.parametrize(
    ("epoch", "phase", "why"),
    [pytest.param(1, "Failed", "exit 1", id="of this epoch"), pytest.param(2, "Stopped", "", id="of the one before")],
)
def test_a_failure_is_told_of_the_epoch_in_which_it_was(epoch: int, phase: str, why: str) -> None:
    told = report_of(replace(A_RECORD, epoch=epoch), GAVE_UP)
    assert (told.phase, told.why) == (phase, why)


@pytest.mark.parametrize(
    ("state", "told"),
    [
        pytest.param("Unknown", "Unknown", id="its check does not answer"),
        pytest.param("Running", "Unknown", id="its driver has lost sight of it"),
        pytest.param("Starting", "Starting", id="it is coming up"),
    ],
)
def test_what_nobody_can_tell_of_is_named(state: str, told: str) -> None:
    view = replace(GAVE_UP, phase=Phase.RUNNING, unclear={"db": "no answer"}, states={"db": state, "web": "Running"})
    assert [(one.name, one.state, one.why) for one in report_of(A_RECORD, view).resources] == [
        ("db", told, "no answer")
    ]


@pytest.mark.parametrize(
    ("may_run", "revision"),
    [pytest.param(True, 1, id="an edit has not reached what runs"), pytest.param(False, 2, id="nothing runs")],
)
def test_what_has_no_runner_yet_is_told_by_the_revision_that_runs(may_run: bool, revision: int) -> None:
    record = replace(A_RECORD, revision=2, running_revision=1, may_run=may_run)
    assert of_record(record).revision == revision
