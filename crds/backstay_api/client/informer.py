"""A cache of one kind that stays true: list, watch, resume, list again and tell what vanished meanwhile.

Needed because a watch alone forgets: whatever is deleted while the stream is down never gets its DELETED event. After
a new list this compares with what it had and says so itself. It never gives up, never goes back to an older version,
and shows when the server last told it anything, so that silence of a host can be told from trouble of our own.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Generic

from backstay_api.client.api import (
    DEFAULT_INACTIVITY_S,
    DEFAULT_TIMEOUT_S,
    Api,
    Bookmark,
    Entry,
    Event,
    EventType,
    Listing,
)
from backstay_api.client.errors import ApiError, ApiTrouble, Gone, Malformed, NotFound
from backstay_api.objects.kinds import Key, Kind, ObjectVersion, T, versions_of

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RetryPause:
    """Full jitter without an end: uniform from nothing to a bound that doubles from `first_s` to `last_s`."""

    first_s: float = 0.5
    last_s: float = 10.0

    def wait_s(self, failures: int, rng: random.Random) -> float:
        """How long to wait after so many failures in a row (from 1)."""
        # 2**30 is beyond any last_s: a huge power would overflow after hours of failing.
        bound_s = min(self.last_s, self.first_s * 2.0 ** min(failures - 1, 30))
        return rng.uniform(0.0, bound_s)


DEFAULT_BACKOFF: Final = RetryPause()

# An operator loses a host's heartbeat for as long as this watch is down.
LEASE_BACKOFF: Final = RetryPause(0.05, 1.0)


class Informer(Generic[T]):
    """List and watch of one kind (all namespaces, one, or one object by name), kept up for ever.

    `entries` is the cache; `synced` is set after the first list; `last_seen_at_s` is the loop's time of the last event,
    bookmark or list (None before); `trouble` says why nothing is watched now, and is empty while it is.
    """

    def __init__(
        self,
        api: Api,
        kind: Kind[T],
        *,
        rng: random.Random,
        namespace: str = "",
        name: str = "",
        backoff: RetryPause = DEFAULT_BACKOFF,
        inactivity_s: float = DEFAULT_INACTIVITY_S,
        timeout_s: float = DEFAULT_TIMEOUT_S,
    ) -> None:
        self._api = api
        self.kind = kind
        self._rng = rng
        self._namespace, self._name = namespace, name
        self._backoff = backoff
        self._inactivity_s, self._timeout_s = inactivity_s, timeout_s
        self._cache: dict[Key, Entry[T]] = {}
        self._version: int | None = None
        """Up to where the stream has told; None: list first."""
        self._newest = 0
        self._failures = 0
        self.synced = asyncio.Event()
        self.last_seen_at_s: float | None = None
        self.trouble = "not listed yet"
        self.may_be_absent = False
        """Of a kind that the server does not know (yet) there is nothing; else it is waited for."""
        self._on_event: Callable[[Event[T]], None] = _nobody
        self._told: type[ApiError] | None = None
        """The kind of trouble that stands and was told."""

    @property
    def entries(self) -> Mapping[Key, Entry[T]]:
        return MappingProxyType(self._cache)

    async def run(self, on_event: Callable[[Event[T]], None]) -> None:
        """Keep the cache, tell each change once and in order; runs until cancelled.

        `on_event` is called after the cache has changed. It must not raise: a handler that does ends this task.
        """
        self._on_event = on_event
        while True:
            error = await self._round()
            # A server that ends a stream does no wrong; the short wait is for the one that does so all the time.
            wait_s = self._wait_s(error)
            if error:
                # Trouble of one kind is told once, when it begins; every further attempt only to who asks for it.
                log.log(
                    logging.DEBUG if type(error) is self._told else logging.WARNING,
                    "watch interrupted",
                    extra={"kind": self.kind.resource, "why": str(error), "next_try_in_s": round(wait_s, 3)},
                )
                self.trouble, self._told = str(error), type(error)
            await asyncio.sleep(wait_s)

    async def missed(self) -> list[ObjectVersion]:
        """What the server holds now in a version that the stream has not told of yet: a list, but of versions alone.

        Raises `ApiError`, and `ApiTrouble` for an answer that is older than what was seen.
        """
        versions, newest = versions_of(self.kind), self._newest
        listing = await self._api.list(versions, self._namespace, name=self._name, timeout_s=self._timeout_s)
        self._not_older(int(listing.resource_version), newest)
        known = ((entry.meta, self._cache.get(entry.meta.key)) for entry in listing.entries)
        return [meta for meta, entry in known if entry is None or entry.meta.version < meta.version]

    async def catch_up(self, meta: ObjectVersion) -> None:
        """Read one object that was missed, and tell of it as its event would: that event then tells nothing new.

        By a list of one name: who may watch may list, and need not be allowed to get.
        """
        listing = await self._api.list(self.kind, meta.namespace, name=meta.name, timeout_s=self._timeout_s)
        for entry in listing.entries:
            known = self._cache.get(meta.key)
            if known is None and entry.meta.version <= (self._version or 0):
                return  # the stream has told of its deletion meanwhile
            self._newest = max(self._newest, entry.meta.version)
            for event in news(known, Event(EventType.MODIFIED, entry.object, entry.meta)):
                self._tell(event)

    async def _round(self) -> ApiError | None:
        """List if needed, then follow one stream to its end; what ended it, if that was a failure."""
        try:
            if self._version is None:
                await self._relist()
            await self._follow()
        except (Gone, Malformed) as error:
            self._version = None
            return error
        except ApiError as error:
            return error
        return None

    async def _relist(self) -> None:
        try:
            listing = await self._api.list(self.kind, self._namespace, name=self._name, timeout_s=self._timeout_s)
        except NotFound:
            if self.may_be_absent:
                for event in differences(self._cache, Listing((), "0")):
                    self._tell(event)
                self.synced.set()
            raise
        version = int(listing.resource_version)
        # Believing it would bring deleted objects back and take new ones away. After a restore of etcd from a
        # backup this never ends: then the process must be restarted, which its liveness endpoint sees to.
        self._not_older(version, self._newest)
        self._advance(version)
        for event in differences(self._cache, listing):
            self._tell(event)
        self.synced.set()

    @staticmethod
    def _not_older(version: int, newest: int) -> None:
        if version < newest:
            raise ApiTrouble(f"the list is of version {version}, but {newest} has been seen already")

    async def _follow(self) -> None:
        stream = self._api.watch(
            self.kind,
            self._namespace,
            resource_version=str(self._version),
            name=self._name,
            inactivity_s=self._inactivity_s,
            timeout_s=self._timeout_s,
        )
        async with aclosing(stream):
            async for item in stream:
                self._failures = 0
                if isinstance(item, Bookmark):
                    self._advance(int(item.resource_version))
                    continue
                self._advance(item.meta.version)
                for event in news(self._cache.get(item.meta.key), item):
                    self._tell(event)

    def _advance(self, version: int) -> None:
        self._version = max(version, self._version or 0)
        self._newest = max(self._newest, self._version)
        self.last_seen_at_s = asyncio.get_running_loop().time()
        self.trouble, self._told = "", None

    def _tell(self, event: Event[T]) -> None:
        if event.type is EventType.DELETED:
            del self._cache[event.meta.key]
        else:
            self._cache[event.meta.key] = Entry(event.object, event.meta)
        self._on_event(event)

    def _wait_s(self, error: ApiError | None) -> float:
        self._failures += 1
        asked_s = error.retry_after_s if isinstance(error, ApiTrouble) else None
        return (asked_s or 0.0) + self._backoff.wait_s(self._failures, self._rng)


def _nobody(event: Event[T]) -> None:
    """Before it runs nobody is told."""


def differences(cache: Mapping[Key, Entry[T]], listing: Listing[T]) -> list[Event[T]]:
    """What must have happened between the cache and a newer list: deletions first, then the rest as listed."""
    listed = listing.by_key
    events = [_deleted(entry) for key, entry in cache.items() if key not in listed]
    for key, entry in listed.items():
        events += news(cache.get(key), Event(EventType.ADDED, entry.object, entry.meta))
    return events


def news(known: Entry[T] | None, event: Event[T]) -> list[Event[T]]:
    """What an event says beyond what is known: nothing if it is not newer; two things if the object was replaced."""
    if known is None:
        return [] if event.type is EventType.DELETED else [_as(EventType.ADDED, event)]
    if event.meta.version <= known.meta.version:
        return []
    if event.meta.uid != known.meta.uid:
        return [_deleted(known), *news(None, event)]
    return [event if event.type is EventType.DELETED else _as(EventType.MODIFIED, event)]


def _as(type_: EventType, event: Event[T]) -> Event[T]:
    return event if event.type is type_ else Event(type_, event.object, event.meta)


def _deleted(entry: Entry[T]) -> Event[T]:
    """A deletion that nobody told us of: with the last state we knew, whose version is older than the deletion's."""
    return Event(EventType.DELETED, entry.object, entry.meta)
