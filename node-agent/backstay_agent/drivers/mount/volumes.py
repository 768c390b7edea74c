"""What a logical volume is by name, and whether this host may activate it. Pure, but for what asks `/sys`, where the kernel's mappings are.

Nobody locks a volume group on a shared disk here: its system ID says which host may use it, and the grant of a service who comes next.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from backstay_api.objects.devices import logical_volume

BLOCK: Final = Path("/sys/block")
TAG: Final = "backstay="
"""With a system ID behind it, a tag of the volume group: that host has held it for Backstay. Only from such a host is it taken over."""
FIELDS: Final = (
    "vg_name,lv_name,vg_systemid,vg_lock_type,vg_clustered,vg_partial,vg_exported,vg_autoactivation,vg_tags,lv_role,"
    "lv_autoactivation,lv_skip_activation"
)
_MAPPED: Final = re.compile("((?:[^-]|--)+)-((?:[^-]|--)+)")
"""A mapping's name: the group, a dash, the volume, and each dash in them doubled."""


@dataclass(frozen=True)
class Volume:
    """A logical volume by its name."""

    group: str
    name: str

    @property
    def words(self) -> str:
        return f"{self.group}/{self.name}"

    @property
    def mapping(self) -> str:
        """As device-mapper calls it."""
        return "-".join(one.replace("-", "--") for one in (self.group, self.name))

    @property
    def path(self) -> str:
        return f"/dev/mapper/{self.mapping}"


@dataclass(frozen=True)
class LvmOfHost:
    """What LVM on this host is set to."""

    system_id: str
    auto_list: str = ""
    """`activation/auto_activation_volume_list` as lvmconfig tells it; empty: it is not set."""


def volume_of(device: str) -> Volume | None:
    """What a device would be if it is a logical volume: whether it is one, who has LVM or the kernel at hand can say."""
    found = logical_volume(device)
    return Volume(*found) if found else None


def active(volume: Volume, block: Path = BLOCK) -> str:
    """`major:minor` of its mapping in the kernel; empty if it is not active. Reads /sys, which asks no disk."""
    for one in block.glob("dm-*"):
        with suppress(OSError):
            is_lvm = (one / "dm/uuid").read_text().startswith("LVM-")
            if is_lvm and (one / "dm/name").read_text().strip() == volume.mapping:
                return (one / "dev").read_text().strip()
    return ""


def leads_to(number: str, block: Path = BLOCK) -> str:
    """Of which logical volume this is the device, as `/dev/VG/LV`; empty if of none."""
    for one in block.glob("dm-*"):
        with suppress(OSError):
            if (one / "dev").read_text().strip() == number and (one / "dm/uuid").read_text().startswith("LVM-"):
                found = _MAPPED.fullmatch((one / "dm/name").read_text().strip())
                return f"/dev/{found[1]}/{found[2]}".replace("--", "-") if found else ""
    return ""


def rows(text: str) -> list[Mapping[str, Any]]:
    """Of a report in JSON, which has one a line, between the lines of its warnings."""
    found = []
    for line in text.splitlines():
        if line.strip().startswith('{"lv_') or line.strip().startswith('{"vg_'):
            with suppress(ValueError):
                found.append(json.loads(line.strip().removesuffix(",")))
    return found


def refusal(volume: Volume, row: Mapping[str, Any], host: LvmOfHost) -> str:
    """Why this host does not activate it; empty if it may, once it has the grant."""
    group, owner = volume.group, row["vg_systemid"]
    if row["vg_lock_type"] or row["vg_clustered"]:
        kind = row["vg_lock_type"] or "clvmd"
        return f"{group} is shared by a lock manager ({kind}), which Backstay does not speak with: vgchange --lock-type none {group}"
    if row["vg_partial"]:
        return f"{group} is not complete: a disk (physical volume) of it is not seen on this host"
    if row["vg_exported"]:
        return f"{group} is exported: vgimport {group}"
    if owner and not host.system_id:
        return f"{group} belongs to {owner} by its system ID, and LVM on this host has none: set system_id_source in lvm.conf"
    if owner not in ("", host.system_id) and f"{TAG}{owner}" not in row["vg_tags"].split(","):
        return (
            f"{group} belongs to {owner} by its system ID, which had it not from Backstay: start the service on {owner} first,"
            f" or say there that it may be taken over: vgchange --addtag {TAG}{owner} {group}"
        )
    return _odd(volume, row) or by_itself(volume, row, host)


def by_itself(volume: Volume, row: Mapping[str, Any], host: LvmOfHost) -> str:
    """What would activate it on this host at a boot without us, and the remedy; empty if nothing would."""
    if not row["vg_autoactivation"] or not row["lv_autoactivation"]:
        return ""
    if host.auto_list and not _is_listed(volume, host.auto_list):
        return ""
    return (
        f"LVM activates {volume.words} by itself on each host that may use {volume.group}, at a boot and when its disks appear:"
        f" vgchange --setautoactivation n {volume.group}"
    )


def _is_listed(volume: Volume, auto_list: str) -> bool:
    """A tag may mean it: then it is taken for listed."""
    names = re.findall(r'"([^"]*)"', auto_list)
    return any(name in (volume.group, volume.words) or name.startswith("@") for name in names)


def _odd(volume: Volume, row: Mapping[str, Any]) -> str:
    roles = row["lv_role"].split(",")
    if "public" not in roles or "thicksnapshot" in roles:
        return f"{volume.words} is not activated by itself but with another volume ({row['lv_role']}): name that"
    if row["lv_skip_activation"]:
        return f"{volume.words} is marked to be skipped when volumes are activated: lvchange --setactivationskip n {volume.words}"
    return ""
