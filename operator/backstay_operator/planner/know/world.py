"""Everything the planner may know at one instant.

The cache (`control/watch/cache.py`) keeps one World up to date piece by piece: `put` and `drop` touch only what changed and keep the indexes.
Times are seconds on the replica's own monotonic clock; `wall` is for people's eyes, and for what is a matter of comfort alone (windows,
`judge/restless.py`).

What is known the planner only reads. Beside it it keeps what it has worked out from that; no decision depends on whether it was kept:

* `memo`, by `World.once`, of one plan: `plan` makes it empty and throws it away at the end, however the plan ends.
* `kept`, by `World.keep`, across plans: with the very objects it was made from, and made anew once one of them is another object.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Hashable
from dataclasses import dataclass, field
from operator import is_
from typing import Final, NamedTuple, TypeVar

from backstay_api.objects.kinds import ObjectVersion
from backstay_api.objects.lease import HostLease
from backstay_api.objects.models import FenceRequest, HAInstance, HAService, Host, HostAssignment, ResourceClaim
from backstay_api.objects.models.assignment import InstanceReport
from backstay_api.objects.models.base import Object
from backstay_api.objects.models.service import MoveSummary, StartFailure
from backstay_api.objects.models.service_class import ServiceClass
from backstay_api.objects.names import key_of
from backstay_api.objects.object_kinds import Unreadable

from .claims import own_addresses, things
from .contents import ConfigMapSeen, sources
from .losses import Losses
from .objects import checked_at, discard, has_cost, was_told_to_stop

T = TypeVar("T")

BUDGET_PERIOD_S: Final = 3600.0
"""For how long a fence counts."""


class Failed(NamedTuple):
    """A start that failed; or, without a host, a failover with which an epoch began."""

    slot: str
    """Name of the HAInstance."""
    host: str
    epoch: int

    @classmethod
    def of(cls, one: StartFailure | MoveSummary) -> Failed:
        return cls(one.slot, one.host if isinstance(one, StartFailure) else "", one.epoch)


@dataclass(frozen=True)
class LeaseSeen:
    """A host's Lease, and since when we have known its present renewal count."""

    lease: HostLease
    first_seen_s: float
    """`o` of PROTOCOL 4: our own clock when this renewal count was first seen, or when our own path recovered, if later."""
    sealed_seen_s: float | None = None
    """Our own clock when we first saw this holder sealed."""
    moved_s: float | None = None
    """Our own clock when we saw the renewal count move: proof of life at that time, which `first_seen_s` need not be."""


class Rebooting(NamedTuple):
    """An epoch that was released because its host rebooted in order."""

    epoch: int
    host: str
    seen_s: float
    """Our own clock when we first saw that."""


@dataclass(frozen=True)
class OwnPath:
    """What we know of our own way to the API server (PROTOCOL 4, own trouble first)."""

    healthy: bool = True
    recovered_s: float = float("-inf")
    """When it last came back (or when this replica started)."""
    lived_before: frozenset[str] = frozenset()
    """Hosts that lived when it was lost."""
    renewed_since: frozenset[str] = frozenset()
    """Those of them whose renewal count has moved since it came back."""


@dataclass(frozen=True)
class Settings:
    """What an administrator of the operator may set."""

    standbys: int = 3
    """Hosts kept ready for each instance."""
    storm_window_s: float = 60.0
    """Within this time at most one host, or fewer than half of those that lived when it began, is sealed or fenced."""
    fence_budget: int = 3
    """Fences an hour without a person. The last is kept for a host that was not fenced in that hour."""
    fence_again_s: float = 300.0
    """A host that was fenced is left alone, and not moved back to, for so long after that; twice as long after each further time."""
    orderly_s: float = 20.0
    """A host that was sealed though it lives may stop in order for so long what else runs there, before its power is cut."""
    trust_again_s: float = 10.0
    """After our own trouble nobody is suspected for this long, unless more than half of the hosts have renewed."""
    start_failure_memory_s: float = 600.0
    """Failed starts count against their hosts until none has failed for so long."""
    keeps_plans_from: int = 20
    """So many services, and more: of fewer, to see whether a plan still holds costs what making it does (`planner/rest.py`)."""
    topology_keys: tuple[str, ...] = ()
    """Labels of hosts: what would the loss of all with one value leave over? Beside those that a `spread` names."""
    start_retry_s: float = 15.0
    """What has failed on every host is tried again so long after that, then twice as long each time, up to half of that memory."""


