"""All fence requests at once: keeps one worker for each, and the tests of fence paths."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from typing import Any

from backstay_api.client.api import Api, Event
from backstay_api.objects.models import FenceRequest

from .agents import FenceAgents
from .devices import Devices
from .machines import Machines
from .path_tests import PathTests
from .watches import Watches
from .worker import Ports, Worker


class Executor:
    """The fencer: watches, workers and the path tests live and die together."""

    def __init__(self, api: Api, agents: FenceAgents, *, rng: random.Random, wall: Callable[[], str]) -> None:
        self.watches = Watches(api, rng)
        devices = Devices(api, agents)
        self._machines = Machines(api, self.watches, self._known_more)
        self._ports = Ports(api, devices, self.watches, self._machines, wall, identity=f"{rng.getrandbits(32):08x}")
        self.path_tests = PathTests(api, devices, self.watches, self._machines, wall)
        self._workers: dict[str, tuple[Worker, asyncio.Task[None]]] = {}
        """By UID: a request recreated under an old name starts with no reads."""

    @property
    def requests(self) -> int:
        return len(self._workers)

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            watches = self.watches
            tasks.create_task(watches.hosts.run(self._machines_changed), name="hosts")
            tasks.create_task(watches.leases.run(lambda event: self._known_more()), name="leases")
            tasks.create_task(watches.assignments.run(self._machines_changed), name="assignments")
            tasks.create_task(watches.requests.run(lambda event: self._requests_changed(tasks)), name="requests")
            tasks.create_task(self._machines.run(), name="machines")
            tasks.create_task(self.path_tests.run(), name="path tests")

    def _requests_changed(self, tasks: asyncio.TaskGroup) -> None:
        wanted = {
            entry.object.uid: entry.object
            for entry in self.watches.requests.entries.values()
            if isinstance(entry.object, FenceRequest)
        }
        for uid in [uid for uid in self._workers if uid not in wanted]:
            self._workers.pop(uid)[1].cancel()
        for uid in [uid for uid in wanted if uid not in self._workers]:
            worker = Worker(wanted[uid], self._ports)
            self._workers[uid] = worker, tasks.create_task(worker.run(), name=f"request {wanted[uid].key}")
        self._poke_all()

    def _machines_changed(self, event: Event[Any]) -> None:
        self._machines.note(event)
        self._known_more()

    def _known_more(self) -> None:
        self.path_tests.poke()
        self._poke_all()

    def _poke_all(self) -> None:
        for worker, _ in self._workers.values():
            worker.poke()
