"""Where services go, and why: judges as a table, placement as sentences."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import pytest

from backstay_api.objects.kinds import Raw
from backstay_api.objects.models import HAService
from backstay_operator.planner.judge import placement
from backstay_operator.planner.judge.placement import NoHost, Placed
from backstay_operator.planner.know.world import Failed, World
from backstay_testing.builders import a_service, session
from backstay_testing.worlds import NOW_S, Befall, a_world, add_host, hold, nothing, put, report, say_ready, seal

AN_HOUR_AGO: Final = "0 12 * * *"
TOMORROW: Final = "2026-03-02T11:00:00Z"


def why_not(
    world: World, service: HAService, host: str, *, to: str | None = None, away_from: tuple[str, ...] = ()
) -> str:
    answer = placement.place(world, service, world.instances.get(f"{service.key}-0"), to=to, away_from=away_from)
    rejected = {verdict.host: verdict.rejected for verdict in answer.verdicts}[host]
    return f"{rejected.rule}: {rejected.why}" if rejected else ""


@pytest.mark.parametrize(
    ("change", "spec", "expected"),
    [
        pytest.param(nothing, {}, "", id="a live host that is ready may run it"),
        pytest.param(
            lambda w: None,
            {"placement": {"hosts": {"matchLabels": {"pool": "db"}}}},
            "Selector: is not selected: has no label pool, not db",
            id="a host without the label is not selected",
        ),
        pytest.param(
            lambda w: add_host(w, "n1", mode="Cordon"), {}, "Maintenance: is cordoned (new disks)", id="cordon"
        ),
        pytest.param(
            lambda w: add_host(w, "n1", mode="Drain"), {}, "Maintenance: is being drained (new disks)", id="drain"
        ),
        pytest.param(
            lambda w: add_host(w, "n1", mode="HandsOff"),
            {},
            "Maintenance: is in HandsOff maintenance (new disks)",
            id="hands",
        ),
        pytest.param(lambda w: add_host(w, "n1", silent_s=1.0), {}, "Late: is late with its heartbeat", id="late"),
        pytest.param(lambda w: add_host(w, "n1", silent_s=4.2), {}, "Session: has been silent for 4 s", id="silent"),
        pytest.param(
            lambda w: seal(w, "n1"), {}, "Session: is sealed: it was silent and has not come back yet", id="sealed"
        ),
        pytest.param(
            lambda w: w.leases.clear(), {}, "Session: has never reported: is its agent running?", id="no lease"
        ),
        pytest.param(
            lambda w: hold(w, "n1", session("n1", nonce="other")),
            {},
            "Session: has not opened a session yet",
            id="another session holds the lease",
        ),
        pytest.param(
            lambda w: say_ready(w, a_service(), "n1", ready=False, why="unit web.service is masked"),
            {},
            "Ready: is not ready: unit web.service is masked",
            id="a host that is not ready says why",
        ),
        pytest.param(
            lambda w: say_ready(w, a_service(), "n1", active=True, why="web.service is active"),
            {},
            "Ready: runs some of it already, not started by Backstay, stop it there: web.service is active",
            id="what somebody else has started there comes first",
        ),
        pytest.param(
            lambda w: say_ready(w, a_service(), "n1", active=True, unclear=True, why="db: check exited with 3"),
            {},
            "Ready: cannot say whether it runs there: db: check exited with 3",
            id="what cannot be told is not told as something that runs",
        ),
        pytest.param(
            lambda w: say_ready(w, a_service(generation=0), "n1"),
            {},
            "Ready: has not said yet whether it is ready",
            id="readiness for an older manifest is none",
        ),
        pytest.param(
            lambda w: report(w, a_service(), "n1", "Failed", epoch=1, why="exit code 1"),
            {},
            "StartFailed: failed to start it less than 1 s ago: exit code 1",
            id="where it has just failed it is not started again",
        ),
    ],
)
def test_each_judge_says_why(change: Befall, spec: Raw, expected: str) -> None:
    world = a_world("n1", "n2")
    service = a_service(**spec)
    put(world, service, epoch=1)
    say_ready(world, service, "n1", "n2")
    change(world)
    assert why_not(world, service, "n1") == expected


def test_reasons_fold_into_one_line() -> None:
    world = a_world()
    for name in ("n1", "n2"):
        add_host(world, name, mode="Cordon")
    add_host(world, "n3", silent_s=4.0)
    service = a_service()
    answer = placement.place(world, service, put(world, service, epoch=1))
    assert isinstance(answer, NoHost)
    assert answer.why == "0/3 hosts can run it: 2 are cordoned, 1 has been silent for 4 s"


def test_what_all_hosts_lack_alike_stands_in_the_one_line_too() -> None:
    world = a_world("n1", "n2")
    service = a_service()
    instance = put(world, service, epoch=1)
    say_ready(world, service, "n1", "n2", ready=False, why="web: unit web.service is not installed")
    answer = placement.place(world, service, instance)
    assert isinstance(answer, NoHost)
    assert answer.why == "0/2 hosts can run it: 2 are not ready: web: unit web.service is not installed"


def test_what_runs_on_all_hosts_alike_is_said_once_and_whole() -> None:
    world = a_world("n1", "n2")
    service = a_service()
    instance = put(world, service, epoch=1)
    words = "web: web.service is active and was not started by Backstay: systemctl stop web.service"
    say_ready(world, service, "n1", "n2", active=True, why=words)
    answer = placement.place(world, service, instance)
    assert isinstance(answer, NoHost)
    assert (
        answer.why == f"0/2 hosts can run it: 2 run some of it already, not started by Backstay, stop it there: {words}"
    )


def test_where_its_moves_are_used_up_it_says_when_the_first_is_forgotten() -> None:
    world = a_world("n1", "n2")
    moved = {"slot": "web-0", "epoch": 2, "from": "n2", "to": "n1", "at": "2026-01-01T00:00:00Z"}
    failure = {"slot": "web-0", "host": "n1", "epoch": 3, "at": "2026-01-01T00:00:00Z", "why": "exit code 1"}
    status = {"observedGeneration": 1, "moves": [moved], "startFailures": [failure]}
    service = a_service(status=status, recovery={"moves": {"limit": 1, "per": "5m"}})
    instance = put(world, service, epoch=3)
    world.failed_s[service.uid, Failed("web-0", "", 2)] = NOW_S - 100
    say_ready(world, service, "n2")
    answer = placement.place(world, service, instance)
    assert isinstance(answer, NoHost) and answer.look_again_s == NOW_S + 200


def test_a_failed_start_counts_until_it_is_forgotten_and_says_when() -> None:
    world = a_world("n1")
    failure = {"slot": "web-0", "host": "n1", "epoch": 3, "at": "2026-01-01T00:00:00Z", "why": "exit code 1"}
    service = a_service(status={"observedGeneration": 1, "startFailures": [failure]})
    instance = put(world, service, epoch=3)
    say_ready(world, service, "n1")
    answer = placement.place(world, service, instance)
    assert isinstance(answer, NoHost) and answer.look_again_s == NOW_S + 600
    world.leases["n1"] = replace(world.leases["n1"], first_seen_s=answer.look_again_s)
    world.now_s = answer.look_again_s
    assert isinstance(placement.place(world, service, instance), Placed)


def test_an_edited_manifest_is_given_a_new_chance() -> None:
    world = a_world("n1")
    failure = {"slot": "web-0", "host": "n1", "epoch": 3, "at": "2026-01-01T00:00:00Z", "why": "exit code 1"}
    service = a_service(generation=2, status={"observedGeneration": 1, "startFailures": [failure]})
    instance = put(world, service, epoch=3)
    say_ready(world, service, "n1")
    assert isinstance(placement.place(world, service, instance), Placed)


def test_a_person_may_insist_on_a_host_where_a_start_failed() -> None:
    world = a_world("n1", "n2")
    service = a_service()
    instance = put(world, service, epoch=1, host="n2")
    report(world, service, "n1", "Failed", epoch=1)
    say_ready(world, service, "n1")
    assert isinstance(placement.place(world, service, instance, to="n1"), Placed)


def test_a_preferred_host_wins_and_the_reason_says_so() -> None:
    world = a_world("n1", "n2")
    add_host(world, "n3", labels={"rack": "a"})
    service = a_service(placement={"prefer": [{"hosts": {"matchLabels": {"rack": "a"}}, "weight": 50}]})
    instance = put(world, service, epoch=1)
    say_ready(world, service, "n1", "n2", "n3")
    answer = placement.place(world, service, instance)
    assert isinstance(answer, Placed)
    assert (answer.host, answer.why) == ("n3", "preferred by +50; n1, n2 could run it too")


def test_services_that_start_together_do_not_all_choose_one_host() -> None:
    world = a_world("n1", "n2", "n3")
    planned: dict[str, set[str]] = {}
    for name in ("a", "b", "c"):
        service = a_service(name)
        instance = put(world, service, epoch=0)
        say_ready(world, service, "n1", "n2", "n3")
        chosen = placement.place(world, service, instance, planned=planned)
        assert isinstance(chosen, Placed)
        planned.setdefault(chosen.host, set()).add(instance.key)
    assert {host: len(keys) for host, keys in planned.items()} == {"n1": 1, "n2": 1, "n3": 1}


def test_before_the_first_epoch_every_live_candidate_is_asked_even_a_cordoned_one() -> None:
    world = a_world("n1", "n2", "n3", "n4", "n5")
    add_host(world, "n6", mode="Cordon")
    add_host(world, "n7", silent_s=9.0)
    service = a_service()
    assert sorted(placement.standbys(world, service, put(world, service))) == ["n1", "n2", "n3", "n4", "n5", "n6"]


def test_later_three_standbys_are_kept_and_the_holder_is_none_of_them() -> None:
    world = a_world("n1", "n2", "n3", "n4", "n5")
    service = a_service()
    instance = put(world, service, epoch=1, host="n1")
    assert placement.standbys(world, service, instance) == ("n2", "n3", "n4")


def test_hosts_that_say_no_are_asked_on_and_others_get_their_chance() -> None:
    world = a_world("n1", "n2", "n3", "n4", "n5")
    service = a_service()
    instance = put(world, service, epoch=1, host="n1")
    say_ready(world, service, "n2", "n3", ready=False, why="no such unit")
    assert placement.standbys(world, service, instance) == ("n4", "n5", "n2", "n3")


def test_where_a_start_has_failed_another_host_stands_by() -> None:
    world = a_world("n1", "n2", "n3", "n4", "n5")
    world.settings = replace(world.settings, standbys=1)
    service = a_service()
    instance = put(world, service, epoch=2, host="n1")
    assert placement.standbys(world, service, instance) == ("n2",)
    report(world, service, "n2", "Failed", epoch=2)
    assert placement.standbys(world, service, instance) == ("n3",)


def test_a_standby_stays_one_though_another_host_has_less_to_do() -> None:
    world = a_world("n1", "n2", "n3")
    world.settings = replace(world.settings, standbys=1)
    service = a_service()
    instance = put(world, service, epoch=1, host="n1")
    say_ready(world, service, "n2")
    put(world, a_service("other"), epoch=1, host="n2")
    assert placement.standbys(world, service, instance) == ("n2",)


def test_what_is_known_of_a_host_ages_with_the_world() -> None:
    world = a_world("n1")
    service = a_service()
    instance = put(world, service, epoch=1)
    say_ready(world, service, "n1")
    assert isinstance(placement.place(world, service, instance), Placed)
    world.now_s += 4.0
    assert placement.place(world, service, instance).why == "0/1 hosts can run it: 1 has been silent for 4 s"


def test_a_better_standby_that_has_not_answered_does_not_replace_the_only_ready_one() -> None:
    world = a_world("n1", "n3")
    world.settings = replace(world.settings, standbys=1)
    add_host(world, "n2", labels={"rack": "a"})
    service = a_service(placement={"prefer": [{"hosts": {"matchLabels": {"rack": "a"}}, "weight": 50}]})
    instance = put(world, service, epoch=1, host="n1")
    say_ready(world, service, "n3")
    assert placement.standbys(world, service, instance) == ("n2", "n3")
    say_ready(world, service, "n2")
    assert placement.standbys(world, service, instance) == ("n2",)


@pytest.mark.parametrize(
    ("befall", "expected"),
    [
        pytest.param(nothing, ("n1",), id="the best is ready: one is enough"),
        pytest.param(
            lambda w: say_ready(w, a_service(generation=1), "n1"), ("n1", "n2"), id="the best has answered for an older manifest"
        ),
        pytest.param(
            lambda w: say_ready(w, a_service(generation=2), "n1", active=True), ("n2", "n1"), id="something runs on the best"
        ),
        pytest.param(
            lambda w: say_ready(w, a_service(generation=2), "n1", ready=False), ("n2", "n1"), id="the best has said no, and is asked on"
        ),
    ],
)  # fmt: skip
def test_a_standby_is_ready_if_it_has_said_so_of_the_present_manifest_and_nothing_runs_there(
    befall: Befall, expected: tuple[str, ...]
) -> None:
    world, service = a_world("n1", "n2"), a_service(generation=2)
    world.settings = replace(world.settings, standbys=1)
    instance = put(world, service, epoch=1)
    say_ready(world, service, "n1", "n2")
    befall(world)
    assert placement.standbys(world, service, instance) == expected


@pytest.mark.parametrize(
    ("weight", "failback", "expected"),
    [
        pytest.param(101, "Always", "n2", id="beyond the stickiness it moves back"),
        pytest.param(100, "Always", None, id="at the stickiness it stays"),
        pytest.param(1000, "Never", None, id="failback Never: it stays whatever the weight"),
    ],
)
def test_failback(weight: int, failback: str, expected: str | None) -> None:
    world = a_world("n1")
    add_host(world, "n2", labels={"rack": "a"})
    prefer = [{"hosts": {"matchLabels": {"rack": "a"}}, "weight": weight}]
    service = a_service(placement={"prefer": prefer, "failback": failback})
    instance = put(world, service, epoch=1, host="n1")
    say_ready(world, service, "n2")
    better = placement.better_host(world, service, instance)
    assert (better.host if isinstance(better, Placed) else None) == expected


@pytest.mark.parametrize(
    ("schedule", "duration", "says"),
    [
        pytest.param("* * * * *", "1m", "n2", id="it is open"),
        pytest.param(AN_HOUR_AGO, "61m", "n2", id="it is still open"),
        pytest.param(
            AN_HOUR_AGO, "60m", f"; it moves there in placement.window, which opens at {TOMORROW}", id="it has closed"
        ),
    ],
)
def test_it_moves_back_in_its_window_and_says_when_that_opens(schedule: str, duration: str, says: str) -> None:
    world = a_world("n1")
    add_host(world, "n2", labels={"rack": "a"})
    prefer = [{"hosts": {"matchLabels": {"rack": "a"}}, "weight": 500}]
    window = {"schedule": schedule, "timeZone": "Etc/GMT-1", "duration": duration}
    service = a_service(placement={"prefer": prefer, "failback": "Window", "window": window})
    instance = put(world, service, epoch=1, host="n1")
    say_ready(world, service, "n2")
    better = placement.better_host(world, service, instance)
    assert better is not None and (better.host if isinstance(better, Placed) else better.why).endswith(says)
    assert isinstance(better, Placed) or better.look_again_s == world.now_s + 23 * 3600


@pytest.mark.parametrize(
    ("mode", "labels", "expected"),
    [
        pytest.param("", {"pool": "db"}, None, id="nothing the matter: it stays"),
        pytest.param("Cordon", {"pool": "db"}, None, id="a cordon keeps what is there"),
        pytest.param("HandsOff", {"pool": "db"}, None, id="hands off: it stays"),
        pytest.param("Drain", {"pool": "db"}, "Maintenance", id="a drain moves it away"),
        pytest.param("", {}, "Selector", id="a host that is no longer selected is left"),
    ],
)
def test_when_a_service_must_leave_its_holder(mode: str, labels: dict[str, str], expected: str | None) -> None:
    world = a_world()
    add_host(world, "n1", mode=mode, labels=labels)
    service = a_service(placement={"hosts": {"matchLabels": {"pool": "db"}}})
    rejected = placement.must_leave(world, service, put(world, service, epoch=1, host="n1"))
    assert (rejected.rule if rejected else None) == expected


@pytest.mark.parametrize("reason", ["new disks", "ticket 7: new disks"])
def test_what_a_person_gives_as_a_reason_is_not_taken_for_what_hosts_have_in_common(reason: str) -> None:
    world, service = a_world(), a_service()
    for name in ("n1", "n2"):
        add_host(world, name, mode="Cordon", reason=reason)
    answer = placement.place(world, service, put(world, service, epoch=1))
    assert answer.why == "0/2 hosts can run it: 2 are cordoned"
