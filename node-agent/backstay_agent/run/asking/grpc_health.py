"""A gRPC server's health service (grpc.health.v1.Health/Check), asked by hand: one call over HTTP/2, which needs little of either.

Of the answer's headers only `grpc-status` is read, and no table of headers is kept: the server is told so (SETTINGS_HEADER_TABLE_SIZE 0).
docs/adr/0014 says why there is no library.
"""

from __future__ import annotations

from asyncio import IncompleteReadError, StreamReader, StreamWriter
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final

from backstay_api.objects.plain import Grpc

from .connections import LOCALHOST, authority, connection

PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
END_STREAM, ACK, END_HEADERS, PADDED, PRIORITY = 0x1, 0x1, 0x4, 0x8, 0x20
_STREAM: Final = 1
_MOST_FRAME_BYTES: Final = 16384
"""What a server may send that was not told of more."""
_MOST_BYTES: Final = 65536
"""Of headers, of the message and of frames that say nothing: none of it has a reason to be larger."""
_NOT_HTTP2: Final = "the answer is not HTTP/2"
_SETTINGS: Final = bytes((0, 1, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0))  # no table of headers, nothing pushed
_HEALTH: Final[Mapping[int, str]] = {0: "UNKNOWN", 2: "NOT_SERVING", 3: "SERVICE_UNKNOWN"}
_SERVING: Final = 1
_STATUS: Final[Mapping[str, str]] = {
    "5": "NOT_FOUND: it does not know this service",
    "12": "UNIMPLEMENTED: it has no health service",
    "16": "UNAUTHENTICATED",
    "7": "PERMISSION_DENIED",
    "14": "UNAVAILABLE",
}


class Frame(IntEnum):
    """Its kinds, as far as one call needs them (RFC 9113, 6)."""

    DATA = 0
    HEADERS = 1
    RST_STREAM = 3
    SETTINGS = 4
    PING = 6
    GOAWAY = 7
    CONTINUATION = 9


class NotGrpc(Exception):
    """What came is no answer. The text is a sentence for people."""


async def ask_grpc(wanted: Grpc) -> str | None:
    """None if it says SERVING, else why not."""
    async with connection(wanted.host or LOCALHOST, wanted.port, wanted.tls, speaks=("h2",)) as (reader, writer):
        writer.write(request(wanted))
        try:
            return await _answer(reader, writer)
        except IncompleteReadError:
            return "it closed the connection without an answer"
        except NotGrpc as error:
            return str(error)


# --- the request -----------------------------------------------------------------------------------------------------


def request(wanted: Grpc) -> bytes:
    """All that is sent before the answer."""
    service = (wanted.service or "").encode()
    message = b"\x0a" + _varint(len(service)) + service if service else b""
    headers = {
        ":method": "POST",
        ":scheme": "https" if wanted.tls else "http",
        ":path": "/grpc.health.v1.Health/Check",
        ":authority": authority(wanted.host or LOCALHOST, wanted.port),
        "te": "trailers",
        "content-type": "application/grpc",
        "user-agent": "backstay-probe",
    }
    block = b"".join(b"\x00" + _text(name) + _text(value) for name, value in headers.items())
    return b"".join(
        (
            PREFACE,
            frame(Frame.SETTINGS, 0, 0, _SETTINGS),
            frame(Frame.HEADERS, END_HEADERS, _STREAM, block),
            frame(Frame.DATA, END_STREAM, _STREAM, b"\x00" + len(message).to_bytes(4, "big") + message),
        )
    )


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big") + payload


def _varint(number: int) -> bytes:
    low, rest = number & 0x7F, number >> 7
    return bytes((low | 0x80,)) + _varint(rest) if rest else bytes((low,))


def _text(text: str) -> bytes:
    """As HPACK has a text that is not compressed (RFC 7541, 5.2)."""
    raw = text.encode()
    return (bytes((len(raw),)) if len(raw) < 127 else b"\x7f" + _varint(len(raw) - 127)) + raw


# --- the answer ------------------------------------------------------------------------------------------------------


@dataclass
class _Call:
    """What has come of the answer so far."""

    headers: bytearray = field(default_factory=bytearray)
    message: bytearray = field(default_factory=bytearray)
    is_over: bool = False
    """The server has ended its stream."""

    def verdict(self) -> str | None:
        """None: SERVING; else why not."""
        status = grpc_status(bytes(self.headers))
        if status.strip("0"):
            return f"the call failed: {_STATUS.get(status, f'grpc-status {status}')}"
        if len(self.message) < 5 or len(self.message) < 5 + int.from_bytes(self.message[1:5], "big"):
            return "the call ended without an answer"
        health = health_in(bytes(self.message[5:]))
        return None if health == _SERVING else f"its health is {_HEALTH.get(health, health)}"


