"""Sources 6 and 7: what the unit listens at, who its clients are, what it is connected to, and which units of this host stand behind that."""

from __future__ import annotations

import ipaddress
import os
import re
import socket
import struct
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Final, Literal

from backstay_api.objects.survey import Skipped, SocketFacts, Survey

from .contained import found
from .place import Place

MOST_SOCKETS: Final = 20_000
MOST_KEPT: Final = 128
MOST_SWEPT: Final = 20_000
"""Processes of the host that are looked at for the other end of a socket."""
_LISTENS: Final = "0A"
_ESTABLISHED: Final = "01"
_UNBOUND_UDP: Final = "07"
_MOST_BYTES: Final = 8 * 1024 * 1024


@dataclass(frozen=True)
class InetSocket:
    """A line of /proc/net/tcp and the like."""

    protocol: Literal["tcp", "udp"]
    state: str
    local: str
    port: int
    remote: str
    remote_port: int
    inode: int


Listening = dict[tuple[str, int], InetSocket]
"""By protocol and port."""


def sockets(place: Place, base: Survey) -> Survey:
    """By the network namespace that the unit's processes see; what others have there is told from its own by the numbers of sockets."""
    pids = [pid for program in base.programs for pid in program.pids]
    if not pids:
        return found(base)
    own = _inodes(place, pids)
    lines = list(_inet(place, pids[0]))
    mine = [one for one in lines if one.inode in own]
    listens: Listening = {
        (one.protocol, one.port): one
        for one in mine
        if one.state == _LISTENS or (one.protocol == "udp" and one.state == _UNBOUND_UDP)
    }
    kept = [*_listeners(listens.values()), *_clients(place, mine, listens)]
    kept += [*_connections(mine, listens), *_unix(place, pids[0], own)]
    local = _on_this_host(place, lines, mine, listens, own)
    skipped = (Skipped("sockets", f"only the first {MOST_KEPT} kinds"),) if len(kept) > MOST_KEPT else ()
    return replace(found(base), sockets=(*kept[:MOST_KEPT], *local), skipped=skipped)


def _listeners(listens: Iterable[InetSocket]) -> Iterator[SocketFacts]:
    for one in listens:
        yield SocketFacts(one.protocol, "Listens", one.local, one.port)


def _clients(place: Place, mine: list[InetSocket], listens: Listening) -> Iterator[SocketFacts]:
    first = first_addresses(place)
    counts = Counter(
        (one.local, one.port) for one in mine if one.state == _ESTABLISHED and (one.protocol, one.port) in listens
    )
    for (local, port), count in counts.items():
        if not ipaddress.ip_address(local).is_loopback:
            yield SocketFacts("tcp", "Clients", local, port, count=count, is_own=bool(first) and local not in first)


def _connections(mine: list[InetSocket], listens: Listening) -> Iterator[SocketFacts]:
    out = [one for one in mine if one.state == _ESTABLISHED and (one.protocol, one.port) not in listens]
    counts = Counter((one.remote, one.remote_port) for one in out if not ipaddress.ip_address(one.remote).is_loopback)
    for (remote, port), count in counts.items():
        yield SocketFacts("tcp", "Connects", "", port, remote, count)


def _on_this_host(
    place: Place,
    lines: list[InetSocket],
    mine: list[InetSocket],
    listens: Listening,
    own: set[int],
) -> list[SocketFacts]:
    """Units that it is connected to by loopback, or by a unix socket."""
    wanted: dict[int, SocketFacts] = {}
    for one in mine:
        if (
            one.state == _ESTABLISHED
            and (one.protocol, one.port) not in listens
            and ipaddress.ip_address(one.remote).is_loopback
        ):
            for other in lines:
                if other.state == _LISTENS and other.port == one.remote_port and other.inode not in own:
                    wanted[other.inode] = SocketFacts("tcp", "Connects", "", one.remote_port, one.remote)
    for peer, path in _unix_peers(own).items():
        wanted[peer] = SocketFacts("unix", "Connects", path)
    units = _units_of(place, set(wanted)) if wanted else {}
    return list(dict.fromkeys(replace(wanted[inode], unit=name) for inode, name in units.items()))[:MOST_KEPT]


def _inodes(place: Place, pids: Iterable[int]) -> set[int]:
    return {inode for pid in pids for inode in _sockets_of(place, pid)}


def _sockets_of(place: Place, pid: int) -> Iterator[int]:
    for fd in place.names(f"/proc/{pid}/fd", MOST_SOCKETS):
        try:
            target = os.readlink(place.at(f"/proc/{pid}/fd/{fd}"))
        except OSError:
            continue
        if match := re.fullmatch(r"socket:\[(\d+)\]", target):
            yield int(match[1])


def _inet(place: Place, pid: int) -> Iterator[InetSocket]:
    for name in ("tcp", "tcp6", "udp", "udp6"):
        text = (place.read(f"/proc/{pid}/net/{name}", _MOST_BYTES) or b"").decode(errors="replace")
        for line in text.splitlines()[1 : MOST_SOCKETS + 1]:
            if one := _inet_line("tcp" if name.startswith("tcp") else "udp", line.split()):
                yield one


