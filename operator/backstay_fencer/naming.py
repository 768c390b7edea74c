"""Which machine each agent has named by now, asked of the API server for one fence request: the watch may be late (PROTOCOL 5)."""

from __future__ import annotations

import asyncio
import logging

from backstay_api.client.errors import ApiError
from backstay_api.process.waiting import clock_s

from .core import UNSENT_RETRY_S
from .watches import Watches

log = logging.getLogger(__name__)


class Naming:
    """Asks, and knows as of when there is an answer; whoever has named a machine by then is known to the watches."""

    def __init__(self, known: Watches) -> None:
        self._known = known
        self.asked_s = float("-inf")
        """When the last question was asked that has been answered."""
        self.is_asking = False
        """For a proof."""

    async def ask(self) -> str:
        """Once; why there is no answer, if there is none."""
        begun_s = clock_s()
        try:
            await self._known.ask_who_is_who()
        except ApiError as error:
            return f"which machines other hosts name could not be read ({error})"
        self.asked_s = max(self.asked_s, begun_s)
        return ""

    async def ask_for_proof(self, request: str) -> None:
        """Once, and not again at once where there was no answer."""
        try:
            if why := await self.ask():
                log.warning("not proven yet", extra={"request": request, "why": why})
                await asyncio.sleep(UNSENT_RETRY_S)
        finally:
            self.is_asking = False
