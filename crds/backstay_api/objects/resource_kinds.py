"""What a kind of resource is, one row each: all that operator, agent and simulator must know of it, but for the driver that starts it.

Standard library only, and a resource is looked at by its fields alone, so that the models and the agent's plain classes (`plain.py`)
are both understood, and both mean the same thing by the same name.
"""

from __future__ import annotations

import hashlib
import ipaddress
import re
import shlex
import string
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import KW_ONLY, dataclass
from functools import lru_cache
from typing import Any, Final, Literal

from . import commands, unit_settings
from .commands import commands_of

ClaimType = Literal["Address", "Device", "Unit", "Command", "Ocf", "Path"]
ON_HOSTS: Final[tuple[ClaimType, ...]] = ("Unit", "Command", "Ocf", "Path")
"""What belongs to somebody host by host; everything else belongs to one service in the whole cluster."""
# 128 bits: no two things share a name by chance, and the name stays readable in a terminal.
_HASH_CHARS: Final = 32


@dataclass(frozen=True, order=True)
class Claim:
    """One thing that two services may not share."""

    type: ClaimType
    key: str
    """Its one canonical form."""

    @property
    def is_on_hosts(self) -> bool:
        """Whether it belongs to somebody host by host."""
        return self.type in ON_HOSTS

    @property
    def text(self) -> str:
        """As people say it."""
        return f"{self.type.lower()} {self.key if self.type not in ('Command', 'Ocf') else self.key[:80]}"

    @property
    def name(self) -> str:
        """Name of its ResourceClaim: whoever wants the same thing wants the same name."""
        return _name(self.type, self.key)


@lru_cache(maxsize=16384)
def _name(type_: str, key: str) -> str:
    return f"{type_.lower()}-{hashlib.sha256(key.encode()).hexdigest()[:_HASH_CHARS]}"


@dataclass(frozen=True)
class ResourceKind:
    """One kind. The functions are given what stands in the resource's field of this kind."""

    field: str
    """Its field in a resource, as Python has it."""
    noun: str
    """What people call such a thing, in sentences."""
    key: Callable[[Any], str]
    """Which one it is on a host: its canonical name, however it is spelled."""
    _: KW_ONLY
    alias: str = ""
    """Its field as a manifest has it, where that is another word."""
    claims: Callable[[Any], tuple[Claim, ...]] = lambda spec: ()
    """What no other service may have. Empty: any number of services may share it on a host."""
    strategy: Literal["Duplicate", "Share", "Move", "External"] = "Move"
    """How it comes to be on more than one host, where the manifest does not say."""
    consistency: Literal["Any", "Bounded", "Exact"] = "Any"
    """How different copies may be, where the manifest does not say."""
    is_implemented: bool = False
    """Else it is refused: the schema knows it, and nobody carries it out."""
    units: Callable[[Any], tuple[str, ...]] = lambda spec: ()
    """Units of the host's systemd that must not start without our word."""
    is_address: bool = False
    """It only leads to what serves: it stays up while that is restarted, and a port that its probes ask is not its own."""
    work: Callable[[Any], object] = lambda spec: spec
    """What of it is carried out by a start: an edit of anything else needs no restart."""
    live: Callable[[Any], object] = lambda spec: None
    """What of it is brought to what runs, without a restart."""
    parameters: Callable[[Any], Mapping[str, str]] = lambda spec: {}
    """What else is part of its work, but for what the host that runs it says can be reloaded."""
    watched: Callable[[Any], object] = lambda spec: None
    """What of it, beside that, tells a watch of it what to say."""
    for_a_stop: Callable[[Any], object] = lambda spec: None
    """What of it, beside that, a stop of it goes by: what may have to be stopped is remembered with it."""
    fault: Callable[[Any], str] = lambda spec: ""
    """What no schema can say is wrong with it: the field, a colon, and the rest of a sentence; empty if nothing is."""
    senseless: Callable[[Any], str] = lambda spec: ""
    """Why no driver could make sense of it, whoever wrote it; empty if one can."""
    stop_by_hand: Callable[[Any], str] = lambda spec: ""
    """The command by which a person stops it."""

    @property
    def wire(self) -> str:
        """Its field as a manifest has it."""
        return self.alias or self.field


