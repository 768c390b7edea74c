"""The machines as they really are: power, boots, disks, and what runs on them, whatever any agent believes.

A resource runs in its machine: it outlives the agent that started it, dies with the power, and nothing starts by itself at boot
(the gate of the real drop-in). The switches of a BMC work on this truth; what a BMC *says* may be something else.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass, field

from backstay_agent.disk import MemoryDisk
from backstay_agent.drivers.fake import FakeDriver, FakeHands, FakeMachine
from backstay_api.durations import seconds
from backstay_api.models.host import FenceDevice
from backstay_api.plain import RenderedResource, Systemd
from backstay_fencer.agents import Action
from backstay_fencer.processes import AgentRun

from .processes import WORLD, Process


@dataclass
class Machine:
    """One server."""

    name: str
    tell: Callable[[str, str], None]
    """Actor and what happened, for the story."""
    on_power: Callable[[Machine], None] = lambda machine: None
    """Told after each change of power."""
    is_on: bool = True
    boots: int = 1
    state: FakeMachine = field(default_factory=FakeMachine)
    disk: MemoryDisk = field(default_factory=MemoryDisk)
    by_hand: set[str] = field(default_factory=set)
    """What a person has started, past all of us."""
    off_count: int = 0
    """How often it has lost its power."""

    @property
    def uuid(self) -> str:
        return f"uuid-{self.name}"

    @property
    def boot_id(self) -> str:
        return f"boot-{self.name}-{self.boots}"

    def lose_power(self, why: str) -> None:
        """Everything that runs is gone, and /run with it."""
        if not self.is_on:
            return
        self.is_on = False
        self.off_count += 1
        self.tell(self.name, f"is off: {why}")
        self.state.listeners.clear()
        self.by_hand.clear()
        for name in list(self.state.running):
            self.state.down(name)
        self.disk.lose_run()
        self.on_power(self)

    def gain_power(self, why: str) -> None:
        """It boots; nothing of ours starts by itself."""
        if self.is_on:
            return
        self.is_on = True
        self.boots += 1
        self.tell(self.name, f"is on again: {why}")
        self.on_power(self)

    def start_by_hand(self, unit: str) -> None:
        """A person starts a unit; where our drop-in is, its gate keeps it shut."""
        name = f"unit {unit}"
        if not self.is_on or name in self.state.secured or name in self.state.running:
            return
        self.tell("a person", f"starts {unit} on {self.name} by hand")
        self.by_hand.add(name)
        self.state.up(RenderedResource(name="server", systemd=Systemd(unit=unit)))

    def stop_by_hand(self) -> None:
        for name in list(self.by_hand):
            if name in self.state.running:
                self.tell("a person", f"stops {name} on {self.name} again")
                self.state.down(name)
        self.by_hand.clear()


class ProcessDisk:
    """One process's way to the machine's disk, dead when the process is."""

    def __init__(self, machine: Machine, process: Process) -> None:
        self._disk, self._process = machine.disk, process

    async def read(self, name: str) -> str | None:
        self._process.must_live()
        return await self._disk.read(name)

    async def write(self, name: str, text: str, *, from_reserve: bool = False) -> None:
        await asyncio.sleep(0)
        self._process.must_live()
        await self._disk.write(name, text, from_reserve=from_reserve)

    async def remove(self, name: str) -> None:
        self._process.must_live()
        await self._disk.remove(name)

    async def list(self, folder: str) -> list[str]:
        self._process.must_live()
        return await self._disk.list(folder)


class ProcessHands(FakeHands):
    """One agent's hands on its machine, dead when the agent is."""

    def __init__(self, machine: Machine, process: Process) -> None:
        super().__init__(machine.state)
        self._host = machine
        self._driver = ProcessDriver(machine.state, process)

    async def leftovers(self, *, run_is_intact: bool) -> Sequence[RenderedResource]:
        await asyncio.sleep(0)
        running = self.machine.running
        return [resource for name, resource in running.items() if name not in self._host.by_hand]


