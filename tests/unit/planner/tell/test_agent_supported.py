"""What people are told of the release of a host's agent beside that of the operator."""

from __future__ import annotations

import pytest

from backstay_api import VERSION
from backstay_api.objects.models.host import HostStatus
from backstay_operator.planner.know.world import World
from backstay_operator.planner.tell.host_status import host_status
from backstay_testing.worlds import a_world, know_only


def told(world: World) -> HostStatus:
    patch = host_status(world, world.hosts["n1"])
    assert patch is not None
    return HostStatus.model_validate(patch)


def condition(status: HostStatus, kind: str) -> tuple[str, str, str]:
    found = next(one for one in status.conditions if one.type == kind)
    return found.status, found.reason, found.message


@pytest.mark.parametrize(
    ("version", "said"),
    [
        (VERSION, ("True", "Served", f"The operator {VERSION} serves its agent {VERSION}")),
        (
            "99.0.0",
            (
                "False",
                "Newer",
                f"Its agent 99.0.0 is newer than the operator {VERSION}: upgrade the operator, which comes first",
            ),
        ),
    ],
)
def test_whether_operator_and_agent_go_with_each_other(version: str, said: tuple[str, str, str]) -> None:
    world = a_world("n1")
    know_only(world, "n1", version=version)
    assert condition(told(world), "AgentSupported") == said


def test_an_agent_of_three_releases_before_is_too_old(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backstay_operator.planner.tell.host_status.VERSION", "1.4.0")
    world = a_world("n1")
    know_only(world, "n1", version="1.1.0")
    status, reason, message = condition(told(world), "AgentSupported")
    assert (status, reason) == ("False", "TooOld")
    assert message == (
        "Its agent 1.1.0 is too old for the operator 1.4.0, which serves its own release and the 2 before it: upgrade the agent"
    )


def test_of_an_agent_that_has_not_said_its_release_nothing_is_said() -> None:
    assert "AgentSupported" not in {one.type for one in told(a_world("n1")).conditions}
