"""Whether a folder can be written, and has room. Reads the file system: to be asked through `file_system_looks.look`."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Final

LEAST_BYTES: Final = 1024 * 1024
"""A service that starts leaves PID files, sockets and state in /run, systemd and this agent theirs; all of it is some kilobytes. What
is left below this is gone before anybody has read the warning."""
LEAST_FILES: Final = 64


def no_room(folder: Path) -> str | None:
    """Why nothing could be kept there, in a sentence; None if it could."""
    there = next(path for path in (folder, *folder.parents) if path.exists())
    try:
        room = os.statvfs(there)
        if room.f_flag & os.ST_RDONLY:
            return f"{folder} cannot be written: its file system is read-only"
        try_to_write(there)
    except OSError as error:
        full = f": make room in {folder}" if error.errno in (errno.ENOSPC, errno.EDQUOT) else ""
        return f"{folder} cannot be written: {error.strerror}{full}"
    free = room.f_bfree * room.f_frsize
    if free < LEAST_BYTES:
        return f"{folder} has only {free // 1024} KiB free, of {LEAST_BYTES // 1024} that are needed: make room there"
    if room.f_files and room.f_ffree < LEAST_FILES:
        return (
            f"{folder} has room for only {room.f_ffree} files more, of {LEAST_FILES} that are needed: make room there"
        )
    return None


def try_to_write(folder: Path) -> None:
    """A file without a name, gone at once: a file system that died of an error says so only now. Raises OSError."""
    try:
        os.close(os.open(folder, os.O_TMPFILE | os.O_WRONLY | os.O_CLOEXEC, 0o600))
    except OSError as error:
        # Not every file system can do that; and it is no reason to doubt it.
        if error.errno not in (errno.EOPNOTSUPP, errno.EISDIR, errno.ENOENT, errno.EINVAL):
            raise
