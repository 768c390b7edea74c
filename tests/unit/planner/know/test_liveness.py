"""What silence says, as tables: the edges of each state, and own trouble first."""

from __future__ import annotations

import pytest

from backstay_operator.planner.know.liveness import Liveness, of_host
from backstay_operator.planner.know.world import OwnPath
from backstay_testing.worlds import NOW_S, a_world, add_host, hold_by_nobody

ALL = frozenset({"n1", "n2", "n3", "n4"})


@pytest.mark.parametrize(
    ("age_s", "expected"),
    [
        pytest.param(0.0, Liveness.LIVE, id="just renewed"),
        pytest.param(0.75, Liveness.LIVE, id="one and a half renewals: not late yet"),
        pytest.param(0.751, Liveness.SUSPECT, id="late"),
        pytest.param(1.5, Liveness.SUSPECT, id="three renewals: not silent yet"),
        pytest.param(1.501, Liveness.SILENT, id="silent"),
    ],
)
def test_the_edges_are_those_of_the_contract_that_the_host_published(age_s: float, expected: Liveness) -> None:
    world = a_world()
    add_host(world, "n1", silent_s=age_s)
    assert of_host(world, "n1") is expected


def test_a_lease_that_nobody_ever_held_says_nothing() -> None:
    world = a_world("n1")
    hold_by_nobody(world, "n1")
    assert of_host(world, "n1") is Liveness.UNKNOWN
    assert of_host(world, "n9") is Liveness.UNKNOWN


@pytest.mark.parametrize(
    ("own_path", "expected"),
    [
        pytest.param(OwnPath(), Liveness.SILENT, id="a healthy path: silence is the host's own"),
        pytest.param(OwnPath(healthy=False), Liveness.UNSURE, id="a broken path: it may be ours"),
        pytest.param(
            OwnPath(recovered_s=NOW_S - 1.0), Liveness.SUSPECT, id="what passed before it came back counts for nothing"
        ),
        pytest.param(OwnPath(recovered_s=NOW_S - 5, lived_before=ALL), Liveness.UNSURE, id="nobody has renewed since"),
        pytest.param(
            OwnPath(recovered_s=NOW_S - 5, lived_before=ALL, renewed_since=frozenset({"n2", "n3"})),
            Liveness.UNSURE,
            id="half have: not more than half",
        ),
        pytest.param(
            OwnPath(recovered_s=NOW_S - 5, lived_before=ALL, renewed_since=ALL - {"n1"}),
            Liveness.SILENT,
            id="most have",
        ),
        pytest.param(OwnPath(recovered_s=NOW_S - 10, lived_before=ALL), Liveness.SILENT, id="ten seconds have passed"),
        pytest.param(
            OwnPath(recovered_s=NOW_S - 5, lived_before=ALL, renewed_since=frozenset({"n7", "n8", "n9"})),
            Liveness.UNSURE,
            id="hosts that were dead before do not count",
        ),
    ],
)
def test_own_trouble_first(own_path: OwnPath, expected: Liveness) -> None:
    world = a_world()
    add_host(world, "n1", silent_s=100.0)
    world.own_path = own_path
    assert of_host(world, "n1") is expected
