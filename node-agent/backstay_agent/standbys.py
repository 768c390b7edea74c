"""Keeps this host ready for what it may have to run: secures it, looks whether it could be started, and says so.

Looked at when an order or something of ours changes, and regularly, because an admin may remove a unit at any time.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from backstay_api.plain import RenderedResource, StandbyOrder, StandbyReport

from .drivers.base import Driver, StartFailed, State

LOOK_AGAIN_S: Final = 30.0


class Keeper:
    """`hands.Standbys` on any drivers."""

    def __init__(
        self, driver: Callable[[RenderedResource], Driver], obstacle: Callable[[], str], on_change: Callable[[], None]
    ) -> None:
        self._driver = driver
        self._obstacle = obstacle
        self._on_change = on_change
        self._wake = asyncio.Event()
        self._orders: Mapping[str, StandbyOrder] = {}
        self._ours: Mapping[str, Sequence[RenderedResource]] = {}
        self.reports: dict[str, StandbyReport] = {}

    def update(self, orders: Mapping[str, StandbyOrder], *, ours: Mapping[str, Sequence[RenderedResource]]) -> None:
        if (orders, ours) != (self._orders, self._ours):
            self._orders, self._ours = orders, ours
            self._wake.set()

    async def run(self) -> None:
        while True:
            self._wake.clear()
            orders = self._orders
            found = {uid: await self._examine(uid, order) for uid, order in orders.items()}
            if found != self.reports:
                self.reports = found
                self._on_change()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_AGAIN_S):
                    await self._wake.wait()

    async def _examine(self, uid: str, order: StandbyOrder) -> StandbyReport:
        whys = [self._obstacle()] if self._obstacle() else []
        active = False
        ours = self._ours.get(uid, ())
        for resource in order.resources:
            whys += await self._why_not(resource)
            active = active or (resource not in ours and await self._is_active(resource))
        return StandbyReport(ready=not whys, active=active, revision=order.revision, why="; ".join(whys))

    async def _why_not(self, resource: RenderedResource) -> list[str]:
        driver = self._driver(resource)
        try:
            await driver.secure(resource)
        except StartFailed as error:
            return [f"{resource.name}: {error}"]
        why = await driver.not_ready(resource)
        return [f"{resource.name}: {why}"] if why else []

    async def _is_active(self, resource: RenderedResource) -> bool:
        """UNKNOWN counts as running: the first epoch of a service waits for it."""
        return (await self._driver(resource).check(resource)).state not in (State.STOPPED, State.FAILED)
