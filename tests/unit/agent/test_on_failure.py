"""`onFailure` of a resource: it is restarted, or its service moves at once, or goes on without it."""

from __future__ import annotations

import asyncio

import pytest

from backstay_agent.core.health import Verdict
from backstay_agent.drivers.base import Seen, State
from backstay_api.objects.plain import Probe, RenderedRecovery, RenderedResource, TcpSocket
from backstay_dev.simulator.virtualtime import in_virtual_time, run
from backstay_testing.agent_world import ADDRESS, UNIT, World, address, enrolled, running, unit

LOG = "unit log.service"


def service(on_failure: str | None, **more: object) -> tuple[RenderedResource, ...]:
    return (unit(), unit("log", "log.service", on_failure=on_failure, **more), address())


async def settled(world: World, begin: int) -> tuple[str, bool, str, list[str]]:
    """After a minute: its phase, whether it is healthy, what it is degraded by, and what was done."""
    await asyncio.sleep(60)
    report = await world.report()
    assert report
    return report.phase, report.healthy, report.degraded, world.machine.log[begin:]


@pytest.mark.parametrize(
    ("on_failure", "phase", "is_healthy", "degraded", "done"),
    [
        pytest.param(None, "Running", True, "", [f"stop {LOG}", f"start {LOG}"], id="nothing said"),
        pytest.param("Restart", "Running", True, "", [f"stop {LOG}", f"start {LOG}"], id="restarted"),
        pytest.param("Degrade", "Running", True, "log: its main process was killed", [], id="degraded"),
        pytest.param("Ignore", "Running", True, "", [], id="ignored"),
        pytest.param("Move", "Failed", False, "", [f"stop {name}" for name in (ADDRESS, LOG, UNIT)], id="moved"),
    ],
)
def test_what_dies(on_failure: str | None, phase: str, is_healthy: bool, degraded: str, done: list[str]) -> None:
    async def story() -> None:
        world = await running(resources=service(on_failure))
        begin = len(world.machine.log)
        world.machine.kill(LOG)
        assert await settled(world, begin) == (phase, is_healthy, degraded, [f"died {LOG}", *done])
        report = await world.report()
        assert report and [(one.name, one.state) for one in report.resources] == (
            [("log", "Failed")] if on_failure in ("Degrade", "Ignore") else []
        )
        await world.order("Down")
        await world.released()

    run(story())


@in_virtual_time
async def test_what_moves_at_once_says_why() -> None:
    world = await running(resources=service("Move"), recovery=RenderedRecovery(restarts=3).to_wire())
    world.machine.kill(LOG)
    await world.phase_is("Failed")
    report = await world.report()
    assert report and report.why == "onFailure: Move; then log: its main process was killed" and report.restarts == 0


@in_virtual_time
async def test_of_what_moves_at_once_an_admins_stop_is_answered_by_a_start() -> None:
    world = await running(resources=service("Move"))
    world.machine.down(LOG, Seen(State.STOPPED, by_admin="stopped by root"))
    await world.until(lambda: world.machine.log[-1] == f"start {LOG}")
    report = await world.report()
    assert report and report.phase == "Running"


@in_virtual_time
async def test_no_start_waits_for_what_may_fail() -> None:
    world = await enrolled()
    world.machine.scripts[LOG].start_fails = "no such file"
    world.machine.scripts[LOG].works_after_s = 1000
    probes = (Probe(name="alive", tcp_socket=TcpSocket(port=1)),)
    await world.order(resources=service("Degrade", probes=probes))
    await world.phase_is("Running")
    phase, is_healthy, degraded, _ = await settled(world, 0)
    assert (phase, is_healthy) == ("Running", True) and degraded.startswith("log: ") and world.runs(UNIT, ADDRESS)


@in_virtual_time
async def test_what_fails_beside_it_is_restarted_and_it_is_left() -> None:
    world = await running(resources=(unit(), unit("log", "log.service", on_failure="Ignore", after=())))
    world.machine.kill(LOG)
    await asyncio.sleep(5)
    begin = len(world.machine.log)
    world.machine.kill(UNIT)
    *_, done = await settled(world, begin)
    assert done == [f"died {UNIT}", f"stop {UNIT}", f"start {UNIT}"]


@in_virtual_time
async def test_a_probe_of_what_may_fail_degrades_its_service() -> None:
    probes = (Probe(name="alive", tcp_socket=TcpSocket(port=1)),)
    world = await running(resources=service("Degrade", probes=probes))
    begin = len(world.machine.log)
    world.system.judges["log"](Verdict.FAILS, "probe alive: refused")
    assert await settled(world, begin) == ("Running", True, "log: probe alive: refused", [])


@in_virtual_time
async def test_an_edit_of_it_restarts_nothing_and_counts_at_once() -> None:
    world = await running(resources=service("Ignore"))
    world.machine.kill(LOG)
    await asyncio.sleep(5)
    begin = len(world.machine.log)
    await world.order(resources=service("Restart"), revision=2)
    *_, done = await settled(world, begin)
    assert done == [f"stop {LOG}", f"start {LOG}"]
