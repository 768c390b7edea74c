"""What OCF agents with roles tell each other, from host to host: attributes, as Pacemaker keeps them, and where which copy is.

It is the agents' own affair: nothing of it decides where anything may run, nor whether a host is fenced.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from backstay_api.objects.bounds import MOST_ATTRIBUTES

from .base import Model

NodeName = Annotated[str, StringConstraints(max_length=253, pattern=r"^[A-Za-z0-9_.-]*$")]


class Attribute(Model):
    """What an agent has noted by `crm_attribute`, `attrd_updater` or `crm_master`, for itself or for its like on other hosts."""

    name: Annotated[str, StringConstraints(max_length=200, pattern=r"^[A-Za-z0-9_:#@+-][A-Za-z0-9_.:#@+-]*$")]
    """Its name."""
    scope: Literal["Cluster", "Forever", "Reboot"]
    """Of the whole cluster (`--type crm_config`); of a host, for ever; of a host, until that boots."""
    host: NodeName = ""
    """Which host's, as that calls itself; empty: the cluster's."""
    value: Annotated[str, StringConstraints(max_length=512)] | None = None
    """Not set: it was deleted."""
    number: Annotated[int, Field(ge=1, lt=10**15)]
    """Greater than that of any value which was known there when it was set. The greatest counts."""


class RoleReport(Model):
    """What the agent of a copy has noted on this host."""

    attributes: Annotated[list[Attribute], Field(max_length=MOST_ATTRIBUTES)] = []
    """What was set here, of whomever."""


class RoleOrder(Model):
    """What the agent of a copy is told of the other copies of its service."""

    promoted: NodeName = ""
    """The host where a copy is promoted and works, as that calls itself; empty: none is known to be."""
    epoch: Annotated[int, Field(ge=0)] = 0
    """Of the promoted role, if one is promoted."""
    copies: Annotated[list[NodeName], Field(max_length=64)] = []
    """Hosts where a copy is up, as they call themselves."""
    attributes: Annotated[list[Attribute], Field(max_length=MOST_ATTRIBUTES)] = []
    """What all of them have noted, this one too."""
