"""A small cluster for tests of what the operator does: the in-memory API, hosts that renew, and a planner of a few lines."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from backstay_api.client.errors import ServerError
from backstay_api.memory.server import Change, Fate, MemoryApi, MemoryCluster, Request
from backstay_api.objects import lease as leases
from backstay_api.objects.kinds import Kind, Raw
from backstay_api.objects.lease import HostLease
from backstay_api.objects.models import HAInstance
from backstay_api.objects.models.assignment import HostAssignmentSpec
from backstay_api.objects.models.instance import Grant, HAInstanceSpec, ServiceRef, SessionRef
from backstay_api.objects.object_kinds import HA_INSTANCES, HA_SERVICES, HOST_LEASES, HOSTS, Unreadable
from backstay_api.objects.promise import PROFILES
from backstay_operator.control.replica import Operator, Replica
from backstay_operator.planner.actions import Action, Assign, CreateInstance, WriteInstance
from backstay_operator.planner.know.world import World
from backstay_operator.planner.plan import Plan

from .builders import an_order

WALL = "2026-03-01T12:00:00Z"


class Weather:
    """Faults as a test wants them: `outage` refuses every request, `hang` never answers, `blind` loses every event."""

    def __init__(self) -> None:
        self.outage = False
        self.hang = False
        self.blind = False
        self.fates: list[tuple[Callable[[Request], bool], Fate]] = []
        """For the next request that matches."""
        self.requests: list[Request] = []

    def request(self, request: Request) -> Fate:
        self.requests.append(request)
        for index, (matches, fate) in enumerate(self.fates):
            if matches(request):
                del self.fates[index]
                return fate
        if self.outage:
            return (
                Fate(error=ServerError("the API server is away"))
                if not request.is_write
                else Fate(unreachable="the API server is away")
            )
        return Fate(request_lost=True) if self.hang else Fate(request_delay_s=0.001, answer_delay_s=0.001)

    def event(self, watch: Request, change: Change | None) -> float | None:
        return float("inf") if self.blind else 0.001


def raw_service(name: str = "web", **spec: Any) -> Raw:
    return {
        "apiVersion": "backstay.dev/v1alpha1",
        "kind": "HAService",
        "metadata": {"name": name, "namespace": "shop"},
        "spec": {"resources": [{"name": "unit", "systemd": {"unit": f"{name}.service"}}], **spec},
    }


class Scene:
    """One cluster and whoever acts in it."""

    def __init__(self, seed: int = 0) -> None:
        self.cluster = MemoryCluster()
        self.rng = random.Random(seed)
        self.admin = MemoryApi(self.cluster, actor="admin")
        self.weather: dict[str, Weather] = {}
        self.apis: list[MemoryApi] = []

    def api(self, actor: str) -> MemoryApi:
        api = MemoryApi(self.cluster, self.weather.setdefault(actor, Weather()), actor=actor)
        self.apis.append(api)
        return api

    def weather_of(self, actor: str) -> Weather:
        return self.weather.setdefault(actor, Weather())

    def cut_streams(self) -> None:
        """As a restart of the API server does."""
        for api in self.apis:
            api.cut_streams()

    def store(self, kind: Kind[Any], raw: Raw) -> Raw:
        """An object as an admin or another part wrote it."""
        return self.cluster.create(kind, raw["metadata"].get("namespace", ""), raw, actor="admin")

    def add_service(self, name: str = "web", **spec: Any) -> Raw:
        return self.store(HA_SERVICES, raw_service(name, **spec))

    def add_host(self, name: str) -> None:
        """A host with a Lease of its first session, which nobody renews."""
        kind: Raw = {"apiVersion": "backstay.dev/v1alpha1", "kind": "Host"}
        self.store(HOSTS, {**kind, "metadata": {"name": name}, "spec": {}})
        lease = replace(leases.new(name), holder=f"boot-{name}/nonce-1", seq=1, renewal=1, contract=PROFILES["lab"])
        self.store(HOST_LEASES, leases.write(lease))

    def lease(self, host: str) -> HostLease:
        return leases.read(self.cluster.get(HOST_LEASES, leases.NAMESPACE, host))

    def renew(self, host: str) -> None:
        lease = self.lease(host)
        raw = leases.write(lease.renewed(lease.contract, renew_time=WALL))
        self.cluster.replace(HOST_LEASES, leases.NAMESPACE, raw, actor=host)

    async def keep_renewing(self, host: str) -> None:
        while True:
            self.renew(host)
            await asyncio.sleep(0.5)

    def written_by(self, actor: str) -> list[Request]:
        """Its writes, but for its Events and the leader Lease."""
        quiet = ("events.events.k8s.io",)
        return [
            request
            for request in self.weather[actor].requests
            if request.is_write and request.resource not in quiet and request.namespace != "backstay-system"
        ]

    def instance(self, key: str = "shop/web-0") -> HAInstance:
        found = HA_INSTANCES.read(self.cluster.get(HA_INSTANCES, *key.split("/")))
        assert not isinstance(found, Unreadable)
        return found

    @asynccontextmanager
    async def operator(
        self,
        actor: str = "op",
        *,
        plan: Callable[[World], Plan] | None = None,
        standalone: bool = True,
        think_s: float = 0.0,
    ) -> AsyncIterator[Operator]:
        """One replica, running for as long as the block."""
        replica = Replica(
            actor,
            wall=lambda: WALL,
            rng=random.Random(f"{actor} {self.rng.random()}"),
            standalone=standalone,
            think_s=think_s,
        )
        operator = Operator(self.api(actor), replica, plan=plan or tiny_plan)
        task = asyncio.create_task(operator.run(), name=actor)
        try:
            yield operator
            assert not task.done(), task.exception()
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


def tiny_plan(world: World) -> Plan:
    """Every service gets an instance, granted to the first host that holds its lease; and the host is told."""
    actions: list[Action] = []
    for service in world.services.values():
        name = f"{service.metadata.name}-0"
        instance = world.instances.get(f"{service.metadata.namespace}/{name}")
        if instance is None:
            ref = ServiceRef(name=service.metadata.name, uid=service.uid)
            spec = HAInstanceSpec(service=ref, exclusive=True)
            actions.append(CreateInstance(service.metadata.namespace or "", name, spec, "it has none"))
        elif instance.spec.epoch == 0:
            holders = sorted(host for host, seen in world.leases.items() if seen.lease.holder)
            if holders:
                actions.append(grant_to(instance, world.leases[holders[0]].lease))
    for host in sorted(world.held_by):
        wanted = {world.instances[key].uid: an_order(world.instances[key]) for key in world.held_by[host]}
        stored = world.assignments.get(host)
        if wanted and (stored is None or stored.spec.instances != wanted):
            actions.append(Assign(host, HostAssignmentSpec(instances=wanted), "it holds them"))
    return Plan(tuple(actions))


def grant_to(instance: HAInstance, lease: HostLease) -> WriteInstance:
    boot, nonce = lease.holder.split("/")
    session = SessionRef(boot_id=boot, nonce=nonce, seq=lease.seq)
    grant = Grant(host=lease.host, session=session, machine_uuid="machine")
    spec = instance.spec.model_copy(update={"epoch": instance.spec.epoch + 1, "grant": grant})
    return WriteInstance(instance, spec, "it is the first")


async def until(said: Callable[[], bool], *, limit_s: float = 30.0) -> float:
    """Wait (in virtual time) until something is true; how long that took."""
    clock = asyncio.get_running_loop()
    begun_s = clock.time()
    async with asyncio.timeout(limit_s):
        while not said():
            await asyncio.sleep(0.001)
    return clock.time() - begun_s
