"""Who is cut off how often, and who not at all: storms, the budget and hosts that flap, clean shutdowns; and whose word on fencing counts."""

from itertools import pairwise

import pytest

from backstay_api.objects.models import Host
from backstay_api.objects.promise import FENCE_TEST_EVERY_S
from backstay_operator.planner.know.world import OwnPath, Settings
from backstay_operator.planner.plan import plan
from backstay_testing.stage import Stage, cut_off, running, steps

SWITCHES = ("SealLease", "UpdateFence", "RequestFence")


# --- the storm guard -------------------------------------------------------------------------------------------------


def test_machines_that_never_lived_are_no_healthy_majority() -> None:
    stage = Stage("n1", "n2", "n3", "n4")
    for number in range(6):
        name = f"gone{number}"
        stage.world.put_host(
            Host.from_wire({"metadata": {"name": name, "uid": name, "resourceVersion": "1"}, "spec": {}})
        )
    stage.wait(1)
    for name in ("a", "b", "c", "d"):
        stage.apply_service(name)
    stage.wait(1)
    for machine in stage.machines.values():
        machine.connected = False
    stage.wait(30)
    assert steps(stage.log, "SealLease") == []
    assert all(machine.powered for machine in stage.machines.values())


def test_machines_that_died_long_ago_are_none_either() -> None:
    stage = Stage("n1", "n2", "n3", "n4", "n5", "n6")
    stage.wait(1)
    for name in ("n4", "n5", "n6"):
        stage.power_off(name)
    stage.wait(90)
    stage.apply_service("a")
    stage.apply_service("b")
    stage.wait(1)
    assert (stage.copies("a"), stage.copies("b")) == (["n1"], ["n2"])
    cut_off(stage, "n1")
    cut_off(stage, "n2")
    stage.wait(30)
    assert stage.machines["n1"].powered and stage.machines["n2"].powered
    assert "2 of 3 hosts fell silent together (n1, n2)" in stage.missing("a")


def test_a_host_that_is_removed_when_it_was_lost_a_moment_ago_is_part_of_the_storm() -> None:
    """Seed 39313224732: its Lease went with it, and the next host that fell silent was taken for the only one."""
    stage = running("n1", "n2", "n3")
    cut_off(stage, "n1")
    stage.remove_host("n1")
    stage.wait(20)
    assert stage.copies() == ["n2"] and "n1" not in stage.world.leases
    stage.log.clear()
    cut_off(stage, "n2")
    stage.wait(20)
    assert steps(stage.log, "SealLease") == []
    assert "2 of 3 hosts fell silent together (n1, n2)" in stage.missing()
    stage.wait(40)
    assert steps(stage.log, "SealLease") == ["SealLease n2"], "a minute later it is one of two"


def test_a_storm_that_begins_between_seal_and_off_holds_back_the_off() -> None:
    stage = running("n1", "n2", "n3")
    cut_off(stage, "n1")
    while not steps(stage.log, "SealLease"):
        stage.world.now_s += 0.25
        for name in ("n2", "n3"):
            stage._renew(stage.machines[name])
        stage._round()
    seen = stage.world.leases["n2"]
    stage.world.leases["n2"] = type(seen)(seen.lease, first_seen_s=stage.world.now_s - 1.0, moved_s=seen.moved_s)
    planned = [
        type(action).__name__ for action in plan(stage.world).actions if "n1" in str(getattr(action, "before", ""))
    ]
    assert "UpdateFence" not in planned
    stage._renew(stage.machines["n2"])
    assert "UpdateFence" in [type(action).__name__ for action in plan(stage.world).actions]


# --- the budget, and a host that flaps -------------------------------------------------------------------------------


def flap(stage: Stage, host: str, *, for_s: float) -> list[float]:
    """A bad cable: so often is the host cut off, at which times."""
    times, began_s = [], stage.world.now_s
    while stage.world.now_s - began_s < for_s:
        cut_off(stage, host)
        stage.wait(5)
        if not stage.machines[host].powered:
            times.append(round(stage.world.now_s - began_s))
            stage.boot(host)
        stage.machines[host].connected = True
        stage.wait(5)
        stage.leap(40)
    return times


