"""What a unit will need at its start, as far as that can be seen beforehand: its programs, its user, its files and folders, its ports.

What lies on a disk that moves with the service is not there yet (`programs.may_come`), and what lies below /run may be made by then.
"""

from __future__ import annotations

import grp
import os
import pwd
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from ipaddress import ip_address
from typing import Any, Final

from backstay_agent.drivers.tools.file_system_looks import NoAnswer, look
from backstay_agent.drivers.tools.ports import listeners, owner
from backstay_agent.drivers.tools.programs import may_come, not_runnable
from backstay_agent.drivers.tools.service_mounts import comes_with_it

_PROGRAMS: Final = ("ExecCondition", "ExecStartPre", "ExecStart", "ExecStartPost")
_MOVING: Final = ("/run/", "/var/run/", "/tmp/")
# What systemd makes before the first program is begun.
_MADE: Final = {"StateDirectory": "/var/lib", "CacheDirectory": "/var/cache", "LogsDirectory": "/var/log"}
_WALLS: Final = ("ReadWritePaths", "ReadOnlyPaths", "BindPaths", "BindReadOnlyPaths")


async def lacking(unit: str, properties: Mapping[str, Any]) -> str | None:
    """What this host lacks for a start of the unit, in a sentence; None if nothing is known to be missing."""
    if properties.get("RootDirectory") or properties.get("RootImage"):
        return None  # its world is another one
    try:
        return await look(
            f"/ ({unit})", partial(_lacking, unit, dict(properties), programs_of(properties), paths_of(properties))
        )
    except NoAnswer as error:
        return str(error)


async def occupied(socket: str, properties: Mapping[str, Any]) -> str | None:
    """Who has a TCP port already on which this socket unit, which is down, would listen; None if nobody, as far as can be seen."""
    v6_only = properties.get("BindIPv6Only") == "ipv6-only"
    for kind, address in properties.get("Listen", []):
        host, colon, port = str(address).rpartition(":")
        if str(kind) != "Stream" or not colon or not port.isdecimal():
            continue  # a path, or a name in the abstract namespace
        try:
            how = partial(_holder, host.strip("[]"), int(port), v6_only=v6_only)
            who = await look(f"/proc (port {port} for {socket})", how)
        except (NoAnswer, OSError, ValueError):
            continue
        if who is not None:
            return f"{socket} cannot listen on {address}: port {port} is held by {who} already"
    return None


def _holder(host: str, port: int, *, v6_only: bool) -> str | None:
    there = [one for one in listeners(port) if one.bars(ip_address(host), v6_only=v6_only)]
    return owner(there[0].inode) if there else None


def _lacking(unit: str, properties: Mapping[str, Any], programs: list[str], paths: list[tuple[str, str]]) -> str | None:
    for program in programs:
        if why := not_runnable(program):
            return f"{unit} cannot be started: {why}"
    if not properties.get("DynamicUser"):
        for what, known in (("User", pwd.getpwnam), ("Group", grp.getgrnam)):
            if why := _unknown(what, str(properties.get(what, "")), known):
                return f"{unit} cannot be started: {why}"
    for setting, path in paths:
        if not os.path.exists(path) and not may_come(path):
            return f"{unit} cannot be started: its {setting} {path} is missing"
    return None


def programs_of(properties: Mapping[str, Any]) -> list[str]:
    """Programs that must be there, because their failure would be the unit's."""
    commands = [command for kind in _PROGRAMS for command in properties.get(kind, [])]
    found = {str(command[0]) for command in commands if not command[2]}
    here = (program for program in found if program.startswith("/") and not program.startswith(_MOVING))
    return sorted(program for program in here if not comes_with_it(program))


def paths_of(properties: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What else must be there, each with the setting that says so."""
    variables = [(path, is_optional) for path, is_optional in properties.get("EnvironmentFiles", [])]
    named = [("EnvironmentFile", str(path)) for path, is_optional in variables if not is_optional]
    named += [
        ("WorkingDirectory", str(properties.get("WorkingDirectory", "")))
    ]  # with ! before it where it may be missing
    if not properties.get("ExecStartPre"):  # it may make them, outside of these walls
        named += [(setting, path) for setting in _WALLS for path in _outside(properties.get(setting, []))]
    made = tuple(f"{root}/{name}/" for kind, root in _MADE.items() for name in properties.get(kind, []))
    here = ((setting, path) for setting, path in named if path.startswith("/") and not comes_with_it(path))
    return [(setting, path) for setting, path in here if not _is_made(path, made)]


def _outside(paths: Iterable[Any]) -> list[str]:
    """Of the walls around a unit: what must be there on the host itself."""
    return [path.lstrip("+") if isinstance(path, str) else "" if path[2] else str(path[0]) for path in paths]


def _is_made(path: str, made: tuple[str, ...]) -> bool:
    return f"{path}/".startswith((*_MOVING, *made)) or any(char in path for char in "*?[")


def _unknown(what: str, name: str, known: Callable[[str], object]) -> str | None:
    if not name or name.isdecimal():
        return None
    try:
        known(name)
    except KeyError:
        return f"this host has no {what.lower()} {name}"
    return None
