"""One instance on this host: turns what is wanted and what happens into steps of the machine, and carries their effects out.

Everything that decides is in `core/`; here is only doing: journal first, then the drivers in order. A runner that is cancelled
(the agent ends) leaves what runs running; its successor begins from the journal.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any

from backstay_agent.core import patience, rules
from backstay_agent.core.checkpoint import Checkpoint, Record
from backstay_agent.core.machine import Effect, Outcome, Phase, Reason, Row, Situation, decide
from backstay_agent.core.reports import View, report_of
from backstay_agent.drivers.base import StartFailed
from backstay_agent.store.disk import DiskTrouble
from backstay_agent.tasks import end_tasks
from backstay_api.objects.edits import same_work
from backstay_api.objects.plain import InstanceReport, RenderedResource
from backstay_api.process.waiting import clock_s

from . import work
from .applying import Applying, is_other_work
from .asked import AskedRestart
from .attempts import AdminActs, Attempts
from .monitoring import Monitor
from .promotion import Promotion
from .restarting import Restarting
from .stopping import RETRY_S, NotRecorded, Stops
from .tools import MayNot, Tools, error_type_of, failure_of, must_be_fit, outcome_of

log = logging.getLogger(__name__)


class Runner:
    """Makes one instance be what its record in the journal wants."""

    def __init__(self, uid: str, tools: Tools) -> None:
        self.uid = uid
        self._tools = tools
        self._wake = asyncio.Event()
        self.promotion = Promotion(uid, tools)
        self._work: asyncio.Task[None] | None = None
        self._monitor = Monitor(tools.system, self._notice)
        self._applying = Applying(tools.system, self._monitor, self._notice)
        self._trying: tuple[RenderedResource, ...] = ()
        """What it is to be when the start under way, or the restart of a part, is over."""
        self._why = ""
        self._gave_up, self._error_type = self.record.gave_up, self.record.error_type
        self._epoch, self._cleared = self.record.epoch, self.record.cleared
        self.stops = Stops()
        self._attempts = Attempts(self._monitor, tools.wall)
        self._acts = AdminActs()
        self.asked = AskedRestart(self._wake.set)
        self._restarting = Restarting(tools, self._monitor, self._amend, self._say, self.asked.touch)
        self._is_free = False
        """The restart under way counts for nothing."""
        # UNKNOWN counts as running: what an earlier agent may have started is running until it was looked at.
        self.phase = Phase.RUNNING if self.record.may_run else Phase.STOPPED
        self._since = tools.wall()

    @property
    def record(self) -> Record:
        return self._tools.journal.checkpoint.records[self.uid]

    def poke(self) -> None:
        """The checkpoint has changed: look again."""
        self._wake.set()

    async def run(self) -> None:
        try:
            if self.phase is Phase.RUNNING:
                await self._adopt()
            while True:
                await self._turn()
        finally:
            self.asked.end()
            await self._let_go()

    async def _turn(self) -> None:
        self._wake.clear()
        self._monitor.raise_if_broken()
        self.asked.follow(self.phase, has_looked=not self._monitor.is_looking, why=self._why)
        row = decide(self._situation())
        if row.to is None:
            await self._accept_what_needs_no_restart()
            await self._wait()
            return
        self._learn(row)
        if row.effect is not Effect.CLOSE:
            await self._let_go(watch_on=row.effect in (Effect.WATCH, Effect.PERMIT))
        self._enter(row.to)
        await self._begin(row.effect)
        self._tools.tell()

    def _situation(self) -> Situation:
        record, checkpoint, now_s = self.record, self._tools.journal.checkpoint, clock_s()
        if (record.epoch, record.cleared) != (self._epoch, self._cleared):
            self._turn_to(record)
        is_begun, down = self.phase in (Phase.STARTING, Phase.RECOVERING), self._attempts.is_down()
        tried = self._trying if is_begun else record.resources
        # What does not run, or not well, has nothing that could be reloaded.
        differs = self._applying.needs_start if self.phase is Phase.RUNNING and not down else is_other_work
        edited = bool(tried) and differs(tried, record.wanted)
        refused = self.promotion.may_start(record, checkpoint)
        if refused and self.phase is Phase.STOPPED and not record.closed:
            self._say(refused.why)
        return Situation(
            phase=self.phase,
            outcome=self._outcome(),
            must_stop=rules.must_stop(record, checkpoint, leaving=self._tools.leaving()),
            hands_off=not self.asked.is_touching and bool(rules.hands_off(record, checkpoint)),
            over=record.closed,
            may_start=refused is None,
            gave_up=bool(self._gave_up) and not edited,
            edited=(edited or (refused is None and self.asked.is_due(self.phase))) and record.want == "Up",
            role_failed=self.promotion.has_failed(record, checkpoint),
            down=down,
            may_restart=self._attempts.may_restart(record) and self._monitor.error_type == "Soft",
            may_retry=patience.try_again(record.restarted_at_s, now_s=now_s, by=record.policy),
            try_due=edited or self._attempts.is_due(record, now_s),
            retry_due=now_s >= self.stops.retry_at_s and not self.promotion.waits_for_copy(record, checkpoint),
        )

    def _turn_to(self, record: Record) -> None:
        """A newer epoch, or a person has cleared it: nothing before that is held against it."""
        self._epoch, self._cleared = record.epoch, record.cleared
        self._gave_up, self._error_type = record.gave_up, record.error_type
        self._why = self.stops.note = ""
        self._attempts.forget()
        self._acts.forget()

    def _outcome(self) -> Outcome | None:
        if self._work is None or not self._work.done():
            return None
        alone = self.phase is Phase.RECOVERING and self._restarting.only_addresses
        return outcome_of(self._work, only_addresses=alone)

    def _learn(self, row: Row) -> None:
        """Remember what a row says, before the next phase forgets it."""
        if row.reason is Reason.ENDED and self._work:
            self._why = str(error := failure_of(self._work))
            self.stops.learn(error)
            fields = {"instance": self.record.title, "phase": self.phase.value, "why": self._why}
            log.warning("instance failed", extra=fields)
        elif self._applying.failed:
            self._why = self._applying.failed
        elif row.reason is Reason.DOWN:
            before = "" if row.effect is Effect.RESTART else self._why
            self._why = "; ".join(filter(None, (self._monitor.sentence, before)))
        match row.effect:
            case Effect.START | Effect.PERMIT:
                self._why, self._gave_up, self._error_type = "", "", "Soft"
            case Effect.CHANGE:
                self._why, self._gave_up, self._error_type = self._applying.failed, "", "Soft"
                self._restarting.also = self._applying.failed_for | self.asked.begin()
            case Effect.RESTART:
                self._died()
            case Effect.GIVE_UP:
                ended = row.reason is Reason.ENDED
                self._error_type = error_type_of(self._work) if ended else self._monitor.error_type
                is_used_up = not ended and self._error_type == "Soft"
                limit = "onFailure: Move" if self._monitor.moves_at_once else self.record.policy.used_up
                self._gave_up = f"{limit}; then {self._why}" if is_used_up else self._why

    def _died(self) -> None:
        self._is_free = self._attempts.count_for_nothing(self.record)
        fields = {"instance": self.record.title, "why": self._why}
        if self._attempts.was_left:
            log.info("maintenance is over, starting what does not run", extra=fields)
        elif self._monitor.by_admin:
            self._acts.answered()
            log.warning("stopped by an admin, starting it again", extra=fields)
        else:
            log.warning("resource down, restarting in place", extra=fields)
        self._attempts.was_left = False

    def _enter(self, phase: Phase) -> None:
        if phase is not self.phase:
            self._since = self._tools.wall()
        self.stops.enter(phase)
        self._attempts.was_left |= self.phase is Phase.LEFT and phase is Phase.RUNNING
        self.phase = phase

    async def _begin(self, effect: Effect | None) -> None:
        match effect:
            case Effect.START:
                self._trying = self.record.wanted
                self._spawn(self._start(self.record))
            case Effect.CHANGE:
                self._trying = self.record.wanted
                self._spawn(self.promotion.first(lambda: self._restarting.changed(self.record), self._say))
            case Effect.RESTART:
                self._trying = self.record.resources
                self._spawn(self.promotion.first(self._restart, self._say))
            case Effect.STOP | Effect.GIVE_UP:
                self._spawn(self.promotion.first(self._stop, self._say, stops=True))
            case Effect.WATCH:
                self._watch()
            case Effect.PERMIT:
                self._watch()
                self._spawn(self._permit())
            case Effect.CLOSE:
                await self._close()

    def _spawn(self, effect: Coroutine[Any, Any, None]) -> None:
        self._work = asyncio.create_task(effect, name=f"{self.phase.value} {self.uid}")
        self._work.add_done_callback(lambda _: self._wake.set())

    async def _wait(self) -> None:
        waits = self.promotion.waits_for_copy(self.record, self._tools.journal.checkpoint)
        times_s = [self.stops.retry_at_s] if self.phase is Phase.STUCK and not waits else []
        if self.phase in (Phase.STOPPED, Phase.RUNNING):
            times_s = self._attempts.wakes_at_s(self.record)
        if self._attempts.is_another_count(self.record):
            self._tools.tell()
        timers = [asyncio.get_running_loop().call_at(at_s, self._wake.set) for at_s in times_s]
        try:
            await self._wake.wait()
        finally:
            for timer in timers:
                timer.cancel()

    async def _let_go(self, *, watch_on: bool = False) -> None:
        """End what this runner itself does at the moment; what runs on the host is not touched.

        `watch_on`: what is listened to will be listened to next as well."""
        task, self._work = self._work, None
        await end_tasks([task] if task else [])
        await self._applying.end()
        await self._monitor.end(but=self.record.resources if watch_on else ())

    # --- effects ----------------------------------------------------------------------------------------------

    async def _start(self, record: Record) -> None:
        resources, revision = record.wanted, record.revision
        await must_be_fit(self._tools, record, resources, self._say)
        await self._tools.journal.cover(self.uid, resources)
        # After a restart in place that failed, this start stands for one.
        again = bool(record.restarted_at_s) and same_work(record.resources, resources)
        at_s = clock_s()
        await self._amend(
            lambda now: now.begun(resources, revision, at_s).restarted(at_s if again else None), may_start=True
        )
        await work.bring_up(self._tools.system, resources, tell=self._say)

    async def _restart(self) -> None:
        if self._is_free:
            self._attempts.begin_free()
        await self._restarting.in_place(self.record, counted_at_s=None if self._is_free else clock_s())

    async def _stop(self) -> None:
        self.stops.note = await work.take_down(self._tools.system, self.record.to_stop)
        try:
            await self._amend(self._stopped)
        except DiskTrouble as error:
            if self.record.may_run:
                raise NotRecorded(error) from error

    def _stopped(self, now: Record) -> Record:
        # A newer epoch that was granted meanwhile gets a try of its own.
        failed = (self._gave_up, self._error_type) if now.epoch == self._epoch else (now.gave_up, now.error_type)
        return replace(now, may_run=False, gave_up=failed[0], error_type=failed[1])

    async def _permit(self) -> None:
        """Let the host's admin start what was granted here and is wanted: from then on it may run, and is journalled so."""
        while True:
            try:
                await self._permit_now()
                return
            except (DiskTrouble, StartFailed) as error:
                self._why = str(error)
            except MayNot as refused:
                if self.record.may_run:
                    return  # it is watched; what an admin could not start without us stays so
                self._why = str(refused)
            self._tools.tell()
            await asyncio.sleep(RETRY_S)

    async def _permit_now(self) -> None:
        record = self.record
        if not record.may_run:
            resources, revision = record.wanted, record.revision
            await must_be_fit(self._tools, record, resources, self._say)
            await self._tools.journal.cover(self.uid, resources)
            await self._amend(lambda now: now.begun(resources, revision, clock_s()), may_start=True)
            await self._monitor.end(but=self.record.resources)
            self._watch()
        elif refused := self.promotion.may_start(record, self._tools.journal.checkpoint):
            raise MayNot(refused.why)
        for resource in self.record.resources:
            await self._tools.system.driver(resource).permit(resource)
        self._why = ""

    async def _close(self) -> None:
        """Record that the epoch is over; it is said only once that is on disk."""
        epoch = self.record.epoch
        while True:
            try:
                # A newer epoch that was granted meanwhile is not over.
                await self._amend(lambda now: now if now.may_run or now.epoch != epoch else now.over())
                return
            except DiskTrouble as error:
                self._why = str(NotRecorded(error))
                self._tools.tell()
                await asyncio.sleep(RETRY_S)

    async def _amend(self, how: Callable[[Record], Record], *, may_start: bool = False) -> None:
        """Change our record in the checkpoint. With `may_start`, only if it may be started at that moment. Raises MayNot."""

        def change(checkpoint: Checkpoint) -> Checkpoint:
            record = checkpoint.records.get(self.uid)
            if record is None:
                return checkpoint  # the session is over, and this instance with it
            if may_start and (refused := self.promotion.may_start(record, checkpoint)):
                raise MayNot(refused.why)
            return checkpoint.put(how(record))

        await self._tools.journal.change(change)

    async def _accept_what_needs_no_restart(self) -> None:
        """New probes and time limits count at once, the rest once drivers have brought it to what runs."""
        record = self.record
        if self.phase is not Phase.RUNNING or record.want != "Up" or not record.may_run:
            return
        is_current = record.running_revision == record.revision and record.resources == record.wanted
        if is_current or not await self._applying.is_done(record.resources, record.wanted):
            return
        is_another = record.resources != record.wanted
        try:
            await self._tools.journal.cover(self.uid, record.wanted)
            await self._amend(lambda now: now.accepted() if now == record else now)
        except DiskTrouble as error:
            log.warning("edit not recorded", extra={"instance": record.title, "why": str(error)})
            return
        if is_another:
            await self._let_go(watch_on=True)
            self._watch()
        self._tools.tell()

    # --- watching ---------------------------------------------------------------------------------------------

    async def _adopt(self) -> None:
        """Of what an earlier agent started it is not known whether it ever worked: its start may have been under way."""
        resources, system = self.record.resources, self._tools.system
        until_s = self.record.begun_at_s + await work.longest_start_s(system, resources)
        self._monitor.begin(resources, works=(), patience_until_s=until_s)

    def _watch(self) -> None:
        """What was brought up has answered its probes."""
        resources = self.record.resources
        self._monitor.begin(resources, works=[resource.name for resource in resources])

    def _say(self, why: str) -> None:
        """What a start is waiting for."""
        if why != self._why:
            self._why = why
            self._tools.tell()

    def _notice(self) -> None:
        if self._acts.note(self._monitor.by_admin, self._tools.wall()):
            log.info("changed by an admin", extra={"instance": self.record.title, "what": self._acts.said})
        self._wake.set()
        self._tools.tell()

    # --- what others are told ---------------------------------------------------------------------------------

    def report(self) -> InstanceReport:
        """What the status says of this instance."""
        return report_of(
            self.record,
            View(
                epoch=self._epoch,
                phase=self.phase,
                since=self._since,
                why=self._why,
                unrecorded=self.stops.unrecorded,
                stops_failed=self.stops.failed,
                stop_note=self.stops.note,
                gave_up=self._gave_up,
                error_type=self._error_type,
                by_admin=self._acts.said,
                hands_off=rules.hands_off(self.record, self._tools.journal.checkpoint),
                is_well=self._monitor.is_well,
                restarts=self._attempts.told(self.record),
                sentence=self._monitor.sentence,
                not_applied=self._applying.why,
                reloadable=self._monitor.reloadable,
                troubles=self._monitor.troubles,
                tolerated=self._monitor.tolerated,
                degraded=self._monitor.degraded,
                suspect=self._monitor.suspect,
                unclear=self._monitor.unclear,
                states={name: state.value for name, state in self._monitor.states.items()},
            ),
        )
