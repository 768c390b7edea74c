"""The programs that check, mount and unmount: each in a unit of its own, so that one that hangs in the kernel holds up nobody,
and is found and waited for by who comes after it."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from functools import partial
from typing import Final, Protocol

from backstay_agent.drivers.base import StartFailed
from backstay_agent.drivers.tools.file_system_looks import NoAnswer, look
from backstay_agent.drivers.tools.manager import Manager
from backstay_agent.drivers.tools.programs import PATH
from backstay_agent.drivers.tools.transient import Ended, Setting, run_once
from backstay_agent.drivers.tools.verified_stop import bring_down
from backstay_api.objects.devices import is_network
from backstay_api.objects.mounts import is_bind
from backstay_api.objects.plain import Mount

from .notes import digest
from .sources import Source, is_ext, other_user

PREFIX: Final = "backstay-mount-"
ALWAYS: Final = ("nosuid", "nodev")
"""Whoever writes to a disk elsewhere does not gain rights here."""
# What they say stands in statuses, beside our own sentences; nothing is decided by it.
_IN_ENGLISH: Final[Sequence[Setting]] = [("Environment", ("as", ["LC_ALL=C.UTF-8"]))]
_KILL_S: Final = 1.0
_MENDED: Final = (0, 1, 2)
"""What e2fsck says of a file system that may be used."""


def lacks(program: str, what_for: str) -> str:
    """That a program is missing on this host, as a sentence."""
    return f"{program}, which is needed for {what_for}, is not installed"


class Programs(Protocol):
    """Runs a program for the mount at a path."""

    async def run(self, path: str, argv: Sequence[str], timeout_s: float) -> Ended:
        """To its end. Raises NoAnswer if it cannot even be killed."""

    async def end(self, path: str, timeout_s: float) -> None:
        """What an earlier call, or an earlier agent, has left running for this path is over. Raises StopFailed."""

    async def wanting(self, unit: str) -> str:
        """What would start this unit, that an admin wrote, at a boot; empty if nothing would."""


class UnitPrograms:
    """`Programs` in transient units of systemd."""

    def __init__(self, manager: Manager) -> None:
        self._manager = manager

    async def run(self, path: str, argv: Sequence[str], timeout_s: float) -> Ended:
        try:
            unit, wait_s = f"{PREFIX}{digest(path)}", timeout_s + _KILL_S
            return await run_once(self._manager, unit, argv, timeout_s, more=_IN_ENGLISH, wait_s=wait_s)
        except TimeoutError as error:
            raise NoAnswer(f"{argv[0]} hangs in the kernel, and cannot be killed") from error

    async def end(self, path: str, timeout_s: float) -> None:
        for unit in await self._manager.loaded(f"{PREFIX}{digest(path)}-*.service"):
            await bring_down(self._manager, unit, timeout_s)

    async def wanting(self, unit: str) -> str:
        properties = await self._manager.properties(unit)
        wanting = [*properties.get("WantedBy", ()), *properties.get("RequiredBy", ())]
        return str(wanting[0]) if wanting and properties.get("FragmentPath") else ""


async def found(program: str) -> str:
    """Where it is; empty if it is not installed. Raises NoAnswer."""
    return await look(f"{program} (program)", partial(shutil.which, program, path=PATH)) or ""


async def needed(spec: Mount, source: Source | None) -> list[str]:
    """The programs that a start of it calls."""
    names = ["mount", "umount"]
    names += ["mount.nfs"] if is_network(spec.device) else []
    return names + (["e2fsck"] if source is not None and await _is_checked(spec, source) else [])


async def check_and_mount(programs: Programs, spec: Mount, source: Source, timeout_s: float) -> None:
    """Raises StartFailed, NoAnswer."""
    is_checked = await _is_checked(spec, source)
    if is_checked:
        await _checked(programs, spec, source, timeout_s)
    fs_type = spec.fs_type or ("nfs" if is_network(spec.device) else None)
    argv = [await found("mount"), *(["-t", fs_type] if fs_type and not is_bind(spec) else [])]
    argv += ["-o", ",".join((*ALWAYS, *(spec.options or ())))]
    ended = await programs.run(spec.path, [*argv, "--", source.name, spec.path], timeout_s)
    if ended.exit_code != 0:
        # Whoever is said to have it has taken it since the check, which found nobody.
        who = await _used_by_another(spec, source) if is_checked else ""
        raise StartFailed(who or f"{spec.device}: {ended.why}")


async def _is_checked(spec: Mount, source: Source) -> bool:
    if is_bind(spec) or is_network(spec.device) or "ro" in (spec.options or ()):
        return False
    if spec.fs_type:
        return spec.fs_type.startswith("ext")
    if not source.dev:
        return False  # of a volume that is not active nobody can say it yet
    return await look(f"{source.name} (type)", partial(is_ext, source.name))


async def _checked(programs: Programs, spec: Mount, source: Source, timeout_s: float) -> None:
    ended = await programs.run(spec.path, [await found("e2fsck"), "-p", source.name], timeout_s)
    if ended.exit_code in _MENDED:
        return
    why = await _used_by_another(spec, source) if ended.exit_code == 8 else ""
    raise StartFailed(why or f"{spec.device} is not mounted before somebody has mended it by hand: {ended.why}")


async def _used_by_another(spec: Mount, source: Source) -> str:
    try:
        who = await look(f"{source.name} (user)", partial(other_user, source.name))
    except OSError:
        return ""
    return f"{spec.device} is in use: its file system (ext4 MMP) says that {who} has it mounted" if who else ""
