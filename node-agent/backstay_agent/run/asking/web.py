"""An HTTP question by hand: one GET, its status, and of its body no more than is looked at."""

from __future__ import annotations

from asyncio import IncompleteReadError, LimitOverrunError, StreamReader
from collections.abc import Mapping, Sequence
from typing import Final

from backstay_agent.drivers.tools.contained_programs import run_program
from backstay_agent.drivers.tools.journal_tail import one_line, with_words
from backstay_api.objects.plain import ExpectedBody, HttpGet

from .connections import LOCALHOST, UNCHECKED, authority, connection

_GOOD: Final = ("200-399",)
_MOST_BODY_BYTES: Final = 65536
_NOT_HTTP: Final = "the answer is not HTTP"
# Regular expressions are matched by a process, which can be killed: one that never ends must not hold up the agent.
_GREP: Final = ("/bin/grep", "-E", "-a", "-q", "-e")


async def ask_http(wanted: HttpGet) -> str | None:
    """None if it is answered as wanted, else why not."""
    tls = (wanted.tls or UNCHECKED) if wanted.scheme == "HTTPS" else None
    async with connection(wanted.host or LOCALHOST, wanted.port, tls) as (reader, writer):
        writer.write(http_request(wanted))
        await writer.drain()
        try:
            why = http_verdict(await reader.readuntil(b"\n"), wanted.expected_status or _GOOD)
            if why or not wanted.expected_body:
                return why
            body = await _body(reader)
        except (IncompleteReadError, LimitOverrunError, ValueError):
            return _NOT_HTTP
    return await _body_verdict(body, wanted.expected_body)


def http_request(wanted: HttpGet) -> bytes:
    """The request, as it goes onto the wire."""
    headers = {"Host": authority(wanted.host or LOCALHOST, wanted.port)}
    headers |= {"User-Agent": "backstay-probe", "Accept": "*/*", "Connection": "close"}
    for header in wanted.http_headers or ():
        headers = {name: value for name, value in headers.items() if name.lower() != header.name.lower()}
        headers[header.name] = header.value
    lines = [f"GET {wanted.path or '/'} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    assert not any(char in line for line in lines for char in "\r\n"), "a line break reached a request's header"
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def http_verdict(status_line: bytes, good: Sequence[str] = _GOOD) -> str | None:
    """None for a status that is good, else why not."""
    words = status_line.decode("latin-1").split(None, 2)
    if len(words) < 2 or not words[0].startswith("HTTP/") or not (words[1].isdecimal() and len(words[1]) == 3):
        return _NOT_HTTP
    if any(_is_within(words[1], codes) for codes in good):
        return None
    wanted = f", not {' or '.join(good)}" if good != _GOOD else ""
    return f"the answer is {one_line(' '.join(words[1:]).encode())}{wanted}"


def _is_within(code: str, codes: str) -> bool:
    first, _, last = codes.partition("-")
    return first <= code <= (last or first)


async def _body(reader: StreamReader) -> bytes:
    """Its beginning. Raises ValueError and what the reader raises where the answer is not HTTP."""
    headers = await _headers(reader)
    if "chunked" in headers.get("transfer-encoding", "").lower():
        return await _chunks(reader)
    length = headers.get("content-length")
    return await _up_to(reader, _MOST_BODY_BYTES if length is None else min(int(length), _MOST_BODY_BYTES))


async def _headers(reader: StreamReader) -> Mapping[str, str]:
    headers: dict[str, str] = {}
    left = _MOST_BODY_BYTES
    while (line := await reader.readuntil(b"\n")).strip():
        name, _, value = line.decode("latin-1").partition(":")
        headers[name.strip().lower()] = value.strip()
        left -= len(line)
        if left < 0:
            raise ValueError("headers without end")
    return headers


async def _chunks(reader: StreamReader) -> bytes:
    body = b""
    while len(body) < _MOST_BODY_BYTES:
        size = int((await reader.readuntil(b"\n")).partition(b";")[0], 16)
        if size <= 0:
            break
        body += await _up_to(reader, min(size, _MOST_BODY_BYTES - len(body)))
        if len(body) < _MOST_BODY_BYTES:
            await reader.readuntil(b"\n")
    return body


async def _up_to(reader: StreamReader, most: int) -> bytes:
    """So many bytes, or fewer where it ends before."""
    try:
        return await reader.readexactly(most)
    except IncompleteReadError as error:
        return error.partial


async def _body_verdict(body: bytes, wanted: ExpectedBody) -> str | None:
    if wanted.contains and wanted.contains.encode() not in body:
        return with_words(f"the answer does not contain {wanted.contains!r}", one_line(body))
    if not wanted.matches:
        return None
    ended = await run_program((*_GREP, wanted.matches), given=body)
    if ended.code == 0:
        return None
    if ended.code == 1:
        return with_words(f"no line of the answer matches {wanted.matches!r}", one_line(body))
    return with_words(f"grep could not match {wanted.matches!r}", ended.words)
