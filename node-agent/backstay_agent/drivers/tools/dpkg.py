"""dpkg's own database, which is only read: which packages are installed, and which were removed and have left their configuration."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from .regular_files import Unfit, opened

STATUS: Final = "/var/lib/dpkg/status"
_REMOVED: Final = " config-files"


@dataclass(frozen=True)
class Database:
    """What it says at one moment."""

    packages: Mapping[str, list[dict[str, str]]]
    """By name, of each architecture the fields that tell whether it is there."""
    left: Mapping[str, str]
    """By path, the removed package that has left this file."""


_read: Final[dict[tuple[int, ...], Database]] = {}
"""By the state of the database's inode: the last only."""


def database(status: str) -> Database:
    """Read again when it has changed. Raises Unfit."""
    with opened(status) as file:
        found = _read.get(file.state)
        if found is None:
            found = parse(file.read().decode(errors="replace"))
            _read.clear()
            _read[file.state] = found
        return found


def left_of(status: str, path: str) -> str:
    """The removed package that has left this file; empty if there is none, or dpkg says nothing."""
    try:
        return database(status).left.get(path, "")
    except Unfit:
        return ""


def parse(text: str) -> Database:
    packages: dict[str, list[dict[str, str]]] = {}
    left: dict[str, str] = {}
    for stanza in text.split("\n\n"):
        fields = dict(re.findall(r"^(Package|Status|Version|Architecture): (.*)$", stanza, re.MULTILINE))
        if "Package" in fields:
            packages.setdefault(fields["Package"], []).append(fields)
            if fields.get("Status", "").endswith(_REMOVED):
                left |= dict.fromkeys(re.findall(r"^ (/\S+) [0-9a-f]{32}", stanza, re.MULTILINE), fields["Package"])
    return Database(packages, left)
