"""An API server's store as an in-memory fake: the same conflicts, versions, finalizers and 410, and no time at all.

It is shipped, because the simulator runs the production code on it. Every call is synchronous and atomic: what
lies between an actor and the store (delay, loss, staleness) is added by `memory.MemoryApi`. What a real server does
and this does not: schemas and defaults (register an `admit` hook for the rules that matter), RBAC, owner garbage
collection, the existence of namespaces, server-side apply.

Stored bodies are never altered, only replaced, so they may be shared between versions, events and readers.
"""

from __future__ import annotations

import bisect
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from backstay_api.client.api import EventType
from backstay_api.client.errors import AlreadyExists, Conflict, Gone, Invalid, NotFound
from backstay_api.objects.kinds import Key, Kind, Raw

# Fixed: nothing of ours may compare another machine's clock, so a clock here would only hide a mistake.
CREATED_AT: Final = "2026-01-01T00:00:00Z"
DELETED_AT: Final = "2026-01-01T00:00:01Z"

Admit = Callable[["Kind[Any]", Raw | None, Raw], str | None]
"""Says why an object may not be written (old is None at creation), or None: stands for the schema's CEL rules."""

_SERVER_OWNED: Final = (
    "uid",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "generation",
    "resourceVersion",
    "namespace",
    "name",
)
_DROPPED_WHEN_EMPTY: Final = ("labels", "annotations", "finalizers", "ownerReferences")


MOST_NAME_CHARS: Final = 253
"""Of the name of an object, as the API server has it."""


@dataclass(frozen=True, slots=True)
class Change:
    """One committed write, in the order of revisions. For a deletion: the last state, at the deletion's revision."""

    revision: int
    type: EventType
    resource: str
    key: Key
    body: Raw
    before: Raw | None
    actor: str


Observer = Callable[[Change], None]


@dataclass
class _Table:
    objects: dict[Key, Raw] = field(default_factory=dict)
    log: list[Change] = field(default_factory=list)
    history: defaultdict[Key, list[Change]] = field(default_factory=lambda: defaultdict(list))
    rules: list[Admit] = field(default_factory=list)
    observers: dict[Observer, None] = field(default_factory=dict)


