"""Waiting, on the event loop's own clock. Standard library only."""

from __future__ import annotations

import asyncio
import math
from contextlib import suppress


def clock_s() -> float:
    """What the loop's clock says, in seconds: monotonic, and virtual in the simulator."""
    return asyncio.get_running_loop().time()


async def within(event: asyncio.Event, wait_s: float | None) -> None:
    """Wait for the event, but no longer than this; None: however long it takes."""
    with suppress(TimeoutError):
        async with asyncio.timeout(wait_s):
            await event.wait()


async def until(event: asyncio.Event, at_s: float | None) -> None:
    """Wait for the event, but no longer than to this time on the clock; None or infinite: however long it takes."""
    with suppress(TimeoutError):
        async with asyncio.timeout_at(None if at_s == math.inf else at_s):
            await event.wait()
