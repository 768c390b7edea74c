"""rtnetlink, as little of it as an address needs: messages to bytes and back (pure), and a socket that asks and receives events.

From the standard library alone; the layouts are those of linux/rtnetlink.h, if_addr.h and if_link.h.
"""

from __future__ import annotations

import asyncio
import os
import socket
import struct
from collections.abc import AsyncGenerator, Iterator
from contextlib import closing
from dataclasses import dataclass
from ipaddress import IPv4Interface, IPv4Network, IPv6Interface, IPv6Network, ip_address, ip_interface
from typing import Final

from backstay_agent.detection import NETLINK, Detection

from .frames import IP

Interface = IPv4Interface | IPv6Interface
Network = IPv4Network | IPv6Network

# Message types and flags (linux/netlink.h, linux/rtnetlink.h).
NLMSG_ERROR: Final = 2
NLMSG_DONE: Final = 3
RTM_NEWLINK: Final = 16
RTM_DELLINK: Final = 17
RTM_GETLINK: Final = 18
RTM_NEWADDR: Final = 20
RTM_DELADDR: Final = 21
RTM_GETADDR: Final = 22
RTM_NEWROUTE: Final = 24
RTM_DELROUTE: Final = 25
RTM_GETROUTE: Final = 26
_REQUEST: Final = 0x1
_ACK: Final = 0x4
_DUMP: Final = 0x300
_CREATE_ONLY: Final = 0x600  # NLM_F_CREATE | NLM_F_EXCL
_CREATE_BESIDE: Final = 0xC00  # NLM_F_CREATE | NLM_F_APPEND

# Flags of addresses (linux/if_addr.h).
IFA_F_SECONDARY: Final = 0x01  # of v4; the same bit means "temporary" in v6
IFA_F_NODAD: Final = 0x02
IFA_F_DEPRECATED: Final = 0x20
IFA_F_NOPREFIXROUTE: Final = 0x200
# Flags of links (linux/if.h).
IFF_UP: Final = 0x1
IFF_LOOPBACK: Final = 0x8
IFF_NOARP: Final = 0x80
IFF_LOWER_UP: Final = 0x10000
ARPHRD_ETHER: Final = 1

_PORTS: Final = ("bridge", "bond", "team")

_HEADER: Final = struct.Struct("=IHHII")
_ADDRESS: Final = struct.Struct("=BBBBI")
_LINK: Final = struct.Struct("=BxHiII")
_ROUTE: Final = struct.Struct("=BBBBBBBBI")
_MAIN_TABLE: Final = 254
_SCOPE_LINK: Final = 253
_UNICAST: Final = 1
_ONLINK: Final = 4  # RTNH_F_ONLINK: the gateway need not be in a subnet of the host
_FOREVER: Final = 0xFFFFFFFF
_GROUPS: Final = 0x1 | 0x10 | 0x100  # links, v4 addresses, v6 addresses
_LIMIT_S: Final = 5.0

# Who put an address there (IFA_PROTO, since Linux 5.18). The kernel itself uses 1 to 3; ours reads "BS" with a squint.
OURS: Final = 0xB5


@dataclass(frozen=True)
class Message:
    """One netlink message."""

    type: int
    body: bytes
    flags: int = 0
    sequence: int = 0


@dataclass(frozen=True)
class Address:
    """An address on an interface, as the kernel tells."""

    index: int
    interface: Interface
    protocol: int = 0
    flags: int = 0
    label: str = ""


@dataclass(frozen=True)
class Link:
    """A network interface, as the kernel tells."""

    index: int
    name: str
    mac: bytes = b""
    flags: int = 0
    type: int = ARPHRD_ETHER
    table: int = _MAIN_TABLE
    """Where its routes stand; another one where it belongs to a VRF."""
    port_of: int = 0
    """The bridge or bond that has it as a port: what arrives on it is that one's."""

    @property
    def is_up(self) -> bool:
        """Set up, and a carrier is there."""
        return bool(self.flags & IFF_UP and self.flags & IFF_LOWER_UP)

    @property
    def has_neighbours(self) -> bool:
        """Whoever is at the other end looks addresses up by ARP or neighbour discovery."""
        return self.type == ARPHRD_ETHER and len(self.mac) == 6 and not self.flags & (IFF_NOARP | IFF_LOOPBACK)


