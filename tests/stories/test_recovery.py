"""What is done about failures, as the manifest says it: the operator and the agents together."""

from __future__ import annotations

from backstay_agent.drivers.base import Seen, State
from backstay_api.objects.object_kinds import HA_SERVICES
from backstay_testing.stage import Stage, running, steps


def dies(stage: Stage, host: str = "n1", times: int = 1) -> None:
    """Its process dies, and dies again as soon as it is back."""
    for _ in range(times):
        stage.until(lambda: "unit web.service" in stage.machines[host].state.running)
        stage.do(lambda: stage.machines[host].state.kill("unit web.service"))
        stage.wait(0.2)


def test_it_moves_when_the_restarts_of_its_manifest_are_used_up() -> None:
    stage = running(recovery={"restarts": 1})
    dies(stage)
    stage.until(lambda: stage.copies() == ["n1"])
    dies(stage)
    stage.settle()
    assert steps(stage.log, "WriteInstance") == ["WriteInstance epoch 2 to n2 on Released"]
    assert stage.copies() == ["n2"]


def test_an_edit_of_recovery_restarts_nothing_and_is_obeyed() -> None:
    stage = running()
    begun = dict(stage.machines["n1"].state.begun_at_s)
    stage.apply_service(recovery={"restarts": 0})
    stage.settle()
    assert stage.machines["n1"].state.begun_at_s == begun and stage.told("web", "Ready")[0] == "True"
    dies(stage)
    stage.settle()
    assert stage.copies() == ["n2"]


def test_resources_that_need_nothing_of_each_other_start_and_stop_side_by_side_wherever_it_runs() -> None:
    names = ("db", "cache", "front")
    afters: tuple[list[str] | None, ...] = ([], [], None)
    resources = [
        {"name": name, "systemd": {"unit": f"{name}.service"}} | ({} if after is None else {"after": after})
        for name, after in zip(names, afters, strict=True)
    ]
    stage = running(resources=resources)
    for host in ("n1", "n2"):
        for name in names:
            stage.script(host, f"{name}.service").start_takes_s = 2.0
            stage.script(host, f"{name}.service").stop_takes_s = 2.0
    begun_s = stage.loop.time()
    stage.ask_to_move("n2")
    stage.until(lambda: "unit front.service" in stage.machines["n2"].state.running)
    assert 6 <= stage.loop.time() - begun_s <= 7, "two rounds down, one up; listed order would take ten seconds"


def test_a_circle_is_refused_and_what_runs_goes_on() -> None:
    stage = running()
    stage.apply_service(
        resources=[
            {"name": "main", "systemd": {"unit": "web.service"}, "after": ["log"]},
            {"name": "log", "systemd": {"unit": "log.service"}},
        ]
    )
    stage.settle()
    status, reason, message = stage.told("web", "Accepted")
    assert (status, reason) == ("False", "InvalidAfter") and "main waits for log, log waits for main" in message
    assert stage.copies() == ["n1"]


def test_a_refused_edit_leaves_the_recovery_before_it_in_force() -> None:
    stage = running(recovery={"restarts": 0})
    stage.apply_service(recovery={"restarts": 900})
    stage.settle()
    assert stage.told("web", "Accepted")[1] == "RestartsNeverUsedUp"
    stage.power_off("n1")
    stage.wait(4)
    assert stage.copies() == ["n2"]
    (order,) = stage.world.assignments["n2"].spec.instances.values()
    assert order.recovery and order.recovery.restarts == 0


def test_a_hard_error_moves_it_at_once_and_its_host_is_not_tried_again_until_a_person_says_so() -> None:
    stage = running("n1", "n2", recovery={"restarts": 3})
    script = stage.script("n1")
    script.start_fails, script.error_type = "no such program", "Hard"
    dies(stage)
    stage.until(lambda: stage.copies() == ["n2"], limit_s=10)
    stage.script("n2").start_fails = "no license"
    dies(stage, "n2")
    stage.wait(3600)
    tried = steps(stage.log, "WriteInstance")
    assert len(tried) > 2 and not any(" to n1 " in step for step in tried), tried
    script.start_fails = ""
    stage.clear(host="n1", reason="it is installed")
    stage.until(lambda: stage.copies() == ["n1"], limit_s=60)