def a_flapping_host(budget: int, *, failback: str = "Always") -> Stage:
    stage = Stage("n1", "n2", "n3")
    stage.world.settings = Settings(fence_budget=budget)
    stage.label("n1", fast="yes")
    stage.wait(1)
    prefer = [{"hosts": {"matchLabels": {"fast": "yes"}}, "weight": 1000}]
    stage.apply_service(placement={"prefer": prefer, "stickiness": 0, "failback": failback})
    stage.wait(2)
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
    cut_off(stage, "n1")
    stage.wait(5)
    assert stage.copies() == ["n2"]
    stage.boot("n1")
    stage.machines["n1"].connected = True
    stage.wait(20)
    assert stage.copies() == ["n2"]
    assert "n1 is preferred by 1000" in stage.missing() and "it was fenced lately" in stage.missing()
    degraded = next(c for c in stage.world.services["shop/web"].status.conditions if c.type == "Degraded")
    assert "it was fenced lately" in degraded.message
    stage.leap(300)
    assert stage.copies() == ["n1"]


def test_one_flapping_host_leaves_a_place_in_the_budget_for_another() -> None:
    stage = a_flapping_host(2)
    flap(stage, "n1", for_s=900)
    (holder,) = stage.copies()
    other = "n2" if holder == "n1" else holder
    stage.ask_to_move(other)
    stage.wait(2)
    stage.power_off(other)
    stage.machines[other].bmc = "works"
    stage.wait(5)
    assert stage.copies() not in ([], [other]), stage.missing()


def test_the_fences_of_the_last_hour_stand_in_the_status_of_the_host_and_outlive_their_requests_and_the_operator() -> (
    None
):
    stage = running("n1", "n2", "n3")
    stage.world.settings = Settings(fence_budget=1)
    cut_off(stage, "n1")
    stage.wait(5)
    stage.boot("n1")
    stage.machines["n1"].connected = True
    stage.wait(5)
    assert not stage.world.requests, "the host is back, and nobody needs the request"
    (fence,) = stage.world.hosts["n1"].status.fences
    assert fence.request.startswith("n1-")
    restart_operator(stage)
    cut_off(stage, "n2")
    stage.wait(10)
    assert stage.machines["n2"].powered and "the budget of 1 fence an hour is used up (n1)" in stage.missing()
    stage.leap(3600)
    assert stage.copies() in (["n1"], ["n3"]) and stage.world.hosts["n1"].status.fences == []


def restart_operator(stage: Stage) -> None:
    """What a replica keeps on its own clock is gone; what it reads is there again."""
    stage.world.fenced_s.clear()
    stage.world.checked_s.clear()
    for host in list(stage.world.hosts.values()):
        stage.world.put_host(host)
    for request in list(stage.world.requests.values()):
        stage.world.put_request(request)


# --- a clean shutdown ------------------------------------------------------------------------------------------------


def shut_down(stage: Stage, host: str, how: str = "reboot") -> None:
    """systemd stops the machine: the agent says so, stops what runs in order, and releases it."""
    machine = stage.machines[host]
    machine.shutting_down = how
    for uid in list(machine.running):
        machine.closed[uid] = machine.running.pop(uid)


def test_a_host_that_shuts_down_in_order_hands_over_and_is_neither_suspected_nor_cut_off() -> None:
    stage = running("n1", "n2", "n3")
    shut_down(stage, "n1")
    stage.wait(2)
    assert stage.copies() == ["n2"]
    assert stage.world.instances["shop/web-0"].spec.closed.evidence == "Released"
    assert stage.host_says("n1", "Ready") == "n1 is shutting down: reboot"
    assert "n1 is shutting down (reboot)" in stage.host_says("n1", "Schedulable")
    stage.machines["n1"].connected = False  # the agent is gone; another unit still writes its data
    stage.wait(30)
    assert steps(stage.log, *SWITCHES) == [] and stage.machines["n1"].powered
    assert "it has said that it shuts down: reboot" in stage.host_says("n1", "Ready")
    stage.boot("n1")
    stage.machines["n1"].connected, stage.machines["n1"].shutting_down = True, ""
    stage.wait(3)
    assert stage.host_says("n1", "Schedulable") == "Services may be placed here"


def test_nothing_is_granted_to_a_host_that_shuts_down_not_even_its_own_service_back() -> None:
    stage = running("n1")
    shut_down(stage, "n1", "poweroff")
    stage.wait(3)
    assert stage.copies() == [] and stage.world.instances["shop/web-0"].spec.grant is None
    assert "n1 is shutting down (poweroff)" in stage.missing() or "1 is shutting down (poweroff)" in stage.missing()


def test_a_standby_that_shuts_down_is_none() -> None:
    stage = running("n1", "n2")
    shut_down(stage, "n2")
    stage.wait(2)
    survives = next(c for c in stage.world.services["shop/web"].status.conditions if c.type == "SurvivesHostLoss")
    assert survives.status == "False" and "is shutting down (reboot)" in survives.message


