"""Brings to what runs whatever of an edit needs no restart: it works beside the runner, which may be told to stop meanwhile."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Final

from backstay_agent.drivers.base import ReloadFailed, StartFailed
from backstay_agent.host_system import HostSystem
from backstay_agent.tasks import end_tasks
from backstay_api.objects.edits import is_applied, same_work
from backstay_api.objects.plain import RenderedResource

from .monitoring import Monitor
from .work import limit_s

AGAIN_S: Final = 30.0
"""What was refused may have a cause on the host that somebody mends."""

log = logging.getLogger(__name__)

Edit = tuple[RenderedResource, RenderedResource]


def edits(before: Sequence[RenderedResource], wanted: Sequence[RenderedResource]) -> list[Edit]:
    """What drivers have to do something about, as it was and as it is wanted; the work of all is the same."""
    return [(old, new) for old, new in zip(before, wanted, strict=True) if is_applied(old, new)]


def is_other_work(before: Sequence[RenderedResource], wanted: Sequence[RenderedResource]) -> bool:
    """Whether a start makes something else of it."""
    return not same_work(before, wanted)


class Applying:
    """One edit at a time, tried until it succeeds. Cut off anywhere it begins anew: applying is idempotent."""

    def __init__(self, system: HostSystem, monitor: Monitor, notice: Callable[[], None]) -> None:
        self._system = system
        self._monitor = monitor
        self._notice = notice
        self._edits: list[Edit] = []
        self._task: asyncio.Task[None] | None = None
        self.why = ""
        """Why what runs is not yet what is wanted; empty if nothing is in the way."""
        self.failed = ""
        """Not empty: only a restart makes it that, and why."""
        self.failed_for: frozenset[str] = frozenset()
        """Of which resource that is said."""

    def needs_start(self, before: Sequence[RenderedResource], wanted: Sequence[RenderedResource]) -> bool:
        """Whether only a start makes what runs what is wanted."""
        known = self._monitor.reloadable
        if same_work(before, wanted, known):
            return bool(self.failed)
        # What can be reloaded, and what else is down, is known after a first look at all of it.
        return not self._monitor.is_looking

    async def is_done(self, before: Sequence[RenderedResource], wanted: Sequence[RenderedResource]) -> bool:
        """Whether what runs is as wanted; else it is seen to, and `notice` called when it is."""
        if not same_work(before, wanted, self._monitor.reloadable):
            return False  # what can be reloaded is not known yet
        todo = edits(before, wanted)
        if self._task is None or todo != self._edits:
            await self.end()
            self._edits = todo
            self._task = asyncio.create_task(self._apply(todo), name="apply an edit") if todo else None
        if self._task is not None and self._task.done():
            self._task.result()
        return self._task is None or (self._task.done() and not self.failed)

    async def end(self) -> None:
        task, self._task, self.why, self.failed, self.failed_for = self._task, None, "", "", frozenset()
        await end_tasks([task] if task else [])

    async def _apply(self, todo: Sequence[Edit]) -> None:
        for before, wanted in todo:
            while not await self._is_applied(before, wanted):
                self._notice()
                if self.failed:
                    return
                await asyncio.sleep(AGAIN_S)
        self.why = ""
        self._notice()

    async def _is_applied(self, before: RenderedResource, wanted: RenderedResource) -> bool:
        try:
            timeout_s = limit_s(wanted.timeouts.start)
            await self._system.driver(wanted).apply(wanted, before, timeout_s=timeout_s)
        except StartFailed as error:
            self.why = f"{wanted.name}: {error}; it is tried again in {AGAIN_S:g} s"
            log.warning("edit not applied", extra={"resource": wanted.name, "why": str(error)})
            return False
        except ReloadFailed as error:
            self.failed, self.failed_for = f"{wanted.name}: {error}", frozenset({wanted.name})
            log.warning("reload failed, restarting", extra={"resource": wanted.name, "why": str(error)})
            return False
        return True
