"""One story for each fault in which nothing may be done, or only so much: doubt, storms, budgets, people, devices that fail."""

from __future__ import annotations

from backstay_api.objects.object_kinds import HA_SERVICES
from backstay_operator.planner.know.world import Settings
from backstay_testing.stage import Stage, running, steps

SAFETY = ("SealLease", "RequestFence", "UpdateFence", "WriteInstance", "ReopenLease", "DeleteFence")
TOUCHED = ("SealLease", "UpdateFence", "WriteInstance")


# --- storms ----------------------------------------------------------------------------------------------------------


def three_services() -> Stage:
    stage = Stage("n1", "n2", "n3", "n4")
    for name in ("a", "b", "c"):
        stage.apply_service(name)
        stage.settle()
    assert [stage.copies(name) for name in ("a", "b", "c")] == [["n1"], ["n2"], ["n3"]]
    stage.log.clear()
    return stage


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
