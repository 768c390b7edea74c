"""The machines as they really are: power, boots, disks, and what runs on them, whatever any agent believes.

A resource runs in its machine: it outlives the agent that started it and dies with the power. Units whose packages left them
enabled start by themselves at a boot, unless they carry our mark (the gate of the real drop-in). What can cut a machine's power
stands in `boards`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from backstay_agent.drivers.base import Seen, State
from backstay_agent.fake import FakeDriver, FakeHostSystem, FakeMachine
from backstay_agent.store.disk import MemoryDisk
from backstay_api.objects.plain import RenderedResource
from backstay_api.objects.resource_kinds import identity

from .positions import Positions
from .processes import Process

Act = Literal["start", "started", "stop"]


@dataclass
class Machine:
    """One server."""

    name: str
    tell: Callable[[str, str], None]
    """Actor and what happened, for the story."""
    on_power: Callable[[Machine], None] = lambda machine: None
    """Told after each change of power."""
    boot_units: Callable[[Machine], None] = lambda machine: None
    """Called when systemd has come up, before any agent."""
    on_act: Callable[[Machine, str, Act], None] = lambda machine, name, act: None
    """Told before an agent starts or stops something, and when a start is over."""
    goes_down: bool = False
    """It is being shut down in order."""
    is_on: bool = True
    boots: int = 1
    state: FakeMachine = field(default_factory=FakeMachine)
    disk: MemoryDisk = field(default_factory=MemoryDisk)
    by_hand: set[str] = field(default_factory=set)
    """What a person, or systemd at a boot, has started past all of us, while no service owned it."""
    by_hand_since_s: dict[str, float] = field(default_factory=dict)
    packaged: dict[str, str] = field(default_factory=dict)
    """What a package has enabled (the unit, or the umbrella that pulls it in), by unit. It counts from when the unit is marked first: what
    a host does before its agent has ever been told of a service is no promise of ours (docs/explanation/limits.md)."""
    marked_s: dict[str, float] = field(default_factory=dict)
    """When each unit was marked last."""
    given_back_s: dict[str, float] = field(default_factory=dict)
    """When each unit's mark was taken off last."""
    outlets: dict[str, bool] = field(default_factory=dict)
    """Where several devices feed it: which of them are on."""
    off_by_device: bool = False
    """Its last loss of power was a device's doing."""
    uuid: str = ""
    edited_s: float = float("-inf")
    """When a file that services need was changed here last."""

    def __post_init__(self) -> None:
        self.uuid = self.uuid or f"uuid-{self.name}"
        self.state.scores = Positions(self.name)

    @property
    def boot_id(self) -> str:
        return f"boot-{self.name}-{self.boots}"

    def lose_power(self, why: str, *, by_device: bool = False) -> None:
        """Everything that runs is gone, and /run with it."""
        if not self.is_on:
            return
        self.is_on = self.goes_down = False
        self.off_by_device = by_device
        self.tell(self.name, f"is off: {why}")
        self.state.listeners.clear()
        self.by_hand.clear()
        for name in list(self.state.running):
            self.state.down(name)
        self.lose_run()
        self.on_power(self)

    def lose_run(self) -> None:
        """Everything in /run is gone: the agent's journal, and every gate."""
        self.disk.lose_run()
        self.state.gates.clear()

    def gain_power(self, why: str) -> None:
        """It boots, if anything feeds it."""
        if self.is_on or (self.outlets and not any(self.outlets.values())):
            return
        self.is_on = True
        self.boots += 1
        self.tell(self.name, f"is on again: {why}")
        self.boot_units(self)
        self.on_power(self)

    def start_by_hand(self, unit: str) -> None:
        """A person starts a unit; where our drop-in is, it starts only while its gate stands open."""
        name = self.state.unit(unit)
        is_shut = name in self.state.secured and name not in self.state.gates
        if not self.is_on or is_shut or name in self.state.running:
            return
        self.tell("a person", f"starts {unit} on {self.name} by hand")
        if name not in self.state.gates:
            self.note_by_hand(name)
        self.state.up_bare(name)

    def note_by_hand(self, name: str) -> None:
        self.by_hand.add(name)
        self.by_hand_since_s[name] = asyncio.get_running_loop().time()

    def stop_unit(self, name: str) -> None:
        """A person stops what we run: `systemctl stop`."""
        if name in self.state.running:
            self.tell("a person", f"stops {name} on {self.name}")
            self.state.down(name, Seen(State.STOPPED, by_admin=f"stopped by an admin: systemctl stop {name}"))

    def stop_by_hand(self) -> None:
        for name in sorted(self.by_hand):
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


class ProcessHostSystem(FakeHostSystem):
    """What one agent uses of its machine, dead when the agent is."""

    def __init__(self, machine: Machine, process: Process) -> None:
        super().__init__(machine.state)
        self._host = machine
        self._driver = ProcessDriver(machine, process)


class ProcessDriver(FakeDriver):
    def __init__(self, machine: Machine, process: Process) -> None:
        super().__init__(machine.state)
        self._host = machine
        self._process = process

    async def secure(self, resource: RenderedResource) -> None:
        self._process.must_live()
        await super().secure(resource)
        self._mark(identity(resource))

    async def unsecure(self, resource: RenderedResource) -> None:
        self._process.must_live()
        await super().unsecure(resource)
        self._host.given_back_s[identity(resource)] = asyncio.get_running_loop().time()

    async def permit(self, resource: RenderedResource) -> None:
        self._process.must_live()
        self.machine.gates.add(self.machine.note(resource))

    async def start(self, resource: RenderedResource, *, timeout_s: float) -> None:
        self._process.must_live()
        self._mark(identity(resource))
        self._host.on_act(self._host, identity(resource), "start")
        try:
            await super().start(resource, timeout_s=timeout_s)
        finally:
            self._host.on_act(self._host, identity(resource), "started")

    def _mark(self, name: str) -> None:
        self.machine.secured.add(name)
        self._host.marked_s[name] = asyncio.get_running_loop().time()
        if enabled := self._host.packaged.get(name):
            self.machine.enabled.add(enabled)

    async def stop(self, resource: RenderedResource, *, timeout_s: float) -> str | None:
        self._process.must_live()
        self._host.on_act(self._host, identity(resource), "stop")
        return await super().stop(resource, timeout_s=timeout_s)
