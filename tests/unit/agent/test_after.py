"""`after`: resources of one service that start side by side, stop in reverse, and are restarted only with what they stand on."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from backstay_api.objects.plain import Probe, RenderedResource, TcpSocket
from backstay_dev.simulator.virtualtime import in_virtual_time
from backstay_testing.agent_world import World, enrolled, running, unit

DISKS = ("disk-a", "disk-b")


def one(name: str, *after: str, listed: bool = False, probed: bool = False) -> RenderedResource:
    probes = (Probe(name="alive", tcp_socket=TcpSocket(port=80)),) if probed else ()
    return unit(name, f"{name}.service", after=None if listed else after, probes=probes)


def service() -> Sequence[RenderedResource]:
    """Two disks side by side, a database on the first, a cache on the second, and a front end on both."""
    return (one("disk-a"), one("disk-b"), one("db", "disk-a"), one("cache", "disk-b"), one("front", listed=True))


def done(world: World, begin: int = 0) -> list[str]:
    return [line.replace("unit ", "").replace(".service", "") for line in world.machine.log[begin:]]


def takes(world: World, start_s: float = 0.0, stop_s: float = 0.0) -> None:
    for resource in service():
        script = world.machine.scripts[f"unit {resource.name}.service"]
        script.start_takes_s, script.stop_takes_s = start_s, stop_s


async def until_started(world: World, name: str, begin: int = 0) -> None:
    async def begun() -> bool:
        return f"start {name}" in done(world, begin)

    await world.until(begun)


@in_virtual_time
async def test_what_needs_nothing_of_each_other_starts_at_once() -> None:
    world = await enrolled()
    takes(world, start_s=10)
    world.machine.scripts["unit disk-a.service"].start_takes_s = 15
    await world.order(resources=service())
    begun_s = asyncio.get_running_loop().time()
    await world.phase_is("Running")
    assert 34 <= asyncio.get_running_loop().time() - begun_s <= 37, "one after the other it would be 55"
    started = [line.removeprefix("start ") for line in done(world)]
    assert set(started[:2]) == set(DISKS) and set(started[2:4]) == {"db", "cache"} and started[4:] == ["front"]


@in_virtual_time
async def test_it_is_stopped_in_reverse_and_side_by_side() -> None:
    world = await running(resources=service())
    begin = len(world.machine.log)
    takes(world, stop_s=5)
    begun_s = asyncio.get_running_loop().time()
    await world.order("Down")
    await world.released()
    assert 15 <= asyncio.get_running_loop().time() - begun_s <= 17, "one after the other it would be 25"
    stopped = [line.removeprefix("stop ") for line in done(world, begin)]
    assert stopped[0] == "front" and set(stopped[1:3]) == {"db", "cache"} and set(stopped[3:]) == set(DISKS)


@in_virtual_time
async def test_what_cannot_be_stopped_keeps_nothing_from_being_stopped() -> None:
    world = await running(resources=service())
    world.machine.scripts["unit cache.service"].stop_fails = "it hangs"
    world.machine.scripts["unit db.service"].stop_fails = "it hangs too"
    await world.order("Down")
    await world.phase_is("Stuck")
    report = await world.report()
    assert report and "cache: it hangs; db: it hangs too" in report.why
    assert set(world.machine.running) == {"unit cache.service", "unit db.service"}


@in_virtual_time
async def test_only_what_stands_on_it_is_restarted_with_it() -> None:
    world = await running(resources=service())
    begin = len(world.machine.log)
    world.machine.kill("unit disk-a.service")

    async def restarted() -> bool:
        report = await world.report()
        return report is not None and report.restarts == 1 and report.healthy

    await world.until(restarted)
    assert done(world, begin) == [
        "died disk-a",
        *[f"stop {name}" for name in ("front", "db", "disk-a")],
        *[f"start {name}" for name in ("disk-a", "db", "front")],
    ]


@in_virtual_time
async def test_a_start_that_fails_ends_the_starts_beside_it_and_all_is_stopped() -> None:
    world = await enrolled()
    world.machine.scripts["unit disk-a.service"].start_fails = "no such disk"
    world.machine.scripts["unit disk-b.service"].start_takes_s = 10
    await world.order(resources=service())
    await world.phase_is("Failed")
    report = await world.report()
    assert report and "no such disk" in report.why and not world.machine.running
    assert "start db" not in done(world) and "start cache" not in done(world)


@in_virtual_time
async def test_what_is_waited_for_is_said_of_each() -> None:
    world = await enrolled()
    for name in DISKS:
        world.machine.scripts[f"unit {name}.service"].works_after_s = 10
    await world.order(resources=(one("disk-a", probed=True), one("disk-b", probed=True), one("db", "disk-a", "disk-b")))

    async def said() -> bool:
        report = await world.report()
        return (
            report is not None
            and report.phase == "Starting"
            and all(f"{name}: it is up" in report.why for name in DISKS)
        )

    await world.until(said)
    assert not any("db" in line for line in done(world))
    await world.phase_is("Running")


@in_virtual_time
async def test_another_after_restarts_nothing() -> None:
    world = await running(resources=service())
    log = list(world.machine.log)
    await world.order(revision=2, resources=[one(resource.name, listed=True) for resource in service()])

    async def accepted() -> bool:
        report = await world.report()
        return report is not None and report.revision == 2

    await world.until(accepted)
    assert world.machine.log == log


@in_virtual_time
async def test_an_order_that_has_no_order_is_answered() -> None:
    world = await enrolled()
    await world.order(resources=(one("a", "b"), one("b", "a")))

    async def answered() -> bool:
        report = await world.report()
        return report is not None and "a waits for b, b waits for a" in report.why

    await world.until(answered)
    assert not world.machine.running


@in_virtual_time
async def test_what_is_found_of_several_services_is_stopped_though_their_resources_share_names() -> None:
    """Seed 22554229422: put together, one waits for the other's resource of that name, and that for all above it."""
    world = await enrolled()
    await world.order(uid="u1", resources=(unit("server", "a.service"), unit("front", "b.service", after=("server",))))
    await world.phase_is("Running", "u1")
    await world.order(uid="u2", resources=(unit("server", "c.service"),))
    await world.phase_is("Running", "u2")
    await world.kill_agent()
    world.disk.files = {"run/journal": "cut"}
    world.start_agent()
    await world.until(lambda: not world.machine.running)
    assert world.machine.log[-3:] == ["stop unit c.service", "stop unit b.service", "stop unit a.service"]


