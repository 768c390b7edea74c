"""What a start will need of the kernel and of the network: asked before it is needed, with a deadline."""

from __future__ import annotations

import asyncio
import os
from functools import partial
from pathlib import Path
from typing import Final

from backstay_agent.drivers.tools.file_system_looks import look
from backstay_api.objects.devices import is_network
from backstay_api.objects.mounts import is_bind
from backstay_api.objects.plain import Mount

from .acts import found

ANSWER_S: Final = 2.0
NFS_PORT: Final = 2049
FILESYSTEMS: Final = Path("/proc/filesystems")
MODULES: Final = Path("/lib/modules")


async def type_unknown(spec: Mount) -> str:
    """Why this host could not mount such a filesystem; empty if it could, as far as is known."""
    fs_type = spec.fs_type or ("nfs" if is_network(spec.device) else "")
    if not fs_type or is_bind(spec):
        return ""
    if await look(f"{MODULES} ({fs_type})", partial(has_type, fs_type)) or await found(f"mount.{fs_type}"):
        return ""
    return f"the kernel of this host has no filesystem of type {fs_type}, nor a module for it"


def has_type(fs_type: str, filesystems: Path = FILESYSTEMS, modules: Path = MODULES) -> bool:
    if fs_type in filesystems.read_text().split():
        return True
    try:
        aliases = (modules / os.uname().release / "modules.alias").read_text()
    except OSError:
        return False
    return f"alias fs-{fs_type} " in aliases


async def unreachable(spec: Mount) -> str:
    """Why its server cannot be reached; empty if it can, or it has none."""
    if not is_network(spec.device):
        return ""
    server = spec.device.partition(":/")[0].strip("[]")
    port = next(
        (int(one[5:]) for one in spec.options or () if one.startswith("port=") and one[5:].isdecimal()), NFS_PORT
    )
    try:
        async with asyncio.timeout(ANSWER_S):
            _, writer = await asyncio.open_connection(server, port)
    except (OSError, TimeoutError) as error:
        return f"{server} does not answer on port {port}: {error or f'nothing within {ANSWER_S:g} s'}"
    writer.close()
    return ""
