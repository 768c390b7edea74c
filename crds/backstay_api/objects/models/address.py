"""Addresses that move, and the routes that go with them."""

from __future__ import annotations

import ipaddress
from functools import lru_cache
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from .base import Model, Rule


@lru_cache(maxsize=4096)
def _is_cidr(address: str) -> bool:
    # Go's ParseCIDR, which CEL uses, wants the prefix; Python would take a bare address or a netmask.
    host, slash, prefix = address.partition("/")
    if not slash or not prefix.isdecimal() or (len(prefix) > 1 and prefix[0] == "0") or "%" in host:
        return False
    try:
        ip = ipaddress.ip_interface(address).ip
    except ValueError:
        return False
    # A v4-mapped v6 address is one address with two names: two services could claim it without seeing each other.
    return ip.version == 4 or ip.ipv4_mapped is None


_Network = Annotated[str, StringConstraints(min_length=4, max_length=49, pattern=r"^[0-9a-fA-F.:]+/[0-9]{1,3}$")]


_Interface = Annotated[str, StringConstraints(min_length=1, max_length=15, pattern=r"^[^/:\x00-\x20\x7f]+$")]


class AddressRoute(Model):
    """A route that comes and goes with an address, which is the source of whatever takes it."""

    to: _Network
    """Network with its prefix length: `203.0.113.0/24`. Not `/0`: that would be all that the host itself has to say."""
    via: Annotated[str, StringConstraints(min_length=2, max_length=45, pattern=r"^[0-9a-fA-F.:]+$")] | None = None
    """The gateway, which need not be in a subnet of the host. Without one the network is on the link itself."""


class VirtualIP(Model):
    """An address that clients use and that moves with the service."""

    rules = (
        Rule(
            "isCIDR(self.address)",
            "address must be an address with its prefix, like 192.0.2.10/24",
            lambda v: _is_cidr(v.address),
        ),
    )
    address: _Network
    """Address and prefix length: `192.0.2.10/24`, `2001:db8::10/64`."""
    interface: _Interface | None = None
    """Only where the subnet does not tell: by default the interface that already has an address in it. A VLAN, bond, bridge or macvlan
    as any other; not the port of one."""
    routes: Annotated[list[AddressRoute], Field(min_length=1, max_length=16)] | None = None
    """Routes that are there while the address is, and that have it as their source: the way out of a /32, or what a peer wants to see."""
    nodad: bool | None = None
    """Do not ask the network whether somebody else has the address, neither before nor during use: for networks whose router answers for
    every address (proxy ARP). Default: false."""
    preferred_lifetime: Literal["Zero", "Forever"] | None = None
    """IPv6: whether the host may choose the address for connections of its own, which break when it moves. Default: Zero, it does not."""
    on_duplicate: Literal["Degrade", "Restart"] | None = None
    """When somebody else answers for the address while it is in use. Degrade: ours stays, is announced again, and the service says so.
    Restart: it counts as a failure, and the address comes back here or elsewhere only when nobody else answers. Default: Degrade."""
