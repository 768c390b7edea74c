"""The typed client as an in-memory fake: one actor's view of a `MemoryCluster`, with whatever befalls its requests.

It runs on any asyncio loop, on virtual time just as well, and reads no other clock and no random numbers: all that goes wrong is
decided by a `Faults`, asked once for each request and each event. A request that its caller has given up (timeout,
cancelled, crashed) still arrives at the store when its time comes, as it does in a network.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable
from contextvars import Context
from dataclasses import dataclass
from typing import Any, Final, Protocol, TypeVar

from backstay_api.client.api import DEFAULT_INACTIVITY_S, DEFAULT_TIMEOUT_S, Api, Bookmark, Call, Entry, Event, Listing
from backstay_api.client.errors import ApiError, OutcomeUnknown, Unreachable
from backstay_api.memory.store import Admit, Change, MemoryCluster, copied, merge_patch
from backstay_api.objects.kinds import Kind, ObjectVersion, Raw, T, is_raw

__all__ = ["Admit", "Change", "Fate", "Faults", "MemoryApi", "MemoryCluster", "Request", "merge_patch"]

R = TypeVar("R")

# As a real server's watch cache does.
BOOKMARK_EVERY_S: Final = 60.0

# What is on the wire is no longer its sender's: it arrives even if the sender is frozen or dead by then.
_WIRE: Final = Context()


@dataclass(frozen=True, slots=True)
class Request:
    """One request on its way, as the network sees it."""

    actor: str
    verb: str
    """get, list, watch, create, update, patch or delete, as RBAC names them."""
    resource: str
    namespace: str
    name: str
    subresource: str = ""

    @property
    def is_write(self) -> bool:
        return self.verb not in ("get", "list", "watch")


@dataclass(frozen=True, slots=True)
class Fate:
    """What befalls one request; the default is: nothing, at once."""

    unreachable: str = ""
    """Why it is never sent; the caller learns so after `request_delay_s`."""
    request_delay_s: float = 0.0
    """How long it is under way to the store."""
    request_lost: bool = False
    """It never arrives, and nobody is told."""
    error: ApiError | None = None
    """The server's answer instead of carrying it out (429, 5xx, 409, …)."""
    as_of: int | None = None
    """A get or list is answered from the store as it was at this revision."""
    answer_delay_s: float = 0.0
    answer_lost: bool = False
    """It is carried out, and nobody is told."""
    cut_after_s: float | None = None
    """The caller sees its connection break this long after the send, if there is no answer yet."""


class Faults(Protocol):
    """Decides what goes wrong. Asked in the order in which things happen, so one seed is one run."""

    def request(self, request: Request) -> Fate:
        """What befalls this request, asked before it is sent."""
        ...

    def event(self, watch: Request, change: Change | None) -> float | None:
        """How long this event (None: a bookmark) is under way in s; infinite: the stream hangs; None: it breaks."""
        ...


class NoFaults:
    """Everything arrives, at once."""

    def request(self, request: Request) -> Fate:
        return _FINE

    def event(self, watch: Request, change: Change | None) -> float | None:
        return 0.0


_FINE: Final = Fate()


