"""HostAssignment: what one host shall run, and what it says. The agent reads the same shapes as plain dataclasses (`plain.py`)."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, StringConstraints

from backstay_api.objects.bounds import MOST_INSTANCES, MOST_QUESTIONS
from backstay_api.objects.features import MOST_FEATURES
from backstay_api.objects.recovery import ErrorType

from .base import Argv, Column, Label, ListMap, Model, Object, Rule, Text, Timestamp
from .host import Heartbeat, HostChecks
from .instance import BootID, Nonce, SessionRef
from .prerequisites import CopyAnswer, CopyQuestion, ExpectedCopy, PrerequisiteOrder, PrerequisiteReport, UnitName
from .resources import RenderedRecovery, RenderedResource
from .roles import RoleOrder, RoleReport

Uid = Annotated[str, Field(min_length=1, max_length=64)]
Epoch = Annotated[int, Field(ge=1)]


class InstanceOrder(Model):
    """What the host shall do about one instance. Entries only move forward: by epoch, then Up before Down, then revision."""

    namespace: Text
    """Namespace of the service."""
    name: Text
    """Name of the HAInstance."""
    service: Text = ""
    """Name of the HAService that it is a slot of. Empty: written by an earlier release."""
    epoch: Annotated[int, Field(ge=1)]
    """The grant's epoch."""
    session: SessionRef
    """The grant's session: an agent ignores an entry whose session is not its own."""
    want: Literal["Up", "Down"]
    """Run it, or stop it verifiably and say so."""
    exclusive: bool
    """Two copies must never run."""
    role: Literal["Promoted"] | None = None
    """Promoted: it runs only while a copy of the same service is up on this host, is started after it, and stopped before it."""
    revision: Annotated[int, Field(ge=0)] = 0
    """Generation of the service that the resources were rendered from."""
    resources: Annotated[list[RenderedResource], Field(max_length=64), ListMap("name")] = []
    """Started top to bottom, stopped bottom to top."""
    expects: Annotated[list[ExpectedCopy], Field(max_length=64)] = []
    """Before its first start in this epoch: prerequisites as they were when the host was chosen. An agent that does not know it starts."""
    recovery: RenderedRecovery | None = None
    """How often it is restarted in place, where the manifest says so. An agent that does not know this field goes by the defaults."""
    state: Literal["Running", "Unmanaged"] | None = None
    """`spec.state` of that manifest. Not set by an earlier release, which said Unmanaged by `handsOff` alone."""
    hands_off: Text = ""
    """If it is Unmanaged: watch it and touch nothing of it, and why. An agent that does not know this field goes on as always."""
    cleared: Annotated[int, Field(ge=0)] = 0
    """A greater number than before: a person has said (`backstay clear SERVICE --reason WHY`) that its failures so far count for nothing."""
    why: Text = ""
    """Why, in a sentence."""
    to: Text = ""
    """With Down: the host that it was to go to when that was decided. The next grant prefers it; the agent has no use for it."""

    @property
    def is_unmanaged(self) -> bool:
        """Whether it is watched, and nothing of it is touched."""
        return bool(self.hands_off) if self.state is None else self.state == "Unmanaged"


class StandbyOrder(Model):
    """What the host shall keep itself ready for."""

    namespace: Text
    """Namespace of the service."""
    name: Text
    """Name of the HAInstance."""
    service: Text = ""
    """Name of the HAService that it is a slot of. Empty: written by an earlier release."""
    revision: Annotated[int, Field(ge=0)] = 0
    """Generation of the service that the resources were rendered from."""
    resources: Annotated[list[RenderedResource], Field(max_length=64), ListMap("name")] = []
    """What it would run."""
    score_command: Argv | None = None
    """Tells how fresh the data of the host's copy is: of the promoted role alone."""
    ask_epoch: Annotated[int, Field(ge=1)] | None = None
    """It runs elsewhere in this epoch: its probes `from: Standby` are asked. Not set: it has none, or runs nowhere."""


