"""ResourceClaim: an address, a device, or on each host a unit, a command, a path or an OCF resource, belongs to one service only."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from backstay_api.objects.names import key_of
from backstay_api.objects.resource_kinds import ON_HOSTS, ClaimType

from .base import Column, ListMap, Model, Object, Rule


class ClaimOwner(Model):
    """The HAService that owns it."""

    rules = (
        # In a list map an entry is compared with the one of the same host before.
        Rule(
            "self.uid == oldSelf.uid && self.revision >= oldSelf.revision"
            " && (self.instance != oldSelf.instance || self.epoch >= oldSelf.epoch)",
            "what belongs to one service belongs to nobody before it belongs to another, and what is recorded only grows",
            lambda old, new: (
                new.uid == old.uid
                and new.revision >= old.revision
                and (new.instance != old.instance or new.epoch >= old.epoch)
            ),
        ),
    )
    namespace: Annotated[str, Field(max_length=63)]
    """Its namespace."""
    name: Annotated[str, Field(max_length=253)]
    """Its name."""
    uid: Annotated[str, Field(max_length=64)]
    """Its UID."""
    instance: Annotated[str, Field(max_length=64)] = ""
    """UID of the HAInstance whose epochs are counted here."""
    epoch: Annotated[int, Field(ge=0)] = 0
    """No order of a later epoch than this may name the thing before that is written here."""
    revision: Annotated[int, Field(ge=0)] = 0
    """No order of a later generation of the service than this may name the thing before that is written here."""

    @property
    def key(self) -> str:
        """`namespace/name` of the service."""
        return key_of(self.namespace, self.name)


class HostOwner(ClaimOwner):
    """The HAService that may run it on one host."""

    host: Annotated[str, Field(max_length=253)]
    """The host."""


class ResourceClaimSpec(Model):
    """Written by the operator, by compare-and-swap only."""

    rules = (
        Rule(
            f"self.type in {list(ON_HOSTS)} ? !has(self.owner) && has(self.hosts) : has(self.owner) && !has(self.hosts)",
            f"claims of type {', '.join(ON_HOSTS)} belong to somebody host by host, all others have one owner",
            lambda s: (s.owner is None) == (s.type in ON_HOSTS) and (s.hosts is not None) == (s.type in ON_HOSTS),
        ),
        Rule(
            "self.type == oldSelf.type && self.key == oldSelf.key",
            "what is claimed never changes",
            lambda old, new: (old.type, old.key) == (new.type, new.key),
        ),
    )
    type: ClaimType
    """What is claimed."""
    key: Annotated[str, Field(min_length=1, max_length=1024)]
    """The address, device, unit, command, path or OCF resource, in its one canonical form; the claim is named by its hash."""
    owner: ClaimOwner | None = None
    """Address, Device: who owns it."""
    hosts: Annotated[list[HostOwner], Field(max_length=1024), ListMap("host")] | None = None
    """Unit, Command, Ocf, Path: host by host, the one service that may run it there."""


class ResourceClaim(Object):
    """One address or device, and the one service that may use it; or a unit, command, path or OCF resource, and who has it on which host."""

    plural: ClassVar[str] = "resourceclaims"
    namespaced: ClassVar[bool] = False
    has_status: ClassVar[bool] = False
    columns: ClassVar[tuple[Column, ...]] = (
        Column("Type", ".spec.type"),
        Column("Key", ".spec.key"),
        Column("Namespace", ".spec.owner.namespace"),
        Column("Service", ".spec.owner.name"),
    )
    kind: Literal["ResourceClaim"] = "ResourceClaim"
    spec: ResourceClaimSpec
    """Written by the operator, by compare-and-swap only."""

    @property
    def owners(self) -> tuple[ClaimOwner, ...]:
        """Everybody who has it somewhere."""
        return tuple(filter(None, (self.spec.owner, *(self.spec.hosts or ()))))
