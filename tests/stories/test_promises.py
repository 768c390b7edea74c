"""One story for each promise: what happens, and every step that the planner takes, in order."""

from __future__ import annotations

from backstay_api.objects.object_kinds import HA_SERVICES, HOSTS
from backstay_api.objects.resource_kinds import units_of
from backstay_testing.stage import Stage, running, steps

SAFETY = ("SealLease", "RequestFence", "UpdateFence", "WriteInstance", "ReopenLease", "DeleteFence")


def test_a_new_service_is_asked_about_everywhere_and_then_granted_once() -> None:
    stage = Stage("n1", "n2", "n3")
    stage.wait(1)
    stage.apply_service()
    log = stage.settle()
    assert steps(log, "SetFinalizer", "CreateInstance", "WriteInstance") == [
        "SetFinalizer web on",
        "CreateInstance web-0",
        "SetFinalizer n1 on",
        "SetFinalizer n2 on",
        "SetFinalizer n3 on",
        "WriteInstance epoch 1 to n1",
    ]
    assert stage.copies() == ["n1"]


def test_every_action_says_why() -> None:
    stage = running()
    stage.power_off("n1")
    stage.wait(4)
    stage.boot("n1")
    stage.wait(4)
    stage.delete_service()
    assert all(line.partition(": ")[2] for line in stage.settle())


def test_a_host_loses_power_and_its_device_says_so() -> None:
    stage = running()
    stage.power_off("n1")
    assert stage.wait(4) == [
        "RequestFence n1 Observe: n1 is suspect",
        "SealLease n1: n1 is late, and its power was read off",
        "UpdateFence n1 Off: n1 was silent; its session is sealed and must be proven to be over",
        "WriteInstance epoch 2 to n2 on Device: n1 is off: bmc read off twice, the second time after the seal;"
        " next n2, as good as n3, and first by name",
        "WriteClaim web.service: epoch 2, revision 1 may name unit web.service",
        "Assign n1: shop/web-0 epoch 1 Down: epoch 1 is over",
        "Assign n2: shop/web-0 epoch 2 Up: it is granted here",
    ]
    assert stage.copies() == ["n2"]


def test_a_host_that_hangs_is_cut_off_and_only_then_replaced() -> None:
    stage = running()
    stage.freeze("n1")
    assert steps(stage.wait(4), *SAFETY) == [
        "RequestFence n1 Observe",
        "SealLease n1",
        "UpdateFence n1 Off",
        "WriteInstance epoch 2 to n2 on Device",
    ]
    assert stage.copies() == ["n2"]


def test_the_host_comes_back_and_nothing_moves_back() -> None:
    stage = running()
    stage.power_off("n1")
    stage.wait(4)
    stage.boot("n1")
    assert steps(stage.wait(4), *SAFETY) == ["ReopenLease n1", "DeleteFence n1"]
    assert stage.copies() == ["n2"]


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


def test_a_reboot_quicker_than_detection_is_proof_by_itself() -> None:
    stage = running()
    stage.boot("n1")
    assert steps(stage.wait(4), *SAFETY) == ["WriteInstance epoch 2 to n2 on Boot"]
    assert stage.copies() == ["n2"]


def test_a_reboot_of_the_only_host_starts_it_there_again_once_it_is_ready() -> None:
    stage = running("n1")
    stage.boot("n1")
    assert steps(stage.wait(4), *SAFETY) == [
        "WriteInstance epoch 1 closed on Boot",
        "WriteInstance epoch 2 to n1 on Boot",
    ]
    assert stage.copies() == ["n1"]


def test_a_late_host_that_renews_again_is_left_alone() -> None:
    stage = running()
    stage.false_alarm("n1")
    assert steps(stage.wait(2), *SAFETY) == ["UpdateFence n1 Withdrawn"]
    assert stage.copies() == ["n1"]


