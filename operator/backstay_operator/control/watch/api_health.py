"""Is it us? Our own way to the API server is asked all the time, because silence of a host may be trouble of our own.

The rule that makes it safe to conclude anything from silence (PROTOCOL 4): a host's silence counts only while we know
that its renewal would have reached us. "Know" means that an answer came to a question that was *sent* lately: a process that was frozen,
or whose server hangs, has no such answer when it thaws, whatever it finds in its queues. So the judgement is a pure
function of times, made again for each plan, and does not depend on which task happens to run first.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from backstay_api.client.api import Api
from backstay_api.client.errors import ApiError, ApiTrouble
from backstay_api.objects import lease as leases
from backstay_api.objects.kinds import LEASES
from backstay_api.objects.lease import HostLease
from backstay_api.objects.names import LEADER_LEASE
from backstay_api.objects.object_kinds import HOST_LEASES
from backstay_operator.control.watch.cache import Cache

log = logging.getLogger(__name__)

PERIOD_S: Final = 0.5


@dataclass(frozen=True)
class Asked:
    """What has come of our questions so far."""

    last_ok_sent_s: float | None
    """When the latest question that was answered had been sent; None: none was."""
    limit_s: float
    """Silence of hosts counts only if something that was sent within this time has been answered."""
    watch_trouble: str
    """Why the Leases are not watched now; empty while they are."""


def trouble(asked: Asked, *, now_s: float) -> str:
    """Why our own path is not known to be healthy; empty if it is."""
    if asked.last_ok_sent_s is None:
        return "the API server has not answered yet"
    age_s = now_s - asked.last_ok_sent_s
    if age_s > asked.limit_s:
        return f"the API server has answered nothing that was asked in the last {age_s:.1f} s"
    if asked.watch_trouble:
        return f"heartbeats are not received: {asked.watch_trouble}"
    return ""


def limit_s(held: Iterable[HostLease]) -> float:
    """Two renewals of the quickest host: a host is silent after three, so we always doubt ourselves first.

    Where nobody renews, twice our own period: one for the wait before a question, one for its answer.
    """
    return 2 * min((lease.contract.renew_s for lease in held if lease.holder), default=PERIOD_S)


class OwnPathWatch:
    """Asks, and tells the cache when the path is lost and when it is back."""

    def __init__(
        self,
        api: Api,
        cache: Cache,
        *,
        namespace: str,
        watch_trouble: Callable[[], str],
        clock: Callable[[], float],
    ) -> None:
        """`namespace`: of the leader Lease."""
        self._api = api
        self._cache = cache
        self._namespace = namespace
        self._watch_trouble = watch_trouble
        self._clock = clock
        self.last_ok_sent_s: float | None = None
        self.on_recovery: Callable[[], None] = lambda: None
        """Called each time the path is back."""
        self.trouble = "the API server has not answered yet"

    def judge(self) -> str:
        """Judge the path as of now, and tell the cache if that changes anything. Called before each plan."""
        asked = Asked(self.last_ok_sent_s, self._limit_s, self._watch_trouble())
        now_s = self._clock()
        before, self.trouble = self.trouble, trouble(asked, now_s=now_s)
        if self.trouble and not before:
            log.warning("own path to the API server lost", extra={"why": self.trouble})
            self._cache.path_lost(last_ok_s=self.last_ok_sent_s or now_s)
        elif before and not self.trouble:
            log.info("own path to the API server is healthy", extra={"was": before})
            self._cache.path_recovered()
            self.on_recovery()
        return self.trouble

    async def run(self) -> None:
        while True:
            sent_s = self._clock()
            if await self._ask():
                self.judge()  # a time without an answer, as while we were frozen, counts though it ends with one
                self.last_ok_sent_s = sent_s
            self.judge()
            # Often enough that an answer may take most of the limit before we doubt ourselves.
            period_s = min(PERIOD_S, self._limit_s / 4)
            await asyncio.sleep(max(0.0, sent_s + period_s - self._clock()))

    @property
    def _limit_s(self) -> float:
        return limit_s(seen.lease for seen in self._cache.world.leases.values())

    async def _ask(self) -> bool:
        """Read one Lease, without a version: the server must ask etcd's majority, so the answer proves both."""
        host = self._longest_silent()
        try:
            if host is None:
                await self._api.get(LEASES, LEADER_LEASE, self._namespace, timeout_s=self._limit_s)
            else:
                body = await self._api.get(LEASES, host, leases.NAMESPACE, timeout_s=self._limit_s)
                self._cache.observe(HOST_LEASES, body)
        except ApiTrouble:
            return False
        except ApiError as error:
            # Not found, forbidden: it was there and it spoke.
            log.debug("own path answered", extra={"answer": str(error)})
        return True

    def _longest_silent(self) -> str | None:
        """The host most likely to be suspected next: reading its very Lease also finds out a watch that gets no events."""
        held = [seen for seen in self._cache.world.leases.values() if seen.lease.holder and not seen.lease.sealed]
        return min(held, key=lambda seen: seen.first_seen_s).lease.host if held else None
