"""Python's garbage collector, kept from stopping a process at a bad moment. Standard library only.

Most garbage goes by itself; what is left are cycles, nearly all of them young. A search through everything that lives takes a tenth of a second
where hundreds of services are known, and Python makes one whenever the number of objects has grown by a quarter: with each large answer of the
API server. So old objects are searched by the clock.
"""

from __future__ import annotations

import asyncio
import gc
from typing import Final

YOUNG: Final = 10_000
"""New objects until the young ones are searched. Python's 700 would make it 20 searches for one large answer."""
MIDDLE: Final = 10
NEVER: Final = 2**31 - 1
ALL_EVERY_S: Final = 300.0


def postpone_full_collections() -> None:
    """From now on nothing but `collect_for_ever` makes one. What has been imported is never searched again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, MIDDLE, NEVER)


async def collect_for_ever() -> None:
    """A full collection now and then."""
    while True:
        await asyncio.sleep(ALL_EVERY_S)
        gc.collect()