def test_a_fatal_error_moves_it_nowhere_and_says_so() -> None:
    stage = running("n1", "n2", recovery={"restarts": 3})
    script = stage.script("n1")
    script.start_fails, script.error_type = "parameter ip is no address", "Fatal"
    dies(stage)
    stage.wait(3600)
    assert stage.copies() == [] and steps(stage.log, "WriteInstance") == []
    status, reason, why = stage.told("web", "Ready")
    assert (status, reason) == ("False", "Failed") and "parameter ip is no address" in why
    assert "as it is configured no host can run it" in stage.told("web", "Degraded")[2] + why
    script.start_fails = ""
    stage.clear(reason="the name resolves now")
    stage.until(stage.copies, limit_s=10)


# --- backstay clear -------------------------------------------------------------------------------------------------


def failed_everywhere() -> Stage:
    """Each host has tried to start it once, and said that it cannot."""
    stage = running("n1", "n2", recovery={"restarts": 0})
    for host in ("n1", "n2"):
        stage.script(host).start_fails = "no license"
    dies(stage)
    stage.until(lambda: stage.told("web", "Ready")[1] == "Failed")
    return stage


def test_what_failed_everywhere_is_tried_at_once_when_a_person_has_cleared_it() -> None:
    stage = failed_everywhere()
    stage.script("n1").start_fails = ""
    stage.clear(reason="a license was bought")
    stage.until(lambda: stage.copies() == ["n1"], limit_s=5)
    stage.settle()
    (over,) = [line for line in stage.log if line.startswith("RemoveClear")]
    assert "failures up to epoch" in over and "are forgotten, by eve: a license was bought" in over
    told = stage.world.services["shop/web"].status
    assert told.start_failures == [] and told.last_clear and told.last_clear.reason == "a license was bought"


def test_what_fails_after_a_clear_is_remembered() -> None:
    stage = failed_everywhere()
    stage.clear()
    stage.until(lambda: any(line.startswith("RemoveClear") for line in stage.log))
    stage.until(lambda: stage.world.services["shop/web"].status.start_failures)


def test_only_failures_on_the_host_that_was_named_are_forgotten() -> None:
    stage = failed_everywhere()
    holder = stage.world.instances["shop/web-0"].holder
    other = "n1" if holder == "n2" else "n2"
    stage.script(other).start_fails = ""
    stage.clear(host=other)
    stage.until(lambda: stage.copies() == [other], limit_s=5)
    assert {one.host for one in stage.world.services["shop/web"].status.start_failures} == {holder}


def test_restarts_in_place_are_told_and_cleared_while_it_runs() -> None:
    stage = running()
    begun = stage.machines["n1"].state.begun_at_s
    dies(stage, times=2)
    stage.settle()
    (summary,) = stage.world.services["shop/web"].status.instances
    assert summary.recovery.startswith("2 of 3 restarts in place within 10m are used, and one is forgotten at ")
    before = dict(begun)
    stage.clear()
    stage.settle()
    (summary,) = stage.world.services["shop/web"].status.instances
    assert summary.recovery == "" and begun == before
    dies(stage, times=3)
    stage.until(lambda: stage.copies() == ["n1"])
    assert stage.world.instances["shop/web-0"].spec.epoch == 1, "three more are allowed"


def test_a_clear_that_cannot_be_read_goes_and_is_said() -> None:
    stage = running()
    stage.edit(HA_SERVICES, "web", metadata={"annotations": {"backstay.dev/clear": "please"}})
    assert any("RemoveClear web: the annotation backstay.dev/clear cannot be read" in line for line in stage.settle())


# --- how often it may fail over -------------------------------------------------------------------------------------

USED_UP = "recovery.moves: 1 within 1h are used up (`backstay clear web --reason WHY` forgets them)"


def failed_over(per: str = "1h") -> Stage:
    """It has failed on n1, and has gone on on n2, where its next start would fail."""
    stage = running(recovery={"restarts": 0, "moves": {"limit": 1, "per": per}})
    dies(stage)
    stage.settle()
    assert stage.copies() == ["n2"]
    stage.script("n2").start_fails = "no license"
    return stage


