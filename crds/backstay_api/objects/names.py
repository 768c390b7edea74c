"""Names that several parts must spell alike. Standard library only."""

from __future__ import annotations

from typing import Final

SYSTEM_NAMESPACE: Final = "backstay-system"
"""Where the operator lives."""
LEADER_LEASE: Final = "backstay-operator"
"""Lease in the system namespace: which replica acts at once. It saves work and protects nothing."""
LONGEST_TOKEN_S: Final = 30 * 24 * 3600
"""What the policy `backstay-tokens` lets a host's token live at most."""


def key_of(namespace: str | None, name: str) -> str:
    """How people and our indexes name an object: `namespace/name`, or the name alone where it is in no namespace."""
    return f"{namespace}/{name}" if namespace else name


def instance_name(service: str, slot: int = 0) -> str:
    """Name of the HAInstance in a slot of a service. A Single service has one slot."""
    return f"{service}-{slot}"


def slot_of(instance: str) -> str:
    """Which slot of its service an HAInstance is, by its name: its number."""
    return instance.rpartition("-")[2]


def service_name(instance: str) -> str:
    """Name of the service that an HAInstance is a slot of."""
    return instance.rpartition("-")[0]
