"""What lies between an actor and the in-memory store: loss, delay, staleness, and writes that nobody waits for."""

import asyncio
import math
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass, field

import pytest

from backstay_api.client.api import Bookmark, Event
from backstay_api.client.errors import Conflict, NotFound, OutcomeUnknown, TooManyRequests, Unreachable
from backstay_api.memory.server import Change, Fate, MemoryApi, MemoryCluster, Request
from backstay_api.objects.kinds import LEASES, Raw
from backstay_dev.simulator.virtualtime import in_virtual_time
from contract.scene import WIDGETS, a_widget


@dataclass
class Scripted:
    """A network that treats the next requests as told; events take as long as told."""

    fates: list[Fate] = field(default_factory=list)
    event_s: Callable[[Change | None], float | None] = lambda change: 0.0
    seen: list[Request] = field(default_factory=list)

    def request(self, request: Request) -> Fate:
        self.seen.append(request)
        return self.fates.pop(0) if self.fates else Fate()

    def event(self, watch: Request, change: Change | None) -> float | None:
        return self.event_s(change)


@dataclass
class Pair:
    """Two actors on one cluster: one behind a bad network, one beside the store."""

    network: Scripted
    far: MemoryApi
    near: MemoryApi


def a_pair(*fates: Fate) -> Pair:
    cluster, network = MemoryCluster(), Scripted(list(fates))
    return Pair(network, MemoryApi(cluster, network, actor="far"), MemoryApi(cluster, actor="near"))


async def holder(api: MemoryApi) -> str:
    return str((await api.get(LEASES, "n1", "hosts"))["spec"]["holder"])


async def a_lease(api: MemoryApi) -> Raw:
    return await api.create(LEASES, {"metadata": {"name": "n1"}, "spec": {"holder": "first"}}, "hosts")


def now_s() -> float:
    return asyncio.get_running_loop().time()


@in_virtual_time
async def test_a_request_that_is_not_sent_changes_nothing() -> None:
    pair = a_pair(Fate(unreachable="cut off"))
    lease = await a_lease(pair.near)
    with pytest.raises(Unreachable, match="cut off"):
        await pair.far.replace(LEASES, {**lease, "spec": {"holder": "far"}})
    await asyncio.sleep(3600)
    assert await holder(pair.near) == "first"
    assert pair.network.seen == [Request("far", "update", "leases.coordination.k8s.io", "hosts", "n1")]


@in_virtual_time
async def test_a_write_whose_caller_gave_up_still_arrives() -> None:
    pair = a_pair(Fate(request_delay_s=30))
    lease = await a_lease(pair.near)
    began_s = now_s()
    with pytest.raises(OutcomeUnknown):
        await pair.far.replace(LEASES, {**lease, "spec": {"holder": "far"}}, timeout_s=2)
    assert now_s() - began_s == 2
    assert await holder(pair.near) == "first"
    await asyncio.sleep(29)
    assert await holder(pair.near) == "far"


@in_virtual_time
async def test_a_write_whose_caller_died_still_arrives() -> None:
    pair = a_pair(Fate(request_delay_s=30))
    lease = await a_lease(pair.near)
    writing = asyncio.create_task(pair.far.replace(LEASES, {**lease, "spec": {"holder": "far"}}))
    await asyncio.sleep(1)
    writing.cancel()
    await asyncio.sleep(30)
    assert await holder(pair.near) == "far"


@in_virtual_time
async def test_a_late_write_from_an_old_version_loses() -> None:
    pair = a_pair(Fate(request_delay_s=30))
    lease = await a_lease(pair.near)
    late = asyncio.create_task(pair.far.replace(LEASES, {**lease, "spec": {"holder": "far"}}, timeout_s=60))
    await asyncio.sleep(1)
    await pair.near.replace(LEASES, {**lease, "spec": {"holder": "near"}})
    with pytest.raises(Conflict):
        await late
    assert await holder(pair.near) == "near"


