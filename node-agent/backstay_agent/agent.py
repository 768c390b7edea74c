"""The whole agent, composed: heartbeat, link, supervisor, and the life of a session that ties them together.

`Agent` takes every effect as a port (API, disk, host system, wall clock, random numbers), so the simulator runs this very code on virtual
time and kills it at any await. The parts live and die together; systemd starts the agent again within 50 ms.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from backstay_api.client.api import Api
from backstay_api.objects.plain import AgentSession, Facts, HostAssignmentStatus, HostChecks, HostProblem, StandbyReport
from backstay_api.objects.promise import PROFILES, Contract
from backstay_api.objects.texts import clip
from backstay_api.process.waiting import clock_s

from .cluster.heartbeat import Heartbeat
from .cluster.link import Link, Listeners
from .core.checkpoint import Record
from .core.leaving import GoingDown, why_not_stop
from .core.orders import Orders
from .core.reports import foreign_since
from .core.sanity import held_back, policy_problems
from .core.sessions import JournalState, Start, at_start
from .detection import Detection
from .host_system import HostSystem
from .run.roles import Roles
from .run.supervisor import ROUNDS_S, TELL_AFTER_S, Supervisor
from .run.tools import Tools
from .standby.editions import Editions
from .standby.prerequisites import Verifier
from .standby.secret_files import SecretFiles
from .standby.teller import Teller
from .store.disk import Disk, DiskTrouble
from .store.journal import Found, Journal

log = logging.getLogger(__name__)

NAME: Final = "state/host"
"""Where the name is kept under which this machine is enrolled."""
LAST_WORDS_S: Final = 10.0
"""A machine that goes down waits so long for the API server to store what is released."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What the host's own configuration says."""

    contract: Contract = field(default_factory=lambda: PROFILES["default"])
    """What is obeyed until the assignment was received."""
    facts: Facts = field(default_factory=Facts)
    wall: Callable[[], str] = lambda: "1970-01-01T00:00:00Z"
    """RFC 3339 time, for people's eyes only."""


@dataclass(frozen=True, kw_only=True)
class Machine:
    """Which machine, and which boot of it, this agent runs on."""

    host: str
    boot_id: str
    uuid: str


