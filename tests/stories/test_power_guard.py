"""Who is cut off how often, and who not at all: storms, the budget and hosts that flap, clean shutdowns; and whose word on fencing counts."""

from itertools import pairwise

import pytest

from backstay_api.objects.object_kinds import HOST_LEASES, HOSTS
from backstay_api.objects.promise import FENCE_TEST_EVERY_S
from backstay_operator.planner.know.world import Settings
from backstay_testing.stage import Stage, is_sealed, running, steps

SWITCHES = ("SealLease", "UpdateFence", "RequestFence")


# --- the storm guard -------------------------------------------------------------------------------------------------


def test_machines_that_never_lived_are_no_healthy_majority() -> None:
    stage = Stage("n1", "n2", "n3", "n4")
    for number in range(6):
        stage.create(HOSTS, {"metadata": {"name": f"gone{number}"}, "spec": {}})
    for name in ("a", "b", "c", "d"):
        stage.apply_service(name)
        stage.settle()
    for host in stage.machines:
        stage.cut_off(host)
    stage.wait(30)
    assert steps(stage.log, "SealLease") == []
    assert all(machine.is_on for machine in stage.machines.values())


def test_machines_that_died_long_ago_are_none_either() -> None:
    stage = Stage("n1", "n2", "n3", "n4", "n5", "n6")
    stage.wait(1)
    for name in ("n4", "n5", "n6"):
        stage.power_off(name)
    stage.wait(90)
    for name in ("a", "b"):
        stage.apply_service(name)
        stage.settle()
    assert (stage.copies("a"), stage.copies("b")) == (["n1"], ["n2"])
    stage.cut_off("n1")
    stage.cut_off("n2")
    stage.wait(30)
    assert stage.machines["n1"].is_on and stage.machines["n2"].is_on
    assert "2 of 3 hosts fell silent together (n1, n2)" in stage.missing("a")


def test_a_host_that_is_removed_when_it_was_lost_a_moment_ago_is_part_of_the_storm() -> None:
    """Seed 39313224732: its Lease went with it, and the next host that fell silent was taken for the only one."""
    stage = running("n1", "n2", "n3")
    stage.cut_off("n1")
    stage.remove_host("n1")
    stage.wait(20)
    assert stage.copies() == ["n2"] and "n1" not in stage.world.leases
    stage.log.clear()
    stage.cut_off("n2")
    stage.wait(20)
    assert steps(stage.log, "SealLease") == []
    assert "2 of 3 hosts fell silent together (n1, n2)" in stage.missing()
    stage.wait(40)
    assert steps(stage.log, "SealLease") == ["SealLease n2"], "a minute later it is one of two"


def test_a_storm_that_begins_between_seal_and_off_holds_back_the_off() -> None:
    stage = running("n1", "n2", "n3")
    stage.cut_off("n1")
    stage.when(HOST_LEASES, is_sealed, lambda: stage.real.freeze("operator-a"))
    stage.until(lambda: is_sealed(stage.must(HOST_LEASES, "n1")))
    stage.cut_off("n2")
    stage.wait(0.7)  # n2 is late by now, and the operator's own way to the API server not yet in doubt
    stage.thaw("operator-a")
    stage.wait(20)
    assert "UpdateFence n1 Off" not in steps(stage.log, "UpdateFence") and not stage.machines["n1"].off_by_device
    assert "2 of 3 hosts fell silent together (n1, n2)" in stage.missing()
    stage.reconnect("n2")
    stage.until(lambda: stage.copies() == ["n2"])
    assert stage.machines["n1"].off_by_device


# --- the budget, and a host that flaps -------------------------------------------------------------------------------


def flap(stage: Stage, host: str, *, for_s: float) -> list[float]:
    """A bad cable: so often is the host cut off, at which times."""
    times, began_s, counts = [], stage.loop.time(), stage.real.monitor.counts
    while stage.loop.time() - began_s < for_s:
        before = counts["off"]
        stage.cut_off(host)
        stage.wait(12)
        if counts["off"] > before:
            times.append(float(round(stage.loop.time() - began_s)))
        stage.reconnect(host)
        stage.wait(45)
    return times


def a_flapping_host(budget: int, *, failback: str = "Always") -> Stage:
    stage = Stage("n1", "n2", "n3", profile="default", settings=Settings(fence_budget=budget))
    stage.label("n1", fast="yes")
    prefer = [{"hosts": {"matchLabels": {"fast": "yes"}}, "weight": 1000}]
    stage.apply_service(placement={"prefer": prefer, "stickiness": 0, "failback": failback})
    stage.settle()
    assert stage.copies() == ["n1"]
    return stage


