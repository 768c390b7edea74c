"""One resource of a service: the kinds, what they may say, and the probes that ask whether it really works."""

from __future__ import annotations

import ipaddress
from functools import lru_cache
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from backstay_api.objects.resource_kinds import IMPLEMENTED, RESOURCE_KINDS

from .base import Argv, Duration, Label, ListMap, Model, Rule, Text, exactly_one_of

UnitName = Annotated[
    str, StringConstraints(max_length=255, pattern=r"^[A-Za-z0-9:_.\\@-]+\.(service|socket|target|timer|path)$")
]
AbsolutePath = Annotated[str, StringConstraints(max_length=1024, pattern=r"^/[^\x00\n]*$")]
Port = Annotated[int, Field(ge=1, le=65535)]
Count = Annotated[int, Field(ge=1, le=1000)]


class Systemd(Model):
    """A unit of the host's systemd. It must not start by itself: the agent sees to that with a drop-in."""

    unit: UnitName
    """Name of the unit, with its suffix: `nginx.service`."""


_ABSOLUTE = Rule(
    "self.start[0].startsWith('/') && self.stop[0].startsWith('/') && (!has(self.check) || self.check[0].startsWith('/'))",
    "start, stop and check must begin with an absolute path",
    lambda c: c.start[0].startswith("/") and c.stop[0].startswith("/") and (not c.check or c.check[0].startswith("/")),
)


class Command(Model):
    """Programs that start, stop and check something; each runs in a transient unit of its own."""

    rules = (_ABSOLUTE,)
    start: Argv
    """Brings the resource up; must succeed when it is up already."""
    stop: Argv
    """Brings the resource down; must succeed when it is down already."""
    check: Argv | None = None
    """Exit 0: up. 7: cleanly down. Anything else: failed."""


@lru_cache(maxsize=4096)
def _is_cidr(address: str) -> bool:
    # Go's ParseCIDR, which CEL uses, wants the prefix; Python would take a bare address or a netmask.
    host, slash, prefix = address.partition("/")
    if not slash or not prefix.isdecimal() or (len(prefix) > 1 and prefix[0] == "0") or "%" in host:
        return False
    try:
        ip = ipaddress.ip_interface(address).ip
    except ValueError:
        return False
    # A v4-mapped v6 address is one address with two names: two services could claim it without seeing each other.
    return ip.version == 4 or ip.ipv4_mapped is None


class VirtualIP(Model):
    """An address that clients use and that moves with the service."""

    rules = (
        Rule(
            "isCIDR(self.address)",
            "address must be an address with its prefix, like 192.0.2.10/24",
            lambda v: _is_cidr(v.address),
        ),
    )
    address: Annotated[str, StringConstraints(min_length=4, max_length=49, pattern=r"^[0-9a-fA-F.:]+/[0-9]{1,3}$")]
    """Address and prefix length: `192.0.2.10/24`, `2001:db8::10/64`."""
    interface: (
        Annotated[str, StringConstraints(min_length=1, max_length=15, pattern=r"^[^/:\x00-\x20\x7f]+$")] | None
    ) = None
    """Only where the subnet does not tell: by default the interface that already has an address in it."""


class Mount(Model):
    """A filesystem. Later."""

    device: AbsolutePath
    """Block device, best by a stable name below /dev/disk."""
    path: AbsolutePath
    """Mount point."""
    fs_type: Annotated[str, StringConstraints(min_length=1, max_length=32)] | None = None
    """Type of the filesystem."""
    options: Annotated[list[Text], Field(max_length=32)] | None = None
    """Mount options."""


class KeyRef(Model):
    """One key of a ConfigMap or Secret beside the service."""

    name: Text
    """Name of the object."""
    key: Text
    """The key in it."""


class Validate(Model):
    """A check of a file before it is put in place."""

    command: Argv
    """Exit 0: good."""


class File(Model):
    """A file that must be on every candidate. Later."""

    path: AbsolutePath
    """Where it goes."""
    config_map_key_ref: KeyRef | None = None
    """Its content, from a ConfigMap."""
    secret_key_ref: KeyRef | None = None
    """Its content, from a Secret."""
    validate_: Annotated[Validate | None, Field(alias="validate")] = None
    """Checks the new content before it is used."""


class Ocf(Model):
    """An OCF resource agent. Later."""

    agent: Annotated[str, StringConstraints(max_length=128, pattern=r"^[A-Za-z0-9_.-]+:[A-Za-z0-9_.-]+$")]
    """Provider and type: `heartbeat:IPaddr2`."""
    parameters: Annotated[dict[str, Text], Field(max_length=64)] | None = None
    """Parameters, handed over as OCF_RESKEY_*."""


class Package(Model):
    """A package that must be installed. Later."""

    name: Annotated[str, StringConstraints(min_length=1, max_length=128)]
    """Name of the package."""
    version: Annotated[str, StringConstraints(min_length=1, max_length=128)] | None = None
    """Wanted version; by default only sameness is asked."""


class Tree(Model):
    """A directory tree that must be the same on every candidate. Later."""

    path: AbsolutePath
    """Root of the tree."""


class Replication(Model):
    """A lag that must stay bounded. Later."""

    command: Argv
    """Prints the lag."""


class Timeouts(Model):
    """How long each may take."""

    start: Duration | None = None
    """Until it is up. Default: the unit's own, else 20s."""
    stop: Duration | None = None
    """Until it is verifiably down. Default: the unit's own, else 20s."""
    check: Duration | None = None
    """One run of the kind's own check. Default 20s."""


