"""HAService: what people write."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, StringConstraints

from backstay_api.objects.names import instance_name, promoted_name
from backstay_api.objects.recovery import ErrorType

from .base import Argv, Column, Conditions, Duration, ListMap, Model, Object, Rule, Text, Timestamp
from .failovers import FailoverRecord
from .placement import Placement
from .prerequisites import AcceptedDifference, LastRanWith
from .resources import RenderedRecovery, Resource


class Dependency(Model):
    """A service that comes first, on whatever hosts both run."""

    rules = (
        Rule(
            "!self.service.contains('/')",
            "service is the name of an HAService of the same namespace, without a namespace",
            lambda s: "/" not in s.service,
        ),
        Rule(
            "!has(self.onChange) || !has(self.type) || self.type == 'Requires'",
            "onChange belongs to type Requires: for After nothing is ever stopped",
            lambda s: s.on_change is None or s.type in (None, "Requires"),
        ),
        Rule(
            "!has(self.role) || self.role == 'Any' || !has(self.type) || self.type == 'Requires'",
            "role: Promoted belongs to type Requires: After goes by the service as a whole",
            lambda s: s.role in (None, "Any") or s.type in (None, "Requires"),
        ),
    )
    service: Text
    """Its name, in the same namespace."""
    type: Literal["Requires", "After"] | None = None
    """Requires (default): started only when the other is Ready (of several copies: one works), and stopped before the other stops.
    After: order only. Where both start it starts after the other, where both are stopped or deleted it stops first."""
    on_change: Literal["Restart", "None"] | None = None
    """For Requires, when the other fails over or moves. Restart (default): stopped, and started when the other is Ready. None: it runs on."""
    role: Literal["Any", "Promoted"] | None = None
    """For Requires, which copy of the other counts. Promoted: of a service of mode Promotable the one that is promoted, of any other none.
    Default: Any."""

    @property
    def name(self) -> str:
        """As entries of lists are named in sentences."""
        return self.service

    @property
    def is_promoted(self) -> bool:
        """Whether only the copy of the other that is promoted counts."""
        return self.role == "Promoted"


class MoveBudget(Model):
    """How often a service may fail over; when that is used up it stays where it is, or down, and says so."""

    limit: Annotated[int, Field(ge=0, le=100)]
    """This many moves because of failures. What people ask for does not count. With 0 it never fails over."""
    per: Duration
    """In this time: each is forgotten so long after it."""


class Recovery(RenderedRecovery):
    """What is done about failures: restarts in place, then a move."""

    moves: MoveBudget | None = None
    """Failover budget. Default: any number."""
    reboot_grace: Duration | None = None
    """For so long after its host, rebooting in order, has released it, it waits for that host instead of starting elsewhere. Default: 0s. It
    starts elsewhere at once after a power loss, where a person moves it, and where that host is cordoned, drained or removed."""
    on_stop_failure: Literal["Block", "Fence"] | None = None
    """What is done when a stop does not succeed, whatever its host does. Block (default): it stays there, and waits for a person. Fence: its
    host is powered off, though it lives, if that is proven and another host could take over."""

    @property
    def rendered(self) -> RenderedRecovery | None:
        """What an agent is told: nothing, where all of it is as always."""
        rendered = RenderedRecovery(**{field: getattr(self, field) for field in RenderedRecovery.model_fields})
        return rendered if rendered != RenderedRecovery() else None


class Promotion(Model):
    """Which of the copies is promoted: that with the freshest data, then the one that placement prefers."""

    score_command: Argv
    """Prints a whole number, the last thing it says: how fresh the data of the copy beside it is, as a position in a log. It is run every
    second on hosts whose copy could be promoted, and must answer where nothing is promoted. The highest is promoted; a copy for which
    it fails, or prints no number, never is."""


class Rollout(Model):
    """How an edit of a file that is brought to hosts is tried where the service runs."""

    strategy: Literal["Reload", "Restart", "Move"] | None = None
    """Reload (default): the units that the file's `reload` names read it. Restart: these are restarted, and what stands on them; where it
    names none, all but addresses and filesystems. That counts as no failure. Move: it moves to a host that has it (later)."""
    soak: Duration | None = None
    """For how long the service must be well with it, before it counts as proven: 1s to 1h. Default: 30s. With less, what breaks it later is
    not taken back; with more, a failover goes with the edition before it for longer."""
    paused: bool | None = None
    """Whether the host that runs the service waits, though all others have it in place: false lets it begin. What is on trial goes on."""
    retried_at: Annotated[str, StringConstraints(min_length=1, max_length=64)] | None = None
    """Any text, a time for instance. When it changes, what was refused is tried again, once. Default: it is refused until the content is
    another."""


class HAServiceSpec(Model):
    """An ordered list of resources that live and move together, and the policy for them. Written by people."""

    rules = (
        Rule(
            "!has(self.replicas) || self.replicas == 1 || self.mode in ['Replicated', 'Promotable']",
            "replicas belongs to mode Replicated or Promotable",
            lambda s: s.replicas is None or s.replicas == 1 or s.mode in ("Replicated", "Promotable"),
        ),
        Rule(
            "!has(self.maxPerHost) || self.maxPerHost == 1",
            "maxPerHost can only be 1: two copies of one service on one host would be one unit there; say two services with a unit each",
            lambda s: s.max_per_host in (None, 1),
        ),
        Rule(
            "!has(self.promoted) || self.mode == 'Promotable'",
            "promoted belongs to mode Promotable",
            lambda s: s.promoted is None or s.mode == "Promotable",
        ),
        Rule(
            "!has(self.promotion) || self.mode == 'Promotable'",
            "promotion belongs to mode Promotable",
            lambda s: s.promotion is None or s.mode == "Promotable",
        ),
        Rule(
            "self.mode == 'Promotable' || self.resources.all(r, !has(r.role) || r.role == 'Any')",
            "role: Promoted goes with mode Promotable: of any other mode nothing is promoted",
            lambda s: s.mode == "Promotable" or all(r.role in (None, "Any") for r in s.resources),
        ),
        Rule(
            "self.mode == 'Promotable' || self.resources.all(r, !has(r.ocf) || !has(r.ocf.promotable) || !r.ocf.promotable)",
            "ocf.promotable goes with mode Promotable: of any other mode nothing is promoted",
            lambda s: s.mode == "Promotable" or not any(r.is_promotable for r in s.resources),
        ),
        Rule(
            "self.mode != 'EveryHost' || !has(self.placement) || !has(self.placement.spread) || size(self.placement.spread) == 0",
            "placement.spread has nothing to spread in mode EveryHost, where each selected host has a copy: leave it out",
            lambda s: s.mode != "EveryHost" or not s.placement.spread,
        ),
        Rule(
            "self.mode == 'Promotable' || (has(self.exclusive) ? self.exclusive : self.mode == 'Single') || !has(self.recovery)"
            " || !has(self.recovery.onStopFailure) || self.recovery.onStopFailure == 'Block'",
            "recovery.onStopFailure: Fence goes with what is exclusive: of what may run twice another copy needs no proof",
            lambda s: (
                s.mode == "Promotable"
                or s.is_exclusive
                or s.recovery is None
                or s.recovery.on_stop_failure in (None, "Block")
            ),
        ),
    )
    state: Literal["Running", "Stopped", "Unmanaged"] = "Running"
    """Running, Stopped, or Unmanaged: watched where it runs, and neither started, restarted, stopped nor moved."""
    mode: Literal["Single", "Replicated", "EveryHost", "Promotable"] = "Single"
    """Single: one copy. Replicated: `replicas` of them, at most one a host. EveryHost: one on each selected host, which comes and goes with
    hosts and their labels. Promotable: `replicas` copies, one of which is promoted, and has the resources with `role: Promoted` as well."""
    replicas: Annotated[int, Field(ge=1, le=100)] | None = None
    """For Replicated and Promotable: how many copies. Default: 1."""
    max_per_host: Annotated[int, Field(ge=1, le=100)] | None = None
    """How many copies one host may have. Default: 1, and any other number is refused: two would be one unit there."""
    promoted: Annotated[int, Field(ge=1, le=1)] | None = None
    """For Promotable: how many of the copies are promoted. Default: 1, and there is no other number yet."""
    promotion: Promotion | None = None
    """For Promotable: which copy is promoted. Default: the one that placement prefers."""
    exclusive: bool | None = None
    """Two copies (of what more than one runs of: two of one HAInstance) must never run: a lost host is fenced before the service starts
    elsewhere. Default: true for Single, false for all other modes, of which several run at once anyway. The promoted role of Promotable is
    always exclusive: there this is about the copies."""
    resources: Annotated[list[Resource], ListMap("name"), Field(min_length=1, max_length=64)]
    """Started top to bottom, stopped bottom to top."""
    placement: Placement = Placement()
    """Where it may run."""
    depends_on: Annotated[list[Dependency], ListMap("service"), Field(max_length=16)] | None = None
    """Services that come first, wherever they run. A cycle is refused in every service of it."""
    recovery: Recovery | None = None
    """What is done about failures. Default: three restarts in place within ten minutes, then a move."""
    rollout: Rollout | None = None
    """How an edit of a file that is brought to hosts is tried where it runs. Default: what the file's `reload` names is reloaded, and must be
    well for 30s."""

    @property
    def is_exclusive(self) -> bool:
        """Whether two copies of one HAInstance must never run."""
        return self.exclusive if self.exclusive is not None else self.mode == "Single"


class FailoverSummary(Model):
    """The last change of host."""

    from_: Annotated[Text, Field(alias="from")]
    """The host before."""
    to: Text
    """The host after."""
    cause: Text
    """Why it moved."""
    duration: Text = ""
    """From the grant's cause to running again."""
    at: Timestamp
    """When."""


