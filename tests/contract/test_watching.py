"""What a watch and the cache above it promise, on the fake and on a real server alike."""

import asyncio
import random
from collections.abc import AsyncGenerator
from contextlib import aclosing, asynccontextmanager
from typing import Any

import pytest

from backstay_api.client.api import DEFAULT_INACTIVITY_S, Api, Bookmark, Call, Event, Listing
from backstay_api.client.errors import ApiError, Gone, Malformed
from backstay_api.client.informer import Informer, RetryPause
from backstay_api.objects.kinds import Kind, ObjectVersion, Raw, T
from contract.scene import WIDGETS, Play, Scene

QUICK = RetryPause(0.01, 0.05)


async def first_events(scene: Scene, since: str, count: int, *, name: str = "") -> list[Event[Raw]]:
    """So many events of a watch (bookmarks do not count)."""
    events: list[Event[Raw]] = []
    async with (
        asyncio.timeout(10),
        aclosing(scene.api.watch(WIDGETS, scene.namespace, resource_version=since, name=name)) as stream,
    ):
        async for item in stream:
            if not isinstance(item, Bookmark):
                events.append(item)
            if len(events) == count:
                break
    return events


def told(events: list[Event[Raw]]) -> list[tuple[str, str, Any]]:
    return [(event.type.value, event.meta.name, event.object["spec"].get("size")) for event in events]


def test_a_watch_tells_everything_after_its_version_in_order(play: Play) -> None:
    async def story(scene: Scene) -> None:
        before = ObjectVersion.of(await scene.widget("a", size=1)).resource_version
        await scene.widget("b", size=1)
        await scene.change("a", size=2)
        await scene.remove("b")
        events = await first_events(scene, before, 3)
        assert told(events) == [("ADDED", "b", 1), ("MODIFIED", "a", 2), ("DELETED", "b", 1)]
        versions = [event.meta.version for event in events]
        assert int(before) < versions[0] < versions[1] < versions[2]

    play(story)


def test_a_watch_tells_what_happens_while_it_is_open(play: Play) -> None:
    async def story(scene: Scene) -> None:
        since = (await scene.api.list(WIDGETS, scene.namespace)).resource_version
        watching = asyncio.create_task(first_events(scene, since, 2))
        await scene.widget("a", size=1)
        await scene.change("a", size=2)
        assert told(await watching) == [("ADDED", "a", 1), ("MODIFIED", "a", 2)]

    play(story)


def test_a_watch_by_name_tells_of_nothing_else(play: Play) -> None:
    async def story(scene: Scene) -> None:
        since = ObjectVersion.of(await scene.widget("other")).resource_version
        await scene.change("other", size=2)
        await scene.widget("mine")
        await scene.remove("other")
        await scene.change("mine", size=2)
        events = await first_events(scene, since, 2, name="mine")
        assert told(events) == [("ADDED", "mine", 1), ("MODIFIED", "mine", 2)]

    play(story)


def test_removal_of_the_last_finalizer_is_told_as_the_deletion(play: Play) -> None:
    async def story(scene: Scene) -> None:
        since = ObjectVersion.of(await scene.widget("a", finalizers=["backstay.dev/hold"])).resource_version
        await scene.remove("a")
        await scene.api.patch(WIDGETS, "a", {"metadata": {"finalizers": []}}, scene.namespace)
        modified, deleted = await first_events(scene, since, 2)
        assert (modified.type, deleted.type) == ("MODIFIED", "DELETED")
        assert modified.object["metadata"]["deletionTimestamp"]

    play(story)


def test_a_watch_from_a_forgotten_version_is_gone(play: Play) -> None:
    async def story(scene: Scene) -> None:
        await scene.widget("a")
        await scene.change("a", size=2)
        scene.forget()
        with pytest.raises(Gone):
            await first_events(scene, "1", 1)

    play(story)


