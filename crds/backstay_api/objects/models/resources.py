"""One resource of a service: the kinds, and what they may say."""

from __future__ import annotations

import re
from typing import Annotated, ClassVar, Final, Literal

from pydantic import Field, StringConstraints

from backstay_api.objects.devices import is_network
from backstay_api.objects.mounts import is_bind
from backstay_api.objects.resource_kinds import PREREQUISITES, RESOURCE_KINDS, STARTED
from backstay_api.objects.unit_settings import SETTINGS, VARIABLE

from .address import VirtualIP
from .base import Argv, Duration, Label, ListMap, Model, Rule, exactly_one_of
from .ocf import EnvironmentValue, Ocf, PromotableOcf
from .prerequisites import (
    STEP,
    Certificate,
    Endpoint,
    File,
    HostSetting,
    Package,
    PlainPath,
    RenderedFile,
    RenderedPrerequisite,
    Tree,
    UnitName,
)
from .probes import Probe

Override = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9:%-]+$")]
_SETTINGS: Final = f"^({'|'.join(sorted(SETTINGS))})$"


class Systemd(Model):
    """A unit of the host's systemd. It must not start by itself: the agent sees to that with a drop-in."""

    unit: UnitName
    """Name of the unit, with its suffix: `nginx.service`."""
    overrides: Annotated[dict[str, Override], Field(max_length=32)] | None = None
    """Settings of the unit that are others while Backstay runs it: `LimitNOFILE: "65536"`, `MemoryMax: 2G`. An edit of Memory…, CPU…,
    IOWeight and TasksMax reaches what runs; an edit of any other restarts it."""
    environment: Annotated[dict[str, EnvironmentValue], Field(max_length=64)] | None = None
    """Variables that the unit is given besides its own. No place for passwords: who can log in to the host can read them."""


def _is_one_form(c: Command) -> bool:
    if c.program is not None:
        return c.convention is not None and not any((c.start, c.stop, c.check, c.reload, c.type))
    return c.convention is None and c.start is not None and (c.stop is not None or c.type == "simple")


_ONE_FORM = Rule(
    "has(self.program) ? has(self.convention) && !has(self.start) && !has(self.stop) && !has(self.check) && !has(self.reload)"
    " && !has(self.type) : !has(self.convention) && has(self.start) && (has(self.stop) || (has(self.type) && self.type == 'simple'))",
    "give start and stop (with type: simple stop may be left out), or convention: lsb and program alone",
    _is_one_form,
)
_ABSOLUTE = Rule(
    " && ".join(
        f"(!has(self.{word}) || self.{word}[0].startsWith('/'))"
        for word in ("start", "stop", "check", "reload", "program")
    ),
    "start, stop, check, reload and program must begin with an absolute path",
    lambda c: all(not argv or argv[0].startswith("/") for argv in (c.start, c.stop, c.check, c.reload, c.program)),
)


# What systemd would read otherwise, once it reads the unit's file again: it takes a line that ends in `\` on, and quotes apart.
UnitPath = Annotated[str, StringConstraints(max_length=1024, pattern="^(/" + STEP.replace("[^", r"[^\\\"'") + ")+$")]
# No colon, slash or space: `/etc/passwd` has none of them, and no option of any program begins so. `%` and `;` are nobody's.
Account = Annotated[
    str, StringConstraints(max_length=64, pattern=r"^([A-Za-z_][A-Za-z0-9_.@-]{0,62}\$?|0|[1-9][0-9]{0,9})$")
]
Line = Annotated[str, StringConstraints(max_length=4096, pattern=r"^[^\x00-\x08\x0a-\x1f\x7f]*$")]


class Sandbox(Model):
    """What of the host the programs are kept from, in systemd's words. `NoNewPrivileges=` is always on, with or without this."""

    protect_system: Literal["Full", "Strict"] | None = None
    """Full: /usr, /boot, /efi and /etc are read-only. Strict: the whole file system is, but for /dev, /proc, /sys and `readWritePaths`."""
    protect_home: Literal["Inaccessible", "ReadOnly"] | None = None
    """Inaccessible: /home, /root and /run/user are empty, and nobody may look into them. ReadOnly: they cannot be written."""
    private_tmp: bool | None = None
    """/tmp and /var/tmp are others than the host's: those of start, which stop, check and reload see as well while it runs."""
    read_write_paths: Annotated[list[UnitPath], Field(min_length=1, max_length=32)] | None = None
    """What may be written in spite of `protectSystem` or `protectHome`. Each must exist when the programs are run."""


