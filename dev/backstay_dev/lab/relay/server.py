"""The relay's process: doors, conversations, and what the faults do to them. `backstay_dev.lab.relay.relay` says what for.

One client connection has one connection to the server; requests on it come one after the other, as HTTP/1.1 has it.
"""

import asyncio
import json
import os
import socket
import ssl
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from backstay_dev.lab.network import entered
from backstay_dev.lab.relay.faults import Faults
from backstay_dev.lab.relay.http import Broken, Gate, Head, copy_body, read_head, status_answer
from backstay_dev.lab.relay.relay import Fault, Kind


@dataclass
class Request:
    source: str
    head: Head

    @property
    def is_read(self) -> bool:
        return self.head.method == "GET" and not self.is_watch

    @property
    def is_watch(self) -> bool:
        return "watch=1" in self.head.target or "watch=true" in self.head.target


@dataclass
class Relay:
    config: Mapping[str, Any]
    upstream_tls: ssl.SSLContext
    faults: Faults = field(default_factory=Faults)
    conversations: set["Conversation"] = field(default_factory=set)
    # The latest answer to each read, for readers who shall live in the past.
    remembered: dict[str, bytes] = field(default_factory=dict)
    frozen: dict[tuple[int, str], bytes] = field(default_factory=dict)

    async def welcome(self, source: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One client connection, from its first request to its end."""
        if self.faults.refuses(source):
            writer.transport.abort()
            return
        conversation = Conversation(self, source, reader, writer)
        self.conversations.add(conversation)
        try:
            await conversation.run()
        finally:
            self.conversations.discard(conversation)

    def drop(self, source: str | None) -> None:
        for conversation in list(self.conversations):
            if source is None or conversation.source == source:
                conversation.drop()


class Conversation:
    def __init__(self, relay: Relay, source: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.source = source
        self._relay = relay
        self._reader = reader
        self._writer = writer
        self._upstream: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    def drop(self) -> None:
        self._writer.transport.abort()

    async def run(self) -> None:
        talk = asyncio.create_task(self._talk())
        # A client that goes away in the middle of a silent watch is noticed here, and the server is told.
        gone = asyncio.create_task(self._writer.wait_closed())
        try:
            await asyncio.wait({talk, gone}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            talk.cancel()
            gone.cancel()
            await asyncio.gather(talk, gone, return_exceptions=True)
            for writer in (self._writer, *([self._upstream[1]] if self._upstream else [])):
                writer.transport.abort()

    async def _talk(self) -> None:
        with suppress(Broken, OSError, asyncio.IncompleteReadError):
            while (head := await read_head(self._reader)) is not None:
                if not await self._answer(Request(self.source, head)):
                    return

    async def _answer(self, request: Request) -> bool:
        """Answer one request; False: the connection is over."""
        relay = self._relay
        for delay in relay.faults.take(request.source, request.head, {Kind.DELAY}):
            await asyncio.sleep(delay.fault.delay_s)
        terminal = {Kind.STATUS, Kind.HANG, Kind.CUT, Kind.REFUSE}
        for active in relay.faults.take(request.source, request.head, terminal, at_most=1):
            return await self._spoil(request, active.fault, active.number)
        for active in relay.faults.take(request.source, request.head, {Kind.STALE}, at_most=1):
            if request.is_read:
                return await self._answer_from_the_past(request, active.number)
        answer = await self._pass_on(request, self._writer)
        if request.is_read and answer is not None:
            relay.remembered[request.head.target] = answer
        return True

    async def _spoil(self, request: Request, fault: Fault, number: int) -> bool:
        match fault.kind:
            case Kind.STATUS:
                await copy_body(self._reader, request.head)
                self._writer.write(status_answer(fault.status, fault.retry_after_s))
                await self._writer.drain()
                return True
            case Kind.HANG:
                await self._relay.faults.over(number)
                return False
            case Kind.CUT if request.is_watch:
                await self._pass_on(request, self._writer, _Scissors(self._writer, fault.keep))
                return False
            case Kind.CUT:
                answer = await self._pass_on(request, None)
                assert answer is not None
                self._writer.write(answer[: int(len(answer) * fault.keep)])
                await self._writer.drain()
                # A clean end would look like a whole answer to some; and what was written must still leave.
                self._writer.transport.close()
                return False
            case _:
                return False

    async def _answer_from_the_past(self, request: Request, number: int) -> bool:
        relay, target = self._relay, request.head.target
        key = (number, target)
        if key not in relay.frozen:
            answer = relay.remembered.get(target) or await self._pass_on(request, None)
            assert answer is not None
            relay.frozen[key] = answer
        self._writer.write(relay.frozen[key])
        await self._writer.drain()
        return True

    async def _pass_on(
        self, request: Request, client: asyncio.StreamWriter | None, gate: Gate | None = None
    ) -> bytes | None:
        """Ask the server. With a client its answer flows through as it comes; the whole of it is returned if short."""
        reader, writer = await self._server()
        writer.write(request.head.raw)
        await copy_body(self._reader, request.head, writer)
        await writer.drain()
        head = await read_head(reader)
        if head is None:
            raise Broken("the server closed the connection")
        if client is not None:
            client.write(head.raw)
        if request.is_watch:
            gate = gate or _Gate(self._relay.faults, request)
        body = await copy_body(reader, head, client, answer_to=request.head.method, gate=gate)
        if client is not None:
            await client.drain()
        if head.closes:
            raise Broken("the server closes after this answer")
        return head.raw + body if body is not None else None

    async def _server(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._upstream is None:
            self._upstream = await asyncio.open_connection(
                "127.0.0.1", self._relay.config["upstream_port"], ssl=self._relay.upstream_tls, limit=1 << 20
            )
        return self._upstream


class _Gate:
    """Where pieces of a running watch wait while a fault holds them back."""

    def __init__(self, faults: Faults, request: Request) -> None:
        self._faults = faults
        self._request = request

    async def __call__(self, _piece: bytes) -> None:
        faults, source, head = self._faults, self._request.source, self._request.head
        for delay in faults.standing(source, head, {Kind.DELAY}):
            await asyncio.sleep(delay.fault.delay_s)
        while held := faults.standing(source, head, {Kind.HOLD, Kind.HANG, Kind.STALE}):
            await faults.over(held[0].number)


class _Scissors:
    """Lets a part of the first piece of a watch through, and ends the connection."""

    def __init__(self, client: asyncio.StreamWriter, keep: float) -> None:
        self._client = client
        self._keep = keep

    async def __call__(self, piece: bytes) -> None:
        self._client.write(piece[: int(len(piece) * self._keep)])
        await self._client.drain()
        raise Broken("cut here by a fault")


async def main(config: Mapping[str, Any]) -> None:
    upstream = ssl.create_default_context(cafile=config["ca"])
    relay = Relay(config, upstream)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(config["cert"], config["key"])
    servers = [await _open_door(relay, listener, tls, door) for door, listener in _listeners(config)]
    servers.append(await asyncio.start_unix_server(lambda r, w: _obey(relay, r, w), config["control"]))
    try:
        while os.path.exists(f"/proc/{config['lab_pid']}"):  # noqa: ASYNC240 - a look at a virtual file
            await asyncio.sleep(1)
    finally:
        for server in servers:
            server.close()


def _listeners(config: Mapping[str, Any]) -> Iterator[tuple[str | None, socket.socket]]:
    """Listening sockets with the names of their doors; those inside the lab's network have none."""
    if config["namespace"]:
        with entered(Path(config["namespace"])):
            inside = [_listen(address, config["inside_port"]) for address in config["inside"]]
        yield from ((None, listener) for listener in inside)
    for door, port in config["doors"].items():
        yield door, _listen("127.0.0.1", port)


def _listen(address: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    # asyncio switches Nagle's delay off only where the protocol is named: 40 ms an answer.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((address, port))
    return listener


async def _open_door(relay: Relay, listener: socket.socket, tls: ssl.SSLContext, door: str | None) -> asyncio.Server:
    async def welcome(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        address = writer.get_extra_info("peername")[0]
        await relay.welcome(door or relay.config["hosts"].get(address, address), reader, writer)

    return await asyncio.start_server(welcome, sock=listener, ssl=tls, limit=1 << 20, backlog=512)


async def _obey(relay: Relay, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """The lab's orders, one JSON line each."""
    while line := await reader.readline():
        writer.write(json.dumps(_carry_out(relay, json.loads(line))).encode() + b"\n")
        await writer.drain()


def _carry_out(relay: Relay, order: Mapping[str, Any]) -> dict[str, Any]:
    match order["do"]:
        case "add":
            fault = Fault.from_json(order["fault"])
            number = relay.faults.add(fault)
            if fault.kind is Kind.REFUSE:
                relay.drop(fault.source)
            return {"id": number}
        case "remove":
            relay.faults.remove(order["id"])
        case "clear":
            relay.faults.clear()
        case "hits":
            return {"hits": relay.faults.hits(order["id"])}
        case "drop":
            relay.drop(order["source"])
    return {}


if __name__ == "__main__":
    asyncio.run(main(json.loads(Path(sys.argv[1]).read_text())))
