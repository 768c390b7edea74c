"""One instance on this host: turns what is wanted and what happens into steps of the machine, and carries their effects out.

Everything that decides is in `core/`; here is only doing: journal first, then the drivers in order. A runner that is cancelled
(the agent ends) leaves what runs running; its successor begins from the journal.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, replace
from typing import Any, Final

from backstay_api.plain import InstanceReport, RenderedResource, ResourceReport
from backstay_api.wording import NOT_RECORDED

from . import work
from .core import rules
from .core.books import Books, Record
from .core.machine import Effect, Event, Phase, step
from .disk import DiskTrouble
from .drivers.base import StartFailed, StopFailed
from .hands import Hands
from .journal import Journal
from .senses import Senses

log = logging.getLogger(__name__)

RETRY_S: Final = 5.0
"""Until what could not be stopped, or recorded, is tried again."""


class MayNot(Exception):
    """A start was refused when it was its turn. Nothing was touched."""


@dataclass(frozen=True)
class Tools:
    """What all runners of an agent share."""

    journal: Journal
    hands: Hands
    tell: Callable[[], None]
    """Something that the status shows, or that others wait for, has changed."""
    wall: Callable[[], str]
    """RFC 3339 time, for people's eyes."""


class Runner:
    """Makes one instance be what its record in the journal wants."""

    def __init__(self, uid: str, tools: Tools) -> None:
        self.uid = uid
        self._tools = tools
        self._wake = asyncio.Event()
        self._work: asyncio.Task[None] | None = None
        self._senses = Senses(tools.hands, self._notice)
        self._trying: tuple[RenderedResource, ...] = ()
        """What the start under way starts."""
        self._why = ""
        self._gave_up = self.record.gave_up
        self._epoch = self.record.epoch
        self._retry_at_s = 0.0
        # UNKNOWN counts as running: what an earlier agent may have started is running until it was looked at.
        self.phase = Phase.RUNNING if self.record.may_run else Phase.STOPPED
        self._since = tools.wall()

    @property
    def record(self) -> Record:
        return self._tools.journal.books.records[self.uid]

    def poke(self) -> None:
        """The books have changed: look again."""
        self._wake.set()

    async def run(self) -> None:
        """Live until cancelled."""
        try:
            if self.phase is Phase.RUNNING:
                self._watch()
            while True:
                await self._turn()
        finally:
            await self._let_go()

    async def _turn(self) -> None:
        self._wake.clear()
        self._senses.raise_if_broken()
        event = rules.next_event(self._situation())
        if event is None:
            await self._accept_what_needs_no_restart()
            await self._wait()
            return
        phase, effect = step(self.phase, event)
        self._learn(event)
        if effect is not Effect.CLOSE:
            await self._let_go()
        self._enter(phase)
        await self._begin(effect)
        self._tools.tell()

    def _situation(self) -> rules.Situation:
        record, books, now_s = self.record, self._tools.journal.books, _now_s()
        if record.epoch != self._epoch:
            self._epoch, self._gave_up, self._why = record.epoch, record.gave_up, ""
        tried = self._trying if self.phase is Phase.STARTING else record.resources
        edited = bool(tried) and not rules.same_work(tried, record.wanted)
        refused = self._refused(record, books)
        if refused and self.phase is Phase.STOPPED and not record.closed and self._why != refused.why:
            self._why = refused.why
            self._tools.tell()
        return rules.Situation(
            phase=self.phase,
            outcome=self._outcome(),
            must_stop=self._must_stop(record, books),
            may_start=refused is None,
            gave_up=bool(self._gave_up) and not edited,
            edited=edited and record.want == "Up",
            down=bool(self._senses.troubles),
            may_restart=rules.may_restart(record.restarted_at_s, now_s=now_s),
            retry_due=now_s >= self._retry_at_s,
        )

    def _must_stop(self, record: Record, books: Books) -> bool:
        return not record.closed and (record.want == "Down" or (bool(books.seal_seen) and record.exclusive))

    def _refused(self, record: Record, books: Books) -> rules.Refused | None:
        return rules.may_start(record, books, obstacle=self._tools.hands.obstacle())

    def _outcome(self) -> Event | None:
        if self._work is None or not self._work.done():
            return None
        return Event.FAILED if _failure(self._work) else Event.SUCCEEDED

    def _learn(self, event: Event) -> None:
        """Remember what an event says, before the next phase forgets it."""
        if event is Event.FAILED and self._work:
            self._failed(_failure(self._work))
        elif event is Event.DIED:
            self._why = self._senses.sentence
            log.warning("resource down, restarting in place", extra={"instance": self.record.title, "why": self._why})
        elif event is Event.GIVE_UP and self.phase is Phase.RUNNING:
            self._why = self._senses.sentence
            if not rules.may_restart(self.record.restarted_at_s, now_s=_now_s()):
                self._gave_up = f"restarted in place {rules.RESTARTS} times in ten minutes; then {self._why}"
        elif event is Event.WANT_UP:
            self._why, self._gave_up = "", ""

    def _failed(self, failure: Exception | None) -> None:
        self._why = str(failure)
        log.warning(
            "instance failed",
            extra={"instance": self.record.title, "phase": self.phase.value, "why": self._why},
        )
        again = isinstance(failure, StartFailed) and rules.try_again(self.record.restarted_at_s, now_s=_now_s())
        if self.phase is Phase.STARTING and not isinstance(failure, MayNot) and not again:
            self._gave_up = self._why
        if self.phase is Phase.STOPPING:
            self._retry_at_s = _now_s() + RETRY_S

    def _enter(self, phase: Phase) -> None:
        if phase is not self.phase:
            self._since = self._tools.wall()
        self.phase = phase

    async def _begin(self, effect: Effect | None) -> None:
        match effect:
            case Effect.START:
                self._trying = self.record.wanted
                self._spawn(self._start(self.record))
            case Effect.RESTART:
                self._spawn(self._restart())
            case Effect.STOP:
                self._spawn(self._stop())
            case Effect.WATCH:
                self._watch()
            case Effect.CLOSE:
                await self._close()
            case None:
                pass

    def _spawn(self, effect: Coroutine[Any, Any, None]) -> None:
        self._work = asyncio.create_task(effect, name=f"{self.phase.value} {self.uid}")
        self._work.add_done_callback(lambda _: self._wake.set())

    async def _wait(self) -> None:
        if self.phase is Phase.STUCK:
            asyncio.get_running_loop().call_at(self._retry_at_s, self._wake.set)
        await self._wake.wait()

    async def _let_go(self) -> None:
        """End what this runner itself does at the moment; what runs on the host is not touched."""
        task, self._work = self._work, None
        await work.end_tasks([task] if task else [])
        await self._senses.end()

    # --- effects ----------------------------------------------------------------------------------------------

    async def _start(self, record: Record) -> None:
        resources, revision = record.wanted, record.revision
        await self._tools.journal.cover(self.uid, resources)
        # After a restart in place that failed, this start stands for one.
        again = bool(record.restarted_at_s) and rules.same_work(record.resources, resources)
        at_s = _now_s() if again else None
        await self._amend(lambda now: _with_restart(_intended(now, resources, revision), at_s), may_start=True)
        await work.bring_up(self._tools.hands, resources, again=False)

    async def _restart(self) -> None:
        record = self.record
        again = work.to_restart(record.resources, set(self._senses.troubles))
        try:
            await self._amend(lambda now: _with_restart(now, _now_s()), may_start=True)
        except DiskTrouble as error:
            # What the journal says already (it may run) covers this restart; only the count is lost.
            log.warning("restart not recorded", extra={"instance": record.title, "why": str(error)})
        await work.take_down(self._tools.hands, again)
        await work.bring_up(self._tools.hands, again, again=True)

    async def _stop(self) -> None:
        await work.take_down(self._tools.hands, self.record.resources)
        try:
            await self._amend(self._stopped)
        except DiskTrouble as error:
            if self.record.may_run:
                raise StopFailed(f"{NOT_RECORDED}: {error}") from error

    def _stopped(self, now: Record) -> Record:
        # A newer epoch that was granted meanwhile gets a try of its own.
        gave_up = self._gave_up if now.epoch == self._epoch else now.gave_up
        return replace(now, may_run=False, gave_up=gave_up)

    async def _close(self) -> None:
        """Record that the epoch is over; it is said only once that is on disk."""
        epoch = self.record.epoch
        while True:
            try:
                # A newer epoch that was granted meanwhile is not over.
                await self._amend(lambda now: now if now.may_run or now.epoch != epoch else now.over())
                return
            except DiskTrouble as error:
                self._why = f"{NOT_RECORDED}: {error}"
                self._tools.tell()
                await asyncio.sleep(RETRY_S)

    async def _amend(self, how: Callable[[Record], Record], *, may_start: bool = False) -> None:
        """Change our record in the books. With `may_start`, only if it may be started at that moment. Raises MayNot."""

        def change(books: Books) -> Books:
            record = books.records.get(self.uid)
            if record is None:
                return books  # the session is over, and this instance with it
            if may_start and (refused := self._refused(record, books)):
                raise MayNot(refused.why)
            return books.put(how(record))

        await self._tools.journal.change(change)

    async def _accept_what_needs_no_restart(self) -> None:
        """New probes and time limits count at once; the rest of the resources is the same."""
        record = self.record
        if self.phase is not Phase.RUNNING or record.want != "Up" or not record.may_run:
            return
        if record.running_revision == record.revision and record.resources == record.wanted:
            return
        new_ears = record.resources != record.wanted
        try:
            await self._amend(lambda now: _accepted(now, record))
        except DiskTrouble as error:
            log.warning("edit not recorded", extra={"instance": record.title, "why": str(error)})
            return
        if new_ears:
            await self._let_go()
            self._watch()
        self._tools.tell()

    def _watch(self) -> None:
        self._senses.attend(self.record.resources)

    def _notice(self) -> None:
        self._wake.set()
        self._tools.tell()

    # --- what others are told ---------------------------------------------------------------------------------

    def report(self) -> InstanceReport:
        """What the status says of this instance. `released` comes from the books, which are on disk."""
        record = self.record
        return InstanceReport(
            namespace=record.namespace,
            name=record.name,
            epoch=record.epoch,
            phase="Stopped" if record.closed else _REPORTED[self.phase],
            released=record.closed,
            revision=record.running_revision if record.may_run else record.revision,
            healthy=self.phase is Phase.RUNNING and self._senses.is_well,
            restarts=record.restarts,
            since=self._since,
            why=self._reported_why(),
            resources=() if record.closed else self._resource_reports(),
        )

    def _reported_why(self) -> str:
        if self.phase is Phase.FAILED:
            return self._gave_up
        return self._senses.sentence if self.phase is Phase.RUNNING else self._why

    def _resource_reports(self) -> tuple[ResourceReport, ...]:
        if self.phase is not Phase.RUNNING:
            return ()
        failed = self._senses.troubles
        return tuple(ResourceReport(name=name, state="Failed", why=why) for name, why in sorted(failed.items()))


