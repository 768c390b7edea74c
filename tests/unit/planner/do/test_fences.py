"""What is done about the sessions of a host, as tables: late, silent, sealed, asked about, said to be off."""

from __future__ import annotations

from dataclasses import replace

import pytest

from backstay_operator.planner.actions import SealLease
from backstay_operator.planner.do.fence_guard import fence_guard
from backstay_operator.planner.do.fences import fence_actions
from backstay_operator.planner.know.world import World
from backstay_testing.builders import PROVEN, SWITCHED_OFF, a_request, a_service, being_deleted, session, unit
from backstay_testing.fences import (
    CONFIRMED,
    HANDS_OFF,
    IS_PROVEN,
    NO_DEVICE,
    OBSERVE,
    OFF,
    READ_OFF,
    WITHDRAWN,
    asked,
    counting,
    done_about,
    holds_more,
    holds_nothing,
    late,
    nobody_takes_over,
    scene,
    sealed,
    silent,
    spent,
    storm,
    told,
)
from backstay_testing.worlds import (
    Befall,
    a_world,
    add_host,
    all_of,
    hold,
    hold_by_nobody,
    nothing,
    put,
    renew,
    report,
    seal,
    silence,
    speak,
)


def may_run_twice(world: World) -> None:
    put(world, a_service(exclusive=False), epoch=2, host="n1")


def released(world: World) -> None:
    report(world, a_service(), "n1", "Stopped", epoch=2, released=True)


def untrusted(world: World) -> None:
    world.own_path = replace(world.own_path, healthy=False)


LOOK_LATE, LOOK_SILENT, LOOK_SEALED = (f"ask Observe: n1 is {state}" for state in ("suspect", "silent", "sealed"))
SEAL = "seal: n1 is silent: three renewals in a row are missing"
SEAL_CONFIRMED = "seal: n1 is silent, and eve has confirmed that it is powered off"
CUT = "n1 was silent; its session is sealed and must be proven to be over"
FALSE_ALARM = "Withdrawn: n1 has renewed its Lease: it was a false alarm"
GIVEN_UP = "delete: somebody has deleted it, and it owes nothing"


