"""An agent's patience: probes before the next resource, time between tries, blinks of a link, and epochs that are not mixed up."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from typing import Any

import pytest

from backstay_agent.cluster.link import ASSIGNMENTS
from backstay_agent.drivers.base import Seen, State
from backstay_api.objects.kinds import Raw
from backstay_api.objects.plain import (
    HostAssignment,
    InstanceReport,
    Probe,
    RenderedResource,
    SessionRef,
    TcpSocket,
    Timeouts,
)
from backstay_dev.simulator.virtualtime import in_virtual_time
from backstay_testing.agent_world import ADDRESS, HOST, UNIT, World, address, enrolled, running, unit

STARTED = [f"start {UNIT}", f"start {ADDRESS}"]


def probed(*, start: str | None = None, **more: Any) -> RenderedResource:
    probe = Probe(**{"name": "alive", "tcp_socket": TcpSocket(port=80), **more})
    return unit(probes=(probe,), timeouts=Timeouts(start=start))


def now_s() -> float:
    return asyncio.get_running_loop().time()


async def told(world: World, phase: str, why: str = "") -> InstanceReport:
    async def is_so() -> bool:
        report = await world.report()
        return report is not None and report.phase == phase and why in report.why

    await world.until(is_so, limit_s=120)
    report = await world.report()
    assert report
    return report


# --- ready means ready --------------------------------------------------------------------------------------------


@in_virtual_time
async def test_the_address_comes_up_after_the_first_good_answer_and_until_then_it_is_starting() -> None:
    world = await enrolled()
    world.machine.scripts[UNIT].works_after_s = 10
    await world.order(resources=(probed(start="60s"), address()))
    report = await told(world, "Starting", "connection refused")
    assert not report.healthy
    await asyncio.sleep(9)
    assert world.machine.log == [f"start {UNIT}"]
    await world.phase_is("Running")
    assert world.machine.log == STARTED


@in_virtual_time
async def test_failed_probes_during_the_start_are_no_failures() -> None:
    world = await enrolled()
    world.machine.scripts[UNIT].works_after_s = 55
    await world.order(resources=(probed(start="60s", period="1s", failure_threshold=1), address()))
    await told(world, "Running")
    report = await world.report()
    assert report and report.restarts == 0 and world.machine.log == STARTED


@in_virtual_time
async def test_what_does_not_work_within_its_time_has_failed_and_says_what_its_probe_said() -> None:
    world = await enrolled()
    world.machine.scripts[UNIT].works_after_s = 1000
    begun_s = now_s()
    await world.order(resources=(probed(start="30s"), address()))
    report = await told(world, "Failed")
    assert "did not work in time: probe alive: connection refused" in report.why
    assert 30 <= now_s() - begun_s < 32 and ADDRESS not in " ".join(world.machine.log[:1])
    assert not world.machine.running


@in_virtual_time
async def test_without_a_limit_in_the_manifest_the_units_own_is_the_allowance() -> None:
    world = await enrolled()
    world.machine.scripts[UNIT].works_after_s = 80
    world.machine.scripts[UNIT].start_limit_s = 90
    await world.order(resources=(probed(), address()))
    await told(world, "Running")


@in_virtual_time
async def test_an_initial_delay_longer_than_the_limit_is_waited_for() -> None:
    world = await enrolled()
    world.machine.scripts[UNIT].works_after_s = 14
    await world.order(resources=(probed(start="10s", initial_delay="15s"), address()))
    await told(world, "Running")


@in_virtual_time
async def test_after_a_restart_in_place_its_probes_are_waited_for_too() -> None:
    world = await running(resources=(probed(start="60s"), address()))
    world.machine.scripts[UNIT].works_after_s = 30
    world.machine.kill(UNIT)
    await asyncio.sleep(20)
    report = await world.report()
    assert report and not report.healthy and report.restarts == 1
    await asyncio.sleep(15)
    report = await world.report()
    assert report and report.healthy and report.restarts == 1


@in_virtual_time
async def test_an_agent_that_is_restarted_in_the_middle_of_a_start_gives_it_the_rest_of_its_time() -> None:
    world = await enrolled()
    world.machine.scripts[UNIT].works_after_s = 1000
    await world.order(resources=(probed(start="60s"),))
    await told(world, "Starting", "connection refused")
    await world.kill_agent()
    world.start_agent()
    await asyncio.sleep(50)
    report = await world.report()
    assert report and not report.healthy and world.machine.log == [f"start {UNIT}"]
    await world.until(lambda: f"stop {UNIT}" in world.machine.log)


# --- time between tries -------------------------------------------------------------------------------------------


@in_virtual_time
async def test_restarts_come_at_once_then_after_one_second_then_after_two() -> None:
    world = await running(resources=(unit(),))
    at_s: list[float] = []

    def on_change(name: str, runs: bool) -> None:
        if runs:
            at_s.append(now_s())
            asyncio.get_running_loop().call_later(0.01, world.machine.kill, UNIT)

    await asyncio.sleep(5)
    world.machine.on_change = on_change
    begun_s = now_s()
    world.machine.kill(UNIT)
    await told(world, "Failed")
    gaps = [round(after - before, 1) for before, after in pairwise([begun_s, *at_s])]
    assert gaps == [0.0, 1.0, 2.0]


@in_virtual_time
async def test_a_link_that_blinks_costs_nothing_below_its_address_and_no_restart() -> None:
    world = await running()
    world.machine.scripts[ADDRESS].start_fails = "svc0 has no carrier"
    world.machine.down(ADDRESS, Seen(State.FAILED, "svc0 has no carrier"))
    await asyncio.sleep(1.5)
    world.machine.scripts[ADDRESS].start_fails = ""
    await world.phase_is("Running")
    report = await world.report()
    assert report and report.restarts == 0
    assert f"stop {UNIT}" not in world.machine.log and world.machine.log.count(f"start {UNIT}") == 1
    assert world.machine.log.count(f"start {ADDRESS}") <= 6


@in_virtual_time
async def test_an_interface_that_is_gone_for_good_is_given_up_within_seconds() -> None:
    world = await running()
    world.machine.scripts[ADDRESS].start_fails = "there is no interface svc0"
    begun_s = now_s()
    world.machine.down(ADDRESS, Seen(State.FAILED, "there is no interface svc0"))
    report = await told(world, "Failed")
    assert "there is no interface svc0" in report.why and not world.machine.running
    assert 3 <= now_s() - begun_s <= 15


@in_virtual_time
async def test_an_address_that_is_taken_away_all_the_time_is_given_up_at_last() -> None:
    world = await running()

    async def up_or_given_up() -> bool:
        report = await world.report()
        return report is not None and (report.phase == "Failed" or world.runs(ADDRESS))

    for _ in range(40):
        await asyncio.sleep(5)
        world.machine.down(ADDRESS)
        await world.until(up_or_given_up)
    report = await told(world, "Failed")
    assert "3 times within 10m" in report.why


@in_virtual_time
async def test_an_address_that_cannot_be_taken_away_is_not_played_down() -> None:
    world = await running()
    world.machine.scripts[ADDRESS].stop_fails = "the kernel refuses"
    world.machine.down(ADDRESS, Seen(State.FAILED, "it is gone"))
    await told(world, "Stuck")


# --- epochs -------------------------------------------------------------------------------------------------------


def every_status(world: World) -> list[InstanceReport]:
    """Everything that is ever said of u1 from now on."""
    said: list[InstanceReport] = []

    def note(kind: object, old: Raw | None, new: Raw) -> None:
        if "u1" in new.get("status", {}).get("instances", {}):
            said.append(HostAssignment.from_wire(new).status.instances["u1"])

    world.cluster.admit(ASSIGNMENTS, note)
    return said


async def failed_once() -> World:
    """The first start of u1 has failed, and that was told."""
    world = await enrolled()
    world.machine.scripts[UNIT].start_fails = "/srv/broken is there"
    await world.order()
    await told(world, "Failed")
    return world


def assert_not_told(reports: list[InstanceReport]) -> None:
    assert reports and not any(report.phase == "Failed" or "broken" in report.why for report in reports)


@in_virtual_time
async def test_the_failure_of_an_epoch_is_never_told_of_the_next_one() -> None:
    world = await failed_once()
    await world.order("Down")
    await world.released()
    world.machine.scripts[UNIT].start_fails = ""
    said = every_status(world)
    await world.order(epoch=2)
    await told(world, "Running")
    assert_not_told([report for report in said if report.epoch == 2])


@in_virtual_time
async def test_nor_is_it_when_the_next_epoch_comes_without_an_order_to_stop() -> None:
    world = await failed_once()
    world.machine.scripts[UNIT].start_fails = ""
    said = every_status(world)
    await world.order(epoch=2)
    await told(world, "Running")
    assert_not_told([report for report in said if report.epoch == 2])


@in_virtual_time
async def test_nor_is_the_failure_of_other_resources_told_of_what_they_were_edited_into() -> None:
    world = await failed_once()
    said = every_status(world)
    await world.order(revision=2, resources=(unit(unit="other.service"),))
    await told(world, "Running")
    assert_not_told([report for report in said if report.revision == 2])


# --- what a stop says, and what is remembered of this boot ----------------------------------------------------------


@in_virtual_time
async def test_a_stop_that_ended_in_sigkill_is_told_with_it() -> None:
    world = await running()
    world.machine.scripts[UNIT].stop_note = "web.service did not stop within 20 s and was killed by SIGKILL"
    await world.order("Down")
    await world.released()
    report = await world.report()
    assert report and "killed by SIGKILL" in report.why


@in_virtual_time
async def test_with_the_assignment_deleted_and_run_lost_all_sessions_of_this_boot_are_superseded() -> None:
    world = await running()
    first = await world.session()
    await world.seal()

    async def second() -> bool:
        return first.nonce in (await world.session()).supersedes

    await world.until(second)
    before = await world.session()
    await world.reopen()
    await world.held()
    await asyncio.sleep(1)
    await world.operator.delete(ASSIGNMENTS, HOST)
    await world.kill_agent()
    world.disk.lose_run()
    await world.operator.create(
        ASSIGNMENTS, HostAssignment.from_wire({"metadata": {"name": HOST}, "spec": {"heartbeat": {"profile": "lab"}}})
    )
    world.start_agent()

    async def third() -> bool:
        stored = (await world.assignment()).status.session
        return stored is not None and {first.nonce, before.nonce} <= set(stored.supersedes)

    await world.until(third)
    assert (await world.session()).seq > before.seq
    await world.held()


async def all_memory_lost(world: World) -> SessionRef:
    """Of the session that runs u1: the HostAssignment is made again, /run and /var/lib are empty."""
    now = await world.session()
    await world.operator.delete(ASSIGNMENTS, HOST)
    await world.kill_agent()
    world.disk.lose_run()
    world.disk.files.clear()
    await world.operator.create(
        ASSIGNMENTS, HostAssignment.from_wire({"metadata": {"name": HOST}, "spec": {"heartbeat": {"profile": "lab"}}})
    )
    return SessionRef(boot_id=now.boot_id, nonce=now.nonce, seq=now.seq)


@pytest.mark.parametrize("is_late", [False, True])
@in_virtual_time
async def test_with_all_memory_lost_the_session_that_an_order_names_is_superseded(is_late: bool) -> None:
    """Seed 33411074919: nobody else knew of the session that held the grant, so its epoch was never over."""
    world = await running()
    before = await all_memory_lost(world)
    if is_late:
        world.start_agent()
        await world.held()
    await world.order(session=before)
    if not is_late:
        world.start_agent()

    async def superseded() -> bool:
        now = (await world.assignment()).status.session
        return now is not None and before.nonce in now.supersedes and now.seq > before.seq

    await world.until(superseded)
    assert not world.machine.running
    await world.held()


def test_on_a_clock_that_moves_between_two_looks_at_it_what_is_due_at_once_is_begun() -> None:
    """Virtual time stands still meanwhile, so only a real clock shows it."""

    async def story() -> None:
        world = await enrolled()
        await world.order(resources=(unit(), address()))
        async with asyncio.timeout(10):
            await world.phase_is("Running")
        assert world.machine.log == STARTED

    asyncio.run(story())
