"""Copies that nobody knows of any more, objects that lose our mark, hosts that are removed and come back."""

from __future__ import annotations

import pytest

from backstay_api.objects.models import HostAssignment
from backstay_api.objects.object_kinds import Unreadable
from backstay_operator.planner.actions import Assign, SetFinalizer
from backstay_operator.planner.plan import plan
from backstay_operator.planner.preconditions import Gone, HoldsNothing
from backstay_testing.stage import Stage, running, steps


def strip(stage: Stage) -> None:
    """Somebody takes our finalizer off the HAInstance, or restores it without."""
    old = stage.world.instances["shop/web-0"]
    stage.world.put_instance(old.model_copy(update={"metadata": old.metadata.model_copy(update={"finalizers": None})}))


# --- an instance that is gone ----------------------------------------------------------------------------------------


def test_our_finalizer_is_put_back_on_an_instance_before_it_is_granted_again() -> None:
    stage = running()
    strip(stage)
    stage.ask_to_move("n2")
    done = steps(stage.wait(2), "SetFinalizer", "WriteInstance")
    assert done[0] == "SetFinalizer web-0 on"
    assert stage.copies() == ["n2"]
    assert stage.world.instances["shop/web-0"].metadata.finalizers == ["backstay.dev/instance"]


def test_what_runs_for_an_instance_that_somebody_deleted_is_stopped_and_started_again() -> None:
    stage = running()
    uid = stage.world.instances["shop/web-0"].uid
    stage.world.drop_instance("shop/web-0")  # without our finalizer, by force
    stage.wait(5)
    assert uid not in stage.machines["n1"].running
    assert len(stage.copies()) == 1, "the new one runs"


def test_what_an_instance_that_is_gone_left_on_a_silent_host_is_said_with_what_to_do() -> None:
    stage = running()
    stage.machines["n1"].bmc = "dead"
    stage.power_off("n1")
    stage.wait(0.25)
    stage.world.drop_instance("shop/web-0")
    stage.wait(30)
    assert stage.copies() == []
    said = stage.missing()
    assert "n1 was running shop/web-0 for an HAInstance that is gone" in said
    assert "`backstay host remove n1`" in said
    stage.remove_host("n1")
    stage.wait(5)
    assert stage.copies() == ["n2"]


def test_an_order_alone_keeps_the_first_epoch_waiting() -> None:
    """The host was told to run it, and has not reported yet: that is when it starts."""
    stage = running()
    raw = stage.world.assignments["n1"].wire()
    raw["status"]["instances"] = {}
    stage.machines["n1"].frozen = True
    stage.machines["n1"].bmc = "dead"
    stage.world.put_assignment(HostAssignment.from_wire(raw))
    stage.world.drop_instance("shop/web-0")
    stage.wait(20)
    assert stage.copies() == []


# --- what may run twice ----------------------------------------------------------------------------------------------


def lost() -> Stage:
    """web, of which two may run, on n2, after n1 was lost for good."""
    stage = running(exclusive=False)
    stage.machines["n1"].bmc = "dead"
    stage.power_off("n1")
    stage.wait(5)
    assert stage.copies() == ["n2"]
    return stage


def test_what_may_run_twice_can_be_made_again_though_a_host_never_returns() -> None:
    stage = lost()
    stage.delete_service()
    stage.wait(5)
    assert "shop/web" not in stage.world.services
    stage.apply_service(uid="another", exclusive=False)
    stage.wait(5)
    assert stage.copies() == ["n2"]


def test_what_may_run_twice_survives_the_loss_of_its_instance() -> None:
    stage = lost()
    old = stage.world.instances["shop/web-0"]
    leaving = old.metadata.model_copy(update={"deletion_timestamp": "2026-03-01T12:00:00Z"})
    stage.world.put_instance(old.model_copy(update={"metadata": leaving}))
    stage.wait(10)
    assert stage.copies() == ["n2"]


def test_a_copy_on_a_host_that_wakes_after_its_service_was_deleted_is_stopped() -> None:
    stage = running(exclusive=False)
    stage.machines["n1"].connected = False
    stage.machines["n1"].bmc = "dead"
    stage.wait(5)
    stage.delete_service()
    stage.wait(5)
    assert "shop/web" not in stage.world.services and stage.machines["n1"].running
    stage.machines["n1"].connected = True
    stage.wait(5)
    assert stage.machines["n1"].running == {}


