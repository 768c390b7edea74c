"""Processes that a unit started and that have left its control group: found by their mark or by their parents, and ended.

Our drop-in puts a mark into the environment of whatever the unit starts. Children inherit it into scopes and other control
groups (podman's conmon); a container's payload, whose environment is new, is still the child of one that has it. Not found: what has
no such parent left and has set its title over its environment, as many daemons do, and what another daemon starts at the unit's word
(docker, libvirt). So units that ask for a scope, or another daemon, are refused (`systemd/work_elsewhere.py`).
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from backstay_api.process.waiting import clock_s

from .file_system_looks import look
from .units import MARK_VARIABLE

TERM_S: Final = 5.0
"""Between SIGTERM and SIGKILL, where nothing says how long such a process takes."""
KILL_S: Final = 5.0
_LOOK_AGAIN_S: Final = 0.05
_SCAN_LIMIT_S: Final = 10.0
_CHUNK_BYTES: Final = 65536
_MARK: Final = f"{MARK_VARIABLE}=".encode()


@dataclass(frozen=True)
class Escaped:
    """A process outside of its unit's control group."""

    pid: int
    born: str
    """When it was started, as the kernel counts: with the number it names a process for ever."""
    name: str
    group: str

    @property
    def words(self) -> str:
        return f"{self.pid} ({self.name}, in {self.group.rpartition('/')[2] or 'the root group'})"


@dataclass(frozen=True)
class Process:
    """One process of the host, as far as it matters here."""

    parent: int
    born: str
    group: str
    mark: str
    """The unit that has started it, by the mark that it inherited."""


Processes = Mapping[int, Process]


async def find(units: Collection[str], groups: Collection[str], *, processes: Processes | None = None) -> list[Escaped]:
    """What these units started and what is in none of these control groups; looks anew if it is not told what runs."""
    return among(units, groups, processes if processes is not None else await running())


async def running() -> Processes:
    """Every process of this host, as it is now."""
    return await look("/proc", snapshot, limit_s=_SCAN_LIMIT_S)


class Sight:
    """The last look at all processes: good enough for those who only want to tell, many at a time."""

    def __init__(self) -> None:
        self._began_s = float("-inf")
        self._seen: Processes = {}

    async def running(self, *, max_age_s: float) -> Processes:
        """As `running`, or as it was at most so long ago."""
        now_s = clock_s()
        if now_s - self._began_s >= max_age_s:
            self._seen = await running()
            self._began_s = now_s
        return self._seen


async def end(known: list[Escaped], units: Collection[str], groups: Collection[str], term_s: float) -> list[Escaped]:
    """End them all, politely first; returns what is still there."""
    began_s, asked, last = clock_s(), set[Escaped](), signal.SIGTERM
    while left := await _still_there(known, units, groups):
        passed_s = clock_s() - began_s
        if passed_s > term_s + KILL_S:
            return left
        number = signal.SIGTERM if passed_s < term_s else signal.SIGKILL
        if number is not last:
            asked, last = set(), number
        for process in left:
            if process not in asked:
                asked.add(process)
                _send(process, number)
        await asyncio.sleep(_LOOK_AGAIN_S)
    return []


def snapshot(proc: Path = Path("/proc")) -> Processes:
    return {
        int(entry): process
        for entry in os.listdir(proc)
        if entry.isdigit() and (process := _process(f"{proc}/{entry}"))
    }


def among(
    units: Collection[str], groups: Collection[str], processes: Processes, *, proc: Path = Path("/proc")
) -> list[Escaped]:
    """As `find`. Pure but for the look at those that were found: they may have gone in, or away, meanwhile."""
    inside = {pid for pid, process in processes.items() if _is_in(process.group, groups)}
    marked = {pid for pid, process in processes.items() if process.mark in units}
    outside = [
        pid for pid in processes if pid not in inside and (pid in marked or _descends(pid, processes, inside | marked))
    ]
    now = {pid: found for pid in outside if (found := _process(f"{proc}/{pid}")) and found.born == processes[pid].born}
    return [
        Escaped(pid, process.born, _read(f"{proc}/{pid}/comm").decode(errors="replace").strip(), process.group)
        for pid, process in now.items()
        if not _is_in(process.group, groups)
    ]


async def _still_there(known: list[Escaped], units: Collection[str], groups: Collection[str]) -> list[Escaped]:
    """The first ones, though the parents that told them are gone, and whoever came since."""
    found = {process.pid: process for process in await find(units, groups)}
    alive = [process for process in known if _lives(process)]
    return [*found.values(), *(process for process in alive if process.pid not in found)]


def _send(process: Escaped, number: signal.Signals) -> None:
    send(process.pid, process.born, number)


def send(pid: int, born: str, number: signal.Signals) -> None:
    """To this very process, and to nobody who has its number by now."""
    with suppress(OSError):
        handle = os.pidfd_open(pid)
        try:
            if birth(f"/proc/{pid}") == born:
                signal.pidfd_send_signal(handle, number)
        finally:
            os.close(handle)


def birth(folder: str) -> str:
    """When this process was started, as the kernel counts; empty if it is gone."""
    now = _process(folder)
    return now.born if now else ""


def _lives(process: Escaped) -> bool:
    return birth(f"/proc/{process.pid}") == process.born


def _descends(pid: int, processes: Processes, from_: set[int]) -> bool:
    seen: set[int] = set()
    while pid in processes and pid not in seen:
        seen.add(pid)
        pid = processes[pid].parent
        if pid in from_:
            return True
    return False


def _process(folder: str) -> Process | None:
    """None if it is gone, or dead and only not reaped yet."""
    fields = _read(f"{folder}/stat").rpartition(b")")[2].split()
    if len(fields) < 20 or fields[0] in b"ZX":
        return None
    lines = _read(f"{folder}/cgroup").decode(errors="replace").splitlines()
    group = next((line.removeprefix("0::") for line in lines if line.startswith("0::")), "")
    marks = [word for word in _read(f"{folder}/environ").split(b"\0") if word.startswith(_MARK)]
    mark = marks[-1].removeprefix(_MARK).decode(errors="replace") if marks else ""
    return Process(int(fields[1]), fields[19].decode(), group, mark)


def _is_in(group: str, groups: Collection[str]) -> bool:
    return any(group == one or group.startswith(f"{one}/") for one in groups)


def _read(file: str) -> bytes:
    """All of it or nothing. Without the comforts of `Path`: there are thousands of these."""
    chunks: list[bytes] = []
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
        try:
            while chunk := os.read(descriptor, _CHUNK_BYTES):
                chunks.append(chunk)
        finally:
            os.close(descriptor)
    except OSError:
        return b""
    return b"".join(chunks)
