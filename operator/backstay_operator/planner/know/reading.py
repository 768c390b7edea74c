"""Objects into the World and out of it again, by kind: the one place that knows all of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, assert_never

from backstay_api.objects.kinds import Kind
from backstay_api.objects.models import (
    FenceRequest,
    HAInstance,
    HAService,
    Host,
    HostAssignment,
    ResourceClaim,
    ServiceClass,
)
from backstay_api.objects.object_kinds import (
    ALL_KINDS,
    FENCE_REQUESTS,
    HA_INSTANCES,
    HA_SERVICES,
    HOST_ASSIGNMENTS,
    HOST_LEASES,
    HOSTS,
    RESOURCE_CLAIMS,
    SERVICE_CLASSES,
)

from .world import LeaseSeen, World


def put(
    world: World,
    known: HAService | HAInstance | Host | HostAssignment | FenceRequest | ResourceClaim | ServiceClass | LeaseSeen,
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
            world.claims[known.key] = known
        case ServiceClass():
            world.classes[known.key] = _with_spec_of(world.classes.get(known.key), known)
        case LeaseSeen():
            world.leases[known.lease.host] = known
        case _:
            assert_never(known)


def _with_spec_of(before: ServiceClass | None, after: ServiceClass) -> ServiceClass:
    """With the very spec of before, if it is equal: what our own words about a class have changed changes no judgement of any service."""
    if before is None or before.spec != after.spec:
        return after
    return after.model_copy(update={"spec": before.spec})


def take_out(world: World, kind: Kind[Any], key: str) -> None:
    """An object that is gone; nothing happens if it is not known."""
    _DROPS[kind.kind](world, key)


_DROPS: Final[Mapping[str, Callable[[World, str], object]]] = {
    HA_SERVICES.kind: World.drop_service,
    HA_INSTANCES.kind: World.drop_instance,
    HOSTS.kind: World.drop_host,
    HOST_ASSIGNMENTS.kind: World.drop_assignment,
    FENCE_REQUESTS.kind: World.drop_request,
    RESOURCE_CLAIMS.kind: World.drop_claim,
    SERVICE_CLASSES.kind: lambda world, key: world.classes.pop(key, None),
    HOST_LEASES.kind: World.drop_lease,
}
assert _DROPS.keys() == {kind.kind for kind in ALL_KINDS}
