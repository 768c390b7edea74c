"""What a program said before it failed: the last lines of its journal, for the sentence that tells people why."""

from __future__ import annotations

import asyncio
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final

_LINES: Final = 3
_MAX_CHARS: Final = 500
_LIMIT_S: Final = 2.0
_SETTLE_S: Final = 0.1


async def last_words(properties: Mapping[str, Any]) -> str:
    """The last lines that this run of a unit wrote, on one line; empty if there are none or they cannot be had."""
    invocation_id = bytes(properties.get("InvocationID", b""))
    if len(invocation_id) != 16:
        return ""  # it never ran
    if words := await _journal(f"_SYSTEMD_INVOCATION_ID={invocation_id.hex()}"):
        return words
    # The journal may still be busy writing; and of a program that ended at once it may know the unit, but not the run.
    await asyncio.sleep(_SETTLE_S)
    since_s = int(properties.get("InactiveExitTimestamp", 0)) // 1_000_000
    return await _journal(f"--since=@{since_s}", f"_SYSTEMD_UNIT={properties['Id']}")


async def _journal(*matches: str) -> str:
    try:
        process = await asyncio.create_subprocess_exec(
            "journalctl", "--quiet", "--no-pager", "--output=cat", f"--lines={_LINES}", *matches,
            stdin=DEVNULL, stdout=PIPE, stderr=DEVNULL,
        )  # fmt: skip
    except OSError:
        return ""
    try:
        async with asyncio.timeout(_LIMIT_S):
            output, _ = await process.communicate()
    except TimeoutError:
        return ""
    finally:
        with suppress(ProcessLookupError):
            process.kill()
    return one_line(output)


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
