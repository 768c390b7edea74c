"""How fresh the data of this host's copy is, asked regularly where it stands by for the promoted role: a number, and the highest is promoted.

A command says it, or else the OCF agent that would promote that copy.

Data that is written to grows all the time. So a number that changes is told now and then, and one that has come to rest at once: when
what was promoted has ceased to write, what is told is the last word.

That it rests does not say for which end. So it is asked once more, and told at once, when an epoch of the promoted role is known to be
over: the number then says of which epoch nothing can come any more (but for that of an OCF agent, noted at its last monitor).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import Final, NamedTuple

from backstay_agent.core.score import Score
from backstay_agent.drivers.base import NoScore
from backstay_agent.tasks import end_tasks
from backstay_api.objects.plain import RenderedResource, StandbyOrder, StandbyReport
from backstay_api.objects.resource_kinds import tells_score
from backstay_api.process.waiting import clock_s, within

EVERY_S: Final = 1.0
LIMIT_S: Final = 5.0
"""A command keeps it by itself: what it leaves hanging is remembered then."""
NET_S: Final = 2 * LIMIT_S
"""Whatever a command waits for, the number of before must not stand for ever."""
TELL_S: Final = 10.0
"""Between two words about a number that goes on changing."""


log = logging.getLogger(__name__)

Service = tuple[str, str]
"""Namespace and name."""
Ask = Callable[[Sequence[str]], Awaitable[Score]]
"""Runs the command once, for as long as LIMIT_S. Raises OSError; it bears being cancelled."""
AskResource = Callable[[RenderedResource], Awaitable[int]]
"""Asks the driver. Raises NoScore, OSError; it bears being cancelled."""
Question = Sequence[str] | RenderedResource


class Told(NamedTuple):
    """A number, and what was over when it was asked."""

    score: Score
    after: int
    """The last epoch of the promoted role of which was known by then that it is over; 0: none."""


def question(order: StandbyOrder) -> Question | None:
    """What tells how fresh the data is; None: nobody asks for that."""
    return order.score_command or next((one for one in order.resources if tells_score(one)), None)


async def no_score(command: Sequence[str]) -> Score:
    """Of a host that can run no commands."""
    return Score(-1, f"{command[0]} cannot be asked here")


class Scores:
    """By UID of the HAInstance."""

    def __init__(
        self,
        ask: Ask,
        ask_resource: AskResource,
        on_news: Callable[[], None],
        refusal: Callable[[str, Sequence[str]], str] = lambda *_: "",
    ) -> None:
        """`refusal`: why this host's admin does not let a namespace run that program, in a sentence; empty: he does."""
        self._ask, self._ask_resource, self._refusal = ask, ask_resource, refusal
        self._on_news = on_news
        self._asked: dict[str, tuple[tuple[str, Question], asyncio.Task[None]]] = {}
        self._told: dict[str, Told] = {}
        self._over: Mapping[str, int] = {}
        self._wakes: dict[str, asyncio.Event] = {}

    def know_over(self, over: Mapping[str, int]) -> None:
        """The last epoch of the promoted role that is over, by UID: where that is news it is asked at once, whatever else is looked at."""
        self._over = over
        for uid, wake in self._wakes.items():
            if self._after(uid) != (self._told[uid].after if uid in self._told else 0):
                wake.set()

    def _after(self, uid: str) -> int:
        return self._over.get(uid, 0)

    async def follow(self, orders: Mapping[str, StandbyOrder], up: Collection[Service]) -> None:
        """Ask for these from now on, and for no others. What was said before a copy came up is forgotten: it was about no data of it."""
        wanted = {
            uid: (order.namespace, told_by)
            for uid, order in orders.items()
            if (told_by := question(order)) and (order.namespace, order.service) in up
        }
        gone = [uid for uid, (asked, _) in self._asked.items() if wanted.get(uid) != asked]
        await self._end(gone)
        for uid, asked in wanted.items():
            if uid not in self._asked:
                self._wakes[uid] = asyncio.Event()
                task = asyncio.create_task(self._repeat(uid, *asked), name=f"score {uid}")
                self._asked[uid] = (asked, task)

    async def end(self) -> None:
        await self._end(list(self._asked))

    async def _end(self, uids: Sequence[str]) -> None:
        tasks = [self._asked.pop(uid)[1] for uid in uids]
        for uid in uids:
            self._told.pop(uid, None)
            self._wakes.pop(uid, None)
        await end_tasks(tasks)

    def added(self, reports: Mapping[str, StandbyReport]) -> dict[str, StandbyReport]:
        """The reports with what is known of freshness."""
        return {uid: _with(report, self._told.get(uid)) for uid, report in reports.items()}

    async def _repeat(self, uid: str, namespace: str, asked: Question) -> None:
        before: Score | None = None
        told_at_s, wake = 0.0, self._wakes[uid]
        while True:
            wake.clear()
            # Of what ends while it is being asked the answer may know nothing.
            after = self._after(uid)
            now, asked_at_s = Told(await self._once(namespace, asked), after), clock_s()
            told = self._told.get(uid)
            is_due = before is None or now.score == before or asked_at_s - told_at_s >= TELL_S
            if now != told and (is_due or told is None or told.after != after):
                self._told[uid], told_at_s = now, asked_at_s
                self._on_news()
            before = now.score
            await within(wake, EVERY_S)

    async def _once(self, namespace: str, asked: Question) -> Score:
        # What promotes runs nothing for it: its agent has noted the number.
        if not isinstance(asked, RenderedResource) and (refused := self._refusal(namespace, asked)):
            return Score(-1, refused)
        who, limit_s = (asked.name, LIMIT_S) if isinstance(asked, RenderedResource) else (asked[0], NET_S)
        try:
            async with asyncio.timeout(limit_s):
                if isinstance(asked, RenderedResource):
                    return Score(await self._ask_resource(asked))
                return await self._ask(asked)
        except TimeoutError:
            return Score(-1, f"{who} has not answered within {limit_s:g} s")
        except (NoScore, OSError) as error:
            return Score(-1, f"{who}: {error}")
        except Exception as error:
            # Whatever it is: the number of before must not stand for ever.
            log.warning("a score cannot be read", extra={"who": who, "error": type(error).__name__})
            return Score(-1, f"{who} cannot be read: {type(error).__name__}")


def _with(report: StandbyReport, told: Told | None) -> StandbyReport:
    if told is None:
        return report
    return replace(report, score=told.score.value, score_why=told.score.why, score_after=told.after)
