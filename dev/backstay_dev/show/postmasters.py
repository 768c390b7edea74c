"""Who has the database open: looks every few milliseconds, from outside, at every process of a lab's hosts.

PostgreSQL as packaged leaves no traces of its life, so somebody else leaves them for it, in the form that the overlap detector reads:
`database` lives on a host while any process of the cluster does (what a killed postmaster left behind writes, too), `postmaster` is each main
process by itself (two on one host are two copies as well).
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

LOOK_S: Final = 0.005
# Between fork and exec a process still looks like its parent; who was looked at so often without success is looked at again now and then.
_SURE_AFTER: Final = 40
_AGAIN_EVERY: Final = 100


@dataclass
class Watch:
    """`hosts`: the control group with one folder for each host. `data`: the folder that postmasters name in their command line."""

    hosts: Path
    data: str
    _strangers: dict[int, int] = field(default_factory=dict)
    _lives: dict[str, int] = field(default_factory=dict)
    _alive: set[str] = field(default_factory=set)
    _looks: int = 0

    def look(self, now_s: float) -> list[str]:
        """Lines of a trace: `instance life host pid time`."""
        self._looks += 1
        if self._looks % _AGAIN_EVERY == 0:
            self._strangers.clear()
        lines, alive = [], set()
        for host in self._hosts():
            mine = {pid: words for pid in _pids(Path(host.path)) if (words := self._of_cluster(pid)) is not None}
            if mine:
                alive.add(host.name)
                lines.append(f"database {self._life(host.name)} {host.name} 0 {now_s:.6f}")
            lines += [f"postmaster {host.name} {host.name} {pid} {now_s:.6f}" for pid in _postmasters(mine)]
        self._alive = alive
        return lines

    def _hosts(self) -> list[os.DirEntry[str]]:
        with suppress(OSError):
            return [entry for entry in os.scandir(self.hosts) if entry.is_dir()]
        return []

    def _life(self, host: str) -> int:
        """Counts how often it came to life there."""
        if host not in self._alive:
            self._lives[host] = self._lives.get(host, 0) + 1
        return self._lives[host]

    def _of_cluster(self, pid: int) -> list[str] | None:
        """Its command line, if it is one of the cluster's."""
        if self._strangers.get(pid, 0) > _SURE_AFTER:
            return None
        words = _command(pid)
        if words and (self._is_main(words) or words[0].startswith("postgres: ")):
            return words
        self._strangers[pid] = self._strangers.get(pid, 0) + 1
        return None

    def _is_main(self, words: list[str]) -> bool:
        return words[0].endswith("/postgres") and self.data in words


def _postmasters(mine: dict[int, list[str]]) -> Iterator[int]:
    """A backend that was just forked still has its postmaster's name; what has ended since its name was read is no postmaster either."""
    for pid, words in mine.items():
        parent = _parent(pid) if words[0].endswith("/postgres") else None
        if parent is not None and parent not in mine:
            yield pid


def _pids(folder: Path) -> Iterator[int]:
    for place, _, _ in os.walk(folder):
        with suppress(OSError), open(f"{place}/cgroup.procs") as procs:
            yield from map(int, procs.read().split())


def _command(pid: int) -> list[str]:
    with suppress(OSError), open(f"/proc/{pid}/cmdline", "rb") as line:
        return [word for word in line.read().decode(errors="replace").split("\0") if word]
    return []


def _parent(pid: int) -> int | None:
    with suppress(OSError), open(f"/proc/{pid}/stat") as stat:
        return int(stat.read().rpartition(")")[2].split()[1])
    return None


def main() -> None:
    """HOSTS_CGROUP DATA TRACE_FILE"""
    hosts, data, target = sys.argv[1:]
    watch = Watch(Path(hosts), data)
    with open(target, "a", buffering=1) as trace:
        while True:
            now_s = time.clock_gettime(time.CLOCK_MONOTONIC)
            if lines := watch.look(now_s):
                trace.write("\n".join(lines) + "\n")
            time.sleep(LOOK_S)


if __name__ == "__main__":
    main()