@pytest.mark.parametrize(("budget", "most"), [(1, 1), (3, 2), (100, 4)])
def test_a_host_that_flaps_is_cut_off_ever_more_rarely(budget: int, most: int) -> None:
    times = flap(a_flapping_host(budget), "n1", for_s=1200)
    assert 1 <= len(times) <= most
    pauses = [later - earlier for earlier, later in pairwise(times)]
    assert all(pause >= 300 for pause in pauses) and pauses == sorted(pauses)


def test_nothing_moves_back_to_a_host_that_was_just_fenced_until_it_has_been_stable() -> None:
    stage = a_flapping_host(3)
    stage.cut_off("n1")
    stage.until(lambda: stage.copies() == ["n2"])
    stage.until(lambda: stage.machines["n1"].is_on)
    stage.reconnect("n1")
    stage.wait(20)
    assert stage.copies() == ["n2"]
    assert "n1 is preferred by 1000" in stage.missing() and "it was fenced lately" in stage.missing()
    degraded = next(c for c in stage.world.services["shop/web"].status.conditions if c.type == "Degraded")
    assert "it was fenced lately" in degraded.message
    stage.wait(300)
    assert stage.copies() == ["n1"]


def test_one_flapping_host_leaves_a_place_in_the_budget_for_another() -> None:
    stage = a_flapping_host(2)
    flap(stage, "n1", for_s=900)
    stage.apply_service(placement={"failback": "Never"})
    stage.ask_to_move("n2")
    stage.until(lambda: stage.copies() == ["n2"])
    stage.cut_off("n2")
    stage.wait(15)
    assert stage.machines["n2"].off_by_device and stage.copies() not in ([], ["n2"]), stage.missing()


def test_the_fences_of_the_last_hour_stand_in_the_status_of_the_host_and_outlive_their_requests_and_the_operator() -> (
    None
):
    stage = running("n1", "n2", "n3", profile="tolerant", settings=Settings(fence_budget=1))
    stage.cut_off("n1")
    stage.until(lambda: stage.copies() == ["n2"] and stage.machines["n1"].is_on)
    stage.reconnect("n1")
    stage.until(lambda: not stage.requests_of("n1"))  # the host is back, and nobody needs the request
    (fence,) = stage.world.hosts["n1"].status.fences
    assert fence.request.startswith("n1-")
    stage.restart_operator()
    stage.cut_off("n2")
    stage.wait(60)
    assert stage.machines["n2"].is_on and "the budget of 1 fence an hour is used up (n1)" in stage.missing()
    stage.wait(3600)
    assert stage.copies() in (["n1"], ["n3"]) and stage.world.hosts["n1"].status.fences == []


# --- a clean shutdown ------------------------------------------------------------------------------------------------


def hang_in_shutdown(stage: Stage, host: str) -> None:
    for unit in ("web.service", "other.service"):
        stage.script(host, unit).stop_takes_s = 1000
    stage.shut_down(host)


def test_a_host_that_shuts_down_in_order_hands_over_and_is_neither_suspected_nor_cut_off() -> None:
    stage = running("n1", "n2", "n3")
    stage.shut_down("n1")
    stage.wait(2)
    assert stage.copies() == ["n2"]
    closed = stage.world.instances["shop/web-0"].spec.closed
    assert closed is not None and closed.evidence == "Released"
    assert stage.host_says("n1", "Ready") == "n1 is shutting down: reboot"
    assert "n1 is shutting down (reboot)" in stage.host_says("n1", "Schedulable")
    stage.wait(30)  # the agent is gone; another unit still writes its data, and then the machine is off
    assert steps(stage.log, *SWITCHES) == [] and not stage.machines["n1"].off_by_device
    assert "it has said that it shuts down: reboot" in stage.host_says("n1", "Ready")
    stage.boot("n1")
    stage.wait(3)
    assert stage.host_says("n1", "Schedulable") == "Services may be placed here"


def test_nothing_is_granted_to_a_host_that_shuts_down_not_even_its_own_service_back() -> None:
    stage = running("n1")
    stage.shut_down("n1")
    stage.wait(3)
    assert stage.copies() == [] and stage.world.instances["shop/web-0"].spec.grant is None
    assert "n1 is shutting down (reboot)" in stage.missing() or "1 is shutting down (reboot)" in stage.missing()


