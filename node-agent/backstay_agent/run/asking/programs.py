"""A program that is asked: a probe's works if it exits with 0, and that of a score prints a number as well."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from backstay_agent.core.score import Score
from backstay_agent.drivers.tools.contained_programs import Questions, run_program
from backstay_agent.drivers.tools.journal_tail import with_words

# At the end of all that it says, below 10¹⁸: the schema has that bound, which the API server can compare with.
_NUMBER: Final = re.compile(r"(?<![\w.+-])[0-9]{1,18}(?=\s*$)")


async def read_number(questions: Questions, argv: Sequence[str], *, limit_s: float) -> Score:
    """The whole number that it prints last, if it exits with 0. It is not run while the one before hangs in the kernel."""
    if why := _unfit(argv):
        return Score(-1, why)
    ended = await questions.ask("\0".join(argv), argv, limit_s=limit_s)
    if ended is None:
        return Score(-1, f"{argv[0]} was not run: the one before hangs in the kernel and cannot be killed")
    if ended.code is None:
        return Score(-1, with_words(f"{argv[0]} has not answered within {limit_s:g} s", ended.words))
    if ended.code != 0:
        return Score(-1, with_words(f"{argv[0]} exited with {ended.code}", ended.words))
    found = _NUMBER.search(ended.words)
    return Score(int(found[0])) if found else Score(-1, with_words(f"{argv[0]} prints no whole number", ended.words))


async def ask_program(argv: Sequence[str]) -> str | None:
    """None if it exits with 0, else how it ended."""
    if why := _unfit(argv):
        return why
    ended = await run_program(argv)
    return None if ended.code == 0 else with_words(f"{argv[0]} exited with {ended.code}", ended.words)


def _unfit(argv: Sequence[str]) -> str:
    if not argv[0].startswith("/"):
        return f"{argv[0]!r} is not an absolute path"
    return "a command must not contain NUL" if any("\0" in word for word in argv) else ""
