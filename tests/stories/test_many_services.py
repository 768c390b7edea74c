"""More services than a host can be asked about, and what runs already on many hosts."""

from __future__ import annotations

import pytest

from backstay_operator.planner.know import fitting
from backstay_testing.stage import Stage

# --- who runs it already ---------------------------------------------------------------------------------------------


def test_all_hosts_that_run_it_already_are_named_at_once_with_the_command_that_stops_it() -> None:
    stage = Stage("n1", "n2", "n3")
    for name in ("n1", "n2"):
        stage.start_by_hand(name)
    stage.wait(1)
    stage.apply_service()
    stage.wait(2)
    said = "n1 and n2 run web.service already, not started by Backstay: systemctl stop web.service on each"
    assert said in stage.missing() or said in stage.told("web", "Ready")[2]
    for name in ("n1", "n2"):
        stage.stop_by_hand(name)
    stage.wait(2)
    assert len(stage.copies()) == 1


# --- more than a host can be asked about -----------------------------------------------------------------------------


def test_more_services_than_a_host_can_be_asked_about_start_all_the_same_and_say_who_is_not_ready(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(fitting, "MOST_INSTANCES", 4)
    stage = Stage("n1", "n2", "n3")
    stage.wait(1)
    for number in range(9):
        stage.apply_service(f"s{number}")
        stage.wait(1)
    stage.wait(30)
    assert [name for name in (f"s{n}" for n in range(9)) if not stage.copies(name)] == []
    assert all(len(assignment.spec.standbys) <= 4 for assignment in stage.world.assignments.values())
    whys = [standby.why for service in stage.world.services.values() for standby in service.status.standbys]
    assert any("can be asked about no more at a time" in why for why in whys), whys


def test_a_service_that_waits_for_its_turn_to_be_asked_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fitting, "MOST_INSTANCES", 2)
    stage = Stage("n1")
    for number in range(3):
        for host in stage.machines:
            stage.start_by_hand(host, f"s{number}.service")
    stage.wait(1)
    for number in range(3):
        stage.apply_service(f"s{number}")
    stage.wait(5)
    said = [stage.missing(f"s{number}") + stage.told(f"s{number}", "Ready")[2] for number in range(3)]
    assert sum("it waits for its turn" in one for one in said) == 1, said