class HostAssignmentSpec(Model):
    """Written by the operator: a projection of all HAInstances for this host, never an authority. Absence is no information."""

    heartbeat: Heartbeat = Heartbeat()
    """What the host's admin asked for; the agent publishes in its Lease what it obeys."""
    checks: HostChecks | None = None
    """What the host's admin wants looked at. An agent that does not know this field looks at what it always does."""
    instances: Annotated[dict[Uid, InstanceOrder], Field(max_length=MOST_INSTANCES)] = {}
    """By UID of the HAInstance."""
    standbys: Annotated[dict[Uid, StandbyOrder], Field(max_length=MOST_INSTANCES)] = {}
    """By UID of the HAInstance."""
    prerequisites: Annotated[dict[Uid, PrerequisiteOrder], Field(max_length=MOST_INSTANCES)] = {}
    """By UID of the HAInstance: what to look at. An agent that does not know this field looks at none of it, and is not chosen for it."""
    questions: Annotated[list[CopyQuestion], Field(max_length=MOST_QUESTIONS)] = []
    """Where prerequisites differ from those of another host."""
    over: Annotated[dict[Uid, Epoch], Field(max_length=MOST_INSTANCES)] = {}
    """By UID of the HAInstance of a promoted role that this host stands by for: its last epoch that is over. How fresh the data here is, is
    asked once more when that is read. An agent that does not know this field asks as always, and nobody waits for it."""
    roles: Annotated[dict[Uid, RoleOrder], Field(max_length=MOST_INSTANCES)] = {}
    """By UID of the HAInstance of a copy here whose OCF agent has roles: what that is told of the others. An agent that does not know this
    field tells it nothing."""
    secured: Annotated[list[UnitName], Field(max_length=4096)] = []
    """Units of services that this host may run: none of them may start by itself. Others are given back to the host's admin."""
    hands_off: Text = ""
    """Not empty: maintenance mode HandsOff, and its reason. The agent goes on watching and starts, restarts and stops nothing."""


class AgentSession(Model):
    """The session of the agent that writes this status."""

    boot_id: Annotated[BootID, Field(alias="bootID")]
    """From /proc/sys/kernel/random/boot_id."""
    nonce: Nonce
    """Made by the agent once per session."""
    seq: Annotated[int, Field(ge=1)]
    """Counts the sessions of this host; only grows."""
    machine_uuid: Annotated[Text, Field(alias="machineUUID")]
    """DMI product UUID, or the content of the agent's machine_uuid_file; never changes."""
    supersedes: Annotated[list[Nonce], Field(max_length=1024)] = []
    """Nonces of earlier sessions of this same boot, nothing of which runs any more: Released evidence for all their epochs."""

    @property
    def ref(self) -> SessionRef:
        return SessionRef(boot_id=self.boot_id, nonce=self.nonce, seq=self.seq)

    @property
    def text(self) -> str:
        """As `ref.text`: asked for so often that it is worth a line."""
        return f"{self.boot_id}/{self.nonce}"


class ResourceReport(Model):
    """State of one resource."""

    name: Label
    """Which."""
    state: Literal["Stopped", "Starting", "Running", "Stopping", "Failed", "Unknown"]
    """As the driver sees it."""
    why: Text = ""
    """If it is not well, why."""


class Reloadable(Model):
    """What the agent of an OCF resource can be told while it runs, by its metadata on this host."""

    name: Label
    """Which resource. Only those whose `instance` is named: others are known by their parameters."""
    parameters: Annotated[list[Text], Field(max_length=64)] = []
    """A change of these alone is reloaded, of any other it is restarted for."""


