"""What nobody should do, and somebody does: words that were not true, objects taken away, manifests edited at a bad moment."""

from __future__ import annotations

import pytest

from backstay_api.objects.object_kinds import FENCE_REQUESTS, HA_INSTANCES, HA_SERVICES, HOST_LEASES
from backstay_testing.stage import running, steps

TOUCHED = ("SealLease", "WriteInstance", "DeleteFence", "RequestFence", "UpdateFence")


def test_a_confirmation_that_the_host_has_disproved_never_counts_again() -> None:
    stage = running()
    stage.break_bmc("n1")
    stage.cut_off("n1")
    stage.until(lambda: stage.requests_of("n1"))
    stage.confirm("n1")
    stage.reconnect("n1")
    stage.wait(2)
    stage.cut_off("n1")  # it lives, and runs on
    stage.wait(20)
    assert stage.copies() == ["n1"]
    assert "`backstay fence n1 --confirm`" in stage.missing(), "a person may look again"


def test_a_refused_edit_does_not_keep_a_lost_service_down() -> None:
    stage = running()
    stage.apply_service(mode="Promotable", replicas=2)
    stage.settle()
    stage.power_off("n1")
    stage.wait(10)
    assert stage.copies() == ["n2"]
    told = stage.world.services["shop/web"].status.conditions
    assert {c.type: (c.status, c.reason) for c in told}["Accepted"] == ("False", "NothingPromoted")
    assert {c.type: (c.status, c.reason) for c in told}["Degraded"] == ("True", "ManifestRefused")
    stage.boot("n1")
    stage.wait(2)
    stage.power_off("n2")
    stage.wait(70)
    assert stage.copies() == ["n1"], "and again"


def test_a_refused_edit_that_came_when_no_host_could_take_it_does_not_keep_it_down_either() -> None:
    stage = running("n1", "n2")
    stage.power_off("n2")
    stage.wait(5)
    stage.apply_service(mode="EveryHost")
    stage.power_off("n1")
    stage.wait(70)
    assert stage.copies() == []
    stage.boot("n2")
    stage.wait(5)
    assert stage.copies() == ["n2"]


def test_a_refused_edit_starts_nothing_that_was_stopped() -> None:
    stage = running()
    stage.apply_service(state="Stopped")
    stage.wait(1)
    stage.apply_service(mode="Promotable", replicas=2)
    stage.wait(5)
    assert stage.copies() == []


@pytest.mark.parametrize("name", ["backstay.dev/move", "backstay.dev/clear"])
@pytest.mark.parametrize(
    "text",
    [
        pytest.param('{"host": "n2", "generation": 1e999, "epochs": {"web-0": 1e999}, "number": 1e999}', id="numbers"),
        pytest.param("[" * 100_000, id="lists without end"),
        pytest.param('{"host": "\\ud800", "epochs": {"\\ud800": 1}, "number": 1}', id="half a character"),
        pytest.param(
            '{"host": "n2", "epochs": {"web-0": 1}, "number": 99999999999999999999999}', id="too large a number"
        ),
    ],
)
def test_what_somebody_writes_into_an_annotation_stops_no_operator(name: str, text: str) -> None:
    stage = running("n1", "n2")
    stage.edit(HA_SERVICES, "web", metadata={"annotations": {name: text}})
    stage.wait(5)
    on = stage.copies()[0]
    stage.power_off(on)
    stage.wait(30)
    assert stage.copies() == [{"n1": "n2", "n2": "n1"}[on]]
    assert stage.real.story.last(4000).count("operator-a died") == 0


def test_the_units_of_what_still_runs_stay_secured_through_a_refused_edit() -> None:
    stage = running()
    other = [{"name": "main", "systemd": {"unit": "other.service"}}]
    stage.apply_service(mode="Promotable", replicas=2, resources=other)
    stage.wait(1)
    assert "web.service" in stage.world.assignments["n1"].spec.secured


def test_a_lease_that_somebody_deletes_does_not_hide_a_lost_host() -> None:
    stage = running()
    stage.power_off("n1")
    stage.delete(HOST_LEASES, "n1")
    stage.wait(30)
    assert stage.copies() == ["n2"]


def test_an_instance_from_a_backup_is_not_granted_past_what_a_host_still_runs() -> None:
    stage = running()
    old = stage.must(HA_INSTANCES, "web-0")
    stage.ask_to_move("n2")
    stage.wait(2)
    stage.ask_to_move("n3")
    stage.wait(2)
    assert stage.copies() == ["n3"]
    stage.restore(HA_INSTANCES, old)
    stage.blessed.append("web-0: epoch 1 after epoch 3")
    stage.wait(5)
    assert stage.copies() == ["n3"]
    stage.boot("n1")
    stage.wait(5)
    assert stage.copies() == ["n3"]


def test_an_address_is_ordered_only_when_it_is_ours() -> None:
    stage = running()
    stage.log.clear()
    main = {"name": "main", "systemd": {"unit": "web.service"}}
    stage.apply_service(resources=[main, {"name": "ip", "virtualIP": {"address": "192.0.2.10/24"}}])
    done = [line for line in stage.settle() if line.startswith(("Assign n1", "CreateClaim"))]
    assert done[0].startswith("CreateClaim"), done


def test_a_host_that_is_removed_leaves_nothing_and_its_name_is_free_for_another_machine() -> None:
    stage = running()
    stage.remove_host("n3")
    stage.wait(1)
    first, *rest = steps(stage.log, "SetFinalizer", "DeleteAssignment", "DeleteLease")
    assert (first, sorted(rest)) == ("SetFinalizer n3 off", ["DeleteAssignment n3", "DeleteLease n3"])
    assert "n3" not in {*stage.world.assignments, *stage.world.leases}
    stage.remove_host("n1")
    stage.wait(2)
    assert stage.copies() == ["n2"]
    assert "n1" not in {*stage.world.assignments, *stage.world.leases}, "once nothing is left on it"


def test_exclusive_stays_what_it_was_and_says_so() -> None:
    stage = running()
    stage.apply_service(exclusive=False)
    stage.settle()
    accepted = next(c for c in stage.world.services["shop/web"].status.conditions if c.type == "Accepted")
    assert (accepted.status, accepted.reason) == ("True", "ExclusiveKept")
    assert "delete it and create it again" in accepted.message
    stage.cut_off("n1")
    stage.break_bmc("n1")
    stage.wait(10)
    assert stage.copies() == ["n1"]


def test_what_was_read_in_a_false_alarm_seals_nobody_in_the_next() -> None:
    stage = running()
    stage.false_alarm("n1")
    stage.wait(2)
    ((name, want),) = stage.requests_of("n1").items()
    assert want == "Withdrawn"
    stage.freeze("fencer")
    stage.edit(
        FENCE_REQUESTS, name, status={"power": "Off"}
    )  # its device lied, and it hangs before it can take that back
    stage.log.clear()
    stage.cut_off("n1")
    stage.until(lambda: steps(stage.log, "RequestFence"))
    assert steps(stage.log, "SealLease", "DeleteFence", "RequestFence") == ["DeleteFence n1", "RequestFence n1 Observe"]
