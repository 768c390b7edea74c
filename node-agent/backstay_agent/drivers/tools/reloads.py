"""Making systemd read changed unit files: one reload for many changes, when it breaks nobody's start, and only those wait for it whose
files have changed.

systemd 252 forgets at a reload that it waits for a daemon's PID file: that start would never succeed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Final

from backstay_api.process.waiting import clock_s

from .bus import BusError

# A daemon writes its PID file within seconds, or never; then its own time limit ends the start.
RELOAD_PATIENCE_S: Final = 30.0
_LOOK_AGAIN_S: Final = 0.25


class Reloads:
    """Which units' files have changed since systemd read them."""

    def __init__(self, reload: Callable[[], Awaitable[None]], waiting: Callable[[], Awaitable[list[str]]]) -> None:
        """`waiting`: the units whose start a reload would break now."""
        self._reload = reload
        self._waiting = waiting
        self._changed: set[str] = set()
        self._being_read: frozenset[str] = frozenset()
        self._one = asyncio.Lock()
        self._obstacle = ""

    def changed(self, unit: str) -> None:
        """A file of this unit has changed on disk."""
        self._changed.add(unit)

    def waits_for(self, unit: str) -> str:
        """Why a change of this unit is not read yet, in a sentence; empty if nothing stands against it."""
        return self._obstacle if unit in self._changed else ""

    async def read(self, units: Iterable[str]) -> bool:
        """Return when systemd has read what has changed of these units: whether anything had. Raises BusError."""
        wanted = frozenset(units)
        if wanted.isdisjoint(self._changed | self._being_read):
            return False
        async with self._one:
            if wanted.isdisjoint(self._changed):
                return True  # others' reload has read it
            await self._until_it_is_harmless()
            self._being_read, self._changed = frozenset(self._changed), set()
            try:
                await self._reload()
            except BaseException:
                self._changed |= self._being_read
                raise
            finally:
                self._being_read = frozenset()
        return True

    async def _until_it_is_harmless(self) -> None:
        began_s = clock_s()
        try:
            while waiting := await self._waiting():
                self._obstacle = (
                    f"systemd is not made to read unit files anew while {waiting[0]} starts: it waits for its PID file"
                )
                if clock_s() - began_s > RELOAD_PATIENCE_S:
                    raise BusError("reload", self._obstacle)
                await asyncio.sleep(_LOOK_AGAIN_S)
        finally:
            self._obstacle = ""
