"""What the plan of a service at rest is made from of hosts: of those that it selects, and of the few others that have to do with it.

Of many hosts the loss of one, its report, or a service more on it concerns those services alone that could run there. All that a host is to
services stands here in one value; what they read of all hosts, selected or not, is the `outline`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from backstay_api.objects.models import HAService, Host, HostAssignment
from backstay_operator.planner.judge.fence_path import fence_path
from backstay_operator.planner.judge.host_facts import facts_of
from backstay_operator.planner.know.fitting import full_with
from backstay_operator.planner.know.liveness import of_host
from backstay_operator.planner.know.selection import unselected
from backstay_operator.planner.know.world import World

BY_HOST: Final = frozenset(
    {
        *("hosts", "assignments", "leases", "held_by", "checked_s", "own_path"),
        *("requests", "fenced_s", "fenced_host", "confirmed_s", "last_sealed", "gone_sealed_s"),
    }
)
"""Fields of the world of which a service at rest reads what follows from them for its own hosts."""
_TOPIC: Final = "around services at rest"


@dataclass(frozen=True, eq=False)
class Circle:
    """The hosts of one selector, removed ones too. Another object as soon as anything of any of them is another."""

    selector: str
    hosts: frozenset[str]


@dataclass(frozen=True)
class Surroundings:
    """All hosts, as they are in this round."""

    said: Mapping[str, object]
    """What each is to services: the very object of the round before for as long as all of it is equal."""
    circles: dict[str, Circle] = field(default_factory=dict)
    """By selector, as far as somebody has asked."""
    known: frozenset[Circle] = frozenset()
    """Those of the round before that are as they were."""
    held: Mapping[str, int] = field(default_factory=dict)
    """How many services are granted to each."""
    as_held: frozenset[Circle] = frozenset()
    """Those of `known` of which each host has as many as in the round before."""

    def of(self, world: World, service: HAService) -> Circle:
        """The hosts that a service selects."""
        selector = service.spec.placement.hosts
        spelt = (
            world.keep("selector", service.key, (service.spec,), lambda: selector and selector.model_dump_json()) or ""
        )
        if spelt not in self.circles:
            others: Collection[str] = unselected(world, selector) if selector is not None else ()
            self.circles[spelt] = Circle(spelt, frozenset(self.said.keys() - others))
        return self.circles[spelt]

    def holds(self, circle: object) -> bool:
        """Whether everything of all of its hosts is as it was."""
        return circle in self.known

    def has_as_many(self, circle: object) -> bool:
        """Whether each of its hosts has as many services as it had."""
        return circle in self.as_held


def around(world: World, *, is_all_else_same: bool) -> Surroundings:
    """How all hosts are now. `is_all_else_same`: whatever else plans are made from is as it was, who selects whom above all; where it is
    not, no circle holds, and so no plan."""
    known = world.kept[""].get(_TOPIC)
    before = known[1] if known is not None else Surroundings({})
    assert isinstance(before, Surroundings)
    now = dict(_each(world))
    said = {name: before.said[name] if before.said.get(name) == one else one for name, one in now.items()}
    changed = {name for name, one in said.items() if before.said.get(name) is not one}
    kept = {selector: one for selector, one in before.circles.items() if one.hosts.isdisjoint(changed)}
    held = {name: len(world.held_by.get(name, ())) for name in said}
    moved = {name for name, many in held.items() if before.held.get(name) != many}
    as_before = frozenset(one for one in kept.values() if one.hosts.isdisjoint(moved))
    found = Surroundings(said, held=held)
    if is_all_else_same:
        found = Surroundings(said, kept, frozenset(kept.values()), held, as_before)
    world.kept[""][_TOPIC] = ((), found)
    return found


def outline(world: World) -> tuple[object, ...]:
    """What a service may read of hosts that it does not select: that they are there, their labels and taints, what they keep of what is
    not theirs any more, and the addresses that are their own."""
    hosts = [
        (name, one.uid, one.metadata.labels, one.metadata.deletion_timestamp, one.spec.taints)
        for name, one in world.hosts.items()
    ]
    told = [(name, one.status.held, one.status.facts) for name, one in world.assignments.items()]
    return sorted(hosts, key=_first), sorted(told, key=_first), sorted(world.leases)


def _first(row: tuple[object, ...]) -> str:
    return str(row[0])


def _each(world: World) -> Iterator[tuple[str, object]]:
    fenced = _fenced(world)
    for name in sorted({*world.hosts, *world.assignments, *world.leases, *world.last_sealed, *fenced}):
        seen, assignment, host = world.leases.get(name), world.assignments.get(name), world.hosts.get(name)
        facts = facts_of(world, name) if host is not None else None
        requests = [world.requests[one] for one in sorted(world.requests_of.get(name, ()))]
        yield (
            name,
            (
                host and _as_declared(world, host),
                facts and (facts.leaving, facts.barred, facts.unschedulable, facts.no_session, facts.lost),
                fence_path(world, name) if host is not None else None,
                of_host(world, name),
                seen and (seen.lease.holder, seen.lease.seq, seen.lease.sealed, seen.lease.sealed_alive),
                seen and seen.lease.renewal > 0,
                seen if requests else None,
                requests,
                fenced.get(name),
                (world.last_sealed.get(name), world.gone_sealed_s.get(name)),
                assignment and _but_for_instances(world, assignment),
            ),
        )


def _fenced(world: World) -> Mapping[str, object]:
    """By host: its fences, and a person's word about them, by our own clock."""
    found = defaultdict[str, list[object]](list)
    for name, host in sorted(world.fenced_host.items()):
        found[host].append((name, world.fenced_s.get(name), world.confirmed_s.get(name)))
    for name, at_s in sorted(world.confirmed_s.items()):
        if name in world.requests:
            found[world.requests[name].spec.host].append((name, at_s))
    return found


def _as_declared(world: World, host: Host) -> tuple[object, ...]:
    """Without its status: of that services read what is said of its fence path alone."""

    def make() -> tuple[object, ...]:
        return host.metadata.model_copy(update={"resource_version": None}), host.spec

    return world.keep("as declared", host.key, (host,), make)


def _but_for_instances(world: World, assignment: HostAssignment) -> tuple[object, ...]:
    def make() -> tuple[object, ...]:
        nothing: dict[str, object] = {"instances": {}, "standbys": {}, "roles": {}}
        spec = assignment.spec.model_copy(update={**nothing, "secured": []})
        status = assignment.status.model_copy(update=nothing)
        return spec, status, full_with(assignment)

    return world.keep("but for instances", assignment.key, (assignment,), make)