class ProcessDriver(FakeDriver):
    def __init__(self, machine: FakeMachine, process: Process) -> None:
        super().__init__(machine)
        self._process = process

    async def start(self, resource: RenderedResource, *, timeout_s: float) -> None:
        self._process.must_live()
        await super().start(resource, timeout_s=timeout_s)

    async def stop(self, resource: RenderedResource, *, timeout_s: float) -> str | None:
        self._process.must_live()
        return await super().stop(resource, timeout_s=timeout_s)


@dataclass
class Bmc:
    """What can cut one machine's power, and what it says."""

    machine: Machine
    read_takes_s: float = 0.2
    off_takes_s: float = 1.0
    is_reachable: bool = True
    ignores_off: bool = False
    """`off` exits 0 and does nothing."""
    says_on: bool = False
    """Says on for ever, whatever is true."""
    glitch_until_s: float = 0.0
    """Until then it says off, whatever is true: shorter than the gap between two reads."""


class Agents:
    """Fence agents against these BMCs: a command that was sent takes effect even if the fencer dies meanwhile."""

    def __init__(self, bmcs: Mapping[str, Bmc], rng: random.Random, on_off: Callable[[Machine], None]) -> None:
        """`on_off` hears each `off` as it is sent."""
        self._bmcs = bmcs
        self._rng = rng
        self._on_off = on_off

    def port(self, process: Process) -> ProcessAgents:
        return ProcessAgents(self, process)

    async def run(self, device: FenceDevice, action: Action, secret: Mapping[str, str]) -> AgentRun:
        bmc = self._bmcs[(device.parameters or {})["ip"]]
        if not bmc.is_reachable:
            await asyncio.sleep(seconds(device.timeout))
            return AgentRun(None, "ended by our deadline")
        if action == "status":
            return await self._status(bmc)
        if action == "off":
            self._on_off(bmc.machine)
        takes_s = bmc.off_takes_s * self._rng.uniform(0.2, 1.0)
        asyncio.get_running_loop().call_later(takes_s, self._switch, bmc, action, context=WORLD)
        await asyncio.sleep(takes_s if self._rng.random() < 0.8 else 0.01)
        return AgentRun(0, f"Success: Powered {action.upper()}")

    async def machine_uuid(self, device: FenceDevice, secret: Mapping[str, str]) -> str | None:
        bmc = self._bmcs[(device.parameters or {})["ip"]]
        await asyncio.sleep(bmc.read_takes_s)
        return bmc.machine.uuid if bmc.is_reachable else None

    async def _status(self, bmc: Bmc) -> AgentRun:
        now_s = asyncio.get_running_loop().time()
        is_on = (bmc.machine.is_on or bmc.says_on) and now_s >= bmc.glitch_until_s
        await asyncio.sleep(bmc.read_takes_s * self._rng.uniform(0.3, 1.0))
        return AgentRun(0, "Status: ON") if is_on else AgentRun(2, "Status: OFF")

    def _switch(self, bmc: Bmc, action: Action) -> None:
        if bmc.ignores_off and action == "off":
            return
        if action == "off":
            bmc.machine.lose_power("its BMC was told to")
        else:
            bmc.machine.gain_power("its BMC was told to")


class ProcessAgents:
    """The fencer's way to its agents, dead when the fencer is."""

    def __init__(self, agents: Agents, process: Process) -> None:
        self._agents, self._process = agents, process

    async def run(self, device: FenceDevice, action: Action, secret: Mapping[str, str]) -> AgentRun:
        self._process.must_live()
        return await self._agents.run(device, action, secret)

    def expecting(self, devices: Iterable[FenceDevice]) -> AbstractAsyncContextManager[None]:
        return nullcontext()

    async def machine_uuid(self, device: FenceDevice, secret: Mapping[str, str]) -> str | None:
        self._process.must_live()
        return await self._agents.machine_uuid(device, secret)
