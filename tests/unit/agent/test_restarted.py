"""An agent that begins where another has ended: it adopts, or stops what it finds, and never believes what it cannot trust."""

from __future__ import annotations

import asyncio

from backstay_dev.simulator.virtualtime import in_virtual_time
from backstay_testing.agent_world import ADDRESS, UNIT, enrolled, running, unit


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
async def test_where_nothing_says_what_was_started_first_an_address_goes_before_what_it_leads_to() -> None:
    world = await running()
    await world.kill_agent()
    world.disk.files.clear()
    # A person has started the unit anew since: it is the younger of the two.
    world.machine.running[UNIT] = world.machine.running.pop(UNIT)
    world.machine.log.clear()
    world.start_agent()
    await world.until(lambda: not world.machine.running)
    assert world.machine.log == [f"stop {ADDRESS}", f"stop {UNIT}"]
