"""All instances of this host: turns orders into records and records into runners, and brings everything exclusive down when told.

Absence of an order is no information: only `want: Down`, or the end of the session, stops anything.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Final, Literal

from backstay_agent.core import reports, rules
from backstay_agent.core.checkpoint import Checkpoint, Record
from backstay_agent.core.machine import Phase
from backstay_agent.core.orders import NotUnderstood, Orders, allowed
from backstay_agent.drivers.base import StopFailed
from backstay_agent.policy.answers import Answers
from backstay_agent.store.disk import DiskTrouble
from backstay_agent.store.journal import Found, Journal
from backstay_api.objects.edits import same_work
from backstay_api.objects.ocf_roles import has_roles
from backstay_api.objects.plain import InstanceOrder, InstanceReport, RenderedResource
from backstay_api.objects.resource_kinds import claims_of, likely_start_order
from backstay_api.process.waiting import clock_s, within

from .roles import Copy
from .runner import Runner
from .stopping import RETRY_S, Stops
from .tools import Tools
from .work import take_down

log = logging.getLogger(__name__)

LOOK_AGAIN_S: Final = 30.0
"""Until what was refused is asked again: an admin may have removed the reason."""
TELL_AFTER_S: Final = 0.01
"""What was ordered is told so long after it was taken: a client waits for what is begun, and nobody for that word."""
UNSEEN_S: Final = 0.5
ROUNDS_S: Final = RETRY_S
"""Until a full disk, or something that could not be stopped, is tried again."""
STUCK_S: Final = 60.0
"""A machine that goes down waits so long for what does not stop, when that is all that is left."""


_NOTHING: Final = Orders()
"""Nothing was received yet."""


class Supervisor:
    """Runners by UID of the HAInstance."""

    def __init__(self, tools: Tools) -> None:
        self._tools = replace(tools, is_up=self._is_up, stops=self._stops)
        self._journal: Journal = tools.journal
        self._runners: dict[str, tuple[Runner, asyncio.Task[None]]] = {}
        self._received = self._allowed = _NOTHING
        self._policy_of_orders, self._policy_of_standbys = Answers(tools.system.policy), Answers(tools.system.policy)
        self._news = asyncio.Event()
        self._settled = asyncio.Event()
        self._not_taken: dict[str, str] = {}
        """Orders that could not be journalled, and why."""
        self.trouble = ""

    @property
    def _orders(self) -> Mapping[str, InstanceOrder]:
        return self._allowed.spec.instances

    def assign(self, orders: Orders) -> None:
        if orders != self._received:
            self._received = orders
            self._news.set()

    def look_again(self) -> None:
        """The session is another, or was published: orders mean something else now."""
        self._news.set()

    def changed(self) -> None:
        """An instance has changed: others may have waited for that."""
        self._settled.set()
        records = self._journal.checkpoint.records
        promoted = {(one.namespace, one.service) for one in records.values() if one.role}
        for uid, (runner, _) in self._runners.items():
            runner.promotion.others_changed()
            record = records.get(uid)
            if runner.phase is Phase.STOPPED or (record and (record.namespace, record.service) in promoted):
                runner.poke()

    async def run(self) -> None:
        """Carry out orders until cancelled. What runs goes on running then."""
        async with asyncio.TaskGroup() as tasks:
            while True:
                await self._sync_runners(tasks)
                await self._cover_standbys()
                await within(self._news, LOOK_AGAIN_S)
                self._news.clear()
                await self._obey_hands_off()
                await self._take_orders()

    # --- orders -----------------------------------------------------------------------------------------------

    async def _obey_hands_off(self) -> None:
        """Known before any other order is looked at, and by the next agent of this host before it has received anything."""
        wanted = self._received.spec.hands_off
        if self._received is not _NOTHING and wanted != self._journal.checkpoint.hands_off:
            await self._journal.restrict(lambda checkpoint: checkpoint.handed_off(wanted))
            log.info("HandsOff maintenance begins" if wanted else "HandsOff maintenance ends", extra={"why": wanted})
            self._tools.tell()

    async def _take_orders(self) -> None:
        """Journal what the orders say, all of them in one write. What the host's policy refuses is none, and no inventory lists it."""
        refused_before = self._allowed.not_understood
        # A stop is always allowed.
        wanted = {uid: order for uid, order in self._received.spec.instances.items() if order.want == "Up"}
        self._allowed = allowed(self._received, self._policy_of_orders.refusals(wanted))
        if self._allowed.not_understood != refused_before:
            asyncio.get_running_loop().call_later(TELL_AFTER_S, self._tools.tell)
        orders, self._not_taken = self._orders, {}
        aside = {uid: one.order for uid, one in self._allowed.not_understood.items()}
        try:
            before = self._journal.checkpoint
            after = await self._journal.change(lambda checkpoint: _after_orders(checkpoint, orders, aside))
        except DiskTrouble as error:
            self._not_taken = dict.fromkeys(orders, f"the order cannot be recorded: {error}")
            asyncio.get_running_loop().call_later(ROUNDS_S, self._news.set)
            self._tools.tell()
            return
        if after != before:
            # A start comes before the word about it, and says its own.
            asyncio.get_running_loop().call_later(TELL_AFTER_S, self._tools.tell)

    async def _cover_standbys(self) -> None:
        standbys = self._received.spec.standbys
        refused = self._policy_of_standbys.refusals(standbys)
        try:
            await self._journal.cover_ahead(
                {uid: order.resources for uid, order in standbys.items() if uid not in refused}
            )
        except DiskTrouble as error:
            log.warning("inventory of what may run is not written", extra={"why": str(error)})

    async def _sync_runners(self, tasks: asyncio.TaskGroup) -> None:
        """A runner for each open record; none for what an ended session has taken along."""
        records = self._journal.checkpoint.records if self._journal.has_session else {}
        self._drop_runners(but=records)
        for uid, record in records.items():
            if uid in self._runners:
                self._runners[uid][0].poke()
            elif not record.closed:
                runner = Runner(uid, self._tools)
                self._runners[uid] = (runner, tasks.create_task(runner.run(), name=f"runner {uid}"))

    def _drop_runners(self, *, but: Collection[str]) -> None:
        for uid in [uid for uid in self._runners if uid not in but]:
            self._runners.pop(uid)[1].cancel()

    # --- the end of a session ---------------------------------------------------------------------------------

    async def wind_down(self, why: str) -> None:
        """Nothing starts any more; returns when nothing exclusive of this session can still run."""
        await self._journal.restrict(lambda checkpoint: checkpoint.sealed(why))
        log.warning(
            "the session of this agent is over", extra={"session": self._journal.checkpoint.session.text, "why": why}
        )
        self._news.set()
        while left := _may_still_run(self._journal.checkpoint):
            self.trouble = f"still to be stopped: {', '.join(left)}"
            await self._settled.wait()
            self._settled.clear()
        self.trouble = ""

    async def shut_down(self) -> None:
        """The machine is going down: returns when everything is stopped and its epochs are closed, or nothing more can be done.

        Under maintenance mode HandsOff nothing is stopped by us, and so nothing is said to be over.
        """
        self._news.set()
        for runner, _ in self._runners.values():
            runner.poke()
        hopeless_since_s: float | None = None
        while (left := self._open_ones()) and not self._journal.checkpoint.hands_off:
            self.trouble = f"this machine is going down, and still to be stopped: {', '.join(left)}"
            hopeless_since_s = (hopeless_since_s or clock_s()) if self._is_hopeless() else None
            if hopeless_since_s is not None and clock_s() - hopeless_since_s > STUCK_S:
                return
            await within(self._settled, 1.0)
            self._settled.clear()
        self.trouble = ""

    def _is_hopeless(self) -> bool:
        """Whatever is left has been told to stop, and did not."""
        left = [runner for runner, _ in self._runners.values() if not runner.record.closed]
        return all(one.stops.would_not or one.promotion.is_waiting for one in left)

    def _is_up(self, uid: str) -> bool:
        """What no runner has looked at yet is as it was left."""
        known = self._runners.get(uid)
        return known is None or known[0].phase in (Phase.RUNNING, Phase.LEFT)

    def _stops(self, uid: str) -> Stops | None:
        known = self._runners.get(uid)
        return known[0].stops if known else None

    def _open_ones(self) -> list[str]:
        records = self._journal.checkpoint.records.values() if self._journal.has_session else ()
        return [record.title for record in records if not record.closed]

    async def next_session(self, nonce: str) -> None:
        """Record the end of the session and the begin of another, in one write."""
        while True:
            try:
                await self._journal.change(lambda checkpoint: checkpoint.next_session(nonce))
                break
            except DiskTrouble as error:
                self.trouble = f"everything is stopped, but that cannot be recorded: {error}"
                await asyncio.sleep(ROUNDS_S)
        self.trouble = ""
        self._drop_runners(but=self._journal.checkpoint.records)
        self._news.set()

    async def leftovers(self, *, run_is_intact: bool) -> Sequence[RenderedResource]:
        """What is recognisable as ours on this host; waits until that can be seen (systemd may only be coming up).

        It is of any number of services, so the names in `after` say nothing here: they could even go round in a circle.
        """
        while True:
            try:
                found = await self._tools.system.leftovers(run_is_intact=run_is_intact)
                return [replace(resource, after=None) for resource in found]
            except StopFailed as error:
                self.trouble = str(error)
                log.warning("leftovers not seen", extra={"why": self.trouble})
                await asyncio.sleep(UNSEEN_S)

    async def stop_unrecorded(self) -> None:
        """Stop, verifiably, what is recognisably ours but not in the checkpoint: nothing of ours may run without a record."""
        left = await self.leftovers(run_is_intact=True)
        while unrecorded := [resource for resource in left if not self._is_recorded(resource)]:
            log.error(
                "unrecorded resource, running or with an open gate",
                extra={"resources": ", ".join(resource.name for resource in unrecorded)},
            )
            if await self._stopped(likely_start_order(unrecorded)):
                break
            await asyncio.sleep(ROUNDS_S)
        self.trouble = ""

    def _is_recorded(self, resource: RenderedResource) -> bool:
        recorded = [rules.claims(record) for record in self._journal.checkpoint.records.values() if record.may_run]
        return any(not claims.isdisjoint(claims_of([resource])) for claims in recorded)

    async def stop_what_was_found(self, found: Found) -> None:
        """No journal tells what runs: stop, verifiably, all that the inventory lists and all that is recognisably ours."""
        if found.why:
            log.error("journal not trusted, stopping what may run", extra={"why": found.why})
        listed = [one for group in found.may_run for one in group]
        # What was started is recognised as it was then; the inventory may list a stop that somebody has mended since.
        leftovers = [
            one
            for one in await self.leftovers(run_is_intact=False)
            if not any(same_work([one], [known]) for known in listed)
        ]
        left: list[Sequence[RenderedResource]] = [*found.may_run, likely_start_order(leftovers)]
        while left:
            left = [group for group in left if not await self._stopped(group)]
            if left:
                await asyncio.sleep(ROUNDS_S)
        self.trouble = ""

    async def _stopped(self, group: Sequence[RenderedResource]) -> bool:
        try:
            await take_down(self._tools.system, group)
        except StopFailed as error:
            self.trouble = f"left by an earlier agent, and not to be stopped: {error}"
            log.error("leftovers not stopped", extra={"why": self.trouble})
            return False
        return True

    # --- what others are told ---------------------------------------------------------------------------------

    def reports(self) -> dict[str, InstanceReport]:
        """Everything that runs here, or did in this session and is still asked about."""
        checkpoint = self._journal.checkpoint
        reported = {
            uid: self._report(record)
            for uid, record in checkpoint.records.items()
            if record.may_run or not record.closed or uid in self._received.spec.instances
        }
        for uid, why in self._not_taken.items():
            order = self._orders.get(uid)
            if uid not in reported and order is not None and order.session == checkpoint.session:
                reported[uid] = _refusal(order, why, phase="Stopped")
        for uid, answer in self._allowed.not_understood.items():
            if answer.order.session == checkpoint.session:
                reported[uid] = _with_answer(reported.get(uid), answer)
        return reported

    def ours(self) -> dict[str, tuple[RenderedResource, ...]]:
        """What runs here by us, or may, or is about to, by UID."""
        ordered = {uid: order.resources for uid, order in self._orders.items() if order.want == "Up"}
        records = self._journal.checkpoint.records if self._journal.has_session else {}
        open_ones = {uid: record for uid, record in records.items() if not record.closed}
        return {**ordered, **{uid: (*record.resources, *record.wanted) for uid, record in open_ones.items()}}

    def runs(self, uid: str) -> bool:
        """Whether it runs here by us, or may."""
        record = self._journal.checkpoint.records.get(uid) if self._journal.has_session else None
        return record is not None and record.may_run

    async def restart(self, uid: str, names: Collection[str]) -> str | None:
        """Restart these resources of it, which counts for nothing. Why they have not come up, in a sentence; empty: they work; None: it
        was not done."""
        if (known := self._runners.get(uid)) is None:
            return None
        record = known[0].record
        # What runs goes on, whatever the host's admin has come to refuse since.
        refused = await self._tools.system.policy.refused(record.namespace, record.resources, is_known=True)
        return f"it may not be restarted here: {refused}" if refused else await known[0].asked.ask(names)

    def was_cut_off(self, uid: str) -> bool:
        """Whether something else came between, when it was restarted last because that was asked for."""
        known = self._runners.get(uid)
        return known is not None and known[0].asked.was_cut_off

    def is_restarted(self, uid: str) -> bool:
        """Whether it is restarted at the moment because that was asked for."""
        known = self._runners.get(uid)
        return known is not None and known[0].asked.is_under_way

    def hands_off(self, uid: str) -> str:
        """Why nothing of it is touched here: this host's maintenance, or its own manifest. Empty: it is."""
        checkpoint = self._journal.checkpoint if self._journal.has_session else None
        record = checkpoint.records.get(uid) if checkpoint is not None else None
        return (checkpoint.hands_off if checkpoint else "") or (record.hands_off if record else "")

    def copies_up(self) -> set[tuple[str, str]]:
        """Namespace and name of each service of which a copy is up here."""
        records = self._journal.checkpoint.records if self._journal.has_session else {}
        up = [uid for uid, (runner, _) in self._runners.items() if uid in records and runner.phase is Phase.RUNNING]
        return {(records[uid].namespace, records[uid].service) for uid in up if not records[uid].role}

    def copies_with_roles(self) -> dict[str, Copy]:
        """Those of this host that an agent with roles runs, by UID."""
        records = self._journal.checkpoint.records if self._journal.has_session else {}
        found: dict[str, Copy] = {}
        for uid, record in records.items():
            with_roles = None if record.role else next((one for one in record.resources if has_roles(one)), None)
            if with_roles is not None and uid in self._runners:
                found[uid] = Copy(with_roles, self._runners[uid][0].phase is Phase.RUNNING)
        return found

    def _report(self, record: Record) -> InstanceReport:
        known = self._runners.get(record.uid)
        return known[0].report() if known else reports.of_record(record)


