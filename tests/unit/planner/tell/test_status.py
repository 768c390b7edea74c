"""What people are told, and that it only changes when something has changed."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from backstay_api.objects.models import HAService
from backstay_api.objects.object_kinds import Unreadable
from backstay_operator.planner.know.world import OwnPath, World
from backstay_testing.builders import WALL, a_service, an_instance
from backstay_testing.statuses import a_running_world, condition, fail_start, hold, order_down, told_of
from backstay_testing.worlds import Befall, a_world, add_host, make_ours, report, say_ready, silence

Change = Callable[[World, HAService], object]


def both(*changes: Change) -> Change:
    """One after the other."""

    def change(world: World, service: HAService) -> None:
        for each in changes:
            each(world, service)

    return change


def test_a_service_that_is_well_says_where_it_runs_and_who_stands_by() -> None:
    world, service = a_running_world()
    told = told_of(world, service)
    assert (told.host, told.state, told.since) == ("n1", "Running", world.wall)
    assert [(one.type, one.status) for one in told.conditions] == [
        ("Accepted", "True"),
        ("Ready", "True"),
        ("Progressing", "False"),
        ("Degraded", "False"),
        ("StandbyReady", "True"),
        ("SurvivesHostLoss", "True"),
    ]
    assert [(one.host, one.ready, one.why) for one in told.standbys] == [
        ("n2", True, ""),
        ("n3", False, "is not ready: unit web.service is masked"),
    ]


def test_hosts_that_nobody_asked_are_not_told_of_unless_they_cannot_be_asked() -> None:
    world, service = a_running_world()
    for name in ("n4", "n5"):
        say_ready(world, service, "n2")
        add_host(world, name)
        say_ready(world, service, name)
    add_host(world, "n6")
    add_host(world, "n7", mode="Cordon")
    add_host(world, "n8", silent_s=9.0)
    told = told_of(world, service).standbys
    assert [one.host for one in told] == ["n2", "n4", "n5", "n3", "n7", "n8"]


def two_may_run(world: World, service: HAService) -> None:
    instance = world.instances[f"{service.key}-0"]
    world.put_instance(instance.model_copy(update={"spec": instance.spec.model_copy(update={"exclusive": False})}))


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        pytest.param(
            lambda w, s: silence(w, "n1", 4.2),
            (
                "Recovering",
                "n1 has been silent for 4 s; n1 is silent: it is not proven to be off yet; its power is being read,"
                " or make sure that it is powered off and say so: `backstay fence n1 --confirm`",
            ),
            id="what is missing is said where people look",
        ),
        pytest.param(
            both(two_may_run, lambda w, s: silence(w, "n1", 4.2)),
            ("Recovering", "n1 has been silent for 4 s; moves to n2"),
            id="it will move",
        ),
        pytest.param(
            fail_start,
            ("Recovering", "Could not be kept running on n1: exit code 1; moves to n2"),
            id="a failed start moves on",
        ),
        pytest.param(
            both(fail_start, lambda w, s: say_ready(w, s, "n2", ready=False, why="no such unit")),
            (
                "Failed",
                "Could not be kept running on n1: exit code 1; 0/3 hosts can run it: 2 are not ready,"
                " 1 failed to start it less than 1 s ago (tried again 15 s after the last failure): exit code 1",
            ),
            id="a failed start with nowhere to go",
        ),
        pytest.param(
            lambda w, s: hold(w, s, "n1", epoch=2, phase="Starting"), ("Starting", "Starting on n1"), id="starting"
        ),
        pytest.param(
            lambda w, s: order_down(w, s, "n1", epoch=2, why="n1 is being drained"),
            ("Stopping", "Being stopped on n1: n1 is being drained"),
            id="a planned move says why",
        ),
        pytest.param(
            lambda w, s: hold(w, s, "n1", epoch=2, healthy=False, why="probe alive: connection refused"),
            (
                "NotWorking",
                "Runs on n1, but does not work: probe alive: connection refused (previous epoch ended: it was stopped)",
            ),
            id="running is not working",
        ),
        pytest.param(
            lambda w, s: hold(w, s, "n1", epoch=2, phase="Stuck", why="processes survive SIGKILL"),
            (
                "Failed",
                "n1 cannot prove that it is down: processes survive SIGKILL; n1 could not prove that it has stopped"
                " (processes survive SIGKILL); stop it there by hand, or power the host off and say so:"
                " `backstay fence n1 --confirm`",
            ),
            id="stuck",
        ),
    ],
)
def test_what_is_not_well_is_said_in_ready(change: Change, expected: tuple[str, str]) -> None:
    world, service = a_running_world()
    change(world, service)
    told = told_of(world, service)
    assert condition(told, "Ready") == ("False", *expected)


@pytest.mark.parametrize(("unstoppable", "reason"), [(False, "Failed"), (True, "Unstoppable")])
def test_what_no_stop_ends_is_degraded_for_a_reason_of_its_own(unstoppable: bool, reason: str) -> None:
    world, service = a_running_world()
    hold(world, service, "n1", epoch=2, phase="Stuck", why="812 is in D state", unstoppable=unstoppable)
    assert condition(told_of(world, service), "Degraded")[:2] == ("True", reason)


def test_what_works_partly_is_ready_and_degraded() -> None:
    world, service = a_running_world()
    hold(world, service, "n1", epoch=2, degraded="db: d:raid monitor exited with 190 (degraded): one disk is gone")
    told = told_of(world, service)
    why = (
        "Runs on n1, degraded: db: d:raid monitor exited with 190 (degraded): one disk is gone"
        " (previous epoch ended: it was stopped)"
    )
    assert condition(told, "Degraded") == ("True", "WorksPartly", why)
    assert condition(told, "Ready") == ("True", "Running", why) and told.instances[0].why == why


@pytest.mark.parametrize("degraded", ["", "db: one disk is gone"])
def test_what_may_only_be_slow_is_ready_and_suspected(degraded: str) -> None:
    world, service = a_running_world()
    slow = "db: probe p: answers slowly: its last 5 answers took 0.8-1.9 s of 2 s, and then none came; the host's cpu pressure is 63 %"
    hold(world, service, "n1", epoch=2, suspect=slow, degraded=degraded)
    told = told_of(world, service)
    partly = f", degraded: {degraded}" if degraded else ""
    why = f"Runs on n1{partly}, suspected: {slow} (previous epoch ended: it was stopped)"
    assert condition(told, "Degraded") == ("True", "Suspect", why)
    assert condition(told, "Ready") == ("True", "Suspect", why) and told.instances[0].why == why


STOP_IT = (
    "A second copy beside n1's: n2 runs web.service already, not started by Backstay: systemctl stop web.service there"
)


@pytest.mark.parametrize(
    ("change", "degraded"),
    [
        pytest.param(
            lambda w, s: say_ready(w, s, "n2", active=True, running=["web"], since=WALL),
            ("SecondCopy", f"{STOP_IT} (seen since {WALL})"),
            id="beside one that is well",
        ),
        pytest.param(
            both(
                lambda w, s: say_ready(w, s, "n2", active=True, running=["web"]),
                lambda w, s: hold(w, s, "n1", epoch=2, healthy=False, why="the port is in use"),
            ),
            ("SecondCopy", STOP_IT),
            id="before what it may be the reason of; and an agent that does not say since when",
        ),
        pytest.param(
            both(two_may_run, lambda w, s: say_ready(w, s, "n2", active=True, running=["web"])),
            ("AsWanted", "No problem was found"),
            id="of what may run twice nobody need know",
        ),
        pytest.param(
            lambda w, s: say_ready(w, s, "n2", active=True, unclear=True, why="its check hangs"),
            ("AsWanted", "No problem was found"),
            id="what nobody can say is no copy",
        ),
    ],
)
def test_a_second_copy_is_named_with_its_host_and_its_remedy(change: Change, degraded: tuple[str, str]) -> None:
    world, service = a_running_world()
    change(world, service)
    told = told_of(world, service)
    assert condition(told, "Degraded")[1:] == degraded
    assert told.host == "n1" and told.state == "Running"


def test_a_refused_service_says_so_in_ready_too() -> None:
    world = a_world("n1")
    service = a_service(mode="Promotable")
    world.put_service(service)
    told = told_of(world, service)
    assert condition(told, "Accepted")[:2] == ("False", "NothingPromoted")
    assert condition(told, "Ready")[:2] == ("False", "NothingPromoted")
    assert told.state == "Waiting"


def test_what_runs_goes_on_when_an_edit_is_refused_and_that_is_said() -> None:
    world, service = a_running_world(mode="Promotable")
    told = told_of(world, service)
    assert condition(told, "Ready")[0] == "True"
    assert condition(told, "Degraded")[:2] == ("True", "ManifestRefused")


def test_what_keeps_a_running_service_from_moving_is_said() -> None:
    world, service = a_running_world()
    add_host(world, "n1", mode="Drain")
    hold(world, service, "n1", epoch=2)
    say_ready(world, service, "n2", ready=False)
    told = told_of(world, service)
    assert condition(told, "Ready")[0] == "True"
    assert condition(told, "Degraded") == (
        "True",
        "HeldBack",
        "n1 is being drained (new disks), but it stays: 0/3 hosts can run it: 2 are not ready, 1 is the host that it leaves",
    )


def test_after_an_outage_of_our_own_nobody_is_told_that_a_host_is_late() -> None:
    """One outage of the API server warned about every running service."""
    world, service = a_running_world()
    world.own_path = OwnPath(recovered_s=world.now_s - 6.5, lived_before=frozenset({"n1", "n2", "n3"}))
    for host in ("n1", "n2", "n3"):
        silence(world, host)
    told = told_of(world, service)
    assert condition(told, "Ready")[0] == "True" and condition(told, "Degraded")[0] == "False"


def test_without_a_device_the_loss_of_the_host_is_not_survived_and_why() -> None:
    world, service = a_running_world()
    add_host(world, "n1")
    hold(world, service, "n1", epoch=2)
    assert condition(told_of(world, service), "SurvivesHostLoss") == (
        "False",
        "FencingNotReady",
        "n1 could not be fenced (it has no fencing device, so only a person or its own return can prove that it is off:"
        " add spec.fencing.levels):"
        " if it fell silent, a person would have to confirm that it is off",
    )


def test_an_epoch_that_this_very_plan_closes_is_told_as_over() -> None:
    world, service = a_running_world()
    del world.hosts["n2"]
    report(world, service, "n1", "Stopped", epoch=2, released=True)
    only = told_of(world, service).instances[0]
    assert (only.state, only.host) == ("Waiting", "n1") and "0/2 hosts can run it" in only.why


def test_what_need_not_be_exclusive_needs_no_device() -> None:
    world, service = a_running_world(exclusive=False)
    add_host(world, "n1")
    hold(world, service, "n1", epoch=2)
    assert condition(told_of(world, service), "SurvivesHostLoss")[0] == "True"


def test_a_service_that_shall_not_run_says_so() -> None:
    world = a_world("n1")
    service = a_service(state="Stopped")
    world.put_service(service)
    world.put_instance(an_instance(service, epoch=3))
    told = told_of(world, service)
    assert (told.state, told.host, told.last_failover) == ("Stopped", "", None)


def of_an_earlier_service(world: World) -> None:
    service = a_service()
    metadata = service.metadata.model_copy(update={"uid": "earlier"})
    world.put_instance(an_instance(service.model_copy(update={"metadata": metadata})))


@pytest.mark.parametrize(
    ("befall", "why"),
    [
        pytest.param(
            lambda w: w.unreadable.update(
                {("HAInstance", "shop/web-0"): Unreadable("HAInstance", "shop/web-0", "spec is a list")}
            ),
            "its HAInstance shop/web-0 cannot be read, so nobody knows where it runs: spec is a list",
            id="its instance cannot be read",
        ),
        pytest.param(
            of_an_earlier_service,
            "the HAInstance shop/web-0 of an earlier service of this name is being deleted first",
            id="an earlier service's instance has its name",
        ),
    ],
)
def test_a_service_that_can_have_no_instance_says_why_and_no_host_is_blamed(befall: Befall, why: str) -> None:
    world, service = a_world("n1", "n2"), a_service()
    world.put_service(service)
    befall(world)
    make_ours(world)
    told = told_of(world, service)
    assert (told.state, told.conditions[1].message) == ("Waiting", why)
