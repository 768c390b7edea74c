"""Power is used only where it helps: who is left alone, what a seal and an owed `on` outlive, what an admin may do."""

import pytest

from backstay_api.objects.lease import HostLease
from backstay_api.objects.object_kinds import FENCE_REQUESTS, HOST_LEASES, HOSTS
from backstay_operator.planner.know.world import Settings
from backstay_testing.builders import unit
from backstay_testing.stage import Stage, is_sealed, running, steps

SWITCHES = ("SealLease", "UpdateFence", "RequestFence")


# --- nobody is powered off for nothing -------------------------------------------------------------------------------


def test_a_host_is_left_alone_while_nobody_could_take_over_and_the_status_says_so() -> None:
    stage = running("n1")
    stage.cut_off("n1")
    stage.wait(30)
    assert stage.machines["n1"].is_on and stage.copies() == ["n1"]
    assert steps(stage.log, *SWITCHES) == ["RequestFence n1 Observe"], "its power is read all the same"
    for said in (stage.missing(), stage.host_says("n1", "Ready")):
        assert "n1 is not fenced, because no other host could take over (shop/web: there is no other host)" in said
        assert "it is fenced as soon as one could" in said and "backstay fence n1 --confirm" in said


def test_who_is_not_ready_is_named_and_as_soon_as_one_is_it_goes_on() -> None:
    stage = running("n1", "n2")
    stage.unready("n2", "web.service is masked")
    stage.cut_off("n1")
    stage.wait(30)
    assert stage.machines["n1"].is_on
    assert "(shop/web: n2 is not ready: main: web.service is masked)" in stage.missing()
    stage.unready("n2", "")
    assert stage.machines["n1"].off_by_device and stage.copies() == ["n2"]


def test_a_host_is_left_alone_where_what_could_move_requires_what_could_not() -> None:
    stage = Stage("n1", "n2", "n3")
    stage.label("n1", disk="local")
    stage.wait(1)
    stage.apply_service("db", resources=[unit("db")], placement={"hosts": {"matchLabels": {"disk": "local"}}})
    with stage.only("n1"):
        stage.apply_service("web", dependsOn=[{"service": "db"}])
        stage.settle()
    stage.wait(40)
    stage.log.clear()
    stage.cut_off("n1")
    stage.wait(30)
    assert stage.machines["n1"].is_on and (stage.copies("db"), stage.copies("web")) == (["n1"], ["n1"])
    assert steps(stage.log, *SWITCHES) == ["RequestFence n1 Observe"]
    assert "shop/web: it requires shop/db: " in stage.missing("web")


def test_one_service_that_somebody_could_take_over_is_worth_it() -> None:
    stage = Stage("n1", "n2")
    stage.label("n1", only="yes")
    stage.wait(1)
    stage.apply_service("alone", placement={"hosts": {"matchLabels": {"only": "yes"}}})
    stage.apply_service("both", placement={"prefer": [{"hosts": {"matchLabels": {"only": "yes"}}, "weight": 10}]})
    stage.wait(2)
    assert (stage.copies("alone"), stage.copies("both")) == (["n1"], ["n1"])
    stage.cut_off("n1")
    stage.wait(5)
    assert stage.machines["n1"].off_by_device and stage.copies("both") == ["n2"]


@pytest.mark.parametrize("mode", ["Cordon", "Drain", "HandsOff"])
def test_a_host_that_nothing_may_come_to_is_nobody_who_could_take_over(mode: str) -> None:
    stage = running("n1", "n2")
    stage.maintain("n2", mode)
    stage.wait(2)
    stage.cut_off("n1")
    stage.wait(10)
    assert stage.machines["n1"].is_on
    stage.maintain("n2", None)
    stage.until(lambda: stage.copies() == ["n2"])


@pytest.mark.parametrize("spec", [{"state": "Stopped"}, None], ids=["stopped", "deleted"])
def test_no_host_is_cut_off_for_a_service_that_shall_run_nowhere(spec: dict[str, str] | None) -> None:
    stage = running("n1", "n2")
    stage.cut_off("n1")
    if spec:
        stage.apply_service(**spec)
    else:
        stage.delete_service()
    stage.wait(10)
    assert stage.machines["n1"].is_on
    stage.reconnect("n1")
    stage.wait(3)
    assert stage.copies() == []


def test_a_person_may_still_say_that_it_is_off() -> None:
    stage = running("n1")
    stage.cut_off("n1")
    stage.wait(5)
    stage.power_off("n1")
    stage.break_bmc("n1")
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
    stage.until(lambda: stage.copies() == ["n1"])


def test_what_was_sealed_is_brought_to_an_end_though_nobody_could_follow_any_more() -> None:
    """The standby was there for the seal, and not ready any more for the `off`: the session is lost to its host anyway."""
    stage = running("n1", "n2")
    stage.cut_off("n1")
    stage.when(HOST_LEASES, is_sealed, lambda: stage.real.kill("operator-a"))
    stage.until(lambda: is_sealed(stage.must(HOST_LEASES, "n1")))
    stage.maintain("n2", "Cordon")
    stage.until(lambda: stage.machines["n1"].off_by_device)
    stage.wait(5)
    assert stage.copies() == []
    stage.reconnect("n1")
    stage.until(lambda: stage.copies() == ["n1"])  # it is on again, and runs what nobody else could


