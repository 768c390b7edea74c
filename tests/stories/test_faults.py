"""One story for each fault in which nothing may be done, or only so much: doubt, storms, budgets, people, devices that fail."""

from __future__ import annotations

from backstay_api.objects.object_kinds import HA_SERVICES
from backstay_operator.planner.know.world import Settings
from backstay_testing.stage import Stage, running, steps

SAFETY = ("SealLease", "RequestFence", "UpdateFence", "WriteInstance", "ReopenLease", "DeleteFence")
TOUCHED = ("SealLease", "UpdateFence", "WriteInstance")


def test_no_device_answers_no_failover_and_a_person_is_told_what_to_do() -> None:
    stage = running()
    stage.break_bmc("n1")
    stage.power_off("n1")
    assert steps(stage.wait(60), *SAFETY) == ["RequestFence n1 Observe", "SealLease n1", "UpdateFence n1 Off"]
    assert stage.copies() == []
    assert "it is not proven off: level first: bmc: says unknown" in stage.missing()
    assert "`backstay fence n1 --confirm`" in stage.missing()
    assert "n1" in stage.host_says("n1", "Ready")
    stage.confirm("n1")
    assert steps(stage.wait(1), *SAFETY) == ["WriteInstance epoch 2 to n2 on Manual", "UpdateFence n1 Withdrawn"]
    assert stage.copies() == ["n2"]


def test_without_a_device_nothing_is_sealed_until_a_person_confirms() -> None:
    stage = running("n1", "n2", devices=False)
    stage.power_off("n1")
    assert steps(stage.wait(60), *SAFETY) == ["RequestFence n1 Observe"]
    assert "it has no fencing device" in stage.missing()
    stage.confirm("n1")
    assert steps(stage.wait(1), *SAFETY)[:2] == ["SealLease n1", "WriteInstance epoch 2 to n2 on Manual"]
    assert stage.copies() == ["n2"]


def test_a_confirmation_for_a_host_that_lives_does_nothing() -> None:
    stage = running()
    stage.false_alarm("n1")
    stage.wait(1)
    stage.confirm("n1")
    assert steps(stage.wait(5), "SealLease", "WriteInstance") == []
    assert stage.copies() == ["n1"]


def test_a_host_in_handsoff_is_not_fenced() -> None:
    stage = running()
    stage.maintain("n1", "HandsOff")
    stage.power_off("n1")
    assert steps(stage.wait(60), *SAFETY) == []
    assert "in maintenance (HandsOff), so it is not fenced" in stage.missing()
    stage.maintain("n1", None)
    stage.wait(2)
    assert stage.copies() == ["n2"]


def test_nothing_is_moved_or_stopped_on_a_host_in_handsoff() -> None:
    stage = running()
    stage.maintain("n1", "HandsOff")
    stage.apply_service(state="Stopped")
    assert steps(stage.settle(), *SAFETY) == []
    assert stage.copies() == ["n1"]
    assert [order.want for order in stage.world.assignments["n1"].spec.instances.values()] == ["Up"]
    stage.maintain("n1", None)
    stage.settle()
    assert stage.copies() == []


def test_a_host_that_holds_nothing_exclusive_is_never_fenced() -> None:
    stage = running()
    stage.power_off("n3")
    assert steps(stage.wait(60), *SAFETY) == []


def test_what_may_run_twice_moves_on_silence_alone_and_the_old_copy_stops_when_it_is_seen_again() -> None:
    stage = running(exclusive=False)
    stage.cut_off("n1")
    assert steps(stage.wait(4), *SAFETY) == ["WriteInstance epoch 2 to n2 on NotExclusive"]
    assert stage.copies() == ["n1", "n2"]
    stage.reconnect("n1")
    assert steps(stage.wait(4), *SAFETY) == []
    assert stage.copies() == ["n2"]


# --- storms ----------------------------------------------------------------------------------------------------------


