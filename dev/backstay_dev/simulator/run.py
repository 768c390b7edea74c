"""One seed, one run: build a world, let faults come over it, heal it, and see that all is well."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any, Final

from backstay_dev.simulator.virtualtime import Deadlock, Livelock, OutOfTime, wind_up

from . import drift
from .faults import Chaos
from .processes import SimulationLoop
from .profiles import draw
from .settle import stuck
from .story import START_S
from .world import World

SETTLE_S: Final = 300.0
"""When every fault is healed, everything that should run does so within this (virtual) time."""
LIMIT_S: Final = 3600.0
RESTS: Final = 5
"""Seconds that all must stay well."""


@dataclass(frozen=True)
class Result:
    """How one run ended."""

    seed: int
    profile: str
    accusations: tuple[str, ...]
    story: tuple[str, ...]
    virtual_s: float
    settled_s: float
    """How long after the healing everything ran, and stayed so."""
    counts: Counter[str]

    @property
    def is_good(self) -> bool:
        return not self.accusations


class Run:
    """One seed's run; its parts stay readable when it breaks off."""

    def __init__(self, seed: int, profile: str) -> None:
        self.rng = random.Random(f"chaos {seed}")
        self.loop = SimulationLoop(seed=seed, limit_s=LIMIT_S)
        self.drawn = draw(profile, seed, self.rng)
        self.world = World(self.drawn.shape, seed=seed, loop=self.loop)
        self.settled_s = 0.0

    async def live(self) -> None:
        world = self.world
        world.build()
        drift.watch(world)
        chaos = Chaos(world, self.drawn.fault_rates, self.rng)
        if not await _accused_while(world, chaos.run()):
            chaos.heal()
            healed_s = self.loop.time()
            await _accused_while(world, _settle(world))
            self.settled_s = self.loop.time() - healed_s
        world.end()


def run_seed(seed: int, profile: str = "swarm") -> Result:
    """Run one seed to its end."""
    run = Run(seed, profile)
    world, loop = run.world, run.loop
    asyncio.set_event_loop(loop)
    try:
        loop.run_until_complete(run.live())
        wind_up(loop)
    except (Livelock, Deadlock, OutOfTime) as error:
        world.accusations.append(f"{type(error).__name__}: {error}")
    finally:
        asyncio.set_event_loop(None)
    unhandled = [f"an error that nobody handled: {error!r}" for error in loop.unhandled]
    return Result(
        seed=seed,
        profile=profile,
        accusations=(*world.accusations, *unhandled),
        story=tuple(world.story.lines),
        virtual_s=loop.time() - START_S,
        settled_s=run.settled_s,
        counts=Counter(world.monitor.counts),
    )


async def _accused_while(world: World, work: Coroutine[Any, Any, None]) -> bool:
    """Do it until it ends or the monitor speaks."""
    task = asyncio.create_task(work)
    accused = asyncio.create_task(world.accused.wait())
    await asyncio.wait({task, accused}, return_when=asyncio.FIRST_COMPLETED)
    accused.cancel()
    if task.done():
        task.result()
    task.cancel()
    return world.accused.is_set()


async def _settle(world: World) -> None:
    """Wait until all is as it should be, and stays so."""
    until_s = world.loop.time() + SETTLE_S
    rests = 0
    while world.loop.time() < until_s:
        await asyncio.sleep(1.0)
        rests = 0 if stuck(world) else rests + 1
        if rests >= RESTS:
            return
    for line in stuck(world):
        world.accuse(f"STUCK {SETTLE_S:g} s after everything was healed: {line}")