def _after_orders(
    checkpoint: Checkpoint, orders: Mapping[str, InstanceOrder], aside: Mapping[str, InstanceOrder]
) -> Checkpoint:
    for take, taken_by in ((rules.take, orders), (rules.take_aside, aside)):
        for uid, order in taken_by.items():
            if isinstance(taken := take(uid, order, checkpoint), Record):
                checkpoint = checkpoint.put(taken)
    return checkpoint


def _may_still_run(checkpoint: Checkpoint) -> list[str]:
    return [record.title for record in checkpoint.records.values() if record.exclusive and record.may_run]


def _refusal(order: InstanceOrder, why: str, *, phase: Literal["Stopped", "Failed"]) -> InstanceReport:
    return InstanceReport(
        namespace=order.namespace,
        name=order.name,
        service=order.service,
        epoch=order.epoch,
        phase=phase,
        healthy=False,
        why=why,
    )


def _with_answer(running: InstanceReport | None, answer: NotUnderstood) -> InstanceReport:
    """What runs here goes on as it was started; what does not run is not started."""
    if running is None or (running.phase in ("Stopped", "Failed") and running.epoch < answer.order.epoch):
        return _refusal(answer.order, answer.why, phase="Failed")
    return replace(running, why="; ".join(filter(None, (running.why, answer.why))))
