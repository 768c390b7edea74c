"""What is said of the lines of a file, so that two hosts find out where theirs differ.

Reads the file system: to be asked through `file_system_looks.look`.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Final

from backstay_agent.drivers.base import AskedParts, Parts

from .parts import of_lines
from .regular_files import opened

_MOST_BYTES: Final = 4 * 1024 * 1024


def lines_of(path: str, asked: AskedParts, key: bytes) -> Parts:
    """By the process that looks. Words only of what everybody on this host may read. Raises Unfit."""
    with opened(path) as file:
        if file.stat.st_size > _MOST_BYTES:
            return Parts("it is too large to be compared line by line", facts={"path": path})
        data = file.read()
        is_open = bool(file.stat.st_mode & stat.S_IROTH) and _is_reached_by_all(file.fd)
    if b"\0" in data:
        return Parts("it is no text", facts={"path": path})
    return of_lines(path, data.split(b"\n"), asked, key, shows_words=is_open)


def _is_reached_by_all(fd: int) -> bool:
    """Whether everybody may go through all folders above it."""
    return all(above.stat().st_mode & stat.S_IXOTH for above in Path(os.readlink(f"/proc/self/fd/{fd}")).parents)
