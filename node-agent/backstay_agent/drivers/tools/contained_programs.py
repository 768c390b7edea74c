"""Programs that only answer a question: in a control group below our own, without a shell, and nothing of it is left when it is over.

What acts on the host runs in a unit of its own (`transient.py`), which outlives us; what only asks ends with us, and costs no more than
the program itself.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
from asyncio.subprocess import DEVNULL, Process
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from . import cgroups
from .journal_tail import one_line

_MOST_OUTPUT_BYTES: Final = 65536
# Nothing of the agent's own environment (its token's path, for one) is such a program's business.
_ENVIRONMENT: Final[Mapping[str, str]] = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "LANG": "C.UTF-8",
}
# What a program wrote is read to the end, unless something that it left behind keeps the pipe open.
_LAST_OUTPUT_S: Final = 0.1
_REAP_S: Final = 1.0
_OOM_SCORE: Final = Path("/proc/self/oom_score_adj")
_numbers = itertools.count(1)


@dataclass(frozen=True)
class Answer:
    """How a program has ended."""

    code: int | None
    """None: it was killed because its time was over."""
    words: str
    """The last that it wrote, on one line."""
    group: Path | None = None
    """The group that it was in: what still lives there hangs in the kernel and cannot be killed."""
    output: str = ""
    """All that it wrote, or the last of much."""


async def run_program(
    argv: Sequence[str],
    *,
    given: bytes | None = None,
    told: Mapping[str, str] = _ENVIRONMENT,
    limit_s: float | None = None,
) -> Answer:
    """Run it in a group of its own, and leave nothing of it behind. `given`: what it reads; `told`: its environment. Raises OSError."""
    # Two agents may share a group for a moment, as tests do: what the one ends must not be the other's.
    with cgroups.temporary_group(f"asks-{os.getpid()}-{next(_numbers)}") as group, _input(given) as stdin:
        return await _run_in(group, argv, stdin, told, limit_s)


class Questions:
    """Programs that are asked, one at a time about each thing: while one hangs in the kernel, no other about that is begun."""

    def __init__(self, run: Callable[..., Awaitable[Answer]] = run_program) -> None:
        self._run = run
        self._hanging: dict[str, Path] = {}
        """Where what could not be killed was asked, by what it was about."""

    async def ask(
        self, about: str, argv: Sequence[str], *, told: Mapping[str, str] = _ENVIRONMENT, limit_s: float
    ) -> Answer | None:
        """None: it is not asked, for the question before hangs in the kernel and cannot be killed. Raises OSError."""
        if (left := self._hanging.get(about)) and cgroups.populated(left):
            return None
        self._hanging.pop(about, None)
        answer = await self._run(argv, told=told, limit_s=limit_s)
        if answer.code is None and answer.group:
            self._hanging[about] = answer.group
        return answer


async def _run_in(
    group: Path | None, argv: Sequence[str], stdin: int, told: Mapping[str, str], limit_s: float | None
) -> Answer:
    # A pipe of our own: asyncio's would make `wait` wait for whatever the program left behind with the pipe open.
    ours, its = os.pipe2(os.O_CLOEXEC)
    try:
        process = await _spawn(group, argv, stdin, its, told)
    except BaseException:
        os.close(ours)
        raise
    finally:
        os.close(its)
    async with _reading(ours) as stream:
        try:
            output = await _output(process, stream, limit_s)
            code = process.returncode
        finally:
            # It and whatever it started, also if it ended well: a question leaves nothing behind.
            await asyncio.shield(_kill_and_reap(process))
    return Answer(code, one_line(output), group, output.decode(errors="replace"))


@contextmanager
def _input(given: bytes | None) -> Iterator[int]:
    """In memory, and no pipe: nobody has to feed a program that does not read."""
    if given is None:
        yield DEVNULL
        return
    descriptor = os.memfd_create("given", os.MFD_CLOEXEC)
    try:
        os.write(descriptor, given)
        os.lseek(descriptor, 0, os.SEEK_SET)
        yield descriptor
    finally:
        os.close(descriptor)


async def _spawn(group: Path | None, argv: Sequence[str], stdin: int, output: int, told: Mapping[str, str]) -> Process:
    door = os.open(group / "cgroup.procs", os.O_WRONLY | os.O_CLOEXEC) if group else -1
    spawning = asyncio.ensure_future(
        asyncio.create_subprocess_exec(
            *argv, stdin=stdin, stdout=output, stderr=output, start_new_session=True, env=told, cwd="/",
            # It enters by itself, before it is the program: so nothing that it forks can stay outside.
            preexec_fn=partial(_enter, door),
        )
    )  # fmt: skip
    if group:
        spawning.add_done_callback(lambda _: os.close(door))
    try:
        return await asyncio.shield(spawning)
    except asyncio.CancelledError:
        # asyncio itself would kill the program, and not what that has started in the meantime.
        await _kill_and_reap(await spawning)
        raise


def _enter(door: int) -> None:
    """In the child: go into its group. If that is refused it is asked all the same, and killed by its session."""
    with suppress(OSError):
        os.write(door, b"0")
    # We are the last to be killed where memory runs out; it is not.
    with suppress(OSError):
        _OOM_SCORE.write_text("0")


async def _kill_and_reap(process: Process) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    with suppress(TimeoutError):  # it hangs in the kernel: systemd will reap it one day
        async with asyncio.timeout(_REAP_S):
            await process.wait()


async def _output(process: Process, stream: asyncio.StreamReader, limit_s: float | None) -> bytes:
    """What it has written, when it has ended or its time is over."""
    tail = _Tail()
    reading = asyncio.create_task(tail.read(stream))
    try:
        with suppress(TimeoutError):
            async with asyncio.timeout(limit_s):
                await process.wait()
                await asyncio.wait([reading], timeout=_LAST_OUTPUT_S)
        return tail.kept
    finally:
        reading.cancel()


@asynccontextmanager
async def _reading(descriptor: int) -> AsyncIterator[asyncio.StreamReader]:
    stream = asyncio.StreamReader()
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(stream), os.fdopen(descriptor, "rb", buffering=0)
    )
    try:
        yield stream
    finally:
        transport.close()


class _Tail:
    """The end of what is written; the rest is thrown away as it comes."""

    kept = b""

    async def read(self, stream: asyncio.StreamReader) -> None:
        while chunk := await stream.read(_MOST_OUTPUT_BYTES):
            self.kept = (self.kept + chunk)[-_MOST_OUTPUT_BYTES:]
