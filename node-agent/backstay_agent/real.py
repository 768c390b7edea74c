"""The system of a real host. What is heavy to import (D-Bus) is imported by `open`, in a thread: the heartbeat goes on meanwhile."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Final

from backstay_api.objects.plain import RenderedPrerequisite, RenderedResource
from backstay_api.process.waiting import clock_s

from .config import sleep_obstacle
from .core.health import Pressure, Signs
from .detection import Detection
from .drivers import (
    RealDriver,
    ask,
    driver_of,
    groups,
    leftovers,
    look_at,
    own_unit,
    parts_of,
    real_drivers,
    real_files,
    real_lookers,
    real_manager,
    real_tellers,
)
from .drivers.base import AskedParts, Driver, Looker, NotNamed, Observed, Parts, StartFailed, TellsParts
from .drivers.tools import cgroups, pressure
from .drivers.tools.contained_programs import Questions
from .drivers.tools.units import UnitFiles
from .host_system import Installer, OnVerdict
from .policy.asking import NotTold, RealPolicy
from .policy.files import FOLDER, PolicyFiles
from .run.asking import RealAsker
from .run.asking.programs import read_number
from .run.probes import run_probes
from .standby.needs import RealNeeds
from .standby.scores import LIMIT_S
from .standby.standbys import Keeper
from .threads import in_thread

LOOK_AGAIN_S: Final = 60.0
"""Until what could put this machine to sleep is looked at again."""


class RealHostSystem:
    """`host_system.HostSystem` of this very host."""

    def __init__(
        self,
        *,
        rng: random.Random,
        keeps: Sequence[Path] = (),
        mount_roots: Sequence[Path] = (),
        policy: Path = FOLDER,
    ) -> None:
        """`keeps`: the folders where the agent keeps what it must remember; `mount_roots`: where its host lets filesystems be mounted."""
        self._rng = rng
        self.policy = RealPolicy(PolicyFiles(policy), self._own_unit)
        self.detection = Detection()
        self._keeps, self._mount_roots = keeps, mount_roots
        self._needs = RealNeeds()
        self._drivers: Mapping[str, RealDriver] = {}
        self._lookers: Mapping[str, Looker] = {}
        self._tellers: Mapping[str, TellsParts] = {}
        self._files: Installer | None = None
        self._units = UnitFiles()
        self._scores = Questions()
        self._obstacle = sleep_obstacle()
        self._obstacle_read_at_s = 0.0

    async def open(self) -> None:
        manager = await in_thread(partial(real_manager, self.detection))
        self._drivers = await in_thread(
            partial(real_drivers, self.detection, mount_roots=self._mount_roots, keeps=self._keeps, manager=manager)
        )
        self._lookers, self._tellers = real_lookers(manager), real_tellers()
        self._files = real_files(manager)

    async def _own_unit(self, resource: RenderedResource) -> str:
        try:
            return await own_unit(self._drivers, resource)
        except NotNamed as error:
            raise NotTold(str(error)) from error
        except StartFailed:
            return ""  # no unit of a service may have that name: its start says so

    @property
    def files(self) -> Installer:
        assert self._files is not None, "the host's system is not open yet"
        return self._files

    def driver(self, resource: RenderedResource) -> Driver:
        return driver_of(self._drivers, resource)

    async def look(self, resource: RenderedPrerequisite, salt: str) -> Observed:
        return await look_at(self._lookers, resource, salt)

    async def parts(self, resource: RenderedPrerequisite, asked: AskedParts, key: bytes) -> Parts:
        return await parts_of(self._tellers, resource, asked, key)

    async def probe(self, resource: RenderedResource, on_verdict: OnVerdict, *, starting: bool = False) -> None:
        asker = RealAsker(partial(ask, self._drivers, resource))
        signs = partial(self.signs, resource)
        await run_probes(resource, on_verdict, asker, signs=signs, starting=starting, detection=self.detection)

    async def _probe_as_client(self, resource: RenderedResource, on_verdict: OnVerdict) -> None:
        """What other hosts do not answer is nothing that was detected here, and nothing that this host's pressure explains."""
        await run_probes(resource, on_verdict, RealAsker(partial(ask, self._drivers, resource)))

    async def signs(self, resource: RenderedResource) -> Signs:
        found = await groups(self._drivers, resource)
        read = [("the host's", pressure.of_machine()), *(("its own", pressure.of_group(group)) for group in found)]
        pressures = tuple(Pressure(whose, what, said) for whose, by_kind in read for what, said in by_kind.items())
        return Signs(pressures, tuple(one for group in found for one in cgroups.hanging(group)))

    async def leftovers(self, *, run_is_intact: bool) -> Sequence[RenderedResource]:
        return await leftovers(self._drivers, run_is_intact=run_is_intact)

    def standbys(self, on_change: Callable[[], None]) -> Keeper:
        score = partial(read_number, self._scores, limit_s=LIMIT_S)
        return Keeper(
            self.driver,
            self.obstacle,
            on_change,
            self._units.owners,
            self._needs,
            self.policy,
            score,
            self._probe_as_client,
        )

    def obstacle(self) -> str:
        now_s = clock_s()
        if now_s - self._obstacle_read_at_s > LOOK_AGAIN_S:
            self._obstacle, self._obstacle_read_at_s = sleep_obstacle(), now_s
        return self._obstacle
