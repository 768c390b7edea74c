"""What a service wants for itself alone: addresses, which are claimed by an object, and units, which are not.

One canonical name for each, so that two services that mean the same thing are seen to.
"""

from __future__ import annotations

import functools
import hashlib
import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from backstay_api.models import HAService, ResourceClaim
from backstay_api.models.base import Meta
from backstay_api.models.claim import ClaimOwner, ResourceClaimSpec
from backstay_api.models.resources import Resource

# 128 bits: no two addresses share a name by chance, and the name stays readable in a terminal.
_HASH_CHARS = 32


@dataclass(frozen=True)
class ClaimKey:
    """One thing that a ResourceClaim stands for."""

    type: Literal["Address", "Device"]
    key: str
    """Its one canonical form."""

    @property
    def name(self) -> str:
        """Name of its ResourceClaim: whoever wants the same thing wants the same name."""
        return f"{self.type.lower()}-{hashlib.sha256(self.key.encode()).hexdigest()[:_HASH_CHARS]}"

    @property
    def text(self) -> str:
        """As people say it."""
        return f"{self.type.lower()} {self.key}"

    def claim_for(self, service: HAService) -> ResourceClaim:
        """The ResourceClaim by which this service owns it."""
        owner = ClaimOwner(namespace=service.metadata.namespace or "", name=service.metadata.name, uid=service.uid)
        return ResourceClaim(
            metadata=Meta(name=self.name), spec=ResourceClaimSpec(type=self.type, key=self.key, owner=owner)
        )


def claim_keys(service: HAService) -> tuple[ClaimKey, ...]:
    """Everything the service must own before it runs, each once, in the order of its resources."""
    return tuple(dict.fromkeys(key for resource in service.spec.resources for key in _claims_of(resource)))


def things(service: HAService) -> tuple[str, ...]:
    """Index keys of all that the service wants for itself alone, each once."""
    on_a_host = [thing for resource in service.spec.resources for thing, _words in host_things(resource)]
    return tuple(dict.fromkeys([*on_a_host, *(key.name for key in claim_keys(service))]))


def host_things(resource: Resource) -> Iterator[tuple[str, str]]:
    """Index keys of what only one service can have on a host, and how people say it.

    Slashes cannot stand in a claim's name, so the two never meet. What two services start by the same command is the same
    thing on the machine: the stop of the one would be the stop of the other.
    """
    if resource.systemd:
        yield f"unit/{resource.systemd.unit}", f"unit {resource.systemd.unit}"
    if resource.command:
        words = " ".join(resource.command.start)
        yield f"command/{words}", f"command {words[:80]}"


@functools.lru_cache(maxsize=4096)
def canonical_address(cidr: str) -> str:
    """The address alone, in its one form: the prefix does not make it another, nor does being v4-mapped."""
    address = ipaddress.ip_interface(cidr).ip
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(mapped or address)


def _claims_of(resource: Resource) -> Iterator[ClaimKey]:
    if resource.virtual_ip:
        yield ClaimKey("Address", canonical_address(resource.virtual_ip.address))
    if resource.mount:
        yield ClaimKey("Device", resource.mount.device)