def kinds_in(resources: Iterable[Any]) -> Iterator[tuple[ResourceKind, Any]]:
    """Of each resource its kind, and what stands in that field. One that is of a later release has none."""
    for resource in resources:
        for kind in RESOURCE_KINDS:
            if (spec := getattr(resource, kind.field, None)) is not None:
                yield kind, spec
                break


def claims_of(resources: Iterable[Any]) -> tuple[Claim, ...]:
    """What these must own before they run, each once, in their order."""
    return tuple(dict.fromkeys(claim for kind, spec in kinds_in(resources) for claim in kind.claims(spec)))


def units_of(resources: Iterable[Any]) -> tuple[str, ...]:
    """Units that must not start without our word, in the order of their resources."""
    return tuple(unit for kind, spec in kinds_in(resources) for unit in kind.units(spec))


def identity(resource: Any) -> str:
    """What it is on a host, whoever names it: `unit web.service`, `address 192.0.2.10`, `command /bin/true`."""
    return next(f"{kind.noun} {kind.key(spec)}" for kind, spec in kinds_in([resource]))


def is_address(resource: Any) -> bool:
    """Whether it only leads to what serves."""
    return any(kind.is_address for kind, _ in kinds_in([resource]))


# --- one name for one thing ------------------------------------------------------------------------------------------


@lru_cache(maxsize=16384)
def canonical_address(cidr: str) -> str:
    """The address alone, in its one form: the prefix does not make it another, nor does being v4-mapped. Empty: it is none."""
    try:
        address = ipaddress.ip_interface(cidr).ip
    except ValueError:
        return ""
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(mapped or address)


@lru_cache(maxsize=16384)
def canonical_unit(unit: str) -> str:
    r"""The unit's name in its one form: what systemd writes as `\x2d` and the like is one name, however many ways it is spelled.

    Aliases are another matter: they are known on the host alone, which refuses them (the agent says not ready).
    """
    stem, dot, suffix = unit.rpartition(".")
    return f"{re.sub(_ESCAPE, _plain, stem)}{dot}{suffix}"


_ESCAPE: Final = re.compile(r"\\x([0-9a-fA-F]{2})")
_UNESCAPED: Final = frozenset(string.ascii_letters + string.digits + ":_.")


def _plain(found: re.Match[str]) -> str:
    letter = chr(int(found[1], 16))
    return letter if letter in _UNESCAPED else f"\\x{found[1].lower()}"


def unusable_address(cidr: str) -> str:
    """Why no host of several can have this address, in a sentence; empty if one can."""
    interface = ipaddress.ip_interface(cidr)
    address, network = interface.ip, interface.network
    if network.prefixlen == 0:
        return f"{cidr}: /0 is no subnet but every address there is: give the prefix length of the hosts' subnet"
    if not _is_unicast(address):
        return f"{cidr} is not a unicast address that can move between hosts: choose a unicast address of the hosts' subnet"
    room = network.max_prefixlen - network.prefixlen
    if room > 1 and address == network.network_address:
        return f"{cidr} is the address of the subnet itself: choose one inside it"
    if room > 1 and network.version == 4 and address == network.broadcast_address:
        return f"{cidr} is the broadcast address of its subnet: choose one inside it"
    return ""


def unusable_route(ip: Any) -> str:
    """The field, a colon, and why no host could have one of its routes; empty if all can be."""
    address = ipaddress.ip_interface(ip.address)
    for at, route in enumerate(ip.routes or ()):
        if why := _unusable_route(route, address.version):
            return f"routes[{at}]: {why}"
    if ip.preferred_lifetime is not None and address.version == 4:
        return "preferredLifetime: it is for IPv6; give `routes` for what is to have this address as its source"
    return ""