# A restart in place is a running instance that is not healthy for a moment.
_REPORTED: Final[dict[Phase, Any]] = {
    **{phase: phase.value for phase in Phase},
    Phase.RECOVERING: Phase.RUNNING.value,
}


def _intended(record: Record, resources: tuple[RenderedResource, ...], revision: int) -> Record:
    return replace(record, may_run=True, resources=resources, running_revision=revision, gave_up="")


def _with_restart(record: Record, at_s: float | None) -> Record:
    if at_s is None:
        return record
    recent = (*record.restarted_at_s, at_s)[-rules.RESTARTS :]
    return replace(record, restarts=record.restarts + 1, restarted_at_s=recent)


def _accepted(record: Record, seen: Record) -> Record:
    """The record runs what it wants, if nothing has changed since it was looked at."""
    if record != seen:
        return record
    return replace(record, resources=record.wanted, running_revision=record.revision)


def _failure(effect: asyncio.Task[None]) -> Exception | None:
    """Why an effect failed, if it did. What no driver and no disk may raise is a broken program, and ends the process."""
    error = effect.exception()
    if error is None:
        return None
    if not isinstance(error, StartFailed | StopFailed | DiskTrouble | MayNot):
        raise error
    return error


def _now_s() -> float:
    return asyncio.get_running_loop().time()
