"""Raw frames on one interface: sent, and received for a few milliseconds."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from .frames import IP, answer, ether_type, question
from .netlink import Link

# Answers on a local network come within a millisecond; the search overlaps with starting what stands before the address. Who is later
# is noticed while the address is in use (`duplicates.py`), where the same question is asked at once and again and again.
PROBE_S: Final = 0.02
# A frame can get lost: ask twice within that time.
_ASK_AGAIN_S: Final = 0.007


class Wire:
    """Sends and receives frames through AF_PACKET sockets."""

    def __init__(self) -> None:
        # Kept: to close such a socket the kernel waits about 10 ms, and all of the agent with it.
        self._sender: socket.socket | None = None

    def send(self, link: Link, frames: Sequence[bytes]) -> None:
        """Raises OSError."""
        if self._sender is None:
            self._sender = _socket()
        for frame in frames:
            self._sender.sendto(frame, (link.name, 0))

    def ask(self, link: Link, ip: IP) -> None:
        """Whoever has the address says so, and is noticed elsewhere (`receiving.py`). Raises OSError."""
        self.send(link, [question(ip, link.mac)])

    async def who_has(self, link: Link, ip: IP) -> bytes | None:
        """The MAC of a neighbour that answers for the address; None if nobody did in time. Raises OSError."""
        receiver = _socket()
        try:
            receiver.bind((link.name, ether_type(ip)))
            self.ask(link, ip)
            async with asyncio.timeout(PROBE_S), asyncio.TaskGroup() as tasks:
                asking = tasks.create_task(self._ask_again(link, ip))
                mac = await _answered(receiver, link, ip)
                asking.cancel()
                return mac
        except TimeoutError:
            return None
        finally:
            threading.Thread(target=receiver.close, name="close", daemon=True).start()  # see above; nobody waits for it

    async def _ask_again(self, link: Link, ip: IP) -> None:
        await asyncio.sleep(_ASK_AGAIN_S)
        with suppress(OSError):
            self.ask(link, ip)


async def _answered(receiver: socket.socket, link: Link, ip: IP) -> bytes:
    loop = asyncio.get_running_loop()
    while True:
        frame, (_link, _protocol, kind, *_rest) = await loop.sock_recvfrom(receiver, 2048)
        mac = answer(frame, ip)
        # Not what is told in a VLAN that this host is not in (see `receiving.py`).
        if mac is not None and mac != link.mac and kind != socket.PACKET_OTHERHOST:
            return mac


def _socket() -> socket.socket:
    # Protocol 0: receives nothing until it is bound to one.
    fresh = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0)
    fresh.setblocking(False)
    return fresh
