"""Whatever a plan's statuses, orders and events say agrees with the actions of the same plan. Read from outside, sentence by sentence."""

from __future__ import annotations

import re

from backstay_api.objects.models import HAService
from backstay_operator.planner import actions as act
from backstay_operator.planner.know.world import World

# Every way in which a sentence names the host that comes next.
_NAMED = re.compile(r"(?:About to start on|moves to|goes to|starts again on) ([a-z0-9.-]*[a-z0-9])")


def every_sentence_agrees(world: World, made: tuple[act.Action, ...]) -> None:
    """The plan was made of this world."""
    granted = {
        action.before.key: action.spec.grant.host
        for action in made
        if isinstance(action, act.WriteInstance) and action.spec.grant is not None
    }
    for key, service in sorted(world.services.items()):
        instance = world.instances.get(f"{key}-0")
        if instance is None or instance.spec.service.uid != service.uid:
            continue
        told = _told(service, made)
        named = set(_NAMED.findall(" ".join([*(one.message for one in told.conditions), *_whys(told)])))
        target = granted.get(instance.key) or _target(world, made, instance.uid)
        assert len(named) <= 1, f"{key}: {named}"
        if instance.key in granted:
            assert named == {target}, f"{key} is granted to {target}, and the status names {named}: {_whys(told)}"
        elif _is_ordered_down_now(world, made, instance.uid):
            assert named == ({target} if target else set()), f"{key} goes to {target}, the status names {named}"
        elif named:
            assert named == {target}, f"{key}: nothing of this plan sends it to {named}: {_whys(told)}"
        last = told.last_failover
        assert last is None or not _NAMED.search(last.cause), f"{key}: {last.cause}"
    for action in made:
        if isinstance(action, act.WriteInstance) and action.spec.grant is not None:
            assert re.search(rf"(^|next ){action.spec.grant.host}, ", action.why), action.why
        for order in action.spec.instances.values() if isinstance(action, act.Assign) else ():
            assert not _NAMED.search(order.why), order.why


def _told(service: HAService, made: tuple[act.Action, ...]):
    written = [a.status for a in made if isinstance(a, act.WriteServiceStatus) and a.before.key == service.key]
    return written[0] if written else service.status


def _whys(told) -> list[str]:
    return [one.why for one in told.instances]


def _orders(world: World, made: tuple[act.Action, ...], uid: str):
    """What each host has been told, or is told by this plan."""
    new = {action.host: action.spec.instances.get(uid) for action in made if isinstance(action, act.Assign)}
    old = {host: one.spec.instances.get(uid) for host, one in world.assignments.items()}
    return [(host, old.get(host), new.get(host) or old.get(host)) for host in sorted({*old, *new})]


def _present(world: World, uid: str):
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
