"""Why nobody could take over, in a word and a sentence: what the hosts that stand by have of what the service needs."""

from __future__ import annotations

import pytest

from backstay_api.objects.kinds import Raw
from backstay_testing.builders import a_service, unit
from backstay_testing.statuses import told_of
from backstay_testing.worlds import a_world, report, running, say_ready, say_seen

FILE: Raw = {"file": {"path": "/etc/web.conf"}}
PACKAGE: Raw = {"package": {"name": "nginx"}}
SETTING: Raw = {"setting": {"sysctl": "vm.nr_hugepages", "value": "64"}}
CERTIFICATE: Raw = {"certificate": {"path": "/etc/ssl/web.pem"}}
TREE: Raw = {"path": {"path": "/etc/nginx"}}
A: Raw = {"facts": {"content": "a"}}
B: Raw = {"facts": {"content": "b"}}
GONE: Raw = {"why": "it is not there"}
OTHERWISE: Raw = {"why": "it is 0, and the manifest says 64", "facts": {"value": "0"}}


def reasons(need: Raw, n2: Raw | None, n3: Raw | None) -> tuple[str, list[str]]:
    """That of the condition and those of n2 and n3, where n1 runs it with A."""
    service = a_service("web", {"name": "need", **need}, unit())
    world = a_world("n1", "n2", "n3")
    running(world, service)
    for host, seen in {"n1": A, "n2": n2, "n3": n3}.items():
        if seen is not None:
            say_seen(world, service, host, {"name": "need", **seen})
    status = told_of(world, service)
    (found,) = (one for one in status.conditions if one.type == "StandbyReady")
    return found.reason, [one.reason for one in status.standbys]


@pytest.mark.parametrize(
    ("need", "n2", "n3", "reason"),
    [
        pytest.param(FILE, B, B, "ConfigDrift", id="a file is another"),
        pytest.param(TREE, B, B, "ConfigDrift", id="a folder"),
        pytest.param(CERTIFICATE, B, B, "ConfigDrift", id="a certificate"),
        pytest.param(PACKAGE, B, B, "PackageDrift", id="a package has another version"),
        pytest.param(SETTING, B, B, "SettingDrift", id="a setting"),
        pytest.param(SETTING, OTHERWISE, OTHERWISE, "SettingDrift", id="it is not as declared"),
        pytest.param(FILE, GONE, GONE, "Missing", id="it is not there"),
        pytest.param(FILE, None, None, "NotVerified", id="nobody has looked"),
        pytest.param(FILE, GONE, B, "ConfigDrift", id="one lacks it, one has another"),
        pytest.param(FILE, None, GONE, "Missing", id="one has not looked, one lacks it"),
        pytest.param(FILE, A, B, "Ready", id="one could take over"),
    ],
)
def test_the_reason_is_what_a_person_must_mend(need: Raw, n2: Raw | None, n3: Raw | None, reason: str) -> None:
    assert reasons(need, n2, n3)[0] == reason


def test_each_host_has_a_reason_of_its_own() -> None:
    assert reasons(FILE, GONE, B)[1] == ["Missing", "ConfigDrift"]
    assert reasons(FILE, A, B)[1] == ["", "ConfigDrift"]


def test_what_has_to_do_with_no_prerequisite_is_not_ready() -> None:
    service = a_service("web", unit())
    world = a_world("n1", "n2")
    running(world, service)
    say_ready(world, service, "n2", ready=False, why="unit web.service is masked")
    status = told_of(world, service)
    assert [one.reason for one in status.conditions if one.type == "StandbyReady"] == ["NotReady"]
    assert [one.reason for one in status.standbys] == ["NotReady"]


EYE: Raw = {"name": "eye", "from": "Standby", "tcpSocket": {"port": 80, "host": "192.0.2.10"}}
REFUSED: Raw = {"noAnswer": "web: probe eye: connection refused", "noAnswerEpoch": 2}


@pytest.mark.parametrize(
    ("n1", "n2", "n3", "said"),
    [
        pytest.param(
            {}, REFUSED, REFUSED, "n2: web: probe eye: connection refused, n3: web: probe", id="nobody reaches it"
        ),
        pytest.param({}, REFUSED, {}, "connection refused; n3 does not say so", id="one of two does not"),
        pytest.param({}, {}, {}, "", id="all do"),
        pytest.param({}, REFUSED | {"noAnswerEpoch": 1}, {}, "", id="of an epoch that is over"),
        pytest.param(
            {}, REFUSED | {"ready": False, "why": "masked"}, {}, "", id="who could not take over says nothing"
        ),
        pytest.param(
            {"healthy": False, "why": "probe own fails"}, REFUSED, {}, "", id="it does not work where it runs"
        ),
        pytest.param({"phase": "Starting"}, REFUSED, {}, "", id="it is only starting"),
    ],
)
def test_whom_others_do_not_reach_is_degraded_and_ready(n1: Raw, n2: Raw, n3: Raw, said: str) -> None:
    service, world = a_service("web", unit(probes=[EYE])), a_world("n1", "n2", "n3")
    running(world, service)
    by_n1 = {"phase": "Running", "epoch": 2, **n1}
    report(world, service, "n1", by_n1.pop("phase"), **by_n1)
    for host, says in {"n2": n2, "n3": n3}.items():
        say_ready(world, service, host, **says)
    conditions = {one.type: one for one in told_of(world, service).conditions}
    degraded = conditions["Degraded"]
    assert (degraded.reason == "NotReachable") == bool(said) and said in degraded.message
    if said:
        assert degraded.status == "True" and conditions["Ready"].status == "True"
        assert degraded.message.startswith("It works on n1, and ") and " no good answer; n2: " in degraded.message
