"""The cache above the watch, where the network is bad: never backwards, never a tight loop, never given up."""

import asyncio
import logging
import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backstay_api.client.api import Entry, Event, EventType
from backstay_api.client.errors import (
    ApiError,
    ApiTrouble,
    Forbidden,
    Gone,
    Malformed,
    NotFound,
    OutcomeUnknown,
    TooManyRequests,
)
from backstay_api.client.informer import LEASE_BACKOFF, Informer, RetryPause, news
from backstay_api.memory.server import Change, Fate, MemoryApi, MemoryCluster, Request
from backstay_api.objects.kinds import ObjectVersion, Raw
from backstay_dev.simulator.virtualtime import in_virtual_time, run
from contract.scene import WIDGETS, a_widget


def entry(uid: str, version: int) -> Entry[str]:
    return Entry(f"{uid}{version}", ObjectVersion("ns", "a", uid, str(version)))


def event(type_: EventType, uid: str, version: int) -> Event[str]:
    return Event(type_, f"{uid}{version}", ObjectVersion("ns", "a", uid, str(version)))


ADDED, MODIFIED, DELETED = EventType.ADDED, EventType.MODIFIED, EventType.DELETED


@pytest.mark.parametrize(
    ("known", "event_of", "told"),
    [
        pytest.param(None, (ADDED, "x", 5), [(ADDED, "x5")], id="new"),
        pytest.param(None, (MODIFIED, "x", 5), [(ADDED, "x5")], id="changed, and we never knew it"),
        pytest.param(None, (DELETED, "x", 5), [], id="deleted, and we never knew it"),
        pytest.param(("x", 4), (MODIFIED, "x", 5), [(MODIFIED, "x5")], id="newer"),
        pytest.param(("x", 4), (ADDED, "x", 5), [(MODIFIED, "x5")], id="said to be new, but known"),
        pytest.param(("x", 5), (MODIFIED, "x", 5), [], id="the same again"),
        pytest.param(("x", 6), (MODIFIED, "x", 5), [], id="older"),
        pytest.param(("x", 4), (DELETED, "x", 5), [(DELETED, "x5")], id="deleted"),
        pytest.param(("x", 6), (DELETED, "x", 5), [], id="deleted before what we know"),
        pytest.param(("x", 4), (ADDED, "y", 5), [(DELETED, "x4"), (ADDED, "y5")], id="another of the same name"),
        pytest.param(("y", 6), (DELETED, "x", 5), [], id="deletion of an earlier one of the same name"),
        pytest.param(("x", 4), (DELETED, "y", 6), [(DELETED, "x4")], id="deletion of a later one of the same name"),
    ],
)
def test_news(
    known: tuple[str, int] | None, event_of: tuple[EventType, str, int], told: list[tuple[EventType, str]]
) -> None:
    events = news(entry(*known) if known else None, event(*event_of))
    assert [(event.type, event.object) for event in events] == told


@given(failures=st.integers(1, 10**6), seed=st.integers(), first_s=st.floats(0.01, 1), factor=st.floats(1, 100))
def test_a_wait_is_between_nothing_and_the_bound(failures: int, seed: int, first_s: float, factor: float) -> None:
    backoff = RetryPause(first_s, first_s * factor)
    wait_s = backoff.wait_s(failures, random.Random(seed))
    assert 0 <= wait_s <= min(backoff.last_s, first_s * 2 ** min(failures, 40))


class Network:
    """Lists and watches befall what `fate` says; events take `event_s`."""

    def __init__(self) -> None:
        self.fate = Fate()
        self.event_s: float | None = 0.0
        self.requests: list[tuple[float, str]] = []

    def request(self, request: Request) -> Fate:
        self.requests.append((asyncio.get_running_loop().time(), request.verb))
        return self.fate

    def event(self, watch: Request, change: Change | None) -> float | None:
        return self.event_s


class Stage:
    """An informer behind a bad network, an actor beside the store."""

    def __init__(self, *, backoff: RetryPause = LEASE_BACKOFF) -> None:
        self.network = Network()
        self.cluster = MemoryCluster()
        self.near = MemoryApi(self.cluster)
        self.far = MemoryApi(self.cluster, self.network)
        self.informer: Informer[Raw] = Informer(self.far, WIDGETS, rng=random.Random(3), backoff=backoff)
        self.told: list[tuple[str, str]] = []
        self.task = asyncio.create_task(self.informer.run(self._note))

    def _note(self, event: Event[Raw]) -> None:
        self.told.append((event.type.value, event.meta.name))

    @property
    def seen_ago_s(self) -> float:
        assert self.informer.last_seen_at_s is not None
        return asyncio.get_running_loop().time() - self.informer.last_seen_at_s


