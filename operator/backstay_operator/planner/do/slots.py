"""Which instances a service has now, by its mode, and which of those that are there are too many.

A copy that is there keeps its name. Where there are too many the least wanted goes, whatever its name; where there are too few, the
lowest free numbers are taken.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from backstay_api.objects.models import HAInstance, HAService, Host
from backstay_api.objects.models.assignment import InstanceOrder
from backstay_api.objects.names import host_of_copy, instance_name, instance_on, key_of, promoted_name, slot_number
from backstay_api.objects.object_kinds import HA_INSTANCES, HOSTS
from backstay_operator.planner.judge.copies import instances_of
from backstay_operator.planner.judge.host_facts import facts_of
from backstay_operator.planner.judge.judges import is_tolerated
from backstay_operator.planner.judge.placement import must_leave
from backstay_operator.planner.judge.questions import Question
from backstay_operator.planner.judge.remains import stored_order
from backstay_operator.planner.judge.scores import preference
from backstay_operator.planner.know import sessions
from backstay_operator.planner.know.parts import part_of
from backstay_operator.planner.know.selection import declared
from backstay_operator.planner.know.world import World
from backstay_operator.planner.preconditions import Gone, Precondition, still


@dataclass(frozen=True)
class Surplus:
    """An instance that its service has no slot for."""

    why: str
    needs: tuple[Precondition, ...] = ()
    """What the API server must say of others before it is stopped for that."""


@dataclass(frozen=True)
class Slots:
    """Of one service."""

    names: tuple[str, ...]
    surplus: Mapping[str, Surplus] = field(default_factory=dict)
    """By the name of the instance."""


_NONE_SUCH = "its service has no such slot"


def slots_of(world: World, service: HAService, *, is_accepted: bool) -> Slots:
    """The slots of a service that is to stay. A manifest that is refused takes none away, and adds none but the first."""
    there = [one.metadata.name for one in instances_of(world, service)]
    if not is_accepted:
        first = [instance_name(service.metadata.name)] if service.spec.mode == "Single" else []
        return Slots(tuple(dict.fromkeys([*first, *there])))
    match service.spec.mode:
        case "Replicated":
            return _replicated(world, service)
        case "EveryHost":
            return _every_host(world, service)
        case "Promotable":
            return _promotable(world, service)
    return Slots(service.slots, {name: Surplus(_NONE_SUCH) for name in there if name not in service.slots})


# --- EveryHost -------------------------------------------------------------------------------------------------------


def _every_host(world: World, service: HAService) -> Slots:
    hosts = [host for host in declared(world, service) if not _tainted(world, service, host)]
    names = {instance_on(service.metadata.name, host) for host in hosts}
    surplus: dict[str, Surplus] = {}
    for one in instances_of(world, service):
        name, host = one.metadata.name, host_of_copy(service.metadata.name, one.metadata.name)
        if host and world.cannot_read(Host, host):
            names.add(name)
        elif name not in names:
            surplus[name] = _left(world, service, host) if host else Surplus(_NONE_SUCH)
    return Slots(tuple(sorted(names)), surplus)


def _tainted(world: World, service: HAService, host: str) -> str:
    """A taint that lets no copy come there; or where one is, stay."""
    there = world.instance_of(service, instance_on(service.metadata.name, host))
    rejected = is_tolerated(Question(world, service, there), facts_of(world, host))
    return rejected.why if rejected else ""


def _left(world: World, service: HAService, host: str) -> Surplus:
    """Of a host that is not selected any more; an older picture may lack it, or its labels."""
    known, what_for = world.hosts.get(host), f"{host} may be one of the hosts of {service.key}"
    if known is None:
        return Surplus(f"there is no host {host} any more", (Gone(HOSTS.kind, "", host, "", what_for),))
    is_removed = known.metadata.deletion_timestamp is not None
    not_selected = "is not selected by placement.hosts any more"
    why = "is being removed" if is_removed else _tainted(world, service, host) or not_selected
    return Surplus(f"{host} {why}", (still(known, same_version=True, what_for=what_for),))


# --- Replicated ------------------------------------------------------------------------------------------------------


def _replicated(world: World, service: HAService) -> Slots:
    there, wanted, unread = instances_of(world, service), service.spec.replicas or 1, _unreadable(world, service)
    mine = [one for one in there if _number(service, one.metadata.name) >= 0]
    first = max(0, len(mine) + len(unread) - wanted)
    ranked = sorted(mine, key=lambda one: _wanted(world, service, one).key) if first else mine
    kept, numbers = ranked[first:], {_number(service, name): name for name in unread}
    numbers |= {_number(service, one.metadata.name): one.metadata.name for one in kept}
    for number in range(wanted):
        if len(numbers) < wanted:
            numbers.setdefault(number, instance_name(service.metadata.name, number))
    surplus = {one.metadata.name: _least_wanted(world, service, one, ranked, kept) for one in ranked[:first]}
    surplus |= {one.metadata.name: Surplus(_NONE_SUCH) for one in there if one not in mine}
    return Slots(tuple(name for _, name in sorted(numbers.items())), surplus)


def _promotable(world: World, service: HAService) -> Slots:
    """The copies, and the promoted role: the last, for it goes by what is decided about them."""
    role = promoted_name(service.metadata.name)
    copies = _replicated(world, part_of(world, service, instance_name(service.metadata.name)))
    return Slots((*copies.names, role), copies.surplus)


def _number(service: HAService, name: str) -> int:
    """Of a slot; -1 where it is named by a host."""
    number = slot_number(service.metadata.name, name)
    return -1 if number is None else number


def _unreadable(world: World, service: HAService) -> set[str]:
    """Slots whose HAInstance cannot be read: nobody knows where they run, so they are there."""
    first = key_of(service.metadata.namespace, "")
    found = {
        key.removeprefix(first) for kind, key in world.unreadable if kind == HA_INSTANCES.kind and key.startswith(first)
    }
    return {name for name in found if _number(service, name) >= 0 and world.instance_of(service, name) is None}


@dataclass(frozen=True)
class _Wanted:
    """How much an instance is wanted beside others of its service, the less the sooner it goes."""

    rank: int
    why: str
    """What is wrong with it; empty: it runs well."""
    is_promoted: bool
    """The promoted role stands on it."""
    preference: int
    services: int
    """Of its host."""
    number: int

    @property
    def key(self) -> tuple[int, bool, int, int, int]:
        return (self.rank, self.is_promoted, self.preference, -self.services, -self.number)


def _wanted(world: World, service: HAService, instance: HAInstance) -> _Wanted:
    facts = facts_of(world, instance.holder) if instance.holder in world.hosts else None
    points = preference(Question(world, service, instance), facts).points if facts else 0
    number = _number(service, instance.metadata.name)
    role = world.instance_of(service, promoted_name(service.metadata.name))
    is_promoted = role is not None and role.holder == instance.holder != ""
    return _Wanted(*_how_well(world, service, instance), is_promoted, points, facts.services if facts else 0, number)


def _how_well(world: World, service: HAService, instance: HAInstance) -> tuple[int, str]:
    holder, stored = instance.holder, stored_order(world, instance.holder, instance)
    if instance.metadata.deletion_timestamp is not None:
        return 0, "it is being deleted"
    if stored is not None and _is_stopped_for_good(stored):
        return 1, "it is being stopped"
    if not holder:
        return 2, "it runs nowhere"
    if holder not in world.hosts:
        return 3, f"{holder} has no Host object any more"
    if lost := facts_of(world, holder).lost:
        return 4, f"{holder} {lost.why}"
    if leave := must_leave(world, service, instance):
        return 5, f"{holder} {leave.why}"
    report = sessions.report_of(world, holder, instance)
    if report is None or report.phase != "Running" or not report.healthy:
        return 6, f"it does not work on {holder}" if report else f"{holder} has not answered yet"
    return 7, ""


def _is_stopped_for_good(order: InstanceOrder) -> bool:
    return order.want == "Down" and not order.to


def _least_wanted(
    world: World, service: HAService, instance: HAInstance, ranked: Sequence[HAInstance], kept: Sequence[HAInstance]
) -> Surplus:
    needs = tuple(still(one, same_version=True, what_for=f"{service.key} keeps these instead") for one in kept)
    stored = stored_order(world, instance.holder, instance)
    if stored is not None and _is_stopped_for_good(stored):
        # As it was told when it was chosen: by now it is wanted least because it is being stopped.
        return Surplus(stored.why, needs)
    said = (
        f"spec.replicas is {service.spec.replicas or 1}, and of {len(ranked)} {instance.metadata.name} is wanted least"
    )
    return Surplus(f"{said}: {_why_less(world, service, instance, kept)}", needs)


def _why_less(world: World, service: HAService, instance: HAInstance, kept: Sequence[HAInstance]) -> str:
    """What sets it apart from the one of those that stay that is wanted least."""
    mine, other = _wanted(world, service, instance), _wanted(world, service, kept[0]) if kept else None
    if other is None or mine.rank != other.rank:
        return mine.why or "the others cannot be read"
    if mine.is_promoted is not other.is_promoted:
        return f"that on {kept[0].holder} is promoted"
    if mine.preference != other.preference:
        return f"{instance.holder} is preferred by {mine.preference:+d}, {kept[0].holder} by {other.preference:+d}"
    if mine.services != other.services:
        return f"{instance.holder} has {mine.services} instances, {kept[0].holder} {other.services}"
    return "all run as well, and its number is the highest"
