"""What is known of one unit of systemd, and an event for when that may have changed."""

from __future__ import annotations

import asyncio
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

from backstay_agent.detection import DBUS, Detection
from backstay_api.process.waiting import clock_s

from .jobs import Asked
from .systemd_quota import Kept

UNIT: Final = "org.freedesktop.systemd1.Unit"

Properties = dict[str, Any]
_CHANGED_AT: Final = "StateChangeTimestampMonotonic"
"""In µs, on the clock that is the event loop's too."""


@dataclass(eq=False)
class Watch:
    """What is known of one unit, and an event for when that may have changed."""

    unit: str
    path: str = ""
    properties: Properties = field(default_factory=dict)
    lost: str = ""
    """Why nothing is known at present; empty while it is."""
    asked: Asked | None = None
    """The last job on it that somebody else has queued, and that may explain its state."""
    for_long: bool = False
    """Only to see what becomes of it, and for as long as it runs."""
    kept: Kept | None = None
    """What has systemd keep the unit in its memory for us."""
    detection: Detection = field(default_factory=Detection)
    """Told how late its news come."""
    signals: int = 0
    """How many have told of it."""
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    async def changed(self) -> None:
        """Wait until something may have changed since this was last awaited."""
        await self._news.wait()
        self._news.clear()

    async def changed_within(self, wait_s: float | None) -> None:
        """The same, but not longer; None waits for ever."""
        with suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                await self.changed()

    def ring(self) -> None:
        self._news.set()

    def on_signal(self, signal: tuple[Any, ...]) -> None:
        """For the manager: some properties have changed."""
        interface, changed, _invalidated = signal
        self.signals += 1
        before_us = self.properties.get(_CHANGED_AT, 0)
        self.properties.update(plain(changed))
        # What was asked for meanwhile is no news.
        if (at_us := self.properties.get(_CHANGED_AT, 0)) > before_us:
            self.detection.saw(DBUS, clock_s() - at_us / 1_000_000)
        # systemd tells the type's properties first and the unit's last, so that now all of one change is there.
        if interface == UNIT:
            self.ring()

    @property
    def active(self) -> str:
        return str(self.properties.get("ActiveState", ""))

    @property
    def has_job(self) -> bool:
        return bool(self.properties.get("Job", (0, "/"))[0])


def waits_for_pid_file(properties: Properties) -> bool:
    """Whether its start has forked, and only the PID file is still missing."""
    is_waiting = properties.get("SubState") == "start" and not properties.get("ControlPID")
    return properties.get("Type") == "forking" and bool(properties.get("PIDFile")) and is_waiting


def plain(found: dict[str, tuple[str, Any]]) -> Properties:
    # Of a unit systemd tells 400 properties: their names are half of what a watch would cost, 25 KB each time.
    return {sys.intern(name): value for name, (_signature, value) in found.items()}
