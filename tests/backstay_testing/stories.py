"""What written worlds on the simulator are told with: production's own loops, virtual time, and its monitor as the judge."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from backstay_api.objects.kinds import Raw
from backstay_api.objects.object_kinds import HA_INSTANCES, HA_SERVICES
from backstay_dev.simulator.processes import SimulationLoop
from backstay_dev.simulator.settle import stuck
from backstay_dev.simulator.shapes import NAMESPACE, HostShape, ServiceShape, Shape
from backstay_dev.simulator.virtualtime import wind_up
from backstay_dev.simulator.world import World

from .builders import address

Story = Callable[[World], Awaitable[None]]
WEB = ServiceShape("web")
LOG = ServiceShape("log", is_exclusive=False)
ADDRESSED = ServiceShape("web", addresses=("192.0.2.10",))
ADDRESS = address("192.0.2.10/24", "address-0")
TWO, THREE = (HostShape(),) * 2, (HostShape(),) * 3


def tell(shape: Shape, story: Story) -> World:
    """Live through it; what the monitor says fails the test, with the story."""
    loop = SimulationLoop(seed=1, limit_s=3600)
    asyncio.set_event_loop(loop)
    world = World(shape, seed=1, loop=loop)

    async def all_of_it() -> None:
        world.build()
        await asyncio.sleep(8)
        await story(world)
        world.end()

    try:
        loop.run_until_complete(all_of_it())
        wind_up(loop)
    finally:
        asyncio.set_event_loop(None)
    assert world.accusations == [], "\n".join(world.story.lines[-60:])
    return world


async def rest(world: World, *, within_s: float = 60.0) -> None:
    """Until all is as it should be."""
    for _ in range(int(within_s)):
        await asyncio.sleep(1)
        if not stuck(world):
            return
    for line in stuck(world):
        world.accuse(f"STUCK: {line}")


def edit(world: World, name: str, *resources: Raw) -> None:
    world.patch(HA_SERVICES, (NAMESPACE, name), {"spec": {"resources": list(resources)}})


def holder(world: World, instance: str) -> str:
    body = world.get(HA_INSTANCES, (NAMESPACE, instance))
    assert body is not None
    return str(body["spec"]["grant"]["host"])
