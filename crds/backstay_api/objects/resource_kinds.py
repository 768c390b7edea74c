"""What a kind of resource is, one row each: all that operator, agent and simulator must know of it, but for the driver that starts it.

Standard library only, and a resource is looked at by its fields alone, so that the models and the agent's plain classes (`plain.py`)
are both understood, and both mean the same thing by the same name.
"""

from __future__ import annotations

import hashlib
import re
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import KW_ONLY, dataclass
from functools import lru_cache
from typing import Any, Final, Literal, TypeVar

from . import commands, editions, ocf_roles, policy_words, prerequisites, unit_settings
from .addresses import canonical_address, unusable_address, unusable_route
from .commands import commands_of
from .devices import canonical_device, is_network, logical_volume
from .mounts import is_bind, senseless_mount
from .ocf_names import ocf_agent, ocf_key, ocf_part
from .policy_words import Asked
from .unit_names import canonical_unit

ClaimType = Literal["Address", "Device", "Unit", "Command", "Ocf", "Path"]
ON_HOSTS: Final[tuple[ClaimType, ...]] = ("Unit", "Command", "Ocf", "Path")
"""What belongs to somebody host by host; everything else belongs to one service in the whole cluster."""
# 128 bits: no two things share a name by chance, and the name stays readable in a terminal.
_HASH_CHARS: Final = 32
T = TypeVar("T")


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
    policy: Callable[[Any], tuple[Asked, ...]]
    """What of it the policy of a host, or a ServiceClass, must allow before anything is done with it."""
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
    is_prerequisite: bool = False
    """Nothing of it is started or stopped: hosts look at it, and are compared with the one that runs the service."""
    gate: Literal["Block", "Warn"] = "Block"
    """What a host is that lacks it, where the manifest does not say."""
    may_be_older: bool = False
    """Of a prerequisite: what the service ran well with before an edit is better than an outage."""
    drift: str = "ConfigDrift"
    """Of a prerequisite, in a word for conditions: a host has it, and not as it should be."""
    says_where: bool = False
    """Of a prerequisite: two hosts can find out together where their copies differ first."""
    declared: Callable[[Any], tuple[str, ...]] = lambda spec: ()
    """Of a prerequisite the facts that the manifest says itself: each host holds them against that, and not against another host."""
    units: Callable[[Any], tuple[str, ...]] = lambda spec: ()
    """Units of the host's systemd that must not start without our word."""
    is_address: bool = False
    """It only leads to what serves: it stays up while that is restarted, and a port that its probes ask is not its own."""
    carries: bool = False
    """Others may run on it: where nothing says in which order they were started, it is stopped last."""
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
    tells_score: Callable[[Any], bool] = lambda spec: False
    """Whether it tells itself how fresh the data of the copy is that it would promote."""
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


def identities(resources: Iterable[Any]) -> list[str]:
    """The same of all that are started, and of no others."""
    return [f"{kind.noun} {kind.key(spec)}" for kind, spec in kinds_in(resources) if not kind.is_prerequisite]


def is_prerequisite(resource: Any) -> bool:
    """Whether it is only looked at."""
    return any(kind.is_prerequisite for kind, _ in kinds_in([resource]))


def is_address(resource: Any) -> bool:
    """Whether it only leads to what serves."""
    return any(kind.is_address for kind, _ in kinds_in([resource]))


def likely_start_order(resources: Iterable[T]) -> list[T]:
    """Where nothing says in which order they were started: what may carry others first, what only leads to them last."""
    return sorted(resources, key=lambda one: (not any(kind.carries for kind, _ in kinds_in([one])), is_address(one)))


def tells_score(resource: Any) -> bool:
    """Whether it tells itself how fresh the data of the copy is that it would promote."""
    return any(kind.tells_score(spec) for kind, spec in kinds_in([resource]))


# --- one name for one thing ------------------------------------------------------------------------------------------


def _address(cidr: str) -> str:
    return canonical_address(cidr) or cidr.lower()  # what is no address is never added, so nobody can share it


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
    promotion = Claim("Ocf", f"promoted {ocf_key(ocf)}")
    if ocf_roles.promotes(ocf):
        return (promotion,)
    parameter, claims = _OCF_HOLDS.get(ocf_agent(ocf.agent), ("", lambda value: ()))
    both = (promotion,) if getattr(ocf, "promotable", None) else ()
    return (Claim("Ocf", ocf_key(ocf)), *both, *claims((ocf.parameters or {}).get(parameter, "")))