@in_virtual_time
async def test_nothing_is_started_on_what_has_died_while_something_else_was_started() -> None:
    world = await enrolled()
    world.machine.scripts["unit cache.service"].start_takes_s = 5
    await world.order(resources=service())
    await until_started(world, "cache")
    begin = len(world.machine.log)
    world.machine.kill("unit disk-a.service")

    async def healed() -> bool:
        report = await world.report()
        return report is not None and report.phase == "Running" and report.healthy

    await world.until(healed)
    assert done(world, begin) == [
        "died disk-a",
        *[f"stop {name}" for name in ("front", "db", "disk-a")],
        *[f"start {name}" for name in ("disk-a", "db", "front")],
    ]


@in_virtual_time
async def test_a_search_for_an_address_ends_in_no_start_on_what_has_died_meanwhile() -> None:
    world = await enrolled()
    world.machine.scripts["unit db.service"].prepare_takes_s = 5
    await world.order(resources=(one("disk-a"), one("db", "disk-a")))
    await until_started(world, "disk-a")
    await asyncio.sleep(1)
    world.machine.kill("unit disk-a.service")
    await world.phase_is("Running")
    assert done(world)[:2] == ["start disk-a", "died disk-a"]
    assert done(world).index("stop disk-a") < done(world).index("start db")


@in_virtual_time
async def test_what_stands_alone_is_started_whatever_else_has_died() -> None:
    world = await enrolled()
    world.machine.scripts["unit disk-b.service"].start_takes_s = 5
    await world.order(resources=service())
    await until_started(world, "disk-b")
    world.machine.kill("unit disk-a.service")
    await world.phase_is("Running")
    assert done(world).index("start cache") < done(world).index("stop disk-a")


@in_virtual_time
async def test_a_part_that_is_restarted_is_not_started_on_what_has_died_meanwhile() -> None:
    world = await running(resources=(one("disk-a"), one("db", "disk-a"), one("front", listed=True)))
    world.machine.scripts["unit db.service"].start_takes_s = 5
    begin = len(world.machine.log)
    world.machine.kill("unit db.service")
    await until_started(world, "db", begin)
    await asyncio.sleep(1)
    world.machine.kill("unit disk-a.service")

    async def healed() -> bool:
        report = await world.report()
        return report is not None and report.restarts == 2 and report.healthy

    await world.until(healed)
    told = done(world, begin)
    assert told.index("start front") > told.index("start disk-a"), told
