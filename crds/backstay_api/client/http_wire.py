"""HTTP/1.1 by hand over asyncio streams: one connection, one request at a time, and nothing half believed.

By hand, because a lease needs to know what no library tells: whether a connection was truly idle before the request
went out, whether anything of the answer had come when it broke, and that an abandoned request is not sent later.
"""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
import struct
from collections.abc import AsyncGenerator, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

MAX_HEAD_BYTES: Final = 64 * 1024
_PIECE_BYTES: Final = 64 * 1024

# A peer that vanished is found out within about 25 s also where nothing is being sent (a quiet watch).
_KEEPALIVE: Final = (
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 10),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 5),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3),
    (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 25_000),
)

_STATUS_LINE: Final = re.compile(rb"HTTP/1\.([01]) ([1-5][0-9][0-9])(?: .*)?")
_CHUNK_SIZE: Final = re.compile(rb"([0-9A-Fa-f]{1,8})(?:[ \t]*;.*)?\r\n")


class Broken(Exception):
    """The connection was cut, or what came over it is not HTTP. It must not be used again."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where to connect, and how the request is addressed there."""

    host: str
    port: int
    tls: bool
    prefix: str = ""
    """What stands before every path, for an API server behind a proxy."""

    @property
    def authority(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Head:
    """Status and headers of an answer; header names in lower case."""

    status: int
    headers: Mapping[str, str]
    keeps_alive: bool


class _CountingReader(asyncio.StreamReader):
    """Knows how much has come at all: whether an idle connection is silent, whether an answer had begun."""

    fed_bytes = 0

    def feed_data(self, data: Any) -> None:
        self.fed_bytes += len(data)
        super().feed_data(data)


class Connection:
    """One TCP or TLS connection. After `Broken`, a timeout or a cancellation it must be aborted."""

    def __init__(self, target: Target, authorization: str, reader: _CountingReader, writer: asyncio.StreamWriter):
        self.target = target
        self.served = 0
        """How many answers were read to their end."""
        self.idle_since_s = 0.0
        self._authorization = authorization
        self._reader = reader
        self._writer = writer
        self._taken_bytes = 0
        self._fed_before_request = 0

    @classmethod
    async def open(
        cls, target: Target, *, authorization: str, tls: ssl.SSLContext | None, server_name: str = ""
    ) -> Connection:
        """Connect, with keepalive set; raises OSError (ssl.SSLError is one)."""
        loop = asyncio.get_running_loop()
        reader = _CountingReader(limit=MAX_HEAD_BYTES, loop=loop)
        protocol = asyncio.StreamReaderProtocol(reader, loop=loop)
        transport, _ = await loop.create_connection(
            lambda: protocol,
            target.host,
            target.port,
            ssl=tls if target.tls else None,
            server_hostname=(server_name or target.host) if target.tls else None,
        )
        peer = transport.get_extra_info("socket")
        for level, option, value in _KEEPALIVE:
            peer.setsockopt(level, option, value)
        return cls(target, authorization, reader, asyncio.StreamWriter(transport, protocol, reader, loop))

    @property
    def is_idle(self) -> bool:
        """Open, and nothing came since the last answer ended: a request may be sent."""
        closing = self._writer.transport.is_closing() or self._reader.at_eof() or self._reader.exception()
        return not closing and self._reader.fed_bytes == self._taken_bytes

    @property
    def answer_begun(self) -> bool:
        """Something came since the request was sent."""
        return self._reader.fed_bytes > self._fed_before_request

    async def send(self, method: str, path: str, *, headers: Iterable[tuple[str, str]], body: bytes = b"") -> None:
        lines = [
            f"{method} {self.target.prefix}{path} HTTP/1.1",
            f"Host: {self.target.authority}",
            *(f"{name}: {value}" for name, value in headers),
        ]
        if self._authorization:
            lines.append(f"Authorization: {self._authorization}")
        if body or method != "GET":
            lines.append(f"Content-Length: {len(body)}")
        self._fed_before_request = self._reader.fed_bytes
        try:
            self._writer.write("\r\n".join([*lines, "", ""]).encode() + body)
            await self._writer.drain()
        except OSError as error:
            raise Broken(f"cut while sending ({error})") from error

    async def head(self) -> Head:
        """Read status line and headers, past interim answers."""
        while True:
            head = _parse_head(await self._until(b"\r\n\r\n"))
            if head.status >= 200:
                return head

    async def body(self, head: Head, *, limit_bytes: int) -> bytes:
        """The whole body, or `Broken`: never a part of it."""
        whole = bytearray()
        async for piece in self.pieces(head):
            whole += piece
            if len(whole) > limit_bytes:
                raise Broken(f"the answer is larger than {limit_bytes} bytes")
        return bytes(whole)

    async def pieces(self, head: Head) -> AsyncGenerator[bytes, None]:
        """The body as it comes; ends only where the body ends by its own framing."""
        if head.status in (204, 304):
            pass
        elif "chunked" in head.headers.get("transfer-encoding", "").lower():
            async for piece in self._chunks():
                yield piece
        elif (length := head.headers.get("content-length", "")).isdecimal():
            async for piece in self._exactly(int(length)):
                yield piece
        else:
            # Only the end of the connection would end it, and a cut looks the same.
            raise Broken("the answer does not say where it ends")
        self.served += 1

    def close(self) -> None:
        """Close an idle connection."""
        self._writer.close()

    def abort(self) -> None:
        """Close at once; what the kernel has not sent yet is never sent."""
        transport = self._writer.transport
        peer = transport.get_extra_info("socket")
        if peer is not None and peer.fileno() >= 0:
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()

    async def _chunks(self) -> AsyncGenerator[bytes, None]:
        while True:
            size = _CHUNK_SIZE.fullmatch(await self._until(b"\r\n"))
            if not size:
                raise Broken("a chunk without a size")
            if not (size_bytes := int(size[1], 16)):
                break
            async for piece in self._exactly(size_bytes):
                yield piece
            if await self._until(b"\r\n") != b"\r\n":
                raise Broken("a chunk that does not end where it says")
        while await self._until(b"\r\n") != b"\r\n":
            pass  # trailers

    async def _exactly(self, size_bytes: int) -> AsyncGenerator[bytes, None]:
        while size_bytes:
            try:
                piece = await self._reader.read(min(size_bytes, _PIECE_BYTES))
            except OSError as error:
                raise Broken(f"cut in the middle of the answer ({error})") from error
            if not piece:
                raise Broken("cut in the middle of the answer")
            size_bytes -= len(piece)
            self._taken_bytes += len(piece)
            yield piece

    async def _until(self, mark: bytes) -> bytes:
        try:
            line = await self._reader.readuntil(mark)
        except asyncio.IncompleteReadError as error:
            raise Broken("cut in the middle of the answer" if error.partial else "cut before an answer") from error
        except asyncio.LimitOverrunError as error:
            raise Broken(f"a line of the answer is longer than {MAX_HEAD_BYTES} bytes") from error
        except OSError as error:
            raise Broken(f"cut before the end of the answer ({error})") from error
        self._taken_bytes += len(line)
        return line


def _parse_head(head: bytes) -> Head:
    first, *lines = head[:-4].split(b"\r\n")
    status = _STATUS_LINE.fullmatch(first)
    if not status:
        raise Broken(f"not an HTTP answer: {first[:80]!r}")
    headers = {}
    for line in lines:
        name, colon, value = line.partition(b":")
        if not colon:
            raise Broken(f"not a header: {line[:80]!r}")
        headers[name.decode("latin-1").strip().lower()] = value.decode("latin-1").strip()
    keeps_alive = status[1] == b"1" and headers.get("connection", "").lower() != "close"
    return Head(int(status[2]), headers, keeps_alive)
