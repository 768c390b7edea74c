"""Packages: the same bytes twice, nothing in them that should not be, and what is in them runs."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Final

import pytest
import yaml

from backstay_dev.package import agent, cli
from backstay_dev.package.bill import bill
from backstay_dev.package.build import package
from backstay_dev.package.chart import chart
from backstay_dev.package.rpm import PROGRAM, rpm
from backstay_dev.package.versions import Release

pytestmark = pytest.mark.api

RELEASE: Final = Release("0.1.0-dev.7.gabc1234567", 1_700_000_000)


def sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def test_the_agents_package_is_the_same_twice(tmp_path: Path) -> None:
    made = []
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        made.append(package("backstay-agent", RELEASE, tmp_path / folder)[0][0])
    assert sha256(made[0]) == sha256(made[1])
    assert made[0].name == "backstay-agent_0.1.0~dev.7.gabc1234567_all.deb"
    said = subprocess.run(["dpkg-deb", "-f", made[0], "Depends"], capture_output=True, text=True, check=True).stdout
    assert said.strip() == "python3 (>= 3.11), systemd (>= 249), dbus"
    owners = subprocess.run(["dpkg-deb", "-c", made[0]], capture_output=True, text=True, check=True).stdout
    assert {line.split()[1] for line in owners.splitlines()} == {"root/root"}


@pytest.mark.skipif(shutil.which(PROGRAM) is None, reason="no rpmbuild here: apt-get install rpm")
def test_the_rpm_is_the_same_twice_and_as_the_debian_package(tmp_path: Path) -> None:
    made = []
    for folder in ("a", "b"):
        (tmp_path / folder / "root").mkdir(parents=True)
        agent.fill(tmp_path / folder / "root", RELEASE)
        made.append(rpm(tmp_path / folder / "root", agent.DESCRIPTION, RELEASE, tmp_path / folder / "out"))
    assert sha256(made[0]) == sha256(made[1])
    assert made[0].name == "backstay-agent-0.1.0~dev.7.gabc1234567-1.noarch.rpm"

    def said(*words: str) -> str:
        return subprocess.run(["rpm", "-qp", *words, made[0]], capture_output=True, text=True, check=True).stdout

    listed = {
        line for line in said("-l").splitlines() if not line.startswith("/usr/lib/backstay-agent/payload/backstay_")
    }
    assert {"/usr/sbin/backstay-agent", "/usr/lib/systemd/system/backstay-agent.service"} <= listed
    assert not {"/usr", "/usr/lib", "/usr/sbin", "/usr/lib/systemd"} & listed, "folders of the system are not ours"
    needs = [line for line in said("--requires").splitlines() if not line.startswith(("rpmlib", "/bin/sh"))]
    assert sorted(needs) == ["dbus", "python3 >= 3.11", "systemd >= 249"]
    scripts = said("--qf", "%{POSTIN}\n%{PREUN}\n%{POSTUN}\n").splitlines()
    assert scripts == list(agent.DESCRIPTION.rpm_scripts.values())


@pytest.mark.parametrize("number", ["0", "1"])
def test_an_upgrade_of_the_rpm_stops_and_takes_away_nothing(number: str) -> None:
    """$1: how many versions are left. The programs are a fake that says what it was asked for."""
    for script, does in (("preun", "payload/release leave"), ("postun", "rm -rf")):
        text = agent.DESCRIPTION.rpm_scripts[script].replace(
            "/usr/lib/backstay-agent/payload/release", "echo payload/release"
        )
        text = text.replace("rm -rf", "echo rm -rf")
        done = subprocess.run(["sh", "-ec", text, "sh", number], capture_output=True, text=True, check=True)
        assert (does in done.stdout) == (number == "0")


def test_the_chart_is_the_same_twice_and_of_this_version(tmp_path: Path) -> None:
    made = []
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        made.append(chart(RELEASE, tmp_path / folder))
    assert sha256(made[0]) == sha256(made[1])
    with tarfile.open(made[0]) as archive:
        names = archive.getnames()
        head = archive.extractfile("backstay/Chart.yaml")
        assert head is not None
        said = yaml.safe_load(head.read())
    assert (said["version"], said["appVersion"]) == (RELEASE.version, RELEASE.version)
    assert "backstay/files/rbac.yaml" in names and not [name for name in names if "/ci/" in name]


def test_the_agent_in_the_package_runs_by_itself(tmp_path: Path) -> None:
    carried = agent.fill(tmp_path, RELEASE)
    payload = tmp_path / agent.LIB / "payload"
    assert sorted(path.name for path in payload.iterdir()) == [
        *("aarch64", "backstay-agent", "backstay_agent", "backstay_api", "release", "x86_64")
    ]
    assert not list(payload.rglob("models")) and {wheel.name for wheel in carried} == {"sdbus"}
    # -S: no site-packages, so nothing but the standard library and what is carried.
    run = [sys.executable, "-ISB", str(payload / "backstay-agent")]
    assert subprocess.run([*run, "--version"], capture_output=True, text=True).stdout.strip() == RELEASE.version
    tested = subprocess.run([*run, "--self-test", "--config", str(tmp_path / "none")], capture_output=True, text=True)
    assert tested.returncode == 0, tested.stderr
    (payload / "backstay_agent" / "drivers" / "command.py").unlink()
    broken = subprocess.run([*run, "--self-test", "--config", str(tmp_path / "none")], capture_output=True, text=True)
    assert broken.returncode != 0, "a package that lacks a file is found out"


def test_the_cli_in_the_package_runs_by_itself(tmp_path: Path) -> None:
    carried = cli.fill(tmp_path, RELEASE)
    # Debian's yaml stands for itself here: it is what this Python has.
    run = [sys.executable, "-IB", str(tmp_path / "usr/bin/backstay"), "version", "--client", "-o", "json"]
    done = subprocess.run(run, capture_output=True, text=True)
    assert json.loads(done.stdout or "{}") == {"client": RELEASE.version, "agents": {}}, done.stderr
    lib = tmp_path / cli.LIB
    where = "import pydantic, typer, rich, pydantic_core; print(*(m.__file__ for m in (pydantic, typer, rich)))"
    found = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(lib)!r}); {where}"], capture_output=True, text=True
    )
    assert found.stdout.count(str(lib)) == 3, found.stderr
    assert not [
        path for path in lib.rglob("backstay_*") if path.name in ("backstay_dev", "backstay_agent", "backstay_fencer")
    ]
    assert {path.name for path in lib.glob("*-3.*")} == {
        f"{machine}-{python}" for machine in ("x86_64", "aarch64") for python in cli.PYTHONS
    }
    for shell in ("bash", "zsh", "fish"):
        assert "_BACKSTAY_COMPLETE" in (tmp_path / cli._COMPLETIONS[shell]).read_text()
    names = {component["name"] for component in json.loads(bill(RELEASE, {"backstay-cli": carried}))["components"]}
    assert {"backstay-cli", "pydantic", "pydantic-core", "typer", "rich"} <= names
