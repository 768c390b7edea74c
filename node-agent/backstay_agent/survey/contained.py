"""Runs one source in a process of its own. Whatever it meets (a disk that hangs, a file made to harm, our own mistake) ends there."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from backstay_api.objects.survey import MOST_BYTES, Survey, UnreadableSurvey, empty, parse_survey, survey_text

MOST_MEMORY_BYTES: Final = 512 * 1024 * 1024
_FAILED: Final = b"!"

Look = Callable[[], Survey]


class SourceFailed(Exception):
    """The source cannot look; the message quotes nothing that it has read."""


class Unanswered(Exception):
    """The source has said nothing that can be used; the message says why."""


async def contained(look: Look, *, limit_s: float) -> Survey:
    """What it finds. Raises Unanswered. A process that cannot be killed (it hangs in the kernel) is left behind, not waited for."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reading)
        _answer(look, writing, limit_s)
    os.close(writing)
    try:
        async with asyncio.timeout(limit_s):
            data = await _all_of(reading)
    except TimeoutError as error:
        raise Unanswered(f"no answer within {limit_s:g} s") from error
    finally:
        os.close(reading)
        _end(pid)
    return _understood(data)


def _end(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    with suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)


async def _all_of(fd: int) -> bytes:
    os.set_blocking(fd, False)
    data = b""
    while len(data) <= MOST_BYTES:
        piece = await _piece(fd)
        if not piece:
            break
        data += piece
    return data


async def _piece(fd: int) -> bytes:
    loop, ready = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(fd, ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_reader(fd)
    return os.read(fd, 65536)


def _understood(data: bytes) -> Survey:
    if not data or data.startswith(_FAILED):
        raise Unanswered(data[1:].decode(errors="replace") or "it ended without an answer")
    try:
        return parse_survey(data.decode(errors="replace"))
    except UnreadableSurvey as error:
        raise Unanswered(f"its answer cannot be read: {error}") from error


def _answer(look: Look, writing: int, limit_s: float) -> None:
    """Of the child, which ends here. The type of an error alone is told: its message might quote what was read."""
    try:
        _limit(limit_s)
        said = survey_text(look()).encode()
    except MemoryError:
        said = _FAILED + b"it needed too much memory"
    except SourceFailed as error:
        said = _FAILED + str(error).encode()
    except Exception as error:
        said = _FAILED + f"{type(error).__name__} in the source itself".encode()
    try:
        os.set_blocking(writing, True)
        while said:
            said = said[os.write(writing, said) :]
    finally:
        os._exit(0)


def _limit(limit_s: float) -> None:
    seconds = max(1, round(limit_s))
    for what, most in (
        (resource.RLIMIT_AS, MOST_MEMORY_BYTES),
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(what, (most, most))


def found(base: Survey) -> Survey:
    """A survey for a source to fill: of the same unit and host."""
    return Survey(unit=base.unit, units=base.units[:1]) if base.units else empty(base.unit, base.host, base.agent)
