"""The system of a real host. What is heavy to import (D-Bus) is imported by `open`, in a thread: the heartbeat goes on meanwhile."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Final

from backstay_api.objects.plain import RenderedResource
from backstay_api.process.waiting import clock_s

from .config import sleep_obstacle
from .core.health import Pressure, Signs
from .detection import Detection
from .drivers import RealDriver, ask, driver_of, groups, leftovers, real_drivers
from .drivers.base import Driver
from .drivers.tools import cgroups, pressure
from .drivers.tools.units import UnitFiles
from .host_system import OnVerdict
from .run.asking import RealAsker
from .run.probes import run_probes
from .standby.needs import RealNeeds
from .standby.standbys import Keeper
from .threads import in_thread

LOOK_AGAIN_S: Final = 60.0
"""Until what could put this machine to sleep is looked at again."""


class RealHostSystem:
    """`host_system.HostSystem` of this very host."""

    def __init__(self, *, rng: random.Random, keeps: Sequence[Path] = (), mount_roots: Sequence[Path] = ()) -> None:
        """`keeps`: the folders where the agent keeps what it must remember; `mount_roots`: where its host lets filesystems be mounted."""
        self._rng = rng
        self.detection = Detection()
        self._keeps, self._mount_roots = keeps, mount_roots
        self._needs = RealNeeds()
        self._drivers: Mapping[str, RealDriver] = {}
        self._units = UnitFiles()
        self._obstacle = sleep_obstacle()
        self._obstacle_read_at_s = 0.0

    async def open(self) -> None:
        self._drivers = await in_thread(
            partial(real_drivers, self.detection, mount_roots=self._mount_roots, keeps=self._keeps)
        )

    def driver(self, resource: RenderedResource) -> Driver:
        return driver_of(self._drivers, resource)

    async def probe(self, resource: RenderedResource, on_verdict: OnVerdict, *, starting: bool = False) -> None:
        asker = RealAsker(partial(ask, self._drivers, resource))
        signs = partial(self.signs, resource)
        await run_probes(resource, on_verdict, asker, signs=signs, starting=starting, detection=self.detection)

    async def signs(self, resource: RenderedResource) -> Signs:
        found = await groups(self._drivers, resource)
        read = [("the host's", pressure.of_machine()), *(("its own", pressure.of_group(group)) for group in found)]
        pressures = tuple(Pressure(whose, what, said) for whose, by_kind in read for what, said in by_kind.items())
        return Signs(pressures, tuple(one for group in found for one in cgroups.hanging(group)))

    async def leftovers(self, *, run_is_intact: bool) -> Sequence[RenderedResource]:
        return await leftovers(self._drivers, run_is_intact=run_is_intact)

    def standbys(self, on_change: Callable[[], None]) -> Keeper:
        return Keeper(self.driver, self.obstacle, on_change, self._units.owners, self._needs)

    def obstacle(self) -> str:
        now_s = clock_s()
        if now_s - self._obstacle_read_at_s > LOOK_AGAIN_S:
            self._obstacle, self._obstacle_read_at_s = sleep_obstacle(), now_s
        return self._obstacle
