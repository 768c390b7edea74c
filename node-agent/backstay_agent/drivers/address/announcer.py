"""Tells the neighbours where an address is: at once, and a few times more; and asks them who else has it."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from typing import Final

from .frames import announcements
from .netlink import Interface, Link
from .packets import Wire

log = logging.getLogger(__name__)

# At once, then again: a switch that is just learning, a neighbour that was busy.
ANNOUNCE_AGAIN_AFTER_S: Final = (0.1, 0.4, 1.0, 2.0)


class Announcer:
    """One series of announcements for each address at a time."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._tasks: dict[Interface, asyncio.Task[None]] = {}
        self._macs: dict[Interface, bytes] = {}

    def announce(self, want: Interface, link: Link, *, asks: bool) -> None:
        """It is here now. `asks`: a question is lost where a switch does not forward yet, and whoever has it too answers a later one."""
        self.stop(want)
        if not link.has_neighbours:
            return
        self._macs[want] = link.mac
        self._say(want, link)
        again = self._say_again(want, link, asks=asks)
        self._tasks[want] = asyncio.get_running_loop().create_task(again, name=f"announce {want}")

    def said_other(self, want: Interface, link: Link) -> bool:
        """It was announced with another MAC than the link has now: a bond changed its port, or somebody the MAC."""
        return self._macs.get(want, link.mac) != link.mac

    def remind(self, want: Interface, link: Link) -> None:
        """It is still here."""
        if link.has_neighbours:
            self._say(want, link)

    def stop(self, want: Interface) -> None:
        """It goes: say no more of it."""
        self._macs.pop(want, None)
        if (task := self._tasks.pop(want, None)) is not None:
            task.cancel()

    async def _say_again(self, want: Interface, link: Link, *, asks: bool) -> None:
        for wait_s in ANNOUNCE_AGAIN_AFTER_S:
            await asyncio.sleep(wait_s)
            self._say(want, link)
            if asks:
                self.ask(want, link)

    def ask(self, want: Interface, link: Link) -> None:
        """Who else has it is noticed elsewhere (`receiving.py`)."""
        with suppress(OSError):  # a link without carrier says so itself
            self._wire.ask(link, want.ip)

    def _say(self, want: Interface, link: Link) -> None:
        try:
            self._wire.send(link, announcements(want.ip, link.mac))
        except OSError as error:
            # The address works all the same once the neighbours' entries expire; a link without carrier says so itself.
            log.warning(
                "address not announced", extra={"address": str(want), "interface": link.name, "why": str(error)}
            )
