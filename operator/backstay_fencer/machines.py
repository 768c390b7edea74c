"""Which machine each host is, and who else has its machine's name: as agents say it, and as `Host.status.machine` keeps it.

PROTOCOL 5. Somebody may delete a HostAssignment while its agent is silent, or remove one of two Hosts whose boards share a UUID; and
the fencer that has seen both may be gone by then. So it is written down, and no device of a host is believed before it is.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable
from typing import Any, Final

from backstay_api.client.api import Api, Event
from backstay_api.client.errors import ApiError
from backstay_api.objects.models.host import SHARING_SHOWN, MachineStatus
from backstay_api.objects.object_kinds import HOSTS
from backstay_api.process.waiting import clock_s, until

from . import identity
from .watches import Watches

log = logging.getLogger(__name__)

AGAIN_S: Final = 1.0
"""What could not be written is tried again after this: until then no device of that host is believed."""
NOT_LISTED: Final = "the fencer has just begun, and does not know yet which hosts there are and what their agents say"
NOT_RECORDED: Final = "which machine its agent has named does not stand in Host.status.machine yet"


class Machines:
    """What was learnt of hosts' machines in this life of the fencer and before."""

    def __init__(
        self, api: Api, known: Watches, changed: Callable[[], None], leads: Callable[[], bool] = lambda: True
    ) -> None:
        """`changed` is called when more is known than before, though nothing that is watched has changed. `leads`: whether to write it down."""
        self._leads = leads
        self._api, self._known, self._changed = api, known, changed
        self._uuids: dict[str, str] = {}
        """By host: the machine's UUID, as its agent said it last."""
        self._named = defaultdict[str, set[str]](set)
        """By each spelling of a UUID: hosts whose agents said it last. Of a thousand hosts nearly none has another's name."""
        self._met: dict[str, MachineStatus] = {}
        """By host: its machine, and whoever has named the same one, ever."""
        self._recorded: dict[str, tuple[str | None, MachineStatus]] = {}
        """By host: the Host's UID, and what was written of it, or was read there."""
        self._todo: set[str] = set()
        """Hosts of which more may be known than stands in their status."""
        self._poke = asyncio.Event()

    def poke(self) -> None:
        self._poke.set()

    def note(self, event: Event[Any]) -> None:
        """A HostAssignment or a Host has changed: what was learnt of its machine is kept as long as the Host is there."""
        name = event.meta.name
        host, said = self._known.host(name), self._known.machine_uuid(name)
        before = (host.status.machine if host else None) or MachineStatus(uuid="")
        if not self._known.is_host(name) and not said:
            self._name(name, "")
            for kept in (self._met, self._recorded):
                kept.pop(name, None)
        elif uuid := said or self._uuids.get(name) or before.uuid:
            self._name(name, uuid)
            if identity.is_same(before.uuid, uuid):
                self._meet(name, uuid, before.shared_with)
            for other in self._same(name, uuid):
                self._meet(name, uuid, [other])
                self._meet(other, uuid, [name])
        self._todo |= {name, *(one for one, met in self._met.items() if name in met.shared_with)}
        self._poke.set()

    def _name(self, host: str, uuid: str) -> None:
        """What its agent says from now on; empty: nothing."""
        before = self._uuids.pop(host, "")
        for spelt in identity.spellings(before) if before else ():
            self._named[spelt].discard(host)
            if not self._named[spelt]:
                del self._named[spelt]
        if uuid:
            self._uuids[host] = uuid
            for spelt in identity.spellings(uuid):
                self._named[spelt].add(host)

    def _meet(self, name: str, uuid: str, others: list[str]) -> None:
        """Of one host: these have named its machine as well."""
        met = self._met.get(name)
        known = met.shared_with if met and identity.is_same(met.uuid, uuid) else []
        together = MachineStatus(uuid=uuid, shared_with=sorted({*known, *others}))
        if others and together != met:
            self._met[name] = together
            self._todo.add(name)

    def uuid(self, host: str) -> str:
        """As its agent said it last; empty if that is not known."""
        return self._uuids.get(host, "")

    def shared_with(self, host: str, machine_uuid: str = "") -> str:
        """Another host whose agent has named the same machine; empty if there is none. Whole series of boards share one UUID.

        One that was removed counts on, for its board still has the name; one that says another name by now does not.
        `machine_uuid`: what this host's agent said when it was granted something, in case that is all there is.
        """
        return next(iter(self._sharing(host, machine_uuid or self.uuid(host))), "")

    def _sharing(self, host: str, uuid: str) -> list[str]:
        now, met = self._same(host, uuid), self._met.get(host)
        if met is None or not identity.is_same(met.uuid, uuid):
            return now
        return now + [name for name in met.shared_with if name not in self._uuids]

    def _same(self, host: str, uuid: str) -> list[str]:
        return sorted(self._named.get(identity.spelling(uuid), set()) - {host}) if uuid else []

    def not_known(self, host: str) -> str:
        """Why nothing can be said yet of whose power a device of this host switches; empty if it can."""
        if not self._known.are_listed:
            return NOT_LISTED
        return NOT_RECORDED if self._unrecorded(host) else ""

    def _unrecorded(self, name: str) -> MachineStatus | None:
        """What is to be written in this Host's status, if anything is."""
        host, uuid = self._known.host(name), self._uuids.get(name, "")
        if host is None or not uuid:
            return None
        found = MachineStatus(uuid=uuid, shared_with=self._sharing(name, uuid)[:SHARING_SHOWN])
        if host.status.machine == found:
            self._recorded[name] = host.uid, found
        return None if self._recorded.get(name) == (host.uid, found) else found

    async def run(self) -> None:
        """Write down what is learnt, until cancelled, while it leads."""
        await self._known.known()
        self._changed()
        while True:
            self._poke.clear()
            names, self._todo = (sorted(self._todo), set()) if self._leads() else ([], self._todo)
            for name in names:
                if (found := self._unrecorded(name)) and not await self._record(name, found):
                    self._todo.add(name)
            await until(self._poke, clock_s() + AGAIN_S if self._todo else None)

    async def _record(self, name: str, found: MachineStatus) -> bool:
        """One compare-and-swap: a fencer that has seen less must not write over what another has found."""
        host = self._known.host(name)
        if host is None:
            return True
        meta = {"uid": host.uid, "resourceVersion": host.metadata.resource_version}
        body: dict[str, Any] = {"metadata": meta, "status": {"machine": found.wire()}}
        try:
            await self._api.patch(HOSTS, name, body, subresource="status")
        except ApiError as error:
            log.warning("a host's machine is not recorded", extra={"host": name, "why": str(error)})
            return False
        # Though a cluster whose schema is older keeps nothing of it: its hosts can be fenced as before.
        self._recorded[name] = host.uid, found
        self._changed()
        return True
