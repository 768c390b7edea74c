"""An agent has what runs restarted with another edition of a file, and with the one before it where it is not well with that."""

from __future__ import annotations

import asyncio

import pytest

from backstay_agent.cluster.link import ASSIGNMENTS
from backstay_agent.core.editions import SOAK_S, Edition
from backstay_agent.core.health import Verdict
from backstay_agent.fake_files import FakeInstaller
from backstay_api.objects.editions import EDITION, REFUSED, STAGED, TRIAL, TRIES, WHY_REFUSED
from backstay_api.objects.plain import RenderedRollout
from backstay_dev.simulator.virtualtime import in_virtual_time
from backstay_testing.agent_world import HOST, World, enrolled, unit
from backstay_testing.editions import PROBED, A, B, bring, said, there, until_says

RESTART = RenderedRollout(restart=("server",))


async def _brought(world: World) -> None:
    """It runs with a, and b is brought next."""
    await bring(world, A, A)
    await until_says(world, EDITION, A.id)
    await world.order(resources=PROBED)
    await world.phase_is("Running")
    world.machine.log.clear()
    await bring(world, B, B, revision=2, rollout=RESTART)


def _done(world: World) -> list[str]:
    return [line for line in world.machine.log if line.startswith(("put", "stop unit", "start unit", "reload"))]


async def _is_counted(world: World) -> int:
    report = await world.report()
    assert report is not None
    return report.restarts


@in_virtual_time
async def test_it_is_restarted_with_it_and_that_counts_as_no_failure() -> None:
    world = await enrolled()
    await _brought(world)
    found = await until_says(world, EDITION, B.id)
    assert _done(world) == ["put /etc/web.conf b", "stop unit web.service", "start unit web.service"]
    assert (found.facts[TRIES], REFUSED in found.facts, await _is_counted(world)) == ("restart", False, 0)


@in_virtual_time
async def test_what_it_is_not_well_with_is_taken_back_and_it_is_restarted_once_more() -> None:
    world = await enrolled()
    await _brought(world)
    await until_says(world, TRIAL, B.id)
    await asyncio.sleep(5)
    world.system.judges["server"](Verdict.FAILS, "probe alive: connection refused")
    found = await until_says(world, REFUSED, B.id)
    await asyncio.sleep(SOAK_S)
    assert found.facts[WHY_REFUSED].startswith("the service was not well with it: ")
    assert there(world) == "a"
    put_back = _done(world).index("put /etc/web.conf a")
    assert "start unit web.service" in _done(world)[put_back:]
    await world.phase_is("Running")
    assert (await said(world)).facts[EDITION] == A.id


@in_virtual_time
async def test_with_what_it_does_not_start_it_is_started_with_what_was_before() -> None:
    world = await enrolled()
    world.machine.fatal["b"] = "web.service exited with 1: line 3"
    await _brought(world)
    found = await until_says(world, REFUSED, B.id)
    await world.phase_is("Running")
    assert B.id not in found.facts[STAGED].split()
    assert there(world) == "a"
    assert _done(world)[:2] == ["put /etc/web.conf b", "stop unit web.service"]
    assert _done(world)[-1] == "start unit web.service"
    assert await _is_counted(world) == 0
    await asyncio.sleep(3 * SOAK_S)
    assert world.machine.log.count("put /etc/web.conf b") == 1


@in_virtual_time
async def test_it_is_not_started_anew_before_what_was_there_is_back(monkeypatch: pytest.MonkeyPatch) -> None:
    put = FakeInstaller.put

    async def slow(self: FakeInstaller, path: str, edition: Edition) -> None:
        await asyncio.sleep(3 if edition.content == "a" else 0)
        await put(self, path, edition)

    world = await enrolled()
    world.machine.fatal["b"] = "web.service exited with 1: line 3"
    monkeypatch.setattr(FakeInstaller, "put", slow)
    await _brought(world)
    await until_says(world, REFUSED, B.id)
    await world.phase_is("Running")
    assert _done(world)[-2:] == ["put /etc/web.conf a", "start unit web.service"]


