"""What runs and is not quite well: degraded, suspected, on a host that is not fit, beside a copy that somebody else has started."""

from __future__ import annotations

import asyncio

import pytest

from backstay_agent.cluster.link import ASSIGNMENTS
from backstay_agent.core.health import Pressure, Signs, Verdict
from backstay_agent.drivers.base import Check, Seen, State
from backstay_agent.standby.standbys import LOOK_AGAIN_S
from backstay_api.objects.plain import HostProblem, Probe, TcpSocket
from backstay_dev.simulator.virtualtime import in_virtual_time
from backstay_testing.agent_world import ADDRESS, UNIT, World, address, enrolled, running, unit


@in_virtual_time
async def test_what_is_degraded_is_well_and_is_said_until_it_is_not() -> None:
    world = await running()
    world.machine.tell(UNIT, Seen(State.RUNNING, "one disk is gone"))
    await world.until(lambda: _says(world, "server: one disk is gone"))
    report = await world.report()
    assert report and (report.phase, report.healthy, report.restarts) == ("Running", True, 0)
    assert report.degraded == "server: one disk is gone"
    assert [(one.name, one.state, one.why) for one in report.resources] == [("server", "Running", "one disk is gone")]
    world.machine.tell(UNIT, Seen(State.RUNNING))
    await world.until(lambda: _says(world, ""))
    report = await world.report()
    assert report and (report.degraded, report.resources) == ("", ())


@in_virtual_time
async def test_a_probe_that_only_degrades_restarts_nothing_and_is_told_beside_what_its_driver_says() -> None:
    deep = Probe(name="deep", tcp_socket=TcpSocket(port=1), on_failure="Degrade")
    world = await enrolled()
    await world.order(resources=(unit(probes=(deep,)), address()))
    await world.phase_is("Running")
    log = list(world.machine.log)
    world.machine.tell(UNIT, Seen(State.RUNNING, "one disk is gone"))
    world.system.judges["server"](Verdict.WORKS, "probe deep: slow")
    await world.until(lambda: _says(world, "server: one disk is gone; probe deep: slow"))
    await asyncio.sleep(60)
    report = await world.report()
    assert report and report.healthy and report.degraded == "server: one disk is gone; probe deep: slow"
    world.system.judges["server"](Verdict.FAILS, "probe alive: connection refused")
    await world.until(lambda: world.machine.log != log)
    await world.until(lambda: _says(world, ""))
    assert world.machine.log[len(log) :] == [f"stop {UNIT}", f"start {UNIT}"]


@in_virtual_time
async def test_its_holder_asks_nothing_that_other_hosts_ask() -> None:
    eye = Probe(name="eye", tcp_socket=TcpSocket(port=1, host="192.0.2.10"), from_="Standby")
    world = await enrolled()
    await world.order(resources=(unit(probes=(eye,)), address()))
    await world.phase_is("Running")
    assert world.system.judges == {}


BUSY = Signs((Pressure("the host's", "cpu", 88.0),))


@in_virtual_time
async def test_what_is_suspected_is_well_and_untouched_until_it_is_said_to_fail() -> None:
    world = await enrolled()
    await world.order(resources=(unit(probes=(Probe(name="p", tcp_socket=TcpSocket(port=1)),)), address()))
    await world.phase_is("Running")
    log = list(world.machine.log)
    world.system.judges["server"](Verdict.SUSPECT, "probe p: answers slowly")
    await world.until(lambda: _says(world, "server: probe p: answers slowly"))
    await asyncio.sleep(60)
    report = await world.report()
    assert report and (report.phase, report.healthy, report.suspect) == ("Running", True, report.why)
    assert [(one.name, one.state) for one in report.resources] == [("server", "Running")]
    assert world.agent and world.agent.facts()["instances_suspected"] == 1 and world.machine.log == log
    world.system.judges["server"](Verdict.FAILS, "probe p: no answer")
    await world.until(lambda: world.machine.log[len(log) :] == [f"stop {UNIT}", f"start {UNIT}"])
    await world.until(lambda: _says(world, ""))
    report = await world.report()
    assert report and report.suspect == ""


def no_answer(*, in_time: bool = False) -> Seen:
    return Seen(State.FAILED, "command check was killed after 2 s", check=Check(2.0, 2.0, 10.0, in_time))


def answers() -> Seen:
    return Seen(State.RUNNING, check=Check(0.1, 2.0, 10.0, in_time=True))


