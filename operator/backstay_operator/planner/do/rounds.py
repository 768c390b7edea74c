"""What one round of planning shares between its subjects: the world, and the few things that must be known of all of it."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field, replace

from backstay_api.objects.models import HAInstance
from backstay_operator.planner.judge.acceptance import priority_of
from backstay_operator.planner.judge.remains import instance_of, stored_order
from backstay_operator.planner.judge.waiting import Rooms, rooms
from backstay_operator.planner.know.dependencies import after_what_they_depend_on
from backstay_operator.planner.know.unforeseen import BROKEN
from backstay_operator.planner.know.world import World
from backstay_operator.planner.preconditions import Precondition

from .fence_guard import Guard, fence_guard


@dataclass(frozen=True)
class Shed:
    """An instance that is stopped to make room for something more important."""

    why: str
    needs: tuple[Precondition, ...]
    """What must be so of that before it is told to stop."""


@dataclass(frozen=True)
class Stop:
    """That a service is to stop."""

    why: str
    is_move: bool
    """It goes on elsewhere, or starts again."""


@dataclass(frozen=True)
class Round:
    """One plan in the making."""

    world: World
    guard: Guard
    planned: defaultdict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    """Keys of what is on its way to each host, so that services that start or move at once do not all choose one."""
    over: set[str] = field(default_factory=set)
    """Keys of instances of which this very plan writes that their present epoch is over: nobody holds them any more."""
    rooms: Rooms = field(default_factory=Rooms)
    """Where those that wait leave room for each other."""
    sheds: dict[str, Shed] = field(default_factory=dict)
    """By UID of an HAInstance: why it is stopped for what was decided about before it."""
    edited: set[str] = field(default_factory=set)
    """UIDs of instances to which this very plan gives an edit that touches what runs."""
    placing: dict[str, str] = field(default_factory=dict)
    """By UID of a service of several copies: the copy that is placed for the first time now. Others wait until it is seen."""
    answering: dict[str, list[str]] = field(default_factory=dict)
    """By UID of a service of several copies: hosts that may say in a moment that they can start a copy which has never run."""
    starting: set[str] = field(default_factory=set)
    """Keys of services on which others depend, and which are about to start."""
    stopping: dict[tuple[str, bool], Stop] = field(default_factory=dict)
    """By key of a service of which no copy shall run on: it stops, or waits until what depends on it has stopped."""
    let_go: set[str] = field(default_factory=set)
    """UIDs of instances that this very plan stops."""
    delayed: set[str] = field(default_factory=set)
    """UIDs of instances that wait for a service which is about to start."""
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
    return replace(round_, rooms=rooms(world, in_turn(world), round_.planned))


def in_turn(world: World) -> list[str]:
    """Keys of all services in the order in which they are decided about: the more important first, then by name.

    But none comes before what it depends on, which counts as important as it is.
    """
    return world.once("in turn", (), lambda: _in_turn(world))


def _priority(world: World, key: str) -> int:
    try:
        return priority_of(world, world.services[key])
    except BROKEN:
        return 0  # it is told of where it is decided about


def _in_turn(world: World) -> list[str]:
    keys = sorted(world.services, key=lambda key: (-_priority(world, key), key))
    return after_what_they_depend_on(world, keys) if world.depending else keys