def test_hosts_that_said_goodbye_make_no_storm() -> None:
    stage = running("n1", "n2", "n3", "n4")
    for name in ("n3", "n4"):
        shut_down(stage, name)
    stage.wait(1)
    for name in ("n3", "n4"):
        stage.machines[name].connected = False
    stage.wait(5)
    stage.machines["n1"].frozen = True
    stage.wait(5)
    assert stage.copies() == ["n2"], stage.missing()


def test_hosts_that_said_goodbye_and_still_hold_something_count_as_lost_like_any_other() -> None:
    stage = running("n1", "n2", "n3", "n4")
    stage.apply_service("other", resources=[{"name": "other", "systemd": {"unit": "other.service"}}])
    stage.wait(1)
    assert (stage.copies(), stage.copies("other")) == (["n1"], ["n2"])
    for name in ("n1", "n2"):
        stage.machines[name].shutting_down = "reboot"
    stage.wait(1)
    for name in ("n1", "n2"):
        stage.machines[name].frozen = True
    stage.log.clear()
    stage.wait(20)
    assert "SealLease" not in " ".join(stage.log) and "2 of 4 hosts fell silent together" in stage.missing()


def test_a_host_that_hangs_in_its_shutdown_with_something_exclusive_is_cut_off_like_any_other() -> None:
    stage = running("n1", "n2", "n3")
    stage.machines["n1"].shutting_down = "reboot"
    stage.wait(1)
    stage.machines["n1"].frozen = True
    stage.wait(5)
    assert stage.copies() == ["n2"]


# --- a fencer that is gone -------------------------------------------------------------------------------------------


def the_fencer_tested(stage: Stage, host: str, at: str) -> None:
    raw = stage.world.hosts[host].wire()
    raw["status"]["fencing"] = {"checkedAt": at, "ready": True, "message": "works: bmc"}
    stage.world.put_host(Host.from_wire(raw))


def condition(stage: Stage, host: str, kind: str) -> tuple[str, str, str]:
    found = next(c for c in stage.world.hosts[host].status.conditions if c.type == kind)
    return found.status, found.reason, found.message


def test_a_fencer_that_is_silent_for_two_periods_is_not_believed_any_more() -> None:
    stage = running("n1", "n2")
    the_fencer_tested(stage, "n1", "2026-03-01T12:00:00Z")
    stage.wait(1)
    survives = [c for c in stage.world.services["shop/web"].status.conditions if c.type == "SurvivesHostLoss"]
    assert (survives[0].status, condition(stage, "n1", "FencingReady")[0]) == ("True", "True")
    stage.leap(2 * FENCE_TEST_EVERY_S - 10)
    assert condition(stage, "n1", "FencingReady")[0] == "True"
    stage.wait(12)
    assert condition(stage, "n1", "FencingReady")[:2] == ("Unknown", "FencerSilent")
    assert "has not said for 10 min" in condition(stage, "n1", "FencingReady")[2]
    survives = [c for c in stage.world.services["shop/web"].status.conditions if c.type == "SurvivesHostLoss"]
    assert survives[0].status == "Unknown" and "is the fencer running?" in survives[0].message
    the_fencer_tested(stage, "n1", "2026-03-01T12:10:00Z")
    stage.wait(1)
    assert condition(stage, "n1", "FencingReady")[0] == "True"


def test_the_fencers_own_clock_is_not_looked_at_nor_is_what_we_could_not_hear() -> None:
    stage = running("n1", "n2")
    the_fencer_tested(stage, "n1", "1999-01-01T00:00:00Z")
    stage.wait(1)
    assert condition(stage, "n1", "FencingReady")[0] == "True"
    stage.leap(2 * FENCE_TEST_EVERY_S + 10)
    stage.world.own_path = OwnPath(recovered_s=stage.world.now_s - 20)
    stage.wait(1)
    assert condition(stage, "n1", "FencingReady")[0] == "True"


def test_when_a_fencer_falls_silent_the_planner_looks_without_any_event() -> None:
    stage = running("n1", "n2")
    the_fencer_tested(stage, "n1", "2026-03-01T12:00:00Z")
    stage.wait(1)
    begun_s = stage.world.checked_s["n1"]
    stage.world.now_s = begun_s + 2 * FENCE_TEST_EVERY_S - 5
    for machine in stage.machines.values():
        stage._renew(machine)
    stage.settle()
    made = plan(stage.world)
    times = [at_s for at_s in (made.wake_at_s, made.silence_wake_s) if at_s is not None]
    assert min(times) <= begun_s + 2 * FENCE_TEST_EVERY_S + 0.01
