"""How much of the last ten seconds something had to wait for a processor, for memory or for a disk (PSI). Reads the kernel's files only."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

PROC: Final = Path("/proc/pressure")
KINDS: Final = ("cpu", "memory", "io")
_SOME: Final = re.compile(r"^some avg10=([0-9.]+)", re.MULTILINE)


def of_machine(folder: Path = PROC) -> Mapping[str, float]:
    """In percent, by kind; what this kernel does not say is missing."""
    return _read({kind: folder / kind for kind in KINDS})


def of_group(group: Path) -> Mapping[str, float]:
    """The same of what runs in one control group."""
    return _read({kind: group / f"{kind}.pressure" for kind in KINDS})


def _read(files: Mapping[str, Path]) -> dict[str, float]:
    found: dict[str, float] = {}
    for kind, file in files.items():
        try:
            said = _SOME.search(file.read_text())
        except OSError:
            continue
        found |= {kind: float(said[1])} if said else {}
    return found
