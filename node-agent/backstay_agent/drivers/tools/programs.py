"""Whether a program could be run on this host, or may come with a disk that moves with its service and is mounted when that starts.

Reads the file system: to be asked through `file_system_looks.look`.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Final

PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# Where nobody mounts such a disk: what is missing there is missing.
_OF_THE_SYSTEM: Final = (
    *("/bin/", "/boot/", "/dev/", "/etc/", "/lib/", "/lib64/", "/proc/", "/run/", "/sbin/", "/sys/", "/usr/"),
    *("/home/", "/opt/"),  # these themselves, empty on many hosts; not what is made in them
)
_MOST_LINE_BYTES: Final = 256  # as much of a script's first line as the kernel reads


def not_runnable(program: str) -> str | None:
    """Why it could not be run, in a sentence; None if it could."""
    return absent(program) or _without_interpreter(program, _first_line(program))


def absent(program: str) -> str | None:
    """Why there is no such program, in a sentence; None if there is, or may be once a disk is mounted."""
    if not os.path.isfile(program):
        return None if not os.path.exists(program) and may_come(program) else f"{program} is not installed"
    return None if os.access(program, os.X_OK) else f"{program} is not executable"


def unreadable(file: str) -> str | None:
    """Why a file could not be read, in a sentence; None if it could, or may be once a disk is mounted."""
    if not os.path.exists(file):
        return None if may_come(file) else f"{file} does not exist"
    return None if os.path.isfile(file) and os.access(file, os.R_OK) else f"{file} is no file that can be read"


def _first_line(program: str) -> bytes:
    try:
        with Path(program).open("rb") as file:
            return file.read(_MOST_LINE_BYTES).partition(b"\n")[0]
    except OSError:
        return b""  # may be run and not read


def _without_interpreter(program: str, line: bytes) -> str | None:
    words = line[2:].decode(errors="replace").split() if line.startswith(b"#!") else []
    if not words:
        return None
    if not os.path.isfile(words[0]) or not os.access(words[0], os.X_OK):
        return f"{program} needs {words[0]}, which is not installed"
    if os.path.basename(words[0]) != "env":
        return None
    asked = next((word for word in words[1:] if not word.startswith("-") and "=" not in word), None)
    if asked is not None and shutil.which(asked, path=PATH) is None:
        return f"{program} needs {asked}, which is not installed"
    return None


def may_come(path: str) -> bool:
    """Whether it is missing, or empty, because nothing is mounted there: an empty folder leads to it. Reads the file system."""
    place = Path(os.path.realpath(path))
    there = next(folder for folder in (place, *place.parents) if folder.exists())
    if f"{there}/" in _OF_THE_SYSTEM or f"{place}/".startswith(_OF_THE_SYSTEM[:-2]):
        return False
    try:
        return there.is_dir() and next(there.iterdir(), None) is None
    except OSError:
        return False
