"""OCF resource agents: as a manifest names one, and as Backstay's agent is told of it."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import Field, StringConstraints

from .base import Model

# What a program's environment can carry; a tab or a line break within is data.
EnvironmentValue = Annotated[str, StringConstraints(max_length=4096, pattern=r"^[^\x00-\x08\x0b-\x1f\x7f]*$")]
# Without a dot no name leads out of the folder of agents.
_NAME: Final = r"^(ocf:)?[A-Za-z0-9_-]+:[A-Za-z0-9_-]+$"


class _Agent(Model):
    """An OCF resource agent that is installed on the host, used as it is."""

    agent: Annotated[str, StringConstraints(min_length=3, max_length=128, pattern=_NAME)]
    """Provider and type: `heartbeat:Filesystem`. `ocf:heartbeat:Filesystem` means the same."""
    parameters: Annotated[dict[str, EnvironmentValue], Field(max_length=64)] | None = None
    """Parameters as in the agent's metadata. No place for passwords: who can log in to the host can read them."""
    instance: Annotated[str, StringConstraints(max_length=63, pattern=r"^[A-Za-z0-9_][A-Za-z0-9_-]*$")] | None = None
    """What the agent is told that this resource is called (OCF_RESOURCE_INSTANCE). Default: made of agent and parameters."""


class PromotableOcf(_Agent):
    """An OCF resource agent that is installed on the host, used as it is."""

    promotable: bool | None = None
    """In mode Promotable: its agent promotes and demotes. Each copy starts it, and the promoted one has it promoted, in this resource's
    place among those with `role: Promoted`. It needs `instance`. Default: false."""


class Ocf(_Agent):
    """An OCF resource agent that is installed on the host, used as it is: as Backstay's agent there is told."""

    copies: Annotated[int, Field(ge=1, le=100)] | None = None
    """Of one that is promotable: how many copies there shall be. Not set: the resource agent is told of no roles."""
    role: Literal["Promoted"] | None = None
    """Promoted: not the copy, but its promotion: to start it is to promote, to stop it is to demote."""
