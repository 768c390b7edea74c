"""What is told of control groups that vanish while somebody looks."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import AsyncGenerator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from backstay_agent.drivers.tools import cgroups


@pytest.mark.parametrize("mounted", [True, False])
def test_a_host_without_control_groups_can_verify_no_stop(mounted: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cgroups, "root", lambda: Path("/sys/fs/cgroup") if mounted else None)
    told = "this host has no unified control groups (cgroup v2), so a stop could not be verified"
    assert cgroups.obstacle() == (None if mounted else told)


def test_processes_below_a_group_are_named(tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "cgroup.procs").write_text(f"{os.getpid()}\n")
    (found,) = cgroups.processes(tmp_path)
    assert found.startswith(f"{os.getpid()} (")


# CLONE_VFORK without CLONE_VM: the parent waits in the kernel until its child ends, and neither spoils the other's memory.
HANGS = (
    "import ctypes, signal; libc = ctypes.CDLL(None); libc.syscall(libc_clone, 0x4000 | 17, 0, 0, 0, 0); signal.pause()"
)


def test_what_hangs_in_the_kernel_is_named_with_what_it_waits_in(tmp_path: Path) -> None:
    number = {"x86_64": 56, "aarch64": 220}.get(os.uname().machine)
    if number is None:
        pytest.skip("the number of clone is not known for this machine")
    program = HANGS.replace("libc_clone", str(number))
    process = subprocess.Popen([sys.executable, "-S", "-E", "-c", program], start_new_session=True)
    try:
        (tmp_path / "cgroup.procs").write_text(f"{process.pid}\n{os.getpid()}\n")
        deadline = time.monotonic() + 20
        while not (hanging := cgroups.hanging(tmp_path)) and time.monotonic() < deadline:
            os.sched_yield()
        (found,) = hanging
        assert found.startswith(f"{process.pid} (python") and ", in " in found
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def test_groups_that_are_removed_while_they_are_looked_at_are_empty(tmp_path: Path) -> None:
    group, ended = tmp_path / "group", threading.Event()

    def come_and_go() -> None:
        while not ended.is_set():
            (group / "below").mkdir(parents=True)
            (group / "below").rmdir()
            group.rmdir()

    with ThreadPoolExecutor(1) as others:
        others.submit(come_and_go)
        try:
            assert {tuple(cgroups.processes(group)) for _ in range(2000)} == {()}
        finally:
            ended.set()


@pytest.mark.parametrize(("said", "lives"), [("populated 1\nfrozen 0\n", True), ("populated 0\nfrozen 0\n", False)])
def test_a_group_lives_while_the_kernel_says_so(said: str, lives: bool, tmp_path: Path) -> None:
    (tmp_path / "cgroup.events").write_text(said)
    assert cgroups.populated(tmp_path) is lives


def test_a_group_that_is_gone_is_empty_and_one_that_cannot_be_read_is_not_known_to_be(tmp_path: Path) -> None:
    assert cgroups.populated(tmp_path / "gone") is False
    (tmp_path / "cgroup.events").mkdir()
    with pytest.raises(OSError):
        cgroups.populated(tmp_path)


def test_a_group_is_waited_for_until_nothing_lives_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[bool] = []

    async def life(group: Path) -> AsyncGenerator[bool, None]:
        for alive in (True, True, False, True):
            told.append(alive)
            yield alive

    monkeypatch.setattr(cgroups, "life", life)
    asyncio.run(cgroups.until_empty(Path("/group")))
    assert told == [True, True, False]


@pytest.mark.parametrize(
    ("slice_name", "group"),
    [
        ("system.slice", "/system.slice/web.service"),
        ("system-db.slice", "/system.slice/system-db.slice/web.service"),
        ("-.slice", "/web.service"),
        ("", "/web.service"),
    ],
)
def test_where_systemd_puts_a_unit(slice_name: str, group: str) -> None:
    assert cgroups.expected_group(slice_name, "web.service") == group
