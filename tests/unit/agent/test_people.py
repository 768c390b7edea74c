"""What people do on the host itself, and the mode in which it is theirs: stopped by hand, restarted by a tool, hands off."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from backstay_agent.cluster.link import ASSIGNMENTS
from backstay_agent.drivers.base import Seen, State
from backstay_api.memory.server import Change, Fate, Request
from backstay_api.objects.plain import Probe, RenderedResource, TcpSocket
from backstay_dev.simulator.virtualtime import in_virtual_time
from backstay_testing.agent_world import ADDRESS, HOST, UNIT, World, address, enrolled, running, unit

STOPPED_BY_HAND = Seen(State.STOPPED, by_admin="stopped by an admin: systemctl stop web.service")
STARTED = [f"start {UNIT}", f"start {ADDRESS}"]


def stop_by_hand(world: World) -> None:
    world.machine.down(UNIT, STOPPED_BY_HAND)


def start_by_hand(world: World) -> None:
    world.machine.up(unit())


async def hands_off(world: World, why: str = "a new kernel") -> None:
    await world.operator.patch(ASSIGNMENTS, HOST, {"spec": {"handsOff": why}})

    async def known() -> bool:
        return (await world.assignment()).status.hands_off is bool(why)

    await world.until(known)


async def seen_as(world: World, phase: str) -> None:
    async def is_so() -> bool:
        report = await world.report()
        return report is not None and report.phase == phase

    await world.until(is_so)


class Outage:
    """The way to the API server, which may be cut."""

    away = False

    def request(self, request: Request) -> Fate:
        return Fate(unreachable="connection refused") if self.away else Fate()

    def event(self, watch: Request, change: Change | None) -> float | None:
        return None if self.away else 0.0


# --- outside maintenance ------------------------------------------------------------------------------------------


@in_virtual_time
async def test_a_stop_by_hand_is_answered_once_and_counts_no_restart() -> None:
    world = await running()
    stop_by_hand(world)
    await world.until(lambda: world.runs(UNIT))
    await world.phase_is("Running")
    report = await world.report()
    assert report and report.restarts == 0
    assert "systemctl stop web.service" in report.by_admin and "started again" in report.by_admin
    assert world.machine.log == [*STARTED, f"stop {UNIT}", f"start {UNIT}"]


@in_virtual_time
async def test_who_stops_it_again_and_again_is_answered_ever_later_and_it_never_moves() -> None:
    world = await running()
    begun_s = asyncio.get_running_loop().time()
    for _ in range(6):
        stop_by_hand(world)
        await world.until(lambda: world.runs(UNIT))
        await world.phase_is("Running")
    assert asyncio.get_running_loop().time() - begun_s >= 1 + 2 + 4 + 8 + 16
    report = await world.report()
    assert report and (report.restarts, report.phase) == (0, "Running")


@in_virtual_time
async def test_a_restart_by_a_tool_is_left_to_systemd() -> None:
    world = await running()
    for _ in range(4):
        by_tool = "restarted by an admin: systemctl restart web.service"
        world.machine.down(UNIT, Seen(State.STOPPING, by_admin=by_tool))
        await asyncio.sleep(0.2)
        start_by_hand(world)
        await asyncio.sleep(5)
    await world.phase_is("Running")
    report = await world.report()
    assert report and report.restarts == 0 and "systemctl restart" in report.by_admin
    assert world.machine.log == STARTED


@in_virtual_time
async def test_a_crash_after_a_stop_by_hand_counts_as_ever() -> None:
    world = await running()
    stop_by_hand(world)
    await world.until(lambda: world.runs(UNIT))
    await world.phase_is("Running")
    world.machine.kill(UNIT)
    await world.until(lambda: world.runs(UNIT))
    await world.phase_is("Running")
    report = await world.report()
    assert report and report.restarts == 1


# --- hands off ----------------------------------------------------------------------------------------------------


@in_virtual_time
async def test_hands_off_what_an_admin_stops_stays_stopped_until_he_starts_it() -> None:
    world = await running()
    await hands_off(world)
    for _ in range(4):
        stop_by_hand(world)
        await asyncio.sleep(5)
        start_by_hand(world)
        await asyncio.sleep(1)
    await world.phase_is("Running")
    report = await world.report()
    assert report and report.by_admin == "", "it runs as it did before"
    stop_by_hand(world)
    await asyncio.sleep(600)
    assert world.machine.log == STARTED
    report = await world.report()
    assert report and (report.restarts, report.released, report.healthy) == (0, False, False)
    assert "stopped by an admin" in report.by_admin and "hands off: a new kernel" in report.why


Resources = tuple[RenderedResource, ...]


class Watches(list[asyncio.Queue[Seen]]):
    """The watches on the unit. An admin who waits for the last one to go stops it then: systemd says only once who asked for that."""

    waits: World | None = None

    def remove(self, watch: asyncio.Queue[Seen]) -> None:
        super().remove(watch)
        if not self and self.waits:
            world, self.waits = self.waits, None
            stop_by_hand(world)

    def stop_now_at_the_latest(self) -> None:
        world, self.waits = self.waits, None
        if world:
            stop_by_hand(world)


async def running_with_watches(**order: Any) -> tuple[World, Watches]:
    world, watches = await enrolled(), Watches()
    world.machine.listeners[UNIT] = watches
    await world.order(**order)
    await world.phase_is("Running")
    assert len(watches) == 1
    return world, watches


@in_virtual_time
async def test_hands_off_a_stop_at_the_very_moment_when_it_begins_is_an_admins_too() -> None:
    world, watches = await running_with_watches()
    watches.waits = world
    await hands_off(world)
    watches.stop_now_at_the_latest()
    await asyncio.sleep(5)
    report = await world.report()
    assert report and not report.healthy and "stopped by an admin" in report.by_admin
    assert world.machine.log == STARTED


@in_virtual_time
async def test_a_stop_at_the_very_moment_when_hands_are_on_again_is_an_admins_and_is_answered() -> None:
    world, watches = await running_with_watches()
    await hands_off(world)
    await asyncio.sleep(1)
    watches.waits = world
    await hands_off(world, "")
    watches.stop_now_at_the_latest()
    await world.until(lambda: world.runs(UNIT))
    await world.phase_is("Running")
    report = await world.report()
    assert report and report.restarts == 0 and "stopped by an admin" in report.by_admin


PROBE = Probe(name="web", tcp_socket=TcpSocket(port=80))


@pytest.mark.parametrize(
    ("first", "then"),
    [
        pytest.param((unit(), address()), (unit(), address(probes=(PROBE,))), id="of another resource"),
        pytest.param(
            (unit(probes=(PROBE,)),), (unit(probes=(replace(PROBE, name="port"),)),), id="of the unit that is stopped"
        ),
    ],
)
@in_virtual_time
async def test_a_stop_at_the_very_moment_when_new_probes_are_taken_over_counts_no_restart(
    first: Resources, then: Resources
) -> None:
    world, watches = await running_with_watches(resources=first)
    watches.waits = world
    await world.order(resources=then, revision=2)
    await asyncio.sleep(1)
    watches.stop_now_at_the_latest()
    await world.until(lambda: world.runs(UNIT))
    await world.phase_is("Running")
    report = await world.report()
    assert report and report.restarts == 0 and "stopped by an admin" in report.by_admin


@in_virtual_time
async def test_hands_off_what_dies_is_not_restarted_and_the_phase_is_what_is() -> None:
    world = await running(resources=(unit(),))
    await hands_off(world)
    await asyncio.sleep(1)
    world.machine.kill(UNIT)
    await seen_as(world, "Stopped")
    report = await world.report()
    assert report and "main process was killed" in report.why and not report.released
    start_by_hand(world)
    await world.phase_is("Running")


@in_virtual_time
async def test_when_hands_are_on_again_what_runs_is_taken_over_as_it_is() -> None:
    world = await running()
    await hands_off(world)
    stop_by_hand(world)
    start_by_hand(world)
    await hands_off(world, "")
    await world.phase_is("Running")
    await asyncio.sleep(60)
    assert world.machine.log == STARTED


@in_virtual_time
async def test_when_hands_are_on_again_what_does_not_run_is_started_and_counts_nothing() -> None:
    world = await running()
    await hands_off(world)
    stop_by_hand(world)
    world.machine.down(ADDRESS)
    await asyncio.sleep(60)
    await hands_off(world, "")
    await world.until(lambda: world.runs(UNIT, ADDRESS))
    await world.phase_is("Running")
    report = await world.report()
    assert report and report.restarts == 0
    assert world.machine.log[2:] == [f"stop {ADDRESS}", f"stop {UNIT}", *STARTED]


@in_virtual_time
async def test_hands_off_an_order_to_stop_waits_and_says_so() -> None:
    world = await running()
    await hands_off(world)
    await world.order("Down")
    await asyncio.sleep(60)
    report = await world.report()
    assert world.runs(UNIT, ADDRESS) and report and not report.released
    assert "told to stop, which waits" in report.why
    await hands_off(world, "")
    await world.released()
    assert not world.machine.running


@in_virtual_time
async def test_hands_off_a_seal_does_not_wait() -> None:
    world = await running()
    await hands_off(world)
    old = await world.session()
    await world.seal()

    async def superseded() -> bool:
        return old.nonce in (await world.session()).supersedes

    await world.until(superseded)
    assert not world.machine.running


@in_virtual_time
async def test_hands_off_what_is_granted_is_not_started_but_an_admin_may() -> None:
    world = await enrolled()
    await hands_off(world)
    await world.order()
    await seen_as(world, "Stopped")
    await world.until(lambda: {UNIT, ADDRESS} <= world.machine.permitted)
    assert world.machine.log == []
    start_by_hand(world)
    world.machine.up(address())
    await world.phase_is("Running")
    # What may have been started is stopped before anything is said to be over.
    await world.order("Down")
    await hands_off(world, "")
    await world.released()
    assert not world.machine.running


@in_virtual_time
async def test_hands_off_what_was_never_granted_here_is_not_permitted() -> None:
    world = await enrolled()
    await hands_off(world)
    await world.order("Down")
    await world.released()
    assert not world.machine.permitted


@in_virtual_time
async def test_hands_off_what_was_granted_to_an_earlier_session_is_not_permitted() -> None:
    """What may run twice goes on after the seal; that an admin may start it again is for its next grant."""
    world = await enrolled()
    await world.order(exclusive=False)
    await world.phase_is("Running")
    old = await world.session()
    await world.seal()

    async def superseded() -> bool:
        return old.nonce in (await world.session()).supersedes

    await world.until(superseded)
    await hands_off(world)
    await asyncio.sleep(30)
    assert world.runs(UNIT) and not world.machine.permitted


@in_virtual_time
async def test_an_agent_that_is_restarted_keeps_its_hands_off_before_it_has_received_anything() -> None:
    weather = Outage()
    world = await enrolled(faults=weather)
    await world.order()
    await world.phase_is("Running")
    await hands_off(world)
    stop_by_hand(world)
    await world.kill_agent()
    weather.away = True
    world.start_agent()
    await asyncio.sleep(30)
    assert world.machine.log == STARTED
    weather.away = False

    async def told() -> bool:
        report = await world.report()
        return report is not None and "hands off: a new kernel" in report.why and not report.healthy

    await world.until(told)


@in_virtual_time
async def test_a_reboot_under_hands_off_starts_nothing() -> None:
    world = await running()
    await hands_off(world)
    await world.reboot()
    world.start_agent()
    await world.held()
    await world.order(epoch=2)
    await seen_as(world, "Stopped")
    await asyncio.sleep(60)
    assert world.machine.log == STARTED
    await hands_off(world, "")
    await world.phase_is("Running")


@in_virtual_time
async def test_a_start_that_failed_may_be_mended_by_hand_under_hands_off() -> None:
    world = await enrolled()
    world.machine.scripts[UNIT].start_fails = "exit status 1"
    await world.order()
    await world.phase_is("Failed")
    await hands_off(world)
    await world.until(lambda: UNIT in world.machine.permitted)
    world.machine.scripts[UNIT].start_fails = ""
    start_by_hand(world)
    await hands_off(world, "")
    await world.phase_is("Running")
    assert world.runs(UNIT, ADDRESS)
