"""What is done about sessions that no longer hold the Lease of their host: their requests, and the `on` that is owed."""

from __future__ import annotations

import pytest

from backstay_api.objects.kinds import Raw
from backstay_api.objects.models import FenceRequest
from backstay_api.objects.object_kinds import Unreadable
from backstay_operator.planner.actions import DeleteFence
from backstay_operator.planner.do.fence_guard import fence_guard
from backstay_operator.planner.do.fences import fence_actions, owes_on
from backstay_operator.planner.know.world import World
from backstay_testing.builders import (
    OFF_IN_VAIN,
    ON_AGAIN,
    PROVEN,
    SWITCHED_OFF,
    a_request,
    a_service,
    an_instance,
    being_deleted,
    session,
)
from backstay_testing.fences import (
    IS_PROVEN,
    NO_DEVICE,
    OBSERVE,
    OFF,
    WITHDRAWN,
    asked,
    counting,
    done_about,
    holds_more,
    holds_nothing,
    host,
    host_removed,
    scene,
    sealed,
    told,
)
from backstay_testing.worlds import Befall, all_of, hold, nothing, speak


def returned(world: World) -> None:
    """It has booted, and its services are granted elsewhere by now."""
    speak(world, "n1", session("n1", 2))
    hold(world, "n1", session("n1", 2))
    holds_nothing(world)


def needed(world: World) -> None:
    world.put_instance(an_instance(a_service(), epoch=2, host="n1"))


def host_unreadable(world: World) -> None:
    world.unreadable["Host", "n1"] = Unreadable("Host", "n1", "nonsense")


def host_leaving(world: World) -> None:
    world.hosts["n1"] = being_deleted(world.hosts["n1"])


def overtaken(world: World) -> None:
    """Another session holds its Lease, but has not reported yet."""
    hold(world, "n1", session("n1", 2))
    holds_nothing(world)


def tried(**more: str) -> Raw:
    (attempt,) = SWITCHED_OFF["attempts"]
    return {"attempts": [attempt | more]}


OWES = asked(a_request("n1", status=SWITCHED_OFF))
OWES_NOT = asked(a_request("n1", status=SWITCHED_OFF | ON_AGAIN))
OFF_AGAIN = asked(a_request("n1", status=PROVEN | SWITCHED_OFF | ON_AGAIN))
CLOSED = all_of(sealed, holds_nothing)


@pytest.mark.parametrize(
    ("befall", "expected"),
    [
        pytest.param(all_of(returned, OFF, told), ["delete: n1 has returned with session 2"], id="it has returned"),
        pytest.param(all_of(returned, OFF, told, needed), [], id="what it held is still open"),
        pytest.param(
            all_of(returned, OWES, told),
            ["Withdrawn: nothing that session of n1 held is open any more"],
            id="it has returned, and an on is owed: no more offs",
        ),
        pytest.param(all_of(returned, OWES_NOT, told), ["delete: n1 has returned with session 2"], id="it was switched on"),
        pytest.param(
            all_of(returned, OWES, host(stays_off=True), told),
            ["delete: n1 has returned with session 2"],
            id="it is to stay off: nothing is owed",
        ),
        pytest.param(
            all_of(returned, asked(a_request("n1", after="StayOff", status=SWITCHED_OFF)), told),
            ["delete: n1 has returned with session 2"],
            id="it was to stay off when it was asked for",
        ),
        pytest.param(
            all_of(returned, OWES, NO_DEVICE, told),
            ["delete: n1 has returned with session 2"],
            id="the device is none of the host's any more",
        ),
        pytest.param(all_of(returned, OFF_AGAIN), [], id="it counts, and no Host tells of it"),
        pytest.param(CLOSED, [], id="nothing was asked"),
        pytest.param(all_of(CLOSED, IS_PROVEN), [], id="proven: it is still to be switched on"),
        pytest.param(
            all_of(CLOSED, OFF),
            ["Withdrawn: nothing that session of n1 held is open any more"],
            id="not proven, and nobody needs it any more",
        ),
        pytest.param(
            all_of(CLOSED, OBSERVE),
            ["Withdrawn: nothing waits for the end of that session any more"],
            id="a look at the present session, for which nothing waits any more, ends",
        ),
        pytest.param(
            all_of(overtaken, OBSERVE), ["Withdrawn: another session holds the Lease of n1"], id="a look at an earlier session ends"
        ),
        pytest.param(all_of(overtaken, WITHDRAWN), [], id="it has ended"),
        pytest.param(all_of(CLOSED, OFF_AGAIN, host_removed), ["delete: n1 has been removed"], id="its Host is gone"),
        pytest.param(all_of(CLOSED, OFF_AGAIN, host_removed, host_unreadable), [], id="its Host only cannot be read"),
        pytest.param(
            all_of(CLOSED, OFF_AGAIN, told, host_leaving),
            ["delete: n1 is being removed, and need not be switched on"],
            id="its Host is being removed",
        ),
        pytest.param(
            all_of(CLOSED, OFF_AGAIN, told, host_leaving, holds_more), [], id="its Host is being removed, and holds something"
        ),
        pytest.param(all_of(CLOSED, OFF_AGAIN, counting(ago_s=3599.0), told), [], id="it was switched on lately"),
        pytest.param(
            all_of(CLOSED, OFF_AGAIN, counting(ago_s=3600.0)),
            ["delete: n1 was powered on again more than an hour ago"],
            id="it was switched on an hour ago",
        ),
        pytest.param(
            all_of(CLOSED, asked(a_request("n1", status=PROVEN)), counting(ago_s=3600.0)), [], id="it was off anyway, and is still"
        ),
        pytest.param(
            all_of(CLOSED, OFF_AGAIN, told, lambda w: w.drop_assignment("n1")), [], id="somebody has deleted its HostAssignment"
        ),
    ],
)  # fmt: skip
def test_what_is_done_about_sessions_of_the_past(befall: Befall, expected: list[str]) -> None:
    world = scene()
    befall(world)
    assert done_about(world) == expected


