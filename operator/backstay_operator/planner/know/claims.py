"""What a service wants for itself alone: addresses and devices in the whole cluster, units and commands on each of its hosts.

One canonical name for each, so that two services that mean the same thing are seen to. Each is claimed by an object, which only a
compare-and-swap changes: who has it is never a matter of what somebody has heard.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Final

from backstay_api.objects.models import HAInstance, HAService, ResourceClaim
from backstay_api.objects.models.base import Meta
from backstay_api.objects.models.claim import ClaimOwner, HostOwner, ResourceClaimSpec
from backstay_api.objects.models.resources import RenderedResource
from backstay_api.objects.resource_kinds import Claim, claims_of

# 128 bits: no two things share a name by chance, and the name stays readable in a terminal.
_HASH_CHARS: Final = 32
# What the schema takes.
_KEY_CHARS: Final = 1024


class ClaimKey(Claim):
    """One thing that a ResourceClaim stands for."""

    @property
    def name(self) -> str:
        """Name of its ResourceClaim: whoever wants the same thing wants the same name."""
        return _name(self.type, self.key)

    def claim_for(
        self, service: HAService, hosts: Iterable[str] = (), instance: HAInstance | None = None
    ) -> ResourceClaim:
        """The ResourceClaim by which this service owns it, on these hosts if it is owned host by host."""
        owner = owner_of(service, instance)
        if not self.is_on_hosts:
            spec = ResourceClaimSpec(type=self.type, key=self._stored, owner=owner)
        else:
            spec = ResourceClaimSpec(type=self.type, key=self._stored, hosts=[on_host(owner, host) for host in hosts])
        return ResourceClaim(metadata=Meta(name=self.name), spec=spec)

    @property
    def _stored(self) -> str:
        if len(self.key) <= _KEY_CHARS:
            return self.key
        digest = hashlib.sha256(self.key.encode()).hexdigest()
        return f"{self.key[: _KEY_CHARS - len(digest) - 2]}… {digest}"


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
    """The same owner, on one host."""
    return HostOwner(host=host, **owner.model_dump(exclude={"host"}))


def claim_keys(service: HAService) -> tuple[ClaimKey, ...]:
    """Everything the service must own before it runs, each once, in the order of its resources."""
    return keys_of(service.spec.resources)


def keys_of(resources: Sequence[RenderedResource]) -> tuple[ClaimKey, ...]:
    """What these resources need to own, each once, in their order."""
    return tuple(ClaimKey(claim.type, claim.key) for claim in claims_of(resources))


def things(service: HAService) -> tuple[str, ...]:
    """Index keys of all that the service wants for itself alone, each once: the names of its claims."""
    return tuple(key.name for key in claim_keys(service))


@lru_cache(maxsize=16384)
def _name(type_: str, key: str) -> str:
    return f"{type_.lower()}-{hashlib.sha256(key.encode()).hexdigest()[:_HASH_CHARS]}"
