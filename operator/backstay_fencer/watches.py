"""What the fencer watches: requests, hosts, Leases and what agents say."""

from __future__ import annotations

import random
from typing import Any

from backstay_api.client.api import Api, Event
from backstay_api.client.informer import LEASE_BACKOFF, Informer
from backstay_api.objects import lease as leases
from backstay_api.objects.kinds import Kind, T
from backstay_api.objects.lease import HostLease
from backstay_api.objects.models import FenceRequest, Host
from backstay_api.objects.object_kinds import FENCE_REQUESTS, HOST_ASSIGNMENTS, HOST_LEASES, HOSTS, Unreadable

from . import identity


class Watches:
    """What the fencer watches, as it is now."""

    def __init__(self, api: Api, rng: random.Random) -> None:
        def informer(kind: Kind[T], namespace: str = "") -> Informer[T]:
            return Informer(api, kind, rng=rng, namespace=namespace, backoff=LEASE_BACKOFF)

        self.requests = informer(FENCE_REQUESTS)
        self.hosts = informer(HOSTS)
        self.assignments = informer(HOST_ASSIGNMENTS)
        self.leases = informer(HOST_LEASES, leases.NAMESPACE)
        self._machine_uuids: dict[str, str] = {}
        """By host: the machine's UUID, as its agent said it last."""

    def request(self, name: str) -> FenceRequest | None:
        return _readable(self.requests, name)

    def host(self, name: str) -> Host | None:
        return _readable(self.hosts, name)

    def lease(self, host: str) -> HostLease | None:
        return _readable(self.leases, host, leases.NAMESPACE)

    def machine_uuid(self, host: str) -> str:
        assignment = _readable(self.assignments, host)
        session = assignment.status.session if assignment else None
        return session.machine_uuid if session else ""

    def note_machines(self, event: Event[Any]) -> None:
        """A HostAssignment or a Host has changed: what an agent said of its machine is kept as long as the Host is there.

        Somebody may delete a HostAssignment while its agent is silent: then only we still know whose board shares a name.
        """
        host = event.meta.name
        if uuid := self.machine_uuid(host):
            self._machine_uuids[host] = uuid
        elif ("", host) not in self.hosts.entries:
            self._machine_uuids.pop(host, None)

    def same_machine(self, host: str, machine_uuid: str = "") -> str:
        """Another host whose agent names the same machine; empty if there is none. Whole series of boards share one UUID.

        `machine_uuid`: what this host's agent said when it was granted something, in case that is all there is.
        """
        uuid = machine_uuid or self.machine_uuid(host) or self._machine_uuids.get(host, "")
        others = self._machine_uuids.items() if uuid else ()
        return min((name for name, said in others if name != host and identity.is_same(said, uuid)), default="")

    def all(self) -> dict[str, tuple[float | None, str]]:
        """By what is watched: when the server last told of it (the loop's clock), and why it is not watched now."""
        watches: tuple[Informer[Any], ...] = (self.requests, self.hosts, self.assignments, self.leases)
        return {watch.kind.plural: (watch.last_seen_at_s, watch.trouble) for watch in watches}

    async def known(self) -> None:
        """Until hosts and their agents' words have been listed: before that, absence says nothing."""
        await self.hosts.synced.wait()
        await self.assignments.synced.wait()

    def host_names(self) -> tuple[str, ...]:
        return tuple(sorted(name for _, name in self.hosts.entries))


def _readable(informer: Informer[T | Unreadable], name: str, namespace: str = "") -> T | None:
    entry = informer.entries.get((namespace, name))
    return None if entry is None or isinstance(entry.object, Unreadable) else entry.object
