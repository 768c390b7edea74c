"""/healthz, /readyz and /metrics: facts over a few lines of HTTP. One request a connection, small and with time limits."""

from __future__ import annotations

import asyncio
import importlib
import json
import logging
from typing import Any, Final

from backstay_operator.control.health import Ages, State, ill, not_ready, told
from backstay_operator.control.replica import Operator

log = logging.getLogger(__name__)

_TIMEOUT_S: Final = 5.0
_MAX_HEAD_BYTES: Final = 16 * 1024
_PHRASES: Final = {200: "OK", 404: "Not Found", 405: "Method Not Allowed", 503: "Service Unavailable"}
_JSON: Final = "application/json"
_METRICS: Final = "text/plain; version=0.0.4; charset=utf-8"


class Endpoints:
    """Serves one replica's facts."""

    def __init__(self, operator: Operator) -> None:
        self._operator = operator
        self._metrics: Any = None

    async def run(self, *, host: str, port: int) -> None:
        """Serve until cancelled."""
        server = await asyncio.start_server(self._serve, host, port, limit=_MAX_HEAD_BYTES)
        log.info("endpoints are open", extra={"address": server.sockets[0].getsockname()[:2]})
        async with server:
            await server.serve_forever()

    def state(self) -> State:
        """The facts, as of now."""
        operator = self._operator
        now_s = operator.clock()
        planned_s = operator.facts.planned_at_s
        answered_s = operator.path.last_ok_sent_s
        heartbeats_s = operator.heartbeats.heard_at_s().get("Lease")
        return State(
            Ages(
                plan_s=None if planned_s is None else now_s - planned_s,
                answer_s=None if answered_s is None else now_s - answered_s,
                heartbeats_s=None if heartbeats_s is None else now_s - heartbeats_s,
                watches_s={kind: now_s - at_s for kind, at_s in operator.hearing.heard_at_s().items()},
                resync_s={kind: now_s - at_s for kind, at_s in operator.resync.done_at_s.items()},
            ),
            leads=operator.leader.leads(),
            waiting_for=operator.facts.waiting_for,
            path_trouble=operator.path.trouble,
        )

    async def answer(self, method: str, path: str) -> tuple[int, str, bytes]:
        """Code, content type and body for one request."""
        if method not in ("GET", "HEAD"):
            return 405, _JSON, b"{}"
        state = self.state()
        match path.partition("?")[0]:
            case "/healthz" | "/livez":
                return _judged(ill(state), state)
            case "/readyz":
                return _judged(not_ready(state), state)
            case "/metrics":
                return 200, _METRICS, await self._render()
            case _:
                return 404, _JSON, b'{"see": ["/healthz", "/readyz", "/metrics"]}'

    async def _render(self) -> bytes:
        if self._metrics is None:
            loop = asyncio.get_running_loop()
            module = await loop.run_in_executor(None, importlib.import_module, "backstay_operator.control.metrics")
            self._metrics = module.Metrics(self._operator, self.state)
        rendered: bytes = self._metrics.render()
        return rendered

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(_TIMEOUT_S):
                line = (await reader.readline()).decode("latin-1").split()
                while (await reader.readline()).strip():
                    pass
                if len(line) >= 2:
                    code, kind, body = await self.answer(line[0], line[1])
                    writer.write(_response(code, kind, body, with_body=line[0] != "HEAD"))
                    await writer.drain()
        except (TimeoutError, OSError, ValueError):
            pass  # whoever asked has gone, or speaks no HTTP
        finally:
            writer.close()


def _judged(why: str, state: State) -> tuple[int, str, bytes]:
    body = {"ok": not why, "why": why, **told(state)}
    return (503 if why else 200), _JSON, json.dumps(body).encode() + b"\n"


def _response(code: int, kind: str, body: bytes, *, with_body: bool) -> bytes:
    head = (
        f"HTTP/1.1 {code} {_PHRASES[code]}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n"
        "Connection: close\r\n\r\n"
    )
    return head.encode() + (body if with_body else b"")