class MemoryCluster:
    """All objects of one cluster, with a global revision and the history that watches and stale reads need."""

    def __init__(self) -> None:
        self.revision = 1
        self.compacted = 0
        self._created = 0
        self._tables: defaultdict[str, _Table] = defaultdict(_Table)
        self._observers: dict[Observer, None] = {}

    # --- for whoever builds the world -------------------------------------------------------------------------

    def admit(self, kind: Kind[Any], rule: Admit) -> None:
        """From now on, no object of this kind is written that the rule has a sentence against (422)."""
        self._tables[kind.resource].rules.append(rule)

    def compact(self) -> None:
        """Forget history: a watch from before now gets 410."""
        self.compacted = self.revision
        for table in self._tables.values():
            table.log.clear()
            for key, changes in list(table.history.items()):
                table.history[key] = [changes[-1]]
                if changes[-1].type is EventType.DELETED:
                    del table.history[key]

    def observe(self, observer: Observer, kind: Kind[Any] | None = None) -> None:
        """Call this with each change (of one kind, or of all) as it is committed."""
        (self._tables[kind.resource].observers if kind else self._observers)[observer] = None

    def ignore(self, observer: Observer, kind: Kind[Any] | None = None) -> None:
        (self._tables[kind.resource].observers if kind else self._observers).pop(observer, None)

    # --- reads ------------------------------------------------------------------------------------------------

    def get(self, kind: Kind[Any], namespace: str, name: str, *, as_of: int | None = None) -> Raw:
        """The stored body itself (do not alter it), or as it was at an older revision."""
        table, key = self._tables[kind.resource], _key(kind, namespace, name)
        body = table.objects.get(key) if as_of is None else _at(table.history.get(key, []), as_of)
        if body is None:
            raise NotFound(f'{kind.resource} "{name}" not found')
        return body

    def bodies(self, kind: Kind[Any], namespace: str = "", *, as_of: int | None = None) -> list[Raw]:
        """Stored bodies by namespace and name, now or as they were at an older revision."""
        table = self._tables[kind.resource]
        if as_of is None:
            found: Iterator[Raw | None] = (table.objects[key] for key in sorted(table.objects))
        else:
            found = (_at(table.history[key], as_of) for key in sorted(table.history))
        return [body for body in found if body and (not namespace or body["metadata"].get("namespace") == namespace)]

    def changes(self, kind: Kind[Any], since: int) -> list[Change]:
        """What was committed after this revision; `Gone` if that is compacted."""
        if since < self.compacted:
            raise Gone(f"too old resource version: {since} ({self.compacted})")
        log = self._tables[kind.resource].log
        return log[bisect.bisect_right(log, since, key=_revision) :]

    # --- writes -----------------------------------------------------------------------------------------------

    def create(self, kind: Kind[Any], namespace: str, body: Mapping[str, Any], *, actor: str = "") -> Raw:
        """Store a new object. `body` is taken over: it must not be altered by the caller afterwards."""
        meta = dict(body.get("metadata") or {})
        _check_type(kind, body)
        self._created += 1
        if not meta.get("name") and meta.get("generateName"):
            meta["name"] = f"{meta['generateName']}{self._created:05d}"
        key = _key(kind, namespace or meta.get("namespace", ""), meta.get("name", ""))
        if kind.namespaced and meta.get("namespace", key[0]) != key[0]:
            raise Invalid("the namespace of the object does not match the namespace on the request", code=400)
        if len(key[1]) > MOST_NAME_CHARS:
            raise Invalid(f"metadata.name: Invalid value: must be no more than {MOST_NAME_CHARS} characters")
        table = self._tables[kind.resource]
        if key in table.objects:
            raise AlreadyExists(f'{kind.resource} "{key[1]}" already exists')
        for owned in ("deletionTimestamp", "deletionGracePeriodSeconds", "generation"):
            meta.pop(owned, None)
        meta |= {
            "name": key[1],
            "uid": f"00000000-0000-4000-8000-{self._created:012x}",
            "creationTimestamp": CREATED_AT,
        }
        if kind.namespaced:
            meta["namespace"] = key[0]
        if _counts_generations(kind):
            meta["generation"] = 1
        new = {**body, "metadata": _without_empties(meta)}
        if kind.has_status:
            new.pop("status", None)
        self._ask(kind, None, new)
        return self._commit(kind, EventType.ADDED, new, None, actor)

    def replace(
        self, kind: Kind[Any], namespace: str, body: Mapping[str, Any], *, subresource: str = "", actor: str = ""
    ) -> Raw:
        """Compare-and-swap of the whole object, or of its status. `body` is taken over."""
        meta = body["metadata"]
        _check_type(kind, body)
        old = self.get(kind, namespace or meta.get("namespace", ""), meta["name"])
        return self._update(kind, old, body, subresource, actor)

    def patch(
        self,
        kind: Kind[Any],
        key: Key,
        patch: Mapping[str, Any],
        *,
        subresource: str = "",
        actor: str = "",
    ) -> Raw:
        """A JSON merge patch (RFC 7386) of the present object, or of its status."""
        old = self.get(kind, *key)
        new: Raw = merge_patch(old, patch)
        _check_type(kind, new)
        if new["metadata"]["name"] != old["metadata"]["name"]:
            raise Invalid("the name of the object does not match the name on the URL", code=400, reason="BadRequest")
        return self._update(kind, old, new, subresource, actor)

    def delete(
        self, kind: Kind[Any], key: Key, *, uid: str | None = None, version: str | None = None, actor: str = ""
    ) -> None:
        """Remove an object, or mark it where finalizers hold it."""
        old = self.get(kind, *key)
        meta = old["metadata"]
        _check_precondition(kind, "UID", uid, meta["uid"])
        _check_precondition(kind, "ResourceVersion", version, meta["resourceVersion"])
        if not meta.get("finalizers"):
            self._commit(kind, EventType.DELETED, old, old, actor)
        elif "deletionTimestamp" not in meta:
            marked = {**meta, "deletionTimestamp": DELETED_AT, "deletionGracePeriodSeconds": 0}
            if "generation" in meta:
                marked["generation"] = meta["generation"] + 1
            self._commit(kind, EventType.MODIFIED, {**old, "metadata": marked}, old, actor)

    # --- how a write is judged and kept -----------------------------------------------------------------------

    def _update(self, kind: Kind[Any], old: Raw, wanted: Mapping[str, Any], subresource: str, actor: str) -> Raw:
        _check_unmoved(kind, old, wanted["metadata"])
        new = _merged(kind, old, wanted, subresource)
        if new == old:
            return old  # a write that changes nothing makes no version and no event
        meta = new["metadata"]
        if "generation" in meta and _essence(kind, new) != _essence(kind, old):
            meta["generation"] += 1
        if "deletionTimestamp" in meta and not set(meta.get("finalizers", ())) <= set(
            old["metadata"].get("finalizers", ())
        ):
            raise Invalid(
                "metadata.finalizers: Forbidden: no new finalizers can be added if the object is being deleted"
            )
        self._ask(kind, old, new)
        if "deletionTimestamp" in meta and not meta.get("finalizers"):
            return self._commit(kind, EventType.DELETED, new, old, actor)
        return self._commit(kind, EventType.MODIFIED, new, old, actor)

    def _ask(self, kind: Kind[Any], old: Raw | None, new: Raw) -> None:
        for rule in self._tables[kind.resource].rules:
            if why := rule(kind, old, new):
                raise Invalid(f'{kind.kind}.{kind.group} "{new["metadata"]["name"]}" is invalid: {why}')

    def _commit(self, kind: Kind[Any], type_: EventType, body: Raw, before: Raw | None, actor: str) -> Raw:
        self.revision += 1
        stored = {**body, "metadata": {**body["metadata"], "resourceVersion": str(self.revision)}}
        key = (stored["metadata"].get("namespace", ""), stored["metadata"]["name"])
        change = Change(self.revision, type_, kind.resource, key, stored, before, actor)
        table = self._tables[kind.resource]
        table.log.append(change)
        table.history[key].append(change)
        if type_ is EventType.DELETED:
            del table.objects[key]
        else:
            table.objects[key] = stored
        for observer in (*table.observers, *self._observers):
            observer(change)
        return stored


