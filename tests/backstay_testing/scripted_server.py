"""A server that answers as it is told to, byte by byte, and an HttpApi before it."""

import asyncio
import json
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from backstay_api.client.http import ApiConfig, HttpApi
from backstay_api.objects.kinds import Raw

LEASE: Raw = {
    "apiVersion": "coordination.k8s.io/v1",
    "kind": "Lease",
    "metadata": {"name": "n1", "namespace": "hosts", "uid": "u1", "resourceVersion": "7"},
    "spec": {},
}


class ThenCut(bytes):
    """Said, and then the connection is closed."""


SILENCE = None


def answer(body: object = LEASE, *, status: int = 200, headers: str = "") -> bytes:
    text = body if isinstance(body, bytes) else json.dumps(body).encode()
    return f"HTTP/1.1 {status} X\r\n{headers}Content-Length: {len(text)}\r\n\r\n".encode() + text


def refusal(code: int, reason: str = "", headers: str = "") -> bytes:
    body = {"kind": "Status", "code": code, "reason": reason, "message": "because"}
    return answer(body, status=code, headers=headers)


def open_stream(*pieces: bytes) -> bytes:
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces)
    return b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks


@dataclass
class ScriptedServer:
    """Answers the n-th request with the n-th line of its script, whatever was asked: bytes, a cut, or silence."""

    script: list[bytes | None]
    port: int = 0
    requests: list[str] = field(default_factory=list)
    tokens: list[str] = field(default_factory=list)
    connections: int = 0
    _open: list[asyncio.StreamWriter] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def cut_all(self) -> None:
        for writer in self._open:
            writer.transport.abort()

    def say(self, text: bytes) -> None:
        """Unasked."""
        self._open[-1].write(text)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._open.append(writer)
        try:
            while head := (await reader.readuntil(b"\r\n\r\n")).decode():
                if (length := head.lower().partition("content-length: ")[2]).strip():
                    await reader.readexactly(int(length.split("\r\n")[0]))
                self.requests.append(head.split(" ")[0])
                self.tokens.append(head.partition("Bearer ")[2].split("\r\n")[0])
                say = self.script.pop(0)
                if say is SILENCE:
                    continue
                writer.write(say)
                if isinstance(say, ThenCut):
                    return
        except (asyncio.IncompleteReadError, asyncio.CancelledError, ConnectionError):
            pass  # the client went away, or the story is over
        finally:
            writer.close()


@asynccontextmanager
async def a_server(*script: bytes | None) -> AsyncIterator[ScriptedServer]:
    scripted = ScriptedServer(list(script))
    server = await asyncio.start_server(scripted.serve, "127.0.0.1", 0)
    scripted.port = server.sockets[0].getsockname()[1]
    try:
        yield scripted
    finally:
        scripted.cut_all()
        server.close()


@asynccontextmanager
async def an_api(*servers: ScriptedServer, **config: Any) -> AsyncIterator[HttpApi]:
    urls = tuple(server.url for server in servers)
    api = HttpApi(ApiConfig(servers=urls, **config), rng=random.Random(1))
    try:
        yield api
    finally:
        await api.close()
