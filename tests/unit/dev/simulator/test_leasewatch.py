"""How much of a host's silence an operator could see, as the simulator's judge counts it."""

from __future__ import annotations

import pytest

from backstay_dev.simulator.leasewatch import Path, Span


@pytest.mark.parametrize(
    ("outages", "spans"),
    [
        pytest.param([], ((1.0, 20.0),), id="never away"),
        pytest.param([(5.0, 7.5)], ((1.0, 5.0), (7.5, 20.0)), id="once"),
        pytest.param([(5.0, 7.5), (9.0, 11.5)], ((1.0, 5.0), (7.5, 9.0), (11.5, 20.0)), id="twice"),
        pytest.param([(5.0, 6.9)], ((1.0, 20.0),), id="too short to be trouble (PROTOCOL 4, seed 3700002753)"),
        pytest.param([(8.0, 10.5), (5.0, 12.0)], ((1.0, 5.0), (12.0, 20.0)), id="one outage within another, which ends later"),
    ],
)  # fmt: skip
def test_when_a_way_was_whole(outages: list[Span], spans: tuple[Span, ...]) -> None:
    path = Path(1.0)
    for outage in outages:
        path.was_away(*outage)
    assert path.whole(20.0) == spans
