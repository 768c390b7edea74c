"""Power is used only where it helps, and gently: who is left alone, how often, what a shutdown is, what an admin may do."""

from itertools import pairwise

import pytest

from backstay_api.objects.models import FenceRequest, Host
from backstay_api.objects.promise import FENCE_TEST_EVERY_S
from backstay_operator.planner.know.world import OwnPath, Settings
from backstay_operator.planner.plan import plan
from backstay_testing.stage import Stage, running, steps

SWITCHES = ("SealLease", "UpdateFence", "RequestFence")


def cut_off(stage: Stage, host: str) -> None:
    """Only its way to the API server is cut: its clients still reach it."""
    stage.machines[host].connected = False


# --- nobody is powered off for nothing -------------------------------------------------------------------------------


def test_a_host_is_left_alone_while_nobody_could_take_over_and_the_status_says_so() -> None:
    stage = running("n1")
    cut_off(stage, "n1")
    stage.wait(30)
    assert stage.machines["n1"].powered and stage.copies() == ["n1"]
    assert steps(stage.log, *SWITCHES) == ["RequestFence n1 Observe"], "its power is read all the same"
    for said in (stage.missing(), stage.host_says("n1", "Ready")):
        assert "n1 is left alone, because no other host could take over (shop/web: there is no other host)" in said
        assert "it is cut off as soon as one could" in said and "backstay fence n1 --confirm" in said


def test_who_is_not_ready_is_named_and_as_soon_as_one_is_it_goes_on() -> None:
    stage = running("n1", "n2")
    stage.machines["n2"].unready["web-0"] = "web.service is masked"
    stage.wait(2)
    cut_off(stage, "n1")
    stage.wait(30)
    assert stage.machines["n1"].powered
    assert "(shop/web: n2 is not ready: web.service is masked)" in stage.missing()
    del stage.machines["n2"].unready["web-0"]
    stage.wait(2)
    assert not stage.machines["n1"].powered and stage.copies() == ["n2"]


def test_one_service_that_somebody_could_take_over_is_worth_it() -> None:
    stage = Stage("n1", "n2")
    stage.label("n1", only="yes")
    stage.wait(1)
    stage.apply_service("alone", placement={"hosts": {"matchLabels": {"only": "yes"}}})
    stage.apply_service("both", placement={"prefer": [{"hosts": {"matchLabels": {"only": "yes"}}, "weight": 10}]})
    stage.wait(2)
    assert (stage.copies("alone"), stage.copies("both")) == (["n1"], ["n1"])
    cut_off(stage, "n1")
    stage.wait(5)
    assert not stage.machines["n1"].powered and stage.copies("both") == ["n2"]


@pytest.mark.parametrize("mode", ["Cordon", "Drain", "HandsOff"])
def test_a_host_that_nothing_may_come_to_is_nobody_who_could_take_over(mode: str) -> None:
    stage = running("n1", "n2")
    stage.maintain("n2", mode)
    stage.wait(2)
    cut_off(stage, "n1")
    stage.wait(10)
    assert stage.machines["n1"].powered
    stage.maintain("n2", None)
    stage.wait(2)
    assert stage.copies() == ["n2"]


@pytest.mark.parametrize("spec", [{"state": "Stopped"}, None], ids=["stopped", "deleted"])
def test_no_host_is_cut_off_for_a_service_that_shall_run_nowhere(spec: dict[str, str] | None) -> None:
    stage = running("n1", "n2")
    cut_off(stage, "n1")
    if spec:
        stage.apply_service(**spec)
    else:
        stage.delete_service()
    stage.wait(10)
    assert stage.machines["n1"].powered
    cut_back = stage.machines["n1"]
    cut_back.connected = True
    stage.wait(3)
    assert stage.copies() == []


def test_a_person_may_still_say_that_it_is_off() -> None:
    stage = running("n1")
    cut_off(stage, "n1")
    stage.wait(5)
    stage.power_off("n1")
    stage.machines["n1"].bmc = "dead"
    stage.confirm("n1")
    stage.wait(2)
    assert "SealLease n1" in steps(stage.log, "SealLease")
    assert stage.world.instances["shop/web-0"].spec.grant is None


def test_a_host_that_is_read_off_by_itself_is_sealed_and_proven_whoever_could_take_over() -> None:
    stage = running("n1")
    stage.power_off("n1")
    stage.wait(5)
    assert steps(stage.log, "SealLease") == ["SealLease n1"]
    stage.boot("n1")
    stage.wait(2)
    assert stage.copies() == ["n1"]


def test_what_was_sealed_is_brought_to_an_end_though_nobody_could_follow_any_more() -> None:
    """The standby was there for the seal, and not ready any more for the `off`: the session is lost to its host anyway."""
    stage = running("n1", "n2")
    cut_off(stage, "n1")
    while not steps(stage.log, "SealLease"):
        stage.world.now_s += 0.25
        stage._renew(stage.machines["n2"])
        stage._round()
    stage.machines["n2"].unready["web-0"] = "its disk is full"
    stage.wait(5)
    assert not stage.machines["n1"].powered and stage.copies() == []
    stage.boot("n1")
    stage.machines["n1"].connected = True
    stage.wait(3)
    assert stage.copies() == ["n1"], "it is on again, and runs what nobody else could"


