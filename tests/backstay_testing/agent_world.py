"""One host's agent in a small world, for its stories: API, disk and machine in memory, and a hand that plays the operator."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from backstay_agent.agent import Agent, Machine, Settings
from backstay_agent.cluster.link import ASSIGNMENTS
from backstay_agent.fake import FakeHostSystem, FakeMachine
from backstay_agent.store.disk import MemoryDisk
from backstay_api.memory.admission import admit_as_ours
from backstay_api.memory.server import Faults, MemoryApi, MemoryCluster
from backstay_api.objects import lease as leases
from backstay_api.objects.kinds import LEASES
from backstay_api.objects.plain import (
    AgentSession,
    HostAssignment,
    InstanceReport,
    RenderedResource,
    SessionRef,
    Systemd,
    VirtualIP,
)
from backstay_api.objects.promise import PROFILES

HOST = "n1"
UNIT = "unit web.service"
ADDRESS = "address 192.0.2.10"


def unit(name: str = "server", unit: str = "web.service", **more: Any) -> RenderedResource:
    return RenderedResource(name=name, systemd=Systemd(unit=unit), **more)


def address(name: str = "address", address: str = "192.0.2.10/24", **more: Any) -> RenderedResource:
    return RenderedResource(name=name, virtual_ip=VirtualIP(address=address), **more)


class World:
    """API, one host, and what the operator would write."""

    def __init__(self, *, seed: int = 0, faults: Faults | None = None, guarded: bool = True) -> None:
        self.cluster = MemoryCluster()
        if guarded:
            admit_as_ours(self.cluster)  # what the API server would refuse is refused here
        self.faults = faults
        self.operator = MemoryApi(self.cluster, actor="operator")
        self.api = MemoryApi(self.cluster, faults, actor="agent")
        self.disk = MemoryDisk()
        self.machine = FakeMachine()
        self.system = FakeHostSystem(self.machine)
        self.boot = 1
        self.rng = random.Random(seed)
        self.agent: Agent | None = None
        self._life: asyncio.Task[None] | None = None

    async def prepare(self) -> None:
        """Host enrolled: assignment and Lease are there."""
        body = {"metadata": {"name": HOST}, "spec": {"heartbeat": {"profile": "lab"}, "instances": {}, "standbys": {}}}
        await self.operator.create(ASSIGNMENTS, HostAssignment.from_wire(body))
        await self.operator.create(LEASES, leases.write(leases.new(HOST)), leases.NAMESPACE)

    # --- the agent's lives ------------------------------------------------------------------------------------

    def start_agent(self, *, blind: bool = False) -> Agent:
        assert self._life is None or self._life.done(), "one agent at a time"
        self.system = FakeHostSystem(self.machine)
        self.system.blind = blind
        self.agent = Agent(
            self.api,
            self.disk,
            self.system,
            Machine(host=HOST, boot_id=f"boot-{self.boot}", uuid="uuid-1"),
            rng=self.rng,
            settings=Settings(contract=PROFILES["lab"]),
        )
        self._life = asyncio.create_task(self.agent.run())
        return self.agent

    def end_now(self) -> None:
        """As SIGKILL, from within what it does: it comes no further than to its next await."""
        assert self._life
        self._life.cancel()

    async def kill_agent(self) -> None:
        """As SIGKILL: it does nothing more."""
        assert self._life
        if self._life.done() and not self._life.cancelled():
            self._life.result()
        self._life.cancel()
        await asyncio.wait([self._life])

    async def reboot(self) -> None:
        await self.kill_agent()
        for name in list(self.machine.running):
            self.machine.down(name)
        self.disk.lose_run()
        self.machine.gates.clear()
        self.boot += 1

    # --- what can be seen -------------------------------------------------------------------------------------

    async def assignment(self) -> HostAssignment:
        found = await self.operator.get(ASSIGNMENTS, HOST)
        assert isinstance(found, HostAssignment)
        return found

    async def session(self) -> AgentSession:
        found = (await self.assignment()).status.session
        assert found, "no session is published"
        return found

    async def lease(self) -> leases.HostLease:
        stored = await self.operator.get(LEASES, HOST, leases.NAMESPACE)
        return leases.read(stored)

    async def report(self, uid: str = "u1") -> InstanceReport | None:
        return (await self.assignment()).status.instances.get(uid)

    async def until(self, what: Callable[[], Any], *, limit_s: float = 60.0) -> None:
        """Wait until something is true; look every 10 ms. The agent must live meanwhile."""
        async with asyncio.timeout(limit_s):
            while True:
                found = what()
                if asyncio.iscoroutine(found):
                    found = await found
                if found:
                    return
                if self._life and self._life.done():
                    self._life.result()
                await asyncio.sleep(0.01)

    async def held(self) -> SessionRef:
        """The session that holds the Lease, as soon as that is the agent's own."""

        async def holds() -> bool:
            stored, lease = (await self.assignment()).status.session, await self.lease()
            return stored is not None and not lease.sealed and lease.holder == f"{stored.boot_id}/{stored.nonce}"

        await self.until(holds)
        stored = await self.session()
        return SessionRef(boot_id=stored.boot_id, nonce=stored.nonce, seq=stored.seq)

    # --- the operator's hand ----------------------------------------------------------------------------------

    async def order(self, want: str = "Up", *, uid: str = "u1", epoch: int = 1, **more: Any) -> None:
        """Write one entry; by default for the stored session, a unit and an address."""
        stored = await self.assignment()
        session = more.pop("session", None)
        if session is None:
            now = await self.session()
            session = SessionRef(boot_id=now.boot_id, nonce=now.nonce, seq=now.seq)
        resources = more.pop("resources", (unit(), address()))
        entry = {
            "namespace": "shop",
            "name": f"web-{uid}",
            "epoch": epoch,
            "session": session.to_wire(),
            "want": want,
            "exclusive": more.pop("exclusive", True),
            "revision": more.pop("revision", 1),
            "resources": [resource.to_wire() for resource in resources],
        }
        entry |= {name: more.pop(name) for name in ("recovery", "cleared", "handsOff", "expects") if name in more}
        assert not more
        await self.operator.patch(ASSIGNMENTS, HOST, {"spec": {"instances": {uid: None}}})
        await self.operator.patch(ASSIGNMENTS, HOST, {"spec": {"instances": {uid: entry}}})
        assert stored

    async def forget_order(self, uid: str = "u1") -> None:
        await self.operator.patch(ASSIGNMENTS, HOST, {"spec": {"instances": {uid: None}}})

    async def seal(self) -> None:
        lease = await self.lease()
        await self.operator.replace(LEASES, leases.write(lease.sealed_()))

    async def reopen(self) -> None:
        """For the session that is published now."""
        session, lease = await self.session(), await self.lease()
        reopened = lease.reopened(f"{session.boot_id}/{session.nonce}", session.seq)
        await self.operator.replace(LEASES, leases.write(reopened))

    async def phase_is(self, phase: str, uid: str = "u1") -> None:
        async def seen() -> bool:
            report = await self.report(uid)
            return report is not None and report.phase == phase and (phase != "Running" or report.healthy)

        await self.until(seen)

    async def released(self, uid: str = "u1", epoch: int = 1) -> None:
        async def seen() -> bool:
            report = await self.report(uid)
            return report is not None and report.released and report.epoch == epoch

        await self.until(seen)

    def runs(self, *names: str) -> bool:
        return set(names) <= self.machine.running.keys()


async def enrolled(*, faults: Faults | None = None, seed: int = 0) -> World:
    """A world whose agent runs and holds its Lease."""
    world = World(faults=faults, seed=seed)
    await world.prepare()
    world.start_agent()
    await world.held()
    return world


async def running(**order: Any) -> World:
    """A world whose agent runs one instance."""
    world = await enrolled()
    await world.order(**order)
    await world.phase_is("Running")
    return world


__all__ = ["ADDRESS", "HOST", "UNIT", "World", "address", "enrolled", "replace", "running", "unit"]
