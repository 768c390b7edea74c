"""Looks how a host is set up, in one respect: an account, a group, a setting of the kernel, a module of it, or the files of units."""

from __future__ import annotations

import asyncio
import grp
import os
import pwd
from collections.abc import Awaitable, Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final

from backstay_api.objects.plain import HostSetting
from backstay_api.objects.prerequisites import key_of_setting, sysctl_file

from .base import Observed
from .tools.bus import BusError
from .tools.file_system_looks import NoAnswer, look
from .tools.prerequisite_looks import look_or
from .tools.regular_files import Unfit, fingerprint, group, opened
from .tools.sentences import nobody, not_told, otherwise

UnitProperties = Callable[[str], Awaitable[Mapping[str, Any]]]
"""All properties of a unit, as systemd has it loaded. Raises BusError."""
OURS: Final = ("zz-backstay", "zy-backstay")
"""How the drop-ins begin that the agent lays: they are another matter on the host that runs a unit."""
MOST_SHOWN: Final = 200
"""Characters of a value; of a longer one a fingerprint is told."""
ANSWER_S: Final = 5.0
"""A directory service takes its time for an account that it has not told of lately."""
_SYSCTL_BYTES: Final = 64 * 1024
_READ_AGAIN: Final = 3
_READ_AGAIN_S: Final = 1.0
"""systemd reads what the agent itself has laid within that."""


async def unseen(unit: str) -> Mapping[str, Any]:
    """Where nobody can be asked about units."""
    raise BusError("", not_told(unit))


class SettingLooks:
    """`base.Looker` at settings."""

    def __init__(self, properties: UnitProperties, *, proc: Path = Path("/proc"), sys: Path = Path("/sys")) -> None:
        self._properties = properties
        self._proc, self._sys = proc, sys

    async def __call__(self, spec: HostSetting, salt: str) -> Observed:
        if spec.units:
            return await self._units(spec.units, salt)
        how = partial(look_at_setting, spec, salt, self._proc, self._sys)
        return await look_or(Observed, key_of_setting(spec), how, limit_s=ANSWER_S, asked=(spec, salt))

    async def _units(self, units: tuple[str, ...], salt: str) -> Observed:
        whys, facts = list[str](), dict[str, str]()
        for unit in units:
            try:
                files = await self._files(unit)
                facts[unit] = await look(
                    f"files of {unit} ({salt})", partial(look_at_unit, files, salt), limit_s=ANSWER_S
                )
            except (BusError, Unfit, NoAnswer) as error:
                whys.append(str(error))
        return Observed("; ".join(whys), facts)

    async def _files(self, unit: str) -> tuple[str, ...]:
        """The unit's own file and its drop-ins, in their order. Raises Unfit, BusError."""
        for attempt in range(_READ_AGAIN):
            known = await self._properties(unit)
            if state := {"masked": "is masked", "not-found": "does not exist"}.get(str(known.get("LoadState"))):
                raise Unfit(f"unit {unit} {state}")
            if not known.get("NeedDaemonReload"):
                paths = (str(known.get("FragmentPath") or ""), *map(str, known.get("DropInPaths") or ()))
                return tuple(path for path in paths if path and not os.path.basename(path).startswith(OURS))
            if attempt + 1 < _READ_AGAIN:
                await asyncio.sleep(_READ_AGAIN_S)
        raise Unfit(f"systemd has not read the files of {unit} since they were edited: systemctl daemon-reload")


def look_at_setting(spec: HostSetting, salt: str, proc: Path, sys: Path) -> Observed:
    """What is seen of anything but units, by the process that looks."""
    if spec.user:
        return _user(spec.user, spec.groups or ())
    if spec.group:
        return _group(spec.group)
    return _sysctl(spec, salt, proc) if spec.sysctl else _module(str(spec.module), sys)


def look_at_unit(paths: tuple[str, ...], salt: str) -> str:
    """A fingerprint of what the files say, by the process that looks. In which folder they lie says nothing. Raises Unfit."""
    parts = list[bytes]()
    for number, path in enumerate(paths):
        with opened(path) as file:
            name = os.path.basename(path) if number else ""
            data = file.read()
            parts.append(b"%s\0%d\0%s" % (name.encode(errors="surrogateescape"), len(data), data))
    return fingerprint(b"".join(parts), salt)


def _user(name: str, wanted: tuple[str, ...]) -> Observed:
    try:
        one = pwd.getpwnam(name)
    except KeyError:
        return Observed(nobody("user", name))
    further = sorted(group(gid) for gid in os.getgrouplist(name, one.pw_gid) if gid != one.pw_gid)
    lacks = [each for each in wanted if each not in (*further, group(one.pw_gid))]
    facts = {
        "uid": str(one.pw_uid),
        "gid": str(one.pw_gid),
        "home": one.pw_dir,
        "shell": one.pw_shell,
        "groups": ", ".join(further) or "none",
    }
    return Observed(f"user {name} is not in {', '.join(lacks)}" if lacks else "", facts)


def _group(name: str) -> Observed:
    try:
        return Observed("", {"gid": str(grp.getgrnam(name).gr_gid)})
    except KeyError:
        return Observed(nobody("group", name))


def _sysctl(spec: HostSetting, salt: str, proc: Path) -> Observed:
    path = str(proc / sysctl_file(str(spec.sysctl)).removeprefix("/proc/"))
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return Observed(f"the kernel of this host has no setting {spec.sysctl} that can be read")
    try:
        value = " ".join(os.read(fd, _SYSCTL_BYTES).decode(errors="replace").split())
    except OSError as error:
        return Observed(f"sysctl {spec.sysctl} cannot be read: {error.strerror}")
    finally:
        os.close(fd)
    shown = value if len(value) <= MOST_SHOWN else fingerprint(value.encode(), salt)
    why = otherwise(f"sysctl {spec.sysctl}", shown, spec.value) if spec.value not in (None, value) else ""
    return Observed(why, {"value": shown})


def _module(name: str, sys: Path) -> Observed:
    """Loaded, or a part of the kernel: of that without parameters nothing is seen but its name in a list."""
    plain = name.replace("-", "_")
    folder = sys / "module" / plain
    if not folder.is_dir() and plain not in _built_in():
        return Observed(f"module {name} is not loaded")
    return Observed("", {"version": "".join(_lines(folder / "version")) or "none"})


def _built_in() -> set[str]:
    listed = Path("/lib/modules") / os.uname().release / "modules.builtin"
    return {os.path.basename(line).partition(".")[0].replace("-", "_") for line in _lines(listed)}


def _lines(path: Path) -> Iterator[str]:
    try:
        yield from path.read_text(errors="replace").splitlines()
    except OSError:
        return
