"""What is ordered about copies of which nobody knows any more, and about hosts that have no room for another order."""

from __future__ import annotations

import pytest

from backstay_api.objects.models import Host, HostAssignment
from backstay_api.objects.resource_kinds import claims_of
from backstay_operator.planner.do.finalizers import HOST_FINALIZER
from backstay_operator.planner.do.leftovers import of_host
from backstay_operator.planner.do.moves import cannot_take
from backstay_operator.planner.know.claims import claim_for
from backstay_operator.planner.know.fitting import MOST_ENTRIES
from backstay_operator.planner.know.world import World
from backstay_testing.worlds import a_service, a_world, put, session

HERE = {"namespace": "shop", "name": "gone-0"}


@pytest.mark.parametrize(
    ("supersedes", "epoch"),
    [
        pytest.param([], 3, id="a session that has superseded nothing knows the epoch as its own"),
        pytest.param(
            ["nonce-n1-1"], 4, id="one that was carried over is heard of under an epoch that is not this session's"
        ),
    ],
)
def test_what_runs_of_an_instance_that_is_gone_is_stopped_by_an_order_that_reaches_it(
    supersedes: list[str], epoch: int
) -> None:
    world = a_world("n1")
    said = {"session": {**session("n1", 2), "machineUUID": "machine-n1", "supersedes": supersedes}}
    said["instances"] = {"uid-gone": {**HERE, "epoch": 3, "phase": "Running"}}
    assignment = HostAssignment.from_wire({"metadata": {"name": "n1"}, "status": said})
    down = of_host(world, assignment, {}).downs["uid-gone"]
    assert (down.want, down.epoch, down.session.nonce) == ("Down", epoch, "nonce-n1-2")


def full_of(world: World, orders: int, *, size: int = 0) -> None:
    order = {**HERE, "epoch": 1, "session": session("n1"), "want": "Up", "exclusive": True}
    if size:
        order["resources"] = [{"name": "x", "command": {"start": ["/bin/x", "y" * size], "stop": ["/bin/x"]}}]
    raw = world.assignments["n1"].wire()
    raw["spec"]["instances"] = {f"u{number}": order for number in range(orders)}
    world.put_assignment(HostAssignment.from_wire(raw))


@pytest.mark.parametrize(
    ("orders", "size", "why"),
    [
        pytest.param(MOST_ENTRIES - 1, 0, "", id="room for one more"),
        pytest.param(MOST_ENTRIES, 0, "n1 has orders for 256 instances already", id="too many"),
        pytest.param(250, 3900, "KiB, more than the 900 that fit", id="too large"),
    ],
)
def test_a_host_is_given_nothing_for_which_its_orders_have_no_room(orders: int, size: int, why: str) -> None:
    world = a_world("n1")
    world.put_host(Host.from_wire({"metadata": {"name": "n1", "uid": "uid-n1", "finalizers": [HOST_FINALIZER]}}))
    service = a_service("web", {"name": "x", "command": {"start": ["/bin/x"], "stop": ["/bin/x"]}})
    instance = put(world, service)
    for key in claims_of(service.spec.resources):
        world.claims[key.name] = claim_for(key, service, ["n1"])
    full_of(world, orders, size=size)
    found = cannot_take(world, service, instance, "n1")
    assert (why in (found or "")) if why else found is None
