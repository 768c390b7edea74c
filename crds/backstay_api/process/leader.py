"""Which replica acts at once. It only saves work: every write is a compare-and-swap, so two leaders do no harm.

The usual Lease dance, on our own monotonic clock only: the present holder is taken for gone when its record has not changed
for a whole duration since we first saw it so; other machines' times are never compared. We stop leading before others
may start: the duration of our own lead counts from the moment a renewal was *sent*.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable
from typing import Any, Final

from backstay_api import VERSION
from backstay_api.client.api import Api
from backstay_api.client.errors import ApiError, NotFound
from backstay_api.objects.durations import to_the_microsecond
from backstay_api.objects.kinds import LEASES, Raw
from backstay_api.objects.names import RELEASE, SYSTEM_NAMESPACE

log = logging.getLogger(__name__)

DURATION_S: Final = 6.0
"""Longer than any pause of a healthy replica; shorter than people notice. Meanwhile followers act 1.5 s late."""
RENEW_S: Final = 2.0
LEAD_FOR_S: Final = 5.0
"""From the send of a renewal: less than the duration, whatever the two clocks do in that time."""


def _nothing() -> None:
    """Nobody wants to be told."""


class Leader:
    """Takes the Lease when it is free, renews it, and knows when it has lost it."""

    def __init__(
        self,
        api: Api,
        *,
        identity: str,
        clock: Callable[[], float],
        wall: Callable[[], str],
        rng: random.Random,
        lease: str,
        namespace: str = SYSTEM_NAMESPACE,
    ) -> None:
        """`identity`: of this life of this replica. `lease`: the name of the Lease, in that namespace."""
        self.on_lead: Callable[[], None] = _nothing
        """Told whenever it leads and has not led the moment before."""
        self._lease = lease
        self._api = api.lane("leader")
        self._identity = identity
        self._clock = clock
        self._wall = wall
        self._rng = rng
        self._namespace = namespace
        self._seen: tuple[str, str] | None = None
        """Holder and version of the Lease: the version changes with each renewal."""
        self._seen_at_s = 0.0
        self._leads_until_s = float("-inf")

    def leads(self) -> bool:
        """Judged by the clock, so a replica that was frozen does not lead when it thaws."""
        return self._clock() < self._leads_until_s

    async def run(self) -> None:
        """Until cancelled; then the Lease is given back, so that another need not wait."""
        led = False
        try:
            while True:
                await self._turn()
                if led != self.leads():
                    led = not led
                    log.info(
                        "this replica leads" if led else "this replica does not lead",
                        extra={"identity": self._identity},
                    )
                await asyncio.sleep(RENEW_S * self._rng.uniform(0.8, 1.0))
        finally:
            self._leads_until_s = float("-inf")
            if led:
                await self._give_back()

    async def _turn(self) -> None:
        """One look and, where it is ours or free, one write."""
        try:
            try:
                lease = await self._api.get(LEASES, self._lease, self._namespace, timeout_s=RENEW_S)
            except NotFound:
                lease = None
            if lease is None or self._is_ours_or_free(lease):
                await self._take(lease)
        except ApiError as error:
            log.debug("leader Lease not renewed", extra={"why": str(error)})

    def _is_ours_or_free(self, lease: Raw) -> bool:
        holder, now_s = (lease.get("spec") or {}).get("holderIdentity") or "", self._clock()
        if self._seen != (seen := (holder, lease["metadata"]["resourceVersion"])):
            self._seen, self._seen_at_s = seen, now_s
        return holder in ("", self._identity) or now_s - self._seen_at_s > DURATION_S

    async def _take(self, lease: Raw | None) -> None:
        sent_at_s = self._clock()
        if lease is None:
            await self._api.create(LEASES, self._wanted(None), self._namespace, timeout_s=RENEW_S)
        else:
            await self._api.replace(LEASES, self._wanted(lease), timeout_s=RENEW_S)
        led, self._leads_until_s = self.leads(), sent_at_s + LEAD_FOR_S
        if not led and self.leads():
            self.on_lead()

    def _wanted(self, lease: Raw | None) -> Raw:
        now = to_the_microsecond(self._wall())
        old: dict[str, Any] = (lease or {}).get("spec") or {}
        is_renewal = old.get("holderIdentity") == self._identity
        spec = {
            **old,
            "holderIdentity": self._identity,
            "leaseDurationSeconds": int(DURATION_S),
            "renewTime": now,
            "acquireTime": old.get("acquireTime", now) if is_renewal else now,
            "leaseTransitions": int(old.get("leaseTransitions", 0)) + (not is_renewal),
        }
        metadata: Raw = lease["metadata"] if lease else {"name": self._lease, "namespace": self._namespace}
        annotations = {**(metadata.get("annotations") or {}), RELEASE: VERSION}
        return {"metadata": {**metadata, "annotations": annotations}, "spec": spec}

    async def _give_back(self) -> None:
        """As well as it goes within a second: others find out by themselves."""
        try:
            async with asyncio.timeout(1.0):
                lease = await self._api.get(LEASES, self._lease, self._namespace)
                if (lease.get("spec") or {}).get("holderIdentity") == self._identity:
                    spec = {**lease["spec"], "holderIdentity": ""}
                    await self._api.replace(LEASES, {**lease, "spec": spec})
        except (ApiError, TimeoutError) as error:
            log.debug("leader Lease not given back", extra={"why": str(error)})
