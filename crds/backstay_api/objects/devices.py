"""Devices as manifests name them: their one form, and what of them is a logical volume or lies in the network.

Standard library only: the operator and the agent read a device alike.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

_ESCAPE: Final = re.compile(r"\\x([0-9a-fA-F]{2})")
"""As udev and systemd write what a name may not have."""
_LINK: Final = re.compile(r"/dev/disk/by-(uuid|label|partuuid|partlabel)/(.+)")
_FOLDERS: Final = "block|bsg|bus|cciss|char|cpu|disk|dm|dri|drbd|fd|infiniband|input|loop|mapper|md|nbd|net|pts|rbd|shm|snd|ubi|usb|vfio|zvol"
"""What else has a folder of its own below /dev."""
_VOLUME: Final = re.compile(
    rf"/dev/(?!(?:{_FOLDERS})/)([A-Za-z0-9+_.][A-Za-z0-9+_.-]*)/([A-Za-z0-9+_.][A-Za-z0-9+_.-]*)"
)
_TAG: Final = re.compile(r"(UUID|LABEL|PARTUUID|PARTLABEL)=(.+)")


@lru_cache(maxsize=16384)
def canonical_device(device: str) -> str:
    """The device's name in its one form: a link that udev makes from a tag is that tag, and a server is one however it is spelled.

    Other names of one device are known on the hosts alone, which see by its number that it is mounted already.
    """
    if found := _LINK.fullmatch(device) or _TAG.fullmatch(device):
        tag, value = found[1].upper(), re.sub(_ESCAPE, lambda code: chr(int(code[1], 16)), found[2])
        return f"{tag}={value.lower() if tag.endswith('UUID') else value}"
    if is_network(device):
        server, _, path = device.partition(":/")
        return f"{server.lower()}:/{path}"
    if not device.startswith("/") and device.count("/") == 1:
        return f"/dev/{device}"
    return device


def logical_volume(device: str) -> tuple[str, str] | None:
    """Volume group and name of what is a logical volume by its name; whether there is one, only hosts know."""
    found = _VOLUME.fullmatch(canonical_device(device))
    return (found[1], found[2]) if found else None


def is_network(device: str) -> bool:
    """Whether it is a folder that a server exports: `server:/path`."""
    return not device.startswith("/") and ":/" in device
