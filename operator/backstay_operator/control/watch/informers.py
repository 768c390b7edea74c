"""Watching through our own client: every kind by an informer, and a whole list now and then that repairs what was lost.

The Leases are always watched so: they are the hot path. The other kinds are watched so until kopf is up (importing it takes
longer than a first plan), whenever kopf is down, and always in the simulator and in tests: same cache, same calls.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Iterable
from typing import Any, Final

from backstay_api.client.api import Api, Event, EventType
from backstay_api.client.errors import ApiError, ApiTrouble
from backstay_api.client.informer import LEASE_BACKOFF, Informer, RetryPause
from backstay_api.objects.kinds import Kind, unread
from backstay_api.objects.object_kinds import ALL_KINDS, HOST_LEASES, SERVICE_CLASSES
from backstay_api.process.waiting import clock_s, within
from backstay_operator.control.watch.cache import Cache

log = logging.getLogger(__name__)

RESYNC_S: Final = (30.0, 60.0)
"""Between these two, at random, so that replicas and kinds do not all list at once."""

_BACKOFF: Final = RetryPause(0.1, 1.0)
_LIST_TIMEOUT_S: Final = 20.0


class Informers:
    """Informers for some kinds, from `run` until it is cancelled."""

    def __init__(self, api: Api, cache: Cache, kinds: Iterable[Kind[Any]] = ALL_KINDS, *, rng: random.Random) -> None:
        self._cache = cache
        self._informers: dict[Kind[Any], Informer[Any]] = {}
        for kind in kinds:
            backoff = LEASE_BACKOFF if kind is HOST_LEASES else _BACKOFF
            self._informers[kind] = Informer(api, unread(kind), rng=rng, namespace=kind.home, backoff=backoff)
            self._informers[kind].may_be_absent = kind is SERVICE_CLASSES
        self._afresh = asyncio.Event()

    async def run(self) -> None:
        """Watch for ever."""
        while True:
            self._afresh.clear()
            async with asyncio.TaskGroup() as tasks:
                watching = [
                    tasks.create_task(work, name=f"watch {kind.plural}")
                    for kind, informer in self._informers.items()
                    for work in (self._watch(kind, informer), self._note_listed(kind, informer))
                ]
                await self._afresh.wait()
                for task in watching:
                    task.cancel()

    def recovered(self) -> None:
        """Open new streams, from where the old ones had come to."""
        self._afresh.set()

    @property
    def trouble(self) -> str:
        """Why something is not watched now; empty while all is."""
        return "; ".join(f"{kind.plural}: {each.trouble}" for kind, each in self._informers.items() if each.trouble)

    def seen_at_s(self) -> dict[str, float]:
        """By kind: when the server last told anything, on the loop's clock."""
        return {
            kind.kind: informer.last_seen_at_s
            for kind, informer in self._informers.items()
            if informer.last_seen_at_s is not None
        }

    async def _watch(self, kind: Kind[Any], informer: Informer[Any]) -> None:
        def on_event(event: Event[Any]) -> None:
            self._cache.observe(kind, event.object, deleted=event.type is EventType.DELETED)

        await informer.run(on_event)

    async def _note_listed(self, kind: Kind[Any], informer: Informer[Any]) -> None:
        await informer.synced.wait()
        self._cache.note_listed(kind)


class Resync:
    """Lists every kind now and then and holds the cache against it."""

    def __init__(self, api: Api, cache: Cache, *, rng: random.Random) -> None:
        self._api = api
        self._cache = cache
        self._rng = rng
        self._wanted = asyncio.Event()
        self.done_at_s: dict[str, float] = {}
        """By kind: when it was last held against a list."""

    def hurry(self) -> None:
        """List all kinds now: something may have been missed."""
        self._wanted.set()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await within(self._wanted, self._rng.uniform(*RESYNC_S))
            self._wanted.clear()
            for kind in ALL_KINDS:
                await self.once(kind)

    async def once(self, kind: Kind[Any]) -> bool:
        """Hold one kind against a list; False if the list could not be had."""
        try:
            listing = await self._api.list(unread(kind), kind.home, timeout_s=_LIST_TIMEOUT_S)
        except ApiError as error:
            # That the API server is away is said once, by the watch of our own path.
            level = logging.DEBUG if isinstance(error, ApiTrouble) else logging.WARNING
            log.log(level, "objects could not be listed", extra={"kind": kind.kind, "why": str(error)})
            return False
        repair = self._cache.repair(kind, listing.items, int(listing.resource_version))
        self.done_at_s[kind.kind] = clock_s()
        if repair.stale:
            log.warning("stale cache entries removed", extra={"kind": kind.kind, "entries": repair.stale})
        return True
