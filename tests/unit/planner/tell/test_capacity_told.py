"""What people are told of how much of a host's capacity is asked for."""

from __future__ import annotations

import pytest

from backstay_api.objects.kinds import Raw
from backstay_operator.planner.know.world import World
from backstay_operator.planner.tell.host_status import host_status
from backstay_testing.builders import a_service
from backstay_testing.worlds import add_host, put


def _world(offered: Raw, **asked: Raw) -> World:
    world = World(now_s=100.0, wall="2026-01-01T00:00:00.000000Z")
    add_host(world, "n1", capacity=offered)
    for name, needs in asked.items():
        put(world, a_service(name, placement={"capacity": needs}), epoch=1, host="n1")
    return world


def _told(world: World) -> tuple[str, str, str] | None:
    patch = host_status(world, world.hosts["n1"]) or {}
    found = [one for one in patch["conditions"] if one["type"] == "CapacitySufficient"]
    return (found[0]["status"], found[0]["reason"], found[0]["message"]) if found else None


@pytest.mark.parametrize(
    ("world", "told"),
    [
        pytest.param(_world({}, a={}), None, id="nobody has declared any"),
        pytest.param(
            _world({"memory": "16Gi", "cpu": 8}, a={"cpu": 3}, b={"cpu": "500m"}),
            ("True", "Sufficient", "Asked for: 3500m of 8 cpu, 0 of 16Gi memory"),
            id="enough",
        ),
        pytest.param(_world({"cpu": 8}, a={"cpu": 8}), ("True", "Sufficient", "Asked for: 8 of 8 cpu"), id="just enough"),
        pytest.param(
            _world({"cpu": 4, "memory": "1Gi"}, a={"cpu": 3}, b={"cpu": 3}, c={"memory": "1Gi"}),
            (
                "False",
                "AskedForMore",
                "6 cpu asked for by shop/a, shop/b, 4 offered: what runs stays, and nothing that asks for it comes",
            ),
            id="more than it offers",
        ),
        pytest.param(
            _world({}, a={"licences": 1}),
            (
                "False",
                "AskedForMore",
                "1 licences asked for by shop/a, 0 offered: what runs stays, and nothing that asks for it comes",
            ),
            id="offers none of it",
        ),
    ],
)  # fmt: skip
def test_how_much_of_what_a_host_offers_is_asked_for(world: World, told: tuple[str, str, str] | None) -> None:
    assert _told(world) == told
