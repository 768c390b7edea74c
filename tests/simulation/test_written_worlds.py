"""Written worlds on the simulator's own parts: production's loops, virtual time, and its monitor as the judge."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from backstay_api.objects.kinds import Raw
from backstay_api.objects.object_kinds import HA_INSTANCES, HA_SERVICES, HOST_ASSIGNMENTS, HOST_LEASES, RESOURCE_CLAIMS
from backstay_dev.simulator.monitor import Owned
from backstay_dev.simulator.processes import SimulationLoop
from backstay_dev.simulator.shapes import NAMESPACE, HostShape, ServiceShape, Shape
from backstay_dev.simulator.virtualtime import wind_up
from backstay_dev.simulator.world import World
from backstay_testing.builders import address, unit

WEB = ServiceShape("web")
WITH_ADDRESS = ServiceShape("web", addresses=("192.0.2.10",))
ADDRESS = address("192.0.2.10/24")


def a_shape(service: ServiceShape, *, operators: int = 1, hosts: int = 2, devices: bool = True) -> Shape:
    host = HostShape(devices="board" if devices else "none")
    return Shape(hosts=(host,) * hosts, operators=operators, services=(service,))


def play(shape: Shape, live: Callable[[World], Awaitable[None]], seed: int = 1) -> World:
    """The whole world for as long as the story goes; nobody may be accused by the monitor."""
    logging.disable(logging.CRITICAL)
    loop = SimulationLoop(seed=seed, limit_s=3600)
    asyncio.set_event_loop(loop)
    try:
        world = World(shape, seed=seed, loop=loop)

        async def all_of_it() -> None:
            world.build()
            await live(world)
            world.end()

        loop.run_until_complete(all_of_it())
        wind_up(loop)
    finally:
        asyncio.set_event_loop(None)
        logging.disable(logging.NOTSET)
    assert world.accusations == [], "\n".join(world.story.lines[-40:])
    return world


def edit(world: World, name: str, *resources: Raw) -> None:
    world.story.tell("a person", f"edits {name}: {', '.join(str(one['name']) for one in resources)}")
    world.patch(HA_SERVICES, (NAMESPACE, name), {"spec": {"resources": list(resources)}})


def condition(world: World, name: str, type_: str) -> dict[str, Any]:
    body = world.get(HA_SERVICES, (NAMESPACE, name))
    assert body is not None
    return next(one for one in body["status"]["conditions"] if one["type"] == type_)


def runs(world: World, identity: str) -> list[str]:
    return [name for name, machine in sorted(world.machines.items()) if identity in machine.state.running]


def test_a_claim_that_was_given_back_is_not_used_by_a_replica_that_learns_of_it_late() -> None:
    async def live(world: World) -> None:
        world.monitor.owners["address 192.0.2.10"] = Owned("the address", True)
        await asyncio.sleep(8)
        world.launch("operator-b")
        await asyncio.sleep(5)
        for name in ("thief", "thief-extra"):
            world.monitor.owners[f"unit {name}.service"] = Owned("thief", True)
        world.create_service(ServiceShape("thief", addresses=("192.0.2.10",)))  # it is refused: web has the address
        await asyncio.sleep(5)
        world.network.lag_s["operator-b", "resourceclaims.backstay.dev"] = 25.0
        edit(world, "web", unit("web"))
        await asyncio.sleep(1.2)
        edit(world, "web", unit("web"), ADDRESS)  # rolled back
        await asyncio.sleep(10)
        assert len(runs(world, "address 192.0.2.10")) == 1
        assert condition(world, "web", "Accepted")["reason"] == "AlreadyClaimed"

    play(a_shape(WITH_ADDRESS), live)


def test_an_older_service_cannot_take_the_unit_of_a_younger_one() -> None:
    async def live(world: World) -> None:
        await asyncio.sleep(6)
        world.monitor.owners["unit db.service"] = Owned("db", True)
        await asyncio.sleep(2)
        world.create_service(ServiceShape("db"))
        await asyncio.sleep(5)
        edit(world, "web", unit("web"), unit("db"))
        await asyncio.sleep(10)
        assert condition(world, "web", "Accepted")["reason"] == "AlreadyClaimed"
        assert len(runs(world, "unit db.service")) == 1

    play(a_shape(WEB, operators=2), live)


def test_a_unit_that_is_renamed_is_nobodys_while_it_may_run_on() -> None:
    async def live(world: World) -> None:
        world.monitor.owners["unit web.service"] = Owned("the unit", True)
        await asyncio.sleep(6)
        world.monitor.owners["unit young.service"] = Owned("young", True)
        world.create_service(ServiceShape("young"))
        edit(world, "young", unit("web"))  # the same unit: refused while web has it
        await asyncio.sleep(5)
        world.cut("n1", "silent")
        await asyncio.sleep(5)
        edit(world, "web", unit("other"))
        await asyncio.sleep(10)
        assert runs(world, "unit web.service") == ["n1"]
        world.heal("n1")
        await asyncio.sleep(20)
        assert condition(world, "young", "Ready")["status"] == "True", "it is free now, and young has it"

    play(a_shape(WEB, operators=2, devices=False), live)


def test_a_replica_that_has_not_seen_a_service_stops_and_deletes_nothing_of_it() -> None:
    """To a follower that learns of services late, the new instance has none, and its claims are abandoned."""

    async def live(world: World) -> None:
        await asyncio.sleep(8)
        world.launch("operator-b")
        await asyncio.sleep(5)
        world.network.lag_s["operator-b", "haservices.backstay.dev"] = 30.0
        for name in ("db", "db-extra"):
            world.monitor.owners[f"unit {name}.service"] = Owned("db", True)
        world.create_service(ServiceShape("db"))
        await asyncio.sleep(12)
        assert condition(world, "db", "Ready")["status"] == "True"
        assert not [line for line in world.story.lines if "db-0 epoch 1 Down" in line or "db-0 is marked" in line]
        assert [body["spec"]["key"] for body in world.cluster.bodies(RESOURCE_CLAIMS)].count("db.service") == 1

    play(a_shape(WEB), live)


def test_the_hostassignment_of_a_host_with_a_copy_that_nobody_wants_is_deleted_and_the_copy_is_stopped_all_the_same() -> (
    None
):
    async def live(world: World) -> None:
        await asyncio.sleep(6)
        world.cut("n1", "refused")
        await asyncio.sleep(6)
        world.story.tell("a person", "deletes HostAssignment n1")
        world.delete(HOST_ASSIGNMENTS, ("", "n1"))
        await asyncio.sleep(2)
        world.heal("n1")
        await asyncio.sleep(10)
        assert len(runs(world, "unit log.service")) == 1

    play(a_shape(ServiceShape("log", is_exclusive=False)), live)


def test_an_instance_without_our_finalizer_is_not_lost_with_what_it_holds() -> None:
    async def live(world: World) -> None:
        await asyncio.sleep(6)
        world.patch(HA_INSTANCES, (NAMESPACE, "web-0"), {"metadata": {"finalizers": None}})
        world.story.tell("a person", "takes our finalizer off web-0")
        await asyncio.sleep(2)
        body = world.get(HA_INSTANCES, (NAMESPACE, "web-0"))
        assert body is not None and body["metadata"]["finalizers"] == ["backstay.dev/instance"]

    play(a_shape(WEB), live)


async def looks_silent(world: World, host: str) -> None:
    """Twelve hosts tell the operator late, so that each looks silent half of the time; this one answers when all others have."""
    await asyncio.sleep(8)
    for kind in (HOST_LEASES, HOST_ASSIGNMENTS):
        world.network.lag_s["operator-a", kind.resource] = 3.0
    world.network.lag_s[f"agent-{host}", HOST_ASSIGNMENTS.resource] = 1.5
    await asyncio.sleep(6)


def test_a_host_that_only_a_late_picture_takes_for_silent_is_asked_before_the_first_epoch() -> None:
    """Seed 53479532458."""

    async def live(world: World) -> None:
        await looks_silent(world, "n1")
        world.monitor.owners["unit db.service"] = Owned("db", True)
        world.machines["n1"].start_by_hand("db.service")
        world.create_service(ServiceShape("db"))
        await asyncio.sleep(20)
        assert runs(world, "unit db.service") == ["n1"]
        assert "n1 runs db.service already, not started by Backstay" in condition(world, "db", "Ready")["message"]
        world.network.lag_s.clear()
        world.machines["n1"].stop_by_hand()
        await asyncio.sleep(20)
        assert condition(world, "db", "Ready")["status"] == "True"

    play(a_shape(WEB, hosts=12), live)


def test_a_host_that_only_a_late_picture_takes_for_silent_is_asked_before_an_edit_brings_a_unit() -> None:
    """Seed 52278829034."""

    async def live(world: World) -> None:
        await looks_silent(world, "n9")
        (holder,) = runs(world, "unit web.service")
        assert holder != "n9"
        world.monitor.owners["unit extra.service"] = Owned("web", True)
        world.machines["n9"].start_by_hand("extra.service")
        edit(world, "web", unit("web"), unit("extra"))
        await asyncio.sleep(20)
        assert runs(world, "unit extra.service") == ["n9"]
        world.network.lag_s.clear()
        world.machines["n9"].stop_by_hand()
        await asyncio.sleep(20)
        assert runs(world, "unit extra.service") == [holder]

    play(a_shape(WEB, hosts=12), live)
