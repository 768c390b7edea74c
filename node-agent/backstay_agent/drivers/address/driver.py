"""Addresses that clients use: found their interface, announced to the neighbours, withdrawn, and missed when they vanish.

Ours are recognisable (`IFA_PROTO`, and a note in `/run` for kernels without it), so that an agent that lost its memory
finds them, and so that an address which an admin gave to this host is never taken away. How they are laid so that nobody
else's go with them: `places.py`.
"""

from __future__ import annotations

import asyncio
import errno
import logging
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from ipaddress import ip_interface
from pathlib import Path
from typing import Final

from backstay_agent.drivers.base import Plain, Seen, StartFailed, State, StopFailed
from backstay_api.objects.addresses import unusable_address
from backstay_api.objects.plain import RenderedResource, VirtualIP
from backstay_api.process.waiting import clock_s

from .announcer import Announcer
from .changes import Changes
from .duplicates import AGAIN_S, Duplicates, next_reminder_s
from .frames import IP, mac_text
from .link_flaps import GRACE_S, Blinks
from .netlink import Address, Interface, Link, Netlink
from .packets import Wire
from .places import Sight, find_link, is_laid, laid, routes_of
from .promote import promoting
from .receiving import Receiving
from .records import NOTES, Notes
from .sysctls import SYSCTLS, forbidden

log = logging.getLogger(__name__)

_GONE: Final = (errno.EADDRNOTAVAIL, errno.ENODEV, errno.ESRCH)


