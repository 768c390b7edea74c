"""Whatever a plan's statuses, orders and events say agrees with the actions of the same plan. Read from outside, sentence by sentence."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import cast

from backstay_api.objects.models import HAInstance, HAService
from backstay_api.objects.models.assignment import InstanceOrder
from backstay_api.objects.models.instance import HAInstanceSpec
from backstay_api.objects.models.service import HAServiceStatus
from backstay_operator.planner import actions as act
from backstay_operator.planner.know.liveness import Liveness, of_host
from backstay_operator.planner.know.world import World

# Every way in which a sentence names the host that comes next.
_NAMED = re.compile(r"(?:About to start on|moves to|goes to|starts again on) ([a-z0-9.-]*[a-z0-9])")
# What a host is said to hold: keys of instances.
_HOLDS = re.compile(r"it still holds ([^;]+)")
_KEY = re.compile(r"[a-z0-9.-]+/[a-z0-9.-]*[a-z0-9]")
# Every way in which a sentence says that nobody cuts a host off now.
_NOT_FENCED = re.compile(r"(?:is not|so none is sealed or) fenced")


def every_sentence_agrees(world: World, made: tuple[act.Action, ...]) -> None:
    """The plan was made of this world."""
    for service in world.services.values():
        _status_agrees(world, made, service)
    for action in made:
        if isinstance(action, act.WriteInstance) and action.spec.grant is not None:
            assert re.search(rf"(^|next ){action.spec.grant.host}, ", action.why), action.why
        for order in action.spec.instances.values() if isinstance(action, act.Assign) else ():
            assert not _NAMED.search(order.why), order.why
        if isinstance(action, act.WriteHostStatus):
            _host_status_agrees(world, made, action)


def _host_status_agrees(world: World, made: tuple[act.Action, ...], told: act.WriteHostStatus) -> None:
    """What stands in the status and in the Event. A host of which we cannot judge goes on being told what it was."""
    host, event = told.before.metadata.name, told.event()
    conditions = cast(list[dict[str, str]], told.status.get("conditions", []))
    texts = [*(one["message"] for one in conditions), *([event.note] if event is not None else [])]
    over = {one.before.key for one in made if isinstance(one, act.WriteInstance) and one.before.spec.grant is not None}
    for text in texts if of_host(world, host) is not Liveness.UNSURE else ():
        holds = {key for listed in _HOLDS.findall(text) for key in _KEY.findall(listed)}
        assert holds <= world.held_by.get(host, set()), f"{host} holds none of {holds}: {text}"
        assert not over & set(_KEY.findall(text)), f"this plan closes what {host} is said to hold: {text}"
        assert not (_is_cut_off(made, host) and _NOT_FENCED.search(text)), f"this plan cuts {host} off: {text}"


def _is_cut_off(made: tuple[act.Action, ...], host: str) -> bool:
    """Whether this plan seals it or wants it off."""
    return any(
        (isinstance(one, act.SealLease) and one.before.host == host)
        or (isinstance(one, act.UpdateFence) and one.want == "Off" and one.before.spec.host == host)
        or (isinstance(one, act.RequestFence) and one.spec.want == "Off" and one.spec.host == host)
        for one in made
    )


def _status_agrees(world: World, made: tuple[act.Action, ...], service: HAService) -> None:
    """Each slot speaks of itself. What is said of the service as a whole is said of its only slot, or names where some slot goes."""
    told = _told(service, made)
    there = [one for one in (world.instance_of(service, name) for name in service.slots) if one is not None]
    of_all = _hosts_in(one.message for one in told.conditions)
    of_slots = {
        one.uid: {
            host
            for each in told.instances
            if each.name == one.metadata.name
            for host in (*_hosts_in([each.why]), each.to)
            if host
        }
        for one in there
    }
    _what_is_closed_is_over(told, made)
    for instance in there:
        is_only = len(service.slots) == 1
        _slot_agrees(world, made, instance, of_slots[instance.uid] | (of_all if is_only else set()))
    assert not there or len(service.slots) == 1 or of_all <= set().union(*of_slots.values()), f"{service.key}: {of_all}"
    assert told.last_failover is None or not _NAMED.search(told.last_failover.cause), told.last_failover


def _what_is_closed_is_over(told: HAServiceStatus, made: tuple[act.Action, ...]) -> None:
    closed = {one.before.metadata.name for one in _written(made) if one.before.spec.grant and one.spec.grant is None}
    for each in told.instances:
        is_over = each.state not in ("Running", "Starting")
        assert each.name not in closed or is_over, f"closed, and {each.state}: {each.why}"


def _hosts_in(texts: Iterable[str]) -> set[str]:
    """Those that they name as the next."""
    return set(_NAMED.findall(" ".join(texts)))


def _slot_agrees(world: World, made: tuple[act.Action, ...], instance: HAInstance, named: set[str]) -> None:
    granted = next((host for key, host in _granted(made) if key == instance.key), "")
    target = granted or _target(world, made, instance.uid)
    assert len(named) <= 1, f"{instance.key}: {named}"
    if granted:
        assert named == {granted}, f"{instance.key} is granted to {granted}, and the status names {named}"
    elif _is_ordered_down_now(world, made, instance.uid):
        assert named == ({target} if target else set()), f"{instance.key} goes to {target}, the status names {named}"
    elif named:
        assert named == {target}, f"{instance.key}: nothing of this plan sends it to {named}"


def _written(made: tuple[act.Action, ...]) -> list[act.WriteInstance]:
    return [action for action in made if isinstance(action, act.WriteInstance)]


def _granted(made: tuple[act.Action, ...]) -> Iterator[tuple[str, str]]:
    """Key of the instance, and the host that this plan grants it to."""
    for action in _written(made):
        if action.spec.grant is not None:
            yield action.before.key, action.spec.grant.host


def _told(service: HAService, made: tuple[act.Action, ...]) -> HAServiceStatus:
    written = [a.status for a in made if isinstance(a, act.WriteServiceStatus) and a.before.key == service.key]
    return written[0] if written else service.status


def _orders(
    world: World, made: tuple[act.Action, ...], uid: str
) -> list[tuple[str, InstanceOrder | None, InstanceOrder | None]]:
    """What each host has been told, or is told by this plan."""
    new = {action.host: action.spec.instances.get(uid) for action in made if isinstance(action, act.Assign)}
    old = {host: one.spec.instances.get(uid) for host, one in world.assignments.items()}
    return [(host, old.get(host), new.get(host) or old.get(host)) for host in sorted({*old, *new})]


def _present(world: World, uid: str) -> HAInstanceSpec:
    return next(one.spec for one in world.instances.values() if one.uid == uid)


def _target(world: World, made: tuple[act.Action, ...], uid: str) -> str:
    spec = _present(world, uid)
    holder = spec.grant.host if spec.grant else ""
    return next(
        (new.to for host, _, new in _orders(world, made, uid) if host == holder and new and new.want == "Down"),
        "",
    )


def _is_ordered_down_now(world: World, made: tuple[act.Action, ...], uid: str) -> bool:
    spec = _present(world, uid)
    holder = spec.grant.host if spec.grant else ""
    return any(
        host == holder
        and new is not None
        and new.want == "Down"
        and (old is None or old.want == "Up" or old.epoch < new.epoch)
        for host, old, new in _orders(world, made, uid)
    )
