"""What the planner may ask for. Each action is one idempotent write with its precondition, and says why.

`control/act/apply.py` carries them out in one `match` that ends in `assert_never`; nothing in there decides or retries. `needs` are
facts about *other* objects, asked just before. Each class says which object it writes, how urgent, whom it concerns, what is told.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, cast

from backstay_api.objects.kinds import Ref
from backstay_api.objects.lease import NAMESPACE, HostLease
from backstay_api.objects.models import (
    FenceRequest,
    HAInstance,
    HAService,
    Host,
    HostAssignment,
    ResourceClaim,
    ServiceClass,
)
from backstay_api.objects.models.assignment import HostAssignmentSpec, InstanceOrder, StandbyOrder
from backstay_api.objects.models.base import Condition
from backstay_api.objects.models.claim import ResourceClaimSpec
from backstay_api.objects.models.fencing import FenceRequestSpec
from backstay_api.objects.models.instance import HAInstanceSpec, Required, SessionRef
from backstay_api.objects.models.service import HAServiceStatus
from backstay_api.objects.models.service_class import ServiceClassStatus
from backstay_api.objects.object_kinds import FENCE_REQUESTS, HA_INSTANCES, HOST_ASSIGNMENTS, HOST_LEASES, KINDS, ref_of

from . import events
from .events import Event
from .preconditions import Precondition
from .rows import OnObject, Rank, Row, Written, bettered, host_ref, owner_refs, service_ref, turned, worsened
from .words import NOT_REACHABLE, SECOND_COPY, SUSPECT, WORKS_PARTLY

_OF_WANT: Final = {"Observe": events.SUSPECTED, "Off": events.FENCING, "Withdrawn": events.FALSE_ALARM}


@dataclass(frozen=True)
class CreateInstance(Row):
    """Create an HAInstance at epoch 0, with our finalizer."""

    rank = Rank.OWNERSHIP
    namespace: str
    name: str
    spec: HAInstanceSpec
    why: str

    @property
    def ref(self) -> Ref:
        return Ref(HA_INSTANCES, self.namespace, self.name)

    @property
    def concerns(self) -> tuple[Ref, ...]:
        return (service_ref(self.namespace, self.spec.service.name),)


@dataclass(frozen=True)
class WriteInstance(OnObject[HAInstance]):
    """Grant or close: replace the spec of exactly this version (CAS)."""

    rank = Rank.GRANT
    spec: HAInstanceSpec
    why: str
    needs: tuple[Precondition, ...] = ()

    def event(self) -> Event:
        return (events.GRANTED if self.spec.grant else events.CLOSED)(self.concerns[0], self.why)


@dataclass(frozen=True)
class WriteRequired(OnObject[HAInstance]):
    """Note what an instance that runs requires, as that works now: no grant is given or ended (CAS)."""

    rank = Rank.OWNERSHIP
    by = "required"
    required: tuple[Required, ...]
    why: str
    needs: tuple[Precondition, ...] = ()


@dataclass(frozen=True)
class Deletion(OnObject[Written]):
    """Deletes exactly this version (CAS by UID and resourceVersion)."""

    rank = Rank.CLEANUP
    why: str
    needs: tuple[Precondition, ...] = ()


class DeleteInstance(Deletion[HAInstance]):
    """Our finalizer goes with it: only a closed instance."""


@dataclass(frozen=True)
class CreateLease(Row):
    """A Lease for a host that has none. Nobody holds it, or the session that has to renew it."""

    rank = Rank.SESSION
    host: str
    why: str
    session: SessionRef | None = None
    """It holds something: should it be dead, its silence is noticed only if the Lease is its own."""
    sealed: bool = False
    """It was sealed before somebody deleted it."""
    needs: tuple[Precondition, ...] = ()

    @property
    def ref(self) -> Ref:
        return Ref(HOST_LEASES, NAMESPACE, self.host)

    @property
    def concerns(self) -> tuple[Ref, ...]:
        return (host_ref(self.host),)


@dataclass(frozen=True)
class SealLease(OnObject[HostLease]):
    """Seal exactly this version (CAS)."""

    rank = Rank.SEAL
    as_event = events.SEALED
    why: str
    session: SessionRef | None = None
    """In whose name, if it is not that of the holder."""
    alive: bool = False
    """Though it renews: for a stop that does not succeed."""


@dataclass(frozen=True)
class ReopenLease(OnObject[HostLease]):
    """Reopen exactly this sealed version for exactly this newer session (CAS)."""

    rank = Rank.SESSION
    by = "session"
    as_event = events.REOPENED
    session: SessionRef
    why: str


@dataclass(frozen=True)
class Assign(Row):
    """Bring a host's orders forward (create the HostAssignment if there is none).

    `spec` is what the planner wants; apply merges it into the stored version with
    `orders.merge_forward(stored, action.spec, action.over)` and replaces by CAS.
    """

    rank = Rank.ORDER
    by = "spec"
    host: str
    spec: HostAssignmentSpec
    why: str
    over: tuple[tuple[str, int], ...] = ()
    """Entries that may go: UID, and the epoch up to which nothing of it is left on this host. Absence says nothing."""
    needs: tuple[Precondition, ...] = ()
    gives_back: frozenset[str] = frozenset()
    """Units that may start by themselves there again. Those of a version that we have not decided on stay as they are."""
    version: str = ""
    """Of the HostAssignment that it was decided from."""

    @property
    def ref(self) -> Ref:
        return Ref(HOST_ASSIGNMENTS, "", self.host)

    @property
    def concerns(self) -> tuple[Ref, ...]:
        orders: list[InstanceOrder | StandbyOrder] = [*self.spec.instances.values(), *self.spec.standbys.values()]
        return (host_ref(self.host), *(service_ref(one.namespace, one.service) for one in orders if one.service))


@dataclass(frozen=True)
class RequestFence(Row):
    """Create a FenceRequest (create-once)."""

    rank = Rank.PROOF
    name: str
    spec: FenceRequestSpec
    why: str

    @property
    def ref(self) -> Ref:
        return Ref(FENCE_REQUESTS, "", self.name)

    @property
    def concerns(self) -> tuple[Ref, ...]:
        return (host_ref(self.spec.host),)

    def event(self) -> Event:
        return _OF_WANT[self.spec.want](host_ref(self.spec.host), self.why)


@dataclass(frozen=True)
class UpdateFence(OnObject[FenceRequest]):
    """Change `want` of exactly this version (CAS)."""

    rank = Rank.PROOF
    by = "want"
    want: Literal["Observe", "Off", "Withdrawn"]
    why: str

    def event(self) -> Event:
        return _OF_WANT[self.want](host_ref(self.before.spec.host), self.why)


class DeleteFence(Deletion[FenceRequest]):
    """A request that nobody needs any more."""


class DeleteLease(Deletion[HostLease]):
    """The Lease of a host that was removed."""


class DeleteAssignment(Deletion[HostAssignment]):
    """The HostAssignment of a host that was removed."""


@dataclass(frozen=True)
class CreateClaim(Row):
    """Claim something that nobody has (create-once)."""

    rank = Rank.OWNERSHIP
    as_event = events.CLAIMED
    claim: ResourceClaim
    why: str

    @property
    def ref(self) -> Ref:
        return ref_of(self.claim)

    @property
    def concerns(self) -> tuple[Ref, ...]:
        return owner_refs(self.claim)


@dataclass(frozen=True)
class WriteClaim(OnObject[ResourceClaim]):
    """Change who owns it, or up to which generation: replace the spec of exactly this version (CAS)."""

    rank = Rank.OWNERSHIP
    by = "spec"
    spec: ResourceClaimSpec
    why: str
    needs: tuple[Precondition, ...] = ()

    @property
    def concerns(self) -> tuple[Ref, ...]:
        """Who gives it up and who gets it."""
        return (*owner_refs(self.before), *owner_refs(self.before.model_copy(update={"spec": self.spec})))


class DeleteClaim(Deletion[ResourceClaim]):
    """Give a claim back."""


@dataclass(frozen=True)
class SetFinalizer(OnObject[HAService | HAInstance | Host]):
    """Add or remove our finalizer on exactly this version."""

    rank = Rank.OWNERSHIP
    by = "present"
    present: bool
    why: str
    needs: tuple[Precondition, ...] = ()


@dataclass(frozen=True)
class RemoveMoveWish(OnObject[HAService]):
    """Take the annotation of `backstay move` away: done, expired or impossible."""

    rank = Rank.CLEANUP
    as_event = events.MOVE_ENDED
    why: str


@dataclass(frozen=True)
class RemoveClear(OnObject[HAService]):
    """Take the annotation of `backstay clear` away: all of it is forgotten."""

    rank = Rank.CLEANUP
    as_event = events.FAILURES_FORGOTTEN
    why: str


@dataclass(frozen=True)
class WriteServiceStatus(OnObject[HAService]):
    """Patch the status of a service, where it differs in more than times."""

    rank = Rank.PEOPLE
    status: HAServiceStatus
    why: str = ""

    def event(self) -> Event | None:
        if acts := self._acts():
            return events.BY_ADMIN(self.ref, acts)
        if not any(each.epoch for each in self.status.instances):
            return None  # it has never run: what it still waits for is no loss
        before, after = self.before.status.conditions, self.status.conditions
        return worsened(self.ref, before, after, "Degraded", "True") or bettered(
            self.ref, before, after, "Degraded", (WORKS_PARTLY, SUSPECT, SECOND_COPY, NOT_REACHABLE)
        )

    def _acts(self) -> str:
        """What somebody has done to it on the host itself since the status before."""
        known = {one.by_admin for one in self.before.status.instances}
        return next((one.by_admin for one in self.status.instances if one.by_admin and one.by_admin not in known), "")


@dataclass(frozen=True)
class WriteHostStatus(OnObject[Host]):
    """Patch the operator's part of a host's status (never `fencing`)."""

    rank = Rank.PEOPLE
    status: dict[str, object]
    """The merge patch of `.status`."""
    is_lost: bool = False
    """It is silent or sealed: then people are told."""
    why: str = ""

    def event(self) -> Event | None:
        before = self.before.status.conditions
        after = [Condition.model_validate(one) for one in cast(list[object], self.status.get("conditions", []))]
        if not self.is_lost:
            # That it is not ready is no news of one that has only just been enrolled, or opens a session.
            return turned(self.ref, before, after, "Healthy", events.HEALTHY)
        return worsened(self.ref, before, after, "Ready", "False")


@dataclass(frozen=True)
class WriteClassStatus(OnObject[ServiceClass]):
    """Patch the status of a ServiceClass."""

    rank = Rank.PEOPLE
    by = "counts"
    status: ServiceClassStatus
    why: str = ""

    @property
    def counts(self) -> object:
        """What sets it apart: the sentence may be another with each edit."""
        return self.status.services, self.status.refused


@dataclass(frozen=True)
class ReportUnreadable(Row):
    """Tell in the status of an object that it cannot be read (only HAService and Host have a place for it)."""

    rank = Rank.PEOPLE
    kind: str
    key: str
    generation: int
    conditions: tuple[Condition, ...]
    why: str = ""

    @property
    def ref(self) -> Ref:
        namespace, _, name = self.key.rpartition("/")
        return Ref(KINDS[self.kind], namespace, name)

    @property
    def intent(self) -> object:
        """What it tells, but for the time: its own status cannot be read either, to see since when it has been so."""
        return self.generation, [(one.type, one.status, one.reason, one.message) for one in self.conditions]


Placing = (
    CreateInstance
    | WriteInstance
    | WriteRequired
    | DeleteInstance
    | Assign
    | CreateClaim
    | WriteClaim
    | DeleteClaim
    | SetFinalizer
    | RemoveMoveWish
)
"""Those by which the next plan decides otherwise where something runs: a picture of the cluster carries them out too (`whatif.py`)."""
Action = (
    Placing
    | CreateLease
    | SealLease
    | ReopenLease
    | RequestFence
    | UpdateFence
    | DeleteFence
    | DeleteLease
    | DeleteAssignment
    | RemoveClear
    | WriteServiceStatus
    | WriteHostStatus
    | WriteClassStatus
    | ReportUnreadable
)
