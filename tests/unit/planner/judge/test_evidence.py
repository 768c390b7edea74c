"""What closes an epoch, as a table of what is known of the holder: each kind, and each thing that looks like it and is not."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal, get_args

import pytest

from backstay_api.objects.models import HAInstance
from backstay_api.objects.models.instance import Closed, EvidenceKind
from backstay_operator.planner.actions import WriteHostStatus
from backstay_operator.planner.do.fence_guard import fence_guard
from backstay_operator.planner.do.fences import fence_actions
from backstay_operator.planner.judge.evidence import (
    KINDS,
    Evidence,
    Missing,
    closed,
    is_proven_over,
    was_lost,
)
from backstay_operator.planner.judge.storm import Storm
from backstay_operator.planner.know.sessions import request_name
from backstay_operator.planner.know.world import OwnPath, World
from backstay_operator.planner.plan import plan
from backstay_testing import worlds
from backstay_testing.builders import (
    PROVEN,
    a_host,
    a_request,
    a_service,
    an_assignment,
    an_instance,
    session,
)
from backstay_testing.worlds import Befall, a_world, all_of, nothing, report

GRANTED = session("n1", 5)
SAME, NEXT, BEFORE = "boot-n1", "b2", "b0"
"""Boots: that of the grant, a later one, an earlier one."""
WEB = a_service()


def scene(*, exclusive: bool = True) -> tuple[World, HAInstance]:
    """Epoch 3 is granted to session 5 of n1, which lives."""
    world = a_world("n1", "n2")
    instance = an_instance(WEB if exclusive else a_service(exclusive=False), epoch=3, host="n1", seq=5)
    world.put_instance(instance)
    worlds.speak(world, "n1", GRANTED)
    worlds.hold(world, "n1", GRANTED)
    return world, instance


def speaks(boot: str, seq: int, *, machine: str = "", supersedes: tuple[str, ...] = ()) -> Befall:
    of = session("n1", seq, boot=boot, nonce="x")
    return lambda world: worlds.speak(world, "n1", of, on_machine=machine, supersedes=supersedes)


def holds(boot: str, seq: int) -> Befall:
    return lambda world: worlds.hold(world, "n1", session("n1", seq, boot=boot, nonce="x"))


def lives(boot: str, seq: int, *, machine: str = "") -> Befall:
    """It reports, and it has renewed the Lease by itself."""
    return all_of(speaks(boot, seq, machine=machine), holds(boot, seq))


def reopened(boot: str, seq: int) -> Befall:
    """The Lease was sealed and is open for this session, which has not renewed it."""

    def befall(world: World) -> None:
        seen = world.leases["n1"]
        of = session("n1", seq, boot=boot, nonce="x")
        world.leases["n1"] = replace(seen, lease=seen.lease.sealed_().reopened(of.text, of.seq))

    return befall


def says(*, epoch: int, released: bool = False) -> Befall:
    return lambda world: report(world, WEB, "n1", "Stopped", epoch=epoch, released=released)


def renewals(number: int) -> Befall:
    """So often has the Lease been renewed."""

    def befall(world: World) -> None:
        seen = world.leases["n1"]
        world.leases["n1"] = replace(seen, lease=replace(seen.lease, renewal=number))

    return befall


def no_lease(world: World) -> None:
    del world.leases["n1"]


def seal(world: World) -> None:
    worlds.seal(world, "n1")


def renew(world: World) -> None:
    worlds.renew(world, "n1")


def silent(seconds: float) -> Befall:
    return lambda world: worlds.silence(world, "n1", seconds)


def asked(seq: int = 5, *, evidence: bool = False, confirm: bool = False, power: Literal["On", "Off"] = "On") -> Befall:
    """Off is wanted; of the session of the grant, or of one before or after it."""
    of = session("n1", seq, nonce=GRANTED.nonce if seq > GRANTED.seq else "")
    request = a_request(
        "n1", of, name=f"r-{of.nonce}", is_confirmed=confirm, status={"power": power} | (PROVEN if evidence else {})
    )
    return lambda world: world.put_request(request)


EXCLUSIVE = [
    pytest.param(nothing, None, id="it runs: nothing is over"),
    pytest.param(says(epoch=3, released=True), "Released", id="released for this epoch"),
    pytest.param(says(epoch=2, released=True), None, id="released for an earlier one"),
    pytest.param(says(epoch=3), None, id="stopped, but not released"),
    pytest.param(
        all_of(speaks(SAME, 6), says(epoch=3, released=True)),
        None,
        id="released by another session of the same boot",
    ),
    pytest.param(speaks(SAME, 6, supersedes=("nonce-n1-5",)), "Released", id="superseded"),
    pytest.param(speaks(SAME, 6, supersedes=("other",)), None, id="another was superseded"),
    pytest.param(
        speaks(NEXT, 6, supersedes=("nonce-n1-5",)), None, id="another boot knows nothing of what this one stopped"
    ),
    pytest.param(
        speaks(SAME, 6, supersedes=("nonce-n1-5",), machine="clone"), None, id="superseded by another machine"
    ),
    pytest.param(speaks(SAME, 4, supersedes=("nonce-n1-5",)), None, id="superseded by a session that is not newer"),
    pytest.param(
        speaks(SAME, 5, supersedes=("nonce-n1-5",)), None, id="superseded by another session of its own number"
    ),
    pytest.param(lives(NEXT, 6), "Boot", id="another boot, a higher seq, and it has renewed the Lease"),
    pytest.param(
        all_of(lives(NEXT, 6), renewals(1)), "Boot", id="another boot, and it has renewed the Lease for the first time"
    ),
    pytest.param(all_of(lives(NEXT, 6), no_lease), None, id="another boot, and somebody has deleted the Lease"),
    pytest.param(lambda w: w.put_assignment(an_assignment("n1")), None, id="no session has ever reported"),
    pytest.param(all_of(lives(NEXT, 6), seal), "Boot", id="the same, sealed since"),
    pytest.param(lives(BEFORE, 5), None, id="another boot, but not a higher seq"),
    pytest.param(lives(BEFORE, 4), None, id="an earlier boot: a stale report"),
    pytest.param(lives(SAME, 6), None, id="a new nonce of the same boot"),
    pytest.param(lives(NEXT, 6, machine="clone"), None, id="a boot of another machine"),
    pytest.param(speaks(BEFORE, 6), None, id="an old report: seq began anew after it, and it never had the Lease"),
    pytest.param(all_of(speaks(BEFORE, 6), seal), None, id="an old report, and the session that runs it was sealed"),
    pytest.param(
        all_of(speaks(BEFORE, 6), reopened(BEFORE, 6)),
        None,
        id="an old report, for whose session the Lease was reopened",
    ),
    pytest.param(
        all_of(speaks(BEFORE, 6), holds(NEXT, 7)), None, id="an old report, and a session that is newer has the Lease"
    ),
    pytest.param(all_of(seal, asked(evidence=True)), "Device", id="its device has proven it off"),
    pytest.param(all_of(seal, asked(4, evidence=True)), None, id="proven off, but in an earlier session"),
    pytest.param(all_of(seal, asked(6, evidence=True)), None, id="proven off, for a session that is not it"),
    pytest.param(all_of(seal, asked(power="Off")), None, id="read off once is no proof"),
    pytest.param(all_of(seal, asked(confirm=True)), "Manual", id="sealed and confirmed"),
    pytest.param(asked(confirm=True), None, id="confirmed, but it may still renew"),
    pytest.param(
        all_of(asked(confirm=True), no_lease),
        None,
        id="confirmed, but it may make its Lease anew: somebody has deleted it",
    ),
    pytest.param(all_of(seal, asked(4, confirm=True)), None, id="confirmed for another session"),
    pytest.param(
        all_of(asked(confirm=True), holds(NEXT, 6)), "Manual", id="confirmed, and the Lease is in other hands"
    ),
    pytest.param(
        all_of(asked(confirm=True), renew, seal),
        None,
        id="confirmed, but it has renewed since, and was sealed later",
    ),
    pytest.param(all_of(renew, seal, asked(confirm=True)), "Manual", id="confirmed after its last renewal"),
    pytest.param(
        all_of(asked(confirm=True), holds(NEXT, 6), renew),
        "Manual",
        id="confirmed, and another session has renewed since",
    ),
    pytest.param(silent(100.0), None, id="silence proves nothing"),
    pytest.param(seal, None, id="a seal proves nothing"),
]


@pytest.mark.parametrize(("befall", "expected"), EXCLUSIVE)
def test_evidence(befall: Befall, expected: str | None) -> None:
    world, instance = scene()
    befall(world)
    found = closed(world, instance)
    assert (found.kind if isinstance(found, Evidence) else None) == expected
    assert found.why


NOT_EXCLUSIVE = [
    pytest.param(nothing, None, id="it lives"),
    pytest.param(silent(1.0), None, id="late"),
    pytest.param(silent(2.0), "NotExclusive", id="silent"),
    pytest.param(seal, "NotExclusive", id="sealed"),
    pytest.param(holds(SAME, 6), "NotExclusive", id="another session holds the Lease"),
    pytest.param(no_lease, None, id="somebody has deleted its Lease"),
    pytest.param(all_of(no_lease, lambda w: w.drop_host("n1")), "NotExclusive", id="it was removed"),
]


@pytest.mark.parametrize(("befall", "expected"), NOT_EXCLUSIVE)
def test_what_may_run_twice_needs_only_the_loss(befall: Befall, expected: str | None) -> None:
    world, instance = scene(exclusive=False)
    befall(world)
    found = closed(world, instance)
    assert (found.kind if isinstance(found, Evidence) else None) == expected


@pytest.mark.parametrize(
    ("befall", "expected"),
    [
        pytest.param(all_of(seal, asked(evidence=True)), True, id="its device has proven it off"),
        pytest.param(all_of(seal, asked(confirm=True)), True, id="sealed and confirmed"),
        pytest.param(seal, False, id="a seal proves nothing"),
        pytest.param(says(epoch=3, released=True), False, id="one epoch of it is over, and no more"),
    ],
)
def test_what_ends_a_whole_session(befall: Befall, expected: bool) -> None:
    world, _ = scene()
    befall(world)
    assert is_proven_over(world, "n1", GRANTED) is expected


def test_who_was_lost_and_who_was_stopped() -> None:
    lost = {kind.name for kind in KINDS if was_lost(Closed(epoch=3, evidence=kind.name, why="x"))}
    assert {kind.name for kind in KINDS} - lost == {"Released"}


def test_every_kind_has_a_row_and_every_row_a_case() -> None:
    rows = [kind.name for kind in KINDS]
    assert sorted(rows) == sorted({*get_args(EvidenceKind)} - {"Lease"}), "Lease evidence comes later"
    assert {*rows} == {case.values[1] for case in (*EXCLUSIVE, *NOT_EXCLUSIVE)} - {None}


@pytest.mark.parametrize(
    ("unrecorded", "words"),
    [
        pytest.param(True, "n1 says: the disk is full; it continues by itself as soon as that can be written", id="only the disk"),
        pytest.param(False, "n1 could not prove that it has stopped (the disk is full); stop it there by hand", id="also an older agent"),
    ],
)  # fmt: skip
def test_what_is_stopped_and_only_not_recorded_is_nothing_to_stop_by_hand(unrecorded: bool, words: str) -> None:
    world, instance = scene()
    report(world, WEB, "n1", "Stuck", epoch=3, why="the disk is full", unrecorded=unrecorded)
    found = closed(world, instance)
    assert isinstance(found, Missing) and found.why.startswith(words)


def has(*, mode: str = "") -> Befall:
    """Its Host names a device."""
    return lambda w: w.hosts.update(n1=a_host("n1", has_device=True, mode=mode))


def observed(world: World) -> None:
    world.put_request(a_request("n1", GRANTED, want="Observe"))


def out_of_touch(world: World) -> None:
    world.own_path = OwnPath(healthy=False)


@pytest.mark.parametrize(
    ("befall", "words"),
    [
        pytest.param(nothing, "n1 has not said yet that epoch 3 is over", id="it lives"),
        pytest.param(says(epoch=3), "n1 has not said yet that epoch 3 is over", id="it lives, and has stopped it"),
        pytest.param(
            all_of(silent(9.0), out_of_touch),
            "n1 is late, but this operator has itself only just",
            id="who is silent: it, or we?",
        ),
        pytest.param(
            all_of(silent(100.0), has(mode="HandsOff")),
            "n1 is silent: it is in maintenance (HandsOff), so",
            id="maintenance",
        ),
        pytest.param(
            all_of(silent(100.0), has(mode="HandsOff"), asked(confirm=True)),
            "n1 is silent: a person has confirmed that",
            id="a person was quicker",
        ),
        pytest.param(
            all_of(silent(100.0), has()),
            "n1 is silent: it is not proven to be off yet; its power is being read",
            id="nobody was asked yet",
        ),
        pytest.param(
            all_of(silent(100.0), has(), observed),
            "n1 is silent: it is not proven to be off yet; its power is being read",
            id="it is only read",
        ),
        pytest.param(
            all_of(seal, has(), asked()),
            "n1 is sealed: its fencing device has not shown yet that it is off",
            id="off is ordered",
        ),
        pytest.param(speaks(SAME, 6), "n1 has not said yet", id="another session reports, and it renews"),
        pytest.param(
            holds(NEXT, 6),
            "n1 is running another session, which has not reported that the old one is over",
            id="another session renews",
        ),
    ],
)
def test_what_is_missing(befall: Befall, words: str) -> None:
    world, instance = scene()
    befall(world)
    found = closed(world, instance)
    assert isinstance(found, Missing) and found.why.startswith(words)


@pytest.mark.parametrize(("reason", "said"), [("the LED is dark", ": the LED is dark"), ("", "")])
def test_who_confirmed_and_what_they_saw_is_told(reason: str, said: str) -> None:
    world, instance = scene()
    all_of(seal, asked(confirm=True))(world)
    (request,) = world.requests.values()
    assert request.spec.confirm is not None
    confirm = request.spec.confirm.model_copy(update={"reason": reason})
    world.put_request(request.model_copy(update={"spec": request.spec.model_copy(update={"confirm": confirm})}))
    assert closed(world, instance).why == f"eve has confirmed that n1 is powered off{said}"


def test_what_is_missing_names_the_host_and_what_a_person_can_do() -> None:
    world, instance = scene()
    silent(100.0)(world)
    found = closed(world, instance)
    assert found == Missing(
        "n1 is silent: nothing can prove that it is off, for it has no fencing device;"
        " make sure that it is powered off and say so: `backstay fence n1 --confirm`"
    )


def test_requests_are_named_after_their_session() -> None:
    _, instance = scene()
    grant = instance.spec.grant
    assert grant is not None
    other = grant.session.model_copy(update={"nonce": "another"})
    assert request_name("n1", grant.session) == request_name("n1", grant.session)
    assert request_name("n1", grant.session) != request_name("n1", other)
    assert request_name("n1", grant.session).startswith("n1-")


def test_an_off_that_was_ordered_is_not_weakened_when_the_guard_closes_behind_it() -> None:
    world, _ = scene()
    seal(world)
    asked()(world)
    in_a_storm = replace(fence_guard(world), storm=Storm(frozenset({"n1", "n2"}), 2))
    assert fence_actions(world, in_a_storm, "n1") == []


def test_what_the_fencer_lacks_is_a_field_of_its_own_whatever_its_sentence_is() -> None:
    world, instance = scene()
    world.hosts["n1"] = a_host("n1", has_device=True)
    seal(world)
    world.put_request(
        a_request(
            "n1", GRANTED, status={"message": "In other words than today's", "missing": "level bmc: bmc: says unknown"}
        )
    )
    assert closed(world, instance) == Missing(
        "n1 is sealed: it is not proven off: level bmc: bmc: says unknown;"
        " make sure that it is powered off and say so: `backstay fence n1 --confirm`"
    )


def test_a_holder_that_is_no_session_does_not_keep_its_host_from_being_planned() -> None:
    world, _ = scene()
    asked()(world)
    world.leases["n1"] = replace(world.leases["n1"], lease=replace(world.leases["n1"].lease, holder="somebody"))
    told = [action.status for action in plan(world).actions if isinstance(action, WriteHostStatus)]
    assert "CannotBePlanned" not in str(told)
