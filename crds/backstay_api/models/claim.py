"""ResourceClaim: an address or a device belongs to one service only."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from .base import Column, Model, Object, Rule, Text


class ClaimOwner(Model):
    """The HAService that owns it."""

    namespace: Text
    """Its namespace."""
    name: Text
    """Its name."""
    uid: Text
    """Its UID."""


class ResourceClaimSpec(Model):
    """Written once, by the operator."""

    rules = (Rule("self == oldSelf", "a claim never changes", lambda old, new: old == new),)
    type: Literal["Address", "Device"]
    """What is claimed."""
    key: Annotated[str, Field(min_length=1, max_length=1024)]
    """The address or device, in its one canonical form; the claim is named by its hash."""
    owner: ClaimOwner
    """Who owns it."""


class ResourceClaim(Object):
    """One address or device, and the one service that may use it."""

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
    """Written once, by the operator."""
