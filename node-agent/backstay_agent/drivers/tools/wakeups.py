"""When to look at a unit again: systemd tells of it, something in its control group came or went, or time has passed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from pathlib import Path

from backstay_agent.detection import CGROUP, POLL, Detection
from backstay_agent.drivers.base import Seen
from backstay_api.process.waiting import clock_s, within

from . import cgroups
from .manager import Manager
from .verified_stop import groups_of
from .watch import Watch


async def wakeups(unit: str, watch: Watch, period_s: Callable[[], float | None]) -> AsyncGenerator[bool, None]:
    """Once now, then whenever the unit or what lives in it may have changed, and regularly if there is a period.

    Says whether an event told.
    """
    news = asyncio.Event()
    groups: dict[Path, asyncio.Task[None]] = {}
    unit_task = asyncio.create_task(_note(_changes_of(watch), news))
    try:
        while True:
            for group in groups_of(unit, watch.properties):
                if group.exists() and (group not in groups or groups[group].done()):
                    groups[group] = asyncio.create_task(_note(_life(group, watch), news))
            told = news.is_set()
            news.clear()
            yield told
            await within(news, period_s())
    finally:
        for task in (unit_task, *groups.values()):
            task.cancel()
        await asyncio.gather(unit_task, *groups.values(), return_exceptions=True)


async def changes_of(
    manager: Manager, unit: str, look: Callable[[], Awaitable[Seen]], period_s: float | None
) -> AsyncGenerator[Seen, None]:
    """What `look` sees: first as it is now, then whenever that is something else, or was asked for. Raises BusError, and what
    `look` raises."""
    async with manager.watch(unit, for_long=True) as watch, aclosing(wakeups(unit, watch, lambda: period_s)) as woken:
        async for seen in looked_at(woken, look, manager.detection):
            yield seen


async def looked_at(
    woken: AsyncIterator[bool], look: Callable[[], Awaitable[Seen]], detection: Detection
) -> AsyncGenerator[Seen, None]:
    """The same, woken by these; they say whether by an event, or because it was time to look."""
    last: Seen | None = None
    before_s = clock_s()
    async for by_event in woken:
        begun_s = clock_s()
        seen = await look()
        if last is not None and seen != last and not by_event:
            detection.saw(POLL, clock_s() - before_s)
        before_s = begun_s
        if seen != last or seen.check:
            yield (last := seen)


async def _note(told: AsyncIterator[object], news: asyncio.Event) -> None:
    async for _ in told:
        news.set()


async def _life(group: Path, watch: Watch) -> AsyncGenerator[None, None]:
    async with aclosing(cgroups.life(group)) as told:
        await anext(told, None)  # how it is now
        yield
        async for _ in told:
            watch.detection.told(CGROUP)
            yield


async def _changes_of(watch: Watch) -> AsyncGenerator[None, None]:
    while True:
        await watch.changed()
        yield
