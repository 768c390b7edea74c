"""Who is a main process of the database, and who only looked like one for a moment."""

import subprocess
from pathlib import Path

import pytest

from backstay_dev.show import postmasters
from backstay_dev.show.postmasters import Watch

DATA = "/var/lib/postgresql/15/main"
NAMED_SO = ["/usr/lib/postgresql/15/bin/postgres", "-c", "echo runs; read line", DATA]
GONE = 2**22 + 1
"""No pid is as high."""


def told(hosts: Path) -> list[list[str]]:
    return [line.split()[:4] for line in Watch(hosts, DATA).look(1.0)]


@pytest.fixture
def hosts(tmp_path: Path) -> Path:
    (tmp_path / "n1").mkdir()
    return tmp_path


def test_a_process_of_that_name_and_folder_is_a_postmaster(hosts: Path) -> None:
    with subprocess.Popen(NAMED_SO, executable="/bin/sh", stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout and process.stdout.readline()  # before that its command line may be empty yet
        (hosts / "n1" / "cgroup.procs").write_text(f"{process.pid}\n")
        found = told(hosts)
        process.communicate(b"\n")
    assert found == [["database", "1", "n1", "0"], ["postmaster", "n1", "n1", str(process.pid)]]


def test_what_has_ended_since_its_name_was_read_is_none(hosts: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (hosts / "n1" / "cgroup.procs").write_text(f"{GONE}\n")
    monkeypatch.setattr(postmasters, "_command", lambda pid: NAMED_SO)
    assert told(hosts) == [["database", "1", "n1", "0"]]
