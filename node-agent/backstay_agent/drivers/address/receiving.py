"""Receives what says that somebody has an address which is in use here (RFC 5227, 2.4): one socket a family serves all addresses.

The kernel lets through only what is about one of them (`filters.py`): a busy network wakes nobody.
"""

from __future__ import annotations

import asyncio
import ctypes
import logging
import socket
import struct
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Final

from .filters import Instruction, claims_of
from .frames import IP, claimed, ether_type

log = logging.getLogger(__name__)

_SO_ATTACH_FILTER: Final = 26
_AT_ONCE: Final = 64
"""Frames that are read before others have their turn."""

OnClaim = Callable[[str, bytes], None]
"""Is told the interface and the MAC."""


class Receiving:
    """All that is listened for. Its sockets are there while somebody listens."""

    def __init__(self) -> None:
        self._sockets: dict[int, _Socket] = {}

    @property
    def sockets(self) -> int:
        return len(self._sockets)

    @contextmanager
    def of(self, ip: IP, on_claim: OnClaim) -> Iterator[None]:
        """Tell of each frame from elsewhere whose sender says that it has this address. Raises OSError."""
        kind, listener = ether_type(ip), (ip, on_claim)
        sock = self._sockets.get(kind) or self._sockets.setdefault(kind, _Socket(kind))
        sock.listen([*sock.listeners, listener])
        try:
            yield
        finally:
            sock.listen([one for one in sock.listeners if one is not listener])
            if not sock.listeners:
                self._sockets.pop(kind, None)
                sock.close()


class _Socket:
    """One family's socket, on all interfaces."""

    def __init__(self, kind: int) -> None:
        self.listeners: list[tuple[IP, OnClaim]] = []
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.htons(kind))
        self._socket.setblocking(False)
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._socket, self._on_frames)

    def listen(self, listeners: list[tuple[IP, OnClaim]]) -> None:
        self.listeners = listeners
        _let_through(self._socket, claims_of(ip for ip, _ in listeners))

    def close(self) -> None:
        self._loop.remove_reader(self._socket)
        # The kernel waits about 10 ms at the close of such a socket, and all of the agent would with it.
        threading.Thread(target=self._socket.close, name="close", daemon=True).start()

    def _on_frames(self) -> None:
        for _ in range(_AT_ONCE):
            try:
                frame, (link, _protocol, kind, *_rest) = self._socket.recvfrom(2048)
            except BlockingIOError:
                return
            except OSError as error:  # an interface that goes; the next frame is read as before
                log.debug("network frame could not be read, looking for duplicate addresses", extra={"why": str(error)})
                return
            if kind == socket.PACKET_OTHERHOST:
                continue  # of a VLAN that this host is not in: another network, which may have the same addresses
            for ip, on_claim in self.listeners:
                if (mac := claimed(frame, ip)) is not None:
                    on_claim(link, mac)


def _let_through(listening: socket.socket, program: Iterable[Instruction]) -> None:
    code = b"".join(struct.pack("=HBBI", *instruction) for instruction in program)
    buffer = ctypes.create_string_buffer(code, len(code))
    fprog = struct.pack("@HP", len(code) // 8, ctypes.addressof(buffer))
    listening.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, fprog)