class TcpSocket(Model):
    """Good if a connection can be opened."""

    port: Port
    """Port to connect to."""
    host: Text | None = None
    """Address to connect to. Default: 127.0.0.1."""


class HttpHeader(Model):
    """One header of a probe's request."""

    name: Annotated[str, StringConstraints(min_length=1, max_length=128, pattern=r"^[A-Za-z0-9-]+$")]
    """Header name."""
    value: Annotated[str, StringConstraints(max_length=1024, pattern=r"^[^\r\n]*$")]
    """Header value."""


class HttpGet(Model):
    """Good if a GET is answered with 200 to 399."""

    port: Port
    """Port to ask."""
    path: Annotated[str, StringConstraints(max_length=1024, pattern=r"^/[^\x00-\x20\x7f]*$")] | None = None
    """Path to ask for. Default: /."""
    host: Text | None = None
    """Address to ask. Default: 127.0.0.1."""
    scheme: Literal["HTTP", "HTTPS"] | None = None
    """Default: HTTP. With HTTPS the certificate is not checked, as in Kubernetes."""
    http_headers: Annotated[list[HttpHeader], Field(max_length=16)] | None = None
    """Headers to send."""


class Exec(Model):
    """Good if a command exits with 0."""

    command: Argv
    """The command; no shell."""


class OcfDepth(Model):
    """The agent's own monitor at a depth. Later."""

    depth: Annotated[int, Field(ge=0, le=20)]
    """OCF_CHECK_LEVEL."""


class Probe(Model):
    """Asks regularly whether a resource really works."""

    rules = (exactly_one_of("tcp_socket", "http_get", "exec", "ocf"),)
    name: Label
    """Unique among the probes of the resource."""
    tcp_socket: TcpSocket | None = None
    """Open a connection."""
    http_get: HttpGet | None = None
    """Ask over HTTP."""
    exec: Exec | None = None
    """Run a command."""
    ocf: OcfDepth | None = None
    """Ask the OCF agent. Later."""
    period: Duration = "10s"
    """From the begin of one try to the begin of the next."""
    timeout: Duration = "1s"
    """How long one try may take."""
    initial_delay: Duration = "0s"
    """Wait after the start before the first try."""
    failure_threshold: Count = 3
    """This many failures in a row: the resource has failed."""
    success_threshold: Count = 1
    """This many successes in a row: it works again."""


class Bound(Model):
    """How far copies may differ. Later."""

    age: Duration | None = None
    """Time since they were the same."""
    lag: Duration | None = None
    """Replication lag."""
    bytes: Annotated[int, Field(ge=0)] | None = None
    """Bytes not yet copied."""


class Backoff(Model):
    """Pauses between restarts in place, each twice as long as the one before. The first restart is at once."""

    initial: Duration | None = None
    """The first pause. Default: 1s."""
    max: Duration | None = None
    """The longest. Default: 30s, or `initial` if that is longer."""


class RenderedRecovery(Model):
    """How often what fails is restarted where it is, as an agent is told."""

    restarts: Annotated[int, Field(ge=0, le=1000)] | None = None
    """Restarts in place within `window`, then a move. Default: 3. With 0 it moves at once."""
    window: Duration | None = None
    """How long one restart counts: each is forgotten so long after it. Default: 10m."""
    backoff: Backoff | None = None
    """Pauses between restarts."""


class RenderedResource(Model):
    """One thing a service needs, as an agent is told to carry it out. Exactly one kind; the rest is the same for all kinds."""

    rules = (exactly_one_of(*(kind.field for kind in IMPLEMENTED)),)
    name: Label
    """Unique within the service."""
    systemd: Systemd | None = None
    """A systemd unit."""
    command: Command | None = None
    """Commands of your own."""
    virtual_ip: Annotated[VirtualIP | None, Field(alias="virtualIP")] = None
    """An address that moves with the service."""
    after: Annotated[list[Label], Field(max_length=16)] | None = None
    """Resources of this service that are up before it starts, and stopped after it. Default: all above it; `[]`: none."""
    timeouts: Timeouts = Timeouts()
    """How long start, stop and check may take."""
    probes: Annotated[list[Probe], Field(max_length=8), ListMap("name")] = []
    """Does it really work?"""


class Resource(RenderedResource):
    """One thing a service needs. Exactly one kind; the rest is the same for all kinds."""

    rules = (exactly_one_of(*(kind.field for kind in RESOURCE_KINDS)),)
    mount: Mount | None = None
    """A filesystem (later)."""
    file: File | None = None
    """A file (later)."""
    ocf: Ocf | None = None
    """An OCF resource agent (later)."""
    package: Package | None = None
    """An installed package (later)."""
    path: Tree | None = None
    """A tree that must be the same (later)."""
    replication: Replication | None = None
    """A lag that must stay bounded (later)."""
    strategy: Literal["Duplicate", "Share", "Move", "External"] | None = None
    """How it comes to be on more than one host (later)."""
    consistency: Literal["Any", "Bounded", "Exact"] | None = None
    """How different copies may be (later)."""
    bound: Bound | None = None
    """The bound for `Bounded` (later)."""
    gate: Literal["Block", "Warn"] | None = None
    """What a host that misses it is (later)."""
    role: Literal["Any", "Promoted"] | None = None
    """For Promotable (later)."""
    on_failure: Literal["Restart", "Move", "Degrade", "Ignore"] | None = None
    """What a failure does (later)."""

    @property
    def rendered(self) -> RenderedResource:
        """What an agent is told: nothing that it need not know."""
        return RenderedResource(**{field: getattr(self, field) for field in RenderedResource.model_fields})
