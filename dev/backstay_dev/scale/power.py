"""Power as a folder, a fake for machines that there are none of: whichever has a file of its name in it is off.

Whoever lays the file there cuts the power: the bench, as a fault, or the fencer, through `FolderAgents`, which stand where Debian's agents do.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterable, Mapping
from contextlib import AbstractAsyncContextManager, nullcontext
from pathlib import Path
from typing import Final

from backstay_api.objects.kinds import Raw
from backstay_api.objects.models.host import FenceDevice
from backstay_fencer.agents import Action
from backstay_fencer.processes import AgentRun

ANSWERS_IN_S: Final = 0.4
"""What one read by fence_redfish takes on a quiet machine (`make bench`: floor)."""


class Power:
    """The power of all machines, for every process that looks at the same folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def off(self) -> set[str]:
        """Names of the machines that are off."""
        return {path.name for path in self.folder.iterdir()}

    def cut(self, machine: str) -> None:
        (self.folder / machine).touch()

    def give(self, machine: str) -> None:
        (self.folder / machine).unlink(missing_ok=True)


class FolderAgents:
    """`FenceAgents` that switch a `Power`, as a fake."""

    def __init__(self, power: Power) -> None:
        self._power = power

    async def run(self, device: FenceDevice, action: Action, secret: Mapping[str, str]) -> AgentRun:
        machine = (device.parameters or {})["ip"]
        await asyncio.sleep(ANSWERS_IN_S)
        if action == "status":
            return AgentRun(2, "Status: OFF") if machine in self._power.off() else AgentRun(0, "Status: ON")
        (self._power.cut if action == "off" else self._power.give)(machine)
        return AgentRun(0, f"Success: Powered {action.upper()}")

    def expecting(self, devices: Iterable[FenceDevice]) -> AbstractAsyncContextManager[None]:
        return nullcontext()

    async def machine_uuid(self, device: FenceDevice, secret: Mapping[str, str]) -> str | None:
        await asyncio.sleep(ANSWERS_IN_S)
        return uuid_of((device.parameters or {})["ip"])


def device(machine: str) -> Raw:
    """`Host.spec.fencing` of a machine. It names an agent that the schema knows; the fencer of `fake_fencer` runs none."""
    named = {"name": "folder", "agent": "fence_redfish", "parameters": {"ip": machine}, "readGap": "0s"}
    return {"levels": [{"name": "power", "devices": [named]}]}


def uuid_of(machine: str) -> str:
    """What its firmware says, and its device."""
    return str(uuid.uuid5(uuid.NAMESPACE_DNS, machine))
