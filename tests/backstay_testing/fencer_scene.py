"""One host with one BMC and the whole fencer, on an in-memory API server and virtual time."""

import asyncio
import base64
import random
from collections.abc import Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from backstay_api.client.api import Listing
from backstay_api.memory.server import Change, MemoryApi, NoFaults, Request
from backstay_api.memory.store import MemoryCluster
from backstay_api.objects import lease as leases
from backstay_api.objects.kinds import SECRETS, Kind
from backstay_api.objects.models import FenceRequest, Host, HostAssignment
from backstay_api.objects.models.host import FencingStatus
from backstay_api.objects.object_kinds import FENCE_REQUESTS, HOST_ASSIGNMENTS, HOST_LEASES, HOSTS
from backstay_api.objects.promise import Contract
from backstay_fencer.executor import Executor
from backstay_testing.fake_bmc import FakeAgents, FakeBmc

T = TypeVar("T")

UUID = "4c4c4544-0042-3010-8054-b7c04f4d3133"
SESSION = {"bootID": "boot-1", "nonce": "nonce-1", "seq": 1}


class LateWatches(NoFaults):
    """Everything arrives, but what is said of some kinds comes late."""

    def __init__(self) -> None:
        self.late_s: dict[str, float] = {}
        """By resource."""

    def event(self, watch: Request, change: Change | None) -> float | None:
        return self.late_s.get(watch.resource, 0.0)


class HeldUpApi(MemoryApi):
    """What a test has happen before a call goes out: it may look on, take its time, or refuse."""

    def __init__(self, cluster: MemoryCluster) -> None:
        self.network = LateWatches()
        super().__init__(cluster, self.network)
        self.on_patch: Callable[[Kind[Any], Mapping[str, Any]], Awaitable[None]] = nothing_first
        self.on_one: Callable[[Kind[Any], str], object] = lambda kind, name: None
        """Told of each object that is read by itself."""
        self.on_read: Callable[[Kind[Any]], Awaitable[None]] = nothing_before

    async def patch(
        self,
        kind: Kind[T],
        name: str,
        body: Mapping[str, Any],
        namespace: str = "",
        *,
        subresource: str = "",
        timeout_s: float | None = None,
    ) -> T:
        await self.on_patch(kind, body)
        return await super().patch(kind, name, body, namespace, subresource=subresource, timeout_s=timeout_s)

    async def get(self, kind: Kind[T], name: str, namespace: str = "", *, timeout_s: float | None = None) -> T:
        self.on_one(kind, name)
        await self.on_read(kind)
        return await super().get(kind, name, namespace, timeout_s=timeout_s)

    async def list(
        self, kind: Kind[T], namespace: str = "", *, name: str = "", timeout_s: float | None = None
    ) -> Listing[T]:
        if name:
            self.on_one(kind, name)
        await self.on_read(kind)
        return await super().list(kind, namespace, name=name, timeout_s=timeout_s)


async def nothing_first(kind: Kind[Any], body: Mapping[str, Any]) -> None:
    """A patch goes out as it is."""


async def nothing_before(kind: Kind[Any]) -> None:
    """A read goes out as it is."""


class Scene:
    """One host with one BMC, its Lease, and a fencer."""

    def __init__(self, **bmc: Any) -> None:
        self.is_on = True
        self.api = HeldUpApi(MemoryCluster())
        self.bmc = FakeBmc(lambda: self.is_on, self.switch, uuid=UUID, **bmc)
        self.agents = FakeAgents({"192.0.2.101": self.bmc})

    def switch(self, on: bool) -> None:
        self.is_on = on

    async def prepare(self, *, secret: bool = True) -> None:
        device: dict[str, Any] = {"name": "bmc", "agent": "fence_redfish", "timeout": "2s"}
        device |= {"secretRef": {"name": "n1"}} if secret else {"parameters": {"ip": "192.0.2.101"}}
        spec = {"fencing": {"levels": [{"name": "bmc", "devices": [device]}]}}
        await self.api.create(HOSTS, Host.from_wire({"metadata": {"name": "n1"}, "spec": spec}))
        body = {"metadata": {"name": "n1", "namespace": "backstay-fencing"}, "data": _told("192.0.2.101")}
        await self.api.create(SECRETS, body, "backstay-fencing")
        held = leases.new("n1").taken("boot-1/nonce-1", 1, Contract(), renew_time="")
        await self.api.create(HOST_LEASES, held, leases.NAMESPACE)

    async def seal(self) -> None:
        lease = await self.api.get(HOST_LEASES, "n1", leases.NAMESPACE)
        assert isinstance(lease, leases.HostLease)
        await self.api.replace(HOST_LEASES, lease.sealed_())

    async def ask(self, want: str, **spec: Any) -> None:
        body = {"host": "n1", "session": SESSION, "machineUUID": UUID, "want": want, **spec}
        await self.api.create(FENCE_REQUESTS, FenceRequest.from_wire({"metadata": {"name": "n1-x"}, "spec": body}))

    async def agent_says(self, host: str = "n1", uuid: str = UUID) -> None:
        """The host's agent has opened a session and named its machine."""
        said = {"session": {**SESSION, "machineUUID": uuid}}
        await self.api.create(HOST_ASSIGNMENTS, HostAssignment.from_wire({"metadata": {"name": host}}))
        await self.api.patch(HOST_ASSIGNMENTS, host, {"status": said}, subresource="status")

    async def lead_to(self, ip: str) -> None:
        """The device gets another address, in whichever of Secret and Host it stands."""
        host = await self.api.get(HOSTS, "n1")
        assert isinstance(host, Host)
        raw = host.wire()
        [device] = raw["spec"]["fencing"]["levels"][0]["devices"]
        if "secretRef" in device:
            await self.api.patch(SECRETS, "n1", {"data": _told(ip)}, "backstay-fencing")
        else:
            device["parameters"]["ip"] = ip
            await self.api.replace(HOSTS, Host.from_wire(raw))

    async def edit_host(self, spec: dict[str, Any]) -> None:
        await self.api.patch(HOSTS, "n1", {"spec": spec})

    async def fencing(self) -> FencingStatus:
        """What the fencer says of the host's fence path."""
        host = await self.api.get(HOSTS, "n1")
        assert isinstance(host, Host)
        return host.status.fencing or FencingStatus()

    async def want(self, want: str) -> None:
        await self.api.patch(FENCE_REQUESTS, "n1-x", {"spec": {"want": want}})

    async def request(self) -> FenceRequest:
        request = await self.api.get(FENCE_REQUESTS, "n1-x")
        assert isinstance(request, FenceRequest)
        return request

    async def until(self, true: Callable[[], Awaitable[bool]], limit_s: float = 60.0) -> None:
        async with asyncio.timeout(limit_s):
            while not await true():
                await asyncio.sleep(0.05)

    async def proven(self) -> bool:
        return (await self.request()).status.evidence is not None

    async def switched_on(self) -> bool:
        """The request says that nothing more is owed."""
        return bool((await self.request()).status.powered_on)

    def sent(self, action: str) -> int:
        return sum(call[1] == action for call in self.agents.calls)

    @asynccontextmanager
    async def fencer(self) -> Any:
        executor = Executor(self.api, self.agents, rng=random.Random(1), wall=lambda: "2026-01-01T00:00:00Z")
        task = asyncio.create_task(executor.run())
        try:
            yield executor
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


def _told(ip: str) -> dict[str, str]:
    """What a Secret holds."""
    told = {"ip": ip, "username": "backstay", "password": "secret"}
    return {key: base64.b64encode(value.encode()).decode() for key, value in told.items()}


async def is_true(value: bool) -> bool:
    return value
