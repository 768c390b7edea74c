"""Rules about a label that no host has are told by name."""

from __future__ import annotations

import pytest

from backstay_api.objects.kinds import Raw
from backstay_operator.planner.know.topology import without_label
from backstay_testing.builders import a_service
from backstay_testing.worlds import a_world, add_host

SPREAD = {"topologyKey": "rack", "maxSkew": 1}
APART = {"service": "db", "required": True}


@pytest.mark.parametrize(
    ("placement", "why"),
    [
        ({}, ""),
        ({"spread": [{**SPREAD, "topologyKey": "room"}]}, ""),
        (
            {"spread": [{**SPREAD, "topologyKey": "room"}, SPREAD]},
            "spec.placement.spread[1].topologyKey names the label rack, which no host has that it selects: no copy can start",
        ),
        (
            {"spread": [{**SPREAD, "whenUnsatisfiable": "ScheduleAnyway"}]},
            "spec.placement.spread[0].topologyKey names the label rack, which no host has that it selects: it spreads nothing",
        ),
        (
            {"spread": [{**SPREAD, "topologyKey": "room"}], "hosts": {"matchLabels": {"rack": "a"}}},
            "spec.placement.spread[0].topologyKey names the label room, which no host has that it selects: no copy can start",
        ),
        ({"apart": [APART]}, ""),
        (
            {"apart": [APART, {**APART, "topologyKey": "row"}]},
            "spec.placement.apart[1].topologyKey names the label row, which no host has that it selects: each host counts by itself",
        ),
    ],
)
def test_a_label_that_no_host_has_is_told_with_its_rule(placement: Raw, why: str) -> None:
    world = a_world("n1")
    add_host(world, "n2", labels={"room": "b"})
    assert without_label(world, a_service(placement=placement)) == why
