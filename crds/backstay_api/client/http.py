"""The typed client for a real API server. Standard library only: every host runs it, and it must stay small."""

from __future__ import annotations

import asyncio
import copy
import json
import random
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any, Final, NoReturn
from urllib.parse import urlencode

from backstay_api.client.api import DEFAULT_INACTIVITY_S, Api, Bookmark, Call, Entry, Event, EventType, Listing
from backstay_api.client.errors import Gone, Malformed, OutcomeUnknown, Unreachable, from_status
from backstay_api.client.http_wire import Broken, Connection, Head
from backstay_api.client.transport import ApiConfig, Dialer, Lane
from backstay_api.objects.kinds import Kind, ObjectVersion, Raw, T

__all__ = ["ApiConfig", "HttpApi"]

_METHODS: Final = {"get": "GET", "create": "POST", "update": "PUT", "patch": "PATCH", "delete": "DELETE"}

_WHOLE: Final = "application/json"
_METADATA: Final = f"application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,{_WHOLE}"
"""Whoever cannot leave the rest out sends all of it."""

# The largest object a server stores is 1.5 MiB; an event holds one.
MAX_LINE_BYTES: Final = 8 * 1024 * 1024


@dataclass(slots=True)
class _Request:
    """One request, and how far it has come."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    body: Mapping[str, Any] | None = None
    accept: str = _WHOLE
    sent: bool = False
    """From here on it may have been carried out."""

    @property
    def is_write(self) -> bool:
        return self.method != "GET"

    @property
    def content_type(self) -> str:
        return "application/merge-patch+json" if self.method == "PATCH" else "application/json"

    @property
    def url(self) -> str:
        return f"{self.path}?{urlencode(self.query)}" if self.query else self.path


@dataclass(frozen=True, slots=True)
class _Answer:
    head: Head
    body: bytes


class HttpApi(Api):
    """`client.Api` over HTTP/1.1. `rng` spreads the life times of watches."""

    def __init__(self, config: ApiConfig, *, rng: random.Random) -> None:
        self._config = config
        self._rng = rng
        self._dialer = Dialer(config)
        self._lanes: dict[str, Lane] = {}
        self._lane = self._lanes.setdefault("", Lane(self._dialer))

    def lane(self, name: str) -> HttpApi:
        if name not in self._lanes:
            self._lanes[name] = Lane(self._dialer)
        view = copy.copy(self)  # everything shared but the connections in use
        view._lane = self._lanes[name]
        return view

    async def close(self) -> None:
        for lane in self._lanes.values():
            lane.close()

    async def list(
        self, kind: Kind[T], namespace: str = "", *, name: str = "", timeout_s: float | None = None
    ) -> Listing[T]:
        query = {"limit": str(self._config.chunk), **_named(name)}
        until_s = asyncio.get_running_loop().time() + self._limit_s(timeout_s)
        try:
            return await self._list_in_chunks(kind, namespace, query, until_s)
        except Gone:
            # The snapshot behind the `continue` token was compacted while we read: once more from the start.
            return await self._list_in_chunks(kind, namespace, query, until_s)

    async def watch(
        self,
        kind: Kind[T],
        namespace: str = "",
        *,
        resource_version: str,
        name: str = "",
        inactivity_s: float = DEFAULT_INACTIVITY_S,
        timeout_s: float | None = None,
    ) -> AsyncGenerator[Event[T] | Bookmark, None]:
        query = {
            "watch": "1",
            "allowWatchBookmarks": "true",
            "resourceVersion": resource_version,
            "timeoutSeconds": str(self._rng.randint(*self._config.watch_lifetime_s)),
            **_named(name),
        }
        request = _Request("GET", kind.path(namespace), query)
        connection, head = await self._open_stream(request, timeout_s)
        try:
            async with aclosing(_lines(connection, head, inactivity_s)) as lines:
                async for line in lines:
                    yield _event(kind, line)
        finally:
            connection.abort()

    async def text(self, path: str, *, timeout_s: float | None = None) -> str:
        """What a GET of this path answers, where that is no object: a log, or what another program says through the API server."""
        answer = await self._answer(_Request("GET", path), timeout_s)
        if not 200 <= answer.head.status < 300:
            raise from_status(answer.head.status, _json_object(answer.body) or {}, is_write=False)
        return answer.body.decode(errors="replace")

    async def _carry_out(self, call: Call, timeout_s: float | None) -> Raw:
        return _typed(call.kind, await self._call(_request(call), timeout_s))

    # --- one request ------------------------------------------------------------------------------------------

    def _limit_s(self, timeout_s: float | None) -> float:
        return self._config.timeout_s if timeout_s is None else timeout_s

    async def _call(self, request: _Request, timeout_s: float | None) -> Raw:
        """Carry out one request: its object, or the error that says what is now true."""
        return _judge(request, await self._answer(request, timeout_s))

    async def _answer(self, request: _Request, timeout_s: float | None) -> _Answer:
        limit_s = self._limit_s(timeout_s)
        try:
            async with asyncio.timeout(limit_s):
                return await self._exchange(request, until_s=asyncio.get_running_loop().time() + limit_s)
        except TimeoutError:
            self._give_up(request, limit_s)

    async def _exchange(self, request: _Request, *, until_s: float) -> _Answer:
        answer = await self._attempt(request, until_s=until_s)
        # A read, and the server had closed the connection just before: nothing of it was answered. Or it was not
        # carried out, for the token file may have been rotated since these connections were made.
        if answer is None or answer.head.status == 401:
            self._lane.close()
            answer = await self._attempt(request, until_s=until_s)
        assert answer, "only a used connection can be stale"
        return answer

    async def _attempt(self, request: _Request, *, until_s: float) -> _Answer | None:
        """Send once. None: a read met a used connection that was being closed, and may be sent again."""
        request.sent = False
        connection = await self._lane.take(until_s=until_s)
        was_used = connection.served > 0
        try:
            answer = await self._send_and_read(connection, request)
        except BaseException as failure:
            self._lane.drop(connection)
            if not isinstance(failure, Broken):
                self._dialer.blame(connection.target)  # most likely it did not answer in time
                raise
            if not request.is_write and was_used and not connection.answer_begun:
                return None
            self._dialer.blame(connection.target)
            raise OutcomeUnknown(f"{request.method} {request.path}: {failure}") from failure
        (self._lane.put if answer.head.keeps_alive else self._lane.drop)(connection)
        return answer

    async def _send_and_read(self, connection: Connection, request: _Request) -> _Answer:
        await self._send(connection, request)
        head = await connection.head()
        return _Answer(head, await connection.body(head, limit_bytes=self._config.max_answer_bytes))

    async def _send(self, connection: Connection, request: _Request) -> None:
        headers = [("Accept", request.accept), ("User-Agent", self._config.user_agent)]
        headers += self._config.impersonation()
        body = b""
        if request.body is not None:
            headers.append(("Content-Type", request.content_type))
            body = json.dumps(request.body, separators=(",", ":"), ensure_ascii=False).encode()
        request.sent = True
        await connection.send(request.method, request.url, headers=headers, body=body)

    def _give_up(self, request: _Request, limit_s: float) -> NoReturn:
        """After a timeout. The other idle connections lead to the same silent server: away with them."""
        self._lane.close()
        what = f"{request.method} {request.path}"
        if request.sent:
            raise OutcomeUnknown(f"{what}: no answer in {limit_s:g} s") from None
        raise Unreachable(f"{what}: no connection to send it on in {limit_s:g} s") from None

    # --- lists and streams ------------------------------------------------------------------------------------

    async def _list_in_chunks(
        self, kind: Kind[T], namespace: str, query: Mapping[str, str], until_s: float
    ) -> Listing[T]:
        loop = asyncio.get_running_loop()
        entries: list[Entry[T]] = []
        accept = _METADATA if kind.metadata_only else _WHOLE
        while True:
            request = _Request("GET", kind.path(namespace), query, accept=accept)
            page = await self._call(request, until_s - loop.time())
            meta = page.get("metadata") or {}
            entries += [
                Entry(kind.read(_typed(kind, body)), ObjectVersion.of(body)) for body in page.get("items") or ()
            ]
            if not (token := meta.get("continue")):
                return Listing(tuple(entries), meta["resourceVersion"])
            query = {**query, "continue": token}

    async def _open_stream(self, request: _Request, timeout_s: float | None) -> tuple[Connection, Head]:
        """A connection of its own with the head of a 200 on it."""
        limit_s = self._limit_s(timeout_s)
        try:
            async with asyncio.timeout(limit_s):
                return await self._open_within(request, asyncio.get_running_loop().time() + limit_s)
        except TimeoutError:
            self._give_up(request, limit_s)

    async def _open_within(self, request: _Request, until_s: float, *, again: bool = False) -> tuple[Connection, Head]:
        connection = await self._dialer.dial(until_s=until_s)
        opened = False
        try:
            await self._send(connection, request)
            head = await connection.head()
            opened = head.status == 200
            if opened:
                return connection, head
            body = await connection.body(head, limit_bytes=self._config.max_answer_bytes)
        except Broken as broken:
            self._dialer.blame(connection.target)
            raise OutcomeUnknown(f"watch of {request.path}: {broken}") from broken
        finally:
            if not opened:
                connection.abort()
        if head.status == 401 and not again:
            return await self._open_within(request, until_s, again=True)
        _judge(request, _Answer(head, body))
        raise OutcomeUnknown(f"watch of {request.path}: answered {head.status}")


def _named(name: str) -> dict[str, str]:
    return {"fieldSelector": f"metadata.name={name}"} if name else {}


def _request(call: Call) -> _Request:
    path = call.kind.path(call.namespace, "" if call.verb == "create" else call.name, call.subresource)
    body = _delete_options(call) if call.verb == "delete" else call.body
    return _Request(_METHODS[call.verb], path, {"dryRun": "All"} if call.dry_run else {}, body)


def _delete_options(call: Call) -> Raw:
    preconditions = {"uid": call.uid, "resourceVersion": call.resource_version}
    options: Raw = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Background"}
    if stated := {name: value for name, value in preconditions.items() if value is not None}:
        options["preconditions"] = stated
    return options


def _typed(kind: Kind[Any], body: Raw) -> Raw:
    """Built-in kinds leave apiVersion and kind out of the items of a list."""
    return {"apiVersion": kind.api_version, "kind": kind.kind, **body}


def _judge(request: _Request, answer: _Answer) -> Raw:
    """The object of a whole answer, or its error."""
    status = answer.head.status
    body = _json_object(answer.body)
    if 200 <= status < 300:
        if body is None or "kind" not in body:
            raise OutcomeUnknown(f"{request.method} {request.path}: answered {status} with what is not a JSON object")
        return body
    if 300 <= status < 400 or status == 408:
        raise OutcomeUnknown(f"{request.method} {request.path}: answered {status}", code=status)
    retry_after = answer.head.headers.get("retry-after", "")
    retry_after_s = float(retry_after) if retry_after.isdecimal() else None
    raise from_status(status, body or {}, is_write=request.is_write, retry_after_s=retry_after_s)


def _json_object(text: bytes) -> Raw | None:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


async def _lines(connection: Connection, head: Head, inactivity_s: float) -> AsyncGenerator[bytes, None]:
    """The lines of a stream as they become whole; ends where the server ended it."""
    rest = b""
    async with aclosing(connection.pieces(head)) as pieces:
        while True:
            try:
                async with asyncio.timeout(inactivity_s):
                    piece = await anext(pieces, None)
            except TimeoutError:
                raise OutcomeUnknown(f"the watch was silent for {inactivity_s:g} s") from None
            except Broken as broken:
                raise OutcomeUnknown(f"the watch broke: {broken}") from broken
            if piece is None:
                break
            *whole, rest = (rest + piece).split(b"\n")
            if len(rest) > MAX_LINE_BYTES:
                raise Malformed(f"a line of the watch is longer than {MAX_LINE_BYTES} bytes")
            for line in whole:
                yield line
    if rest:
        raise Malformed(f"the watch ended inside a line: {rest[:200]!r}")


def _event(kind: Kind[T], line: bytes) -> Event[T] | Bookmark:
    event = _json_object(line) or {}
    type_, body = str(event.get("type")), event.get("object")
    if not isinstance(body, dict):
        raise Malformed(f"not an event: {line[:200]!r}")
    if type_ == "ERROR":
        code = body.get("code")
        raise from_status(code if isinstance(code, int) else 500, body, is_write=False)
    meta = body.get("metadata")
    if not isinstance(meta, dict) or not str(meta.get("resourceVersion", "")).isdecimal():
        raise Malformed(f"an event without a version: {line[:200]!r}")
    if type_ == "BOOKMARK":
        return Bookmark(meta["resourceVersion"])
    if type_ not in EventType.__members__ or not meta.get("name"):
        raise Malformed(f"not an event: {line[:200]!r}")
    return Event(EventType(type_), kind.read(_typed(kind, body)), ObjectVersion.of(body))
