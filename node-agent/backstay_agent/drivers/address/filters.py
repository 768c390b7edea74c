"""Programs of the kernel's packet filter (classic BPF) that let through only who says that it has one of some addresses. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from .frames import ADVERTISEMENT, ICMP6, IP

Instruction = tuple[int, int, int, int]
"""Operation, jump if true, jump if false, number (linux/filter.h)."""

_LOAD_WORD: Final = 0x20
_LOAD_BYTE: Final = 0x30
_IF_EQUAL: Final = 0x15
_RETURN: Final = 0x06
_ALL: Final = 0xFFFF
# Where it stands in a frame, counted from the Ethernet header.
_ARP_SENDER: Final = 28
_NEXT_HEADER: Final = 20
_ICMP6_TYPE: Final = 54
_TARGETS_END: Final = 74
MOST: Final = 1000
"""A program has 4,096 instructions; for more addresses than these all frames of the kind are let through."""


def claims_of(ips: Iterable[IP]) -> list[Instruction]:
    """For addresses of one family: what ARP says of senders, or neighbour advertisements of their targets."""
    known = sorted(set(ips))
    if not known:
        return [(_RETURN, 0, 0, 0)]
    program = [(_LOAD_WORD, 0, 0, _ARP_SENDER)]
    if known[0].version == 6:
        program = [
            *_only(_NEXT_HEADER, ICMP6),
            *_only(_ICMP6_TYPE, ADVERTISEMENT),
            (_LOAD_WORD, 0, 0, _TARGETS_END),
        ]
    if len(known) > MOST:
        return [*program, (_RETURN, 0, 0, _ALL)]
    for ip in known:
        program += [(_IF_EQUAL, 0, 1, int.from_bytes(ip.packed[-4:])), (_RETURN, 0, 0, _ALL)]
    return [*program, (_RETURN, 0, 0, 0)]


def _only(where: int, value: int) -> list[Instruction]:
    return [(_LOAD_BYTE, 0, 0, where), (_IF_EQUAL, 1, 0, value), (_RETURN, 0, 0, 0)]
