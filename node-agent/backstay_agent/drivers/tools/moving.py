"""What may not be there yet because it comes with a disk: one that moves with the service, and is mounted when that starts."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

# Where nobody mounts such a disk: what is missing there is missing.
_OF_THE_SYSTEM: Final = (
    *("/bin/", "/boot/", "/dev/", "/etc/", "/lib/", "/lib64/", "/proc/", "/run/", "/sbin/", "/sys/", "/usr/"),
    *("/home/", "/opt/"),  # these themselves, empty on many hosts; not what is made in them
)


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
