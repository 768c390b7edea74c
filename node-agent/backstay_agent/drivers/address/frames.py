"""Ethernet frames that tell the neighbours where an address is, or ask whether anybody has it. Pure: bytes out, bytes in.

ARP by RFC 826 and 5227, neighbour discovery by RFC 4861 and 4862.
"""

from __future__ import annotations

import struct
from ipaddress import IPv4Address, IPv6Address
from typing import Final

IP = IPv4Address | IPv6Address

BROADCAST: Final = b"\xff" * 6
ETH_P_IP6: Final = 0x86DD
ETH_P_ARP: Final = 0x0806
ICMP6: Final = 58
_SOLICITATION: Final = 135
ADVERTISEMENT: Final = 136
_OVERRIDE: Final = 0x20000000
_ALL_NODES: Final = IPv6Address("ff02::1")
_ARP: Final = struct.Struct("!HHBBH6s4s6s4s")
# A neighbour discovery packet with any other hop limit may come from beyond a router and is thrown away (RFC 4861, 7.1).
_HOP_LIMIT: Final = 255


def announcements(ip: IP, mac: bytes) -> list[bytes]:
    """Frames after which every neighbour that knows the address knows it to be here."""
    if isinstance(ip, IPv4Address):
        # Some only believe requests, others only replies.
        return [_arp(1, mac, ip, bytes(6), ip), _arp(2, mac, ip, mac, ip)]
    return [_advertisement(ip, mac)]


def question(ip: IP, mac: bytes) -> bytes:
    """A frame that asks whether anybody has the address, and that changes nobody's mind about where it is."""
    if isinstance(ip, IPv4Address):
        return _arp(1, mac, IPv4Address(0), bytes(6), ip)
    group = IPv6Address(IPv6Address("ff02::1:ff00:0").packed[:13] + ip.packed[13:])  # its solicited-node address
    # With no source address, as in duplicate address detection: whoever has it answers to all nodes.
    body = struct.pack("!I", 0) + ip.packed
    return _ethernet(_multicast_mac(group), mac, _icmp6(IPv6Address(0), group, _SOLICITATION, body))


def claimed(frame: bytes, ip: IP) -> bytes | None:
    """The MAC of whoever says in this frame that it has the address; None if the frame says nothing of the kind."""
    return _said(frame, ip, asks=False)


def answer(frame: bytes, ip: IP) -> bytes | None:
    """The same, or of whoever is about to take it, and asks whether it is free: both want it too."""
    return _said(frame, ip, asks=False) or _said(frame, ip, asks=True)


def ether_type(ip: IP) -> int:
    """In which kind of frames questions about this address are answered."""
    return ETH_P_ARP if isinstance(ip, IPv4Address) else ETH_P_IP6


def _said(frame: bytes, ip: IP, *, asks: bool) -> bytes | None:
    if isinstance(ip, IPv4Address):
        return _read_arp(frame, ip, asks=asks)
    return _read_neighbour(frame, ip, asks=asks)


def mac_text(mac: bytes) -> str:
    return mac.hex(":")


# v4


def _arp(operation: int, sender_mac: bytes, sender: IPv4Address, target_mac: bytes, target: IPv4Address) -> bytes:
    body = _ARP.pack(1, 0x0800, 6, 4, operation, sender_mac, sender.packed, target_mac, target.packed)
    return BROADCAST + sender_mac + struct.pack("!H", ETH_P_ARP) + body


def _read_arp(frame: bytes, ip: IPv4Address, *, asks: bool) -> bytes | None:
    if len(frame) < 14 + _ARP.size or frame[12:14] != struct.pack("!H", ETH_P_ARP):
        return None
    hardware, protocol, _hlen, _plen, _operation, mac, sender, _target_mac, target = _ARP.unpack_from(frame, 14)
    if (hardware, protocol) != (1, 0x0800):
        return None
    # Any packet sent from the address, or somebody else's question for it (RFC 5227, 2.1.1).
    return bytes(mac) if (sender == bytes(4) and target == ip.packed if asks else sender == ip.packed) else None


# v6


def _advertisement(ip: IPv6Address, mac: bytes) -> bytes:
    option = b"\x02\x01" + mac  # target link-layer address
    body = struct.pack("!I", _OVERRIDE) + ip.packed + option
    return _ethernet(_multicast_mac(_ALL_NODES), mac, _icmp6(ip, _ALL_NODES, ADVERTISEMENT, body))


def _read_neighbour(frame: bytes, ip: IPv6Address, *, asks: bool) -> bytes | None:
    if len(frame) < 14 + 40 + 24 or frame[12:14] != struct.pack("!H", ETH_P_IP6):
        return None
    packet = frame[14:]
    next_header, hop_limit, source = packet[6], packet[7], packet[8:24]
    kind, target = packet[40], packet[48:64]
    if next_header != ICMP6 or hop_limit != _HOP_LIMIT or target != ip.packed:
        return None
    said = kind == _SOLICITATION and source == bytes(16) if asks else kind == ADVERTISEMENT
    return frame[6:12] if said else None


def _icmp6(source: IPv6Address, target: IPv6Address, kind: int, body: bytes) -> bytes:
    size = 4 + len(body)
    pseudo = source.packed + target.packed + struct.pack("!II", size, ICMP6)
    checksum = _checksum(pseudo + struct.pack("!BBH", kind, 0, 0) + body)
    header = struct.pack("!IHBB", 6 << 28, size, ICMP6, _HOP_LIMIT) + source.packed + target.packed
    return header + struct.pack("!BBH", kind, 0, checksum) + body


def _ethernet(target: bytes, source: bytes, packet: bytes) -> bytes:
    return target + source + struct.pack("!H", ETH_P_IP6) + packet


def _multicast_mac(group: IPv6Address) -> bytes:
    return b"\x33\x33" + group.packed[12:]


def _checksum(data: bytes) -> int:
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
