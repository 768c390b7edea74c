"""A promoted instance and the copy that it stands on, on one host: it starts after that copy, and stops before it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Final

from backstay_agent.core import rules
from backstay_agent.core.checkpoint import Checkpoint, Record

from .tools import Tools

NO_COPY: Final = "no copy of it is up on this host, and only a copy that is up can be promoted"


class Promotion:
    """Of one instance, whichever of the two it is; of any other nothing is ever the case."""

    def __init__(self, uid: str, tools: Tools) -> None:
        self._uid, self._tools = uid, tools
        self._others_changed = asyncio.Event()
        self.is_waiting = False
        """An effect waits until what stands on this copy is down."""

    def others_changed(self) -> None:
        """Something else on this host has changed."""
        self._others_changed.set()

    def lacks_copy(self, record: Record, checkpoint: Checkpoint) -> bool:
        """Whether it is promoted, and the copy beneath it is not up, or is about to stop."""
        copy = rules.beneath(record, checkpoint) if record.role else None
        return bool(record.role) and (copy is None or not self._tools.is_up(copy.uid))

    def may_start(self, record: Record, checkpoint: Checkpoint) -> rules.NotToStart | None:
        """Whether this instance may be started now, as `rules.may_start`, by what stands beneath it too."""
        obstacle, leaving = self._tools.system.obstacle(), self._tools.leaving()
        if refused := rules.may_start(record, checkpoint, obstacle=obstacle, leaving=leaving):
            return refused
        if not record.may_run and (above := rules.above(record, checkpoint)):
            return rules.NotToStart(f"{above.title}, which stands on it, could not be stopped")
        return rules.NotToStart(NO_COPY) if self.lacks_copy(record, checkpoint) else None

    def has_failed(self, record: Record, checkpoint: Checkpoint) -> bool:
        """Whether it is promoted without a copy; or is a copy that its own agent could not demote: what is left to try is the stop of
        the copy itself, after which there is nothing that could be promoted."""
        if record.role:
            return self.lacks_copy(record, checkpoint)
        above = rules.above(record, checkpoint) if record.may_run else None
        return above is not None and self._demote_failed(above)

    def waits_for_copy(self, record: Record, checkpoint: Checkpoint) -> bool:
        """Whether the copy beneath is being stopped because it could not be demoted: it is asked again after that."""
        copy = rules.beneath(record, checkpoint) if record.role and self._demote_failed(record) else None
        stops = self._tools.stops(copy.uid) if copy else None
        return stops is not None and stops.is_first

    def _demote_failed(self, promoted: Record) -> bool:
        stops = self._tools.stops(promoted.uid)
        return stops is not None and stops.demote_failed

    @property
    def above(self) -> Record | None:
        """What stands on this copy and may still run."""
        checkpoint = self._tools.journal.checkpoint
        return rules.above(checkpoint.records[self._uid], checkpoint)

    async def first(
        self, effect: Callable[[], Coroutine[Any, Any, None]], say: Callable[[str], None], *, stops: bool = False
    ) -> None:
        """An effect that touches what runs, once nothing stands on it any more: a copy that is no longer up has what is promoted stop.

        `stops`: it brings the whole copy down. That waits for no stop that has failed, as within one instance what is below is
        stopped though what is above could not be."""
        self.is_waiting = True
        try:
            while (above := self.above) and not (stops and self._is_stuck(above)):
                self._others_changed.clear()
                say(f"{above.title} stands on it, and stops first")
                await self._others_changed.wait()
        finally:
            self.is_waiting = False
        await effect()

    def _is_stuck(self, above: Record) -> bool:
        stops = self._tools.stops(above.uid)
        return stops is not None and bool(stops.failed)
