"""Of two reads of the Lease at once the older may be answered last: what the newer one has shown is not forgotten for it."""

from __future__ import annotations

import asyncio
from typing import Any

from backstay_api.objects import lease as leases
from backstay_api.objects.object_kinds import HOST_LEASES, HOSTS
from backstay_dev.simulator.virtualtime import in_virtual_time
from backstay_testing.fencer_scene import HeldUpApi, Scene


class LateAnswer(HeldUpApi):
    """While it is on: the first read of the Lease is answered after all others; before the second a new session takes the Lease."""

    is_on, reads, sent_late = False, 0, 0

    async def get(self, kind: Any, name: str, namespace: str = "", *, timeout_s: float | None = None) -> Any:
        if kind is not HOST_LEASES or not self.is_on:
            return await super().get(kind, name, namespace, timeout_s=timeout_s)
        self.reads += 1
        is_first = self.reads == 1
        if not is_first:
            await asyncio.sleep(0.1)
        found = await super().get(kind, name, namespace, timeout_s=timeout_s)
        if is_first:
            assert isinstance(found, leases.HostLease)
            await self.reopen(found)
            await asyncio.sleep(0.5)
            self.sent_late += 1
        return found

    async def reopen(self, lease: leases.HostLease) -> None:
        """For the host's next session."""
        await self.replace(HOST_LEASES, lease.reopened("boot-2/nonce-2", 2))


@in_virtual_time
async def test_no_off_is_sent_once_a_newer_session_was_seen_though_an_older_answer_comes_last() -> None:
    scene = Scene()
    scene.api = api = LateAnswer(scene.api.cluster)
    scene.agents.bmcs = {f"192.0.2.10{n}": scene.bmc for n in (1, 2)}
    await scene.prepare(secret=False)
    devices = [
        {"name": f"d{n}", "agent": "fence_redfish", "timeout": "2s", "parameters": {"ip": f"192.0.2.10{n}"}}
        for n in (1, 2)
    ]
    await api.patch(HOSTS, "n1", {"spec": {"fencing": {"levels": [{"name": "bmc", "devices": devices}]}}})
    async with scene.fencer():
        await scene.ask("Observe")
        await scene.seal()
        await asyncio.sleep(5)
        api.network.late_s = {"leases": 60.0}
        api.is_on = True
        await scene.want("Off")
        await asyncio.sleep(5)
    assert api.sent_late == 1 and api.reads >= 2
    assert scene.sent("off") == 0