class Command(Model):
    """Programs that start, stop and check something; each runs in a transient unit of its own."""

    rules = (_ONE_FORM, _ABSOLUTE)
    start: Argv | None = None
    """Brings the resource up; must succeed when it is up already."""
    stop: Argv | None = None
    """Brings the resource down; must succeed when it is down already. Only with `type: simple` it may be left out: SIGTERM."""
    check: Argv | None = None
    """Exit 0: up. 7: cleanly down. Anything else: failed. An edit restarts nothing, nor does one of `stop` or `reload`."""
    reload: Argv | None = None
    """Has what runs read its configuration anew: when `reloadedAt` changes."""
    type: Literal["simple", "forking", "oneshot"] | None = None
    """simple: the start command itself is what runs. forking: it leaves something running, and ends. oneshot: what it did is all, and holds
    until the stop. Default: it may leave something running, or stay; its check tells."""
    convention: Literal["lsb"] | None = None
    """How `program` is called: as an init script, with start, stop, status and reload; its status says 0, 1, 2, 3 or 4 as the LSB has it."""
    program: Argv | None = None
    """The init script, `[/etc/init.d/legacy]`."""
    user: Account | None = None
    """Who runs all of its programs: a name or a number that every candidate knows. Default: root."""
    group: Account | None = None
    """With which group. Default: the user's own."""
    environment: Annotated[dict[str, Line], Field(max_length=64)] | None = None
    """Variables of all of its programs. No place for passwords: who can log in to the host can read them."""
    working_directory: UnitPath | None = None
    """Where all of its programs begin. Default: /."""
    sandbox: Sandbox | None = None
    """What of the host all of its programs are kept from. Default: nothing."""
    overrides: Annotated[dict[str, Override], Field(max_length=32)] | None = None
    """Limits of what `start` runs and leaves, the same as a unit's: `LimitNOFILE: "65536"`, `MemoryMax: 2G`. Another value of Memory…, CPU…,
    IOWeight and TasksMax reaches what runs; any other edit restarts it."""