def three_services() -> Stage:
    stage = Stage("n1", "n2", "n3", "n4")
    for name in ("a", "b", "c"):
        stage.apply_service(name)
        stage.settle()
    assert [stage.copies(name) for name in ("a", "b", "c")] == [["n1"], ["n2"], ["n3"]]
    stage.log.clear()
    return stage


def test_half_of_all_hosts_silent_at_once_is_a_broken_network_and_nobody_is_touched() -> None:
    stage = three_services()
    for name in ("n1", "n2"):
        stage.cut_off(name)
    assert steps(stage.wait(10), *TOUCHED) == []
    assert "2 of 4 hosts fell silent together (n1, n2)" in stage.missing("a")
    assert steps(stage.wait(120), *TOUCHED) == [], "a network that stays broken is no less broken after a minute"


def test_a_host_that_returns_ends_the_storm() -> None:
    stage = three_services()
    for name in ("n1", "n2"):
        stage.cut_off(name)
    stage.wait(10)
    stage.reconnect("n2")
    assert steps(stage.wait(4), *TOUCHED) == [
        "SealLease n1",
        "UpdateFence n2 Withdrawn",
        "UpdateFence n1 Off",
        "WriteInstance epoch 2 to n4 on Device",
    ]


def test_hosts_that_are_read_off_are_moved_from_in_any_storm() -> None:
    stage = three_services()
    for name in ("n1", "n2"):
        stage.power_off(name)
    stage.wait(4)
    assert stage.copies("a") != []
    assert stage.copies("b") != []


def test_a_person_may_confirm_in_any_storm() -> None:
    stage = three_services()
    for name in ("n1", "n2"):
        stage.break_bmc(name)
        stage.power_off(name)
    assert steps(stage.wait(10), *TOUCHED) == []
    stage.confirm("n1")
    stage.wait(1)
    assert (stage.copies("a"), stage.copies("b")) == (["n4"], [])


def test_one_machine_in_repair_does_not_block_the_next_failover() -> None:
    stage = running()
    stage.power_off("n3")
    stage.wait(90)
    stage.freeze("n1")
    stage.wait(4)
    assert stage.copies() == ["n2"]


def test_the_budget_holds_and_says_so() -> None:
    stage = Stage("n1", "n2", "n3", "n4", "n5", profile="tolerant", settings=Settings(fence_budget=1))
    stage.apply_service("a")
    stage.settle()
    stage.apply_service("b")
    stage.settle()
    assert (stage.copies("a"), stage.copies("b")) == (["n1"], ["n2"])
    stage.freeze("n1")
    stage.until(lambda: stage.copies("a") not in ([], ["n1"]))
    stage.freeze("n2")
    stage.wait(60)
    assert stage.copies("b") == ["n2"]
    assert "the budget of 1 fence an hour is used up (n1)" in stage.missing("b")
    stage.wait(3600)
    assert stage.copies("b") != ["n2"]


# --- own trouble -----------------------------------------------------------------------------------------------------


def test_silence_does_not_count_while_our_own_path_is_broken() -> None:
    stage = running()
    stage.cut_off("")
    assert steps(stage.wait(60), *SAFETY) == []
    stage.reconnect("")
    assert steps(stage.wait(30), *SAFETY) == []
    assert stage.copies() == ["n1"]


def test_after_our_own_trouble_nobody_is_suspected_until_more_than_half_have_renewed() -> None:
    stage = running()
    for site in ("operator-a", *stage.machines):
        stage.cut_off(site)
    stage.wait(30)
    stage.reconnect("operator-a")
    assert steps(stage.wait(4), *SAFETY) == []
    stage.reconnect("n2")
    assert steps(stage.wait(3), *SAFETY) == [] and stage.world.own_path.healthy
    stage.reconnect("n3")
    assert steps(stage.wait(1.5), *SAFETY)[:2] == ["SealLease n1", "RequestFence n1 Observe"]


# --- first epochs ----------------------------------------------------------------------------------------------------