class Interrupted(Api):
    """A real API whose next watches fail as told: for what a healthy server does not do on demand."""

    def __init__(self, scene: Scene, *failures: ApiError) -> None:
        self._scene = scene
        self._failures = list(failures)

    async def list(
        self, kind: Kind[T], namespace: str = "", *, name: str = "", timeout_s: float | None = None
    ) -> Listing[T]:
        return await self._scene.api.list(kind, namespace, name=name, timeout_s=timeout_s)

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
        if self._failures:
            raise self._failures.pop(0)
        watched = self._scene.api.watch(
            kind,
            namespace,
            resource_version=resource_version,
            name=name,
            inactivity_s=inactivity_s,
            timeout_s=timeout_s,
        )
        async with aclosing(watched) as stream:
            async for item in stream:
                yield item

    def lane(self, name: str) -> Api:
        return self

    async def close(self) -> None:
        """The real one is the scene's."""

    async def _carry_out(self, call: Call, timeout_s: float | None) -> Raw:
        return await self._scene.api._carry_out(call, timeout_s)


class Listener:
    """An informer that runs, and what it has told."""

    def __init__(self, informer: Informer[Raw]) -> None:
        self.informer = informer
        self._told: asyncio.Queue[Event[Raw]] = asyncio.Queue()

    async def next(self, count: int = 1) -> list[tuple[str, str, Any]]:
        async with asyncio.timeout(10):
            return told([await self._told.get() for _ in range(count)])

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None, None]:
        task = asyncio.create_task(self.informer.run(self._told.put_nowait))
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait([task])


def a_listener(scene: Scene, *failures: ApiError, name: str = "") -> Listener:
    source = Interrupted(scene, *failures)
    return Listener(
        Informer(source, WIDGETS, namespace=scene.namespace, name=name, rng=random.Random(1), backoff=QUICK)
    )


def sizes(listener: Listener) -> dict[str, int]:
    return {key[1]: entry.object["spec"]["size"] for key, entry in listener.informer.entries.items()}


def test_a_cache_begins_with_the_list_and_follows(play: Play) -> None:
    async def story(scene: Scene) -> None:
        await scene.widget("a", size=1)
        await scene.widget("b", size=2)
        listener = a_listener(scene)
        async with listener.running():
            assert await listener.next(2) == [("ADDED", "a", 1), ("ADDED", "b", 2)]
            assert listener.informer.synced.is_set() and listener.informer.trouble == ""
            await scene.change("a", size=5)
            await scene.remove("b")
            assert await listener.next(2) == [("MODIFIED", "a", 5), ("DELETED", "b", 2)]
            assert sizes(listener) == {"a": 5}

    play(story)


def test_a_cache_that_was_away_resumes_where_it_was(play: Play) -> None:
    async def story(scene: Scene) -> None:
        await scene.widget("a", size=1)
        listener = a_listener(scene)
        async with listener.running():
            await listener.next()
        await scene.remove("a")
        await scene.widget("b", size=1)
        async with listener.running():
            assert await listener.next(2) == [("DELETED", "a", 1), ("ADDED", "b", 1)]

    play(story)


@pytest.mark.parametrize("failure", [Gone("compacted"), Malformed("half a line")], ids=["gone", "malformed"])
def test_a_new_list_tells_what_vanished_changed_and_came_meanwhile(play: Play, failure: ApiError) -> None:
    async def story(scene: Scene) -> None:
        for name in ("same", "changed", "vanished", "reborn"):
            await scene.widget(name, size=1)
        listener = a_listener(scene)
        async with listener.running():
            await listener.next(4)
        await scene.remove("vanished")
        await scene.remove("reborn")
        await scene.widget("reborn", size=7)
        await scene.change("changed", size=2)
        await scene.widget("new", size=1)
        listener.informer._api = Interrupted(scene, failure)
        async with listener.running():
            assert sorted(await listener.next(5)) == sorted(
                [
                    ("DELETED", "vanished", 1),
                    ("DELETED", "reborn", 1),
                    ("ADDED", "reborn", 7),
                    ("MODIFIED", "changed", 2),
                    ("ADDED", "new", 1),
                ]
            )
            assert sizes(listener) == {"same": 1, "changed": 2, "reborn": 7, "new": 1}
            await scene.change("same", size=3)
            assert await listener.next() == [("MODIFIED", "same", 3)]

    play(story)


def test_a_cache_of_one_name_holds_one_object(play: Play) -> None:
    async def story(scene: Scene) -> None:
        await scene.widget("other")
        listener = a_listener(scene, name="mine")
        async with listener.running():
            await scene.widget("mine", size=1)
            await scene.change("other", size=9)
            await scene.change("mine", size=2)
            # Whether the list or the watch saw the object first is a matter of luck on a real server.
            while sizes(listener) != {"mine": 2}:
                await listener.next()

    play(story)
