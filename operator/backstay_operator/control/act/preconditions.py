"""The one place where an action's preconditions are held against the API server, by reads that ask a quorum.

What was read goes into the cache, whatever it says: where it differs from what we believed, the next plan knows better.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeVar, assert_never

from backstay_api.client.api import Api, Listing
from backstay_api.client.errors import NotFound
from backstay_api.objects.kinds import Kind, Raw, Ref, unread, versions_of
from backstay_api.objects.models import HAInstance, HostAssignment
from backstay_api.objects.object_kinds import (
    HA_INSTANCES,
    HA_SERVICES,
    HOST_ASSIGNMENTS,
    HOST_LEASES,
    KINDS,
    RESOURCE_CLAIMS,
    Unreadable,
)
from backstay_api.objects.resource_kinds import units_of
from backstay_operator.control.watch.cache import Cache
from backstay_operator.planner.preconditions import (
    Alone,
    Gone,
    HoldsNothing,
    NoInstances,
    Owned,
    Precondition,
    Silent,
    Still,
    Unnamed,
)

READ_TIMEOUT_S: Final = 5.0
_FEW: Final = 4
"""Of more hosts that are passed over not each is asked about by itself."""
T = TypeVar("T")


class NotSo(Exception):
    """Something that the write stands on is not so; the message is a sentence. Nothing was written."""


class Preconditions:
    """Asks the API server, side by side, whether all of them hold. Raises NotSo, or ApiError where nobody can tell."""

    def __init__(self, api: Api, cache: Cache) -> None:
        self._api = api
        self._cache = cache

    async def hold(self, needs: Sequence[Precondition]) -> None:
        if not needs:
            return
        silent = [need for need in needs if isinstance(need, Silent)]
        many = silent if len(silent) > _FEW else []
        alone = (need for need in needs if need not in many)
        answers = await asyncio.gather(*map(self._ask, alone), self._all_silent(many), return_exceptions=True)
        errors = [answer for answer in answers if isinstance(answer, BaseException)]
        for error in errors:
            raise error
        whys = [answer for answer in answers if isinstance(answer, str)]
        if whys:
            raise NotSo("; ".join(whys))

    async def _ask(self, need: Precondition) -> str | None:
        match need:
            case Still():
                return _and(await self._still(need), need.what_for)
            case Gone():
                return _and(await self._gone(need), need.what_for)
            case Owned():
                return await self._owned(need)
            case NoInstances():
                there = await self._instances(need.namespace)
                found = [one for one in there if one.spec.service.uid == need.service_uid and one.uid not in need.but]
                return _and(f"{found[0].key} is there" if found else None, need.what_for)
            case Alone():
                there = await self._instances(need.namespace)
                found = [one for one in there if one.spec.service.uid == need.service_uid and one.holder == need.host]
                other = next((one for one in found if one.uid != need.but and not one.is_promoted), None)
                return _and(f"{other.key} is granted to {need.host}" if other else None, need.what_for)
            case HoldsNothing():
                held = [one for one in await self._instances("") if one.holder == need.host]
                return _and(f"{held[0].key} is granted to {need.host}" if held else None, need.what_for)
            case Unnamed():
                return _and(await self._unnamed(need), need.what_for)
            case Silent():
                return _and(await self._silent(need), need.what_for)
        assert_never(need)

    async def _still(self, need: Still) -> str | None:
        kind, read_it = KINDS[need.kind], self._find if need.version else self._read
        body = await read_it(kind, need.name, need.namespace)
        if body is None:
            return f"{need.kind} {need.name} is gone"
        meta = body["metadata"]
        if meta.get("uid", "") != need.uid:
            return f"{need.kind} {need.name} is another one, made again under the same name"
        if need.version and meta.get("resourceVersion") != need.version:
            return f"{need.kind} {need.name} has changed"
        if need.generation is not None and meta.get("generation") != need.generation:
            return f"{need.kind} {need.name} has been edited"
        if need.finalizer and meta.get("deletionTimestamp"):
            return f"{need.kind} {need.name} is being deleted"
        if need.finalizer and need.finalizer not in (meta.get("finalizers") or ()):
            return f"{need.kind} {need.name} does not carry our finalizer any more"
        read = kind.read(body)
        return f"{need.kind} {need.name} cannot be read: {read.why}" if isinstance(read, Unreadable) else None

    async def _gone(self, need: Gone) -> str | None:
        body = await self._find(KINDS[need.kind], need.name, need.namespace)
        is_there = body is not None and need.uid in ("", body["metadata"].get("uid", ""))
        return f"{need.kind} {need.name} is there" if is_there else None

    async def _owned(self, need: Owned) -> str | None:
        body = await self._read(RESOURCE_CLAIMS, need.name)
        claim = RESOURCE_CLAIMS.read(body) if body is not None else None
        if claim is None or isinstance(claim, Unreadable):
            return f"{need.text} is not claimed"
        spec, where = claim.spec, f" on {need.host}" if need.host else ""
        owner = spec.owner or next((one for one in spec.hosts or () if one.host == need.host), None)
        if owner is None:
            return f"{need.text} is not claimed{where}"
        return None if owner.uid == need.uid else f"{need.text} belongs to the HAService {owner.key}{where}"

    async def _unnamed(self, need: Unnamed) -> str | None:
        for body in (await self._list(HA_SERVICES)).items:
            service = HA_SERVICES.read(body)
            if isinstance(service, Unreadable):
                return f"HAService {service.key} cannot be read, so nobody knows what it names: {service.why}"
            named = sorted({*need.units} & {*units_of(service.spec.resources)})
            if named and (service.uid, service.metadata.generation or 0) not in need.known:
                return f"HAService {service.key} names {named[0]}"
        return None

    async def _silent(self, need: Silent) -> str | None:
        lease = _readable(HOST_LEASES, await self._find(HOST_LEASES, need.host, HOST_LEASES.home))
        if (lease.resource_version if lease else "") != need.lease:
            return f"{need.host} was taken for silent, and its Lease has changed since"
        found, known = _readable(HOST_ASSIGNMENTS, await self._find(HOST_ASSIGNMENTS, need.host, "")), need.assignment
        if (found and _told_and_said(found)) != (known and _told_and_said(known)):
            return f"{need.host} was taken for silent, and its HostAssignment says something else now"
        return None

    async def _all_silent(self, needs: Sequence[Silent]) -> str | None:
        """Of many hosts that are off, or were never installed: two lists, and of those that have changed all."""
        if not needs:
            return None
        leases = await self._versions(HOST_LEASES)
        assignments = await self._versions(HOST_ASSIGNMENTS)
        for need in needs:
            known = need.assignment.metadata.resource_version if need.assignment else None
            is_same = leases.get(need.host, "") == need.lease and assignments.get(need.host) == known
            if not is_same and (why := await self._silent(need)):
                return _and(why, need.what_for)
        return None

    async def _versions(self, kind: Kind[Any]) -> Mapping[str, str]:
        """By name: the version of each object."""
        found = (await self._listed(versions_of(kind), kind, kind.home)).items
        return {body["metadata"]["name"]: body["metadata"]["resourceVersion"] for body in found}

    async def _find(self, kind: Kind[Any], name: str, namespace: str) -> Raw | None:
        """The same as `_read`, but of an answer that is not from the past."""
        before = self._cache.meta(kind, kind.key(namespace, name))
        found = (await self._list(kind, namespace, name)).items
        if not found and before is not None:
            self._cache.forget(kind, before)
        return found[0] if found else None

    async def _list(self, kind: Kind[Any], namespace: str = "", name: str = "") -> Listing[Raw]:
        listing = await self._listed(unread(kind), kind, namespace, name)
        for body in listing.items:
            self._cache.observe(kind, body)
        return listing

    async def _listed(self, read_as: Kind[Raw], kind: Kind[Any], namespace: str = "", name: str = "") -> Listing[Raw]:
        # Before it is sent: what we learn meanwhile may be newer than an honest answer.
        newest = self._cache.newest(kind)
        listing = await self._api.list(read_as, namespace, name=name, timeout_s=READ_TIMEOUT_S)
        if int(listing.resource_version) < newest:
            raise NotSo(
                f"the API server has answered from the past: as of {listing.resource_version}, and {newest} was seen"
            )
        return listing

    async def _read(self, kind: Kind[Any], name: str, namespace: str = "") -> Raw | None:
        return await look(self._api, self._cache, Ref(kind, namespace, name))

    async def _instances(self, namespace: str) -> list[HAInstance]:
        found: list[HAInstance] = []
        for body in (await self._list(HA_INSTANCES, namespace)).items:
            read = HA_INSTANCES.read(body)
            if isinstance(read, Unreadable):
                raise NotSo(f"HAInstance {read.key} cannot be read, so nobody knows what it holds: {read.why}")
            found.append(read)
        return found


async def look(api: Api, cache: Cache, ref: Ref) -> Raw | None:
    """Read one object into the cache; None if it is gone."""
    before = cache.meta(ref.kind, ref.key)
    try:
        body = await api.get(unread(ref.kind), ref.name, ref.namespace, timeout_s=READ_TIMEOUT_S)
    except NotFound:
        if before is not None:
            cache.forget(ref.kind, before)
        return None
    cache.observe(ref.kind, body)
    return body


def _readable(kind: Kind[T | Unreadable], body: Raw | None) -> T | None:
    read = kind.read(body) if body is not None else None
    return None if isinstance(read, Unreadable) else read


def _told_and_said(assignment: HostAssignment) -> tuple[object, ...]:
    """What may run there. By the rest of its orders, as what it stands by for, nothing is started."""
    return assignment.uid, assignment.spec.instances, assignment.status


def _and(why: str | None, what_for: str) -> str | None:
    return f"{why} ({what_for})" if why and what_for else why