@in_virtual_time
async def test_a_stale_list_never_brings_the_deleted_back_nor_takes_the_new_away() -> None:
    stage = Stage()
    await stage.near.create(WIDGETS, a_widget("old"), "play")
    past = stage.cluster.revision
    await stage.near.delete(WIDGETS, "old", "play")
    await stage.near.create(WIDGETS, a_widget("new"), "play")
    await asyncio.sleep(1)
    stage.told.clear()
    stage.network.fate = Fate(as_of=past)
    stage.informer._version = None  # as after a 410
    stage.far.cut_streams()
    await asyncio.sleep(30)
    assert stage.told == [] and "seen already" in stage.informer.trouble
    stage.network.fate = Fate()
    await stage.near.delete(WIDGETS, "new", "play")
    await asyncio.sleep(5)
    assert stage.told == [("DELETED", "new")] and stage.informer.trouble == ""


@in_virtual_time
async def test_what_no_event_has_told_of_is_found_by_asking_and_told_once() -> None:
    stage = Stage()
    for name in ("a", "b"):
        await stage.near.create(WIDGETS, a_widget(name), "play")
    await asyncio.sleep(1)
    stage.told.clear()
    assert await stage.informer.missed() == []
    stage.network.event_s = 5.0
    await stage.near.patch(WIDGETS, "a", {"spec": {"size": 7}}, "play")
    await stage.near.create(WIDGETS, a_widget("c"), "play")
    missed = await stage.informer.missed()
    assert [meta.name for meta in missed] == ["a", "c"]
    for meta in missed:
        await stage.informer.catch_up(meta)
    assert stage.told == [("MODIFIED", "a"), ("ADDED", "c")] and await stage.informer.missed() == []
    assert stage.informer.entries["play", "a"].object["spec"]["size"] == 7
    await asyncio.sleep(10)
    assert len(stage.told) == 2, "the events that come later tell nothing new"


@in_virtual_time
async def test_an_answer_from_the_past_says_nothing_of_what_was_missed() -> None:
    stage = Stage()
    await stage.near.create(WIDGETS, a_widget("a"), "play")
    past = stage.cluster.revision
    await stage.near.create(WIDGETS, a_widget("b"), "play")
    await asyncio.sleep(1)
    stage.network.fate = Fate(as_of=past)
    with pytest.raises(ApiTrouble, match="seen already"):
        await stage.informer.missed()


@in_virtual_time
async def test_what_is_deleted_while_it_is_read_does_not_come_back() -> None:
    stage = Stage()
    await stage.near.create(WIDGETS, a_widget("a"), "play")
    await asyncio.sleep(1)
    stage.network.event_s = 1.0
    await stage.near.patch(WIDGETS, "a", {"spec": {"size": 7}}, "play")
    [missed] = await stage.informer.missed()
    stage.network.fate = Fate(answer_delay_s=3.0)
    reading = asyncio.create_task(stage.informer.catch_up(missed))
    await asyncio.sleep(0.5)
    await stage.near.delete(WIDGETS, "a", "play")
    await reading
    assert dict(stage.informer.entries) == {} and stage.told[-1] == ("DELETED", "a")
    stage.network.fate = Fate()
    await stage.informer.catch_up(missed)
    assert dict(stage.informer.entries) == {}, "it is not there any more"


@in_virtual_time
async def test_an_outage_of_an_hour_is_outlived_and_what_happened_in_it_is_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    stage = Stage(backoff=RetryPause(0.5, 10))
    for name in ("a", "b"):
        await stage.near.create(WIDGETS, a_widget(name), "play")
    await asyncio.sleep(1)
    stage.network.fate = Fate(unreachable="the API server is away")
    stage.far.cut_streams()
    await stage.near.delete(WIDGETS, "a", "play")
    await asyncio.sleep(3600)
    tries = [at_s for at_s, _ in stage.network.requests]
    assert 3600 / 10 <= len(tries) <= 3600 / 3, "about every five seconds, on the average"
    warnings = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert len(warnings) <= 2, "an outage is told when it begins, not at each try"
    assert stage.seen_ago_s >= 3600 and "away" in stage.informer.trouble
    stage.network.fate = Fate()
    stage.cluster.compact()
    await asyncio.sleep(11)
    assert stage.told == [("ADDED", "a"), ("ADDED", "b"), ("DELETED", "a")]
    assert stage.informer.trouble == "" and stage.seen_ago_s <= 11


