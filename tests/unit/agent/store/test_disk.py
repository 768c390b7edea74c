"""A write to the platter goes on in its thread when its caller is gone: it undoes no later one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from backstay_agent.store import disk as disks
from backstay_agent.store.disk import RealDisk


def test_a_write_that_comes_late_does_not_undo_the_one_after_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[Callable[[], Any]] = []

    async def later(do: Callable[..., Any], *arguments: Any) -> None:
        begun.append(lambda: do(*arguments))

    monkeypatch.setattr(disks, "in_thread", later)

    async def story() -> tuple[str | None, str | None]:
        disk = RealDisk(run_dir=tmp_path / "run", state_dir=tmp_path / "state")
        await disk.write("state/inventory", "first")
        await disk.write("state/inventory", "second")
        await disk.write("state/other", "its own")
        for write in reversed(begun):
            write()
        return await disk.read("state/inventory"), await disk.read("state/other")

    assert asyncio.run(story()) == ("second", "its own")
