"""Facts of one agent for those who ask on its host: `/healthz` as JSON, `/metrics` for Prometheus. No framework, one connection each."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from .agent import Agent

MOST_HEAD_BYTES: Final = 8192
PATIENCE_S: Final = 5.0


class Health:
    """Tells what is true now; judges nothing."""

    def __init__(self, agent: Agent) -> None:
        self._agent = agent

    async def serve(self, address: str) -> None:
        """Answer until cancelled."""
        host, _, port = address.rpartition(":")
        server = await asyncio.start_server(
            self._answer, host.strip("[]") or "127.0.0.1", int(port), limit=MOST_HEAD_BYTES
        )
        async with server:
            await server.serve_forever()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(PATIENCE_S):
                head = (await reader.readuntil(b"\r\n")).decode("latin-1").split(" ")
                writer.write(self._response(head[1] if len(head) > 1 else ""))
                await writer.drain()
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # whoever asked has gone, or does not speak HTTP
        finally:
            writer.close()

    def _response(self, path: str) -> bytes:
        facts = self._agent.facts()
        if path == "/healthz":
            return _http("200 OK", "application/json", json.dumps(facts))
        if path == "/metrics":
            return _http("200 OK", "text/plain; version=0.0.4", metrics(facts))
        return _http("404 Not Found", "text/plain", "there are /healthz and /metrics\n")


def metrics(facts: Mapping[str, object]) -> str:
    """Every number among the facts as a gauge."""
    numbers = {name: float(value) for name, value in facts.items() if isinstance(value, int | float)}
    return "".join(
        f"# TYPE backstay_agent_{name} gauge\nbackstay_agent_{name} {value:g}\n" for name, value in numbers.items()
    )


def _http(status: str, kind: str, body: str) -> bytes:
    content = body.encode()
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(content)}\r\nConnection: close\r\n\r\n"
    return head.encode() + content
