"""One story for each fault in which nothing may be done, or only so much: doubt, storms, budgets, people, devices that fail."""

from __future__ import annotations

from backstay_operator.planner.know.world import OwnPath, Settings
from backstay_testing.stage import Stage, running, steps

SAFETY = ("SealLease", "RequestFence", "UpdateFence", "WriteInstance", "ReopenLease", "DeleteFence")
TOUCHED = ("SealLease", "UpdateFence", "WriteInstance")


def test_no_device_answers_no_failover_and_a_person_is_told_what_to_do() -> None:
    stage = running()
    stage.machines["n1"].bmc = "dead"
    stage.power_off("n1")
    assert steps(stage.wait(60), *SAFETY) == ["RequestFence n1 Observe", "SealLease n1", "UpdateFence n1 Off"]
    assert stage.copies() == []
    assert "its fencing device has not shown yet that it is off" in stage.missing()
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
    stage.machines["n1"].connected = False
    stage.wait(1)
    stage.machines["n1"].connected = True
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
    stage.maintain("n1", None)
    stage.settle()
    assert stage.copies() == []


def test_a_host_that_holds_nothing_exclusive_is_never_fenced() -> None:
    stage = running()
    stage.power_off("n3")
    assert steps(stage.wait(60), *SAFETY) == []


def test_what_may_run_twice_moves_on_silence_alone_and_the_old_copy_stops_when_it_is_seen_again() -> None:
    stage = running(exclusive=False)
    stage.machines["n1"].connected = False
    assert steps(stage.wait(4), *SAFETY) == ["WriteInstance epoch 2 to n2 on NotExclusive"]
    assert stage.copies() == ["n1", "n2"]
    stage.machines["n1"].connected = True
    assert steps(stage.wait(4), *SAFETY) == []
    assert stage.copies() == ["n2"]


# --- storms ----------------------------------------------------------------------------------------------------------


def three_services() -> Stage:
    stage = Stage("n1", "n2", "n3", "n4")
    stage.wait(1)
    for name in ("a", "b", "c"):
        stage.apply_service(name)
    stage.wait(1)
    assert [stage.copies(name) for name in ("a", "b", "c")] == [["n1"], ["n2"], ["n3"]]
    stage.log.clear()
    return stage


def test_half_of_all_hosts_silent_at_once_is_a_broken_network_and_nobody_is_touched() -> None:
    stage = three_services()
    for name in ("n1", "n2"):
        stage.machines[name].connected = False
    assert steps(stage.wait(10), *TOUCHED) == []
    assert "2 of 4 hosts fell silent together (n1, n2)" in stage.missing("a")
    assert steps(stage.leap(120), *TOUCHED) == [], "a network that stays broken is no less broken after a minute"


def test_a_host_that_returns_ends_the_storm() -> None:
    stage = three_services()
    for name in ("n1", "n2"):
        stage.machines[name].connected = False
    stage.wait(10)
    stage.machines["n2"].connected = True
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
        stage.machines[name].bmc = "dead"
        stage.power_off(name)
    assert steps(stage.wait(10), *TOUCHED) == []
    stage.confirm("n1")
    stage.wait(1)
    assert (stage.copies("a"), stage.copies("b")) == (["n4"], [])


def test_one_machine_in_repair_does_not_block_the_next_failover() -> None:
    stage = running()
    stage.power_off("n3")
    stage.leap(90)
    stage.machines["n1"].frozen = True
    stage.wait(4)
    assert stage.copies() == ["n2"]


def test_the_budget_holds_and_says_so() -> None:
    stage = Stage(*(f"n{i}" for i in range(1, 10)))
    stage.world.settings = Settings(fence_budget=1)
    stage.wait(1)
    stage.apply_service("a")
    stage.apply_service("b")
    stage.wait(1)
    assert (stage.copies("a"), stage.copies("b")) == (["n1"], ["n2"])
    stage.machines["n1"].frozen = True
    stage.wait(4)
    stage.machines["n2"].frozen = True
    stage.wait(4)
    assert stage.copies("b") == ["n2"]
    assert "the budget of 1 fence an hour is used up (n1)" in stage.missing("b")
    stage.leap(3600)
    assert stage.copies("b") != ["n2"]


# --- own trouble -----------------------------------------------------------------------------------------------------


def test_silence_does_not_count_while_our_own_path_is_broken() -> None:
    stage = running()
    stage.world.own_path = OwnPath(healthy=False, lived_before=frozenset({"n1", "n2", "n3"}))
    for machine in stage.machines.values():
        machine.connected = False
    assert steps(stage.wait(60), *SAFETY) == []
    assert stage.copies() == ["n1"]


def test_after_our_own_trouble_nobody_is_suspected_until_more_than_half_have_renewed() -> None:
    stage = running()
    lived = frozenset({"n1", "n2", "n3"})
    for machine in stage.machines.values():
        machine.connected = False
    stage.world.own_path = OwnPath(recovered_s=stage.world.now_s, lived_before=lived)
    assert steps(stage.wait(5), *SAFETY) == []
    stage.world.own_path = OwnPath(
        recovered_s=stage.world.now_s - 5, lived_before=lived, renewed_since=frozenset({"n2"})
    )
    assert steps(stage.wait(2), *SAFETY) == []
    for name in ("n2", "n3"):
        stage.machines[name].connected = True
    stage.wait(1)
    now_s = stage.world.now_s
    stage.world.own_path = OwnPath(recovered_s=now_s - 8, lived_before=lived, renewed_since=frozenset({"n2", "n3"}))
    assert steps(stage.wait(1), *SAFETY) != []


# --- first epochs ----------------------------------------------------------------------------------------------------


def test_what_somebody_else_runs_already_is_not_started_a_second_time() -> None:
    stage = Stage("n1", "n2")
    stage.machines["n2"].foreign.add("web-0")
    stage.wait(1)
    stage.apply_service()
    stage.wait(2)
    assert stage.copies() == []
    assert "n2 runs web.service already, not started by Backstay: systemctl stop web.service there" in stage.missing()
    stage.machines["n2"].foreign.clear()
    stage.wait(1)
    assert stage.copies() == ["n1"]


def test_a_candidate_that_was_never_seen_blocks_nobody() -> None:
    stage = Stage("n1", "n2")
    stage.machines["n2"].powered = False
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
    stage.machines["n1"].unstoppable.add("web-0")
    stage.ask_to_move("n2")
    stage.wait(1)
    stage.delete_service()
    stage.wait(1)
    stage.machines["n1"].unstoppable.clear()
    stage.wait(1)
    assert dict(stage.world.services) == {}
    assert all(not machine.running for machine in stage.machines.values())


def test_deleting_while_it_fails_over_waits_for_the_proof() -> None:
    stage = running()
    stage.machines["n1"].bmc = "dead"
    stage.power_off("n1")
    stage.wait(4)
    stage.delete_service()
    stage.wait(10)
    assert "shop/web" in stage.world.services
    stage.machines["n1"].bmc = "works"
    stage.wait(1)
    assert dict(stage.world.services) == {}


def test_recreated_with_the_same_name_it_starts_anew_even_while_the_old_host_is_gone() -> None:
    stage = running()
    stage.power_off("n1")
    stage.wait(4)
    stage.delete_service()
    stage.settle()
    stage.apply_service(uid="uid-again")
    stage.wait(1)
    assert stage.copies() == ["n2"]
    assert stage.world.instances["shop/web-0"].spec.epoch == 1


def test_recreated_by_force_the_old_one_is_stopped_first() -> None:
    stage = running()
    stage.world.drop_service("shop/web")
    stage.apply_service(uid="uid-again")
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
