"""What every driver does, whatever its kind: one list of contracts, for each row of `driver_rows.py`, fake and real.

On a host: `python3 -m backstay_testing.driver_contracts KIND CONTRACT`.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Coroutine
from contextlib import aclosing, nullcontext, suppress
from itertools import count
from typing import Any, Final

from backstay_agent.drivers.base import Driver, Seen, StartFailed, State, StopFailed
from backstay_api.objects.durations import seconds
from backstay_api.objects.resource_kinds import identity

from .driver_lives import Row, Thing
from .driver_rows import ROWS
from .driver_scripts import Case

_SHORT: Final = "1.5s"
_LONGEST_SENTENCE: Final = 3000
"""Longer is no sentence, and would not fit into a status."""


async def what_never_ran_is_stopped_and_its_stop_is_nothing(row: Row) -> None:
    thing = row.thing()
    async with row.life() as driver:
        assert (await driver.check(thing.resource)).state is State.STOPPED
        assert await stop(driver, thing) is None
        await is_down(row, driver, thing)


async def start_and_stop_are_idempotent(row: Row) -> None:
    thing = row.thing()
    async with row.life() as driver:
        await driver.secure(thing.resource)
        assert await driver.not_ready(thing.resource) is None
        for _ in range(3):
            await start(driver, thing)
            await is_up(driver, thing)
        for _ in range(3):
            assert not await stop(driver, thing), "a stop that went well needs no words"
            await is_down(row, driver, thing)
        await start(driver, thing)
        await is_up(driver, thing)


async def the_next_life_finds_it_and_stops_it(row: Row) -> None:
    thing = row.thing()
    async with row.life() as driver:
        await start(driver, thing)
    async with row.life() as driver:
        assert list(map(identity, await row.leftovers(driver))) == [identity(thing.resource)]
        await is_up(driver, thing)
        await start(driver, thing)
        await is_up(driver, thing)
        await stop(driver, thing)
        await is_down(row, driver, thing)


async def what_ends_by_itself_is_told_and_starts_again(row: Row) -> None:
    thing = row.thing()
    async with row.life() as driver:
        await start(driver, thing)
        async with aclosing(driver.changes(thing.resource)) as changes:  # type: ignore[type-var]
            assert (await anext(changes)).state is State.RUNNING
            await shows(thing)
            thing.end()
            seen = await anext(changes)
            assert seen.state in (State.STOPPED, State.FAILED, State.UNKNOWN), seen
            assert (await driver.check(thing.resource)).state in (State.STOPPED, State.FAILED)
        await start(driver, thing)
        await is_up(driver, thing)
        await stop(driver, thing)
        await is_down(row, driver, thing)


async def a_start_that_fails_says_why_and_can_be_stopped(row: Row) -> None:
    thing = row.thing(Case.FAILING)
    async with row.life() as driver:
        try:
            await start(driver, thing)
        except StartFailed as error:
            assert "space" in str(error) or "203.0.113" in str(error), error
            assert len(str(error)) < _LONGEST_SENTENCE, len(str(error))
        else:
            raise AssertionError("it cannot have been started")
        await stop(driver, thing)
        await is_down(row, driver, thing)


async def a_start_that_takes_too_long_is_given_up(row: Row) -> None:
    thing = row.thing(Case.SLOW, start=_SHORT)
    async with row.life() as driver:
        try:
            await start(driver, thing)
        except StartFailed as error:
            assert "within 1.5 s" in str(error), error
        else:
            raise AssertionError("its start does not end")
        await stop(driver, thing)
        await is_down(row, driver, thing)


async def a_stop_during_a_start_leaves_nothing(row: Row) -> None:
    """As the runner does it: the start is cancelled, and stopped at once."""
    thing = row.thing(Case.SLOW)
    async with row.life() as driver:
        starting = asyncio.create_task(start(driver, thing))
        await shows(thing)
        assert (await driver.check(thing.resource)).state not in (State.STOPPED, State.FAILED)
        starting.cancel()
        await asyncio.gather(starting, return_exceptions=True)
        await stop(driver, thing)
        await is_down(row, driver, thing)


async def what_does_not_go_is_not_called_stopped(row: Row) -> None:
    """It is killed and that is said, or the stop has failed, it is not called stopped, and it is found again."""
    thing = row.thing(Case.STUBBORN, stop=_SHORT)
    async with row.life() as driver:
        await start(driver, thing)
        await shows(thing)
        thing.begun()
        try:
            await stop(driver, thing)
        except StopFailed as error:
            assert thing.copies() and str(error), "nothing of it is left"
            assert (await driver.check(thing.resource)).state not in (State.STOPPED, State.FAILED)
            assert list(map(identity, await row.leftovers(driver))) == [identity(thing.resource)]
        else:
            await is_down(row, driver, thing)


async def megabytes_of_output_hold_up_nobody(row: Row) -> None:
    thing = row.thing(Case.FLOODING)
    async with row.life() as driver:
        await start(driver, thing)
        await is_up(driver, thing)
        assert len(await stop(driver, thing) or "") < _LONGEST_SENTENCE
        await is_down(row, driver, thing)


async def what_has_left_its_control_group_is_found_and_ended(row: Row) -> None:
    for case in (Case.ESCAPING, Case.ESCAPING_EARLY):
        thing = row.thing(case)
        async with row.life() as driver:
            with suppress(StartFailed) if case is Case.ESCAPING_EARLY else nullcontext():
                await start(driver, thing)
            await shows(thing)
        async with row.life() as driver:
            await stop(driver, thing)
            await is_down(row, driver, thing)


def killed_at_each_step_of_a_start_the_next_life_knows(row: Row) -> None:
    thing = row.thing()
    for step in count(step=row.stride):
        died = row.dies_at(step, lambda driver: start(driver, thing))
        row.play(_taken_over(row, thing, f"killed after {step} steps of a start"))
        if not died:
            return


def killed_at_each_step_of_a_stop_the_next_life_ends_it(row: Row) -> None:
    thing = row.thing()
    for step in count(step=row.stride):
        row.play(_started(row, thing))
        died = row.dies_at(step, lambda driver: stop(driver, thing))
        row.play(_ended(row, thing, f"killed after {step} steps of a stop"))
        if not died:
            return


async def _taken_over(row: Row, thing: Thing, when: str) -> None:
    """Whatever may run is not called stopped, is found by whoever has no memory of it, and never runs twice."""
    async with row.life() as driver:
        ran = thing.copies()
        seen, left = await driver.check(thing.resource), await row.leftovers(driver)
        if ran:
            assert seen.state not in (State.STOPPED, State.FAILED), f"{when} it runs, and is called {seen}"
            assert list(map(identity, left)) == [identity(thing.resource)], f"{when} it runs, and is not found"
        await start(driver, thing)
        await is_up(driver, thing, when)
        await stop(driver, thing)
        await is_down(row, driver, thing, when)


async def _started(row: Row, thing: Thing) -> None:
    async with row.life() as driver:
        await start(driver, thing)
        await is_up(driver, thing)


async def _ended(row: Row, thing: Thing, when: str) -> None:
    async with row.life() as driver:
        await stop(driver, thing)
        await is_down(row, driver, thing, when)


# --- what they say ----------------------------------------------------------------------------------------------------


async def start(driver: Driver, thing: Thing) -> None:
    """As the runner starts it."""
    await driver.secure(thing.resource)
    await driver.prepare(thing.resource)
    await driver.start(thing.resource, timeout_s=seconds(thing.resource.timeouts.start or _SHORT))


async def stop(driver: Driver, thing: Thing) -> str | None:
    return await driver.stop(thing.resource, timeout_s=seconds(thing.resource.timeouts.stop or _SHORT))


async def shows(thing: Thing) -> None:
    """What a shell has just forked may not be what it is going to be yet."""
    while not thing.copies():
        await asyncio.sleep(0.01)


async def is_up(driver: Driver, thing: Thing, when: str = "") -> None:
    await shows(thing)
    seen = await driver.check(thing.resource)
    assert (seen.state, thing.copies()) == (State.RUNNING, 1), f"{when}: {seen}, {thing.copies()} copies"


async def is_down(row: Row, driver: Driver, thing: Thing, when: str = "") -> None:
    seen: Seen = await driver.check(thing.resource)
    assert (seen.state, thing.copies()) == (State.STOPPED, 0), f"{when}: {seen}, {thing.copies()} copies"
    assert await row.leftovers(driver) == [], f"{when}: something is left"


Contract = Callable[[Row], Coroutine[Any, Any, None] | None]
CONTRACTS: Final[dict[str, Contract]] = {
    contract.__name__: contract
    for contract in (
        what_never_ran_is_stopped_and_its_stop_is_nothing,
        start_and_stop_are_idempotent,
        the_next_life_finds_it_and_stops_it,
        what_ends_by_itself_is_told_and_starts_again,
        a_start_that_fails_says_why_and_can_be_stopped,
        a_start_that_takes_too_long_is_given_up,
        a_stop_during_a_start_leaves_nothing,
        what_does_not_go_is_not_called_stopped,
        megabytes_of_output_hold_up_nobody,
        what_has_left_its_control_group_is_found_and_ended,
        killed_at_each_step_of_a_start_the_next_life_knows,
        killed_at_each_step_of_a_stop_the_next_life_ends_it,
    )
}


def hold(row: Row, contract: str) -> None:
    """Raises if it does not."""
    try:
        if (story := CONTRACTS[contract](row)) is not None:
            row.play(story)
    finally:
        row.tidy()


if __name__ == "__main__":
    hold(ROWS[sys.argv[1]](), sys.argv[2])
    print("told")
