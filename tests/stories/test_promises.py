"""One story for each promise: what happens, and every step that the planner takes, in order."""

from __future__ import annotations

from backstay_api.objects.object_kinds import HA_SERVICES, HOSTS
from backstay_api.objects.resource_kinds import units_of
from backstay_testing.stage import Stage, running, steps

SAFETY = ("SealLease", "RequestFence", "UpdateFence", "WriteInstance", "ReopenLease", "DeleteFence")


def test_every_action_says_why() -> None:
    stage = running()
    stage.power_off("n1")
    stage.wait(4)
    stage.boot("n1")
    stage.wait(4)
    stage.delete_service()
    assert all(line.partition(": ")[2] for line in stage.settle())


def test_with_failback_always_it_moves_back_to_a_host_that_is_much_preferred() -> None:
    prefer = [{"hosts": {"matchLabels": {}}, "weight": 0}]
    stage = running(placement={"failback": "Always", "prefer": prefer})
    stage.power_off("n1")
    stage.wait(4)
    stage.boot("n1")
    stage.wait(4)
    assert stage.copies() == ["n2"], "n1 is no better"
    stage.label("n1", best="yes")
    prefer = [{"hosts": {"matchLabels": {"best": "yes"}}, "weight": 500}]
    stage.apply_service(placement={"failback": "Always", "prefer": prefer})
    stage.wait(1)
    assert stage.copies() == ["n1"]


# --- moves -----------------------------------------------------------------------------------------------------------


def test_a_target_that_could_not_be_given_the_grant_at_once_stops_nothing() -> None:
    stage = running()
    stage.edit(HOSTS, "n3", metadata={"finalizers": None})
    stage.ask_to_move("n3")
    log = stage.settle()
    assert steps(log, "SetFinalizer", "Assign")[:2] == ["SetFinalizer n3 on", "Assign n1"], "first marked, then stopped"
    assert stage.copies() == ["n3"]


def test_a_host_that_cannot_be_read_any_more_is_not_left_for_that() -> None:
    stage = running()
    stage.of_a_later_version(HOSTS, "n1", spec={"heartbeat": {"profile": "unknown-yet"}})
    assert ("Host", "n1") in stage.world.unreadable
    assert steps(stage.wait(5), *SAFETY, "Assign") == []
    assert stage.copies() == ["n1"]


# --- starts that fail ------------------------------------------------------------------------------------------------


def test_a_start_that_fails_everywhere_is_tried_again_later_and_ever_later() -> None:
    stage = Stage("n1", "n2")
    stage.script("n1").start_fails = "exit 1"
    stage.script("n2").start_fails = "exit 2"
    stage.wait(1)
    stage.apply_service()
    assert len(steps(stage.wait(1), "WriteInstance")) == 2
    assert steps(stage.wait(10), "WriteInstance") == []
    assert "exit 2" in stage.missing()
    assert "tried again 15 s after the last failure)" in stage.missing()
    assert steps(stage.wait(7), "WriteInstance") == ["WriteInstance epoch 3 to n1 on Released"]
    assert steps(stage.wait(25), "WriteInstance") == [], "not before twice the time"
    assert steps(stage.wait(120), "WriteInstance") == [
        "WriteInstance epoch 4 to n2 on Released",
        "WriteInstance epoch 5 to n1 on Released",
    ]
    assert len(steps(stage.wait(850), "WriteInstance")) == 3, "after 2 min, 4 min, and then 5 min for ever"
    assert "tried again 5 min after the last failure; `backstay clear web --reason WHY` has it tried at once" in (
        stage.missing()
    )
    for host in ("n1", "n2"):
        stage.script(host).start_fails = ""
    stage.clear()
    stage.wait(5)
    assert len(stage.copies()) == 1


# --- what people change ----------------------------------------------------------------------------------------------


def test_an_edit_reaches_the_host_within_its_epoch() -> None:
    stage = running()
    stage.apply_service(resources=[{"name": "main", "systemd": {"unit": "other.service"}}])
    stage.settle()
    order = next(iter(stage.world.assignments["n1"].spec.instances.values()))
    assert (order.epoch, order.want, order.revision) == (1, "Up", 2)
    assert units_of(order.resources) == ("other.service",)


def test_an_edit_while_it_fails_over_is_what_the_next_host_runs() -> None:
    stage = running()
    stage.break_bmc("n1")
    stage.power_off("n1")
    stage.wait(4)
    stage.apply_service(resources=[{"name": "main", "systemd": {"unit": "other.service"}}])
    stage.wait(1)
    stage.mend_bmc("n1")
    stage.until(lambda: stage.copies() == ["n2"])
    stage.wait(1)
    order = next(iter(stage.world.assignments["n2"].spec.instances.values()))
    assert units_of(order.resources) == ("other.service",)


def test_a_service_that_cannot_be_read_any_more_keeps_what_it_had() -> None:
    stage = running()
    before = {name: one.spec for name, one in stage.world.assignments.items()}
    stage.of_a_later_version(HA_SERVICES, "web", spec={"mode": "Unknown-yet"})
    assert ("HAService", "shop/web") in stage.world.unreadable
    assert [one for one in stage.settle() if not one.startswith("ReportUnreadable")] == []
    assert {name: one.spec for name, one in stage.world.assignments.items()} == before