@pytest.mark.parametrize(
    ("fate", "after_s", "carried_out"),
    [
        (Fate(answer_lost=True), 10, True),
        (Fate(request_lost=True), 10, False),
        (Fate(answer_delay_s=60), 10, True),
        (Fate(request_delay_s=1, answer_lost=True, cut_after_s=3), 3, True),
        (Fate(request_delay_s=5, cut_after_s=3), 3, True),
        (Fate(request_lost=True, cut_after_s=0.5), 0.5, False),
    ],
)
def test_an_unknown_outcome_is_unknown(fate: Fate, after_s: float, carried_out: bool) -> None:
    @in_virtual_time
    async def story() -> None:
        pair = a_pair(fate)
        lease = await a_lease(pair.near)
        began_s = now_s()
        with pytest.raises(OutcomeUnknown):
            await pair.far.replace(LEASES, {**lease, "spec": {"holder": "far"}})
        assert now_s() - began_s == after_s
        await asyncio.sleep(100)
        assert await holder(pair.near) == ("far" if carried_out else "first")

    story()


@in_virtual_time
async def test_the_server_may_answer_with_an_error_instead() -> None:
    pair = a_pair(Fate(error=TooManyRequests("patience", retry_after_s=3)))
    with pytest.raises(TooManyRequests):
        await a_lease(pair.far)
    with pytest.raises(NotFound):
        await holder(pair.near)


@in_virtual_time
async def test_a_stale_read_shows_the_past_and_a_write_from_it_loses() -> None:
    pair = a_pair()
    cluster = pair.near.cluster
    before = cluster.revision
    lease = await a_lease(pair.near)
    then = cluster.revision
    await pair.near.replace(LEASES, {**lease, "spec": {"holder": "near"}})
    pair.network.fates = [Fate(as_of=then), Fate(as_of=then), Fate(as_of=before), Fate(as_of=before)]
    assert await holder(pair.far) == "first"
    listing = await pair.far.list(LEASES)
    assert (listing.items, listing.resource_version) == ((lease,), str(then))
    with pytest.raises(NotFound):
        await holder(pair.far)
    assert (await pair.far.list(LEASES)).items == ()
    with pytest.raises(Conflict):
        await pair.far.replace(LEASES, lease)


@in_virtual_time
async def test_a_stale_read_may_bring_back_the_deleted() -> None:
    pair = a_pair()
    lease = await a_lease(pair.near)
    then = pair.near.cluster.revision
    await pair.near.delete(LEASES, "n1", "hosts")
    pair.network.fates = [Fate(as_of=then), Fate(as_of=then)]
    assert await pair.far.get(LEASES, "n1", "hosts") == lease
    assert (await pair.far.list(LEASES)).items == (lease,)


@in_virtual_time
async def test_a_stale_read_goes_back_to_the_last_compaction_at_most() -> None:
    pair = a_pair(Fate(as_of=1), Fate(as_of=1))
    lease = await a_lease(pair.near)
    pair.near.cluster.compact()
    await pair.near.replace(LEASES, {**lease, "spec": {"holder": "near"}})
    assert await holder(pair.far) == "first"
    assert (await pair.far.list(LEASES)).resource_version == str(pair.near.cluster.compacted)


async def arrivals(api: MemoryApi, count: int) -> list[tuple[float, str]]:
    """When and what a watch from the very beginning tells."""
    done: list[tuple[float, str]] = []
    began_s = now_s()
    async with aclosing(api.watch(WIDGETS, resource_version="1")) as stream:
        async for item in stream:
            what = "bookmark" if isinstance(item, Bookmark) else item.meta.name
            done.append((round(now_s() - began_s, 6), what))
            if len(done) == count:
                break
    return done


@in_virtual_time
async def test_events_are_delayed_each_by_itself_and_keep_their_order() -> None:
    pair = a_pair()
    delays = {"a": 5.0, "b": 1.0, "c": 10.0}
    pair.network.event_s = lambda change: delays[change.key[1]] if change else 0.0
    watching = asyncio.create_task(arrivals(pair.far, 3))
    await asyncio.sleep(1)
    for name in "abc":
        await pair.near.create(WIDGETS, a_widget(name), "play")
    assert await watching == [(6.0, "a"), (6.0, "b"), (11.0, "c")]


