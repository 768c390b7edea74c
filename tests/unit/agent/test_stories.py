"""The agent's life in stories, on virtual time: what a host does, seen from the API and from the machine."""

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
    from backstay_api.objects.plain import Probe, TcpSocket

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
    from backstay_api.objects.plain import Probe, TcpSocket

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
async def test_a_restarted_agent_adopts_with_zero_restarts() -> None:
    world = await running()
    session = await world.session()
    await world.kill_agent()
    assert world.runs(UNIT, ADDRESS)
    world.start_agent()
    await asyncio.sleep(5)
    await world.phase_is("Running")
    assert await world.session() == session
    assert world.machine.log == [f"start {UNIT}", f"start {ADDRESS}"]


@in_virtual_time
async def test_what_died_while_the_agent_was_away_is_restarted_in_place() -> None:
    world = await running()
    await world.kill_agent()
    world.machine.kill(UNIT)
    world.start_agent()
    await world.until(lambda: world.runs(UNIT, ADDRESS))
    await world.phase_is("Running")


@in_virtual_time
async def test_with_run_lost_everything_is_stopped_before_there_is_a_new_nonce() -> None:
    world = await running()
    old = await world.session()
    await world.kill_agent()
    world.disk.lose_run()
    world.machine.scripts[UNIT].stop_fails = "a process does not die"
    world.start_agent()
    await asyncio.sleep(30)
    assert (await world.session()).nonce == old.nonce
    world.machine.scripts[UNIT].stop_fails = ""

    async def superseded() -> bool:
        return (await world.session()).supersedes == (old.nonce,)

    await world.until(superseded)
    assert not world.machine.running


@in_virtual_time
async def test_a_tampered_journal_is_not_trusted() -> None:
    world = await running()
    old = await world.session()
    await world.kill_agent()
    world.disk.files["run/journal"] = world.disk.files["run/journal"].replace('"Up"', '"Down"')
    world.start_agent()

    async def superseded() -> bool:
        return (await world.session()).supersedes == (old.nonce,)

    await world.until(superseded)
    assert not world.machine.running


@in_virtual_time
async def test_a_reboot_is_a_new_session_that_supersedes_nothing() -> None:
    world = await running()
    old = await world.session()
    await world.reboot()
    world.start_agent()

    async def reopened() -> bool:
        return (await world.session()).boot_id == "boot-2"

    await world.until(reopened)
    new = await world.session()
    assert (new.seq, new.supersedes) == (old.seq + 1, ())
    await world.held()
    await asyncio.sleep(10)
    assert not world.machine.running


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


@in_virtual_time
async def test_with_run_lost_and_nothing_recognisable_the_inventory_knows_what_to_stop() -> None:
    world = await running()
    old = await world.session()
    await world.kill_agent()
    world.disk.lose_run()
    world.start_agent(blind=True)

    async def superseded() -> bool:
        return (await world.session()).supersedes == (old.nonce,)

    await world.until(superseded)
    assert not world.machine.running


@in_virtual_time
async def test_whether_it_may_start_is_asked_again_when_it_is_its_turn() -> None:
    world = await enrolled()
    world.disk.write_takes_s = 1
    await world.order()
    await asyncio.sleep(1.5)  # the order is journalled, the inventory is being written
    world.system.why_nothing_exclusive = "this machine could be suspended"
    await asyncio.sleep(10)
    assert world.machine.log == [f"stop {ADDRESS}", f"stop {UNIT}"] or world.machine.log == []
    assert not world.machine.running


@in_virtual_time
async def test_what_is_ours_but_in_no_record_is_stopped_by_the_next_agent() -> None:
    world = await running()
    await world.kill_agent()
    world.machine.secured.add(world.machine.unit("unrecorded.service"))
    world.machine.gates.add("unit unrecorded.service")
    world.machine.up(unit(unit="unrecorded.service"))
    world.start_agent()
    await world.until(lambda: not world.runs("unit unrecorded.service"))
    await world.phase_is("Running")
    assert world.machine.log == [f"start {UNIT}", f"start {ADDRESS}", "stop unit unrecorded.service"]


@in_virtual_time
async def test_what_an_admin_ran_before_it_was_made_to_wait_for_us_survives_a_restart_of_the_agent() -> None:
    world = await running()
    await world.kill_agent()
    world.machine.secured.add(world.machine.unit("theirs.service"))
    world.machine.up(unit(unit="theirs.service"))
    world.start_agent()
    await world.phase_is("Running")
    await asyncio.sleep(60)
    assert world.runs("unit theirs.service")


@in_virtual_time
async def test_while_an_unrecorded_resource_cannot_be_stopped_a_sealed_session_stays() -> None:
    world = await running()
    before = await world.session()
    await world.kill_agent()
    world.machine.secured.add(world.machine.unit("unrecorded.service"))
    world.machine.gates.add("unit unrecorded.service")
    world.machine.up(unit(unit="unrecorded.service"))
    world.machine.scripts["unit unrecorded.service"].stop_fails = "it hangs in the kernel"
    world.start_agent()
    await world.held()
    await world.seal()
    await world.until(lambda: not world.runs(UNIT))
    await asyncio.sleep(60)
    assert await world.session() == before, "a new session would say that all of this one is over"
    world.machine.scripts["unit unrecorded.service"].stop_fails = ""
    await world.until(lambda: not world.runs("unit unrecorded.service"))

    async def superseded() -> bool:
        return (await world.session()).supersedes == (before.nonce,)

    await world.until(superseded)


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
