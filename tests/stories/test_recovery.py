"""What is done about failures, as the manifest says it: the operator and the agents together."""

from __future__ import annotations

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
