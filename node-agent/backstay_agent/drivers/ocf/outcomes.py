"""What an agent's exit code means, by operation: one table, as Pacemaker's scheduler reads them. Pure."""

from __future__ import annotations

import re
from enum import Enum
from typing import Final

from backstay_agent.drivers.base import Seen, State
from backstay_agent.drivers.tools.transient import CLEANLY_DOWN, Ended
from backstay_api.objects.recovery import ErrorType


class Meaning(Enum):
    """Of one exit code of one operation."""

    DONE = "done"
    UP = "up"
    DEGRADED = "degraded"
    DOWN = "cleanly down"
    PROMOTED = "promoted"
    SOFT = "soft"
    """It may work at the next try, here or elsewhere."""
    HARD = "hard"
    """It cannot work on this host until something is mended there."""
    FATAL = "fatal"
    """It can work on no host: the configuration is wrong."""


_WORDS: Final = {
    0: "ok",
    1: "failed",
    2: "wrong arguments on this host",
    3: "not implemented",
    4: "no permission",
    5: "not installed",
    6: "not configured",
    7: "not running",
    8: "running promoted",
    9: "failed promoted",
    190: "degraded",
    191: "promoted and degraded",
}
_ELSE: Final = {2: Meaning.HARD, 3: Meaning.HARD, 4: Meaning.HARD, 5: Meaning.HARD, 6: Meaning.FATAL}
_ACTS: Final = ("start", "stop", "reload", "reload-agent", "promote", "demote", "notify", "validate-all")
_GOOD: Final = {
    **{(operation, 0): Meaning.DONE for operation in _ACTS},
    # Who cannot say what is wrong has found nothing wrong.
    ("validate-all", 3): Meaning.DONE,
    ("monitor", 0): Meaning.UP,
    ("monitor", 190): Meaning.DEGRADED,
    ("monitor", 7): Meaning.DOWN,
    ("monitor", 8): Meaning.PROMOTED,
    ("monitor", 191): Meaning.PROMOTED,
}
_REASON: Final = re.compile(r"ocf-exit-reason:\s*(.*?)(?: / |$)")


def meaning(operation: str, code: int | None) -> Meaning:
    """None: it was killed, by us when its time was over or by somebody else."""
    if code is None:
        return Meaning.SOFT
    return _GOOD.get((operation, code)) or _ELSE.get(code, Meaning.SOFT)


def error_type(operation: str, code: int | None) -> ErrorType:
    """Of an operation that has failed: whether another try may help, here or anywhere."""
    found: dict[Meaning, ErrorType] = {Meaning.HARD: "Hard", Meaning.FATAL: "Fatal"}
    return found.get(meaning(operation, code), "Soft")


def sentence(agent: str, operation: str, ended: Ended) -> str:
    """How an operation of an agent ended, and why."""
    code = ended.exit_code
    if code is None:
        return f"{agent} {operation} {ended.what}"
    in_brackets, why = _in_brackets(code, meaning(operation, code)), reason(ended.words)
    return f"{agent} {operation} exited with {code} ({', '.join(in_brackets)}){f': {why}' if why else ''}"


def reason(words: str) -> str:
    """What the agent itself gives as its reason in its last words, else all of them."""
    reasons = _REASON.findall(words)
    return reasons[-1] if reasons else words


def _in_brackets(code: int, kind: Meaning) -> list[str]:
    words = [_WORDS.get(code, "no code of OCF")]
    return [*words, kind.value] if kind in (Meaning.SOFT, Meaning.HARD, Meaning.FATAL) else words


def seen(code: int | None, why: str, unit: Seen, *, is_promoted: bool = False) -> Seen:
    """What a resource is by its monitor's answer, given what the unit of its start tells: RUNNING, if we have started it.

    `is_promoted`: so it is wanted here. What nobody asked for is a failure: another may be promoted elsewhere.
    """
    ours = unit.state is State.RUNNING
    match meaning("monitor", code):
        case Meaning.PROMOTED if ours and is_promoted:
            return Seen(State.RUNNING, why if code == 191 else "")
        case Meaning.UP:
            return Seen(State.RUNNING)
        case Meaning.DEGRADED:
            return Seen(State.RUNNING, why)
        case Meaning.PROMOTED if not ours:
            return Seen(State.RUNNING, why)
        case _ if unit.state in (State.STARTING, State.STOPPING, State.UNKNOWN):
            return unit
        case Meaning.DOWN:
            return Seen(State.STOPPED)
        case _ if ours:
            return Seen(State.FAILED, why, error_type=error_type("monitor", code))
        case _ if code == 5:
            # Nothing of ours is there, and what is not installed was started by nobody.
            return Seen(State.STOPPED, why)
    return Seen(State.UNKNOWN, why, left=code == 9)


NOT_PROMOTED: Final = frozenset((0, 190, CLEANLY_DOWN))
"""What the monitor answers of a copy that is not promoted, whether it is up or not."""


def seen_promoted(code: int | None, why: str, unit: Seen) -> Seen:
    """The same of its promotion: what only is up is not promoted. `unit`: of the promotion."""
    ours = unit.state is State.RUNNING
    match meaning("monitor", code):
        case Meaning.PROMOTED:
            return Seen(State.RUNNING, "" if ours and code != 191 else why)
        case _ if unit.state in (State.STARTING, State.STOPPING, State.UNKNOWN):
            return unit
        case _ if code in NOT_PROMOTED:
            return Seen(State.STOPPED)
        case _ if ours:
            return Seen(State.FAILED, why, error_type=error_type("monitor", code))
        case _ if code == 5:
            return Seen(State.STOPPED, why)
    return Seen(State.UNKNOWN, why, left=code == 9)