def copied(value: Any) -> Any:
    """A copy of JSON-like data that shares nothing alterable; anything that is not JSON is a mistake of the caller."""
    kind = type(value)
    if kind is dict:  # most of what is in one are texts
        return {name: inner if type(inner) is str else copied(inner) for name, inner in value.items()}
    if kind is list or kind is tuple:
        return [copied(inner) for inner in value]
    if kind in (str, int, float, bool, type(None)):
        return value
    if isinstance(value, str):  # a StrEnum
        return str.__str__(value)
    if isinstance(value, Mapping):
        return {str(name): copied(inner) for name, inner in value.items()}
    raise TypeError(f"{value!r} cannot be written as JSON")


def merge_patch(target: Any, patch: Any) -> Any:
    """RFC 7386: null deletes, objects merge, everything else replaces. Neither argument is altered."""
    if not isinstance(patch, Mapping):
        return patch
    result = dict(target) if isinstance(target, Mapping) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merge_patch(result.get(name), value)
    return result


def _revision(change: Change) -> int:
    return change.revision


def _at(changes: list[Change], revision: int) -> Raw | None:
    """The body that stood at a revision (not one before the last compaction)."""
    index = bisect.bisect_right(changes, revision, key=_revision)
    change = changes[index - 1] if index else None
    return change.body if change and change.type is not EventType.DELETED else None


def _key(kind: Kind[Any], namespace: str, name: str) -> Key:
    if not name:
        raise Invalid(f"{kind.kind}: metadata.name: Required value: name or generateName is required")
    if kind.namespaced and not namespace:
        raise Invalid(f"{kind.resource} need a namespace", code=400, reason="BadRequest")
    return (namespace if kind.namespaced else "", name)


def _check_type(kind: Kind[Any], body: Mapping[str, Any]) -> None:
    if (body.get("apiVersion"), body.get("kind")) != (kind.api_version, kind.kind):
        raise Invalid(
            f"the API version or kind in the data does not match {kind.resource}", code=400, reason="BadRequest"
        )


def _check_precondition(kind: Kind[Any], what: str, wanted: str | None, found: str) -> None:
    if wanted is not None and wanted != found:
        raise Conflict(f"Precondition failed: {what} in precondition: {wanted}, {what} in object meta: {found}")


def _check_unmoved(kind: Kind[Any], old: Raw, meta: Mapping[str, Any]) -> None:
    found = old["metadata"]
    _check_precondition(kind, "UID", meta.get("uid") or None, found["uid"])
    version = meta.get("resourceVersion") or found["resourceVersion"]
    if version != found["resourceVersion"]:
        raise Conflict(
            f'Operation cannot be fulfilled on {kind.resource} "{found["name"]}": the object has been modified; '
            "please apply your changes to the latest version and try again"
        )


def _merged(kind: Kind[Any], old: Raw, wanted: Mapping[str, Any], subresource: str) -> Raw:
    """What the write may change: only status through `status`; all but status and the server's own otherwise."""
    if subresource not in ("", "status") or (subresource and not kind.has_status):
        raise NotFound(f"the server could not find the requested resource: {kind.resource}/{subresource}")
    if subresource:
        new = dict(old)
        new["metadata"] = dict(old["metadata"])
        return _with_status_of(new, wanted)
    deleted_at = wanted["metadata"].get("deletionTimestamp")
    if deleted_at and deleted_at != old["metadata"].get("deletionTimestamp"):
        raise Invalid(f'metadata.deletionTimestamp: Invalid value: "{deleted_at}": field is immutable')
    meta = {name: value for name, value in wanted["metadata"].items() if name not in _SERVER_OWNED}
    meta |= {name: old["metadata"][name] for name in _SERVER_OWNED if name in old["metadata"]}
    new = {**wanted, "metadata": _without_empties(meta)}
    return _with_status_of(new, old) if kind.has_status else new


def _with_status_of(new: Raw, source: Mapping[str, Any]) -> Raw:
    if "status" in source:
        new["status"] = source["status"]
    else:
        new.pop("status", None)
    return new


def _without_empties(meta: Raw) -> Raw:
    return {name: value for name, value in meta.items() if value or name not in _DROPPED_WHEN_EMPTY}


def _counts_generations(kind: Kind[Any]) -> bool:
    """Custom resources do; Leases, Secrets and the like do not."""
    return "." in kind.group and not kind.group.endswith("k8s.io")


def _essence(kind: Kind[Any], body: Raw) -> Raw:
    left_out = ("metadata", "status") if kind.has_status else ("metadata",)
    return {name: value for name, value in body.items() if name not in left_out}
