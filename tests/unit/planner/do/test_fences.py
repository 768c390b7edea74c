"""What is done about the sessions of a host, as tables: late, silent, sealed, back again; what holds a fence back; what is owed after it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from backstay_api.objects.models import FenceRequest
from backstay_api.objects.object_kinds import Unreadable
from backstay_operator.planner.actions import Action, DeleteFence, RequestFence, SealLease, UpdateFence
from backstay_operator.planner.do.fences import fence_actions, guard, guards_refusal, held_back, owes_on
from backstay_operator.planner.know.world import World
from backstay_testing.builders import (
    OFF_IN_VAIN,
    ON_AGAIN,
    PROVEN,
    SWITCHED_OFF,
    a_host,
    a_request,
    a_service,
    an_instance,
    being_deleted,
    session,
    unit,
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
    say_ready,
    seal,
    silence,
    speak,
)


def scene() -> World:
    """n1 can be fenced, and holds web at epoch 2 for its session 1; n2 and n3 could take over."""
    world = a_world("n2", "n3")
    add_host(world, "n1", has_device=True)
    put(world, a_service(), epoch=2, host="n1")
    say_ready(world, a_service(), "n2", "n3")
    return world


def said(action: Action) -> str:
    match action:
        case RequestFence(spec=spec, why=why):
            return f"ask {spec.want}: {why}"
        case UpdateFence(want=want, why=why):
            return f"{want}: {why}"
        case DeleteFence(why=why):
            return f"delete: {why}"
        case SealLease(why=why):
            return f"seal: {why}"
        case _:
            return type(action).__name__


def done_about(world: World, host: str = "n1") -> list[str]:
    return [said(action) for action in fence_actions(world, guard(world), host)]


# --- what befalls n1 -------------------------------------------------------------------------------------------------


def late(world: World) -> None:
    silence(world, "n1", 1.0)


def silent(world: World) -> None:
    silence(world, "n1")


def sealed(world: World) -> None:
    silence(world, "n1")
    seal(world, "n1", ago_s=5.0)


def asked(request: FenceRequest) -> Befall:
    return lambda world: world.put_request(request)


def told(world: World) -> None:
    """What counts against the budget stands in the Host's status."""
    fences = [{"request": name, "at": "2026-01-01T00:00:00Z"} for name in world.requests]
    world.put_host(world.hosts["n1"].from_wire({**world.hosts["n1"].wire(), "status": {"fences": fences}}))


def counting(*, ago_s: float) -> Befall:
    """Its request has counted against the budget for so long."""

    def befall(world: World) -> None:
        for name in world.requests:
            world.fenced_s[name], world.fenced_host[name] = world.now_s - ago_s, "n1"

    return befall


def host(*, mode: str = "", has_device: bool = True, stays_off: bool = False) -> Befall:
    said = a_host("n1", mode=mode, has_device=has_device, after="StayOff" if stays_off else "On")
    return lambda world: world.hosts.update(n1=said)


HANDS_OFF = host(mode="HandsOff")
NO_DEVICE = host(has_device=False)


def holds_nothing(world: World) -> None:
    world.drop_instance("shop/web-0")


def holds_more(world: World) -> None:
    """Another session of it has been granted something."""
    put(world, a_service("log", unit("log")), epoch=1, host="n1")
    world.put_instance(an_instance(a_service("log", unit("log")), epoch=1, host="n1", seq=2))


def may_run_twice(world: World) -> None:
    put(world, a_service(exclusive=False), epoch=2, host="n1")


def released(world: World) -> None:
    report(world, a_service(), "n1", "Stopped", epoch=2, released=True)


def storm(world: World) -> None:
    silence(world, "n2", 10.0)


def nobody_takes_over(world: World) -> None:
    say_ready(world, a_service(), "n2", "n3", ready=False, why="masked")


def spent(world: World) -> None:
    """The budget is used up by others."""
    for number in range(3):
        world.fenced_s[f"r{number}"], world.fenced_host[f"r{number}"] = world.now_s - 10.0, "n2"


