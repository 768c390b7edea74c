"""Full collections are made by the clock alone."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import Iterator

import pytest

from backstay_api.process.garbage import ALL_EVERY_S, collect_for_ever, postpone_full_collections
from backstay_dev.simulator.virtualtime import in_virtual_time


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    before = gc.get_threshold()
    yield
    gc.set_threshold(*before)
    gc.unfreeze()


class Cycle:
    def __init__(self) -> None:
        self.me = self


@in_virtual_time
async def test_old_cycles_wait_for_the_clock() -> None:
    postpone_full_collections()
    cycle, gone = Cycle(), list[str]()
    weakref.finalize(cycle, gone.append, "gone")
    gc.collect(1)
    gc.collect(1)  # it is old now
    del cycle
    kept = [Cycle() for _ in range(300_000)]  # with Python's own thresholds that is worth a full collection
    assert gone == [] and kept
    life = asyncio.create_task(collect_for_ever())
    await asyncio.sleep(ALL_EVERY_S + 1)
    assert gone == ["gone"]
    life.cancel()
