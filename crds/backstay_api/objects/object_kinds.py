"""Our own kinds, read as pydantic models at the border: what cannot be read is a value that says why."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from pydantic import ValidationError

from . import lease
from .kinds import Kind, Ref, T
from .lease import HostLease
from .models import FenceRequest, HAInstance, HAService, Host, HostAssignment, HostSurvey, ResourceClaim, ServiceClass
from .models.base import GROUP, VERSION, Object
from .names import key_of

M = TypeVar("M", bound=Object)


@dataclass(frozen=True)
class Unreadable:
    """An object that we cannot read: shown to people, stops nobody else."""

    kind: str
    key: str
    """`namespace/name`, or the name alone."""
    why: str
    uid: str = ""
    generation: int = 0


def _readable(kind: str, read: Callable[[Mapping[str, Any]], T]) -> Callable[[Mapping[str, Any]], T | Unreadable]:
    """The same, but it never raises."""

    def reading(raw: Mapping[str, Any]) -> T | Unreadable:
        try:
            return read(raw)
        except (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError) as error:
            metadata = raw.get("metadata") or {}
            name, why = str(metadata.get("name", "")), _sentence(error)
            key = key_of(metadata.get("namespace"), name)
            return Unreadable(kind, key, why, str(metadata.get("uid", "")), int(metadata.get("generation") or 0))

    return reading


def _writable(write: Callable[[T], dict[str, Any]]) -> Callable[[T | Unreadable], dict[str, Any]]:
    def writing(value: T | Unreadable) -> dict[str, Any]:
        assert not isinstance(value, Unreadable), f"{value.key} cannot be read, so it cannot be written"
        return write(value)

    return writing


def _kind(model: type[M]) -> Kind[M | Unreadable]:
    name, write = model.model_fields["kind"].default, _writable(model.wire)
    read = _readable(name, model.from_wire)
    return Kind(GROUP, VERSION, model.plural, name, model.namespaced, read, write, model.has_status)


def _sentence(error: Exception) -> str:
    if not isinstance(error, ValidationError):
        return str(error)
    found = faults(error)
    more = f" (and {len(found) - 3} more)" if len(found) > 3 else ""
    return "; ".join(found[:3]) + more


def faults(error: ValidationError) -> list[str]:
    """What is wrong with an object, one sentence for each fault."""
    return [
        f"{'.'.join(map(str, fault['loc'])) or 'the object'}: {fault['msg'].removeprefix('Value error, ')}"
        for fault in error.errors(include_url=False, include_input=False)
    ]


HA_SERVICES: Final = _kind(HAService)
HA_INSTANCES: Final = _kind(HAInstance)
HOSTS: Final = _kind(Host)
HOST_ASSIGNMENTS: Final = _kind(HostAssignment)
FENCE_REQUESTS: Final = _kind(FenceRequest)
RESOURCE_CLAIMS: Final = _kind(ResourceClaim)
SERVICE_CLASSES: Final = _kind(ServiceClass)
HOST_SURVEYS: Final = _kind(HostSurvey)
"""Between a person and one agent alone: no other program of ours reads them, nor does `view`."""
HOST_LEASES: Final[Kind[HostLease | Unreadable]] = Kind(
    "coordination.k8s.io",
    "v1",
    "leases",
    "Lease",
    True,
    _readable("Lease", lease.read),
    _writable(lease.write),
    home=lease.NAMESPACE,
)

OWN_KINDS: Final[tuple[Kind[Any], ...]] = (
    HA_SERVICES,
    HA_INSTANCES,
    HOSTS,
    HOST_ASSIGNMENTS,
    FENCE_REQUESTS,
    RESOURCE_CLAIMS,
    SERVICE_CLASSES,
)
"""Those of our API group that the operator reads."""
ALL_KINDS: Final[tuple[Kind[Any], ...]] = (*OWN_KINDS, HOST_LEASES)
AnyObject = HAService | HAInstance | Host | HostAssignment | FenceRequest | ResourceClaim | ServiceClass | HostLease
"""What one of them is read as; whoever tells them apart by a `match` is held by mypy to know them all."""
KINDS: Final[Mapping[str, Kind[Any]]] = {kind.kind: kind for kind in ALL_KINDS}


def ref_of(obj: Object | HostLease) -> Ref:
    """Which object this is."""
    if isinstance(obj, HostLease):
        return Ref(HOST_LEASES, lease.NAMESPACE, obj.host)
    return Ref(KINDS[type(obj).__name__], obj.metadata.namespace or "", obj.metadata.name)
