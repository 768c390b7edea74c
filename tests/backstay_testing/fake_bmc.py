"""Fake fence devices for the fencer's own tests: scripted BMCs that may lie, hang or be gone.

The simulator has its own, on machines as they really are (`boards.py`); the real ones are `agents.RealAgents` against emulated BMCs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass, field

from backstay_api.objects.durations import seconds
from backstay_api.objects.models.host import FenceDevice
from backstay_fencer.agents import Action
from backstay_fencer.parameters import merged
from backstay_fencer.processes import AgentRun


@dataclass
class FakeBmc:
    """One machine's power as a device shows it. Found by its address, `ip`."""

    is_on: Callable[[], bool]
    switch: Callable[[bool], None]
    """Switch the machine's power."""
    uuid: str | None = None
    takes_s: float = 0.2
    """How long one run of the agent takes."""
    reachable: bool = True
    says: list[str] = field(default_factory=list)
    """Scripted answers for the next reads, `ON` or `OFF`, before the truth is told again."""
    ignores_off: bool = False
    """`off` exits 0 and does nothing."""


class FakeAgents:
    """Runs no process: asks the FakeBmc at the address that Secret or device name."""

    def __init__(self, bmcs: Mapping[str, FakeBmc]) -> None:
        self.bmcs = bmcs
        self.calls: list[tuple[str, Action]] = []

    async def run(self, device: FenceDevice, action: Action, secret: Mapping[str, str]) -> AgentRun:
        address = merged(device, secret).get("ip", "")
        self.calls.append((address, action))
        bmc = self.bmcs.get(address)
        if bmc is None or not bmc.reachable:
            await asyncio.sleep(seconds(device.timeout))
            return AgentRun(None, "ended by our deadline")
        await asyncio.sleep(bmc.takes_s)
        return _answer(bmc, action)

    def expecting(self, devices: Iterable[FenceDevice]) -> AbstractAsyncContextManager[None]:
        return nullcontext()

    async def machine_uuid(self, device: FenceDevice, secret: Mapping[str, str]) -> str | None:
        bmc = self.bmcs.get(merged(device, secret).get("ip", ""))
        if bmc is None or not bmc.reachable:
            return None
        await asyncio.sleep(bmc.takes_s)
        return bmc.uuid


def _answer(bmc: FakeBmc, action: Action) -> AgentRun:
    if action == "status":
        said = bmc.says.pop(0) if bmc.says else ("ON" if bmc.is_on() else "OFF")
        return AgentRun(0 if said == "ON" else 2, f"Status: {said}")
    if not (action == "off" and bmc.ignores_off):
        bmc.switch(action == "on")
    return AgentRun(0, f"Success: Powered {action.upper()}")