def test_a_false_alarm_with_a_device_that_does_nothing_ends_in_a_new_session() -> None:
    stage = running()
    stage.cut_off("n1")
    stage.break_bmc("n1", "stuck")
    assert steps(stage.wait(4), *SAFETY) == ["RequestFence n1 Observe", "SealLease n1", "UpdateFence n1 Off"]
    assert stage.copies() == ["n1"], "cut off from us, it serves its clients"
    stage.reconnect("n1")
    assert steps(stage.wait(4), *SAFETY) == [
        "WriteInstance epoch 2 to n2 on Released",
        "ReopenLease n1",
        "UpdateFence n1 Withdrawn",
    ]
    assert stage.copies() == ["n2"]
    assert steps(stage.wait(60), *SAFETY) == ["DeleteFence n1"], (
        "not before the `off` that was sent can do nothing more"
    )


# --- moves -----------------------------------------------------------------------------------------------------------


def test_a_move_stops_it_here_only_for_a_host_that_is_ready() -> None:
    stage = running()
    stage.ask_to_move("n3")
    assert stage.settle() == [
        "Assign n1: shop/web-0 epoch 1 Down: a move to n3 was asked for",
        "WriteInstance epoch 2 to n3 on Released: n1 has stopped it verifiably and says that epoch 1 is over;"
        " next n3, the only host of 3 that can run it",
        "WriteClaim web.service: epoch 2, revision 1 may name unit web.service",
        "Assign n1: entries of epochs that are over are removed",
        "Assign n3: shop/web-0 epoch 2 Up: it is granted here",
        "RemoveMoveWish web: it is on n3",
    ]
    assert stage.copies() == ["n3"]


def test_a_move_to_a_host_that_is_not_ready_waits_until_it_expires() -> None:
    stage = running()
    stage.unready("n3", "no such unit")
    stage.ask_to_move("n3", for_s=30)
    assert stage.settle() == []
    assert stage.copies() == ["n1"]
    assert "a move to n3 was asked for, but it stays" in stage.missing()
    assert "no such unit" in stage.missing()
    assert steps(stage.wait(35), "RemoveMoveWish", "Assign") == ["RemoveMoveWish web"]
    assert "it has expired" in stage.log[-1]
    assert stage.copies() == ["n1"]


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


def test_a_drain_moves_everything_away_that_has_somewhere_to_go() -> None:
    stage = running()
    stage.maintain("n1", "Drain")
    assert steps(stage.settle(), *SAFETY) == ["WriteInstance epoch 2 to n2 on Released"]
    assert stage.copies() == ["n2"]


def test_a_drain_with_nowhere_to_go_stops_nothing_and_says_so() -> None:
    stage = running("n1")
    stage.maintain("n1", "Drain")
    assert stage.settle() == []
    assert stage.copies() == ["n1"]
    assert "n1 is being drained, but it stays: 0/1 hosts can run it" in stage.missing()


def test_what_cannot_be_stopped_blocks_the_move_and_says_what_a_person_can_do() -> None:
    stage = running()
    stage.script("n1").stop_fails = "a process does not end"
    stage.maintain("n1", "Drain")
    stage.wait(2)
    assert stage.copies() == ["n1"]
    assert "a process does not end" in stage.missing()
    assert "`backstay fence n1 --confirm`" in stage.missing()
    stage.script("n1").stop_fails = ""
    stage.until(lambda: stage.copies() == ["n2"])


def test_down_is_remembered_when_the_reason_for_it_goes() -> None:
    stage = running()
    stage.script("n1").stop_fails = "a process does not end"
    stage.maintain("n1", "Drain")
    stage.wait(1)
    stage.maintain("n1", None)
    assert steps(stage.wait(1), "Assign") == []
    stage.script("n1").stop_fails = ""
    stage.until(lambda: stage.copies() not in ([], ["n1"]))
    assert [line.partition(" to ")[0] for line in steps(stage.log, "WriteInstance")] == ["WriteInstance epoch 2"]


# --- starts that fail ------------------------------------------------------------------------------------------------


def test_a_failed_start_moves_on_to_a_host_where_it_has_not_failed() -> None:
    stage = Stage("n1", "n2", "n3")
    stage.script("n1").start_fails = "exit 1"
    stage.wait(1)
    stage.apply_service()
    assert steps(stage.wait(1), "WriteInstance") == [
        "WriteInstance epoch 1 to n1",
        "WriteInstance epoch 2 to n2 on Released",
    ]
    assert stage.copies() == ["n2"]


