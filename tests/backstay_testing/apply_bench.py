"""An API server in memory, and the hands of an operator before it."""

from __future__ import annotations

import asyncio
from typing import Any

from backstay_api.memory.server import MemoryApi, MemoryCluster
from backstay_api.objects.kinds import Kind, Raw
from backstay_api.objects.models import HAInstance
from backstay_api.objects.models.instance import Closed, Grant, HAInstanceSpec, SessionRef
from backstay_api.objects.object_kinds import ALL_KINDS, HA_INSTANCES
from backstay_operator.control.act.apply import Outcome, Writer
from backstay_operator.control.watch.cache import Cache
from backstay_operator.planner.do.finalizers import INSTANCE_FINALIZER
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


def granted(instance: HAInstance, *, closed: Closed | None = None) -> HAInstanceSpec:
    grant = Grant(host="n1", session=SESSION, machine_uuid="m")
    return instance.spec.model_copy(update={"epoch": instance.spec.epoch + 1, "grant": grant, "closed": closed})
