"""One fence request, carried out: run what `core.next_steps` says, tell what was read, store the proof.

Everything here is bound to one request object, and so to one session: reads made for another session never count.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

from backstay_api.client.api import Api
from backstay_api.client.errors import ApiError, Conflict, NotFound
from backstay_api.objects import lease as leases
from backstay_api.objects.lease import HostLease
from backstay_api.objects.models import FenceRequest
from backstay_api.objects.models.fencing import FenceEvidence
from backstay_api.objects.models.host import FenceDevice, FenceLevel
from backstay_api.objects.object_kinds import FENCE_REQUESTS, HOST_LEASES, Unreadable
from backstay_api.objects.texts import clip, confirm_by_hand
from backstay_api.process.waiting import clock_s, until

from . import core, words
from .counters import Counters, FenceTime
from .devices import Devices
from .facts import Identity, Read, RequestFacts, Slot, Step, Tried
from .machines import Machines
from .naming import Naming
from .processes import AgentRun
from .records import Record, Records
from .watches import Watches

log = logging.getLogger(__name__)

_PATCHES: Final = 3
"""So often a status is written at once, if somebody has written the request meanwhile."""


@dataclass(frozen=True)
class Ports:
    """What a worker acts through."""

    api: Api
    devices: Devices
    known: Watches
    machines: Machines
    wall: Callable[[], str]
    """RFC 3339 now, for people's eyes."""
    identity: str
    """Of this life of the fencer, as its attempts bear it."""
    leads: Callable[[], bool]
    """Whether this fencer is the one that works."""
    counters: Counters


