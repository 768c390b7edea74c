"""Processes that a unit started and that have left its control group: found by their mark or by their parents, and ended.

Our drop-in puts a mark into the environment of whatever the unit starts. Children inherit it into scopes and other control
groups (`systemd-run --scope`, podman's conmon, `machinectl shell` of a child); a container's payload, whose environment is new, is
still the child of one that has it. Not found: what another daemon starts at the unit's word (docker, libvirt); such a unit is refused.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from .looks import look
from .units import MARK_VARIABLE

TERM_S: Final = 5.0
"""Between SIGTERM and SIGKILL, where nothing says how long such a process takes."""
KILL_S: Final = 5.0
_LOOK_AGAIN_S: Final = 0.05
_SCAN_LIMIT_S: Final = 10.0


@dataclass(frozen=True)
class Stray:
    """A process outside of its unit's control group."""

    pid: int
    born: str
    """When it was started, as the kernel counts: with the number it names a process for ever."""
    name: str
    group: str

    @property
    def words(self) -> str:
        return f"{self.pid} ({self.name}, in {self.group.rpartition('/')[2] or 'the root group'})"


async def find(units: Collection[str], groups: Collection[str], *, proc: Path = Path("/proc")) -> list[Stray]:
    """What these units started and what is in none of these control groups."""
    found = await look(
        f"{proc} for what {sorted(units)} started", lambda: scan(units, groups, proc=proc), limit_s=_SCAN_LIMIT_S
    )
    return list(found)


async def end(known: list[Stray], units: Collection[str], groups: Collection[str], term_s: float) -> list[Stray]:
    """End them all, politely first; returns what is still there."""
    loop = asyncio.get_running_loop()
    began_s, asked, last = loop.time(), set[Stray](), signal.SIGTERM
    while left := await _still_there(known, units, groups):
        passed_s = loop.time() - began_s
        if passed_s > term_s + KILL_S:
            return left
        number = signal.SIGTERM if passed_s < term_s else signal.SIGKILL
        if number is not last:
            asked, last = set(), number
        for stray in left:
            if stray not in asked:
                asked.add(stray)
                _send(stray, number)
        await asyncio.sleep(_LOOK_AGAIN_S)
    return []


def scan(units: Collection[str], groups: Collection[str], *, proc: Path = Path("/proc")) -> list[Stray]:
    """As `find`, at once."""
    inside: set[int] = set()
    marked: set[int] = set()
    processes = dict(_all(proc))
    marks = {f"{MARK_VARIABLE}={unit}".encode() for unit in units}
    for pid in processes:
        if _is_in(_group(proc, pid), groups):
            inside.add(pid)
        elif marks & set(_read(proc / str(pid) / "environ").split(b"\0")):
            marked.add(pid)
    strays = [
        pid for pid in processes if pid not in inside and (pid in marked or _descends(pid, processes, inside | marked))
    ]
    found = [Stray(pid, processes[pid][1], _name(proc, pid), _group(proc, pid)) for pid in strays]
    # It may have gone in, or away, while we looked.
    return [stray for stray in found if stray.name and not _is_in(stray.group, groups)]


async def _still_there(known: list[Stray], units: Collection[str], groups: Collection[str]) -> list[Stray]:
    """The first ones, though the parents that told them are gone, and whoever came since."""
    found = {stray.pid: stray for stray in await find(units, groups)}
    alive = [stray for stray in known if _stat(Path("/proc"), stray.pid)[1:] == (stray.born,)]
    return [*found.values(), *(stray for stray in alive if stray.pid not in found)]


def _send(stray: Stray, number: signal.Signals) -> None:
    with suppress(OSError):
        handle = os.pidfd_open(stray.pid)
        try:
            if _stat(Path("/proc"), stray.pid)[1:] == (stray.born,):
                signal.pidfd_send_signal(handle, number)
        finally:
            os.close(handle)


def _descends(pid: int, processes: dict[int, tuple[int, str]], from_: set[int]) -> bool:
    seen: set[int] = set()
    while pid in processes and pid not in seen:
        seen.add(pid)
        pid = processes[pid][0]
        if pid in from_:
            return True
    return False


def _all(proc: Path) -> Iterator[tuple[int, tuple[int, str]]]:
    for entry in os.listdir(proc):
        if entry.isdigit() and (stat := _stat(proc, int(entry))):
            yield int(entry), (int(stat[0]), stat[1])


def _stat(proc: Path, pid: int) -> tuple[str, ...]:
    """Parent and time of birth; empty if it is gone, or dead and only not buried yet."""
    fields = _read(proc / str(pid) / "stat").decode(errors="replace").rpartition(")")[2].split()
    return (fields[1], fields[19]) if len(fields) > 19 and fields[0] not in "ZX" else ()


def _is_in(group: str, groups: Collection[str]) -> bool:
    return any(group == one or group.startswith(f"{one}/") for one in groups)


def _group(proc: Path, pid: int) -> str:
    lines = _read(proc / str(pid) / "cgroup").decode(errors="replace").splitlines()
    return next((line.removeprefix("0::") for line in lines if line.startswith("0::")), "")


def _name(proc: Path, pid: int) -> str:
    return _read(proc / str(pid) / "comm").decode(errors="replace").strip()


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError:
        return b""
