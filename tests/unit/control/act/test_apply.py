"""Each action is one write with its precondition; a stale one changes nothing and is looked up, never taken for done."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from backstay_api.client.errors import Invalid
from backstay_api.memory.server import Change, Fate
from backstay_api.objects import lease as leases
from backstay_api.objects.models import FenceRequest, ResourceClaim, ServiceClass
from backstay_api.objects.models.assignment import HostAssignmentSpec
from backstay_api.objects.models.base import Meta
from backstay_api.objects.models.fencing import FenceRequestSpec
from backstay_api.objects.models.instance import SessionRef
from backstay_api.objects.models.service import HAServiceStatus
from backstay_api.objects.models.service_class import ServiceClassSpec, ServiceClassStatus
from backstay_api.objects.object_kinds import (
    FENCE_REQUESTS,
    HA_SERVICES,
    HOST_ASSIGNMENTS,
    HOST_LEASES,
    HOSTS,
    RESOURCE_CLAIMS,
    SERVICE_CLASSES,
)
from backstay_dev.simulator.virtualtime import in_virtual_time
from backstay_operator.control.act.apply import Outcome
from backstay_operator.planner.actions import (
    Assign,
    CreateClaim,
    CreateLease,
    DeleteClaim,
    DeleteFence,
    DeleteLease,
    RemoveClear,
    RemoveMoveWish,
    ReopenLease,
    RequestFence,
    SealLease,
    SetFinalizer,
    UpdateFence,
    WriteClassStatus,
    WriteHostStatus,
    WriteServiceStatus,
)
from backstay_operator.planner.do.finalizers import HOST_FINALIZER, REQUEST_FINALIZER, SERVICE_FINALIZER
from backstay_operator.planner.tell import unplannable
from backstay_testing.apply_bench import SESSION, Bench
from backstay_testing.builders import an_order
from backstay_testing.control_scene import WALL, raw_service

NEXT = SessionRef(boot_id="boot-n1", nonce="nonce-2", seq=2)
FENCE = FenceRequestSpec(host="n1", session=SESSION, want="Observe")


@in_virtual_time
async def test_a_lease_that_was_renewed_meanwhile_is_not_sealed() -> None:
    bench = Bench()
    old = bench.cache.world.leases["n1"].lease
    bench.scene.renew("n1")
    assert await bench.do(SealLease(old, "silent")) is Outcome.LOOK_AGAIN
    assert not bench.scene.lease("n1").sealed and bench.cache.world.leases["n1"].lease.renewal == 2


@in_virtual_time
async def test_a_sealed_lease_takes_no_renewal_and_is_reopened_for_a_newer_session_only() -> None:
    bench = Bench()
    before = bench.scene.lease("n1")
    assert await bench.do(SealLease(before, "silent")) is Outcome.DONE
    sealed = bench.cache.world.leases["n1"].lease
    assert sealed.sealed and bench.cache.world.leases["n1"].sealed_seen_s is not None
    with pytest.raises(AssertionError):
        await bench.do(ReopenLease(sealed, SESSION, "the same session"))
    assert await bench.do(ReopenLease(sealed, NEXT, "it has stopped everything")) is Outcome.DONE
    opened = bench.scene.lease("n1")
    assert (opened.holder, opened.seq, opened.sealed, opened.renewal) == (NEXT.text, 2, False, 0)


@in_virtual_time
async def test_orders_are_brought_forward_into_what_is_stored() -> None:
    bench = Bench()
    instance = bench.add_instance(epoch=2, granted=True, closed=1)
    order = an_order(instance)
    assert await bench.do(Assign("n1", HostAssignmentSpec(instances={"a": order}), "go")) is Outcome.DONE
    older = order.model_copy(update={"epoch": 1, "want": "Down"})
    other = HostAssignmentSpec(instances={"a": older, "b": order})
    assert await bench.do(Assign("n1", other, "late")) is Outcome.DONE
    stored = bench.body(HOST_ASSIGNMENTS, "n1")["spec"]["instances"]
    assert {uid: (entry["epoch"], entry["want"]) for uid, entry in stored.items()} == {"a": (2, "Up"), "b": (2, "Up")}
    writes = len(bench.weather.requests)
    assert await bench.do(Assign("n1", other, "again")) is Outcome.DONE
    assert len(bench.weather.requests) == writes, "what is there already is not written"


@in_virtual_time
async def test_a_lease_that_nobody_holds_is_sealed_in_the_name_of_a_session() -> None:
    bench = Bench()
    assert await bench.do(CreateLease("n9", "nobody holds it")) is Outcome.DONE
    before = bench.cache.world.leases["n9"].lease
    assert await bench.do(SealLease(before, "it is off", SESSION)) is Outcome.DONE
    lease = bench.cache.world.leases["n9"].lease
    assert (lease.holder, lease.seq, lease.renewal, lease.sealed) == (SESSION.text, SESSION.seq, 0, True)
    assert await bench.do(SealLease(before, "of an older version", SESSION)) is Outcome.LOOK_AGAIN


@pytest.mark.parametrize(
    ("is_late", "left"),
    [
        pytest.param(False, [], id="of the version that it was decided from"),
        pytest.param(True, ["web.service"], id="of a later one, which may secure it for another reason"),
    ],
)
@in_virtual_time
async def test_units_are_given_back_of_the_version_that_was_decided_on_only(is_late: bool, left: list[str]) -> None:
    bench = Bench()
    secured = HostAssignmentSpec(secured=["web.service"])
    assert await bench.do(Assign("n1", secured, "go")) is Outcome.DONE
    version = bench.cache.version(HOST_ASSIGNMENTS, "n1")
    if is_late:
        both = HostAssignmentSpec(secured=["db.service", "web.service"])
        assert await bench.do(Assign("n1", both, "go on")) is Outcome.DONE
    none = HostAssignmentSpec(secured=["db.service"])
    action = Assign("n1", none, "given back", gives_back=frozenset({"web.service"}), version=version)
    assert await bench.do(action) is Outcome.DONE
    assert bench.body(HOST_ASSIGNMENTS, "n1")["spec"]["secured"] == ["db.service", *left]


@in_virtual_time
async def test_orders_that_are_too_large_are_refused_with_what_to_do() -> None:
    bench = Bench()
    order = an_order(bench.add_instance(epoch=1, granted=True)).model_copy(update={"why": "x" * 4000})
    huge = HostAssignmentSpec(instances={f"u{number}": order for number in range(250)})
    result = await bench.writer.apply(Assign("n1", huge, "go"))
    assert result.outcome is Outcome.REFUSED and "spread its services" in result.why


@pytest.mark.parametrize("is_made_anew", [False, True])
@in_virtual_time
async def test_what_was_changed_or_made_anew_meanwhile_is_not_deleted(is_made_anew: bool) -> None:
    bench = Bench()
    spec = {"type": "Address", "key": "192.0.2.1", "owner": {"namespace": "shop", "name": "web", "uid": "s"}}
    claim = ResourceClaim.from_wire({"metadata": {"name": "c1"}, "spec": spec})
    await bench.do(CreateClaim(claim, ""))
    await bench.do(RequestFence("n1-x", FENCE, "late"))
    await bench.do(CreateLease("n1", "it has none"))
    world = bench.cache.world
    actions = [
        DeleteClaim(world.claims["c1"], "gone"),
        DeleteFence(world.requests["n1-x"], "over"),
        DeleteLease(world.leases["n1"].lease, "gone"),
    ]
    for kind, namespace, name in (
        (RESOURCE_CLAIMS, "", "c1"),
        (FENCE_REQUESTS, "", "n1-x"),
        (HOST_LEASES, leases.NAMESPACE, "n1"),
    ):
        raw = bench.body(kind, name, namespace)
        if is_made_anew:
            bench.cluster.delete(kind, (namespace, name), actor="another replica")
            meta = {key: value for key, value in raw["metadata"].items() if key in ("name", "namespace")}
            bench.scene.store(kind, {**raw, "metadata": meta})
        else:
            bench.cluster.patch(kind, (namespace, name), {"metadata": {"labels": {"a": "b"}}}, actor="somebody")
    assert [await bench.do(action) for action in actions] == [Outcome.LOOK_AGAIN] * 3
    assert [len(bench.cluster.bodies(kind)) for kind in (RESOURCE_CLAIMS, FENCE_REQUESTS, HOST_LEASES)] == [1, 1, 1]


@in_virtual_time
async def test_a_fence_request_is_made_once_changed_by_version_and_keeps_what_a_person_confirmed() -> None:
    bench = Bench()
    assert await bench.do(RequestFence("n1-x", FENCE, "late")) is Outcome.DONE
    assert await bench.do(RequestFence("n1-x", FENCE, "late")) is Outcome.LOOK_AGAIN
    seen = bench.cache.world.requests["n1-x"]
    confirm = {"spec": {"confirm": {"by": "anna", "at": WALL}}}
    bench.cluster.patch(FENCE_REQUESTS, ("", "n1-x"), confirm, actor="anna")
    assert await bench.do(UpdateFence(seen, "Off", "silent")) is Outcome.LOOK_AGAIN
    assert await bench.do(UpdateFence(bench.cache.world.requests["n1-x"], "Off", "silent")) is Outcome.DONE
    spec = bench.body(FENCE_REQUESTS, "n1-x")["spec"]
    assert spec["want"] == "Off" and spec["confirm"]["by"] == "anna"
    assert await bench.do(DeleteFence(bench.cache.world.requests["n1-x"], "over")) is Outcome.DONE
    assert not bench.cache.world.requests


async def a_fence(bench: Bench) -> FenceRequest:
    """One that wants Off."""
    await bench.do(RequestFence("n1-x", FENCE, "late"))
    assert await bench.do(UpdateFence(bench.cache.world.requests["n1-x"], "Off", "silent")) is Outcome.DONE
    return bench.cache.world.requests["n1-x"]


@in_virtual_time
async def test_a_fence_request_that_wants_off_is_only_marked_by_whoever_deletes_it_and_goes_by_our_hand() -> None:
    bench = Bench()
    await a_fence(bench)
    bench.cluster.delete(FENCE_REQUESTS, ("", "n1-x"), actor="a person")
    assert bench.body(FENCE_REQUESTS, "n1-x")["metadata"]["deletionTimestamp"]
    bench.look()
    assert await bench.do(DeleteFence(bench.cache.world.requests["n1-x"], "over")) is Outcome.DONE
    assert not bench.cache.world.requests and not bench.cluster.bodies(FENCE_REQUESTS)


@in_virtual_time
async def test_one_that_is_made_with_off_carries_it_from_the_beginning() -> None:
    bench = Bench()
    await bench.do(RequestFence("n1-x", FENCE.model_copy(update={"want": "Off"}), "silent"))
    assert bench.body(FENCE_REQUESTS, "n1-x")["metadata"]["finalizers"] == [REQUEST_FINALIZER]


@in_virtual_time
async def test_a_fence_request_stays_if_an_off_is_told_between_its_mark_and_its_end() -> None:
    bench = Bench()
    request = await a_fence(bench)
    off = {"level": "bmc", "device": "bmc", "action": "off", "at": WALL, "ours": True}

    def tell(change: Change) -> None:
        is_told = bool((change.body.get("status") or {}).get("attempts"))
        if "deletionTimestamp" in change.body["metadata"] and not is_told:
            told = {"status": {"attempts": [off]}}
            bench.cluster.patch(FENCE_REQUESTS, ("", "n1-x"), told, subresource="status", actor="fencer")

    bench.cluster.observe(tell, FENCE_REQUESTS)
    assert await bench.do(DeleteFence(request, "over")) is Outcome.LOOK_AGAIN
    assert bench.cache.world.requests["n1-x"].status.attempts


@in_virtual_time
async def test_the_finalizer_comes_and_goes_and_leaves_others_alone() -> None:
    bench = Bench()
    raw = raw_service()
    bench.scene.store(HA_SERVICES, {**raw, "metadata": {**raw["metadata"], "finalizers": ["other"]}})
    bench.look()
    await bench.do(SetFinalizer(bench.cache.world.services["shop/web"], True, ""))
    assert bench.body(HA_SERVICES, "web", "shop")["metadata"]["finalizers"] == ["other", SERVICE_FINALIZER]
    await bench.do(SetFinalizer(bench.cache.world.services["shop/web"], False, ""))
    assert bench.body(HA_SERVICES, "web", "shop")["metadata"]["finalizers"] == ["other"]


@in_virtual_time
async def test_the_last_finalizer_of_a_deleted_host_takes_it_out_of_the_cache_too() -> None:
    bench = Bench()
    await bench.do(SetFinalizer(bench.cache.world.hosts["n1"], True, ""))
    assert bench.body(HOSTS, "n1")["metadata"]["finalizers"] == [HOST_FINALIZER]
    bench.cluster.delete(HOSTS, ("", "n1"))
    bench.look()
    await bench.do(SetFinalizer(bench.cache.world.hosts["n1"], False, ""))
    assert "n1" not in bench.cache.world.hosts and not bench.cluster.bodies(HOSTS)


@in_virtual_time
async def test_statuses_are_replaced_as_a_whole_and_the_fencers_part_is_left_alone() -> None:
    bench = Bench()
    bench.scene.add_service()
    bench.look()
    since = HAServiceStatus(host="n1", since=WALL)
    await bench.do(WriteServiceStatus(bench.cache.world.services["shop/web"], since))
    await bench.do(WriteServiceStatus(bench.cache.world.services["shop/web"], HAServiceStatus(host="n2")))
    assert "since" not in bench.body(HA_SERVICES, "web", "shop")["status"]
    bench.cluster.patch(HOSTS, ("", "n1"), {"status": {"fencing": {"ready": True}}}, subresource="status")
    bench.look()
    await bench.do(WriteHostStatus(bench.cache.world.hosts["n1"], {"liveness": "Live"}))
    assert bench.body(HOSTS, "n1")["status"] == {"fencing": {"ready": True}, "liveness": "Live"}
    with pytest.raises(AssertionError):
        await bench.do(WriteHostStatus(bench.cache.world.hosts["n1"], {"fencing": {}}))


@in_virtual_time
async def test_what_is_told_of_a_class_leaves_its_words_alone() -> None:
    bench = Bench()
    made = ServiceClass(metadata=Meta(name="shop"), spec=ServiceClassSpec(namespaces=["shop"]))
    bench.cluster.create(SERVICE_CLASSES, "", SERVICE_CLASSES.to_wire(made))
    bench.look()
    before = bench.cache.world.classes["shop"]
    told = ServiceClassStatus(services=2, refused=1)
    assert await bench.do(WriteClassStatus(before, told)) is Outcome.DONE
    assert bench.body(SERVICE_CLASSES, "shop")["status"] == told.wire()
    after = bench.cache.world.classes["shop"]
    assert after.status == told and after.spec is before.spec, "whoever judged by it need not judge again"
    assert await bench.do(WriteClassStatus(before, told)) is Outcome.LOOK_AGAIN


@in_virtual_time
async def test_what_cannot_be_read_is_told_in_its_own_status() -> None:
    bench = Bench()
    bench.scene.add_service(resources="none")
    bench.look()
    (told,) = unplannable.of_unreadable(bench.cache.world)
    assert await bench.do(told) is Outcome.DONE
    conditions = bench.body(HA_SERVICES, "web", "shop")["status"]["conditions"]
    assert [(each["type"], each["status"], each["reason"]) for each in conditions] == [
        ("Accepted", "False", "Unreadable"),
        ("Ready", "Unknown", "Unreadable"),
    ]


@in_virtual_time
async def test_claims_leases_and_wishes() -> None:
    bench = Bench()
    spec = {"type": "Address", "key": "192.0.2.1", "owner": {"namespace": "shop", "name": "web", "uid": "s"}}
    claim = ResourceClaim.from_wire({"metadata": {"name": "c1"}, "spec": spec})
    assert await bench.do(CreateClaim(claim, "")) is Outcome.DONE
    assert await bench.do(CreateClaim(claim, "")) is Outcome.LOOK_AGAIN
    assert await bench.do(DeleteClaim(bench.cache.world.claims["c1"], "")) is Outcome.DONE
    assert not bench.cluster.bodies(RESOURCE_CLAIMS)
    assert await bench.do(CreateLease("n2", "it has none")) is Outcome.DONE
    assert bench.body(HOST_LEASES, "n2", leases.NAMESPACE)["spec"] == {} and "n2" in bench.cache.world.leases
    raw = raw_service()
    wish = {"backstay.dev/move": "{}", "backstay.dev/clear": "{}", "other": "kept"}
    bench.scene.store(HA_SERVICES, {**raw, "metadata": {**raw["metadata"], "annotations": wish}})
    bench.look()
    assert await bench.do(RemoveMoveWish(bench.cache.world.services["shop/web"], "done")) is Outcome.DONE
    assert bench.body(HA_SERVICES, "web", "shop")["metadata"]["annotations"].keys() == {"backstay.dev/clear", "other"}
    assert await bench.do(RemoveClear(bench.cache.world.services["shop/web"], "done")) is Outcome.DONE
    assert bench.body(HA_SERVICES, "web", "shop")["metadata"]["annotations"] == {"other": "kept"}


FATES: list[tuple[str, Fate, Outcome]] = [
    ("refused", Fate(error=Invalid("no")), Outcome.REFUSED),
    ("never sent", Fate(unreachable="no route"), Outcome.TROUBLE),
    ("sent, and nobody knows", Fate(request_lost=True, cut_after_s=0.1), Outcome.LOOK_AGAIN),
]


@pytest.mark.parametrize(("fate", "outcome"), [pytest.param(fate, outcome, id=id_) for id_, fate, outcome in FATES])
def test_what_came_of_a_write(fate: Fate, outcome: Outcome) -> None:
    async def story() -> None:
        bench = Bench()
        bench.weather.fates = [(lambda request: request.is_write, fate)]
        assert await bench.do(SealLease(bench.scene.lease("n1"), "silent")) is outcome
        assert not bench.scene.lease("n1").sealed

    wrapped: Callable[[], None] = in_virtual_time(story)
    wrapped()
