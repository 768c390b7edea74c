"""Copies that nobody knows of any more, objects that lose our mark, hosts that are removed and come back."""

from __future__ import annotations

import pytest

from backstay_api.objects.object_kinds import (
    FENCE_REQUESTS,
    HA_INSTANCES,
    HA_SERVICES,
    HOST_ASSIGNMENTS,
    HOST_LEASES,
)
from backstay_operator.planner.actions import Assign, SetFinalizer
from backstay_operator.planner.preconditions import Gone, HoldsNothing
from backstay_testing.stage import Stage, running, steps

# --- an instance that is gone ----------------------------------------------------------------------------------------


def test_our_finalizer_is_put_back_on_an_instance_before_it_is_granted_again() -> None:
    stage = running()
    stage.strip(HA_INSTANCES, "web-0")
    stage.ask_to_move("n2")
    done = steps(stage.wait(2), "SetFinalizer", "WriteInstance")
    assert done[0] == "SetFinalizer web-0 on"
    assert stage.copies() == ["n2"]
    assert stage.world.instances["shop/web-0"].metadata.finalizers == ["backstay.dev/instance"]


def test_what_runs_for_an_instance_that_somebody_deleted_is_stopped_and_started_again() -> None:
    stage = running()
    stage.delete_by_force(HA_INSTANCES, "web-0")
    stage.blessed.append("web-0 is deleted while")
    stage.until(lambda: stage.copies() == [])
    stage.wait(5)
    assert len(stage.copies()) == 1, "the new one runs"


@pytest.mark.parametrize("what", ["confirmed off", "confirmed off, its Lease deleted", "removed"])
def test_what_an_instance_that_is_gone_left_on_a_silent_host_is_said_with_what_to_do(what: str) -> None:
    stage = running()
    stage.break_bmc("n1")
    stage.power_off("n1")
    stage.wait(0.25)
    stage.delete_by_force(HA_INSTANCES, "web-0")
    stage.wait(30)
    assert stage.copies() == []
    said = stage.missing()
    assert "n1 was running shop/web-0 for an HAInstance that is gone" in said
    assert "`backstay fence n1 --confirm`" in said
    if "Lease" in what:
        stage.delete_by_force(HOST_LEASES, "n1")
        stage.wait(5)
    if what == "removed":
        stage.remove_host("n1")
    else:
        stage.confirm("n1")
    stage.wait(5)
    assert stage.copies() == ["n2"]


def test_an_order_alone_keeps_the_first_epoch_waiting() -> None:
    """The host was told to run it, and has not reported yet: that is when it starts."""
    stage = running()
    stage.freeze("n1")
    stage.break_bmc("n1")
    stage.edit(HOST_ASSIGNMENTS, "n1", status={"instances": None})
    stage.delete_by_force(HA_INSTANCES, "web-0")
    stage.wait(20)
    assert stage.copies() == ["n1"]


# --- what may run twice ----------------------------------------------------------------------------------------------


def lost() -> Stage:
    """web, of which two may run, on n2, after n1 was lost for good."""
    stage = running(exclusive=False)
    stage.break_bmc("n1")
    stage.power_off("n1")
    stage.wait(5)
    assert stage.copies() == ["n2"]
    return stage


def test_what_may_run_twice_can_be_made_again_though_a_host_never_returns() -> None:
    stage = lost()
    stage.delete_service()
    stage.wait(5)
    assert "shop/web" not in stage.world.services
    with stage.only("n2"):
        stage.apply_service(exclusive=False)
        stage.settle()
    assert stage.copies() == ["n2"]


def test_what_may_run_twice_survives_the_loss_of_its_instance() -> None:
    stage = lost()
    stage.delete(HA_INSTANCES, "web-0")
    stage.wait(10)
    assert stage.copies() in (["n2"], ["n3"])


def test_a_copy_on_a_host_that_wakes_after_its_service_was_deleted_is_stopped() -> None:
    stage = running(exclusive=False)
    stage.cut_off("n1")
    stage.break_bmc("n1")
    stage.wait(5)
    stage.delete_service()
    stage.wait(5)
    assert "shop/web" not in stage.world.services and stage.copies() == ["n1"]
    stage.reconnect("n1")
    stage.wait(5)
    assert stage.copies() == []


def test_what_a_host_reports_and_nobody_ordered_is_stopped() -> None:
    """Its HostAssignment was deleted with the order in it, and its service has moved on meanwhile."""
    stage = running(exclusive=False)
    stage.cut_off("n1")
    stage.break_bmc("n1")
    stage.wait(5)
    assert stage.copies() == ["n1", "n2"]
    uid = stage.world.instances["shop/web-0"].uid
    stage.edit(HOST_ASSIGNMENTS, "n1", spec={"instances": None})
    stage.wait(1)
    order = stage.world.assignments["n1"].spec.instances[uid]
    assert (order.want, order.epoch) == ("Down", 1)


