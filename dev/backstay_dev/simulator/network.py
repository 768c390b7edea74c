"""What befalls requests and events between the actors and the API server: cuts, outages, loss, delay, staleness, lies of state."""

from __future__ import annotations

import asyncio
import bisect
import math
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from backstay_api.client.errors import ApiError, Conflict, OutcomeUnknown, ServerError, TooManyRequests
from backstay_api.memory.server import Change, Fate, MemoryApi, MemoryCluster, Request
from backstay_api.objects.kinds import Kind, T
from backstay_api.objects.lease import HostLease
from backstay_api.objects.object_kinds import HOST_LEASES, SERVICE_CLASSES

from .processes import Process


@dataclass(frozen=True)
class Rates:
    """How often things go wrong on the way; each is a chance from 0 to 1 for one request or event."""

    lost: float = 0.0
    """The request never arrives."""
    answer_lost: float = 0.0
    """It is carried out, and nobody is told."""
    slow: float = 0.0
    """It takes up to `slow_s`, and so does its answer."""
    late_write: float = 0.0
    """A write arrives long after its sender has given up."""
    late_s: float = 60.0
    refused: float = 0.0
    """409, 429 or 5xx instead."""
    stale_read: float = 0.0
    """A get or list is answered from the past."""
    stale_s: float = 20.0
    slow_event: float = 0.0
    broken_watch: float = 0.0
    slow_s: float = 2.0


@dataclass
class Network:
    """The ways of all actors to the API server; `Faults` of the in-memory API."""

    cluster: MemoryCluster
    rng: random.Random
    rates: Rates = Rates()
    cut: dict[str, str] = field(default_factory=dict)
    """Site → how its requests fail: `refused` (at once) or `silent` (never answered)."""
    lag_s: dict[tuple[str, str], float] = field(default_factory=dict)
    """Actor and resource → how far its watch is behind."""
    past: dict[tuple[str, str], int] = field(default_factory=dict)
    """Actor and resource → the revision as of which all that it reads is answered."""
    tell: Callable[[str, str], None] = lambda actor, text: None
    apis: list[MemoryApi] = field(default_factory=list)
    lease_reads: dict[tuple[str, str], HostLease] = field(default_factory=dict)
    """By actor and host: the Lease as that actor last read it, one by one."""
    _times: list[float] = field(default_factory=list)
    _revisions: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.cluster.observe(self._note_revision)

    # --- asked by MemoryApi ---------------------------------------------------------------------------------------

    def request(self, request: Request) -> Fate:
        how = self._cut(request.actor)
        if request.resource == SERVICE_CLASSES.resource:  # no seed has any: nothing is drawn for it, and no time passes
            return Fate(unreachable="connection refused" if how == "refused" else "", request_lost=how == "silent")
        if how == "refused":
            return Fate(unreachable="connection refused", request_delay_s=self._brief_s())
        if how == "silent":
            return Fate(request_lost=True)
        return self._fate(request)

    def event(self, watch: Request, change: Change | None) -> float | None:
        if self._cut(watch.actor):
            return math.inf
        if watch.resource == SERVICE_CLASSES.resource:
            return 0.0
        if self._happens(self.rates.broken_watch):
            return None
        delay_s = self._brief_s() + self.lag_s.get((watch.actor, watch.resource), 0.0)
        return delay_s + (self.rng.uniform(0, self.rates.slow_s) if self._happens(self.rates.slow_event) else 0.0)

    # --- asked by the world ---------------------------------------------------------------------------------------

    def heal(self, site: str) -> None:
        """The way is open again; streams that hung in it break."""
        self.cut.pop(site, None)
        self.break_streams(site)

    def break_streams(self, site: str) -> None:
        for api in self.apis:
            if site in ("", site_of(api.actor)):
                api.cut_streams()

    def revision_before(self, age_s: float) -> int:
        """The store's revision so long ago."""
        at = bisect.bisect_right(self._times, asyncio.get_running_loop().time() - age_s)
        return self._revisions[at - 1] if at else 1

    def note_read(self, actor: str, lease: HostLease) -> None:
        """What this process knows of a Lease by its own reads: of two that are under way at once, the older answer may come last."""
        known = self.lease_reads.get((actor, lease.host))
        if known is None or int(lease.resource_version) >= int(known.resource_version):
            self.lease_reads[actor, lease.host] = lease

    # --- inside -----------------------------------------------------------------------------------------------------

    def _fate(self, request: Request) -> Fate:
        rates = self.rates
        if self._happens(rates.lost):
            return Fate(request_lost=True)
        if self._happens(rates.refused):
            return Fate(error=self._refusal(request), request_delay_s=self._brief_s(), answer_delay_s=self._brief_s())
        if request.is_write and self._happens(rates.late_write):
            late_s = self.rng.uniform(0, rates.late_s)
            if request.resource != HOST_LEASES.resource:
                self.tell(
                    request.actor, f"sends a {request.verb} of {request.resource} that will be {late_s:.1f} s late"
                )
            return Fate(request_delay_s=late_s)
        if self._happens(rates.answer_lost):
            return Fate(request_delay_s=self._brief_s(), answer_lost=True)
        as_of = None
        if not request.is_write and request.verb != "watch" and self._happens(rates.stale_read):
            as_of = self.revision_before(self.rng.uniform(0, rates.stale_s))
        if not request.is_write and request.verb != "watch":
            as_of = self.past.get((request.actor, request.resource), as_of)
        slow_s = self.rng.uniform(0, rates.slow_s) if self._happens(rates.slow) else 0.0
        return Fate(request_delay_s=self._brief_s() + slow_s, answer_delay_s=self._brief_s() + slow_s, as_of=as_of)

    def _refusal(self, request: Request) -> ApiError:
        choice = self.rng.randrange(3)
        if choice == 0:
            return TooManyRequests("too many requests", retry_after_s=self.rng.choice([0.1, 1.0]))
        if choice == 1 and request.is_write:
            return Conflict("the object has been modified")
        trouble = "etcdserver: request timed out"
        return OutcomeUnknown(trouble, code=500) if request.is_write else ServerError(trouble)

    def _cut(self, actor: str) -> str:
        return self.cut.get("") or self.cut.get(site_of(actor)) or ""

    def _happens(self, chance: float) -> bool:
        return chance > 0 and self.rng.random() < chance

    def _brief_s(self) -> float:
        return 0.001 + 0.004 * self.rng.random()

    def _note_revision(self, change: Change) -> None:
        self._times.append(asyncio.get_running_loop().time())
        self._revisions.append(change.revision)


def site_of(actor: str) -> str:
    """Where an actor is: the agent of n1 is at n1; operators and the fencer are each at a place of their own."""
    return actor.removeprefix("agent-")


class ProcessApi(MemoryApi):
    """The API port of one process, dead when the process is."""

    def __init__(self, network: Network, process: Process) -> None:
        super().__init__(network.cluster, network, actor=process.name)
        self._process = process
        self._network = network
        network.apis.append(self)

    async def _call(self, *args: Any, **kwargs: Any) -> Any:
        self._process.must_live()
        return await super()._call(*args, **kwargs)

    async def get(self, kind: Kind[T], name: str, namespace: str = "", *, timeout_s: float | None = None) -> T:
        found = await super().get(kind, name, namespace, timeout_s=timeout_s)
        if isinstance(found, HostLease):
            self._network.note_read(self.actor, found)
        return found
