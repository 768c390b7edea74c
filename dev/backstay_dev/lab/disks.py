"""A disk that hosts reach together, as a SAN gives one: a file of this machine behind a loop device."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from backstay_dev.lab.hosts import LabHost
from backstay_dev.lab.shell import LabError, call

LINK: Final = "/dev/disk/by-id/wwn-0x5000c500a1b2c3d4"
"""Its name on every host that it is given to; examples/postgresql-shared-disk.yaml has the same."""


@contextmanager
def loop_device(image: Path, *features: str, fs_type: str = "ext4", mib: int = 16) -> Iterator[str]:
    """A new disk of this size; `fs_type` empty: blank. Whatever is still mounted of it at the end is unmounted."""
    call("truncate", "-s", f"{mib}M", image)
    if fs_type:
        call(f"mkfs.{fs_type}", "-q", *features, image)
    device = call("losetup", "-f", "--show", image).strip()
    try:
        yield device
    finally:
        with suppress(LabError):  # findmnt fails where it finds nothing
            for line in reversed(call("findmnt", "-rno", "TARGET", "-S", device).splitlines()):
                call("umount", line)
        call("losetup", "-d", device)


def give(host: LabHost, device: str, link: str = LINK) -> None:
    """What a SAN does. A machine that was switched off has to be given it again: its `/dev` is in memory."""
    number = device.removeprefix("/dev/loop")
    script = f"mkdir -p {Path(link).parent}; rm -f {device} {link}; mknod {device} b 7 {number}; ln -s {device} {link}"
    host.run("sh", "-c", script)
