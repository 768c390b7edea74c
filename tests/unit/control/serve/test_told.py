"""Series of each service and host: what its status says, and nothing where nobody knows."""

from __future__ import annotations

from typing import Any

from backstay_api.objects.models import HAService
from backstay_api.objects.models.service import HAServiceStatus
from backstay_operator.control.report.recoveries import answered
from backstay_operator.control.serve.told import told_of_hosts, told_of_services
from backstay_operator.planner.actions import WriteServiceStatus
from backstay_operator.planner.know.world import World
from backstay_testing.builders import WALL, a_host, a_request, a_service, unit
from backstay_testing.worlds import a_world


def condition(kind: str, status: str) -> dict[str, Any]:
    return {"type": kind, "status": status, "reason": "Said", "lastTransitionTime": WALL}


def a_record(epoch: int, *more: tuple[str, str]) -> dict[str, Any]:
    steps = [{"phase": phase, "at": f"2026-03-01T12:00:{at}Z"} for phase, at in (("Fault", "00.500"), *more)]
    return {"slot": "web-0", "epoch": epoch, "from": "n1", "to": "n2", "cause": "HostLost", "steps": steps}


def told(status: dict[str, Any], **spec: Any) -> HAService:
    return a_service(**spec).model_copy(update={"status": HAServiceStatus.model_validate(status)})


def values(world: World) -> dict[str, float]:
    samples = [one for family in (*told_of_services(world), *told_of_hosts(world)) for one in family.samples]
    return {f"{one.name}{sorted(one.labels.values())}": one.value for one in samples}


def test_a_service_has_a_series_for_what_people_ask() -> None:
    world = World()
    status = {
        "conditions": [
            condition("Ready", "True"),
            condition("Degraded", "False"),
            condition("SurvivesHostLoss", "Unknown"),
        ],
        "standbys": [{"host": "n1", "ready": True}, {"host": "n3", "ready": False}],
        "instances": [{"name": "web-0", "host": "n2"}],
        "failovers": [a_record(2, ("Answered", "03.750")), a_record(1)],
    }
    world.put_service(told(status))
    assert values(world) == {
        "backstay_service_ready['shop', 'web']": 1.0,
        "backstay_service_degraded['shop', 'web']": 0.0,
        "backstay_service_standbys_ready['shop', 'web']": 1.0,
        "backstay_service_holder_info['n2', 'shop', 'web', 'web-0']": 1.0,
        "backstay_service_last_failover_timestamp_seconds['HostLost', 'shop', 'web']": 1772366400.5,
        "backstay_service_last_failover_duration_seconds['HostLost', 'shop', 'web']": 3.25,
    }


def test_whether_a_copy_is_promoted_is_told_where_one_should_be() -> None:
    resources = (unit(), unit("writer", role="Promoted"))
    for status, value in (({"promoted": "n1"}, 1.0), ({}, 0.0)):
        world = World()
        world.put_service(
            a_service("web", *resources, mode="Promotable").model_copy(
                update={"status": HAServiceStatus.model_validate(status)}
            )
        )
        assert values(world) == {
            "backstay_service_promoted['shop', 'web']": value,
            "backstay_service_standbys_ready['shop', 'web']": 0.0,
        }


def test_what_its_owner_has_stopped_is_no_loss() -> None:
    world = World()
    world.put_service(told({"conditions": [condition("Ready", "False")]}, state="Stopped"))
    assert values(world) == {}


def test_a_host_has_a_series_for_what_people_ask() -> None:
    world = a_world()
    status = {
        "conditions": [condition("Ready", "False"), condition("FencingReady", "True")],
        "fencing": {"ready": True, "checkedAt": WALL},
        "agentVersion": "0.1.0",
        "credentialUntil": "2026-03-31T12:00:00Z",
        "instances": 3,
    }
    world.hosts["n1"] = a_host("n1", status=status)
    attempt = {"level": "power", "device": "bmc", "action": "off", "at": WALL}
    world.put_request(a_request("n1", want="Off", name="n1-x", status={"attempts": [attempt, attempt]}))
    assert values(world) == {
        "backstay_host_ready['n1']": 0.0,
        "backstay_host_fencing_ready['n1']": 1.0,
        "backstay_host_fence_test_timestamp_seconds['n1']": 1772366400.0,
        "backstay_host_instances['n1']": 3.0,
        "backstay_host_agent_info['0.1.0', 'n1']": 1.0,
        "backstay_host_credential_expiry_timestamp_seconds['n1']": 1774958400.0,
        "backstay_host_fence_attempts['n1']": 2.0,
        "backstay_host_fencing_waits['n1']": 1.0,
    }


def test_a_failover_counts_when_it_is_first_told_that_it_is_over() -> None:
    before = told({"failovers": [a_record(2), a_record(1, ("Answered", "01.500"))]})
    after = told({"failovers": [a_record(2, ("Answered", "04.500")), a_record(1, ("Answered", "01.500"))]})
    assert list(answered(WriteServiceStatus(before, after.status))) == [("HostLost", 4.0)]
    assert list(answered(WriteServiceStatus(after, after.status))) == []
