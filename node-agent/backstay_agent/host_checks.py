"""Looks regularly at the host itself: the disk that the agent writes to, memory pressure, the clock. What that means, `core/sanity.py` says."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from backstay_api.objects.plain import HostProblem
from backstay_api.process.waiting import clock_s

from .core.sanity import JUMP_S, STEADY_S, Signs, problems
from .standby.needs import without_room

LOOK_S: Final = 5.0
PRESSURE: Final = Path("/proc/pressure/memory")
_FULL: Final = re.compile(r"^full .*avg60=([0-9.]+)", re.MULTILINE)


class Clock:
    """Holds the wall clock against the monotonic one, which never jumps."""

    def __init__(self, wall_s: Callable[[], float]) -> None:
        self._wall_s = wall_s
        self._ahead_s = wall_s() - clock_s()
        self.jump_s, self._jumped_at_s = 0.0, clock_s() - STEADY_S

    def look(self) -> None:
        ahead_s = self._wall_s() - clock_s()
        if abs(ahead_s - self._ahead_s) >= JUMP_S:
            self.jump_s, self._jumped_at_s = ahead_s - self._ahead_s, clock_s()
        self._ahead_s = ahead_s

    @property
    def since_jump_s(self) -> float:
        return clock_s() - self._jumped_at_s


async def follow(
    told: Callable[[tuple[HostProblem, ...]], None],
    folders: Sequence[Path],
    *,
    wall_s: Callable[[], float],
    pressure: Path = PRESSURE,
) -> None:
    """Tell what is wrong with this host now, and after each look, until cancelled. `folders`: where the agent must be able to write."""
    clock, found = Clock(wall_s), tuple[HostProblem, ...]()
    while True:
        clock.look()
        no_room = tuple(await without_room(folders))
        found = problems(Signs(no_room, stalled_percent(pressure), clock.jump_s, clock.since_jump_s), found)
        told(found)
        await asyncio.sleep(LOOK_S)


def stalled_percent(pressure: Path) -> float | None:
    """Of the last minute, in which nothing could run for want of memory; None: this kernel does not say."""
    try:
        said = _FULL.search(pressure.read_text())
    except OSError:
        return None
    return float(said[1]) if said else None
