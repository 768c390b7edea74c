"""Who listens on a TCP port of this host. Reads /proc, all of it for the name: to be asked through `file_system_looks.look`."""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from typing import Final

PROC: Final = Path("/proc")
_LISTENS: Final = "0A"


@dataclass(frozen=True)
class Listener:
    """A socket that waits for connections."""

    ip: IPv4Address | IPv6Address
    port: int
    inode: int

    def answers(self, host: str) -> bool:
        """Whether a connection to that address of this host would be its."""
        if self.ip.is_unspecified:
            return True
        with suppress(ValueError):
            return self.ip == ip_address(host)
        return self.ip.is_loopback and host == "localhost"

    def bars(self, ip: IPv4Address | IPv6Address, *, v6_only: bool) -> bool:
        """Whether nobody else can listen there beside it, as far as that can be seen: whether its own is for IPv6 alone cannot."""
        if self.ip == ip:
            return True
        both = ip.version == 6 and ip.is_unspecified and not v6_only
        return (self.ip.version == ip.version and self.ip.is_unspecified) or (
            ip.is_unspecified and (self.ip.version == ip.version or both)
        )


def listeners(port: int, proc: Path = PROC) -> list[Listener]:
    """Every listener on this port. Raises OSError."""
    return [one for table in ("tcp", "tcp6") for one in _table(proc / "net" / table, port)]


def owner(inode: int, proc: Path = PROC) -> str:
    """Who has the socket, as a person would look for it: `nginx (PID 812, nginx.service)`."""
    for process in proc.iterdir():
        if process.name.isdecimal() and _has(process, inode):
            return _described(process)
    return "a process that cannot be seen"


def _table(file: Path, port: int) -> Iterator[Listener]:
    try:
        lines = file.read_text().splitlines()[1:]
    except FileNotFoundError:
        return  # no IPv6
    ending = f":{port:04X}"
    for line in lines:
        words = line.split() if ending in line else []
        if len(words) > 9 and words[3] == _LISTENS and words[1].endswith(ending):
            yield Listener(_read(words[1].removesuffix(ending)), port, int(words[9]))


def _read(text: str) -> IPv4Address | IPv6Address:
    """The kernel writes addresses as numbers of the machine, 32 bits each."""
    words = [int(text[at : at + 8], 16) for at in range(0, len(text), 8)]
    packed = b"".join(struct.pack("=I", word) for word in words)
    found = ip_address(packed)
    mapped = found.ipv4_mapped if isinstance(found, IPv6Address) else None
    return mapped or found


def _has(process: Path, inode: int) -> bool:
    with suppress(OSError):
        for file in (process / "fd").iterdir():
            with suppress(OSError):
                if os.readlink(file) == f"socket:[{inode}]":
                    return True
    return False


def _described(process: Path) -> str:
    name, unit = "a process", ""
    with suppress(OSError):
        name = (process / "comm").read_text(errors="replace").strip()
    with suppress(OSError):
        group = (process / "cgroup").read_text(errors="replace").strip().rpartition(":")[2]
        unit = next(
            (part for part in reversed(group.split("/")) if part.endswith((".service", ".scope", ".socket"))), ""
        )
    return f"{name} (PID {process.name}{f', {unit}' if unit else ''})"


def is_here(host: str) -> bool:
    """Whether a name or address means this very host, as far as that needs no question to others."""
    if host == "localhost":
        return True
    try:
        family = socket.AF_INET6 if ip_address(host).version == 6 else socket.AF_INET
    except ValueError:
        return False
    with socket.socket(family, socket.SOCK_DGRAM) as door, suppress(OSError):
        door.bind((host, 0))
        return True
    return False
