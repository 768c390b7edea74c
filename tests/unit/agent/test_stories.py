"""The agent's life in stories, on virtual time: what a host does, seen from the API and from the machine."""

from __future__ import annotations

import asyncio

from backstay_agent.core.health import Verdict
from backstay_api.objects.plain import Probe, TcpSocket
from backstay_dev.simulator.virtualtime import in_virtual_time
from backstay_testing.agent_world import ADDRESS, UNIT, World, address, enrolled, running, unit


@in_virtual_time
async def test_a_new_host_publishes_its_session_and_takes_its_lease() -> None:
    world = World()
    await world.prepare()
    world.start_agent()
    session = await world.held()
    lease = await world.lease()
    assert (session.seq, lease.seq, lease.holder) == (1, 1, session.text)


@in_virtual_time
async def test_the_lease_is_renewed_every_half_second_in_the_lab_profile() -> None:
    world = await enrolled()
    await asyncio.sleep(1)
    before = (await world.lease()).renewal
    await asyncio.sleep(10)
    assert (await world.lease()).renewal - before == 20


@in_virtual_time
async def test_an_order_is_started_top_to_bottom_and_stopped_bottom_to_top() -> None:
    world = await running()
    await world.order("Down")
    await world.released()
    assert world.machine.log == [f"start {UNIT}", f"start {ADDRESS}", f"stop {ADDRESS}", f"stop {UNIT}"]
    assert not world.machine.running


@in_virtual_time
async def test_absence_of_an_order_stops_nothing() -> None:
    world = await running()
    await world.forget_order()
    await asyncio.sleep(60)
    assert world.runs(UNIT, ADDRESS)


@in_virtual_time
async def test_an_order_to_another_session_is_ignored() -> None:
    world = await enrolled()
    session = await world.session()
    from backstay_api.objects.plain import SessionRef

    other = SessionRef(boot_id=session.boot_id, nonce="somebody else's", seq=session.seq)
    await world.order(session=other)
    await asyncio.sleep(10)
    assert world.machine.log == []


@in_virtual_time
async def test_an_epoch_never_started_is_released_when_told_to_stop() -> None:
    world = await enrolled()
    await world.order("Down")
    await world.released()
    await world.order("Up")
    await asyncio.sleep(10)
    assert world.machine.log == []


@in_virtual_time
async def test_a_killed_server_is_restarted_in_place_and_its_address_stays() -> None:
    world = await running()
    world.machine.kill(UNIT)
    await world.until(lambda: world.runs(UNIT))
    await world.phase_is("Running")
    assert world.machine.log[2:] == [f"died {UNIT}", f"stop {UNIT}", f"start {UNIT}"]
    report = await world.report()
    assert report and report.restarts == 1


@in_virtual_time
async def test_the_fourth_death_within_ten_minutes_is_a_failure_for_another_host() -> None:
    world = await running()
    for _ in range(4):
        await world.phase_is("Running")
        world.machine.kill(UNIT)
        await asyncio.sleep(1)
    report = await world.report()
    assert report and report.phase == "Failed" and "3 times within 10m" in report.why
    assert not world.machine.running
    await world.order("Down")
    await world.released()


@in_virtual_time
async def test_deaths_that_lie_far_apart_are_restarted_for_ever() -> None:
    world = await running()
    for _ in range(8):
        world.machine.kill(UNIT)
        await asyncio.sleep(601)
    assert world.runs(UNIT, ADDRESS)


@in_virtual_time
async def test_a_first_start_that_fails_is_stopped_and_told() -> None:
    world = await enrolled()
    world.machine.scripts[UNIT].start_fails = "exit status 1"
    await world.order()
    await world.phase_is("Failed")
    report = await world.report()
    assert report and "exit status 1" in report.why and not report.released
    assert not world.machine.running


@in_virtual_time
async def test_a_probe_that_says_it_does_not_work_restarts_it() -> None:

    probed = unit(probes=(Probe(name="alive", tcp_socket=TcpSocket(port=80)),))
    world = await running(resources=(probed,))
    world.system.judges["server"](Verdict.FAILS, "connection refused")
    await world.until(lambda: world.machine.log[1:] == [f"stop {UNIT}", f"start {UNIT}"])
    await world.phase_is("Running")


@in_virtual_time
async def test_what_cannot_be_stopped_keeps_nothing_else_of_it_running() -> None:
    """The address most of all: clients must not be served by what is half down."""
    world = await running(resources=(address(), unit()))
    world.machine.scripts[UNIT].stop_fails = "a process does not die"
    await world.order("Down", resources=(address(), unit()))
    await world.phase_is("Stuck")
    assert set(world.machine.running) == {UNIT}


