"""Addresses that clients use: found their interface, announced to the neighbours, withdrawn, and missed when they vanish.

Ours are recognisable (`IFA_PROTO`, and a note in `/run` for kernels without it), so that an agent that lost its memory
finds them, and so that an address which an admin gave to this host is never taken away.
"""

from __future__ import annotations

import asyncio
import errno
import logging
from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing, suppress
from dataclasses import dataclass
from ipaddress import IPv4Interface, ip_interface
from pathlib import Path
from typing import Final

from backstay_api.plain import RenderedResource, VirtualIP

from .base import Seen, StartFailed, State, StopFailed
from .frames import announcements, mac_text
from .netlink import (
    IFA_F_DEPRECATED,
    IFA_F_NODAD,
    IFA_F_NOPREFIXROUTE,
    IFF_LOOPBACK,
    OURS,
    Address,
    Interface,
    Link,
    Netlink,
)
from .wire import Wire

log = logging.getLogger(__name__)

# At once, then again: a switch that is just learning, a neighbour that was busy.
ANNOUNCE_AGAIN_AFTER_S: Final = (0.1, 0.4, 1.0, 2.0)
_LABEL_LIMIT: Final = 15  # IFNAMSIZ without its NUL


@dataclass(frozen=True)
class Sight:
    """This host's links and addresses at one moment."""

    addresses: tuple[Address, ...]
    links: dict[int, Link]

    def at(self, want: Interface) -> list[Address]:
        """Where the address is, whatever its prefix."""
        return [address for address in self.addresses if address.interface.ip == want.ip]

    def link_of(self, address: Address) -> Link:
        return self.links.get(address.index, Link(address.index, f"interface {address.index}"))


