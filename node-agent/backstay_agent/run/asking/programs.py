"""A program that a probe runs: it works if that exits with 0."""

from __future__ import annotations

from collections.abc import Sequence

from backstay_agent.drivers.tools.contained_programs import run_program
from backstay_agent.drivers.tools.journal_tail import with_words


async def ask_program(argv: Sequence[str]) -> str | None:
    """None if it exits with 0, else how it ended."""
    if not argv[0].startswith("/"):
        return f"{argv[0]!r} is not an absolute path"
    if any("\0" in word for word in argv):
        return "a command must not contain NUL"
    ended = await run_program(argv)
    return None if ended.code == 0 else with_words(f"{argv[0]} exited with {ended.code}", ended.words)
