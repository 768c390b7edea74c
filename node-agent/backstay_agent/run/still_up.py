"""Whether what is up stays up while others of its service are still being started: nothing is started on what has died meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from contextlib import aclosing
from typing import Any, cast

from backstay_agent.drivers.base import StartFailed, State, StopFailed
from backstay_agent.host_system import HostSystem
from backstay_agent.tasks import end_tasks
from backstay_api.objects.plain import RenderedResource


class StillUp:
    """The resources of one start, by position. Ended with `end`."""

    def __init__(self, system: HostSystem, resources: Sequence[RenderedResource]) -> None:
        self._system, self._resources = system, resources
        self._tasks: list[asyncio.Task[None]] = []
        self._down: dict[int, str] = {}

    def watch(self, at: int) -> None:
        """It is up from now on."""
        self._tasks.append(asyncio.create_task(self._follow(at)))

    def why_not(self, positions: Collection[int]) -> str:
        """Which of these has died since; empty if none is known to have."""
        return "; ".join(why for at, why in sorted(self._down.items()) if at in positions)

    async def end(self) -> None:
        await end_tasks(self._tasks)

    async def _follow(self, at: int) -> None:
        resource = self._resources[at]
        changes: Any = self._system.driver(resource).changes(resource)
        try:
            async with aclosing(cast(Any, changes)):
                async for seen in changes:
                    self._down.pop(at, None)
                    if seen.state in (State.STOPPED, State.FAILED):
                        self._down[at] = f"{resource.name}: {seen.why or f'is {seen.state.value.lower()}'}"
        except (OSError, StartFailed, StopFailed):
            return  # nobody can tell: once all is up the monitor asks again
