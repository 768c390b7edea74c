"""What one round of planning shares between its subjects: the world, and the few things that must be known of all of it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from backstay_operator.planner.know.world import World

from .fences import Guard, guard


@dataclass(frozen=True)
class Round:
    """One plan in the making."""

    world: World
    guard: Guard
    planned: Counter[str] = field(default_factory=Counter)
    """What this very plan has granted to each host, so that services that start at once do not all choose one."""


def begin(world: World) -> Round:
    """Look at all hosts once, before anything is decided about one of them."""
    return Round(world, guard(world))