@pytest.mark.parametrize(
    ("befall", "expected"),
    [
        pytest.param(nothing, [], id="it renews"),
        pytest.param(all_of(late, lambda w: w.leases.clear()), [], id="it has no Lease"),
        pytest.param(all_of(late, lambda w: hold_by_nobody(w, "n1")), [], id="nobody has ever held its Lease"),
        # Late.
        pytest.param(late, [LOOK_LATE], id="late: its power is read"),
        pytest.param(all_of(late, OBSERVE), [], id="late: it is being read already"),
        pytest.param(all_of(late, OFF), [], id="late: an Off is not weakened to a look"),
        pytest.param(all_of(late, holds_nothing), [], id="late: it holds nothing"),
        pytest.param(all_of(late, may_run_twice), [], id="late: what it holds may run twice"),
        pytest.param(all_of(late, lambda w: hold(w, "n1", session("n1", 2))), [], id="late: this session holds nothing"),
        pytest.param(all_of(late, untrusted), [], id="late: that may be our own trouble"),
        pytest.param(all_of(late, HANDS_OFF), [], id="late: in HandsOff not even its power is read"),
        pytest.param(
            all_of(late, READ_OFF), ["seal: n1 is late, and its fencing device says that it is off"], id="late, and read off: sealed at once"
        ),
        pytest.param(all_of(late, CONFIRMED), [], id="late: a person's word does not seal what may renew in a moment"),
        pytest.param(
            all_of(late, asked(a_request("n1", want="Withdrawn", status={"power": "Off"}))),
            ["delete: n1 is suspect again: its power is read afresh"],
            id="late again: what was read before the false alarm is no news",
        ),
        pytest.param(
            all_of(late, WITHDRAWN, counting(ago_s=10.0)), [], id="late again: a request that counts and is not told stays"
        ),
        pytest.param(
            all_of(late, WITHDRAWN, counting(ago_s=10.0), told),
            ["delete: n1 is suspect again: its power is read afresh"],
            id="late again: a request that is told goes",
        ),
        pytest.param(
            all_of(late, asked(a_request("n1", want="Withdrawn", status=SWITCHED_OFF))),
            ["Observe: n1 is suspect"],
            id="late again: a request that owes an on is used again",
        ),
        pytest.param(
            all_of(late, asked(a_request("n1", want="Withdrawn", status={"power": "On"} | PROVEN))),
            [],
            id="late again: a proof does not go before it is used",
        ),
        # Silent.
        pytest.param(silent, [LOOK_SILENT, SEAL], id="silent: sealed"),
        pytest.param(all_of(silent, OBSERVE), [SEAL], id="silent: it is being read already"),
        pytest.param(all_of(silent, untrusted), [], id="silent: that may be our own trouble"),
        pytest.param(all_of(silent, CONFIRMED), [SEAL_CONFIRMED], id="silent, and a person has confirmed it off"),
        pytest.param(
            all_of(silent, NO_DEVICE, CONFIRMED), [SEAL_CONFIRMED], id="silent: a person's word needs no device"
        ),
        pytest.param(
            all_of(silent, HANDS_OFF, CONFIRMED), [SEAL_CONFIRMED], id="silent: a person's word counts in HandsOff"
        ),
        pytest.param(
            all_of(silent, storm, CONFIRMED), [SEAL_CONFIRMED], id="silent: a person's word counts in a storm"
        ),
        pytest.param(all_of(silent, HANDS_OFF), [], id="silent: in HandsOff nothing is done"),
        pytest.param(all_of(silent, HANDS_OFF, READ_OFF), [], id="silent: in HandsOff not even if it is read off"),
        pytest.param(all_of(silent, NO_DEVICE), [LOOK_SILENT], id="silent: without a device a seal proves nothing"),
        pytest.param(all_of(silent, nobody_takes_over), [LOOK_SILENT], id="silent: nobody could take over"),
        pytest.param(all_of(silent, storm), [LOOK_SILENT], id="silent: a storm"),
        pytest.param(all_of(silent, spent), [LOOK_SILENT], id="silent: the budget is used up"),
        pytest.param(
            all_of(silent, storm, READ_OFF),
            ["seal: n1 is late, and its fencing device says that it is off"],
            id="silent in a storm, and read off: no guard is needed",
        ),
        # Sealed.
        pytest.param(sealed, [f"ask Off: {CUT}"], id="sealed: it is cut off"),
        pytest.param(all_of(sealed, OBSERVE), [f"Off: {CUT}"], id="sealed: from a look to an Off"),
        pytest.param(all_of(sealed, OFF), [], id="sealed: that is ordered already"),
        pytest.param(all_of(sealed, IS_PROVEN), [], id="sealed: it is proven"),
        pytest.param(all_of(sealed, CONFIRMED), [], id="sealed: a person's word is the proof"),
        pytest.param(all_of(sealed, released), [], id="sealed: it has stopped everything itself"),
        pytest.param(
            all_of(sealed, released, holds_more), [], id="sealed: what another session of the host holds is not this one's to prove"
        ),
        pytest.param(all_of(sealed, holds_nothing), [], id="sealed: it holds nothing"),
        pytest.param(all_of(sealed, NO_DEVICE), [LOOK_SEALED], id="sealed: without a device"),
        pytest.param(all_of(sealed, NO_DEVICE, READ_OFF), [], id="sealed: without a device there is no Off, whatever was read"),
        pytest.param(all_of(sealed, storm), [LOOK_SEALED], id="sealed: a storm has begun since"),
        pytest.param(all_of(sealed, storm, OFF), [], id="sealed: what was ordered stays ordered in a storm"),
        pytest.param(all_of(sealed, spent), [LOOK_SEALED], id="sealed: the budget is used up"),
        pytest.param(
            all_of(sealed, nobody_takes_over),
            [f"ask Off: {CUT}"],
            id="sealed: what was begun is brought to its end though nobody could take over",
        ),
        pytest.param(all_of(sealed, HANDS_OFF), [], id="sealed: in HandsOff nothing is ordered"),
        pytest.param(
            all_of(sealed, HANDS_OFF, OFF), ["Withdrawn: n1 is in maintenance (HandsOff)"], id="sealed: HandsOff takes an Off back"
        ),
        # Back again.
        pytest.param(OBSERVE, [FALSE_ALARM], id="back: the look ends"),
        pytest.param(OFF, [FALSE_ALARM], id="back: the Off ends"),
        pytest.param(WITHDRAWN, [], id="back: it has ended"),
        pytest.param(IS_PROVEN, [], id="back: what is proven is not taken back"),
        pytest.param(
            all_of(CONFIRMED, lambda w: renew(w, "n1")),
            ["delete: eve has confirmed that n1 is powered off, but it has renewed its Lease since: that does not count"],
            id="back: a person's word was not true",
        ),
        pytest.param(
            all_of(asked(a_request("n1", is_confirmed=True, status=PROVEN)), lambda w: renew(w, "n1")),
            [],
            id="back: what is proven besides stays, though a person's word was not true",
        ),
        pytest.param(
            all_of(CONFIRMED, lambda w: renew(w, "n1"), silent),
            ["delete: eve has confirmed that n1 is powered off, but it has renewed its Lease since: that does not count"],
            id="silent again: a word that was not true never counts",
        ),
        # Somebody has deleted the request.
        pytest.param(all_of(silent, asked(being_deleted(a_request("n1"))), told), [GIVEN_UP], id="deleted: it goes, and nothing else is done"),
        pytest.param(
            all_of(sealed, asked(being_deleted(a_request("n1", status=SWITCHED_OFF))), told),
            [],
            id="deleted: it stays while it owes an on",
        ),
        pytest.param(
            all_of(silent, asked(being_deleted(a_request("n1"))), counting(ago_s=10.0)),
            [SEAL],
            id="deleted: it stays until its Host tells of it",
        ),
    ],
)  # fmt: skip
def test_what_is_done_about_the_session_that_holds_the_lease(befall: Befall, expected: list[str]) -> None:
    world = scene()
    befall(world)
    assert done_about(world) == expected


