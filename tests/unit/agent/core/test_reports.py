"""What a host tells of what it has not started, and of what has no runner."""

from dataclasses import replace

import pytest

from backstay_agent.core.books import Record
from backstay_agent.core.reports import foreign_since, of_record
from backstay_api.objects.plain import StandbyReport

A_RECORD = Record(uid="u1", namespace="shop", name="web-0", epoch=1, nonce="a", want="Up", exclusive=True)
RUNS = StandbyReport(ready=True, active=True)


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
    ("may_run", "revision"),
    [pytest.param(True, 1, id="an edit has not reached what runs"), pytest.param(False, 2, id="nothing runs")],
)
def test_what_has_no_runner_yet_is_told_by_the_revision_that_runs(may_run: bool, revision: int) -> None:
    record = replace(A_RECORD, revision=2, running_revision=1, may_run=may_run)
    assert of_record(record).revision == revision