def test_before_what_nobody_knows_is_stopped_the_api_server_is_asked_whether_it_is_gone() -> None:
    stage = running()
    uid = stage.world.instances["shop/web-0"].uid
    begin = len(stage.plans)
    stage.delete_by_force(HA_INSTANCES, "web-0")
    stage.blessed.append("web-0 is deleted while")
    stage.until(lambda: stage.copies() == [])
    told = [one for made in stage.plans[begin:] for one in made.actions if isinstance(one, Assign) and one.host == "n1"]
    assert any(isinstance(need, Gone) and need.uid == uid for need in told[0].needs)


def test_what_cannot_be_read_is_not_gone_and_goes_on() -> None:
    stage = running()
    uid = stage.world.instances["shop/web-0"].uid
    stage.of_a_later_version(HA_INSTANCES, "web-0", spec={"exclusive": "by halves"})
    assert ("HAInstance", "shop/web-0") in stage.world.unreadable and not stage.world.instances
    begin = len(stage.plans)
    stage.wait(5)
    told = [one for made in stage.plans[begin:] for one in made.actions if isinstance(one, Assign) and one.host == "n1"]
    assert all(one.spec.instances[uid].want == "Up" for one in told), (
        "nor is the API server asked whether it may be stopped"
    )
    assert stage.world.assignments["n1"].spec.instances[uid].want == "Up" and stage.copies() == ["n1"]


def test_a_copy_that_was_carried_over_into_another_session_is_told_to_stop_under_an_epoch_that_it_obeys() -> None:
    """It knows the epoch as another session's, and of a UID that is gone there never will be another."""
    stage = running(exclusive=False)
    uid = stage.world.instances["shop/web-0"].uid
    nonce = stage.must(HOST_ASSIGNMENTS, "n1")["status"]["session"]["nonce"]
    another = {"nonce": "another", "seq": 9, "supersedes": [nonce]}
    stage.freeze("n1")
    stage.edit(HOST_ASSIGNMENTS, "n1", spec={"instances": None}, status={"session": another})
    stage.delete_by_force(HA_INSTANCES, "web-0")
    stage.settle()
    order = stage.world.assignments["n1"].spec.instances[uid]
    assert (order.want, order.epoch, order.session.nonce) == ("Down", 2, "another")


# --- hosts that are removed ------------------------------------------------------------------------------------------


def test_before_a_removed_host_goes_the_api_server_is_asked_whether_it_holds_anything() -> None:
    stage = running("n1", "n2")
    stage.remove_host("n2")
    stage.settle()
    finalizers = [one for made in stage.plans for one in made.actions if isinstance(one, SetFinalizer)]
    off = next(one for one in finalizers if one.ref.name == "n2" and not one.present)
    assert any(isinstance(need, HoldsNothing) and need.host == "n2" for need in off.needs)


def test_a_host_that_is_removed_and_added_again_still_has_its_order_to_stop() -> None:
    stage = running(exclusive=False)
    stage.cut_off("n1")
    stage.break_bmc("n1")
    stage.wait(5)
    stage.remove_host("n1")
    stage.wait(5)
    assert "n1" not in stage.world.hosts
    assert "n1" in stage.world.assignments, "it has yet to be told that it shall stop"
    stage.reconnect("n1")
    stage.wait(5)
    assert stage.copies() == ["n2"]
    assert "n1" not in stage.world.assignments


def test_a_seal_outlives_the_host_object() -> None:
    stage = running()
    stage.cut_off("n1")
    stage.break_bmc("n1", "stuck")
    stage.wait(5)
    assert stage.world.leases["n1"].lease.sealed
    stage.remove_host("n1")
    stage.script("n1").stop_fails = "a process does not end"
    stage.reconnect("n1")
    stage.wait(5)
    assert stage.world.leases["n1"].lease.sealed, "its session lives, and has not stopped what it runs"
    stage.script("n1").stop_fails = ""
    stage.until(lambda: "n1" not in stage.world.leases)  # it has opened another session, and holds nothing


def test_the_name_of_a_host_that_was_proven_off_is_free_for_another_machine() -> None:
    stage = running()
    stage.power_off("n1")
    stage.wait(5)
    assert stage.copies() == ["n2"]
    stage.remove_host("n1")
    stage.wait(3)
    assert "n1" not in {*stage.world.assignments, *stage.world.leases, *stage.world.hosts}


# --- words of other people -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("length", [4000, 4096])
def test_a_long_reason_of_a_confirmer_is_clipped_and_counts(length: int) -> None:
    stage = running("n1", "n2", devices=False)
    stage.power_off("n1")
    stage.wait(5)
    stage.confirm("n1", by="system:serviceaccount:ops:alice", reason="x" * length)
    stage.wait(5)
    assert stage.copies() == ["n2"]


# --- units that are held ---------------------------------------------------------------------------------------------