# --- a session that holds nothing, and for whose end a first epoch waits ----------------------------------------------


def awaiting() -> World:
    """n1 said last that it runs web for an HAInstance that is gone; another waits, and nobody holds the Lease of n1."""
    world = a_world("n2", "n3")
    add_host(world, "n1", has_device=True)
    put(world, a_service(), epoch=0)
    report(world, a_service(), "n1", "Running", epoch=3, uid="uid-gone")
    hold_by_nobody(world, "n1")
    silence(world, "n1")
    return world


def over(world: World) -> None:
    report(world, a_service(), "n1", "Running", epoch=3, uid="uid-gone", released=True)


def runs_twice(world: World) -> None:
    put(world, a_service(exclusive=False), epoch=0)


def reopens_for_it(world: World) -> None:
    """Its second session speaks and was confirmed off; the Lease is sealed for its first."""
    speak(world, "n1", session("n1", 2))
    hold(world, "n1", session("n1"))
    sealed(world)
    world.put_request(a_request("n1", session("n1", 2), want="Observe", is_confirmed=True))


def holds_log(world: World) -> None:
    hold(world, "n1", session("n1"))
    silence(world, "n1")
    put(world, a_service("log", unit("log")), epoch=1, host="n1")


GONE = "Withdrawn: another session holds the Lease of n1"
ASK = "ask Observe: shop/web-0 waits for what n1 was running for an HAInstance that is gone"