@dataclass(frozen=True)
class Route:
    """A route of ours: this network is at the other end of that link."""

    link: Link
    to: Network
    metric: int
    source: IP | None = None
    """The address that whoever takes it has, where nothing else is said. A v4 route goes with this address, in the same moment."""
    via: IP | None = None


# To bytes


def add_address(address: Address, within: Interface) -> tuple[int, bytes]:
    """Type and body of the request to add this address; `within`: the same with the prefix of its subnet."""
    ip = address.interface.ip.packed
    attributes = _attribute(2, ip)  # IFA_LOCAL
    if address.label:
        attributes += _attribute(3, address.label.encode() + b"\0")  # IFA_LABEL
    attributes += _attribute(8, struct.pack("=I", address.flags & ~IFA_F_DEPRECATED))  # IFA_FLAGS
    attributes += _attribute(1, ip)  # IFA_ADDRESS
    if within.network.prefixlen < 31 and isinstance(within, IPv4Interface):
        attributes += _attribute(4, within.network.broadcast_address.packed)  # IFA_BROADCAST
    if address.flags & IFA_F_DEPRECATED:
        # Preferred for 0 s, valid for ever (IFA_CACHEINFO): answers, but is never chosen for connections to elsewhere.
        attributes += _attribute(6, struct.pack("=IIII", 0, _FOREVER, 0, 0))
    attributes += _attribute(11, bytes([address.protocol]))  # IFA_PROTO; an older kernel skips it
    return RTM_NEWADDR, _address_header(address) + attributes


def delete_address(address: Address) -> tuple[int, bytes]:
    """Type and body of the request to take exactly this address away."""
    ip = address.interface.ip.packed
    return RTM_DELADDR, _address_header(address) + _attribute(2, ip) + _attribute(1, ip)


def route(wanted: Route) -> bytes:
    """Body of the request to add this route, or to take it away."""
    family = socket.AF_INET if wanted.to.version == 4 else socket.AF_INET6
    scope = _SCOPE_LINK if wanted.to.version == 4 and wanted.via is None else 0
    table = wanted.link.table if wanted.link.table < 256 else 0
    flags = _ONLINK if wanted.via else 0
    header = _ROUTE.pack(family, wanted.to.prefixlen, 0, 0, table, OURS, scope, _UNICAST, flags)
    attributes = _attribute(1, wanted.to.network_address.packed)  # RTA_DST
    attributes += _attribute(4, struct.pack("=I", wanted.link.index))  # RTA_OIF
    if wanted.via:
        attributes += _attribute(5, wanted.via.packed)  # RTA_GATEWAY
    attributes += _attribute(6, struct.pack("=I", wanted.metric))  # RTA_PRIORITY
    attributes += _attribute(15, struct.pack("=I", wanted.link.table))  # RTA_TABLE
    if wanted.source:
        attributes += _attribute(7, wanted.source.packed)  # RTA_PREFSRC
    return header + attributes


def encode(message: Message) -> bytes:
    size = _HEADER.size + len(message.body)
    return _HEADER.pack(size, message.type, message.flags, message.sequence, 0) + message.body


def _address_header(address: Address) -> bytes:
    family = socket.AF_INET if address.interface.version == 4 else socket.AF_INET6
    return _ADDRESS.pack(family, address.interface.network.prefixlen, 0, 0, address.index)


def _attribute(kind: int, value: bytes) -> bytes:
    size = 4 + len(value)
    return struct.pack("=HH", size, kind) + value + bytes(-size % 4)


# From bytes


def decode(datagram: bytes) -> Iterator[Message]:
    """The messages of one datagram. A cut one ends it."""
    while len(datagram) >= _HEADER.size:
        size, kind, flags, sequence, _port = _HEADER.unpack_from(datagram)
        if size < _HEADER.size or size > len(datagram):
            return
        yield Message(kind, datagram[_HEADER.size : size], flags, sequence)
        datagram = datagram[(size + 3) & ~3 :]


