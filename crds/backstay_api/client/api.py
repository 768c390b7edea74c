"""The client everything of ours speaks to the API server with: the calls, and what each promises.

Two implementations: `http.HttpApi` for a real server, `memory.MemoryApi` for the simulator and tests; each says how a `Call` is
carried out. One contract suite (`tests/contract/`) holds for both. Every safety step of Backstay is one of these writes, so the promises are:

* Nothing is retried inside. A request is written once, after the call began, to a connection that is fresh or known
  to be idle. (A read may be repeated on a fresh connection where nothing of an answer had come; a request that
  was answered 401 is repeated once with the credentials read again: it was not carried out.)
* So a deadline that counts from the send may count from the loop time read just before the call: that is earlier.
* A write ends as: done; refused (`Conflict`, `Invalid`, …); certainly not sent (`Unreachable`); or `OutcomeUnknown`,
  and then it may even be carried out later. There is no fifth way.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, Generic, Literal

from backstay_api.client.errors import Invalid
from backstay_api.objects.kinds import Key, Kind, ObjectVersion, Raw, T

DEFAULT_TIMEOUT_S: Final = 10.0

# Servers send bookmarks about once a minute; a stream that was silent for longer is taken for dead.
DEFAULT_INACTIVITY_S: Final = 65.0


class EventType(StrEnum):
    ADDED = "ADDED"
    MODIFIED = "MODIFIED"
    DELETED = "DELETED"


@dataclass(frozen=True, slots=True)
class Event(Generic[T]):
    """One change of one object. DELETED carries the last state; its version is that of the deletion."""

    type: EventType
    object: T
    meta: ObjectVersion


@dataclass(frozen=True, slots=True)
class Bookmark:
    """No change: the stream is alive and has told everything up to this version."""

    resource_version: str


@dataclass(frozen=True, slots=True)
class Entry(Generic[T]):
    """An object with the metadata that a cache needs."""

    object: T
    meta: ObjectVersion


@dataclass(frozen=True, slots=True)
class Listing(Generic[T]):
    """All objects of a kind as they were at one version."""

    entries: tuple[Entry[T], ...]
    resource_version: str

    @property
    def items(self) -> tuple[T, ...]:
        return tuple(entry.object for entry in self.entries)

    @property
    def by_key(self) -> dict[Key, Entry[T]]:
        return {entry.meta.key: entry for entry in self.entries}


@dataclass(frozen=True, slots=True)
class Call:
    """One request about one object, as RBAC names what it does."""

    verb: Literal["get", "create", "update", "patch", "delete"]
    kind: Kind[Any]
    namespace: str
    name: str
    subresource: str = ""
    body: Mapping[str, Any] | None = None
    uid: str | None = None
    resource_version: str | None = None
    dry_run: bool = False
    """The server judges it, and stores nothing."""


class Api(ABC):
    """One actor's view of the API server. `timeout_s` bounds the whole call; None means the client's own default."""

    async def get(self, kind: Kind[T], name: str, namespace: str = "", *, timeout_s: float | None = None) -> T:
        return kind.read(await self._carry_out(Call("get", kind, namespace, name), timeout_s))

    @abstractmethod
    async def list(
        self, kind: Kind[T], namespace: str = "", *, name: str = "", timeout_s: float | None = None
    ) -> Listing[T]:
        """All objects (or those of one name) as they are now, fetched in chunks."""

    @abstractmethod
    def watch(
        self,
        kind: Kind[T],
        namespace: str = "",
        *,
        resource_version: str,
        name: str = "",
        inactivity_s: float = DEFAULT_INACTIVITY_S,
        timeout_s: float | None = None,
    ) -> AsyncGenerator[Event[T] | Bookmark, None]:
        """One stream of what changed after `resource_version`; it ends when the server ends it.

        Raises `Gone` for a compacted version, `Malformed` for a line that is no event, `OutcomeUnknown` for a stream
        that was cut or was silent for `inactivity_s`. `timeout_s` bounds only the opening. Use it under
        `contextlib.aclosing`, or better: use `informer.Informer`.
        """

    async def create(self, kind: Kind[T], obj: T, namespace: str = "", *, timeout_s: float | None = None) -> T:
        body = kind.to_wire(obj)
        meta = body.get("metadata") or {}
        if meta.get("resourceVersion"):  # the server says so too, but with a 500
            raise Invalid("metadata.resourceVersion: must not be set on an object to be created")
        call = Call("create", kind, namespace or meta.get("namespace", ""), meta.get("name", ""), body=body)
        return kind.read(await self._carry_out(call, timeout_s))

    async def replace(self, kind: Kind[T], obj: T, *, subresource: str = "", timeout_s: float | None = None) -> T:
        """Compare-and-swap: `metadata.resourceVersion` inside `obj` must be there and be the present one."""
        body = kind.to_wire(obj)
        meta = ObjectVersion.of(body)
        if not meta.resource_version:
            raise Invalid("a replace needs metadata.resourceVersion: it is a compare-and-swap")
        call = Call("update", kind, meta.namespace, meta.name, subresource, body)
        return kind.read(await self._carry_out(call, timeout_s))

    async def patch(
        self,
        kind: Kind[T],
        name: str,
        body: Mapping[str, Any],
        namespace: str = "",
        *,
        subresource: str = "",
        timeout_s: float | None = None,
    ) -> T:
        """A JSON merge patch (null deletes). With `metadata.resourceVersion` inside it is a compare-and-swap too."""
        call = Call("patch", kind, namespace, name, subresource, body)
        return kind.read(await self._carry_out(call, timeout_s))

    async def delete(
        self,
        kind: Kind[T],
        name: str,
        namespace: str = "",
        *,
        uid: str | None = None,
        resource_version: str | None = None,
        timeout_s: float | None = None,
    ) -> None:
        """Delete, or begin to where there are finalizers. A precondition that does not hold is a `Conflict`."""
        call = Call("delete", kind, namespace, name, uid=uid, resource_version=resource_version)
        await self._carry_out(call, timeout_s)

    @abstractmethod
    def lane(self, name: str) -> Api:
        """The same API over connections of its own: a stuck status write must never delay a lease."""

    @abstractmethod
    async def close(self) -> None:
        """Close every connection, of every lane."""

    async def carry_out(self, call: Call, timeout_s: float | None) -> Raw:
        """One request as it is, for who stands between a caller and this API."""
        return await self._carry_out(call, timeout_s)

    @abstractmethod
    async def _carry_out(self, call: Call, timeout_s: float | None) -> Raw:
        """The object as it was read or is now, which the caller may alter."""
