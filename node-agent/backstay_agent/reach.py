"""Asks whether this host reaches what it must: by ping (ICMP echo), or by a TCP port. That a connection is refused is an answer."""

from __future__ import annotations

import asyncio
import os
import socket
import struct
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final

from backstay_api.objects.plain import Reach

LIMIT_S: Final = 2.0
"""Whoever takes longer is as good as away for what is served here."""
_REQUESTS: Final = {4: 8, 6: 128}
_REPLIES: Final = {4: 0, 6: 129}


async def unreached(wanted: Sequence[Reach], *, limit_s: float = LIMIT_S) -> dict[str, str]:
    """By address and port, why it is not reached, in a sentence. All are asked at once, each for so long at most."""
    whys = await asyncio.gather(*(_unreached(one, limit_s) for one in wanted))
    return {
        _name(one): f"this host does not reach {_name(one)}: {why}"
        for one, why in zip(wanted, whys, strict=True)
        if why
    }


def _name(one: Reach) -> str:
    host = f"[{one.address}]" if one.port and ":" in one.address else one.address
    return f"{host}:{one.port}" if one.port else host


async def _unreached(one: Reach, limit_s: float) -> str:
    try:
        address = ip_address(one.address)  # a name would be looked up, and that may hang
        async with asyncio.timeout(limit_s):
            await (_connect(address, one.port) if one.port else _echo(address))
    except ValueError:
        return "that is not an address"
    except ConnectionRefusedError:
        return ""
    except TimeoutError:
        return f"it gives no answer within {limit_s:g} s"
    except OSError as error:
        return str(error.strerror or error)
    return ""


async def _connect(address: IPv4Address | IPv6Address, port: int) -> None:
    _, writer = await asyncio.open_connection(str(address), port)
    writer.transport.abort()


async def _echo(address: IPv4Address | IPv6Address) -> None:
    """Until the answer to our own question comes: whoever else pings from this host has answers here as well."""
    is_six, question = address.version == 6, os.urandom(16)
    family = socket.AF_INET6 if is_six else socket.AF_INET
    protocol = socket.IPPROTO_ICMPV6 if is_six else socket.IPPROTO_ICMP
    with socket.socket(family, socket.SOCK_RAW | socket.SOCK_NONBLOCK, protocol) as asked:
        asked.connect((str(address), 0))
        asked.send(_request(address.version, question))
        answered = False
        while not answered:
            answer = await asyncio.get_running_loop().sock_recv(asked, 2048)
            told = answer if is_six else answer[(answer[0] & 15) * 4 :]
            answered = told[:1] == bytes([_REPLIES[address.version]]) and told.endswith(question)


def _request(version: int, question: bytes) -> bytes:
    """Of ICMPv6 the kernel fills in the check sum."""
    head = struct.pack("!BBHHH", _REQUESTS[version], 0, 0, os.getpid() & 0xFFFF, 1)
    total = sum(struct.unpack(f"!{(len(head) + len(question)) // 2}H", head + question))
    total = (total & 0xFFFF) + (total >> 16)
    total = (total & 0xFFFF) + (total >> 16)
    return head[:2] + struct.pack("!H", ~total & 0xFFFF) + head[4:] + question
