"""What a unit will need at its start, as far as that can be seen beforehand: its programs, its user, its files of variables.

Only what stands on the system's own disk, or is known to nobody: a program on a disk that moves with the service is not there
yet, and a file below /run may be made by then.
"""

from __future__ import annotations

import grp
import os
import pwd
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

from backstay_agent.drivers.tools.file_system_looks import NoAnswer, look
from backstay_agent.drivers.tools.programs import may_come, not_runnable

_SYSTEM: Final = ("/usr/", "/bin/", "/sbin/", "/lib/", "/lib64/")
_PROGRAMS: Final = ("ExecCondition", "ExecStartPre", "ExecStart", "ExecStartPost")
_MOVING: Final = ("/run/", "/var/run/", "/tmp/")


async def lacking(unit: str, properties: Mapping[str, Any]) -> str | None:
    """What this host lacks for a start of the unit, in a sentence; None if nothing is known to be missing."""
    if properties.get("RootDirectory") or properties.get("RootImage"):
        return None  # its world is another one
    try:
        return await look(f"/ ({unit})", partial(_lacking, unit, dict(properties)))
    except NoAnswer as error:
        return str(error)


def _lacking(unit: str, properties: Mapping[str, Any]) -> str | None:
    for program in programs_of(properties):
        if why := not_runnable(program):
            return f"{unit} cannot be started: {why}"
    if not properties.get("DynamicUser"):
        for what, known in (("User", pwd.getpwnam), ("Group", grp.getgrnam)):
            if why := _unknown(what, str(properties.get(what, "")), known):
                return f"{unit} cannot be started: {why}"
    for file in files_of(properties):
        if not os.path.exists(file) and not may_come(file):
            return f"{unit} cannot be started: its EnvironmentFile {file} is missing"
    return None


def programs_of(properties: Mapping[str, Any]) -> list[str]:
    """Programs of the system that must be there, because their failure would be the unit's."""
    commands = [command for kind in _PROGRAMS for command in properties.get(kind, [])]
    found = {str(command[0]) for command in commands if not command[2]}
    return sorted(program for program in found if program.startswith(_SYSTEM))


def files_of(properties: Mapping[str, Any]) -> list[str]:
    """Files of variables that must be there."""
    named = [str(path) for path, is_optional in properties.get("EnvironmentFiles", []) if not is_optional]
    return [path for path in named if not path.startswith(_MOVING) and not any(char in path for char in "*?[")]


def _unknown(what: str, name: str, known: Callable[[str], object]) -> str | None:
    if not name or name.isdecimal():
        return None
    try:
        known(name)
    except KeyError:
        return f"this host has no {what.lower()} {name}"
    return None
