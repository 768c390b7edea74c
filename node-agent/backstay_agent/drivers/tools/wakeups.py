"""When to look at a unit again: systemd tells of it, something in its control group came or went, or time has passed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from pathlib import Path

from backstay_api.process.waiting import within

from . import cgroups
from .down import groups_of
from .manager import Watch


async def wakeups(unit: str, watch: Watch, period_s: Callable[[], float | None]) -> AsyncGenerator[None, None]:
    """Once now, then whenever the unit or what lives in it may have changed, and regularly if there is a period."""
    news = asyncio.Event()
    groups: dict[Path, asyncio.Task[None]] = {}
    unit_task = asyncio.create_task(_note(_changes_of(watch), news))
    try:
        while True:
            for group in groups_of(unit, watch.properties):
                if group.exists() and (group not in groups or groups[group].done()):
                    groups[group] = asyncio.create_task(_note(cgroups.life(group), news))
            yield
            await within(news, period_s())
            news.clear()
    finally:
        for task in (unit_task, *groups.values()):
            task.cancel()
        await asyncio.gather(unit_task, *groups.values(), return_exceptions=True)


async def _note(told: AsyncIterator[object], news: asyncio.Event) -> None:
    async for _ in told:
        news.set()


async def _changes_of(watch: Watch) -> AsyncGenerator[None, None]:
    while True:
        await watch.changed()
        yield
