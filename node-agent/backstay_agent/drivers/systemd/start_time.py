"""How long a start of a unit is waited for: as the manifest says, or for as long as systemd itself does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final

from backstay_agent.drivers.tools.watch import Watch

from .limits import CEILING_S

LOOK_S: Final = 0.5
_STARTING: Final = frozenset({"start-pre", "start", "start-post"})


@asynccontextmanager
async def start_time(limit_s: float, watch: Watch, *, is_own: bool) -> AsyncGenerator[None]:
    """Raises TimeoutError when the time is over.

    `is_own`: the limit is the unit's own. systemd keeps that itself, and gives more to who asks for it (EXTEND_TIMEOUT_USEC=, as a database
    does that recovers): while it goes on with this very start, so do we, up to CEILING_S in all.
    """
    loop = asyncio.get_running_loop()
    end_s, this_start = loop.time() + max(limit_s, CEILING_S), b""
    timer: asyncio.TimerHandle | None = None
    async with asyncio.timeout(limit_s) as limit:

        def look() -> None:
            nonlocal timer, this_start
            start = _start_under_way(watch)
            this_start = this_start or start
            if limit.expired() or not start or start != this_start or loop.time() >= end_s:
                return  # a restart by systemd is another start
            limit.reschedule(loop.time() + 2 * LOOK_S)
            timer = loop.call_later(LOOK_S, look)

        if is_own:
            timer = loop.call_later(max(limit_s - LOOK_S, 0.0), look)
        try:
            yield
        finally:
            if timer is not None:
                timer.cancel()


def _start_under_way(watch: Watch) -> bytes:
    """Which start systemd is busy with; empty: none, or nobody knows."""
    is_starting = not watch.lost and watch.properties.get("SubState") in _STARTING
    return bytes(watch.properties.get("InvocationID", b"")) if is_starting else b""