@dataclass
class World:
    """All objects, parsed once, with the indexes that the planner needs. Keys: `namespace/name`, or the name alone."""

    settings: Settings = field(default_factory=Settings)
    now_s: float = 0.0
    wall: str = "1970-01-01T00:00:00Z"
    """RFC 3339 time of this round, for status fields. `instant`: finer, for timelines; empty: as `wall`."""
    instant: str = ""
    own_path: OwnPath = field(default_factory=OwnPath)

    services: dict[str, HAService] = field(default_factory=dict)
    unreadable: dict[tuple[str, str], Unreadable] = field(default_factory=dict)
    """By kind and key. Where an object was readable before, the last readable version stays in its own map."""
    missed: dict[tuple[str, str], ObjectVersion] = field(default_factory=dict)
    """Services and hosts that one read did not find, by kind and key: it may have been a stale one, until an event or a list says so too."""
    instances: dict[str, HAInstance] = field(default_factory=dict)
    hosts: dict[str, Host] = field(default_factory=dict)
    assignments: dict[str, HostAssignment] = field(default_factory=dict)
    leases: dict[str, LeaseSeen] = field(default_factory=dict)
    last_sealed: dict[str, HostLease] = field(default_factory=dict)
    """By host: its Lease as we saw it sealed last, unless it was seen unsealed since. It outlives the deletion of the Lease."""
    gone_sealed_s: dict[str, float] = field(default_factory=dict)
    """By host whose Lease went while it was sealed: our own clock when we first saw it sealed. It was lost in a storm all the same."""
    requests: dict[str, FenceRequest] = field(default_factory=dict)
    claims: dict[str, ResourceClaim] = field(default_factory=dict)
    classes: dict[str, ServiceClass] = field(default_factory=dict)
    contents: dict[str, ConfigMapSeen] = field(default_factory=dict)
    """ConfigMaps that services name, as they were read last."""

    fenced_s: dict[str, float] = field(default_factory=dict)
    """By FenceRequest: our own clock when we first saw it want Off, or read of it in a Host's status (for the budget)."""
    fenced_host: dict[str, str] = field(default_factory=dict)
    """By FenceRequest in `fenced_s`: whom it was about. It outlives the request."""
    checked_s: dict[str, float] = field(default_factory=dict)
    """By host: our own clock when we saw that the fencer has tested its fence path. Its own time is for people."""

    confirmed_s: dict[str, float] = field(default_factory=dict)
    """By FenceRequest: our own clock when we first saw a person's confirmation in it."""

    instances_of: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    """Keys of HAInstances by UID of their service."""
    held_by: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    """Keys of HAInstances with an open grant, by host."""
    requests_of: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    """Names of FenceRequests by host."""
    wanted_by: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    """Keys of HAServices by what they want for themselves alone (`claims.things`)."""
    named_by: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    """Keys of HAServices by the ConfigMaps that their files come from."""
    ruled: set[str] = field(default_factory=set)
    """Keys of HAServices that want to be together with others, or apart from them. `depending`: that depend on others."""
    depending: set[str] = field(default_factory=set)
    reported_by: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    """Hosts that say something of an instance, by its UID."""
    ordered_on: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    """Hosts that have an order about an instance, by its UID."""
    asked_on: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    """Hosts that were asked to be ready for an instance, or answer for it, by its UID."""
    held_on: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    """Hosts that hold a unit which they are no candidate for, by its name."""
    own_addresses: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    """Hosts by the addresses that they say are their own, in their one form."""
    refused: dict[tuple[str, str], str] = field(default_factory=dict)
    """By kind and key of an object that people read: what the API server will not have about it, in a sentence."""
    short_status: set[str] = field(default_factory=set)
    """Keys of services whose whole status the API server has refused a while ago: their conditions alone are written."""
    failed_s: dict[tuple[str, Failed], float] = field(default_factory=dict)
    """By UID of the HAService or HAInstance that told of it: our own clock when we first saw that."""
    rebooting: dict[str, Rebooting] = field(default_factory=dict)
    """By UID of the HAInstance: the last epoch that a reboot ended, until there is another one. Its host soon says nothing of it any more."""
    ready_s: dict[str, tuple[int, float]] = field(default_factory=dict)
    """By UID of an HAInstance: by which generation of its service some host is ready for it, and our own clock when we first saw that."""
    free_s: dict[str, tuple[int, float]] = field(default_factory=dict)
    """By UID of an HAInstance that nobody holds: its epoch, and our own clock when we first saw that."""
    losses: Losses | None = None
    """What the loss of each host would leave over, as it was worked out last; none: not yet."""
    kept: dict[str, dict[str, tuple[tuple[object, ...], object]]] = field(default_factory=lambda: defaultdict(dict))
    """What was worked out, by key of the object and topic, with what it was worked out from. Only `keep` and `planner/rest.py` touch it."""

    def keep(self, topic: str, key: str, made_from: tuple[object, ...], make: Callable[[], T]) -> T:
        """What `make` says, worked out again only when one of the very objects it is made from has been replaced."""
        old = self.kept[key].get(topic)
        if old is not None and len(old[0]) == len(made_from) and all(map(is_, old[0], made_from)):
            return old[1]  # type: ignore[return-value]
        value = make()
        self.kept[key][topic] = (made_from, value)
        return value

    def cannot_read(self, kind: type[Object], key: str) -> bool:
        """Whether this object is there, or may be, and is not to be read now."""
        return (kind.__name__, key) in self.unreadable or (kind.__name__, key) in self.missed

    def why_unreadable(self, kind: str, key: str) -> str:
        """Why the newest version of this object cannot be read, in a sentence; empty if it can, or is not there."""
        found = self.unreadable.get((kind, key))
        return found.why if found else ""

    def refusal(self, kind: type[HAService | Host], key: str) -> str:
        """What the API server will not have about it, in a sentence; empty if there is nothing."""
        return self.refused.get((kind.__name__, key), "")

    memo: dict[tuple[object, ...], tuple[tuple[object, ...], object]] | None = None
    """What `once` has worked out for the plan that is being made; `plan` begins and ends it. None between plans, when anything may change."""

    def once(self, topic: Hashable, about: tuple[object, ...], make: Callable[[], T]) -> T:
        """What `make` says about these very objects, worked out once a plan: nothing that is known changes meanwhile."""
        if self.memo is None:
            return make()
        key = (topic, *map(id, about))
        found = self.memo.get(key)
        if found is None:  # kept with what it is about, so that nothing else can be at its place
            found = self.memo[key] = (about, make())
        return found[1]  # type: ignore[return-value]

    def put_service(self, service: HAService) -> None:
        old = self.services.get(service.key)
        if old is not None:
            discard(self.wanted_by, things(old), old.key)
            discard(self.named_by, sources(old), old.key)
            if old.uid != service.uid:
                self._forget_failures(old.uid)
        self.services[service.key] = service
        placement = service.spec.placement
        (self.ruled.add if placement.together or placement.apart else self.ruled.discard)(service.key)
        (self.depending.add if service.spec.depends_on else self.depending.discard)(service.key)
        for thing in things(service):
            self.wanted_by[thing].add(service.key)
        for name in sources(service):
            self.named_by[name].add(service.key)
        for one in service.status.failures:
            self.failed_s.setdefault((service.uid, Failed.of(one)), self.now_s)

    def drop_service(self, key: str) -> None:
        self.kept.pop(key, None)
        old = self.services.pop(key, None)
        self.ruled.discard(key)
        self.depending.discard(key)
        if old is not None:
            discard(self.wanted_by, things(old), key)
            discard(self.named_by, sources(old), key)
            self._forget_failures(old.uid)

    def put_host(self, host: Host) -> None:
        old = self.hosts.get(host.key)
        self.hosts[host.key] = host
        if old is None or old.uid != host.uid or checked_at(old) != checked_at(host):
            self.checked_s[host.key] = self.now_s
        for fence in host.status.fences:
            self._was_fenced(fence.request, host.key)

    def drop_host(self, key: str) -> None:
        """Forget a host that is gone. When it was fenced stays for as long as that counts."""
        self.kept.pop(key, None)
        self.hosts.pop(key, None)
        self.checked_s.pop(key, None)

    def put_assignment(self, assignment: HostAssignment) -> None:
        self.drop_assignment(assignment.key, but=assignment.status.instances)
        self.assignments[assignment.key] = assignment
        for uid in assignment.spec.instances:
            self.ordered_on[uid].add(assignment.key)
        for uid in {*assignment.spec.standbys, *assignment.status.standbys}:
            self.asked_on[uid].add(assignment.key)
        for uid, answer in assignment.status.standbys.items():
            if answer.ready and self.ready_s.get(uid, (0, 0.0))[0] < answer.revision:
                self.ready_s[uid] = (answer.revision, self.now_s)
        for one in assignment.status.held:
            self.held_on[one.unit].add(assignment.key)
        for address in own_addresses(assignment):
            self.own_addresses[address].add(assignment.key)
        for uid, report in assignment.status.instances.items():
            self.reported_by[uid].add(assignment.key)
            if report.phase == "Failed":
                self.failed_s.setdefault((uid, Failed(report.name, assignment.key, report.epoch)), self.now_s)
            is_over = report.released and not was_told_to_stop(assignment, uid)
            if assignment.status.shutdown_type == "Reboot" and is_over:
                self._reboots(uid, report.epoch, assignment.key)

    def drop_assignment(self, key: str, *, but: Collection[str] = ()) -> None:
        """And when those starts failed of which the host then says nothing: it may speak of an HAInstance (`but`) that has long gone."""
        old = self.assignments.pop(key, None)
        if old is None:
            return
        discard(self.reported_by, old.status.instances, key)
        discard(self.ordered_on, old.spec.instances, key)
        discard(self.asked_on, {*old.spec.standbys, *old.status.standbys}, key)
        discard(self.held_on, (one.unit for one in old.status.held), key)
        discard(self.own_addresses, own_addresses(old), key)
        for uid in old.status.instances.keys() - but:
            self._forget_failures(uid, key)
            if not self._is_there(uid, old.status.instances[uid]):
                self.rebooting.pop(uid, None)

    def _is_there(self, uid: str, report: InstanceReport) -> bool:
        known = self.instances.get(key_of(report.namespace, report.name))
        return known is not None and known.uid == uid

    def _forget_failures(self, uid: str, host: str = "") -> None:
        for key in [key for key in self.failed_s if key[0] == uid and host in ("", key[1].host)]:
            del self.failed_s[key]

    def failed_ago_s(self, uid: str, what: Failed) -> float:
        """How long we have known of it, in seconds."""
        return self.now_s - self.failed_s.get((uid, what), self.now_s)

    def _reboots(self, uid: str, epoch: int, host: str) -> None:
        known = self.rebooting.get(uid)
        if known is None or known.epoch < epoch:
            self.rebooting[uid] = Rebooting(epoch, host, self.now_s)

    def put_instance(self, instance: HAInstance) -> None:
        known, ready = self.rebooting.get(instance.uid), self.ready_s.get(instance.uid)
        free = self.free_s.get(instance.uid, (-1, 0.0))
        self.drop_instance(instance.key)
        if ready is not None:
            self.ready_s[instance.uid] = ready
        if known is not None and known.epoch >= instance.spec.epoch:
            self.rebooting[instance.uid] = known
        self.instances[instance.key] = instance
        self.instances_of[instance.spec.service.uid].add(instance.key)
        if instance.spec.grant is not None:
            self.held_by[instance.spec.grant.host].add(instance.key)
        else:
            self.free_s[instance.uid] = free if free[0] == instance.spec.epoch else (instance.spec.epoch, self.now_s)

    def instance_of(self, service: HAService, slot: str) -> HAInstance | None:
        """The HAInstance in a slot of a service, if there is one."""
        instance = self.instances.get(key_of(service.metadata.namespace, slot))
        return instance if instance is not None and instance.spec.service.uid == service.uid else None

    def drop_instance(self, key: str) -> None:
        old = self.instances.pop(key, None)
        if old is None:
            return
        self.rebooting.pop(old.uid, None)
        self.ready_s.pop(old.uid, None)
        self.free_s.pop(old.uid, None)
        self.instances_of[old.spec.service.uid].discard(key)
        if old.spec.grant is not None:
            self.held_by[old.spec.grant.host].discard(key)

    def drop_lease(self, key: str) -> None:
        """Forget a Lease that is gone. That its host was lost stays for as long as that counts."""
        old = self.leases.pop(key, None)
        if old is not None and old.lease.sealed and old.sealed_seen_s is not None:
            self.gone_sealed_s[key] = old.sealed_seen_s

    def drop_claim(self, key: str) -> None:
        self.kept.pop(key, None)
        self.claims.pop(key, None)

    def put_request(self, request: FenceRequest) -> None:
        self.requests[request.key] = request
        self.requests_of[request.spec.host].add(request.key)
        if request.spec.want == "Off":
            self._was_fenced(request.key, request.spec.host)
        if request.spec.confirm is not None:
            self.confirmed_s.setdefault(request.key, self.now_s)

    def drop_request(self, key: str) -> None:
        """Forget a fence request that is gone. Its place in the budget, if it had one, stays until it is an hour old."""
        old = self.requests.pop(key, None)
        self.confirmed_s.pop(key, None)
        if old is not None:
            self.requests_of[old.spec.host].discard(key)
        if old is not None and not has_cost(old):
            self.fenced_s.pop(key, None)
            self.fenced_host.pop(key, None)

    def forget_old_seals(self) -> None:
        """Those that are no part of any storm any more."""
        since_s = self.now_s - self.settings.storm_window_s
        self.gone_sealed_s = {host: at_s for host, at_s in self.gone_sealed_s.items() if at_s > since_s}

    def forget_old_fences(self) -> None:
        """Those that neither count nor stand anywhere any more: what stands in a status would be taken for news again."""
        known = {fence.request for host in self.hosts.values() for fence in host.status.fences} | self.requests.keys()
        for name in [name for name, at_s in self.fenced_s.items() if self.now_s - at_s > BUDGET_PERIOD_S]:
            if name not in known:
                del self.fenced_s[name], self.fenced_host[name]

    def _was_fenced(self, request: str, host: str) -> None:
        self.fenced_s.setdefault(request, self.now_s)
        self.fenced_host.setdefault(request, host)
