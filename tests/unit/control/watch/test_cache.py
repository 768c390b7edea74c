"""The cache only goes forward: whatever is seen late, twice, out of order, or of the dead, does no harm."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backstay_api.objects import lease as leases
from backstay_api.objects.kinds import ObjectVersion, Raw
from backstay_api.objects.lease import HostLease
from backstay_api.objects.models import FenceRequest
from backstay_api.objects.object_kinds import (
    ALL_KINDS,
    FENCE_REQUESTS,
    HA_INSTANCES,
    HA_SERVICES,
    HOST_ASSIGNMENTS,
    HOST_LEASES,
    HOSTS,
)
from backstay_api.objects.promise import PROFILES
from backstay_operator.control.watch.cache import Cache, Repair, seen_now
from backstay_operator.control.watch.urgency import Soon
from backstay_operator.planner.know.world import Failed, LeaseSeen
from backstay_testing.control_scene import WALL, raw_service


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Iterator[Clock]:
    yield Clock()


@pytest.fixture
def cache(clock: Clock) -> Cache:
    return Cache(clock=clock, wall=lambda: WALL)


def version(raw: Raw, number: int, *, uid: str = "u1", **spec: Any) -> Raw:
    meta = {**raw["metadata"], "uid": uid, "resourceVersion": str(number), "generation": number}
    return {**raw, "metadata": meta, "spec": {**raw["spec"], **spec}}


WEB = raw_service("web")


def observe(cache: Cache, number: int, *, uid: str = "u1", deleted: bool = False, **spec: Any) -> Soon:
    return cache.observe(HA_SERVICES, version(WEB, number, uid=uid, **spec), deleted=deleted)


def generation(cache: Cache) -> int | None:
    service = cache.world.services.get("shop/web")
    return service.metadata.generation if service else None


def test_an_older_version_is_dropped_and_so_is_the_same_one_again(cache: Cache) -> None:
    assert observe(cache, 5) is Soon.GATHER
    assert observe(cache, 4) is Soon.NOT and observe(cache, 5) is Soon.NOT
    assert generation(cache) == 5 and cache.counts["older"] == 2


def test_a_late_event_of_the_dead_does_not_bring_it_back(cache: Cache) -> None:
    observe(cache, 5)
    observe(cache, 6, deleted=True)
    assert observe(cache, 7) is Soon.NOT, "a version that is newer than all we knew, but of a UID that is gone"
    assert generation(cache) is None and cache.counts["late"] == 1


def test_a_recreated_object_takes_the_place_of_the_old_whose_deletion_comes_late(cache: Cache) -> None:
    observe(cache, 5)
    observe(cache, 9, uid="u2")
    observe(cache, 6, deleted=True)
    assert cache.world.services["shop/web"].uid == "u2"


@given(seed=st.integers(0, 10_000))
def test_whatever_the_order_the_newest_version_of_the_living_wins(seed: int) -> None:
    cache = Cache(clock=Clock(), wall=lambda: WALL)
    events = [(number, "u1", False) for number in range(1, 5)] + [(5, "u1", True)]
    events += [(number, "u2", False) for number in range(6, 9)]
    events += [events[2], events[6]]
    random.Random(seed).shuffle(events)
    for number, uid, deleted in events:
        observe(cache, number, uid=uid, deleted=deleted)
    assert cache.world.services["shop/web"].uid == "u2" and generation(cache) == 8


def test_a_list_drops_stale_entries_takes_news_and_spares_what_is_newer_than_itself(cache: Cache) -> None:
    for kind in ALL_KINDS:
        cache.note_listed(kind)
    others = {name: {**raw_service(name)} for name in ("gone", "stale", "fresh")}
    for number, (name, raw) in enumerate(others.items(), start=10):
        cache.observe(HA_SERVICES, version(raw, number, uid=name))
    cache.observe(HA_SERVICES, version(others["fresh"], 50, uid="fresh"))
    listed = [version(others["stale"], 20, uid="stale"), version(WEB, 21)]
    assert cache.repair(HA_SERVICES, listed, 30) == Repair(stale=1, news=2)
    assert sorted(cache.world.services) == ["shop/fresh", "shop/stale", "shop/web"]
    assert cache.world.services["shop/stale"].metadata.generation == 20


def test_a_read_that_finds_nothing_may_be_stale_so_the_object_can_come_back(cache: Cache) -> None:
    raw = version(WEB, 5)
    cache.observe(HA_SERVICES, raw)
    cache.forget(HA_SERVICES, ObjectVersion.of(raw))
    assert generation(cache) is None and [*cache.world.missed] == [("HAService", "shop/web")]
    observe(cache, 5)
    assert generation(cache) == 5 and not cache.world.missed


@pytest.mark.parametrize("is_listed", [False, True])
def test_what_a_read_did_not_find_is_missed_until_an_event_or_a_newer_list_says_that_it_is_gone(
    cache: Cache, is_listed: bool
) -> None:
    raw = version(WEB, 5)
    cache.observe(HA_SERVICES, raw)
    cache.forget(HA_SERVICES, ObjectVersion.of(raw))
    cache.repair(HA_SERVICES, [], 4)  # older than what was known
    observe(cache, 6, uid="another", deleted=True)
    assert cache.world.missed
    if is_listed:
        cache.repair(HA_SERVICES, [], 7)
    else:
        assert observe(cache, 6, deleted=True) is Soon.NOW
    assert not cache.world.missed


def test_what_cannot_be_read_is_shown_and_its_last_readable_version_stays(cache: Cache) -> None:
    observe(cache, 5)
    assert observe(cache, 6, resources="none") is Soon.GATHER
    assert generation(cache) == 5 and "resources" in cache.world.unreadable["HAService", "shop/web"].why
    observe(cache, 7)
    assert generation(cache) == 7 and not cache.world.unreadable


def test_the_readable_version_of_another_object_of_that_name_does_not_stay(cache: Cache) -> None:
    observe(cache, 5)
    observe(cache, 6, uid="u2", resources="none")
    assert generation(cache) is None and len(cache.world.unreadable) == 1


def test_nothing_may_be_planned_until_every_kind_was_listed(cache: Cache) -> None:
    for kind in ALL_KINDS:
        assert kind.kind in cache.missing
        cache.note_listed(kind)
    assert not cache.missing


# --- leases: since when is a host silent? ----------------------------------------------------------------------------


def a_lease(host: str = "n1", *, renewal: int = 1, resource_version: int = 1, **more: Any) -> HostLease:
    held = replace(leases.new(host), holder="boot/nonce", seq=1, contract=PROFILES["lab"], uid=f"lease-{host}")
    return replace(held, renewal=renewal, resource_version=str(resource_version), **more)


def put(cache: Cache, lease: HostLease) -> Soon:
    meta = ObjectVersion(leases.NAMESPACE, lease.host, lease.uid, lease.resource_version)
    return cache.put(HOST_LEASES, lease, meta)


BEFORE = LeaseSeen(a_lease(), first_seen_s=1000.0)


@pytest.mark.parametrize(
    ("lease", "first_seen_s", "sealed_seen_s"),
    [
        pytest.param(a_lease(), 1000.0, None, id="a write that renews nothing leaves o alone"),
        pytest.param(a_lease(renewal=2), 1007.0, None, id="a renewal is new"),
        pytest.param(a_lease(sealed=True), 1000.0, 1007.0, id="sealing renews nothing"),
        pytest.param(
            a_lease(holder="boot/other", seq=2), 1007.0, None, id="another session is new, whatever its count"
        ),
        pytest.param(a_lease(uid="another"), 1007.0, None, id="a recreated Lease is new"),
    ],
)
def test_since_when_a_renewal_count_is_known(
    lease: HostLease, first_seen_s: float, sealed_seen_s: float | None
) -> None:
    seen = seen_now(BEFORE, lease, now_s=1007.0)
    assert (seen.first_seen_s, seen.sealed_seen_s) == (first_seen_s, sealed_seen_s)


def test_the_moment_of_the_seal_is_kept_until_the_lease_is_reopened() -> None:
    sealed = seen_now(BEFORE, a_lease(sealed=True), now_s=1007.0)
    later = seen_now(sealed, a_lease(sealed=True, resource_version=3), now_s=1009.0)
    reopened = seen_now(later, a_lease(holder="boot/next", seq=2, renewal=0), now_s=1011.0)
    assert (later.sealed_seen_s, reopened.sealed_seen_s, reopened.first_seen_s) == (1007.0, None, 1011.0)


def test_a_seal_is_remembered_though_its_lease_is_deleted_until_a_session_holds_it_again(cache: Cache) -> None:
    put(cache, a_lease(sealed=True))
    raw = leases.write(a_lease(sealed=True, resource_version=2))
    cache.observe(HOST_LEASES, {**raw, "metadata": {**raw["metadata"], "uid": "lease-n1"}}, deleted=True)
    assert "n1" not in cache.world.leases and cache.world.last_sealed["n1"].sealed
    put(cache, a_lease(holder="", uid="anew", resource_version=3))
    assert "n1" in cache.world.last_sealed, "a Lease that was made anew, and that nobody holds, says nothing"
    put(cache, a_lease(holder="boot/next", uid="anew", seq=2, resource_version=4))
    assert "n1" not in cache.world.last_sealed


def test_recovery_of_our_own_path_makes_o_of_every_host_now(cache: Cache, clock: Clock) -> None:
    cache.note_listed(HOST_LEASES)
    cache.path_recovered()
    for name in ("n1", "n2", "n3"):
        put(cache, a_lease(name))
    clock.now_s += 0.7
    put(cache, a_lease("n3", sealed=True, resource_version=2))
    cache.path_lost(last_ok_s=clock.now_s)
    assert not cache.world.own_path.healthy and cache.world.own_path.lived_before == {"n1", "n2"}
    clock.now_s += 60
    cache.path_recovered()
    assert cache.world.own_path.recovered_s == clock.now_s
    assert {seen.first_seen_s for seen in cache.world.leases.values()} == {clock.now_s}
    put(cache, a_lease("n1", renewal=2, resource_version=9))
    put(cache, a_lease("n2", renewal=1, resource_version=10))
    assert cache.world.own_path.renewed_since == {"n1"}, "a write that moves no renewal count is no sign of life"


def test_who_lived_is_judged_at_the_time_of_the_last_answer(cache: Cache, clock: Clock) -> None:
    cache.path_recovered()
    put(cache, a_lease("n1"))
    answered_s = clock.now_s + 0.5
    clock.now_s += 60  # frozen, not silent
    cache.path_lost(last_ok_s=answered_s)
    assert cache.world.own_path.lived_before == {"n1"}


def test_plain_renewals_ask_for_no_plan_but_any_change_does(cache: Cache, clock: Clock) -> None:
    assert put(cache, a_lease()) is Soon.NOW
    clock.now_s += 0.5
    assert put(cache, a_lease(renewal=2, resource_version=2)) is Soon.NOT
    clock.now_s += 0.8
    assert put(cache, a_lease(renewal=3, resource_version=3)) is Soon.NOW, "it was late: suspected perhaps"
    assert put(cache, a_lease(renewal=3, resource_version=4, sealed=True)) is Soon.NOW


def an_assignment(version: int, **status: Any) -> Mapping[str, Any]:
    meta = {"name": "n1", "uid": "a1", "resourceVersion": str(version)}
    session = {"bootID": "b", "nonce": "n", "seq": 1, "machineUUID": "m"}
    return {"metadata": meta, "spec": {}, "status": {"session": session, **status}}


def test_how_soon_the_planner_looks_at_what_has_changed(cache: Cache) -> None:
    """What touches an instance in motion waits for nothing; what only people read gathers for long."""
    runs = {"u": {"namespace": "shop", "name": "web-0", "epoch": 1, "phase": "Running"}}
    assert cache.observe(HOST_ASSIGNMENTS, an_assignment(1)) is Soon.NOW
    assert cache.observe(HOST_ASSIGNMENTS, an_assignment(2, instances=runs)) is Soon.NOW
    assert (
        cache.observe(HOST_ASSIGNMENTS, an_assignment(3, instances=runs, standbys={"u": {"ready": True}}))
        is Soon.GATHER
    )
    spec = {"service": {"name": "web", "uid": "w"}, "exclusive": True}
    instance = {"metadata": {"name": "web-0", "namespace": "shop", "uid": "u", "resourceVersion": "4"}, "spec": spec}
    assert cache.observe(HA_INSTANCES, instance) is Soon.NOW
    assert cache.observe(HOST_ASSIGNMENTS, an_assignment(5, instances=runs)) is Soon.NOW, "something waits for a host"
    assert cache.observe(HOSTS, a_host(6)) is Soon.GATHER
    assert cache.observe(HOSTS, a_host(7, fences=("n1-x",))) is Soon.LATER, "our own words to people"


def a_request(want: str) -> Mapping[str, Any]:
    spec = {"host": "n1", "session": {"bootID": "b", "nonce": "n", "seq": 1}, "want": want}
    return {"metadata": {"name": "n1-x", "uid": "r1", "resourceVersion": "7"}, "spec": spec}


def test_a_renewal_of_a_host_that_is_being_looked_at_is_urgent(cache: Cache) -> None:
    put(cache, a_lease())
    cache.observe(FENCE_REQUESTS, a_request("Observe"))
    assert put(cache, a_lease(renewal=2, resource_version=2)) is Soon.NOW


def test_a_fence_keeps_its_place_in_the_budget_for_an_hour_after_its_request_is_gone(
    cache: Cache, clock: Clock
) -> None:
    cache.observe(FENCE_REQUESTS, a_request("Off"))
    cache.drop(FENCE_REQUESTS, ObjectVersion("", "n1-x", "r1", "8"))
    clock.now_s += 3599
    assert cache.snapshot().fenced_s == {"n1-x": 1000.0}
    clock.now_s += 2
    assert not cache.snapshot().fenced_s


def a_host(version: int, *, checked_at: str = "", fences: tuple[str, ...] = ()) -> dict[str, Any]:
    status: dict[str, Any] = {"fences": [{"request": name, "at": WALL} for name in fences]}
    if checked_at:
        status["fencing"] = {"checkedAt": checked_at, "ready": True}
    meta = {"name": "n1", "uid": "h", "resourceVersion": str(version)}
    return {"metadata": meta, "spec": {}, "status": status}


def test_a_fence_that_stands_in_a_status_is_not_taken_for_news_when_its_hour_is_over(
    cache: Cache, clock: Clock
) -> None:
    cache.observe(HOSTS, a_host(5, fences=("n1-old",)))
    began_s = clock.now_s
    clock.now_s += 3601
    cache.snapshot()
    cache.observe(HOSTS, a_host(6, fences=("n1-old",)))
    assert cache.snapshot().fenced_s == {"n1-old": began_s}
    cache.observe(HOSTS, a_host(7))
    assert not cache.snapshot().fenced_s


def says(version: int, *phases: str) -> Raw:
    """What n1 says of instances `i0`, `i1`, …: the phase of each."""
    told = {"namespace": "shop", "epoch": 3, "revision": 1}
    said = {f"i{at}": {**told, "name": f"web{at}-0", "phase": phase} for at, phase in enumerate(phases)}
    meta = {"name": "n1", "uid": "a", "resourceVersion": str(version)}
    return {"metadata": meta, "spec": {}, "status": {"instances": said}}


def test_when_a_start_failed_is_known_until_its_host_says_nothing_of_it_any_more(cache: Cache, clock: Clock) -> None:
    """It says so long after the HAInstance has gone: what is forgotten before that would be learned anew, and kept for good."""
    first_s, first = clock.now_s, Failed("web0-0", "n1", 3)
    cache.observe(HOST_ASSIGNMENTS, says(5, "Failed", "Failed"))
    clock.now_s += 100
    cache.observe(HOST_ASSIGNMENTS, says(6, "Starting", "Failed"))
    assert cache.world.failed_s == {("i0", first): first_s, ("i1", Failed("web1-0", "n1", 3)): first_s}
    cache.observe(HOST_ASSIGNMENTS, says(7, "Failed"))
    assert cache.world.failed_s == {("i0", first): first_s}
    cache.drop(HOST_ASSIGNMENTS, ObjectVersion("", "n1", "a", "8"))
    assert not cache.world.failed_s


def test_when_a_fence_path_was_tested_is_known_by_our_own_clock_and_only_a_new_test_counts(
    cache: Cache, clock: Clock
) -> None:
    cache.observe(HOSTS, a_host(5, checked_at="1999-01-01T00:00:00Z"))
    first_s = clock.now_s
    clock.now_s += 100
    cache.observe(HOSTS, a_host(6, checked_at="1999-01-01T00:00:00Z", fences=("n1-x",)))
    assert cache.world.checked_s == {"n1": first_s}
    cache.observe(HOSTS, a_host(7, checked_at="1998-01-01T00:00:00Z"))
    assert cache.world.checked_s == {"n1": clock.now_s}
    cache.drop(HOSTS, ObjectVersion("", "n1", "h", "8"))
    assert not cache.world.checked_s and not cache.world.hosts


def test_the_snapshot_knows_what_was_touched_since_the_last(cache: Cache) -> None:
    observe(cache, 5)
    cache.observe(HOSTS, {"metadata": {"name": "n1", "uid": "h", "resourceVersion": "6"}, "spec": {}})
    assert cache.touched == {("HAService", "shop/web"), ("Host", "n1")}
    cache.snapshot()
    assert not cache.touched


def test_builders_are_ordinary() -> None:
    assert isinstance(FENCE_REQUESTS.read(a_request("Off")), FenceRequest)
