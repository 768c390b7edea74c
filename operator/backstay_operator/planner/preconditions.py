"""What must be so at the API server itself before a write is sent, because the write's own version does not say it.

A grant, an order, a deletion is decided from a picture that may be late. Each names the version of its own object, so it cannot
overwrite what it has not seen; but it also stands on *other* objects: whose address is this, does that service still exist. These
facts travel with the action as data, and `control/act/preconditions.py` asks the API server for each (a quorum read) just before the
write. One that does not hold stops the write and says so; what was read goes into the picture.

What is not there is asked with a list, for a list says of when it is. One as of before anything that we have seen is from the past and
says nothing: so what an object stands for is given back only by an answer from after that object's present version was written, and by
a write that names this version. Whoever comes to need it later writes the object, and then ours fails.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from backstay_api.objects.models import Host, HostAssignment
from backstay_api.objects.models.base import Object
from backstay_api.objects.object_kinds import HOSTS


@dataclass(frozen=True)
class Still:
    """This very object is there, by UID; and what else is named of it is so."""

    kind: str
    namespace: str
    name: str
    uid: str
    version: str = ""
    """It has not changed at all since we decided."""
    generation: int | None = None
    """Nobody has edited it since."""
    finalizer: str = ""
    """Ours stands on it, and it is not being deleted."""
    what_for: str = ""
    """What follows if it is not so, for people: `address 192.0.2.10 would belong to two services`."""


@dataclass(frozen=True)
class Gone:
    """No object of this name has this UID any more, and none ever will: UIDs do not come back. Without a UID: none has the name."""

    kind: str
    namespace: str
    name: str
    uid: str
    what_for: str = ""


@dataclass(frozen=True)
class Owned:
    """The claim is there and belongs to this service (on this host, if it is owned host by host)."""

    name: str
    text: str
    """What is claimed, as people say it."""
    uid: str
    host: str = ""


@dataclass(frozen=True)
class NoInstances:
    """The service has no HAInstance, of whatever name, or none but those that we know."""

    namespace: str
    service_uid: str
    what_for: str = ""
    but: tuple[str, ...] = ()
    """UIDs."""


@dataclass(frozen=True)
class Alone:
    """No copy of the service has an open grant for this host, but this one. The promoted role is no copy: it stands on one."""

    namespace: str
    service_uid: str
    host: str
    but: str
    """UID."""
    what_for: str = ""


@dataclass(frozen=True)
class HoldsNothing:
    """No HAInstance of the cluster has an open grant for this host."""

    host: str
    what_for: str = ""


@dataclass(frozen=True)
class Unnamed:
    """No service names one of these units, but those that we know, in the generation that we know."""

    units: tuple[str, ...]
    known: frozenset[tuple[str, int]]
    """UID and generation of services."""
    what_for: str = ""


@dataclass(frozen=True)
class Silent:
    """The host has neither renewed its Lease, nor said anything, nor been told of anything to run, beyond what we know."""

    host: str
    lease: str
    """The resourceVersion of its Lease; empty: there is none that can be read."""
    assignment: HostAssignment | None = field(compare=False, repr=False)
    """As it was decided from; None: there is none that can be read."""
    what_for: str = ""


Precondition = Still | Gone | Owned | NoInstances | Alone | HoldsNothing | Unnamed | Silent


def as_known(host: Host | None, name: str, what_for: str) -> Precondition:
    """That a host is as we know it, or not there as far as we know: a view that begins with an old list may lack it, or its labels."""
    return still(host, same_version=True, what_for=what_for) if host else Gone(HOSTS.kind, "", name, "", what_for)


def removed(host: Host | None, name: str, what_for: str) -> tuple[Precondition, ...]:
    """That a host which we do not know is gone indeed; and that nothing is granted to it, be it gone or going."""
    is_gone = (Gone(HOSTS.kind, "", name, "", what_for),) if host is None else ()
    return *is_gone, HoldsNothing(name, what_for)


def still(
    obj: Object,
    *,
    same_version: bool = False,
    same_generation: bool = False,
    finalizer: str = "",
    what_for: str = "",
) -> Still:
    """The object as it was decided from."""
    meta = obj.metadata
    return Still(
        kind=type(obj).__name__,
        namespace=meta.namespace or "",
        name=meta.name,
        uid=obj.uid,
        version=(meta.resource_version or "") if same_version else "",
        generation=meta.generation if same_generation else None,
        finalizer=finalizer,
        what_for=what_for,
    )


def distinct(needs: Iterable[Precondition]) -> tuple[Precondition, ...]:
    """Each once, in their order."""
    return tuple(dict.fromkeys(needs))
