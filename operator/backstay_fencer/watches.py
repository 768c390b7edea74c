"""What the fencer watches: requests, hosts, Leases and what agents say."""

from __future__ import annotations

import random
from typing import Any

from backstay_api.client.api import Api
from backstay_api.client.informer import LEASE_BACKOFF, Informer
from backstay_api.objects import lease as leases
from backstay_api.objects.kinds import Kind, T
from backstay_api.objects.lease import HostLease
from backstay_api.objects.models import FenceRequest, Host
from backstay_api.objects.models.host import DeviceStatus, FenceDevice
from backstay_api.objects.object_kinds import FENCE_REQUESTS, HOST_ASSIGNMENTS, HOST_LEASES, HOSTS, Unreadable

from .facts import Slot
from .shared import Shared


class Watches:
    """What the fencer watches, as it is now."""

    def __init__(self, api: Api, rng: random.Random) -> None:
        def informer(kind: Kind[T], namespace: str = "") -> Informer[T]:
            return Informer(api, kind, rng=rng, namespace=namespace, backoff=LEASE_BACKOFF)

        self.requests = informer(FENCE_REQUESTS)
        self.hosts = informer(HOSTS)
        self.assignments = informer(HOST_ASSIGNMENTS)
        self.leases = informer(HOST_LEASES, leases.NAMESPACE)
        self.ask_who_is_who = Shared(self._ask_who_is_who)
        """Learn what every agent has said by now of its machine, told by the watch or not. Raises `ApiError`."""

    def request(self, name: str) -> FenceRequest | None:
        return _readable(self.requests, name)

    def host(self, name: str) -> Host | None:
        return _readable(self.hosts, name)

    def lease(self, host: str) -> HostLease | None:
        return _readable(self.leases, host, leases.NAMESPACE)

    def machine_uuid(self, host: str) -> str:
        """As its agent says it now."""
        assignment = _readable(self.assignments, host)
        session = assignment.status.session if assignment else None
        return session.machine_uuid if session else ""

    def told_of(self, host: str, slot: Slot) -> DeviceStatus | None:
        """What the last regular test has told of the device in this place, be it one of a fencer before us."""
        found = self.host(host)
        told = found.status.fencing.devices if found and found.status.fencing else ()
        return next((one for one in told if (one.level, one.device) == slot), None)

    def devices_of_others(self, host: str) -> list[FenceDevice]:
        """Of every host but this one."""
        found = (self.host(name) for name in self.host_names() if name != host)
        return [device for one in found if one for level in one.spec.fencing.levels for device in level.devices]

    def all(self) -> dict[str, tuple[float | None, str]]:
        """By what is watched: when the server last told of it (the loop's clock), and why it is not watched now."""
        watches: tuple[Informer[Any], ...] = (self.requests, self.hosts, self.assignments, self.leases)
        return {watch.kind.plural: (watch.last_seen_at_s, watch.trouble) for watch in watches}

    @property
    def are_listed(self) -> bool:
        """Whether hosts and their agents' words have been listed: before that, absence says nothing."""
        return self.hosts.synced.is_set() and self.assignments.synced.is_set()

    async def _ask_who_is_who(self) -> None:
        """One list of versions, and one read of each object that is not known as it is now: but of which machine has been named nothing can
        change (CEL), so few are read, however many hosts write.
        """
        for meta in await self.assignments.missed():
            entry = self.assignments.entries.get(meta.key)
            if entry is None or entry.meta.uid != meta.uid or not self.machine_uuid(meta.name):
                await self.assignments.catch_up(meta)

    async def known(self) -> None:
        """Until they are."""
        await self.hosts.synced.wait()
        await self.assignments.synced.wait()

    def is_host(self, name: str) -> bool:
        """Whether there is such a Host, be it one that cannot be read."""
        return ("", name) in self.hosts.entries

    def host_names(self) -> tuple[str, ...]:
        return tuple(sorted(name for _, name in self.hosts.entries))


def _readable(informer: Informer[T | Unreadable], name: str, namespace: str = "") -> T | None:
    entry = informer.entries.get((namespace, name))
    return None if entry is None or isinstance(entry.object, Unreadable) else entry.object
