"""What one round of planning shares between its subjects: the world, and the few things that must be known of all of it."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

from backstay_api.objects.models import HAInstance
from backstay_operator.planner.judge.remains import instance_of, stored_order
from backstay_operator.planner.judge.waiting import rooms
from backstay_operator.planner.know.world import World

from .fences import Guard, fence_guard


@dataclass(frozen=True)
class Round:
    """One plan in the making."""

    world: World
    guard: Guard
    planned: defaultdict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    """Keys of what is on its way to each host, so that services that start or move at once do not all choose one."""
    over: set[str] = field(default_factory=set)
    """Keys of instances of which this very plan writes that their present epoch is over: nobody holds them any more."""
    rooms: dict[str, str] = field(default_factory=dict)
    """By UID of an HAInstance that waits: the host on which it leaves room for all that wait with it."""
    edited: set[str] = field(default_factory=set)
    """UIDs of instances to which this very plan gives an edit that touches what runs."""
    placing: dict[str, str] = field(default_factory=dict)
    """By UID of a service of several copies: the copy that is placed for the first time now. Others wait until it is seen."""
    _bound: dict[str, str] = field(default_factory=dict)

    def send(self, instance: HAInstance, host: str) -> None:
        """From here on it counts as a service of this host, and of no other that it was on its way to."""
        if before := self._bound.get(instance.uid):
            self.planned[before].discard(instance.key)
        self._bound[instance.uid] = host
        self.planned[host].add(instance.key)


def begin(world: World) -> Round:
    """Look at all hosts once, before anything is decided about one of them; what was stopped for a move is on its way."""
    round_ = Round(world, fence_guard(world))
    for host, assignment in world.assignments.items():
        for uid, order in assignment.spec.instances.items():
            instance = instance_of(world, uid, order) if order.to else None
            if instance is not None and stored_order(world, host, instance) is order:
                round_.send(instance, order.to)
    round_.rooms.update(rooms(world, in_turn(world), round_.planned))
    return round_


def in_turn(world: World) -> list[str]:
    """Keys of all services in the order in which they are decided about: the more important first, then by name."""
    return sorted(world.services, key=lambda key: (-(world.services[key].spec.placement.priority or 0), key))
