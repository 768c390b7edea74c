"""Our share of what systemd can keep track of for others.

For each unit that a client has it keep in memory, and for each job that a client has queued, systemd listens for the end of that client,
with a rule of its own at the bus. The bus allows 512 rules a connection; with one more, systemd loses its connection, and every call of
everybody that waits for an answer fails. So what we ask for at a time is bounded: the sum of the three limits here leaves room for others.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Final

MOST_KEPT: Final = 192
"""Units that systemd keeps in memory for us."""
MOST_WATCHED: Final = 128
"""Those of them that are only watched: the rest is for what is started and stopped."""
MOST_STARTS: Final = 96
"""Jobs of ours that start something."""
MOST_STOPS: Final = 96
STOP_WAIT_S: Final = 5.0
"""A stop waits no longer for those before it: they may hang."""
LINGER_S: Final = 1.0
"""From the end of a stop to the start that follows it, with what is looked at between."""


class Kept:
    """Units that systemd keeps in memory for us, over one connection."""

    def __init__(self, post: Callable[[str, str], None], most: int = MOST_KEPT) -> None:
        """`post`: calls a method of the unit at an object path."""
        self._post = post
        self._most = most
        self.count = 0

    def keep(self, path: str, *, only_watched: bool) -> bool:
        """While it is kept systemd does not forget why it failed, nor read it from disk again for each question. Says whether it is."""
        if self.count >= (min(MOST_WATCHED, self._most) if only_watched else self._most):
            return False
        self.count += 1
        self._post(path, "Ref")
        return True

    def release(self, path: str, *, at_once: bool) -> None:
        """Who stops a unit may start it next: where there is room, it is kept until then."""
        if at_once or self.count >= self._most:
            self._release(path)
        else:
            asyncio.get_running_loop().call_later(LINGER_S, self._release, path)

    def _release(self, path: str) -> None:
        self.count -= 1
        self._post(path, "Unref")


class Jobs:
    """Units with a job of ours."""

    def __init__(self, most: int, wait_s: float | None = None) -> None:
        self._most, self._wait_s = most, wait_s
        self._units: set[str] = set()
        self._room = asyncio.Event()

    async def turn(self, unit: str) -> None:
        """Wait until there is room for one more. It is counted until it is `over`."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self._wait_s):
                while len(self._units) >= self._most and unit not in self._units:
                    self._room.clear()
                    await self._room.wait()
        self._units.add(unit)

    def over(self, unit: str) -> None:
        """Whoever's it was: its job has ended."""
        self._units.discard(unit)
        self._room.set()

    def forget(self) -> None:
        """Another systemd, or another connection: nothing is known to be under way."""
        self._units.clear()
        self._room.set()