@in_virtual_time
async def test_a_check_without_an_answer_on_a_busy_host_is_suspected_and_in_the_end_restarted() -> None:
    world = await running()
    world.machine.tell(UNIT, answers())
    log, world.machine.signs = list(world.machine.log), BUSY
    slow = (
        "server: its check answers slowly: its last answer took 0.1 s of 2 s, and then none came; the host's cpu pressure is 88 %;"
        " waiting up to 10 s more before it counts as failed"
    )
    world.machine.tell(UNIT, no_answer())
    await world.until(lambda: _says(world, slow))
    report = await world.report()
    assert report and report.healthy and report.suspect == slow
    world.machine.tell(UNIT, answers())
    await world.until(lambda: _says(world, ""))
    assert world.machine.log == log
    for _ in range(2):
        world.machine.tell(UNIT, no_answer())
    await world.until(lambda: world.machine.log[len(log) :] == [f"stop {UNIT}", f"start {UNIT}"])


@pytest.mark.parametrize(
    ("signs", "seen"),
    [
        pytest.param(Signs(), no_answer(), id="the host is calm"),
        pytest.param(BUSY, no_answer(in_time=True), id="the check answers that it failed"),
        pytest.param(BUSY, Seen(State.FAILED, "its main process was killed"), id="it is gone"),
    ],
)
@in_virtual_time
async def test_what_plainly_fails_is_restarted_at_once(signs: Signs, seen: Seen) -> None:
    world = await running()
    world.machine.tell(UNIT, answers())
    log, world.machine.signs = list(world.machine.log), signs
    world.machine.tell(UNIT, seen)
    await world.until(lambda: world.machine.log[len(log) :] == [f"stop {UNIT}", f"start {UNIT}"])


@in_virtual_time
async def test_what_was_never_seen_to_run_is_suspected_and_not_called_well() -> None:
    world = await running()
    world.machine.signs = BUSY
    world.machine.tell(UNIT, no_answer())
    await world.until(lambda: _is_unwell(world))
    report = await world.report()
    assert report and "its check answers slowly: no answer within 2 s" in report.why and report.restarts == 0


async def _is_unwell(world: World) -> bool:
    report = await world.report()
    return report is not None and not report.healthy


@in_virtual_time
async def test_a_host_that_is_not_fit_is_ready_for_nothing_says_so_and_keeps_what_it_runs() -> None:
    world = await running()
    other = {"namespace": "shop", "name": "db-0", "revision": 1, "resources": [unit(unit="db.service").to_wire()]}
    await world.operator.patch(ASSIGNMENTS, "n1", {"spec": {"standbys": {"u2": other}}})
    await world.until(lambda: _is_ready(world, "u2"))
    assert (await world.assignment()).status.problems is None, "nobody has looked"
    log, full = list(world.machine.log), (HostProblem(check="Disk", why="/run is full"),)
    assert world.agent
    world.agent.examined(full)
    await world.until(lambda: _is_ready(world, "u2", False))
    status = (await world.assignment()).status
    assert (status.standbys["u2"].why, status.problems) == ("/run is full", full)
    assert world.agent.sentence() == "n1: /run is full"
    await asyncio.sleep(60)
    assert world.machine.log == log and world.runs(UNIT, ADDRESS)
    world.agent.examined(())
    await world.until(lambda: _is_ready(world, "u2"))
    assert (await world.assignment()).status.problems == ()


@in_virtual_time
async def test_what_somebody_starts_beside_the_holder_is_told_within_a_look_with_since_when_it_is_seen() -> None:
    world = await running()
    other = {"namespace": "shop", "name": "db-0", "revision": 1, "resources": [unit(unit="db.service").to_wire()]}
    await world.operator.patch(ASSIGNMENTS, "n1", {"spec": {"standbys": {"u2": other}}})
    await world.until(lambda: _is_ready(world, "u2"))
    assert (await world.assignment()).status.standbys["u2"].since is None
    began_s = asyncio.get_running_loop().time()
    world.machine.up(unit(unit="db.service"))
    await world.until(lambda: _is_active(world, "u2"))
    assert asyncio.get_running_loop().time() - began_s <= LOOK_AGAIN_S + 1
    report = (await world.assignment()).status.standbys["u2"]
    assert report.since
    await asyncio.sleep(60)
    assert (await world.assignment()).status.standbys["u2"] == report, "the time stays"
    world.machine.down("unit db.service")
    await world.until(lambda: _is_active(world, "u2", False))
    assert (await world.assignment()).status.standbys["u2"].since is None


async def _is_active(world: World, uid: str, active: bool = True) -> bool:
    return (await world.assignment()).status.standbys[uid].active is active


async def _is_ready(world: World, uid: str, ready: bool = True) -> bool:
    report = (await world.assignment()).status.standbys.get(uid)
    return report is not None and report.ready is ready


async def _says(world: World, why: str) -> bool:
    report = await world.report()
    return report is not None and report.why == why