def test_a_standby_that_shuts_down_is_none() -> None:
    stage = running("n1", "n2")
    stage.shut_down("n2")
    stage.wait(2)
    survives = next(c for c in stage.world.services["shop/web"].status.conditions if c.type == "SurvivesHostLoss")
    assert survives.status == "False" and "is shutting down (reboot)" in survives.message


def test_hosts_that_said_goodbye_make_no_storm() -> None:
    stage = running("n1", "n2", "n3", "n4")
    for name in ("n3", "n4"):
        stage.shut_down(name)
    stage.wait(10)
    stage.freeze("n1")
    stage.wait(5)
    assert stage.copies() == ["n2"], stage.missing()


def test_hosts_that_said_goodbye_and_still_hold_something_count_as_lost_like_any_other() -> None:
    stage = running("n1", "n2", "n3", "n4")
    stage.apply_service("other")
    stage.wait(1)
    assert (stage.copies(), stage.copies("other")) == (["n1"], ["n2"])
    for name in ("n1", "n2"):
        hang_in_shutdown(stage, name)
    stage.wait(1)
    for name in ("n1", "n2"):
        stage.freeze(name)
    stage.log.clear()
    stage.wait(20)
    assert "SealLease" not in " ".join(stage.log) and "2 of 4 hosts fell silent together" in stage.missing()


def test_a_host_that_hangs_in_its_shutdown_with_something_exclusive_is_cut_off_like_any_other() -> None:
    stage = running("n1", "n2", "n3")
    hang_in_shutdown(stage, "n1")
    stage.wait(1)
    assert stage.host_says("n1", "Ready") == "n1 is shutting down: reboot"
    stage.freeze("n1")
    stage.wait(5)
    assert stage.copies() == ["n2"]


# --- a fencer that is gone -------------------------------------------------------------------------------------------


def condition(stage: Stage, host: str, kind: str) -> tuple[str, str, str]:
    found = next(c for c in stage.world.hosts[host].status.conditions if c.type == kind)
    return found.status, found.reason, found.message


def a_fencer_that_hangs() -> Stage:
    """It has just tested n1."""
    stage = running("n1", "n2", profile="tolerant")
    tested_s = stage.world.checked_s["n1"]
    stage.until(lambda: stage.world.checked_s["n1"] > tested_s, limit_s=FENCE_TEST_EVERY_S + 10)
    stage.freeze("fencer")
    stage.settle()
    assert condition(stage, "n1", "FencingReady")[0] == "True"
    return stage


def wait_until(stage: Stage, at_s: float) -> None:
    stage.wait(at_s - stage.loop.time())


def test_a_fencer_that_is_silent_for_two_periods_is_not_believed_any_more() -> None:
    stage = a_fencer_that_hangs()
    silent_s = stage.world.checked_s["n1"] + 2 * FENCE_TEST_EVERY_S
    assert stage.told("web", "SurvivesHostLoss")[0] == "True"
    wait_until(stage, silent_s - 10)
    assert condition(stage, "n1", "FencingReady")[0] == "True"
    wait_until(stage, silent_s + 2)
    assert condition(stage, "n1", "FencingReady")[:2] == ("Unknown", "FencerSilent")
    assert "has not said for 10 min" in condition(stage, "n1", "FencingReady")[2]
    status, _, message = stage.told("web", "SurvivesHostLoss")
    assert status == "Unknown" and "is the fencer running?" in message
    stage.thaw("fencer")
    stage.wait(5)
    assert condition(stage, "n1", "FencingReady")[0] == "True"


def test_the_fencers_own_clock_is_not_looked_at_nor_is_what_we_could_not_see() -> None:
    stage = a_fencer_that_hangs()
    said = stage.must(HOSTS, "n1")["status"]["fencing"]
    stage.edit(HOSTS, "n1", status={"fencing": {**said, "checkedAt": "1999-01-01T00:00:00Z"}})
    stage.wait(1)
    assert condition(stage, "n1", "FencingReady")[0] == "True"
    stage.cut_off("operator-a")
    stage.wait(2 * FENCE_TEST_EVERY_S + 10)
    stage.reconnect("operator-a")
    stage.wait(20)
    assert stage.world.own_path.healthy and condition(stage, "n1", "FencingReady")[0] == "True"


def test_when_a_fencer_falls_silent_the_planner_looks_without_any_event() -> None:
    stage = a_fencer_that_hangs()
    silent_s = stage.world.checked_s["n1"] + 2 * FENCE_TEST_EVERY_S
    wait_until(stage, silent_s - 5)
    made = stage.plans[-1]
    times = [at_s for at_s in (made.wake_at_s, made.silence_wake_s) if at_s is not None]
    assert min(times) <= silent_s + 0.01
