"""What a program said before it failed: the last lines of its journal, for the sentence that tells people why."""

from __future__ import annotations

import asyncio
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

_LINES: Final = 3
_MAX_CHARS: Final = 500
_LIMIT_S: Final = 6.0
_SYNC_S: Final = 1.0
_SETTLE_S: Final = 0.1
_KILLED_S: Final = 0.5
_TRIES: Final = 4


async def last_words(properties: Mapping[str, Any]) -> str:
    """The last lines that this run of a unit wrote, on one line; empty if there are none or they cannot be had."""
    invocation_id = bytes(properties.get("InvocationID", b""))
    if len(invocation_id) != 16:
        return ""  # it never ran
    run = f"_SYSTEMD_INVOCATION_ID={invocation_id.hex()}"
    since_s = _begun_us(properties) / 1_000_000
    # Of what a program said last, before it was gone, the journal may know the unit, but not the run.
    matches = (f"--since=@{since_s:.6f}", run, "+", f"_SYSTEMD_UNIT={properties['Id']}")
    with suppress(TimeoutError):
        async with asyncio.timeout(_LIMIT_S):
            return await _once_written(matches)
    return ""


def _begun_us(properties: Mapping[str, Any]) -> int:
    """When systemd began with this run: what it forks may write lines, and even end, before it notes that the unit is starting."""
    known = (int(properties.get(when, 0)) for when in ("ConditionTimestamp", "InactiveExitTimestamp"))
    return min(filter(None, known), default=0)


async def _once_written(matches: Sequence[str]) -> str:
    """What matches, or nothing where the journal has said twice that it has written everything: it answers while words are on their way."""
    times_written = 0
    for _ in range(_TRIES):
        # Who said a lot has said why it failed at the end, and the journal is still busy with the rest.
        times_written += await _is_written()
        # Backwards, or with --since it tells the first lines instead of the last.
        _, found = await _ask("--quiet", "--no-pager", "--reverse", "--output=cat", f"--lines={_LINES}", *matches)
        if words := one_line(b"\n".join(reversed(found.splitlines()))):
            return words
        if times_written > 1:
            return ""
        await asyncio.sleep(_SETTLE_S)
    return ""


async def _is_written() -> bool:
    try:
        async with asyncio.timeout(_SYNC_S):
            code, _ = await _ask("--sync")
            return code == 0
    except TimeoutError:
        return False


async def _ask(*words: str) -> tuple[int, bytes]:
    """How journalctl ended, and what it printed."""
    try:
        process = await asyncio.create_subprocess_exec("journalctl", *words, stdin=DEVNULL, stdout=PIPE, stderr=DEVNULL)
    except OSError:
        return 0, b""
    try:
        output, _ = await process.communicate()
        return process.returncode or 0, output
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        # One that hangs in the kernel is not waited for: a failed start has more to do than to tell its words.
        with suppress(TimeoutError):
            async with asyncio.timeout(_KILLED_S):
                await process.wait()


def one_line(output: bytes) -> str:
    """The end of a program's output as part of a sentence: printable, one line, short."""
    lines = [line.strip() for line in output.decode(errors="replace").splitlines() if line.strip()]
    text = " / ".join(lines[-_LINES:])
    return "".join(char if char.isprintable() else "?" for char in text)[-_MAX_CHARS:]


async def with_last_words(sentence: str, properties: Mapping[str, Any]) -> str:
    """Add what this run of a unit wrote last to a sentence."""
    return with_words(sentence, await last_words(properties))


def with_words(sentence: str, words: str) -> str:
    """Add a program's last words to a sentence."""
    return f"{sentence}; it said: {words}" if words else sentence
