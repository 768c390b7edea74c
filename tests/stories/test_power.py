"""Power is used only where it helps: who is left alone, what a seal and an owed `on` outlive, what an admin may do."""

import pytest

from backstay_api.objects.models import FenceRequest, Host
from backstay_operator.planner.know.world import Settings
from backstay_testing.stage import Stage, cut_off, running, steps

SWITCHES = ("SealLease", "UpdateFence", "RequestFence")


# --- nobody is powered off for nothing -------------------------------------------------------------------------------


def test_a_host_is_left_alone_while_nobody_could_take_over_and_the_status_says_so() -> None:
    stage = running("n1")
    cut_off(stage, "n1")
    stage.wait(30)
    assert stage.machines["n1"].powered and stage.copies() == ["n1"]
    assert steps(stage.log, *SWITCHES) == ["RequestFence n1 Observe"], "its power is read all the same"
    for said in (stage.missing(), stage.host_says("n1", "Ready")):
        assert "n1 is not fenced, because no other host could take over (shop/web: there is no other host)" in said
        assert "it is fenced as soon as one could" in said and "backstay fence n1 --confirm" in said


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
