"""What a resource wants mounted, as this host knows it; and whether a mount is just that. Asks the file system: through `looks`."""

from __future__ import annotations

import os
import re
import stat
import struct
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

from backstay_agent.drivers.tools.file_system_looks import look
from backstay_agent.drivers.tools.programs import may_come
from backstay_api.objects.devices import canonical_device, is_network
from backstay_api.objects.mounts import is_bind
from backstay_api.objects.plain import Mount

from .table import Mounted, Table, over

_PLAIN: Final = re.compile(r"[A-Za-z0-9#+.:=@_-]")
_MAGIC: Final = (1080, 0xEF53)
_MMP: Final = 0x100
_MMP_MAGIC: Final = 0x4D4D50
_MMP_CLEAN: Final = 0xFF4D4D50
"""What stands for a count once nobody has it."""


class NoSource(Exception):
    """This host has nothing to mount. The text is a sentence for people."""

    def __init__(self, why: str, *, may_come: bool = False) -> None:
        super().__init__(why)
        self.may_come = may_come
        """It may lie on what is mounted before it."""


@dataclass(frozen=True)
class Source:
    """What is mounted."""

    name: str
    """As mount is told."""
    dev: str = ""
    """`major:minor` that its mounts have; empty where the name is all."""
    root: str = ""
    """The folder that a bind shows."""

    @property
    def is_disk(self) -> bool:
        """Only at one place at a time."""
        return not self.root and not is_network(self.name)

    def is_named(self, device: str) -> bool:
        """Whether fstab means the same disk by this name. Reads the file system."""
        same = canonical_device(device) == canonical_device(self.name)
        return self.is_disk and (same or (bool(self.dev) and _number(path_of(device)) == self.dev))

    def is_in(self, mount: Mounted) -> bool:
        """Whether this mount shows it."""
        if not self.dev:
            return mount.fs_type.startswith("nfs") and canonical_device(mount.source) == canonical_device(self.name)
        if self.root:
            return (mount.dev, mount.root) == (self.dev, self.root)
        # Some file systems (btrfs) have numbers of their own.
        return self.dev in (mount.dev, _number(mount.source) if mount.dev.startswith("0:") else "")


async def find(spec: Mount, table: Table) -> Source:
    """What it is on this host. Raises NoSource, NoAnswer."""
    if is_network(spec.device):
        return Source(spec.device)
    how: Callable[[], Source] = partial(_folder, spec.device, table) if is_bind(spec) else partial(_block, spec.device)
    return await look(f"{spec.device} (source)", how)


def path_of(device: str) -> str:
    """Where udev keeps the device that has this tag."""
    tag, equals, value = canonical_device(device).partition("=")
    if device.startswith("/") or not equals:
        return device
    given = device.partition("=")[2]  # udev keeps the case that the file system has
    coded = "".join(one if _PLAIN.match(one) or ord(one) > 127 else f"\\x{ord(one):02x}" for one in given)
    return f"/dev/disk/by-{tag.lower()}/{coded or value}"


def _block(device: str) -> Source:
    path = path_of(device)
    try:
        found = os.stat(path)
    except OSError as error:
        # What lies on a logical volume has a tag, and other names, only while that is active.
        hint = "" if device == path else "; if it lies on a logical volume, name that: /dev/VG/LV"
        raise NoSource(f"this host has no device {device} ({path}: {error.strerror}){hint}") from error
    if not stat.S_ISBLK(found.st_mode):
        raise NoSource(f"{path} is no block device; to show a folder at another place add the option bind")
    return Source(path, _text(found.st_rdev))


def _folder(path: str, table: Table) -> Source:
    if not os.path.isdir(path):
        raise NoSource(f"this host has no folder {path}", may_come=not os.path.exists(path) and may_come(path))
    real = os.path.realpath(path)
    on = over(table, real)
    if on is None:
        raise NoSource(f"nobody can say on which file system {path} lies")
    rest = real.removeprefix("/" if on.point == "/" else on.point)
    return Source(real, on.dev, f"{on.root.rstrip('/')}/{rest.strip('/')}".rstrip("/") or "/")


def _number(source: str) -> str:
    try:
        return _text(os.stat(source).st_rdev) if source.startswith("/dev/") else ""
    except OSError:
        return ""


def _text(number: int) -> str:
    return f"{os.major(number)}:{os.minor(number)}"


# What stands on a disk of type ext2, ext3, ext4


def is_ext(device: str) -> bool:
    return bool(_unpack(device, _MAGIC[0], "<H") == (_MAGIC[1],))


def other_user(device: str) -> str:
    """Who has an ext4 mounted which watches over that (MMP), or had it when he went down: `n2 (sdb)`; empty if nobody, or it does not."""
    size, features, place = (_unpack(device, at, form)[0] for at, form in ((1048, "<I"), (1120, "<I"), (1384, "<Q")))
    if not is_ext(device) or not features & _MMP:
        return ""
    magic, count, _, node, name = _unpack(device, place * (1024 << size), "<IIQ64s32s")
    words = [text.partition(b"\0")[0].decode(errors="replace") for text in (node, name)]
    return f"{words[0]} ({words[1]})" if magic == _MMP_MAGIC and count != _MMP_CLEAN else ""


def _unpack(device: str, at: int, form: str) -> tuple[Any, ...]:
    with Path(device).open("rb") as file:
        file.seek(at)
        data = file.read(struct.calcsize(form))
    return struct.unpack(form, data.ljust(struct.calcsize(form), b"\0"))


def claim_alone(device: str) -> str:
    """Why this host's kernel still uses the device, though nothing shows it mounted; empty if it does not."""
    try:
        os.close(os.open(device, os.O_RDONLY | os.O_EXCL | os.O_CLOEXEC))
    except FileNotFoundError:
        return ""
    except OSError as error:
        return f"the kernel has not let go of {device}: {error.strerror}"
    return ""
