"""The record of failovers: each step once, at the time when it was seen, with its reason; bounded, and nothing of what proves harmless."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import pytest

from backstay_api.objects.durations import shifted
from backstay_api.objects.models import HAInstance, HAService
from backstay_api.objects.models.failovers import FailoverRecord
from backstay_api.objects.models.instance import Closed
from backstay_operator.planner.do.decisions import decide
from backstay_operator.planner.do.rounds import begin
from backstay_operator.planner.know.world import World
from backstay_operator.planner.tell.failovers import MOST_RECORDS, failovers_told
from backstay_testing.builders import WALL, a_request, an_instance, session
from backstay_testing.statuses import a_running_world, fail_start, hold, order_down, told_of
from backstay_testing.worlds import NOW_S, Befall, all_of, say_ready, seal, shut_down, silence


@dataclass
class Told:
    """A world in which one round follows the other, each with the status that the one before has written."""

    world: World
    service: HAService
    lost: set[str] = field(default_factory=set)
    """Hosts that renew no more; all others have just renewed."""

    def after(self, seconds: float, *befalls: Befall) -> list[FailoverRecord]:
        self.world.now_s += seconds
        self.world.instant = shifted(WALL, self.world.now_s - NOW_S)
        for host in self.world.hosts.keys() - self.lost:
            silence(self.world, host, 0.0)
        for befall in befalls:
            befall(self.world)
        told = told_of(self.world, self.service)
        self.service = self.service.model_copy(update={"status": told})
        self.world.put_service(self.service)
        return told.failovers

    def lose(self, *hosts: str) -> Told:
        self.lost.update(hosts)
        return self


@pytest.fixture
def told() -> Told:
    told = Told(*a_running_world())
    assert told.after(0.0) == []
    return told


def steps(record: FailoverRecord) -> list[tuple[str, str]]:
    return [(one.phase, one.at[17:]) for one in record.steps]


def prove(world: World) -> None:
    """A device says that n1 is off."""
    evidence = {"kind": "Device", "level": "bmc", "why": "bmc was read off twice"}
    request = a_request("n1", want="Off", name="n1-x", status={"power": "Off", "evidence": evidence})
    world.put_request(request.model_copy(update={"spec": request.spec.model_copy(update={"session": session("n1")})}))


def grant(told: Told, host: str, epoch: int, evidence: str = "Device", why: str = "n1 is off") -> Befall:
    closed = Closed.model_validate({"epoch": epoch - 1, "evidence": evidence, "why": why})

    def befall(world: World) -> None:
        put(world, an_instance(told.service, epoch=epoch, host=host), closed)

    return befall


def put(world: World, instance: HAInstance, closed: Closed) -> None:
    world.put_instance(instance.model_copy(update={"spec": instance.spec.model_copy(update={"closed": closed})}))


def says(told: Told, phase: str, epoch: int, host: str = "n2", **more: object) -> Befall:
    return lambda world: hold(world, told.service, host, epoch=epoch, phase=phase, **more)


def test_the_whole_timeline_of_a_lost_host(told: Told) -> None:
    late = told.lose("n1").after(4.0)
    assert [(one.from_, one.to, one.epoch, one.cause) for one in late] == [("n1", "", 2, "HostLost")]
    assert steps(late[0]) == [("Fault", "00.000Z"), ("Suspected", "00.750Z")]
    told.after(0.1, lambda w: seal(w, "n1", ago_s=0.1))
    proven = told.after(1.0, prove)[0]
    assert (proven.evidence, proven.to) == ("Device", "")
    assert [(one.host, one.verdict, one.rule) for one in proven.verdicts] == [
        ("n2", "Chosen", ""),
        ("n1", "No", "Session"),
        ("n3", "No", "Ready"),
    ]
    told.after(0.2, grant(told, "n2", 3))
    told.after(0.5, says(told, "Running", 3, healthy=False))
    (over,) = told.after(0.25, says(told, "Running", 3))
    assert steps(over) == [
        ("Fault", "00.000Z"),
        ("Suspected", "00.750Z"),
        ("Sealed", "04.000Z"),
        ("Proven", "05.100Z"),
        ("Granted", "05.300Z"),
        ("Started", "05.800Z"),
        ("Answered", "06.050Z"),
    ]
    assert (over.to, over.is_over, over.reason) == ("n2", True, over.steps[4].why)
    assert over.steps[3].why == "n1 is off: bmc was read off twice"
    assert told.after(9.0) == [over], "what is over stays as it is"


@pytest.mark.parametrize(
    ("befall", "first"),
    [
        pytest.param(
            lambda told: lambda w: fail_start(w, told.service), ("Failed", "Fault", "exit code 1"), id="it failed"
        ),
        pytest.param(
            lambda told: lambda w: order_down(w, told.service, "n1", epoch=2, why="n1 is being drained"),
            ("Asked", "Asked", "n1 is being drained"),
            id="it is moved",
        ),
        pytest.param(
            lambda told: all_of(lambda w: shut_down(w, "n1"), says(told, "Stopping", 2, "n1")),
            ("Shutdown", "Fault", "n1 is shutting down: reboot"),
            id="its host reboots in order",
        ),
        pytest.param(
            lambda told: grant(told, "n2", 3),
            ("HostLost", "Fault", "n1 is off"),
            id="no operator saw it: the proof tells",
        ),
    ],
)
def test_why_it_begins(told: Told, befall: Callable[[Told], Befall], first: tuple[str, str, str]) -> None:
    (record,) = told.after(1.0, befall(told))
    assert (record.cause, record.steps[0].phase, record.steps[0].why) == first


def stopped(told: Told) -> Befall:
    def befall(world: World) -> None:
        told.service = told.service.model_copy(
            update={"spec": told.service.spec.model_copy(update={"state": "Stopped"})}
        )
        world.put_service(told.service)

    return befall


def test_a_false_alarm_leaves_no_record_and_lateness_alone_begins_none(told: Told) -> None:
    assert told.lose("n1").after(1.0) == [], "late: nothing is written for that"
    assert len(told.after(2.0)) == 1
    told.lost.clear()
    assert told.after(1.0) == []


def test_what_is_stopped_by_its_owner_meanwhile_goes_no_further(told: Told) -> None:
    told.lose("n1").after(4.0)
    (record,) = told.after(1.0, stopped(told))
    assert record.steps[-1].phase == "GivenUp"
    assert told.after(1.0) == [record]


def test_what_is_lost_again_before_it_answers_has_two_records(told: Told) -> None:
    told.lose("n1").after(4.0)
    told.after(1.0, grant(told, "n2", 3))
    told.lose("n2").after(4.0)
    newest, older = told.after(1.0, grant(told, "n3", 4, why="n2 is off"))
    assert (older.epoch, older.to, older.steps[-1].phase) == (2, "n2", "GivenUp")
    assert (newest.epoch, newest.from_, newest.to) == (3, "n2", "n3")


def test_no_more_than_ten_are_kept_and_the_oldest_go(told: Told) -> None:
    for number in range(MOST_RECORDS + 3):
        host, epoch = ("n2", "n1")[number % 2], 3 + number
        say_ready(told.world, told.service, host)
        told.after(5.0, grant(told, host, epoch))
        records = told.after(1.0, says(told, "Running", epoch, host))
    assert [one.epoch for one in records] == list(range(14, 4, -1))
    assert {one.steps[-1].phase for one in records} == {"Answered"}


@pytest.mark.parametrize("lost", [(), ("n1",)])
def test_nothing_changes_while_nothing_happens(told: Told, lost: tuple[str, ...]) -> None:
    """Another status would be another write, in every round."""
    first = told.lose(*lost).after(30.0)
    assert (len(first), told.after(7.0), told.after(60.0)) == (len(lost), first, first)


def test_more_than_ten_at_once_are_not_written_in_turn(told: Told) -> None:
    """Those that go on keep their places, or each round would put others in."""
    told.lose("n1").after(30.0)
    decision = decide(begin(told.world), told.service)
    slots = tuple(replace(decision.slots[0], name=f"web-{number}") for number in range(1, MOST_RECORDS + 3))
    first = failovers_told(told.world, replace(decision, slots=slots))
    assert len(first) == MOST_RECORDS
    status = told.service.status.model_copy(update={"failovers": first})
    service = told.service.model_copy(update={"status": status})
    assert failovers_told(told.world, replace(decision, service=service, slots=slots)) == first
