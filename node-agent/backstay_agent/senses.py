"""Eyes and ears for one running instance: looks at every resource once, then listens to its driver and to its probes.

Nothing is polled here. A driver tells the present state first and every change after it; a probe tells when it changes its mind.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import aclosing
from typing import Any, Final, cast

from backstay_api.plain import RenderedResource

from .drivers.base import Seen, StartFailed, State, StopFailed
from .hands import Hands
from .work import end_tasks

log = logging.getLogger(__name__)

DEAF_S: Final = 1.0
"""Until a driver whose ear was cut (D-Bus restarted) is asked to listen again."""


class Senses:
    """What is known to be wrong with the resources of one instance."""

    def __init__(self, hands: Hands, notice: Callable[[], None]) -> None:
        self._hands = hands
        self._notice = notice
        self._tasks: list[asyncio.Task[None]] = []
        self._down: dict[str, str] = {}
        self._unwell: dict[str, str] = {}
        self._unclear: dict[str, str] = {}
        """Resources that are neither plainly up nor plainly down, or were not looked at yet."""

    @property
    def troubles(self) -> dict[str, str]:
        """Resources that are down or do not work, and why."""
        return {**self._unwell, **self._down}

    @property
    def is_well(self) -> bool:
        """Every resource was looked at, is up and works."""
        return not self._unclear and not self.troubles

    @property
    def sentence(self) -> str:
        return "; ".join(f"{name}: {why}" for name, why in {**self._unclear, **self.troubles}.items())

    def attend(self, resources: Sequence[RenderedResource]) -> None:
        """Begin anew with these."""
        assert not self._tasks, "it is watched already"
        self._down, self._unwell = {}, {}
        self._unclear = {resource.name: "not looked at yet" for resource in resources}
        for resource in resources:
            self._tasks.append(asyncio.create_task(self._listen(resource), name=f"ear {resource.name}"))
            if resource.probes:
                self._tasks.append(asyncio.create_task(self._probe(resource), name=f"probe {resource.name}"))

    async def end(self) -> None:
        """Listen no more. What is known is kept until it is attended to anew."""
        tasks, self._tasks = self._tasks, []
        await end_tasks(tasks)

    def raise_if_broken(self) -> None:
        """What no driver may raise is a broken program, and ends the process."""
        for task in self._tasks:
            if task.done() and not task.cancelled():
                task.result()

    async def _listen(self, resource: RenderedResource) -> None:
        try:
            while True:
                why = await self._hear(resource)
                log.warning("deaf", extra={"resource": resource.name, "why": why})
                await asyncio.sleep(DEAF_S)
        finally:
            self._notice()

    async def _hear(self, resource: RenderedResource) -> str:
        """Until its driver falls silent; why."""
        try:
            changes: Any = self._hands.driver(resource).changes(resource)
            async with aclosing(cast(Any, changes)):
                async for seen in changes:
                    self._saw(resource.name, seen)
        except (OSError, StartFailed, StopFailed) as error:
            return str(error)
        return "its driver no longer tells"

    def _saw(self, name: str, seen: Seen) -> None:
        before = (self._down.pop(name, ""), self._unclear.pop(name, ""))
        why = seen.why or f"is {seen.state.value.lower()}"
        if seen.state in (State.STOPPED, State.FAILED):
            self._down[name] = why
        elif seen.state is not State.RUNNING:
            # It may be running, so it is not restarted; it is not known to be, so it is not called healthy.
            self._unclear[name] = why
        if before != (self._down.get(name, ""), self._unclear.get(name, "")):
            self._notice()

    async def _probe(self, resource: RenderedResource) -> None:
        try:
            await self._hands.probe(resource, lambda works, why: self._judge(resource.name, works, why))
        finally:
            self._notice()

    def _judge(self, name: str, works: bool, why: str) -> None:
        before = self._unwell.get(name)
        if works:
            self._unwell.pop(name, None)
        else:
            self._unwell[name] = why
        if before != self._unwell.get(name):
            self._notice()