def test_what_a_host_reports_and_nobody_ordered_is_stopped() -> None:
    """Its HostAssignment was deleted with the order in it, and its service has moved on meanwhile."""
    stage = running(exclusive=False)
    stage.machines["n1"].connected = False
    stage.machines["n1"].bmc = "dead"
    stage.wait(5)
    assert stage.copies() == ["n1", "n2"]
    uid = stage.world.instances["shop/web-0"].uid
    raw = stage.world.assignments["n1"].wire()
    raw["spec"] = {}
    stage.world.put_assignment(HostAssignment.from_wire(raw))
    stage.wait(1)
    order = stage.world.assignments["n1"].spec.instances[uid]
    assert (order.want, order.epoch) == ("Down", 1)


def test_before_what_nobody_knows_is_stopped_the_api_server_is_asked_whether_it_is_gone() -> None:
    stage = running()
    uid = stage.world.instances["shop/web-0"].uid
    stage.world.drop_instance("shop/web-0")
    (told,) = (one for one in plan(stage.world).actions if isinstance(one, Assign) and one.host == "n1")
    assert any(isinstance(need, Gone) and need.uid == uid for need in told.needs)


def test_what_cannot_be_read_is_not_gone_and_goes_on() -> None:
    stage = running()
    uid = stage.world.instances["shop/web-0"].uid
    stage.world.drop_instance("shop/web-0")
    stage.world.unreadable["HAInstance", "shop/web-0"] = Unreadable("HAInstance", "shop/web-0", "spec.mode: unknown")
    stage.wait(5)
    assert stage.world.assignments["n1"].spec.instances[uid].want == "Up" and uid in stage.machines["n1"].running


def test_a_copy_that_was_carried_over_into_another_session_is_told_to_stop_under_an_epoch_that_it_obeys() -> None:
    """It knows the epoch as another session's, and of a UID that is gone there never will be another."""
    stage = running(exclusive=False)
    uid = stage.world.instances["shop/web-0"].uid
    raw = stage.world.assignments["n1"].wire()
    raw["spec"] = {}
    raw["status"]["session"] |= {"nonce": "another", "seq": 9, "supersedes": [raw["status"]["session"]["nonce"]]}
    stage.machines["n1"].frozen = True
    stage.world.put_assignment(HostAssignment.from_wire(raw))
    stage.world.drop_instance("shop/web-0")
    stage.settle()
    order = stage.world.assignments["n1"].spec.instances[uid]
    assert (order.want, order.epoch, order.session.nonce) == ("Down", 2, "another")


# --- hosts that are removed ------------------------------------------------------------------------------------------


def test_before_a_removed_host_goes_the_api_server_is_asked_whether_it_holds_anything() -> None:
    stage = running("n1", "n2")
    stage.remove_host("n2")
    finalizers = (one for one in plan(stage.world).actions if isinstance(one, SetFinalizer))
    (off,) = (one for one in finalizers if one.before is stage.world.hosts["n2"] and not one.present)
    assert any(isinstance(need, HoldsNothing) and need.host == "n2" for need in off.needs)


def test_a_host_that_is_removed_and_added_again_still_has_its_order_to_stop() -> None:
    stage = running(exclusive=False)
    stage.machines["n1"].connected = False
    stage.machines["n1"].bmc = "dead"
    stage.wait(5)
    stage.remove_host("n1")
    stage.wait(5)
    assert "n1" not in stage.world.hosts
    assert "n1" in stage.world.assignments, "it has yet to be told that it shall stop"
    stage.machines["n1"].connected = True
    stage.wait(5)
    assert stage.machines["n1"].running == {}
    assert "n1" not in stage.world.assignments


def test_a_seal_outlives_the_host_object() -> None:
    stage = running()
    stage.machines["n1"].connected = False
    stage.machines["n1"].bmc = "stuck"
    stage.wait(5)
    assert stage.world.leases["n1"].lease.sealed
    stage.remove_host("n1")
    stage.machines["n1"].unstoppable.add("web-0")
    stage.machines["n1"].connected = True
    stage.wait(5)
    assert stage.world.leases["n1"].lease.sealed, "its session lives, and has not stopped what it runs"
    stage.machines["n1"].unstoppable.clear()
    stage.wait(5)
    assert "n1" not in stage.world.leases, "it has opened another session, and holds nothing"


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
    (name,) = stage.world.requests_of["n1"]
    raw = stage.world.requests[name].wire()
    by = "system:serviceaccount:ops:alice"
    raw["spec"]["confirm"] = {"by": by, "at": "2026-03-01T12:00:00Z", "reason": "x" * length}
    stage._put_request(raw)
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
    raw = stage.world.assignments["n3"].wire()
    why = "it is enabled: systemctl disable web.service there"
    raw.setdefault("status", {})["held"] = [{"unit": "web.service", "why": why}]
    stage.machines["n3"].frozen = True
    stage.world.put_assignment(HostAssignment.from_wire(raw))
    stage.wait(2)
    assert stage.world.assignments["n3"].spec.secured == ["web.service"]
    held = {c.type: c.message for c in stage.world.services["shop/web"].status.conditions}["UnitsHeld"]
    assert held == f"n3 still holds web.service, though it may not run it any more: {why}"
    stage.delete_service()
    stage.wait(3)
    assert stage.world.assignments["n3"].spec.secured == []


