"""What a service wants for itself alone: addresses and devices in the whole cluster, units and commands on each of its hosts.

One canonical name for each, so that two services that mean the same thing are seen to. Each is claimed by an object, which only a
compare-and-swap changes: who has it is never a matter of what somebody has heard.
"""

from __future__ import annotations

import functools
import hashlib
import ipaddress
import re
import string
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal

from backstay_api.objects.models import HAInstance, HAService, ResourceClaim
from backstay_api.objects.models.base import Meta
from backstay_api.objects.models.claim import ON_HOSTS, ClaimOwner, HostOwner, ResourceClaimSpec
from backstay_api.objects.models.resources import Resource

# 128 bits: no two things share a name by chance, and the name stays readable in a terminal.
_HASH_CHARS: Final = 32
# What the schema takes.
_KEY_CHARS: Final = 1024


@dataclass(frozen=True)
class ClaimKey:
    """One thing that a ResourceClaim stands for."""

    type: Literal["Address", "Device", "Unit", "Command"]
    key: str
    """Its one canonical form."""

    @property
    def name(self) -> str:
        """Name of its ResourceClaim: whoever wants the same thing wants the same name."""
        return _name(self.type, self.key)

    @property
    def is_on_hosts(self) -> bool:
        """Whether it belongs to somebody host by host."""
        return self.type in ON_HOSTS

    @property
    def text(self) -> str:
        """As people say it."""
        return f"{self.type.lower()} {self.key if self.type != 'Command' else self.key[:80]}"

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


def keys_of(resources: Sequence[Resource]) -> tuple[ClaimKey, ...]:
    """What these resources need to own, each once, in their order."""
    return tuple(dict.fromkeys(key for resource in resources for key in _claims_of(resource)))


def things(service: HAService) -> tuple[str, ...]:
    """Index keys of all that the service wants for itself alone, each once: the names of its claims."""
    return tuple(key.name for key in claim_keys(service))


@lru_cache(maxsize=16384)
def _name(type_: str, key: str) -> str:
    return f"{type_.lower()}-{hashlib.sha256(key.encode()).hexdigest()[:_HASH_CHARS]}"


@functools.lru_cache(maxsize=4096)
def canonical_address(cidr: str) -> str:
    """The address alone, in its one form: the prefix does not make it another, nor does being v4-mapped."""
    address = ipaddress.ip_interface(cidr).ip
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(mapped or address)


@lru_cache(maxsize=16384)
def address_or_nothing(text: str) -> str:
    """The one form of what a host calls an address; nothing, if it is none."""
    try:
        return canonical_address(text)
    except ValueError:
        return ""


@lru_cache(maxsize=16384)
def canonical_unit(unit: str) -> str:
    r"""The unit's name in its one form: what systemd writes as `\x2d` and the like is one name, however many ways it is spelled.

    Aliases are another matter: they are known on the host alone, which refuses them (the agent says not ready).
    """
    stem, dot, suffix = unit.rpartition(".")
    return f"{re.sub(_ESCAPE, _plain, stem)}{dot}{suffix}"


_ESCAPE: Final = re.compile(r"\\x([0-9a-fA-F]{2})")
_UNESCAPED: Final = frozenset(string.ascii_letters + string.digits + ":_.")


def _plain(found: re.Match[str]) -> str:
    letter = chr(int(found[1], 16))
    return letter if letter in _UNESCAPED else f"\\x{found[1].lower()}"


def _claims_of(resource: Resource) -> Iterator[ClaimKey]:
    if resource.systemd:
        yield ClaimKey("Unit", canonical_unit(resource.systemd.unit))
    if resource.command:
        # What two services start by the same command is the same thing on the machine: the stop of the one would be the stop
        # of the other.
        yield ClaimKey("Command", " ".join(resource.command.start))
    if resource.virtual_ip:
        yield ClaimKey("Address", canonical_address(resource.virtual_ip.address))
    if resource.mount:
        yield ClaimKey("Device", resource.mount.device)
