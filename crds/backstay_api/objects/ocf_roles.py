"""Of an OCF resource, as a manifest or an order has it: whether its agent is told of roles, and which of the two parts it is. Pure.

Standard library only.
"""

from __future__ import annotations

from typing import Any


def promotes(ocf: Any) -> bool:
    """Whether it is not the copy, but its promotion. No manifest names that: it is made of one that is promotable."""
    return bool(getattr(ocf, "role", None))


def are_told(ocf: Any) -> bool:
    """Whether its agent is told that there are roles: in a manifest, or in what is made of it."""
    return bool(getattr(ocf, "promotable", None) or getattr(ocf, "copies", None))


def told(ocf: Any) -> object:
    """What its agent is told at the next operation, whatever that is; a promotion goes by the parameters of its copy."""
    return getattr(ocf, "copies", None), ocf.parameters if promotes(ocf) else None


def has_roles(resource: Any) -> bool:
    """Whether some copies of a resource are promoted, and whoever runs it is told so."""
    ocf = getattr(resource, "ocf", None)
    return ocf is not None and (promotes(ocf) or are_told(ocf))


def is_promotion(resource: Any) -> bool:
    """Whether a resource is the promotion of a copy by its own agent."""
    return promotes(getattr(resource, "ocf", None))
