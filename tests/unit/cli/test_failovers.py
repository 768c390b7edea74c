"""`explain --last`, `explain --at` and `status SERVICE`: why a service has moved, when what happened, and how long it took."""

from __future__ import annotations

import json
from typing import Any

import pytest

from backstay_api.objects.kinds import Raw
from backstay_api.objects.models import HAInstance, HAService
from backstay_cli.failovers import time_of
from backstay_cli.session import NO_SUCH_THING
from backstay_testing.cli_scene import NOW, Cluster, a_cluster, kind_of


def a_record(hour: int, to: str = "n2", **more: object) -> Raw:
    steps = [
        {"phase": phase, "at": f"2026-03-01T{hour:02}:10:{after}Z", "why": why}
        for phase, after, why in (
            ("Fault", "00.000", "n1 has been silent for 1 s"),
            ("Suspected", "00.750", "n1 is late with its heartbeat"),
            ("Sealed", "01.500", "no renewal of n1 can succeed any more"),
            ("Proven", "03.000", "n1 is off: bmc was read off twice"),
            ("Granted", "03.100", "nothing speaks against it"),
            ("Started", "03.600", "all of it is up on n2"),
            ("Answered", "03.750", "it runs, and no probe fails"),
        )
    ]
    verdicts = [
        {"host": "n2", "verdict": "Chosen", "why": "nothing speaks against it"},
        {"host": "n3", "verdict": "No", "rule": "Maintenance", "why": "is cordoned (new disks)"},
    ]
    record = {"slot": "web-0", "epoch": hour, "from": "n1", "to": to, "cause": "HostLost", "evidence": "Device"}
    return {**record, "steps": steps, "verdicts": verdicts, **more}


@pytest.fixture
def cluster() -> Cluster:
    cluster = a_cluster()
    told = {"status": {"failovers": [a_record(9), a_record(3, "n3")]}}
    cluster.store.patch(kind_of(HAService), ("shop", "web"), told, subresource="status")
    return cluster


def test_the_last_failover_is_a_timeline_with_durations_and_what_was_said_of_each_host(cluster: Cluster) -> None:
    lines = [" ".join(line.split()) for line in cluster.run("explain", "web", "--last").stdout.splitlines()]
    assert lines == [
        "shop/web: from n1 to n2: HostLost",
        "",
        "STEP AT TOOK IN ALL WHY",
        "Fault 2026-03-01T09:10:00.000Z 0.000s 0.000s n1 has been silent for 1 s",
        "Suspected 2026-03-01T09:10:00.750Z 0.750s 0.750s n1 is late with its heartbeat",
        "Sealed 2026-03-01T09:10:01.500Z 0.750s 1.500s no renewal of n1 can succeed any more",
        "Proven 2026-03-01T09:10:03.000Z 1.500s 3.000s Device: n1 is off: bmc was read off twice",
        "Granted 2026-03-01T09:10:03.100Z 0.100s 3.100s nothing speaks against it",
        "Started 2026-03-01T09:10:03.600Z 0.500s 3.600s all of it is up on n2",
        "Answered 2026-03-01T09:10:03.750Z 0.150s 3.750s it runs, and no probe fails",
        "",
        "HOST VERDICT RULE WHY",
        "n2 Chosen - nothing speaks against it",
        "n3 No Maintenance is cordoned (new disks)",
    ]


@pytest.mark.parametrize(
    ("words", "to"),
    [
        pytest.param(("--at", "2026-03-01T08:00:00Z"), "n3", id="the last one by then"),
        pytest.param(("--at", "2026-03-01T09:00:00+01:00"), "n3", id="in another zone"),
        pytest.param(("--at", "03:15"), "n3", id="by the clock"),
        pytest.param(("--at", "11:00"), "n2", id="long after it"),
        pytest.param(("--last",), "n2", id="the last of all"),
    ],
)
def test_which_failover_is_told_of(cluster: Cluster, words: tuple[str, ...], to: str) -> None:
    told = json.loads(cluster.run("explain", "web", *words, "-o", "json").stdout)
    assert (told["to"], told["took"]) == (to, "3.750s")


