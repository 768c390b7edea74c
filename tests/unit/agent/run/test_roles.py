"""What agents with roles note is told now and then, and they are notified: once, of what is still so, and only while their copy is up."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress

from backstay_agent.drivers.base import Notification, Plain
from backstay_agent.run.roles import LOOK_S, TELL_S, Copy, Roles
from backstay_api.objects.plain import Attribute, Ocf, RenderedResource, RoleOrder
from backstay_dev.simulator.virtualtime import in_virtual_time

DB = RenderedResource(name="db", ocf=Ocf(agent="heartbeat:redis", instance="db", copies=2))
NONE = RoleOrder(copies=("n1", "n2"))
FIRST = RoleOrder(copies=("n1", "n2"), promoted="n1", epoch=1)


class Driver(Plain):
    """A fake of a driver, whose agent takes some time for each notification."""

    def __init__(self, takes_s: float = 0.0) -> None:
        self.takes_s = takes_s
        self.value = 0
        self.learned: list[RoleOrder] = []
        self.begun: list[str] = []
        self.ended: list[str] = []

    def noted(self, resource: RenderedResource) -> Sequence[Attribute]:
        return [Attribute(name="a", scope="Cluster", value=str(self.value), number=1)] if self.value else ()

    def learn(self, resource: RenderedResource, told: RoleOrder) -> None:
        self.learned.append(told)

    async def notify(self, resource: RenderedResource, of: Notification) -> str:
        said = f"{of.operation} {' '.join(of.hosts)}"
        self.begun.append(said)
        await asyncio.sleep(self.takes_s)
        self.ended.append(said)
        return "it failed"


@asynccontextmanager
async def roles_of(driver: Driver) -> AsyncIterator[tuple[Roles, list[int]]]:
    told: list[int] = []

    def tell() -> None:
        roles.reports()
        told.append(driver.value)

    roles = Roles(lambda _: driver, tell)  # type: ignore[arg-type,return-value]
    running = asyncio.create_task(roles.run())
    try:
        yield roles, told
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running


def copy(*, is_up: bool = True) -> dict[str, Copy]:
    return {"u": Copy(DB, is_up)}


@in_virtual_time
async def test_a_copy_is_notified_once_when_it_is_up_and_told_first() -> None:
    driver = Driver()
    async with roles_of(driver) as (roles, _):
        roles.update({"u": FIRST}, copy(is_up=False))
        await asyncio.sleep(1)
        assert driver.learned == [FIRST] and not driver.begun
        roles.update({"u": FIRST}, copy())
        await asyncio.sleep(5)
        roles.update({"u": FIRST}, copy())
        await asyncio.sleep(5)
        assert driver.ended == ["promote n1"]
        roles.update({"u": FIRST}, copy(is_up=False))
        await asyncio.sleep(1)
        roles.update({"u": FIRST}, copy())
        await asyncio.sleep(1)
        assert driver.ended == ["promote n1"] * 2, "it has started anew"


@in_virtual_time
async def test_what_is_no_longer_so_is_cut_short_for_what_is() -> None:
    driver = Driver(takes_s=90)
    async with roles_of(driver) as (roles, _):
        roles.update({"u": FIRST}, copy())
        await asyncio.sleep(10)
        roles.update({"u": NONE}, copy())
        await asyncio.sleep(10)
        assert driver.begun == ["promote n1", "demote n1"] and not driver.ended
        await asyncio.sleep(80)
        assert driver.ended == ["demote n1"]


@in_virtual_time
async def test_a_copy_more_is_told_when_the_one_before_is_over() -> None:
    driver = Driver(takes_s=90)
    async with roles_of(driver) as (roles, _):
        roles.update({"u": FIRST}, copy())
        await asyncio.sleep(10)
        roles.update({"u": RoleOrder(copies=("n1", "n2", "n3"), promoted="n1", epoch=1)}, copy())
        await asyncio.sleep(80 + LOOK_S)
        assert driver.ended == ["promote n1"] and driver.begun == ["promote n1", "start n3"]


@in_virtual_time
async def test_a_copy_that_stops_is_notified_of_nothing_more() -> None:
    driver = Driver(takes_s=90)
    async with roles_of(driver) as (roles, _):
        roles.update({"u": FIRST}, copy())
        await asyncio.sleep(10)
        roles.update({"u": FIRST}, copy(is_up=False))
        await asyncio.sleep(100)
        assert driver.begun == ["promote n1"] and not driver.ended


@in_virtual_time
async def test_an_agent_that_notes_another_value_each_second_costs_a_word_in_five() -> None:
    driver = Driver()
    async with roles_of(driver) as (roles, told):
        roles.update({}, copy())
        for value in range(1, 21):
            driver.value = value
            await asyncio.sleep(LOOK_S)
        assert 20 * LOOK_S / TELL_S - 1 <= len(told) <= 20 * LOOK_S / TELL_S
        await asyncio.sleep(TELL_S + LOOK_S)
        assert told[-1] == 20, "and the last is told"
        before = len(told)
        await asyncio.sleep(60)
        assert len(told) == before


@in_virtual_time
async def test_who_is_told_nothing_any_more_goes_by_what_it_was_told_last() -> None:
    driver = Driver()
    async with roles_of(driver) as (roles, _):
        roles.update({"u": FIRST}, copy())
        await asyncio.sleep(1)
        roles.update({}, copy())
        await asyncio.sleep(1)
        assert driver.learned == [FIRST] and driver.ended == ["promote n1"]
