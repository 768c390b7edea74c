"""Where this host lets filesystems be mounted, and what would mount one there, or the same device, at a boot without us."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from .notes import NOTES
from .table import TABLE, plain

FSTAB: Final = Path("/etc/fstab")
ROOTS: Final = tuple(map(Path, ("/srv", "/mnt", "/media", "/var/lib", "/export", "/data", "/opt")))


@dataclass(frozen=True)
class HostFiles:
    """Where things are on one host."""

    roots: Sequence[Path] = ROOTS
    """Below which filesystems may be mounted."""
    own: Sequence[Path] = ()
    """Folders of the agent, which no mount is to hide."""
    notes: Path = NOTES
    table: Path = TABLE
    fstab: Path = FSTAB

    def outside(self, path: str) -> str:
        """Why nothing is mounted there, in a sentence; empty if it may be. Pure."""
        place = Path(path)
        if ".." in place.parts or not any(place.is_relative_to(root) for root in self.roots):
            allowed = ", ".join(map(str, self.roots))
            return (
                f"{path} is in none of the folders where this host lets filesystems be mounted ({allowed}): choose another,"
                " or let the host's admin name one more in mount_roots of agent.json"
            )
        for folder in self.own:
            if place.is_relative_to(folder) or folder.is_relative_to(place):
                return f"{path} would hide {folder}, where this agent keeps what it must remember: choose another path"
        return ""


def unfit(path: str) -> str:
    """Why what stands there is no place to mount on; empty if it is, or can be made. Reads the file system."""
    real = os.path.realpath(path)
    if real != path:
        return f"{path} leads over a symbolic link to {real}: name that, so that it is plain what is mounted where"
    if os.path.lexists(path) and not os.path.isdir(path):
        return f"{path} is no folder"
    return ""


def in_fstab(text: str, path: str, is_same: Callable[[str], bool]) -> str:
    """The line of fstab that mounts the same device, or on the same path, at a boot; empty if none does."""
    for line in text.splitlines():
        fields = line.split()
        if len(fields) < 3 or fields[0].startswith("#"):
            continue
        options = fields[3].split(",") if len(fields) > 3 else []
        if "noauto" in options and "x-systemd.automount" not in options:
            continue
        if (plain(fields[1]).rstrip("/") or "/") == path or is_same(plain(fields[0]).replace('"', "")):
            return " ".join(fields[:3])
    return ""


def units_for(path: str) -> Iterator[str]:
    """Units of systemd that mount on it, by name."""
    inside = path.strip("/")
    steps = [re.sub(r"[^A-Za-z0-9:_.]", lambda odd: _coded(odd[0]), step) for step in inside.split("/")]
    steps[0] = _coded(".") + steps[0][1:] if inside.startswith(".") else steps[0]
    yield from (f"{'-'.join(steps)}.{kind}" for kind in ("mount", "automount"))


def _coded(letter: str) -> str:
    return "".join(f"\\x{byte:02x}" for byte in letter.encode(errors="surrogateescape"))
