"""What the simulator means by killed, frozen and on the wire."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine

from backstay_api.memory.server import Fate, MemoryApi, MemoryCluster, Request
from backstay_api.objects.kinds import EVENTS, Raw
from backstay_dev.simulator.processes import Process, SimulationLoop
from backstay_dev.simulator.virtualtime import wind_up

EVENT: Raw = {"metadata": {"name": "a", "namespace": "x"}}


def run(story: Callable[[SimulationLoop], Coroutine[object, None, None]]) -> None:
    loop = SimulationLoop(seed=1, limit_s=1000)
    asyncio.set_event_loop(loop)
    try:
        loop.run_until_complete(story(loop))
        wind_up(loop)
    finally:
        asyncio.set_event_loop(None)
    assert loop.unhandled == []


def process(loop: SimulationLoop, work: Callable[[], Awaitable[None]], deaths: list[str] | None = None) -> Process:
    noted = deaths if deaths is not None else []
    made = Process("p", loop, lambda _, why: noted.append(why))
    made.start(work)
    return made


def test_a_process_that_is_killed_takes_no_further_step() -> None:
    done: list[int] = []

    async def work() -> None:
        for step in range(10):
            await asyncio.sleep(1)
            done.append(step)

    async def story(loop: SimulationLoop) -> None:
        victim = process(loop, work)
        await asyncio.sleep(3.5)
        victim.kill()
        await asyncio.sleep(20)
        assert done == [0, 1, 2] and not victim.tasks

    run(story)


def test_a_process_dies_at_exactly_the_step_that_was_drawn_for_it() -> None:
    async def story(loop: SimulationLoop) -> None:
        for steps in range(2, 8):
            done: list[int] = []

            async def work(done: list[int] = done) -> None:
                for step in range(10):
                    await asyncio.sleep(0)
                    done.append(step)

            victim = process(loop, work)
            victim.dies_at_step = steps
            await asyncio.sleep(1)
            assert len(done) == steps - 2, "the first step begins, each later one ends an await"

    run(story)


def test_a_frozen_process_does_nothing_until_it_thaws_and_then_everything_in_order() -> None:
    done: list[tuple[float, str]] = []

    async def work() -> None:
        loop = asyncio.get_running_loop()

        def note(name: str) -> None:
            done.append((loop.time() - 1000.0, name))

        for at_s, name in ((1, "one"), (2, "two")):
            loop.call_later(at_s, note, name)
        await asyncio.sleep(60)

    async def story(loop: SimulationLoop) -> None:
        frozen = process(loop, work)
        await asyncio.sleep(0.5)
        frozen.freeze()
        await asyncio.sleep(9.5)
        assert done == []
        frozen.thaw()
        await asyncio.sleep(0.1)
        assert done == [(10.0, "one"), (10.0, "two")]

    run(story)


def test_what_is_on_the_wire_arrives_though_its_sender_is_dead() -> None:
    class Slow:
        def request(self, request: Request) -> Fate:
            return Fate(request_delay_s=5.0)

        def event(self, watch: Request, change: object) -> float:
            return 0.0

    cluster = MemoryCluster()

    async def work() -> None:
        await MemoryApi(cluster, Slow()).create(EVENTS, EVENT, "x")

    async def story(loop: SimulationLoop) -> None:
        sender = process(loop, work)
        await asyncio.sleep(1)
        sender.kill()
        assert cluster.bodies(EVENTS) == []
        await asyncio.sleep(5)
        assert len(cluster.bodies(EVENTS)) == 1

    run(story)


def test_a_program_that_ends_by_itself_is_told_of_with_its_reason() -> None:
    deaths: list[str] = []

    async def work() -> None:
        await asyncio.sleep(1)
        raise AssertionError("an invariant is broken")

    async def story(loop: SimulationLoop) -> None:
        process(loop, work, deaths)
        await asyncio.sleep(2)
        assert len(deaths) == 1 and "an invariant is broken" in deaths[0]

    run(story)