@pytest.mark.parametrize(
    ("at", "code", "said"),
    [
        ("2026-03-01T01:00:00Z", NO_SUCH_THING, "the oldest record begins at 2026-03-01T03:10:00.000Z"),
        ("last night", 2, "is no time: write for example"),
    ],
)
def test_of_what_nothing_is_recorded_it_says_so(cluster: Cluster, at: str, code: int, said: str) -> None:
    answer = cluster.run("explain", "web", "--at", at)
    assert answer.exit_code == code and said in " ".join(answer.stderr.replace("│", " ").split())


def test_a_service_that_never_moved_has_no_last_failover() -> None:
    answer = a_cluster().run("explain", "web", "--last")
    assert answer.exit_code == NO_SUCH_THING
    assert "nothing is recorded of a failover of shop/web" in answer.stderr


def granted(hour: int, epoch: int, host: str) -> dict[str, Any]:
    verdicts = [
        {"hosts": [host], "verdict": "Chosen", "why": "the best"},
        {"hosts": ["n2", "n3"], "more": 4, "verdict": "No", "rule": "Capacity", "why": "has 0 cpu"},
    ]
    return {"epoch": epoch, "host": host, "at": f"2026-03-01T{hour:02}:10:03Z", "why": "the best", "verdicts": verdicts}


def keep(cluster: Cluster, *grants: dict[str, Any]) -> Cluster:
    cluster.store.patch(kind_of(HAInstance), ("shop", "web-0"), {"spec": {"grants": list(grants)}})
    return cluster


def test_a_first_start_is_explained_afterwards_as_well() -> None:
    cluster = keep(a_cluster(), granted(2, 1, "n1"))
    lines = [" ".join(line.split()) for line in cluster.run("explain", "web", "--last").stdout.splitlines()]
    assert lines == [
        "shop/web (web-0): granted to n1 at 2026-03-01T02:10:03Z, epoch 1: the best",
        "",
        "HOST VERDICT RULE WHY",
        "n1 Chosen - the best",
        "n2, n3, 4 more No Capacity has 0 cpu",
    ]
    told = json.loads(cluster.run("explain", "web", "--at", "03:00", "-o", "json").stdout)
    assert (told["slot"], told["grant"]["epoch"]) == ("web-0", 1)
    early = cluster.run("explain", "web", "--at", "02:00")
    assert early.exit_code == NO_SUCH_THING and "the oldest record begins at 2026-03-01T02:10:03Z" in early.stderr


def test_what_came_last_is_told_a_grant_or_a_failover(cluster: Cluster) -> None:
    keep(cluster, granted(11, 11, "n3"), granted(9, 10, "n2"), granted(2, 1, "n1"))
    by: dict[str, Any] = {
        at: json.loads(cluster.run("explain", "web", "--at", at, "-o", "json").stdout)
        for at in ("2026-03-01T02:30:00Z", "2026-03-01T04:00:00Z", "2026-03-01T10:00:00Z", "2026-03-01T11:30:00Z")
    }
    assert [(one.get("to"), one.get("grant", {}).get("epoch")) for one in by.values()] == [
        (None, 1),
        ("n3", None),
        ("n2", 10),
        (None, 11),
    ]
    lines = [" ".join(line.split()) for line in cluster.run("explain", "web", "--at", "10:00").stdout.splitlines()]
    assert lines[-1] == "n2, n3, 4 more No Capacity has 0 cpu", "what the grant keeps is more than eight hosts"


def test_status_of_one_service_lists_its_failovers_and_no_host(cluster: Cluster) -> None:
    lines = [" ".join(line.split()) for line in cluster.run("status", "web").stdout.splitlines()]
    heads = "FAILOVER FROM TO CAUSE EVIDENCE TOOK WHY"
    assert lines[lines.index(heads) + 1 :] == [
        f"2026-03-01T0{hour}:10:00.000Z n1 {to} HostLost Device 3.750s n1 has been silent for 1 s"
        for hour, to in ((9, "n2"), (3, "n3"))
    ]
    assert not any(line.startswith("HOST") for line in lines)
    assert cluster.run("status", "nothing").exit_code == NO_SUCH_THING


def test_a_clock_time_that_is_still_to_come_was_yesterday() -> None:
    assert time_of("23:59:30", NOW) == "2026-02-28T23:59:30Z"
