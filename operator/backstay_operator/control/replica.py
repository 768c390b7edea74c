"""One replica of the operator, put together on any `Api`: what production, the simulator and the tests run alike.

Only three things differ: the API behind `api`, whether kopf or our own informers watch, and who serves the
endpoints. All tasks live and die together; whoever started the replica starts it again.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from backstay_api.client.api import Api
from backstay_api.objects.names import LEADER_LEASE, OPERATOR_ACCOUNT, SYSTEM_NAMESPACE
from backstay_api.objects.object_kinds import HOST_LEASES, OWN_KINDS
from backstay_api.process.leader import Leader
from backstay_operator.control.act.apply import Writer
from backstay_operator.control.act.host_files import HostFiles
from backstay_operator.control.counters import Counters
from backstay_operator.control.losses import Around, LossStudy
from backstay_operator.control.reconciler import Parts, Reconciler
from backstay_operator.control.report.recorder import Recorder
from backstay_operator.control.watch.api_health import OwnPathWatch
from backstay_operator.control.watch.cache import Cache
from backstay_operator.control.watch.contents import ContentReader
from backstay_operator.control.watch.informers import Informers, Resync
from backstay_operator.control.watch.kopf_watch import KopfWatch
from backstay_operator.control.watch.secrets import SecretTexts
from backstay_operator.control.watch.urgency import Soon
from backstay_operator.planner.know.world import Settings, World
from backstay_operator.planner.plan import Plan, plan

Planner = Callable[[World], Plan]


@dataclass(frozen=True)
class Replica:
    """Who and where this replica is."""

    identity: str
    wall: Callable[[], str]
    """RFC 3339 for people."""
    rng: random.Random
    settings: Settings = field(default_factory=Settings)
    namespace: str = SYSTEM_NAMESPACE
    account: str = OPERATOR_ACCOUNT
    """Its ServiceAccount there: whom people let read their Secrets."""
    standalone: bool = False
    """Known to be the only one: no leader Lease."""
    think_s: float = 0.0
    """On virtual time: how long a plan is taken to last."""
    studies_losses: bool = True
    """Looks in quiet moments what the loss of each host would leave over."""


class Operator:
    """All parts of one replica. To be made inside the loop that runs it."""

    def __init__(self, api: Api, replica: Replica, *, plan: Planner = plan) -> None:
        clock = self.clock = asyncio.get_running_loop().time
        rng = replica.rng
        self.replica = replica
        self.counters = Counters(started_at_s=clock())
        self.cache = Cache(clock=clock, wall=replica.wall, settings=replica.settings)
        self.heartbeats = Informers(api.lane("leases"), self.cache, [HOST_LEASES], rng=rng)
        self.informers = Informers(api.lane("watches"), self.cache, OWN_KINDS, rng=rng)
        self.resync = Resync(api.lane("lists"), self.cache, rng=rng)
        account = f"{replica.namespace}:{replica.account}"
        texts = SecretTexts(api.lane("contents"), namespace=replica.namespace)
        self.contents = ContentReader(api.lane("contents"), self.cache, texts, account=account)
        self.host_files = HostFiles(api.lane("contents"), self.cache, texts, self.leads)
        self.path = OwnPathWatch(
            api.lane("path"),
            self.cache,
            namespace=replica.namespace,
            watch_trouble=lambda: self.heartbeats.trouble,
            clock=clock,
        )
        self.leader = Leader(
            api,
            identity=replica.identity,
            clock=clock,
            wall=replica.wall,
            rng=rng,
            lease=LEADER_LEASE,
            namespace=replica.namespace,
        )
        self.recorder = Recorder(api, self.counters, identity=replica.identity, clock=clock, wall=replica.wall)
        self.reconciler = Reconciler(
            Parts(
                cache=self.cache,
                plan=plan,
                writer=Writer(api, self.cache),
                leads=self.leads,
                judge_path=self.path.judge,
                record=self.recorder.record,
                counters=self.counters,
                clock=clock,
                rng=rng,
                think_s=replica.think_s,
            )
        )
        self.losses = LossStudy(
            self.cache, Around(lambda: self.leads() and self.reconciler.is_idle, self._tell_losses, clock)
        )
        self.path.on_recovery = self._recovered
        self.source: Informers | KopfWatch = self.informers

    async def run(self) -> None:
        """Until cancelled, or until one of its tasks ends: then all do."""
        parts = {
            "heartbeats": self.heartbeats.run,
            "watches": self.source.run,
            "resync": self.resync.run,
            "contents": self.contents.run,
            "files of hosts": self.host_files.run,
            "own path": self.path.run,
            "recorder": self.recorder.run,
            "reconciler": self.reconciler.run,
            **({"losses": self.losses.run} if self.replica.studies_losses else {}),
        }
        async with asyncio.TaskGroup() as tasks:
            for name, work in (parts if self.replica.standalone else parts | {"leader": self.leader.run}).items():
                tasks.create_task(_for_ever(name, work), name=name)

    def leads(self) -> bool:
        """Whether this replica acts at once."""
        return self.replica.standalone or self.leader.leads()

    def _tell_losses(self) -> None:
        self.reconciler.poke(Soon.LATER)

    def _recovered(self) -> None:
        """After an outage all is watched afresh; at the start everything is being listed anyway."""
        self.reconciler.recovered()
        if not self.cache.missing:
            self.heartbeats.recovered()
            self.source.recovered()
            self.resync.hurry()


async def _for_ever(name: str, work: Callable[[], Awaitable[None]]) -> None:
    await work()
    raise AssertionError(f"{name} ended, and nothing else may go on without it")
