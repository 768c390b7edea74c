"""Restarts that somebody asks for: each is answered for itself."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from backstay_agent.core.machine import Phase
from backstay_agent.run.asked import AskedRestart


def test_who_asks_next_is_not_answered_for_a_restart_that_was_given_up() -> None:
    async def story() -> None:
        asked = AskedRestart(lambda: None)
        first = asyncio.create_task(asked.ask(["a"]))
        await asyncio.sleep(0)
        assert asked.begin() == {"a"}
        first.cancel()
        with suppress(asyncio.CancelledError):
            await first
        second = asyncio.create_task(asked.ask(["b"]))
        await asyncio.sleep(0)
        asked.follow(Phase.RUNNING, has_looked=True, why="")
        await asyncio.sleep(0)
        assert not second.done() and asked.is_due(Phase.RUNNING)
        assert asked.begin() == {"b"}
        asked.follow(Phase.RUNNING, has_looked=True, why="")
        assert await second == ""

    asyncio.run(story())


def test_of_what_ends_meanwhile_it_is_said() -> None:
    async def story() -> None:
        asked = AskedRestart(lambda: None)
        one = asyncio.create_task(asked.ask(["a"]))
        await asyncio.sleep(0)
        asked.end()
        assert await one is None

    asyncio.run(story())


def test_what_was_cut_off_is_forgotten_once_it_runs_again() -> None:
    asked = AskedRestart(lambda: None)
    asked.begin()
    asked.follow(Phase.STOPPING, has_looked=False, why="")
    assert asked.was_cut_off
    asked.follow(Phase.RUNNING, has_looked=False, why="")
    assert asked.was_cut_off
    asked.follow(Phase.RUNNING, has_looked=True, why="")
    assert not asked.was_cut_off


def test_what_has_failed_was_not_cut_off() -> None:
    asked = AskedRestart(lambda: None)
    asked.begin()
    asked.follow(Phase.STOPPING, has_looked=False, why="exited with 1")
    assert not asked.was_cut_off