def test_no_unit_is_given_back_while_a_service_cannot_be_read() -> None:
    """Nobody knows which units it names: one that is enabled would start by itself at the next boot of a candidate."""
    stage = running(*(f"n{number}" for number in range(1, 8)))
    stage.wait(2)
    others = [each.spec for each in stage.world.assignments.values() if not (each.spec.instances or each.spec.standbys)]
    assert others and all(spec.secured == ["web.service"] for spec in others)
    stage.lose_sight_of("web")
    stage.wait(5)
    assert all(each.spec.secured == ["web.service"] for each in stage.world.assignments.values())


def test_our_finalizer_is_put_back_on_what_runs_by_a_manifest_that_is_refused_now() -> None:
    stage = running()
    stage.apply_service(mode="Replicated", replicas=2)
    stage.settle()
    strip(stage)
    stage.wait(1)
    assert stage.world.instances["shop/web-0"].metadata.finalizers == ["backstay.dev/instance"]


def test_what_a_refused_edit_leaves_in_force_may_go_to_a_host_that_came_later() -> None:
    stage = running("n1")
    stage.apply_service(mode="Replicated", replicas=2)
    stage.wait(1)
    stage.add_host("n2")
    stage.wait(2)
    stage.power_off("n1")
    stage.wait(10)
    assert stage.copies() == ["n2"]


def test_a_copy_that_is_granted_to_its_host_again_is_not_stopped_meanwhile() -> None:
    stage = running("n1", exclusive=False)
    stage.machines["n1"].connected = False
    stage.machines["n1"].bmc = "dead"
    stage.wait(5)
    assert stage.world.instances["shop/web-0"].spec.grant is None
    stage.machines["n1"].connected = True
    stage.log.clear()
    stage.wait(3)
    assert stage.copies() == ["n1"]


LONG = "x" * 4096
"""As long as any text may be that somebody else has written."""


def test_whatever_others_write_is_never_too_long_for_what_we_write() -> None:
    stage = Stage("n1", "n2", "n3")
    for host, mode in (("n2", "Cordon"), ("n3", "HandsOff")):
        raw = stage.world.hosts[host].wire()
        raw["spec"]["maintenance"] = {"mode": mode, "reason": LONG}
        stage.world.hosts[host] = type(stage.world.hosts[host]).from_wire(raw)
    stage.machines["n1"].broken["web-0"] = LONG
    stage.machines["n2"].unready["web-0"] = LONG
    stage.wait(1)
    stage.apply_service()
    stage.wait(5)
    stage.maintain("n2", None)
    stage.wait(5)
    del stage.machines["n1"].broken["web-0"], stage.machines["n2"].unready["web-0"]
    stage.leap(700)
    stage.wait(3)
    assert stage.copies()
    holder = stage.copies()[0]
    stage.machines[holder].bmc = "dead"
    stage.power_off(holder)
    stage.wait(5)
    for name in stage.world.requests_of[holder]:
        raw = stage.world.requests[name].wire()
        raw["status"] = {"message": LONG, "power": "Off", "evidence": {"level": "bmc", "why": LONG}}
        stage._put_request(raw)
    stage.wait(5)
    stage.world.refused["HAService", "shop/web"] = LONG
    stage.world.refused["Host", holder] = LONG
    stage.wait(5)
    assert all(len(c.message) <= 4096 for c in stage.world.services["shop/web"].status.conditions)


def test_one_service_that_cannot_be_planned_stops_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Stage("n1", "n2")
    stage.wait(1)
    stage.apply_service("good")
    stage.apply_service("bad", uid="u" * 65)  # no claim can name an owner whose UID is so long
    stage.wait(3)
    assert stage.copies("good") == ["n1"]
    (ready,) = [c for c in stage.world.services["shop/bad"].status.conditions if c.type == "Ready"]
    assert (ready.status, ready.reason) == ("Unknown", "CannotBePlanned")
    assert "uid" in ready.message
