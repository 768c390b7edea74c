"""What is decided once is said once: the sentences of a plan are about that plan's own grants and orders."""

from __future__ import annotations

from backstay_operator.planner.actions import Assign, WriteInstance, WriteServiceStatus
from backstay_testing.stage import Stage


def test_three_new_services_are_told_to_start_where_each_of_them_is_granted() -> None:
    stage = Stage("n1", "n2", "n3")
    for host in stage.machines:
        stage.maintain(host, "Cordon")
    for name in "abc":
        stage.apply_service(name)
    stage.settle()
    for host in stage.machines:
        stage.maintain(host, None)
    stage.settle()
    together = next(plan for plan in stage.plans if any(isinstance(a, WriteInstance) for a in plan.actions))
    granted = [a.spec for a in together.actions if isinstance(a, WriteInstance)]
    told = {a.before.metadata.name: a.status for a in together.actions if isinstance(a, WriteServiceStatus)}
    assert {one.service.name: one.grant and one.grant.host for one in granted} == {"a": "n1", "b": "n2", "c": "n3"}
    assert {name: told[name].instances[0].why.partition(":")[0] for name in "abc"} == {
        "a": "About to start on n1",
        "b": "About to start on n2",
        "c": "About to start on n3",
    }


def test_a_drain_says_of_each_service_where_it_really_goes_and_why_it_went() -> None:
    stage = Stage("n1", "n2", "n3")
    for host in ("n2", "n3"):
        stage.maintain(host, "Cordon")
    for name in "abcd":
        stage.apply_service(name)
    stage.wait(2)
    assert all(stage.copies(name) == ["n1"] for name in "abcd")
    for host in ("n2", "n3"):
        stage.maintain(host, None)
    stage.wait(2)
    stage.maintain("n1", "Drain")
    begin = len(stage.plans)
    stage.wait(2)
    ordered = {
        order.service: order
        for plan in stage.plans[begin:]
        for action in plan.actions
        if isinstance(action, Assign) and action.host == "n1"
        for order in action.spec.instances.values()
        if order.want == "Down"
    }
    went = {name: stage.copies(name)[0] for name in "abcd"}
    assert sorted(went.values()) == ["n2", "n2", "n3", "n3"]
    assert {name: order.to for name, order in ordered.items()} == went
    for name in "abcd":
        last = stage.world.services[f"shop/{name}"].status.last_failover
        assert last is not None
        assert (last.from_, last.to) == ("n1", went[name])
        assert last.cause == "Being stopped on n1: n1 is being drained"
