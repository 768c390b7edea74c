"""What each action does to a stage's world, as the API server would: what breaks a rule of its own is refused."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final, Protocol

from backstay_api.objects import lease as leases
from backstay_api.objects.models import FenceRequest, HAInstance, HAService, Host, HostAssignment
from backstay_api.objects.models.base import Model
from backstay_api.objects.models.host import HostStatus
from backstay_operator.planner import actions as act
from backstay_operator.planner.do.orders import merge_forward
from backstay_operator.planner.know.world import LeaseSeen, World


class Server(Protocol):
    """What is written to."""

    world: World

    def meta(self, name: str, **more: Any) -> dict[str, Any]: ...
    def fresh(self, lease: leases.HostLease) -> leases.HostLease: ...
    def edit_service(self, name: str, **metadata: Any) -> None: ...


def fits(action: act.Action) -> None:
    """What is written is what the API server takes: nothing that was made without being checked is too long for it."""
    for name in ("spec", "status", "claim"):
        if isinstance(part := getattr(action, name, None), Model):
            type(part).model_validate(part.wire())
    if isinstance(action, act.WriteHostStatus):
        HostStatus.model_validate(action.status)


def obeys_rules(old: Model, new: Model) -> None:
    """Its schema's rules hold."""
    for rule in type(new).rules:
        holds = rule.check(old, new) if rule.is_transition else rule.check(new)
        assert holds, f"{rule.message}:\n{old}\n{new}"


# --- instances -------------------------------------------------------------------------------------------------------


def _create_instance(to: Server, action: act.CreateInstance) -> None:
    made = to.meta(action.name, namespace=action.namespace)
    made |= {"uid": f"uid-{action.name}-{made['resourceVersion']}", "finalizers": ["backstay.dev/instance"]}
    to.world.put_instance(HAInstance(metadata=made, spec=action.spec))


def _write_instance(to: Server, action: act.WriteInstance) -> None:
    obeys_rules(action.before.spec, action.spec)
    assert to.world.instances[action.before.key] is action.before
    to.world.put_instance(action.before.model_copy(update={"spec": action.spec}))


def _delete_instance(to: Server, action: act.DeleteInstance) -> None:
    to.world.drop_instance(action.before.key)


# --- hosts: Leases, orders, power ------------------------------------------------------------------------------------


def _create_lease(to: Server, action: act.CreateLease) -> None:
    new = leases.new(action.host, *((action.session.text, action.session.seq) if action.session else ("", 0)))
    made = to.fresh(new.sealed_() if action.sealed else new)
    to.world.leases[action.host] = LeaseSeen(made, to.world.now_s, to.world.now_s if action.sealed else None)


def _seal_lease(to: Server, action: act.SealLease) -> None:
    old = to.world.leases[action.lease.host]
    assert old.lease is action.lease
    sealed = to.fresh(action.lease.sealed_())
    to.world.leases[action.lease.host] = replace(old, lease=sealed, sealed_seen_s=to.world.now_s)


def _reopen_lease(to: Server, action: act.ReopenLease) -> None:
    reopened = to.fresh(action.lease.reopened(action.session.text, action.session.seq))
    to.world.leases[action.lease.host] = LeaseSeen(reopened, first_seen_s=to.world.now_s)


def _delete_lease(to: Server, action: act.DeleteLease) -> None:
    to.world.drop_lease(action.lease.host)


def _assign(to: Server, action: act.Assign) -> None:
    known = to.world.assignments.get(action.host)
    old = known or HostAssignment.from_wire({"metadata": to.meta(action.host)})
    spec = merge_forward(old.spec, action.spec, action.over)
    for uid, entry in old.spec.instances.items():
        later = spec.instances.get(uid)
        assert later is None or later.epoch > entry.epoch or entry.want == "Up" or later.want == "Down"
    to.world.put_assignment(old.model_copy(update={"spec": spec}))


def _delete_assignment(to: Server, action: act.DeleteAssignment) -> None:
    to.world.drop_assignment(action.before.key)


def _request_fence(to: Server, action: act.RequestFence) -> None:
    assert action.name not in to.world.requests
    to.world.put_request(FenceRequest(metadata=to.meta(action.name, uid=action.name), spec=action.spec))


