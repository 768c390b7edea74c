"""Work that a unit has done elsewhere, by however many names: a table over command lines."""

import shlex

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
