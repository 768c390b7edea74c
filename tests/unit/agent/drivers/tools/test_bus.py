"""One connection to D-Bus, however many services there are: the bus itself is a fake here."""

from __future__ import annotations

import asyncio
import os
from typing import Any

import pytest

from backstay_agent.drivers.tools.bus import MOST_CALLS, BusError, Member, _Sdbus

ASK = Member("/", "org.example", "Ask")


class Reply:
    def parse_to_tuple(self) -> tuple[str]:
        return ("answered",)


class Message:
    expect_reply = True

    def __init__(self, sent: list[Message]) -> None:
        self._sent = sent

    def send(self) -> None:
        self._sent.append(self)


class FakeSdbus:
    """It keeps every call waiting until it is told to answer, and breaks off what is too much, as dbus-daemon does."""

    def __init__(self, most: int = 128) -> None:
        self._fd, self._most = os.eventfd(0), most
        self.waiting: list[asyncio.Future[Any]] = []
        self.sent: list[Message] = []

    def get_fd(self) -> int:
        return self._fd

    def new_method_call_message(self, *about: str) -> Message:
        return Message(self.sent)

    def call_async(self, message: object) -> asyncio.Future[Any]:
        call = asyncio.get_running_loop().create_future()
        if len(self.waiting) >= self._most:
            call.set_exception(RuntimeError("The maximum number of pending replies per connection has been reached"))
        else:
            self.waiting.append(call)
        return call

    def answer_all(self) -> int:
        answered, self.waiting = self.waiting, []
        for call in answered:
            call.set_result(Reply())
        return len(answered)

    def close(self) -> None:
        os.close(self._fd)


def test_many_calls_take_turns_and_all_are_answered() -> None:
    """300 services that started at once failed: the bus takes 128 calls of a connection, and refuses the rest."""
    asyncio.run(_many_at_once())


async def _many_at_once() -> None:
    fake = FakeSdbus()
    bus = _Sdbus(fake, on_lost=lambda: None)
    calls = [asyncio.create_task(bus.call(ASK)) for _ in range(300)]
    most = 0
    while not all(call.done() for call in calls):
        await asyncio.sleep(0)
        most = max(most, fake.answer_all())
    assert most <= MOST_CALLS
    assert {call.result() for call in calls} == {("answered",)}
    bus.close()


def test_a_call_whose_time_is_over_gives_its_turn_away() -> None:
    asyncio.run(_none_is_answered())


async def _none_is_answered() -> None:
    fake = FakeSdbus()
    bus = _Sdbus(fake, on_lost=lambda: None)
    for _ in range(MOST_CALLS + 1):
        with pytest.raises(BusError, match="did not answer Ask"):
            await bus.call(ASK, limit_s=0.0)
    bus.close()


def test_what_is_posted_waits_for_no_answer() -> None:
    """300 services that started at once failed once more: what was posted counted as waiting, too."""
    asyncio.run(_many_posted())


async def _many_posted() -> None:
    fake = FakeSdbus()
    bus = _Sdbus(fake, on_lost=lambda: None)
    for _ in range(300):
        bus.post(ASK)
    assert [message.expect_reply for message in fake.sent] == [False] * 300 and fake.waiting == []
    bus.close()
