"""Programs that wait at their stdin: told once, replaced at once, and gone when nobody expects to need them."""

import asyncio
import os
from pathlib import Path

import pytest

from backstay_api.objects.models.host import FenceDevice
from backstay_fencer.agents import REFUSED, RealAgents
from backstay_fencer.processes import AgentRun, Waiting, finish, run_process


def program(folder: Path) -> str:
    path = folder / "agent"
    path.write_text("#!/bin/sh\nread order\necho told $order\nexit 2\n")
    path.chmod(0o755)
    return str(path)


def test_a_waiting_program_is_told_and_another_takes_its_place(tmp_path: Path) -> None:
    async def story() -> None:
        waiting, agent = Waiting(), program(tmp_path)
        async with waiting.expecting(frozenset({agent})):
            first = await waiting.take(agent)
            second = await waiting.take(agent)
            assert first.pid != second.pid
            assert (await finish(first, "one\n", timeout_s=10)).output == "told one\n"
            assert (await finish(second, "two\n", timeout_s=10)).exit_code == 2

    asyncio.run(story())


def test_nothing_is_left_waiting_when_nobody_expects_anything(tmp_path: Path) -> None:
    async def story() -> list[int]:
        waiting, agent = Waiting(), program(tmp_path)
        async with waiting.expecting(frozenset({agent})), waiting.expecting(frozenset({agent})):
            process = await waiting.take(agent)
            await finish(process, "on\n", timeout_s=10)
        children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
        return [int(pid) for pid in children if Path(f"/proc/{pid}/cmdline").read_bytes().find(agent.encode()) >= 0]

    assert asyncio.run(story()) == []


def test_a_program_that_never_ends_is_killed_with_its_children(tmp_path: Path) -> None:
    path = tmp_path / "stubborn"
    path.write_text(f"#!/bin/sh\ntrap '' TERM\nsleep 100 &\necho $! > {tmp_path}/child\nwait\n")
    path.chmod(0o755)

    async def story() -> AgentRun:
        async with asyncio.timeout(20.0):  # a child that lives on keeps the output open, and us waiting
            return await run_process([str(path)], "", timeout_s=2.0)

    run = asyncio.run(story())
    assert run.exit_code is None and "deadline" in run.output
    child = int((tmp_path / "child").read_text())
    state = Path(f"/proc/{child}/stat")
    assert not state.exists() or state.read_text().rpartition(")")[2].split()[0] in "ZX"


def test_an_agent_that_cannot_be_started_is_told_as_its_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else it would end the fencer, and with it every other host's request."""
    monkeypatch.setattr("backstay_fencer.agents.DIRECTORIES", (tmp_path,))
    (tmp_path / "fence_pve").write_text("#!/opt/nowhere/python\n")
    (tmp_path / "fence_pve").chmod(0o755)
    run = asyncio.run(RealAgents().run(FenceDevice(name="bmc", agent="fence_pve"), "status", {}))
    assert run.exit_code == REFUSED
    assert run.output.startswith("fence_pve could not be started where the fencer runs: ")