class VirtualIPDriver:
    """The driver for resources of kind `virtualIP`."""

    def __init__(
        self, netlink: Netlink | None = None, wire: Wire | None = None, notes: Path = Path("/run/backstay/addresses")
    ) -> None:
        self._netlink = netlink or Netlink()
        self._wire = wire or Wire()
        self._notes = notes
        self._announcers: dict[Interface, asyncio.Task[None]] = {}

    async def secure(self, resource: RenderedResource) -> None:
        """An address that we add lives in the kernel only: a boot forgets it."""

    async def unsecure(self, resource: RenderedResource) -> None:
        """Nothing was done."""

    async def starts_by_itself(self, resource: RenderedResource) -> str | None:
        return None

    async def not_ready(self, resource: RenderedResource) -> str | None:
        try:
            want, spec = _want(resource)
            return await self._obstacle(want, spec, await self._look())
        except (OSError, TimeoutError, ValueError) as error:
            return f"{resource.name}: {error or 'the kernel did not answer'}"

    async def prepare(self, resource: RenderedResource) -> None:
        """Ask the network whether somebody else has the address."""
        want, spec = _wanted(resource)
        try:
            sight = await self._look()
            link = _find_link(want, spec, sight, self._foreign(sight.addresses))
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
                link = await self._add(want, spec)
        except TimeoutError as error:
            raise StartFailed(f"{want} could not be added within {timeout_s:g} s") from error
        except OSError as error:
            raise StartFailed(f"{want} could not be added: {error}") from error
        self._announce(want, link)

    async def stop(self, resource: RenderedResource, *, timeout_s: float) -> None:
        try:
            want, _spec = _want(resource)
        except ValueError:
            return  # such an address can never have been added
        self._hush(want)
        try:
            async with asyncio.timeout(timeout_s):
                await self._withdraw(want)
        except (OSError, TimeoutError) as error:
            why = error if isinstance(error, OSError) else f"not withdrawn within {timeout_s:g} s"
            raise StopFailed(f"{want.ip} may still be on this host: {why}") from error

    async def permit(self, resource: RenderedResource) -> None:
        """Nothing keeps an admin from it."""

    async def check(self, resource: RenderedResource) -> Seen:
        want, _spec = _wanted(resource)
        try:
            return self._seen(want, await self._look())
        except (OSError, TimeoutError) as error:
            return Seen(State.UNKNOWN, f"the kernel cannot be asked about {want.ip}: {error}")

    async def changes(self, resource: RenderedResource) -> AsyncGenerator[Seen, None]:
        """First what it is now, then every change; announces the address again when its link comes back."""
        want, _spec = _wanted(resource)
        last: Seen | None = None
        async with aclosing(self._netlink.events()) as events:
            async for event in events:
                if isinstance(event, Address) and event.interface.ip != want.ip:
                    continue
                sight = await self._look()
                seen = self._seen(want, sight)
                if seen == last:
                    continue
                if last is not None and last.state is State.FAILED and seen.state is State.RUNNING:
                    self._announce(want, sight.link_of(sight.at(want)[0]))
                yield (last := seen)

    async def leftovers(self, *, run_is_intact: bool = False) -> list[RenderedResource]:
        """Every address here that an agent of ours added."""
        ours = [str(address.interface) for address in (await self._look()).addresses if self._is_ours(address)]
        return [
            RenderedResource(name=f"leftover-{number}", virtual_ip=VirtualIP(address=address))
            for number, address in enumerate(ours)
        ]

    # Looking

    async def _look(self) -> Sight:
        return Sight(tuple(await self._netlink.addresses()), await self._netlink.links())

    def _note(self, want: Interface) -> Path:
        return self._notes / str(want.ip).replace(":", "-")

    def _is_ours(self, address: Address) -> bool:
        return address.protocol == OURS or self._note(address.interface).exists()

    def _foreign(self, addresses: Iterable[Address]) -> list[Address]:
        return [address for address in addresses if not self._is_ours(address)]

    def _seen(self, want: Interface, sight: Sight) -> Seen:
        here = sight.at(want)
        if not here:
            return Seen(State.STOPPED, f"{want.ip} is on no interface of this host")
        link = sight.link_of(here[0])
        if self._foreign(here):
            return Seen(State.UNKNOWN, f"{want.ip} is on {link.name}, but Backstay did not put it there")
        if not link.is_up:
            return Seen(State.FAILED, f"{link.name}, which has {want.ip}, has no link")
        return Seen(State.RUNNING)

    async def _obstacle(self, want: Interface, spec: VirtualIP, sight: Sight) -> str | None:
        link = _find_link(want, spec, sight, self._foreign(sight.addresses))
        if isinstance(link, str):
            return link
        if (why := _unusable(want)) is not None:
            return why
        if foreign := self._foreign(sight.at(want)):
            return (
                f"{want.ip} is this host's own address on {sight.link_of(foreign[0]).name}, not put there by Backstay"
            )
        if not link.is_up:
            return f"{link.name}, where {want.ip} would go, has no link"
        if str(want.ip) in await self._netlink.gateways():
            return f"{want.ip} is a gateway of this host"
        return None

    # Doing

    async def _add(self, want: Interface, spec: VirtualIP) -> Link:
        sight = await self._look()
        if (why := await self._obstacle(want, spec, sight)) is not None:
            raise StartFailed(why)
        link = _find_link(want, spec, sight, self._foreign(sight.addresses))
        assert isinstance(link, Link)
        for address in sight.at(want):
            if address.index == link.index and address.interface == want:
                return link  # it is up already
            await self._netlink.delete(address)  # ours, by an older order
        # The note comes first: from here on the address may be there.
        self._notes.mkdir(mode=0o755, parents=True, exist_ok=True)
        self._note(want).touch()
        neighbours = [address for address in self._foreign(sight.addresses) if address.index == link.index]
        with suppress(FileExistsError):
            await self._netlink.add(_address(want, link, neighbours), broadcast=want.network.prefixlen < 31)
        return link

    async def _withdraw(self, want: Interface) -> None:
        for address in (await self._look()).at(want):
            if not self._is_ours(address):
                continue  # the host's own: a start on this host was refused for it
            try:
                await self._netlink.delete(address)
            except OSError as error:
                if error.errno not in (errno.EADDRNOTAVAIL, errno.ENODEV):
                    raise
        left = [address for address in (await self._look()).at(want) if self._is_ours(address)]
        if left:
            raise OSError(errno.EBUSY, f"it is still on interface {left[0].index}")
        self._note(want).unlink(missing_ok=True)

    # Announcing

    def _announce(self, want: Interface, link: Link) -> None:
        self._hush(want)
        if not link.has_neighbours:
            return
        self._say(want, link)
        self._announcers[want] = asyncio.get_running_loop().create_task(
            self._say_again(want, link), name=f"announce {want}"
        )

    def _hush(self, want: Interface) -> None:
        if (task := self._announcers.pop(want, None)) is not None:
            task.cancel()

    async def _say_again(self, want: Interface, link: Link) -> None:
        for wait_s in ANNOUNCE_AGAIN_AFTER_S:
            await asyncio.sleep(wait_s)
            self._say(want, link)

    def _say(self, want: Interface, link: Link) -> None:
        try:
            self._wire.send(link, announcements(want.ip, link.mac))
        except OSError as error:
            # The address works all the same once the neighbours' entries expire; a link without carrier says so itself.
            log.warning(
                "address not announced", extra={"address": str(want), "interface": link.name, "why": str(error)}
            )


