"""Objects into the World and out of it again, by kind: the one place that knows all of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, assert_never

from backstay_api.objects.kinds import Kind
from backstay_api.objects.models import FenceRequest, HAInstance, HAService, Host, HostAssignment, ResourceClaim
from backstay_api.objects.object_kinds import (
    ALL_KINDS,
    FENCE_REQUESTS,
    HA_INSTANCES,
    HA_SERVICES,
    HOST_ASSIGNMENTS,
    HOST_LEASES,
    HOSTS,
    RESOURCE_CLAIMS,
)

from .world import LeaseSeen, World


def put(
    world: World, known: HAService | HAInstance | Host | HostAssignment | FenceRequest | ResourceClaim | LeaseSeen
) -> None:
    """A version of an object. A Lease does not say by itself since when it is as it is."""
    match known:
        case HAInstance():
            world.put_instance(known)
        case FenceRequest():
            world.put_request(known)
        case HostAssignment():
            world.put_assignment(known)
        case HAService():
            world.put_service(known)
        case Host():
            world.put_host(known)
        case ResourceClaim():
            world.put_claim(known)
        case LeaseSeen():
            world.leases[known.lease.host] = known
        case _:
            assert_never(known)


def take_out(world: World, kind: Kind[Any], key: str) -> None:
    """An object that is gone; nothing happens if it is not known."""
    _DROPS[kind.kind](world, key)


_DROPS: Final[Mapping[str, Callable[[World, str], None]]] = {
    HA_SERVICES.kind: World.drop_service,
    HA_INSTANCES.kind: World.drop_instance,
    HOSTS.kind: World.drop_host,
    HOST_ASSIGNMENTS.kind: World.drop_assignment,
    FENCE_REQUESTS.kind: World.drop_request,
    RESOURCE_CLAIMS.kind: World.drop_claim,
    HOST_LEASES.kind: World.drop_lease,
}
assert _DROPS.keys() == {kind.kind for kind in ALL_KINDS}