class InstanceSummary(Model):
    """Where one instance is."""

    name: Text
    """Its HAInstance."""
    host: Text = ""
    """The holder; empty if none."""
    role: Text = ""
    """Started; Promoted, of the promoted role; or empty."""
    state: Text = ""
    """Running, Starting, Stopping, Recovering, Waiting, Stopped, Failed: for people, never an input."""
    epoch: Annotated[int, Field(ge=0)] = 0
    """The present epoch."""
    since: Timestamp | None = None
    """Since when it is in this state."""
    why: Text = ""
    """In a sentence."""
    to: Text = ""
    """The host that it goes to next; empty where that is not decided, or nothing moves."""
    by_admin: Text = ""
    """Not empty: what somebody did to it on the host itself, and when. No failure."""
    recovery: Text = ""
    """How many restarts in place are used up, when one is forgotten, and what comes next. Empty: none."""
    last_failover: FailoverSummary | None = None
    """Its last change of host."""


class StandbySummary(Model):
    """One host that could take over."""

    host: Text
    """Which."""
    ready: bool
    """Whether it could now."""
    reason: Text = ""
    """If not, by which rule, in a word for programs: Session, NotReady, ConfigDrift, …"""
    why: Text = ""
    """If not, why not."""


class StartFailure(Model):
    """A failed start on a host; remembered for a while, so that a service does not bounce between two bad hosts."""

    slot: Text = ""
    """Of which instance: the name of its HAInstance."""
    host: Text
    """Where."""
    epoch: Annotated[int, Field(ge=0)]
    """Which epoch failed."""
    at: Timestamp
    """When."""
    why: Text = ""
    """What the host said."""
    error_type: ErrorType = "Soft"
    """Soft: forgotten after a while. Hard: it is not tried there, Fatal: nowhere, until an edit or `backstay clear SERVICE --reason WHY`."""


