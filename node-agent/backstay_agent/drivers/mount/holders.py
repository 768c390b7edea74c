"""Who uses a filesystem: the processes that keep it from being unmounted, by number and command. Reads /proc, and no file system else."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from backstay_agent.drivers.tools.escaped_processes import birth, send

from .table import parse

PROC: Final = Path("/proc")
_MOST_CHARS: Final = 60


@dataclass(frozen=True, order=True)
class Holder:
    """A process that uses it."""

    pid: int
    command: str
    how: str
    born: str = ""
    """See `Escaped`."""

    @property
    def words(self) -> str:
        return f"{self.pid} ({self.command}: {self.how})"


def holders(point: str, dev: str, proc: Path = PROC) -> list[Holder]:
    """Whoever has something of it open, stands in it, runs it or has it in memory."""
    # Its birth first: whoever has its number by the end of the look is somebody else.
    known = ((one, birth(str(one))) for one in _processes(proc))
    return [Holder(int(one.name), _command(one), how, born) for one, born in known if (how := _how(one, point, dev))]


def elsewhere(dev: str, proc: Path = PROC) -> list[Holder]:
    """Processes, one of each mount namespace, that have the device mounted where the host's own table does not show it."""
    seen: set[str] = set()
    found: list[Holder] = []
    for one in _processes(proc):
        with suppress(OSError):
            namespace = os.readlink(one / "ns/mnt")
            if namespace in seen:
                continue
            seen.add(namespace)
            here = [mount.point for mount in parse((one / "mountinfo").read_text(errors="replace")) if mount.dev == dev]
            found += [Holder(int(one.name), _command(one), f"mounted at {here[0]} in its namespace")] if here else []
    return found


def terminate(found: list[Holder]) -> None:
    """Ask them to end; never this process, nor the host's first."""
    for one in found:
        if one.pid not in (1, os.getpid()):
            send(one.pid, one.born, signal.SIGTERM)


def listed(found: list[Holder]) -> str:
    more = f" and {len(found) - 5} more" if len(found) > 5 else ""
    return ", ".join(one.words for one in found[:5]) + more


def _processes(proc: Path) -> Iterator[Path]:
    return (proc / name for name in sorted(os.listdir(proc)) if name.isdecimal())


def _how(process: Path, point: str, dev: str) -> str:
    links = [(process / name, how) for name, how in (("cwd", "stands in"), ("root", "has as root"), ("exe", "runs"))]
    with suppress(OSError):
        links += [(process / "fd" / name, "has open") for name in os.listdir(process / "fd")]
    for link, how in links:
        with suppress(OSError):
            # The link's text is the kernel's: it is read without touching what it leads to.
            target = os.readlink(link).removesuffix(" (deleted)")
            if target == point or target.startswith(f"{point}/"):
                return f"{how} {target}"
    return _mapped(process, dev)


def _mapped(process: Path, dev: str) -> str:
    major, _, minor = dev.partition(":")
    number = f"{int(major):02x}:{int(minor):02x}" if minor else ""
    with suppress(OSError):
        for line in (process / "maps").read_text(errors="replace").splitlines():
            fields = line.split(maxsplit=5)
            if number and len(fields) == 6 and fields[3] == number:
                return f"has in memory {fields[5]}"
    return ""


def _command(process: Path) -> str:
    with suppress(OSError):
        words = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
        named = words or (process / "comm").read_text(errors="replace").strip()
        return "".join(one if one.isprintable() else "?" for one in named)[:_MOST_CHARS]
    return "?"