async def _answer(reader: StreamReader, writer: StreamWriter) -> str | None:
    call, left = _Call(), _MOST_BYTES
    while not call.is_over:
        head = await reader.readexactly(9)
        length, kind, flags = int.from_bytes(head[:3], "big"), head[3], head[4]
        if length > _MOST_FRAME_BYTES:
            raise NotGrpc(_NOT_HTTP2)
        payload = await reader.readexactly(length)
        left -= 9 + length
        if left < 0:
            raise NotGrpc("the answer has no end")
        _take(call, writer, kind, flags, payload)
    return call.verdict()


def _take(call: _Call, writer: StreamWriter, kind: int, flags: int, payload: bytes) -> None:
    match kind:
        case Frame.DATA:
            call.message += _without_padding(flags, payload)
            call.is_over = bool(flags & END_STREAM)
        case Frame.HEADERS:
            block = _without_padding(flags, payload)
            call.headers += block[5:] if flags & PRIORITY else block
            call.is_over = bool(flags & END_STREAM)
        case Frame.CONTINUATION:
            call.headers += payload
        case Frame.RST_STREAM:
            raise NotGrpc(f"it refused the call (HTTP/2 error {int.from_bytes(payload[:4], 'big')})")
        case Frame.GOAWAY if any(payload[4:8]) or int.from_bytes(payload[:4], "big") < _STREAM:
            raise NotGrpc(f"it takes no calls (HTTP/2 error {int.from_bytes(payload[4:8], 'big')})")
        case Frame.SETTINGS | Frame.PING if not flags & ACK:
            writer.write(frame(kind, ACK, 0, payload if kind == Frame.PING else b""))


def _without_padding(flags: int, payload: bytes) -> bytes:
    if not flags & PADDED:
        return payload
    if not payload or payload[0] >= len(payload):
        raise NotGrpc(_NOT_HTTP2)
    return payload[1 : len(payload) - payload[0]]


def health_in(message: bytes) -> int:
    """The status in a HealthCheckResponse. Other fields, and what cannot be read, are as if it had said nothing: UNKNOWN."""
    return message[1] if len(message) >= 2 and message[0] == 0x08 else 0


# --- of the headers, the status --------------------------------------------------------------------------------------


_NAME: Final = (b"grpc-status", bytes.fromhex("9acac8b21234da8f"))  # plain, and in HPACK's Huffman code
_DIGITS: Final = ("00000", "00001", "00010", "011001", "011010", "011011", "011100", "011101", "011110", "011111")


def grpc_status(block: bytes) -> str:
    """`grpc-status` in blocks of headers (RFC 7541, 6); empty if it is not there or cannot be read."""
    at, status = 0, ""
    try:
        while at < len(block):
            first = block[at]
            prefix = 7 if first & 0x80 else 6 if first & 0x40 else 5 if first & 0x20 else 4
            index, at = _integer(block, at, prefix)
            if prefix in (7, 5):
                continue  # a header of the table, or the size of that
            name = b""
            if not index:
                _, name, at = _string(block, at)
            is_coded, value, at = _string(block, at)
            if name in _NAME:
                status = _digits(value) if is_coded else value.decode("latin-1")
    except IndexError:
        return ""
    return status if status.isdecimal() and len(status) < 4 else ""


def _integer(block: bytes, at: int, prefix: int) -> tuple[int, int]:
    most = (1 << prefix) - 1
    number, at = block[at] & most, at + 1
    if number < most:
        return number, at
    for shift in (0, 7, 14, 21):
        number += (block[at] & 0x7F) << shift
        at += 1
        if not block[at - 1] & 0x80:
            return number, at
    raise IndexError("no text is as long as that")


def _string(block: bytes, at: int) -> tuple[bool, bytes, int]:
    is_coded = bool(block[at] & 0x80)
    length, at = _integer(block, at, 7)
    return is_coded, block[at : at + length], at + length


def _digits(value: bytes) -> str:
    bits, found = "".join(f"{byte:08b}" for byte in value[:4]), ""
    while digit := next((str(at) for at, code in enumerate(_DIGITS) if bits.startswith(code)), ""):
        found, bits = found + digit, bits[len(_DIGITS[int(digit)]) :]
    return found
