"""Stops that could only come about after our own end.

When a machine goes down systemd stops everything at once, each unit after those that were started after it. Sockets and mounts are
ordered before the targets that every service is started after, and so is what a firewall or a database says to be `Before=network.target`:
their stops wait for the agent's, and the agent for theirs. What other services themselves ask for is kept: only where nothing but
the agent and such targets stands before a stop, it is asked for out of turn.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final, NamedTuple

from .bus import BusError
from .manager import Manager
from .watch import Watch

LOOK_AGAIN_S: Final = 0.2
"""Nobody tells what a job waits for."""
_MOST: Final = 1000


class Queued(NamedTuple):
    """A job of systemd's."""

    unit: str
    state: str
    """waiting or running"""
    path: str


Ahead = Callable[[str], Awaitable[list[Queued]]]
"""The jobs that must be over before this one (by its path) may begin."""


async def waits_for_us(manager: Manager, watch: Watch) -> bool:
    """Whether the job that is queued for this unit would only begin when this process has ended."""
    job = str(watch.properties.get("Job", (0, "/"))[1])
    try:
        if not await _ahead(manager, job):
            return False
        us = await manager.own_unit_that_stops()
        return bool(us) and await only_behind(us, job, lambda path: _ahead(manager, path))
    except BusError:
        return False  # it is over meanwhile; or systemd is older than the question


async def only_behind(us: str, job: str, ahead: Ahead) -> bool:
    """Whether nothing keeps this job from beginning but our own one, and targets, which do nothing themselves."""
    seen, todo = {job}, [job]
    while todo and len(seen) < _MOST:
        queue = await ahead(todo.pop())
        if not queue:
            return False  # that one's turn is now
        for other in queue:
            if other.unit == us or other.unit.endswith(".target") or other.path in seen:
                continue
            if other.state != "waiting":
                return False
            seen.add(other.path)
            todo.append(other.path)
    return not todo


async def _ahead(manager: Manager, job: str) -> list[Queued]:
    return [Queued(str(unit), str(state), str(path)) for _, unit, _, state, path, _ in await manager.jobs_ahead(job)]
