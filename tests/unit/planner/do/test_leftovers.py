"""What is ordered about copies of which nobody knows any more, and about hosts that have no room for another order."""

from __future__ import annotations

import pytest

from backstay_api.objects.bounds import MOST_INSTANCES
from backstay_api.objects.models import HostAssignment
from backstay_api.objects.models.assignment import HostAssignmentSpec, InstanceOrder, StandbyOrder
from backstay_operator.control.act.checks import check_size
from backstay_operator.planner.do.leftovers import left_on_host
from backstay_operator.planner.do.moves import cannot_take
from backstay_operator.planner.do.orders import merge_forward
from backstay_operator.planner.know.fitting import fitted
from backstay_operator.planner.know.world import World
from backstay_testing.builders import a_service, command, session
from backstay_testing.worlds import a_world, make_ours, put, report, speak

HERE = {"namespace": "shop", "name": "gone-0"}


@pytest.mark.parametrize(
    ("supersedes", "epoch"),
    [
        pytest.param([], 3, id="a session that has superseded nothing knows the epoch as its own"),
        pytest.param(
            ["nonce-n1-1"], 4, id="one that was carried over is reported under an epoch that is not this session's"
        ),
    ],
)
def test_what_runs_of_an_instance_that_is_gone_is_stopped_by_an_order_that_reaches_it(
    supersedes: list[str], epoch: int
) -> None:
    world = a_world("n1")
    speak(world, "n1", session("n1", 2), supersedes=supersedes)
    report(world, a_service("gone"), "n1", "Running", epoch=3, uid="uid-gone")
    down = left_on_host(world, world.assignments["n1"], {}).downs["uid-gone"]
    assert (down.want, down.epoch, down.session.nonce) == ("Down", epoch, "nonce-n1-2")


def full_of(world: World, orders: int, *, size: int = 0, letter: str = "y") -> None:
    order = {**HERE, "epoch": 1, "session": session("n1").wire(), "want": "Up", "exclusive": True}
    if size:
        order["resources"] = [{"name": "x", "command": {"start": ["/bin/x", letter * size], "stop": ["/bin/x"]}}]
    raw = world.assignments["n1"].wire()
    raw["spec"]["instances"] = {f"u{number}": order for number in range(orders)}
    world.put_assignment(HostAssignment.from_wire(raw))


@pytest.mark.parametrize(
    ("orders", "size", "letter", "why"),
    [
        pytest.param(MOST_INSTANCES - 1, 0, "y", "", id="room for one more"),
        pytest.param(MOST_INSTANCES, 0, "y", "n1 has orders for 512 instances already", id="too many"),
        pytest.param(250, 3900, "y", "KiB, more than the 900 that fit", id="too large"),
        # What etcd and the API server count is bytes.
        pytest.param(100, 3900, "ü", "", id="some letters of two bytes"),
        pytest.param(100, 3900, "語", "KiB, more than the 900 that fit", id="too many letters of three bytes"),
    ],
)
def test_a_host_is_given_nothing_for_which_its_orders_have_no_room(
    orders: int, size: int, letter: str, why: str
) -> None:
    world = a_world("n1")
    service = a_service("web", command("x", start=["/bin/x"], stop=["/bin/x"]))
    instance = put(world, service)
    make_ours(world)
    full_of(world, orders, size=size, letter=letter)
    found = cannot_take(world, service, instance, "n1")
    assert (why in (found or "")) if why else found is None


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(["y" * 3900], id="long words"),
        pytest.param(["y"] * 63, id="many words"),
        pytest.param(["語" * 1300], id="letters of three bytes"),
    ],
)
def test_what_was_made_to_fit_is_not_refused_where_it_is_sent(words: list[str]) -> None:
    """Two opinions of what fits would leave the host without any order, be it one to stop."""
    command = {"start": ["/bin/x", *words], "stop": ["/bin/x", *words], "check": ["/bin/x", *words]}
    resources = [{"name": f"r{number}", "command": command} for number in range(16)]
    raw = {"namespace": "shop", "name": "s-0", "revision": 1, "resources": resources}
    standbys = {f"u{number}": StandbyOrder.model_validate(raw) for number in range(MOST_INSTANCES)}
    wanted = HostAssignmentSpec(standbys=standbys)
    fits = fitted(HostAssignmentSpec(), wanted, wanted, ())
    assert 0 < len(fits.standbys) < MOST_INSTANCES
    check_size("n1", fits)


def test_an_edit_that_does_not_fit_holds_up_no_other_order() -> None:
    def order(words: int, revision: int = 1) -> InstanceOrder:
        command = {"start": ["/bin/x", *["y" * 3900] * words], "stop": ["/bin/x"]}
        raw = {
            **HERE,
            "epoch": 1,
            "session": session("n1").wire(),
            "want": "Up",
            "exclusive": True,
            "revision": revision,
        }
        return InstanceOrder.model_validate({**raw, "resources": [{"name": "x", "command": command}]})

    standby = StandbyOrder.model_validate({**HERE, "revision": 1, "resources": order(1).wire()["resources"]})
    orders = {f"u{number}": order(1) for number in range(204)}
    stored = HostAssignmentSpec(instances=orders, standbys={f"s{number}": standby for number in range(14)})
    check_size("n1", stored)
    wanted = stored.model_copy(update={"instances": {**orders, "u0": order(30, revision=2), "new": order(6)}})
    fits = merge_forward(stored, fitted(stored, wanted, merge_forward(stored, wanted), ()))
    check_size("n1", fits)
    assert fits.instances == {**orders, "new": order(6)} and fits.standbys