@in_virtual_time
async def test_nothing_is_asked_of_what_does_not_run() -> None:
    world = await enrolled()
    assert world.agent is not None
    ask = world.agent.supervisor.restart
    assert await ask("u1", ["server"]) is None
    await world.order(resources=PROBED)
    await world.phase_is("Running")
    both = [asyncio.create_task(ask("u1", ["server"])) for _ in range(2)]
    assert await asyncio.gather(*both) == ["", ""]
    assert _done(world).count("stop unit web.service") == 2
    await world.order(resources=PROBED, want="Down")
    await world.phase_is("Stopped")
    assert await ask("u1", ["server"]) is None


@in_virtual_time
async def test_while_nothing_of_the_host_is_touched_no_file_is_taken_back_either() -> None:
    world = await enrolled()
    await _brought(world)
    await until_says(world, TRIAL, B.id)
    await world.operator.patch(ASSIGNMENTS, HOST, {"spec": {"handsOff": "new disks"}})
    assert world.agent is not None
    agent = world.agent
    await world.until(lambda: agent.supervisor.hands_off("u1") == "new disks")
    assert await agent._editions.take_back("u1") == "" and there(world) == "b"
    await world.operator.patch(ASSIGNMENTS, HOST, {"spec": {"handsOff": ""}})
    await world.until(lambda: agent.supervisor.hands_off("u1") == "")
    assert await agent._editions.take_back("u1") == "" and there(world) == "a"


async def _restarts(world: World) -> None:
    """What runs has been stopped for the other edition, and is being started."""
    world.machine.scripts[world.machine.unit("web.service")].stop_takes_s = 5.0
    await _brought(world)
    await world.until(lambda: "stop unit web.service" in world.machine.log)


@in_virtual_time
async def test_a_restart_that_has_begun_is_brought_to_its_end_before_the_host_is_left_alone() -> None:
    world = await enrolled()
    await _restarts(world)
    await world.operator.patch(ASSIGNMENTS, HOST, {"spec": {"handsOff": "new disks"}})
    await asyncio.sleep(20)
    assert _done(world)[-1] == "start unit web.service" and world.runs("unit web.service")
    report = await world.report()
    assert report is not None and report.hands_off
    found = await said(world)
    assert found.facts[TRIAL] == B.id and REFUSED not in found.facts
    await world.operator.patch(ASSIGNMENTS, HOST, {"spec": {"handsOff": ""}})
    await until_says(world, EDITION, B.id)


@in_virtual_time
async def test_a_restart_that_an_edit_cuts_off_says_nothing_of_the_file() -> None:
    world = await enrolled()
    await _restarts(world)
    await world.order(resources=(*PROBED, unit("more", "more.service")), revision=2)
    await world.until(lambda: "start unit more.service" in world.machine.log)
    found = await until_says(world, EDITION, B.id)
    assert REFUSED not in found.facts and there(world) == "b"


@in_virtual_time
async def test_what_the_hosts_admin_has_come_to_refuse_is_not_restarted_for_a_file_and_runs_on() -> None:
    world = await enrolled()
    await bring(world, A, A)
    await until_says(world, EDITION, A.id)
    await world.order(resources=PROBED)
    await world.phase_is("Running")
    world.machine.log.clear()
    world.machine.refused["unit web.service"] = "10-shop.toml does not allow it"
    await bring(world, B, B, revision=2, rollout=RESTART)
    found = await until_says(world, REFUSED, B.id)
    assert "it may not be restarted here: server: 10-shop.toml does not allow it" in found.facts[WHY_REFUSED]
    assert "stop unit web.service" not in world.machine.log and world.runs("unit web.service")


@in_virtual_time
async def test_a_restart_that_waits_and_has_touched_nothing_keeps_no_host_from_being_left_alone() -> None:
    world = await enrolled()
    await _brought(world)
    world.machine.unnamed = 10_000  # systemd does not say what may be restarted
    await until_says(world, TRIAL, B.id)
    await asyncio.sleep(3)
    await world.operator.patch(ASSIGNMENTS, HOST, {"spec": {"handsOff": "new disks"}})

    await asyncio.sleep(5)
    world.machine.unnamed = 0
    await asyncio.sleep(10)
    assert "stop unit web.service" not in world.machine.log and world.runs("unit web.service")