def test_a_host_left_alone_takes_nobodys_place_in_the_budget_and_makes_no_storm() -> None:
    stage = Stage("n1", "n2", "n3", settings=Settings(fence_budget=1))
    stage.label("n1", only="yes")
    stage.label("n2", other="yes")
    stage.label("n3", other="yes")
    stage.wait(1)
    stage.apply_service("alone", placement={"hosts": {"matchLabels": {"only": "yes"}}})
    stage.apply_service("pair", placement={"hosts": {"matchLabels": {"other": "yes"}}})
    stage.wait(2)
    stage.cut_off("n1")
    stage.wait(70)
    assert stage.machines["n1"].is_on
    stage.cut_off("n2")
    stage.wait(5)
    assert stage.copies("pair") == ["n3"], stage.missing("pair")


# --- a seal is never undone, and an owed `on` keeps its request ------------------------------------------------------


def test_a_sealed_lease_that_somebody_deletes_comes_back_sealed() -> None:
    stage = running("n1", "n2")
    stage.break_bmc("n1", "stuck")
    stage.cut_off("n1")
    stage.wait(5)
    sealed = stage.world.leases["n1"].lease
    assert sealed.sealed
    stage.when(HOST_LEASES, lambda lease: True, lambda: stage.real.kill("operator-a"))
    stage.delete(HOST_LEASES, "n1")  # the replica that comes after has not seen the seal
    stage.settle()
    lease = stage.world.leases["n1"].lease
    assert (lease.sealed, lease.holder, lease.seq) == (True, sealed.holder, sealed.seq)
    stage.reconnect("n1")
    stage.wait(3)
    assert not stage.world.leases["n1"].lease.sealed and stage.world.leases["n1"].lease.seq > sealed.seq


def sealed_and_not_asked_for() -> tuple[Stage, HostLease]:
    """n1 is cut off and sealed, and somebody has deleted what was asked about its power."""
    stage = running("n1", "n2")
    stage.break_bmc("n1", "stuck")
    stage.cut_off("n1")
    stage.wait(5)
    sealed = stage.world.leases["n1"].lease
    stage.maintain("n1", "HandsOff")  # nobody asks for its power meanwhile
    stage.wait(1)
    for name in stage.requests_of("n1"):
        stage.delete_by_force(FENCE_REQUESTS, name)
    stage.wait(1)
    assert not stage.requests_of("n1")
    return stage, sealed


def test_a_seal_that_only_the_operator_has_seen_comes_back_too() -> None:
    """Somebody deletes request and Lease: the grant is open still, and the session may be alive and well."""
    stage, sealed = sealed_and_not_asked_for()
    stage.delete(HOST_LEASES, "n1")
    stage.settle()
    lease = stage.world.leases["n1"].lease
    assert (lease.sealed, lease.holder, lease.seq) == (True, sealed.holder, sealed.seq)


def test_a_seal_that_only_an_operator_before_has_seen_comes_back_too() -> None:
    """The same, and the operator that saw the seal dies before it learns that the Lease is gone."""
    stage, sealed = sealed_and_not_asked_for()
    stage.when(HOST_LEASES, lambda lease: True, lambda: stage.real.kill("operator-a"))
    stage.delete(HOST_LEASES, "n1")
    stage.settle()
    lease = stage.world.leases["n1"].lease
    assert (lease.sealed, lease.holder, lease.seq) == (True, sealed.holder, sealed.seq)


def test_the_seal_comes_back_after_the_proof_too_when_nothing_is_held_any_more() -> None:
    stage = running("n1", "n2")
    stage.cut_off("n1")
    stage.wait(5)
    assert stage.copies() == ["n2"]
    stage.delete(HOST_LEASES, "n1")
    stage.settle()
    assert stage.world.leases["n1"].lease.sealed


def test_a_lease_that_was_not_sealed_comes_back_unsealed() -> None:
    stage = running("n1", "n2")
    stage.delete(HOST_LEASES, "n1")
    stage.settle()
    assert not stage.world.leases["n1"].lease.sealed
    stage.wait(5)
    assert stage.copies() == ["n1"] and stage.machines["n1"].is_on


def proven_off() -> Stage:
    """n1 was cut off, its service is on n2, and the fencer hangs before it switches n1 on again."""
    stage = running("n1", "n2")
    stage.when(
        FENCE_REQUESTS, lambda body: (body.get("status") or {}).get("evidence"), lambda: stage.real.freeze("fencer")
    )
    stage.cut_off("n1")
    stage.until(lambda: stage.copies() == ["n2"])
    return stage