class Agent:
    """One host's agent; `await agent.run()` is its whole life."""

    def __init__(
        self,
        api: Api,
        disk: Disk,
        system: HostSystem,
        machine: Machine,
        *,
        rng: random.Random,
        settings: Settings = Settings(),
    ) -> None:
        self.machine = machine
        self.journal = Journal(disk, machine.boot_id)
        self._system = system
        self._rng = rng
        self._settings = settings
        self._facts = settings.facts
        self._policy_told = ""
        self._problems: tuple[HostProblem, ...] | None = None
        """With this host itself. None: nobody has looked."""
        self._foreign_since: Mapping[str, str] = {}
        """By UID of the HAInstance: since when something of it is seen to run here that we have not started."""
        self._over: asyncio.Future[str] | None = None
        self.heartbeat = Heartbeat(
            api,
            machine.host,
            wall=settings.wall,
            on_lost=self._end_session,
            on_refused=lambda: self.link.mark_dirty(),
            contract=settings.contract,
        )
        self._leaving: GoingDown | None = None
        tools = Tools(
            journal=self.journal,
            system=system,
            tell=self._changed,
            wall=settings.wall,
            leaving=self._how_it_leaves,
            drifted=self._drifted,
            take_back=lambda record: self._editions.take_back(record.uid),
        )
        self.supervisor = Supervisor(tools)
        self._standbys = system.standbys(lambda: self.link.mark_dirty())
        listening = self._on_orders, self._on_published, self._end_session, self._on_another, self._standbys
        self.link = Link(
            api,
            self.journal,
            host=machine.host,
            machine_uuid=machine.uuid,
            rng=rng,
            listeners=Listeners(*listening),
            body=self._status,
        )
        files = SecretFiles(api, machine.host, rng)
        self._editions = Editions(system, disk, self.supervisor, self._looks_again, system.policy.refusal, files)
        self._verifier = Verifier(self._editions.look, self.link.mark_dirty, system.policy.refusal)
        self._teller = Teller(system.parts, self.link.mark_dirty, system.policy.refusal, rng)
        self._roles = Roles(system.driver, self.link.mark_dirty)
        self._disk = disk
        self._was_published = asyncio.Event()
        self._orders = Orders()
        self._has_orders = False
        """The operator's orders have been received since this agent started."""
        self._were_received = asyncio.Event()

    async def run(self) -> None:
        """Live until cancelled. What runs on the host goes on running then."""
        found = await self.journal.load()
        async with asyncio.TaskGroup() as tasks:
            # The heartbeat first: what follows may import and connect heavy things.
            if (
                found.kept is JournalState.INTACT
                and self.journal.checkpoint.seq
                and not self.journal.checkpoint.seal_seen
            ):
                self.heartbeat.hold(self.journal.checkpoint.session)
            tasks.create_task(self.heartbeat.run(), name="heartbeat")
            tasks.create_task(self.link.watch(), name="link")
            tasks.create_task(self.link.report(), name="report")
            tasks.create_task(self._live(found, tasks), name="session")
            tasks.create_task(self._keep_name(), name="name")

    async def _live(self, found: Found, tasks: asyncio.TaskGroup) -> None:
        """Session after session; most agents see one."""
        await asyncio.sleep(0)  # the first renewal and the first list are on their way
        await self._system.open()
        await self._settle(found)
        tasks.create_task(self.supervisor.run(), name="supervisor")
        tasks.create_task(self._standbys.run(), name="standbys")
        tasks.create_task(self._editions.run(), name="editions")
        tasks.create_task(self._verifier.run(), name="prerequisites")
        tasks.create_task(self._teller.run(), name="questions")
        tasks.create_task(self._roles.run(), name="roles")
        self._update_standbys()
        unrecorded = self.supervisor.stop_unrecorded() if found.kept is JournalState.INTACT else None
        stopping = tasks.create_task(unrecorded, name="unrecorded") if unrecorded else None
        while True:
            why = self.journal.checkpoint.seal_seen or await self._session_ended()
            await self.supervisor.wind_down(why)
            if stopping:
                await stopping  # what no record knows belongs to this session too
            self.heartbeat.release()
            await self.supervisor.next_session(self._nonce())
            self._over = None
            self.link.mark_dirty()

    async def _settle(self, found: Found) -> None:
        """Come to a session that may be published: the one that is there, or a new one when nothing of ours runs."""
        if found.kept is JournalState.INTACT:
            log.info("session adopted", extra={"session": self.journal.checkpoint.session.text})
            return
        leftovers = bool(await self.supervisor.leftovers(run_is_intact=False))
        decision = at_start(found.kept, found.inventory, leftovers=leftovers)
        log.info("session begins", extra={"decision": decision.value, "journal": found.kept.value})
        if decision is Start.STOP_ALL:
            await self.supervisor.stop_what_was_found(found)
        await self._open_journal()

    async def _open_journal(self) -> None:
        """A disk that is full has room later: dying over it would only be a loop of restarts."""
        while True:
            try:
                await self.journal.open(self._nonce())
                return
            except DiskTrouble as error:
                log.error("no session: its journal cannot be written", extra={"why": str(error)})
                await asyncio.sleep(ROUNDS_S)

    async def _session_ended(self) -> str:
        """Wait until this session is over; why it is."""
        self._over = self._over or asyncio.get_running_loop().create_future()
        self.link.mark_dirty()
        return await self._over

    def _end_session(self, why: str) -> None:
        if self._over is None:
            self._over = asyncio.get_running_loop().create_future()
        if not self._over.done():
            self._over.set_result(why)

    async def shut_down(self, end: GoingDown) -> None:
        """The machine is going down in order: stop and release everything, say so, then return.

        The heartbeat goes on meanwhile: a host that falls silent before it has released what it holds is cut off.
        """
        log.info("the machine is going down", extra={"how": end.how})
        self._leaving = end
        self.link.mark_dirty()
        if not self.journal.has_session:
            return
        await self.supervisor.shut_down()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LAST_WORDS_S):
                await self.link.until_stored(_is_all_released)

    def _how_it_leaves(self) -> str:
        return self._leaving.how if self._leaving else ""

    def why_not_stop(self) -> str:
        """What an admin should know if the agent now ends alone; empty: nothing."""
        why = why_not_stop(self.journal.checkpoint if self.journal.has_session else None)
        return f"unless it is started again at once: {why}" if why else ""

    def _on_published(self) -> None:
        self._was_published.set()
        if not self.journal.checkpoint.seal_seen:
            self.heartbeat.hold(self.journal.checkpoint.session)
        self.supervisor.look_again()

    async def _keep_name(self) -> None:
        """Enrolled under this name: a machine that is renamed later is still this host."""
        await self._was_published.wait()
        try:
            await self._disk.write(NAME, f"{self.machine.host}\n")
        except DiskTrouble as error:
            log.warning("name of the host not kept", extra={"why": str(error)})

    def _on_orders(self, orders: Orders) -> None:
        if orders == self._orders and self._has_orders:
            return
        self._orders, self._has_orders = orders, True
        self.heartbeat.wish(orders.spec.heartbeat)
        self.supervisor.assign(orders)
        self._update_standbys()
        self._were_received.set()
        asyncio.get_running_loop().call_later(TELL_AFTER_S, self.link.mark_dirty)

    def _on_another(self) -> None:
        self._standbys.forget_who_has_read()
        self.link.mark_dirty()

    def _changed(self) -> None:
        self.supervisor.changed()
        self._update_standbys()
        self.link.mark_dirty()

    def _update_standbys(self) -> None:
        spec = self._orders.spec
        secured = frozenset(spec.secured) if self._has_orders else None
        ours, up, services = self.supervisor.ours(), self.supervisor.copies_up(), self._orders.services
        self._standbys.update(spec.standbys, ours=ours, secured=secured, up=up, over=spec.over, services=services)
        self._editions.update(spec.prerequisites)
        self._verifier.update(spec.prerequisites)
        self._teller.update(spec.prerequisites, spec.questions)
        self._roles.update(spec.roles, self.supervisor.copies_with_roles())

    async def _drifted(self, record: Record) -> str:
        if record.expects:
            # An earlier life has taken the order, and what is to be looked at stands in it alone.
            await self._were_received.wait()
        order = self._orders.spec.instances.get(record.uid)
        expects = order.expects if order is not None and order.epoch == record.epoch else ()
        why = await self._editions.take(record.uid, expects)
        return why or await self._verifier.drifted(record.uid, expects)

    def _looks_again(self) -> None:
        self._verifier.look_again()

    def _status(self, session: AgentSession) -> HostAssignmentStatus:
        return HostAssignmentStatus(
            session=session,
            instances=self.supervisor.reports(),
            standbys=self._standby_reports(),
            prerequisites=self._verifier.reports,
            exchange_key=self._teller.public,
            answers=self._teller.answers,
            roles=self._roles.reports(),
            facts=replace(self._facts, policy=clip(self._policy_told)),
            shutting_down=self._how_it_leaves(),
            shutdown_type=self._leaving.type if self._leaving else None,
            hands_off=bool(self.journal.checkpoint.hands_off),
            renewal_refused=self.heartbeat.refused,
            problems=self._problems,
            held=self._standbys.held,
        )

    def _standby_reports(self) -> dict[str, StandbyReport]:
        reports = self._standbys.reports
        known = {
            uid: held_back(reports[uid], self._problems or ()) for uid in self._orders.spec.standbys if uid in reports
        }
        self._foreign_since = foreign_since(known, self._foreign_since, self._settings.wall())
        since = {uid: replace(report, since=self._foreign_since.get(uid)) for uid, report in known.items()}
        return {**since, **self._orders.not_ready}

    def facts(self) -> dict[str, object]:
        """What is true of this agent now, for its health endpoint."""
        now_s = clock_s()
        renewed_at_s = self.heartbeat.renewed_at_s
        records = self.journal.checkpoint.records.values() if self.journal.has_session else ()
        return {
            "host": self.machine.host,
            "session": self.journal.checkpoint.session.text if self.journal.has_session else "",
            "lease_held": self.heartbeat.held,
            "lease_age_seconds": None if renewed_at_s is None else round(now_s - renewed_at_s, 3),
            "lease_trouble": self.heartbeat.trouble,
            "status_trouble": self.link.trouble,
            "trouble": self.supervisor.trouble,
            "problems": len(self._problems or ()),
            "instances_suspected": sum(bool(one.suspect) for one in self.supervisor.reports().values())
            if records
            else 0,
            "instances_that_may_run": sum(record.may_run for record in records),
            "detection": self.detection.facts(),
        }

    @property
    def detection(self) -> Detection:
        """How late this agent sees what happens here."""
        return self._system.detection

    def sentence(self) -> str:
        """What an admin of this host should know, on one line."""
        problems = "; ".join(one.why for one in self._problems or ())
        troubles = (self.supervisor.trouble, self.heartbeat.trouble, self.link.trouble, problems)
        if told := "; ".join(dict.fromkeys(filter(None, troubles))):
            return f"{self.machine.host}: {told}"
        records = self.journal.checkpoint.records.values() if self.journal.has_session else ()
        running = sum(record.may_run for record in records)
        lease = "lease held" if self.heartbeat.held else "waiting for its lease"
        mode = "; hands off" if self.journal.has_session and self.journal.checkpoint.hands_off else ""
        policy = f"; {self._policy_told}" if self._policy_told else ""
        return f"{self.machine.host}: {lease}; runs {running} of its {len(records)} instances{mode}{policy}"

    @property
    def checks(self) -> HostChecks | None:
        """What this host's admin wants looked at, as received."""
        return self._orders.spec.checks

    def learn(self, *, addresses: tuple[str, ...] | None = None, credential_until: str | None = None) -> None:
        """What is known of this machine has changed: told with the next status."""
        facts = self._facts
        if addresses is not None:
            facts = replace(facts, addresses=addresses)
        if credential_until is not None:
            facts = replace(facts, credential_until=credential_until)
        if facts != self._facts:
            self._facts = facts
            self.link.mark_dirty()

    def examined(self, problems: tuple[HostProblem, ...]) -> None:
        """What is wrong with this host itself: told at once, and nothing new is taken on meanwhile."""
        self._look_at_policy()
        problems = (*problems, *policy_problems(self._system.policy.faults))
        if problems != self._problems:
            if problems or self._problems:
                log.warning(
                    "problems of this host", extra={"why": "; ".join(one.why for one in problems) or "none any more"}
                )
            self._problems = problems
            self.link.mark_dirty()

    def _look_at_policy(self) -> None:
        said = self._system.policy.sentence
        if said != self._policy_told:
            log.info("policy of this host", extra={"what": said})
            self._policy_told = said
            self.supervisor.look_again()
            self.link.mark_dirty()

    def _nonce(self) -> str:
        return f"{self._rng.getrandbits(64):016x}"


def _is_all_released(status: HostAssignmentStatus) -> bool:
    return bool(status.shutting_down) and all(
        report.released or status.hands_off for report in status.instances.values()
    )
