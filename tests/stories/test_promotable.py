"""What is promoted is stopped before the copy that it stands on, whatever stops that one, and starts after it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from backstay_api.objects.object_kinds import HA_SERVICES, HOST_ASSIGNMENTS
from backstay_testing.builders import promotable
from backstay_testing.stage import Stage

WEB, WRITER = "unit web.service", "unit writer.service"


def promoted() -> Stage:
    """On n1; and its stop takes so long that a copy which did not wait would be down first."""
    stage = Stage("n1", "n2")
    apply(stage)
    stage.settle()
    assert stage.copies("web-promoted") == ["n1"], stage.missing()
    stage.script("n1", "writer.service").stop_takes_s = 2.0
    stage.machines["n1"].state.log.clear()
    return stage


def apply(stage: Stage, **spec: object) -> None:
    resources = [
        {"name": "main", "systemd": {"unit": "web.service"}},
        {"name": "writer", "role": "Promoted", "systemd": {"unit": "writer.service"}},
    ]
    stage.apply_service("web", **{"mode": "Promotable", "replicas": 2, "resources": resources, **spec})


def done(log: list[str]) -> list[str]:
    """What was done on n1, in its order."""
    return [line for line in log if line.startswith(("start", "stop"))]


@pytest.mark.parametrize(
    "act",
    [
        pytest.param(lambda stage: apply(stage, state="Stopped"), id="it shall be stopped"),
        pytest.param(lambda stage: stage.delete_service("web"), id="it is deleted"),
        pytest.param(lambda stage: stage.shut_down("n1"), id="its host goes down in order"),
    ],
)
def test_what_is_promoted_is_stopped_before_its_copy(act: Callable[[Stage], object]) -> None:
    stage = promoted()
    machine = stage.machines["n1"].state
    act(stage)
    stage.until(lambda: WEB not in machine.running)
    assert done(machine.log) == [f"stop {WRITER}", f"stop {WEB}"]


def test_a_copy_that_is_restarted_waits_until_what_stands_on_it_is_down_and_is_promoted_again() -> None:
    stage = promoted()
    machine = stage.machines["n1"].state
    stage.do(lambda: machine.kill(WEB))
    stage.wait(10)
    assert done(machine.log) == [f"stop {WRITER}", f"stop {WEB}", f"start {WEB}", f"start {WRITER}"]
    assert stage.copies("web-promoted") == ["n1"]


def test_an_agent_that_is_restarted_finds_both_and_touches_neither() -> None:
    stage = promoted()
    stage.do(lambda: stage.real.kill("agent-n1"))
    stage.wait(5)
    assert done(stage.machines["n1"].state.log) == [] and stage.copies("web-promoted") == ["n1"]


# --- a copy that its own agent promotes -------------------------------------------------------------------------------

COPY, PROMOTION, ADDRESS = "OCF resource d:x db", "OCF resource promoted d:x db", "address 192.0.2.9"
BY_AN_AGENT = [
    promotable(timeouts={"start": "7s"}),
    {"name": "address", "role": "Promoted", "virtualIP": {"address": "192.0.2.9/24"}},
]


def promoted_by_its_agent(**scores: int) -> Stage:
    """By host: the promotion score that the agent has set there."""
    stage = Stage(*(scores or ("n1", "n2")))
    for host, score in scores.items():
        stage.machines[host].state.scores["db"] = score
    stage.apply_service("web", mode="Promotable", replicas=2, resources=BY_AN_AGENT)
    return stage


def test_an_agent_promotes_the_copy_with_the_highest_score_and_demotes_it_before_it_is_stopped() -> None:
    stage = promoted_by_its_agent(n1=5, n2=10)
    stage.settle()
    assert (stage.copies("web-promoted"), sorted(stage.copies())) == (["n2"], ["n1", "n2"])
    machine = stage.machines["n2"].state
    assert done(machine.log) == [f"start {COPY}", f"start {PROMOTION}", f"start {ADDRESS}"]
    machine.log.clear()
    apply_by_an_agent(stage, state="Stopped")
    stage.until(lambda: COPY not in machine.running)
    assert done(machine.log) == [f"stop {ADDRESS}", f"stop {PROMOTION}", f"stop {COPY}"]


def apply_by_an_agent(stage: Stage, *more: dict[str, object], **spec: object) -> None:
    stage.apply_service("web", **{"mode": "Promotable", "replicas": 2, "resources": [*BY_AN_AGENT, *more], **spec})


def test_nobody_is_promoted_whose_agent_has_set_no_score() -> None:
    stage = promoted_by_its_agent()
    stage.settle()
    assert stage.copies("web-promoted") == [] and sorted(stage.copies()) == ["n1", "n2"]
    (why,) = {
        one["why"] for one in stage.must(HA_SERVICES, "web")["status"]["instances"] if one["name"] == "web-promoted"
    }
    assert "cannot say how fresh their data is: db: its agent has set none" in why
    for machine in stage.machines.values():
        machine.state.scores["db"] = 1
    stage.until(lambda: stage.copies("web-promoted"))


def test_when_its_host_is_off_another_copy_is_promoted_by_an_edit_that_is_refused_as_before() -> None:
    """Nothing of what the agents were told of roles is lost: one that is promoted is no start of a copy."""
    stage = promoted_by_its_agent(n1=5, n2=5, n3=5)
    stage.settle()
    (first,) = stage.copies("web-promoted")
    apply_by_an_agent(stage, promotable("other", "d:y"))
    stage.settle()
    accepted = next(one for one in stage.must(HA_SERVICES, "web")["status"]["conditions"] if one["type"] == "Accepted")
    assert (accepted["status"], accepted["reason"]) == ("False", "TwoPromotable")
    stage.power_off(first)
    stage.until(lambda: stage.copies("web-promoted") not in ([], [first]), limit_s=120)
    (second,) = stage.copies("web-promoted")
    machine = stage.machines[second].state
    assert [*machine.running].count(PROMOTION) == 1 and machine.log.index(f"start {COPY}") < machine.log.index(
        f"start {PROMOTION}"
    )
    orders = stage.must(HOST_ASSIGNMENTS, second)["spec"]["instances"].values()
    told = {order["name"]: order["resources"][0] for order in orders}
    assert told.pop("web-promoted")["ocf"] == {"agent": "d:x", "instance": "db", "copies": 2, "role": "Promoted"}
    assert [one["ocf"] for one in told.values()] == [{"agent": "d:x", "instance": "db", "copies": 2}]
    assert all(one["timeouts"] == {"start": "7s"} for one in told.values())


def test_a_change_of_their_number_and_of_parameters_restarts_no_copy_and_demotes_nobody() -> None:
    stage = promoted_by_its_agent(n1=5, n2=5, n3=5)
    for host in stage.machines:
        stage.machines[host].state.scripts[COPY].reloadable = frozenset({"level"})
    stage.settle()
    (on,) = stage.copies("web-promoted")
    machine = stage.machines[on].state
    machine.log.clear()
    leveled = promotable(timeouts={"start": "7s"})
    leveled["ocf"]["parameters"] = {"level": "2"}
    apply_by_an_agent(stage, replicas=3, resources=[leveled, BY_AN_AGENT[1]])
    stage.settle()
    assert done(machine.log) == [] and stage.copies("web-promoted") == [on]


# --- a demote that fails ----------------------------------------------------------------------------------------------


def cannot_be_demoted(*, copy_stop_takes_s: float = 0.0, fails: str = PROMOTION, then: str = "Fence") -> Stage:
    """On n1. `then`: what is done where the stop fails again."""
    stage = promoted_by_its_agent(n1=10, n2=5)
    apply_by_an_agent(stage, recovery={"onStopFailure": then})
    stage.settle()
    assert stage.copies("web-promoted") == ["n1"], stage.missing()
    machine = stage.machines["n1"].state
    machine.scripts[fails].stop_fails = "demote: 1 means a failure, and the monitor says: promoted"
    machine.scripts[COPY].stop_takes_s = copy_stop_takes_s
    machine.log.clear()
    return stage


def goes_with_its_copy(stage: Stage) -> None:
    """Nothing of the promotion is left once the copy itself is down."""
    machine = stage.machines["n1"].state
    told = machine.on_change

    def on_change(name: str, runs: bool) -> None:
        told(name, runs)
        if name == COPY and not runs:
            machine.scripts[PROMOTION].stop_fails = ""

    machine.on_change = on_change


@pytest.mark.parametrize("takes_s", [pytest.param(0.0, id="at once"), pytest.param(15.0, id="longer than two tries")])
def test_a_copy_that_cannot_be_demoted_is_stopped_and_its_host_is_not_fenced(takes_s: float) -> None:
    stage = cannot_be_demoted(copy_stop_takes_s=takes_s)
    machine = stage.machines["n1"].state
    goes_with_its_copy(stage)
    stage.maintain("n1", "Drain")
    stage.until(lambda: stage.copies("web-promoted") == ["n2"])
    stage.settle()
    twice = [f"stop {ADDRESS}", f"stop {PROMOTION}"]
    assert done(machine.log) == [*twice, f"stop {COPY}", *twice, f"start {COPY}"]
    assert (stage.requests_of("n1"), sorted(stage.copies())) == ({}, ["n1", "n2"])


def test_where_the_stop_of_the_copy_does_not_help_the_host_is_fenced() -> None:
    stage = cannot_be_demoted()
    machine = stage.machines["n1"].state
    stage.maintain("n1", "Drain")
    stage.until(lambda: stage.copies("web-promoted") == ["n2"])
    assert machine.log.index(f"stop {COPY}") == 2 and f"start {COPY}" not in machine.log
    assert not stage.machines["n1"].is_on


def test_what_else_of_the_promoted_cannot_be_stopped_leaves_the_copy_alone() -> None:
    stage = cannot_be_demoted(fails=ADDRESS, then="Block")
    machine = stage.machines["n1"].state
    stage.maintain("n1", "Drain")
    stage.until(lambda: machine.log.count(f"stop {ADDRESS}") == 3)
    assert f"stop {COPY}" not in machine.log


@pytest.mark.parametrize("stuck", [PROMOTION, ADDRESS])
def test_a_copy_that_is_to_stop_waits_for_no_stop_that_has_failed(stuck: str) -> None:
    stage = cannot_be_demoted(fails=stuck)
    machine = stage.machines["n1"].state
    apply_by_an_agent(stage, state="Stopped")
    stage.until(lambda: COPY not in machine.running)
    assert done(machine.log) == [f"stop {ADDRESS}", f"stop {PROMOTION}", f"stop {COPY}"] and stuck in machine.running
    machine.scripts[stuck].stop_fails = ""
    stage.until(lambda: not machine.running)
    stage.settle()
    assert f"start {COPY}" not in machine.log
