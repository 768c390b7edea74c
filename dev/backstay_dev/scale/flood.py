"""A tenant makes hundreds of services within a minute: what that does to the hosts that renew their Leases meanwhile."""

from __future__ import annotations

import asyncio
import random
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final

from backstay_api.client.api import Event
from backstay_api.client.http import HttpApi
from backstay_api.client.informer import Informer
from backstay_api.client.transport import ApiConfig
from backstay_api.objects import lease
from backstay_api.objects.kinds import LEASES, Raw, unread
from backstay_api.objects.object_kinds import FENCE_REQUESTS, HA_SERVICES, HOSTS
from backstay_api.objects.promise import PROFILES
from backstay_dev.lab.shell import Progress
from backstay_dev.show.bench_many import Found

from .site import Site, Size, services, site
from .story import Story, Watched

NAMESPACE: Final = "shop"
ACCOUNT: Final = "tenant"


@dataclass(frozen=True)
class Flood:
    """How many services come, within which time; and for how long it is looked on afterwards."""

    services: int = 600
    within_s: float = 60.0
    afterwards_s: float = 30.0
    hosts: int = 12

    @property
    def size(self) -> Size:
        """Hosts as ever, in one pool, without services of their own."""
        return Size(hosts=self.hosts, services=0, pool=self.hosts)

    def manifests(self) -> list[Raw]:
        found = services(Size(hosts=self.hosts, services=self.services, pool=self.hosts))
        return [{**one, "metadata": {**one["metadata"], "namespace": NAMESPACE}} for one in found]


@dataclass
class Seen:
    """What a client of the API server sees of hosts, while it is as busy as everybody."""

    period_s: float
    renewals: int = 0
    latest_s: float = 0.0
    """How much later than its time the latest of all renewals was, by what hosts write into their Leases."""
    seen_latest_s: float = 0.0
    """The same by when this client was told of them: an upper bound."""
    doubted: set[str] = field(default_factory=set)
    """Hosts that were called anything but alive, or that a FenceRequest was made for."""
    _last: dict[str, tuple[int, float, float]] = field(default_factory=dict)

    def lease(self, body: Raw, now_s: float) -> None:
        known = lease.read(body)
        written_s = datetime.fromisoformat((known.spec or {})["renewTime"]).timestamp()
        number, last_written_s, last_seen_s = self._last.get(known.host, (known.renewal, written_s, now_s))
        if known.renewal > number:
            self.renewals += 1
            self.latest_s = max(self.latest_s, written_s - last_written_s - self.period_s)
            self.seen_latest_s = max(self.seen_latest_s, now_s - last_seen_s - self.period_s)
        if known.renewal != number or known.host not in self._last:
            self._last[known.host] = (known.renewal, written_s, now_s)

    def host(self, body: Raw) -> None:
        if body.get("status", {}).get("liveness", "Live") != "Live":
            self.doubted.add(body["metadata"]["name"])

    def request(self, body: Raw) -> None:
        self.doubted.add(body["spec"]["host"])


def figures(flood: Flood, progress: Progress) -> Iterator[Found]:
    """All of them, when all is over."""
    with (
        tempfile.TemporaryDirectory(prefix="backstay-flood-") as folder,
        site(flood.size, Path(folder), progress) as there,
    ):
        yield from asyncio.run(_measured(there, flood, progress))


async def _measured(there: Site, flood: Flood, progress: Progress) -> list[Found]:
    tenant = await asyncio.to_thread(_tenant, there)
    story = Story(there, there.api(), Watched(), progress)
    seen = Seen(PROFILES[flood.size.profile].renew_s)
    async with story.watching():
        await story.join()
        async with _watching(story.api, seen):
            took_s = await _pour(tenant, flood)
            progress(f"{flood.services} services within {took_s:.1f} s")
            await asyncio.sleep(flood.afterwards_s)
        ready = len(story.watched.ready["HAService"])
    await tenant.close()
    title = f"flood, {flood.services} services of one tenant on {flood.hosts} hosts"
    return [
        Found(f"{title}: all made within", "s", [took_s]),
        Found(f"{title}: hosts suspected meanwhile", "", [float(len(seen.doubted))], aim=0),
        Found(
            f"{title}: latest of {seen.renewals} renewals, after its time", "s", [seen.latest_s], aim=seen.period_s / 2
        ),
        Found(f"{title}: the same, by when a client was told", "s", [seen.seen_latest_s]),
        Found(f"{title}: Ready {flood.afterwards_s:g} s after the last", "", [float(ready)]),
    ]


async def _pour(api: HttpApi, flood: Flood) -> float:
    """Evenly; seconds until the last was answered."""
    begun_s = time.monotonic()
    manifests = flood.manifests()
    async with asyncio.TaskGroup() as tasks:
        for number, body in enumerate(manifests):
            await asyncio.sleep(begun_s + number * flood.within_s / len(manifests) - time.monotonic())
            tasks.create_task(api.create(unread(HA_SERVICES), body, NAMESPACE))
    return time.monotonic() - begun_s


@asynccontextmanager
async def _watching(api: HttpApi, seen: Seen) -> AsyncIterator[None]:
    async with asyncio.TaskGroup() as tasks:
        kinds: list[tuple[Informer[Raw], Callable[[Event[Raw]], None]]] = [
            (
                Informer(api, LEASES, namespace=lease.NAMESPACE, rng=random.Random()),
                lambda one: seen.lease(one.object, time.monotonic()),
            ),
            (Informer(api, unread(HOSTS), rng=random.Random()), lambda one: seen.host(one.object)),
            (Informer(api, unread(FENCE_REQUESTS), rng=random.Random()), lambda one: seen.request(one.object)),
        ]
        running = [tasks.create_task(informer.run(note)) for informer, note in kinds]
        yield
        for one in running:
            one.cancel()


def _tenant(there: Site) -> HttpApi:
    """Somebody who may edit services in a namespace of his own, and nothing else. (No controller adds our roles to `edit` here.)"""
    rbac = "rbac.authorization.k8s.io"
    binding = {
        "metadata": {"name": ACCOUNT},
        "roleRef": {"apiGroup": rbac, "kind": "ClusterRole", "name": "backstay:edit"},
        "subjects": [{"kind": "ServiceAccount", "name": ACCOUNT, "namespace": NAMESPACE}],
    }
    ask = there.plane.request
    ask("POST", "/api/v1/namespaces", {"metadata": {"name": NAMESPACE}})
    ask("POST", f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts", {"metadata": {"name": ACCOUNT}})
    ask("POST", f"/apis/{rbac}/v1/namespaces/{NAMESPACE}/rolebindings", binding)
    token = there.plane.token_for(NAMESPACE, ACCOUNT)
    config = ApiConfig(servers=(there.plane.url,), ca_file=str(there.plane.ca_file), token=lambda: token)
    return HttpApi(config, rng=random.Random())