def untrusted(world: World) -> None:
    world.own_path = replace(world.own_path, healthy=False)


OBSERVE, OFF, WITHDRAWN = (asked(a_request("n1", want=want)) for want in ("Observe", "Off", "Withdrawn"))
READ_OFF = asked(a_request("n1", want="Observe", status={"power": "Off"}))
CONFIRMED = asked(a_request("n1", want="Observe", is_confirmed=True))
IS_PROVEN = asked(a_request("n1", status=PROVEN | SWITCHED_OFF))
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
            all_of(late, READ_OFF), ["seal: n1 is late, and its power was read off"], id="late, and read off: sealed at once"
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
            ["seal: n1 is late, and its power was read off"],
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


# --- sessions of the past --------------------------------------------------------------------------------------------


def returned(world: World) -> None:
    """It has booted, and its services are granted elsewhere by now."""
    speak(world, "n1", session("n1", 2))
    hold(world, "n1", session("n1", 2))
    holds_nothing(world)


def needed(world: World) -> None:
    world.put_instance(an_instance(a_service(), epoch=2, host="n1"))


def host_removed(world: World) -> None:
    world.drop_host("n1")


def host_unreadable(world: World) -> None:
    world.unreadable["Host", "n1"] = Unreadable("Host", "n1", "nonsense")


def host_leaving(world: World) -> None:
    world.hosts["n1"] = being_deleted(world.hosts["n1"])


def overtaken(world: World) -> None:
    """Another session holds its Lease, but has not reported yet."""
    hold(world, "n1", session("n1", 2))
    holds_nothing(world)


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
        pytest.param(all_of(CLOSED, OBSERVE), [], id="a look at the present session goes on"),
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
    ],
)  # fmt: skip
def test_what_is_done_about_sessions_of_the_past(befall: Befall, expected: list[str]) -> None:
    world = scene()
    befall(world)
    assert done_about(world) == expected


# --- the guard -------------------------------------------------------------------------------------------------------

IN_HANDS_OFF = "n1 is in maintenance (HandsOff): nobody is fenced"
NO_MEANS = "n1 has no fencing device, so sealing it would prove nothing"
LEFT_ALONE = "n1 is not fenced, because no other host could take over"
IN_STORM = "2 of 3 hosts fell silent together (n1, n2)"
SPENT = "the budget of 3 fences an hour is used up"


@pytest.mark.parametrize(
    ("befall", "held", "refused"),
    [
        pytest.param(silent, "", "", id="nothing stands against it"),
        pytest.param(all_of(silent, HANDS_OFF), IN_HANDS_OFF, "", id="maintenance"),
        pytest.param(all_of(silent, NO_DEVICE), NO_MEANS, "", id="no device"),
        pytest.param(all_of(silent, nobody_takes_over), LEFT_ALONE, LEFT_ALONE, id="nobody could take over"),
        pytest.param(all_of(silent, storm), IN_STORM, IN_STORM, id="a storm"),
        pytest.param(all_of(silent, spent), SPENT, SPENT, id="the budget"),
        pytest.param(all_of(sealed, storm), IN_STORM, IN_STORM, id="a storm over a sealed host"),
        pytest.param(all_of(sealed, nobody_takes_over), "", "", id="a sealed host is not left alone"),
        pytest.param(all_of(silent, storm, READ_OFF), "", "", id="what is read off needs no guard"),
        pytest.param(all_of(silent, storm, CONFIRMED), "", "", id="what a person confirms needs none"),
        pytest.param(all_of(sealed, storm, OFF), IN_STORM, "", id="what is ordered is not refused any more"),
        pytest.param(all_of(late, storm), IN_STORM, "", id="a late host is not refused yet"),
        # Which is said first.
        pytest.param(all_of(silent, HANDS_OFF, CONFIRMED), "", "", id="a person's word before maintenance"),
        pytest.param(all_of(silent, HANDS_OFF, READ_OFF), IN_HANDS_OFF, "", id="maintenance before a read"),
        pytest.param(all_of(silent, NO_DEVICE, READ_OFF), "", "", id="a read before the lack of a device"),
        pytest.param(all_of(silent, NO_DEVICE, storm), NO_MEANS, "", id="no device before a storm"),
        pytest.param(all_of(silent, nobody_takes_over, storm), LEFT_ALONE, LEFT_ALONE, id="left alone before a storm"),
        pytest.param(all_of(silent, nobody_takes_over, spent), LEFT_ALONE, LEFT_ALONE, id="left alone before the budget"),
        pytest.param(all_of(silent, storm, spent), IN_STORM, IN_STORM, id="a storm before the budget"),
    ],
)  # fmt: skip
def test_what_holds_a_fence_back_and_which_reason_is_told(befall: Befall, held: str, refused: str) -> None:
    world = scene()
    befall(world)
    found = guard(world)
    for told_, expected in ((held_back(world, found, "n1"), held), (guards_refusal(world, found, "n1"), refused)):
        assert (told_ or "").startswith(expected) and bool(told_) == bool(expected)


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
        pytest.param(a_request("n1", status=OFF_IN_VAIN), nothing, False, id="the off did nothing"),
    ],
)  # fmt: skip
def test_whether_an_on_is_owed(request_: FenceRequest, befall: Befall, owes: bool) -> None:
    world = scene()
    befall(world)
    assert owes_on(world, request_) is owes


