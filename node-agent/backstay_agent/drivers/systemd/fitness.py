"""Whether a unit is one that a service can be made of, and if not, which setting or which other unit is to blame. Pure.

`sentences.py` asks whether it can be started; here is asked whether its being active means that it works, and its being
inactive that it is gone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from backstay_agent.drivers.tools.sentences import has_no_process

from .closure import HANDLERS, Known, closure

FOREVER_US: Final = (1 << 64) - 1
_ENDS_THE_HOST: Final = ("FailureAction", "SuccessAction", "StartLimitAction", "JobTimeoutAction")
_ENDS: Final = re.compile(
    r"(?:ctrl-alt-del|default|emergency|exit|halt|kexec|poweroff|reboot|rescue|shutdown|soft-reboot|systemd-(?:halt|kexec|poweroff|reboot))"
    r"\.(?:target|service)"
)
_SHELL: Final = re.compile(r"(?:\S*/)?(?:sh|bash|dash) -[a-z]*c ")
_NOTHING: Final = re.compile(
    r"(?:exec )?(?:(?:\S*/)?env )?(?:\S*/)?"
    r"(?:(?:true|:|exit|echo|printf|logger)(?:\s.*)?|sleep (?:inf(?:inity)?|[0-9.]{1,3}[smh]?)|tail -f /dev/null)"
)
# Where a shell writes into a file, or runs another program in the words of a harmless one.
_AND_YET: Final = re.compile(r"[>`]|\$\(")
# At their word another daemon, or PID 1, starts something elsewhere. (podman's own children are found: `tools/escaped_processes.py`.)
_FOR_OTHERS: Final = frozenset(
    {"docker", "docker-compose", "podman-remote", "nerdctl", "ctr", "virsh", "machinectl", "lxc", "incus"}
)
_TO_PID_1: Final = frozenset({"systemctl", "service", "invoke-rc.d", "deb-systemd-invoke"})
_VERBS: Final = frozenset(
    {"run", "start", "up", "create", "restart", "launch", "deploy", "isolate", "reload-or-restart"}
)
_STARTS: Final = ("ExecStart", "ExecStartPre", "ExecStartPost")


def not_fit(
    unit: str, known: Known, pulled_in: Sequence[str], *, asked: bool, scripts: Sequence[str] = ()
) -> str | None:
    """Why its state says too little, or it would not stay up; None if it is fit. `asked`: a probe says whether it works.

    `pulled_in`: the units that it makes run (`closure.pulled_in_by`). `scripts`: text of what it starts, as far as that is text.
    """
    properties = known[unit]
    # Of these it would be said again.
    working = [name for name in pulled_in if known.get(name, {}).get("Type") != "oneshot"]
    return (
        _does_nothing(unit, known, pulled_in)
        or _works_elsewhere(unit, properties, scripts)
        or _needs_a_probe(unit, properties, working, asked=asked)
        or _would_not_stay(unit, properties)
        or _lacks(unit, known)
        or _ends_the_host(unit, properties)
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
    in_scripts = [line.partition("#")[0] for text in scripts for line in text.splitlines()[:2000]]
    for line in [*said, *in_scripts]:
        by = _delegates_to(line)
        if by in _TO_PID_1 and (line in said or has_no_process(properties)):
            return (
                f"name the unit that {unit} starts by {by} ({line.strip()[:200]}): here it would start and stop unseen"
            )
        if by and by not in _TO_PID_1:
            return (
                f"{unit} has its work done by {by}, outside of its control group, so that a stop could not be verified;"
                " use a `command` resource whose check asks for it"
            )
    return None


def _delegates_to(line: str) -> str:
    """The program in this command line that has somebody else start the work; empty if there is none."""
    for command in re.split(r"[;&|()`]+", line):
        words = command.replace("'", " ").replace('"', " ").split()
        for at, word in enumerate(words):
            program, rest = str(word.rpartition("/")[2]), words[at + 1 :]
            if program == "systemd-run" and "--scope" not in rest:
                return program
            if program == "service" and at and not word.startswith("/"):
                continue  # a word of somebody else's
            if not (_VERBS & set(rest) or {"enable", "--now"} <= set(rest)):
                continue
            if program == "podman" and "--remote" in rest:
                return "podman --remote"
            if program in _FOR_OTHERS | _TO_PID_1:
                return program
            if word in ("echo", "printf"):
                break
    return ""


def scripts_of(properties: Mapping[str, Any]) -> list[str]:
    """Paths of programs that may be scripts and do what they do by other programs."""
    return sorted({str(command[0]) for command in properties.get("ExecStart", [])})


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


def _would_not_stay(unit: str, properties: Mapping[str, Any]) -> str | None:
    if properties.get("StopWhenUnneeded"):
        return f"{unit} has StopWhenUnneeded=yes: systemd would stop it as soon as we had started it"
    if int(properties.get("RuntimeMaxUSec", FOREVER_US)) not in (FOREVER_US, 0):
        return f"{unit} has RuntimeMaxSec=: systemd would end it after a while"
    return None


def _lacks(unit: str, known: Known) -> str | None:
    properties = known[unit]
    for kind in ("BindsTo", "Requires", "Requisite"):
        for name in properties.get(kind, []):
            other = known.get(name)
            if other is None:
                continue
            if other.get("LoadState") in ("not-found", "masked") and not _is_up(other):
                return f"{unit} needs {name} ({kind}=), which this host does not have ({other['LoadState']})"
            if (kind == "Requisite" or name.endswith(".device")) and not _is_up(other):
                return f"{unit} needs {name} ({kind}=), which is {other.get('ActiveState')} and would not be started for it"
    for name in properties.get("Conflicts", []):
        other = known.get(name, {})
        if _is_up(other):
            return f"{unit} has Conflicts={name}, which is active here: starting one would stop the other"
        if name in {
            n for kind in ("Requires", "BindsTo", "Requisite", "Wants", "Upholds") for n in properties.get(kind, [])
        }:
            return f"{unit} conflicts with {name} and pulls it in: one of them would stop the other"
    return None


def _ends_the_host(unit: str, properties: Mapping[str, Any]) -> str | None:
    for setting in _ENDS_THE_HOST:
        if (value := str(properties.get(setting, "none"))) not in ("none", ""):
            return f"{unit} has {setting}={value}: what happens to it would happen to the host"
    for setting in HANDLERS:
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