def test_a_unit_that_a_former_candidate_holds_stays_secured_while_its_service_exists_and_is_said() -> None:
    stage = running("n1", "n2", "n3")
    for host in ("n1", "n2"):
        stage.label(host, pool="a")
    stage.apply_service(placement={"hosts": {"matchLabels": {"pool": "a"}}})
    stage.wait(2)
    assert stage.world.assignments["n3"].spec.secured == []
    why = "it is enabled: systemctl disable web.service there"
    stage.freeze("n3")
    stage.edit(HOST_ASSIGNMENTS, "n3", status={"held": [{"unit": "web.service", "why": why}]})
    stage.wait(2)
    assert stage.world.assignments["n3"].spec.secured == ["web.service"]
    held = {c.type: c.message for c in stage.world.services["shop/web"].status.conditions}["UnitsHeld"]
    assert held == f"n3 still holds web.service, though it may not run it any more: {why}"
    stage.delete_service()
    stage.wait(3)
    assert stage.world.assignments["n3"].spec.secured == []


@pytest.mark.parametrize("restarted", [False, True], ids=["the same operator", "one that has never read it"])
def test_no_unit_is_given_back_while_a_service_cannot_be_read(restarted: bool) -> None:
    """Nobody knows which units it names: one that is enabled would start by itself at the next boot of a candidate."""
    stage = running(*(f"n{number}" for number in range(1, 8)))
    stage.wait(2)
    others = [each.spec for each in stage.world.assignments.values() if not (each.spec.instances or each.spec.standbys)]
    assert others and all(spec.secured == ["web.service"] for spec in others)
    stage.of_a_later_version(HA_SERVICES, "web", spec={"mode": "Unknown-yet"})
    if restarted:
        stage.restart_operator()
    stage.wait(5)
    assert all(each.spec.secured == ["web.service"] for each in stage.world.assignments.values())


def test_our_finalizer_is_put_back_on_what_runs_by_a_manifest_that_is_refused_now() -> None:
    stage = running()
    stage.apply_service(mode="Promotable", replicas=2)
    stage.settle()
    stage.strip(HA_INSTANCES, "web-0")
    stage.wait(1)
    assert stage.world.instances["shop/web-0"].metadata.finalizers == ["backstay.dev/instance"]


def test_what_a_refused_edit_leaves_in_force_may_go_to_a_host_that_came_later() -> None:
    stage = running("n1")
    stage.apply_service(mode="Promotable", replicas=2)
    stage.wait(1)
    stage.add_host("n2")
    stage.wait(2)
    stage.power_off("n1")
    stage.wait(10)
    assert stage.copies() == ["n2"]


def test_a_copy_that_is_granted_to_its_host_again_is_not_stopped_meanwhile() -> None:
    stage = running("n1", exclusive=False)
    stage.cut_off("n1")
    stage.break_bmc("n1")
    stage.wait(5)
    assert stage.world.instances["shop/web-0"].spec.grant is None
    stage.reconnect("n1")
    stage.log.clear()
    stage.wait(3)
    assert stage.copies() == ["n1"]


LONG = "x" * 4096
"""As long as any text may be that somebody else has written."""


def test_whatever_others_write_is_never_too_long_for_what_we_write() -> None:
    stage = Stage("n1", "n2", "n3")
    for host, mode in (("n2", "Cordon"), ("n3", "HandsOff")):
        stage.maintain(host, mode, LONG)
    stage.script("n1").start_fails = LONG
    stage.script("n2").not_ready = LONG
    stage.wait(1)
    stage.apply_service()
    stage.wait(5)
    stage.maintain("n2", None)
    stage.wait(5)
    stage.script("n1").start_fails, stage.script("n2").not_ready = "", ""
    stage.wait(700)
    assert stage.copies()
    holder = stage.copies()[0]
    stage.break_bmc(holder)
    stage.power_off(holder)
    stage.wait(5)
    stage.blessed.append(f"is invalid: {LONG}")
    for kind in (HOST_ASSIGNMENTS, HA_INSTANCES):  # webhooks of somebody else
        stage.real.cluster.admit(kind, lambda kind, old, new: LONG if old and old["spec"] != new["spec"] else None)
    stage.maintain("n3", None)
    stage.wait(1)
    assert ("Host", "n3") in stage.world.refused
    for name in stage.requests_of(holder):
        off = {"message": LONG, "power": "Off", "evidence": {"level": "bmc", "why": LONG}}
        stage.edit(FENCE_REQUESTS, name, status=off)
    stage.wait(5)
    assert ("HAService", "shop/web") in stage.world.refused
    assert all(len(c.message) <= 4096 for c in stage.world.services["shop/web"].status.conditions)


def test_one_service_that_cannot_be_planned_stops_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Stage("n1", "n2")
    stage.wait(1)
    stage.apply_service("good")
    stage.apply_service("bad")
    bad = stage.must(HA_SERVICES, "bad")
    stage.restore(
        HA_SERVICES, {**bad, "metadata": {**bad["metadata"], "uid": "u" * 65}}
    )  # too long for a claim's owner
    stage.wait(3)
    assert stage.copies("good") != []
    (ready,) = [c for c in stage.world.services["shop/bad"].status.conditions if c.type == "Ready"]
    assert (ready.status, ready.reason) == ("Unknown", "CannotBePlanned")
    assert "uid" in ready.message
