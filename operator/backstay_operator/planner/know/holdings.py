"""Who has what: in the whole cluster, or host by host (PROTOCOL 6, claims).

Here it is only read. `ownership.py` says what is to be taken, recorded and given back. A grant is sent only when the API server itself
says once more that all of it is ours (`needs`); an order, only under a claim that records its epoch and revision, or later ones.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from backstay_api.objects.models import HAService, ResourceClaim
from backstay_api.objects.models.claim import ClaimOwner
from backstay_api.objects.resource_kinds import Claim, claims_of
from backstay_operator.planner.preconditions import Owned, Precondition

from .world import World


def keys(world: World, service: HAService) -> tuple[Claim, ...]:
    """Everything that this manifest must own, worked out once for each version of it."""
    return world.keep("claim_keys", service.key, (service.spec,), lambda: claims_of(service.spec.resources))


def own_of_hosts(world: World, key: Claim) -> list[str]:
    """The hosts that have this of their own: then it is nobody's to move."""
    return sorted(world.own_addresses.get(key.key, ())) if key.type == "Address" else []


def owner(world: World, key: Claim, host: str) -> ClaimOwner | None:
    """Who has it (on this host, if it is owned host by host); none if nobody has, or if the claim cannot be read."""
    claim = world.claims.get(key.name)
    if claim is None or world.cannot_read(ResourceClaim, key.name):
        return None
    return on_hosts(world, claim).get(host) if key.is_on_hosts else claim.spec.owner


def on_hosts(world: World, claim: ResourceClaim) -> Mapping[str, ClaimOwner]:
    """Host by host, who has it there."""
    return world.keep("owners", claim.key, (claim,), lambda: {one.host: one for one in claim.spec.hosts or ()})


def owners(world: World, claim: ResourceClaim) -> Mapping[str, ClaimOwner]:
    """By UID, who has it, be it on one host or on many."""
    return world.keep("owners by uid", claim.key, (claim,), lambda: {one.uid: one for one in claim.owners})


Contested = Mapping[str, tuple[Claim, ClaimOwner]]


def contested(world: World, service: HAService) -> Contested:
    """By host: a unit or command of the service that another one has there, so that it cannot run there."""
    return world.once("contested", (service,), lambda: _contested_now(world, service))


def _contested_now(world: World, service: HAService) -> Contested:
    wanted = keys(world, service)
    claims = tuple(world.claims.get(key.name) for key in wanted)
    return world.keep("contested", service.key, (service.spec, *claims), lambda: _contested(service, wanted, claims))


def _contested(service: HAService, wanted: Sequence[Claim], claims: Sequence[ResourceClaim | None]) -> Contested:
    found: dict[str, tuple[Claim, ClaimOwner]] = {}
    for key, claim in zip(wanted, claims, strict=True):
        for one in (claim.spec.hosts or ()) if claim is not None else ():
            if one.uid != service.uid:
                found.setdefault(one.host, (key, one))
    return found


def not_ours(world: World, service: HAService, host: str | None) -> str | None:
    """What must still become its own before it runs (on this host; without one: anywhere), as a sentence."""
    for key in keys(world, service):
        if key.is_on_hosts and host is None:
            continue
        found, where = owner(world, key, host or ""), f" on {host}" if key.is_on_hosts else ""
        if found is not None and found.uid != service.uid:
            return f"{key.text} belongs to the HAService {found.key}{where}"
        if found is None:
            return f"{key.text} is being claimed{where} first"
    return None


def needs(world: World, service: HAService, host: str) -> tuple[Precondition, ...]:
    """That all of it is its own, for a write that will let the service run on this host."""
    return tuple(
        Owned(key.name, key.text, service.uid, host if key.is_on_hosts else "") for key in keys(world, service)
    )


def is_alive(world: World, owner: ClaimOwner) -> bool:
    """Whether the service that owns something is there, readable or not."""
    service = world.services.get(owner.key)
    return world.cannot_read(HAService, owner.key) or (service is not None and service.uid == owner.uid)
