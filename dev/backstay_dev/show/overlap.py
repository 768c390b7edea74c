"""The overlap detector: a service that leaves a trace of every 5 ms of its life, and the judge who reads the traces.

All hosts of a lab share one kernel, so CLOCK_MONOTONIC is one clock and overlap is decided exactly: two copies lived at once if the
intervals from first to last trace of two processes of one instance meet. The traces lie outside the hosts, where power loss cannot reach.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

PROGRAM: Final = """\
import os, sys, time
instance, folder = sys.argv[1], sys.argv[2]
host = os.uname().nodename
try:
    epoch = open(sys.argv[3]).read().split()[0]
except (OSError, IndexError):
    # Nobody says: pids come again with every boot, births do not.
    epoch = f"born-{time.clock_gettime(time.CLOCK_MONOTONIC):.3f}"
trace = os.open(f"{folder}/{instance}.trace", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
while True:
    # One write of less than a page to a file opened for appending: lines of two hosts never mix.
    os.write(trace, f"{instance} {epoch} {host} {os.getpid()} {time.clock_gettime(time.CLOCK_MONOTONIC):.6f}\\n".encode())
    time.sleep(0.005)
"""
"""Runs inside the hosts as `python3 -S -E ticker.py INSTANCE FOLDER EPOCH_FILE`."""


@dataclass(frozen=True)
class Life:
    """One process of one instance, from its first to its last trace."""

    instance: str
    epoch: str
    host: str
    pid: int
    first_s: float
    last_s: float
    ticks: int


@dataclass(frozen=True)
class Overlap:
    """Two lives of one instance that met."""

    earlier: Life
    later: Life

    @property
    def length_s(self) -> float:
        return min(self.earlier.last_s, self.later.last_s) - self.later.first_s

    def __str__(self) -> str:
        a, b = self.earlier, self.later
        return (
            f"{a.instance} ran twice for {self.length_s:.3f} s: on {a.host} (epoch {a.epoch}, pid {a.pid}) until {a.last_s:.3f}"
            f" and on {b.host} (epoch {b.epoch}, pid {b.pid}) from {b.first_s:.3f}"
        )


def lives(lines: Iterable[str]) -> list[Life]:
    """All lives in the traces, by their begin. A torn last line (power loss) is passed over."""
    found: dict[tuple[str, str, str, int], list[float]] = {}
    for line in lines:
        parts = line.split()
        if len(parts) == 5:
            instance, epoch, host, pid, at = parts
            found.setdefault((instance, epoch, host, int(pid)), []).append(float(at))
    made = [Life(*key, first_s=min(ticks), last_s=max(ticks), ticks=len(ticks)) for key, ticks in found.items()]
    return sorted(made, key=lambda life: life.first_s)


def overlaps(all_lives: Iterable[Life]) -> list[Overlap]:
    """Every pair of lives of one instance that met."""
    latest: dict[str, Life] = {}
    found = []
    for life in sorted(all_lives, key=lambda life: life.first_s):
        before = latest.get(life.instance)
        if before is not None and life.first_s <= before.last_s:
            found.append(Overlap(before, life))
        if before is None or life.last_s > before.last_s:
            latest[life.instance] = life
    return found


@dataclass
class Traces:
    """All traces of a folder, read on from where the last look ended: each service adds 200 lines a second."""

    folder: Path
    _read_bytes: dict[Path, int] = field(default_factory=dict)
    _lives: dict[tuple[str, str, str, int], Life] = field(default_factory=dict)

    def lives(self) -> list[Life]:
        """Every life so far, by its begin."""
        for file in sorted(self.folder.glob("*.trace")):
            for life in lives(self._fresh_lines(file)):
                key = (life.instance, life.epoch, life.host, life.pid)
                self._lives[key] = _joined(self._lives.get(key, life), life)
        return sorted(self._lives.values(), key=lambda life: life.first_s)

    def _fresh_lines(self, file: Path) -> list[str]:
        with file.open("rb") as stream:
            stream.seek(self._read_bytes.get(file, 0))
            whole, newline, _half = stream.read().rpartition(b"\n")
        self._read_bytes[file] = self._read_bytes.get(file, 0) + len(whole) + len(newline)
        return whole.decode(errors="replace").splitlines()


def _joined(known: Life, fresh: Life) -> Life:
    if known is fresh:
        return fresh
    return replace(known, last_s=max(known.last_s, fresh.last_s), ticks=known.ticks + fresh.ticks)
