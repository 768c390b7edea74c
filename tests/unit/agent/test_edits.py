"""Edits of what runs: applied where it runs, or restarted; told where they do not succeed; and begun anew by the next agent."""

from __future__ import annotations

import asyncio
from typing import Any

from backstay_api.objects.plain import Command, Ocf, RenderedResource, Systemd
from backstay_dev.simulator.virtualtime import in_virtual_time
from backstay_testing.agent_world import UNIT, World, enrolled, running


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


APP = "command /bin/up"


def app(**more: Any) -> RenderedResource:
    argvs = {"start": ("/bin/up",), "stop": ("/bin/down",), "check": ("/bin/ask",), "reload": ("/bin/again",), **more}
    return RenderedResource(name="app", command=Command(**argvs))


@in_virtual_time
async def test_an_edited_check_reload_or_stop_restarts_nothing_and_counts_at_once() -> None:
    world = await running(resources=[app()])
    better = app(check=("/bin/ask", "more"), stop=("/bin/down", "now"))
    for revision, wanted in enumerate((app(check=("/bin/ask", "more")), app(reload=("/bin/hup",)), better), start=2):
        assert await edited(world, wanted, revision) == []
        assert world.machine.watched_as[APP].command.check == wanted.command.check  # type: ignore[union-attr]
        report = await world.report()
        assert report and (report.revision, report.phase) == (revision, "Running")
    await world.order("Down")
    await world.released()
    assert world.machine.stopped_as[APP] == better


@in_virtual_time
async def test_an_edited_user_or_environment_restarts_it_by_the_stop_that_stands_beside_the_old_one() -> None:
    world = await running(resources=[app()])
    assert await edited(world, app(user="web", stop=("/bin/down", "now"))) == [f"stop {APP}", f"start {APP}"]
    assert world.machine.stopped_as[APP] == app(), "what another user started he stops"


@in_virtual_time
async def test_a_stop_that_fails_is_tried_again_as_somebody_has_mended_it() -> None:
    world = await running(resources=[app()])
    world.machine.scripts[APP].stop_fails = "it exits with 1"
    await edited(world, app(user="web"))
    assert APP in world.machine.running and world.machine.stopped_as[APP] == app()
    mended = app(stop=("/bin/down", "now"))
    await edited(world, mended, 3)
    await asyncio.sleep(60)
    assert world.machine.stopped_as[APP] == mended


@in_virtual_time
async def test_an_agent_that_starts_anew_stops_it_as_it_was_told_last() -> None:
    """With its journal; and without it, by what the inventory lists, as soon as the edit was accepted."""
    better = app(stop=("/bin/down", "now"))
    for is_lost in (False, True):
        world = await running(resources=[app()])
        await edited(world, better)
        await world.kill_agent()
        if is_lost:
            world.disk.files["run/journal"] = "torn"
        world.start_agent()
        await asyncio.sleep(30)
        if not is_lost:
            await world.order("Down")
            await world.released()
        assert world.machine.stopped_as[APP] == better, is_lost


# --- what an agent can reload -----------------------------------------------------------------------------------------

DATABASE = "OCF resource d:x db"


def database(**parameters: str) -> RenderedResource:
    return RenderedResource(name="server", ocf=Ocf(agent="d:x", parameters=parameters, instance="db"))


async def reloadable(*names: str) -> World:
    """Its agent takes these while it runs, and the host has said so."""
    world = await enrolled()
    world.machine.scripts[DATABASE].reloadable = frozenset(names)
    await world.order(resources=[database(level="1")])
    await world.phase_is("Running")
    report = await world.report()
    assert report and [(one.name, one.parameters) for one in report.reloadable] == [("server", names)]
    return world


@in_virtual_time
async def test_a_reloadable_parameter_is_reloaded_and_another_restarts() -> None:
    world = await reloadable("level")
    assert await edited(world, database(level="2")) == [f"apply {DATABASE}"]
    assert await edited(world, database(level="2", mode="b"), 3) == [f"stop {DATABASE}", f"start {DATABASE}"]
    report = await world.report()
    assert report and (report.revision, report.phase, report.why) == (3, "Running", "")


@in_virtual_time
async def test_a_reload_that_fails_is_followed_by_a_restart_that_counts_for_nothing() -> None:
    world = await reloadable("level")
    world.machine.scripts[DATABASE].reload_fails = "reload-agent exited with 1"
    world.machine.scripts[DATABASE].stop_takes_s = 2.0
    begin = len(world.machine.log)
    await world.order(resources=[database(level="2")], revision=2)
    await world.until(lambda: f"stop {DATABASE}" in world.machine.log)
    report = await world.report()
    assert report and (report.healthy, report.why) == (False, "server: reload-agent exited with 1")
    await world.until(lambda: world.machine.log[-1] == f"start {DATABASE}")
    await asyncio.sleep(1)
    assert world.machine.log[begin:] == [f"stop {DATABASE}", f"start {DATABASE}"]
    report = await world.report()
    assert report and (report.revision, report.restarts, report.why) == (2, 0, "")


@in_virtual_time
async def test_an_agent_that_begins_looks_first_whether_that_can_be_reloaded() -> None:
    world = await reloadable("level")
    await world.kill_agent()
    begin = len(world.machine.log)
    await world.order(resources=[database(level="2")], revision=2)
    world.start_agent()
    await asyncio.sleep(10)
    assert world.machine.log[begin:] == [f"apply {DATABASE}"]


@in_virtual_time
async def test_what_is_down_is_started_with_its_new_parameters_and_not_reloaded() -> None:
    world = await reloadable("level")
    world.machine.scripts[DATABASE].start_fails = "level 1 is wrong"
    world.machine.kill(DATABASE)
    await world.phase_is("Failed")
    world.machine.scripts[DATABASE].start_fails = ""
    assert await edited(world, database(level="2")) == [f"start {DATABASE}"]
    report = await world.report()
    assert report and (report.revision, report.phase) == (2, "Running")
