"""Restarts of a part of an instance: of what is down, or what an edit makes other work of, and of what stands on it. The rest runs on."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from typing import Protocol

from backstay_agent.core.checkpoint import Record
from backstay_agent.drivers.base import StartFailed
from backstay_agent.store.disk import DiskTrouble
from backstay_api.objects.edits import restarted
from backstay_api.objects.plain import RenderedResource
from backstay_api.process.waiting import clock_s

from . import work
from .monitoring import Monitor
from .tools import Tools, must_be_allowed

log = logging.getLogger(__name__)


class Amend(Protocol):
    """Changes the record in the journal; with `may_start`, only if it may be started at that moment. Raises MayNot."""

    async def __call__(self, how: Callable[[Record], Record], *, may_start: bool = False) -> None: ...


class Restarting:
    """What is restarted at the moment, of one instance. Cut off anywhere, what it has started is in the journal."""

    def __init__(
        self, tools: Tools, monitor: Monitor, amend: Amend, say: Callable[[str], None], touch: Callable[[], None]
    ) -> None:
        """`touch` is told before anything is stopped for an edit, or because that was asked for."""
        self._tools, self._monitor = tools, monitor
        self._amend, self._say, self._touch = amend, say, touch
        self._these: Sequence[RenderedResource] = ()
        self.also: frozenset[str] = frozenset()
        """Resources of which their drivers say that only a restart makes them what is wanted, and those whose restart was asked for."""

    @property
    def only_addresses(self) -> bool:
        """Whether only addresses are put back: what serves under them is well."""
        return work.only_addresses(self._these)

    async def in_place(self, record: Record, *, counted_at_s: float | None) -> None:
        """What is down, and what stands on it. `counted_at_s`: None if this counts for nothing. Raises StartFailed, StopFailed, MayNot."""
        at_s, down, unproven = clock_s(), frozenset(self._monitor.troubles), self._monitor.unproven
        self._these = work.to_restart(record.resources, down)
        await must_be_allowed(self._tools, record, record.resources, self._say, is_known=True)
        try:
            await self._amend(lambda now: replace(now, begun_at_s=at_s).restarted(counted_at_s), may_start=True)
        except DiskTrouble as error:
            # What the journal says already (it may run) covers this restart; only the count is lost.
            log.warning("restart not recorded", extra={"instance": record.title, "why": str(error)})
        self._say(await work.take_down(self._tools.system, self._these, of=record.resources))
        await self._bring_up(record.resources, unproven)

    async def changed(self, record: Record) -> None:
        """Of an edit: what is other work, with what is down, and what stands on these. Raises as `in_place` does, and DiskTrouble.

        First everything is stopped, verifiably; then what is no longer wanted leaves the journal and what is wanted enters it; then it is
        started. It counts as no restart.
        """
        await must_be_allowed(self._tools, record, record.wanted, self._say)
        at_s, unproven, names = clock_s(), self._monitor.unproven, self._names(record)
        after = record.changed(names, record.wanted, record.revision)
        self._these = [one for one in after.resources if one.name in names]
        await self._amend(lambda now: replace(now, begun_at_s=at_s), may_start=True)
        gone = [one for one in record.resources if one.name in names]
        self._touch()
        self._say(await work.take_down(self._tools.system, gone, of=record.resources))
        await self._tools.journal.cover(record.uid, after.resources)
        await self._amend(lambda now: now.changed(names, record.wanted, record.revision), may_start=True)
        for one in self._these:
            await self._tools.system.driver(one).secure(one)
        await self._bring_up(after.resources, unproven)

    def _names(self, record: Record) -> frozenset[str]:
        down = frozenset(self._monitor.troubles)
        # What is down has nothing that could be reloaded, and what waits for a reload beside it is not left waiting.
        known = {} if down else self._monitor.reloadable
        return restarted(record.resources, record.wanted, known, also=down | self.also)

    async def _bring_up(self, resources: Sequence[RenderedResource], unproven: Collection[str]) -> None:
        system, only = self._tools.system, {one.name for one in self._these}
        try:
            await work.bring_up(system, resources, only=only, unproven=unproven, tell=self._say)
        except StartFailed:
            if self.only_addresses:  # what stands below goes on, so nothing else stops its parts
                await work.take_down(system, self._these, of=resources)
            raise
