"""When an agent gives an enabled unit back: once a HostAssignment that asks for it says so too, and is read where orders are read."""

from __future__ import annotations

import asyncio

import pytest

from backstay_agent.cluster.link import ASSIGNMENTS
from backstay_api.client.errors import Invalid
from backstay_api.memory.server import Change, Fate, Request
from backstay_dev.simulator.virtualtime import in_virtual_time
from backstay_testing.agent_world import HOST, UNIT, World

LONG_S = 600.0
WEB = "web.service"


class Weather:
    """Writes of the agent's status that do not arrive, or whose answer does not; and news that are late."""

    def __init__(self) -> None:
        self.status = Fate()
        self.cuts = False
        """Statuses are refused as a whole, and taken when they say less."""
        self._is_whole = False
        self.late_s = 0.0

    def request(self, request: Request) -> Fate:
        is_status = (request.verb, request.resource) == ("update", ASSIGNMENTS.resource)
        if is_status and self.cuts:
            self._is_whole = not self._is_whole
            return Fate(error=Invalid("status.facts: too long")) if self._is_whole else Fate()
        return self.status if is_status else Fate()

    def event(self, watch: Request, change: Change | None) -> float | None:
        return self.late_s if watch.resource == ASSIGNMENTS.resource else 0.0


async def secured(world: World, *units: str) -> None:
    """The operator's hand, which knows what stands there now."""
    await world.operator.patch(ASSIGNMENTS, HOST, {"spec": {"secured": list(units)}})


async def is_held(world: World) -> bool:
    return [one.unit for one in (await world.assignment()).status.held] == [WEB]


async def is_free(world: World) -> bool:
    return not await is_held(world)


async def enabled(weather: Weather) -> World:
    world = World(faults=weather)
    world.machine.enabled.add(world.machine.unit(WEB))
    await world.prepare()
    await secured(world, WEB)
    world.start_agent()
    await world.until(lambda: UNIT in world.machine.secured)
    return world


@in_virtual_time
async def test_what_was_said_and_is_asked_for_no_more_is_given_back() -> None:
    world = await enabled(Weather())
    await world.until(lambda: is_held(world))
    await asyncio.sleep(1)
    await secured(world)
    await world.until(lambda: not world.machine.secured)


@pytest.mark.parametrize(
    "fate", [Fate(unreachable="no route"), Fate(answer_lost=True)], ids=["the write", "its answer"]
)
def test_what_was_not_said_for_certain_is_kept_until_it_is_asked_for_once_more(fate: Fate) -> None:
    async def story() -> None:
        weather = Weather()
        weather.status = fate
        world = await enabled(weather)
        await asyncio.sleep(LONG_S)
        await secured(world)
        await asyncio.sleep(LONG_S)
        assert world.machine.secured == {UNIT}, "whoever gave it back may not have known that it would start by itself"
        weather.status = Fate()
        await world.until(lambda: is_held(world))
        await asyncio.sleep(LONG_S)
        assert world.machine.secured == {UNIT}
        assert [one.ask_again for one in (await world.assignment()).status.held] == [True]
        await secured(world, WEB)
        await asyncio.sleep(30)
        assert [one.ask_again for one in (await world.assignment()).status.held] == [False]
        await secured(world)
        await world.until(lambda: not world.machine.secured)

    in_virtual_time(story)()


async def is_kept(world: World, for_s: int) -> None:
    for _ in range(for_s):
        await asyncio.sleep(1)
        assert world.machine.secured == {UNIT}


@in_virtual_time
async def test_orders_from_before_that_come_late_give_nothing_back() -> None:
    weather = Weather()
    world = await enabled(weather)
    await world.until(lambda: is_held(world))
    await asyncio.sleep(1)
    weather.late_s = 20.0
    world.machine.enabled.clear()
    await world.until(lambda: is_free(world))
    await secured(world)  # nothing says that it would start by itself
    await asyncio.sleep(5)
    await secured(world, WEB)
    world.machine.enabled.add(UNIT)
    await world.until(lambda: is_held(world))
    await is_kept(world, for_s=120)


@in_virtual_time
async def test_what_was_said_last_but_one_is_no_word_of_it() -> None:
    weather = Weather()
    weather.late_s = 60.0
    world = await enabled(weather)
    await world.until(lambda: is_held(world))
    weather.status = Fate(answer_lost=True)
    world.machine.enabled.clear()
    await world.until(lambda: is_free(world))
    await secured(world)  # nothing says that it would start by itself
    world.machine.enabled.add(UNIT)
    await is_kept(world, for_s=300)


@in_virtual_time
async def test_a_status_that_is_cut_short_says_nothing_of_it() -> None:
    weather = Weather()
    world = await enabled(weather)
    await world.until(lambda: is_held(world))
    await asyncio.sleep(1)
    weather.cuts = True
    world.machine.enabled.add(world.machine.unit("other.service"))
    await secured(world, WEB, "other.service")
    await world.until(lambda: is_free(world))
    await secured(world)  # nothing says that it would start by itself
    for _ in range(30):
        await asyncio.sleep(1)
        assert UNIT in world.machine.secured
