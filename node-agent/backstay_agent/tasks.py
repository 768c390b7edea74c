"""Ending asyncio tasks: asked to, waited for, and what they raised not lost."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any


async def end_tasks(tasks: Sequence[asyncio.Task[Any]]) -> None:
    """Cancel these and wait until they are over."""
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks)
    for task in tasks:
        if not task.cancelled():
            task.exception()  # retrieved: it was asked for already, or no longer matters
