"""What the exit codes of an init script mean (Linux Standard Base, chapter "Init Script Actions"). Pure.

Source: LSB Core 5.0, 22.2; as Pacemaker reads them, what is dead and has left a file is not running.
"""

from __future__ import annotations

from enum import Enum
from typing import Final


class CheckAnswer(Enum):
    """What a check has said."""

    UP = "up"
    DOWN = "cleanly down"
    DEAD = "dead, and something of it is left"
    """It does not run, and did not end as it should have."""
    UNCLEAR = "neither"


STATUS: Final = {0: CheckAnswer.UP, 1: CheckAnswer.DEAD, 2: CheckAnswer.DEAD, 3: CheckAnswer.DOWN}
OURS: Final = {0: CheckAnswer.UP, 7: CheckAnswer.DOWN}
"""What a check of any other program says: as OCF has it."""
_STATUS_WORDS: Final = {
    1: "it is dead, and its PID file is left",
    2: "it is dead, and its lock file is left",
    3: "it does not run",
    4: "it does not know whether it runs",
}
_OTHER_WORDS: Final = {
    1: "no reason is given",
    2: "its arguments are wrong",
    3: "it does not know this action",
    4: "it lacks the privilege",
    5: "the program is not installed",
    6: "it is not configured",
    7: "the program does not run",
}


def meaning(action: str, code: int | None) -> str:
    """What a script has said by this code; empty if it means nothing."""
    return (_STATUS_WORDS if action == "status" else _OTHER_WORDS).get(code or 0, "")


def answer(code: int | None, *, is_lsb: bool) -> CheckAnswer:
    """What a check has said by this code."""
    return (STATUS if is_lsb else OURS).get(-1 if code is None else code, CheckAnswer.UNCLEAR)
