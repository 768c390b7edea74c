"""As much HTTP/1.1 as the relay needs: heads, and bodies that flow through as they come."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import cached_property
from http import HTTPStatus
from typing import Final

# Longer answers are passed on but not remembered.
_REMEMBERED_BYTES: Final = 4 << 20
_REASONS: Final = {
    404: "NotFound",
    409: "Conflict",
    410: "Expired",
    422: "Invalid",
    429: "TooManyRequests",
    500: "InternalError",
    503: "ServiceUnavailable",
    504: "Timeout",
}

# Awaited with each piece before it is passed on.
Gate = Callable[[bytes], Awaitable[None]]


class Broken(Exception):
    """The other side is gone or speaks something that is not HTTP/1.1: the connection ends."""


@dataclass(frozen=True)
class Head:
    """The first lines of a request or an answer, as they came."""

    raw: bytes
    first: str
    fields: dict[str, str] = field(hash=False)

    @cached_property
    def method(self) -> str:
        return self.first.split(" ", 2)[0]

    @cached_property
    def target(self) -> str:
        return self.first.split(" ", 2)[1]

    @cached_property
    def status(self) -> int:
        return int(self.first.split(" ", 2)[1])

    @property
    def closes(self) -> bool:
        return self.fields.get("connection", "").lower() == "close"

    @property
    def is_chunked(self) -> bool:
        return self.fields.get("transfer-encoding", "").lower() == "chunked"


async def read_head(reader: asyncio.StreamReader) -> Head | None:
    """The next one; None where the other side has closed between two."""
    try:
        raw = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as error:
        if error.partial:
            raise Broken("closed in the middle of a head") from error
        return None
    except asyncio.LimitOverrunError as error:
        raise Broken("a head without an end") from error
    first, *lines = raw.decode("latin-1").split("\r\n")[:-2]
    pairs = (line.partition(":") for line in lines)
    return Head(raw, first, {name.strip().lower(): value.strip() for name, _, value in pairs})


async def copy_body(
    reader: asyncio.StreamReader,
    head: Head,
    to: asyncio.StreamWriter | None = None,
    *,
    answer_to: str | None = None,
    gate: Gate | None = None,
) -> bytes | None:
    """Read the body that belongs to this head and pass it on piece by piece; return it if it is short.

    `answer_to`: the method, where this is an answer (some answers have no body). `gate`: awaited before each piece.
    """
    copied = _Copied(to, gate)
    if answer_to is not None and (answer_to == "HEAD" or head.status in {204, 304}):
        return b""
    if head.is_chunked:
        await _copy_chunks(reader, copied)
    elif "content-length" in head.fields:
        await _copy_bytes(reader, int(head.fields["content-length"]), copied)
    elif answer_to is not None:
        while piece := await reader.read(65536):
            await copied.take(piece)
        raise Broken("the end of this answer is the end of the connection")
    return copied.whole


class _Copied:
    def __init__(self, to: asyncio.StreamWriter | None, gate: Gate | None) -> None:
        self.whole: bytes | None = b""
        self._to = to
        self._gate = gate

    async def take(self, piece: bytes) -> None:
        if self._gate is not None:
            await self._gate(piece)
        if self._to is not None:
            self._to.write(piece)
            await self._to.drain()
        if self._gate is not None or self.whole is None or len(self.whole) > _REMEMBERED_BYTES:
            # Watches never end and are not remembered.
            self.whole = None
        else:
            self.whole += piece


async def _copy_chunks(reader: asyncio.StreamReader, copied: _Copied) -> None:
    while True:
        size_line = await reader.readuntil(b"\r\n")
        size = int(size_line.split(b";")[0], 16)
        rest = await reader.readexactly(size + 2) if size else await reader.readuntil(b"\r\n")
        await copied.take(size_line + rest)
        if not size:
            return


async def _copy_bytes(reader: asyncio.StreamReader, size: int, copied: _Copied) -> None:
    while size > 0:
        piece = await reader.read(min(size, 65536))
        if not piece:
            raise Broken("closed in the middle of a body")
        size -= len(piece)
        await copied.take(piece)


def status_answer(code: int, retry_after_s: int | None) -> bytes:
    """An answer as the API server writes it, with a Status object."""
    body = json.dumps(
        {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": "the lab's relay says so",
            "reason": _REASONS.get(code, "InternalError"),
            "code": code,
        }
    ).encode()
    lines = [
        f"HTTP/1.1 {code} {HTTPStatus(code).phrase}",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        *([f"Retry-After: {retry_after_s}"] if retry_after_s is not None else []),
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body