class InstanceReport(Model):
    """What runs of one instance, at which epoch."""

    namespace: Text
    """Namespace of the service."""
    name: Text
    """Name of the HAInstance."""
    service: Text = ""
    """Name of the HAService that it is a slot of. Empty: written by an earlier release."""
    epoch: Annotated[int, Field(ge=1)]
    """The epoch this is about."""
    phase: Literal["Stopped", "Starting", "Running", "Stopping", "Failed", "Stuck"]
    """Failed: verifiably stopped after failures. Stuck: it could not be proven to be down."""
    error_type: ErrorType = "Soft"
    """If Failed. Soft: another try may succeed, here or elsewhere. Hard: it cannot run on this host until something is mended there.
    Fatal: as it is configured it can run on no host."""
    released: bool = False
    """This epoch is over for ever on this host: verified stop, own record, or never started."""
    revision: Annotated[int, Field(ge=0)] = 0
    """The revision that runs."""
    healthy: bool = True
    """Running, and the probes agree."""
    degraded: Text = ""
    """Not empty: it runs and works, though not as it should, and why. Nothing is restarted or moved for it."""
    suspect: Text = ""
    """Not empty: it does not answer in time, and may only be slow: why, and how long that is borne. Nothing is restarted or moved for it."""
    restarts: Annotated[int, Field(ge=0)] = 0
    """Restarts in place in this epoch."""
    recent_restarts: Annotated[int, Field(ge=0)] | None = None
    """Those that count against `recovery.restarts` now. Not set by an agent that does not say."""
    forgotten_at: Timestamp | None = None
    """When the oldest of them is forgotten."""
    next_try_at: Timestamp | None = None
    """It is down, and restarted in place then."""
    since: Timestamp | None = None
    """Since when it is in this phase."""
    why: Text = ""
    """In a sentence."""
    by_admin: Text = ""
    """Not empty: what somebody did to it on the host itself ("stopped by an admin: systemctl stop web.service"). No failure."""
    hands_off: bool = False
    """It is watched, and nothing of it is touched."""
    unrecorded: bool = False
    """Stuck, though it is verifiably stopped: that could not be written to the host's disk, and is tried again."""
    unstoppable: bool = False
    """Stuck, and all that the host can do to stop it was done, more than once: `recovery.onStopFailure` says what then."""
    resources: Annotated[list[ResourceReport], Field(max_length=64), ListMap("name")] = []
    """Resource by resource; only those that are not plainly running."""
    reloadable: Annotated[list[Reloadable], Field(max_length=64), ListMap("name")] = []
    """What of it needs no restart, where that is known on this host alone."""


class StandbyReport(Model):
    """Whether the host could run an instance now."""

    ready: bool
    """It could."""
    active: bool = False
    """Something of it runs here already, not started by Backstay; or nobody can say (`unclear`), which counts as that."""
    running: Annotated[list[Label], Field(max_length=64)] = []
    """If active: the resources that plainly run, by name. Empty also from an agent that does not say which."""
    since: Timestamp | None = None
    """If some plainly run: since when this agent sees that."""
    unclear: bool = False
    """Nothing is seen to run, but it could not be told: an examination that hangs, a check whose answer means nothing."""
    score: Annotated[int, Field(ge=-1, lt=10**18)] | None = None
    """How fresh the data of the copy here is; -1: nobody can say; not set: it has not been asked yet."""
    score_why: Text = ""
    """Why nobody can say."""
    no_answer: Text = ""
    """Which of its probes `from: Standby` fail here, and why; empty: none, or it is not ready."""
    no_answer_epoch: Annotated[int, Field(ge=1)] | None = None
    """The epoch in which they were asked."""
    score_after: Annotated[int, Field(ge=0)] | None = None
    """It was asked after this agent had read that this epoch is over (`spec.over`); 0: none. Not set by an agent of an earlier release."""
    revision: Annotated[int, Field(ge=0)] = 0
    """The revision that was examined."""
    why: Text = ""
    """If not ready, why not; if active, what of it is, or why nobody can say."""


class HeldUnit(Model):
    """A unit that would start by itself at this host's next boot if it did not wait for Backstay's word."""

    unit: UnitName
    """Which."""
    why: Text
    """Why it cannot simply be given back to the host's admin, and what to do."""
    ask_again: bool = False
    """It was given back by a write that is older than this word, so the host keeps it: it is to be asked for once more, and whoever gives it
    back then knows that it would start by itself."""


class HostProblem(Model):
    """Something that is wrong with the host itself, whatever runs there."""

    check: Annotated[str, StringConstraints(max_length=63, pattern=r"^[A-Z][A-Za-z0-9]*$")]
    """Which of its checks says so: Disk, Memory, Clock, Network, Names, Reach, Policy."""
    why: Text
    """In a sentence."""
    tolerated: bool = False
    """It has lasted so long that starts are no longer held back for it."""


class Facts(Model):
    """What kind of machine this is."""

    hostname: Text = ""
    """Host name."""
    os: Text = ""
    """PRETTY_NAME of os-release."""
    kernel: Text = ""
    """Kernel release."""
    agent_version: Text = ""
    """Version of the agent."""
    credential_until: Text = ""
    """When the token ends that it has now, RFC 3339; empty: it has another credential, or is of an earlier release. It is renewed every day."""
    addresses: Annotated[list[Text], Field(max_length=256)] = []
    """Addresses with their prefixes."""
    policy: Text = ""
    """What its admin allows services to bring, in a sentence: which files say so, or that there is no policy."""
    features: Annotated[list[Annotated[str, StringConstraints(max_length=63)]], Field(max_length=MOST_FEATURES)] = []
    """What its agent knows: kinds of resources, and of probes after `probe.`. Empty: it is of an earlier release."""


