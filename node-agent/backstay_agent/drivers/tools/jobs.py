"""Who asked systemd for it: us, or somebody else on the host. Told from the jobs that systemd announces.

A unit that goes down with a job was asked to; without one it died, or ended by itself. What we ask for is done inside
`acting`, so that whatever job comes meanwhile is ours, also those that systemd adds to keep its order.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

JOB: Final = "org.freedesktop.systemd1.Job"
UP: Final = ("active", "reloading", "refreshing")
_DOES_NOT_END_IT: Final = ("start", "verify-active", "reload", "reload-or-start", "nop")


@dataclass
class Asked:
    """A job of somebody else's on a unit that we watch."""

    kind: str = ""
    """stop, restart, try-restart, start…; empty where the job was gone before we could ask."""


class Acts:
    """Which units we ourselves act on at the moment."""

    def __init__(self) -> None:
        self._units: Counter[str] = Counter()

    @contextmanager
    def on(self, units: Iterable[str]) -> Iterator[None]:
        """Until its end every job on these units is ours."""
        units = tuple(units)
        self._units.update(units)
        try:
            yield
        finally:
            self._units.subtract(units)

    def __contains__(self, unit: str) -> bool:
        return self._units[unit] > 0


def admins_act(unit: str, asked: Asked | None, *, active: str, has_job: bool, was_up: bool) -> str:
    """What an admin does, or did, to the unit; empty if nobody asked for anything that ends or starts it."""
    if asked is None:
        return ""
    # The second half of a restart looks like a start.
    if asked.kind in ("start", "reload-or-start") and not was_up:
        return f"started by an admin: systemctl start {unit}" if active not in UP else ""
    if asked.kind in _DOES_NOT_END_IT and not (asked.kind == "start" and has_job):
        return ""
    restarts = (
        "restart" in asked.kind
        or asked.kind == "start"
        or (not asked.kind and has_job and active in ("inactive", "failed", "activating"))
    )
    if restarts:
        return f"restarted by an admin: systemctl restart {unit}"
    return f"stopped by an admin: systemctl stop {unit}"
