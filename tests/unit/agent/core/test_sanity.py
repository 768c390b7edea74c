"""What is wrong with a host itself, as a table; and what that does to what is said of its standbys."""

import pytest

from backstay_agent.core.sanity import HostSigns, Lasting, held_back, problems
from backstay_api.objects.plain import HostProblem, StandbyReport

MEMORY = (
    "it is short of memory: nothing on it could run for a large part of the last minute (/proc/pressure/memory,"
    " full avg60, 40 or more; over below 20)"
)


def jumped(by_s: float, ago_s: float) -> HostSigns:
    return HostSigns(jump_s=by_s, since_jump_s=ago_s)


@pytest.mark.parametrize(
    ("signs", "before", "found"),
    [
        pytest.param(HostSigns(), "", [], id="nothing"),
        pytest.param(
            HostSigns(("/run is full", "/var is full")), "", [("Disk", "/run is full; /var is full")], id="no room"
        ),
        pytest.param(HostSigns(stalled_percent=39.9), "", [], id="memory is not short yet"),
        pytest.param(HostSigns(stalled_percent=40.0), "", [("Memory", MEMORY)], id="memory is short"),
        pytest.param(HostSigns(stalled_percent=20.0), "Memory", [("Memory", MEMORY)], id="memory is still short"),
        pytest.param(HostSigns(stalled_percent=19.9), "Memory", [], id="memory is no longer short"),
        pytest.param(HostSigns(stalled_percent=30.0), "Disk", [], id="what else was wrong is another matter"),
        pytest.param(
            jumped(37.2, 0),
            "",
            [("Clock", "its clock jumped forwards by 37 s; that is over when it has been steady for 60 s")],
            id="a jump",
        ),
        pytest.param(
            jumped(-3600, 59),
            "",
            [("Clock", "its clock jumped back by 3600 s; that is over when it has been steady for 60 s")],
            id="a jump back",
        ),
        pytest.param(jumped(37.2, 60), "Clock", [], id="a jump that is over"),
        pytest.param(HostSigns(no_link=("eth1 has no link",)), "", [("Network", "eth1 has no link")], id="a link"),
        pytest.param(HostSigns(no_names=("a", "b")), "", [("Names", "a; b")], id="names"),
        pytest.param(
            HostSigns(no_reach=("no 192.0.2.1",), unreached_for_s=599), "", [("Reach", "no 192.0.2.1")], id="reach"
        ),
        pytest.param(
            HostSigns(("/run is full",), 50.0),
            "",
            [("Disk", "/run is full"), ("Memory", MEMORY)],
            id="all of it is told",
        ),
    ],
)
def test_what_is_wrong_with_this_host(signs: HostSigns, before: str, found: list[tuple[str, str]]) -> None:
    known = [HostProblem(check=before, why="")] if before else []
    assert [(one.check, one.why) for one in problems(signs, known)] == found


def test_what_is_out_of_reach_for_ten_minutes_is_told_and_holds_nothing_back_any_more() -> None:
    held, over = (
        problems(HostSigns(("/run is full",), no_reach=("no 192.0.2.1",), unreached_for_s=age_s))
        for age_s in (599, 600)
    )
    assert [(one.check, one.tolerated) for one in held] == [("Disk", False), ("Reach", False)]
    assert [(one.check, one.tolerated) for one in over] == [("Disk", False), ("Reach", True)]
    ready = StandbyReport(ready=True)
    assert held_back(ready, over[1:]) is ready
    assert held_back(ready, over).why == "/run is full" and held_back(ready, held).why == "/run is full; no 192.0.2.1"


FULL = (HostProblem(check="Disk", why="/run is full"),)


def test_a_host_with_problems_is_ready_for_nothing_and_says_why_first() -> None:
    ready, masked = StandbyReport(ready=True), StandbyReport(ready=False, why="unit is masked")
    assert held_back(ready, ()) is ready
    assert held_back(ready, FULL) == StandbyReport(ready=False, why="/run is full")
    assert held_back(masked, FULL).why == "/run is full; unit is masked"


def test_what_runs_there_is_said_in_its_own_words() -> None:
    active = StandbyReport(ready=True, active=True, why="web.service is active")
    assert held_back(active, FULL) == StandbyReport(ready=False, active=True, why="web.service is active")


def test_what_one_look_finds_is_nothing_yet() -> None:
    lasting = Lasting()
    looks: list[dict[str, str]] = [{"a": "1"}, {"a": "2", "b": "1"}, {"b": "2"}, {}, {"b": "3"}]
    assert [lasting.of(look) for look in looks] == [(), ("2",), ("2",), (), ()]
