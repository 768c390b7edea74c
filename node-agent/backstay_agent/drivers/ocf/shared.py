"""What agents with roles have noted here, and what they are told of others, in the words of the API."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal

from backstay_api.objects.plain import Attribute, RoleOrder

from .helpers import Noted, Shared

_SCOPES: Final[tuple[Literal["Cluster", "Forever", "Reboot"], ...]] = ("Cluster", "Forever", "Reboot")


def noted(resource: str) -> Sequence[Attribute]:
    """Of what is called so. What cannot be read is not there."""
    try:
        own = Shared(resource).own
    except OSError:
        return ()
    return [
        Attribute(name=name, scope=scope, host=host, value=value, number=number)
        for key, (number, value) in sorted(own.items())
        for said, host, name in [key.split(" ")]
        for scope in _SCOPES
        if scope == said
    ]


def learn(resource: str, told: RoleOrder) -> None:
    """Raises OSError."""
    attributes: Noted = {f"{one.scope} {one.host} {one.name}": [one.number, one.value] for one in told.attributes}
    Shared(resource).tell(told.promoted, told.copies, attributes)
