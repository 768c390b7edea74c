"""Virtual time: hours pass at once, one seed is one run, and nothing real is ever touched."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backstay_dev.simulator.virtualtime import Deadlock, Livelock, OutOfTime, VirtualTimeLoop, in_virtual_time, run


@in_virtual_time
async def test_a_day_is_over_at_once_and_was_a_day_long() -> None:
    clock = asyncio.get_running_loop()
    begun_s = clock.time()
    await asyncio.sleep(86_400)
    assert clock.time() - begun_s == 86_400


@in_virtual_time
async def test_a_time_limit_is_kept_to_the_instant() -> None:
    clock = asyncio.get_running_loop()
    begun_s = clock.time()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(1.5):
            await asyncio.Event().wait()
    assert clock.time() - begun_s == 1.5


def test_waiting_for_what_nobody_will_do_is_a_deadlock() -> None:
    with pytest.raises(Deadlock):
        run(_wait_for_ever())


def test_turning_without_end_at_one_instant_is_a_livelock() -> None:
    async def spin() -> None:
        while True:
            await asyncio.sleep(0)

    with pytest.raises(Livelock):
        run(spin())


def test_a_story_longer_than_its_limit_is_stopped() -> None:
    with pytest.raises(OutOfTime):
        run(asyncio.sleep(100), limit_s=99)


def test_the_limit_is_counted_from_the_start_of_the_story() -> None:
    assert run(asyncio.sleep(100, "done"), limit_s=101, start_s=5000) == "done"


def test_an_error_that_nobody_waited_for_fails_the_run() -> None:
    async def story() -> None:
        asyncio.get_running_loop().call_soon(lambda: 1 / 0)
        await asyncio.sleep(1)

    with pytest.raises(ExceptionGroup):
        run(story())


def test_a_task_that_died_unnoticed_fails_the_run() -> None:
    async def dies() -> None:
        raise ValueError("unhandled")

    async def story() -> None:
        asyncio.get_running_loop().create_task(dies())
        await asyncio.sleep(1)

    with pytest.raises(ExceptionGroup):
        run(story())


def test_tasks_left_over_may_clean_up() -> None:
    cleaned: list[float] = []

    async def worker() -> None:
        try:
            await _wait_for_ever()
        finally:
            await asyncio.sleep(5)
            cleaned.append(asyncio.get_running_loop().time())

    async def story() -> None:
        task = asyncio.create_task(worker())
        await asyncio.sleep(1)
        assert not task.done()

    run(story(), limit_s=2, start_s=0)
    assert cleaned == [6]


@pytest.mark.parametrize("reach", ["thread", "socket", "process", "signal"])
def test_nothing_real_can_be_reached(reach: str) -> None:
    async def story() -> None:
        loop = asyncio.get_running_loop()
        match reach:
            case "thread":
                await asyncio.to_thread(print)
            case "socket":
                await asyncio.open_connection("127.0.0.1", 1)
            case "process":
                await asyncio.create_subprocess_exec("true")
            case _:
                loop.add_signal_handler(2, print)

    with pytest.raises(AssertionError, match="use a port"):
        run(story())


def _traffic(seed: int, *, workers: int = 6, rounds: int = 8) -> list[tuple[float, int]]:
    """Who ran when, where many timers fall on one instant and a group of tasks is cancelled at the end."""
    seen: list[tuple[float, int]] = []

    async def worker(me: int) -> None:
        clock = asyncio.get_running_loop()
        try:
            for _ in range(rounds):
                await asyncio.sleep(0.25)
                seen.append((clock.time(), me))
            await _wait_for_ever()
        finally:
            seen.append((clock.time(), -me))

    async def story() -> None:
        with pytest.raises(ExceptionGroup):
            async with asyncio.TaskGroup() as group:
                for me in range(1, workers + 1):
                    group.create_task(worker(me))
                await asyncio.sleep(rounds)
                raise LookupError("end")

    run(story(), seed=seed)
    return seen


@given(st.integers(0, 2**32))
def test_one_seed_is_one_run(seed: int) -> None:
    assert _traffic(seed) == _traffic(seed)


def test_other_seeds_are_other_runs() -> None:
    assert len({tuple(_traffic(seed)) for seed in range(20)}) > 15


def test_time_limits_that_were_kept_do_not_pile_up() -> None:
    async def story() -> int:
        loop = asyncio.get_running_loop()
        for _ in range(10_000):
            async with asyncio.timeout(3600):
                await asyncio.sleep(0)
        assert isinstance(loop, VirtualTimeLoop)
        return len(loop._timers)

    assert run(story()) < 500


async def _wait_for_ever() -> None:
    await asyncio.Event().wait()
