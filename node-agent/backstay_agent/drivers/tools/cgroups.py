"""Control groups: is anything of a unit still alive, tell when the last of it is gone, kill all of it.

A unit that systemd calls inactive may have left processes behind (KillMode=process, a daemon that escaped its main
process); only an empty control group proves a stop.
"""

from __future__ import annotations

import asyncio
import os
import select
import signal
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing, contextmanager, suppress
from functools import cache
from pathlib import Path


@cache
def root() -> Path | None:
    """Where the unified hierarchy is mounted; None where the host has none."""
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        fields, _, rest = line.partition(" - ")
        if rest.startswith("cgroup2 "):
            return Path(fields.split()[4])
    return None


def obstacle() -> str | None:
    """Why no stop could be verified on this host; None if it can be."""
    if root() is None:
        return "this host has no unified control groups (cgroup v2), so a stop could not be verified"
    return None


def folder(control_group: str) -> Path:
    """Where the control group, as systemd names it, stands in the file system."""
    base = root()
    assert base is not None, "no unified control group hierarchy is mounted"
    return base / control_group.lstrip("/")


def expected_group(slice_name: str, unit: str) -> str:
    """Where systemd puts a unit of that slice: `system-db.slice` lies in `system.slice`."""
    parts = slice_name.removesuffix(".slice").split("-") if slice_name not in ("", "-.slice") else []
    slices = ["-".join(parts[: depth + 1]) + ".slice" for depth in range(len(parts))]
    return "/" + "/".join([*slices, unit])


def own() -> Path | None:
    """The control group of this process; None where there is none of its own."""
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        # Who was sent here from outside of a container is in a group that is not to be seen from inside: `0::/../..`.
        if line.startswith("0::/") and "/.." not in line and root() is not None:
            return folder(line.removeprefix("0::"))
    return None


@contextmanager
def temporary_group(name: str) -> Iterator[Path | None]:
    """A group below our own for a program that must leave nothing behind, wherever it forks to; None where none can be had.

    Whatever still lives in it at the end is killed. Needs `Delegate=yes` in the unit of this process.
    """
    group = None
    with suppress(OSError):
        if (mine := own()) is not None:
            (mine / name).mkdir(mode=0o755, exist_ok=True)
            group = mine / name
    try:
        yield group
    finally:
        if group is not None:
            kill(group)
            _remove_soon(group)


def _remove_soon(group: Path, tries: int = 20) -> None:
    """A group can be removed once the last that was killed in it is gone: some milliseconds."""
    try:
        group.rmdir()
    except OSError:
        if tries and group.exists():
            asyncio.get_running_loop().call_later(0.05, _remove_soon, group, tries - 1)


def populated(group: Path) -> bool:
    """Does anything live in the group or below it? A group that is gone is empty."""
    try:
        return "populated 1" in (group / "cgroup.events").read_text()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        if error.errno == 19:  # ENODEV: removed while we read
            return False
        raise


def processes(group: Path, limit: int = 5) -> list[str]:
    """Some of what lives in the group, for people: `812 (cp)`, or `812 (cp) in D state (nfs_wait)`."""
    return [f"{pid} ({_name(pid)}){_d_state(pid)}" for pid in _pids(group)[:limit]]


def hanging(group: Path, limit: int = 5) -> list[str]:
    """Some of those that wait in the kernel, with a thread at least, as `pid (name, in nfs_wait_bit_killable)`."""
    return [f"{pid} ({_name(pid)}, in {where})" for pid in _pids(group) if (where := _waits_in(pid))][:limit]


def _pids(group: Path) -> list[str]:
    found: list[str] = []
    for folder, _, _ in os.walk(group):  # not glob: it raises when a group is removed while it looks
        with suppress(OSError):
            found += Path(folder, "cgroup.procs").read_text().split()
    return found


def terminate(group: Path) -> None:
    """SIGTERM to each process in the group and below it."""
    for pid in _pids(group):
        with suppress(OSError):
            os.kill(int(pid), signal.SIGTERM)


def kill(group: Path) -> None:
    """SIGKILL everything in the group at once."""
    with suppress(OSError):
        (group / "cgroup.kill").write_text("1")


async def until_empty(group: Path) -> None:
    """Return when nothing lives in the group any more; the kernel tells, we do not poll."""
    async with aclosing(life(group)) as told:
        async for alive in told:
            if not alive:
                return


async def life(group: Path) -> AsyncGenerator[bool, None]:
    """Whether anything lives in the group: now, and whenever that may have changed; ends when the group is gone."""
    try:
        events = os.open(group / "cgroup.events", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return
    try:
        with select.epoll() as poll:
            # The file is always readable; only EPOLLPRI says that it changed. So asyncio watches the epoll, not the file.
            poll.register(events, select.EPOLLPRI)
            while _rearm(events):
                yield populated(group)
                await _readable(poll.fileno())
                poll.poll(0)
    finally:
        os.close(events)


def _rearm(events: int) -> bool:
    """Read the file, so that the next change is told; False if the group is gone."""
    try:
        os.pread(events, 256, 0)
    except OSError:
        return False
    return True


async def _readable(descriptor: int) -> None:
    loop = asyncio.get_running_loop()
    told: asyncio.Future[None] = loop.create_future()

    def tell() -> None:
        if not told.done():
            told.set_result(None)

    loop.add_reader(descriptor, tell)
    try:
        await told
    finally:
        loop.remove_reader(descriptor)


def _name(pid: str) -> str:
    return _proc(pid, "comm") or "?"


def _threads(pid: str) -> list[str]:
    """Below /proc, the first of them the process itself."""
    try:
        return [f"{pid}/task/{thread}" for thread in sorted(os.listdir(f"/proc/{pid}/task"), key=int)]
    except OSError:
        return []


def _waits_in(pid: str) -> str:
    """Where in the kernel one of its threads waits that no signal reaches; empty if none does."""
    where = (_proc(thread, "wchan").strip("0") for thread in _threads(pid) if _state(thread) == "D")
    return next((name or "the kernel" for name in where), "")


def _d_state(pid: str) -> str:
    return f" in D state ({where})" if (where := _waits_in(pid)) else ""


def _state(pid: str) -> str:
    """As the kernel calls it in a letter; its name stands before it, in brackets, and may hold any."""
    return _proc(pid, "stat").rpartition(")")[2].strip()[:1]


def _proc(pid: str, file: str) -> str:
    """Empty where it has ended, or may not be read."""
    try:
        return Path(f"/proc/{pid}/{file}").read_text(errors="replace").strip()
    except OSError:
        return ""
