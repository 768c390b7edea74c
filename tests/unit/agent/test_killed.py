"""An agent killed at any await, again and again: its successor adopts what runs, and no promise is broken on the way."""

from __future__ import annotations

import asyncio
import json

import pytest

from backstay_api.memory.server import Change
from backstay_api.objects.kinds import Raw
from backstay_dev.simulator.virtualtime import run
from backstay_testing.agent_world import ADDRESS, UNIT, World


class Watcher:
    """Breaks the story at the moment when a released epoch runs, or something runs without a record of it."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.starts = 0
        world.machine.on_change = self.changed
        world.cluster.observe(self.committed)

    def changed(self, name: str, runs: bool) -> None:
        self.starts += runs and name == UNIT
        journal = self.world.disk.files.get("run/journal", "")
        assert not runs or '"may_run":true' in journal, f"{name} runs, and no journal says that it may"

    def committed(self, change: Change) -> None:
        """A released epoch is in the API only after it was recorded here."""
        told = (change.body.get("status") or {}).get("instances") or {}
        for uid, report in told.items():
            journal = self.world.disk.files["run/journal"]
            nonce = change.body["status"]["session"]["nonce"]
            if report.get("released") and f'"nonce":"{nonce}"' in journal:
                record = next(one for one in json.loads(journal.split("\n")[0])["records"] if one["uid"] == uid)
                assert record["closed"] or record["epoch"] > report["epoch"], "released before its own record"

    def check(self) -> None:
        for status in self._statuses():
            released = [report["epoch"] for report in status.get("instances", {}).values() if report.get("released")]
            assert not (released and self.world.machine.running), "a released epoch still runs"

    def _statuses(self) -> list[Raw]:
        from backstay_agent.cluster.link import ASSIGNMENTS

        return [body.get("status", {}) for body in self.world.cluster.bodies(ASSIGNMENTS)]


async def _turns(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def _life_with_a_kill_after(turns: int) -> World:
    """Start, run, stop; the agent is killed once, so many turns of the loop after the order came."""
    world = World()
    watcher = Watcher(world)
    await world.prepare()
    world.start_agent()
    await world.held()
    await world.order()
    await _turns(turns)
    await world.kill_agent()
    watcher.check()
    world.start_agent()
    await world.phase_is("Running")
    assert world.runs(UNIT, ADDRESS)
    watcher.check()
    await world.order("Down")
    await _turns(turns)
    await world.kill_agent()
    watcher.check()
    world.start_agent()
    await world.released()
    watcher.check()
    assert not world.machine.running
    return world


@pytest.mark.parametrize("block", range(8))
def test_killed_at_any_turn_while_starting_and_stopping_it_comes_to_the_same_end(block: int) -> None:
    for turns in range(block * 10, block * 10 + 10):
        run(_life_with_a_kill_after(turns), seed=turns, limit_s=300)


async def _sealed_with_a_kill_after(turns: int) -> None:
    world = World()
    watcher = Watcher(world)
    await world.prepare()
    world.start_agent()
    await world.held()
    await world.order()
    await world.phase_is("Running")
    old = await world.session()
    await world.seal()
    for _ in range(3):
        await asyncio.sleep(0.4)
        await _turns(turns)
        await world.kill_agent()
        now = await world.session()
        assert now.nonce == old.nonce or not world.machine.running, "superseded while it still ran"
        watcher.check()
        world.start_agent()

    async def superseded() -> bool:
        now = await world.session()
        return old.nonce in now.supersedes and not world.machine.running

    await world.until(superseded)


@pytest.mark.parametrize("block", range(6))
def test_killed_at_any_turn_after_the_seal_nothing_runs_once_it_has_superseded(block: int) -> None:
    for turns in range(block * 10, block * 10 + 10):
        run(_sealed_with_a_kill_after(turns), seed=turns, limit_s=300)


async def _adopted(turns: int) -> None:
    world = World()
    watcher = Watcher(world)
    await world.prepare()
    world.start_agent()
    await world.held()
    await world.order()
    await world.phase_is("Running")
    for _ in range(5):
        await _turns(turns)
        await world.kill_agent()
        world.start_agent()
    await asyncio.sleep(5)
    await world.phase_is("Running")
    assert watcher.starts == 1, "an adopted service was restarted"


def test_a_running_service_survives_any_number_of_agents_with_zero_restarts() -> None:
    for turns in range(40):
        run(_adopted(turns), seed=turns, limit_s=300)
