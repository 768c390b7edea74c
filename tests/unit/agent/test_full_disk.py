"""A disk that takes nothing more: nothing new is started, what has ended is recorded, and sentences say so."""

from __future__ import annotations

import asyncio

from backstay_dev.simulator.virtualtime import in_virtual_time
from backstay_testing.agent_world import UNIT, World, enrolled, running


@in_virtual_time
async def test_on_a_full_disk_nothing_is_started_and_a_sentence_says_so() -> None:
    world = await enrolled()
    world.disk.full = "No space left on device"
    await world.order()

    async def told() -> bool:
        report = await world.report()
        return report is not None and "No space left" in report.why

    await world.until(told)
    assert world.machine.log == []
    world.disk.full = ""
    await world.phase_is("Running")


@in_virtual_time
async def test_an_agent_that_finds_the_disk_full_waits_for_room_and_does_not_die() -> None:
    world = World()
    await world.prepare()
    world.disk.full = "No space left on device"
    world.start_agent()
    await asyncio.sleep(60)
    world.disk.full = ""
    await world.held()


@in_virtual_time
async def test_a_stop_that_cannot_be_recorded_is_not_released() -> None:
    world = await running()
    await world.kill_agent()
    world.start_agent()
    await asyncio.sleep(2)
    await world.order("Down", uid="u9")
    await world.released("u9")
    world.machine.scripts[UNIT].stop_takes_s = 1.0
    await world.order("Down")
    await world.until(lambda: f"stop {UNIT}" in world.machine.log)
    world.disk.broken = "Read-only file system"
    await asyncio.sleep(30)
    await world.phase_is("Stuck")
    report = await world.report()
    assert report and not report.released and report.unrecorded and not report.unstoppable
    assert report.why.startswith("stopped verifiably, but that cannot be recorded: ")
    world.disk.broken = ""
    await world.released()


@in_virtual_time
async def test_on_a_full_disk_what_has_ended_is_recorded_all_the_same() -> None:
    world = await running()
    world.disk.full = "No space left on device"
    await world.order("Down")
    await world.released()
    assert not world.machine.running


@in_virtual_time
async def test_on_a_full_disk_a_service_that_cannot_be_started_again_is_given_up() -> None:
    world = await running()
    world.disk.full = "No space left on device"
    world.machine.scripts[UNIT].start_fails = "it wanted to write below /run"
    world.machine.kill(UNIT)
    await world.phase_is("Failed")
    assert not world.machine.running


@in_virtual_time
async def test_on_a_full_disk_a_sealed_session_ends_and_the_next_one_begins() -> None:
    world = await running()
    old = (await world.session()).nonce
    world.disk.full = "No space left on device"
    await world.seal()

    async def superseded() -> bool:
        return old in (await world.session()).supersedes

    await world.until(superseded)
    assert not world.machine.running
