"""Looks regularly at the host itself: disk, memory, clock, links, names, what it reaches. What that means, `core/sanity.py` says."""

from __future__ import annotations

import asyncio
import pwd
import re
import socket
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Final

from backstay_api.objects.plain import HostChecks, HostProblem, Reach
from backstay_api.process.waiting import clock_s

from .core.sanity import JUMP_S, STEADY_S, HostSigns, Lasting, problems
from .drivers.address.netlink import IFF_UP, Link, Netlink
from .reach import unreached
from .standby.needs import without_room
from .threads import shared

LOOK_S: Final = 5.0
PRESSURE: Final = Path("/proc/pressure/memory")
_FULL: Final = re.compile(r"^full .*avg60=([0-9.]+)", re.MULTILINE)


NAMES_S: Final = 2.0
"""A unit whose name server or directory takes longer does not start in time either."""
_NOBODY: Final = "backstay-nobody"
"""Nobody is called so: whoever is asked for users on this host is asked, to the last."""


Links = Callable[[], Awaitable[Mapping[int, Link]]]


class Clock:
    """Holds the wall clock against the monotonic one, which never jumps."""

    def __init__(self, wall_s: Callable[[], float]) -> None:
        self._wall_s = wall_s
        self._ahead_s = wall_s() - clock_s()
        self.jump_s, self._jumped_at_s = 0.0, clock_s() - STEADY_S

    def look(self) -> None:
        ahead_s = self._wall_s() - clock_s()
        if abs(ahead_s - self._ahead_s) >= JUMP_S:
            self.jump_s, self._jumped_at_s = ahead_s - self._ahead_s, clock_s()
        self._ahead_s = ahead_s

    @property
    def since_jump_s(self) -> float:
        return clock_s() - self._jumped_at_s


async def follow(
    told: Callable[[tuple[HostProblem, ...]], None],
    folders: Sequence[Path],
    *,
    wall_s: Callable[[], float],
    pressure: Path = PRESSURE,
    asked: Callable[[], HostChecks | None] = lambda: None,
    links: Links | None = None,
    look_up: Callable[[Sequence[str]], Awaitable[Mapping[str, str]]] | None = None,
    reach: Callable[[Sequence[Reach]], Awaitable[Mapping[str, str]]] = unreached,
) -> None:
    """Tell what is wrong with this host now, and after each look, until cancelled. `folders`: where the agent must be able to
    write; `asked`: what else its admin wants looked at."""
    links, look_up = links or Netlink().links, look_up or unresolved
    clock, linked, named, found = Clock(wall_s), Lasting(), Lasting(), tuple[HostProblem, ...]()
    reached, out_of_reach_s = Lasting(), clock_s()
    while True:
        clock.look()
        checks = asked() or HostChecks()
        no_room, unlinked, unnamed, not_reached = await asyncio.gather(
            without_room(folders), _unlinked(checks.interfaces, links), look_up(checks.names), reach(checks.reach)
        )
        seen = (tuple(no_room), stalled_percent(pressure), clock.jump_s, clock.since_jump_s)
        lasting = linked.of(unlinked), named.of(unnamed), reached.of(not_reached)
        out_of_reach_s = out_of_reach_s if lasting[-1] else clock_s()
        found = problems(HostSigns(*seen, *lasting, clock_s() - out_of_reach_s), found)
        told(found)
        await asyncio.sleep(LOOK_S)


async def _unlinked(interfaces: Sequence[str], links: Links) -> dict[str, str]:
    """Nothing, where the kernel does not say."""
    try:
        return without_link(interfaces, (await links()).values()) if interfaces else {}
    except (OSError, TimeoutError):
        return {}


def without_link(interfaces: Sequence[str], links: Iterable[Link]) -> dict[str, str]:
    """By interface, why it is of no use."""
    known = {link.name: link for link in links}
    whys = {name: _no_link(known.get(name)) for name in interfaces}
    return {name: f"interface {name}, which this host needs, {why}" for name, why in whys.items() if why}


def _no_link(link: Link | None) -> str:
    if link is None:
        return "is not there"
    if not link.flags & IFF_UP:
        return f"is switched off: ip link set {link.name} up"
    return "" if link.is_up else "has no link"


def _user(name: str) -> str:
    with suppress(KeyError):  # that is an answer
        pwd.getpwnam(name)
    return ""


def _address(name: str) -> str:
    try:
        socket.getaddrinfo(name, None)
    except OSError as error:
        return f"{name} does not resolve: {error.strerror}"
    return ""


async def unresolved(
    names: Sequence[str], *, user: Callable[[str], str] = _user, limit_s: float = NAMES_S
) -> dict[str, str]:
    """By what is looked up, why it is not found. Each in a thread of its own, and never twice at once."""
    looks = {"a user": partial(user, _NOBODY), **{name: partial(_address, name) for name in names}}
    found = await asyncio.gather(*(_looked_up(what, how, limit_s) for what, how in looks.items()))
    return {what: why for what, why in zip(looks, found, strict=True) if why}


async def _looked_up(what: str, how: Callable[[], str], limit_s: float) -> str:
    try:
        async with asyncio.timeout(limit_s):
            return await shared(("lookup", what), how)
    except TimeoutError:
        return f"looking up {what} gets no answer within {limit_s:g} s: /etc/nsswitch.conf says who is asked"


def stalled_percent(pressure: Path) -> float | None:
    """Of the last minute, in which nothing could run for want of memory; None: this kernel does not say."""
    try:
        said = _FULL.search(pressure.read_text())
    except OSError:
        return None
    return float(said[1]) if said else None
