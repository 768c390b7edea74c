"""What hosts do not reach, case by case: who has the fault, what befalls the service on n1, where it runs then and what is said."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from backstay_api.objects.plain import HostProblem
from backstay_testing.stage import Stage, running

GATEWAY, FILES = "this host does not reach 192.0.2.1", "this host does not reach 192.0.2.2"
ALL = {"n1": GATEWAY, "n2": GATEWAY, "n3": GATEWAY}
OTHERS = {"n2": GATEWAY, "n3": GATEWAY}
NOWHERE = f"0/3 hosts can run it: 3 are not ready: {GATEWAY}"


def out_of_reach(stage: Stage, whys: dict[str, str]) -> None:
    for host, why in whys.items():
        problem = HostProblem(check="Reach", why=why)
        stage.do(lambda host=host, problem=problem: stage.real.agents[host].examined((problem,)))  # type: ignore[misc]
    stage.settle()


def nothing(stage: Stage) -> None:
    stage.wait(60)


def dies(stage: Stage) -> None:
    """And is restarted in place, which needs no gateway."""
    stage.do(lambda: stage.machines["n1"].state.kill("unit web.service"))
    stage.wait(60)


def fails(stage: Stage) -> None:
    """And no restart in place helps."""
    stage.script("n1").start_fails = "the gateway is away"
    dies(stage)


def host_is_lost(stage: Stage) -> None:
    stage.power_off("n1")
    stage.wait(60)


def host_is_drained(stage: Stage) -> None:
    stage.maintain("n1", "Drain")
    stage.wait(60)


def is_asked_to_move(stage: Stage) -> None:
    stage.ask_to_move("n2")
    stage.wait(60)


CASES: list[tuple[str, dict[str, str], Callable[[Stage], None], list[str], str]] = [
    ("the fault alone moves nothing", ALL, nothing, ["n1"], ""),
    ("what its own host alone lacks moves nothing either", {"n1": GATEWAY}, nothing, ["n1"], ""),
    ("restarts in place are not held", ALL, dies, ["n1"], ""),
    ("what failed stays where every host has the fault", ALL, fails, [], NOWHERE),
    ("it goes to the one that has not", {"n1": GATEWAY, "n2": GATEWAY}, fails, ["n3"], ""),
    ("and from its own that has it to the first that has not", {"n1": GATEWAY}, fails, ["n2"], ""),
    ("the others' fault holds it, though its own host has none", OTHERS, fails, [], f"2 are not ready: {GATEWAY}"),
    (
        "faults need not be the same",
        {"n1": GATEWAY, "n2": FILES, "n3": FILES},
        fails,
        [],
        "0/3 hosts can run it: 3 are not ready",
    ),
    ("what has lost its host waits for one that could run it", OTHERS, host_is_lost, [], f"2 are not ready: {GATEWAY}"),
    ("and goes to the one that has not the fault", {"n2": GATEWAY}, host_is_lost, ["n3"], ""),
    ("a drain waits", OTHERS, host_is_drained, ["n1"], "n1 is being drained, but it stays: 0/3 hosts can run it: "),
    ("and so does a person's wish", OTHERS, is_asked_to_move, ["n1"], "a move to n2 was asked for, but it stays: "),
]


@pytest.mark.parametrize(
    ("faults", "befalls", "runs", "says"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_a_fault_that_hosts_have_in_common(
    faults: dict[str, str], befalls: Callable[[Stage], None], runs: list[str], says: str
) -> None:
    stage = running()
    out_of_reach(stage, faults)
    befalls(stage)
    assert stage.copies() == runs
    assert says in stage.told("web", "Ready")[2]


def test_a_first_start_waits_for_a_host_without_the_fault() -> None:
    stage = Stage("n1", "n2", "n3")
    stage.wait(1)
    out_of_reach(stage, ALL)
    stage.apply_service()
    stage.wait(60)
    assert stage.copies() == [] and NOWHERE in stage.told("web", "Ready")[2]
    stage.do(lambda: stage.real.agents["n3"].examined(()))
    stage.until(lambda: stage.copies() == ["n3"])
