"""What is told of control groups that vanish while somebody looks."""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from backstay_agent.drivers.tools import cgroups


def test_processes_below_a_group_are_named(tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "cgroup.procs").write_text(f"{os.getpid()}\n")
    (found,) = cgroups.processes(tmp_path)
    assert found.startswith(f"{os.getpid()} (")


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
