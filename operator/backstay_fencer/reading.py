"""What one run of a fence agent's `status` says. Pure."""

from __future__ import annotations

import re
from typing import Final, Literal

Power = Literal["On", "Off", "Unknown"]

# A log line's time, and where in memory a Python object happened to lie.
_PASSING: Final = re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d+ |(?<= object) at 0x[0-9a-f]+")
# What fence agents say last, whatever the trouble is.
_USAGE: Final = "use '-h' for usage"


def judge_read(*, exit_code: int | None, output: str) -> tuple[Power, str]:
    """What a status read says. Off needs exit 2 *and* the words: exit 2 alone is also what a broken script returns.

    `exit_code` is None where our own deadline ended the agent.
    """
    if exit_code is None:
        return "Unknown", "no answer before our deadline"
    if exit_code == 2 and "Status: OFF" in output:
        return "Off", ""
    if exit_code == 0 and "Status: ON" in output:
        return "On", ""
    return "Unknown", f"exit {exit_code}: {_telling_line(output)[:300]}"


def _telling_line(output: str) -> str:
    """The agent's last words without what differs from run to run: two reads that failed alike must read alike."""
    lines = [_PASSING.sub("", line).strip() for line in output.splitlines()]
    told = [line for line in lines if line and _USAGE not in line]
    return told[-1] if told else "no output"
