"""Mutants of what a unit has others do, of what has left its control group, and of what a host's own end is told from."""

from __future__ import annotations

from typing import Final

from .kinds import AGENT, DRIVERS, UNIT, Mutant, one

_FITNESS: Final = f"{DRIVERS}/systemd/fitness.py"
_ELSEWHERE: Final = f"{DRIVERS}/systemd/work_elsewhere.py"
_LEAVING: Final = f"{AGENT}/core/leaving.py"
_LEAVES: Final = f"{UNIT}/agent/test_leaves.py"
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
    one(
        "an agent that is stopped with other units releases what it holds",
        _LEAVING,
        "    return end or (_WITH_OTHERS if",
        "    return end or (None if",
        _LEAVES,
    ),
    one(
        "an agent that is stopped alone stops nothing",
        _LEAVING,
        " and any(map(_is_running_work, stopping - {_AGENT})) else",
        " else",
        _LEAVES,
    ),
    one("an agent that only sees others stop does not leave", _LEAVING, "_AGENT in stopping and any", "any", _LEAVES),
    one("who logs out stops nothing", _LEAVING, " and not unit.startswith(_LOGINS)", "", _LEAVES),
    one(
        "a soft reboot is an end",
        _LEAVING,
        '    "soft-reboot.target": GoingDown("its user space is restarted", "Reboot"),\n',
        "",
        _LEAVES,
    ),
    one(
        "a boot of another kernel is an end",
        _LEAVING,
        '    "kexec.target": GoingDown("it boots another kernel", "Reboot"),\n',
        "",
        _LEAVES,
    ),
)
