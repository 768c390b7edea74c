"""An edit restarts what it makes other work of, and what stands on that: the rest runs on, whatever happens meanwhile."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import replace

import pytest

from backstay_api.objects.plain import RenderedResource, Systemd
from backstay_dev.simulator.virtualtime import in_virtual_time, run
from backstay_testing.agent_world import ADDRESS, World, address, enrolled, running, unit


def one(name: str, *after: str, also: str = "") -> RenderedResource:
    return unit(name, f"{also or name}.service", after=after)


DB, CACHE, FRONT = one("db"), one("cache"), one("front", "db")
BEFORE = (DB, CACHE, FRONT, address(after=("front", "cache")))


async def edited(world: World, *wanted: RenderedResource, revision: int = 2) -> list[str]:
    """What the drivers were told to do until what runs is what is wanted."""
    begin = len(world.machine.log)
    await world.order(resources=wanted, revision=revision)

    async def accepted() -> bool:
        report = await world.report()
        return report is not None and report.revision == revision and report.healthy

    await world.until(accepted)
    return [line.replace("unit ", "").replace(".service", "") for line in world.machine.log[begin:]]


@pytest.mark.parametrize(
    ("wanted", "done"),
    [
        pytest.param(
            (one("db", also="db2"), *BEFORE[1:]),
            ["stop front", "stop db", "start db2", "start front"],
            id="what stands on it, and no address",
        ),
        pytest.param((DB, one("cache", also="c2"), *BEFORE[2:]), ["stop cache", "start c2"], id="nothing stands on it"),
        pytest.param((*BEFORE, one("log", "db")), ["start log"], id="a new one"),
        pytest.param(
            (one("disk"), one("db", "disk"), *BEFORE[1:]),
            ["stop front", "stop db", "start disk", "start db", "start front"],
            id="a new one under others",
        ),
        pytest.param((DB, FRONT, address(after=("front",))), ["stop cache"], id="one is gone"),
        pytest.param(
            (CACHE, one("front"), BEFORE[3]), ["stop front", "stop db", "start front"], id="one is gone below"
        ),
        pytest.param((CACHE, DB, *BEFORE[2:]), [], id="another order"),
        pytest.param(
            (*BEFORE[:3], address(address="192.0.2.11/24")),
            ["stop address 192.0.2.10", "start address 192.0.2.11"],
            id="an address",
        ),
    ],
)
def test_only_that_is_restarted_and_nothing_is_counted(wanted: Sequence[RenderedResource], done: list[str]) -> None:
    async def story() -> None:
        world = await running(resources=BEFORE)
        assert await edited(world, *wanted) == done
        report = await world.report()
        assert report and (report.phase, report.restarts, report.why) == ("Running", 0, "")
        await world.order("Down")
        await world.released()
        assert not world.machine.running

    run(story())


@in_virtual_time
async def test_what_is_down_meanwhile_is_restarted_with_it() -> None:
    world = await running(resources=BEFORE)
    world.machine.kill("unit cache.service")
    done = await edited(world, one("db", also="db2"), *BEFORE[1:])
    assert set(done) >= {"start db2", "start cache", "start front"} and done.count("start cache") == 1


@in_virtual_time
async def test_what_needs_no_restart_is_applied_after_it_and_is_told_only_then() -> None:
    world = await running(resources=BEFORE)
    script = world.machine.scripts["unit cache.service"]
    script.apply_fails = "bad config"
    limited = replace(CACHE, systemd=Systemd(unit="cache.service", overrides={"MemoryMax": "1G"}))
    wanted = (one("db", also="db2"), limited, *BEFORE[2:])
    await world.order(resources=wanted, revision=2)
    await asyncio.sleep(10)
    report = await world.report()
    assert report and (report.revision, report.phase) == (1, "Running") and "cache: bad config" in report.why
    assert world.runs("unit db2.service") and not world.runs("unit db.service")
    script.apply_fails = ""
    await world.until(lambda: world.machine.log[-1] == "apply unit cache.service", limit_s=60)
    assert "stop unit cache.service" not in world.machine.log


@in_virtual_time
async def test_a_part_that_does_not_start_is_tried_once_more_with_all_and_then_given_up() -> None:
    world = await running(resources=BEFORE)
    world.machine.scripts["unit db2.service"].start_fails = "bad config"
    begin = len(world.machine.log)
    await world.order(resources=(one("db", also="db2"), *BEFORE[1:]), revision=2)
    await world.phase_is("Failed")
    assert world.machine.log[begin:].count("start unit cache.service") == 1 and not world.machine.running
    report = await world.report()
    assert report and report.why == "bad config"


@in_virtual_time
async def test_a_part_that_cannot_be_stopped_has_all_stopped_and_nothing_is_started() -> None:
    world = await running(resources=BEFORE)
    world.machine.scripts["unit db.service"].stop_fails = "it hangs"
    begin = len(world.machine.log)
    await world.order(resources=(one("db", also="db2"), *BEFORE[1:]), revision=2)
    await world.phase_is("Stuck")
    assert not any(line.startswith("start") for line in world.machine.log[begin:])
    assert set(world.machine.running) == {"unit db.service"}


@in_virtual_time
async def test_another_edit_meanwhile_has_all_stopped_and_started_as_it_says() -> None:
    world = await running(resources=BEFORE)
    world.machine.scripts["unit db2.service"].start_takes_s = 5
    begin = len(world.machine.log)
    await world.order(resources=(one("db", also="db2"), *BEFORE[1:]), revision=2)
    await world.until(lambda: "stop unit db.service" in world.machine.log[begin:])
    await edited(world, one("db", also="db3"), *BEFORE[1:], revision=3)
    assert set(world.machine.running) == {f"unit {name}.service" for name in ("db3", "cache", "front")} | {ADDRESS}


@in_virtual_time
async def test_sealed_meanwhile_it_starts_nothing() -> None:
    world = await running(resources=BEFORE)
    world.machine.scripts["unit db.service"].stop_takes_s = 3
    await world.order(resources=(one("db", also="db2"), *BEFORE[1:]), revision=2)
    await world.until(lambda: not world.runs("unit front.service"))
    await world.seal()
    await world.until(lambda: not world.machine.running)
    assert "start unit db2.service" not in world.machine.log


def recorded(world: World) -> set[str]:
    """The units that the journal says may run."""
    (record,) = json.loads(world.disk.files["run/journal"].split("\n")[0])["records"]
    return {f"unit {each['systemd']['unit']}" for each in record["resources"] if "systemd" in each}


@pytest.mark.parametrize("loses_journal", [False, True])
@pytest.mark.parametrize("turns", range(34))
def test_killed_at_any_turn_its_successor_ends_it_and_nothing_runs_unrecorded(turns: int, loses_journal: bool) -> None:
    wanted = (one("disk"), one("db", "disk", also="db2"), FRONT, address(after=("front",)))

    def changed(world: World, name: str, runs: bool) -> None:
        assert not runs or name == ADDRESS or name in recorded(world), name

    async def story() -> None:
        world = await enrolled()
        await world.order(resources=BEFORE)
        await world.phase_is("Running")
        world.machine.on_change = lambda name, runs: changed(world, name, runs)
        await world.order(resources=wanted, revision=2)
        for _ in range(turns):
            await asyncio.sleep(0)
        await world.kill_agent()
        if loses_journal:
            world.disk.files["run/journal"] = "torn"
            world.start_agent()
            await world.until(lambda: not world.machine.running)
            return
        world.start_agent()
        await world.until(
            lambda: world.runs("unit front.service") and "unit cache.service" not in world.machine.running
        )
        await edited(world, *wanted)
        assert set(world.machine.running) == {f"unit {name}.service" for name in ("disk", "db2", "front")} | {ADDRESS}

    run(story())
