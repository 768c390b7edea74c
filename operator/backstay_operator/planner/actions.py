"""What the planner may ask for. Each action is one idempotent write with its precondition, and says why.

`control/act/apply.py` carries them out in one `match` that ends in `assert_never`; nothing in there decides or retries. `needs` are
facts about *other* objects that it asks the API server for just before the write.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from backstay_api.objects.lease import HostLease
from backstay_api.objects.models import FenceRequest, HAInstance, HAService, Host, HostAssignment, ResourceClaim
from backstay_api.objects.models.assignment import HostAssignmentSpec
from backstay_api.objects.models.claim import ResourceClaimSpec
from backstay_api.objects.models.fencing import FenceRequestSpec
from backstay_api.objects.models.instance import HAInstanceSpec, SessionRef
from backstay_api.objects.models.service import HAServiceStatus

from .preconditions import Precondition


@dataclass(frozen=True)
class CreateInstance:
    """Create an HAInstance at epoch 0, with our finalizer."""

    namespace: str
    name: str
    spec: HAInstanceSpec
    why: str


@dataclass(frozen=True)
class WriteInstance:
    """Grant or close: replace the spec of exactly this version (CAS)."""

    before: HAInstance
    spec: HAInstanceSpec
    why: str
    needs: tuple[Precondition, ...] = ()


@dataclass(frozen=True)
class DeleteInstance:
    """Remove our finalizer and delete: only a closed instance (CAS by UID and resourceVersion)."""

    before: HAInstance
    why: str
    needs: tuple[Precondition, ...] = ()


@dataclass(frozen=True)
class CreateLease:
    """A Lease for a host that has none. Nobody holds it, or the session that has to renew it."""

    host: str
    why: str
    session: SessionRef | None = None
    """It holds something: should it be dead, its silence is heard only if the Lease is its own."""
    sealed: bool = False
    """It was sealed before somebody deleted it."""


@dataclass(frozen=True)
class SealLease:
    """Seal exactly this version (CAS)."""

    lease: HostLease
    why: str


@dataclass(frozen=True)
class ReopenLease:
    """Reopen exactly this sealed version for exactly this newer session (CAS)."""

    lease: HostLease
    session: SessionRef
    why: str


@dataclass(frozen=True)
class Assign:
    """Bring a host's orders forward (create the HostAssignment if there is none).

    `spec` is what the planner wants; apply merges it into the stored version with
    `orders.merge_forward(stored, action.spec, action.over)` and replaces by CAS.
    """

    host: str
    spec: HostAssignmentSpec
    why: str
    over: tuple[tuple[str, int], ...] = ()
    """Entries that may go: UID, and the epoch up to which nothing of it is left on this host. Absence says nothing."""
    needs: tuple[Precondition, ...] = ()


@dataclass(frozen=True)
class RequestFence:
    """Create a FenceRequest (create-once)."""

    name: str
    spec: FenceRequestSpec
    why: str


@dataclass(frozen=True)
class UpdateFence:
    """Change `want` of exactly this version (CAS)."""

    before: FenceRequest
    want: Literal["Observe", "Off", "Withdrawn"]
    why: str


@dataclass(frozen=True)
class DeleteFence:
    """Delete a request that nobody needs any more (CAS by UID and resourceVersion)."""

    before: FenceRequest
    why: str


@dataclass(frozen=True)
class DeleteLease:
    """Delete the Lease of a host that was removed (CAS by UID and resourceVersion)."""

    lease: HostLease
    why: str
    needs: tuple[Precondition, ...] = ()


@dataclass(frozen=True)
class DeleteAssignment:
    """Delete the HostAssignment of a host that was removed (CAS by UID and resourceVersion)."""

    before: HostAssignment
    why: str
    needs: tuple[Precondition, ...] = ()


@dataclass(frozen=True)
class CreateClaim:
    """Claim something that nobody has (create-once)."""

    claim: ResourceClaim
    why: str


@dataclass(frozen=True)
class WriteClaim:
    """Change who owns it, or up to which generation: replace the spec of exactly this version (CAS)."""

    before: ResourceClaim
    spec: ResourceClaimSpec
    why: str
    needs: tuple[Precondition, ...] = ()


@dataclass(frozen=True)
class DeleteClaim:
    """Give a claim back (CAS by UID and resourceVersion)."""

    before: ResourceClaim
    why: str
    needs: tuple[Precondition, ...] = ()


@dataclass(frozen=True)
class SetFinalizer:
    """Add or remove our finalizer on exactly this version."""

    before: HAService | HAInstance | Host
    present: bool
    why: str
    needs: tuple[Precondition, ...] = ()


@dataclass(frozen=True)
class RemoveMoveWish:
    """Take the annotation of `backstay move` away: done, expired or impossible."""

    before: HAService
    why: str


@dataclass(frozen=True)
class WriteServiceStatus:
    """Patch the status of a service, where it differs in more than times."""

    before: HAService
    status: HAServiceStatus
    why: str = ""


@dataclass(frozen=True)
class WriteHostStatus:
    """Patch the operator's part of a host's status (never `fencing`)."""

    before: Host
    status: dict[str, object]
    """The merge patch of `.status`."""
    why: str = ""


@dataclass(frozen=True)
class ReportUnreadable:
    """Tell in the status of an object that it cannot be read (only HAService and Host have a place for it)."""

    kind: str
    key: str
    generation: int
    message: str
    why: str = ""


Action = (
    CreateInstance
    | WriteInstance
    | DeleteInstance
    | CreateLease
    | SealLease
    | ReopenLease
    | Assign
    | RequestFence
    | UpdateFence
    | DeleteFence
    | DeleteLease
    | DeleteAssignment
    | CreateClaim
    | WriteClaim
    | DeleteClaim
    | SetFinalizer
    | RemoveMoveWish
    | WriteServiceStatus
    | WriteHostStatus
    | ReportUnreadable
)


@dataclass(frozen=True)
class Plan:
    """What is to be done now, and when to look again if nothing changes."""

    actions: tuple[Action, ...]
    wake_at_s: float | None = None
    """On the same clock as `World.now_s`; silence apart."""
    silence_wake_s: float | None = None
    """When silence alone will next change what there is to say. Renewals that come meanwhile put it off."""
