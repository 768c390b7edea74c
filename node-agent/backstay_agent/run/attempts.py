"""What one instance's runner remembers of what went wrong lately: since when something is down, what was tried, what an admin did.

Only for this life of the agent: restarts that count are in the journal, these do not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from backstay_agent.core import patience
from backstay_agent.core.checkpoint import Record
from backstay_agent.core.reports import Restarts
from backstay_api.objects.durations import later
from backstay_api.process.waiting import clock_s

from . import work
from .monitoring import Monitor

_ROUNDING_S: Final = 0.01
"""Sums of times are not exact; woken too early, it would be woken again at once, for ever."""


class Attempts:
    """Judges the troubles that the monitor reports: do they count, and when may they be answered."""

    def __init__(self, monitor: Monitor, wall: Callable[[], str]) -> None:
        self._monitor, self._wall = monitor, wall
        self._read: dict[float, str] = {}
        """Times as they were told."""
        self._last_count = 0
        self._free_at_s: tuple[float, ...] = ()
        """Restarts that counted for nothing."""
        self._down_since_s: float | None = None
        self.look_again_at_s: float | None = None
        self.was_left = False
        """Maintenance mode HandsOff has just ended, and nothing was started since."""

    def forget(self) -> None:
        """A newer epoch: nothing of the one before is held against it."""
        self._free_at_s = ()

    def is_down(self) -> bool:
        """Whether something is known to be down, after everything was looked at once: so that what is down together is
        started together."""
        if not self._monitor.troubles or self._monitor.is_looking or self._monitor.is_going_down:
            if self._monitor.is_well:
                self._down_since_s, self.was_left = None, False
            return False
        if self._down_since_s is None:
            self._down_since_s = clock_s()
        return True

    def count_for_nothing(self, record: Record) -> bool:
        """Whether restarting what is down is no restart of ours: an admin did it, or only an address is missing."""
        bad = self._monitor.troubles.keys()
        return self.was_left or bool(bad and bad <= self._monitor.by_admin.keys()) or self._is_blink(record)

    def _is_blink(self, record: Record) -> bool:
        if not work.only_addresses(work.to_restart(record.resources, self._monitor.troubles)):
            return False
        now_s = clock_s()
        since_s = now_s if self._down_since_s is None else self._down_since_s
        return patience.is_free_for_addresses(self._free_at_s, down_since_s=since_s, now_s=now_s)

    def may_restart(self, record: Record) -> bool:
        if self.count_for_nothing(record):
            return True
        is_within = patience.may_restart(record.restarted_at_s, now_s=clock_s(), by=record.policy)
        return is_within and not self._monitor.moves_at_once

    def is_due(self, record: Record, now_s: float) -> bool:
        """Whether the next try may begin. If not, when to look again is kept: it may fall due before the caller waits.

        Told the time: a second look at the clock would say later than what is due at once, for ever."""
        due_s = self._due_at_s(record, now_s)
        self.look_again_at_s = due_s if due_s > now_s else None
        return self.look_again_at_s is None

    def _due_at_s(self, record: Record, now_s: float) -> float:
        if self._free_at_s and self._is_blink(record):
            return max(self._free_at_s) + patience.LINK_TRY_S
        tries = self._free_at_s if self.count_for_nothing(record) else record.restarted_at_s
        return patience.due_at_s(tries, now_s=now_s, by=record.policy)

    def wakes_at_s(self, record: Record) -> list[float]:
        """When to look again if nothing happens."""
        _, forgotten_at_s = self._counted(record)
        times = (self.look_again_at_s, forgotten_at_s and forgotten_at_s + _ROUNDING_S)
        return [at_s for at_s in times if at_s is not None]

    def is_another_count(self, record: Record) -> bool:
        """Whether another number counts now than when this was asked last.

        Asked last, not told last: telling wakes whoever waits, and while the API is away nothing is told."""
        before, self._last_count = self._last_count, self._counted(record)[0]
        return before != self._last_count

    def told(self, record: Record) -> Restarts:
        """What the status says of it. The same time always reads the same, though the clocks are read anew."""
        counted, forgotten_at_s = self._counted(record)
        asked = [at_s for at_s in (forgotten_at_s, self.look_again_at_s) if at_s is not None]
        self._read = {at_s: self._read.get(at_s) or later(self._wall(), at_s - clock_s()) for at_s in asked}
        forgotten_at = self._read[forgotten_at_s] if forgotten_at_s is not None else None
        return Restarts(counted, forgotten_at, self._read.get(self.look_again_at_s or 0.0))

    def _counted(self, record: Record) -> tuple[int, float | None]:
        """How many restarts count now, and when the oldest of them is forgotten."""
        counted = patience.recent(record.restarted_at_s, now_s=clock_s(), by=record.policy)
        return len(counted), min(counted) + record.policy.window_s if counted else None

    def begin_free(self) -> None:
        """One that counts for nothing begins."""
        self._free_at_s = (*self._free_at_s, clock_s())[-patience.FREE_MOST :]


class AdminActs:
    """What an admin did to an instance on the host itself, as the status shall say it."""

    def __init__(self) -> None:
        self._seen: Mapping[str, str] = {}
        self.said = ""

    def note(self, seen: Mapping[str, str], wall: str) -> bool:
        """What the monitor sees now; whether that is another act than before."""
        is_new = any(self._seen.get(name) != act for name, act in seen.items())
        self._seen = dict(seen)
        if is_new:
            self.said = f"{'; '.join(f'{name}: {act}' for name, act in seen.items())} ({wall})"
        return is_new

    def answered(self) -> None:
        """What was stopped is started again."""
        self.said += "; it was started again (maintenance mode HandsOff prevents that)"

    def forget(self) -> None:
        """A newer epoch."""
        self.said = ""
