"""What closes an epoch, as a table of what is known of the holder: each kind, and each thing that looks like it and is not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, get_args

import pytest

from backstay_api.objects.models import FenceRequest, HAInstance, Host, HostAssignment
from backstay_api.objects.models.instance import EvidenceKind
from backstay_operator.planner.actions import CreateLease, WriteHostStatus
from backstay_operator.planner.do.fences import fence_actions, guard
from backstay_operator.planner.judge.evidence import KINDS, Evidence, Missing, closed, request_name
from backstay_operator.planner.judge.storm import Storm
from backstay_operator.planner.know.sessions import lease_actions
from backstay_operator.planner.know.world import World
from backstay_operator.planner.plan import plan
from backstay_testing.worlds import a_service, a_world, an_instance, report, session

GRANTED = {"bootID": "boot-n1", "nonce": "nonce-n1-5", "seq": 5}
WEB = a_service()


def scene(*, exclusive: bool = True) -> tuple[World, HAInstance]:
    """Epoch 3 is granted to session 5 of n1, which lives."""
    world = a_world("n1", "n2")
    raw = an_instance(WEB, epoch=3, host="n1").wire()
    raw["spec"]["grant"]["session"] = GRANTED
    raw["spec"]["exclusive"] = exclusive
    instance = HAInstance.from_wire(raw)
    world.put_instance(instance)
    speak(world, **GRANTED)
    hold(world, **GRANTED)
    return world, instance


def speak(world: World, *, machineUUID: str = "machine-n1", **said: Any) -> None:
    raw = world.assignments["n1"].wire()
    raw["status"]["session"] = {"machineUUID": machineUUID, **said}
    world.put_assignment(HostAssignment.from_wire(raw))


def hold(world: World, *, bootID: str, nonce: str, seq: int) -> None:
    seen = world.leases["n1"]
    world.leases["n1"] = replace(seen, lease=replace(seen.lease, holder=f"{bootID}/{nonce}", seq=seq))


def seal(world: World) -> None:
    world.leases["n1"] = replace(world.leases["n1"], lease=world.leases["n1"].lease.sealed_())


def renew(world: World) -> None:
    """A second after whatever happened before."""
    world.now_s += 1.0
    world.leases["n1"] = replace(world.leases["n1"], first_seen_s=world.now_s, moved_s=world.now_s)


def silence(world: World, seconds: float) -> None:
    world.leases["n1"] = replace(world.leases["n1"], first_seen_s=world.now_s - seconds)


def ask(
    world: World, of: dict[str, Any] = GRANTED, *, evidence: bool = False, confirm: bool = False, power: str = "On"
) -> None:
    status: dict[str, Any] = {"power": power} | ({"evidence": {"level": "bmc", "why": "off twice"}} if evidence else {})
    spec = {"host": "n1", "session": of, "want": "Off"}
    if confirm:
        spec["confirm"] = {"by": "eve", "at": "2026-01-01T00:00:00Z", "reason": "the LED is dark"}
    world.put_request(
        FenceRequest.from_wire({"metadata": {"name": f"r-{of['nonce']}"}, "spec": spec, "status": status})
    )


def sealed_and(**more: Any):
    def befall(world: World) -> None:
        seal(world)
        ask(world, **more)

    return befall


EXCLUSIVE = [
    pytest.param(lambda w: None, None, id="it runs: nothing is over"),
    pytest.param(
        lambda w: report(w, WEB, "n1", "Stopped", epoch=3, released=True), "Released", id="released for this epoch"
    ),
    pytest.param(
        lambda w: report(w, WEB, "n1", "Stopped", epoch=2, released=True), None, id="released for an earlier one"
    ),
    pytest.param(lambda w: report(w, WEB, "n1", "Stopped", epoch=3), None, id="stopped, but not released"),
    pytest.param(
        lambda w: (
            speak(w, bootID="boot-n1", nonce="x", seq=6),
            report(w, WEB, "n1", "Stopped", epoch=3, released=True),
        ),
        None,
        id="released by another session of the same boot",
    ),
    pytest.param(
        lambda w: speak(w, bootID="boot-n1", nonce="x", seq=6, supersedes=["nonce-n1-5"]),
        "Released",
        id="superseded",
    ),
    pytest.param(
        lambda w: speak(w, bootID="boot-n1", nonce="x", seq=6, supersedes=["other"]),
        None,
        id="another was superseded",
    ),
    pytest.param(
        lambda w: speak(w, bootID="boot-n1", nonce="x", seq=6, supersedes=["nonce-n1-5"], machineUUID="clone"),
        None,
        id="superseded by another machine",
    ),
    pytest.param(
        lambda w: speak(w, bootID="boot-n1", nonce="x", seq=4, supersedes=["nonce-n1-5"]),
        None,
        id="superseded by a session that is not newer",
    ),
    pytest.param(lambda w: speak(w, bootID="b2", nonce="x", seq=6), "Boot", id="another boot, a higher seq"),
    pytest.param(lambda w: speak(w, bootID="b0", nonce="x", seq=5), None, id="another boot, but not a higher seq"),
    pytest.param(lambda w: speak(w, bootID="b0", nonce="x", seq=4), None, id="an earlier boot: a stale report"),
    pytest.param(lambda w: speak(w, bootID="boot-n1", nonce="x", seq=6), None, id="a new nonce of the same boot"),
    pytest.param(
        lambda w: speak(w, bootID="b2", nonce="x", seq=6, machineUUID="clone"), None, id="a boot of another machine"
    ),
    pytest.param(sealed_and(evidence=True), "Device", id="its device has proven it off"),
    pytest.param(sealed_and(of=session("n1", 4), evidence=True), None, id="proven off, but in an earlier session"),
    pytest.param(
        sealed_and(of={**GRANTED, "seq": 6}, evidence=True), None, id="proven off, for a session that is not it"
    ),
    pytest.param(sealed_and(power="Off"), None, id="read off once is no proof"),
    pytest.param(sealed_and(confirm=True), "Manual", id="sealed and confirmed"),
    pytest.param(lambda w: ask(w, confirm=True), None, id="confirmed, but it may still renew"),
    pytest.param(sealed_and(of=session("n1", 4), confirm=True), None, id="confirmed for another session"),
    pytest.param(
        lambda w: (ask(w, confirm=True), hold(w, bootID="b2", nonce="x", seq=6)),
        "Manual",
        id="confirmed, and the Lease is in other hands",
    ),
    pytest.param(
        lambda w: (ask(w, confirm=True), renew(w), seal(w)),
        None,
        id="confirmed, but it has renewed since, and was sealed later",
    ),
    pytest.param(lambda w: silence(w, 100.0), None, id="silence proves nothing"),
    pytest.param(seal, None, id="a seal proves nothing"),
]


@pytest.mark.parametrize(("befall", "expected"), EXCLUSIVE)
def test_evidence(befall, expected: str | None) -> None:
    world, instance = scene()
    befall(world)
    found = closed(world, instance)
    assert (found.kind if isinstance(found, Evidence) else None) == expected
    assert found.why


NOT_EXCLUSIVE = [
    pytest.param(lambda w: None, None, id="it lives"),
    pytest.param(lambda w: silence(w, 1.0), None, id="late"),
    pytest.param(lambda w: silence(w, 2.0), "NotExclusive", id="silent"),
    pytest.param(seal, "NotExclusive", id="sealed"),
    pytest.param(
        lambda w: hold(w, bootID="boot-n1", nonce="x", seq=6), "NotExclusive", id="another session holds the Lease"
    ),
]


@pytest.mark.parametrize(("befall", "expected"), NOT_EXCLUSIVE)
def test_what_may_run_twice_needs_only_the_loss(befall, expected: str | None) -> None:
    world, instance = scene(exclusive=False)
    befall(world)
    found = closed(world, instance)
    assert (found.kind if isinstance(found, Evidence) else None) == expected


def test_every_kind_has_a_row_and_every_row_a_case() -> None:
    rows = [kind.name for kind in KINDS]
    assert sorted(rows) == sorted({*get_args(EvidenceKind)} - {"Lease"}), "Lease evidence comes later"
    assert {*rows} == {case.values[1] for case in (*EXCLUSIVE, *NOT_EXCLUSIVE)} - {None}


@pytest.mark.parametrize(
    ("unrecorded", "words"),
    [
        pytest.param(True, "n1 says: the disk is full; it goes on by itself as soon as that can be written there", id="only the disk"),
        pytest.param(False, "n1 could not prove that it has stopped (the disk is full); stop it there by hand", id="also an older agent"),
    ],
)  # fmt: skip
def test_what_is_stopped_and_only_not_recorded_is_nothing_to_stop_by_hand(unrecorded: bool, words: str) -> None:
    world, instance = scene()
    report(world, WEB, "n1", "Stuck", epoch=3, why="the disk is full", unrecorded=unrecorded)
    found = closed(world, instance)
    assert isinstance(found, Missing) and found.why.startswith(words)


def test_what_is_missing_names_the_host_and_what_a_person_can_do() -> None:
    world, instance = scene()
    silence(world, 100.0)
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
    ask(world)
    in_a_storm = replace(guard(world), storm=Storm(frozenset({"n1", "n2"}), 2))
    assert fence_actions(world, in_a_storm, "n1") == []


@pytest.mark.parametrize(
    ("want", "status", "sealed"),
    [
        pytest.param("Observe", {}, False, id="it was only looked at"),
        pytest.param("Off", {}, True, id="Off is wanted of sealed sessions only"),
        pytest.param("Withdrawn", {"evidence": {"level": "bmc", "why": "off twice"}}, True, id="it was proven off"),
        pytest.param(
            "Withdrawn",
            {"reads": [{"level": "bmc", "device": "bmc", "power": "On", "sealed": True}]},
            True,
            id="it was read after the seal",
        ),
    ],
)
def test_a_lease_that_was_deleted_is_made_again_as_its_request_shows_that_it_was(
    want: str, status: dict[str, Any], sealed: bool
) -> None:
    world, _ = scene()
    del world.leases["n1"]
    raw = {"metadata": {"name": "r"}, "spec": {"host": "n1", "session": GRANTED, "want": want}, "status": status}
    world.put_request(FenceRequest.from_wire(raw))
    (made,) = lease_actions(world, "n1")
    assert isinstance(made, CreateLease) and made.sealed is sealed
    assert made.session is not None and made.session.seq == GRANTED["seq"]


def holds_nothing(world: World) -> None:
    world.drop_instance("shop/web-0")


def is_another_machine(world: World) -> None:
    holds_nothing(world)
    speak(world, bootID="b9", nonce="z", seq=1)


@pytest.mark.parametrize(
    ("befall", "sealed"),
    [
        pytest.param(lambda w: None, True, id="it holds a grant"),
        pytest.param(holds_nothing, True, id="it holds nothing, and speaks for its host"),
        pytest.param(is_another_machine, False, id="another machine speaks under this name, and counts from 1 again"),
    ],
)
def test_a_lease_that_we_saw_sealed_is_made_again_sealed_though_no_request_shows_it(befall, sealed: bool) -> None:
    world, _ = scene()
    seal(world)
    world.last_sealed["n1"] = world.leases.pop("n1").lease
    befall(world)
    (made,) = lease_actions(world, "n1")
    assert isinstance(made, CreateLease) and made.sealed is sealed


def test_what_the_fencer_lacks_is_a_field_of_its_own_whatever_its_sentence_is():
    world, instance = scene()
    raw = world.hosts["n1"].wire()
    raw["spec"]["fencing"] = {"levels": [{"name": "bmc", "devices": [{"name": "bmc", "agent": "fence_redfish"}]}]}
    world.hosts["n1"] = Host.from_wire(raw)
    sealed_and()(world)
    raw = world.requests["r-nonce-n1-5"].wire()
    raw["status"] |= {"message": "In other words than today's", "missing": "level bmc: bmc: says unknown"}
    world.put_request(FenceRequest.from_wire(raw))
    assert closed(world, instance) == Missing(
        "n1 is sealed: it is not proven off: level bmc: bmc: says unknown;"
        " make sure that it is powered off and say so: `backstay fence n1 --confirm`"
    )


def test_a_holder_that_is_no_session_does_not_keep_its_host_from_being_planned():
    world, _ = scene()
    ask(world)
    world.leases["n1"] = replace(world.leases["n1"], lease=replace(world.leases["n1"].lease, holder="somebody"))
    told = [action.status for action in plan(world).actions if isinstance(action, WriteHostStatus)]
    assert "CannotBePlanned" not in str(told)
