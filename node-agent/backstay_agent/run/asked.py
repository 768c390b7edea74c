"""Restarts that somebody has asked for: done as an edit's are, of a part of what runs, and they count for nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from typing import Final

from backstay_agent.core.machine import Phase

_WAITS: Final = (Phase.RUNNING, Phase.RECOVERING, Phase.LEFT)


class AskedRestart:
    """Of one instance, one at a time. Known to this life of the agent alone: who wants it asks again in the next."""

    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake
        self._names: frozenset[str] = frozenset()
        self._answer: asyncio.Future[str | None] | None = None
        self._has_begun = False
        self.is_under_way = False
        """What runs is restarted at the moment because it was asked for, by an edit too, and not because it had failed."""
        self.is_touching = False
        """And something was stopped for it: before that it only waits, and may be given up."""
        self.was_cut_off = False
        """Something else came between, so that how it was before says nothing of what it was restarted for."""

    async def ask(self, names: Collection[str]) -> str | None:
        """Restart these and what stands on them. Why they have not come up, in a sentence; empty: they work.
        None: they were not restarted to the end, because nothing runs or something else came between."""
        while self._answer is not None:
            await asyncio.wait([self._answer])
        self._names, self._answer = frozenset(names), asyncio.get_running_loop().create_future()
        self._wake()
        try:
            return await self._answer
        finally:
            self._names, self._answer, self._has_begun = frozenset(), None, False

    def is_due(self, phase: Phase) -> bool:
        """Whether one is wanted that has not begun."""
        return phase is Phase.RUNNING and bool(self._names) and not self.is_under_way

    def begin(self) -> frozenset[str]:
        """What is asked for is restarted from now on, with whatever an edit restarts."""
        self.is_under_way, self.is_touching, self.was_cut_off, self._has_begun = True, False, False, bool(self._names)
        return self._names

    def touch(self) -> None:
        """What runs is stopped for it next."""
        self.is_touching = True

    def follow(self, phase: Phase, *, has_looked: bool, why: str) -> None:
        """Where the instance stands now. `has_looked`: whether what was brought up was looked at; `why`: what is to be said of it."""
        if self.is_under_way:
            if phase is Phase.RECOVERING or (phase is Phase.RUNNING and not has_looked):
                return
            self.is_under_way, self.is_touching, self.was_cut_off = False, False, phase is not Phase.RUNNING and not why
            if self._has_begun:  # what was asked for meanwhile is next
                self._reply("" if phase is Phase.RUNNING else why or None)
        elif phase is Phase.RUNNING and has_looked:
            self.was_cut_off = False
        elif phase not in _WAITS:
            # What is started later reads its files anyway.
            self._reply(None)

    def end(self) -> None:
        self._reply(None)

    def _reply(self, why: str | None) -> None:
        self._names = frozenset()  # whoever asked reads the answer later than we look again
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(why)
