"""What ran where and when, as the fleet's machines write it down: one line for each start and each stop, in the order of one clock."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple


class Line(NamedTuple):
    """Something began to run on a machine, or no longer does."""

    at_s: float
    """CLOCK_MONOTONIC, the same for all processes here."""
    host: str
    what: str
    runs: bool

    @property
    def text(self) -> str:
        return json.dumps(self)


def read(file: Path) -> list[Line]:
    """All that is written so far; a line still being written is left out."""
    whole = file.read_text().rpartition("\n")[0]
    return [Line(*json.loads(line)) for line in whole.splitlines()]


def running(lines: Iterable[Line]) -> dict[str, str]:
    """The machine of each that runs."""
    found: dict[str, str] = {}
    for line in lines:
        if line.runs:
            found[line.what] = line.host
        elif found.get(line.what) == line.host:
            del found[line.what]
    return found


def twice(lines: Iterable[Line]) -> Iterator[str]:
    """A sentence for each moment at which something ran on two machines."""
    where: dict[str, set[str]] = {}
    for line in lines:
        hosts = where.setdefault(line.what, set())
        (hosts.add if line.runs else hosts.discard)(line.host)
        if len(hosts) > 1:
            yield f"{line.what} ran on {' and '.join(sorted(hosts))} at {line.at_s:.3f} s"


@dataclass(frozen=True)
class Loss:
    """A machine whose power was cut, and what ran on it."""

    host: str
    cut_s: float
    what: frozenset[str]

    def back_s(self, lines: Iterable[Line]) -> Mapping[str, float]:
        """Of those that run elsewhere by now: how long after the cut that began."""
        found: dict[str, float] = {}
        for line in lines:
            if line.runs and line.at_s > self.cut_s and line.host != self.host and line.what in self.what:
                found.setdefault(line.what, line.at_s - self.cut_s)
        return found