def test_a_start_that_fails_everywhere_is_tried_again_later_and_ever_later() -> None:
    stage = Stage("n1", "n2")
    stage.script("n1").start_fails = "exit 1"
    stage.script("n2").start_fails = "exit 2"
    stage.wait(1)
    stage.apply_service()
    assert len(steps(stage.wait(1), "WriteInstance")) == 2
    assert steps(stage.wait(10), "WriteInstance") == []
    assert "exit 2" in stage.missing()
    assert "tried again 15 s after that" in stage.missing()
    assert steps(stage.wait(7), "WriteInstance") == [
        "WriteInstance epoch 3 to n1 on Released",
        "WriteInstance epoch 4 to n2 on Released",
    ]
    assert steps(stage.wait(25), "WriteInstance") == [], "not before twice the time"
    assert len(steps(stage.wait(300), "WriteInstance")) in range(4, 9), "a few times, each later than the one before"
    stage.script("n1").start_fails = ""
    stage.wait(600)
    assert stage.copies() == ["n1"]


def test_a_start_that_fails_on_the_only_host_is_tried_again_there() -> None:
    stage = Stage("n1")
    stage.script("n1").start_fails = "exit 1"
    stage.wait(1)
    stage.apply_service()
    assert steps(stage.wait(10), "WriteInstance") == ["WriteInstance epoch 1 to n1"]
    stage.script("n1").start_fails = ""
    stage.wait(7)
    assert stage.copies() == ["n1"]


def test_what_runs_is_not_moved_to_a_host_that_lately_failed_to_start_it() -> None:
    stage = Stage("n1", "n2")
    stage.script("n1").start_fails = "exit 1"
    stage.wait(1)
    stage.apply_service()
    stage.wait(20)
    assert stage.copies() == ["n2"]
    stage.maintain("n2", "Drain")
    stage.wait(100)
    assert stage.copies() == ["n2"]


# --- what people change ----------------------------------------------------------------------------------------------


def test_stopped_and_running_again() -> None:
    stage = running()
    stage.apply_service(state="Stopped")
    assert steps(stage.settle(), *SAFETY) == ["WriteInstance epoch 1 closed on Released"]
    assert stage.copies() == []
    stage.apply_service(state="Running")
    (granted,) = steps(stage.settle(), *SAFETY)
    assert [f"WriteInstance epoch 2 to {host}" for host in stage.copies()] == [granted.removesuffix(" on Released")]


def test_an_edit_reaches_the_host_within_its_epoch() -> None:
    stage = running()
    stage.apply_service(resources=[{"name": "main", "systemd": {"unit": "other.service"}}])
    stage.settle()
    order = next(iter(stage.world.assignments["n1"].spec.instances.values()))
    assert (order.epoch, order.want, order.revision) == (1, "Up", 2)
    assert units_of(order.resources) == ("other.service",)


def test_an_edit_that_is_refused_stops_nothing() -> None:
    stage = running()
    stage.apply_service(mode="Replicated")
    assert stage.settle() == []
    assert stage.copies() == ["n1"]


def test_an_edit_while_it_fails_over_is_what_the_next_host_runs() -> None:
    stage = running()
    stage.break_bmc("n1")
    stage.power_off("n1")
    stage.wait(4)
    stage.apply_service(resources=[{"name": "main", "systemd": {"unit": "other.service"}}])
    stage.wait(1)
    stage.mend_bmc("n1")
    stage.until(lambda: stage.copies() == ["n2"])
    order = next(iter(stage.world.assignments["n2"].spec.instances.values()))
    assert units_of(order.resources) == ("other.service",)


def test_a_service_that_cannot_be_read_any_more_keeps_what_it_had() -> None:
    stage = running()
    before = {name: one.spec for name, one in stage.world.assignments.items()}
    stage.of_a_later_version(HA_SERVICES, "web", spec={"mode": "Unknown-yet"})
    assert ("HAService", "shop/web") in stage.world.unreadable
    assert [one for one in stage.settle() if not one.startswith("ReportUnreadable")] == []
    assert {name: one.spec for name, one in stage.world.assignments.items()} == before