class MemoryApi(Api):
    """`client.Api` for one actor on a `MemoryCluster`."""

    def __init__(
        self,
        cluster: MemoryCluster,
        faults: Faults | None = None,
        *,
        actor: str = "",
        timeout_s: float = DEFAULT_TIMEOUT_S,
    ) -> None:
        self.cluster = cluster
        self.actor = actor
        self._faults: Faults = faults or NoFaults()
        self._timeout_s = timeout_s
        self._streams: dict[_Stream, None] = {}

    def lane(self, name: str) -> MemoryApi:
        """Nothing queues here: every lane is free."""
        return self

    async def close(self) -> None:
        self.cut_streams()

    def cut_streams(self) -> None:
        """Break every open watch of this actor, as a restart of the API server does."""
        for stream in tuple(self._streams):
            stream.cut("the connection was cut")

    def bookmark(self) -> None:
        """Send a bookmark on every open watch of this actor."""
        for stream in tuple(self._streams):
            stream.bookmark()

    async def list(
        self, kind: Kind[T], namespace: str = "", *, name: str = "", timeout_s: float | None = None
    ) -> Listing[T]:
        def act(fate: Fate) -> Listing[T]:
            as_of = self._seen(fate)
            bodies = self.cluster.bodies(kind, namespace, as_of=as_of)
            entries = tuple(
                Entry(kind.read(_own(kind, body)), ObjectVersion.of(body))
                for body in bodies
                if name in ("", body["metadata"]["name"])
            )
            return Listing(entries, str(self.cluster.revision if as_of is None else as_of))

        return await self._call(self._request("list", kind, namespace), act, timeout_s)

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
        request = self._request("watch", kind, namespace, name)
        since = int(resource_version)
        await self._call(request, lambda fate: self.cluster.changes(kind, since), timeout_s)
        stream = _Stream(self, request)
        stream.open(kind, since)
        self._streams[stream] = None
        try:
            while True:
                change = await stream.next(inactivity_s)
                if isinstance(change, Bookmark):
                    yield change
                else:
                    yield Event(change.type, kind.read(_own(kind, change.body)), ObjectVersion.of(change.body))
        finally:
            self._streams.pop(stream, None)
            stream.shut(kind)

    async def _carry_out(self, call: Call, timeout_s: float | None) -> Raw:
        body = copied(call.body)
        request = self._request(call.verb, call.kind, call.namespace, call.name, call.subresource)
        found = await self._call(request, lambda fate: self._act(call, body, self._seen(fate)), timeout_s)
        return _own(call.kind, found)

    def _act(self, call: Call, body: Any, as_of: int | None) -> Raw:
        cluster, kind, key = self.cluster, call.kind, (call.namespace, call.name)
        if call.dry_run:  # less than a real one does: it stores nothing, and judges nothing either
            return dict(body) if call.verb == "create" else cluster.get(kind, *key)
        match call.verb:
            case "get":
                return cluster.get(kind, *key, as_of=as_of)
            case "create":
                return cluster.create(kind, call.namespace, body, actor=self.actor)
            case "update":
                return cluster.replace(kind, call.namespace, body, subresource=call.subresource, actor=self.actor)
            case "patch":
                return cluster.patch(kind, key, body, subresource=call.subresource, actor=self.actor)
            case "delete":
                cluster.delete(kind, key, uid=call.uid, version=call.resource_version, actor=self.actor)
                return {}

    def _seen(self, fate: Fate) -> int | None:
        """The past that a stale read shows; what is compacted cannot be shown any more."""
        if fate.as_of is None:
            return None
        return min(max(fate.as_of, self.cluster.compacted), self.cluster.revision)

    def _request(
        self, verb: str, kind: Kind[Any], namespace: str = "", name: str = "", subresource: str = ""
    ) -> Request:
        return Request(self.actor, verb, kind.resource, namespace, name, subresource)

    async def _call(self, request: Request, act: Callable[[Fate], R], timeout_s: float | None) -> R:
        fate = self._faults.request(request)
        limit_s = self._timeout_s if timeout_s is None else timeout_s
        if fate.unreachable:
            await asyncio.sleep(min(fate.request_delay_s, limit_s))
            raise Unreachable(fate.unreachable)
        answer = _send(fate, act)
        try:
            async with asyncio.timeout(limit_s):
                return await answer
        except TimeoutError:
            raise OutcomeUnknown(f"{request.verb} of {request.resource} was not answered in {limit_s:g} s") from None


