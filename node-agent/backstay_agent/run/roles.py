"""Copies here whose OCF agents have roles: what those have noted is reported, and what others of their service have is told them.

They are notified of what has happened to other copies, one after the other, once it has. Nothing waits for that but the next
notification: the operator promotes, and this host starts and stops, whoever is still being notified.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from backstay_agent.drivers.base import Driver
from backstay_agent.tasks import end_tasks
from backstay_api.objects.plain import RenderedResource, RoleOrder, RoleReport
from backstay_api.process.waiting import clock_s, within

from .notifications import came_up, news, nothing_happened

log = logging.getLogger(__name__)

LOOK_S: Final = 1.0
"""Until what agents have noted is looked at again."""
TELL_S: Final = 5.0
"""Between two words about nothing but that: an agent that notes another value each second costs no more."""
MOST_BYTES: Final = 96 * 1024
"""Of all that is reported of what they have noted, about."""


class Copy(NamedTuple):
    """A copy on this host whose agent has roles."""

    resource: RenderedResource
    is_up: bool


class Roles:
    """By UID of the HAInstance of the copy."""

    def __init__(self, driver: Callable[[RenderedResource], Driver], on_news: Callable[[], None]) -> None:
        self._driver, self._on_news = driver, on_news
        self._copies: Mapping[str, Copy] = {}
        self._told: Mapping[str, RoleOrder] = {}
        self._knows: dict[str, RoleOrder] = {}
        """What each copy that is up was notified of, or is just being."""
        self._notifies: dict[str, asyncio.Task[None]] = {}
        self._reported: dict[str, RoleReport] = {}
        self._changed = asyncio.Event()

    def update(self, told: Mapping[str, RoleOrder], copies: Mapping[str, Copy]) -> None:
        """From now on. Who is told nothing goes by what it was told last."""
        for uid, order in told.items():
            if uid in copies:
                self._learn(copies[uid].resource, order)
        if copies != self._copies or told != self._told:
            self._copies, self._told = copies, told
            self._changed.set()

    def _learn(self, resource: RenderedResource, told: RoleOrder) -> None:
        try:
            self._driver(resource).learn(resource, told)
        except OSError as error:
            log.warning("an agent with roles is not told", extra={"resource": resource.name, "why": str(error)})

    def reports(self) -> dict[str, RoleReport]:
        """What the agents have noted, as it is now: of what is promoted it is known when that is."""
        self._reported = self._noted()
        return self._reported

    def _noted(self) -> dict[str, RoleReport]:
        found: dict[str, RoleReport] = {}
        room = MOST_BYTES
        for uid, copy in sorted(self._copies.items()):
            report = RoleReport(attributes=tuple(self._driver(copy.resource).noted(copy.resource)))
            room -= sum(100 + len(one.name) + len((one.value or "").encode()) for one in report.attributes)
            if report.attributes and room >= 0:
                found[uid] = report
        return found

    async def run(self) -> None:
        """Look and notify until cancelled."""
        told_at_s = -TELL_S
        try:
            while True:
                self._changed.clear()
                await self._notify()
                if clock_s() - told_at_s >= TELL_S and self._noted() != self._reported:
                    told_at_s = clock_s()
                    self._on_news()
                await within(self._changed, LOOK_S if self._copies else None)
        finally:
            await end_tasks([*self._notifies.values()])

    async def _notify(self) -> None:
        """Begin what is due. What is no longer so is cut short: `redis` waits for the host that it was told of."""
        for uid in [uid for uid in self._knows if not self._is_up(uid)]:
            del self._knows[uid]
            await self._end(uid)
        for uid, now in self._told.items():
            if not self._is_up(uid):
                continue
            before = self._knows.get(uid) or came_up(now)
            if nothing_happened(before, now):
                self._knows[uid] = now
            elif (before.promoted, before.epoch) != (now.promoted, now.epoch) or self._is_idle(uid):
                await self._end(uid)
                self._knows[uid] = now
                task = self._tell(self._copies[uid].resource, before, now)
                self._notifies[uid] = asyncio.create_task(task, name=f"notify {uid}")

    def _is_up(self, uid: str) -> bool:
        return uid in self._copies and self._copies[uid].is_up

    def _is_idle(self, uid: str) -> bool:
        return uid not in self._notifies or self._notifies[uid].done()

    async def _end(self, uid: str) -> None:
        if task := self._notifies.pop(uid, None):
            await end_tasks([task])

    async def _tell(self, resource: RenderedResource, before: RoleOrder, now: RoleOrder) -> None:
        for one in news(before, now):
            if why := await self._driver(resource).notify(resource, one):
                said = {"resource": resource.name, "operation": one.operation, "hosts": " ".join(one.hosts), "why": why}
                log.warning("an agent with roles was notified, and failed", extra=said)