def test_what_somebody_else_runs_already_is_not_started_a_second_time() -> None:
    stage = Stage("n1", "n2")
    stage.start_by_hand("n2")
    stage.wait(1)
    stage.apply_service()
    stage.wait(2)
    assert stage.copies() == []
    assert "n2 runs web.service already, not started by Backstay: systemctl stop web.service there" in stage.missing()
    stage.stop_by_hand("n2")
    stage.wait(1)
    assert stage.copies() == ["n1"]


def test_a_candidate_that_was_never_seen_blocks_nobody() -> None:
    stage = Stage("n1", "n2")
    stage.machines["n2"].is_on = False
    stage.apply_service()
    stage.wait(1)
    assert stage.copies() == ["n1"]


# --- deletion --------------------------------------------------------------------------------------------------------


def test_deleting_stops_proves_and_leaves_nothing() -> None:
    address = {"name": "address", "virtualIP": {"address": "192.0.2.10/24"}}
    stage = running(resources=[{"name": "main", "systemd": {"unit": "web.service"}}, address])
    assert len(stage.world.claims) == 2, "the address, and the unit on three hosts"
    stage.delete_service()
    assert steps(stage.settle(), "WriteInstance", "DeleteInstance", "DeleteClaim", "SetFinalizer") == [
        "WriteInstance epoch 1 closed on Released",
        "DeleteInstance web-0",
        "DeleteClaim 192.0.2.10",
        "DeleteClaim web.service",
        "SetFinalizer web off",
    ]
    world = stage.world
    assert (dict(world.services), dict(world.instances), dict(world.claims)) == ({}, {}, {})
    assert all(not a.spec.instances and not a.spec.standbys for a in world.assignments.values())


def test_deleting_while_it_moves_ends_in_nothing_running() -> None:
    stage = running()
    stage.script("n1").stop_fails = "a process does not end"
    stage.ask_to_move("n2")
    stage.wait(1)
    stage.delete_service()
    stage.wait(1)
    stage.script("n1").stop_fails = ""
    stage.until(lambda: not stage.world.services)
    assert stage.copies() == []


def test_deleting_while_it_fails_over_waits_for_the_proof() -> None:
    stage = running()
    stage.break_bmc("n1")
    stage.power_off("n1")
    stage.wait(4)
    stage.delete_service()
    stage.wait(10)
    assert "shop/web" in stage.world.services
    stage.mend_bmc("n1")
    stage.until(lambda: not stage.world.services)


def test_recreated_with_the_same_name_it_starts_anew_even_while_the_old_host_is_gone() -> None:
    stage = running()
    stage.power_off("n1")
    stage.wait(4)
    stage.delete_service()
    stage.settle()
    stage.apply_service()
    stage.wait(1)
    assert stage.copies() == ["n2"]
    assert stage.world.instances["shop/web-0"].spec.epoch == 1


def test_recreated_by_force_the_old_one_is_stopped_first() -> None:
    stage = running()
    stage.delete_by_force(HA_SERVICES, "web")
    stage.apply_service()
    assert steps(stage.settle(), "WriteInstance", "DeleteInstance", "CreateInstance") == [
        "WriteInstance epoch 1 closed on Released",
        "DeleteInstance web-0",
        "CreateInstance web-0",
        "WriteInstance epoch 1 to n1",
    ]


def test_a_host_that_is_removed_while_it_holds_a_service_is_drained_first() -> None:
    stage = running()
    stage.remove_host("n1")
    stage.settle()
    assert stage.copies() == ["n2"]
    assert "n1" not in stage.world.hosts


def test_a_host_that_is_removed_and_has_nowhere_to_drain_to_stays_and_says_so() -> None:
    stage = running("n1")
    stage.remove_host("n1")
    stage.settle()
    assert stage.copies() == ["n1"]
    assert "it still holds shop/web-0" in stage.host_says("n1", "Ready")
    stage.add_host("n2")
    stage.wait(2)
    assert stage.copies() == ["n2"]
    assert "n1" not in stage.world.hosts
