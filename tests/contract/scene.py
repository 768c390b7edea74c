"""What the stories of the contract suite play with: little objects called widgets, and two servers to play on."""

import itertools
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from backstay_api.client.api import Api
from backstay_api.client.http import ApiConfig, HttpApi
from backstay_api.memory.server import MemoryApi, MemoryCluster
from backstay_api.objects.kinds import Kind, Raw, raw
from backstay_dev.lab.controlplane import ControlPlane
from backstay_dev.simulator.virtualtime import run

CONFIG_MAPS = raw("", "v1", "configmaps", "ConfigMap", True)
NAMESPACES = raw("", "v1", "namespaces", "Namespace", False, has_status=True)
WIDGETS = raw("contract.backstay.dev", "v1", "widgets", "Widget", True, has_status=True)
SIZE_GROWS = "size only grows"

_OPEN = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
WIDGET_CRD = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": WIDGETS.resource},
    "spec": {
        "group": WIDGETS.group,
        "scope": "Namespaced",
        "names": {"plural": "widgets", "singular": "widget", "kind": "Widget", "listKind": "WidgetList"},
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "subresources": {"status": {}},
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object",
                        "properties": {
                            "spec": {
                                **_OPEN,
                                "properties": {"size": {"type": "integer"}},
                                "x-kubernetes-validations": [
                                    {
                                        "rule": "!has(self.size) || !has(oldSelf.size) || self.size >= oldSelf.size",
                                        "message": SIZE_GROWS,
                                    }
                                ],
                            },
                            "status": _OPEN,
                        },
                    }
                },
            }
        ],
    },
}


@dataclass(frozen=True)
class Scene:
    """What a story plays with: an API and an empty namespace in it."""

    api: Api
    namespace: str
    forget: Callable[[], None]
    """Version 1 is too old from now on."""

    async def widget(self, name: str, *, size: int = 1, **metadata: Any) -> Raw:
        """A widget that is there."""
        return await self.api.create(WIDGETS, a_widget(name, size=size, **metadata), self.namespace)

    async def seen(self, name: str) -> Raw:
        return await self.api.get(WIDGETS, name, self.namespace)

    async def change(self, name: str, *, size: int) -> Raw:
        return await self.api.patch(WIDGETS, name, {"spec": {"size": size}}, self.namespace)

    async def remove(self, name: str) -> None:
        await self.api.delete(WIDGETS, name, self.namespace)


Story = Callable[[Scene], Awaitable[None]]
Play = Callable[[Story], None]

_numbers = itertools.count(1)


def a_widget(name: str, *, size: int = 1, **metadata: Any) -> Raw:
    return {"metadata": {"name": name, **metadata}, "spec": {"size": size}}


def server_config(plane: ControlPlane, **changes: Any) -> ApiConfig:
    """As the administrator of a real server."""
    return ApiConfig(
        servers=(plane.url,), ca_file=str(plane.ca_file), token=lambda: plane.admin_token, chunk=2, **changes
    )


def size_only_grows(kind: Kind[Any], old: Raw | None, new: Raw) -> str | None:
    """The CRD's CEL rule, for the fake."""
    before, after = (body.get("spec", {}).get("size") if body else None for body in (old, new))
    return SIZE_GROWS if before is not None and after is not None and after < before else None


def play_in_memory(story: Story) -> None:
    cluster = MemoryCluster()
    cluster.admit(WIDGETS, size_only_grows)

    async def play() -> None:
        await story(Scene(MemoryApi(cluster), "play", cluster.compact))

    run(play(), limit_s=600)


async def play_on_server(plane: ControlPlane, story: Story) -> None:
    api = HttpApi(server_config(plane), rng=random.Random(7))
    namespace = f"contract-{next(_numbers)}"
    try:
        await api.create(NAMESPACES, {"metadata": {"name": namespace}})
        # The server's history begins when its cache was filled: version 1 is always before that.
        await story(Scene(api, namespace, lambda: None))
    finally:
        await api.close()