@in_virtual_time
async def test_a_quiet_watch_gets_bookmarks() -> None:
    pair = a_pair()
    assert await arrivals(pair.far, 2) == [(60.0, "bookmark"), (120.0, "bookmark")]


@in_virtual_time
async def test_bookmarks_come_on_demand() -> None:
    pair = a_pair()
    watching = asyncio.create_task(arrivals(pair.far, 1))
    await asyncio.sleep(2)
    pair.far.bookmark()
    assert await watching == [(2.0, "bookmark")]


def delayed_by(delay_s: float | None) -> Callable[[object], float | None]:
    return lambda change: delay_s


@in_virtual_time
async def test_a_watch_that_hangs_is_given_up_and_one_that_breaks_ends_at_once() -> None:
    pair = a_pair()
    for delay_s, after_s in ((math.inf, 65.0), (None, 0.0)):
        pair.network.event_s = delayed_by(delay_s)
        watching = asyncio.create_task(arrivals(pair.far, 99))
        await asyncio.sleep(1)
        began_s = now_s() - 1
        await pair.near.create(WIDGETS, a_widget(f"w{after_s}"), "play")
        with pytest.raises(OutcomeUnknown):
            await watching
        assert now_s() - began_s == pytest.approx(after_s, abs=1)


@in_virtual_time
async def test_every_open_watch_of_an_actor_can_be_cut() -> None:
    pair = a_pair()
    cut, spared = (asyncio.create_task(arrivals(api, 1)) for api in (pair.far, pair.near))
    await asyncio.sleep(1)
    pair.far.cut_streams()
    with pytest.raises(OutcomeUnknown):
        await cut
    await pair.near.create(WIDGETS, a_widget("a"), "play")
    assert await spared == [(1.0, "a")]


@in_virtual_time
async def test_observers_see_each_change_with_its_actor_and_what_was_before() -> None:
    pair = a_pair()
    changes: list[Change] = []
    pair.near.cluster.observe(changes.append)
    lease = await a_lease(pair.far)
    await pair.near.replace(LEASES, {**lease, "spec": {"holder": "near"}})
    await pair.far.delete(LEASES, "n1", "hosts")
    told = [(change.actor, change.type.value, (change.before or {}).get("spec")) for change in changes]
    assert told == [
        ("far", "ADDED", None),
        ("near", "MODIFIED", {"holder": "first"}),
        ("far", "DELETED", {"holder": "near"}),
    ]
    assert [change.revision for change in changes] == [2, 3, 4]


@in_virtual_time
async def test_a_slow_watcher_is_not_hurt_by_compaction_and_a_new_one_is_refused() -> None:
    pair = a_pair()
    pair.network.event_s = lambda change: 10.0
    watching = asyncio.create_task(arrivals(pair.far, 1))
    await asyncio.sleep(1)
    await pair.near.create(WIDGETS, a_widget("a"), "play")
    pair.near.cluster.compact()
    assert await watching == [(11.0, "a")]


def test_what_is_no_json_is_refused_where_it_is_written() -> None:
    @in_virtual_time
    async def story() -> None:
        with pytest.raises(TypeError, match="JSON"):
            await a_pair().near.create(WIDGETS, {"metadata": {"name": "a"}, "spec": {1, 2}}, "play")

    story()


def test_events_share_nothing_alterable() -> None:
    @in_virtual_time
    async def story() -> None:
        pair = a_pair()
        await pair.near.create(WIDGETS, a_widget("a"), "play")
        async with aclosing(pair.near.watch(WIDGETS, resource_version="1")) as stream:
            event = await anext(stream)
        assert isinstance(event, Event)
        event.object["spec"]["size"] = 99
        assert (await pair.near.get(WIDGETS, "a", "play"))["spec"] == {"size": 1}

    story()
