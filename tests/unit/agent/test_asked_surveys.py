"""What an agent makes of HostSurveys: it looks once for each, says what came of it, and answers nobody who has gone."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from backstay_agent.asked_surveys import HOST_SURVEYS, AskedSurveys, CannotLook, Look, looking
from backstay_api.client.errors import NotFound
from backstay_api.memory.server import Change, Fate, MemoryApi, MemoryCluster, NoFaults, Request
from backstay_api.objects.bounds import MOST_DOCUMENT
from backstay_dev.simulator.virtualtime import in_virtual_time

NOW, SOON, PAST = "2026-03-01T12:00:00.500000Z", "2026-03-01T12:01:30Z", "2026-03-01T11:59:59Z"
Body = dict[str, Any]


class People:
    """Who asks, and what stands there."""

    def __init__(self, faults: NoFaults | None = None) -> None:
        self.cluster = MemoryCluster()
        self.api = MemoryApi(self.cluster, actor="alice")
        self.agents = MemoryApi(self.cluster, faults, actor="agent")
        self.looked: list[str] = []
        self.done: list[str] = []

    async def ask(self, unit: str = "shop.service", host: str = "n1", until: str = SOON) -> None:
        spec = {"unit": unit, "by": "alice", "until": until}
        await self.api.create(HOST_SURVEYS, {"metadata": {"name": host}, "spec": spec})

    async def status(self, host: str = "n1") -> Body:
        found: Body = (await self.api.get(HOST_SURVEYS, host)).get("status", {})
        return found

    async def answer(self) -> Body:
        while (found := await self.status()).get("phase") not in ("Done", "Failed"):
            await asyncio.sleep(0.1)
        return found

    async def look(self, unit: str) -> str:
        self.looked.append(unit)
        await asyncio.sleep(3)
        self.done.append(unit)
        return f"what {unit} uses"


@asynccontextmanager
async def answering(people: People, look: Look | None = None) -> AsyncIterator[None]:
    agent = AskedSurveys(people.agents, "n1", look or people.look, lambda: NOW, random.Random(1))
    life = asyncio.create_task(agent.run())
    try:
        yield
    finally:
        life.cancel()
        await asyncio.wait([life])


@in_virtual_time
async def test_what_is_found_stands_where_it_was_asked() -> None:
    people = People()
    async with answering(people):
        await people.ask()
        await asyncio.sleep(1)
        assert await people.status() == {"phase": "Running"}
        assert await people.answer() == {"phase": "Done", "document": "what shop.service uses"}
        await asyncio.sleep(60)
    assert people.looked == ["shop.service"], "its own words are no question"


@in_virtual_time
async def test_each_question_is_answered_one_after_the_other_and_none_of_another_host() -> None:
    people = People()
    async with answering(people):
        await people.ask(host="n2")
        await people.ask("one.service")
        await people.answer()
        await people.api.delete(HOST_SURVEYS, "n1")
        await people.ask("two.service")
        await people.answer()
    assert people.looked == ["one.service", "two.service"]


@in_virtual_time
async def test_what_a_life_before_has_begun_is_looked_at_again_and_what_it_has_answered_is_not() -> None:
    people = People()
    await people.ask()
    async with answering(people):
        await asyncio.sleep(1)
    async with answering(people):
        await people.answer()
    async with answering(people):
        await asyncio.sleep(60)
    assert people.looked == ["shop.service"] * 2


@in_virtual_time
async def test_for_nobody_is_looked_who_does_not_wait_any_more_and_whose_clock_says_so_is_said() -> None:
    people = People()
    await people.ask(until=PAST)
    async with answering(people):
        found = await people.answer()
    assert people.looked == [] and found["phase"] == "Failed"
    assert found["why"] == (
        "the question was over at 2026-03-01T11:59:59Z, and it is 2026-03-01T12:00:00Z by this host's clock: ask again, or set its clock"
    )


@in_virtual_time
async def test_who_takes_the_question_back_stops_nobody_else_from_being_answered() -> None:
    people = People()
    async with answering(people):
        await people.ask("one.service")
        await asyncio.sleep(1)
        await people.api.delete(HOST_SURVEYS, "n1")
        with pytest.raises(NotFound):
            await people.status()
        await people.ask("two.service")
        assert (await people.answer())["phase"] == "Done"
        assert people.done == ["two.service"], "nobody waits for the first, so it is not looked on"


async def refuse(unit: str) -> str:
    raise CannotLook(f"{unit}: there is no such unit {'x' * 5000}")


async def too_long(unit: str) -> str:
    return "x" * (MOST_DOCUMENT + 1)


async def just_fits(unit: str) -> str:
    return "x" * MOST_DOCUMENT


def denied(unit: str) -> str:
    return f"the host's policy lets nobody name {unit}"


@pytest.mark.parametrize(
    ("look", "phase", "why"),
    [
        pytest.param(refuse, "Failed", "shop.service: there is no such unit xxx", id="it cannot be looked at"),
        pytest.param(too_long, "Failed", "longer than the 256 KiB that there is room for: `ssh n1 sudo", id="too much was found"),
        pytest.param(just_fits, "Done", "", id="as much as there is room for"),
        pytest.param(looking(denied, too_long), "Failed", "the host's policy lets nobody name shop", id="the host's policy"),
        pytest.param(looking(lambda _: "", just_fits), "Done", "", id="which allows it"),
    ],
)  # fmt: skip
def test_why_there_is_no_answer_is_said(look: Callable[[str], Awaitable[str]], phase: str, why: str) -> None:
    async def story() -> None:
        people = People()
        async with answering(people, look):
            await people.ask()
            found = await people.answer()
            assert found["phase"] == phase and why in found.get("why", "") and len(found.get("why", "")) <= 4096

    in_virtual_time(story)()


class Weather(NoFaults):
    """Writes of answers are lost at first."""

    left = 2

    def request(self, request: Request) -> Fate:
        if request.verb != "update" or not self.left:
            return Fate()
        self.left -= 1
        return Fate(unreachable="no route")

    def event(self, watch: Request, change: Change | None) -> float | None:
        return 0.0


@in_virtual_time
async def test_an_answer_that_does_not_arrive_is_sent_again() -> None:
    people = People(Weather())
    async with answering(people):
        await people.ask()
        assert (await people.answer())["phase"] == "Done"


@pytest.mark.parametrize("body", [{}, {"spec": None}, {"spec": {"unit": None, "until": 5}, "status": []}])
def test_an_odd_question_is_no_harm(body: Body) -> None:
    async def story() -> None:
        people = People()
        async with answering(people):
            await people.api.create(HOST_SURVEYS, {"metadata": {"name": "n1"}, **body})
            await asyncio.sleep(10)
            await people.api.delete(HOST_SURVEYS, "n1")
            await people.ask()
            assert (await people.answer())["phase"] == "Done"

    in_virtual_time(story)()


async def breaks(unit: str) -> str:
    if unit == "odd.service":
        raise ZeroDivisionError
    return "all well"


@in_virtual_time
async def test_a_look_that_breaks_ends_neither_the_agent_nor_the_next() -> None:
    people = People()
    async with answering(people, breaks):
        await people.ask("odd.service")
        await asyncio.sleep(1)
        await people.api.delete(HOST_SURVEYS, "n1")
        await people.ask()
        assert (await people.answer())["phase"] == "Done"


@pytest.mark.parametrize(
    ("until", "phase"),
    [
        pytest.param("2026-03-01T14:01:00+02:00", "Done", id="later, in another zone"),
        pytest.param("2026-03-01T11:30:00-00:15", "Failed", id="earlier, in another zone"),
        pytest.param("2026-02-30T12:00:00Z", "Failed", id="a day that is none"),
    ],
)
def test_whatever_clock_a_time_is_told_by(until: str, phase: str) -> None:
    async def story() -> None:
        people = People()
        async with answering(people):
            await people.ask(until=until)
            assert (await people.answer())["phase"] == phase

    in_virtual_time(story)()