class Worker:
    """Carries out one FenceRequest until it is deleted, or another fencer leads."""

    def __init__(self, request: FenceRequest, ports: Ports) -> None:
        self._name = request.metadata.name
        self._uid = request.uid
        self._request = request
        self._ports = ports
        self._poke = asyncio.Event()
        self._has_led_on = True
        self._begun_s = float("inf")
        self._reads: dict[Slot, tuple[Read, ...]] = {}
        self._read_of: dict[Slot, str] = {}
        """Definition of the device that the reads are of: edited meanwhile, it is another one that nobody has read."""
        self._reading: set[Slot] = set()
        self._records = Records(ports.identity)
        self._writing = asyncio.Lock()
        self._known_levels: tuple[FenceLevel, ...] = ()
        """As last seen: who switched a host off owes it an `on`, be its Host removed meanwhile."""
        self._shared_with = ""
        """Another host that has said the same machine UUID."""
        self._naming = Naming(ports.known)
        self._seen_seq = 0
        """Of the newest session that a read has shown to hold the Lease: of two reads at once the older may come last."""
        self._written: dict[str, Any] = {}
        self._time = FenceTime(ports.counters)
        self._offs: set[asyncio.Task[None]] = set()
        """Those under way."""

    def poke(self, _: object = None) -> None:
        self._poke.set()

    async def run(self) -> None:
        """Work until cancelled, or until it leads no more and has nothing under way; its agents are its children and end with it."""
        self._begun_s = clock_s()
        # What an earlier life of the fencer sent may be tried again at once.
        self._observe(self._request, at_s=self._begun_s - core.RETRY_S)
        while await self._is_wanted():
            devices = [device for _, device in core.slots(self._levels())]
            async with self._ports.devices.expecting(devices), asyncio.TaskGroup() as tasks:
                asking = [tasks.create_task(self._know(device), name="identity") for device in devices]
                await self._serve(tasks)
                for question in asking:
                    question.cancel()

    def _leads(self) -> bool:
        """Without a break since it was begun: what another has sent meanwhile is for a worker that begins anew."""
        self._has_led_on = self._has_led_on and self._ports.leads()
        return self._has_led_on

    async def _is_wanted(self) -> bool:
        """Nothing is run, and nothing kept waiting, for a request that was withdrawn, or is proven and owes no `on`. False: another leads."""
        while self._leads() and not core.is_busy(facts := self.facts()):
            self._poke.clear()
            await self._update_status(facts)
            await self._poke.wait()
        return self._leads()

    async def _serve(self, tasks: asyncio.TaskGroup) -> None:
        while self._leads() and core.is_busy(self.facts()):
            self._poke.clear()
            self._end_needless_offs()
            # Begun before it is told: the next read runs while the API server is written to.
            upcoming = core.next_steps(self.facts())
            for step in upcoming.steps:
                self._begin(step, tasks)
            if upcoming.ask:
                self._naming.is_asking = True
                tasks.create_task(self._naming.ask_for_proof(self._name), name="machines").add_done_callback(self.poke)
            await self._update_status(self.facts())
            await until(self._poke, upcoming.wake_at_s)
        self._end_needless_offs()
        if not self._leads():
            await self._let_end()

    async def _let_end(self) -> None:
        """What was sent comes to its end, and is told; nothing else is begun or said, for another does that."""
        while self._reading or any(tried.ended_s is None for tried in self._records.tried()):
            self._poke.clear()
            await self._poke.wait()
            self._end_needless_offs()
        if self._records:
            await self._patch({})

    def _end_needless_offs(self) -> None:
        """An `off` that hangs until nobody wants it any more must not come through late, and hit a host that is back."""
        facts = self.facts()
        if facts.proven or facts.want != "Off":
            for task in self._offs:
                task.cancel()

    def facts(self) -> RequestFacts:
        request, levels = self._latest(), self._levels()
        return RequestFacts(
            want=request.spec.want,
            after="On" if self._may_be_on(request) else "StayOff",
            over=self._is_over(self._ports.known.lease(request.spec.host)),
            proven=request.status.evidence is not None,
            powered_on=request.status.powered_on,
            levels=levels,
            identity={slot: self._identity(slot, device) for slot, device in core.slots(levels)},
            reads=self._reads_of(levels),
            tried=self._records.tried(),
            reading=frozenset(self._reading),
            now_s=clock_s(),
            begun_s=self._begun_s,
            not_known=self._ports.machines.not_known(request.spec.host),
            shared_with=self._sharing(request),
            asked_s=self._naming.asked_s,
            asking=self._naming.is_asking,
        )

    def _identity(self, slot: Slot, device: FenceDevice) -> Identity:
        known, host = self._ports.known, self._request.spec.host
        others = partial(known.devices_of_others, host)
        told = known.told_of(host, slot)
        return self._ports.devices.identity(device, self._request.spec.machine_uuid, told, others=others)

    def _sharing(self, request: FenceRequest) -> str:
        """Who shares its machine's UUID; or did, until somebody removed either Host: their boards still have the name."""
        now = self._ports.machines.shared_with(request.spec.host, request.spec.machine_uuid)
        if now or self._ports.known.machine_uuid(self._shared_with):
            self._shared_with = now
        return self._shared_with

    def _may_be_on(self, request: FenceRequest) -> bool:
        """Asked for when it was cut off, and nobody has said otherwise since: somebody may be at work on the machine."""
        host = self._ports.known.host(request.spec.host)
        if host is None:
            return request.spec.after == "On"
        return request.spec.after == "On" == host.spec.fencing.after and not host.is_hands_off

    def _latest(self) -> FenceRequest:
        """The newest version of *this* request; one recreated under the same name is another."""
        seen = self._ports.known.request(self._name)
        if seen is not None:
            self._observe(seen)
        return self._request

    def _observe(self, request: FenceRequest | Unreadable, at_s: float | None = None) -> None:
        """A newer version: it may tell of what another fencer has sent, be it an earlier life of ours."""
        if isinstance(request, Unreadable) or request.uid != self._uid or _version(request) < _version(self._request):
            return
        now_s = clock_s()
        if request is not self._request or at_s is not None:
            self._records.observe(request.status.attempts, now_s=now_s, at_s=now_s if at_s is None else at_s)
        self._request = request
        self._time.see(want=request.spec.want, is_proven=request.status.evidence is not None, now_s=now_s)

    def _levels(self) -> tuple[FenceLevel, ...]:
        host = self._ports.known.host(self._request.spec.host)
        if host is not None:
            self._known_levels = tuple(host.spec.fencing.levels)
        return self._known_levels

    def _reads_of(self, levels: tuple[FenceLevel, ...]) -> dict[Slot, tuple[Read, ...]]:
        present = {slot: self._ports.devices.definition(device) for slot, device in core.slots(levels)}
        return {slot: reads for slot, reads in self._reads.items() if self._read_of.get(slot) == present.get(slot)}

    def _is_over(self, lease: HostLease | None) -> bool:
        session = self._request.spec.session
        return lease is not None and leases.is_over(lease, holder=session.text, seq=session.seq)

    async def _know(self, device: FenceDevice) -> None:
        while not await self._ports.devices.know(device):
            await asyncio.sleep(core.UNSENT_RETRY_S)
        self.poke()

    def _begin(self, step: Step, tasks: asyncio.TaskGroup) -> None:
        if step.action == "status":
            self._reading.add(step.slot)
            tasks.create_task(self._read(step.slot), name=f"read {step.slot}")
        else:
            now_s = clock_s()
            record = self._records.begin(step.slot, step.action, at=self._ports.wall(), now_s=now_s)
            task = tasks.create_task(self._switch(record), name=f"{step.action} {step.slot}")
            if step.action == "off":
                self._offs.add(task)
                task.add_done_callback(self._offs.discard)

    async def _read(self, slot: Slot) -> None:
        """One status read. Whether it counts as made after the seal is settled before it begins."""
        after_seal, begun_s = self._is_over(self._ports.known.lease(self._request.spec.host)), clock_s()
        try:
            run, asked = await self._run(slot, "status")
            power, message = core.judge_read(exit_code=run.exit_code, output=run.output)
            read = Read(power, begun_s, clock_s(), after_seal, message)
            before = self._reads.get(slot, ()) if self._read_of.get(slot) == asked else ()
            self._reads[slot], self._read_of[slot] = core.followed_by(before, read), asked
            self._records.see(slot, read)
        finally:
            self._reading.discard(slot)
            self.poke()

    async def _switch(self, record: Record) -> None:
        """One `off` or `on`: only if the request and the Lease, read again, still ask for it, and recorded before it is sent."""
        tried = record.tried
        try:
            asked = [self._naming.ask()] if tried.action == "off" else []
            refused = next(filter(None, await asyncio.gather(self._not_wanted(tried), *asked)), "")
            refused = refused or self._not_trusted(tried) or await self._not_recorded(record)
            refused = refused or ("" if self._leads() else "another fencer leads")
            if refused := refused or self._not_trusted(tried):
                record.end(clock_s(), result=f"{core.UNSENT}: {refused}", ours=False, failed=core.UNSENT, unsent=True)
                return
            run, _ = await self._run(tried.slot, tried.action)
            result = f"exit {run.exit_code}: {run.output.strip()[-200:]}"
            log.warning("fence agent ran", extra={"request": self._name, "slot": tried.slot, "action": tried.action})
            record.end(clock_s(), result=result, ours=True, failed="" if run.exit_code == 0 else result)
        finally:
            if record.tried.ended_s is None:
                record.end(clock_s(), result="cancelled: no longer requested", ours=record.tried.ours)
            self.poke()

    async def _not_wanted(self, tried: Tried) -> str:
        """Asked of the API server itself, just before: what the watches know may be old (PROTOCOL 5)."""
        try:
            request = await self._ports.api.get(FENCE_REQUESTS, self._name)
            lease = await self._ports.api.get(HOST_LEASES, self._request.spec.host, leases.NAMESPACE)
        except NotFound:
            # A removed host has no Lease any more; an `on` that is owed to it needs none.
            return "" if tried.action == "on" and self._may_be_on(self._latest()) else "request or lease is gone"
        except ApiError as error:
            log.warning(
                "power not switched: request or Lease could not be read",
                extra={"request": self._name, "why": str(error)},
            )
            return f"request and lease could not be read ({error})"
        if not isinstance(request, FenceRequest) or request.uid != self._uid or not isinstance(lease, HostLease):
            return "request or lease is another one"
        self._observe(request)
        self._seen_seq = max(self._seen_seq, lease.seq)
        if tried.action == "on":
            # Withdrawn while our `off` came through: nobody will prove anything any more, and the host is off through us.
            is_over = request.status.evidence is not None or request.spec.want == "Withdrawn"
            is_wanted = is_over and self._may_be_on(request)
        else:
            # Sealed for this very session: a newer one in the Lease may be alive and well (it proves nothing is left to cut off).
            is_sealed = lease.sealed and lease.holder == self._request.spec.session.text
            is_wanted = request.spec.want == "Off" and request.status.evidence is None and is_sealed
        return "" if is_wanted else "request or lease no longer ask for it"

    async def _not_recorded(self, record: Record) -> str:
        """What may have been sent stands in the request before it is: whoever comes after us owes the `on`."""
        record.sends()
        return "" if await self._patch({"attempts": self._records.wire()}) else "it could not be recorded"

    def _not_trusted(self, tried: Tried) -> str:
        """Host or Secret may have named another device since it was decided; an `on` is owed to whatever we switched off."""
        if tried.action == "off" and self._seen_seq > self._request.spec.session.seq:
            return "a newer session holds the Lease"
        return core.distrust(tried.slot, self.facts()) if tried.action == "off" else ""

    async def _run(self, slot: Slot, action: Any) -> tuple[AgentRun, str]:
        device = next((device for at, device in core.slots(self._levels()) if at == slot), None)
        if device is None:
            return AgentRun(124, "the device is no longer in the Host's spec"), ""
        return await self._ports.devices.run(device, action)

    async def _update_status(self, facts: RequestFacts) -> None:
        """Bring the request's status up to what is known, if it says anything new."""
        if facts.proven:
            await self._update_proven(facts)
            return
        if facts.want == "Withdrawn" and not core.unsettled(facts):
            # What was read in a false alarm says nothing about the next one.
            self._reads.clear()
            facts = replace(facts, reads={})
        found = core.proof(facts)
        status: dict[str, Any] = {
            "power": core.power(facts),
            "reads": words.latest(self._reads),
            "attempts": self._records.wire(),
        }
        if facts.want == "Withdrawn":
            status |= {"message": words.withdrawn(facts), "staysOff": bool(words.not_on(facts))}
        elif isinstance(found, FenceEvidence):
            status |= {"evidence": found.wire(), "message": found.why, "missing": ""}
        else:
            status |= {"message": self._missing(found), "missing": found}
        await self._write(status)

    async def _update_proven(self, facts: RequestFacts) -> None:
        """What was proven stands; what is told is how it goes with the `on` that we owe."""
        evidence = self._latest().status.evidence
        if not self._records or evidence is None:
            return
        is_on = facts.powered_on or core.is_done_on(facts)
        message = words.on_again(replace(facts, powered_on=is_on))
        status: dict[str, Any] = {
            "attempts": self._records.wire(),
            "message": "; ".join(filter(None, (evidence.why, message))),
            "staysOff": not is_on and bool(words.not_on(facts)),
        }
        if is_on:
            status["poweredOn"] = True
        await self._write(status)

    async def _write(self, status: dict[str, Any]) -> None:
        status = {key: clip(value) if isinstance(value, str) else value for key, value in status.items()}
        if status != self._written and await self._patch(status):
            self._written = status

    def _missing(self, gaps: str) -> str:
        host = self._request.spec.host
        return f"{host} is not proven off: {gaps}. If you have seen that it is powered off: {confirm_by_hand(host)}"

    async def _patch(self, status: dict[str, Any]) -> bool:
        """One compare-and-swap, so that what another fencer tells of an `off` of its own is never written over."""
        try:
            async with self._writing:
                await self._swap(status)
        except ApiError as error:
            log.warning("status not written", extra={"request": self._name, "why": str(error)})
            # Tried again at the next turn; a turn is due soon, since somebody waits for this proof.
            asyncio.get_running_loop().call_later(0.5, self.poke)
            return False
        return True

    async def _swap(self, status: dict[str, Any]) -> None:
        for left in reversed(range(_PATCHES)):
            meta = {"uid": self._uid, "resourceVersion": self._request.metadata.resource_version}
            body = {"metadata": meta, "status": {**status, "attempts": self._records.wire()}}
            try:
                self._observe(await self._ports.api.patch(FENCE_REQUESTS, self._name, body, subresource="status"))
                return
            except Conflict:
                if not left:
                    raise
            self._observe(await self._ports.api.get(FENCE_REQUESTS, self._name))


def _version(request: FenceRequest) -> int:
    return int(request.metadata.resource_version or 0)