@pytest.mark.parametrize(
    ("befall", "expected"),
    [
        pytest.param(nothing, [ASK], id="somebody is asked"),
        pytest.param(lambda w: hold(w, "n1", session("n1")), [ASK], id="the same where it holds its Lease, and is silent"),
        pytest.param(OBSERVE, [], id="it is being asked, and that is not taken back"),
        pytest.param(
            WITHDRAWN, [f"delete: {ASK.partition(': ')[2]} again: its power is read afresh"], id="asked before: afresh"
        ),
        pytest.param(OFF, ["Withdrawn: nothing that session of n1 held is open any more"], id="it is never switched off"),
        pytest.param(CONFIRMED, [SEAL_CONFIRMED], id="confirmed: sealed, so that it counts"),
        pytest.param(READ_OFF, ["seal: n1 is silent, and its fencing device says that it is off"], id="read off: sealed, so that it counts"),
        pytest.param(
            asked(a_request("n1", want="Withdrawn", is_confirmed=True)), [SEAL_CONFIRMED], id="confirmed in the one before"
        ),
        pytest.param(all_of(lambda w: hold(w, "n1", session("n1")), sealed, CONFIRMED), [], id="sealed: it counts"),
        pytest.param(all_of(lambda w: hold(w, "n1", session("n1")), sealed), [ASK], id="sealed, and nobody has said anything"),
        pytest.param(all_of(CONFIRMED, lambda w: hold(w, "n1", session("n1", 2))), [GONE], id="a newer one has the Lease"),
        pytest.param(all_of(OBSERVE, lambda w: hold(w, "n1", session("n1", 2))), [GONE], id="a newer one has it, and the power was only read"),
        pytest.param(reopens_for_it, [], id="an older session is sealed: the Lease is reopened for this one first"),
        pytest.param(lambda w: seal(w, "n1"), [ASK], id="sealed a moment ago"),
        pytest.param(holds_log, [LOOK_SILENT], id="it holds something besides: that is looked at"),
        pytest.param(lambda w: silence(w, "n1", 0.0), [], id="it may still take its Lease"),
        pytest.param(all_of(CONFIRMED, lambda w: silence(w, "n1", 0.0)), [], id="confirmed, and it may still take its Lease"),
        pytest.param(all_of(CONFIRMED, untrusted), [], id="that may be our own trouble"),
        pytest.param(HANDS_OFF, [], id="in HandsOff not even its power is read"),
        pytest.param(all_of(READ_OFF, HANDS_OFF), [], id="in HandsOff what was read off before seals nobody"),
        pytest.param(all_of(CONFIRMED, HANDS_OFF), [SEAL_CONFIRMED], id="in HandsOff a person's word counts"),
        pytest.param(over, [], id="what it ran is over"),
        pytest.param(all_of(over, CONFIRMED), [GONE], id="over, and confirmed"),
        pytest.param(
            all_of(over, OBSERVE, lambda w: hold(w, "n1", session("n1")), silent),
            ["Withdrawn: nothing waits for the end of that session any more"],
            id="over, though it is as silent as before",
        ),
        pytest.param(runs_twice, [], id="what may run twice waits for nobody"),
        pytest.param(lambda w: w.assignments.pop("n1"), [], id="it says nothing"),
    ],
)  # fmt: skip
def test_what_a_first_epoch_waits_for_is_asked_and_sealed_once_it_is_said_to_be_off(
    befall: Befall, expected: list[str]
) -> None:
    world = awaiting()
    befall(world)
    assert done_about(world) == expected


def test_a_lease_that_nobody_holds_is_sealed_in_the_name_of_the_session_that_is_off() -> None:
    world = awaiting()
    CONFIRMED(world)
    (action,) = fence_actions(world, fence_guard(world), "n1")
    assert isinstance(action, SealLease) and action.session == session("n1")


def test_a_lease_of_its_own_is_sealed_in_its_own_name() -> None:
    world = awaiting()
    all_of(lambda w: hold(w, "n1", session("n1")), silent, CONFIRMED)(world)
    (action,) = fence_actions(world, fence_guard(world), "n1")
    assert isinstance(action, SealLease) and action.session is None
