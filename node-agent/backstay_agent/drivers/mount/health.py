"""Whether what is mounted can be used."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import Final

from backstay_agent.drivers.base import Seen, State
from backstay_agent.drivers.tools.file_system_looks import NoAnswer, look
from backstay_api.objects.plain import Mount

from .table import Mounted

DEVICES: Final = Path("/sys/dev/block")


async def health(spec: Mount, mount: Mounted, devices: Path = DEVICES) -> Seen:
    """FAILED is what a stop and a start may mend. What they do not mend, and what nobody can say, is UNKNOWN, with its reason."""
    asked_read_only = "ro" in (spec.options or ())
    if not mount.dev.startswith("0:") and not (devices / mount.dev).exists():
        return Seen(State.FAILED, f"the device of {spec.path} ({mount.source}) has vanished")
    if mount.is_read_only and not asked_read_only:
        return Seen(State.FAILED, f"{spec.path} has become read-only: the kernel's log (dmesg) says why")
    try:
        room = await look(f"{spec.path} (space)", partial(os.statvfs, spec.path))
    except NoAnswer as error:
        return Seen(State.UNKNOWN, str(error), left=True)
    except OSError as error:
        return Seen(State.FAILED, f"{spec.path} cannot be used: {error.strerror}")
    if asked_read_only or (room.f_bavail and (room.f_favail or not room.f_files)):
        return Seen(State.RUNNING)
    return Seen(
        State.UNKNOWN,
        f"{spec.path} is full: {'no file' if room.f_bavail else 'nothing'} more can be written",
        left=True,
    )
