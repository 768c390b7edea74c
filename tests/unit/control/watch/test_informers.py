"""Which kinds a server may not know: without ServiceClasses an operator plans, without any other kind it waits."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass

import pytest

from backstay_api.client.errors import NotFound
from backstay_api.memory.server import Change, Fate, MemoryApi, MemoryCluster, Request
from backstay_api.objects.kinds import Kind
from backstay_api.objects.object_kinds import ALL_KINDS, SERVICE_CLASSES
from backstay_dev.simulator.virtualtime import run
from backstay_operator.control.watch.cache import Cache
from backstay_operator.control.watch.informers import Informers


@dataclass
class Without:
    """A server that has no definition of this kind."""

    kind: Kind[object]

    def request(self, request: Request) -> Fate:
        is_unknown = request.resource == self.kind.resource
        return Fate(error=NotFound("the server could not find the requested resource")) if is_unknown else Fate()

    def event(self, watch: Request, change: Change | None) -> float | None:
        return 0.0


@pytest.mark.parametrize("kind", ALL_KINDS, ids=lambda kind: kind.plural)
def test_only_classes_may_be_unknown(kind: Kind[object]) -> None:
    async def story() -> None:
        cache = Cache(clock=asyncio.get_running_loop().time, wall=lambda: "2026-03-01T12:00:00Z")
        api = MemoryApi(MemoryCluster(), Without(kind))
        task = asyncio.create_task(Informers(api, cache, rng=random.Random(1)).run())
        await asyncio.sleep(60)
        assert [*cache.missing] == ([] if kind is SERVICE_CLASSES else [kind.kind])
        task.cancel()

    run(story(), limit_s=1000)
