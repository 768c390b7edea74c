"""What people are told of a host, as tables: does it live, could it be fenced, may services come; and when that is written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from backstay_api.objects.models import HostAssignment
from backstay_api.objects.models.host import HostStatus
from backstay_api.objects.object_kinds import Unreadable
from backstay_api.objects.promise import FENCE_TEST_EVERY_S
from backstay_operator.planner.know.world import OwnPath, World
from backstay_operator.planner.tell.host_status import host_status
from backstay_testing.builders import a_host, a_service, an_assignment, being_deleted, session, unit
from backstay_testing.worlds import (
    Befall,
    a_world,
    all_of,
    find,
    hold,
    nothing,
    put,
    seal,
    shut_down,
    silence,
)

TESTED: Mapping[str, object] = {"ready": True, "checkedAt": "2026-03-01T11:00:00Z", "message": "bmc says on"}


def told(world: World, missing: str = "") -> HostStatus:
    """What its status would be; what is so already stays."""
    (host,) = world.hosts.values()
    patch = host_status(world, host, missing=missing)
    return host.status if patch is None else HostStatus.model_validate(patch)


def condition(status: HostStatus, kind: str) -> tuple[str, str, str]:
    found = next(one for one in status.conditions if one.type == kind)
    return found.status, found.reason, found.message


def write(world: World, **more: object) -> None:
    """The status has been written."""
    (host,) = world.hosts.values()
    patch = host_status(world, host) or {}
    status = {**host.status.wire(), **{name: value for name, value in patch.items() if value is not None}, **more}
    world.hosts[host.key] = host.from_wire({**host.wire(), "status": status})


# --- does it live ----------------------------------------------------------------------------------------------------


def late(world: World) -> None:
    silence(world, "n1", 1.0)


def silent(world: World) -> None:
    silence(world, "n1")


def sealed(world: World) -> None:
    seal(world, "n1")


def going_down(world: World) -> None:
    shut_down(world, "n1")


def unread(kind: str) -> Befall:
    return lambda world: world.unreadable.update({(kind, "n1"): Unreadable(kind, "n1", "no number")})


def unreported(world: World) -> None:
    world.put_assignment(an_assignment("n1"))


def untrusted(world: World) -> None:
    world.own_path = replace(world.own_path, healthy=False)


NO_DEVICE = "it has no fencing device"
READY = [
    pytest.param(nothing, "", ("True", "Alive", "Its agent renews its lease"), id="it lives"),
    pytest.param(nothing, NO_DEVICE, ("True", "Alive", NO_DEVICE), id="it lives, and something is waited for"),
    pytest.param(going_down, "", ("False", "ShuttingDown", "n1 is shutting down: reboot"), id="it shuts down"),
    pytest.param(
        going_down,
        NO_DEVICE,
        ("False", "ShuttingDown", f"n1 is shutting down: reboot; {NO_DEVICE}"),
        id="it shuts down, and something is waited for",
    ),
    pytest.param(late, "", ("Unknown", "Late", "n1 is late with its heartbeat"), id="late is not dead"),
    pytest.param(silent, "", ("False", "Silent", "n1 has been silent for 30 s"), id="silent"),
    pytest.param(
        silent, NO_DEVICE, ("False", "Silent", f"n1 has been silent for 30 s; {NO_DEVICE}"), id="silent, and what is missing"
    ),
    pytest.param(
        all_of(silent, going_down),
        "",
        ("False", "Silent", "n1 has been silent for 30 s; it has said that it shuts down: reboot"),
        id="silent, as it has said that it would be",
    ),
    pytest.param(
        sealed, "", ("False", "Sealed", "n1 is sealed: it was silent and has not come back yet"), id="sealed"
    ),
    pytest.param(
        lambda w: w.leases.clear(), "", ("False", "NeverSeen", "n1 has never reported: is its agent running?"), id="no Lease"
    ),
    pytest.param(
        all_of(lambda w: w.leases.clear(), unread("Lease")),
        "",
        ("False", "NeverSeen", "n1 has a Lease that cannot be read: no number"),
        id="a Lease that cannot be read",
    ),
    pytest.param(
        all_of(unreported, unread("HostAssignment")),
        "",
        ("False", "Opening", "n1 has a HostAssignment that cannot be read: no number"),
        id="a report that cannot be read",
    ),
    pytest.param(
        unreported, "", ("False", "Opening", "n1 has never reported: is its agent running?"), id="a Lease, and no report"
    ),
    pytest.param(
        lambda w: hold(w, "n1", session("n1", 2)),
        "",
        ("False", "Opening", "n1 has not opened a session yet"),
        id="another session holds the Lease than reports",
    ),
    pytest.param(
        all_of(silent, untrusted), "", ("Unknown", "Alive", "n1 is late with its heartbeat"), id="our own trouble, and nothing was said"
    ),
    pytest.param(
        all_of(write, silent, untrusted), "", ("True", "Alive", "Its agent renews its lease"), id="our own trouble: as it was said"
    ),
    pytest.param(
        all_of(silent, write, untrusted), "", ("False", "Silent", "n1 has been silent for 30 s"), id="our own trouble: bad as it was"
    ),
    pytest.param(
        all_of(late, write, untrusted), "", ("Unknown", "Late", "n1 is late with its heartbeat"), id="our own trouble: unknown as it was"
    ),
]  # fmt: skip


@pytest.mark.parametrize(("befall", "missing", "expected"), READY)
def test_whether_it_lives(befall: Befall, missing: str, expected: tuple[str, str, str]) -> None:
    world = a_world("n1")
    befall(world)
    assert condition(told(world, missing), "Ready") == expected


# --- is it fit -------------------------------------------------------------------------------------------------------

DISK, CLOCK = {"check": "Disk", "why": "/run is full"}, {"check": "Clock", "why": "its clock jumped back by 60 s"}


def finds(*problems: dict[str, Any]) -> Befall:
    """Its own checks have found this."""
    return lambda world: find(world, "n1", *problems)


@pytest.mark.parametrize(
    ("befall", "expected"),
    [
        pytest.param(finds(), ("True", "NothingFound", "Its own checks find nothing wrong with it"), id="nothing"),
        pytest.param(finds(DISK), ("False", "Disk", "Nothing new is started on n1: /run is full"), id="a problem"),
        pytest.param(
            finds(DISK, CLOCK),
            ("False", "SeveralChecks", "Nothing new is started on n1: /run is full; its clock jumped back by 60 s"),
            id="two problems",
        ),
        pytest.param(
            all_of(finds(DISK), silent),
            ("Unknown", "NotReported", "n1 has been silent for 30 s"),
            id="it fell silent after that",
        ),
        pytest.param(
            all_of(finds(), late), ("True", "NothingFound", "Its own checks find nothing wrong with it"), id="late"
        ),
    ],
)
def test_whether_it_is_fit(befall: Befall, expected: tuple[str, str, str]) -> None:
    world = a_world("n1")
    befall(world)
    assert condition(told(world), "Healthy") == expected


def test_of_an_agent_that_does_not_check_nothing_is_said() -> None:
    assert "Healthy" not in {one.type for one in told(a_world("n1")).conditions}


# --- could it be fenced ----------------------------------------------------------------------------------------------


def device(**fencing: object) -> Befall:
    """It has a device, of which the fencer has said this."""
    status = {"fencing": {**TESTED, **fencing}}
    return lambda world: world.put_host(a_host("n1", has_device=True, status=status))


def untested(world: World) -> None:
    world.put_host(a_host("n1", has_device=True))


def never_checked(world: World) -> None:
    world.put_host(a_host("n1", has_device=True, status={"fencing": {"ready": True}}))


def fencer_silent(for_s: float) -> Befall:
    return lambda world: world.checked_s.update(n1=world.now_s - for_s)


def path_came_back(world: World) -> None:
    world.own_path = OwnPath(recovered_s=world.now_s - 60.0)


LONG_S = 2 * FENCE_TEST_EVERY_S + 1.0
NO_LEVEL = (
    "False",
    "NoDevice",
    "It has no fencing device, so only a person or its own return can prove that it is off: add spec.fencing.levels",
)
NOT_YET = ("Unknown", "NotTestedYet", "The fencer has not tested its devices yet: is the fencer running?")
WELL = ("True", "Tested", "bmc says on")
FENCER_SILENT = (
    "Unknown",
    "FencerSilent",
    "The fencer has not said for 10 min that it tested its devices: is the fencer running?",
)


@pytest.mark.parametrize(
    ("befall", "expected"),
    [
        pytest.param(nothing, NO_LEVEL, id="no device"),
        pytest.param(untested, NOT_YET, id="the fencer has said nothing"),
        pytest.param(never_checked, NOT_YET, id="the fencer has not said when"),
        pytest.param(device(), WELL, id="tested"),
        pytest.param(
            device(message=""), ("True", "Tested", "Its devices answered as they should"), id="tested, without a word"
        ),
        pytest.param(device(ready=False, message="bmc: 401"), ("False", "TestFailed", "bmc: 401"), id="the test failed"),
        pytest.param(
            device(ready=False, message=""),
            ("False", "TestFailed", "No level of devices works as a whole"),
            id="the test failed, without a word",
        ),
        pytest.param(all_of(device(), fencer_silent(LONG_S - 2.0)), WELL, id="two tests are not overdue yet"),
        pytest.param(all_of(device(), fencer_silent(LONG_S)), FENCER_SILENT, id="the fencer has been silent for long"),
        pytest.param(
            all_of(device(), fencer_silent(LONG_S), path_came_back), WELL, id="it could not be reached until a moment ago"
        ),
        pytest.param(all_of(untested, fencer_silent(LONG_S)), NOT_YET, id="never tested comes before silence"),
        pytest.param(all_of(device(ready=False), fencer_silent(LONG_S)), FENCER_SILENT, id="silence comes before failure"),
    ],
)  # fmt: skip
def test_whether_it_could_be_fenced(befall: Befall, expected: tuple[str, str, str]) -> None:
    world = a_world("n1")
    world.now_s = 100_000.0
    world.leases["n1"] = replace(world.leases["n1"], first_seen_s=world.now_s)
    befall(world)
    assert condition(told(world), "FencingReady") == expected


# --- may services come -----------------------------------------------------------------------------------------------


def mode(name: str, reason: str = "new disks") -> Befall:
    return lambda world: world.put_host(a_host("n1", mode=name, reason=reason))


def holds_two(world: World) -> None:
    for name in ("a", "b"):
        put(world, a_service(name, unit(name)), epoch=1, host="n1")


def leaving(world: World) -> None:
    world.hosts["n1"] = being_deleted(world.hosts["n1"])


CORDONED = ("False", "Cordon", "n1 is cordoned (new disks)")


@pytest.mark.parametrize(
    ("befall", "expected"),
    [
        pytest.param(nothing, ("True", "Open", "Services may be placed here"), id="open"),
        pytest.param(mode("Cordon"), CORDONED, id="cordoned"),
        pytest.param(mode("Cordon", ""), ("False", "Cordon", "n1 is cordoned"), id="cordoned without a reason"),
        pytest.param(all_of(mode("Cordon"), holds_two), CORDONED, id="cordoned: what is there stays"),
        pytest.param(mode("Drain"), ("False", "Drain", "n1 is being drained (new disks)"), id="drained"),
        pytest.param(
            all_of(mode("Drain"), holds_two),
            ("False", "Drain", "n1 is being drained (new disks); 2 still here"),
            id="drained: how much is still there",
        ),
        pytest.param(
            mode("HandsOff"), ("False", "HandsOff", "n1 is in HandsOff maintenance (new disks)"), id="hands off"
        ),
        pytest.param(leaving, ("False", "Removed", "n1 is being removed"), id="removed"),
        pytest.param(
            all_of(leaving, holds_two), ("False", "Removed", "n1 is being removed; 2 still here"), id="removed: how much is left"
        ),
        pytest.param(going_down, ("False", "ShuttingDown", "n1 is shutting down (reboot)"), id="it shuts down"),
        pytest.param(late, ("True", "Open", "Services may be placed here"), id="late lasts for a moment"),
        pytest.param(silent, ("False", "NotReady", "n1 has been silent for 30 s"), id="silent"),
        # Which is said first.
        pytest.param(
            all_of(mode("Drain"), leaving), ("False", "Removed", "n1 is being removed"), id="a removal before a drain"
        ),
        pytest.param(all_of(mode("Cordon"), going_down), CORDONED, id="a cordon before a shutdown"),
        pytest.param(all_of(mode("Cordon"), silent), CORDONED, id="a cordon before silence"),
        pytest.param(
            all_of(going_down, sealed),
            ("False", "ShuttingDown", "n1 is shutting down (reboot)"),
            id="a shutdown before what came of it",
        ),
    ],
)  # fmt: skip
def test_whether_services_may_come(befall: Befall, expected: tuple[str, str, str]) -> None:
    world = a_world("n1")
    befall(world)
    assert condition(told(world), "Schedulable") == expected


def test_a_name_that_leaves_no_room_for_what_is_named_after_it_is_said() -> None:
    world = a_world("n1")
    world.hosts = {"n" * 237: a_host("n" * 237)}
    status, reason, message = condition(told(world), "Schedulable")
    assert (status, reason) == ("False", "NameTooLong") and "has a name of 237 characters" in message


# --- the rest, and when it is written --------------------------------------------------------------------------------


def was_fenced(world: World) -> None:
    world.fenced_s["r1"], world.fenced_host["r1"] = world.now_s - 10.0, "n1"


@pytest.mark.parametrize(
    ("befall", "liveness", "seq", "instances", "fences"),
    [
        pytest.param(nothing, "Live", 1, 0, [], id="it lives"),
        pytest.param(holds_two, "Live", 1, 2, [], id="what is granted to it is counted"),
        pytest.param(silent, "Silent", 1, 0, [], id="silent"),
        pytest.param(unreported, "Live", None, 0, [], id="nobody speaks for it"),
        pytest.param(all_of(silent, untrusted), "Unknown", 1, 0, [], id="our own trouble, and nothing was said"),
        pytest.param(all_of(write, silent, untrusted), "Live", 1, 0, [], id="our own trouble: as it was said"),
        pytest.param(was_fenced, "Live", 1, 0, ["r1"], id="that it was cut off counts, and is told"),
    ],
)
def test_what_else_is_told(befall: Befall, liveness: str, seq: int | None, instances: int, fences: list[str]) -> None:
    world = a_world("n1")
    befall(world)
    status = told(world)
    assert (status.liveness, status.session.seq if status.session else None) == (liveness, seq)
    assert (status.instances, [one.request for one in status.fences]) == (instances, fences)


@pytest.mark.parametrize(
    ("befall", "is_written"),
    [
        pytest.param(nothing, False, id="nothing has changed"),
        pytest.param(lambda w: silence(w, "n1", 0.7), False, id="it is about to be late"),
        pytest.param(all_of(silent, untrusted), False, id="what we cannot judge we go on saying"),
        pytest.param(late, True, id="it is late"),
        pytest.param(holds_two, True, id="it has been granted something"),
        pytest.param(unreported, True, id="nobody speaks for it any more"),
    ],
)
def test_it_is_written_when_something_has_changed_and_never_the_fencers_part(befall: Befall, is_written: bool) -> None:
    world = a_world("n1")
    device()(world)
    write(world)
    world.wall = "2026-03-01T13:00:00Z"
    befall(world)
    patch = host_status(world, world.hosts["n1"])
    assert (patch is not None) is is_written
    assert patch is None or ("fencing" not in patch and "session" in patch)


def test_a_condition_keeps_its_time_until_it_changes() -> None:
    world = a_world("n1")
    write(world)
    world.wall = "2026-03-01T13:00:00Z"
    silent(world)
    times = {one.type: one.last_transition_time[11:13] for one in told(world).conditions}
    assert times == {"Ready": "13", "FencingReady": "12", "Schedulable": "13"}


def test_what_its_agent_says_of_itself_is_told() -> None:
    world = a_world("n1")
    body = world.assignments["n1"].wire()
    facts = {"agentVersion": "0.1.1", "credentialUntil": "2026-03-31T12:00:00Z"}
    world.put_assignment(HostAssignment.from_wire({**body, "status": {**body["status"], "facts": facts}}))
    assert (told(world).agent_version, told(world).credential_until) == ("0.1.1", "2026-03-31T12:00:00Z")