@in_virtual_time
async def test_what_cannot_be_stopped_is_stuck_and_not_released() -> None:
    world = await running()
    world.machine.scripts[UNIT].stop_fails = "a process does not die"
    await world.order("Down")
    await world.phase_is("Stuck")
    await asyncio.sleep(30)
    report = await world.report()
    assert report and not report.released and "a process does not die" in report.why
    world.machine.scripts[UNIT].stop_fails = ""
    await world.released()


@in_virtual_time
async def test_what_cannot_be_stopped_holds_up_no_other() -> None:
    other, name = unit(unit="other.service"), "unit other.service"
    world = await running()
    world.machine.scripts[UNIT].stop_takes_s = 1000.0
    await world.order("Up", uid="u2", resources=(other,))
    await world.until(lambda: world.runs(name))
    await world.order("Down")
    await world.until(lambda: f"stop {UNIT}" in world.machine.log)
    await world.order("Down", uid="u2", resources=(other,))
    await world.released("u2")
    await world.order("Up", uid="u3", resources=(unit(unit="third.service"),))
    await world.until(lambda: world.runs("unit third.service"))
    assert world.runs(UNIT)


@in_virtual_time
async def test_what_could_not_be_stopped_once_may_be_stopped_yet_and_twice_it_cannot_be() -> None:
    world = await running()
    world.machine.scripts[UNIT].stop_fails, world.machine.scripts[UNIT].stop_takes_s = "a process does not die", 1.0
    await world.order("Down")
    await world.phase_is("Stuck")
    once = await world.report()
    assert once and not once.unstoppable
    await asyncio.sleep(5.5)
    trying = await world.report()
    assert trying and (trying.phase, trying.unstoppable) == ("Stuck", False), "that it is tried again is no news"
    await asyncio.sleep(1)
    twice = await world.report()
    assert twice and (twice.phase, twice.unstoppable) == ("Stuck", True)
    world.machine.scripts[UNIT].stop_fails = ""
    await world.released()
    after = await world.report()
    assert after and not after.unstoppable


@in_virtual_time
async def test_edited_probes_restart_nothing_and_edited_units_do() -> None:

    world = await running(resources=(unit(),))
    probed = unit(probes=(Probe(name="alive", tcp_socket=TcpSocket(port=80)),))
    await world.order(revision=2, resources=(probed,))
    await world.until(lambda: "server" in world.system.judges)
    assert world.machine.log == [f"start {UNIT}"]
    await world.order(revision=3, resources=(unit(unit="other.service"),))
    await world.until(lambda: world.runs("unit other.service"))
    assert world.machine.log == [f"start {UNIT}", f"stop {UNIT}", "start unit other.service"]


@in_virtual_time
async def test_two_instances_with_one_unit_do_not_run_together() -> None:
    world = await running()
    await world.order(uid="u2")
    await world.phase_is("Stopped", "u2")
    report = await world.report("u2")
    assert report and "belongs to shop/web-u1" in report.why
    await world.order("Down")
    await world.phase_is("Running", "u2")


@in_virtual_time
async def test_sealed_it_stops_what_is_exclusive_supersedes_and_is_reopened() -> None:
    world = await running()
    await world.order(uid="u2", exclusive=False, resources=(unit(unit="cache.service"),))
    await world.phase_is("Running", "u2")
    old = await world.session()
    await world.seal()

    async def superseded() -> bool:
        return old.nonce in (await world.session()).supersedes

    await world.until(superseded)
    new = await world.session()
    assert new.seq == old.seq + 1
    assert not world.runs(UNIT) and world.runs("unit cache.service")
    await world.reopen()
    await world.held()
    await world.order(uid="u2", epoch=2, exclusive=False, resources=(unit(unit="cache.service"),))
    await world.order(epoch=2)
    await world.phase_is("Running")
    assert world.machine.log.count("start unit cache.service") == 1


@in_virtual_time
async def test_while_something_cannot_be_stopped_a_sealed_session_stays() -> None:
    world = await running()
    world.machine.scripts[UNIT].stop_fails = "a process does not die"
    old = await world.session()
    await world.seal()
    await asyncio.sleep(60)
    assert (await world.session()).nonce == old.nonce
    world.machine.scripts[UNIT].stop_fails = ""

    async def superseded() -> bool:
        return old.nonce in (await world.session()).supersedes

    await world.until(superseded)
    assert not world.machine.running


@in_virtual_time
async def test_a_grant_that_comes_while_the_epoch_before_is_being_closed_is_not_closed_with_it() -> None:
    world = await running()
    world.disk.write_takes_s = 1.0
    await world.order("Down")
    await world.until(lambda: f"stop {UNIT}" in world.machine.log)
    await world.order(epoch=2)

    async def runs_again() -> bool:
        report = await world.report()
        return report is not None and report.epoch == 2 and (report.released or report.phase == "Running")

    await world.until(runs_again)
    report = await world.report()
    assert report and not report.released
