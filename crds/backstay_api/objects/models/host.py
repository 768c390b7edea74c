"""Host: a server with an agent. What admins say of it, and what is known."""

from __future__ import annotations

import re
from typing import Annotated, ClassVar, Final, Literal

from pydantic import Field, StringConstraints

from .base import Column, Conditions, Duration, Label, ListMap, Model, Object, Rule, Text, Timestamp
from .instance import SessionRef
from .placement import Amounts, Taint

# Agents paste values into command lines of programs that they start (ssh, ipmitool, snmpwalk) and split them at spaces and
# quotes: a value with a space in it, or one that begins with a hyphen, would be another option of that program.
Parameter = Annotated[
    str, StringConstraints(max_length=1024, pattern=r"^([A-Za-z0-9_.:/@%+=,\[\]{}*#][A-Za-z0-9_.:/@%+=,\[\]{}*#-]*)?$")
]


class Heartbeat(Model):
    """How often the host renews its lease, and so how quickly its silence is noticed."""

    profile: Literal["lab", "fast", "default", "tolerant"] = "default"
    """Named numbers: lab renews every 0.5 s, fast 1 s, default 2 s, tolerant 5 s. Suspected after 1.5, silent after 3 renewals."""
    renew: Duration | None = None
    """The period itself, instead of the profile's."""


class Reach(Model):
    """Another machine that a host must reach."""

    address: Annotated[str, StringConstraints(max_length=45, pattern=r"^[0-9A-Fa-f.:]+$")]
    """IPv4 or IPv6. Not a name: those are looked up by `names`."""
    port: Annotated[int, Field(ge=1, le=65535)] | None = None
    """TCP port that must answer, be it by refusing. Default: it must answer to ping (ICMP echo)."""