def read_address(body: bytes) -> Address | None:
    """The address of an RTM_NEWADDR or RTM_DELADDR; None for families that are none of ours."""
    family, prefix, flags, _scope, index = _ADDRESS.unpack_from(body)
    found = dict(_attributes(body[_ADDRESS.size :]))
    # On a point-to-point link IFA_ADDRESS is the other end; v6 has no IFA_LOCAL elsewhere.
    packed = found.get(2) or found.get(1)
    if family not in (socket.AF_INET, socket.AF_INET6) or packed is None:
        return None
    interface = ip_interface(f"{ip_address(packed)}/{prefix}")
    wide = found.get(8)
    return Address(
        index,
        interface,
        protocol=found.get(11, b"\0")[0],
        flags=int(struct.unpack("=I", wide)[0]) if wide else flags,
        label=found.get(3, b"").rstrip(b"\0").decode(errors="replace"),
    )


def read_link(body: bytes) -> Link:
    """The link of an RTM_NEWLINK or RTM_DELLINK."""
    _family, kind, index, flags, _change = _LINK.unpack_from(body)
    found = dict(_attributes(body[_LINK.size :]))
    name = found.get(3, b"").rstrip(b"\0").decode(errors="replace")  # IFLA_IFNAME
    info = dict(_attributes(found.get(18, b"")))  # IFLA_LINKINFO
    belongs_as = info.get(4, b"").rstrip(b"\0").decode(errors="replace")  # IFLA_INFO_SLAVE_KIND
    table = _table(info.get(5, b"")) if belongs_as == "vrf" else _MAIN_TABLE
    master = _number(found.get(10, b"")) if belongs_as in _PORTS else 0  # IFLA_MASTER
    return Link(index, name, found.get(1, b""), flags, kind, table, master)  # IFLA_ADDRESS


def _table(data: bytes) -> int:
    """Of the VRF that the link belongs to (IFLA_INFO_SLAVE_DATA, IFLA_VRF_PORT_TABLE)."""
    return _number(dict(_attributes(data)).get(1, b"")) or _MAIN_TABLE


def _number(four: bytes) -> int:
    return int(struct.unpack("=I", four)[0]) if len(four) == 4 else 0


def is_ours_from(body: bytes, source: IP) -> bool:
    """Whether this RTM_NEWROUTE is one of ours that has this source."""
    (_, _, _, _, _, protocol, *_) = _ROUTE.unpack_from(body)
    return protocol == OURS and dict(_attributes(body[_ROUTE.size :])).get(7) == source.packed


def read_gateway(body: bytes) -> str | None:
    """The gateway of an RTM_NEWROUTE, if it has one."""
    found = dict(_attributes(body[_ROUTE.size :]))
    gateway = found.get(5)  # RTA_GATEWAY
    return str(ip_address(gateway)) if gateway and len(gateway) in (4, 16) else None


def _attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    while len(data) >= 4:
        size, kind = struct.unpack_from("=HH", data)
        if size < 4 or size > len(data):
            return
        yield kind & 0x3FFF, data[4:size]
        data = data[(size + 3) & ~3 :]


# Asking, and receiving events


