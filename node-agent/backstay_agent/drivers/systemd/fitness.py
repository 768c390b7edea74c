"""Whether a unit is one that a service can be made of, and if not, which setting or which other unit is to blame. Pure.

`sentences.py` asks whether it can be started; here is asked whether its being active means that it works, and its being
inactive that it is gone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

from backstay_agent.drivers.tools.sentences import has_no_process

from .closure import HANDLERS, PULLS, Known, closure
from .work_elsewhere import IN_A_SCOPE, delegates_to, is_to_pid_1, lines_of

FOREVER_US: Final = (1 << 64) - 1
_ENDS_THE_HOST: Final = ("FailureAction", "SuccessAction", "StartLimitAction", "JobTimeoutAction")
_STOPS_THE_REST: Final = ("isolate", "flush")
"""How its handler may be started: what it has nothing to do with is stopped then, or not started."""
_ENDS: Final = re.compile(
    r"(?:ctrl-alt-del|default|emergency|exit|halt|hibernate|hybrid-sleep|kexec|poweroff|reboot|rescue|shutdown|sleep|soft-reboot|suspend"
    r"|suspend-then-hibernate|systemd-(?:halt|hibernate|kexec|poweroff|reboot|soft-reboot|suspend))\.(?:target|service)"
)
_SHELL: Final = re.compile(r"(?:\S*/)?(?:sh|bash|dash) -[a-z]*c ")
_READS: Final = re.compile(r"(?:\S*/)?(?:sh|bash|dash|ksh|zsh)|source|\.")
_RUNS: Final = re.compile(r"(?:\S*/)?(?:exec|command|nohup|setsid|nice|ionice|time|sudo)")
_BETWEEN_WORDS: Final = re.compile(r"[\s;&|()`'\"]+")
_MOST_SCRIPTS: Final = 32
_NOTHING: Final = re.compile(
    r"(?:exec )?(?:(?:\S*/)?env )?(?:\S*/)?"
    r"(?:(?:true|:|exit|echo|printf|logger)(?:\s.*)?|sleep (?:inf(?:inity)?|[0-9.]{1,5}[smhd]?)|tail -f /dev/null)"
)
# Where a shell writes into a file, or runs another program in the words of a harmless one.
_AND_YET: Final = re.compile(r"[>`]|\$\(")
_BY_PID_1: Final = re.compile(r"\s*(?:(?:/usr)?/bin/(?:ba|da)?sh )?/etc/init\.d/")
_STOPS_WITH: Final = ("PartOf", "StopPropagatedFrom", "BindsTo", "Requires", "Requisite")
_STARTS: Final = ("ExecStart", "ExecStartPre", "ExecStartPost")


def not_fit(
    unit: str,
    known: Known,
    pulled_in: Sequence[str],
    *,
    asked: bool,
    scripts: Sequence[str] = (),
    scripts_of_parts: Mapping[str, Sequence[str]] = MappingProxyType({}),
) -> str | None:
    """Why its state says too little, or it would not stay up; None if it is fit. `asked`: a probe says whether it works.

    `pulled_in`: the units that it makes run (`closure.pulled_in_by`). `scripts`: text of what it starts, as far as that is
    text; of its parts by their names.
    """
    properties = known[unit]
    # Of these it would be said again.
    working = [name for name in pulled_in if known.get(name, {}).get("Type") != "oneshot"]
    return (
        _does_nothing(unit, known, pulled_in)
        or _works_elsewhere(unit, properties, scripts)
        or _parts_work_elsewhere(unit, known, scripts_of_parts)
        or _needs_a_probe(unit, properties, working, asked=asked)
        or _starts_what_stays(unit, known, working)
        or _would_not_stay(unit, properties)
        or _lacks(unit, known)
        or _ends_the_host(unit, properties)
        or _part_would_harm(unit, known)
    )


def _does_nothing(unit: str, known: Known, pulled_in: Sequence[str]) -> str | None:
    if not (unit.endswith(".target") or _is_idle(known[unit])):
        return None
    if known[unit].get("Type") not in (None, "oneshot") and set(pulled_in) <= set(closure(unit, known)):
        return None  # a process that waits, and all that it waits with stops with it
    if pulled_in:
        return f"name {_listed(pulled_in)}: {unit} only pulls {'it' if len(pulled_in) == 1 else 'them'} in"
    return f"{unit} does nothing itself and pulls nothing in that could be watched: name the unit that does the work"


def _is_idle(properties: Mapping[str, Any]) -> bool:
    lines = [line for kind in _STARTS for line in _command_lines(properties, kind)]
    return all(map(_is_nothing, lines)) if lines else properties.get("Type") == "oneshot"


def _is_nothing(line: str) -> bool:
    """Whether this command line does no work: it says something, waits, or ends at once."""
    shell = _SHELL.match(line)
    if shell is None:
        return _NOTHING.fullmatch(line) is not None
    commands = [command.strip() for command in re.split(r"[;&|]+", line[shell.end() :])]
    return all(_NOTHING.fullmatch(one) and not _AND_YET.search(one) for one in commands if one)


def _works_elsewhere(unit: str, properties: Mapping[str, Any], scripts: Sequence[str]) -> str | None:
    said = [line for kind in _STARTS for line in _command_lines(properties, kind)]
    for line in [*said, *(line for text in scripts for line in lines_of(text))]:
        by = delegates_to(line)
        if by == IN_A_SCOPE:
            return (
                f"{unit} starts its work by {by}, in a scope of its own, outside of its control group, which is not stopped with the unit"
                f" ({line.strip()[:200]}): let the unit start it without a scope"
            )
        if by and not is_to_pid_1(by):
            return (
                f"{unit} has its work done by {by}, outside of its control group, so that a stop could not be verified;"
                " use a `command` resource whose check asks for it"
            )
        # A script whose parent is PID 1 does the work itself.
        is_elsewhere = not _BY_PID_1.match(line) if line in said else has_no_process(properties)
        if by and is_elsewhere:
            return (
                f"name the unit that {unit} starts by {by} ({line.strip()[:200]}): here it would start and stop unseen"
            )
    return None


def _parts_work_elsewhere(unit: str, known: Known, scripts: Mapping[str, Sequence[str]]) -> str | None:
    whys = (_works_elsewhere(part, known[part], scripts.get(part, ())) for part in closure(unit, known)[1:])
    return next(filter(None, whys), None)


def scripts_of(properties: Mapping[str, Any]) -> dict[str, bool]:
    """Files that it starts by and may be scripts, which do what they do by other programs. True: a shell is told to read it, so it is one,
    whatever its first line says."""
    found: dict[str, bool] = {}
    for command in (command for kind in _STARTS for command in properties.get(kind, [])):
        words = _BETWEEN_WORDS.split(" ".join([str(command[0]), *map(str, command[1][1:])]))
        plain = [word for word in words if word and not word.startswith("-")]
        is_shell = bool(_READS.fullmatch(str(command[0])))
        for before, word in zip(["", *plain], plain, strict=False):
            is_read = bool(_READS.fullmatch(before))
            # What a shell hands to a program is data: it may lie where every look hangs.
            if word.startswith("/") and (is_read or not before or not is_shell or _RUNS.fullmatch(before)):
                found[word] = found.get(word, False) or is_read
    return dict(sorted(found.items())[:_MOST_SCRIPTS])


def _needs_a_probe(unit: str, properties: Mapping[str, Any], working: Sequence[str], *, asked: bool) -> str | None:
    if properties.get("Type") != "oneshot":
        return None
    if not _command_lines(properties, "ExecStop") and not _command_lines(properties, "ExecStopPost"):
        return (
            f"{unit} is of Type=oneshot and has no ExecStop=, so stopping it would undo nothing;"
            " say there how to undo it (ExecStop=/bin/true if there is nothing to undo)"
        )
    if asked:
        return None
    instead = f", or name {_listed(working)}, which it pulls in" if working else ""
    return (
        f"{unit} is of Type=oneshot: once it has run, it has no process, and nothing tells whether what it did still"
        f" holds; give the resource a probe (exec){instead}"
    )


def _starts_what_stays(unit: str, known: Known, working: Sequence[str]) -> str | None:
    """A probe does not help: what it starts answers on every host. What it only needs is up before it (After=)."""
    if known[unit].get("Type") != "oneshot":
        return None
    ours = {*closure(unit, known), *known[unit].get("After", [])}
    if not (left := [name for name in working if name not in ours]):
        return None
    return (
        f"{unit} is of Type=oneshot and pulls in {_listed(left)}, which other units want as well: that would run on this host wherever"
        f" the service is; name {_listed(left)}, or say After={left[0]} in {unit} if it only needs it"
    )


def _would_not_stay(unit: str, properties: Mapping[str, Any]) -> str | None:
    if properties.get("StopWhenUnneeded"):
        return f"{unit} has StopWhenUnneeded=yes: systemd would stop it as soon as we had started it"
    if int(properties.get("RuntimeMaxUSec", FOREVER_US)) not in (FOREVER_US, 0):
        return f"{unit} has RuntimeMaxSec=: systemd would end it after a while"
    return None


def _lacks(unit: str, known: Known) -> str | None:
    return _lacks_another(unit, known) or _stops_another(unit, known) or _stops_what_it_pulls_in(unit, known[unit])


def _lacks_another(unit: str, known: Known) -> str | None:
    for kind in ("BindsTo", "Requires", "Requisite"):
        for name, other in ((name, known[name]) for name in known[unit].get(kind, []) if name in known):
            if other.get("LoadState") in ("not-found", "masked") and not _is_up(other):
                return f"{unit} needs {name} ({kind}=), which this host does not have ({other['LoadState']})"
            if (kind == "Requisite" or name.endswith(".device")) and not _is_up(other):
                return f"{unit} needs {name} ({kind}=), which is {other.get('ActiveState')} and would not be started for it"
    return None


def _stops_what_it_pulls_in(unit: str, properties: Mapping[str, Any]) -> str | None:
    pulled_in = {name for kind in PULLS for name in properties.get(kind, [])}
    for name in properties.get("Conflicts", []):
        if name in pulled_in:
            return f"{unit} conflicts with {name} and pulls it in: one of them would stop the other"
    return None


def _stops_another(unit: str, known: Known, *, ours: Sequence[str] = ()) -> str | None:
    """systemd stops both ways, whichever of the two names the other; only while both are loaded it tells so of both."""
    for name in known[unit].get("Conflicts", []):
        if name not in ours and _is_up(known.get(name, {})):
            return f"{unit} has Conflicts={name}, which is active here: starting one would stop the other"
    for name in known[unit].get("ConflictedBy", []):
        if name not in ours and _is_up(known.get(name, {})):
            return f"{name}, which is active here, has Conflicts={unit}: starting one would stop the other"
    return None


def _part_would_harm(unit: str, known: Known) -> str | None:
    """What starts and stops with it stops others, or the host, as the unit itself would; and must stop when we ask."""
    members = closure(unit, known)
    for part in members[1:]:
        properties = known[part]
        if why := _stops_another(part, known, ours=members) or _ends_the_host(part, properties):
            return f"{why} ({part} is a part of {unit})"
        with_ours = {name for kind in _STOPS_WITH for name in properties.get(kind, [])}
        if properties.get("RefuseManualStop") and with_ours.isdisjoint(members):
            return f"{part}, a part of {unit}, has RefuseManualStop=yes, and nothing of {unit} takes it down: say PartOf={unit} there"
    return None


def _ends_the_host(unit: str, properties: Mapping[str, Any]) -> str | None:
    for setting in _ENDS_THE_HOST:
        if (value := str(properties.get(setting, "none"))) not in ("none", ""):
            return f"{unit} has {setting}={value}: what happens to it would happen to the host"
    for setting in HANDLERS:
        if properties.get(setting) and properties.get(f"{setting}JobMode") in _STOPS_THE_REST:
            return f"{unit} has {setting}JobMode={properties[f'{setting}JobMode']}: everything else on the host would be stopped with it"
        if found := [name for name in properties.get(setting, []) if _ENDS.fullmatch(name)]:
            return f"{unit} has {setting}={found[0]}: what happens to it would happen to the host"
    return None


def _is_up(properties: Mapping[str, Any]) -> bool:
    return properties.get("ActiveState") in ("active", "activating", "reloading", "refreshing")


def _command_lines(properties: Mapping[str, Any], kind: str) -> list[str]:
    return [
        " ".join([str(command[0]), *(str(word) for word in command[1][1:])]) for command in properties.get(kind, [])
    ]


def _listed(units: Sequence[str]) -> str:
    return " and ".join(units) if len(units) < 3 else f"{', '.join(units[:8])}{' …' if len(units) > 8 else ''}"
