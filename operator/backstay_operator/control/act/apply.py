"""Carries out one action: one preconditioned write, and what came of it goes into the cache at once.

Nothing here decides or retries. A conflict means "look again": the object is read and put into the cache, and the next
plan decides afresh. An outcome that nobody knows is looked up too; whatever it was, the next write names the version it is
decided from, so at most one of the two can take effect. The assertions stay on: they are what a grant must never pass,
whatever the planner says.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cache
from typing import Any, Final, TypeVar, assert_never

from backstay_api.client.api import Api
from backstay_api.client.errors import AlreadyExists, ApiError, ApiTrouble, Conflict, NotFound, OutcomeUnknown
from backstay_api.objects import lease as leases
from backstay_api.objects.kinds import Kind, ObjectVersion, Ref, unread
from backstay_api.objects.lease import HostLease
from backstay_api.objects.models import FenceRequest, HAInstance, HostAssignment
from backstay_api.objects.models.base import Meta, Model, Object
from backstay_api.objects.object_kinds import (
    FENCE_REQUESTS,
    HA_INSTANCES,
    HA_SERVICES,
    HOST_ASSIGNMENTS,
    HOST_LEASES,
    HOSTS,
    KINDS,
    RESOURCE_CLAIMS,
    Unreadable,
)
from backstay_api.objects.texts import clip
from backstay_operator.control.act.checks import WriteRefused, check_forward, check_size, check_step
from backstay_operator.control.act.preconditions import NotSo, Preconditions, look
from backstay_operator.control.watch.cache import Cache
from backstay_operator.planner import actions as act
from backstay_operator.planner.do.finalizers import FINALIZERS, INSTANCE_FINALIZER, REQUEST_FINALIZER
from backstay_operator.planner.do.moves import MOVE_ANNOTATION
from backstay_operator.planner.do.orders import keep_secured, merge_forward
from backstay_operator.planner.know.clearing import CLEAR_ANNOTATION
from backstay_operator.planner.rows import Rank

Held = TypeVar("Held", HAInstance, FenceRequest)

WRITE_TIMEOUT_S: Final = 5.0


class Outcome(Enum):
    DONE = "done"
    LOOK_AGAIN = "look_again"
    """It was decided from an older version, or the object is gone: nothing was written."""
    REFUSED = "refused"
    """The API server will not have it, however often it is sent."""
    TROUBLE = "trouble"
    """The way to the API server is in trouble; nobody may know what came of it."""


@dataclass(frozen=True)
class Result:
    outcome: Outcome
    why: str = ""


class Writer:
    """Writes through lanes of their own, so that what is only told never delays what acts."""

    def __init__(self, api: Api, cache: Cache) -> None:
        self._acting = api.lane("acting")
        self._telling = api.lane("telling")
        self._cache = cache
        self._preconditions = Preconditions(api.lane("asking"), cache)

    async def apply(self, action: act.Action) -> Result:
        """Do it once, and say what is now true."""
        ref = action.ref
        api = self._telling if action.rank is Rank.PEOPLE else self._acting
        try:
            await self._preconditions.hold(action.needs)
            await self._do(api, action)
        except NotSo as error:
            return Result(Outcome.LOOK_AGAIN, str(error))
        except (Conflict, AlreadyExists, NotFound, OutcomeUnknown) as error:
            seen = await self.look_again(ref)
            return Result(Outcome.LOOK_AGAIN if seen else Outcome.TROUBLE, str(error))
        except ApiTrouble as error:
            return Result(Outcome.TROUBLE, str(error))
        except (ApiError, WriteRefused) as error:
            return Result(Outcome.REFUSED, str(error))
        return Result(Outcome.DONE)

    async def look_again(self, ref: Ref) -> bool:
        """Read one object into the cache; False if that could not be done."""
        try:
            await look(self._acting, self._cache, ref)
        except ApiError:
            return False
        return True

    async def _do(self, api: Api, action: act.Action) -> None:  # noqa: C901 (one flat table of all actions)
        match action:
            case act.CreateInstance():
                await self._create_instance(api, action)
            case act.WriteInstance():
                await self._write_instance(api, action)
            case act.WriteRequired():
                spec = action.before.spec.model_copy(update={"required": list(action.required) or None})
                await self._replace(api, HA_INSTANCES, action.before.model_copy(update={"spec": spec}))
            case act.DeleteInstance():
                assert action.before.spec.grant is None, f"{action.before.key}: its last epoch is not closed"
                await self._delete_marked(api, HA_INSTANCES, action.before, _still_closed)
            case act.CreateLease():
                session = action.session
                lease = leases.new(action.host, session.text, session.seq) if session else leases.new(action.host)
                await self._create(api, HOST_LEASES, lease.sealed_() if action.sealed else lease, leases.NAMESPACE)
            case act.SealLease():
                assert not action.before.sealed, f"{action.before.host}: its lease is sealed already"
                await self._replace(api, HOST_LEASES, _sealed(action))
            case act.ReopenLease():
                opened = action.before.reopened(action.session.text, action.session.seq)
                await self._replace(api, HOST_LEASES, opened)
            case act.Assign():
                await self._assign(api, action)
            case act.RequestFence():
                finalizers = [REQUEST_FINALIZER] if action.spec.want == "Off" else None
                meta = Meta(name=action.name, finalizers=finalizers)
                await self._create(api, FENCE_REQUESTS, FenceRequest(metadata=meta, spec=action.spec))
            case act.UpdateFence():
                await self._update_fence(api, action)
            case act.DeleteFence():
                await self._delete_marked(api, FENCE_REQUESTS, action.before, _still_as_decided)
            case act.DeleteClaim() | act.DeleteAssignment() | act.DeleteLease():
                await self._delete(api, action.ref.kind, action.before)
            case act.CreateClaim():
                await self._create(api, RESOURCE_CLAIMS, action.claim)
            case act.WriteClaim():
                await self._replace(api, RESOURCE_CLAIMS, action.before.model_copy(update={"spec": action.spec}))
            case act.SetFinalizer():
                await self._set_finalizer(api, action.before, present=action.present)
            case act.RemoveMoveWish() | act.RemoveClear():
                name = MOVE_ANNOTATION if isinstance(action, act.RemoveMoveWish) else CLEAR_ANNOTATION
                body = {"metadata": {"annotations": {name: None}}}
                await self._patch(api, HA_SERVICES, action.before, body)
            case act.WriteServiceStatus() | act.WriteClassStatus():
                status = {**dict.fromkeys(_names_in(type(action.status))), **action.status.wire()}
                await self._patch(api, action.ref.kind, action.before, {"status": status}, subresource="status")
            case act.WriteHostStatus():
                assert not {"fencing", "machine"} & set(action.status), "these of Host.status belong to the fencer"
                await self._patch(api, HOSTS, action.before, {"status": action.status}, subresource="status")
            case act.ReportUnreadable():
                await self._report_unreadable(api, action)
            case _:
                assert_never(action)

    # --- instances ----------------------------------------------------------------------------------------------

    async def _create_instance(self, api: Api, action: act.CreateInstance) -> None:
        assert action.spec.epoch == 0 and action.spec.grant is None, f"{action.name}: the first epoch is granted by CAS"
        metadata = Meta(name=action.name, namespace=action.namespace, finalizers=[INSTANCE_FINALIZER])
        await self._create(api, HA_INSTANCES, HAInstance(metadata=metadata, spec=action.spec), action.namespace)

    async def _write_instance(self, api: Api, action: act.WriteInstance) -> None:
        before = action.before
        check_step(before.spec, action.spec)
        if action.spec.epoch > before.spec.epoch and INSTANCE_FINALIZER not in (before.metadata.finalizers or ()):
            raise WriteRefused(
                f"HAInstance {before.key} does not carry our finalizer, so anybody could delete it while it runs"
            )
        await self._replace(api, HA_INSTANCES, before.model_copy(update={"spec": action.spec}))

    # --- fence requests -----------------------------------------------------------------------------------------

    async def _update_fence(self, api: Api, action: act.UpdateFence) -> None:
        """Whoever deletes it from its `Off` on only marks it: what we have switched off must not be forgotten with it."""
        body: dict[str, Any] = {"spec": {"want": action.want, "why": clip(action.why)}}
        meta = action.before.metadata
        if action.want == "Off" and meta.deletion_timestamp is None:
            body["metadata"] = {"finalizers": sorted({*(meta.finalizers or []), REQUEST_FINALIZER})}
        await self._patch(api, FENCE_REQUESTS, action.before, body)

    # --- assignments --------------------------------------------------------------------------------------------

    async def _assign(self, api: Api, action: act.Assign) -> None:
        if self._cache.world.cannot_read(HostAssignment, action.host):
            raise WriteRefused(f"HostAssignment {action.host} cannot be read, so its orders cannot be brought forward")
        stored = self._cache.world.assignments.get(action.host)
        if stored is None:
            check_size(action.host, action.spec)
            wanted = HostAssignment(metadata=Meta(name=action.host), spec=action.spec)
            await self._create(api, HOST_ASSIGNMENTS, wanted)
            return
        gone = action.gives_back if stored.metadata.resource_version == action.version else frozenset[str]()
        spec = keep_secured(stored.spec, merge_forward(stored.spec, action.spec, action.over), but=gone)
        if spec == stored.spec:
            return
        check_forward(stored.spec, spec)
        check_size(action.host, spec)
        await self._replace(api, HOST_ASSIGNMENTS, stored.model_copy(update={"spec": spec}))

    # --- what people read ---------------------------------------------------------------------------------------

    async def _report_unreadable(self, api: Api, action: act.ReportUnreadable) -> None:
        ref = action.ref
        known = self._cache.meta(ref.kind, ref.key)
        if known is None:
            return
        conditions = [one.wire() for one in action.conditions]
        status = {"observedGeneration": action.generation, "conditions": conditions}
        body = {"metadata": {"resourceVersion": known.resource_version}, "status": status}
        written = await api.patch(
            unread(ref.kind), ref.name, body, ref.namespace, subresource="status", timeout_s=WRITE_TIMEOUT_S
        )
        self._cache.put(ref.kind, ref.kind.read(written), ObjectVersion.of(written))

    # --- the four writes ----------------------------------------------------------------------------------------

    async def _create(self, api: Api, kind: Kind[Any], obj: Any, namespace: str = "") -> None:
        self._keep(kind, await api.create(kind, obj, namespace, timeout_s=WRITE_TIMEOUT_S))

    async def _replace(self, api: Api, kind: Kind[Any], obj: Any) -> None:
        self._keep(kind, await api.replace(kind, obj, timeout_s=WRITE_TIMEOUT_S))

    async def _patch(
        self, api: Api, kind: Kind[Any], before: Object, body: Mapping[str, Any], *, subresource: str = ""
    ) -> None:
        """A merge patch of exactly this version."""
        version = before.metadata.resource_version
        assert version, f"{before.key}: a patch without a version is no compare-and-swap"
        metadata = {**body.get("metadata", {}), "resourceVersion": version}
        written = await api.patch(
            kind,
            before.metadata.name,
            {**body, "metadata": metadata},
            before.metadata.namespace or "",
            subresource=subresource,
            timeout_s=WRITE_TIMEOUT_S,
        )
        self._keep(kind, written)

    async def _delete(self, api: Api, kind: Kind[Any], before: Object | HostLease) -> None:
        """Delete exactly this version."""
        meta = meta_of(before)
        await api.delete(
            kind,
            meta.name,
            meta.namespace,
            uid=meta.uid,
            resource_version=meta.resource_version,
            timeout_s=WRITE_TIMEOUT_S,
        )
        if isinstance(before, HostLease) or not before.metadata.finalizers:
            self._cache.drop(kind, meta)

    async def _delete_marked(
        self, api: Api, kind: Kind[Held | Unreadable], before: Held, is_so_still: Callable[[Held, Held], bool]
    ) -> None:
        """Marked first, by UID and version; then our finalizer goes, by the version of the mark, if what was decided on is so still."""
        marked: Held | Unreadable = before
        if before.metadata.deletion_timestamp is None:
            await self._delete(api, kind, before)
            if not before.metadata.finalizers:
                return  # it is gone with that
            name, namespace = before.metadata.name, before.metadata.namespace or ""
            marked = await api.get(kind, name, namespace, timeout_s=WRITE_TIMEOUT_S)
            if not isinstance(marked, Unreadable) and marked.uid == before.uid:
                self._keep(kind, marked)
        if isinstance(marked, Unreadable) or marked.uid != before.uid or not is_so_still(marked, before):
            raise Conflict(f"{before.key} has changed since it was marked for deletion")
        await self._set_finalizer(api, marked, present=False)

    async def _set_finalizer(self, api: Api, before: Object, *, present: bool) -> None:
        kind = KINDS[type(before).__name__]
        ours = FINALIZERS[type(before)]
        others = [each for each in before.metadata.finalizers or [] if each != ours]
        wanted = [*others, ours] if present else others
        await self._patch(api, kind, before, {"metadata": {"finalizers": wanted or None}})
        if before.metadata.deletion_timestamp is not None and not wanted:
            # The answer was its last state: it is gone now.
            self._cache.drop(kind, meta_of(before))

    def _keep(self, kind: Kind[Any], written: Any) -> None:
        self._cache.put(kind, written, meta_of(written))


@cache
def _names_in(status: type[Model]) -> tuple[str, ...]:
    return tuple(each.alias or name for name, each in status.model_fields.items())


def _sealed(action: act.SealLease) -> HostLease:
    session = action.session
    return action.before.sealed_as(session.text, session.seq) if session else action.before.sealed_(alive=action.alive)


def _still_closed(marked: HAInstance, before: HAInstance) -> bool:
    """A grant between the mark and the end would move the version, too."""
    return marked.spec.grant is None


def _still_as_decided(marked: FenceRequest, before: FenceRequest) -> bool:
    """The fencer may tell of an `off` between the mark and the end."""
    return (marked.spec, marked.status) == (before.spec, before.status)


def meta_of(obj: Object | HostLease | Unreadable) -> ObjectVersion:
    """Identity of something that was read."""
    if isinstance(obj, HostLease):
        return ObjectVersion(leases.NAMESPACE, obj.host, obj.uid, obj.resource_version)
    if isinstance(obj, Unreadable):
        # Our own write came back as something we cannot read: another version of this program is at work.
        raise Conflict(f"{obj.kind} {obj.key} cannot be read after it was written: {obj.why}")
    meta = obj.metadata
    return ObjectVersion(meta.namespace or "", meta.name, obj.uid, meta.resource_version or "")