def _update_fence(to: Server, action: act.UpdateFence) -> None:
    spec = action.before.spec.model_copy(update={"want": action.want})
    obeys_rules(action.before.spec, spec)
    to.world.put_request(action.before.model_copy(update={"spec": spec}))


def _delete_fence(to: Server, action: act.DeleteFence) -> None:
    to.world.drop_request(action.before.key)


# --- claims and finalizers: another write of this round may have been first, which is a conflict ---------------------


def _create_claim(to: Server, action: act.CreateClaim) -> None:
    to.world.claims.setdefault(action.claim.metadata.name, action.claim)


def _write_claim(to: Server, action: act.WriteClaim) -> None:
    if to.world.claims.get(action.before.metadata.name) is not action.before:
        return
    obeys_rules(action.before.spec, action.spec)
    before = {one.host: one for one in action.before.spec.hosts or ()}
    for one in action.spec.hosts or ():
        if one.host in before:
            obeys_rules(before[one.host], one)
    to.world.claims[action.before.metadata.name] = action.before.model_copy(update={"spec": action.spec})


def _delete_claim(to: Server, action: act.DeleteClaim) -> None:
    if to.world.claims.get(action.before.metadata.name) is action.before:
        del to.world.claims[action.before.metadata.name]


def _set_finalizer(to: Server, action: act.SetFinalizer) -> None:
    match action.before:
        case HAInstance():
            to.world.put_instance(_finalized(action.before, ["backstay.dev/instance"]))
        case HAService():
            known = to.world.services[action.before.key]
            if not action.present and known.metadata.deletion_timestamp:
                to.world.drop_service(action.before.key)
            else:
                to.world.put_service(_finalized(known, ["backstay.dev/service"] if action.present else []))
        case Host():
            host = to.world.hosts[action.before.key]
            if not action.present and host.metadata.deletion_timestamp:
                del to.world.hosts[action.before.key]
            else:
                to.world.hosts[host.key] = _finalized(host, ["backstay.dev/host"] if action.present else [])


def _finalized(known: Any, finalizers: list[str]) -> Any:
    return known.model_copy(update={"metadata": known.metadata.model_copy(update={"finalizers": finalizers})})


# --- what users see --------------------------------------------------------------------------------------------------


def _remove_move_wish(to: Server, action: act.RemoveMoveWish) -> None:
    to.edit_service(action.before.metadata.name, annotations={})


def _write_service_status(to: Server, action: act.WriteServiceStatus) -> None:
    to.world.put_service(to.world.services[action.before.key].model_copy(update={"status": action.status}))


def _write_host_status(to: Server, action: act.WriteHostStatus) -> None:
    if action.before.key in to.world.hosts:
        raw = to.world.hosts[action.before.key].wire()
        raw["status"] = {**raw.get("status", {}), **action.status}
        to.world.put_host(Host.from_wire(raw))


def _report(to: Server, action: act.ReportUnreadable) -> None:
    """An Event: nothing of the world changes."""


WRITES: Final[Mapping[type[act.Action], Callable[[Any, Any], None]]] = {
    act.CreateInstance: _create_instance,
    act.WriteInstance: _write_instance,
    act.DeleteInstance: _delete_instance,
    act.CreateLease: _create_lease,
    act.SealLease: _seal_lease,
    act.ReopenLease: _reopen_lease,
    act.DeleteLease: _delete_lease,
    act.Assign: _assign,
    act.DeleteAssignment: _delete_assignment,
    act.RequestFence: _request_fence,
    act.UpdateFence: _update_fence,
    act.DeleteFence: _delete_fence,
    act.CreateClaim: _create_claim,
    act.WriteClaim: _write_claim,
    act.DeleteClaim: _delete_claim,
    act.SetFinalizer: _set_finalizer,
    act.RemoveMoveWish: _remove_move_wish,
    act.WriteServiceStatus: _write_service_status,
    act.WriteHostStatus: _write_host_status,
    act.ReportUnreadable: _report,
}
"""One for each action that the planner may ask for."""
