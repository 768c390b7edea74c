"""What the loss of each host would leave over, looked at in small pieces while nothing else is to be done, and then told by the plans.

One look goes through a copy of the picture from its begin to its end, however that changes meanwhile; the next begins when anything that
it was made from is another. So a plan waits for one piece at most, and what is told is as old as one look.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from backstay_operator.control.watch.cache import Cache
from backstay_operator.planner.judge.host_facts import facts_of
from backstay_operator.planner.know.liveness import trusts_itself
from backstay_operator.planner.know.world import World
from backstay_operator.planner.losses import Work, copied, every_domain, made_from, study

log = logging.getLogger(__name__)

PIECE_S: Final = 0.005
"""So long a piece takes, if no single service takes longer."""
MOST_SERVICES: Final = 20
"""So many services are decided about in one piece, however fast: on virtual time thinking takes none."""
PAUSE: Final = 4.0
"""Between two pieces so many times what the first took, so that a fifth of a core at most goes into it."""
SHORTEST_PAUSE_S: Final = 0.02
AGAIN_S: Final = 5.0
"""From the end of one look to the question whether another is needed."""


@dataclass(frozen=True)
class Around:
    """What the look needs to know of everything else."""

    is_idle: Callable[[], bool]
    """Whether this replica leads, and nothing is to be decided or written."""
    on_news: Callable[[], None]
    """Called when another result than before is to be told."""
    clock: Callable[[], float]


class LossStudy:
    """Puts `World.losses`. Not for use from another thread."""

    def __init__(self, cache: Cache, around: Around) -> None:
        self._cache = cache
        self._around = around
        self._work: Work | None = None
        self._made_from: object = None
        self._changes = -1
        """Of the picture, when it was last asked whether another look is needed."""

    @property
    def is_at_work(self) -> bool:
        """Whether a look has begun and not ended."""
        return self._work is not None

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            begun_s = self._around.clock()
            if self._around.is_idle():
                self.piece()
            took_s = self._around.clock() - begun_s
            await asyncio.sleep(max(PAUSE * took_s, SHORTEST_PAUSE_S) if self.is_at_work else AGAIN_S)

    def piece(self) -> None:
        """Begin a look if one is needed, or go on with it for a moment."""
        if self._work is None:
            self._begin()
            return
        until_s = self._around.clock() + PIECE_S
        try:
            for _ in range(MOST_SERVICES):
                next(self._work)
                if self._around.clock() >= until_s:
                    return
        except StopIteration as done:
            self._found(done.value)
        except Exception:  # a picture that never was must not end the process that decides about the real one
            log.exception("the loss of hosts cannot be looked at")
            self._found(None)

    def _begin(self) -> None:
        world, changes = self._cache.world, self._cache.changes
        if changes == self._changes or not _is_clear(world):
            return
        self._changes, now = changes, made_from(world)
        if now != self._made_from:
            self._made_from, self._work = now, study(copied(world), every_domain(world))

    def _found(self, losses: object) -> None:
        self._work, world = None, self._cache.world
        if losses != world.losses:
            world.losses = losses  # type: ignore[assignment]
            self._around.on_news()


def _is_clear(world: World) -> bool:
    """Whether nobody is in a state that passes within seconds: what would be found then would be told, and soon be wrong."""
    rejected = (facts_of(world, name).no_session for name in world.hosts)
    return trusts_itself(world) and not any(one.is_passing for one in rejected if one)
