"""One seed, one run: build a world, let faults come over it, heal it, and see that all is well."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from dataclasses import dataclass
from typing import Final

from backstay_dev.virtualtime import wind_up

from .faults import Chaos, draw_shape, draw_weather
from .processes import SimulationLoop
from .settle import stuck
from .world import World

SETTLE_S: Final = 300.0
"""When every fault is healed, everything that should run does so within this (virtual) time."""
LIMIT_S: Final = 3600.0


@dataclass(frozen=True)
class Result:
    """How one run ended."""

    seed: int
    accusations: tuple[str, ...]
    story: tuple[str, ...]
    virtual_s: float
    settled_s: float
    """How long after the healing everything ran."""
    counts: Counter[str]

    @property
    def is_good(self) -> bool:
        return not self.accusations


def run_seed(seed: int) -> Result:
    """Run one seed to its end."""
    loop = SimulationLoop(seed=seed, limit_s=LIMIT_S)
    rng = random.Random(f"chaos {seed}")
    asyncio.set_event_loop(loop)
    try:
        world, settled_s = loop.run_until_complete(_live(seed, rng, loop))
        virtual_s = loop.time() - 1000.0
        unheard = list(loop.unheard)
    finally:
        _end(loop)
    accusations = [*world.accusations, *(f"an error that nobody heard: {error!r}" for error in unheard)]
    return Result(seed, tuple(accusations), tuple(world.story.lines), virtual_s, settled_s, Counter(world.monitor.counts))


async def _live(seed: int, rng: random.Random, loop: SimulationLoop) -> tuple[World, float]:
    world = World(draw_shape(rng), seed=seed, loop=loop)
    world.build()
    chaos = Chaos(world, draw_weather(rng), rng)
    settled_s = 0.0
    if not await _accused_while(world, chaos.run()):
        chaos.heal()
        healed_s = loop.time()
        await _accused_while(world, _settle(world))
        settled_s = loop.time() - healed_s
    for process in world.processes.values():
        process.kill()
        world.wanted.clear()
    return world, settled_s


async def _accused_while(world: World, work: object) -> bool:
    """Run it until it ends or the monitor speaks."""
    task = asyncio.ensure_future(work)  # type: ignore[call-overload]
    accused = asyncio.ensure_future(world.accused.wait())
    await asyncio.wait({task, accused}, return_when=asyncio.FIRST_COMPLETED)
    for each in (task, accused):
        each.cancel()
    if task.done() and not task.cancelled():
        task.result()
    return world.accused.is_set()


async def _settle(world: World) -> None:
    """Wait until all is as it should be, and stays so."""
    until_s = world.loop.time() + SETTLE_S
    rests = 0
    while world.loop.time() < until_s:
        await asyncio.sleep(1.0)
        rests = rests + 1 if not stuck(world) else 0
        if rests >= 5:
            return
    for line in stuck(world):
        world.accuse(f"STUCK: {SETTLE_S:g} s after everything was healed: {line}")


def _end(loop: SimulationLoop) -> None:
    try:
        wind_up(loop)
    finally:
        asyncio.set_event_loop(None)
