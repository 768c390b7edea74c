"""Worlds in which one service runs, and what its status tells of it."""

from __future__ import annotations

from typing import Any

from backstay_api.objects.models import HAService
from backstay_api.objects.models.service import HAServiceStatus
from backstay_operator.planner.do.decisions import decide
from backstay_operator.planner.do.finalizers import SERVICE_FINALIZER
from backstay_operator.planner.do.rounds import begin
from backstay_operator.planner.know.world import World
from backstay_operator.planner.tell import status
from backstay_testing.builders import a_host, a_service, an_instance, an_order, marked
from backstay_testing.worlds import a_world, make_ours, own, report, say_ready, tell


def told_of(world: World, service: HAService) -> HAServiceStatus:
    """What is decided about it now, as people are told; everything that it needs is its own."""
    service = marked(service, SERVICE_FINALIZER)
    make_ours(world)
    own(world, service)
    return status.service_status(world, decide(begin(world), service))


def a_running_world(**spec: Any) -> tuple[World, HAService]:
    """web runs on n1 at epoch 2; n2 is ready, n3 is not; n1 can be fenced."""
    world = a_world("n1", "n2", "n3")
    service = a_service(**spec)
    world.put_service(service)
    hold(world, service, "n1", epoch=2)
    say_ready(world, service, "n2")
    say_ready(world, service, "n3", ready=False, why="unit web.service is masked")
    fenceable(world, "n1")
    return world, service


def hold(
    world: World, service: HAService, host: str | None, *, epoch: int, phase: str = "Running", **more: Any
) -> None:
    world.put_instance(an_instance(service, epoch=epoch, host=host))
    if host:
        report(world, service, host, phase, epoch=epoch, **more)


def fenceable(world: World, name: str) -> None:
    fencing = {"ready": True, "checkedAt": "2026-03-01T11:00:00Z", "message": "bmc says on"}
    world.hosts[name] = a_host(name, has_device=True, status={"fencing": fencing})


def order_down(world: World, service: HAService, host: str, *, epoch: int, why: str) -> None:
    instance = an_instance(service, epoch=epoch, host=host)
    tell(world, host, instance, an_order(instance, "Down", revision=0, why=why))


def condition(told: HAServiceStatus, kind: str) -> tuple[str, str, str]:
    found = next(one for one in told.conditions if one.type == kind)
    return found.status, found.reason, found.message


def fail_start(world: World, service: HAService) -> None:
    hold(world, service, "n1", epoch=2, phase="Failed", why="exit code 1")
