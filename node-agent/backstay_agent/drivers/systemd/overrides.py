"""Settings of a unit that are others while Backstay runs it: a drop-in of ours in `/run`, which goes with the stop, and with a boot.

It is sorted before the one that keeps the unit from starting by itself (`tools/units.py`), so that nothing in it could undo that.
"""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from pathlib import Path
from typing import Final

from backstay_agent.drivers.base import StartFailed
from backstay_agent.drivers.tools.bus import BusError
from backstay_agent.drivers.tools.manager import Manager
from backstay_agent.drivers.tools.units import open_folder, read_in, safe, write_in
from backstay_agent.drivers.tools.watch import Properties
from backstay_agent.threads import in_thread
from backstay_api.objects.plain import Systemd
from backstay_api.objects.unit_settings import fault_of

FILE: Final = "zy-backstay-overrides.conf"
FOLDER: Final = Path("/run/systemd/system")
_HEAD: Final = (
    "# Written by the Backstay agent, as the service's manifest says; it goes when Backstay stops the unit.\n"
)
# A stop does not wait for other units' starts. What is not read anew now is before the next start.
_READ_S: Final = 2.0


def text(spec: Systemd) -> str:
    """Content of the drop-in; empty if there is nothing to override."""
    lines = [f"{name}={value}" for name, value in sorted((spec.overrides or {}).items())]
    lines += [f"Environment={quoted(f'{name}={value}')}" for name, value in sorted((spec.environment or {}).items())]
    return "\n".join((f"{_HEAD}[Service]", *lines, "")) if lines else ""


def quoted(word: str) -> str:
    """As one word that systemd takes as it is."""
    for char, instead in (("\\", "\\\\"), ('"', '\\"'), ("%", "%%"), ("\n", "\\n"), ("\t", "\\t")):
        word = word.replace(char, instead)
    return f'"{word}"'


class Overrides:
    """These drop-ins of this host."""

    def __init__(self, manager: Manager, folder: Path = FOLDER) -> None:
        self._manager = manager
        self._folder = folder

    async def lay(self, spec: Systemd, known: Properties | None = None) -> None:
        """From now on systemd knows these of the unit, and no others. Raises StartFailed, BusError.

        `known`: what systemd has just told of the unit."""
        if why := fault_of(spec):
            raise StartFailed(f"{spec.unit}: {why}")
        wanted = text(spec)
        try:
            is_news = bool(wanted or self._path(spec.unit).parent.exists()) and await in_thread(
                self._put, spec.unit, wanted
            )
        except OSError as error:
            raise StartFailed(
                f"the overrides of {spec.unit} cannot be written below {self._folder}: {error}"
            ) from error
        known = known or await self._manager.properties(spec.unit)
        if is_news or self._is_in_force(spec.unit, known) is not bool(wanted):
            # In the second case an earlier life of ours died before systemd had read it.
            self._manager.reloads.changed(spec.unit)
        if not await self._manager.reloads.read([spec.unit]):
            return
        if self._is_in_force(spec.unit, await self._manager.properties(spec.unit)) is not bool(wanted):
            raise StartFailed(f"systemd does not read {self._path(spec.unit)}: systemctl cat {spec.unit}")

    async def take_away(self, unit: str) -> None:
        """There are none any more. Raises OSError."""
        if await in_thread(self._put, unit, ""):
            self._manager.reloads.changed(unit)
            with suppress(BusError, TimeoutError):
                async with asyncio.timeout(_READ_S):
                    await self._manager.reloads.read([unit])

    def _is_in_force(self, unit: str, properties: Properties) -> bool:
        is_old = properties.get("NeedDaemonReload") and self._path(unit).exists()
        return str(self._path(unit)) in properties.get("DropInPaths", []) and not is_old

    def _path(self, unit: str) -> Path:
        return self._folder / f"{safe(unit)}.d" / FILE

    def _put(self, unit: str, wanted: str) -> bool:
        """Says whether systemd must read it."""
        place = self._path(unit).parent
        if not wanted and not place.exists():
            return False
        self._folder.mkdir(mode=0o755, parents=True, exist_ok=True)
        with open_folder(self._folder, place.name, create=bool(wanted)) as folder:
            found = read_in(folder, FILE).decode(errors="replace")
            if found == wanted:
                return False
            if wanted:
                write_in(folder, FILE, wanted.encode())
                return True
            os.unlink(FILE, dir_fd=folder)
        with suppress(OSError):  # somebody else's drop-ins stay
            place.rmdir()
        return True
