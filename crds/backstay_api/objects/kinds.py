"""How each kind of object is named, read and written on the wire: what the client needs to know, and no model.

A `Kind` is handed to the client with every call, so the agent can use plain readers and the operator pydantic
models for the same objects. The kinds of Kubernetes itself, which we only carry, are raw dictionaries.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar, cast
from urllib.parse import quote

from backstay_api.objects.names import key_of

T = TypeVar("T")

Raw = dict[str, Any]
Key = tuple[str, str]
"""Namespace (empty for cluster scope) and name."""


@dataclass(frozen=True, slots=True)
class ObjectVersion:
    """The part of metadata that the client, the cache and every compare-and-swap need, whatever the kind."""

    namespace: str
    name: str
    uid: str
    resource_version: str

    @property
    def key(self) -> Key:
        return (self.namespace, self.name)

    @property
    def version(self) -> int:
        """The resourceVersion as the growing number it is (promised by Kubernetes since 1.35)."""
        return int(self.resource_version)

    @staticmethod
    def of(body: Mapping[str, Any]) -> ObjectVersion:
        meta = body["metadata"]
        return ObjectVersion(
            meta.get("namespace", ""), meta["name"], meta.get("uid", ""), meta.get("resourceVersion", "")
        )


@dataclass(frozen=True)
class Kind(Generic[T]):
    """How one kind of object is named, read and written on the wire.

    `read` must not raise and must not alter what it is given: what it cannot read is a value too.
    `write` gives the whole object with `metadata`; apiVersion and kind are filled in by the client.
    """

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool
    read: Callable[[Mapping[str, Any]], T]
    write: Callable[[T], dict[str, Any]]
    has_status: bool = False
    """There is a status subresource: writes of the object leave status alone, and the other way round."""
    home: str = ""
    """The one namespace in which we keep all objects of a namespaced kind, so that a name alone tells which one is meant."""
    metadata_only: bool = False
    """A list carries nothing but `metadata`: names and versions, whatever else the objects hold."""

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def resource(self) -> str:
        """The name people and RBAC know: `leases.coordination.k8s.io`, `secrets`."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    def key(self, namespace: str, name: str) -> str:
        """How people and our indexes name one of these: `namespace/name`, or the name where that is enough."""
        return key_of(namespace, name) if self.namespaced and not self.home else name

    def path(self, namespace: str = "", name: str = "", subresource: str = "") -> str:
        """The URL path of the collection (in all namespaces, if none is given), an object or its subresource."""
        parts = ["apis", self.group, self.version] if self.group else ["api", self.version]
        if self.namespaced and namespace:
            parts += ["namespaces", quote(namespace, safe="")]
        parts.append(self.plural)
        if name:
            parts.append(quote(name, safe=""))
        if subresource:
            parts.append(subresource)
        return "/" + "/".join(parts)

    def to_wire(self, obj: T) -> Raw:
        """The object as it is sent, with apiVersion and kind."""
        return {"apiVersion": self.api_version, "kind": self.kind, **self.write(obj)}


@dataclass(frozen=True)
class Ref:
    """One object of the API, whether it is there or not."""

    kind: Kind[Any]
    namespace: str
    name: str

    @property
    def key(self) -> str:
        """As people and our indexes name it."""
        return self.kind.key(self.namespace, self.name)

    @property
    def id(self) -> tuple[str, str]:
        """Name of the kind, and key."""
        return (self.kind.kind, self.key)


def _same(body: Mapping[str, Any]) -> Raw:
    return cast(Raw, body)


def raw(group: str, version: str, plural: str, kind: str, namespaced: bool, *, has_status: bool = False) -> Kind[Raw]:
    """A kind that is read and written as a plain dictionary."""
    return Kind(group, version, plural, kind, namespaced, _same, _same, has_status)


def unread(kind: Kind[Any]) -> Kind[Raw]:
    """The same objects as they come, for who reads only some of them, or writes what no model holds."""
    return Kind(kind.group, kind.version, kind.plural, kind.kind, kind.namespaced, dict, dict, kind.has_status)


def versions_of(kind: Kind[Any]) -> Kind[Raw]:
    """The metadata of the same objects, for lists: what there is, and in which version."""
    return replace(unread(kind), read=_metadata, metadata_only=True)


def _metadata(body: Mapping[str, Any]) -> Raw:
    return {"metadata": body["metadata"]}


def is_raw(kind: Kind[Any]) -> bool:
    """Whether readers of this kind get the very dictionary, and so may alter it."""
    return kind.read is _same


LEASES = raw("coordination.k8s.io", "v1", "leases", "Lease", True)
SECRETS = raw("", "v1", "secrets", "Secret", True)
CONFIG_MAPS = raw("", "v1", "configmaps", "ConfigMap", True)
NAMESPACES = raw("", "v1", "namespaces", "Namespace", False)
SERVICE_ACCOUNTS = raw("", "v1", "serviceaccounts", "ServiceAccount", True)
EVENTS = raw("events.k8s.io", "v1", "events", "Event", True)
ROLES = raw("rbac.authorization.k8s.io", "v1", "roles", "Role", True)
ROLE_BINDINGS = raw("rbac.authorization.k8s.io", "v1", "rolebindings", "RoleBinding", True)
CLUSTER_ROLES = raw("rbac.authorization.k8s.io", "v1", "clusterroles", "ClusterRole", False)
CLUSTER_ROLE_BINDINGS = raw("rbac.authorization.k8s.io", "v1", "clusterrolebindings", "ClusterRoleBinding", False)


def token_requests(service_account: str) -> Kind[Raw]:
    """TokenRequests of one ServiceAccount: `create` asks for a token, which is in the answer's `status.token`."""
    plural = f"serviceaccounts/{quote(service_account, safe='')}/token"

    def write(obj: Raw) -> Raw:
        # A subresource of a core object, but its body belongs to another group.
        return {"apiVersion": "authentication.k8s.io/v1", **obj}

    return Kind("", "v1", plural, "TokenRequest", True, _same, write)
