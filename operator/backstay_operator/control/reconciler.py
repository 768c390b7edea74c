"""The one loop: wait until something has changed or is due, take the picture, plan, carry out.

Actions of one round run side by side, at most one write to each object at a time; the next round does not wait for the
slowest of them, it leaves alone what is still under way. So a write that hangs delays its own object and nothing else,
and still no object is ever planned on before our own last write to it is in the picture.
"""

from __future__ import annotations

import asyncio
import logging
import math
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from backstay_api.objects.kinds import Ref
from backstay_api.objects.models.instance import Closed
from backstay_api.process.waiting import until, within
from backstay_operator.control.act.apply import Outcome, Result, Writer
from backstay_operator.control.act.pacing import Turns
from backstay_operator.control.act.refusals import Refusals
from backstay_operator.control.counters import FAILOVER_BUCKETS_S, Counters, Histogram
from backstay_operator.control.report.recorder import Posting, posting_of
from backstay_operator.control.report.recoveries import answered
from backstay_operator.control.watch.cache import Cache
from backstay_operator.control.watch.urgency import Soon
from backstay_operator.planner.actions import Action, WriteInstance
from backstay_operator.planner.judge.evidence import was_lost
from backstay_operator.planner.know.liveness import has_silence_counted, next_look_s
from backstay_operator.planner.know.world import World
from backstay_operator.planner.plan import Plan
from backstay_operator.planner.rows import Rank

log = logging.getLogger(__name__)

GATHER_S: Final = {Soon.NOW: 0.0, Soon.GATHER: 0.02, Soon.LATER: 0.2}
"""How long a change waits for others before a plan is made."""
HEARTBEAT_S: Final = 5.0
"""A plan is made at least so often: some wishes end by wall time, and liveness is judged by the age of the last plan."""
AT_LEAST_S: Final = 0.002
"""A deadline that is already over must not make the loop spin."""
BREATH_S: Final = 0.05
"""After a plan that took long, at most so long (and no longer than it took) is left to watching and writing first."""
BACKLOG_S: Final = 0.5
"""While more is to be written than writers can begin, so long at most (and no longer than some plans take): what would be decided meanwhile
waits for the same writers. Where a plan takes longer, twice as long as that: else planning would leave writing no time."""
TELLING_S: Final = 0.5
"""The same for what only tells, after a plan that took longer than a breath: statuses of thousands of services would be told four a plan."""
BACKLOG_PLANS: Final = 4
FOLLOWER_GATHER_S: Final = 0.2
"""A replica that does not lead acts only on what has stood for long (`turns`): it need not plan at every change."""
WRITERS: Final = 16
TELLERS: Final = 4
LATER_S: Final = 0.1
"""What only tells or tidies up waits for what acts, but no longer: the API server carries out both, and a client waits for the one."""


@dataclass(frozen=True)
class Parts:
    """What the loop is made of."""

    cache: Cache
    plan: Callable[[World], Plan]
    writer: Writer
    leads: Callable[[], bool]
    """Whether this replica acts at once."""
    judge_path: Callable[[], str]
    """Judge our own path as of now; a sentence if it is in trouble."""
    record: Callable[[Posting], None]
    counters: Counters
    clock: Callable[[], float]
    rng: random.Random
    think_s: float = 0.0
    """A plan is taken to last at least so long: for clocks on which thinking takes no time."""


