"""The addresses by which people find this machine, now and whenever they change: the operator refuses to move one of them.

They come and go while the agent lives (DHCP, an interface that is plugged in, an admin); what was true at its start is no answer.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Final

from .drivers.address.changes import Changes
from .drivers.address.netlink import Netlink
from .drivers.address.records import NOTES, Notes

log = logging.getLogger(__name__)

MOST_ADDRESSES: Final = 256
"""What the schema takes; a router with more is found by the first."""
CALM_S: Final = 0.5
"""Changes come in bursts (a bond that is set up): one look for all of them."""
AGAIN_S: Final = 10.0

Addresses = tuple[str, ...]


async def own_addresses(netlink: Netlink | None = None, notes: Path = NOTES) -> Addresses:
    """What is neither ours to move nor of one link only; empty if nobody can tell."""
    try:
        return await _look(netlink or Netlink(), Notes(notes))
    except (OSError, TimeoutError):
        return ()


async def follow(told: Callable[[Addresses], None], netlink: Netlink | None = None, notes: Path = NOTES) -> None:
    """Tell them now and whenever they are others, until cancelled."""
    netlink = netlink or Netlink()
    while True:
        try:
            await _follow(told, netlink, Notes(notes))
        except (OSError, TimeoutError) as error:
            log.warning("own addresses not seen", extra={"why": str(error) or "the kernel did not answer"})
        await asyncio.sleep(AGAIN_S)


async def _follow(told: Callable[[Addresses], None], netlink: Netlink, notes: Notes) -> None:
    last: Addresses | None = None
    async with Changes(netlink) as changes:
        while True:
            found = await _look(netlink, notes)
            if found != last:
                told(last := found)
            await changes.next(None)
            await asyncio.sleep(CALM_S)


async def _look(netlink: Netlink, notes: Notes) -> Addresses:
    own = [address.interface for address in await netlink.addresses() if not notes.is_ours(address)]
    usable = [interface for interface in own if not (interface.is_loopback or interface.is_link_local)]
    return tuple(str(one) for one in sorted(usable, key=lambda one: (one.version, one.packed)))[:MOST_ADDRESSES]