@in_virtual_time
async def test_a_stream_that_hangs_is_replaced() -> None:
    stage = Stage()
    await asyncio.sleep(1)
    stage.network.event_s = math.inf
    await stage.near.create(WIDGETS, a_widget("a"), "play")
    await asyncio.sleep(60)
    assert stage.told == []
    stage.network.event_s = 0.0
    await asyncio.sleep(6)
    assert stage.told == [("ADDED", "a")]


@in_virtual_time
async def test_a_quiet_stream_is_known_to_work_by_its_bookmarks() -> None:
    stage = Stage()
    await asyncio.sleep(1000)
    assert [verb for _, verb in stage.network.requests] == ["list", "watch"]
    assert stage.seen_ago_s <= 60


@pytest.mark.parametrize(
    ("error", "next_verb"),
    [
        (Gone("compacted"), "list"),
        (Malformed("half"), "list"),
        (OutcomeUnknown("cut"), "watch"),
        (Forbidden(""), "watch"),
    ],
    ids=lambda value: getattr(value, "reason", value),
)
def test_only_where_the_stream_cannot_be_resumed_all_is_listed_again(error: ApiError, next_verb: str) -> None:
    async def story() -> None:
        stage = Stage()
        await asyncio.sleep(1)
        stage.network.fate = Fate(error=error)
        stage.far.cut_streams()
        await asyncio.sleep(0.06)  # the first wait is at most 0.05 s, the second one at most 0.1 s
        stage.network.fate = Fate()
        stage.network.requests.clear()
        await asyncio.sleep(1)
        assert stage.network.requests[0][1] == next_verb

    run(story(), limit_s=1000)


@in_virtual_time
async def test_after_a_long_outage_and_a_good_stream_the_first_wait_is_short_again() -> None:
    stage = Stage(backoff=RetryPause(0.01, 100))
    await asyncio.sleep(1)
    stage.network.fate = Fate(unreachable="away")
    stage.far.cut_streams()
    await asyncio.sleep(1000)
    stage.network.fate = Fate()
    await asyncio.sleep(300)
    stage.network.requests.clear()
    stage.far.cut_streams()
    await asyncio.sleep(0.011)
    assert [verb for _, verb in stage.network.requests] == ["watch"]


@pytest.mark.parametrize(
    "error", [Gone("compacted"), Forbidden("no"), TooManyRequests("patience", retry_after_s=2)], ids=lambda e: e.reason
)
def test_no_answer_makes_a_tight_loop(error: ApiError) -> None:
    async def story() -> None:
        stage = Stage()
        await asyncio.sleep(1)
        stage.network.fate = Fate(error=error)
        stage.far.cut_streams()
        stage.network.requests.clear()
        await asyncio.sleep(60)
        assert 60 / 3 <= len(stage.network.requests) <= 60 * 4
        if isinstance(error, TooManyRequests):
            assert len(stage.network.requests) <= 30

    run(story(), limit_s=1000)


@in_virtual_time
async def test_of_a_kind_that_the_server_does_not_know_there_is_nothing_where_that_may_be() -> None:
    stage = Stage()
    await stage.near.create(WIDGETS, a_widget("old"), "play")
    await asyncio.sleep(1)
    stage.informer._version = None  # as after a 410
    stage.network.fate = Fate(error=NotFound("the server could not find the requested resource"))
    stage.far.cut_streams()
    await asyncio.sleep(60)
    assert [*stage.informer.entries] == [("play", "old")], "another kind is waited for"
    stage.informer.may_be_absent = True
    await asyncio.sleep(60)
    assert not stage.informer.entries and stage.told[-1] == ("DELETED", "old") and stage.informer.synced.is_set()
    stage.network.fate = Fate()
    await stage.near.create(WIDGETS, a_widget("new"), "play")
    await asyncio.sleep(60)
    assert ("play", "new") in stage.informer.entries


@in_virtual_time
async def test_two_runs_of_one_seed_are_one_run() -> None:
    async def one_run() -> list[tuple[float, str]]:
        stage = Stage()
        began_s = asyncio.get_running_loop().time()
        stage.network.fate = Fate(unreachable="away")
        await asyncio.sleep(100)
        stage.task.cancel()
        return [(round(at_s - began_s, 6), verb) for at_s, verb in stage.network.requests]

    first = await one_run()
    assert len(first) > 50 and first == await one_run()
