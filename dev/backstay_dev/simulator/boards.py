"""What can cut a machine's power, and what it says: boards with a BMC, power outlets, wrong wires, equal names.

The switches work on the machines as they really are; what a device *says* may be something else.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass

from backstay_api.memory.server import Change
from backstay_api.objects.durations import seconds
from backstay_api.objects.models.host import FenceDevice
from backstay_fencer.agents import Action
from backstay_fencer.processes import AgentRun

from .machines import Machine
from .processes import WORLD, Process


@dataclass
class Bmc:
    """One device."""

    name: str
    host: str
    """The host whose spec names it."""
    machine: Machine
    """The machine that it really feeds."""
    is_outlet: bool = False
    """One of several that feed the machine: it knows of nothing but itself."""
    is_nameless: bool = False
    """It cannot tell which machine it feeds."""
    is_early: bool = False
    """It has another board's name, and that one's agent has not reported yet: until then nobody could know of it, and it tells nothing."""
    read_takes_s: float = 0.2
    off_takes_s: float = 1.0
    is_reachable: bool = True
    ignores_off: bool = False
    """`off` exits 0 and does nothing."""
    says_on: bool = False
    """Says on for ever, whatever is true."""
    glitch_until_s: float = 0.0
    """Until then it says off, whatever is true: shorter than the gap between two reads."""

    def mend(self) -> None:
        """It works as it should."""
        self.is_reachable, self.ignores_off, self.says_on = True, False, False
        self.glitch_until_s, self.off_takes_s = 0.0, 1.0


Ordered = Callable[[str, Bmc, Action], None]
"""Who orders which device to do what; or `status`: who has read that it is on."""


class Agents:
    """Fence agents against these devices: a command that was sent takes effect even if the fencer dies meanwhile."""

    def __init__(self, bmcs: Mapping[str, Bmc], rng: random.Random, ordered: Ordered) -> None:
        """`ordered` is told of each `off` and `on` as it is sent, and each read that says on."""
        self._bmcs = bmcs
        self._rng = rng
        self._ordered = ordered

    async def run(self, device: FenceDevice, action: Action, by: str) -> AgentRun:
        bmc = self._bmcs[(device.parameters or {})["ip"]]
        if action != "status":
            self._ordered(by, bmc, action)
        if not bmc.is_reachable:
            await asyncio.sleep(seconds(device.timeout))
            return AgentRun(None, "ended by our deadline")
        if action == "status":
            return await self._status(bmc, by)
        takes_s = bmc.off_takes_s * self._rng.uniform(0.2, 1.0)
        asyncio.get_running_loop().call_later(takes_s, self._switch, bmc, action, context=WORLD)
        await asyncio.sleep(min(takes_s, seconds(device.timeout)) if self._rng.random() < 0.8 else 0.01)
        return AgentRun(0, f"Success: Powered {action.upper()}")

    async def machine_uuid(self, device: FenceDevice) -> str | None:
        bmc = self._bmcs[(device.parameters or {})["ip"]]
        await asyncio.sleep(bmc.read_takes_s)
        return bmc.machine.uuid if bmc.is_reachable and not bmc.is_nameless and not bmc.is_early else None

    def observe(self, change: Change) -> None:
        """A HostAssignment is written: perhaps its agent has said which machine it is on."""
        if "session" in (change.body.get("status") or {}):
            for bmc in self._bmcs.values():
                bmc.is_early &= bmc.machine.name != change.key[1]

    async def _status(self, bmc: Bmc, by: str) -> AgentRun:
        now_s = asyncio.get_running_loop().time()
        is_fed = bmc.machine.outlets[bmc.name] if bmc.is_outlet else bmc.machine.is_on
        is_on = (is_fed or bmc.says_on) and now_s >= bmc.glitch_until_s
        await asyncio.sleep(bmc.read_takes_s * self._rng.uniform(0.3, 1.0))
        if is_on:
            self._ordered(by, bmc, "status")
        return AgentRun(0, "Status: ON") if is_on else AgentRun(2, "Status: OFF")

    def _switch(self, bmc: Bmc, action: Action) -> None:
        if bmc.ignores_off and action == "off":
            return
        machine = bmc.machine
        if bmc.is_outlet:
            machine.outlets[bmc.name] = action == "on"
        if action == "on":
            machine.gain_power("a device of its was told to")
        elif not bmc.is_outlet or not any(machine.outlets.values()):
            machine.lose_power("its devices were told to", by_device=True)


class ProcessAgents:
    """A fencer's way to its agents, dead when the fencer is."""

    def __init__(self, agents: Agents, process: Process) -> None:
        self._agents, self._process = agents, process

    async def run(self, device: FenceDevice, action: Action, secret: Mapping[str, str]) -> AgentRun:
        self._process.must_live()
        return await self._agents.run(device, action, self._process.name)

    def expecting(self, devices: Iterable[FenceDevice]) -> AbstractAsyncContextManager[None]:
        return nullcontext()

    async def machine_uuid(self, device: FenceDevice, secret: Mapping[str, str]) -> str | None:
        self._process.must_live()
        return await self._agents.machine_uuid(device)