@pytest.mark.parametrize(
    ("befall", "expected"),
    [
        pytest.param(all_of(returned, OFF, told), [], id="it has returned"),
        pytest.param(all_of(CLOSED, OFF_AGAIN, host_removed), ["Gone", "HoldsNothing"], id="we know of no such Host"),
        pytest.param(all_of(CLOSED, OFF_AGAIN, told, host_leaving), ["HoldsNothing"], id="it is being removed"),
    ],
)
def test_what_the_api_server_must_say_before_a_request_is_forgotten(befall: Befall, expected: list[str]) -> None:
    """A view that has begun with an old list may lack the Host, and what it holds; the request may be the last that tells of a seal."""
    world = scene()
    befall(world)
    (deletion,) = [one for one in fence_actions(world, fence_guard(world), "n1") if isinstance(one, DeleteFence)]
    assert [type(need).__name__ for need in deletion.needs] == expected


@pytest.mark.parametrize(
    ("request_", "befall", "owes"),
    [
        pytest.param(a_request("n1"), nothing, False, id="no off was sent"),
        pytest.param(a_request("n1", status=SWITCHED_OFF), nothing, True, id="an off of ours was sent"),
        pytest.param(a_request("n1", status=SWITCHED_OFF | ON_AGAIN), nothing, False, id="it is on again"),
        pytest.param(a_request("n1", want="Withdrawn", status=SWITCHED_OFF), nothing, True, id="it was withdrawn since"),
        pytest.param(a_request("n1", after="StayOff", status=SWITCHED_OFF), nothing, False, id="it was to stay off"),
        pytest.param(a_request("n1", status=SWITCHED_OFF), host(stays_off=True), False, id="it is to stay off"),
        pytest.param(a_request("n1", status=SWITCHED_OFF), NO_DEVICE, False, id="the device is none of the host's"),
        pytest.param(a_request("n1", status=SWITCHED_OFF), host_removed, True, id="its Host is gone"),
        pytest.param(a_request("n1", status=tried(action="on")), nothing, False, id="only an on was sent"),
        pytest.param(a_request("n1", status=tried(level="pdu")), nothing, False, id="by a level that is none of the host's"),
        pytest.param(a_request("n1", status=tried(device="pdu")), nothing, False, id="by a device that is none of the level's"),
        pytest.param(a_request("n1", status=OFF_IN_VAIN), nothing, False, id="the off did nothing"),
    ],
)  # fmt: skip
def test_whether_an_on_is_owed(request_: FenceRequest, befall: Befall, owes: bool) -> None:
    world = scene()
    befall(world)
    assert owes_on(world, request_) is owes