class HostChecks(Model):
    """What the host's agent looks at beside disk, memory, clock and whether users can be looked up; and what follows."""

    interfaces: Annotated[
        list[Annotated[str, StringConstraints(max_length=15, pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.:-]*$")]],
        Field(max_length=16),
    ] = []
    """Network interfaces without which the host is of no use: each must be there, switched on, and have a link."""
    names: Annotated[
        list[Annotated[str, StringConstraints(max_length=253, pattern=r"^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$")]],
        Field(max_length=8),
    ] = []
    """Names of other machines that must resolve, as its services ask for them."""
    reach: Annotated[list[Reach], Field(max_length=8)] = []
    """What it must reach: its gateway, a file server. Where it does not, for ten minutes at most nothing new is started on it, so that what
    has failed for that does not move to a host that has the same fault."""
    on_failure: Literal["Stay", "Drain"] = "Stay"
    """When any check of the host fails nothing new is started there. Stay: what runs there stays. Drain: it moves away, where another
    host is ready for it."""


class SecretRef(Model):
    """A Secret in the namespace `backstay-fencing`, which only the fencer reads."""

    name: Annotated[str, StringConstraints(min_length=1, max_length=253)]
    """Its keys are handed to the fence agent on stdin: `ip` (where they go, and nowhere else), `username`, `password`, …"""


# Names of parameters that a person who may edit Hosts could use to run a program in the fencer, to read or write its files, to be
# root there, to have a password shown or sent elsewhere, or to make an agent say "off" of what it cannot find. Agents take `-` for `_`.
FORBIDDEN_PARAMETER: Final = (
    "^(action|option|version|help|usage|exec|runonfail|runonwarn|openrc|serviceaccount|missing_as_off"
    "|network_fencing|port_as_ip|verbose.*"
    "|.*(passw|secret|script|file|cmd|command|options|sudo|debug|kubeconfig|identity|cacert|tlscert|tlskey|program|binary).*"
    "|(.*_)?path)$"
)
_forbidden = re.compile(FORBIDDEN_PARAMETER)
SHARING_SHOWN: Final = 16
"""So many hosts that share a machine's UUID are named: one is enough."""
# Agents of Debian 12 whose "off" is no machine without power: a disk's reservation, a port of a switch, a ping without answer, a word
# to another program. What runs on such a host runs on.
NOT_POWER: Final = (
    *("fence_brocade", "fence_cisco_mds", "fence_compute", "fence_crosslink", "fence_dummy", "fence_evacuate"),
    *("fence_heuristics_ping", "fence_ifmib", "fence_kdump", "fence_mpath", "fence_sanbox2", "fence_sbd", "fence_scsi"),
)


def forbidden_parameter(key: str) -> bool:
    """Whether no fence agent may be given this parameter, however it is spelt."""
    return _forbidden.fullmatch(key.lower().replace("-", "_")) is not None


class FenceDevice(Model):
    """One device that can cut the host's power, driven by a Debian fence agent."""

    rules = (
        Rule(
            f"!has(self.parameters) || !self.parameters.exists(k, k.replace('-', '_').matches('{FORBIDDEN_PARAMETER}'))",
            "parameters carry neither action nor a password (those come from the Secret), and nothing that names a program,"
            " a file, a script, options of another program or sudo, or that changes what a status says or where a password goes",
            lambda d: not any(forbidden_parameter(key) for key in d.parameters or {}),
        ),
        Rule(
            f"!(self.agent in {list(NOT_POWER)})",
            "agent cuts the power of the machine and reads it; those that tell of disks, switch ports, pings or other programs"
            f" prove nothing of what runs there: {', '.join(NOT_POWER)}",
            lambda d: d.agent not in NOT_POWER,
        ),
    )
    name: Label
    """Unique within the level."""
    agent: Annotated[str, StringConstraints(max_length=64, pattern=r"^fence_[a-z0-9_]+$")]
    """Name of the fence agent: fence_redfish, fence_ipmilan, …"""
    parameters: (
        Annotated[
            dict[Annotated[str, StringConstraints(max_length=64, pattern=r"^[a-z][a-z0-9_-]*$")], Parameter],
            Field(max_length=32),
        ]
        | None
    ) = None
    """Its parameters, as in its metadata (`fence_x -o metadata`): addresses, plugs, numbers. The fencer refuses others by name."""
    secret_ref: SecretRef | None = None
    """Where user name and password are."""
    timeout: Duration = "20s"
    """Our own deadline for one run of the agent."""
    read_gap: Duration = "1s"
    """Time between the two reads that must say off. Less than 1s only where a drill has shown that the device tells the truth."""
    drilled: bool = False
    """An admin has seen an `off` through this device stop this machine: needed where the device cannot name the machine it powers."""
    allow_password_in_argv: bool = False
    """Needed for agents that show the password to whoever can list the fencer's processes: SNMP ones, fence_amt, fence_ironic, fence_vmware."""


class FenceLevel(Model):
    """Devices that must all succeed: two power supplies, two devices."""

    name: Label
    """Unique among the levels."""
    devices: Annotated[list[FenceDevice], ListMap("name"), Field(min_length=1, max_length=8)]
    """All of them must be off."""


class Watchdog(Model):
    """A hardware watchdog (later)."""


class Fencing(Model):
    """How the host can be fenced."""

    levels: Annotated[list[FenceLevel], Field(max_length=8), ListMap("name")] = []
    """Tried in order; the next when one fails."""
    watchdog: Watchdog | None = None
    """Counts once it has been drilled (later)."""
    after: Literal["On", "StayOff"] = "On"
    """Whether the host is powered on again after it was fenced."""


class Maintenance(Model):
    """What an admin wants to do with the host. Leave it out of what Git holds."""

    mode: Literal["Cordon", "Drain", "HandsOff"]
    """Cordon: nothing new here. Drain: what is here moves away. HandsOff: nothing here is touched, and nobody is fenced."""
    reason: Text = ""
    """For others to read."""


class HostSpec(Model):
    """Written by admins."""

    heartbeat: Heartbeat = Heartbeat()
    """How quickly its silence is noticed."""
    checks: HostChecks | None = None
    """What the host itself must have, and whether services leave it when it has not."""
    fencing: Fencing = Fencing()
    """How it can be fenced. Without a device only a person or its own return proves that it is off."""
    taints: Annotated[list[Taint], Field(max_length=16), ListMap("key", "effect")] | None = None
    """What keeps services away that do not tolerate it."""
    capacity: Amounts | None = None
    """What it has to offer to services that ask for it in `placement.capacity`, by name. What runs there is counted, not measured."""
    maintenance: Maintenance | None = None
    """Cordon, drain, or hands off."""


class DeviceStatus(Model):
    """What the last regular test of one device said."""

    level: Text
    """Name of the level."""
    device: Text
    """Name of the device."""
    power: Literal["On", "Off", "Unknown"] = "Unknown"
    """What it said."""
    uuid: Literal["Match", "Mismatch", "Unverified"] = "Unverified"
    """Whether the device names the same machine as the agent does."""
    definition: Text = ""
    """Digest of what the Host's spec said of it: of a device that was edited since this says nothing."""
    ok: bool = False
    """Whether this device could fence the host now, as far as a test without an `off` can tell."""
    message: Text = ""
    """If not, why not."""


class FencingStatus(Model):
    """State of the host's fence path. Written by the fencer."""

    checked_at: Timestamp | None = None
    """When it was last tested."""
    observed_generation: Annotated[int, Field(ge=0)] | None = None
    """The spec it was tested with."""
    ready: bool = False
    """Some level works, all of its devices."""
    message: Text = ""
    """In a sentence."""
    devices: Annotated[list[DeviceStatus], Field(max_length=64)] = []
    """Device by device."""


class MachineStatus(Model):
    """Which machine the host is. Kept though its HostAssignment is deleted, and for fencers to come."""

    uuid: Text
    """As its agent said it last."""
    shared_with: Annotated[list[Text], Field(max_length=SHARING_SHOWN)] = []
    """Other hosts whose agents have named the same machine, be they removed since: no device of any of them is believed."""


class Fence(Model):
    """One time that the host was cut off by a device without a person's word."""

    request: Text
    """Name of its FenceRequest."""
    at: Timestamp
    """When it was ordered, for people's eyes: the operator counts from when it first read of it."""


class HostStatus(Model):
    """Written by the operator, `fencing` and `machine` by the fencer."""

    conditions: Conditions = []
    """Ready, FencingReady, Schedulable, Healthy (where its agent checks that), AgentSupported, CapacitySufficient (where any is declared): each
    with reason and sentence."""
    liveness: Text = ""
    """Live, Suspect, Silent, Sealed or Unknown: for people."""
    session: SessionRef | None = None
    """The session that holds the host's lease."""
    sealed: SessionRef | None = None
    """The session that was sealed last: a lease that somebody deletes comes back sealed by it, where it or one before it holds something."""
    instances: Annotated[int, Field(ge=0)] = 0
    """How many instances are granted to it."""
    agent_version: Text = ""
    """Version of its agent."""
    credential_until: Text = ""
    """When the token ends that its agent said it had; empty: it has not said."""
    fences: Annotated[list[Fence], Field(max_length=16), ListMap("request")] = []
    """When it was cut off within the last hour: they count against the budget, and for how long it is left alone."""
    fencing: FencingStatus | None = None
    """State of the fence path. Written by the fencer."""
    machine: MachineStatus | None = None
    """Which machine it is, and whose name it shares. Written by the fencer."""


class Host(Object):
    """A server with an agent, on which services run."""

    plural: ClassVar[str] = "hosts"
    namespaced: ClassVar[bool] = False
    columns: ClassVar[tuple[Column, ...]] = (
        Column("Ready", '.status.conditions[?(@.type=="Ready")].status'),
        Column("Fencing", '.status.conditions[?(@.type=="FencingReady")].status'),
        Column("Services", ".status.instances", "integer"),
        Column("Maintenance", ".spec.maintenance.mode"),
        Column("Liveness", ".status.liveness", wide=True),
        Column("Reason", '.status.conditions[?(@.type=="Ready")].message', wide=True),
        Column("Age", ".metadata.creationTimestamp", "date"),
    )
    kind: Literal["Host"] = "Host"
    spec: HostSpec = HostSpec()
    """What admins say. Written by admins."""
    status: HostStatus = HostStatus()
    """What is known. Written by the operator, `fencing` and `machine` by the fencer."""

    @property
    def is_hands_off(self) -> bool:
        """Whether it is in the mode of maintenance in which nothing there is touched."""
        return self.spec.maintenance is not None and self.spec.maintenance.mode == "HandsOff"
