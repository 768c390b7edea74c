"""Learns from the kernel that links or addresses of this host have changed, and wakes whoever waits for that."""

from __future__ import annotations

import asyncio

from backstay_api.process.waiting import within

from .frames import IP
from .netlink import Address, Link, Netlink


class Changes:
    """While it is open nothing is missed; what happened in between wakes once."""

    def __init__(self, netlink: Netlink, of: IP | None = None) -> None:
        """`of`: of all addresses only this one."""
        self._netlink = netlink
        self._of = of
        self._news = asyncio.Event()
        self._told: set[str] = set()
        self.went_down: set[str] = set()
        """Links that were told to be down since the last look, be they up again by now."""

    async def __aenter__(self) -> Changes:
        self._events = self._netlink.events()
        await anext(self._events)  # from here on it listens
        self._task = asyncio.create_task(self._listen(), name=f"changes {self._of}")
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        await self._events.aclose()

    def wake(self) -> None:
        """There is other news, from elsewhere."""
        self._news.set()

    async def next(self, timeout_s: float | None) -> None:
        """Wait for news, but not longer. Raises OSError when there will be none."""
        await within(self._news, timeout_s)
        if self._task.done():
            self._task.result()
        self._news.clear()
        self.went_down, self._told = self._told, set()

    async def _listen(self) -> None:
        try:
            async for event in self._events:
                if isinstance(event, Address) and self._of not in (None, event.interface.ip):
                    continue
                if isinstance(event, Link) and not event.is_up:
                    self._told.add(event.name)
                self._news.set()
        finally:
            self._news.set()