def test_a_host_left_alone_takes_nobodys_place_in_the_budget_and_makes_no_storm() -> None:
    stage = Stage("n1", "n2", "n3")
    stage.world.settings = Settings(fence_budget=1)
    stage.label("n1", only="yes")
    stage.label("n2", other="yes")
    stage.label("n3", other="yes")
    stage.wait(1)
    stage.apply_service("alone", placement={"hosts": {"matchLabels": {"only": "yes"}}})
    stage.apply_service("pair", placement={"hosts": {"matchLabels": {"other": "yes"}}})
    stage.wait(2)
    cut_off(stage, "n1")
    stage.wait(70)
    assert stage.machines["n1"].powered
    cut_off(stage, "n2")
    stage.wait(5)
    assert stage.copies("pair") == ["n3"], stage.missing("pair")


# --- the storm guard -------------------------------------------------------------------------------------------------


def test_machines_that_never_lived_are_no_healthy_majority() -> None:
    stage = Stage("n1", "n2", "n3", "n4")
    for number in range(6):
        name = f"ghost{number}"
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


# --- a seal is never undone, and an owed `on` keeps its request ------------------------------------------------------


def test_a_sealed_lease_that_somebody_deletes_comes_back_sealed() -> None:
    stage = running("n1", "n2")
    stage.machines["n1"].bmc = "stuck"
    cut_off(stage, "n1")
    stage.wait(5)
    sealed = stage.world.leases["n1"].lease
    assert sealed.sealed
    del stage.world.leases["n1"]
    stage.settle()
    lease = stage.world.leases["n1"].lease
    assert (lease.sealed, lease.holder, lease.seq) == (True, sealed.holder, sealed.seq)
    stage.machines["n1"].connected = True
    stage.wait(3)
    assert not stage.world.leases["n1"].lease.sealed and stage.world.leases["n1"].lease.seq > sealed.seq


def test_a_seal_that_only_the_operator_has_seen_comes_back_too() -> None:
    """Somebody deletes request and Lease: the grant is open still, and the session may be alive and well."""
    stage = running("n1", "n2")
    stage.machines["n1"].bmc = "stuck"
    cut_off(stage, "n1")
    stage.wait(5)
    sealed = stage.world.last_sealed["n1"] = stage.world.leases["n1"].lease  # as the mirror keeps it
    for name in list(stage.world.requests_of["n1"]):
        stage.world.drop_request(name)
    del stage.world.leases["n1"]
    stage.settle()
    lease = stage.world.leases["n1"].lease
    assert (lease.sealed, lease.holder, lease.seq) == (True, sealed.holder, sealed.seq)


def test_the_seal_comes_back_after_the_proof_too_when_nothing_is_held_any_more() -> None:
    stage = running("n1", "n2")
    cut_off(stage, "n1")
    stage.wait(5)
    assert stage.copies() == ["n2"]
    del stage.world.leases["n1"]
    stage.settle()
    assert stage.world.leases["n1"].lease.sealed


def test_a_lease_that_was_not_sealed_comes_back_unsealed() -> None:
    stage = running("n1", "n2")
    del stage.world.leases["n1"]
    stage.settle()
    assert not stage.world.leases["n1"].lease.sealed
    stage.wait(5)
    assert stage.copies() == ["n1"] and stage.machines["n1"].powered


def the_fencer_says(stage: Stage, host: str, **status: object) -> None:
    for name in sorted(stage.world.requests_of[host]):
        raw = stage.world.requests[name].wire()
        raw["status"] = {**raw["status"], **status}
        stage.world.put_request(FenceRequest.from_wire(raw))


def test_a_host_that_is_removed_while_it_is_cut_off_keeps_its_request_until_it_is_on_again() -> None:
    stage = running("n1", "n2")
    cut_off(stage, "n1")
    stage.remove_host("n1")
    stage.wait(10)
    assert stage.copies() == ["n2"] and not stage.machines["n1"].powered
    assert stage.world.requests_of["n1"] and "n1" in stage.world.hosts, "its devices are needed for the `on`"
    the_fencer_says(stage, "n1", poweredOn=True)
    stage.wait(2)
    assert "n1" not in stage.world.hosts and not stage.world.requests_of["n1"]


OFF = {"level": "bmc", "device": "bmc", "action": "off", "at": "2026-03-01T12:00:00Z"}


def an_off_under_way(stage: Stage) -> str:
    """Sealed, and `off` was sent; it has done nothing yet."""
    stage.machines["n1"].bmc = "stuck"
    cut_off(stage, "n1")
    stage.wait(5)
    (name,) = stage.world.requests_of["n1"]
    assert stage.world.requests[name].spec.want == "Off"
    the_fencer_says(stage, "n1", attempts=[{**OFF, "result": "exit 0"}])
    return name


