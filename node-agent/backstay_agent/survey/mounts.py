"""Sources 8 and 9: the filesystems that the unit sees, and what their devices are made of."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from backstay_api.objects.survey import MountFacts, Survey

from .contained import found
from .place import Place

MOST_MOUNTS: Final = 2000
NETWORK: Final = (
    "nfs",
    "nfs4",
    "cifs",
    "smb3",
    "ceph",
    "glusterfs",
    "afs",
    "9p",
    "lustre",
    "gfs2",
    "ocfs2",
    "beegfs",
    "davfs",
)
_MAY_HANG: Final = (*NETWORK, "autofs")
_SHARED: Final = ("gfs2", "ocfs2")
_OF_THE_KERNEL: Final = (
    *(
        "proc",
        "sysfs",
        "cgroup",
        "cgroup2",
        "devpts",
        "mqueue",
        "debugfs",
        "tracefs",
        "securityfs",
        "bpf",
        "pstore",
        "configfs",
    ),
    *("hugetlbfs", "binfmt_misc", "efivarfs", "nsfs", "ramfs", "devtmpfs", "fusectl", "rpc_pipefs", "selinuxfs"),
)
_DEPTH: Final = 6


def mounts(place: Place, base: Survey) -> Survey:
    """Of the unit's first process, or of this one."""
    pids = [str(pid) for program in base.programs for pid in program.pids[:1]]
    text = next(
        (data for pid in (*pids, "self") if (data := place.read(f"/proc/{pid}/mountinfo", 4 * 1024 * 1024))), b""
    )
    seen = [one for line in text.decode(errors="replace").splitlines()[:MOST_MOUNTS] if (one := _mount(place, line))]
    # Of what is mounted over another at one place, the last is seen.
    return replace(found(base), mounts=tuple({one.point: one for one in seen}.values()))


def may_hang(survey: Survey) -> tuple[str, ...]:
    """Mount points that are never entered."""
    return tuple(one.point for one in survey.mounts if one.is_network)


def used(survey: Survey) -> Survey:
    """Without the filesystems on which nothing lies that was found, and each path with its mount point."""
    points = sorted((one.point for one in survey.mounts), key=len, reverse=True)
    paths = tuple(replace(one, mount_point=_point_of(one.path, points)) for one in survey.paths)
    wanted = {one.mount_point for one in paths}
    return replace(survey, paths=paths, mounts=tuple(one for one in survey.mounts if one.point in wanted))


def _point_of(path: str, points: list[str]) -> str:
    return next((point for point in points if path == point or path.startswith(f"{point.rstrip('/')}/")), "")


def _mount(place: Place, line: str) -> MountFacts | None:
    before, _, after = line.partition(" - ")
    words, ends = before.split(), after.split()
    if len(words) < 6 or len(ends) < 2 or ends[0] in _OF_THE_KERNEL:
        return None
    kind, source = ends[0], _plain(ends[1])
    hangs = kind in _MAY_HANG or kind.startswith("fuse")
    stack = tuple(_stack(place, words[2])) if source.startswith("/dev/") else ()
    shared = kind in NETWORK or kind in _SHARED or any("shared" in each for each in stack)
    return MountFacts(
        _plain(words[4]), kind, source, _plain(words[3]), stack, hangs, shared, _by_id(place, words[2]) if stack else ""
    )


def _plain(text: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda code: chr(int(code[1], 8)), text)


def _stack(place: Place, number: str, depth: int = 0) -> Iterator[str]:
    """What a block device is made of, from itself down to its disks."""
    device = place.resolve(f"/sys/dev/block/{number}")
    if device is None or depth > _DEPTH:
        return
    yield _layer(place, device)
    below = place.names(f"{device}/slaves", 16)
    for name in below:
        numbers = _word(place, f"{device}/slaves/{name}/dev") or _word(place, f"/sys/class/block/{name}/dev")
        yield from _stack(place, numbers, depth + 1)
    if not below and place.resolve(f"{device}/partition"):
        yield _layer(place, os.path.dirname(device))


def _layer(place: Place, device: str) -> str:
    name = os.path.basename(device)
    dm, dm_name = _word(place, f"{device}/dm/uuid"), _word(place, f"{device}/dm/name")
    kinds = (("LVM-", "logical volume"), ("CRYPT-", "encrypted"), ("mpath-", "shared multipath disk"))
    for prefix, kind in kinds:
        if dm.startswith(prefix):
            return f"{kind} {dm_name}"
    if name.startswith("drbd"):
        return f"DRBD {name}"
    if level := _word(place, f"{device}/md/level"):
        return f"{level} {name}"
    if place.resolve(f"{device}/partition"):
        return f"partition {name}"
    path = place.resolve(f"{device}/device") or ""
    return f"shared disk {name}" if re.search(r"/(session|rport-)", path) else f"disk {name}"


def _word(place: Place, path: str) -> str:
    canonical = place.resolve(path)
    return (place.read(canonical, 4096) or b"").decode(errors="replace").strip() if canonical else ""


def _by_id(place: Place, number: str) -> str:
    """The name that does not change with the order in which disks are found."""
    device = os.path.basename(place.resolve(f"/sys/dev/block/{number}") or "")
    for name in place.names("/dev/disk/by-id", 4096):
        if os.path.basename(place.resolve(f"/dev/disk/by-id/{name}") or "") == device:
            return f"/dev/disk/by-id/{name}"
    return ""
