"""Units that two services would both start and stop: the one names a unit, and the other one what starts and stops with it.

Claims know names only (the operator sees no systemd), so of such a pair each could be granted to another host, and the part would run on both.
Whoever names the whole is never ready beside the other; whoever names the part is not either, as soon as the whole has been looked at.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from typing import Final

from backstay_api.objects.names import key_of
from backstay_api.objects.plain import RenderedResource, StandbyOrder
from backstay_api.objects.resource_kinds import units_of

Service = tuple[str, str]
"""Its namespace and name."""
_MEND: Final = "name both in one service, or leave the part out"


class CommonUnits:
    """Which services of this host name which units."""

    def __init__(self, parts: Callable[[str], Sequence[str]]) -> None:
        """`parts`: what starts and stops with a unit, as it was seen last."""
        self._parts = parts
        self._by: Mapping[str, Set[Service]] = {}
        self._of: Mapping[str, Service] = {}

    def update(
        self,
        orders: Mapping[str, StandbyOrder],
        ours: Mapping[str, Sequence[RenderedResource]],
        secured: Set[str],
        services: Mapping[str, Service],
    ) -> None:
        """`services`: of which service each UID is. A unit that is only secured is of a service that this host is told nothing else of."""
        self._of = services
        found = defaultdict[str, set[Service]](set)
        for uid, resources in (*((uid, one.resources) for uid, one in orders.items()), *ours.items()):
            for unit in units_of(resources):
                found[unit].add(self._service(uid))
        for unit in secured - found.keys():
            found[unit].add(("", ""))
        self._by = found

    def against(self, uid: str, resources: Sequence[RenderedResource]) -> Iterator[str]:
        """Why it may not run here beside the others: sentences, none if it may."""
        own, service = set(units_of(resources)), self._service(uid)
        for resource in resources:
            for unit in units_of([resource]):
                for part in sorted(set(self._parts(unit)) - own):
                    yield from self._clash(resource, part, part, unit, service)
                for whole in sorted(self._by.keys() - own):
                    if unit in self._parts(whole):
                        yield from self._clash(resource, whole, unit, whole, service)

    def _clash(self, resource: RenderedResource, other: str, part: str, whole: str, service: Service) -> Iterator[str]:
        for namespace, name in sorted(self._by.get(other, set()) - {service})[:1]:
            who = f"the HAService {key_of(namespace, name)}" if namespace else "another HAService"
            yield f"{resource.name}: {part} starts and stops with {whole}, and {who} names {other}: {_MEND}"

    def _service(self, uid: str) -> Service:
        return self._of.get(uid, ("", uid))
