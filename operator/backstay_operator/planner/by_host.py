"""What the plans of services ask for, gathered host by host: anew only for hosts about which a plan says something else than before.

Plans of services at rest are kept (`rest.py`), so that of a thousand hardly one has changed: most hosts are asked by the very values
of the round before, from which `do/orders.py` sees that there is nothing to be said to them either.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final, NamedTuple

from backstay_api.objects.models import HAInstance
from backstay_api.objects.models.assignment import InstanceOrder, StandbyOrder
from backstay_api.objects.models.prerequisites import CopyQuestion, PrerequisiteOrder
from backstay_api.objects.models.roles import RoleOrder

from .actions import Action
from .do import prerequisites, roles
from .do.orders import Wanted
from .know.world import World
from .preconditions import Precondition

Ordered = tuple[str, str, InstanceOrder, tuple[Precondition, ...]]
"""Host, UID of the HAInstance, order, and what must be so elsewhere before it is sent."""
_TOPIC: Final = "asked by host"


class Load(Enum):
    """What of the number of services on hosts a plan goes by."""

    NOTHING = 0
    STANDBYS = 1
    """Who is asked to be ready, and in which order: nothing else of it."""
    ALL = 2
    """How many are granted to each host, and on their way there, together."""


@dataclass(frozen=True)
class ServicePlan:
    """What one service (or an instance without one) asks for."""

    actions: tuple[Action, ...] = ()
    orders: tuple[Ordered, ...] = ()
    standbys: tuple[tuple[str, str, StandbyOrder], ...] = ()
    prerequisites: tuple[prerequisites.Asked, ...] = ()
    questions: tuple[tuple[str, CopyQuestion], ...] = ()
    over: tuple[tuple[str, str, int], ...] = ()
    """Host, UID of the HAInstance of a promoted role, and its last epoch that is over."""
    roles: tuple[roles.Told, ...] = ()
    look_again_s: float | None = None
    units: tuple[str, ...] = ()
    """None of these may start by itself on any of the `candidates`, ready or not: neither at a boot nor in any other way."""
    candidates: tuple[str, ...] = ()
    first: tuple[str, ...] = ()
    """UID of the HAInstance, if every host's answer is waited for."""
    is_broken: bool = False
    """It could not be planned: which units may not start by themselves is not known, so that all stay as they are."""
    rests: bool = False
    """Nothing but a change of what is known could change it (`keepable.py`)."""
    reads_other_names: bool = False
    """It goes by an object that is none of its own yet."""
    goes_by: Load = Load.NOTHING
    sends: tuple[tuple[HAInstance, str], ...] = ()
    """What is on its way to which host from here on."""


_NOTHING: Final = ServicePlan()


class HostAsks(NamedTuple):
    """What all plans ask of one host."""

    instances: dict[str, InstanceOrder]
    standbys: dict[str, StandbyOrder]
    prerequisites: dict[str, PrerequisiteOrder]
    questions: list[CopyQuestion]
    over: dict[str, int]
    roles: dict[str, RoleOrder]
    secured: frozenset[str]


@dataclass(frozen=True)
class _Gathered:
    """As it was in the round before."""

    plans: Mapping[str, ServicePlan]
    by_host: Mapping[str, HostAsks]


def wanted(
    world: World, plans: Mapping[str, ServicePlan], hosts: Collection[str], named: frozenset[str], *, keep_secured: bool
) -> Mapping[str, Wanted]:
    """By host: all that is asked of it. `plans`: each under a name of its own."""
    asked = _asked(world, plans, hosts)
    needs = {uid: needs for plan in plans.values() for _, uid, _, needs in plan.orders}
    first = frozenset(uid for plan in plans.values() for uid in plan.first)
    return {host: Wanted(*asked[host], keep_secured, needs, first, named) for host in hosts}


def _asked(world: World, plans: Mapping[str, ServicePlan], hosts: Collection[str]) -> Mapping[str, HostAsks]:
    known = world.kept[""].get(_TOPIC)
    before = known[1] if known is not None else _Gathered({}, {})
    assert isinstance(before, _Gathered)
    news = (_concerned(before.plans, plans) | (set(hosts) - before.by_host.keys())) & set(hosts)
    made = _gathered(plans, news)
    asked = {host: made[host] if host in news else before.by_host[host] for host in hosts}
    world.kept[""][_TOPIC] = ((), _Gathered(plans, asked))
    return asked


def _concerned(before: Mapping[str, ServicePlan], after: Mapping[str, ServicePlan]) -> set[str]:
    """Hosts about which some plan says something else."""
    found: set[str] = set()
    for name in before.keys() | after.keys():
        old, new = before.get(name, _NOTHING), after.get(name, _NOTHING)
        if old is not new:
            found.update(_told(old), _told(new))
            if (old.units, old.candidates) != (new.units, new.candidates):
                found.update(old.candidates, new.candidates)
    return found


def _told(plan: ServicePlan) -> Iterator[str]:
    looks = plan.prerequisites, plan.questions, plan.over, plan.roles
    return (one[0] for asked in (plan.orders, plan.standbys, *looks) for one in asked)


def _gathered(plans: Mapping[str, ServicePlan], hosts: set[str]) -> Mapping[str, HostAsks]:
    """What all plans say about some hosts."""
    if not hosts:
        return {}
    found = {host: HostAsks({}, {}, {}, [], {}, {}, frozenset()) for host in hosts}
    secured: dict[str, set[str]] = {host: set() for host in hosts}
    for plan in plans.values():
        for host, uid, order, _ in plan.orders:
            if host in hosts:
                found[host].instances[uid] = order
        for host, uid, standby in plan.standbys:
            if host in hosts:
                found[host].standbys[uid] = standby
        _gather_asked(found, plan)
        for host in hosts.intersection(plan.candidates) if plan.units else ():
            secured[host].update(plan.units)
    return {host: one._replace(secured=frozenset(secured[host])) for host, one in found.items()}


def _gather_asked(found: Mapping[str, HostAsks], plan: ServicePlan) -> None:
    for host, uid, look in plan.prerequisites:
        if host in found:
            found[host].prerequisites[uid] = look
    for host, question in plan.questions:
        if host in found:
            found[host].questions.append(question)
    for host, uid, epoch in plan.over:
        if host in found:
            found[host].over[uid] = epoch
    for host, uid, role in plan.roles:
        if host in found:
            found[host].roles[uid] = role
