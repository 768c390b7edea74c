"""What is measured: hosts join, services come, nothing happens, hosts lose their power."""

from __future__ import annotations

import asyncio
import random
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from backstay_api.client.api import Event
from backstay_api.client.http import HttpApi
from backstay_api.client.informer import Informer
from backstay_api.objects.kinds import Raw, unread
from backstay_api.objects.object_kinds import HA_SERVICES, HOSTS
from backstay_dev.lab.shell import LabError, Progress
from backstay_dev.show.bench_many import Found

from . import lives, meters
from .lives import Loss
from .meters import Costs
from .site import Site, Size, load, site

LONGEST_S: Final = 480.0
"""No step takes longer, or there is something to be mended."""


@dataclass
class Watched:
    """What people would see: the conditions of all hosts and services, as they come."""

    ready: dict[str, set[str]] = field(default_factory=lambda: {"Host": set(), "HAService": set()})
    changed_s: float = 0.0

    def note(self, event: Event[Raw]) -> None:
        self.changed_s = time.monotonic()
        body = event.object
        conditions = body.get("status", {}).get("conditions", ())
        is_ready = any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)
        names = self.ready[body["kind"]]
        (names.add if is_ready else names.discard)(body["metadata"]["name"])

    @property
    def quiet_s(self) -> float:
        """For how long nothing has been told."""
        return time.monotonic() - self.changed_s


def figures(size: Size, progress: Progress) -> Iterator[Found]:
    """All of them, when all is over."""
    with tempfile.TemporaryDirectory(prefix="backstay-scale-") as folder, site(size, Path(folder), progress) as there:
        yield from asyncio.run(_measured(there, progress))


async def _measured(there: Site, progress: Progress) -> list[Found]:
    story = Story(there, there.api(), Watched(), progress)
    async with story.watching():
        return [*await story.join(), *await story.fill(), *await story.idle(), *await story.lose()]


