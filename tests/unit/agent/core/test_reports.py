"""Since when a host sees what it has not started: by the first look that found it."""

import pytest

from backstay_agent.core.reports import foreign_since
from backstay_api.objects.plain import StandbyReport

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
