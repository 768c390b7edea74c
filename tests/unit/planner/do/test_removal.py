"""Hosts come and go, as tables: when our finalizer stands on one, and when what was made for a removed one may go."""

from __future__ import annotations

import pytest

from backstay_api.objects.object_kinds import Unreadable
from backstay_operator.planner.actions import DeleteAssignment, DeleteLease, SetFinalizer
from backstay_operator.planner.do.finalizers import HOST_FINALIZER
from backstay_operator.planner.do.removal import host_finalizer, of_removed_host
from backstay_operator.planner.know.world import World
from backstay_operator.planner.preconditions import Gone, HoldsNothing
from backstay_testing.builders import (
    PROVEN,
    a_request,
    a_service,
    an_instance,
    an_order,
    being_deleted,
    marked,
    session,
)
from backstay_testing.worlds import Befall, a_world, all_of, hold_by_nobody, nothing, put, report, seal, speak, tell

WEB = a_service()


def ours(world: World) -> None:
    world.hosts["n1"] = marked(world.hosts["n1"], HOST_FINALIZER)


def leaving(world: World) -> None:
    world.hosts["n1"] = being_deleted(world.hosts["n1"])


def gone(world: World) -> None:
    world.drop_host("n1")


def holds(world: World) -> None:
    put(world, WEB, epoch=1, host="n1")


def sealed(world: World) -> None:
    seal(world, "n1")


# --- our finalizer ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("befall", "is_needed", "present"),
    [
        pytest.param(nothing, True, True, id="it may be given a service"),
        pytest.param(nothing, False, None, id="nothing may come there"),
        pytest.param(ours, True, None, id="it stands there"),
        pytest.param(leaving, True, None, id="on what is being removed none can be put"),
        pytest.param(gone, True, None, id="it is gone"),
        pytest.param(ours, False, None, id="it stays while the host does"),
        pytest.param(all_of(ours, leaving), False, False, id="it is being removed, and holds nothing"),
        pytest.param(all_of(ours, leaving, holds), False, None, id="it is being removed, and holds something"),
        pytest.param(all_of(ours, leaving), True, False, id="it is being removed, though services would like to come"),
    ],
)
def test_when_a_host_bears_our_mark(befall: Befall, is_needed: bool, present: bool | None) -> None:
    world = a_world("n1")
    befall(world)
    actions = host_finalizer(world, "n1", is_needed=is_needed)
    found = [one for one in actions if isinstance(one, SetFinalizer)]
    assert [one.present for one in found] == ([present] if present is not None else [])
    assert all([type(need) for need in one.needs] == ([] if one.present else [HoldsNothing]) for one in found)


# --- what was made for it --------------------------------------------------------------------------------------------


def unreadable(kind: str, key: str = "n1") -> Befall:
    return lambda world: world.unreadable.update({(kind, key): Unreadable(kind, key, "nonsense")})


def told(*, released: bool = False) -> Befall:
    """It was told to stop something, and has said that that is over, or not."""

    def befall(world: World) -> None:
        tell(world, "n1", an_instance(WEB, epoch=1, host="n1"), an_order(an_instance(WEB, epoch=1, host="n1"), "Down"))
        report(world, WEB, "n1", "Stopped" if released else "Running", epoch=1, released=released)

    return befall


def ordered(world: World) -> None:
    tell(world, "n1", an_instance(WEB, epoch=1, host="n1"), an_order(an_instance(WEB, epoch=1, host="n1"), "Down"))


def another_proven(world: World) -> None:
    world.put_request(a_request("n1", session("n1", 2), status=PROVEN))


def proven(world: World) -> None:
    world.put_request(a_request("n1", status=PROVEN))


def asked(world: World) -> None:
    world.put_request(a_request("n1"))


def another_spoke(world: World) -> None:
    """The sealed session is known to nobody any more."""
    speak(world, "n1", session("n1", 2))


def no_assignment(world: World) -> None:
    world.drop_assignment("n1")


def no_lease(world: World) -> None:
    world.drop_lease("n1")


BOTH = [DeleteAssignment, DeleteLease]


@pytest.mark.parametrize(
    ("befall", "is_needed", "expected"),
    [
        pytest.param(nothing, False, [], id="it is there"),
        pytest.param(gone, False, BOTH, id="it is gone, and nothing is left of it"),
        pytest.param(all_of(gone, no_assignment), False, [DeleteLease], id="only its Lease is left"),
        pytest.param(all_of(gone, no_lease), False, [DeleteAssignment], id="only its orders are left"),
        pytest.param(gone, True, [], id="a service still speaks of it"),
        pytest.param(all_of(gone, holds), False, [], id="it holds something"),
        pytest.param(all_of(gone, unreadable("Host")), False, [], id="it only cannot be read"),
        pytest.param(all_of(gone, unreadable("HAInstance", "shop/x-0")), False, [], id="what holds something may not be readable"),
        pytest.param(all_of(gone, unreadable("HAService", "shop/x")), False, BOTH, id="other things may be unreadable"),
        pytest.param(all_of(gone, told()), False, [], id="it has still to learn that something is to stop"),
        pytest.param(all_of(gone, ordered), False, [], id="it has still to learn of a stop, and says nothing of it"),
        pytest.param(all_of(gone, told(released=True)), False, BOTH, id="what was to stop is over"),
        pytest.param(all_of(gone, told(), proven), False, BOTH, id="what was to stop is off with it"),
        pytest.param(
            all_of(gone, lambda w: report(w, WEB, "n1", "Running", epoch=1)), False, [], id="it runs what nobody ordered"
        ),
        pytest.param(all_of(gone, sealed), False, [], id="its seal has to meet it"),
        pytest.param(all_of(gone, sealed, proven), False, BOTH, id="its sealed session is proven to be over"),
        pytest.param(all_of(gone, sealed, asked), False, [], id="its sealed session is not proven to be over"),
        pytest.param(all_of(gone, sealed, another_proven), False, [], id="another session of it is proven to be over"),
        pytest.param(all_of(gone, sealed, another_spoke), False, [], id="its sealed session is known to nobody"),
        pytest.param(all_of(gone, asked), False, [], id="a fence is not over"),
        pytest.param(all_of(gone, lambda w: hold_by_nobody(w, "n1")), False, BOTH, id="nobody ever held its Lease"),
        pytest.param(leaving, False, [], id="it is being removed"),
        pytest.param(all_of(leaving, sealed, proven), False, BOTH, id="it is being removed, and proven to be off"),
        pytest.param(all_of(leaving, sealed), False, [], id="it is being removed, and sealed only"),
        pytest.param(all_of(leaving, proven), False, [], id="it is being removed, and renews"),
    ],
)  # fmt: skip
def test_when_what_was_made_for_a_host_goes(befall: Befall, is_needed: bool, expected: list[type]) -> None:
    world = a_world("n1")
    befall(world)
    found = of_removed_host(world, "n1", is_needed=is_needed)
    assert [type(one) for one in found] == expected
    asks = [HoldsNothing] if "n1" in world.hosts else [Gone, HoldsNothing]
    for one in found:
        assert isinstance(one, DeleteAssignment | DeleteLease) and [type(need) for need in one.needs] == asks