class Reconciler:
    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._turns = Turns(version=self._version, rng=parts.rng)
        self._refusals = Refusals(parts.clock)
        self._poked = asyncio.Event()
        self._act_at_s = math.inf
        """When to plan for what has changed since the last plan."""
        self._wake_at_s = 0.0
        self._due_s = 0.0
        """When a plan must be made though nothing has changed and silence says nothing new."""
        self._planned_at_s = 0.0
        self._took_s = 0.0
        self._writers = asyncio.Semaphore(WRITERS)
        self._tellers = asyncio.Semaphore(TELLERS)
        self._backlog = 0
        """Actions that wait for a writer."""
        self._written = asyncio.Event()
        """None does."""
        self._telling = 0
        """Actions that only tell and have not been written yet."""
        self._told = asyncio.Event()
        """There are none."""
        self._acting = 0
        self._acted = asyncio.Event()
        """Nothing that acts is under way any more."""
        parts.cache.on_change = self.poke

    def poke(self, soon: Soon = Soon.NOW) -> None:
        gather_s = GATHER_S[soon] if self._parts.leads() else FOLLOWER_GATHER_S
        self._act_at_s = min(self._act_at_s, self._parts.clock() + gather_s)
        self._poked.set()

    def recovered(self) -> None:
        """The API server is back: what failed without it is tried again at once."""
        self._turns.retry_now()
        self.poke()

    @property
    def is_idle(self) -> bool:
        """Whether nothing that has changed waits for a plan, and nothing is being written that acts."""
        return math.isinf(self._act_at_s) and not self._acting and not self._backlog

    async def run(self) -> None:
        """Until cancelled. A broken invariant, here or in the planner, ends it: the process is started again."""
        async with asyncio.TaskGroup() as tasks:
            while True:
                for action in self.round():
                    tasks.create_task(self._carry_out(action), name=f"{type(action).__name__} {action.ref.key}")
                await self._wait()

    def round(self) -> tuple[Action, ...]:
        """One look, one plan: what is begun now."""
        parts, counters = self._parts, self._parts.counters
        trouble = parts.judge_path()
        now_s = parts.clock()
        if parts.cache.missing:
            counters.waiting_for = f"the first list of {', '.join(parts.cache.missing)}" + (
                f" ({trouble})" if trouble else ""
            )
            self._wake_at_s = self._due_s = now_s + HEARTBEAT_S
            return ()
        world = parts.cache.snapshot()
        self._refusals.show(world)
        plan = parts.plan(world)
        self._refusals.keep_only(plan.actions)
        counters.waiting_for, counters.planned_at_s, counters.plan_actions = "", now_s, len(plan.actions)
        self._planned_at_s, self._took_s = now_s, max(parts.think_s, parts.clock() - now_s)
        counters.plan.add(self._took_s)
        turn = self._turns.take(plan.actions, now_s=now_s, leads=parts.leads())
        self._due_s = _earliest_s(now_s, plan.wake_at_s, turn.wake_at_s, now_s + HEARTBEAT_S)
        self._wake_at_s = _earliest_s(now_s, self._due_s, plan.silence_wake_s)
        return turn.actions

    async def _wait(self) -> None:
        """Until the deadline, or until what has changed has waited long enough for others like it."""
        while not self._is_time():
            self._poked.clear()
            await until(self._poked, min(self._wake_at_s, self._act_at_s))
        await asyncio.sleep(min(self._took_s, BREATH_S))
        if self._backlog:
            await within(self._written, min(BACKLOG_PLANS * self._took_s, max(BACKLOG_S, 2 * self._took_s)))
        elif self._telling and self._took_s > BREATH_S:
            await within(self._told, min(self._took_s, TELLING_S))
        self._act_at_s = math.inf

    def _is_time(self) -> bool:
        """Whether to plan now. A deadline of silence is put off if whoever it was about has renewed since."""
        now_s = self._parts.clock()
        if now_s >= min(self._act_at_s, self._due_s):
            return True
        if now_s < self._wake_at_s:
            return False
        world = self._parts.cache.snapshot()
        self._wake_at_s = _earliest_s(now_s, self._due_s, next_look_s(world))
        return has_silence_counted(world, since_s=self._planned_at_s)

    async def _carry_out(self, action: Action) -> None:
        ref = action.ref
        decided_at = self._version(ref)
        led = self._parts.leads()
        async with self._in_turn(action.rank):
            if led and not self._parts.leads():
                # Lost while it waited: as a follower it may be our turn again later.
                result = Result(Outcome.LOOK_AGAIN, "this replica no longer leads")
            else:
                result = await self._parts.writer.apply(action)
        self._note(action, ref, result)
        self._turns.done(
            action,
            decided_at=decided_at,
            now_s=self._parts.clock(),
            in_trouble=result.outcome is Outcome.TROUBLE,
            in_effect=result.outcome is Outcome.DONE,
        )
        self.poke(Soon.LATER if action.rank is Rank.PEOPLE else Soon.NOW)

    @asynccontextmanager
    async def _in_turn(self, rank: Rank) -> AsyncIterator[None]:
        acts = rank in (Rank.GRANT, Rank.ORDER)
        if rank >= Rank.CLEANUP and self._acting:
            await within(self._acted, LATER_S)
        if acts:
            self._acting += 1
            self._acted.clear()
        try:
            async with self._one_of_the_tellers() if rank is Rank.PEOPLE else self._one_of_the_writers():
                yield
        finally:
            if acts:
                self._acting -= 1
            if not self._acting:
                self._acted.set()

    @asynccontextmanager
    async def _one_of_the_tellers(self) -> AsyncIterator[None]:
        self._telling += 1
        self._told.clear()
        try:
            async with self._tellers:
                yield
        finally:
            self._telling -= 1
            if not self._telling:
                self._told.set()

    @asynccontextmanager
    async def _one_of_the_writers(self) -> AsyncIterator[None]:
        self._backlog += 1
        self._written.clear()
        try:
            await self._writers.acquire()
        finally:
            self._backlog -= 1
            if not self._backlog:
                self._written.set()
        try:
            yield
        finally:
            self._writers.release()

    def _note(self, action: Action, ref: Ref, result: Result) -> None:
        counters, name = self._parts.counters, type(action).__name__
        if result.outcome is Outcome.REFUSED:
            self._refusals.note(action, result.why)
        elif result.outcome is not Outcome.TROUBLE:
            self._refusals.forget(action)
        counters.writes[name, result.outcome.value] += 1
        fields = {"action": name, "object": ref.key, "why": action.why}
        if result.outcome is Outcome.DONE:
            log.log(logging.DEBUG if action.rank is Rank.PEOPLE else logging.INFO, "action applied", extra=fields)
            if (lost := _failed_over(action)) is not None:
                counters.failovers[lost.evidence] += 1
            for cause, took_s in answered(action):
                counters.recovered.setdefault(cause, Histogram(FAILOVER_BUCKETS_S)).add(took_s)
        elif result.outcome is Outcome.LOOK_AGAIN:
            log.debug(
                "action not applied: it was decided from an older version", extra={**fields, "answer": result.why}
            )
        else:
            log.warning("action failed", extra={**fields, "outcome": result.outcome.value, "answer": result.why})
        if posting := posting_of(action, result, self._uid):
            self._parts.record(posting)

    def _version(self, ref: Ref) -> str:
        return self._parts.cache.version(ref.kind, ref.key)

    def _uid(self, ref: Ref) -> str:
        meta = self._parts.cache.meta(ref.kind, ref.key)
        return meta.uid if meta else ""


def _earliest_s(now_s: float, *times_s: float | None) -> float:
    return max(now_s + AT_LEAST_S, min(at_s for at_s in times_s if at_s is not None))


def _failed_over(action: Action) -> Closed | None:
    """How the previous epoch ended, where this grants a new one because its host was lost."""
    if not isinstance(action, WriteInstance) or action.spec.grant is None:
        return None
    return action.spec.closed if action.spec.closed and was_lost(action.spec.closed) else None
