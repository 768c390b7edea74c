"""Our own kinds, read as pydantic models at the border: what cannot be read is a value that says why."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from pydantic import ValidationError

from . import lease
from .kinds import Kind, Ref
from .lease import HostLease
from .models import FenceRequest, HAInstance, HAService, Host, HostAssignment, ResourceClaim
from .models.base import GROUP, VERSION, Object

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


def reader(model: type[M]) -> Callable[[Mapping[str, Any]], M | Unreadable]:
    """Reads one kind of object; never raises."""
    kind = model.model_fields["kind"].default

    def read(raw: Mapping[str, Any]) -> M | Unreadable:
        try:
            return model.from_wire(raw)
        except ValidationError as error:
            return Unreadable(kind, _key(raw), _sentence(error), *_identity(raw))

    return read


def _kind(model: type[M]) -> Kind[M | Unreadable]:
    def write(value: M | Unreadable) -> dict[str, Any]:
        assert not isinstance(value, Unreadable), f"{value.key} cannot be read, so it cannot be written"
        return value.wire()

    name = model.model_fields["kind"].default
    return Kind(GROUP, VERSION, model.plural, name, model.namespaced, reader(model), write, model.has_status)


def _read_lease(raw: Mapping[str, Any]) -> HostLease | Unreadable:
    try:
        return lease.read(raw)
    except (ValueError, KeyError, TypeError) as error:
        return Unreadable("Lease", _key(raw), str(error), *_identity(raw))


def _write_lease(value: HostLease | Unreadable) -> dict[str, Any]:
    assert not isinstance(value, Unreadable), f"{value.key} cannot be read, so it cannot be written"
    return lease.write(value)


def _key(raw: Mapping[str, Any]) -> str:
    metadata = raw.get("metadata") or {}
    name = str(metadata.get("name", ""))
    return f"{metadata['namespace']}/{name}" if metadata.get("namespace") else name


def _identity(raw: Mapping[str, Any]) -> tuple[str, int]:
    metadata = raw.get("metadata") or {}
    return str(metadata.get("uid", "")), int(metadata.get("generation") or 0)


def _sentence(error: ValidationError) -> str:
    faults = [
        f"{'.'.join(str(part) for part in fault['loc']) or 'the object'}: {fault['msg'].removeprefix('Value error, ')}"
        for fault in error.errors(include_url=False, include_input=False)
    ]
    more = f" (and {len(faults) - 3} more)" if len(faults) > 3 else ""
    return "; ".join(faults[:3]) + more


HA_SERVICES: Final = _kind(HAService)
HA_INSTANCES: Final = _kind(HAInstance)
HOSTS: Final = _kind(Host)
HOST_ASSIGNMENTS: Final = _kind(HostAssignment)
FENCE_REQUESTS: Final = _kind(FenceRequest)
RESOURCE_CLAIMS: Final = _kind(ResourceClaim)
HOST_LEASES: Final[Kind[HostLease | Unreadable]] = Kind(
    "coordination.k8s.io", "v1", "leases", "Lease", True, _read_lease, _write_lease, home=lease.NAMESPACE
)

OWN_KINDS: Final[tuple[Kind[Any], ...]] = (
    HA_SERVICES,
    HA_INSTANCES,
    HOSTS,
    HOST_ASSIGNMENTS,
    FENCE_REQUESTS,
    RESOURCE_CLAIMS,
)
"""Those of our API group."""
ALL_KINDS: Final[tuple[Kind[Any], ...]] = (*OWN_KINDS, HOST_LEASES)
KINDS: Final[Mapping[str, Kind[Any]]] = {kind.kind: kind for kind in ALL_KINDS}


def ref_of(obj: Object | HostLease) -> Ref:
    """Which object this is."""
    if isinstance(obj, HostLease):
        return Ref(HOST_LEASES, lease.NAMESPACE, obj.host)
    return Ref(KINDS[type(obj).__name__], obj.metadata.namespace or "", obj.metadata.name)
