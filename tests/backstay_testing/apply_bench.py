"""An API server in memory, and the hands of an operator before it."""

from __future__ import annotations

import asyncio
from typing import Any

from backstay_api.memory.server import MemoryApi, MemoryCluster
from backstay_api.objects.kinds import Kind, Raw
from backstay_api.objects.models import HAInstance
from backstay_api.objects.models.instance import Closed, Grant, HAInstanceSpec, SessionRef
from backstay_api.objects.object_kinds import ALL_KINDS, HA_INSTANCES, HA_SERVICES, HOSTS, RESOURCE_CLAIMS
from backstay_api.objects.resource_kinds import Claim
from backstay_operator.control.act.apply import Outcome, Result, Writer
from backstay_operator.control.watch.cache import Cache
from backstay_operator.planner.actions import WriteInstance
from backstay_operator.planner.do.finalizers import HOST_FINALIZER, INSTANCE_FINALIZER, SERVICE_FINALIZER
from backstay_operator.planner.know.claims import claim_for
from backstay_operator.planner.preconditions import Precondition
from backstay_testing.control_scene import WALL, Scene, Weather

SESSION = SessionRef(boot_id="boot-n1", nonce="nonce-1", seq=1)


class Bench:
    """One writer and the cache that it keeps."""

    def __init__(self) -> None:
        self.scene = Scene()
        self.scene.add_host("n1")
        self.weather = Weather()
        api = MemoryApi(self.scene.cluster, self.weather, actor="op")
        self.cache = Cache(clock=asyncio.get_running_loop().time, wall=lambda: WALL)
        self.writer = Writer(api, self.cache)
        self.look()

    @property
    def cluster(self) -> MemoryCluster:
        return self.scene.cluster

    def look(self) -> None:
        """See everything that is there."""
        for kind in ALL_KINDS:
            for body in self.cluster.bodies(kind):
                self.cache.observe(kind, body)

    async def do(self, action: Any) -> Outcome:
        return (await self.writer.apply(action)).outcome

    def body(self, kind: Kind[Any], name: str, namespace: str = "") -> Raw:
        return self.cluster.get(kind, namespace, name)

    def add_instance(self, *, epoch: int = 0, granted: bool = False, closed: int = 0) -> HAInstance:
        session = {"bootID": "boot-n1", "nonce": "nonce-1", "seq": 1}
        spec: Raw = {"service": {"name": "web", "uid": "s"}, "exclusive": True, "epoch": epoch}
        if granted:
            spec["grant"] = {"host": "n1", "session": session, "machineUUID": "m"}
        if closed:
            spec["closed"] = {"epoch": closed, "evidence": "Released"}
        meta = {"name": "web-0", "namespace": "shop", "finalizers": [INSTANCE_FINALIZER]}
        self.scene.store(
            HA_INSTANCES, {"apiVersion": HA_INSTANCES.api_version, "kind": "HAInstance", "metadata": meta, "spec": spec}
        )
        self.look()
        return self.cache.world.instances["shop/web-0"]


ADDRESS = Claim("Address", "192.0.2.10")
UNIT = Claim("Unit", "web.service")


class Asked(Bench):
    """A bench with a service that owns an address and a unit on n1, and an instance."""

    def __init__(self) -> None:
        super().__init__()
        self.scene.add_service("web")
        self.look()
        self.service = self.cache.world.services["shop/web"]
        self.instance = self.add_instance()
        for key in (ADDRESS, UNIT):
            self.scene.store(RESOURCE_CLAIMS, claim_for(key, self.service, ["n1"]).wire())
        self.look()
        for kind, name, namespace, ours in (
            (HA_SERVICES, "web", "shop", SERVICE_FINALIZER),
            (HOSTS, "n1", "", HOST_FINALIZER),
        ):
            self.cluster.patch(kind, (namespace, name), {"metadata": {"finalizers": [ours]}}, actor="admin")

    async def grant(self, *needs: Precondition) -> Result:
        grant = Grant(host="n1", session=SESSION, machine_uuid="m")
        spec: HAInstanceSpec = self.instance.spec.model_copy(update={"epoch": 1, "grant": grant})
        return await self.writer.apply(WriteInstance(self.instance, spec, "go", needs))

    @property
    def epoch(self) -> int:
        return int(self.body(HA_INSTANCES, "web-0", "shop")["spec"]["epoch"])

    def take_claim_away(self, key: Claim) -> None:
        self.cluster.delete(RESOURCE_CLAIMS, ("", key.name), actor="admin")

    def give_claim_to_another(self, key: Claim) -> None:
        self.take_claim_away(key)
        meta = self.service.metadata.model_copy(update={"name": "thief", "uid": "thief"})
        thief = self.service.model_copy(update={"metadata": meta})
        self.scene.store(RESOURCE_CLAIMS, claim_for(key, thief, ["n1"]).wire())


def granted(instance: HAInstance, *, closed: Closed | None = None) -> HAInstanceSpec:
    grant = Grant(host="n1", session=SESSION, machine_uuid="m")
    return instance.spec.model_copy(update={"epoch": instance.spec.epoch + 1, "grant": grant, "closed": closed})
