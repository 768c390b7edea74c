"""The regular test of every fence path, so that a host that could not be fenced says so before the night it matters.

Reads the power and asks each device which machine it powers; never switches anything. Shown as `Host.status.fencing`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from backstay_api.client.api import Api
from backstay_api.client.errors import ApiError
from backstay_api.objects.models import Host
from backstay_api.objects.models.host import DeviceStatus, FenceDevice, FencingStatus
from backstay_api.objects.object_kinds import HOSTS
from backstay_api.objects.promise import FENCE_TEST_EVERY_S
from backstay_api.objects.texts import clip
from backstay_api.process.waiting import clock_s, until

from . import core
from .devices import Devices, digest
from .facts import Slot
from .machines import Machines
from .watches import Watches

log = logging.getLogger(__name__)

EVERY_S: Final = FENCE_TEST_EVERY_S
"""A broken path is known within five minutes, and a BMC is not kept busy."""
AGAIN_S: Final = 15.0
"""A path that does not work is looked at sooner: somebody may be mending it."""
AT_ONCE: Final = 4
"""Hosts tested side by side."""


class PathTests:
    """Tests each host's fence path when it is new or changed, and every few minutes."""

    def __init__(
        self,
        api: Api,
        devices: Devices,
        known: Watches,
        machines: Machines,
        wall: Callable[[], str],
        leads: Callable[[], bool],
    ) -> None:
        self._leads = leads
        self._api, self._devices, self._known, self._machines, self._wall = api, devices, known, machines, wall
        self._due_s: dict[str, tuple[object, float]] = {}
        """By host: what was tested, and when it is due again."""
        self._visited: set[str] = set()
        """Hosts whose test is under way: one at a time, or what an older one found would be written over what a newer one did."""
        self._poke = asyncio.Event()
        self.tested_at_s: float | None = None
        """When a host's fence path was last tested, on the loop's clock."""

    def poke(self) -> None:
        self._poke.set()

    async def run(self) -> None:
        """Test until cancelled, while it leads. What has just started knows nothing yet, and says nothing."""
        await self._known.known()
        turns = asyncio.Semaphore(AT_ONCE)
        async with asyncio.TaskGroup() as tasks:
            while True:
                self._poke.clear()
                now_s = clock_s()
                self._forget_removed()
                for name in self._known.host_names() if (leads := self._leads()) else ():
                    subject = self._subject(name)
                    tested, due_s = self._due_s.get(name, (None, now_s))
                    is_due = tested != subject or due_s <= now_s
                    if subject is not None and is_due and name not in self._visited:
                        self._due_s[name] = subject, float("inf")
                        self._visited.add(name)
                        tasks.create_task(self._visit(name, subject, turns), name=f"test {name}")
                dues_s = [due for _, due in self._due_s.values()] if leads else []
                await until(self._poke, min(dues_s, default=float("inf")))

    def _forget_removed(self) -> None:
        """A host that cannot be read, or is gone, is not due: a due time that is over would keep this loop spinning."""
        for name in [name for name in self._due_s if self._known.host(name) is None]:
            del self._due_s[name]

    def _subject(self, name: str) -> object | None:
        """What a test is about: when this changes, the last one says nothing any more."""
        host = self._known.host(name)
        if host is None:
            return None
        return host.uid, host.spec.fencing, self._machines.uuid(name), self._machines.shared_with(name)

    async def _visit(self, name: str, subject: object, turns: asyncio.Semaphore) -> None:
        try:
            async with turns:
                wait_s = await self._test(name)
            if name in self._due_s:
                self._due_s[name] = subject, clock_s() + wait_s
        finally:
            self._visited.discard(name)
            self.poke()

    async def _test(self, name: str) -> float:
        """Test one host and tell what was found; in how many seconds it is due again."""
        host = self._known.host(name)
        if host is None:
            return 0.0
        status = await self.examine(host, self._machines.uuid(name))
        self.tested_at_s = clock_s()
        await self._write(host, status)
        return EVERY_S if status.ready else AGAIN_S

    async def examine(self, host: Host, machine_uuid: str) -> FencingStatus:
        """Test all devices of one host now."""
        shared_with = self._machines.shared_with(host.metadata.name)
        found = [
            await self._examine_device(host, slot, device, machine_uuid, shared_with)
            for slot, device in core.slots(tuple(host.spec.fencing.levels))
        ]
        ready = any(all(d.ok for d in found if d.level == level.name) for level in host.spec.fencing.levels)
        return FencingStatus(
            checked_at=self._wall(),
            observed_generation=host.metadata.generation,
            ready=ready,
            message=clip(_summary(host, found, ready)),
            devices=found,
        )

    async def _examine_device(
        self, host: Host, slot: Slot, device: FenceDevice, machine_uuid: str, shared_with: str
    ) -> DeviceStatus:
        run, _ = await self._devices.run(device, "status")
        power, message = core.judge_read(exit_code=run.exit_code, output=run.output)
        before = self._known.told_of(host.metadata.name, slot)
        if power != "Unknown" or self._devices.identity(device, machine_uuid, before) == "Unasked":
            await self._devices.ask_identity(device)
        others = partial(self._known.devices_of_others, host.metadata.name)
        identity = self._devices.identity(device, machine_uuid, before, others=others)
        distrust = core.trusted(device, identity, shared_with)
        if not machine_uuid:
            distrust = distrust and "the host's agent has not yet said which machine it runs on"
        return DeviceStatus(
            level=slot[0],
            device=slot[1],
            power=power,
            uuid="Unverified" if shared_with or identity == "Unasked" else identity,
            definition=digest(device),
            ok=power != "Unknown" and distrust is None,
            message=clip(message or distrust or ""),
        )

    async def _write(self, host: Host, status: FencingStatus) -> None:
        body: dict[str, Any] = {"metadata": {"uid": host.uid}, "status": {"fencing": status.wire()}}
        try:
            await self._api.patch(HOSTS, host.metadata.name, body, subresource="status")
        except ApiError as error:
            log.warning("fence path not reported", extra={"host": host.metadata.name, "why": str(error)})


def _summary(host: Host, found: list[DeviceStatus], ready: bool) -> str:
    if not host.spec.fencing.levels:
        return "no fence device: if this host is lost, only its own return or a person proves that it is off"
    if ready:
        return "works: " + ", ".join(sorted({d.device for d in found if d.ok}))
    return "; ".join(f"{d.level}/{d.device}: {d.message}" for d in found if not d.ok)
