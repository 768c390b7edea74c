"""The client everything of ours speaks to the API server with: the calls, and what each promises.

Two implementations: `http.HttpApi` for a real server, `memory.MemoryApi` for the simulator and tests. One contract
suite (`tests/contract/`) holds for both. Every safety step of Backstay is one of these writes, so the promises are:

* Nothing is retried inside. A request is written once, after the call began, to a connection that is fresh or known
  to be idle. (A read may be repeated on a fresh connection where nothing of an answer had come; a request that
  was answered 401 is repeated once with the credentials read again: it was not carried out.)
* So a deadline that counts from the send may count from the loop time read just before the call: that is earlier.
* A write ends as: done; refused (`Conflict`, `Invalid`, …); certainly not sent (`Unreachable`); or `OutcomeUnknown`,
  and then it may even be carried out later. There is no fifth way.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, Generic, Protocol

from backstay_api.client.errors import Invalid
from backstay_api.objects.kinds import Key, Kind, Meta, T

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
    meta: Meta


@dataclass(frozen=True, slots=True)
class Bookmark:
    """No change: the stream is alive and has told everything up to this version."""

    resource_version: str


@dataclass(frozen=True, slots=True)
class Entry(Generic[T]):
    """An object with the metadata that a cache needs."""

    object: T
    meta: Meta


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


class Api(Protocol):
    """One actor's view of the API server. `timeout_s` bounds the whole call; None means the client's own default."""

    async def get(self, kind: Kind[T], name: str, namespace: str = "", *, timeout_s: float | None = None) -> T: ...

    async def list(
        self, kind: Kind[T], namespace: str = "", *, name: str = "", timeout_s: float | None = None
    ) -> Listing[T]:
        """All objects (or those of one name) as they are now, fetched in chunks."""
        ...

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
        ...

    async def create(self, kind: Kind[T], obj: T, namespace: str = "", *, timeout_s: float | None = None) -> T: ...

    async def replace(self, kind: Kind[T], obj: T, *, subresource: str = "", timeout_s: float | None = None) -> T:
        """Compare-and-swap: `metadata.resourceVersion` inside `obj` must be there and be the present one."""
        ...

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
        ...

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
        ...

    def lane(self, name: str) -> Api:
        """The same API over connections of its own: a stuck status write must never delay a lease."""
        ...

    async def close(self) -> None:
        """Close every connection, of every lane."""
        ...


def replaced_meta(body: Mapping[str, Any]) -> Meta:
    """The metadata of an object that is about to replace another; `Invalid` if it does not say which version."""
    meta = Meta.of(body)
    if not meta.resource_version:
        raise Invalid("a replace needs metadata.resourceVersion: it is a compare-and-swap")
    return meta


def refuse_version_of_new(body: Mapping[str, Any]) -> None:
    """An object to be created has no version yet. (The server says so too, but with a 500.)"""
    if (body.get("metadata") or {}).get("resourceVersion"):
        raise Invalid("metadata.resourceVersion: must not be set on an object to be created")
