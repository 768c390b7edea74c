"""Sessions, as tables: who may be given a grant, and what the operator does so that a host's session can renew its Lease."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal

import pytest

from backstay_api.objects.models.host import HostStatus
from backstay_api.objects.object_kinds import Unreadable
from backstay_operator.planner.actions import CreateLease, ReopenLease
from backstay_operator.planner.know.sessions import (
    failed_report,
    last_sealed,
    lease_actions,
    live,
    published,
    request_name,
)
from backstay_operator.planner.know.world import World
from backstay_operator.planner.preconditions import Gone, Still
from backstay_testing.builders import (
    PROVEN,
    READ_AFTER_SEAL,
    a_request,
    a_service,
    an_assignment,
    an_instance,
    being_deleted,
    session,
    unit,
)
from backstay_testing.worlds import Befall, a_world, all_of, hold, nothing, put, renew, report, seal, silence, speak


def unreported(world: World) -> None:
    """Its agent has never reported."""
    world.put_assignment(an_assignment("n1"))


def unassigned(world: World) -> None:
    world.drop_assignment("n1")


def has_had_a_session(world: World) -> None:
    """As its status says."""
    host = world.hosts["n1"]
    world.put_host(host.model_copy(update={"status": HostStatus(session=session("n1", 1))}))


def no_lease(world: World) -> None:
    del world.leases["n1"]


def reopened(world: World) -> None:
    """For its present session, which has not renewed it yet."""
    seen = world.leases["n1"]
    world.leases["n1"] = replace(seen, lease=replace(seen.lease, renewal=0))


def renewed_once(world: World) -> None:
    """Since it was reopened for its present session."""
    seen = world.leases["n1"]
    world.leases["n1"] = replace(seen, lease=replace(seen.lease, renewal=1))


def speaks(seq: int) -> Befall:
    return lambda world: speak(world, "n1", session("n1", seq))


def another_count(world: World) -> None:
    """The Lease names the session by another number than its report."""
    hold(world, "n1", session("n1", 2, nonce="nonce-n1-1"))


def untrusted(world: World) -> None:
    silence(world, "n1")
    world.own_path = replace(world.own_path, healthy=False)


def sealed(world: World) -> None:
    seal(world, "n1")


@pytest.mark.parametrize(
    ("befall", "speaking", "living"),
    [
        pytest.param(nothing, 1, 1, id="it renews, and it is the one that reports"),
        pytest.param(unassigned, None, None, id="there is no HostAssignment"),
        pytest.param(unreported, None, None, id="it has never reported"),
        pytest.param(no_lease, 1, None, id="there is no Lease"),
        pytest.param(lambda w: silence(w, "n1", 1.0), 1, None, id="it is late"),
        pytest.param(lambda w: silence(w, "n1"), 1, None, id="it is silent"),
        pytest.param(untrusted, 1, None, id="that may be our own trouble"),
        pytest.param(sealed, 1, None, id="it is sealed"),
        pytest.param(lambda w: hold(w, "n1", session("n1", 2)), 1, None, id="another session holds the Lease"),
        pytest.param(speaks(2), 2, None, id="another session reports"),
        pytest.param(
            lambda w: hold(w, "n1", session("n1", 1, nonce="other")),
            1,
            None,
            id="another session of this number holds it",
        ),
        pytest.param(another_count, 1, None, id="the Lease counts it otherwise than its report"),
        pytest.param(reopened, 1, None, id="the Lease was reopened for it, and it has not renewed yet"),
        pytest.param(renewed_once, 1, 1, id="it has renewed it once"),
    ],
)
def test_which_session_speaks_for_a_host_and_which_may_be_given_a_grant(
    befall: Befall, speaking: int | None, living: int | None
) -> None:
    world = a_world("n1")
    befall(world)
    latest, alive = published(world, "n1"), live(world, "n1")
    assert (latest.seq if latest else None, alive.seq if alive else None) == (speaking, living)


def saw_sealed(seq: int) -> Befall:
    """We saw its Lease sealed before somebody deleted it."""

    def befall(world: World) -> None:
        hold(world, "n1", session("n1", seq))
        world.last_sealed["n1"] = world.leases["n1"].lease.sealed_()

    return befall


def told_sealed(seq: int) -> Befall:
    """An operator before us saw it sealed, and wrote that down."""

    def befall(world: World) -> None:
        host = world.hosts["n1"]
        world.put_host(host.model_copy(update={"status": HostStatus(sealed=session("n1", seq))}))

    return befall


def held_sealed(world: World) -> None:
    """Session 1 holds something, and we see its Lease sealed."""
    holds(1)(world)
    saw_sealed(1)(world)
    sealed(world)


# --- Leases that are sealed ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("befall", "reopened_for"),
    [
        pytest.param(nothing, None, id="it is not sealed"),
        pytest.param(sealed, None, id="no newer session"),
        pytest.param(all_of(sealed, speaks(2)), 2, id="a newer session"),
        pytest.param(speaks(2), None, id="a newer session takes an unsealed Lease itself"),
        pytest.param(all_of(sealed, speaks(2), lambda w: silence(w, "n1")), 2, id="a newer session, alive or not"),
        pytest.param(
            all_of(lambda w: hold(w, "n1", session("n1", 3)), sealed, speaks(2)), None, id="an older session that reports late"
        ),
        pytest.param(all_of(sealed, unreported), None, id="nobody reports"),
        pytest.param(all_of(sealed, speaks(2), lambda w: w.drop_host("n1")), 2, id="its Host is gone"),
        pytest.param(all_of(held_sealed, speaks(2)), None, id="the Host's status does not have the seal yet"),
        pytest.param(all_of(held_sealed, told_sealed(1), speaks(2)), 2, id="it has"),
    ],
)  # fmt: skip
def test_a_sealed_lease_is_reopened_for_a_newer_session_only(befall: Befall, reopened_for: int | None) -> None:
    world = a_world("n1")
    befall(world)
    actions = lease_actions(world, "n1")
    assert [one.session.seq for one in actions if isinstance(one, ReopenLease)] == (
        [reopened_for] if reopened_for else []
    )
    assert len(actions) == (reopened_for is not None)


# --- Leases that are not there ---------------------------------------------------------------------------------------


def leaving(world: World) -> None:
    world.hosts["n1"] = being_deleted(world.hosts["n1"])


def removed(world: World) -> None:
    world.drop_host("n1")


def holds(*seqs: int) -> Befall:
    """Grants to these sessions are open."""

    def befall(world: World) -> None:
        for seq in seqs:
            service = a_service(f"s{seq}", unit(f"s{seq}"))
            world.put_instance(an_instance(service, epoch=1, host="n1", seq=seq))

    return befall


def asked(
    want: Literal["Observe", "Off", "Withdrawn"], seq: int, *, is_proven: bool = False, read_after_seal: bool = False
) -> Befall:
    of = session("n1", seq)
    request = a_request(
        "n1", of, want=want, status=(PROVEN if is_proven else {}) | (READ_AFTER_SEAL if read_after_seal else {})
    )
    return lambda world: world.put_request(request)


NEW, HELD = "n1 has no Lease to renew", "n1 holds a service and has no Lease by which its silence could be noticed"
SEALED = "the Lease of n1 was sealed when somebody deleted it: a seal is never undone"
DOUBTED = "the session that holds something on n1 was doubted: it may have been sealed"


@pytest.mark.parametrize(
    ("befall", "expected"),
    [
        pytest.param(nothing, (NEW, None), id="a host that is to stay"),
        pytest.param(leaving, None, id="a host that is being removed"),
        pytest.param(removed, None, id="a host that is gone"),
        pytest.param(all_of(leaving, holds(1)), (HELD, 1), id="a host that is being removed, and holds something"),
        pytest.param(all_of(removed, holds(1)), (HELD, 1), id="a host that is gone, and holds something"),
        pytest.param(holds(1), (HELD, 1), id="what it holds names the session"),
        pytest.param(holds(1, 3, 2), (HELD, 3), id="the latest session that holds something"),
        pytest.param(asked("Observe", 1), (NEW, None), id="it was only looked at"),
        pytest.param(asked("Off", 1), (SEALED, 1), id="Off is wanted of sealed sessions only"),
        pytest.param(asked("Withdrawn", 1), (NEW, None), id="a false alarm"),
        pytest.param(asked("Withdrawn", 1, is_proven=True), (SEALED, 1), id="it was proven off"),
        pytest.param(asked("Withdrawn", 1, read_after_seal=True), (SEALED, 1), id="it was read after the seal"),
        pytest.param(all_of(holds(1), asked("Off", 1)), (SEALED, 1), id="the session that holds something was sealed"),
        pytest.param(all_of(holds(1), asked("Observe", 1)), (DOUBTED, 1), id="the session that holds something was doubted"),
        pytest.param(all_of(holds(1), asked("Withdrawn", 1)), (DOUBTED, 1), id="…and that may have been a false alarm"),
        pytest.param(all_of(holds(2), asked("Observe", 1)), (HELD, 2), id="an earlier session was doubted"),
        pytest.param(all_of(holds(2), asked("Off", 1)), (HELD, 2), id="a later session than the sealed one holds something"),
        pytest.param(all_of(holds(1), asked("Off", 2)), (SEALED, 2), id="a later session was sealed"),
        pytest.param(all_of(asked("Off", 1), asked("Off", 2)), (SEALED, 2), id="the latest session that was sealed"),
        pytest.param(all_of(holds(5), saw_sealed(5)), (SEALED, 5), id="we saw it sealed, and it holds something"),
        pytest.param(all_of(speaks(5), saw_sealed(5)), (SEALED, 5), id="we saw it sealed, and it speaks for its host"),
        pytest.param(all_of(holds(5), told_sealed(5)), (SEALED, 5), id="it was told that it is sealed, and it holds something"),
        pytest.param(all_of(speaks(5), told_sealed(5)), (SEALED, 5), id="it was told that it is sealed, and it speaks for its host"),
        pytest.param(all_of(holds(4), told_sealed(5)), (SEALED, 5), id="one before it holds something, and nobody knows of it any more"),
        pytest.param(all_of(holds(6), told_sealed(5)), (HELD, 6), id="one after it holds something"),
        pytest.param(all_of(speaks(6), told_sealed(5)), (NEW, None), id="it was told of an earlier session"),
        pytest.param(all_of(told_sealed(5), unreported), (NEW, None), id="it was told that one is sealed, and nobody speaks for the host"),
        pytest.param(all_of(saw_sealed(5)), (NEW, None), id="we saw it sealed, but another machine has this name now"),
        pytest.param(
            all_of(holds(5), saw_sealed(5), asked("Off", 4)), (SEALED, 5), id="what we saw is later than what was asked"
        ),
    ],
)  # fmt: skip
def test_a_lease_that_is_gone_is_made_again_as_it_has_to_be(
    befall: Befall, expected: tuple[str, int | None] | None
) -> None:
    world = a_world("n1")
    befall(world)
    no_lease(world)
    made = [one for one in lease_actions(world, "n1") if isinstance(one, CreateLease)]
    told = [(one.why, one.session.seq if one.session else None) for one in made]
    assert told == ([expected] if expected is not None else [])
    assert all(one.sealed is (one.why in (SEALED, DOUBTED)) for one in made)


HOST, NO_HOST, NOTHING_HELD, NOT_ASKED = ("Host", "1"), ("Host", None), ("HoldsNothing", None), ("FenceRequest", None)


@pytest.mark.parametrize(
    ("befall", "expected"),
    [
        pytest.param(unassigned, [], id="a host that has never had a session"),
        pytest.param(unreported, [], id="…and has a HostAssignment by now"),
        pytest.param(nothing, [NOTHING_HELD, HOST], id="nobody is to hold it"),
        pytest.param(all_of(has_had_a_session, unassigned), [NOTHING_HELD, HOST], id="…though its HostAssignment was deleted, too"),
        pytest.param(all_of(removed, holds(1)), [NO_HOST, ("HAInstance", "s1-0", "1"), NOT_ASKED], id="its Host is gone"),
        pytest.param(asked("Off", 1), [], id="it comes back sealed: a newer session has it reopened"),
        pytest.param(holds(1), [HOST, ("HAInstance", "s1-0", "1"), NOT_ASKED], id="the grant stands, and nobody has asked"),
        pytest.param(holds(1, 3), [HOST, ("HAInstance", "s3-0", "1"), NOT_ASKED], id="that of the session in whose name it is made"),
        pytest.param(all_of(holds(1), asked("Observe", 1)), [], id="it comes back sealed: somebody doubted it, and may have sealed it"),
        pytest.param(all_of(holds(2), asked("Off", 1)), [HOST, ("HAInstance", "s2-0", "1"), NOT_ASKED],
            id="what was asked of another session says nothing of this one"),
    ],
)  # fmt: skip
def test_a_lease_is_made_unsealed_for_a_session_only_while_its_grant_stands(
    befall: Befall, expected: list[tuple[str | None, ...]]
) -> None:
    """Seed 52709657406: an operator with an old view undid a seal, in the name of a session whose epochs had been closed."""
    world = a_world("n1")
    befall(world)
    no_lease(world)
    (made,) = lease_actions(world, "n1")
    assert isinstance(made, CreateLease)
    found = [
        (one.kind, one.name, one.version) if isinstance(one, Still) and one.kind == "HAInstance"
        else (getattr(one, "kind", type(one).__name__), one.version if isinstance(one, Still) else None)
        for one in made.needs
    ]  # fmt: skip
    assert found == expected
    gone = [one.name for one in made.needs if isinstance(one, Gone) and one.kind == "FenceRequest"]
    assert made.session is None or all(name == request_name("n1", made.session) for name in gone)


@pytest.mark.parametrize(
    ("befall", "seq"),
    [
        pytest.param(nothing, None, id="nobody saw a seal"),
        pytest.param(told_sealed(1), 1, id="as it was told: what we see of it is from before"),
        pytest.param(all_of(speaks(2), saw_sealed(2), told_sealed(1)), 2, id="we saw a later one"),
        pytest.param(all_of(speaks(1), saw_sealed(1), told_sealed(2)), 2, id="another operator saw a later one"),
        pytest.param(all_of(told_sealed(1), lambda w: hold(w, "n1", session("n1", 2))), 1, id="though a newer session holds it"),
        pytest.param(all_of(told_sealed(1), lambda w: hold(w, "n1", session("n1", 2)), sealed), 1,
            id="…and is sealed, and does not speak"),
        pytest.param(all_of(told_sealed(1), no_lease), 1, id="somebody deleted it"),
        pytest.param(all_of(holds(1), saw_sealed(1), unreported), 1, id="it holds something, and nobody speaks for the host"),
        pytest.param(removed, None, id="its Host is gone"),
    ],
)  # fmt: skip
def test_which_session_was_sealed_last(befall: Befall, seq: int | None) -> None:
    world = a_world("n1")
    befall(world)
    found = last_sealed(world, "n1")
    assert (found.seq if found else None) == seq


def test_a_lease_that_is_there_and_renews_is_left_alone() -> None:
    world = a_world("n1")
    renew(world, "n1")
    assert lease_actions(world, "n1") == []


def test_a_lease_that_cannot_be_read_is_there() -> None:
    world = a_world("n1")
    del world.leases["n1"]
    world.unreadable["Lease", "n1"] = Unreadable("Lease", "n1", "no number")
    assert lease_actions(world, "n1") == []


@pytest.mark.parametrize(
    ("said", "is_failed"),
    [
        pytest.param({}, True, id="it could not start the present manifest"),
        pytest.param({"phase": "Running"}, False, id="it runs"),
        pytest.param({"epoch": 1}, False, id="that was an earlier epoch"),
        pytest.param({"revision": 1}, False, id="that was an earlier manifest"),
        pytest.param({"handsOff": True}, False, id="it is left to others"),
        pytest.param({"uid": "uid-of-another"}, False, id="that was another instance"),
    ],
)
def test_what_a_host_says_it_could_not_start(said: Any, is_failed: bool) -> None:
    said = {"phase": "Failed", "epoch": 2, **said}
    world, web = a_world("n1"), a_service(generation=2)
    put(world, web, epoch=2, host="n1")
    report(world, web, "n1", said.pop("phase"), **said)
    status, instance = world.assignments["n1"].status, world.instances["shop/web-0"]
    assert (failed_report(web, instance, status) is not None) is is_failed
    assert failed_report(web, None, status) is None
    assert failed_report(web, instance, status.model_copy(update={"hands_off": True})) is None
