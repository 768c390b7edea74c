"""Whether what is mounted can be used."""

from __future__ import annotations

import errno
import os
from functools import partial
from pathlib import Path
from typing import Final

from backstay_agent.drivers.base import Seen, State
from backstay_agent.drivers.tools.disk_space import try_to_write
from backstay_agent.drivers.tools.file_system_looks import NoAnswer, look
from backstay_api.objects.plain import Mount

from .table import Mounted

DEVICES: Final = Path("/sys/dev/block")
_DEAD: Final = (errno.EROFS, errno.EIO, errno.ENXIO, errno.ENODEV, errno.EUCLEAN, errno.ESTALE, errno.ESHUTDOWN)
"""What a file system says that takes nothing more; others are about rights, room, or what it cannot do."""


async def health(spec: Mount, mount: Mounted, devices: Path = DEVICES) -> Seen:
    """FAILED is what a stop and a start may mend. What they do not mend, and what nobody can say, is UNKNOWN, with its reason."""
    asked_read_only = "ro" in (spec.options or ())
    if not mount.dev.startswith("0:") and not (devices / mount.dev).exists():
        return Seen(State.FAILED, f"the device of {spec.path} ({mount.source}) has vanished")
    if mount.is_read_only and not asked_read_only:
        return _failed(spec.path, errno.EROFS)
    try:
        room = await look(f"{spec.path} (space)", partial(os.statvfs, spec.path))
    except NoAnswer as error:
        return Seen(State.UNKNOWN, str(error), left=True)
    except OSError as error:
        return _failed(spec.path, error.errno or errno.EIO)
    return Seen(State.RUNNING) if asked_read_only else await _writable(spec.path, room)


async def _writable(path: str, room: os.statvfs_result) -> Seen:
    if died_of := await _dead(path):
        return _failed(path, died_of)
    if room.f_bavail and (room.f_favail or not room.f_files):
        return Seen(State.RUNNING)
    what = "no file" if room.f_bavail else "nothing"
    return Seen(State.UNKNOWN, f"{path} is full: {what} more can be written", left=True)


async def _dead(path: str) -> int:
    """The error that it tells to who wants to write; 0 if it does not, or takes its time, as a busy disk may.

    XFS that has shut itself down, and ext4 since Linux 6.1.113 (d3476f3dad4a), stand in the mount table as before, with all their room.
    """
    try:
        await look(f"{path} (written)", partial(try_to_write, Path(path)))
    except NoAnswer:
        return 0
    except OSError as error:
        return error.errno if error.errno in _DEAD else 0
    return 0


def _failed(path: str, error: int) -> Seen:
    what = "has become read-only" if error == errno.EROFS else f"cannot be used ({os.strerror(error)})"
    return Seen(State.FAILED, f"{path} {what}: the kernel's log (dmesg) says why")
