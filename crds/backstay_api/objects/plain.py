"""The objects that an agent reads and writes, as plain dataclasses. Standard library only.

Generated from `models/` by `python -m backstay_api.generate`: change the models, not this file.
Lists are tuples here. What comes from elsewhere is held against its SHAPE before it is read (`shapes.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, ClassVar, Literal, Self

from .names import key_of
from .shapes import Field, Shape
from .texts import clip

__all__ = [
    "AddressRoute",
    "AgentSession",
    "Attribute",
    "Backoff",
    "Certificate",
    "Command",
    "CopyAnswer",
    "CopyQuestion",
    "Endpoint",
    "Exec",
    "ExpectedBody",
    "ExpectedCopy",
    "Facts",
    "Grpc",
    "Heartbeat",
    "HeldUnit",
    "HostAssignment",
    "HostAssignmentSpec",
    "HostAssignmentStatus",
    "HostChecks",
    "HostProblem",
    "HostSetting",
    "HttpGet",
    "HttpHeader",
    "InstanceOrder",
    "InstanceReport",
    "Meta",
    "Mount",
    "Ocf",
    "OcfDepth",
    "Package",
    "PrerequisiteFinding",
    "PrerequisiteOrder",
    "PrerequisiteReport",
    "Probe",
    "Reach",
    "Reloadable",
    "RenderedFile",
    "RenderedPrerequisite",
    "RenderedRecovery",
    "RenderedResource",
    "RenderedRollout",
    "ResourceReport",
    "RoleOrder",
    "RoleReport",
    "Sandbox",
    "SessionRef",
    "StandbyOrder",
    "StandbyReport",
    "Systemd",
    "TcpSocket",
    "Timeouts",
    "Tls",
    "Tree",
    "VirtualIP",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Meta:
    """The part of metadata that we read or write; the API server keeps the rest."""

    name: str = ""
    generate_name: str | None = None
    namespace: str | None = None
    uid: str | None = None
    resource_version: str | None = None
    generation: int | None = None
    creation_timestamp: str | None = None
    deletion_timestamp: str | None = None
    labels: Mapping[str, str] | None = None
    annotations: Mapping[str, str] | None = None
    finalizers: tuple[str, ...] | None = None
    owner_references: tuple[Mapping[str, Any], ...] | None = None

    @classmethod
    def from_wire(cls, raw: Mapping[str, Any]) -> Self:
        return cls(
            name=raw.get("name", ""),
            generate_name=raw.get("generateName"),
            namespace=raw.get("namespace"),
            uid=raw.get("uid"),
            resource_version=raw.get("resourceVersion"),
            generation=raw.get("generation"),
            creation_timestamp=raw.get("creationTimestamp"),
            deletion_timestamp=raw.get("deletionTimestamp"),
            labels=None if (part := raw.get("labels")) is None else dict(part),
            annotations=None if (part := raw.get("annotations")) is None else dict(part),
            finalizers=None if (part := raw.get("finalizers")) is None else tuple(part),
            owner_references=None
            if (part := raw.get("ownerReferences")) is None
            else tuple(dict(item) for item in part),
        )

    def to_wire(self) -> dict[str, Any]:
        wire: dict[str, Any] = {
            "name": self.name,
        }
        if self.generate_name is not None:
            wire["generateName"] = self.generate_name
        if self.namespace is not None:
            wire["namespace"] = self.namespace
        if self.uid is not None:
            wire["uid"] = self.uid
        if self.resource_version is not None:
            wire["resourceVersion"] = self.resource_version
        if self.generation is not None:
            wire["generation"] = self.generation
        if self.creation_timestamp is not None:
            wire["creationTimestamp"] = self.creation_timestamp
        if self.deletion_timestamp is not None:
            wire["deletionTimestamp"] = self.deletion_timestamp
        if self.labels is not None:
            wire["labels"] = dict(self.labels)
        if self.annotations is not None:
            wire["annotations"] = dict(self.annotations)
        if self.finalizers is not None:
            wire["finalizers"] = list(self.finalizers)
        if self.owner_references is not None:
            wire["ownerReferences"] = [dict(item) for item in self.owner_references]
        return wire


@dataclass(frozen=True, slots=True, kw_only=True)
class Heartbeat:
    """How often the host renews its lease, and so how quickly its silence is noticed."""

    SHAPE: ClassVar[Shape] = {
        "profile": Field(of=("lab", "fast", "default", "tolerant")),
        "renew": Field(of=str, pattern=r"^([0-9]+(\.[0-9]+)?(ms|s|m|h))+$"),
    }
    profile: Literal["lab", "fast", "default", "tolerant"] = "default"
    renew: str | None = None

    @classmethod
    def from_wire(cls, raw: Mapping[str, Any]) -> Self:
        return cls(
            profile=raw.get("profile", "default"),
            renew=raw.get("renew"),
        )

    def to_wire(self) -> dict[str, Any]:
        wire: dict[str, Any] = {
            "profile": self.profile,
        }
        if self.renew is not None:
            wire["renew"] = self.renew
        return wire


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """Another machine that a host must reach."""

    SHAPE: ClassVar[Shape] = {
        "address": Field(of=str, required=True, pattern=r"^[0-9A-Fa-f.:]+$"),
        "port": Field(of=int, least=1, most=65535),
    }
    address: str
    port: int | None = None

    @classmethod
    def from_wire(cls, raw: Mapping[str, Any]) -> Self:
        return cls(
            address=raw["address"],
            port=raw.get("port"),
        )

    def to_wire(self) -> dict[str, Any]:
        wire: dict[str, Any] = {
            "address": self.address,
        }
        if self.port is not None:
            wire["port"] = self.port
        return wire


@dataclass(frozen=True, slots=True, kw_only=True)
class HostChecks:
    """What the host's agent looks at beside disk, memory, clock and whether users can be looked up; and what follows."""

    SHAPE: ClassVar[Shape] = {
        "interfaces": Field(of=str, many="list", pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.:-]*$"),
        "names": Field(of=str, many="list", pattern=r"^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$"),
        "reach": Field(of=Reach, many="list"),
        "onFailure": Field(of=("Stay", "Drain")),
    }
    interfaces: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    reach: tuple[Reach, ...] = ()
    on_failure: Literal["Stay", "Drain"] = "Stay"

    @classmethod
    def from_wire(cls, raw: Mapping[str, Any]) -> Self:
        return cls(
            interfaces=tuple(raw.get("interfaces", ())),
            names=tuple(raw.get("names", ())),
            reach=tuple(Reach.from_wire(item) for item in raw.get("reach", ())),
            on_failure=raw.get("onFailure", "Stay"),
        )

    def to_wire(self) -> dict[str, Any]:
        return {
            "interfaces": list(self.interfaces),
            "names": list(self.names),
            "reach": [item.to_wire() for item in self.reach],
            "onFailure": self.on_failure,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionRef:
    """One boot of one host: what a grant is bound to."""

    SHAPE: ClassVar[Shape] = {
        "bootID": Field(of=str, required=True),
        "nonce": Field(of=str, required=True),
        "seq": Field(of=int, required=True, least=1),
    }
    boot_id: str
    nonce: str
    seq: int

    @property
    def text(self) -> str:
        """σ as the Lease's holderIdentity carries it."""
        return f"{self.boot_id}/{self.nonce}"

    @classmethod
    def from_wire(cls, raw: Mapping[str, Any]) -> Self:
        return cls(
            boot_id=raw["bootID"],
            nonce=raw["nonce"],
            seq=raw["seq"],
        )

    def to_wire(self) -> dict[str, Any]:
        return {
            "bootID": self.boot_id,
            "nonce": self.nonce,
            "seq": self.seq,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Systemd:
    """A unit of the host's systemd. It must not start by itself: the agent sees to that with a drop-in."""

    SHAPE: ClassVar[Shape] = {
        "unit": Field(
            of=str,
            required=True,
            pattern=r"^[A-Za-z0-9:_.\\@][A-Za-z0-9:_.\\@-]*\.(service|socket|target|timer|path|mount|automount|slice)$",
        ),
        "overrides": Field(of=str, many="map", pattern=r"^[A-Za-z0-9:%-]+$"),
        "environment": Field(of=str, many="map", pattern=r"^[^\x00-\x08\x0b-\x1f\x7f]*$"),
    }
    unit: str
    overrides: Mapping[str, str] | None = None
    environment: Mapping[str, str] | None = None

    @classmethod
    def from_wire(cls, raw: Mapping[str, Any]) -> Self:
        return cls(
            unit=raw["unit"],
            overrides=None if (part := raw.get("overrides")) is None else dict(part),
            environment=None if (part := raw.get("environment")) is None else dict(part),
        )

    def to_wire(self) -> dict[str, Any]:
        wire: dict[str, Any] = {
            "unit": self.unit,
        }
        if self.overrides is not None:
            wire["overrides"] = dict(self.overrides)
        if self.environment is not None:
            wire["environment"] = dict(self.environment)
        return wire


@dataclass(frozen=True, slots=True, kw_only=True)
class Sandbox:
    """What of the host the programs are kept from, in systemd's words. `NoNewPrivileges=` is always on, with or without this."""

    SHAPE: ClassVar[Shape] = {
        "protectSystem": Field(of=("Full", "Strict")),
        "protectHome": Field(of=("Inaccessible", "ReadOnly")),
        "privateTmp": Field(of=bool),
        "readWritePaths": Field(
            of=str,
            many="list",
            pattern=r"^(/([^\\\"'./\x00-\x1f\x7f][^\\\"'/\x00-\x1f\x7f]*|\.{1,2}[^\\\"'./\x00-\x1f\x7f][^\\\"'/\x00-\x1f\x7f]*|\.{3}[^\\\"'/\x00-\x1f\x7f]*))+$",
        ),
    }
    protect_system: Literal["Full", "Strict"] | None = None
    protect_home: Literal["Inaccessible", "ReadOnly"] | None = None
    private_tmp: bool | None = None
    read_write_paths: tuple[str, ...] | None = None

    @classmethod
    def from_wire(cls, raw: Mapping[str, Any]) -> Self:
        return cls(
            protect_system=raw.get("protectSystem"),
            protect_home=raw.get("protectHome"),
            private_tmp=raw.get("privateTmp"),
            read_write_paths=None if (part := raw.get("readWritePaths")) is None else tuple(part),
        )

    def to_wire(self) -> dict[str, Any]:
        wire: dict[str, Any] = {}
        if self.protect_system is not None:
            wire["protectSystem"] = self.protect_system
        if self.protect_home is not None:
            wire["protectHome"] = self.protect_home
        if self.private_tmp is not None:
            wire["privateTmp"] = self.private_tmp
        if self.read_write_paths is not None:
            wire["readWritePaths"] = list(self.read_write_paths)
        return wire


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """Programs that start, stop and check something; each runs in a transient unit of its own."""

    SHAPE: ClassVar[Shape] = {
        "start": Field(of=str, many="list"),
        "stop": Field(of=str, many="list"),
        "check": Field(of=str, many="list"),
        "reload": Field(of=str, many="list"),
        "type": Field(of=("simple", "forking", "oneshot")),
        "convention": Field(of=("lsb",)),
        "program": Field(of=str, many="list"),
        "user": Field(of=str, pattern=r"^([A-Za-z_][A-Za-z0-9_.@-]{0,62}\$?|0|[1-9][0-9]{0,9})$"),
        "group": Field(of=str, pattern=r"^([A-Za-z_][A-Za-z0-9_.@-]{0,62}\$?|0|[1-9][0-9]{0,9})$"),
        "environment": Field(of=str, many="map", pattern=r"^[^\x00-\x08\x0a-\x1f\x7f]*$"),
        "workingDirectory": Field(
            of=str,
            pattern=r"^(/([^\\\"'./\x00-\x1f\x7f][^\\\"'/\x00-\x1f\x7f]*|\.{1,2}[^\\\"'./\x00-\x1f\x7f][^\\\"'/\x00-\x1f\x7f]*|\.{3}[^\\\"'/\x00-\x1f\x7f]*))+$",
        ),
        "sandbox": Field(of=Sandbox),
        "overrides": Field(of=str, many="map", pattern=r"^[A-Za-z0-9:%-]+$"),
    }
    start: tuple[str, ...] | None = None
    stop: tuple[str, ...] | None = None
    check: tuple[str, ...] | None = None
    reload: tuple[str, ...] | None = None
    type: Literal["simple", "forking", "oneshot"] | None = None
    convention: Literal["lsb"] | None = None
    program: tuple[str, ...] | None = None
    user: str | None = None
    group: str | None = None
    environment: Mapping[str, str] | None = None
    working_directory: str | None = None
    sandbox: Sandbox | None = None
    overrides: Mapping[str, str] | None = None

    @classmethod
    def from_wire(cls, raw: Mapping[str, Any]) -> Self:
        return cls(
            start=None if (part := raw.get("start")) is None else tuple(part),
            stop=None if (part := raw.get("stop")) is None else tuple(part),
            check=None if (part := raw.get("check")) is None else tuple(part),
            reload=None if (part := raw.get("reload")) is None else tuple(part),
            type=raw.get("type"),
            convention=raw.get("convention"),
            program=None if (part := raw.get("program")) is None else tuple(part),
            user=raw.get("user"),
            group=raw.get("group"),
            environment=None if (part := raw.get("environment")) is None else dict(part),
            working_directory=raw.get("workingDirectory"),
            sandbox=None if (part := raw.get("sandbox")) is None else Sandbox.from_wire(part),
            overrides=None if (part := raw.get("overrides")) is None else dict(part),
        )

    def to_wire(self) -> dict[str, Any]:
        wire: dict[str, Any] = {}
        if self.start is not None:
            wire["start"] = list(self.start)
        if self.stop is not None:
            wire["stop"] = list(self.stop)
        if self.check is not None:
            wire["check"] = list(self.check)
        if self.reload is not None:
            wire["reload"] = list(self.reload)
        if self.type is not None:
            wire["type"] = self.type
        if self.convention is not None:
            wire["convention"] = self.convention
        if self.program is not None:
            wire["program"] = list(self.program)
        if self.user is not None:
            wire["user"] = self.user
        if self.group is not None:
            wire["group"] = self.group
        if self.environment is not None:
            wire["environment"] = dict(self.environment)
        if self.working_directory is not None:
            wire["workingDirectory"] = self.working_directory
        if self.sandbox is not None:
            wire["sandbox"] = self.sandbox.to_wire()
        if self.overrides is not None:
            wire["overrides"] = dict(self.overrides)
        return wire


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressRoute:
    """A route that comes and goes with an address, which is the source of whatever takes it."""

    SHAPE: ClassVar[Shape] = {
        "to": Field(of=str, required=True, pattern=r"^[0-9a-fA-F.:]+/[0-9]{1,3}$"),
        "via": Field(of=str, pattern=r"^[0-9a-fA-F.:]+$"),
    }
    to: str
    via: str | None = None

    @classmethod
    def from_wire(cls, raw: Mapping[str, Any]) -> Self:
        return cls(
            to=raw["to"],
            via=raw.get("via"),
        )

    def to_wire(self) -> dict[str, Any]:
        wire: dict[str, Any] = {
            "to": self.to,
        }
        if self.via is not None:
            wire["via"] = self.via
        return wire


@dataclass(frozen=True, slots=True, kw_only=True)
class VirtualIP:
    """An address that clients use and that moves with the service."""

    SHAPE: ClassVar[Shape] = {
        "address": Field(of=str, required=True, pattern=r"^[0-9a-fA-F.:]+/[0-9]{1,3}$"),
        "interface": Field(of=str, pattern=r"^[^/:\x00-\x20\x7f]+$"),
        "routes": Field(of=AddressRoute, many="list"),
        "nodad": Field(of=bool),
        "preferredLifetime": Field(of=("Zero", "Forever")),
        "onDuplicate": Field(of=("Degrade", "Restart")),
    }
    address: str
    interface: str | None = None
    routes: tuple[AddressRoute, ...] | None = None
    nodad: bool | None = None
    preferred_lifetime: Literal["Zero", "Forever"] | None = None
    on_duplicate: Literal["Degrade", "Restart"] | None = None

    @classmethod
    def from_wire(cls, raw: Mapping[str, Any]) -> Self:
        return cls(
            address=raw["address"],
            interface=raw.get("interface"),
            routes=None
            if (part := raw.get("routes")) is None
            else tuple(AddressRoute.from_wire(item) for item in part),
            nodad=raw.get("nodad"),
            preferred_lifetime=raw.get("preferredLifetime"),
            on_duplicate=raw.get("onDuplicate"),
        )

    def to_wire(self) -> dict[str, Any]:
        wire: dict[str, Any] = {
            "address": self.address,
        }
        if self.interface is not None:
            wire["interface"] = self.interface
        if self.routes is not None:
            wire["routes"] = [item.to_wire() for item in self.routes]
        if self.nodad is not None:
            wire["nodad"] = self.nodad
        if self.preferred_lifetime is not None:
            wire["preferredLifetime"] = self.preferred_lifetime
        if self.on_duplicate is not None:
            wire["onDuplicate"] = self.on_duplicate
        return wire


@dataclass(frozen=True, slots=True, kw_only=True)
class Ocf:
    """An OCF resource agent that is installed on the host, used as it is: as Backstay's agent there is told."""

    SHAPE: ClassVar[Shape] = {
        "agent": Field(of=str, required=True, pattern=r"^(ocf:)?[A-Za-z0-9_-]+:[A-Za-z0-9_-]+$"),
        "parameters": Field(of=str, many="map", pattern=r"^[^\x00-\x08\x0b-\x1f\x7f]*$"),
        "instance": Field(of=str, pattern=r"^[A-Za-z0-9_][A-Za-z0-9_-]*$"),
        "copies": Field(of=int, least=1, most=100),
        "role": Field(of=("Promoted",)),
    }
    agent: str
    parameters: Mapping[str, str] | None = None
    instance: str | None = None
    copies: int | None = None
    role: Literal["Promoted"] | None = None

    @classmethod
    def from_wire(cls, raw: Mapping[str, Any]) -> Self:
        return cls(
            agent=raw["agent"],
            parameters=None if (part := raw.get("parameters")) is None else dict(part),
            instance=raw.get("instance"),
            copies=raw.get("copies"),
            role=raw.get("role"),
        )

    def to_wire(self) -> dict[str, Any]:
        wire: dict[str, Any] = {
            "agent": self.agent,
        }
        if self.parameters is not None:
            wire["parameters"] = dict(self.parameters)
        if self.instance is not None:
            wire["instance"] = self.instance
        if self.copies is not None:
            wire["copies"] = self.copies
        if self.role is not None:
            wire["role"] = self.role
        return wire


@dataclass(frozen=True, slots=True, kw_only=True)
class Mount:
    """A filesystem on a disk that all candidates reach, or of a server, or a folder bound to another place."""

    SHAPE: ClassVar[Shape] = {
        "device": Field(
            of=str,
            required=True,
            pattern=r"^((/([^./\x00-\x1f\x7f][^/\x00-\x1f\x7f]*|\.{1,2}[^./\x00-\x1f\x7f][^/\x00-\x1f\x7f]*|\.{3}[^/\x00-\x1f\x7f]*))+|(UUID|LABEL|PARTUUID|PARTLABEL)=[^/\x00-\x1f\x7f]{1,128}|([A-Za-z0-9][A-Za-z0-9._-]*|\[[0-9a-fA-F:.]+\]):(/|(/([^./\x00-\x1f\x7f][^/\x00-\x1f\x7f]*|\.{1,2}[^./\x00-\x1f\x7f][^/\x00-\x1f\x7f]*|\.{3}[^/\x00-\x1f\x7f]*))+)|[A-Za-z0-9][A-Za-z0-9+_.-]*/[A-Za-z0-9+_][A-Za-z0-9+_.-]*)$",
        ),
        "path": Field(
            of=str,
            required=True,
            pattern=r"^(/([^./\x00-\x1f\x7f][^/\x00-\x1f\x7f]*|\.{1,2}[^./\x00-\x1f\x7f][^/\x00-\x1f\x7f]*|\.{3}[^/\x00-\x1f\x7f]*))+$",
        ),
        "fsType": Field(of=str, pattern=r"^([a-mo-z0-9][a-z0-9_.-]*|n[a-np-z0-9_.-][a-z0-9_.-]*)$"),
        "options": Field(of=str, many="list", pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.:/=@%+~^-]*$"),
        "onBusy": Field(of=("Wait", "Terminate")),
    }
    device: str
    path: str
    fs_type: str | None = None
    options: tuple[str, ...] | None = None
    on_busy: Literal["Wait", "Terminate"] = "Wait"

    @classmethod
    def from_wire(cls, raw: Mapping[str, Any]) -> Self:
        return cls(
            device=raw["device"],
            path=raw["path"],
            fs_type=raw.get("fsType"),
            options=None if (part := raw.get("options")) is None else tuple(part),
            on_busy=raw.get("onBusy", "Wait"),
        )

    def to_wire(self) -> dict[str, Any]:
        wire: dict[str, Any] = {
            "device": self.device,
            "path": self.path,
            "onBusy": self.on_busy,
        }
        if self.fs_type is not None:
            wire["fsType"] = self.fs_type
        if self.options is not None:
            wire["options"] = list(self.options)
        return wire


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """How long each may take."""

    SHAPE: ClassVar[Shape] = {
        "start": Field(of=str, pattern=r"^([0-9]+(\.[0-9]+)?(ms|s|m|h))+$"),
        "stop": Field(of=str, pattern=r"^([0-9]+(\.[0-9]+)?(ms|s|m|h))+$"),
        "check": Field(of=str, pattern=r"^([0-9]+(\.[0-9]+)?(ms|s|m|h))+$"),
    }
    start: str | None = None
    stop: str | None = None
    check: str | None = None

    @classmethod
    def from_wire(cls, raw: Mapping[str, Any]) -> Self:
        return cls(
            start=raw.get("start"),
            stop=raw.get("stop"),
            check=raw.get("check"),
        )

    def to_wire(self) -> dict[str, Any]:
        wire: dict[str, Any] = {}
        if self.start is not None:
            wire["start"] = self.start
        if self.stop is not None:
            wire["stop"] = self.stop
        if self.check is not None:
            wire["check"] = self.check
        return wire


@dataclass(frozen=True, slots=True, kw_only=True)
class TcpSocket:
    """Good if a connection can be opened."""

    SHAPE: ClassVar[Shape] = {
        "port": Field(of=int, required=True, least=1, most=65535),
        "host": Field(of=str),
    }
    port: int
    host: str | None = None

    @classmethod
    def from_wire(cls, raw: Mapping[str, Any]) -> Self:
        return cls(
            port=raw["port"],
            host=raw.get("host"),
        )

    def to_wire(self) -> dict[str, Any]:
        wire: dict[str, Any] = {
            "port": self.port,
        }
        if self.host is not None:
            wire["host"] = self.host
        return wire


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpHeader:
    """One header of a probe's request."""

    SHAPE: ClassVar[Shape] = {
        "name": Field(of=str, required=True, pattern=r"^[A-Za-z0-9-]+$"),
        "value": Field(of=str, required=True, pattern=r"^[^\r\n]*$"),
    }
    name: str
    value: str

    @classmethod
    def from_wire(cls, raw: Mapping[str, Any]) -> Self:
        return cls(
            name=raw["name"],
            value=raw["value"],
        )

    def to_wire(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "value": self.value,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedBody:
    """What the first 64 KiB of an answer must hold; with both, both."""

    SHAPE: ClassVar[Shape] = {
        "contains": Field(of=str),
        "matches": Field(of=str, pattern=r"^[^\x00\n]*$"),
    }
    contains: str | None = None
    matches: str | None = None

    @classmethod
    def from_wire(cls, raw: Mapping[str, Any]) -> Self:
        return cls(
            contains=raw.get("contains"),
            matches=raw.get("matches"),
        )

    def to_wire(self) -> dict[str, Any]:
        wire: dict[str, Any] = {}
        if self.contains is not None:
            wire["contains"] = self.contains
        if self.matches is not None:
            wire["matches"] = self.matches
        return wire


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """How a probe speaks TLS. Its files are the host's own, and are read anew each time."""

    SHAPE: ClassVar[Shape] = {
        "caFile": Field(of=str, pattern=r"^/[^\x00\n]*$"),
        "insecureSkipVerify": Field(of=bool),
        "serverName": Field(of=str, pattern=r"^[A-Za-z0-9._:-]+$"),
        "certFile": Field(of=str, pattern=r"^/[^\x00\n]*$"),
        "keyFile": Field(of=str, pattern=r"^/[^\x00\n]*$"),
    }
    ca_file: str | None = None
    insecure_skip_verify: bool = False
    server_name: str | None = None
    cert_file: str | None = None
    key_file: str | None = None

    @classmethod
    def from_wire(cls, raw: Mapping[str, Any]) -> Self:
        return cls(
            ca_file=raw.get("caFile"),
            insecure_skip_verify=raw.get("insecureSkipVerify", False),
            server_name=raw.get("serverName"),
            cert_file=raw.get("certFile"),
            key_file=raw.get("keyFile"),
        )

    def to_wire(self) -> dict[str, Any]:
        wire: dict[str, Any] = {
            "insecureSkipVerify": self.insecure_skip_verify,
        }
        if self.ca_file is not None:
            wire["caFile"] = self.ca_file
        if self.server_name is not None:
            wire["serverName"] = self.server_name
        if self.cert_file is not None:
            wire["certFile"] = self.cert_file
        if self.key_file is not None:
            wire["keyFile"] = self.key_file
        return wire


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpGet:
    """Good if a GET is answered with 200 to 399, or as it says."""

    SHAPE: ClassVar[Shape] = {
        "port": Field(of=int, required=True, least=1, most=65535),
        "path": Field(of=str, pattern=r"^/[^\x00-\x20\x7f]*$"),
        "host": Field(of=str),
        "scheme": Field(of=("HTTP", "HTTPS")),
        "httpHeaders": Field(of=HttpHeader, many="list"),
        "expectedStatus": Field(of=str, many="list", pattern=r"^[1-5][0-9]{2}(-[1-5][0-9]{2})?$"),
        "expectedBody": Field(of=ExpectedBody),
        "tls": Field(of=Tls),
    }
    port: int
    path: str | None = None
    host: str | None = None
    scheme: Literal["HTTP", "HTTPS"] | None = None
    http_headers: tuple[HttpHeader, ...] | None = None
    expected_status: tuple[str, ...] | None = None
    expected_body: ExpectedBody | None = None
    tls: Tls | None = None

    @classmethod
    def from_wire(cls, raw: Mapping[str, Any]) -> Self:
        return cls(
            port=raw["port"],
            path=raw.get("path"),
            host=raw.get("host"),
            scheme=raw.get("scheme"),
            http_headers=None
            if (part := raw.get("httpHeaders")) is None
            else tuple(HttpHeader.from_wire(item) for item in part),
            expected_status=None if (part := raw.get("expectedStatus")) is None else tuple(part),
            expected_body=None if (part := raw.get("expectedBody")) is None else ExpectedBody.from_wire(part),
            tls=None if (part := raw.get("tls")) is None else Tls.from_wire(part),
        )

    def to_wire(self) -> dict[str, Any]:
        wire: dict[str, Any] = {
            "port": self.port,
        }
        if self.path is not None:
            wire["path"] = self.path
        if self.host is not None:
            wire["host"] = self.host
        if self.scheme is not None:
            wire["scheme"] = self.scheme
        if self.http_headers is not None:
            wire["httpHeaders"] = [item.to_wire() for item in self.http_headers]
        if self.expected_status is not None:
            wire["expectedStatus"] = list(self.expected_status)
        if self.expected_body is not None:
            wire["expectedBody"] = self.expected_body.to_wire()
        if self.tls is not None:
            wire["tls"] = self.tls.to_wire()
        return wire


@dataclass(frozen=True, slots=True, kw_only=True)
class Grpc:
    """Good if the server's health service (grpc.health.v1.Health/Check) answers SERVING."""

    SHAPE: ClassVar[Shape] = {
        "port": Field(of=int, required=True, least=1, most=65535),
        "host": Field(of=str),
        "service": Field(of=str, pattern=r"^[\x20-\x7e]*$"),
        "tls": Field(of=Tls),
    }
    port: int
    host: str | None = None
    service: str | None = None
    tls: Tls | None = None

    @classmethod
    def from_wire(cls, raw: Mapping[str, Any]) -> Self:
        return cls(
            port=raw["port"],
            host=raw.get("host"),
            service=raw.get("service"),
            tls=None if (part := raw.get("tls")) is None else Tls.from_wire(part),
        )

    def to_wire(self) -> dict[str, Any]:
        wire: dict[str, Any] = {
            "port": self.port,
        }
        if self.host is not None:
            wire["host"] = self.host
        if self.service is not None:
            wire["service"] = self.service
        if self.tls is not None:
            wire["tls"] = self.tls.to_wire()
        return wire


@dataclass(frozen=True, slots=True, kw_only=True)
class Exec:
    """Good if a command exits with 0."""

    SHAPE: ClassVar[Shape] = {
        "command": Field(of=str, many="list", required=True),
    }
    command: tuple[str, ...]

    @classmethod
    def from_wire(cls, raw: Mapping[str, Any]) -> Self:
        return cls(
            command=tuple(raw["command"]),
        )

    def to_wire(self) -> dict[str, Any]:
        return {
            "command": list(self.command),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class OcfDepth:
    """Good if the resource's own agent says so, asked at a depth."""

    SHAPE: ClassVar[Shape] = {
        "depth": Field(of=int, required=True, least=0, most=20),
    }
    depth: int

    @classmethod
    def from_wire(cls, raw: Mapping[str, Any]) -> Self:
        return cls(
            depth=raw["depth"],
        )

    def to_wire(self) -> dict[str, Any]:
        return {
            "depth": self.depth,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """Asks regularly whether a resource really works."""

    SHAPE: ClassVar[Shape] = {
        "name": Field(of=str, required=True, pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"),
        "tcpSocket": Field(of=TcpSocket),
        "httpGet": Field(of=HttpGet),
        "grpc": Field(of=Grpc),
        "exec": Field(of=Exec),
        "ocf": Field(of=OcfDepth),
        "from": Field(of=("Holder", "Standby")),
        "period": Field(of=str, pattern=r"^([0-9]+(\.[0-9]+)?(ms|s|m|h))+$"),
        "timeout": Field(of=str, pattern=r"^([0-9]+(\.[0-9]+)?(ms|s|m|h))+$"),
        "initialDelay": Field(of=str, pattern=r"^([0-9]+(\.[0-9]+)?(ms|s|m|h))+$"),
        "failureThreshold": Field(of=int, least=1, most=1000),
        "onFailure": Field(of=("Degrade", "Restart")),
        "successThreshold": Field(of=int, least=1, most=1000),
    }
    name: str
    tcp_socket: TcpSocket | None = None
    http_get: HttpGet | None = None
    grpc: Grpc | None = None
    exec: Exec | None = None
    ocf: OcfDepth | None = None
    from_: Literal["Holder", "Standby"] | None = None
    period: str = "10s"
    timeout: str = "1s"
    initial_delay: str = "0s"
    failure_threshold: int = 3
    on_failure: Literal["Degrade", "Restart"] | None = None
    success_threshold: int = 1

    @classmethod
    def from_wire(cls, raw: Mapping[str, Any]) -> Self:
        return cls(
            name=raw["name"],
            tcp_socket=None if (part := raw.get("tcpSocket")) is None else TcpSocket.from_wire(part),
            http_get=None if (part := raw.get("httpGet")) is None else HttpGet.from_wire(part),
            grpc=None if (part := raw.get("grpc")) is None else Grpc.from_wire(part),
            exec=None if (part := raw.get("exec")) is None else Exec.from_wire(part),
            ocf=None if (part := raw.get("ocf")) is None else OcfDepth.from_wire(part),
            from_=raw.get("from"),
            period=raw.get("period", "10s"),
            timeout=raw.get("timeout", "1s"),
            initial_delay=raw.get("initialDelay", "0s"),
            failure_threshold=raw.get("failureThreshold", 3),
            on_failure=raw.get("onFailure"),
            success_threshold=raw.get("successThreshold", 1),
        )

    def to_wire(self) -> dict[str, Any]:
        wire: dict[str, Any] = {
            "name": self.name,
            "period": self.period,
            "timeout": self.timeout,
            "initialDelay": self.initial_delay,
            "failureThreshold": self.failure_threshold,
            "successThreshold": self.success_threshold,
        }
        if self.tcp_socket is not None:
            wire["tcpSocket"] = self.tcp_socket.to_wire()
        if self.http_get is not None:
            wire["httpGet"] = self.http_get.to_wire()
        if self.grpc is not None:
            wire["grpc"] = self.grpc.to_wire()
        if self.exec is not None:
            wire["exec"] = self.exec.to_wire()
        if self.ocf is not None:
            wire["ocf"] = self.ocf.to_wire()
        if self.from_ is not None:
            wire["from"] = self.from_
        if self.on_failure is not None:
            wire["onFailure"] = self.on_failure
        return wire


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderedResource:
    """One thing a service needs, as an agent is told to carry it out. Exactly one kind; the rest is the same for all kinds."""

    SHAPE: ClassVar[Shape] = {
        "name": Field(of=str, required=True, pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"),
        "systemd": Field(of=Systemd),
        "command": Field(of=Command),
        "virtualIP": Field(of=VirtualIP),
        "ocf": Field(of=Ocf),
        "mount": Field(of=Mount),
        "after": Field(of=str, many="list", pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"),
        "reloadedAt": Field(of=str),
        "timeouts": Field(of=Timeouts),
        "probes": Field(of=Probe, many="list"),
        "onFailure": Field(of=("Restart", "Move", "Degrade", "Ignore")),
    }
    name: str
    systemd: Systemd | None = None
    command: Command | None = None
    virtual_ip: VirtualIP | None = None
    ocf: Ocf | None = None
    mount: Mount | None = None
    after: tuple[str, ...] | None = None
    reloaded_at: str | None = None
    timeouts: Timeouts = Timeouts()
    probes: tuple[Probe, ...] = ()
    on_failure: Literal["Restart", "Move", "Degrade", "Ignore"] | None = None

    @classmethod
    def from_wire(cls, raw: Mapping[str, Any]) -> Self:
        return cls(
            name=raw["name"],
            systemd=None if (part := raw.get("systemd")) is None else Systemd.from_wire(part),
            command=None if (part := raw.get("command")) is None else Command.from_wire(part),
            virtual_ip=None if (part := raw.get("virtualIP")) is None else VirtualIP.from_wire(part),
            ocf=None if (part := raw.get("ocf")) is None else Ocf.from_wire(part),
            mount=None if (part := raw.get("mount")) is None else Mount.from_wire(part),
            after=None if (part := raw.get("after")) is None else tuple(part),
            reloaded_at=raw.get("reloadedAt"),
            timeouts=Timeouts.from_wire(raw.get("timeouts", {})),
            probes=tuple(Probe.from_wire(item) for item in raw.get("probes", ())),
            on_failure=raw.get("onFailure"),
        )

    def to_wire(self) -> dict[str, Any]:
        wire: dict[str, Any] = {
            "name": self.name,
            "timeouts": self.timeouts.to_wire(),
            "probes": [item.to_wire() for item in self.probes],
        }
        if self.systemd is not None:
            wire["systemd"] = self.systemd.to_wire()
        if self.command is not None:
            wire["command"] = self.command.to_wire()
        if self.virtual_ip is not None:
            wire["virtualIP"] = self.virtual_ip.to_wire()
        if self.ocf is not None:
            wire["ocf"] = self.ocf.to_wire()
        if self.mount is not None:
            wire["mount"] = self.mount.to_wire()
        if self.after is not None:
            wire["after"] = list(self.after)
        if self.reloaded_at is not None:
            wire["reloadedAt"] = self.reloaded_at
        if self.on_failure is not None:
            wire["onFailure"] = self.on_failure
        return wire


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedCopy:
    """How the host that was chosen had a prerequisite: it looks again before it starts anything."""

    SHAPE: ClassVar[Shape] = {
        "name": Field(of=str, required=True, pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"),
        "facts": Field(of=str, many="map"),
    }
    name: str
    facts: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def from_wire(cls, raw: Mapping[str, Any]) -> Self:
        return cls(
            name=raw["name"],
            facts=dict(raw.get("facts", {})),
        )

    def to_wire(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "facts": dict(self.facts),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """Pauses between restarts in place, each twice as long as the one before. The first restart is at once."""

    SHAPE: ClassVar[Shape] = {
        "initial": Field(of=str, pattern=r"^([0-9]+(\.[0-9]+)?(ms|s|m|h))+$"),
        "max": Field(of=str, pattern=r"^([0-9]+(\.[0-9]+)?(ms|s|m|h))+$"),
    }
    initial: str | None = None
    max: str | None = None

    @classmethod
    def from_wire(cls, raw: Mapping[str, Any]) -> Self:
        return cls(
            initial=raw.get("initial"),
            max=raw.get("max"),
        )

    def to_wire(self) -> dict[str, Any]:
        wire: dict[str, Any] = {}
        if self.initial is not None:
            wire["initial"] = self.initial
        if self.max is not None:
            wire["max"] = self.max
        return wire


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderedRecovery:
    """How often what fails is restarted where it is, as an agent is told."""

    SHAPE: ClassVar[Shape] = {
        "restarts": Field(of=int, least=0, most=1000),
        "window": Field(of=str, pattern=r"^([0-9]+(\.[0-9]+)?(ms|s|m|h))+$"),
        "backoff": Field(of=Backoff),
    }
    restarts: int | None = None
    window: str | None = None
    backoff: Backoff | None = None

    @classmethod
    def from_wire(cls, raw: Mapping[str, Any]) -> Self:
        return cls(
            restarts=raw.get("restarts"),
            window=raw.get("window"),
            backoff=None if (part := raw.get("backoff")) is None else Backoff.from_wire(part),
        )

    def to_wire(self) -> dict[str, Any]:
        wire: dict[str, Any] = {}
        if self.restarts is not None:
            wire["restarts"] = self.restarts
        if self.window is not None:
            wire["window"] = self.window
        if self.backoff is not None:
            wire["backoff"] = self.backoff.to_wire()
        return wire


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceOrder:
    """What the host shall do about one instance. Entries only move forward: by epoch, then Up before Down, then revision."""

    SHAPE: ClassVar[Shape] = {
        "namespace": Field(of=str, required=True),
        "name": Field(of=str, required=True),
        "service": Field(of=str),
        "epoch": Field(of=int, required=True, least=1),
        "session": Field(of=SessionRef, required=True),
        "want": Field(of=("Up", "Down"), required=True),
        "exclusive": Field(of=bool, required=True),
        "role": Field(of=("Promoted",)),
        "revision": Field(of=int, least=0),
        "resources": Field(of=RenderedResource, many="list"),
        "expects": Field(of=ExpectedCopy, many="list"),
        "recovery": Field(of=RenderedRecovery),
        "state": Field(of=("Running", "Unmanaged")),
        "handsOff": Field(of=str),
        "cleared": Field(of=int, least=0),
        "why": Field(of=str),
        "to": Field(of=str),
    }
    namespace: str
    name: str
    service: str = ""
    epoch: int
    session: SessionRef
    want: Literal["Up", "Down"]
    exclusive: bool
    role: Literal["Promoted"] | None = None
    revision: int = 0
    resources: tuple[RenderedResource, ...] = ()
    expects: tuple[ExpectedCopy, ...] = ()
    recovery: RenderedRecovery | None = None
    state: Literal["Running", "Unmanaged"] | None = None
    hands_off: str = ""
    cleared: int = 0
    why: str = ""
    to: str = ""

    @property
    def is_unmanaged(self) -> bool:
        """Whether it is watched, and nothing of it is touched."""
        return bool(self.hands_off) if self.state is None else self.state == "Unmanaged"

    @classmethod
    def from_wire(cls, raw: Mapping[str, Any]) -> Self:
        return cls(
            namespace=raw["namespace"],
            name=raw["name"],
            service=raw.get("service", ""),
            epoch=raw["epoch"],
            session=SessionRef.from_wire(raw["session"]),
            want=raw["want"],
            exclusive=raw["exclusive"],
            role=raw.get("role"),
            revision=raw.get("revision", 0),
            resources=tuple(RenderedResource.from_wire(item) for item in raw.get("resources", ())),
            expects=tuple(ExpectedCopy.from_wire(item) for item in raw.get("expects", ())),
            recovery=None if (part := raw.get("recovery")) is None else RenderedRecovery.from_wire(part),
            state=raw.get("state"),
            hands_off=raw.get("handsOff", ""),
            cleared=raw.get("cleared", 0),
            why=raw.get("why", ""),
            to=raw.get("to", ""),
        )

    def to_wire(self) -> dict[str, Any]:
        wire: dict[str, Any] = {
            "namespace": self.namespace,
            "name": self.name,
            "service": self.service,
            "epoch": self.epoch,
            "session": self.session.to_wire(),
            "want": self.want,
            "exclusive": self.exclusive,
            "revision": self.revision,
            "resources": [item.to_wire() for item in self.resources],
            "expects": [item.to_wire() for item in self.expects],
            "handsOff": self.hands_off,
            "cleared": self.cleared,
            "why": self.why,
            "to": self.to,
        }
        if self.role is not None:
            wire["role"] = self.role
        if self.recovery is not None:
            wire["recovery"] = self.recovery.to_wire()
        if self.state is not None:
            wire["state"] = self.state
        return wire


@dataclass(frozen=True, slots=True, kw_only=True)
class StandbyOrder:
    """What the host shall keep itself ready for."""

    SHAPE: ClassVar[Shape] = {
        "namespace": Field(of=str, required=True),
        "name": Field(of=str, required=True),
        "service": Field(of=str),
        "revision": Field(of=int, least=0),
        "resources": Field(of=RenderedResource, many="list"),
        "scoreCommand": Field(of=str, many="list"),
        "askEpoch": Field(of=int, least=1),
    }
    namespace: str
    name: str
    service: str = ""
    revision: int = 0
    resources: tuple[RenderedResource, ...] = ()
    score_command: tuple[str, ...] | None = None
    ask_epoch: int | None = None

    @classmethod
    def from_wire(cls, raw: Mapping[str, Any]) -> Self:
        return cls(
            namespace=raw["namespace"],
            name=raw["name"],
            service=raw.get("service", ""),
            revision=raw.get("revision", 0),
            resources=tuple(RenderedResource.from_wire(item) for item in raw.get("resources", ())),
            score_command=None if (part := raw.get("scoreCommand")) is None else tuple(part),
            ask_epoch=raw.get("askEpoch"),
        )

    def to_wire(self) -> dict[str, Any]:
        wire: dict[str, Any] = {
            "namespace": self.namespace,
            "name": self.name,
            "service": self.service,
            "revision": self.revision,
            "resources": [item.to_wire() for item in self.resources],
        }
        if self.score_command is not None:
            wire["scoreCommand"] = list(self.score_command)
        if self.ask_epoch is not None:
            wire["askEpoch"] = self.ask_epoch
        return wire


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderedRollout:
    """How another edition of a file is tried where the service runs, as its host is told it."""

    SHAPE: ClassVar[Shape] = {
        "soak": Field(of=str, pattern=r"^([0-9]+(\.[0-9]+)?(ms|s|m|h))+$"),
        "restart": Field(of=str, many="list", pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"),
        "retriedAt": Field(of=str),
    }
    soak: str | None = None
    restart: tuple[str, ...] = ()
    retried_at: str | None = None

    @classmethod
    def from_wire(cls, raw: Mapping[str, Any]) -> Self:
        return cls(
            soak=raw.get("soak"),
            restart=tuple(raw.get("restart", ())),
            retried_at=raw.get("retriedAt"),
        )

    def to_wire(self) -> dict[str, Any]:
        wire: dict[str, Any] = {
            "restart": list(self.restart),
        }
        if self.soak is not None:
            wire["soak"] = self.soak
        if self.retried_at is not None:
            wire["retriedAt"] = self.retried_at
        return wire


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderedFile:
    """The same, as a host is told it."""

    SHAPE: ClassVar[Shape] = {
        "path": Field(
            of=str,
            required=True,
            pattern=r"^(/([^./\x00-\x1f\x7f][^/\x00-\x1f\x7f]*|\.{1,2}[^./\x00-\x1f\x7f][^/\x00-\x1f\x7f]*|\.{3}[^/\x00-\x1f\x7f]*))+$",
        ),
        "sha256": Field(of=str, pattern=r"^[0-9a-f]{64}$"),
        "owner": Field(of=str, pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.@-]{0,62}\$?$"),
        "group": Field(of=str, pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.@-]{0,62}\$?$"),
        "mode": Field(of=str, pattern=r"^[0-7]{4}$"),
        "content": Field(of=str),
        "validate": Field(of=str, many="list"),
        "reload": Field(of=str, many="list", pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"),
        "template": Field(of=bool),
        "secret": Field(of=str, pattern=r"^([0-9a-f]{32})?$"),
        "use": Field(of=str, pattern=r"^([0-9a-f]{32})?$"),
        "rollout": Field(of=RenderedRollout),
    }
    path: str
    sha256: str | None = None
    owner: str | None = None
    group: str | None = None
    mode: str | None = None
    content: str | None = None
    validate_with: tuple[str, ...] | None = None
    reload: tuple[str, ...] = ()
    template: bool | None = None
    secret: str = ""
    use: str = ""
    rollout: RenderedRollout | None = None

    @classmethod
    def from_wire(cls, raw: Mapping[str, Any]) -> Self:
        return cls(
            path=raw["path"],
            sha256=raw.get("sha256"),
            owner=raw.get("owner"),
            group=raw.get("group"),
            mode=raw.get("mode"),
            content=raw.get("content"),
            validate_with=None if (part := raw.get("validate")) is None else tuple(part),
            reload=tuple(raw.get("reload", ())),
            template=raw.get("template"),
            secret=raw.get("secret", ""),
            use=raw.get("use", ""),
            rollout=None if (part := raw.get("rollout")) is None else RenderedRollout.from_wire(part),
        )

    def to_wire(self) -> dict[str, Any]:
        wire: dict[str, Any] = {
            "path": self.path,
            "reload": list(self.reload),
            "secret": self.secret,
            "use": self.use,
        }
        if self.sha256 is not None:
            wire["sha256"] = self.sha256
        if self.owner is not None:
            wire["owner"] = self.owner
        if self.group is not None:
            wire["group"] = self.group
        if self.mode is not None:
            wire["mode"] = self.mode
        if self.content is not None:
            wire["content"] = self.content
        if self.validate_with is not None:
            wire["validate"] = list(self.validate_with)
        if self.template is not None:
            wire["template"] = self.template
        if self.rollout is not None:
            wire["rollout"] = self.rollout.to_wire()
        return wire


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """A package that must be installed on every candidate, in the same version. It is looked at, in dpkg's database; nothing is installed."""

    SHAPE: ClassVar[Shape] = {
        "name": Field(of=str, required=True, pattern=r"^[A-Za-z0-9][A-Za-z0-9+._:-]*$"),
        "version": Field(of=str, pattern=r"^[A-Za-z0-9][A-Za-z0-9+.:~^_-]*$"),
    }
    name: str
    version: str | None = None

    @classmethod
    def from_wire(cls, raw: Mapping[str, Any]) -> Self:
        return cls(
            name=raw["name"],
            version=raw.get("version"),
        )

    def to_wire(self) -> dict[str, Any]:
        wire: dict[str, Any] = {
            "name": self.name,
        }
        if self.version is not None:
            wire["version"] = self.version
        return wire


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """A certificate that must be on every candidate, not ended, and the same."""

    SHAPE: ClassVar[Shape] = {
        "path": Field(
            of=str,
            required=True,
            pattern=r"^(/([^./\x00-\x1f\x7f][^/\x00-\x1f\x7f]*|\.{1,2}[^./\x00-\x1f\x7f][^/\x00-\x1f\x7f]*|\.{3}[^/\x00-\x1f\x7f]*))+$",
        ),
        "key": Field(
            of=str,
            pattern=r"^(/([^./\x00-\x1f\x7f][^/\x00-\x1f\x7f]*|\.{1,2}[^./\x00-\x1f\x7f][^/\x00-\x1f\x7f]*|\.{3}[^/\x00-\x1f\x7f]*))+$",
        ),
        "names": Field(of=str, many="list", pattern=r"^(\*\.)?[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_])?$"),
    }
    path: str
    key: str | None = None
    names: tuple[str, ...] | None = None

    @classmethod
    def from_wire(cls, raw: Mapping[str, Any]) -> Self:
        return cls(
            path=raw["path"],
            key=raw.get("key"),
            names=None if (part := raw.get("names")) is None else tuple(part),
        )

    def to_wire(self) -> dict[str, Any]:
        wire: dict[str, Any] = {
            "path": self.path,
        }
        if self.key is not None:
            wire["key"] = self.key
        if self.names is not None:
            wire["names"] = list(self.names)
        return wire


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Something elsewhere that the service speaks to, which must answer on every candidate. Give `tcp` or `unix`."""

    SHAPE: ClassVar[Shape] = {
        "tcp": Field(of=str, pattern=r"^([A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?|\[[0-9a-fA-F:.]+\]):[0-9]{1,5}$"),
        "unix": Field(
            of=str,
            pattern=r"^(/([^./\x00-\x1f\x7f][^/\x00-\x1f\x7f]*|\.{1,2}[^./\x00-\x1f\x7f][^/\x00-\x1f\x7f]*|\.{3}[^/\x00-\x1f\x7f]*))+$",
        ),
    }
    tcp: str | None = None
    unix: str | None = None

    @classmethod
    def from_wire(cls, raw: Mapping[str, Any]) -> Self:
        return cls(
            tcp=raw.get("tcp"),
            unix=raw.get("unix"),
        )

    def to_wire(self) -> dict[str, Any]:
        wire: dict[str, Any] = {}
        if self.tcp is not None:
            wire["tcp"] = self.tcp
        if self.unix is not None:
            wire["unix"] = self.unix
        return wire


@dataclass(frozen=True, slots=True, kw_only=True)
class HostSetting:
    """How a host is set up, in one respect. Give exactly one of `user`, `group`, `sysctl`, `module` and `units`."""

    SHAPE: ClassVar[Shape] = {
        "user": Field(of=str, pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.@-]{0,62}\$?$"),
        "groups": Field(of=str, many="list", pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.@-]{0,62}\$?$"),
        "group": Field(of=str, pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.@-]{0,62}\$?$"),
        "sysctl": Field(of=str, pattern=r"^[A-Za-z0-9_-]+([./][A-Za-z0-9_-]+)+$"),
        "value": Field(of=str, pattern=r"^[!-~]+( [!-~]+)*$"),
        "module": Field(of=str, pattern=r"^[A-Za-z0-9_][A-Za-z0-9_-]*$"),
        "units": Field(
            of=str,
            many="list",
            pattern=r"^[A-Za-z0-9:_.\\@][A-Za-z0-9:_.\\@-]*\.(service|socket|target|timer|path|mount|automount|slice)$",
        ),
    }
    user: str | None = None
    groups: tuple[str, ...] | None = None
    group: str | None = None
    sysctl: str | None = None
    value: str | None = None
    module: str | None = None
    units: tuple[str, ...] | None = None

    @classmethod
    def from_wire(cls, raw: Mapping[str, Any]) -> Self:
        return cls(
            user=raw.get("user"),
            groups=None if (part := raw.get("groups")) is None else tuple(part),
            group=raw.get("group"),
            sysctl=raw.get("sysctl"),
            value=raw.get("value"),
            module=raw.get("module"),
            units=None if (part := raw.get("units")) is None else tuple(part),
        )

    def to_wire(self) -> dict[str, Any]:
        wire: dict[str, Any] = {}
        if self.user is not None:
            wire["user"] = self.user
        if self.groups is not None:
            wire["groups"] = list(self.groups)
        if self.group is not None:
            wire["group"] = self.group
        if self.sysctl is not None:
            wire["sysctl"] = self.sysctl
        if self.value is not None:
            wire["value"] = self.value
        if self.module is not None:
            wire["module"] = self.module
        if self.units is not None:
            wire["units"] = list(self.units)
        return wire


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    """A folder with all that is in it, which must be on every candidate, and alike. It is looked at; who brings it there is your own tool."""

    SHAPE: ClassVar[Shape] = {
        "path": Field(
            of=str,
            required=True,
            pattern=r"^(/([^./\x00-\x1f\x7f][^/\x00-\x1f\x7f]*|\.{1,2}[^./\x00-\x1f\x7f][^/\x00-\x1f\x7f]*|\.{3}[^/\x00-\x1f\x7f]*))+$",
        ),
        "include": Field(
            of=str,
            many="list",
            pattern=r"^([^./\x00-\x1f\x7f][^/\x00-\x1f\x7f]*|\.{1,2}[^./\x00-\x1f\x7f][^/\x00-\x1f\x7f]*|\.{3}[^/\x00-\x1f\x7f]*)(/([^./\x00-\x1f\x7f][^/\x00-\x1f\x7f]*|\.{1,2}[^./\x00-\x1f\x7f][^/\x00-\x1f\x7f]*|\.{3}[^/\x00-\x1f\x7f]*))*$",
        ),
        "exclude": Field(
            of=str,
            many="list",
            pattern=r"^([^./\x00-\x1f\x7f][^/\x00-\x1f\x7f]*|\.{1,2}[^./\x00-\x1f\x7f][^/\x00-\x1f\x7f]*|\.{3}[^/\x00-\x1f\x7f]*)(/([^./\x00-\x1f\x7f][^/\x00-\x1f\x7f]*|\.{1,2}[^./\x00-\x1f\x7f][^/\x00-\x1f\x7f]*|\.{3}[^/\x00-\x1f\x7f]*))*$",
        ),
        "maxFiles": Field(of=int, least=1, most=10000),
        "maxBytes": Field(of=int, least=1, most=268435456),
        "maxDepth": Field(of=int, least=1, most=32),
    }
    path: str
    include: tuple[str, ...] | None = None
    exclude: tuple[str, ...] | None = None
    max_files: int = 2000
    max_bytes: int = 67108864
    max_depth: int = 16

    @classmethod
    def from_wire(cls, raw: Mapping[str, Any]) -> Self:
        return cls(
            path=raw["path"],
            include=None if (part := raw.get("include")) is None else tuple(part),
            exclude=None if (part := raw.get("exclude")) is None else tuple(part),
            max_files=raw.get("maxFiles", 2000),
            max_bytes=raw.get("maxBytes", 67108864),
            max_depth=raw.get("maxDepth", 16),
        )

    def to_wire(self) -> dict[str, Any]:
        wire: dict[str, Any] = {
            "path": self.path,
            "maxFiles": self.max_files,
            "maxBytes": self.max_bytes,
            "maxDepth": self.max_depth,
        }
        if self.include is not None:
            wire["include"] = list(self.include)
        if self.exclude is not None:
            wire["exclude"] = list(self.exclude)
        return wire


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderedPrerequisite:
    """One thing that a host looks at, exactly one kind. Without a rule: they would be paid for in each order of each host."""

    SHAPE: ClassVar[Shape] = {
        "name": Field(of=str, required=True, pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"),
        "file": Field(of=RenderedFile),
        "package": Field(of=Package),
        "certificate": Field(of=Certificate),
        "endpoint": Field(of=Endpoint),
        "setting": Field(of=HostSetting),
        "path": Field(of=Tree),
    }
    name: str
    file: RenderedFile | None = None
    package: Package | None = None
    certificate: Certificate | None = None
    endpoint: Endpoint | None = None
    setting: HostSetting | None = None
    path: Tree | None = None

    @classmethod
    def from_wire(cls, raw: Mapping[str, Any]) -> Self:
        return cls(
            name=raw["name"],
            file=None if (part := raw.get("file")) is None else RenderedFile.from_wire(part),
            package=None if (part := raw.get("package")) is None else Package.from_wire(part),
            certificate=None if (part := raw.get("certificate")) is None else Certificate.from_wire(part),
            endpoint=None if (part := raw.get("endpoint")) is None else Endpoint.from_wire(part),
            setting=None if (part := raw.get("setting")) is None else HostSetting.from_wire(part),
            path=None if (part := raw.get("path")) is None else Tree.from_wire(part),
        )

    def to_wire(self) -> dict[str, Any]:
        wire: dict[str, Any] = {
            "name": self.name,
        }
        if self.file is not None:
            wire["file"] = self.file.to_wire()
        if self.package is not None:
            wire["package"] = self.package.to_wire()
        if self.certificate is not None:
            wire["certificate"] = self.certificate.to_wire()
        if self.endpoint is not None:
            wire["endpoint"] = self.endpoint.to_wire()
        if self.setting is not None:
            wire["setting"] = self.setting.to_wire()
        if self.path is not None:
            wire["path"] = self.path.to_wire()
        return wire


@dataclass(frozen=True, slots=True, kw_only=True)
class PrerequisiteOrder:
    """What the host shall look at for one instance: where it runs, to know what the others are held against, and where it may run."""

    SHAPE: ClassVar[Shape] = {
        "namespace": Field(of=str, required=True),
        "name": Field(of=str, required=True),
        "revision": Field(of=int, least=0),
        "resources": Field(of=RenderedPrerequisite, many="list"),
    }
    namespace: str
    name: str
    revision: int = 0
    resources: tuple[RenderedPrerequisite, ...] = ()

    @classmethod
    def from_wire(cls, raw: Mapping[str, Any]) -> Self:
        return cls(
            namespace=raw["namespace"],
            name=raw["name"],
            revision=raw.get("revision", 0),
            resources=tuple(RenderedPrerequisite.from_wire(item) for item in raw.get("resources", ())),
        )

    def to_wire(self) -> dict[str, Any]:
        return {
            "namespace": self.namespace,
            "name": self.name,
            "revision": self.revision,
            "resources": [item.to_wire() for item in self.resources],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyQuestion:
    """One step of finding out where a prerequisite differs from that of another host: the first file of a folder, the first line of a file."""

    SHAPE: ClassVar[Shape] = {
        "id": Field(of=str, required=True, pattern=r"^[0-9a-f]{16}$"),
        "uid": Field(of=str, required=True),
        "name": Field(of=str, required=True, pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"),
        "host": Field(of=str, required=True),
        "key": Field(of=str, required=True, pattern=r"^[0-9a-f]{64}$"),
        "below": Field(of=str),
        "first": Field(of=int, least=0),
        "each": Field(of=int, least=0, most=256),
    }
    id: str
    uid: str
    name: str
    host: str
    key: str
    below: str = ""
    first: int = 0
    each: int = 1

    @classmethod
    def from_wire(cls, raw: Mapping[str, Any]) -> Self:
        return cls(
            id=raw["id"],
            uid=raw["uid"],
            name=raw["name"],
            host=raw["host"],
            key=raw["key"],
            below=raw.get("below", ""),
            first=raw.get("first", 0),
            each=raw.get("each", 1),
        )

    def to_wire(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "uid": self.uid,
            "name": self.name,
            "host": self.host,
            "key": self.key,
            "below": self.below,
            "first": self.first,
            "each": self.each,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribute:
    """What an agent has noted by `crm_attribute`, `attrd_updater` or `crm_master`, for itself or for its like on other hosts."""

    SHAPE: ClassVar[Shape] = {
        "name": Field(of=str, required=True, pattern=r"^[A-Za-z0-9_:#@+-][A-Za-z0-9_.:#@+-]*$"),
        "scope": Field(of=("Cluster", "Forever", "Reboot"), required=True),
        "host": Field(of=str, pattern=r"^[A-Za-z0-9_.-]*$"),
        "value": Field(of=str),
        "number": Field(of=int, required=True, least=1),
    }
    name: str
    scope: Literal["Cluster", "Forever", "Reboot"]
    host: str = ""
    value: str | None = None
    number: int

    @classmethod
    def from_wire(cls, raw: Mapping[str, Any]) -> Self:
        return cls(
            name=raw["name"],
            scope=raw["scope"],
            host=raw.get("host", ""),
            value=raw.get("value"),
            number=raw["number"],
        )

    def to_wire(self) -> dict[str, Any]:
        wire: dict[str, Any] = {
            "name": self.name,
            "scope": self.scope,
            "host": self.host,
            "number": self.number,
        }
        if self.value is not None:
            wire["value"] = self.value
        return wire


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleOrder:
    """What the agent of a copy is told of the other copies of its service."""

    SHAPE: ClassVar[Shape] = {
        "promoted": Field(of=str, pattern=r"^[A-Za-z0-9_.-]*$"),
        "epoch": Field(of=int, least=0),
        "copies": Field(of=str, many="list", pattern=r"^[A-Za-z0-9_.-]*$"),
        "attributes": Field(of=Attribute, many="list"),
    }
    promoted: str = ""
    epoch: int = 0
    copies: tuple[str, ...] = ()
    attributes: tuple[Attribute, ...] = ()

    @classmethod
    def from_wire(cls, raw: Mapping[str, Any]) -> Self:
        return cls(
            promoted=raw.get("promoted", ""),
            epoch=raw.get("epoch", 0),
            copies=tuple(raw.get("copies", ())),
            attributes=tuple(Attribute.from_wire(item) for item in raw.get("attributes", ())),
        )

    def to_wire(self) -> dict[str, Any]:
        return {
            "promoted": self.promoted,
            "epoch": self.epoch,
            "copies": list(self.copies),
            "attributes": [item.to_wire() for item in self.attributes],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class HostAssignmentSpec:
    """Written by the operator: a projection of all HAInstances for this host, never an authority. Absence is no information."""

    SHAPE: ClassVar[Shape] = {
        "heartbeat": Field(of=Heartbeat),
        "checks": Field(of=HostChecks),
        "instances": Field(of=InstanceOrder, many="map"),
        "standbys": Field(of=StandbyOrder, many="map"),
        "prerequisites": Field(of=PrerequisiteOrder, many="map"),
        "questions": Field(of=CopyQuestion, many="list"),
        "over": Field(of=int, many="map", least=1),
        "roles": Field(of=RoleOrder, many="map"),
        "secured": Field(
            of=str,
            many="list",
            pattern=r"^[A-Za-z0-9:_.\\@][A-Za-z0-9:_.\\@-]*\.(service|socket|target|timer|path|mount|automount|slice)$",
        ),
        "handsOff": Field(of=str),
    }
    heartbeat: Heartbeat = Heartbeat()
    checks: HostChecks | None = None
    instances: Mapping[str, InstanceOrder] = field(default_factory=dict)
    standbys: Mapping[str, StandbyOrder] = field(default_factory=dict)
    prerequisites: Mapping[str, PrerequisiteOrder] = field(default_factory=dict)
    questions: tuple[CopyQuestion, ...] = ()
    over: Mapping[str, int] = field(default_factory=dict)
    roles: Mapping[str, RoleOrder] = field(default_factory=dict)
    secured: tuple[str, ...] = ()
    hands_off: str = ""

    @classmethod
    def from_wire(cls, raw: Mapping[str, Any]) -> Self:
        return cls(
            heartbeat=Heartbeat.from_wire(raw.get("heartbeat", {})),
            checks=None if (part := raw.get("checks")) is None else HostChecks.from_wire(part),
            instances={k: InstanceOrder.from_wire(v) for k, v in raw.get("instances", {}).items()},
            standbys={k: StandbyOrder.from_wire(v) for k, v in raw.get("standbys", {}).items()},
            prerequisites={k: PrerequisiteOrder.from_wire(v) for k, v in raw.get("prerequisites", {}).items()},
            questions=tuple(CopyQuestion.from_wire(item) for item in raw.get("questions", ())),
            over=dict(raw.get("over", {})),
            roles={k: RoleOrder.from_wire(v) for k, v in raw.get("roles", {}).items()},
            secured=tuple(raw.get("secured", ())),
            hands_off=raw.get("handsOff", ""),
        )

    def to_wire(self) -> dict[str, Any]:
        wire: dict[str, Any] = {
            "heartbeat": self.heartbeat.to_wire(),
            "instances": {k: v.to_wire() for k, v in self.instances.items()},
            "standbys": {k: v.to_wire() for k, v in self.standbys.items()},
            "prerequisites": {k: v.to_wire() for k, v in self.prerequisites.items()},
            "questions": [item.to_wire() for item in self.questions],
            "over": dict(self.over),
            "roles": {k: v.to_wire() for k, v in self.roles.items()},
            "secured": list(self.secured),
            "handsOff": self.hands_off,
        }
        if self.checks is not None:
            wire["checks"] = self.checks.to_wire()
        return wire


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentSession:
    """The session of the agent that writes this status."""

    boot_id: str
    nonce: str
    seq: int
    machine_uuid: str
    supersedes: tuple[str, ...] = ()

    @property
    def ref(self) -> SessionRef:
        return SessionRef(boot_id=self.boot_id, nonce=self.nonce, seq=self.seq)

    @property
    def text(self) -> str:
        """As `ref.text`: asked for so often that it is worth a line."""
        return f"{self.boot_id}/{self.nonce}"

    @classmethod
    def from_wire(cls, raw: Mapping[str, Any]) -> Self:
        return cls(
            boot_id=raw["bootID"],
            nonce=raw["nonce"],
            seq=raw["seq"],
            machine_uuid=raw["machineUUID"],
            supersedes=tuple(raw.get("supersedes", ())),
        )

    def to_wire(self) -> dict[str, Any]:
        return {
            "bootID": self.boot_id,
            "nonce": self.nonce,
            "seq": self.seq,
            "machineUUID": clip(self.machine_uuid),
            "supersedes": list(self.supersedes[:1024]),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceReport:
    """State of one resource."""

    name: str
    state: Literal["Stopped", "Starting", "Running", "Stopping", "Failed", "Unknown"]
    why: str = ""

    @classmethod
    def from_wire(cls, raw: Mapping[str, Any]) -> Self:
        return cls(
            name=raw["name"],
            state=raw["state"],
            why=raw.get("why", ""),
        )

    def to_wire(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "state": self.state,
            "why": clip(self.why),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Reloadable:
    """What the agent of an OCF resource can be told while it runs, by its metadata on this host."""

    name: str
    parameters: tuple[str, ...] = ()

    @classmethod
    def from_wire(cls, raw: Mapping[str, Any]) -> Self:
        return cls(
            name=raw["name"],
            parameters=tuple(raw.get("parameters", ())),
        )

    def to_wire(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "parameters": [clip(item) for item in self.parameters[:64]],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceReport:
    """What runs of one instance, at which epoch."""

    namespace: str
    name: str
    service: str = ""
    epoch: int
    phase: Literal["Stopped", "Starting", "Running", "Stopping", "Failed", "Stuck"]
    error_type: Literal["Soft", "Hard", "Fatal"] = "Soft"
    released: bool = False
    revision: int = 0
    healthy: bool = True
    degraded: str = ""
    suspect: str = ""
    restarts: int = 0
    recent_restarts: int | None = None
    forgotten_at: str | None = None
    next_try_at: str | None = None
    since: str | None = None
    why: str = ""
    by_admin: str = ""
    hands_off: bool = False
    unrecorded: bool = False
    unstoppable: bool = False
    resources: tuple[ResourceReport, ...] = ()
    reloadable: tuple[Reloadable, ...] = ()

    @classmethod
    def from_wire(cls, raw: Mapping[str, Any]) -> Self:
        return cls(
            namespace=raw["namespace"],
            name=raw["name"],
            service=raw.get("service", ""),
            epoch=raw["epoch"],
            phase=raw["phase"],
            error_type=raw.get("errorType", "Soft"),
            released=raw.get("released", False),
            revision=raw.get("revision", 0),
            healthy=raw.get("healthy", True),
            degraded=raw.get("degraded", ""),
            suspect=raw.get("suspect", ""),
            restarts=raw.get("restarts", 0),
            recent_restarts=raw.get("recentRestarts"),
            forgotten_at=raw.get("forgottenAt"),
            next_try_at=raw.get("nextTryAt"),
            since=raw.get("since"),
            why=raw.get("why", ""),
            by_admin=raw.get("byAdmin", ""),
            hands_off=raw.get("handsOff", False),
            unrecorded=raw.get("unrecorded", False),
            unstoppable=raw.get("unstoppable", False),
            resources=tuple(ResourceReport.from_wire(item) for item in raw.get("resources", ())),
            reloadable=tuple(Reloadable.from_wire(item) for item in raw.get("reloadable", ())),
        )

    def to_wire(self) -> dict[str, Any]:
        wire: dict[str, Any] = {
            "namespace": clip(self.namespace),
            "name": clip(self.name),
            "service": clip(self.service),
            "epoch": self.epoch,
            "phase": self.phase,
            "errorType": self.error_type,
            "released": self.released,
            "revision": self.revision,
            "healthy": self.healthy,
            "degraded": clip(self.degraded),
            "suspect": clip(self.suspect),
            "restarts": self.restarts,
            "why": clip(self.why),
            "byAdmin": clip(self.by_admin),
            "handsOff": self.hands_off,
            "unrecorded": self.unrecorded,
            "unstoppable": self.unstoppable,
            "resources": [item.to_wire() for item in self.resources[:64]],
            "reloadable": [item.to_wire() for item in self.reloadable[:64]],
        }
        if self.recent_restarts is not None:
            wire["recentRestarts"] = self.recent_restarts
        if self.forgotten_at is not None:
            wire["forgottenAt"] = self.forgotten_at
        if self.next_try_at is not None:
            wire["nextTryAt"] = self.next_try_at
        if self.since is not None:
            wire["since"] = self.since
        return wire


@dataclass(frozen=True, slots=True, kw_only=True)
class StandbyReport:
    """Whether the host could run an instance now."""

    ready: bool
    active: bool = False
    running: tuple[str, ...] = ()
    since: str | None = None
    unclear: bool = False
    score: int | None = None
    score_why: str = ""
    no_answer: str = ""
    no_answer_epoch: int | None = None
    score_after: int | None = None
    revision: int = 0
    why: str = ""

    @classmethod
    def from_wire(cls, raw: Mapping[str, Any]) -> Self:
        return cls(
            ready=raw["ready"],
            active=raw.get("active", False),
            running=tuple(raw.get("running", ())),
            since=raw.get("since"),
            unclear=raw.get("unclear", False),
            score=raw.get("score"),
            score_why=raw.get("scoreWhy", ""),
            no_answer=raw.get("noAnswer", ""),
            no_answer_epoch=raw.get("noAnswerEpoch"),
            score_after=raw.get("scoreAfter"),
            revision=raw.get("revision", 0),
            why=raw.get("why", ""),
        )

    def to_wire(self) -> dict[str, Any]:
        wire: dict[str, Any] = {
            "ready": self.ready,
            "active": self.active,
            "running": list(self.running[:64]),
            "unclear": self.unclear,
            "scoreWhy": clip(self.score_why),
            "noAnswer": clip(self.no_answer),
            "revision": self.revision,
            "why": clip(self.why),
        }
        if self.since is not None:
            wire["since"] = self.since
        if self.score is not None:
            wire["score"] = self.score
        if self.no_answer_epoch is not None:
            wire["noAnswerEpoch"] = self.no_answer_epoch
        if self.score_after is not None:
            wire["scoreAfter"] = self.score_after
        return wire


@dataclass(frozen=True, slots=True, kw_only=True)
class PrerequisiteFinding:
    """What a host sees of one thing."""

    name: str
    why: str = ""
    facts: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def from_wire(cls, raw: Mapping[str, Any]) -> Self:
        return cls(
            name=raw["name"],
            why=raw.get("why", ""),
            facts=dict(raw.get("facts", {})),
        )

    def to_wire(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "why": clip(self.why),
            "facts": dict(islice(self.facts.items(), 8)),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class PrerequisiteReport:
    """What the host sees of all that it was to look at for one instance."""

    revision: int = 0
    findings: tuple[PrerequisiteFinding, ...] = ()

    @classmethod
    def from_wire(cls, raw: Mapping[str, Any]) -> Self:
        return cls(
            revision=raw.get("revision", 0),
            findings=tuple(PrerequisiteFinding.from_wire(item) for item in raw.get("findings", ())),
        )

    def to_wire(self) -> dict[str, Any]:
        return {
            "revision": self.revision,
            "findings": [item.to_wire() for item in self.findings[:64]],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyAnswer:
    """What a host says to it. Never content."""

    id: str
    why: str = ""
    count: int = 0
    digests: str = ""
    facts: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def from_wire(cls, raw: Mapping[str, Any]) -> Self:
        return cls(
            id=raw["id"],
            why=raw.get("why", ""),
            count=raw.get("count", 0),
            digests=raw.get("digests", ""),
            facts=dict(raw.get("facts", {})),
        )

    def to_wire(self) -> dict[str, Any]:
        return {
            "id": clip(self.id),
            "why": clip(self.why),
            "count": self.count,
            "digests": self.digests,
            "facts": dict(islice(self.facts.items(), 8)),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleReport:
    """What the agent of a copy has noted on this host."""

    attributes: tuple[Attribute, ...] = ()

    @classmethod
    def from_wire(cls, raw: Mapping[str, Any]) -> Self:
        return cls(
            attributes=tuple(Attribute.from_wire(item) for item in raw.get("attributes", ())),
        )

    def to_wire(self) -> dict[str, Any]:
        return {
            "attributes": [item.to_wire() for item in self.attributes[:64]],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What kind of machine this is."""

    hostname: str = ""
    os: str = ""
    kernel: str = ""
    agent_version: str = ""
    credential_until: str = ""
    addresses: tuple[str, ...] = ()
    policy: str = ""
    features: tuple[str, ...] = ()

    @classmethod
    def from_wire(cls, raw: Mapping[str, Any]) -> Self:
        return cls(
            hostname=raw.get("hostname", ""),
            os=raw.get("os", ""),
            kernel=raw.get("kernel", ""),
            agent_version=raw.get("agentVersion", ""),
            credential_until=raw.get("credentialUntil", ""),
            addresses=tuple(raw.get("addresses", ())),
            policy=raw.get("policy", ""),
            features=tuple(raw.get("features", ())),
        )

    def to_wire(self) -> dict[str, Any]:
        return {
            "hostname": clip(self.hostname),
            "os": clip(self.os),
            "kernel": clip(self.kernel),
            "agentVersion": clip(self.agent_version),
            "credentialUntil": clip(self.credential_until),
            "addresses": [clip(item) for item in self.addresses[:256]],
            "policy": clip(self.policy),
            "features": list(self.features[:128]),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class HostProblem:
    """Something that is wrong with the host itself, whatever runs there."""

    check: str
    why: str
    tolerated: bool = False

    @classmethod
    def from_wire(cls, raw: Mapping[str, Any]) -> Self:
        return cls(
            check=raw["check"],
            why=raw["why"],
            tolerated=raw.get("tolerated", False),
        )

    def to_wire(self) -> dict[str, Any]:
        return {
            "check": self.check,
            "why": clip(self.why),
            "tolerated": self.tolerated,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldUnit:
    """A unit that would start by itself at this host's next boot if it did not wait for Backstay's word."""

    unit: str
    why: str
    ask_again: bool = False

    @classmethod
    def from_wire(cls, raw: Mapping[str, Any]) -> Self:
        return cls(
            unit=raw["unit"],
            why=raw["why"],
            ask_again=raw.get("askAgain", False),
        )

    def to_wire(self) -> dict[str, Any]:
        return {
            "unit": self.unit,
            "why": clip(self.why),
            "askAgain": self.ask_again,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class HostAssignmentStatus:
    """Written by that host's agent."""

    session: AgentSession | None = None
    instances: Mapping[str, InstanceReport] = field(default_factory=dict)
    standbys: Mapping[str, StandbyReport] = field(default_factory=dict)
    prerequisites: Mapping[str, PrerequisiteReport] = field(default_factory=dict)
    exchange_key: str = ""
    answers: tuple[CopyAnswer, ...] = ()
    roles: Mapping[str, RoleReport] = field(default_factory=dict)
    facts: Facts = Facts()
    shutting_down: str = ""
    shutdown_type: Literal["Reboot", "PowerOff", "Other"] | None = None
    hands_off: bool = False
    renewal_refused: str = ""
    problems: tuple[HostProblem, ...] | None = None
    held: tuple[HeldUnit, ...] = ()

    @classmethod
    def from_wire(cls, raw: Mapping[str, Any]) -> Self:
        return cls(
            session=None if (part := raw.get("session")) is None else AgentSession.from_wire(part),
            instances={k: InstanceReport.from_wire(v) for k, v in raw.get("instances", {}).items()},
            standbys={k: StandbyReport.from_wire(v) for k, v in raw.get("standbys", {}).items()},
            prerequisites={k: PrerequisiteReport.from_wire(v) for k, v in raw.get("prerequisites", {}).items()},
            exchange_key=raw.get("exchangeKey", ""),
            answers=tuple(CopyAnswer.from_wire(item) for item in raw.get("answers", ())),
            roles={k: RoleReport.from_wire(v) for k, v in raw.get("roles", {}).items()},
            facts=Facts.from_wire(raw.get("facts", {})),
            shutting_down=raw.get("shuttingDown", ""),
            shutdown_type=raw.get("shutdownType"),
            hands_off=raw.get("handsOff", False),
            renewal_refused=raw.get("renewalRefused", ""),
            problems=None
            if (part := raw.get("problems")) is None
            else tuple(HostProblem.from_wire(item) for item in part),
            held=tuple(HeldUnit.from_wire(item) for item in raw.get("held", ())),
        )

    def to_wire(self) -> dict[str, Any]:
        wire: dict[str, Any] = {
            "instances": {k: v.to_wire() for k, v in islice(self.instances.items(), 512)},
            "standbys": {k: v.to_wire() for k, v in islice(self.standbys.items(), 512)},
            "prerequisites": {k: v.to_wire() for k, v in islice(self.prerequisites.items(), 512)},
            "exchangeKey": self.exchange_key,
            "answers": [item.to_wire() for item in self.answers[:8]],
            "roles": {k: v.to_wire() for k, v in islice(self.roles.items(), 512)},
            "facts": self.facts.to_wire(),
            "shuttingDown": clip(self.shutting_down),
            "handsOff": self.hands_off,
            "renewalRefused": clip(self.renewal_refused),
            "held": [item.to_wire() for item in self.held[:256]],
        }
        if self.session is not None:
            wire["session"] = self.session.to_wire()
        if self.shutdown_type is not None:
            wire["shutdownType"] = self.shutdown_type
        if self.problems is not None:
            wire["problems"] = [item.to_wire() for item in self.problems]
        return wire


@dataclass(frozen=True, slots=True, kw_only=True)
class HostAssignment:
    """What one host shall run and keep ready (spec, by the operator), and what it says (status, by its agent)."""

    plural: ClassVar[str] = "hostassignments"
    namespaced: ClassVar[bool] = False
    api_version: str = "backstay.dev/v1alpha1"
    kind: Literal["HostAssignment"] = "HostAssignment"
    metadata: Meta
    spec: HostAssignmentSpec = HostAssignmentSpec()
    status: HostAssignmentStatus = HostAssignmentStatus()

    @property
    def key(self) -> str:
        """`namespace/name`, or the name alone for cluster-wide kinds."""
        return key_of(self.metadata.namespace, self.metadata.name) if self.namespaced else self.metadata.name

    @property
    def uid(self) -> str:
        return self.metadata.uid or ""

    @classmethod
    def from_wire(cls, raw: Mapping[str, Any]) -> Self:
        return cls(
            api_version=raw.get("apiVersion", "backstay.dev/v1alpha1"),
            kind=raw.get("kind", "HostAssignment"),
            metadata=Meta.from_wire(raw["metadata"]),
            spec=HostAssignmentSpec.from_wire(raw.get("spec", {})),
            status=HostAssignmentStatus.from_wire(raw.get("status", {})),
        )

    def to_wire(self) -> dict[str, Any]:
        return {
            "apiVersion": self.api_version,
            "kind": self.kind,
            "metadata": self.metadata.to_wire(),
            "spec": self.spec.to_wire(),
            "status": self.status.to_wire(),
        }