DeviceName = Annotated[
    str,
    StringConstraints(
        max_length=1024,
        pattern=rf"^((/{STEP})+"
        r"|(UUID|LABEL|PARTUUID|PARTLABEL)=[^/\x00-\x1f\x7f]{1,128}"
        rf"|([A-Za-z0-9][A-Za-z0-9._-]*|\[[0-9a-fA-F:.]+\]):(/|(/{STEP})+)"
        r"|[A-Za-z0-9][A-Za-z0-9+_.-]*/[A-Za-z0-9+_][A-Za-z0-9+_.-]*)$",
    ),
]
MountOption = Annotated[str, StringConstraints(max_length=256, pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.:/=@%+~^-]*$")]
# mount takes a type that begins with `no` for every type but that one.
FsType = Annotated[
    str, StringConstraints(max_length=32, pattern=r"^([a-mo-z0-9][a-z0-9_.-]*|n[a-np-z0-9_.-][a-z0-9_.-]*)$")
]


class Mount(Model):
    """A filesystem on a disk that all candidates reach, or of a server, or a folder bound to another place."""

    device: DeviceName
    """What is mounted: `UUID=…`, `LABEL=…`, `PARTUUID=…`, a path (best below /dev/disk/by-id), a
    logical volume (`/dev/VG/LV`), `server:/path`, or the folder of a `bind`."""
    path: PlainPath
    """Where: below a folder that the host allows (`mount_roots` of its agent.json)."""
    fs_type: FsType | None = None
    """Type of the filesystem. Default: as mount finds it out; `nfs` with a server."""
    options: Annotated[list[MountOption], Field(max_length=32)] | None = None
    """Mount options, one an entry: `noatime`, `ro`, `bind`. Besides these always `nosuid` and `nodev`; `suid`, `dev`, `loop`, `remount`
    and what asks for more than this one mount are refused."""
    on_busy: Literal["Wait", "Terminate"] = "Wait"
    """What a stop does when processes still use it after half of its time: name them, or also send them SIGTERM."""


class Replication(Model):
    """A lag that must stay bounded. Later."""

    command: Argv
    """Prints the lag."""


class Timeouts(Model):
    """How long each may take."""

    start: Duration | None = None
    """Until it is up. Default: the unit's own or the agent's metadata, else 20s."""
    stop: Duration | None = None
    """Until it is verifiably down. Default: the unit's own or the agent's metadata, else 20s."""
    check: Duration | None = None
    """One run of the kind's own check. Default: the agent's metadata, else 20s."""


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


_RELOADS = Rule(
    "!has(self.reloadedAt) || has(self.systemd) || (has(self.command) && (has(self.command.reload) || has(self.command.program)))",
    "reloadedAt goes with a unit (systemd), or a command that has reload or program: nothing else is reloaded",
    lambda r: r.reloaded_at is None or r.systemd is not None or (r.command and (r.command.reload or r.command.program)),
)
# Of the manifest alone: paid for each resource of each order, they would be too dear. What stands in an order is looked at again by its agent.
_PARAMETERS = Rule(
    "!has(self.ocf) || !has(self.ocf.parameters) || self.ocf.parameters.all(name, name.matches('^[A-Za-z0-9_]{1,64}$'))",
    "names of parameters have letters, digits and _ only, at most 64",
    lambda r: r.ocf is None or all(re.fullmatch("[A-Za-z0-9_]{1,64}", name) for name in r.ocf.parameters or ()),
)
_VARIABLES = Rule(
    " && ".join(
        f"(!has(self.{kind}) || !has(self.{kind}.environment)"
        f" || self.{kind}.environment.all(name, name.matches('^{VARIABLE}$')))"
        for kind in ("systemd", "command")
    ),
    "names of variables have letters, digits and _ only, at most 64, and no digit in front",
    lambda r: all(
        re.fullmatch(VARIABLE, name) for spec in (r.systemd, r.command) if spec for name in spec.environment or ()
    ),
)
_BOUND_FOLDER = Rule(
    "!has(self.mount) || !has(self.mount.options) || !self.mount.options.exists(o, o == 'bind') || self.mount.device.startsWith('/')",
    "with the option bind, device must be the absolute path of a folder",
    lambda r: r.mount is None or not is_bind(r.mount) or r.mount.device.startswith("/"),
)
_NETWORK = Rule(
    "!has(self.mount) || !has(self.mount.fsType) || (self.mount.fsType in ['nfs', 'nfs4'])"
    " == (!self.mount.device.startsWith('/') && self.mount.device.contains(':/'))",
    "fsType nfs or nfs4 goes with a device server:/path, and with no other",
    lambda r: (
        r.mount is None or r.mount.fs_type is None or (r.mount.fs_type in ("nfs", "nfs4")) == is_network(r.mount.device)
    ),
)
_OVERRIDES = Rule(
    " && ".join(
        f"(!has(self.{kind}) || !has(self.{kind}.overrides)"
        f" || self.{kind}.overrides.all(name, name.matches('{_SETTINGS}')))"
        for kind in ("systemd", "command")
    ),
    "overrides may set Limit…, Memory…, CPUWeight, CPUQuota, IOWeight, TasksMax, Nice and OOMScoreAdjust only:"
    " what starts, stops, restarts or contains a unit stands in its own file on the hosts",
    lambda r: all(
        re.fullmatch(_SETTINGS, name) for spec in (r.systemd, r.command) if spec for name in spec.overrides or ()
    ),
)
_OWN_PROBES = Rule(
    "!has(self.probes) || has(self.ocf) || !self.probes.exists(probe, has(probe.ocf))",
    "a probe of kind ocf asks the agent of its own resource: only a resource of kind ocf has one",
    lambda r: r.ocf is not None or not any(probe.ocf for probe in r.probes),
)


_PROMOTABLE: Final = Rule(
    "!has(self.ocf) || !has(self.ocf.promotable) || !self.ocf.promotable"
    " || (has(self.ocf.instance) && (!has(self.role) || self.role == 'Any'))",
    "ocf.promotable goes with ocf.instance, by which the copy and its promotion are one thing whatever the parameters, and without role:"
    " Promoted, for each copy has it",
    lambda r: not r.is_promotable or (r.ocf.instance is not None and r.role in (None, "Any")),
)


class RenderedResource(Model):
    """One thing a service needs, as an agent is told to carry it out. Exactly one kind; the rest is the same for all kinds."""

    rules: ClassVar[tuple[Rule, ...]] = (
        exactly_one_of(**{kind.field: kind.wire for kind in STARTED}),
        _OWN_PROBES,
        _RELOADS,
    )
    name: Label
    """Unique within the service."""
    systemd: Systemd | None = None
    """A systemd unit."""
    command: Command | None = None
    """Commands of your own."""
    virtual_ip: Annotated[VirtualIP | None, Field(alias="virtualIP")] = None
    """An address that moves with the service."""
    ocf: Ocf | None = None
    """An OCF resource agent."""
    mount: Mount | None = None
    """A filesystem."""
    after: Annotated[list[Label], Field(max_length=16)] | None = None
    """Resources of this service that are up before it starts, and stopped after it. Default: all above it; `[]`: none."""
    reloaded_at: Annotated[str, StringConstraints(min_length=1, max_length=64)] | None = None
    """Any text, a time for instance. When it changes, what runs is reloaded (`systemctl reload`), not restarted."""
    timeouts: Timeouts = Timeouts()
    """How long start, stop and check may take."""
    probes: Annotated[list[Probe], Field(max_length=8), ListMap("name")] = []
    """Does it really work?"""
    on_failure: Literal["Restart", "Move", "Degrade", "Ignore"] | None = None
    """What its failure does. Restart, the default: it is restarted in place, within `recovery`, then the service moves. Move: the service moves
    at once. Degrade: it is left as it is, and the service is Degraded. Ignore: the same, and it is only told. Of the last two no start
    waits, and only addresses may stand on them."""


_TOLD_OF_FILES: Final = tuple(name for name in RenderedFile.model_fields if name not in ("secret", "use", "rollout"))


class Resource(RenderedResource):
    """One thing a service needs. Exactly one kind; the rest is the same for all kinds."""

    rules = (
        exactly_one_of(**{kind.field: kind.wire for kind in RESOURCE_KINDS}),
        _OWN_PROBES,
        _RELOADS,
        *(_PARAMETERS, _VARIABLES, _BOUND_FOLDER, _NETWORK, _OVERRIDES, _PROMOTABLE),
    )
    ocf: PromotableOcf | None = None  # type: ignore[assignment]
    """An OCF resource agent."""
    file: File | None = None
    """A file, which is looked at, or brought there if its `content` is given."""
    package: Package | None = None
    """An installed package, which is looked at."""
    certificate: Certificate | None = None
    """A certificate, which is looked at."""
    endpoint: Endpoint | None = None
    """Something elsewhere that must answer."""
    setting: HostSetting | None = None
    """How a host is set up: an account, a setting of the kernel, a module, unit files. It is looked at."""
    path: Tree | None = None
    """A folder with all that is in it, which is looked at."""
    replication: Replication | None = None
    """A lag that must stay bounded (later)."""
    strategy: Literal["Duplicate", "Share", "Move", "External"] | None = None
    """How it comes to be on more than one host (later)."""
    consistency: Literal["Any", "Bounded", "Exact"] | None = None
    """Of what is only looked at: whether hosts are compared. Exact: they must have it alike (the default but of endpoints). Any: each
    must have it. For the other kinds later, and so is Bounded."""
    bound: Bound | None = None
    """The bound for `Bounded` (later)."""
    gate: Literal["Block", "Strict", "Warn"] | None = None
    """Of what is only looked at: a host that lacks it, or has another, is never chosen (Block, the default but of endpoints), or is
    chosen last (Warn). Strict: nor is one that has it as it was before an edit where the service runs, which with Block may still take over.
    For the other kinds it is always Block."""
    role: Literal["Any", "Promoted"] | None = None
    """In mode Promotable. Any (default): each copy has it. Promoted: it runs only on the host of the promoted copy, above that copy."""

    @property
    def rendered(self) -> RenderedResource:
        """What an agent is told: nothing that it need not know."""
        told = {field: getattr(self, field) for field in RenderedResource.model_fields}
        return RenderedResource(**told | {"ocf": self.ocf and Ocf(**dict(self.ocf))})

    @property
    def is_promotable(self) -> bool:
        """Whether each copy has it, and the promoted one has it promoted."""
        # What was made of an order has what an agent is told of it, and is a part already.
        return isinstance(self.ocf, PromotableOcf) and bool(self.ocf.promotable)

    def as_copy(self, copies: int) -> Resource:
        """What each of so many copies has of what is promotable. Never written anywhere."""
        return self._as_part(copies, None)

    def as_promotion(self, copies: int) -> Resource:
        """What the promoted role has of it: neither probes nor what is done about failures, for the copy has them."""
        return self._as_part(copies, "Promoted").model_copy(update={"probes": [], "on_failure": None})

    def _as_part(self, copies: int, role: Literal["Promoted"] | None) -> Resource:
        told = Ocf(**dict(self.ocf) | {"copies": copies, "role": role}) if self.ocf else None
        return self.model_copy(update={"ocf": told})

    @property
    def as_prerequisite(self) -> RenderedPrerequisite:
        """What a host is told that only looks at it."""
        kinds = {kind.field: getattr(self, kind.field) for kind in PREREQUISITES}
        told = {name: getattr(self.file, name) for name in _TOLD_OF_FILES} if self.file else {}
        file = RenderedFile(**told, secret=getattr(self.file, "secret", "")) if self.file else None
        return RenderedPrerequisite(name=self.name, **{**kinds, "file": file})