def _want(resource: RenderedResource) -> tuple[Interface, VirtualIP]:
    spec = resource.virtual_ip
    assert spec is not None, f"{resource.name} is no virtualIP resource"
    return ip_interface(spec.address), spec


def _wanted(resource: RenderedResource) -> tuple[Interface, VirtualIP]:
    try:
        return _want(resource)
    except ValueError as error:
        raise StartFailed(f"{resource.name}: {error}") from error


def _unusable(want: Interface) -> str | None:
    """Why no host can have this address."""
    ip, network = want.ip, want.network
    if ip.is_multicast or ip.is_unspecified or ip.is_loopback:
        return f"{ip} is no address that a host can have on a network"
    if network.num_addresses <= 2:
        return None
    if ip == network.network_address:
        return f"{ip} is the address of the network {network} itself"
    if want.version == 4 and ip == network.broadcast_address:
        return f"{ip} is the broadcast address of {network}"
    return None


def _find_link(want: Interface, spec: VirtualIP, sight: Sight, own: list[Address]) -> Link | str:
    """The interface where the address belongs, or why there is none."""
    if spec.interface is not None:
        named = [link for link in sight.links.values() if link.name == spec.interface]
        return named[0] if named else f"this host has no interface {spec.interface}"
    fitting = [
        address
        for address in own
        if want.ip in address.interface.network
        and not address.interface.ip.is_link_local
        and not sight.link_of(address).flags & IFF_LOOPBACK
    ]
    if not fitting:
        return f"no interface of this host has an address in {want.network}: name one with `interface`"
    nearest = max(fitting, key=lambda address: (address.interface.network.prefixlen, -address.index))
    return sight.link_of(nearest)


def _address(want: Interface, link: Link, neighbours: list[Address]) -> Address:
    # Where the interface is in the subnet already, its route is there too and must stay when we go.
    has_route = any(want.ip in neighbour.interface.network for neighbour in neighbours)
    flags = IFA_F_NOPREFIXROUTE if has_route else 0
    if isinstance(want, IPv4Interface):
        label = f"{link.name}:bs"
        return Address(link.index, want, OURS, flags, label if len(label) <= _LABEL_LIMIT else "")
    # The probe has been made, and waiting a second for the kernel's own would be a second without service. Deprecated:
    # the host must not choose it for its own connections, which would break when it moves.
    return Address(link.index, want, OURS, flags | IFA_F_NODAD | IFA_F_DEPRECATED)