def _unusable_route(route: Any, version: int) -> str:
    try:
        to = ipaddress.ip_network(route.to)
        via = ipaddress.ip_address(route.via) if route.via else None
    except ValueError as error:
        return f"{error}"
    if {to.version, via.version if via else version} != {version}:
        return f"the route to {to} is not of the family of the address: give each family an address of its own"
    if to.prefixlen == 0:
        return f"{to} is every address there is, the host's own connections included: name the networks"
    return "" if via is None or _is_unicast(via) else f"{via} is no gateway: choose a unicast address"


def _is_unicast(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    """Whether one machine can have it on a network. Of v4, 0/8 is the sender itself, and what stands from 240/4 on is nobody's."""
    if address.version == 4 and (address.packed[0] == 0 or address.is_reserved):
        return False
    return not (address.is_unspecified or address.is_multicast or address.is_loopback)


def _address(cidr: str) -> str:
    return canonical_address(cidr) or cidr.lower()  # what is no address is never added, so nobody can share it


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


def is_bind(mount: Any) -> bool:
    """Whether it shows a folder of the host at another place."""
    return "bind" in (mount.options or ())


_NOT_OPTIONS: Final = re.compile(
    r"(suid|dev|remount|move|rbind|loop|offset|sizelimit|nofail|r?shared|r?private|r?slave|r?unbindable|u?helper)(=.*)?"
)
"""Options that ask for something else than this one mount, hide that there is none, or let files on it change rights on the host."""


def senseless_mount(mount: Any) -> str:
    """The field, a colon, and why no driver would mount that; empty if one does."""
    if odd := next((option for option in mount.options or () if _NOT_OPTIONS.fullmatch(option)), None):
        return f"options: {odd} is not to be given: leave it out"
    if (mount.fs_type or "").startswith("fuse"):
        return f"fsType: {mount.fs_type} lives in a process, which a mount does not keep: use a unit or a command"
    return ""


def _mount_claims(mount: Any) -> tuple[Claim, ...]:
    # What a server exports may be read by many at once, and what is bound belongs to its host.
    is_shared = is_bind(mount) or (is_network(mount.device) and "ro" in (mount.options or ()))
    if is_shared:
        return (Claim("Path", mount.path),)
    device = canonical_device(mount.device)
    # A volume group has one system ID: whoever activates one of its volumes takes all of them to its host.
    volume = logical_volume(device)
    groups = (Claim("Device", f"/dev/{volume[0]}"),) if volume else ()
    return (Claim("Device", device), *groups, Claim("Path", mount.path))


_OCF: Final = re.compile("[A-Za-z0-9_-]+:[A-Za-z0-9_-]+")


def ocf_agent(agent: str) -> str:
    """Provider and type, as `pcs` and `crm` write them too."""
    return agent.removeprefix("ocf:")


def ocf_key(ocf: Any) -> str:
    """By its own name, if it has one. Else by all that its agent is told: the same told twice is one thing on a host."""
    parameters = sorted((ocf.parameters or {}).items())
    return " ".join(
        [ocf_agent(ocf.agent), *([ocf.instance] if ocf.instance else [f"{k}={v!r}" for k, v in parameters])]
    )


# Agents that hold what belongs to one service in the whole cluster, and the parameter that names it.
_OCF_HOLDS: Final[dict[str, tuple[str, Callable[[str], tuple[Claim, ...]]]]] = {
    **dict.fromkeys(
        ("heartbeat:IPaddr", "heartbeat:IPaddr2"),
        ("ip", lambda ip: (Claim("Address", canonical_address(ip)),) if canonical_address(ip) else ()),
    ),
    "heartbeat:Filesystem": (
        "device",
        lambda device: (Claim("Device", canonical_device(device)),) if device.startswith("/dev/") else (),
    ),
}


def _ocf_claims(ocf: Any) -> tuple[Claim, ...]:
    """What an agent does with its parameters only its metadata could tell, which are on the hosts; so little is known here."""
    parameter, claims = _OCF_HOLDS.get(ocf_agent(ocf.agent), ("", lambda value: ()))
    return (Claim("Ocf", ocf_key(ocf)), *claims((ocf.parameters or {}).get(parameter, "")))


# --- the kinds -------------------------------------------------------------------------------------------------------


RESOURCE_KINDS: Final[tuple[ResourceKind, ...]] = (
    ResourceKind(
        "systemd",
        "unit",
        lambda systemd: canonical_unit(systemd.unit),
        claims=lambda systemd: (Claim("Unit", canonical_unit(systemd.unit)),),
        is_implemented=True,
        units=lambda systemd: (systemd.unit,),
        work=unit_settings.from_a_start_on,
        live=lambda systemd: unit_settings.live(systemd.overrides),
        fault=unit_settings.fault_of,
        senseless=unit_settings.fault_of,
        stop_by_hand=lambda systemd: f"systemctl stop {systemd.unit}",
    ),
    ResourceKind(
        "command",
        "command",
        lambda command: " ".join(commands_of(command).start),
        # What two services start by the same command is one thing on the machine: the stop of the one would be the other's.
        claims=lambda command: (Claim("Command", " ".join(commands_of(command).start)),),
        is_implemented=True,
        work=commands.from_a_start_on,
        live=commands.live,
        watched=lambda command: commands_of(command).check,
        for_a_stop=commands.for_a_stop,
        fault=commands.fault_of_command,
        senseless=commands.senseless_command,
        stop_by_hand=commands.stop_by_hand,
    ),
    ResourceKind(
        "virtual_ip",
        "address",
        lambda ip: _address(ip.address),
        alias="virtualIP",
        claims=lambda ip: (Claim("Address", _address(ip.address)),),
        is_implemented=True,
        is_address=True,
        # What is done about a duplicate is asked when there is one.
        work=lambda ip: (ip.address, ip.interface, ip.routes, ip.nodad, ip.preferred_lifetime),
        fault=lambda ip: ((why := unusable_address(ip.address)) and f"address: {why}") or unusable_route(ip),
        senseless=lambda ip: (
            unusable_route(ip) if canonical_address(ip.address) else f"{ip.address!r} is not an address"
        ),
        watched=lambda ip: ip.on_duplicate,
    ),
    ResourceKind(
        "ocf",
        "OCF resource",
        ocf_key,
        claims=_ocf_claims,
        is_implemented=True,
        # What is not named by `instance` is another thing with other parameters.
        work=ocf_key,
        parameters=lambda ocf: ocf.parameters or {},
        senseless=lambda ocf: "" if _OCF.fullmatch(ocf_agent(ocf.agent)) else f"{ocf.agent!r} is not provider and type",
    ),
    ResourceKind(
        "mount",
        "filesystem",
        lambda mount: mount.path,
        claims=_mount_claims,
        strategy="Share",
        is_implemented=True,
        work=lambda mount: (canonical_device(mount.device), mount.path, mount.fs_type, tuple(mount.options or ())),
        fault=senseless_mount,
        senseless=senseless_mount,
        stop_by_hand=lambda mount: f"umount {shlex.quote(mount.path)}",
    ),
    ResourceKind("file", "file", lambda file: file.path, strategy="Duplicate", consistency="Exact"),
    ResourceKind("package", "package", lambda package: package.name, strategy="Duplicate"),
    ResourceKind("path", "tree", lambda tree: tree.path, strategy="Duplicate", consistency="Exact"),
    ResourceKind("replication", "replication", lambda lag: lag.command[0], strategy="Duplicate", consistency="Bounded"),
)
IMPLEMENTED: Final = tuple(kind for kind in RESOURCE_KINDS if kind.is_implemented)
