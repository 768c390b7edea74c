"""The hands of a real host. What is heavy to import (D-Bus) is imported by `open`, in a thread: the heartbeat beats meanwhile."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from backstay_api.plain import RenderedResource, Systemd, VirtualIP

from .config import sleep_obstacle
from .drivers import driver_of, real_drivers
from .drivers.base import Driver, State
from .drivers.units import DROP_IN
from .hands import OnVerdict
from .standbys import Keeper

LOOK_AGAIN_S: Final = 60.0
"""Until what could put this machine to sleep is looked at again."""


class RealHands:
    """`hands.Hands` of this very host."""

    def __init__(self, *, rng: random.Random, etc: Path = Path("/etc/systemd/system")) -> None:
        self._rng = rng
        self._etc = etc
        self._drivers: Mapping[str, Driver] = {}
        self._obstacle = sleep_obstacle()
        self._obstacle_read_at_s = 0.0

    async def open(self) -> None:
        self._drivers = await asyncio.to_thread(real_drivers)

    def driver(self, resource: RenderedResource) -> Driver:
        return driver_of(self._drivers, resource)

    async def probe(self, resource: RenderedResource, on_verdict: OnVerdict) -> None:
        await asyncio.Event().wait()

    async def leftovers(self) -> Sequence[RenderedResource]:
        """Units with our drop-in that are not down, and whatever the drivers recognise as ours."""
        units = [RenderedResource(name=unit, systemd=Systemd(unit=unit)) for unit in self._units_of_ours()]
        left = [unit for unit in units if not await self._is_down(unit)]
        for driver in self._drivers.values():
            find: Callable[[], Any] | None = getattr(driver, "leftovers", None)
            left += [_as_resource(found) for found in await find()] if find else []
        return left

    async def _is_down(self, unit: RenderedResource) -> bool:
        return (await self.driver(unit).check(unit)).state in (State.STOPPED, State.FAILED)

    def standbys(self, on_change: Callable[[], None]) -> Keeper:
        return Keeper(self.driver, self.obstacle, on_change, self._units_of_ours)

    def obstacle(self) -> str:
        now_s = asyncio.get_running_loop().time()
        if now_s - self._obstacle_read_at_s > LOOK_AGAIN_S:
            self._obstacle, self._obstacle_read_at_s = sleep_obstacle(), now_s
        return self._obstacle

    def _units_of_ours(self) -> list[str]:
        return sorted(path.parent.name.removesuffix(".d") for path in self._etc.glob(f"*.d/{DROP_IN}"))


def _as_resource(found: Any) -> RenderedResource:
    if isinstance(found, RenderedResource):
        return found
    return RenderedResource(name=f"leftover-{found}", virtual_ip=VirtualIP(address=str(found)))
