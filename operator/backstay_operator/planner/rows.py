"""What every kind of action says of itself: how urgent it is, which object it writes, whom it concerns, and what people are told."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, ClassVar, Generic, TypeVar

from backstay_api.objects.kinds import Ref
from backstay_api.objects.lease import HostLease
from backstay_api.objects.models import FenceRequest, HAInstance, HostAssignment, ResourceClaim
from backstay_api.objects.models.base import Condition, Object
from backstay_api.objects.object_kinds import HA_SERVICES, HOSTS, ref_of

from .events import WORKS_FULLY, Event, EventKind

Written = TypeVar("Written", bound=Object | HostLease)


class Rank(IntEnum):
    """What a client waits for goes first: the seal that stops silence from renewing, then proof, grant and order."""

    SEAL = 0
    PROOF = 1
    GRANT = 2
    ORDER = 3
    SESSION = 4
    OWNERSHIP = 5
    CLEANUP = 6
    PEOPLE = 7
    """Writes that only tell: they must never stand in the way of those that act."""


class Row:
    """What an action says of itself. Each kind of action stands in `Action`, and says at least its rank and its object."""

    rank: ClassVar[Rank]
    as_event: ClassVar[EventKind | None] = None
    """The Event of the first that it concerns; None where it is no news for people."""
    why: Any
    needs: Any = ()
    """Preconditions: what must be so elsewhere before it is written."""

    @property
    def ref(self) -> Ref:
        """The object that it writes."""
        raise NotImplementedError

    by: ClassVar[str] = ""
    """The field that sets it apart from another of its type on the same version of the same object; compared with `==`.
    Texts and times do not: they differ each time, and would let a failing write be repeated without pause."""

    @property
    def intent(self) -> object:
        """What sets it apart."""
        return getattr(self, self.by) if self.by else None

    @property
    def concerns(self) -> tuple[Ref, ...]:
        """Whose status has to say it if the API server will not have it: the service or the host that people read."""
        return (self.ref,)

    def event(self) -> Event | None:
        """What people are told once it is done."""
        return self.as_event(self.concerns[0], self.why) if self.as_event else None


@dataclass(frozen=True)
class OnObject(Row, Generic[Written]):
    """Writes an object that was there when it was decided."""

    before: Written

    @property
    def ref(self) -> Ref:
        return ref_of(self.before)

    @property
    def concerns(self) -> tuple[Ref, ...]:
        return concerned(self.before)


def concerned(written: Object | HostLease) -> tuple[Ref, ...]:
    """Whose status people read of an object that they do not look at themselves; of any other, its own."""
    match written:
        case HAInstance():
            return (service_of(written),)
        case ResourceClaim():
            return owner_refs(written)
        case FenceRequest():
            return (host_ref(written.spec.host),)
        case HostAssignment():
            return (host_ref(written.metadata.name),)
        case HostLease():
            return (host_ref(written.host),)
    return (ref_of(written),)


def host_ref(name: str) -> Ref:
    return Ref(HOSTS, "", name)


def service_ref(namespace: str, name: str) -> Ref:
    return Ref(HA_SERVICES, namespace, name)


def service_of(instance: HAInstance) -> Ref:
    """The service that it is an instance of."""
    return service_ref(instance.metadata.namespace or "", instance.spec.service.name)


def owner_refs(claim: ResourceClaim) -> tuple[Ref, ...]:
    return tuple(service_ref(owner.namespace, owner.name) for owner in claim.owners)


def worsened(
    about: Ref, before: Sequence[Condition], after: Sequence[Condition], type_: str, wrong: str
) -> Event | None:
    """An Event for what a status says is wrong, and has not said before: whoever reads only Events learns what is missing, too."""
    was, now = (next((one for one in each if one.type == type_), None) for each in (before, after))
    if now is None or now.status != wrong or _is_same(was, now):
        return None
    return Event(about, "Warning", now.reason, now.message)


def _is_same(was: Condition | None, now: Condition) -> bool:
    return was is not None and (was.status, was.reason, was.message) == (now.status, now.reason, now.message)


def bettered(
    about: Ref, before: Sequence[Condition], after: Sequence[Condition], type_: str, reasons: Collection[str]
) -> Event | None:
    """An Event for what was wrong for one of these reasons, and is not any more, for none at all."""
    was, now = (next((one for one in each if one.type == type_), None) for each in (before, after))
    if was is None or now is None or was.reason not in reasons or now.status != "False":
        return None
    return WORKS_FULLY(about, f"No longer: {was.message}")


def turned(
    about: Ref, before: Sequence[Condition], after: Sequence[Condition], type_: str, well: EventKind
) -> Event | None:
    """What has become False, or True again (`well`); in other words alone it is no news."""
    was, now = (next((one for one in each if one.type == type_), None) for each in (before, after))
    if now is None or (was.status if was else "True") == now.status:
        return None
    if now.status == "False":
        return Event(about, "Warning", now.reason, now.message)
    return well(about, now.message) if was and was.status == "False" and now.status == "True" else None
