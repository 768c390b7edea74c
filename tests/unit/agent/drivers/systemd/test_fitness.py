"""Work that a unit has done elsewhere, by however many names: a table over command lines."""

import shlex
from typing import Any

import pytest

from backstay_agent.drivers.systemd.fitness import not_fit, scripts_of


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("/usr/bin/podman --remote=true run -d db", "has its work done by podman --remote"),
        ("/usr/bin/podman -r run db", "has its work done by podman --remote"),
        ("/usr/bin/podman --url unix:///x run db", "has its work done by podman --remote"),
        ("/usr/bin/docker service scale web=3", "has its work done by docker"),
        ("/usr/bin/docker unpause web", "has its work done by docker"),
        ("/usr/sbin/xl create vm.cfg", "has its work done by xl"),
        ("/bin/sh -c pg_ctlcluster 15 main start", "name the unit that x.service starts by pg_ctlcluster"),
        ("/usr/bin/pg_ctlcluster --skip-systemctl-redirect 15-main start", "fit"),
        ("/bin/sh -c /etc/init.d/db start; true", "name the unit that x.service starts by /etc/init.d/db"),
        ("/etc/init.d/db start", "fit"),
        ("/bin/sh /etc/init.d/db start", "fit"),
        ("/usr/bin/podman run --name web alpine sh -c top", "fit"),
        ("/usr/bin/podman run db postgres -c max_connections=200", "fit"),
        ("/usr/bin/podman run image -rf x", "fit"),
        ("/usr/bin/podman --remote=false run db", "fit"),
    ],
)
def test_who_has_its_work_done_elsewhere_is_told_by_whom(line: str, sentence: str) -> None:
    argv = line.split()
    known = {"x.service": {"LoadState": "loaded", "Type": "simple", "ExecStart": [(argv[0], argv)]}}
    assert sentence in (not_fit("x.service", known, (), asked=False) or "fit")


@pytest.mark.parametrize(
    ("script", "is_fit"),
    [("/etc/init.d/db start", False), ("pg_ctlcluster 15 main start", False), ("logger /etc/init.d/db", True)],
)
def test_a_script_that_has_a_unit_started_is_no_service_by_itself(script: str, is_fit: bool) -> None:
    known = {
        "x.service": {
            "LoadState": "loaded",
            "Type": "oneshot",
            "RemainAfterExit": True,
            "ExecStart": [("/opt/start", ["/opt/start"])],
            "ExecStop": [("/opt/stop", ["/opt/stop"])],
        }
    }
    said = not_fit("x.service", known, (), asked=True, scripts=[f"#!/bin/sh\n{script}\n"])
    assert (said is None) is is_fit


@pytest.mark.parametrize(
    ("line", "files"),
    [
        ("/opt/start -v", {"/opt/start": False}),
        ("/bin/bash -x /opt/start /etc/db.conf", {"/bin/bash": False, "/opt/start": True}),
        ("/usr/bin/env sh /opt/start", {"/opt/start": True, "/usr/bin/env": False}),
        ("/usr/bin/flock /run/db /opt/start", {"/opt/start": False, "/run/db": False, "/usr/bin/flock": False}),
        ("/bin/sh -c 'stat /srv/data &'", {"/bin/sh": False}),
        ("/bin/sh -c '. /opt/set; exec /opt/start'", {"/bin/sh": False, "/opt/set": True, "/opt/start": False}),
    ],
)
@pytest.mark.parametrize("kind", ["ExecStart", "ExecStartPre", "ExecStartPost"])
def test_a_script_is_looked_into_whoever_is_told_to_run_it(kind: str, line: str, files: dict[str, bool]) -> None:
    """What it has started by another daemon would run on when the unit is stopped, and beside the next host's."""
    argv = shlex.split(line)
    assert scripts_of({kind: [(argv[0], argv)]}) == files


ONESHOT: dict[str, Any] = {
    "LoadState": "loaded",
    "Type": "oneshot",
    "RemainAfterExit": True,
    "ExecStart": [("/usr/sbin/exportfs", ["exportfs", "-a"])],
}
STOP = [("/usr/sbin/exportfs", ["exportfs", "-ua"])]
SERVER: dict[str, Any] = {"LoadState": "loaded", "Type": "simple", "ExecStart": [("/opt/srv", ["/opt/srv"])]}


def test_what_a_oneshot_starts_and_others_want_as_well_would_run_wherever_the_service_is() -> None:
    unit = ONESHOT | {"ExecStop": STOP, "Wants": ["nfsd.service"]}
    shared = SERVER | {"WantedBy": ["x.service", "multi-user.target"]}
    why = not_fit("x.service", {"x.service": unit, "nfsd.service": shared}, ("nfsd.service",), asked=True)
    assert why and "pulls in nfsd.service, which other units want as well" in why
    own = SERVER | {"WantedBy": ["x.service"]}
    assert not_fit("x.service", {"x.service": unit, "nfsd.service": own}, ("nfsd.service",), asked=True) is None
    needs = unit | {"After": ["nfsd.service"]}
    assert not_fit("x.service", {"x.service": needs, "nfsd.service": shared}, ("nfsd.service",), asked=True) is None