def test_a_host_that_is_removed_while_it_is_cut_off_keeps_its_request_until_it_is_on_again() -> None:
    stage = proven_off()
    stage.remove_host("n1")
    stage.wait(10)
    assert not stage.machines["n1"].is_on
    assert stage.requests_of("n1") and "n1" in stage.world.hosts, "its devices are needed for the `on`"
    stage.thaw("fencer")
    stage.until(lambda: stage.machines["n1"].is_on)
    stage.until(lambda: "n1" not in stage.world.hosts and not stage.requests_of("n1"))


def an_off_under_way(stage: Stage) -> str:
    """Sealed, and `off` was sent; it has done nothing yet."""
    stage.break_bmc("n1", "stuck")
    stage.cut_off("n1")
    stage.until(lambda: any(request.status.attempts for request in stage.world.requests.values()))
    ((name, want),) = stage.requests_of("n1").items()
    assert want == "Off"
    return name


def test_a_request_whose_off_may_still_come_through_outlives_the_return_of_its_host() -> None:
    stage = running("n1", "n2")
    name = an_off_under_way(stage)
    stage.reconnect("n1")
    stage.wait(5)
    assert stage.world.instances["shop/web-0"].spec.closed is not None, "the host is back, and its epoch is over"
    assert stage.requests_of("n1") == {name: "Withdrawn"}, "no further off, and the one that was sent is looked after"
    stage.until(lambda: not stage.requests_of("n1"))


def test_what_was_withdrawn_with_an_off_under_way_is_asked_for_again_and_not_begun_afresh() -> None:
    """Deleted, it would take with it what is known of the `off`, and so the `on`."""
    stage = running("n1", "n2")
    name = an_off_under_way(stage)
    uid = stage.world.requests[name].uid
    stage.maintain("n1", "HandsOff")
    stage.wait(2)
    assert stage.requests_of("n1") == {name: "Withdrawn"}
    stage.maintain("n1", None)
    stage.wait(2)
    asked = stage.world.requests[name]
    assert (asked.spec.want, asked.uid, len(asked.status.attempts)) == ("Observe", uid, 1), "the budget makes it wait"
    assert steps(stage.log, "DeleteFence") == []


def test_a_request_that_a_person_deletes_stays_while_an_on_may_be_owed_by_it_and_then_goes() -> None:
    stage = running("n1", "n2")
    name = an_off_under_way(stage)
    stage.delete(FENCE_REQUESTS, name)
    stage.wait(10)
    assert stage.requests_of("n1") == {name: "Off"}, "it is still carried out"
    stage.freeze("fencer")
    attempts = [
        {**one, "ours": False, "result": "not sent"} for one in stage.must(FENCE_REQUESTS, name)["status"]["attempts"]
    ]
    stage.edit(FENCE_REQUESTS, name, status={"attempts": attempts})
    stage.wait(2)
    assert steps(stage.log, "DeleteFence", "RequestFence")[-2:] == ["DeleteFence n1", "RequestFence n1 Observe"]


def test_an_off_by_a_device_that_the_host_no_longer_has_is_waited_for_by_nobody() -> None:
    stage = running("n1", "n2")
    an_off_under_way(stage)
    stage.freeze("fencer")
    (level,) = stage.must(HOSTS, "n1")["spec"]["fencing"]["levels"]
    another = {**level, "devices": [{**level["devices"][0], "name": "another"}]}
    stage.edit(HOSTS, "n1", spec={"fencing": {"levels": [another]}})
    stage.reconnect("n1")
    stage.wait(10)
    assert not stage.requests_of("n1")


def test_a_removed_host_that_shall_stay_off_is_waited_for_by_nobody() -> None:
    stage = proven_off()
    stage.edit(HOSTS, "n1", spec={"fencing": {"after": "StayOff"}})
    stage.remove_host("n1")
    stage.wait(2)
    assert "n1" not in stage.world.hosts and not stage.requests_of("n1")


# --- hands off -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["stopped by an admin: systemctl stop", "its main process was killed"])
def test_with_hands_off_what_an_admin_stops_is_stopped_and_nothing_else_is_said_or_done(how: str) -> None:
    stage = running("n1", "n2", "n3")
    machine, unit, is_stop = stage.machines["n1"], "unit web.service", "systemctl" in how
    stage.maintain("n1", "HandsOff")
    stage.wait(1)
    stage.log.clear()
    stage.do(lambda: machine.stop_unit(unit) if is_stop else machine.state.kill(unit))
    stage.wait(5)
    status = stage.world.services["shop/web"].status
    assert status.state == "Stopped" and status.start_failures == []
    why = status.instances[0].why
    assert f"main: {how}" in why and "(HandsOff)" in why
    assert "moves to" not in why
    assert status.instances[0].by_admin.startswith(f"main: {how}" if is_stop else "")
    assert steps(stage.log, "WriteInstance", *SWITCHES) == []
    stage.maintain("n1", None)
    stage.until(lambda: stage.copies() == ["n1"])
    stage.settle()
    assert stage.world.instances["shop/web-0"].spec.epoch == 1
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
    stage.cut_off("n1")
    stage.wait(30)
    assert stage.copies() == ["n1"] and "moves to" not in stage.missing()
    assert steps(stage.log, *SWITCHES) == []
