"""Mutants of what a unit has others do, of what has left its control group, and of what a host's own end is told from."""

from __future__ import annotations

from typing import Final

from .kinds import DRIVERS, UNIT, Mutant, one

_FITNESS: Final = f"{DRIVERS}/systemd/fitness.py"
_ELSEWHERE: Final = f"{DRIVERS}/systemd/work_elsewhere.py"
_WORDS: Final = f"{UNIT}/agent/drivers/systemd/test_work_elsewhere.py"

MUTANTS: Final[tuple[Mutant, ...]] = (
    one(
        "work in a scope of its own is refused",
        _ELSEWHERE,
        "        return IN_A_SCOPE if",
        '        return "" if',
        _WORDS,
    ),
    one(
        "parts have their work done by nobody else either",
        _FITNESS,
        "        or next(filter(None, (_works_elsewhere(part, known[part], ()) for part in closure(unit, known)[1:])), None)\n",
        "",
        _WORDS,
    ),
    one("a container's exec is its work too", _ELSEWHERE, '"launch", "exec", "play"),', '"launch", "play"),', _WORDS),
    one("a unit is started by D-Bus too", _ELSEWHERE, '    "busctl": _JOBS,\n', "", _WORDS),
    one("what starts is told to start by reenable too", _ELSEWHERE, '("enable", "reenable")', '("enable",)', _WORDS),
    one(
        "what has no verb does what it does",
        _ELSEWHERE,
        '{"virt-install", "batch", "at"}',
        '{"virt-install", "at"}',
        _WORDS,
    ),
    one("a long command goes on", _ELSEWHERE, 'script.replace("\\\\\\n", " ")', "script", _WORDS),
    one("no host is restarted softly for a unit", _FITNESS, "|soft-reboot|suspend)", "|suspend)", _WORDS),
    one(
        "no host ends as its unit has been started too often",
        _FITNESS,
        '"SuccessAction", "StartLimitAction", ',
        '"SuccessAction", ',
        _WORDS,
    ),
)
