"""Who has somebody else do the work, by the words of a command line: another daemon, PID 1, or a scope of its own. Pure.

What is started so lives outside of the unit's control group, and not for its sake: it does not stop with it. Known are names of
programs and what they are told to do; not what they do by themselves, nor what is said through an API.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import takewhile
from typing import Final

IN_A_SCOPE: Final = "systemd-run --scope"
"""A child of the unit in another control group. With a title over its environment, and its parent gone, nothing leads to it any more."""

_CONTAINERS: Final = frozenset(
    {
        *("run", "start", "up", "create", "restart", "unpause", "resume", "launch", "exec", "play"),
        *("deploy", "scale", "update", "rollback", "watch"),
    }
)
_MACHINES: Final = frozenset({"start", "create", "resume", "unpause", "restore", "migrate", "reboot", "reset"})
_JOBS: Final = frozenset(
    {"StartUnit", "StartUnitReplace", "StartUnitWithFlags", "RestartUnit", "ReloadOrRestartUnit", "EnqueueUnitJob"}
)
# At their word another daemon starts something. (podman's own children are found: `tools/escaped_processes.py`.)
_FOR_OTHERS: Final[Mapping[str, frozenset[str]]] = {
    "docker": _CONTAINERS,
    "docker-compose": _CONTAINERS,
    "podman-remote": _CONTAINERS,
    "nerdctl": _CONTAINERS,
    "ctr": _CONTAINERS,
    "crictl": _CONTAINERS | {"runp"},
    "lxc": _CONTAINERS,
    "incus": _CONTAINERS,
    "machinectl": frozenset({"start", "enable", "shell", "login", "reboot"}),
    "virsh": _MACHINES | {"autostart"},
    "xl": _MACHINES,
    "qm": _MACHINES,
    "pct": _MACHINES | {"exec"},
    "VBoxManage": frozenset({"startvm", "resume", "reset"}),
    "vboxmanage": frozenset({"startvm", "resume", "reset"}),
    "vmrun": frozenset({"start", "unpause", "reset"}),
    "multipass": frozenset({"start", "launch", "restart", "exec"}),
    "vagrant": frozenset({"up", "reload", "resume"}),
    # Not `run`: it is how the units that snapd makes start their daemon.
    "snap": frozenset({"start", "restart", "enable", "install", "refresh"}),
    "supervisorctl": frozenset({"start", "restart", "reload", "update", "add"}),
    "pm2": frozenset(
        {"start", "restart", "reload", "gracefulReload", "scale", "startOrRestart", "startOrReload", "deploy"}
    ),
    "monit": frozenset({"start", "restart", "monitor"}),
}
# These have no verb: what they are told first. In prose, as scripts have it in their help, a line may begin so too.
_FIRST_WORDS: Final[Mapping[str, re.Pattern[str]]] = {
    "virt-install": re.compile(r"-\S*"),
    "at": re.compile(r"-[^lrdcV]\S*|now|\d\d?:\d\d\S*|midnight|noon|teatime|tomorrow"),
    "batch": re.compile(r"|-[^V]\S*|<\S*"),
}
_TO_PID_1: Final[Mapping[str, frozenset[str]]] = {
    "systemctl": frozenset({"start", "restart", "isolate", "reload-or-restart"}),
    "service": frozenset({"start", "restart", "--full-restart"}),
    "invoke-rc.d": frozenset({"start", "restart"}),
    "deb-systemd-invoke": frozenset({"start", "restart"}),
    "busctl": _JOBS,
    "gdbus": _JOBS,
    "dbus-send": _JOBS,
}
_NOW: Final = ("enable", "reenable")
_TRANSIENT: Final = "StartTransientUnit"
# These call `systemctl` where their parent is not PID 1.
_PG_CTLCLUSTER: Final = "pg_ctlcluster"
_INIT_SCRIPTS: Final = "/etc/init.d/"
_BY_THEMSELVES: Final = frozenset({"start", "restart"})
_DETACH: Final = re.compile(r"-d|--detach(=true)?")
_REMOTE: Final = re.compile(r"-r|--remote(=true)?|(--url|--connection|-c)(=.*)?")
# Names that are words of English as well: meant only where a command begins.
_WORDS: Final = frozenset({"service", "at", "batch", "snap", "monit"})
# Many products have a program of these names, which is their own.
_DEBIANS: Final = frozenset({"service", "at", "batch"})
_PLACES: Final = re.compile(r"/(usr/)?s?bin/\w+")
_REMARK: Final = re.compile(r"(?:^|(?<=[\s;&|()]))#")
"""`$#` and `${1#x}` begin none."""
_BEFORE_A_COMMAND: Final = re.compile(
    r"(?:\S*/)?(?:exec|command|nohup|setsid|nice|ionice|time|sudo|env|sh|bash|dash)|-\S*|\w+=\S*|then|else|do|if|while|until|!|\{"
)
_MOST_LINES: Final = 2000


def lines_of(script: str) -> Iterator[str]:
    """What a script says, a command line at a time, without its remarks."""
    for line in script.replace("\\\n", " ").splitlines()[:_MOST_LINES]:
        yield _without_remark(line)


def _without_remark(line: str) -> str:
    """What stands between quotes is none; where that is not plain, it is read as a command."""
    found = (one.start() for one in _REMARK.finditer(line))
    end = next((at for at in found if not any(line.count(quote, 0, at) % 2 for quote in "'\"")), len(line))
    return line[:end]


def is_to_pid_1(by: str) -> bool:
    """Whether this (`delegates_to`) has a unit started, which could be named itself."""
    return by in _TO_PID_1 or by == _PG_CTLCLUSTER or by.startswith(_INIT_SCRIPTS)


def delegates_to(line: str) -> str:
    """The program in this command line that has somebody else start the work; empty if there is none."""
    for command in re.split(r"[;&|()`\n]+", line):
        words = command.replace("'", " ").replace('"', " ").split()
        for at, word in enumerate(words):
            program = str(word.rpartition("/")[2])
            if program in ("echo", "printf"):
                break
            if program in _DEBIANS and word.startswith("/") and not _PLACES.fullmatch(word):
                continue
            if program in _WORDS and not word.startswith("/") and not all(map(_BEFORE_A_COMMAND.fullmatch, words[:at])):
                continue  # a word of somebody else's
            if by := _starts_elsewhere(word, program, words[at + 1 :]):
                return by
    return ""


def _starts_elsewhere(word: str, program: str, rest: Sequence[str]) -> str:
    """The same of one program with its arguments."""
    if word.startswith(_INIT_SCRIPTS):
        return word if not _BY_THEMSELVES.isdisjoint(rest) else ""
    told = _FOR_OTHERS.get(program) or _TO_PID_1.get(program, frozenset())
    if not told.isdisjoint(rest):
        return program
    special = _SPECIAL.get(program)
    return special(program, rest) if special is not None else ""


def _in_a_unit_or_scope(program: str, rest: Sequence[str]) -> str:
    return IN_A_SCOPE if "--scope" in rest else program


def _elsewhere_by_podman(program: str, rest: Sequence[str]) -> str:
    flags = takewhile(lambda one: one not in _CONTAINERS, rest)
    is_remote = any(map(_REMOTE.fullmatch, flags))
    return f"{program} --remote" if is_remote and not _CONTAINERS.isdisjoint(rest) else ""


def _by_postgresql(program: str, rest: Sequence[str]) -> str:
    return program if not _BY_THEMSELVES.isdisjoint(rest) and "--skip-systemctl-redirect" not in rest else ""


def _by_its_first_word(program: str, rest: Sequence[str]) -> str:
    return program if _FIRST_WORDS[program].fullmatch(rest[0] if rest else "") else ""


def _on_a_bus(program: str, rest: Sequence[str]) -> str:
    """D-Bus tools name a method with its interface, or without."""
    methods = {one.rpartition(".")[2] for one in rest}
    return f"{program} {_TRANSIENT}" if _TRANSIENT in methods else program if methods & _JOBS else ""


def _detached(program: str, rest: Sequence[str]) -> str:
    """What lives on without it has neither our mark, nor a parent in the unit, nor the unit's control group."""
    is_detached = "run" in rest and any(map(_DETACH.fullmatch, rest))
    return program if is_detached or not {"start", "restore"}.isdisjoint(rest) else ""


def _started_now(program: str, rest: Sequence[str]) -> str:
    return program if "--now" in rest and not set(_NOW).isdisjoint(rest) else ""


# Of whom the verb alone does not tell it.
_SPECIAL: Final[Mapping[str, Callable[[str, Sequence[str]], str]]] = {
    "systemd-run": _in_a_unit_or_scope,
    "podman": _elsewhere_by_podman,
    **dict.fromkeys(("runc", "crun"), _detached),
    _PG_CTLCLUSTER: _by_postgresql,
    "systemctl": _started_now,
    **dict.fromkeys(_FIRST_WORDS, _by_its_first_word),
    **dict.fromkeys(("busctl", "gdbus", "dbus-send"), _on_a_bus),
}
