"""Which object an action writes, and how two attempts are told apart. Pure.

One object has one write under way at a time: the next is decided when its answer is in the mirror. An attempt is named by the
version it was decided from: if that has not moved, deciding the same again is the same attempt and has to wait its turn.
Texts and times are no part of it, because they differ each time and would let a failing write be repeated without pause.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, assert_never

from backstay_api.objects import lease as leases
from backstay_api.objects.kinds import Kind
from backstay_api.objects.models.base import Object
from backstay_api.objects.object_kinds import (
    FENCE_REQUESTS,
    HA_INSTANCES,
    HA_SERVICES,
    HOST_ASSIGNMENTS,
    HOST_LEASES,
    HOSTS,
    RESOURCE_CLAIMS,
)
from backstay_operator.planner.actions import (
    Action,
    Assign,
    CreateClaim,
    CreateInstance,
    CreateLease,
    DeleteAssignment,
    DeleteClaim,
    DeleteFence,
    DeleteInstance,
    DeleteLease,
    RemoveMoveWish,
    ReopenLease,
    ReportUnreadable,
    RequestFence,
    SealLease,
    SetFinalizer,
    UpdateFence,
    WriteClaim,
    WriteHostStatus,
    WriteInstance,
    WriteServiceStatus,
)

KINDS: Final[Mapping[str, Kind[Any]]] = {
    kind.kind: kind
    for kind in (
        HA_SERVICES,
        HA_INSTANCES,
        HOSTS,
        HOST_ASSIGNMENTS,
        FENCE_REQUESTS,
        RESOURCE_CLAIMS,
        HOST_LEASES,
    )
}


@dataclass(frozen=True)
class Subject:
    """One object of the API."""

    kind: Kind[Any]
    namespace: str
    name: str

    @property
    def key(self) -> str:
        """As the World names it."""
        return f"{self.namespace}/{self.name}" if self.namespace and self.kind is not HOST_LEASES else self.name

    @property
    def id(self) -> tuple[str, str]:
        return (self.kind.kind, self.key)


def subject_of(action: Action) -> Subject:
    """The object that this action writes."""
    match action:
        case CreateInstance():
            return Subject(HA_INSTANCES, action.namespace, action.name)
        case CreateLease():
            return _lease(action.host)
        case SealLease() | ReopenLease() | DeleteLease():
            return _lease(action.lease.host)
        case Assign():
            return Subject(HOST_ASSIGNMENTS, "", action.host)
        case RequestFence():
            return Subject(FENCE_REQUESTS, "", action.name)
        case CreateClaim():
            return _object(action.claim)
        case ReportUnreadable():
            namespace, _, name = action.key.rpartition("/")
            return Subject(KINDS[action.kind], namespace, name)
        case (
            WriteInstance()
            | DeleteInstance()
            | UpdateFence()
            | DeleteFence()
            | WriteClaim()
            | DeleteClaim()
            | DeleteAssignment()
            | SetFinalizer()
            | RemoveMoveWish()
            | WriteServiceStatus()
            | WriteHostStatus()
        ):
            return _object(action.before)
    assert_never(action)


def intent_of(action: Action) -> object:
    """What sets an action apart from another of its type on the same version of the same object; compared with `==`."""
    match action:
        case UpdateFence():
            return action.want
        case SetFinalizer():
            return action.present
        case ReopenLease():
            return action.session
        case Assign() | WriteClaim():
            return action.spec
        case ReportUnreadable():
            return (action.generation, action.message)
        case _:
            return None


def is_for_people(action: Action) -> bool:
    """Writes that only tell: they must never stand in the way of those that act."""
    return isinstance(action, WriteServiceStatus | WriteHostStatus | ReportUnreadable)


def _lease(host: str) -> Subject:
    return Subject(HOST_LEASES, leases.NAMESPACE, host)


def _object(obj: Object) -> Subject:
    return Subject(KINDS[obj.kind or type(obj).__name__], obj.metadata.namespace or "", obj.metadata.name)
