"""Edits of what runs: applied where it runs, or restarted; told where they do not succeed; and begun anew by the next agent."""

from __future__ import annotations

import asyncio

from backstay_api.objects.plain import RenderedResource, Systemd
from backstay_dev.simulator.virtualtime import in_virtual_time
from backstay_testing.agent_world import UNIT, World, running


def server(*, at: str | None = None, **overrides: str) -> RenderedResource:
    return RenderedResource(
        name="server", systemd=Systemd(unit="web.service", overrides=overrides or None), reloaded_at=at
    )


async def edited(world: World, resource: RenderedResource, revision: int = 2) -> list[str]:
    """What the drivers were told to do from then until it has come to rest."""
    begin = len(world.machine.log)
    await world.order(resources=[resource], revision=revision)
    await asyncio.sleep(5)
    return world.machine.log[begin:]


@in_virtual_time
async def test_what_needs_no_restart_is_applied_where_it_runs() -> None:
    world = await running(resources=[server(MemoryMax="1G")])
    assert await edited(world, server(MemoryMax="2G")) == [f"apply {UNIT}"]
    assert await edited(world, server(MemoryMax="2G", at="noon"), 3) == [f"apply {UNIT}"]
    report = await world.report()
    assert report and (report.revision, report.phase, report.why) == (3, "Running", "")


@in_virtual_time
async def test_what_holds_from_a_start_on_restarts_it_and_nothing_else_is_done() -> None:
    world = await running(resources=[server(MemoryMax="1G")])
    assert await edited(world, server(MemoryMax="2G", LimitNOFILE="9")) == [f"stop {UNIT}", f"start {UNIT}"]


@in_virtual_time
async def test_what_cannot_be_applied_is_told_runs_on_and_is_tried_again() -> None:
    world = await running(resources=[server()])
    world.machine.scripts[UNIT].apply_fails = "bad config"
    assert await edited(world, server(at="noon")) == []
    report = await world.report()
    assert report and report.phase == "Running" and "server: bad config; it is tried again" in report.why
    assert report.revision == 1, "what runs is not what is wanted"
    world.machine.scripts[UNIT].apply_fails = ""
    await asyncio.sleep(60)
    report = await world.report()
    assert report and (report.revision, report.why) == (2, "") and world.machine.log[-1] == f"apply {UNIT}"


@in_virtual_time
async def test_a_stop_does_not_wait_for_an_edit() -> None:
    world = await running(resources=[server()])
    world.machine.scripts[UNIT].apply_fails = "bad config"
    await edited(world, server(at="noon"))
    await world.order("Down")
    await world.released()
    assert UNIT not in world.machine.running


@in_virtual_time
async def test_the_next_agent_applies_what_its_predecessor_did_not() -> None:
    world = await running(resources=[server()])
    world.machine.scripts[UNIT].apply_fails = "not yet"
    await edited(world, server(at="noon"))
    await world.kill_agent()
    world.machine.scripts[UNIT].apply_fails = ""
    begin = len(world.machine.log)
    world.start_agent()
    await asyncio.sleep(10)
    assert world.machine.log[begin:] == [f"apply {UNIT}"]
