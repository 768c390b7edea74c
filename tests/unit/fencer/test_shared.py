"""A question that many ask at once: one answer is for all who asked before it was begun, and for nobody else."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from backstay_fencer.shared import Shared


class Server:
    """Answers when it is told to."""

    def __init__(self) -> None:
        self.asked = 0
        self.answers = asyncio.Queue[Exception | None]()

    async def ask(self) -> None:
        self.asked += 1
        if error := await self.answers.get():
            raise error


def told(story: Callable[[Server, Shared], Awaitable[None]]) -> None:
    async def scene() -> None:
        server = Server()
        await story(server, Shared(server.ask))

    asyncio.run(scene())


async def turns() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


def test_who_asks_while_one_is_under_way_has_the_next_answer() -> None:
    async def story(server: Server, shared: Shared) -> None:
        first = asyncio.create_task(shared())
        await turns()
        later = [asyncio.create_task(shared()) for _ in range(100)]
        await turns()
        server.answers.put_nowait(None)
        await first
        await turns()
        assert server.asked == 2 and not any(one.done() for one in later)
        server.answers.put_nowait(None)
        await asyncio.gather(*later)
        assert server.asked == 2

    told(story)


def test_that_there_is_no_answer_is_told_to_all_who_waited_for_it_and_the_next_asks_anew() -> None:
    async def story(server: Server, shared: Shared) -> None:
        asking = [asyncio.create_task(shared()) for _ in range(4)]
        await turns()
        server.answers.put_nowait(None)
        server.answers.put_nowait(ConnectionError("no list"))
        told = await asyncio.gather(*asking, return_exceptions=True)
        assert [str(one) for one in told] == ["None", *["no list"] * 3] and server.asked == 2
        server.answers.put_nowait(None)
        await shared()
        assert server.asked == 3

    told(story)


def test_where_the_one_who_asks_is_cancelled_another_does() -> None:
    async def story(server: Server, shared: Shared) -> None:
        first, second = asyncio.create_task(shared()), asyncio.create_task(shared())
        await turns()
        first.cancel()
        server.answers.put_nowait(None)
        await second
        assert server.asked == 2
        with pytest.raises(asyncio.CancelledError):
            await first

    told(story)