def _send(fate: Fate, act: Callable[[Fate], R]) -> asyncio.Future[R]:
    """Put one request on its way; from here on it no longer needs its caller."""
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[R] = loop.create_future()

    def tell(result: R | None, error: ApiError | None) -> None:
        if answer.done():
            return  # the caller gave up, or saw the connection break
        if error:
            answer.set_exception(error)
        else:
            answer.set_result(result)  # type: ignore[arg-type]

    def arrive() -> None:
        result: R | None = None
        error = fate.error
        if error is None:
            try:
                result = act(fate)
            except ApiError as refused:
                error = refused
        if not fate.answer_lost:
            _after(fate.answer_delay_s, lambda: tell(result, error))

    if not fate.request_lost:
        _after(fate.request_delay_s, arrive)
    if fate.cut_after_s is not None:
        _after(fate.cut_after_s, lambda: tell(None, OutcomeUnknown("the connection was cut before the answer")))
    return answer


def _after(delay_s: float, call: Callable[[], None]) -> None:
    loop = asyncio.get_running_loop()
    if delay_s > 0:
        loop.call_later(delay_s, call, context=_WIRE)
    else:
        loop.call_soon(call, context=_WIRE)


class _Stream:
    """One open watch: what was committed, waiting until it is due at this actor."""

    def __init__(self, api: MemoryApi, request: Request) -> None:
        self._api = api
        self._request = request
        self._loop = asyncio.get_running_loop()
        self._queue: deque[tuple[float, Change | Bookmark]] = deque()
        self._cut: str = ""
        self._news = asyncio.Event()
        self._bookmark_timer: asyncio.TimerHandle | None = None

    def open(self, kind: Kind[Any], since: int) -> None:
        for change in self._api.cluster.changes(kind, since):
            self.push(change)
        self._api.cluster.observe(self.push, kind)
        self._bookmark_timer = self._loop.call_later(BOOKMARK_EVERY_S, self._bookmark_again)

    def shut(self, kind: Kind[Any]) -> None:
        self._api.cluster.ignore(self.push, kind)
        if self._bookmark_timer:
            self._bookmark_timer.cancel()

    def push(self, change: Change) -> None:
        wanted_namespace, wanted_name = self._request.namespace, self._request.name
        if wanted_namespace in ("", change.key[0]) and wanted_name in ("", change.key[1]):
            self._enqueue(change, self._api._faults.event(self._request, change))

    def bookmark(self) -> None:
        self._enqueue(Bookmark(str(self._api.cluster.revision)), self._api._faults.event(self._request, None))

    def cut(self, why: str) -> None:
        self._cut = why
        self._news.set()

    async def next(self, inactivity_s: float) -> Change | Bookmark:
        """What is due next. What is queued behind something late stays behind it: a stream keeps its order."""
        dead_at_s = self._loop.time() + inactivity_s
        while not self._cut:
            now_s = self._loop.time()
            due_s = self._queue[0][0] if self._queue else dead_at_s
            if self._queue and due_s <= now_s:
                return self._queue.popleft()[1]
            if now_s >= dead_at_s:
                raise OutcomeUnknown(f"the watch of {self._request.resource} was silent for {inactivity_s:g} s")
            await self._wait_until(min(due_s, dead_at_s))
        raise OutcomeUnknown(self._cut)

    async def _wait_until(self, at_s: float) -> None:
        self._news.clear()
        timer = self._loop.call_at(at_s, self._news.set)
        try:
            await self._news.wait()
        finally:
            timer.cancel()

    def _enqueue(self, item: Change | Bookmark, delay_s: float | None) -> None:
        if delay_s is None:
            self.cut("the stream broke")
            return
        self._queue.append((self._loop.time() + delay_s, item))
        self._news.set()

    def _bookmark_again(self) -> None:
        self.bookmark()
        self._bookmark_timer = self._loop.call_later(BOOKMARK_EVERY_S, self._bookmark_again)


def _own(kind: Kind[Any], body: Raw) -> Raw:
    """Readers of raw kinds get a copy, since they may alter it; the stored body never changes."""
    return copied(body) if is_raw(kind) else body
