"""Carries out one action: one preconditioned write, and what came of it goes into the mirror at once.

Nothing here decides or retries. A conflict means "look again": the object is read and put into the mirror, and the next
plan decides afresh. An outcome that nobody knows is looked up too; whatever it was, the next write names the version it is
decided from, so at most one of the two can take effect. The assertions stay on: they are what a grant must never pass,
whatever the planner says.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final, TypeVar, assert_never

from backstay_api.client.api import Api
from backstay_api.client.errors import AlreadyExists, ApiError, ApiTrouble, Conflict, NotFound, OutcomeUnknown
from backstay_api.objects import lease as leases
from backstay_api.objects.kinds import Kind, Meta, Ref, unread
from backstay_api.objects.lease import HostLease
from backstay_api.objects.models import FenceRequest, HAInstance, HAService, Host, HostAssignment
from backstay_api.objects.models.base import Meta as ObjectMeta
from backstay_api.objects.models.base import Object
from backstay_api.objects.models.service import HAServiceStatus
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
from backstay_operator.control.act.checks import Refused, check_forward, check_size, check_step
from backstay_operator.control.act.preconditions import NotSo, Preconditions, look
from backstay_operator.control.watch.cache import Mirror
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
from backstay_operator.planner.do.finalizers import (
    HOST_FINALIZER,
    INSTANCE_FINALIZER,
    REQUEST_FINALIZER,
    SERVICE_FINALIZER,
)
from backstay_operator.planner.do.moves import MOVE_ANNOTATION
from backstay_operator.planner.do.orders import merge_forward
from backstay_operator.planner.rows import Rank
from backstay_operator.planner.tell.conditions import Finding, settled

Held = TypeVar("Held", HAInstance, FenceRequest)

WRITE_TIMEOUT_S: Final = 5.0

FINALIZERS: Final[Mapping[type[Object], str]] = {
    HAService: SERVICE_FINALIZER,
    HAInstance: INSTANCE_FINALIZER,
    Host: HOST_FINALIZER,
    FenceRequest: REQUEST_FINALIZER,
}
_SERVICE_STATUS: Final = [each.alias or name for name, each in HAServiceStatus.model_fields.items()]


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

    def __init__(self, api: Api, mirror: Mirror) -> None:
        self._acting = api.lane("acting")
        self._telling = api.lane("telling")
        self._mirror = mirror
        self._preconditions = Preconditions(api.lane("asking"), mirror)

    async def apply(self, action: Action) -> Result:
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
        except (ApiError, Refused) as error:
            return Result(Outcome.REFUSED, str(error))
        return Result(Outcome.DONE)

    async def look_again(self, ref: Ref) -> bool:
        """Read one object into the mirror; False if that could not be done."""
        try:
            await look(self._acting, self._mirror, ref)
        except ApiError:
            return False
        return True

    async def _do(self, api: Api, action: Action) -> None:  # noqa: C901 (one flat table of all actions)
        match action:
            case CreateInstance():
                await self._create_instance(api, action)
            case WriteInstance():
                await self._write_instance(api, action)
            case DeleteInstance():
                await self._delete_instance(api, action.before)
            case CreateLease():
                session = action.session
                lease = leases.new(action.host, session.text, session.seq) if session else leases.new(action.host)
                await self._create(api, HOST_LEASES, lease.sealed_() if action.sealed else lease, leases.NAMESPACE)
            case SealLease():
                assert not action.before.sealed, f"{action.before.host}: its lease is sealed already"
                await self._replace(api, HOST_LEASES, action.before.sealed_())
            case ReopenLease():
                opened = action.before.reopened(action.session.text, action.session.seq)
                await self._replace(api, HOST_LEASES, opened)
            case Assign():
                await self._assign(api, action)
            case RequestFence():
                finalizers = [REQUEST_FINALIZER] if action.spec.want == "Off" else None
                meta = ObjectMeta(name=action.name, finalizers=finalizers)
                await self._create(api, FENCE_REQUESTS, FenceRequest(metadata=meta, spec=action.spec))
            case UpdateFence():
                await self._update_fence(api, action)
            case DeleteFence():
                await self._delete_fence(api, action.before)
            case DeleteClaim() | DeleteAssignment() | DeleteLease():
                await self._delete(api, action.ref.kind, action.before)
            case CreateClaim():
                await self._create(api, RESOURCE_CLAIMS, action.claim)
            case WriteClaim():
                await self._replace(api, RESOURCE_CLAIMS, action.before.model_copy(update={"spec": action.spec}))
            case SetFinalizer():
                await self._set_finalizer(api, action.before, present=action.present)
            case RemoveMoveWish():
                body = {"metadata": {"annotations": {MOVE_ANNOTATION: None}}}
                await self._patch(api, HA_SERVICES, action.before, body)
            case WriteServiceStatus():
                status = {**dict.fromkeys(_SERVICE_STATUS), **action.status.wire()}
                await self._patch(api, HA_SERVICES, action.before, {"status": status}, subresource="status")
            case WriteHostStatus():
                assert "fencing" not in action.status, "Host.status.fencing belongs to the fencer"
                await self._patch(api, HOSTS, action.before, {"status": action.status}, subresource="status")
            case ReportUnreadable():
                await self._report_unreadable(api, action)
            case _:
                assert_never(action)

    # --- instances ----------------------------------------------------------------------------------------------

    async def _create_instance(self, api: Api, action: CreateInstance) -> None:
        assert action.spec.epoch == 0 and action.spec.grant is None, f"{action.name}: the first epoch is granted by CAS"
        metadata = ObjectMeta(name=action.name, namespace=action.namespace, finalizers=[INSTANCE_FINALIZER])
        await self._create(api, HA_INSTANCES, HAInstance(metadata=metadata, spec=action.spec), action.namespace)

    async def _write_instance(self, api: Api, action: WriteInstance) -> None:
        before = action.before
        check_step(before.spec, action.spec)
        if action.spec.epoch > before.spec.epoch and INSTANCE_FINALIZER not in (before.metadata.finalizers or ()):
            raise Refused(
                f"HAInstance {before.key} does not carry our finalizer, so anybody could delete it while it runs"
            )
        await self._replace(api, HA_INSTANCES, before.model_copy(update={"spec": action.spec}))

    async def _delete_instance(self, api: Api, before: HAInstance) -> None:
        """Marked first, by UID and version; then our finalizer goes, by the version of the mark. A grant between the two
        would move the version."""
        assert before.spec.grant is None, f"{before.key}: epoch {before.spec.epoch} is not closed"
        marked = await self._marked(api, HA_INSTANCES, before)
        if marked is not None:
            if marked.spec.grant is not None:
                raise Conflict(f"{before.key} has changed since it was marked for deletion")
            await self._set_finalizer(api, marked, present=False)

    # --- fence requests -----------------------------------------------------------------------------------------

    async def _update_fence(self, api: Api, action: UpdateFence) -> None:
        """Whoever deletes it from its `Off` on only marks it: what we have switched off must not be forgotten with it."""
        body: dict[str, Any] = {"spec": {"want": action.want, "why": clip(action.why)}}
        meta = action.before.metadata
        if action.want == "Off" and meta.deletion_timestamp is None:
            body["metadata"] = {"finalizers": sorted({*(meta.finalizers or []), REQUEST_FINALIZER})}
        await self._patch(api, FENCE_REQUESTS, action.before, body)

    async def _delete_fence(self, api: Api, before: FenceRequest) -> None:
        """As it was decided on: the fencer may tell of an `off` between the mark and its end."""
        marked = await self._marked(api, FENCE_REQUESTS, before)
        if marked is not None:
            if (marked.spec, marked.status) != (before.spec, before.status):
                raise Conflict(f"{before.key} has changed since it was marked for deletion")
            await self._set_finalizer(api, marked, present=False)

    async def _marked(self, api: Api, kind: Kind[Held | Unreadable], before: Held) -> Held | None:
        """It, marked for deletion and read since; None if it is gone with that."""
        if before.metadata.deletion_timestamp is not None:
            return before
        await self._delete(api, kind, before)
        if not before.metadata.finalizers:
            return None
        marked = await api.get(kind, before.metadata.name, before.metadata.namespace or "", timeout_s=WRITE_TIMEOUT_S)
        if isinstance(marked, Unreadable) or marked.uid != before.uid:
            raise Conflict(f"{before.key} has changed since it was marked for deletion")
        self._keep(kind, marked)
        return marked

    # --- assignments --------------------------------------------------------------------------------------------

    async def _assign(self, api: Api, action: Assign) -> None:
        if ("HostAssignment", action.host) in self._mirror.world.unreadable:
            raise Refused(f"HostAssignment {action.host} cannot be read, so its orders cannot be brought forward")
        stored = self._mirror.world.assignments.get(action.host)
        if stored is None:
            check_size(action.host, action.spec)
            wanted = HostAssignment(metadata=ObjectMeta(name=action.host), spec=action.spec)
            await self._create(api, HOST_ASSIGNMENTS, wanted)
            return
        spec = merge_forward(stored.spec, action.spec, action.over)
        if spec == stored.spec:
            return
        check_forward(stored.spec, spec)
        check_size(action.host, spec)
        await self._replace(api, HOST_ASSIGNMENTS, stored.model_copy(update={"spec": spec}))

    # --- what people read ---------------------------------------------------------------------------------------

    async def _report_unreadable(self, api: Api, action: ReportUnreadable) -> None:
        ref = action.ref
        known = self._mirror.meta(ref.kind, ref.key)
        if known is None:
            return
        findings = [Finding("Ready", None, "Unreadable", action.message)]
        status: dict[str, Any] = {}
        if action.kind == "HAService":
            findings.insert(0, Finding("Accepted", False, "Unreadable", action.message))
            status["observedGeneration"] = action.generation
        conditions = settled((), findings, action.generation, self._mirror.world.wall)
        status["conditions"] = [one.wire() for one in conditions]
        body = {"metadata": {"resourceVersion": known.resource_version}, "status": status}
        written = await api.patch(
            unread(ref.kind), ref.name, body, ref.namespace, subresource="status", timeout_s=WRITE_TIMEOUT_S
        )
        self._mirror.put(ref.kind, ref.kind.read(written), Meta.of(written))

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
            self._mirror.drop(kind, meta)

    async def _set_finalizer(self, api: Api, before: Object, *, present: bool) -> None:
        kind = KINDS[type(before).__name__]
        ours = FINALIZERS[type(before)]
        others = [each for each in before.metadata.finalizers or [] if each != ours]
        wanted = [*others, ours] if present else others
        await self._patch(api, kind, before, {"metadata": {"finalizers": wanted or None}})
        if before.metadata.deletion_timestamp is not None and not wanted:
            # The answer was its last state: it is gone now.
            self._mirror.drop(kind, meta_of(before))

    def _keep(self, kind: Kind[Any], written: Any) -> None:
        self._mirror.put(kind, written, meta_of(written))


def meta_of(obj: Object | HostLease | Unreadable) -> Meta:
    """Identity of something that was read."""
    if isinstance(obj, HostLease):
        return Meta(leases.NAMESPACE, obj.host, obj.uid, obj.resource_version)
    if isinstance(obj, Unreadable):
        # Our own write came back as something we cannot read: another version of this program is at work.
        raise Conflict(f"{obj.kind} {obj.key} cannot be read after it was written: {obj.why}")
    meta = obj.metadata
    return Meta(meta.namespace or "", meta.name, obj.uid, meta.resource_version or "")
