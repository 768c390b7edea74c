"""Addresses that a service brings along: their one form, and which of them no host of several can have.

Standard library only: the models, the operator and the agent read an address alike.
"""

from __future__ import annotations

import ipaddress
from functools import lru_cache
from typing import Any


@lru_cache(maxsize=16384)
def canonical_address(cidr: str) -> str:
    """The address alone, in its one form: the prefix does not make it another, nor does being v4-mapped. Empty: it is none."""
    try:
        address = ipaddress.ip_interface(cidr).ip
    except ValueError:
        return ""
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(mapped or address)


def unusable_address(cidr: str) -> str:
    """Why no host of several can have this address, in a sentence; empty if one can."""
    interface = ipaddress.ip_interface(cidr)
    address, network = interface.ip, interface.network
    if network.prefixlen == 0:
        return f"{cidr}: /0 is no subnet but every address there is: give the prefix length of the hosts' subnet"
    if not _is_unicast(address):
        return f"{cidr} is not a unicast address that can move between hosts: choose a unicast address of the hosts' subnet"
    room = network.max_prefixlen - network.prefixlen
    if room > 1 and address == network.network_address:
        return f"{cidr} is the address of the subnet itself: choose one inside it"
    if room > 1 and network.version == 4 and address == network.broadcast_address:
        return f"{cidr} is the broadcast address of its subnet: choose one inside it"
    return ""


def unusable_route(ip: Any) -> str:
    """The field, a colon, and why no host could have one of its routes; empty if all can be."""
    address = ipaddress.ip_interface(ip.address)
    for at, route in enumerate(ip.routes or ()):
        if why := _unusable_route(route, address.version):
            return f"routes[{at}]: {why}"
    if ip.preferred_lifetime is not None and address.version == 4:
        return "preferredLifetime: it is for IPv6; give `routes` for what is to have this address as its source"
    return ""


def _unusable_route(route: Any, version: int) -> str:
    try:
        to = ipaddress.ip_network(route.to)
        via = ipaddress.ip_address(route.via) if route.via else None
    except ValueError as error:
        return f"{error}"
    if {to.version, via.version if via else version} != {version}:
        return f"the route to {to} is not of the family of the address: give each family an address of its own"
    if to.prefixlen == 0:
        return f"{to} is every address there is, the host's own connections included: name the networks"
    return "" if via is None or _is_unicast(via) else f"{via} is no gateway: choose a unicast address"


def _is_unicast(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    """Whether one machine can have it on a network. Of v4, 0/8 is the sender itself, and what stands from 240/4 on is nobody's."""
    if address.version == 4 and (address.packed[0] == 0 or address.is_reserved):
        return False
    return not (address.is_unspecified or address.is_multicast or address.is_loopback)
