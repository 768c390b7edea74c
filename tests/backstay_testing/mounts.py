"""Stories about mounts: played to their end, and what is mounted meanwhile."""

from __future__ import annotations

import asyncio
from typing import Any

from backstay_testing.disks import sh


def play(story: Any) -> None:
    async def limited() -> None:
        async with asyncio.timeout(60):
            await story

    asyncio.run(limited())


def mounts(device: str) -> list[str]:
    return sh("findmnt", "-rno", "TARGET", "-S", device, check=False).split()