@dataclass
class Story:
    """Each step waits for what it is about, and says how long that took and what it cost."""

    site: Site
    api: HttpApi
    watched: Watched
    progress: Progress

    @asynccontextmanager
    async def watching(self) -> AsyncIterator[None]:
        try:
            async with asyncio.TaskGroup() as tasks:
                running = [
                    tasks.create_task(Informer(self.api, unread(kind), rng=random.Random()).run(self.watched.note))
                    for kind in (HA_SERVICES, HOSTS)
                ]
                yield
                for one in running:
                    one.cancel()
        finally:
            await self.api.close()

    async def join(self) -> list[Found]:
        """From the first agent's start until every host is Ready."""
        await self.site.enrol(self.api)
        self.progress("hosts are enrolled")
        begun_s = time.monotonic()
        self.site.start()
        took_s = await self._until(lambda: len(self.watched.ready["Host"]) == self._size.hosts, "hosts that are Ready")
        self.progress(f"hosts are Ready after {took_s:.1f} s")
        return [self._found("all hosts Ready after their start", "s", time.monotonic() - begun_s)]

    async def fill(self) -> list[Found]:
        """From the first service's manifest until the last is Ready."""
        before = await self._costs()
        begun_s = time.monotonic()
        await load(self.api, self._size)
        self.progress(f"all services are there after {time.monotonic() - begun_s:.1f} s")
        await self._until(self._are_all_ready, "services that are Ready")
        took_s = time.monotonic() - begun_s
        self.progress(f"all are Ready after {took_s:.1f} s")
        await self._until(self._is_quiet, "quiet")
        after = await self._costs()
        each = {what: count / self._size.services for what, count in (after.requests - before.requests).most_common()}
        return [
            self._found("services created: all Ready after", "s", took_s),
            self._found("until then, API requests for each service", "", sum(each.values()), breakdown=_rounded(each)),
            self._found("until then, operator", "s of CPU", after.cpu_s["operator"] - before.cpu_s["operator"]),
            self._found("until then, a plan", "s", after.a_plan_s(before)),
        ]

    async def idle(self) -> list[Found]:
        """Nothing happens."""
        before = await self._costs()
        await asyncio.sleep(self._size.idle_s)
        after = await self._costs()
        asked, cores, memory = after.requests_a_second(before), after.cores(before), meters.memory_mib(self.site.pids)
        return [
            self._found("idle: API requests", "a second", sum(asked.values()), breakdown=_rounded(asked)),
            self._found("idle: operator, CPU", "% of a core", 100 * cores["operator"]),
            self._found("idle: operator, PSS", "MiB", memory["operator"]),
            self._found("idle: fencer, CPU", "% of a core", 100 * cores["fencer"]),
            self._found("idle: fencer, PSS", "MiB", memory["fencer"]),
            self._found("idle: kube-apiserver, CPU", "% of a core", 100 * cores["kube-apiserver"]),
            self._found("idle: kube-apiserver, PSS", "MiB", memory["kube-apiserver"]),
            self._found("idle: etcd, CPU", "% of a core", 100 * cores["etcd"]),
            self._found("idle: the fleet, all agents in one process, CPU", "% of a core", 100 * cores["fleet"]),
            self._found("idle: the fleet, PSS", "MiB", memory["fleet"]),
        ]

    async def lose(self) -> list[Found]:
        """Hosts lose their power, one after another, those that run most first; each until its services run elsewhere."""
        medians, lasts, counts, told, before = [], [], [], [], await self._costs()
        for number in range(self._size.losses):
            loss = self._cut(number)
            await self._until(lambda loss=loss: self._is_back(loss), f"all services of {loss.host} elsewhere")  # type: ignore[misc]
            back = loss.back_s(self.site.lives)
            medians.append(statistics.median(back.values()))
            lasts.append(max(back.values()))
            counts.append(float(len(back)))
            await self._until(self._are_all_ready, "services that are Ready again")
            told.append(time.monotonic() - loss.cut_s)
            self.progress(f"{loss.host}: {len(back)} services were lost; the last ran again after {lasts[-1]:.2f} s")
            await self._until(self._is_quiet, "quiet")
        after = await self._costs()
        if both := list(lives.twice(self.site.lives)):
            raise LabError(f"Something ran twice: {both[0]}")
        return [
            self._found("a host lost its power: services on it", "", *counts),
            self._found("half of them run elsewhere after", "s", *medians),
            self._found("all of them run elsewhere after", "s", *lasts),
            self._found("all told Ready after", "s", *told),
            self._found("meanwhile, a plan", "s", after.a_plan_s(before)),
        ]

    @property
    def _size(self) -> Size:
        return self.site.size

    def _found(self, what: str, unit: str, *values: float, breakdown: Mapping[str, float] | None = None) -> Found:
        return Found(f"scale, {self._size.title}: {what}", unit, values, breakdown=breakdown or {})

    def _cut(self, number: int) -> Loss:
        """In a pool of its own each."""
        running = lives.running(self.site.lives)
        of_pool = self._size.host_names[number % self._size.pools * self._size.pool :][: self._size.pool]
        host, _ = Counter(host for host in running.values() if host in of_pool).most_common(1)[0]
        loss = Loss(host, time.monotonic(), frozenset(what for what, where in running.items() if where == host))
        self.site.power.cut(host)
        return loss

    def _are_all_ready(self) -> bool:
        return len(self.watched.ready["HAService"]) == self._size.services

    def _is_quiet(self) -> bool:
        """No status has changed for so long: what was begun is over."""
        return self.watched.quiet_s > self._size.quiet_s

    def _is_back(self, loss: Loss) -> bool:
        return loss.back_s(self.site.lives).keys() == loss.what

    async def _costs(self) -> Costs:
        asked = meters.requests(await self.api.text("/metrics", timeout_s=30))
        planned = meters.plans(await asyncio.to_thread(self.site.operator_says))
        return Costs(time.monotonic(), meters.used_s(self.site.pids), asked, planned)

    async def _until(self, true: Callable[[], bool], what: str) -> float:
        begun_s = time.monotonic()
        while not true():
            if dead := [name for name, child in self.site.children.items() if not child.running]:
                raise LabError(f"{dead[0]} ended; its last words:\n{self.site.children[dead[0]].last_words()}")
            if time.monotonic() - begun_s > LONGEST_S:
                told = {kind: len(names) for kind, names in self.watched.ready.items()}
                raise LabError(f"{what} did not come about within {LONGEST_S:g} s (Ready: {told})")
            await asyncio.sleep(0.05)
        return time.monotonic() - begun_s


def _rounded(values: Mapping[str, float]) -> dict[str, Any]:
    return {name: round(value, 2) for name, value in values.items() if value >= 0.05}
