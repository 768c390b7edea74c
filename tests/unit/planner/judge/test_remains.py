"""What may still run of an instance on a host: by what it was told, and by what it says."""

from __future__ import annotations

from typing import Any

import pytest

from backstay_api.objects.models.assignment import InstanceReport
from backstay_api.objects.models.claim import ClaimOwner
from backstay_operator.planner.judge.remains import instance_of, is_gone_from, left_of_service
from backstay_operator.planner.know.world import World
from backstay_testing import worlds
from backstay_testing.builders import (
    PROVEN,
    a_request,
    a_service,
    agent_session,
    an_assignment,
    an_instance,
    an_order,
    machine,
    session,
)
from backstay_testing.worlds import Befall, a_world, all_of, nothing, put, report, tell

WEB = a_service()
GRANTED, NEWER = session("n1", 5), session("n1", 6)
GONE = an_instance(WEB, epoch=3, host="n1", seq=5)
"""An HAInstance that is there no more; its order stands."""


@pytest.mark.parametrize(
    ("speaks", "says", "expected"),
    [
        pytest.param(None, None, False, id="nobody speaks"),
        pytest.param(GRANTED, None, False, id="the session that was told has not reported it yet"),
        pytest.param(NEWER, None, True, id="another session speaks, and does not list it"),
        pytest.param(NEWER, {"epoch": 3}, False, id="another session speaks, and lists it: it was carried over"),
        pytest.param(GRANTED, {"epoch": 3}, False, id="it is listed"),
        pytest.param(GRANTED, {"epoch": 3, "released": True}, True, id="it says that it is over"),
        pytest.param(GRANTED, {"epoch": 2, "released": True}, False, id="an earlier epoch is over"),
        pytest.param(GRANTED, {"epoch": 4}, True, id="it is at a later epoch"),
    ],
)  # fmt: skip
def test_what_a_host_has_nothing_left_of(speaks: Any, says: dict[str, Any] | None, expected: bool) -> None:
    assignment = an_assignment("n1", speaks=agent_session(speaks, machine("n1")) if speaks else None)
    if says:
        entry = {"namespace": "shop", "name": "web-0", "phase": "Stopped", **says}
        status = assignment.status.model_copy(update={"instances": {"uid": InstanceReport.model_validate(entry)}})
        assignment = assignment.model_copy(update={"status": status})
    assert is_gone_from(assignment, "uid", an_order(GONE)) is expected


def ordered(world: World) -> None:
    tell(world, "n1", GONE, an_order(GONE))


def says(*, uid: str = GONE.uid, **more: Any) -> Befall:
    return lambda world: report(world, WEB, "n1", "Running", epoch=3, uid=uid, **more)


def is_there(world: World) -> None:
    world.put_instance(GONE)


def proven_off(world: World) -> None:
    worlds.seal(world, "n1")
    world.put_request(a_request("n1", GRANTED, status=PROVEN))


@pytest.mark.parametrize(
    ("befall", "is_proven", "expected"),
    [
        pytest.param(nothing, False, False, id="nothing was ordered, nothing is said"),
        pytest.param(ordered, False, True, id="ordered"),
        pytest.param(says(), False, True, id="said"),
        pytest.param(says(uid="another"), False, True, id="said of another HAInstance of that name"),
        pytest.param(says(released=True), False, False, id="said to be over"),
        pytest.param(all_of(ordered, says(released=True)), False, False, id="ordered, and said to be over"),
        pytest.param(all_of(ordered, says(), proven_off), False, False, id="its host is proven off"),
        pytest.param(all_of(ordered, is_there), False, False, id="its HAInstance is there"),
        pytest.param(all_of(is_there, says(uid="another")), False, True, id="that of another UID is not"),
        pytest.param(says(service="db"), False, False, id="it is another service's, whatever the name of the HAInstance"),
        pytest.param(says(name="db-0"), False, True, id="it is this service's, whatever the name of the HAInstance"),
        pytest.param(says(service=""), False, True, id="an agent of an earlier release does not say whose it is"),
        pytest.param(ordered, True, False, id="its last epoch was closed: of what is exclusive nothing is left"),
        pytest.param(says(), True, True, id="of what nobody ordered nothing was proven"),
    ],
)  # fmt: skip
def test_what_is_left_of_a_service(befall: Befall, is_proven: bool, expected: bool) -> None:
    world = a_world("n1")
    worlds.speak(world, "n1", GRANTED)
    worlds.hold(world, "n1", GRANTED)
    befall(world)
    owner = ClaimOwner(namespace="shop", name="web", uid="uid-web")
    assert left_of_service(world, "n1", owner, is_proven=is_proven) is expected
    another = owner.model_copy(update={"namespace": "another"})
    assert not left_of_service(world, "n1", another, is_proven=is_proven)
    assert not left_of_service(world, "never-told", owner, is_proven=is_proven)


def test_an_order_is_about_the_instance_of_its_uid_alone() -> None:
    world = a_world("n1")
    there = put(world, WEB, epoch=3, host="n1")
    assert instance_of(world, there.uid, an_order(there)) is there
    assert instance_of(world, "another", an_order(there)) is None
    world.drop_instance(there.key)
    assert instance_of(world, there.uid, an_order(there)) is None
