"""A program that a probe runs: in a group of its own, without a shell, and nothing of it is left when the question is over."""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
from asyncio.subprocess import DEVNULL, Process
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from backstay_agent.drivers.tools import cgroups
from backstay_agent.drivers.tools.journal_tail import one_line, with_words

_MOST_OUTPUT_BYTES: Final = 65536
# Nothing of the agent's own environment (its token's path, for one) is a probe's business.
_ENVIRONMENT: Final = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}
# What a program wrote is read to the end, unless something that it left behind keeps the pipe open.
_LAST_OUTPUT_S: Final = 0.1
_REAP_S: Final = 1.0
_numbers = itertools.count(1)


@dataclass(frozen=True)
class Ended:
    """How a program has ended."""

    code: int | None
    words: str
    """The last that it wrote, on one line."""


async def ask_program(argv: Sequence[str]) -> str | None:
    """None if it exits with 0, else how it ended."""
    if not argv[0].startswith("/"):
        return f"{argv[0]!r} is not an absolute path"
    if any("\0" in word for word in argv):
        return "a command must not contain NUL"
    ended = await run_program(argv)
    return None if ended.code == 0 else with_words(f"{argv[0]} exited with {ended.code}", ended.words)


async def run_program(argv: Sequence[str], *, given: bytes | None = None) -> Ended:
    """Run it in a group of its own, and leave nothing of it behind. `given`: what it reads. Raises OSError."""
    # Two agents may share a group for a moment, as tests do: what the one ends must not be the other's.
    with cgroups.cell(f"probe-{os.getpid()}-{next(_numbers)}") as cell, _input(given) as stdin:
        return await _run_in(cell, argv, stdin)


async def _run_in(cell: Path | None, argv: Sequence[str], stdin: int) -> Ended:
    # A pipe of our own: asyncio's would make `wait` wait for whatever the program left behind with the pipe open.
    ours, its = os.pipe2(os.O_CLOEXEC)
    try:
        process = await _spawn(cell, argv, stdin, its)
    except BaseException:
        os.close(ours)
        raise
    finally:
        os.close(its)
    async with _reading(ours) as stream:
        try:
            output = await _output(process, stream)
        finally:
            # It and whatever it started, also if it ended well: a probe leaves nothing behind.
            await asyncio.shield(_kill_and_reap(process))
    return Ended(process.returncode, one_line(output))


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


async def _spawn(cell: Path | None, argv: Sequence[str], stdin: int, output: int) -> Process:
    door = os.open(cell / "cgroup.procs", os.O_WRONLY | os.O_CLOEXEC) if cell else -1
    spawning = asyncio.ensure_future(
        asyncio.create_subprocess_exec(
            *argv, stdin=stdin, stdout=output, stderr=output, start_new_session=True, env=_ENVIRONMENT, cwd="/",
            # It enters by itself, before it is the program: so nothing that it forks can stay outside.
            preexec_fn=partial(_enter, door) if cell else None,
        )
    )  # fmt: skip
    if cell:
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


async def _kill_and_reap(process: Process) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    with suppress(TimeoutError):  # it hangs in the kernel: systemd will reap it one day
        async with asyncio.timeout(_REAP_S):
            await process.wait()


async def _output(process: Process, stream: asyncio.StreamReader) -> bytes:
    reading = asyncio.create_task(_tail(stream))
    try:
        await process.wait()
        await asyncio.wait([reading], timeout=_LAST_OUTPUT_S)
        return reading.result() if reading.done() else b""
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


async def _tail(stream: asyncio.StreamReader) -> bytes:
    """The end of what is written; the rest is thrown away as it comes."""
    kept = b""
    while chunk := await stream.read(_MOST_OUTPUT_BYTES):
        kept = (kept + chunk)[-_MOST_OUTPUT_BYTES:]
    return kept