def _inet_line(protocol: Literal["tcp", "udp"], words: list[str]) -> InetSocket | None:
    try:
        (local, port), (remote, remote_port) = _end(words[1]), _end(words[2])
        return InetSocket(protocol, words[3], local, port, remote, remote_port, int(words[9]))
    except (IndexError, ValueError):
        return None  # cut by the limit of what is read


def _end(text: str) -> tuple[str, int]:
    """The kernel writes an address as words of this machine's own order."""
    address, _, port = text.partition(":")
    words = [struct.pack("=I", int(address[at : at + 8], 16)) for at in range(0, len(address), 8)]
    parsed = ipaddress.ip_address(b"".join(words))
    mapped = parsed.ipv4_mapped if isinstance(parsed, ipaddress.IPv6Address) else None
    return str(mapped or parsed), int(port, 16)


def _unix(place: Place, pid: int, own: set[int]) -> Iterator[SocketFacts]:
    """Paths at which it listens."""
    text = (place.read(f"/proc/{pid}/net/unix", _MOST_BYTES) or b"").decode(errors="replace")
    for line in text.splitlines()[1:]:
        words = line.split(None, 7)
        if (
            len(words) == 8
            and words[7].startswith("/")
            and words[3] == "00010000"
            and words[6].isdigit()
            and int(words[6]) in own
        ):
            yield SocketFacts("unix", "Listens", words[7])


# --- the other ends on this host -----------------------------------------------------------------------------------------

_SOCK_DIAG: Final = 4
_BY_FAMILY: Final = 20
_DUMP: Final = 0x301
_DONE: Final = 3
_SHOW_NAME_AND_PEER: Final = 1 | 4
_NAME: Final = 0
_PEER: Final = 2
_MOST_ANSWERS: Final = 4096


def _unix_peers(own: set[int]) -> dict[int, str]:
    """Of unix sockets the number of the other end, and at which path it listens. Only the kernel's `sock_diag` tells."""
    names: dict[int, str] = {}
    peers: list[int] = []
    try:
        for inode, name, peer in _unix_sockets():
            names[inode] = name
            if inode in own and peer and peer not in own:
                peers.append(peer)
    except OSError:
        return {}  # another kernel; said by nobody, as these are peers only
    return {peer: names[peer] for peer in peers if names.get(peer, "").startswith("/")}


def _unix_sockets() -> Iterator[tuple[int, str, int]]:
    request = struct.pack("=BBHIIIII", socket.AF_UNIX, 0, 0, 0xFFFFFFFF, 0, _SHOW_NAME_AND_PEER, 0xFFFFFFFF, 0xFFFFFFFF)
    with closing(socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _SOCK_DIAG)) as link:
        link.settimeout(1.0)
        link.send(struct.pack("=IHHII", 16 + len(request), _BY_FAMILY, _DUMP, 1, 0) + request)
        for _ in range(_MOST_ANSWERS):
            for kind, body in _messages(link.recv(65536)):
                if kind == _DONE:
                    return
                if kind == _BY_FAMILY and len(body) >= 16:
                    yield _unix_message(body)


def _messages(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at + 16 <= len(data):
        length, kind = struct.unpack_from("=IH", data, at)
        if length < 16:
            return
        yield kind, data[at + 16 : at + length]
        at += (length + 3) & ~3


def _unix_message(body: bytes) -> tuple[int, str, int]:
    (inode,) = struct.unpack_from("=I", body, 4)
    name, peer, at = "", 0, 16
    while at + 4 <= len(body):
        length, kind = struct.unpack_from("=HH", body, at)
        value = body[at + 4 : at + length]
        if kind == _NAME:
            name = value.split(b"\0")[0].decode(errors="replace")
        elif kind == _PEER and len(value) >= 4:
            (peer,) = struct.unpack_from("=I", value)
        at += max(4, (length + 3) & ~3)
    return inode, name, peer


def _units_of(place: Place, inodes: set[int]) -> dict[int, str]:
    """By one look at the open files of all processes: the unit of whoever has each socket."""
    units: dict[int, str] = {}
    for name in place.names("/proc", MOST_SWEPT):
        if name.isdigit() and (held := inodes.intersection(_sockets_of(place, int(name)))):
            unit = unit_of(place, int(name))
            units.update(dict.fromkeys(held, unit) if unit else {})
    return units


def unit_of(place: Place, pid: int) -> str:
    """The innermost unit of a process, by its control group."""
    text = (place.read(f"/proc/{pid}/cgroup", 65536) or b"").decode(errors="replace")
    path = next((line.partition("::")[2] for line in text.splitlines() if line.startswith("0::")), "")
    path = path or next(
        (line.partition("name=systemd:")[2] for line in text.splitlines() if "name=systemd:" in line), ""
    )
    return next((part for part in reversed(path.split("/")) if part.endswith((".service", ".scope"))), "")


def first_addresses(place: Place) -> set[str]:
    """IPv4 addresses that hosts were given first: of each subnet, the first that the kernel lists. Empty where that cannot be told."""
    text = (place.read("/proc/net/fib_trie", _MOST_BYTES) or b"").decode(errors="replace")
    local = re.findall(r"\|-- ([0-9.]+)\n\s+/32 host LOCAL", text)
    # A secondary address is the same kind of line; its own link lists it behind the first, which the trie does not keep.
    return set(local) if len(set(local) - {"127.0.0.1"}) == 1 else set()
