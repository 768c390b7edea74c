"""As whom, where, with which variables, and kept from what of the host the programs of a command run: as settings of their units,
and whether this host can run them so, which systemd is asked itself.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Final

from .file_system_looks import look
from .manager import Manager
from .programs import may_come
from .sentences import nobody
from .service_mounts import comes_with_it
from .transient import Ended, Setting, environment_list, run_once

if TYPE_CHECKING:
    from backstay_api.objects.plain import Command

LOOK_S: Final = 2.0
"""Who looks up users over a network and takes longer does not start in time either."""
_TEST: Final = "/usr/bin/test"
_SYSTEM: Final = {"Full": "full", "Strict": "strict"}
_HOME: Final = {"Inaccessible": "yes", "ReadOnly": "read-only"}

# How systemd says that it did not come to run the program (systemd.exec(5), "Process Exit Codes").
_CHDIR: Final = 200
_GROUP: Final = 216
_USER: Final = 217
_NAMESPACE: Final = 226


def settings_of(command: Command, ours: Sequence[str], *, beside: str = "") -> list[Setting]:
    """Of each unit that runs a program of it. `ours`: variables that win over its own; `beside`: the unit whose /tmp it sees as well."""
    # systemd refuses a block that names a variable twice.
    variables = {**(command.environment or {}), **dict(word.split("=", 1) for word in ours)}
    found: list[Setting] = [("Environment", ("as", environment_list(variables)))] if variables else []
    found += [(name, ("s", value)) for name, value in (("User", command.user), ("Group", command.group)) if value]
    if command.working_directory:
        found.append(("WorkingDirectory", ("s", command.working_directory)))
    return [*found, *_walls(command, beside)]


def _walls(command: Command, beside: str) -> list[Setting]:
    if (box := command.sandbox) is None:
        return []
    found: list[Setting] = []
    if box.protect_system:
        found.append(("ProtectSystem", ("s", _SYSTEM[box.protect_system])))
    if box.protect_home:
        found.append(("ProtectHome", ("s", _HOME[box.protect_home])))
    if box.private_tmp:
        found.append(("PrivateTmp", ("b", True)))
        # What a start has put there, a PID file for instance, its stop and its check look for.
        found += [("JoinsNamespaceOf", ("as", [beside]))] if beside else []
    if box.read_write_paths:
        found.append(("ReadWritePaths", ("as", list(box.read_write_paths))))
    return found


def words_of(command: Command, exit_code: int | None) -> str:
    """What systemd means by it where it has not come to run the program; empty if it has."""
    match exit_code:
        case int(code) if code == _USER and command.user:
            return f"{nobody('user', command.user)} on this host"
        case int(code) if code == _GROUP and (command.user or command.group):
            return f"{nobody('group', command.group or command.user or '')} on this host"
        case int(code) if code == _CHDIR and command.working_directory:
            return f"{_who(command)} cannot enter its workingDirectory {command.working_directory}"
        case int(code) if code == _NAMESPACE and command.sandbox:
            return "its sandbox cannot be set up"
    return ""


def _who(command: Command) -> str:
    return f"user {command.user}" if command.user else "root"


async def obstacle(manager: Manager, command: Command, program: str, stem: str) -> str | None:
    """Why this host cannot run this program so, in a sentence; None if it can, or may once a disk is mounted. Raises BusError, NoAnswer.

    systemd looks up the user in a process of its own, which may hang: it is ended then.
    """
    if not (command.user or command.group or command.working_directory or command.sandbox):
        return None
    if comes_with_it(program) or comes_with_it(command.working_directory or ""):
        return None
    more = settings_of(command, ())
    try:
        # What hangs in the kernel does not end either: that is not waited for.
        ended = await run_once(manager, stem, (_TEST, "-x", program), LOOK_S, more=more, wait_s=2 * LOOK_S)
    except TimeoutError:
        return _silent(command, program)
    if ended.exit_code == 0:
        return None
    if not ended.in_time:
        return _silent(command, program)
    return await look(f"{program}, for {stem}", partial(_why_not, command, program, ended))


def _silent(command: Command, program: str) -> str:
    return (
        f"whether {_who(command)} may run {program} gets no answer within {LOOK_S:g} s: who is asked for users"
        " (/etc/nsswitch.conf) or a file system hangs"
    )


def _why_not(command: Command, program: str, ended: Ended) -> str | None:
    """Reads the file system."""
    if ended.exit_code == 1:
        return None if may_come(program) else f"{_who(command)} may not run {program}"
    needed = [command.working_directory] if ended.exit_code == _CHDIR else []
    if ended.exit_code == _NAMESPACE and command.sandbox:
        needed = [*(command.sandbox.read_write_paths or ())]
    lacking = [path for path in needed if path and not os.path.exists(path)]
    if lacking and all(map(may_come, lacking)):
        return None
    what = words_of(command, ended.exit_code) or ended.why
    return f"{what}: {lacking[0]} does not exist" if lacking else what
