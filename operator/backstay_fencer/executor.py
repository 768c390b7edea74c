"""All fence requests at once: watches what concerns them, and keeps one worker for each."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from typing import Any

from backstay_api.client.api import Api, Event
from backstay_api.client.informer import LEASE_BACKOFF, Informer
from backstay_api.objects import lease as leases
from backstay_api.objects.kinds import Kind, T
from backstay_api.objects.lease import HostLease
from backstay_api.objects.models import FenceRequest, Host, HostAssignment
from backstay_api.objects.object_kinds import FENCE_REQUESTS, HOST_ASSIGNMENTS, HOST_LEASES, HOSTS

from . import identity
from .agents import FenceAgents
from .devices import Devices
from .patrol import Patrol
from .worker import Ports, Worker


class Watches:
    """What the fencer hears; the workers' `Known`."""

    def __init__(self, api: Api, rng: random.Random) -> None:
        def informer(kind: Kind[T], namespace: str = "") -> Informer[T]:
            return Informer(api, kind, rng=rng, namespace=namespace, backoff=LEASE_BACKOFF)

        self.requests = informer(FENCE_REQUESTS)
        self.hosts = informer(HOSTS)
        self.assignments = informer(HOST_ASSIGNMENTS)
        self.leases = informer(HOST_LEASES, leases.NAMESPACE)
        self._said: dict[str, str] = {}
        """By host: the machine's UUID, as its agent said it last."""

    def request(self, name: str) -> FenceRequest | None:
        entry = self.requests.entries.get(("", name))
        return entry.object if entry is not None and isinstance(entry.object, FenceRequest) else None

    def host(self, name: str) -> Host | None:
        entry = self.hosts.entries.get(("", name))
        return entry.object if entry is not None and isinstance(entry.object, Host) else None

    def lease(self, host: str) -> HostLease | None:
        entry = self.leases.entries.get((leases.NAMESPACE, host))
        return entry.object if entry is not None and isinstance(entry.object, HostLease) else None

    def machine_uuid(self, host: str) -> str:
        entry = self.assignments.entries.get(("", host))
        if entry is None or not isinstance(entry.object, HostAssignment) or entry.object.status.session is None:
            return ""
        return entry.object.status.session.machine_uuid

    def note_machines(self, event: Event[Any]) -> None:
        """A HostAssignment or a Host has changed: what an agent said of its machine is kept as long as the Host is there.

        Somebody may delete a HostAssignment while its agent is silent: then only we still know whose board shares a name.
        """
        host = event.meta.name
        if uuid := self.machine_uuid(host):
            self._said[host] = uuid
        elif ("", host) not in self.hosts.entries:
            self._said.pop(host, None)

    def same_machine(self, host: str, machine_uuid: str = "") -> str:
        """Another host whose agent names the same machine; empty if there is none. Whole series of boards share one UUID.

        `machine_uuid`: what this host's agent said when it was granted something, in case that is all there is.
        """
        uuid = machine_uuid or self.machine_uuid(host) or self._said.get(host, "")
        others = self._said.items() if uuid else ()
        return min((name for name, said in others if name != host and identity.is_same(said, uuid)), default="")

    def all(self) -> dict[str, tuple[float | None, str]]:
        """By what is watched: when it was last heard of (the loop's clock), and why it is not heard now."""
        watches: dict[str, Informer[Any]] = {
            "fencerequests": self.requests,
            "hosts": self.hosts,
            "hostassignments": self.assignments,
            "leases": self.leases,
        }
        return {name: (watch.last_heard_at_s, watch.trouble) for name, watch in watches.items()}

    async def known(self) -> None:
        """Until hosts and their agents' words have been listed: before that, absence says nothing."""
        await self.hosts.synced.wait()
        await self.assignments.synced.wait()

    def host_names(self) -> tuple[str, ...]:
        return tuple(sorted(name for _, name in self.hosts.entries))


class Executor:
    """The fencer: watches, workers and the patrol live and die together."""

    def __init__(self, api: Api, agents: FenceAgents, *, rng: random.Random, wall: Callable[[], str]) -> None:
        self.watches = Watches(api, rng)
        devices = Devices(api, agents)
        self._ports = Ports(api, devices, self.watches, wall, identity=f"{rng.getrandbits(32):08x}")
        self.patrol = Patrol(api, devices, self.watches, wall)
        self._workers: dict[str, tuple[Worker, asyncio.Task[None]]] = {}
        """By UID: a request recreated under an old name starts with no reads."""

    @property
    def requests(self) -> int:
        """How many are looked after."""
        return len(self._workers)

    async def run(self) -> None:
        """Serve until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            watches = self.watches
            tasks.create_task(watches.hosts.run(self._machines_changed), name="hosts")
            tasks.create_task(watches.leases.run(self._something_changed), name="leases")
            tasks.create_task(watches.assignments.run(self._machines_changed), name="assignments")
            tasks.create_task(watches.requests.run(lambda event: self._requests_changed(tasks)), name="requests")
            tasks.create_task(self.patrol.run(), name="patrol")

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
        self.watches.note_machines(event)
        self._something_changed(event)

    def _something_changed(self, event: Event[Any]) -> None:
        self.patrol.poke()
        self._poke_all()

    def _poke_all(self) -> None:
        for worker, _ in self._workers.values():
            worker.poke()