# --- the kinds -------------------------------------------------------------------------------------------------------


def _prerequisite(*row: Any, fault: Callable[[Any], str] = lambda spec: "", **more: Any) -> ResourceKind:
    """One that is only looked at. What is wrong with it no host would look at either."""
    said = {"strategy": "Duplicate", "consistency": "Exact", **more}
    return ResourceKind(*row, is_implemented=True, is_prerequisite=True, fault=fault, senseless=fault, **said)


RESOURCE_KINDS: Final[tuple[ResourceKind, ...]] = (
    ResourceKind(
        "systemd",
        "unit",
        lambda systemd: canonical_unit(systemd.unit),
        policy=policy_words.of_unit,
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
        policy=policy_words.of_command,
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
        policy=policy_words.of_address,
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
        ocf_part,
        policy=policy_words.of_agent,
        claims=_ocf_claims,
        is_implemented=True,
        # What is not named by `instance` is another thing with other parameters; and an agent starts otherwise where there are roles.
        work=lambda ocf: (ocf_part(ocf), ocf_roles.are_told(ocf)),
        parameters=lambda ocf: {} if ocf_roles.promotes(ocf) else ocf.parameters or {},
        watched=ocf_roles.told,
        for_a_stop=ocf_roles.told,
        tells_score=ocf_roles.promotes,
        senseless=lambda ocf: "" if _OCF.fullmatch(ocf_agent(ocf.agent)) else f"{ocf.agent!r} is not provider and type",
    ),
    ResourceKind(
        "mount",
        "filesystem",
        lambda mount: mount.path,
        policy=lambda mount: policy_words.of_mount(canonical_device(mount.device), mount, is_bind=is_bind(mount)),
        claims=_mount_claims,
        strategy="Share",
        carries=True,
        is_implemented=True,
        work=lambda mount: (canonical_device(mount.device), mount.path, mount.fs_type, tuple(mount.options or ())),
        fault=senseless_mount,
        senseless=senseless_mount,
        stop_by_hand=lambda mount: f"umount {shlex.quote(mount.path)}",
    ),
    _prerequisite(
        "file",
        "file",
        lambda file: file.path,
        may_be_older=True,
        says_where=True,
        policy=policy_words.of_file,
        # Two services that write one file would undo each other's for ever.
        claims=lambda file: (Claim("Path", file.path),) if editions.is_brought(file) else (),
        declared=prerequisites.declared_of_file,
        fault=prerequisites.fault_of_brought,
    ),
    _prerequisite(
        "package",
        "package",
        lambda one: one.name,
        drift="PackageDrift",
        policy=policy_words.of_package,
        declared=lambda one: ("version",) if one.version else (),
    ),
    _prerequisite(
        "certificate",
        "certificate",
        lambda certificate: certificate.path,
        may_be_older=True,
        policy=policy_words.of_certificate,
        fault=prerequisites.fault_of_certificate,
    ),
    _prerequisite(
        "endpoint",
        "endpoint",
        prerequisites.key_of_endpoint,
        policy=policy_words.of_endpoint,
        strategy="External",
        consistency="Any",
        gate="Warn",
        fault=prerequisites.fault_of_endpoint,
    ),
    _prerequisite(
        "setting",
        "setting",
        prerequisites.key_of_setting,
        may_be_older=True,
        drift="SettingDrift",
        policy=policy_words.of_setting,
        declared=prerequisites.declared_of_setting,
        fault=prerequisites.fault_of_setting,
    ),
    _prerequisite(
        "path",
        "folder",
        lambda tree: tree.path,
        may_be_older=True,
        says_where=True,
        policy=policy_words.of_tree,
        fault=prerequisites.fault_of_tree,
    ),
    ResourceKind(
        "replication",
        "replication",
        lambda lag: lag.command[0],
        policy=policy_words.of_program,
        strategy="Duplicate",
        consistency="Bounded",
    ),
)
IMPLEMENTED: Final = tuple(kind for kind in RESOURCE_KINDS if kind.is_implemented)
STARTED: Final = tuple(kind for kind in IMPLEMENTED if not kind.is_prerequisite)
PREREQUISITES: Final = tuple(kind for kind in IMPLEMENTED if kind.is_prerequisite)
