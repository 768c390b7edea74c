"""ServiceClass: what the services of some namespaces may bring, and to which hosts."""

from __future__ import annotations

from typing import Annotated, ClassVar, Final, Literal

from pydantic import Field, StringConstraints

from backstay_api.objects.resource_kinds import RESOURCE_KINDS

from .base import Column, Conditions, Model, Object, Rule
from .placement import Amounts, HostSelector

# Of these admission makes expressions: no character but these two, * and ?, may stand for others.
_NAMESPACE: Final = r"^[a-z0-9*?-]+$"
_UNIT: Final = r"^[A-Za-z0-9:_.@\\*?-]+$"
_NAME: Final = r"^[A-Za-z0-9_.@$*?-]+$"
_INTERFACE: Final = r"^[^/:\[\]\x00-\x20\x7f]+$"
# Words as a shell reads them: a quote that is not closed could allow nothing.
_WORDS: Final = """([^'"\\\\]|'[^']*'|"[^"\\\\]*")*"""
_MOST: Final = 64
_KINDS: Final = [kind.wire for kind in RESOURCE_KINDS]


def _pattern(pattern: str, longest: int = 1024) -> StringConstraints:
    return StringConstraints(min_length=1, max_length=longest, pattern=pattern)


_Namespaces = Annotated[list[Annotated[str, _pattern(_NAMESPACE, 63)]], Field(min_length=1, max_length=_MOST)]
_Units = Annotated[list[Annotated[str, _pattern(_UNIT, 255)]], Field(max_length=_MOST)]
_Names = Annotated[list[Annotated[str, _pattern(_NAME, 64)]], Field(max_length=_MOST)]
_Interfaces = Annotated[list[Annotated[str, _pattern(_INTERFACE, 15)]], Field(max_length=_MOST)]
_Networks = Annotated[list[Annotated[str, _pattern(r"^[0-9A-Za-z_.:-]+(/[0-9]{1,3})?$", 253)]], Field(max_length=_MOST)]
_Paths = Annotated[list[Annotated[str, _pattern("^/")]], Field(max_length=_MOST)]
_Texts = Annotated[list[Annotated[str, _pattern(r"^[^\x00-\x1f\x7f]+$")]], Field(max_length=_MOST)]
_Commands = Annotated[list[Annotated[str, _pattern(f"^/{_WORDS}$")]], Field(max_length=_MOST)]
_Agents = Annotated[list[Annotated[str, _pattern(f"^{_WORDS}$")]], Field(max_length=_MOST)]


class Allowed(Model):
    """What one resource may ask for, all of it in one entry: the words and patterns of a host's own policy."""

    rules = (
        Rule(
            f"!has(self.kinds) || self.kinds.all(kind, kind in {_KINDS})",
            f"kinds are those of resources: {', '.join(_KINDS)}",
            lambda allowed: allowed.kinds is None or all(kind in _KINDS for kind in allowed.kinds),
        ),
    )
    kinds: Annotated[list[Annotated[str, _pattern("^[A-Za-z]+$", 64)]], Field(max_length=32)] | None = None
    """No other kinds of resources than these. Default: any whose other words are allowed."""
    units: _Units = []
    """Names of units."""
    environment: _Names = []
    """Names of variables that units and commands are given. LD_PRELOAD and its like run other code."""
    overrides: _Names = []
    """Names of settings that units and commands may have others of: how much of the host they use, and before whom."""
    commands: _Commands = []
    """A program by its path, then its arguments word by word; `...` at the end: any more. Of commands, and of probes that run a program."""
    users: _Names = []
    """As whom: without `user`, and in probes, that is root."""
    groups: _Names = []
    """With which groups."""
    networks: _Networks = []
    """Addresses, where routes lead, and whom probes ask but for their own host: an address, a network, or a name as it is written."""
    interfaces: _Interfaces = []
    """Interfaces that addresses name. Where they name none, the subnet tells, and nothing is asked."""
    paths: _Paths = []
    """Where filesystems are mounted, folders of binds, files. `**` at the end: all below."""
    files: _Paths = []
    """Files that services bring themselves, beside `paths`."""
    devices: _Texts = []
    """What is mounted, as the manifest calls it; a logical volume as /dev/VG/LV."""
    agents: _Agents = []
    """OCF agents: provider and type, then `parameter=value`s in any order; `...` at the end: any others. They run as root."""
    packages: _Texts = []
    """Packages of the distribution that are looked at."""


class ServiceClassSpec(Model):
    """Written by people of backstay:policy-admins. What harms others must be allowed; how much a service asks for is its own matter, unless
    a number says otherwise."""

    namespaces: _Namespaces
    """Whose services it is about: patterns of names of namespaces. Once any class is there, one that no class names may bring nothing."""
    hosts: HostSelector | None = None
    """Its services run on these hosts alone: their `placement.hosts` must ask for all of it. Default: any host."""
    allow: Annotated[list[Allowed], Field(max_length=16)] = []
    """What they may bring: one entry must allow all that a resource asks for, each of its probes by itself. Empty: nothing."""
    on_stop_failure: Literal["Block", "Fence"] | None = None
    """Fence: their `recovery.onStopFailure` may be Fence, so that a stop that fails powers the host off, and what others run there. Default:
    Block, it may not."""
    max_priority: Annotated[int, Field(ge=0, le=1000)] | None = None
    """The highest `placement.priority`: what has a higher one has others stopped. Default: 0, which is that of services that say none."""
    max_replicas: Annotated[int, Field(ge=1, le=100)] | None = None
    """The most copies of one service. With a number mode EveryHost is not allowed, which has one on each host. Default: any number."""
    max_resources: Annotated[int, Field(ge=1, le=64)] | None = None
    """The most resources of one service. Default: any number."""
    max_capacity: Amounts | None = None
    """By name, the most that each copy may ask for in `placement.capacity`. A name that does not stand here: as much as it likes."""


class ServiceClassStatus(Model):
    """What it comes to. Written by the operator; nobody goes by it."""

    observed_generation: Annotated[int, Field(ge=0)] | None = None
    """The generation that all of this is about."""
    services: Annotated[int, Field(ge=0)] | None = None
    """How many HAServices are in the namespaces that it names."""
    refused: Annotated[int, Field(ge=0)] | None = None
    """How many of them this class does not allow what they bring. What was started before runs on."""
    conditions: Conditions = []
    """AllAllowed: it allows all that its services bring; else the first that it refuses, and why."""


class ServiceClass(Object):
    """What the services of some namespaces may bring, and to which hosts. Of several that name a namespace each must allow it."""

    plural: ClassVar[str] = "serviceclasses"
    namespaced: ClassVar[bool] = False
    columns: ClassVar[tuple[Column, ...]] = (
        Column("Namespaces", ".spec.namespaces"),
        Column("Services", ".status.services", "integer"),
        Column("Refused", ".status.refused", "integer"),
        Column("Hosts", ".spec.hosts.matchLabels", wide=True),
        Column("Reason", '.status.conditions[?(@.type=="AllAllowed")].message', wide=True),
        Column("Age", ".metadata.creationTimestamp", "date"),
    )
    kind: Literal["ServiceClass"] = "ServiceClass"
    spec: ServiceClassSpec
    """Written by people of backstay:policy-admins."""
    status: ServiceClassStatus = ServiceClassStatus()
    """What it comes to. Written by the operator."""