def moves(stage: Stage) -> list[tuple[int, str, str]]:
    return [(one.epoch, one.from_, one.to) for one in stage.world.services["shop/web"].status.moves]


def test_what_fails_wherever_it_goes_stays_when_its_moves_are_used_up_and_says_so() -> None:
    stage = failed_over()
    assert moves(stage) == [(2, "n1", "n2")]
    assert stage.told("web", "StandbyReady")[0] == "False" and USED_UP in stage.told("web", "StandbyReady")[2]
    dies(stage, "n2")
    stage.wait(10)
    assert stage.copies() == [] and stage.world.instances["shop/web-0"].holder == "n2" and USED_UP in stage.missing()
    tried = steps(stage.wait(100), "WriteInstance")
    assert {line.split(" to ")[1] for line in tried if " to " in line} == {"n2 on Released"}, (
        "it is tried again where it is"
    )
    assert moves(stage) == [(2, "n1", "n2")]


def test_an_edit_that_is_refused_does_not_let_it_move_more_often() -> None:
    """Seed 2900000908: hosts are not told of `moves`, so that it was as if nothing was said of them."""
    stage = failed_over()
    stage.apply_service(mode="Promotable", replicas=2, recovery={"restarts": 0, "moves": {"limit": 1, "per": "1h"}})
    stage.wait(2)
    assert stage.told("web", "Accepted")[0] == "False"
    dies(stage, "n2")
    stage.wait(10)
    assert stage.copies() == [] and stage.world.instances["shop/web-0"].holder == "n2"


def test_a_clear_lets_it_move_again() -> None:
    stage = failed_over()
    dies(stage, "n2")
    stage.wait(5)
    stage.clear()
    stage.until(stage.copies, limit_s=10)
    stage.settle()
    assert moves(stage) == [], "neither does what followed from a failure that was cleared count"


def test_a_move_is_forgotten_when_its_time_is_over() -> None:
    stage = failed_over(per="30s")
    dies(stage, "n2")
    stage.wait(5)
    assert stage.copies() == []
    stage.until(lambda: stage.copies() == ["n3"], limit_s=30)


def test_what_people_ask_for_is_no_failover() -> None:
    stage = failed_over()
    stage.ask_to_move("n3")
    stage.settle()
    assert stage.copies() == ["n3"]
    stage.maintain("n1", "Cordon")
    stage.script("n2").start_fails = ""
    stage.maintain("n3", "Drain")
    stage.settle()
    assert stage.copies() == ["n2"] and moves(stage) == [(2, "n1", "n2")]


def test_what_may_not_fail_over_is_no_reason_to_fence_and_goes_on_where_it_was() -> None:
    stage = running(recovery={"moves": {"limit": 0, "per": "1h"}})
    stage.freeze("n1")
    assert not steps(stage.wait(30), "SealLease", "WriteInstance")
    assert "recovery.moves: 0 within 1h are used up" in stage.missing()
    stage.thaw("n1")
    stage.boot("n1")
    stage.settle()
    assert stage.copies() == ["n1"]


def test_a_host_that_is_read_off_is_closed_and_what_may_not_fail_over_waits_for_it() -> None:
    stage = running(recovery={"moves": {"limit": 0, "per": "1h"}})
    stage.power_off("n1")
    stage.wait(30)
    assert stage.world.instances["shop/web-0"].spec.grant is None or stage.copies() == []
    stage.boot("n1")
    stage.until(lambda: stage.copies() == ["n1"])  # all may rest for some seconds before that


def test_the_host_where_it_was_is_asked_to_be_ready_though_many_others_would_be() -> None:
    """Seed 12972349213: of six hosts the best few were asked, none of which might take it over."""
    placement = {"prefer": [{"hosts": {"matchLabels": {"kubernetes.io/hostname": "n1"}}, "weight": -10}]}
    stage = running(
        "n1", "n2", "n3", "n4", "n5", "n6", placement=placement, recovery={"moves": {"limit": 0, "per": "1h"}}
    )
    stage.power_off("n1")
    stage.wait(30)
    stage.boot("n1")
    stage.until(lambda: stage.copies() == ["n1"], limit_s=60)


