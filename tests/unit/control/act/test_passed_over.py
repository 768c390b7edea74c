"""A silent host is passed over by a first grant, or by an edit, only while it is as silent as it looked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from backstay_api.objects.kinds import Raw
from backstay_api.objects.lease import NAMESPACE
from backstay_api.objects.object_kinds import HOST_ASSIGNMENTS, HOST_LEASES
from backstay_dev.simulator.virtualtime import in_virtual_time
from backstay_operator.control.act.apply import Outcome
from backstay_operator.planner.preconditions import Silent
from backstay_testing.apply_bench import Asked
from backstay_testing.builders import an_assignment


def assign(bench: Asked) -> None:
    bench.scene.store(HOST_ASSIGNMENTS, {**an_assignment("n2").wire(), "metadata": {"name": "n2"}})


def silent(bench: Asked, host: str = "n2") -> Silent:
    """As far as is known."""
    world = bench.cache.world
    seen = world.leases.get(host)
    return Silent(host, seen.lease.resource_version if seen else "", world.assignments.get(host), "it may run there")


def says(bench: Asked, **status: Any) -> None:
    bench.cluster.patch(HOST_ASSIGNMENTS, ("", "n2"), {"status": status}, actor="n2", subresource="status")


def is_told(bench: Asked, **spec: Any) -> None:
    bench.cluster.patch(HOST_ASSIGNMENTS, ("", "n2"), {"spec": spec}, actor="another replica")


STANDBY: Raw = {"namespace": "shop", "name": "db-0", "service": "db", "revision": 1, "resources": []}
ORDER: Raw = {
    "namespace": "shop",
    "name": "db-0",
    "service": "db",
    "epoch": 1,
    "want": "Down",
    "exclusive": True,
    "session": {"bootID": "b", "nonce": "n", "seq": 1},
}
LEASE_CHANGED, SAYS_ELSE = "its Lease has changed since", "its HostAssignment says something else now"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        pytest.param(lambda b: None, "", id="it is as it was"),
        pytest.param(lambda b: is_told(b, standbys={"db": STANDBY}), "", id="it is asked to be ready for another"),
        pytest.param(lambda b: b.scene.renew("n2"), LEASE_CHANGED, id="it has renewed its Lease"),
        pytest.param(
            lambda b: says(b, standbys={"web": {"ready": False, "revision": 1, "active": True}}),
            SAYS_ELSE,
            id="it has answered",
        ),
        pytest.param(lambda b: is_told(b, instances={"db": ORDER}), SAYS_ELSE, id="it was told of something to run"),
        pytest.param(lambda b: b.cluster.delete(HOST_ASSIGNMENTS, ("", "n2"), actor="x"), SAYS_ELSE, id="what it said is gone"),
        pytest.param(lambda b: b.cluster.delete(HOST_LEASES, (NAMESPACE, "n2"), actor="x"), LEASE_CHANGED, id="its Lease is gone"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("others", [(), ("n3", "n4", "n5", "n6", "n7")], ids=["one", "many"])
@in_virtual_time
async def test_a_host_is_passed_over_only_while_it_is_as_silent_as_it_looked(
    change: Callable[[Asked], object], said: str, others: tuple[str, ...]
) -> None:
    bench = Asked()
    bench.scene.add_host("n2")
    assign(bench)
    bench.look()
    needs = [silent(bench, host) for host in ("n2", *others)]
    change(bench)
    result = await bench.grant(*needs)
    assert (result.outcome, bench.epoch) == ((Outcome.LOOK_AGAIN, 0) if said else (Outcome.DONE, 1))
    assert said in result.why
    if said:
        assert (await bench.grant(silent(bench))).outcome is Outcome.DONE, "from what was read it can be decided anew"


@in_virtual_time
async def test_a_host_that_never_had_a_session_is_passed_over_until_it_has_one() -> None:
    bench = Asked()
    need = silent(bench)
    bench.scene.add_host("n2")
    assert LEASE_CHANGED in (await bench.grant(need)).why
    bench = Asked()
    assert (await bench.grant(silent(bench))).outcome is Outcome.DONE
    bench = Asked()
    need = silent(bench)
    assign(bench)
    assert SAYS_ELSE in (await bench.grant(need)).why


@in_virtual_time
async def test_many_that_are_passed_over_cost_two_lists() -> None:
    bench = Asked()
    await bench.grant(*(silent(bench, f"m{number}") for number in range(100)))
    reads = [request for request in bench.weather.requests if not request.is_write]
    assert [one.resource for one in reads] == ["leases.coordination.k8s.io", "hostassignments.backstay.dev"]


@in_virtual_time
async def test_leases_are_held_against_leases_alone_for_their_store_may_be_another() -> None:
    bench = Asked()
    bench.scene.add_host("n2")
    bench.look()
    need = silent(bench)
    bench.cache._newest_lease = bench.cache._newest_lease + 1000
    assert "answered from the past" in (await bench.grant(need)).why
    bench.cache._newest_lease = 0
    assert (await bench.grant(silent(bench))).outcome is Outcome.DONE


@in_virtual_time
async def test_what_can_not_be_read_of_a_silent_host_says_no_more_than_before() -> None:
    bench = Asked()
    bench.scene.add_host("n2")
    notes = {"backstay.dev/renewal": "many"}
    bench.cluster.patch(HOST_LEASES, (NAMESPACE, "n2"), {"metadata": {"annotations": notes}}, actor="somebody")
    bench.look()
    assert "n2" not in bench.cache.world.leases
    assert (await bench.grant(silent(bench))).outcome is Outcome.DONE
