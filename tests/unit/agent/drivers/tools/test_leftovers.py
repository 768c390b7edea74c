"""What the stop of a unit has left in its control group (KillMode=process) is asked to end before it is killed."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest

from backstay_agent.drivers.tools import cgroups, verified_stop
from backstay_dev.simulator.virtualtime import in_virtual_time


class Group:
    """One control group, with a process in it that ends by the signals named."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *ends_by: str) -> None:
        self.signals: list[str] = []
        self._ends_by, self._over = ends_by, asyncio.Event()
        monkeypatch.setattr(cgroups, "populated", lambda _: not self._over.is_set())
        monkeypatch.setattr(cgroups, "processes", lambda _: ["812 (worker)"])
        monkeypatch.setattr(cgroups, "terminate", lambda _: self._sent("SIGTERM"))
        monkeypatch.setattr(cgroups, "kill", lambda _: self._sent("SIGKILL"))
        monkeypatch.setattr(cgroups, "until_empty", lambda _: self._over.wait())

    def _sent(self, name: str) -> None:
        self.signals.append(name)
        if name in self._ends_by:
            self._over.set()


@in_virtual_time
async def test_what_ends_when_it_is_asked_is_not_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    group = Group(monkeypatch, "SIGTERM")
    assert await verified_stop._until_empty([Path("/group")]) == ""
    assert group.signals == ["SIGTERM"]


@in_virtual_time
async def test_what_does_not_is_killed_and_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    group = Group(monkeypatch, "SIGKILL")
    told = await verified_stop._until_empty([Path("/group")])
    assert told == "what its stop had left (812 (worker)) did not end within 5 s of SIGTERM and was killed by SIGKILL"
    assert group.signals == ["SIGTERM", "SIGKILL"]


@in_virtual_time
async def test_where_nothing_is_left_nobody_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    group = Group(monkeypatch)
    group._over.set()
    assert await verified_stop._until_empty([Path("/group")]) == "" and group.signals == []


def test_each_process_below_a_group_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "kill", lambda pid, what: asked.append((pid, what)))
    (tmp_path / "below").mkdir()
    (tmp_path / "cgroup.procs").write_text("11\n")
    (tmp_path / "below" / "cgroup.procs").write_text("12\n13\n")
    cgroups.terminate(tmp_path)
    assert asked == [(pid, signal.SIGTERM) for pid in (11, 12, 13)]