class MoveSummary(Model):
    """One failover that counts against `recovery.moves`."""

    slot: Text = ""
    """Of which instance: the name of its HAInstance."""
    epoch: Annotated[int, Field(ge=0)]
    """The epoch that it began."""
    from_: Annotated[Text, Field(alias="from")]
    """The host that failed."""
    to: Text
    """The host that went on."""
    at: Timestamp
    """When."""


class ClearSummary(Model):
    """What a person has said with `backstay clear SERVICE --reason WHY`."""

    number: Annotated[int, Field(ge=0)]
    """Counts them."""
    by: Text = ""
    """Who."""
    reason: Text = ""
    """Why failures count for nothing any more."""
    at: Timestamp
    """When that was read."""


class HAServiceStatus(Model):
    """What is true and why. Written by the operator."""

    observed_generation: Annotated[int, Field(ge=0)] | None = None
    """The generation that all of this is about."""
    conditions: Conditions = []
    """Accepted, Ready, Progressing, Degraded, StandbyReady, SurvivesHostLoss; SurvivesDomainLoss, where a rack or the like is asked
    about; UnitsHeld, where a host that may not run it any more still keeps a unit of it from starting by itself. Reasons why StandbyReady
    is False: ConfigDrift, PackageDrift, SettingDrift, Missing, NotVerified (of prerequisites), NotReady, NoOtherHost."""
    host: Text = ""
    """Where it runs, for `kubectl get`; of several copies the first hosts."""
    state: Text = ""
    """The state of the instance, for `kubectl get`; of several the one that is least well."""
    replicas: Annotated[int, Field(ge=0)] | None = None
    """How many copies there should be."""
    ready_replicas: Annotated[int, Field(ge=0)] | None = None
    """How many of them run and work."""
    copies: Text = ""
    """Both, for `kubectl get`: `2/3`."""
    promoted: Text = ""
    """The host whose copy is promoted; empty: none is, or its mode is another."""
    since: Timestamp | None = None
    """Since when it is in this state."""
    instances: Annotated[list[InstanceSummary], Field(max_length=128), ListMap("name")] = []
    """All instances; of more than 128 those that are least well."""
    standbys: Annotated[list[StandbySummary], Field(max_length=32), ListMap("host")] = []
    """Hosts that could take over."""
    last_ran_with: Annotated[list[LastRanWith], Field(max_length=64), ListMap("name")] = []
    """Its prerequisites, as they were where it ran well last."""
    accepted_differences: Annotated[list[AcceptedDifference], Field(max_length=32)] = []
    """Where a host has a prerequisite otherwise than where it runs, and somebody has said that this is all right."""
    start_failures: Annotated[list[StartFailure], Field(max_length=256)] = []
    """Recent failed starts, up to 16 of each instance."""
    moves: Annotated[list[MoveSummary], Field(max_length=1000)] = []
    """Failovers that count against `recovery.moves`, which each instance has for itself."""
    last_failover: FailoverSummary | None = None
    """The last change of host, of whichever instance."""
    failovers: Annotated[list[FailoverRecord], Field(max_length=10)] = []
    """The latest failovers and moves, newest first: what happened when, and why it went where."""
    last_clear: ClearSummary | None = None
    """The last time that a person had failures forgotten."""

    @property
    def failures(self) -> tuple[StartFailure | MoveSummary, ...]:
        """What a clear forgets."""
        return (*self.start_failures, *self.moves)

    def of(self, slot: str) -> InstanceSummary:
        """What was told of an instance."""
        return next((one for one in self.instances if one.name == slot), InstanceSummary(name=slot))


