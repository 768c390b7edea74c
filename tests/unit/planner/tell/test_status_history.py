"""What a status remembers: since when, of which failover, and which starts failed."""

from __future__ import annotations

import pytest

from backstay_api.objects.models import HAService
from backstay_api.objects.models.service import HAServiceStatus
from backstay_operator.planner.know.world import World
from backstay_testing.builders import a_service, an_instance, session, unit
from backstay_testing.statuses import a_running_world, condition, fail_start, hold, order_down, told_of
from backstay_testing.worlds import say_ready, silence, speak


def keep(world: World, service: HAService, told: HAServiceStatus, wall: str) -> HAService:
    """The status has been written, and time has passed."""
    world.wall = wall
    kept = service.model_copy(update={"status": told})
    world.put_service(HAService.from_wire(kept.wire()))
    return world.services[service.key]


@pytest.mark.parametrize("late_s", [0.0, 1.0])
def test_nothing_changed_is_an_equal_status_and_a_late_heartbeat_is_nothing(late_s: float) -> None:
    world, service = a_running_world()
    told = told_of(world, service)
    service = keep(world, service, told, "2026-03-01T12:34:56Z")
    for host in world.hosts:
        silence(world, host, late_s)
    assert told_of(world, service) == service.status == told


def test_a_condition_keeps_its_time_while_its_status_stays() -> None:
    world, service = a_running_world()
    service = keep(world, service, told_of(world, service), "2026-03-01T13:00:00Z")
    say_ready(world, service, "n2", ready=False, why="no such unit")
    times = {one.type: one.last_transition_time for one in told_of(world, service).conditions}
    assert times["Ready"] == "2026-03-01T12:00:00Z"
    assert times["StandbyReady"] == "2026-03-01T13:00:00Z"


def test_a_failover_is_told_with_its_cause_and_its_length() -> None:
    world, service = a_running_world()
    service = keep(world, service, told_of(world, service), "2026-03-01T12:59:59.5Z")
    silence(world, "n1", 4.0)
    service = keep(world, service, told_of(world, service), "2026-03-01T13:00:00Z")
    hold(world, service, None, epoch=2)
    service = keep(world, service, told_of(world, service), "2026-03-01T13:00:00.2Z")
    assert service.status.last_failover and service.status.last_failover.to == ""
    hold(world, service, "n2", epoch=3, phase="Starting")
    service = keep(world, service, told_of(world, service), "2026-03-01T13:00:00.8Z")
    hold(world, service, "n2", epoch=3)
    last = told_of(world, service).last_failover
    assert last and (last.from_, last.to, last.duration, last.at) == ("n1", "n2", "1.3s", "2026-03-01T12:59:59.5Z")
    assert last.cause == "it was stopped"


def test_what_judges_count_by_outlives_a_status_that_the_api_server_refuses() -> None:
    world, service = a_running_world()
    fail_start(world, service)
    service = keep(world, service, told_of(world, service), "2026-03-01T13:00:00Z")
    assert service.status.start_failures, "nothing to remember"
    world.short_status = {service.key}
    told = told_of(world, service)
    assert told.start_failures == service.status.start_failures and told.standbys == [] != service.status.standbys


def test_a_planned_move_is_told_with_the_reason_of_the_move() -> None:
    world, service = a_running_world()
    service = keep(world, service, told_of(world, service), "2026-03-01T13:00:00Z")
    order_down(world, service, "n1", epoch=2, why="n1 is being drained")
    service = keep(world, service, told_of(world, service), "2026-03-01T13:00:01Z")
    hold(world, service, "n2", epoch=3)
    last = told_of(world, service).last_failover
    assert last and last.cause == "Being stopped on n1: n1 is being drained"


def test_another_session_speaks_for_itself_only() -> None:
    world, service = a_running_world()
    speak(world, "n1", session("n1", 2), supersedes=[session("n1").nonce])
    told = told_of(world, service)
    why = "n1 has begun a new session since it was started there"
    assert (told.state, told.instances[0].why, told.instances[0].to) == ("Recovering", why, "n2")
    assert condition(told, "Ready")[2] == f"{why}; moves to n2"


def test_what_is_said_of_an_older_epoch_says_nothing_of_this_one() -> None:
    world, service = a_running_world()
    world.put_instance(an_instance(service, epoch=3, host="n1"))
    told = told_of(world, service)
    assert (told.state, told.instances[0].why) == ("Starting", "Granted to n1, which has not answered yet")


def test_a_restart_in_place_is_no_failover() -> None:
    world, service = a_running_world()
    for phase in ("Running", "Starting", "Running"):
        hold(world, service, "n1", epoch=2, phase=phase)
        service = keep(world, service, told_of(world, service), "2026-03-01T13:00:00Z")
    assert service.status.last_failover is None


def test_a_failed_start_is_remembered_until_it_is_forgotten_and_not_learned_twice() -> None:
    world, service = a_running_world()
    fail_start(world, service)
    service = keep(world, service, told_of(world, service), "2026-03-01T12:00:01Z")
    assert [(one.host, one.epoch, one.why) for one in service.status.start_failures] == [("n1", 2, "exit code 1")]
    hold(world, service, "n2", epoch=3)
    assert condition(told_of(world, service), "Degraded")[1] == "StartFailed"
    world.now_s += 601
    for host in world.hosts:
        silence(world, host, 0.0)
    assert told_of(world, service).start_failures == []


def test_an_edit_wipes_the_failures_of_the_manifest_before() -> None:
    world, service = a_running_world()
    fail_start(world, service)
    service = keep(world, service, told_of(world, service), "2026-03-01T12:00:01Z")
    edited = a_service("web", unit(unit_name="better.service"), generation=2, status=service.status.wire())
    world.put_service(edited)
    assert told_of(world, edited).start_failures == []
