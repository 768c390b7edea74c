"""What people are told of an action and of what came of it. Pure: an action in, an Event to be said (or none) out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, cast

from backstay_api.objects.models.base import Condition
from backstay_api.objects.object_kinds import HA_SERVICES, HOSTS
from backstay_operator.control.act.apply import Outcome, Result
from backstay_operator.control.act.refs import Subject, is_for_people, subject_of
from backstay_operator.control.report.recorder import Said, Type
from backstay_operator.planner.actions import (
    Action,
    CreateClaim,
    RemoveMoveWish,
    ReopenLease,
    RequestFence,
    SealLease,
    UpdateFence,
    WriteHostStatus,
    WriteInstance,
    WriteServiceStatus,
)
from backstay_operator.planner.know.holdings import owners
from backstay_operator.planner.know.liveness import Liveness

_LOST: Final = (Liveness.SILENT.value, Liveness.SEALED.value)

UidOf = Callable[[Subject], str]


def tell(action: Action, result: Result, uid_of: UidOf) -> Said | None:
    """The Event for what was done or refused; None where it is no news for people."""
    if result.outcome is Outcome.REFUSED:
        about = subject_of(action)
        note = f"{type(action).__name__} was refused: {result.why} (it was wanted because {_why(action)})"
        return Said(about, uid_of(about), "Warning", "Refused", type(action).__name__, note)
    if result.outcome is not Outcome.DONE:
        return None
    if is_for_people(action):
        return _trouble(action, uid_of)
    told = _decision(action)
    if told is None:
        return None
    about, type_, reason = told
    return Said(about, uid_of(about), type_, reason, type(action).__name__, _why(action))


def _trouble(action: Action, uid_of: UidOf) -> Said | None:
    """What has begun to be amiss by this status: whoever is told by Events alone learns what is missing, too."""
    match action:
        case WriteServiceStatus() if acts := _acts(action):
            about = subject_of(action)
            return Said(about, uid_of(about), "Normal", "ByAdmin", type(action).__name__, acts)
        case WriteServiceStatus() if not any(each.epoch for each in action.status.instances):
            return None  # it has never run: what it still waits for is no loss
        case WriteServiceStatus():
            before, after, kind, wrong = action.before.status.conditions, action.status.conditions, "Degraded", "True"
        case WriteHostStatus() if action.status.get("liveness") not in _LOST:
            return None  # one that has only just been enrolled, or opens a session
        case WriteHostStatus():
            after = [Condition.model_validate(one) for one in cast(list[object], action.status.get("conditions", []))]
            before, kind, wrong = action.before.status.conditions, "Ready", "False"
        case _:
            return None
    was, now = _found(before, kind), _found(after, kind)
    if now is None or now.status != wrong or (was is not None and (was.status, was.message) == (wrong, now.message)):
        return None
    about = subject_of(action)
    return Said(about, uid_of(about), "Warning", now.reason, type(action).__name__, now.message)


def _acts(action: WriteServiceStatus) -> str:
    """What somebody has done to it on the host itself since the status before."""
    known = {one.by_admin for one in action.before.status.instances}
    return next((one.by_admin for one in action.status.instances if one.by_admin and one.by_admin not in known), "")


def _found(conditions: Sequence[Condition], kind: str) -> Condition | None:
    return next((one for one in conditions if one.type == kind), None)


def _decision(action: Action) -> tuple[Subject, Type, str] | None:
    match action:
        case WriteInstance():
            service = Subject(HA_SERVICES, action.before.metadata.namespace or "", action.spec.service.name)
            if action.spec.grant is None:
                return service, "Normal", "Closed"
            return service, "Normal", "Granted"
        case SealLease():
            return _host(action.lease.host), "Warning", "Sealed"
        case ReopenLease():
            return _host(action.lease.host), "Normal", "Reopened"
        case RequestFence():
            return _host(action.spec.host), "Warning", "Fencing" if action.spec.want == "Off" else "Suspected"
        case UpdateFence():
            reasons = {"Observe": "Suspected", "Off": "Fencing", "Withdrawn": "FalseAlarm"}
            return (
                _host(action.before.spec.host),
                "Normal" if action.want == "Withdrawn" else "Warning",
                reasons[action.want],
            )
        case RemoveMoveWish():
            return subject_of(action), "Normal", "MoveEnded"
        case CreateClaim():
            owner = next(owners(action.claim))
            return Subject(HA_SERVICES, owner.namespace, owner.name), "Normal", "Claimed"
        case _:
            return None


def _host(name: str) -> Subject:
    return Subject(HOSTS, "", name)


def _why(action: Action) -> str:
    return action.why or "the plan says so"
