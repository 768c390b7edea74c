"""Where an address belongs on this host, and how it is laid there. Pure.

An address of ours is added as a whole of its own (/32, /128), with a route of ours to its subnet beside it. The kernel makes
v4 addresses of one subnet hang on the first of them, and takes them all away when that one goes; those of other prefix lengths
are nobody's. So whatever we add or take away moves no address and no route but ours, and nobody's moves take ours along.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Interface, ip_address, ip_interface, ip_network
from typing import Final

from backstay_api.objects.plain import VirtualIP

from .netlink import (
    IFA_F_DEPRECATED,
    IFA_F_NODAD,
    IFA_F_NOPREFIXROUTE,
    IFF_LOOPBACK,
    OURS,
    Address,
    Interface,
    Link,
    Route,
)

ASKED_FOR: Final = 1
"""Metric of a route that the manifest names: of those to the same network the host's own comes first only where its metric is less."""
METRIC: Final = 1_000_000_000
"""Whatever route to the subnet the host has of its own comes first; ours is there for when it has none, or loses it."""
_LABEL_LIMIT: Final = 15  # IFNAMSIZ without its NUL


@dataclass(frozen=True)
class Sight:
    """This host's links and addresses at one moment."""

    addresses: tuple[Address, ...]
    links: dict[int, Link]

    def at(self, want: Interface) -> list[Address]:
        """Where the address is, whatever its prefix."""
        return [address for address in self.addresses if address.interface.ip == want.ip]

    def link_of(self, address: Address) -> Link:
        return self.links.get(address.index, Link(address.index, f"interface {address.index}"))

    def link_called(self, name: str) -> Link | None:
        return next((link for link in self.links.values() if link.name == name), None)


def whole(want: Interface) -> Interface:
    """The address as it is laid on a link: a subnet of its own."""
    return ip_interface(want.ip)


def laid(want: Interface, spec: VirtualIP, link: Link) -> Address:
    """The address as we add it."""
    if isinstance(want, IPv4Interface):
        label = f"{link.name}:bs"
        return Address(link.index, whole(want), OURS, 0, label if len(label) <= _LABEL_LIMIT else "")
    # The probe has been made, and waiting a second for the kernel's own would be a second without service. Deprecated:
    # the host must not choose it for its own connections, which would break when it moves.
    flags = 0 if spec.preferred_lifetime == "Forever" else IFA_F_DEPRECATED
    return Address(link.index, whole(want), OURS, IFA_F_NOPREFIXROUTE | IFA_F_NODAD | flags)


def is_laid(address: Address, wanted: Address) -> bool:
    """Whether this is how it is to be."""
    same = address.index == wanted.index and address.interface == wanted.interface
    return same and (wanted.interface.version == 4 or not (address.flags ^ wanted.flags) & IFA_F_DEPRECATED)


def route_to(want: Interface, link: Link) -> Route | None:
    """The way to its neighbours; None where it has none."""
    source = want.ip if want.version == 4 else None
    return Route(link, want.network, METRIC, source) if want.network.num_addresses > 1 else None


def routes_of(want: Interface, spec: VirtualIP, link: Link) -> list[Route]:
    """All that are to be there while it is: to its neighbours, then those that the manifest names."""
    near = route_to(want, link)
    named = [
        Route(link, ip_network(one.to), ASKED_FOR, want.ip, ip_address(one.via) if one.via else None)
        for one in spec.routes or ()
    ]
    return [*([near] if near else []), *named]


def find_link(want: Interface, spec: VirtualIP, sight: Sight, is_ours: Callable[[Address], bool]) -> Link | str:
    """The interface where the address belongs, or why there is none."""
    if spec.interface is not None:
        named = sight.link_called(spec.interface)
        if named is not None and (whole_link := sight.links.get(named.port_of)) is not None:
            return f"{named.name} is a port of {whole_link.name}, where all that arrives on it goes: name {whole_link.name}"
        return named or f"this host has no interface {spec.interface}"
    fitting = [
        address
        for address in sight.addresses
        if want.ip in address.interface.network
        and not is_ours(address)
        and not address.interface.ip.is_link_local
        and not sight.link_of(address).flags & IFF_LOOPBACK
        and not sight.link_of(address).port_of
    ]
    if not fitting:
        return f"no interface of this host has an address in {want.network}: name one with `interface`"
    nearest = max(fitting, key=lambda address: (address.interface.network.prefixlen, -address.index))
    return sight.link_of(nearest)