def test_a_new_operator_remembers_moves() -> None:
    stage = failed_over()
    stage.restart_operator()
    dies(stage, "n2")
    stage.wait(10)
    assert stage.copies() == [] and USED_UP in stage.missing()


# --- works partly ---------------------------------------------------------------------------------------------------


def test_what_is_degraded_is_neither_restarted_nor_moved_and_is_told_until_it_is_not() -> None:
    stage = running()
    stage.settle()
    machine = stage.machines["n1"].state
    done = list(machine.log)
    stage.do(lambda: machine.tell("unit web.service", Seen(State.RUNNING, "one disk is gone")))
    stage.wait(600)
    assert (stage.copies(), machine.log) == (["n1"], done)
    degraded = stage.told("web", "Degraded")
    assert degraded[:2] == ("True", "WorksPartly") and "Runs on n1, degraded: main: one disk is gone" in degraded[2]
    assert stage.told("web", "Ready")[0] == "True"
    stage.do(lambda: machine.tell("unit web.service", Seen(State.RUNNING)))
    stage.settle()
    assert stage.told("web", "Degraded")[:2] == ("False", "AsWanted")


# --- state: Unmanaged -----------------------------------------------------------------------------------------------


def test_what_is_unmanaged_is_watched_and_touched_by_nobody_and_taken_back_as_it_is() -> None:
    stage = running()
    begun = dict(stage.machines["n1"].state.begun_at_s)
    stage.apply_service(state="Unmanaged")
    stage.settle()
    assert stage.told("web", "Ready")[0] == "True" and "spec.state is Unmanaged" in stage.missing()
    assert stage.told("web", "SurvivesHostLoss")[:2] == ("False", "Unmanaged")
    assert stage.told("web", "Degraded")[0] == "False"
    stage.apply_service(state="Running")
    stage.settle()
    assert stage.machines["n1"].state.begun_at_s == begun and stage.told("web", "SurvivesHostLoss")[0] == "True"


def test_what_dies_while_it_is_unmanaged_stays_so_and_is_told() -> None:
    stage = running()
    stage.apply_service(state="Unmanaged")
    stage.settle()
    dies(stage)
    stage.wait(120)
    assert stage.copies() == [] and stage.told("web", "Ready")[0] == "False"
    assert "Stopped on n1" in stage.missing()
    stage.apply_service(state="Running")
    stage.until(lambda: stage.copies() == ["n1"])


def test_what_is_unmanaged_moves_neither_for_a_drain_nor_for_a_wish() -> None:
    stage = running()
    stage.apply_service(state="Unmanaged")
    stage.settle()
    stage.maintain("n1", "Drain")
    stage.ask_to_move("n2")
    log = stage.settle()
    assert stage.copies() == ["n1"] and "n1 is being drained, but spec.state is Unmanaged" in stage.missing()
    assert any(line.startswith("RemoveMoveWish web: spec.state is Unmanaged") for line in log)
    stage.apply_service(state="Running")
    stage.settle()
    assert stage.copies() == ["n2"]


def test_what_is_unmanaged_is_no_reason_to_fence_and_goes_nowhere_else() -> None:
    stage = running()
    stage.apply_service(state="Unmanaged")
    stage.settle()
    stage.freeze("n1")
    assert not steps(stage.wait(30), "SealLease")
    assert stage.copies() == ["n1"]
    stage.thaw("n1")
    stage.settle()
    assert stage.copies() == ["n1"]


def test_what_is_unmanaged_can_be_stopped_and_deleted() -> None:
    stage = running()
    stage.apply_service(state="Unmanaged")
    stage.settle()
    stage.delete_service()
    stage.settle()
    assert stage.copies() == [] and "shop/web" not in stage.world.services


def test_a_refused_edit_of_what_is_unmanaged_takes_nothing_back() -> None:
    stage = running()
    stage.apply_service(state="Unmanaged")
    stage.settle()
    stage.apply_service(mode="Promotable")
    stage.settle()
    dies(stage)
    stage.wait(30)
    assert stage.copies() == [], "it is still unmanaged"


def test_a_service_that_was_never_managed_is_not_started() -> None:
    stage = Stage("n1", "n2")
    stage.apply_service(state="Unmanaged")
    stage.settle()
    assert stage.copies() == [] and not steps(stage.log, "WriteInstance")