class HAService(Object):
    """A service that must stay available: an ordered list of resources that live and move together on one host at a time."""

    plural: ClassVar[str] = "haservices"
    namespaced: ClassVar[bool] = True
    scales: ClassVar[bool] = True
    short_names: ClassVar[tuple[str, ...]] = ("hasvc",)
    categories: ClassVar[tuple[str, ...]] = ("all", "backstay")
    columns: ClassVar[tuple[Column, ...]] = (
        Column("Ready", '.status.conditions[?(@.type=="Ready")].status'),
        Column("Copies", ".status.copies"),
        Column("Host", ".status.host"),
        Column("Promoted", ".status.promoted", wide=True),
        Column("State", ".status.state"),
        Column("Since", ".status.since", "date"),
        Column("Reason", '.status.conditions[?(@.type=="Ready")].message', wide=True),
    )
    kind: Literal["HAService"] = "HAService"
    spec: HAServiceSpec
    """What people want. Written by people."""
    status: HAServiceStatus = HAServiceStatus()
    """What is true. Written by the operator."""

    @property
    def exclusive(self) -> bool:
        """Whether two copies must never run."""
        return self.spec.is_exclusive

    @property
    def has_many(self) -> bool:
        """Whether more than one copy of it may be there at once."""
        return self.spec.mode in ("EveryHost", "Promotable") or (self.spec.replicas or 1) > 1

    @property
    def slots(self) -> tuple[str, ...]:
        """Names of its HAInstances as they are at first, one for each copy that shall run, and the promoted role. For EveryHost the
        hosts say them.

        Which there are now, the planner says (`do/slots.py`): scaling down removes the least wanted, whatever its name.
        """
        if self.spec.mode == "EveryHost":
            return ()
        copies = tuple(instance_name(self.metadata.name, slot) for slot in range(self.spec.replicas or 1))
        return (*copies, promoted_name(self.metadata.name)) if self.spec.mode == "Promotable" else copies
