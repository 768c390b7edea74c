"""One answer for all who ask the same at once: a rack that is lost is a hundred requests, and one list tells all of them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable


class Shared:
    """A question whose answer is worth something to whoever asked before it was begun, and to nobody who asked later."""

    def __init__(self, ask: Callable[[], Awaitable[None]]) -> None:
        self._ask = ask
        self._turn = asyncio.Lock()
        self._begun = 0
        self._ended = 0
        """The number of the last that was answered, or to which there was no answer."""
        self._trouble: Exception | None = None
        """Why there was none."""

    async def __call__(self) -> None:
        """Until one has been answered that began after this. Raises what that one did."""
        before = self._begun
        async with self._turn:
            if self._ended <= before:
                await self._answer()
            if self._trouble is not None:
                raise self._trouble

    async def _answer(self) -> None:
        """A question that is cancelled counts as not asked: the next in turn asks it anew."""
        self._begun += 1
        number, trouble = self._begun, None
        try:
            await self._ask()
        except Exception as error:
            trouble = error
        self._ended, self._trouble = number, trouble
