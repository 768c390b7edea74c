"""How fresh data is: asked while a copy is up, told at once when it has come to rest and now and then while it grows."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from backstay_agent.core.orders import read_orders
from backstay_agent.core.score import Score
from backstay_agent.drivers.base import NoScore
from backstay_agent.drivers.tools.contained_programs import Answer, Questions
from backstay_agent.run.asking.programs import read_number
from backstay_agent.standby.scores import EVERY_S, LIMIT_S, NET_S, TELL_S, Scores
from backstay_api.objects.plain import Ocf, RenderedResource, StandbyOrder, StandbyReport
from backstay_dev.simulator.virtualtime import in_virtual_time

ORDERS = {"uid": StandbyOrder(namespace="shop", name="web-promoted", service="web", score_command=("/position",))}
UP = {("shop", "web")}
UNKNOWN = StandbyReport(ready=True)


class Asked:
    """Answers what it is set to; a fake command."""

    def __init__(self, at: Callable[[int], int]) -> None:
        self.at, self.times, self.news = at, 0, 0
        self.hangs = False

    async def __call__(self, command: Sequence[str]) -> Score:
        self.times += 1
        if self.hangs:
            await asyncio.Event().wait()
        return Score(self.at(self.times))

    async def of_resource(self, resource: RenderedResource) -> int:
        """As a driver."""
        if (score := (await self(()))).value < 0:
            raise NoScore("x:y has set no promotion score")
        return score.value

    def note(self) -> None:
        self.news += 1


@asynccontextmanager
async def following(asked: Asked, orders: Mapping[str, StandbyOrder] = ORDERS) -> AsyncIterator[Scores]:
    scores = Scores(asked, asked.of_resource, asked.note)
    await scores.follow(orders, UP)
    try:
        yield scores
    finally:
        await scores.end()


def told(scores: Scores) -> int | None:
    return scores.added({"uid": UNKNOWN})["uid"].score


@in_virtual_time
async def test_the_first_number_is_told_and_one_that_stays_is_no_news() -> None:
    asked = Asked(lambda times: 7)
    async with following(asked) as scores:
        await asyncio.sleep(10 * EVERY_S)
        assert (told(scores), asked.news) == (7, 1) and asked.times >= 10


@in_virtual_time
async def test_one_that_grows_is_told_now_and_then_and_its_last_word_at_once() -> None:
    asked = Asked(lambda times: min(times, 25))
    async with following(asked) as scores:
        await asyncio.sleep(2.5 * TELL_S + 3 * EVERY_S)
        assert told(scores) == 25 and asked.news == 4, "at first, twice while it grew, and when it had come to rest"


def told_after(scores: Scores) -> tuple[int | None, int | None]:
    """The number, and the epoch of which was known to be over when it was asked."""
    said = scores.added({"uid": UNKNOWN})["uid"]
    return said.score, said.score_after


@in_virtual_time
async def test_when_an_epoch_is_over_it_is_asked_and_told_at_once_though_it_still_grows() -> None:
    asked = Asked(lambda times: times)
    async with following(asked) as scores:
        await asyncio.sleep(3.5 * EVERY_S)
        assert (told_after(scores), asked.news) == ((1, 0), 1), "an agent that knows of it says so from the first"
        scores.know_over({"uid": 7})
        await asyncio.sleep(0.01)
        assert (told_after(scores), asked.news) == ((5, 7), 2)
        await asyncio.sleep(5 * EVERY_S)
        scores.know_over({"uid": 7})
        await asyncio.sleep(0.01)
        assert (told_after(scores), asked.news) == ((5, 7), 2), "what is known already is no reason to ask"


@in_virtual_time
async def test_one_that_rests_says_for_which_end_too() -> None:
    asked = Asked(lambda times: 7)
    async with following(asked) as scores:
        await asyncio.sleep(1.5 * EVERY_S)
        scores.know_over({"uid": 3})
        await asyncio.sleep(0.01)
        assert (told_after(scores), asked.news) == ((7, 3), 2)


@in_virtual_time
async def test_an_answer_that_was_begun_before_the_end_is_not_one_after_it() -> None:
    """It takes its time, and what ends meanwhile it may not have seen."""
    asked, takes_s = Asked(lambda times: times), 0.4

    async def slow(command: Sequence[str]) -> Score:
        before = await asked(command)
        await asyncio.sleep(takes_s)
        return before

    scores = Scores(slow, asked.of_resource, asked.note)
    await scores.follow(ORDERS, UP)
    await asyncio.sleep(takes_s / 2)
    scores.know_over({"uid": 7})
    await asyncio.sleep(takes_s)
    assert told_after(scores) == (1, 0)
    await asyncio.sleep(takes_s)
    assert told_after(scores) == (2, 7) and asked.times == 2, "and it is asked once more with no second between"
    await scores.end()


@in_virtual_time
async def test_that_nobody_can_say_is_an_answer_too() -> None:
    numbers = Asked(lambda times: -1)
    async with following(numbers, promotion()) as scores:
        scores.know_over({"uid": 7})
        await asyncio.sleep(0.01)
        assert told_after(scores) == (-1, 7)


@in_virtual_time
async def test_what_was_said_before_a_copy_came_up_is_forgotten() -> None:
    asked = Asked(lambda times: 7)
    async with following(asked) as scores:
        await asyncio.sleep(EVERY_S)
        await scores.follow(ORDERS, ())
        assert told(scores) is None
        times = asked.times
        await asyncio.sleep(5 * EVERY_S)
        assert asked.times == times, "nobody is asked where no copy is up"
        await scores.follow(ORDERS, UP)
        await asyncio.sleep(EVERY_S)
        assert told(scores) == 7


@in_virtual_time
async def test_a_command_that_hangs_says_that_there_is_no_number() -> None:
    asked = Asked(lambda times: 7)
    asked.hangs = True
    async with following(asked) as scores:
        await asyncio.sleep(NET_S + EVERY_S)
        answer = scores.added({"uid": UNKNOWN})["uid"]
        assert (answer.score, answer.score_why) == (-1, "/position has not answered within 10 s")


@in_virtual_time
async def test_a_command_that_hangs_in_the_kernel_is_not_begun_again_until_it_is_gone(tmp_path: Path) -> None:
    """A fake run: no test can make a process that survives SIGKILL, but what the kernel says of its group."""
    begun, answers = list[float](), [Answer(None, "", tmp_path), *[Answer(0, "7", tmp_path)] * 99]

    async def run(argv: Sequence[str], *, told: object, limit_s: float) -> Answer:
        begun.append(limit_s)
        return answers.pop(0)

    (tmp_path / "cgroup.events").write_text("populated 1")
    questions = Questions(run)
    asked = Asked(lambda times: 7)
    scores = Scores(lambda argv: read_number(questions, argv, limit_s=LIMIT_S), asked.of_resource, asked.note)
    await scores.follow(ORDERS, UP)
    await asyncio.sleep(60 * EVERY_S)
    answer = scores.added({"uid": UNKNOWN})["uid"]
    assert (begun, answer.score) == ([LIMIT_S], -1)
    assert answer.score_why == "/position was not run: the one before hangs in the kernel and cannot be killed"
    (tmp_path / "cgroup.events").write_text("populated 0")
    await asyncio.sleep(2 * TELL_S)
    assert told(scores) == 7
    await scores.end()


def promotion(**order: Any) -> Mapping[str, StandbyOrder]:
    """For what an OCF agent promotes."""
    thing = RenderedResource(name="db", ocf=Ocf(agent="x:y", instance="db", copies=2, role="Promoted"))
    return {"uid": StandbyOrder(namespace="shop", name="web-promoted", service="web", resources=(thing,), **order)}


@in_virtual_time
async def test_an_answer_that_cannot_be_read_takes_the_place_of_the_number_before() -> None:
    asked = Asked(lambda times: 7 if times < 3 else int("damaged"))
    async with following(asked) as scores:
        await asyncio.sleep(5 * EVERY_S)
        said = scores.added({"uid": UNKNOWN})["uid"]
        assert (said.score, said.score_why) == (-1, "/position cannot be read: ValueError")


@in_virtual_time
async def test_what_promotes_is_asked_where_no_command_is_named() -> None:
    numbers = Asked(lambda times: 7)
    async with following(numbers, promotion()) as scores:
        await asyncio.sleep(EVERY_S)
        assert told(scores) == 7
        await scores.follow(promotion(score_command=("/position",)), UP)
        assert told(scores) is None, "who tells it is another"


@in_virtual_time
async def test_an_agent_that_has_set_no_score_says_so() -> None:
    numbers = Asked(lambda times: -1)
    async with following(numbers, promotion()) as scores:
        await asyncio.sleep(EVERY_S)
        answer = scores.added({"uid": UNKNOWN})["uid"]
        assert (answer.score, answer.score_why) == (-1, "db: x:y has set no promotion score")


def test_ends_that_are_not_understood_are_left_aside_and_the_others_read() -> None:
    odd = {"u1": 7, "u2": "7", "u3": True, "u4": 0, "u5": None}
    assert read_orders({"over": odd}).spec.over == {"u1": 7}
    assert read_orders({"over": [7]}).spec.over == read_orders({}).spec.over == {}


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        pytest.param("echo 42", Score(42), id="a number"),
        pytest.param("echo at 7; echo 42", Score(42), id="the last word counts"),
        pytest.param("echo 42; exec sleep 9", Score(-1, "/bin/sh has not answered within 0.5 s; it said: 42"), id="it does not end"),
        pytest.param("echo 42; exit 3", Score(-1, "/bin/sh exited with 3; it said: 42"), id="it fails"),
        pytest.param("echo x", Score(-1, "/bin/sh prints no whole number; it said: x"), id="no number"),
        pytest.param("echo -42", Score(-1, "/bin/sh prints no whole number; it said: -42"), id="below zero"),
        pytest.param("echo 4.2", Score(-1, "/bin/sh prints no whole number; it said: 4.2"), id="a fraction"),
        pytest.param("echo 1234567890123456789", Score(-1, "/bin/sh prints no whole number; it said: 1234567890123456789"), id="too large"),
    ],
)  # fmt: skip
def test_the_whole_number_that_a_command_prints_last(script: str, expected: Score) -> None:
    assert (
        asyncio.run(read_number(Questions(), ["/bin/sh", "-c", script], limit_s=0.5 if "exec" in script else 9))
        == expected
    )


@in_virtual_time
async def test_what_the_admin_of_the_host_refuses_is_never_run() -> None:
    """It runs as root, whoever brings it; and a policy may change at any time."""
    asked, refused = Asked(lambda times: 7), {"shop /position": "10-shop.toml does not allow it"}
    scores = Scores(
        asked,
        asked.of_resource,
        asked.note,
        lambda namespace, command: refused.get(f"{namespace} {' '.join(command)}", ""),
    )
    await scores.follow(ORDERS, UP)
    await asyncio.sleep(3 * EVERY_S)
    assert asked.times == 0
    report = scores.added({"uid": UNKNOWN})["uid"]
    assert (report.score, report.score_why) == (-1, "10-shop.toml does not allow it")
    refused.clear()
    await asyncio.sleep(2 * TELL_S)
    assert told(scores) == 7
    await scores.end()
