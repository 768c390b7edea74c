"""Of a service that has several copies: which of them a host has, and which host is whose.

Two of one service never share a host, for they are one unit there. The copy is the instance; its slot is the instance's name.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence, Set

from backstay_api.objects.models import HAInstance, HAService
from backstay_api.objects.models.claim import ClaimOwner
from backstay_api.objects.names import host_of_copy
from backstay_operator.planner.know import holdings
from backstay_operator.planner.know.parts import role_of
from backstay_operator.planner.know.world import World

from .remains import is_left_of_a_gone_one, left_on

Occupied = Mapping[str, Set[str]]
"""By host: UIDs of the service's HAInstances that it has."""
_NOBODY: Occupied = {}


def instances_of(world: World, service: HAService) -> tuple[HAInstance, ...]:
    """All that there are (of one part of a service: of that part), in the order of their names."""
    found = tuple(world.instances[key] for key in sorted(world.instances_of.get(service.uid, ())))
    return tuple(of_part(service, found)) if role_of(service) else found


def of_part(service: HAService, instances: Sequence[HAInstance]) -> Sequence[HAInstance]:
    """Those of them that carry out this part of a service; of a whole one all."""
    role = role_of(service)
    return [one for one in instances if one.is_promoted is (role == "Promoted")] if role else instances


def are_many(world: World, service: HAService) -> bool:
    """Whether there may be more than one: by its mode, or because an earlier mode has left some."""
    return service.spec.mode != "Single" or len(instances_of(world, service)) > 1


def its_host(service: HAService, instance: HAInstance | None) -> str:
    """The only host of a copy of mode EveryHost; empty: it may go anywhere."""
    return host_of_copy(service.metadata.name, instance.metadata.name) if instance is not None else ""


def other_there(world: World, service: HAService, instance: HAInstance | None, host: str) -> str:
    """Another copy that this host holds, or of which something may still run or be ordered there: its name, or empty."""
    others = occupied(world, service).get(host, frozenset()) - {instance.uid if instance is not None else ""}
    return _name(world, service, min(others)) if others else ""


def _name(world: World, service: HAService, uid: str) -> str:
    names = (one.metadata.name for one in instances_of(world, service) if one.uid == uid)
    return next(names, "an earlier copy")


def occupied(world: World, service: HAService) -> Occupied:
    """Which hosts have which copies; empty where there can be only one."""
    if not are_many(world, service):
        return _NOBODY
    return world.once("occupied", (service,), lambda: _occupied(world, service))


def _occupied(world: World, service: HAService) -> Occupied:
    found: dict[str, set[str]] = defaultdict(set)
    for one in instances_of(world, service):
        known = world.ordered_on.get(one.uid, set()) | world.reported_by.get(one.uid, set())
        for host in {one.holder, *known} - {""}:
            if left_on(world, host, one):
                found[host].add(one.uid)
    for host, owner in _recorded(world, service):
        if may_be_ordered(world, service, owner) or is_left_of_a_gone_one(world, service, host, owner):
            found[host].add(owner.instance)
    return found


def _recorded(world: World, service: HAService) -> Iterator[tuple[str, ClaimOwner]]:
    """Host, and for which copy a claim of the service is recorded there."""
    for key in holdings.keys(world, service):
        claim = world.claims.get(key.name)
        for host, owner in holdings.on_hosts(world, claim).items() if claim is not None else ():
            if owner.uid == service.uid and owner.instance:
                yield host, owner


def may_be_ordered(world: World, service: HAService, owner: ClaimOwner) -> bool:
    """Whether an order of an epoch that we have not seen granted yet may be on its way, under what this claim records."""
    return any(one.uid == owner.instance and owner.epoch > one.spec.epoch for one in instances_of(world, service))


def recorded_for_another(world: World, service: HAService, instance: HAInstance, host: str) -> str:
    """Which other copy, not over there, the claims on this host are recorded for: its name. Without them nothing is ordered there."""
    there = occupied(world, service).get(host, frozenset())
    recorded = {owner.instance for name, owner in _recorded(world, service) if name == host}
    others = (recorded & there) - {instance.uid}
    return _name(world, service, min(others)) if others else ""