@pytest.mark.parametrize(
    ("befall", "after", "machine"),
    [
        pytest.param(nothing, "On", "machine-n1", id="as its grant and its Host say"),
        pytest.param(host(stays_off=True), "StayOff", "machine-n1", id="its Host is to stay off"),
        pytest.param(host_removed, "On", "machine-n1", id="its Host is gone"),
    ],
)
def test_what_a_new_request_says(befall: Befall, after: str, machine: str) -> None:
    world = scene()
    befall(world)
    silence(world, "n1", 1.0)
    (made,) = fence_actions(world, guard(world), "n1")
    assert isinstance(made, RequestFence)
    assert (made.spec.host, made.spec.session, made.spec.machine_uuid, made.spec.after) == (
        "n1",
        session("n1"),
        machine,
        after,
    )


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
        pytest.param(READ_OFF, ["seal: n1 is silent, and its power was read off"], id="read off: sealed, so that it counts"),
        pytest.param(
            asked(a_request("n1", want="Withdrawn", is_confirmed=True)), [SEAL_CONFIRMED], id="confirmed in the one before"
        ),
        pytest.param(all_of(lambda w: hold(w, "n1", session("n1")), sealed, CONFIRMED), [], id="sealed: it counts"),
        pytest.param(all_of(lambda w: hold(w, "n1", session("n1")), sealed), [ASK], id="sealed, and nobody has said anything"),
        pytest.param(all_of(CONFIRMED, lambda w: hold(w, "n1", session("n1", 2))), [GONE], id="a newer one has the Lease"),
        pytest.param(lambda w: silence(w, "n1", 0.0), [], id="it may still take its Lease"),
        pytest.param(all_of(CONFIRMED, lambda w: silence(w, "n1", 0.0)), [], id="confirmed, and it may still take its Lease"),
        pytest.param(all_of(CONFIRMED, untrusted), [], id="that may be our own trouble"),
        pytest.param(HANDS_OFF, [], id="in HandsOff not even its power is read"),
        pytest.param(all_of(READ_OFF, HANDS_OFF), [], id="in HandsOff what was read off before seals nobody"),
        pytest.param(all_of(CONFIRMED, HANDS_OFF), [SEAL_CONFIRMED], id="in HandsOff a person's word counts"),
        pytest.param(over, [], id="what it ran is over"),
        pytest.param(all_of(over, CONFIRMED), [GONE], id="over, and confirmed"),
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
    (action,) = fence_actions(world, guard(world), "n1")
    assert isinstance(action, SealLease) and action.session == session("n1")
