"""Small rules of the protocol that nothing larger notices when they go: each is one sentence here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from backstay_api.objects import lease as leases
from backstay_api.objects.object_kinds import HOST_ASSIGNMENTS
from backstay_operator.control.watch.cache import seen_now
from backstay_operator.planner.actions import WriteInstance
from backstay_operator.planner.do.orders import merge_forward
from backstay_operator.planner.know import sessions
from backstay_testing.stage import Stage, running, steps
from backstay_testing.worlds import a_world

HELD = replace(leases.new("n1"), holder="boot/a", seq=2, renewal=5)


@pytest.mark.parametrize(
    ("lease", "is_over"),
    [
        pytest.param(HELD, False, id="it holds its lease"),
        pytest.param(replace(HELD, sealed=True), True, id="sealed"),
        pytest.param(replace(HELD, holder="boot/b", seq=3), True, id="a newer session holds it"),
        pytest.param(replace(HELD, holder="boot/0", seq=1, sealed=True), False, id="an older one was sealed"),
    ],
)
def test_a_session_is_over_when_it_is_sealed_or_followed(lease: leases.HostLease, is_over: bool) -> None:
    assert leases.is_over(lease, holder="boot/a", seq=2) is is_over


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda lease: replace(lease, renewal=0), id="reopened for it, and not renewed yet"),
        pytest.param(lambda lease: replace(lease, seq=9), id="of another number"),
        pytest.param(lambda lease: replace(lease, holder="boot/other"), id="of somebody else"),
        pytest.param(leases.HostLease.sealed_, id="sealed"),
    ],
)
def test_a_grant_goes_only_to_a_session_that_has_renewed_this_very_lease(
    change: Callable[[leases.HostLease], leases.HostLease],
) -> None:
    world = a_world("n2")
    assert sessions.live(world, "n2") is not None
    seen = world.leases["n2"]
    world.leases["n2"] = replace(seen, lease=change(seen.lease))
    assert sessions.live(world, "n2") is None


def test_a_renewal_is_seen_to_move_only_within_one_session() -> None:
    first = seen_now(None, HELD, now_s=1.0)
    assert first.moved_s is None, "the first look shows no movement"
    assert seen_now(first, replace(HELD, renewal=6), now_s=2.0).moved_s == 2.0
    assert seen_now(first, replace(HELD, sealed=True), now_s=2.0).moved_s is None, "a seal is no renewal"
    assert seen_now(first, replace(HELD, holder="boot/b", seq=3, renewal=1), now_s=2.0).moved_s is None


def test_nothing_is_granted_before_its_address_is_claimed() -> None:
    stage = Stage("n1", "n2")
    stage.wait(1)
    stage.apply_service(resources=[{"name": "ip", "virtualIP": {"address": "192.0.2.10/24"}}])
    done = steps(stage.wait(1), "CreateClaim", "SetFinalizer", "WriteInstance")
    assert done.index("CreateClaim 192.0.2.10") < done.index("WriteInstance epoch 1 to n1")
    assert done.index("SetFinalizer web on") < done.index("WriteInstance epoch 1 to n1")


@pytest.mark.parametrize("was", ["Up", "Down"])
def test_an_order_of_an_epoch_under_another_session_is_put_right_and_what_was_told_to_stop_stays_stopped(
    was: str,
) -> None:
    """An epoch has one session for ever: a hand has been in there."""
    stage = running()
    right = stage.world.assignments["n1"].spec
    ((uid, order),) = right.instances.items()
    of_another = order.session.model_copy(update={"nonce": "another"})
    wrong = order.model_copy(update={"session": of_another, "want": was})
    merged = merge_forward(right.model_copy(update={"instances": {uid: wrong}}), right)
    assert merged.instances[uid] == order.model_copy(update={"want": was})


def test_an_order_that_a_hand_has_turned_to_another_session_is_turned_back() -> None:
    stage = running()
    ((uid, order),) = stage.world.assignments["n1"].spec.instances.items()
    stage.edit(HOST_ASSIGNMENTS, "n1", spec={"instances": {uid: {"session": {"nonce": "another"}}}})
    stage.wait(1)
    assert steps(stage.log, "Assign") == ["Assign n1"] and stage.copies() == ["n1"]
    assert stage.world.assignments["n1"].spec.instances[uid] == order


def test_for_a_grant_the_api_server_is_asked_once_more_for_service_host_and_all_that_it_names() -> None:
    stage = running("n1", "n2")
    writes = [one for made in stage.plans for one in made.actions if isinstance(one, WriteInstance)]
    granted = next(one for one in writes if one.spec.grant is not None)
    asked = {(type(need).__name__, getattr(need, "kind", "")) for need in granted.needs}
    assert asked >= {("Still", "HAService"), ("Still", "Host"), ("Owned", "")}, granted.needs