class Netlink:
    """What this host's kernel knows of links and addresses. Each question has a socket of its own: no state to lose."""

    def __init__(self, detection: Detection | None = None) -> None:
        self._detection = detection or Detection()

    async def add(self, address: Address, within: Interface) -> None:
        """`within`: the same with the prefix of its subnet. Raises OSError; FileExistsError if it is there already."""
        kind, body = add_address(address, within)
        await self._ask(Message(kind, body, _REQUEST | _ACK | _CREATE_ONLY, 1))

    async def delete(self, address: Address) -> None:
        """Raises OSError; EADDRNOTAVAIL if it is not there."""
        kind, body = delete_address(address)
        await self._ask(Message(kind, body, _REQUEST | _ACK, 1))

    async def add_route(self, wanted: Route) -> None:
        """Beside what is there, never in its place. Raises OSError; FileExistsError if it is there already."""
        how = _CREATE_BESIDE if wanted.to.version == 4 else _CREATE_ONLY
        await self._ask(Message(RTM_NEWROUTE, route(wanted), _REQUEST | _ACK | how, 1))

    async def delete_route(self, wanted: Route) -> None:
        """Exactly this one, with our mark. Raises OSError; ESRCH if it is not there."""
        await self._ask(Message(RTM_DELROUTE, route(wanted), _REQUEST | _ACK, 1))

    async def delete_routes_from(self, source: IP) -> None:
        """Those of ours that have this source, whoever remembers them. Raises OSError."""
        family = socket.AF_INET if source.version == 4 else socket.AF_INET6
        for answer in await self._routes(family):
            if is_ours_from(answer.body, source):
                await self._ask(Message(RTM_DELROUTE, answer.body, _REQUEST | _ACK, 1))

    async def addresses(self) -> list[Address]:
        answers = await self._ask(Message(RTM_GETADDR, _ADDRESS.pack(0, 0, 0, 0, 0), _REQUEST | _DUMP, 1))
        found = (read_address(answer.body) for answer in answers if answer.type == RTM_NEWADDR)
        return [address for address in found if address is not None]

    async def links(self) -> dict[int, Link]:
        answers = await self._ask(Message(RTM_GETLINK, _LINK.pack(0, 0, 0, 0, 0), _REQUEST | _DUMP, 1))
        found = [read_link(answer.body) for answer in answers if answer.type == RTM_NEWLINK]
        return {link.index: link for link in found}

    async def gateways(self) -> set[str]:
        found = (read_gateway(answer.body) for answer in await self._routes(0))
        return {gateway for gateway in found if gateway is not None}

    async def _routes(self, family: int) -> list[Message]:
        answers = await self._ask(Message(RTM_GETROUTE, _ROUTE.pack(family, *[0] * 8), _REQUEST | _DUMP, 1))
        return [answer for answer in answers if answer.type == RTM_NEWROUTE]

    async def events(self) -> AsyncGenerator[Address | Link | None, None]:
        """Each address or link that changed; None first, and when events were lost: then everything may have changed."""
        loop = asyncio.get_running_loop()
        with closing(_socket(_GROUPS)) as events:
            yield None
            while True:
                try:
                    datagram = await loop.sock_recv(events, 65536)
                except OSError as error:
                    if error.errno != 105:  # ENOBUFS: more happened than the socket could hold
                        raise
                    yield None
                    continue
                for event in _events(datagram):
                    self._detection.told(NETLINK)
                    yield event

    async def _ask(self, request: Message) -> list[Message]:
        """Send one request and gather its answers. Raises OSError as the kernel refuses."""
        loop = asyncio.get_running_loop()
        answers: list[Message] = []
        with closing(_socket(0)) as asking:
            async with asyncio.timeout(_LIMIT_S):
                await loop.sock_sendall(asking, encode(request))
                while True:
                    for message in decode(await loop.sock_recv(asking, 1 << 18)):
                        if message.type == NLMSG_ERROR:
                            _raise_if_refused(message)
                        if message.type in (NLMSG_ERROR, NLMSG_DONE):
                            return answers
                        answers.append(message)


def _socket(groups: int) -> socket.socket:
    fresh = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE)
    fresh.setblocking(False)
    fresh.bind((0, groups))
    return fresh


def _raise_if_refused(message: Message) -> None:
    (code,) = struct.unpack_from("=i", message.body)
    if code < 0:
        raise OSError(-code, os.strerror(-code))


def _events(datagram: bytes) -> Iterator[Address | Link]:
    for message in decode(datagram):
        if message.type in (RTM_NEWADDR, RTM_DELADDR):
            address = read_address(message.body)
            if address is not None:
                yield address
        elif message.type in (RTM_NEWLINK, RTM_DELLINK):
            yield read_link(message.body)
