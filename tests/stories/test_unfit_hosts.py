"""Hosts that are not fit: what is to be looked at, and what leaves them."""

from __future__ import annotations

from backstay_api.objects.object_kinds import HOSTS
from backstay_api.objects.plain import HostChecks, HostProblem
from backstay_testing.stage import Stage, running, steps


def finds(stage: Stage, host: str, *whys: str) -> None:
    """The host's own checks find this now."""
    stage.do(lambda: stage.real.agents[host].examined(tuple(HostProblem(check="Network", why=why) for why in whys)))
    stage.settle()


def checks(stage: Stage, host: str, on_failure: str) -> None:
    stage.edit(HOSTS, host, spec={"checks": {"interfaces": ["eth1"], "onFailure": on_failure}})
    stage.settle()


def test_what_a_host_is_to_look_at_reaches_its_agent() -> None:
    stage = running()
    checks(stage, "n1", "Stay")
    assert stage.real.agents["n1"].checks == HostChecks(interfaces=("eth1",), on_failure="Stay")
    stage.edit(HOSTS, "n1", spec={"checks": None})
    stage.settle()
    assert stage.real.agents["n1"].checks is None


def test_what_runs_leaves_a_host_that_is_not_fit_only_where_that_is_asked_for() -> None:
    stage = running()
    finds(stage, "n1", "eth1 has no link")
    assert stage.copies() == ["n1"] and "eth1 has no link" in stage.host_says("n1", "Healthy")
    checks(stage, "n1", "Drain")
    assert stage.copies() == ["n2"] and steps(stage.log, "WriteInstance") == ["WriteInstance epoch 2 to n2 on Released"]
    assert "n1 is not fit, and to be left then (eth1 has no link)" in stage.host_says("n1", "Schedulable")
    finds(stage, "n1")
    assert stage.copies() == ["n2"] and stage.host_says("n1", "Schedulable") == "Services may be placed here"


def test_what_is_in_other_hands_leaves_no_host_that_is_not_fit() -> None:
    stage = running()
    stage.maintain("n1", "HandsOff")
    checks(stage, "n1", "Drain")
    finds(stage, "n1", "eth1 has no link")
    assert stage.copies() == ["n1"] and not steps(stage.log, "WriteInstance")
    stage.maintain("n1", None)
    stage.until(lambda: stage.copies() == ["n2"])


def test_what_has_nowhere_to_go_stays_on_a_host_that_is_not_fit() -> None:
    stage = running()
    for host in ("n3", "n2", "n1"):
        checks(stage, host, "Drain")
        finds(stage, host, "db.example does not resolve")
    assert stage.copies() == ["n1"] and not steps(stage.log, "WriteInstance")
    finds(stage, "n2")
    stage.until(lambda: stage.copies() == ["n2"])


def out_of_reach(stage: Stage, *hosts: str, tolerated: bool = False) -> None:
    problem = HostProblem(check="Reach", why="this host does not reach 192.0.2.1", tolerated=tolerated)
    for host in hosts:
        stage.do(lambda host=host: stage.real.agents[host].examined((problem,)))  # type: ignore[misc]
    stage.settle()


def fails(stage: Stage) -> None:
    """What runs on n1 dies, and none of its restarts helps."""
    stage.script("n1").start_fails = "the gateway is away"
    stage.do(lambda: stage.machines["n1"].state.kill("unit web.service"))
    stage.settle()


def test_what_fails_for_a_fault_that_the_other_hosts_have_too_does_not_move_until_they_are_over_it() -> None:
    stage = running()
    out_of_reach(stage, "n1", "n2", "n3")
    fails(stage)
    stage.wait(60)
    assert stage.missing() == "0/3 hosts can run it: 3 are not ready: this host does not reach 192.0.2.1"
    assert not stage.copies()
    finds(stage, "n2")
    stage.until(lambda: stage.copies() == ["n2"])


def test_it_goes_to_the_host_that_has_not_that_fault() -> None:
    stage = running()
    out_of_reach(stage, "n1", "n2")
    fails(stage)
    stage.until(lambda: stage.copies() == ["n3"])


def test_a_fault_that_lasts_holds_no_move_for_ever() -> None:
    stage = running()
    out_of_reach(stage, "n1", "n2", "n3")
    fails(stage)
    out_of_reach(stage, "n2", tolerated=True)
    stage.until(lambda: stage.copies() == ["n2"])
    assert stage.host_says("n2", "Healthy").startswith("It has lasted, and n2 is used all the same: ")
    assert stage.host_says("n3", "Healthy").startswith("Nothing new is started on n3: ")