_SEQ = Rule(
    "!has(oldSelf.session) || (has(self.session) && self.session.seq >= oldSelf.session.seq)",
    "session.seq only grows",
    lambda old, new: old.session is None or (new.session is not None and new.session.seq >= old.session.seq),
)
_SEQ_SESSION = Rule(
    "!has(oldSelf.session) || (has(self.session) && (self.session.seq > oldSelf.session.seq ||"
    " (self.session.nonce == oldSelf.session.nonce && self.session.bootID == oldSelf.session.bootID)))",
    "another session needs a higher seq",
    lambda old, new: (
        old.session is None
        or (
            new.session is not None
            and (
                new.session.seq > old.session.seq
                or (new.session.nonce == old.session.nonce and new.session.boot_id == old.session.boot_id)
            )
        )
    ),
)
_MACHINE = Rule(
    "!has(oldSelf.session) || (has(self.session) && self.session.machineUUID == oldSelf.session.machineUUID)",
    "machineUUID never changes: remove the Host and add it again for another machine",
    lambda old, new: (
        old.session is None or (new.session is not None and new.session.machine_uuid == old.session.machine_uuid)
    ),
)


class HostAssignmentStatus(Model):
    """Written by that host's agent."""

    rules = (_SEQ, _SEQ_SESSION, _MACHINE)
    session: AgentSession | None = None
    """The session that reports here."""
    instances: Annotated[dict[Uid, InstanceReport], Field(max_length=MOST_INSTANCES)] = {}
    """Everything that runs here or did in this session and is still asked about, by UID of the HAInstance."""
    standbys: Annotated[dict[Uid, StandbyReport], Field(max_length=MOST_INSTANCES)] = {}
    """Readiness, by UID of the HAInstance."""
    prerequisites: Annotated[dict[Uid, PrerequisiteReport], Field(max_length=MOST_INSTANCES)] = {}
    """What is seen of the services' prerequisites, by UID of the HAInstance. Looked at every 10 s."""
    exchange_key: Annotated[str, StringConstraints(max_length=64, pattern="^([0-9a-f]{64})?$")] = ""
    """What the agent makes known of its own key, an X25519 public key, while it looks at prerequisites. Another at each start of the agent."""
    answers: Annotated[list[CopyAnswer], Field(max_length=MOST_QUESTIONS)] = []
    """To questions about prerequisites."""
    roles: Annotated[dict[Uid, RoleReport], Field(max_length=MOST_INSTANCES)] = {}
    """By UID of the HAInstance of a copy here whose OCF agent has roles: what that has noted."""
    facts: Facts = Facts()
    """What kind of machine this is."""
    shutting_down: Text = ""
    """Not empty: the machine shuts down or reboots in order, and how. What runs here is being stopped and released."""
    shutdown_type: Literal["Reboot", "PowerOff", "Other"] | None = None
    """The same for programs. Reboot: it comes back by itself. Not set by an agent of an earlier release."""
    hands_off: bool = False
    """The agent knows of the maintenance mode HandsOff, and touches nothing."""
    renewal_refused: Text = ""
    """Not empty: the API server refuses to have the host's Lease renewed, in its own words; so the host will be silent."""
    problems: Annotated[list[HostProblem], Field(max_length=16), ListMap("check")] | None = None
    """What the host's own checks find wrong: nothing new is started there. Not set by an agent that does not check."""
    held: Annotated[list[HeldUnit], Field(max_length=256), ListMap("unit")] = []
    """Secured units that are enabled here. They stay secured for as long as a service names them, also where it may not run."""


class HostAssignment(Object):
    """What one host shall run and keep ready (spec, by the operator), and what it says (status, by its agent)."""

    plural: ClassVar[str] = "hostassignments"
    namespaced: ClassVar[bool] = False
    short_names: ClassVar[tuple[str, ...]] = ("hasn",)
    columns: ClassVar[tuple[Column, ...]] = (
        Column("Seq", ".status.session.seq", "integer"),
        Column("Agent", ".status.facts.agentVersion"),
        Column("Age", ".metadata.creationTimestamp", "date"),
    )
    kind: Literal["HostAssignment"] = "HostAssignment"
    spec: HostAssignmentSpec = HostAssignmentSpec()
    """Written by the operator."""
    status: HostAssignmentStatus = HostAssignmentStatus()
    """Written by that host's agent."""
