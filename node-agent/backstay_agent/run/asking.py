"""How one probe is asked on a real host: TCP, HTTP by hand, a command in a group of its own, what is left by the driver. No shell."""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
from asyncio.subprocess import DEVNULL, Process
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from backstay_agent.drivers.tools import cgroups
from backstay_agent.drivers.tools.journal_tail import one_line, with_words
from backstay_api.objects.plain import HttpGet, Probe

if TYPE_CHECKING:
    import ssl

_LOCALHOST: Final = "127.0.0.1"
_MOST_OUTPUT_BYTES: Final = 65536
# Nothing of the agent's own environment (its token's path, for one) is a probe's business.
_ENVIRONMENT: Final = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}
# What a program wrote is read to the end, unless something that it left behind keeps the pipe open.
_LAST_OUTPUT_S: Final = 0.1
_BURY_S: Final = 1.0
_numbers = itertools.count(1)


Own = Callable[[Probe], Awaitable[str | None]]
"""Asks what only the driver of the probe's resource can."""


async def _nobody(probe: Probe) -> str | None:
    return "this kind of probe is not supported yet"


class RealAsker:
    """`probes.Asker` on this very host."""

    def __init__(self, own: Own = _nobody) -> None:
        self._own = own

    async def ask(self, probe: Probe) -> str | None:
        try:
            if probe.tcp_socket is not None:
                async with _connection(probe.tcp_socket.host or _LOCALHOST, probe.tcp_socket.port):
                    return None
            if probe.http_get is not None:
                return await _ask_http(probe.http_get)
            if probe.exec is not None:
                return await _ask_program(probe.exec.command)
            return await self._own(probe)
        except OSError as error:
            return str(error)


async def _ask_http(wanted: HttpGet) -> str | None:
    host = wanted.host or _LOCALHOST
    context = _unchecked_tls() if wanted.scheme == "HTTPS" else None
    async with _connection(host, wanted.port, context) as (reader, writer):
        writer.write(http_request(wanted))
        await writer.drain()
        try:
            status_line = await reader.readuntil(b"\n")
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            return "the answer is not HTTP"
    return http_verdict(status_line)


def http_request(wanted: HttpGet) -> bytes:
    """The request, as it goes onto the wire."""
    host = wanted.host or _LOCALHOST
    headers = {"Host": f"[{host}]:{wanted.port}" if ":" in host else f"{host}:{wanted.port}"}
    headers |= {"User-Agent": "backstay-probe", "Accept": "*/*", "Connection": "close"}
    for header in wanted.http_headers or ():
        headers = {name: value for name, value in headers.items() if name.lower() != header.name.lower()}
        headers[header.name] = header.value
    lines = [f"GET {wanted.path or '/'} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    assert not any(char in line for line in lines for char in "\r\n"), "a line break reached a request's header"
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def http_verdict(status_line: bytes) -> str | None:
    """None for a status from 200 to 399, else why not."""
    words = status_line.decode("latin-1").split(None, 2)
    if len(words) < 2 or not words[0].startswith("HTTP/") or not (words[1].isdecimal() and len(words[1]) == 3):
        return "the answer is not HTTP"
    return None if 200 <= int(words[1]) < 400 else f"the answer is {one_line(' '.join(words[1:]).encode())}"


async def _ask_program(argv: tuple[str, ...]) -> str | None:
    if not argv[0].startswith("/"):
        return f"{argv[0]!r} is not an absolute path"
    if any("\0" in word for word in argv):
        return "a command must not contain NUL"
    with cgroups.cell(f"probe-{next(_numbers)}") as cell:
        return await _ask_program_in(cell, argv)


async def _ask_program_in(cell: Path | None, argv: tuple[str, ...]) -> str | None:
    # A pipe of our own: asyncio's would make `wait` wait for whatever the program left behind with the pipe open.
    ours, its = os.pipe2(os.O_CLOEXEC)
    try:
        process = await _spawn(cell, argv, its)
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
            await asyncio.shield(_remember_deleted(process))
    if process.returncode == 0:
        return None
    return with_words(f"{argv[0]} exited with {process.returncode}", one_line(output))


async def _spawn(cell: Path | None, argv: tuple[str, ...], output: int) -> Process:
    door = os.open(cell / "cgroup.procs", os.O_WRONLY | os.O_CLOEXEC) if cell else -1
    spawning = asyncio.ensure_future(
        asyncio.create_subprocess_exec(
            *argv, stdin=DEVNULL, stdout=output, stderr=output, start_new_session=True, env=_ENVIRONMENT, cwd="/",
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
        await _remember_deleted(await spawning)
        raise


def _enter(door: int) -> None:
    """In the child: go into its group. If that is refused it is asked all the same, and buried by its session."""
    with suppress(OSError):
        os.write(door, b"0")


async def _remember_deleted(process: Process) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    with suppress(TimeoutError):  # it hangs in the kernel: systemd will bury it one day
        async with asyncio.timeout(_BURY_S):
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


@asynccontextmanager
async def _connection(
    host: str, port: int, context: ssl.SSLContext | None = None
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection(host, port, ssl=context)
    try:
        yield reader, writer
    finally:
        # At once: a server that does not close its side must not hold the probe.
        transport: Any = writer.transport
        transport.abort()


def _unchecked_tls() -> ssl.SSLContext:
    import ssl  # 2 MB that most hosts never need

    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
