"""Programs as processes: input on stdin only, our own deadline, the whole group killed. And some that wait, ready to be told.

A fence agent spends most of its time on its own imports before it reads stdin. One that was started on suspicion, and is told what to
do only when the time has come, answers in half the time; until it is told it does nothing.
"""

from __future__ import annotations

import asyncio
import os
import signal
from asyncio.subprocess import PIPE, STDOUT, Process
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

OUTPUT_LIMIT: Final = 64 * 1024


@dataclass(frozen=True)
class AgentRun:
    """How one run of a program ended."""

    exit_code: int | None
    """None: our own deadline ended it."""
    output: str
    """stdout and stderr, capped."""


async def run_process(argv: list[str], stdin: str, *, timeout_s: float) -> AgentRun:
    """Run a program in a process group of its own, to its end or to our deadline, whichever is first."""
    return await finish(await spawn(argv), stdin, timeout_s=timeout_s)


async def spawn(argv: list[str]) -> Process:
    """Start a program that will read its orders from stdin."""
    return await asyncio.create_subprocess_exec(
        *argv,
        stdin=PIPE,
        stdout=PIPE,
        stderr=STDOUT,
        start_new_session=True,
        env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"},
    )


async def finish(process: Process, stdin: str, *, timeout_s: float) -> AgentRun:
    """Tell it what to do, and wait for its end or for our deadline. The deadline counts from the telling."""
    try:
        async with asyncio.timeout(timeout_s):
            output, _ = await process.communicate(stdin.encode())
    except TimeoutError:
        return AgentRun(None, f"ended by our deadline of {timeout_s:g} s")
    finally:
        await end(process)
    return AgentRun(process.returncode, output[:OUTPUT_LIMIT].decode(errors="replace"))


async def end(process: Process) -> None:
    """Kill it and its children, and reap it: a zombie for each failed read would end in a full process table."""
    _kill_group(process.pid)
    await asyncio.shield(process.wait())


def _kill_group(pid: int) -> None:
    try:
        os.killpg(pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return


class Waiting:
    """Programs kept waiting at their stdin, one for each that somebody expects to need soon."""

    def __init__(self) -> None:
        self._expected: Counter[str] = Counter()
        self._idle: dict[str, Process] = {}
        self._starting: dict[str, asyncio.Task[None]] = {}

    @asynccontextmanager
    async def expecting(self, programs: frozenset[str]) -> AsyncIterator[None]:
        """Within this, a process of each program waits to be told."""
        self._expected.update(programs)
        for program in programs:
            self._refill(program)
        try:
            yield
        finally:
            self._expected.subtract(programs)
            await asyncio.shield(self._dismiss())

    async def take(self, program: str) -> Process:
        """One that waits, if there is one; else a new one. Another is started in its place."""
        process = self._idle.pop(program, None)
        self._refill(program)
        if process is not None and process.returncode is None:
            return process
        return await spawn([program])

    def _refill(self, program: str) -> None:
        if self._expected[program] > 0 and program not in self._idle and program not in self._starting:
            self._starting[program] = asyncio.create_task(self._start(program), name=f"waiting {program}")

    async def _start(self, program: str) -> None:
        try:
            self._idle[program] = await spawn([program])
        except OSError:
            return  # whoever needs it will start it himself, and say why that fails
        finally:
            del self._starting[program]

    async def _dismiss(self) -> None:
        for program in [program for program, count in self._expected.items() if count <= 0]:
            del self._expected[program]
            if task := self._starting.get(program):
                await task
            if process := self._idle.pop(program, None):
                await end(process)
