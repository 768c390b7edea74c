"""Where an address belongs on this host, and how it is laid there. Pure.

An address of ours is added as a whole of its own (/32, /128), with a route of ours to its subnet beside it. The kernel makes
v4 addresses of one subnet hang on the first of them, and takes them all away when that one goes; those of other prefix lengths
are nobody's. So whatever we add or take away moves no address and no route but ours, and nobody's moves take ours along.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Interface, ip_interface
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


def laid(want: Interface, link: Link) -> Address:
    """The address as we add it."""
    if isinstance(want, IPv4Interface):
        label = f"{link.name}:bs"
        return Address(link.index, whole(want), OURS, 0, label if len(label) <= _LABEL_LIMIT else "")
    # The probe has been made, and waiting a second for the kernel's own would be a second without service. Deprecated:
    # the host must not choose it for its own connections, which would break when it moves.
    return Address(link.index, whole(want), OURS, IFA_F_NOPREFIXROUTE | IFA_F_NODAD | IFA_F_DEPRECATED)


def route_to(want: Interface, link: Link) -> Route | None:
    """The way to its neighbours; None where it has none."""
    return Route(link, want, METRIC) if want.network.num_addresses > 1 else None


def find_link(want: Interface, spec: VirtualIP, sight: Sight, is_ours: Callable[[Address], bool]) -> Link | str:
    """The interface where the address belongs, or why there is none."""
    if spec.interface is not None:
        return sight.link_called(spec.interface) or f"this host has no interface {spec.interface}"
    fitting = [
        address
        for address in sight.addresses
        if want.ip in address.interface.network
        and not is_ours(address)
        and not address.interface.ip.is_link_local
        and not sight.link_of(address).flags & IFF_LOOPBACK
    ]
    if not fitting:
        return f"no interface of this host has an address in {want.network}: name one with `interface`"
    nearest = max(fitting, key=lambda address: (address.interface.network.prefixlen, -address.index))
    return sight.link_of(nearest)
