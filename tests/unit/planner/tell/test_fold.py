"""What is said of a service of several copies, as a table: each condition is that of the copy that is least well."""

from __future__ import annotations

import pytest

from backstay_api.objects.models.service import StandbySummary
from backstay_operator.planner.do.decisions import decide
from backstay_operator.planner.do.rounds import begin
from backstay_operator.planner.know.world import World
from backstay_operator.planner.tell.conditions import Finding
from backstay_operator.planner.tell.fold import Copy, findings, standbys_of_copies
from backstay_operator.planner.tell.status import service_status
from backstay_testing.builders import a_service, an_instance
from backstay_testing.worlds import a_world, make_ours, report

WELL, ILL = Finding("Ready", True, "Running", "Runs on n1"), Finding("Ready", False, "Failed", "exit code 1")
CALM, MOVES = Finding("Progressing", False, "Running", "No change"), Finding("Progressing", True, "Starting", "starts")
SURE, UNSURE = (
    Finding("SurvivesHostLoss", True, "Ok", "n3 could"),
    Finding("SurvivesHostLoss", None, "Silent", "who knows"),
)
LOSES = Finding("SurvivesHostLoss", False, "NoStandby", "no host could")


def copies(*found: Finding) -> list[Copy]:
    return [Copy(f"web-{number}", one.is_true is True, f"n{number}", [one]) for number, one in enumerate(found)]


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        pytest.param([WELL], WELL, id="of one copy what is said of it"),
        pytest.param([ILL], ILL, id="whatever that is"),
        pytest.param([WELL, WELL], ("Ready", True, "Running", "All 2 copies work, on n0, n1"), id="all work"),
        pytest.param([ILL, WELL], ("Ready", False, "Failed", "1 of 2 copies work; web-0: exit code 1"), id="one does not"),
        pytest.param([ILL, ILL], ("Ready", False, "Failed", "0 of 2 copies work; exit code 1"), id="none does, for one reason"),
        pytest.param([CALM, CALM], CALM, id="nothing is in progress"),
        pytest.param([CALM, MOVES], ("Progressing", True, "Starting", "web-1: starts"), id="one is in progress"),
        pytest.param([SURE, LOSES], ("SurvivesHostLoss", False, "NoStandby", "web-1: no host could"), id="one could be lost"),
        pytest.param([SURE, UNSURE], ("SurvivesHostLoss", None, "Silent", "web-1: who knows"), id="of one nobody knows"),
    ],
)  # fmt: skip
def test_a_condition_is_that_of_the_copy_that_is_least_well(
    found: list[Finding], expected: Finding | tuple[str, bool | None, str, str]
) -> None:
    (folded,) = findings(copies(*found))
    assert folded == (expected if isinstance(expected, Finding) else Finding(*expected))


def test_a_host_stands_by_if_it_could_take_over_any_of_them() -> None:
    ready, not_ready = StandbySummary(host="n3", ready=True), StandbySummary(host="n3", ready=False, why="no such unit")
    other = StandbySummary(host="n4", ready=True)
    assert standbys_of_copies([[ready, other]]) == [ready, other]
    assert standbys_of_copies([[ready], [not_ready, other]]) == [not_ready, other]


def a_pair(world: World, *running: str) -> None:
    """A pair of which these copies work, on hosts of the same number."""
    service = a_service(mode="Replicated", replicas=2)
    world.put_service(service)
    for slot in (0, 1):
        host = f"n{slot + 1}" if f"web-{slot}" in running else None
        world.put_instance(an_instance(service, epoch=1, host=host, slot=slot))
        if host:
            report(world, service, host, "Running", epoch=1, slot=slot, healthy=True)
    make_ours(world)


@pytest.mark.parametrize(
    ("running", "copies", "host", "state", "is_ready"),
    [
        pytest.param(["web-0", "web-1"], "2/2", "n1, n2", "Running", "True", id="both"),
        pytest.param(["web-1"], "1/2", "n2", "Waiting", "False", id="one"),
        pytest.param([], "0/2", "", "Waiting", "False", id="none"),
    ],
)
def test_copies_are_counted_as_in_a_deployment(
    running: list[str], copies: str, host: str, state: str, is_ready: str
) -> None:
    world = a_world("n1", "n2")
    a_pair(world, *running)
    told = service_status(world, decide(begin(world), world.services["shop/web"]))
    counted = (told.copies, told.ready_replicas, told.replicas)
    assert counted == (copies, len(running), 2)
    assert (told.host, told.state) == (host, state)
    assert next(one.status for one in told.conditions if one.type == "Ready") == is_ready
    assert [one.name for one in told.instances] == ["web-0", "web-1"]
