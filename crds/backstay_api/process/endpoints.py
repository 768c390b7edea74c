"""A few lines of HTTP for probes and metrics: one request a connection, small and with time limits. Standard library only.

What is answered is the program's own; this only speaks the protocol, so that operator and fencer speak it alike.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

log = logging.getLogger(__name__)

JSON: Final = "application/json"
Answered = tuple[int, str, bytes]
"""Code, content type and body."""
Answer = Callable[[str, str], Awaitable[Answered]]
"""Asked with method and path."""

_TIMEOUT_S: Final = 5.0
_MAX_HEAD_BYTES: Final = 16 * 1024
_PHRASES: Final = {200: "OK", 404: "Not Found", 405: "Method Not Allowed", 503: "Service Unavailable"}


async def serve(answer: Answer, *, host: str, port: int) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _talk(answer, reader, writer)

    server = await asyncio.start_server(talk, host, port, limit=_MAX_HEAD_BYTES)
    log.info("endpoints are open", extra={"address": server.sockets[0].getsockname()[:2]})
    async with server:
        await server.serve_forever()


def judged(why: str, facts: Mapping[str, Any]) -> Answered:
    """A probe's answer: well if nothing speaks against it, and the facts in any case."""
    body = {"ok": not why, "why": why, **facts}
    return (503 if why else 200), JSON, json.dumps(body).encode() + b"\n"


async def _talk(answer: Answer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        async with asyncio.timeout(_TIMEOUT_S):
            line = (await reader.readline()).decode("latin-1").split()
            while (await reader.readline()).strip():
                pass
            if len(line) >= 2:
                code, kind, body = await _answered(answer, line[0], line[1])
                writer.write(_response(code, kind, body, with_body=line[0] != "HEAD"))
                await writer.drain()
    except (TimeoutError, OSError, ValueError):
        pass  # whoever asked has gone, or speaks no HTTP
    finally:
        writer.close()


async def _answered(answer: Answer, method: str, path: str) -> Answered:
    if method not in ("GET", "HEAD"):
        return 405, JSON, b"{}"
    return await answer(method, path)


def _response(code: int, kind: str, body: bytes, *, with_body: bool) -> bytes:
    head = (
        f"HTTP/1.1 {code} {_PHRASES[code]}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n"
        "Connection: close\r\n\r\n"
    )
    return head.encode() + (body if with_body else b"")
