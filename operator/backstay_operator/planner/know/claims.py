"""What a service wants for itself alone: in the whole cluster (addresses, devices), or on each host by itself (`ON_HOSTS`).

One canonical name for each, so that two services that mean the same thing are seen to. Each is claimed by an object, which only a
compare-and-swap changes: who has it is never a matter of what somebody has seen.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Final

from backstay_api.objects.addresses import canonical_address
from backstay_api.objects.models import HAInstance, HAService, HostAssignment, ResourceClaim
from backstay_api.objects.models.base import Meta
from backstay_api.objects.models.claim import ClaimOwner, HostOwner, ResourceClaimSpec
from backstay_api.objects.resource_kinds import Claim, claims_of

# What the schema takes.
_KEY_CHARS: Final = 1024


def claim_for(
    key: Claim, service: HAService, hosts: Iterable[str] = (), instance: HAInstance | None = None
) -> ResourceClaim:
    """The ResourceClaim by which this service owns it, on these hosts if it is owned host by host."""
    owner = owner_of(service, instance)
    hosts_own = [on_host(owner, host) for host in hosts] if key.is_on_hosts else None
    spec = ResourceClaimSpec(
        type=key.type, key=_stored(key.key), owner=None if key.is_on_hosts else owner, hosts=hosts_own
    )
    return ResourceClaim(metadata=Meta(name=key.name), spec=spec)


def _stored(key: str) -> str:
    if len(key) <= _KEY_CHARS:
        return key
    digest = hashlib.sha256(key.encode()).hexdigest()
    return f"{key[: _KEY_CHARS - len(digest) - 2]}… {digest}"


def owner_of(service: HAService, instance: HAInstance | None = None, *, epoch: int | None = None) -> ClaimOwner:
    """The service as the owner of a claim, for orders of this epoch (the present one if not said) and of its present generation."""
    return ClaimOwner(
        namespace=service.metadata.namespace or "",
        name=service.metadata.name,
        uid=service.uid,
        instance=instance.uid if instance is not None else "",
        epoch=epoch if epoch is not None else (instance.spec.epoch if instance is not None else 0),
        revision=service.metadata.generation or 0,
    )


def on_host(owner: ClaimOwner, host: str) -> HostOwner:
    return HostOwner(host=host, **owner.model_dump(exclude={"host"}))


def things(service: HAService) -> tuple[str, ...]:
    """Index keys of all that the service wants for itself alone, each once: the names of its claims."""
    return tuple(key.name for key in claims_of(service.spec.resources))


def own_addresses(assignment: HostAssignment) -> set[str]:
    """Addresses that a host says are its own, in their one form."""
    return {one for text in assignment.status.facts.addresses if (one := canonical_address(text))}
