"""One fencer of several: what production and the simulator run alike. All watch, and the one that holds the Lease works.

The Lease saves work and protects nothing. Two that both believe to lead do what two fencers have always been allowed to do: before each
`off` request and Lease of the host are read again, attempts are merged by compare-and-swap, a second `off` or `on` changes nothing.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable

from backstay_api.client.api import Api
from backstay_api.objects.names import FENCER_LEASE, SYSTEM_NAMESPACE
from backstay_api.process.leader import Leader
from backstay_api.process.waiting import clock_s

from .agents import FenceAgents
from .executor import Executor


class Replica:
    """To be made inside the loop that runs it."""

    def __init__(
        self,
        api: Api,
        agents: FenceAgents,
        *,
        rng: random.Random,
        wall: Callable[[], str],
        identity: str,
        namespace: str = SYSTEM_NAMESPACE,
    ) -> None:
        """`identity`: of this life of it."""
        self.leader = Leader(
            api, identity=identity, clock=clock_s, wall=wall, rng=rng, lease=FENCER_LEASE, namespace=namespace
        )
        self._is_alone = False
        self.executor = Executor(api, agents, rng=rng, wall=wall, leads=self.leads)
        self.leader.on_lead = self.executor.begin_to_lead

    def leads(self) -> bool:
        """Whether it is the one that works."""
        return self._is_alone or self.leader.leads()

    async def run(self, *, standalone: bool = False) -> None:
        """Until cancelled, or until one of its tasks ends: then all do. `standalone`: known to be the only one, so without a Lease."""
        if standalone:
            self._is_alone = True
            await self.executor.run()
            return
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.executor.run(), name="executor")
            tasks.create_task(self.leader.run(), name="leader")