def test_a_request_whose_off_may_still_come_through_outlives_the_return_of_its_host() -> None:
    stage = running("n1", "n2")
    name = an_off_under_way(stage)
    stage.machines["n1"].connected = True
    stage.wait(10)
    assert stage.world.instances["shop/web-0"].spec.closed is not None, "the host is back, and its epoch is over"
    assert stage.world.requests[name].spec.want == "Withdrawn", (
        "no further off, and the one that was sent is looked after"
    )
    the_fencer_says(stage, "n1", attempts=[{**OFF, "ours": False, "result": "exit 0; read on afterwards"}])
    stage.wait(2)
    assert not stage.world.requests


def test_what_was_withdrawn_with_an_off_under_way_is_asked_for_again_and_not_begun_afresh() -> None:
    """Deleted, it would take with it what is known of the `off`, and so the `on`."""
    stage = running("n1", "n2")
    name = an_off_under_way(stage)
    uid = stage.world.requests[name].uid
    stage.maintain("n1", "HandsOff")
    stage.wait(2)
    assert stage.world.requests[name].spec.want == "Withdrawn"
    stage.maintain("n1", None)
    stage.wait(2)
    asked = stage.world.requests[name]
    assert (asked.spec.want, asked.uid, len(asked.status.attempts)) == ("Observe", uid, 1), "the budget makes it wait"
    assert not [step for step in stage.log if step.startswith("DeleteFence")]


def a_person_deletes(stage: Stage, name: str) -> None:
    """What carries our finalizer is marked."""
    raw = stage.world.requests[name].wire()
    raw["metadata"]["deletionTimestamp"] = "2026-03-01T12:00:00Z"
    stage.world.put_request(FenceRequest.from_wire(raw))


def test_a_request_that_a_person_deletes_stays_while_an_on_may_be_owed_by_it_and_then_goes() -> None:
    stage = running("n1", "n2")
    name = an_off_under_way(stage)
    a_person_deletes(stage, name)
    stage.wait(10)
    assert stage.world.requests[name].spec.want == "Off", "it is still carried out"
    the_fencer_says(stage, "n1", attempts=[{**OFF, "ours": False, "result": "not sent"}])
    stage.wait(2)
    assert [step.partition(":")[0] for step in stage.log if "Fence n1" in step][-2:] == [
        "DeleteFence n1",
        "RequestFence n1 Observe",
    ]


def test_an_off_by_a_device_that_the_host_no_longer_has_is_waited_for_by_nobody() -> None:
    stage = running("n1", "n2")
    an_off_under_way(stage)
    the_fencer_says(stage, "n1", attempts=[{**OFF, "device": "gone"}])
    stage.machines["n1"].connected = True
    stage.wait(10)
    assert not stage.world.requests


def test_a_removed_host_that_shall_stay_off_is_waited_for_by_nobody() -> None:
    stage = running("n1", "n2")
    cut_off(stage, "n1")
    stage.wait(10)
    raw = stage.world.hosts["n1"].wire()
    raw["spec"]["fencing"]["after"] = "StayOff"
    stage.world.put_host(Host.from_wire(raw))
    stage.remove_host("n1")
    stage.wait(2)
    assert "n1" not in stage.world.hosts and not stage.world.requests_of["n1"]


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
    assert stage.host_says("n1", "Schedulable") == "Services may come here"


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


# --- hands off -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("phase", ["Failed", "Stopped"])
def test_with_hands_off_what_an_admin_stops_is_stopped_and_nothing_else_is_said_or_done(phase: str) -> None:
    stage = running("n1", "n2", "n3")
    stage.maintain("n1", "HandsOff")
    stage.wait(1)
    stage.log.clear()
    stage.machines["n1"].left = (phase, "stopped by an admin: systemctl stop web.service (12:00)")
    stage.wait(5)
    status = stage.world.services["shop/web"].status
    assert status.state == "Stopped" and status.start_failures == []
    why = status.instances[0].why
    assert "Stopped on n1: stopped by an admin: systemctl stop web.service" in why and "(HandsOff)" in why
    assert "moves to" not in why
    assert status.instances[0].by_admin.startswith("stopped by an admin")
    assert steps(stage.log, "WriteInstance", *SWITCHES) == []
    stage.machines["n1"].left = None
    stage.maintain("n1", None)
    stage.wait(2)
    assert stage.copies() == ["n1"] and stage.world.instances["shop/web-0"].spec.epoch == 1
    assert stage.world.services["shop/web"].status.state == "Running"


def test_the_host_is_told_that_hands_are_off_and_when_that_ends() -> None:
    stage = running("n1", "n2")
    stage.maintain("n1", "HandsOff")
    stage.wait(1)
    assert "HandsOff" in stage.world.assignments["n1"].spec.hands_off
    assert stage.world.assignments["n2"].spec.hands_off == ""
    stage.maintain("n1", "Cordon")
    stage.wait(1)
    assert stage.world.assignments["n1"].spec.hands_off == ""


def test_a_silent_host_in_hands_off_is_not_said_to_be_left() -> None:
    stage = running("n1", "n2")
    stage.maintain("n1", "HandsOff")
    stage.wait(1)
    stage.machines["n1"].connected = False
    stage.wait(30)
    assert stage.copies() == ["n1"] and "moves to" not in stage.missing()
    assert steps(stage.log, *SWITCHES) == []


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