class VirtualIPDriver(Plain):
    """The driver for resources of kind `virtualIP`. An address that we add lives in the kernel only: a boot forgets it."""

    def __init__(
        self, netlink: Netlink | None = None, wire: Wire | None = None, notes: Path = NOTES, sysctls: Path = SYSCTLS
    ) -> None:
        self._netlink = netlink or Netlink()
        self._wire = wire or Wire()
        self._announcer = Announcer(self._wire)
        self._notes = Notes(notes)
        self._sysctls = sysctls
        self._blinks = Blinks()
        self._next_look: asyncio.Task[Sight] | None = None
        """One that was asked for and has not begun."""
        self._receiving = Receiving()
        self._duplicates = Duplicates()
        self._defended_at_s: dict[IP, float] = {}
        self._one_change = asyncio.Lock()
        """What is looked at and then changed is not changed by another service's address in between."""

    async def not_ready(self, resource: RenderedResource) -> str | None:
        try:
            want, spec = _want(resource)
            return await self._obstacle(want, spec, await self._look())
        except (OSError, TimeoutError, ValueError) as error:
            return f"{resource.name}: {error or 'the kernel did not answer'}"

    async def prepare(self, resource: RenderedResource) -> None:
        """Ask the network whether somebody else has the address."""
        want, spec = _wanted(resource)
        if spec.nodad:
            return
        try:
            sight = await self._link_back(want, spec)
            link = self._find(want, spec, sight)
            if sight.at(want) or isinstance(link, str) or not link.is_up or not link.has_neighbours:
                return  # `start` says what is wrong, if anything is
            mac = await self._wire.who_has(link, want.ip)
        except (OSError, TimeoutError) as error:
            raise StartFailed(f"could not ask whether somebody else has {want.ip}: {error}") from error
        if mac is not None:
            raise StartFailed(f"{want.ip} is in use already: {mac_text(mac)} answered for it on {link.name}")

    async def start(self, resource: RenderedResource, *, timeout_s: float) -> None:
        want, spec = _wanted(resource)
        try:
            async with asyncio.timeout(timeout_s):
                await self._link_back(want, spec)
                async with self._one_change:
                    link = await self._add(want, spec)
        except TimeoutError as error:
            raise StartFailed(f"{want} could not be added within {timeout_s:g} s") from error
        except OSError as error:
            raise StartFailed(f"{want} could not be added: {error}") from error
        self._announcer.announce(want, link, asks=not spec.nodad)
        self._duplicates.forget(want.ip)

    async def stop(self, resource: RenderedResource, *, timeout_s: float) -> None:
        try:
            want, spec = _want(resource)
        except ValueError:
            return  # such an address can never have been added
        self._announcer.stop(want)
        try:
            async with asyncio.timeout(timeout_s), self._one_change:
                await self._withdraw(want, spec)
        except (OSError, TimeoutError) as error:
            why = error if isinstance(error, OSError) and error.errno else f"not withdrawn within {timeout_s:g} s"
            raise StopFailed(f"{want.ip} may still be on this host: {why}") from error

    async def check(self, resource: RenderedResource) -> Seen:
        want, spec = _wanted(resource)
        try:
            return self._seen(want, spec, await self._look())
        except (OSError, TimeoutError) as error:
            return Seen(State.UNKNOWN, f"the kernel cannot be asked about {want.ip}: {error}")

    async def changes(self, resource: RenderedResource) -> AsyncGenerator[Seen, None]:
        """First what it is now, then every change; puts back what a blink of its link took, and announces it again.

        Who else has it is noticed from the first moment on, and asked for now and then."""
        want, spec = _wanted(resource)
        last: Seen | None = None
        remind_at_s = clock_s()
        async with Changes(self._netlink, want.ip) as changes:
            with self._listening(want.ip, spec, changes.wake):
                while True:
                    sight = await self._look()
                    seen = await self._mended(want, spec, sight)
                    self._announce_again(want, spec, sight, seen, last, blinked=changes.went_down)
                    if clock_s() >= remind_at_s:
                        self._remind(want, spec, sight, seen, first=last is None)
                        remind_at_s = next_reminder_s(clock_s())
                    seen = self._shared(want, spec, sight, seen)
                    if seen != last:
                        yield (last := seen)
                    name, _link = self._home(want, spec, sight)
                    self._follow_name(want, name, sight)
                    wait_s = max(0.0, remind_at_s - clock_s())
                    await changes.next(min(self._blinks.left_s(name, clock_s()) or wait_s, wait_s))
                    for name in changes.went_down:
                        self._blinks.saw(name, is_up=False, now_s=clock_s())

    async def leftovers(self, *, run_is_intact: bool = False) -> list[RenderedResource]:
        """Every address here that an agent of ours added."""
        ours = [str(address.interface) for address in (await self._look()).addresses if self._notes.is_ours(address)]
        return [
            RenderedResource(name=f"leftover-{number}", virtual_ip=VirtualIP(address=address))
            for number, address in enumerate(ours)
        ]

    # Looking

    async def _look(self) -> Sight:
        """As it is from now on: whoever asks before the kernel was asked shares its answer, as all do when a link changes."""
        if self._next_look is None:
            self._next_look = asyncio.get_running_loop().create_task(self._look_now())
        return await asyncio.shield(self._next_look)

    async def _look_now(self) -> Sight:
        self._next_look = None
        sight = Sight(tuple(await self._netlink.addresses()), await self._netlink.links())
        for link in sight.links.values():
            self._blinks.saw(link.name, is_up=link.is_up, now_s=clock_s())
        return sight

    def _find(self, want: Interface, spec: VirtualIP, sight: Sight) -> Link | str:
        return find_link(want, spec, sight, self._notes.is_ours)

    def _home(self, want: Interface, spec: VirtualIP, sight: Sight) -> tuple[str, Link | None]:
        """The link on which we have put it, by name, and as it is now if it is there."""
        if here := sight.at(want):
            on = sight.link_of(here[0])
            return on.name, on
        name = spec.interface or self._notes.link_of(want)
        link = sight.link_called(name)
        if link is None and isinstance(found := self._find(want, spec, sight), Link):
            return found.name, found
        return name, link

    def _seen(self, want: Interface, spec: VirtualIP, sight: Sight) -> Seen:
        here = sight.at(want)
        foreign = [address for address in here if not self._notes.is_ours(address)]
        if foreign:
            return Seen(State.UNKNOWN, _hosts_own(want, sight.link_of(foreign[0])))
        name, link = self._home(want, spec, sight)
        if link is not None and link.is_up:
            return Seen(State.RUNNING) if here else Seen(State.STOPPED, f"{want.ip} is on no interface of this host")
        if not here and not self._notes.has(want):
            return Seen(State.STOPPED, f"{want.ip} is on no interface of this host")
        if link is None:
            self._blinks.saw(name, is_up=False, now_s=clock_s())
        if self._blinks.left_s(name, clock_s()) > 0:
            return Seen(
                State.UNKNOWN, f"the link of {name}, which has {want.ip}, is down; given {GRACE_S:g} s to return"
            )
        return Seen(State.FAILED, f"{name}, which has {want.ip}, has no link")

    def _shared(self, want: Interface, spec: VirtualIP, sight: Sight, seen: Seen) -> Seen:
        """The same, or that somebody else has it too. Theirs is not ours to take away; ours is defended as long as it is to stay."""
        _name, link = self._home(want, spec, sight)
        if seen.state is not State.RUNNING or link is None:
            return seen
        now_s, own = clock_s(), {one.mac for one in sight.links.values()}
        if not (others := self._duplicates.who(want.ip, link.name, but=own, now_s=now_s)):
            return seen
        whose = " and ".join(map(mac_text, others))
        why = f"{want.ip} is in use twice: {whose} answered for it on {link.name} as well"
        if spec.on_duplicate == "Restart":
            return Seen(State.FAILED, why)
        if now_s - self._defended_at_s.get(want.ip, -AGAIN_S) >= AGAIN_S:
            self._defended_at_s[want.ip] = now_s
            self._announcer.remind(want, link)
        return Seen(State.RUNNING, why)

    async def _obstacle(self, want: Interface, spec: VirtualIP, sight: Sight) -> str | None:
        link = self._find(want, spec, sight)
        for address in sight.at(want):
            if not self._notes.is_ours(address):
                return _hosts_own(want, sight.link_of(address))
        if isinstance(link, str):
            return link
        if (why := unusable_address(str(want)) or forbidden(want.version, link.name, self._sysctls)) is not None:
            return why
        if not link.is_up:
            return f"{link.name}, where {want.ip} would go, has no link"
        if str(want.ip) in await self._netlink.gateways():
            return f"{want.ip} is a gateway of this host"
        return None

    # Doing

    async def _link_back(self, want: Interface, spec: VirtualIP) -> Sight:
        """Wait out a blink of the link where it goes."""
        async with Changes(self._netlink, want.ip) as changes:
            while True:
                sight = await self._look()
                link = self._find(want, spec, sight)
                left_s = 0.0 if isinstance(link, str) or link.is_up else self._blinks.left_s(link.name, clock_s())
                if left_s <= 0:
                    return sight
                await changes.next(left_s)

    async def _add(self, want: Interface, spec: VirtualIP) -> Link:
        sight = await self._look()
        if (why := await self._obstacle(want, spec, sight)) is not None:
            raise StartFailed(why)
        link = self._find(want, spec, sight)
        assert isinstance(link, Link)
        for address in sight.at(want):
            if is_laid(address, laid(want, spec, link)):
                await self._keep_routes(want, spec, link)
                return link  # it is up already
            await self._delete(address, sight)  # ours, by an older order or an older agent
        await self._put(want, spec, link)
        return link

    async def _put(self, want: Interface, spec: VirtualIP, link: Link) -> None:
        # The note comes first: from here on the address may be there.
        self._notes.write(want, link.name)
        try:
            await self._netlink.add(laid(want, spec, link), want)
        except FileExistsError:
            sight = await self._look()
            if any(not self._notes.is_ours(address) for address in sight.at(want)):
                self._notes.remove(want)
                raise StartFailed(_hosts_own(want, link)) from None
        await self._keep_routes(want, spec, link)

    async def _keep_routes(self, want: Interface, spec: VirtualIP, link: Link) -> None:
        """The kernel drops routes, and not addresses, of a link that is taken down."""
        for route in routes_of(want, spec, link):
            try:
                await self._netlink.add_route(route)
            except FileExistsError:
                continue
            except OSError as error:
                raise StartFailed(f"the route to {route.to} could not be added on {link.name}: {error}") from error

    async def _withdraw(self, want: Interface, spec: VirtualIP) -> None:
        sight = await self._look()
        ours = [address for address in sight.at(want) if self._notes.is_ours(address)]
        if want.version == 6 and ours:
            with suppress(OSError):  # once it is gone they name it no more; and no route keeps an address from going
                await self._netlink.delete_routes_from(want.ip)
        for address in ours:  # the host's own stays: a start on this host was refused for it
            await self._delete(address, sight)
        after = await self._look()
        left = [address for address in after.at(want) if self._notes.is_ours(address)]
        if left:
            raise OSError(errno.EBUSY, f"it is still on interface {left[0].index}")
        await self._drop_routes(want, spec, after)
        self._notes.remove(want)

    async def _delete(self, address: Address, sight: Sight) -> None:
        with promoting(address, sight, self._sysctls):
            try:
                await self._netlink.delete(address)
            except OSError as error:
                if error.errno not in _GONE:
                    raise

    async def _drop_routes(self, want: Interface, spec: VirtualIP, sight: Sight) -> None:
        """A v6 route stays when its address goes; another address of ours may need the same one."""
        if want.version == 4:
            return  # went with the address
        for link in sight.links.values():
            ours = [one for one in sight.addresses if one.index == link.index and self._notes.is_ours(one)]
            for route in routes_of(want, spec, link):
                if route.source or not any(one.interface.ip in want.network for one in ours):
                    with suppress(OSError):  # it is on one of them, or on none
                        await self._netlink.delete_route(route)

    async def _mended(self, want: Interface, spec: VirtualIP, sight: Sight) -> Seen:
        """What is seen, after what a blink of its link took away was put back."""
        seen = self._seen(want, spec, sight)
        name, link = self._home(want, spec, sight)
        if not self._notes.has(want) or link is None or not link.is_up:
            return seen
        try:
            if seen.state is State.RUNNING:
                await self._keep_routes(want, spec, link)
            elif seen.state is State.STOPPED and self._blinks.blinked(name, clock_s()):
                async with self._one_change:
                    await self._put(want, spec, link)
                log.info("address put back", extra={"address": str(want), "interface": link.name})
                return Seen(State.RUNNING)
        except (OSError, StartFailed) as error:
            return Seen(seen.state, f"{want.ip} could not be put back on {link.name}: {error}")
        return seen

    def _announce_again(
        self, want: Interface, spec: VirtualIP, sight: Sight, seen: Seen, last: Seen | None, *, blinked: set[str]
    ) -> None:
        if last is None or seen.state is not State.RUNNING:
            return
        here = sight.at(want)
        name = sight.link_of(here[0]).name if here else self._notes.link_of(want)
        link = sight.link_called(name)
        if link is None:
            return
        if last.state is not State.RUNNING or name in blinked or self._announcer.said_other(want, link):
            self._announcer.announce(want, link, asks=not spec.nodad)

    @contextmanager
    def _listening(self, ip: IP, spec: VirtualIP, wake: Callable[[], None]) -> Iterator[None]:
        def noticed(link: str, mac: bytes) -> None:
            if self._duplicates.saw(ip, link, mac, now_s=clock_s()):
                wake()

        with nullcontext() if spec.nodad else self._receiving.of(ip, noticed):
            yield

    def _remind(self, want: Interface, spec: VirtualIP, sight: Sight, seen: Seen, *, first: bool) -> None:
        """Tell the neighbours again that it is here, and ask who else says so."""
        _name, link = self._home(want, spec, sight)
        if seen.state is not State.RUNNING or link is None or not link.has_neighbours:
            return
        if not first:  # its start has announced it
            self._announcer.remind(want, link)
        if not spec.nodad:
            self._announcer.ask(want, link)

    def _follow_name(self, want: Interface, name: str, sight: Sight) -> None:
        """Its interface was renamed: what a blink takes is put back on that one."""
        if sight.at(want) and self._notes.has(want) and self._notes.link_of(want) != name:
            with suppress(OSError):
                self._notes.write(want, name)


def _want(resource: RenderedResource) -> tuple[Interface, VirtualIP]:
    spec = resource.virtual_ip
    assert spec is not None, f"{resource.name} is no virtualIP resource"
    return ip_interface(spec.address), spec


def _wanted(resource: RenderedResource) -> tuple[Interface, VirtualIP]:
    try:
        return _want(resource)
    except ValueError as error:
        raise StartFailed(f"{resource.name}: {error}") from error


def _hosts_own(want: Interface, link: Link) -> str:
    return f"{want.ip} is an address of this host itself ({link.name}): choose another"
