"""All fence requests at once: keeps one worker for each, and the tests of fence paths.

Of several fencers one works, and the others watch. A lead is a life of the fencer: who begins to lead knows of what was sent
before as a fencer does that has just been started, and who leads no more lets what it has sent come to its end, and sends nothing.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from backstay_api.client.api import Api, Event
from backstay_api.objects.models import FenceRequest

from .agents import FenceAgents
from .counters import Counters
from .devices import Devices
from .machines import Machines
from .path_tests import PathTests
from .watches import Watches
from .worker import Ports, Worker


def _always() -> bool:
    """Known to be the only one."""
    return True


class Executor:
    """The fencer: watches, workers and the path tests live and die together."""

    def __init__(
        self,
        api: Api,
        agents: FenceAgents,
        *,
        rng: random.Random,
        wall: Callable[[], str],
        leads: Callable[[], bool] = _always,
    ) -> None:
        """`leads`: whether this fencer is the one that works; asked before whatever it begins."""
        self.watches = Watches(api, rng)
        self.leads, self._rng = leads, rng
        self.counters = Counters()
        devices = Devices(api, agents, self.counters)
        self._machines = Machines(api, self.watches, self._known_more, leads)
        identity = f"{rng.getrandbits(32):08x}"
        self._ports = Ports(api, devices, self.watches, self._machines, wall, identity, leads, self.counters)
        self.path_tests = PathTests(api, devices, self.watches, self._machines, wall, leads)
        self._tasks: asyncio.TaskGroup | None = None
        self._workers: dict[str, tuple[Worker, asyncio.Task[None]]] = {}
        """By UID: a request recreated under an old name starts with no reads."""

    @property
    def requests(self) -> int:
        return len(self._workers)

    @property
    def waiting(self) -> int:
        """How many hosts are to be off, and nothing proves that."""
        known = (entry.object for entry in self.watches.requests.entries.values())
        requests = [one for one in known if isinstance(one, FenceRequest)]
        return sum(one.spec.want == "Off" and one.status.evidence is None for one in requests)

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            self._tasks, watches = tasks, self.watches
            tasks.create_task(watches.hosts.run(self._machines_changed), name="hosts")
            tasks.create_task(watches.leases.run(lambda event: self._known_more()), name="leases")
            tasks.create_task(watches.assignments.run(self._machines_changed), name="assignments")
            tasks.create_task(watches.requests.run(lambda event: self._requests_changed(tasks)), name="requests")
            tasks.create_task(self._machines.run(), name="machines")
            tasks.create_task(self.path_tests.run(), name="path tests")

    def begin_to_lead(self) -> None:
        """What stands there is taken up."""
        if self._tasks is not None:
            self._requests_changed(self._tasks)
            self._machines.poke()
            self._known_more()

    def _requests_changed(self, tasks: asyncio.TaskGroup) -> None:
        present = {
            entry.object.uid: entry.object
            for entry in self.watches.requests.entries.values()
            if isinstance(entry.object, FenceRequest)
        }
        for uid in [uid for uid in self._workers if uid not in present]:
            self._workers.pop(uid)[1].cancel()
        for uid in [uid for uid in present if uid not in self._workers and self.leads()]:
            worker = Worker(present[uid], self._ports)
            task = tasks.create_task(self._work(uid, worker, tasks), name=f"request {present[uid].key}")
            self._workers[uid] = worker, task
        self._poke_all()

    async def _work(self, uid: str, worker: Worker, tasks: asyncio.TaskGroup) -> None:
        await worker.run()
        # It led no more; perhaps it does again.
        del self._workers[uid]
        self._ports = replace(self._ports, identity=f"{self._rng.getrandbits(32):08x}")
        self._requests_changed(tasks)

    def _machines_changed(self, event: Event[Any]) -> None:
        self._machines.note(event)
        self._known_more()

    def _known_more(self) -> None:
        self.path_tests.poke()
        self._poke_all()

    def _poke_all(self) -> None:
        for worker, _ in self._workers.values():
            worker.poke()