@pytest.mark.parametrize("how", ["ExecStop", "ExecStopPost"])
def test_a_oneshot_says_in_either_way_how_it_is_undone(how: str) -> None:
    assert not_fit("x.service", {"x.service": ONESHOT | {how: STOP}}, (), asked=True) is None
    assert "has no ExecStop=" in (not_fit("x.service", {"x.service": ONESHOT}, (), asked=True) or "fit")


@pytest.mark.parametrize("kind", ["Requires", "BindsTo", "Wants", "Upholds"])
def test_who_conflicts_with_what_it_pulls_in_would_stop_it_or_be_stopped(kind: str) -> None:
    unit = SERVER | {"Conflicts": ["other.service"], kind: ["other.service"]}
    down = {"LoadState": "loaded", "ActiveState": "inactive"}
    why = not_fit("x.service", {"x.service": unit, "other.service": down}, (), asked=True)
    assert why == "x.service conflicts with other.service and pulls it in: one of them would stop the other"
    apart = SERVER | {"Conflicts": ["other.service"], kind: ["third.service"]}
    known = {"x.service": apart, "other.service": down, "third.service": {**down, "ActiveState": "active"}}
    assert not_fit("x.service", known, (), asked=True) is None


PULLING = SERVER | {"Wants": ["part.service"]}
PART = SERVER | {"WantedBy": ["x.service"]}
ACTIVE: dict[str, Any] = {"LoadState": "loaded", "ActiveState": "active"}


def said_of_the_part(**settings: Any) -> str:
    known = {"x.service": PULLING, "part.service": PART | settings, "hosts.service": ACTIVE}
    return not_fit("x.service", known, ("part.service",), asked=False) or "fit"


def test_a_start_stops_who_conflicts_with_it_whichever_of_the_two_says_so() -> None:
    """firewalld.service has Conflicts=nftables.service: a start of the second stops the first, and its own file says nothing of it."""
    known = {"x.service": SERVER | {"ConflictedBy": ["hosts.service"]}, "hosts.service": ACTIVE}
    why = "hosts.service, which is active here, has Conflicts=x.service: starting one would stop the other"
    assert not_fit("x.service", known, (), asked=False) == why
    known["hosts.service"] = ACTIVE | {"ActiveState": "inactive"}
    assert not_fit("x.service", known, (), asked=False) is None


@pytest.mark.parametrize("kind", ["Conflicts", "ConflictedBy"])
def test_a_part_that_is_started_stops_others_of_the_host_as_the_unit_itself_would(kind: str) -> None:
    assert "starting one would stop the other (part.service is a part of x.service)" in said_of_the_part(
        **{kind: ["hosts.service"]}
    )
    assert said_of_the_part(**{kind: ["x.service"]}) == "fit"  # all of it starts and stops together


def test_a_part_whose_end_is_the_hosts_is_as_bad_as_a_unit_whose_end_is() -> None:
    assert "part.service has FailureAction=reboot-force" in said_of_the_part(FailureAction="reboot-force")


@pytest.mark.parametrize(
    ("handler", "mode"), [("OnFailure", "isolate"), ("OnSuccess", "isolate"), ("OnFailure", "flush")]
)
def test_a_handler_that_stops_the_rest_of_the_host_is_as_bad(handler: str, mode: str) -> None:
    """With `OnFailureJobMode=isolate` a failure stops everything that the handler does not need, this agent included."""
    settings: dict[str, Any] = {handler: ["mail.service"], f"{handler}JobMode": mode}
    why = f"x.service has {handler}JobMode={mode}: everything else on the host would be stopped with it"
    assert not_fit("x.service", {"x.service": SERVER | settings}, (), asked=False) == why
    assert "JobMode" in said_of_the_part(**settings)
    harmless = {handler: ["mail.service"], f"{handler}JobMode": "replace"}
    assert not_fit("x.service", {"x.service": SERVER | harmless}, (), asked=False) is None
    assert not_fit("x.service", {"x.service": SERVER | {f"{handler}JobMode": mode}}, (), asked=False) is None


def test_a_part_that_nobody_may_stop_would_make_each_stop_stuck() -> None:
    assert "part.service, a part of x.service, has RefuseManualStop=yes" in said_of_the_part(RefuseManualStop=True)
    assert said_of_the_part(RefuseManualStop=True, PartOf=["x.service"]) == "fit"
