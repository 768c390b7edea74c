"""Addresses on a real link: two network namespaces, a cable between them, and a neighbour who has to notice."""

import asyncio
import ctypes
import os
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest

from backstay_agent.drivers.base import Seen, StartFailed, State
from backstay_agent.drivers.vip import VirtualIPDriver
from backstay_api.plain import RenderedResource, VirtualIP

pytestmark = pytest.mark.hosts

STALE = "02:00:00:00:00:99"
BOTH = pytest.mark.parametrize("address", ["192.0.2.10/24", "2001:db8::10/64"])


@dataclass(frozen=True)
class Cable:
    """We stand in `here`; `there` is a neighbour on the same cable."""

    here: str
    there: str

    def ip(self, where: str, *words: str) -> str:
        done = subprocess.run(["ip", "-n", where, *words], capture_output=True, text=True, check=True)
        return done.stdout.strip()

    def mac(self, where: str) -> str:
        return self.ip(where, "link", "show", "eth0").split("link/ether ")[1].split()[0]

    def neighbour_entry(self, address: str) -> str:
        return self.ip(self.there, "neigh", "show", address.split("/")[0])

    def addresses(self) -> str:
        return self.ip(self.here, "-oneline", "addr", "show", "dev", "eth0")


@pytest.fixture
def cable() -> Iterator[Cable]:
    if os.geteuid() != 0:
        pytest.fail("network namespaces need root")
    tag = uuid4().hex[:6]
    pair = Cable(f"bs-{tag}-a", f"bs-{tag}-b")
    for name in (pair.here, pair.there):
        subprocess.run(["ip", "netns", "add", name], check=True)
    try:
        pair.ip(pair.here, "link", "add", "eth0", "type", "veth", "peer", "name", "eth0", "netns", pair.there)
        for number, name in enumerate((pair.here, pair.there), start=1):
            pair.ip(name, "addr", "add", f"192.0.2.{number}/24", "dev", "eth0")
            pair.ip(name, "addr", "add", f"2001:db8::{number}/64", "dev", "eth0", "nodad")
            pair.ip(name, "link", "set", "eth0", "up")
        pair.ip(pair.here, "route", "add", "default", "via", "192.0.2.254")
        with _standing_in(pair.here):
            yield pair
    finally:
        for name in (pair.here, pair.there):
            subprocess.run(["ip", "netns", "del", name], check=True)


class _standing_in:
    """This thread's sockets belong to that namespace from now on."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __enter__(self) -> None:
        self._home = os.open("/proc/self/ns/net", os.O_RDONLY)
        self._enter(os.open(f"/run/netns/{self._name}", os.O_RDONLY))

    def __exit__(self, *_: object) -> None:
        self._enter(self._home)

    def _enter(self, namespace: int) -> None:
        try:
            assert ctypes.CDLL(None, use_errno=True).setns(namespace, 0x40000000) == 0
        finally:
            os.close(namespace)


@pytest.fixture
def driver(cable: Cable, tmp_path: Path) -> VirtualIPDriver:
    return VirtualIPDriver(notes=tmp_path / "notes")


def vip(address: str, interface: str | None = None) -> RenderedResource:
    return RenderedResource(name="address", virtual_ip=VirtualIP(address=address, interface=interface))


def play(story: Callable[[], Awaitable[None]]) -> None:
    async def limited() -> None:
        async with asyncio.timeout(20):
            await story()

    asyncio.run(limited())


async def until(told: Callable[[], bool]) -> None:
    """The neighbour is another kernel stack; it tells us nothing by itself."""
    while not told():
        await asyncio.sleep(0.01)


@asynccontextmanager
async def ear(driver: VirtualIPDriver, resource: RenderedResource) -> AsyncIterator[Callable[[], Awaitable[Seen]]]:
    async with aclosing(driver.changes(resource)) as changes:
        yield changes.__anext__


@BOTH
def test_a_neighbour_that_knew_it_elsewhere_learns_that_it_is_here(
    cable: Cable, driver: VirtualIPDriver, address: str
) -> None:
    ip = address.split("/")[0]
    cable.ip(cable.there, "neigh", "replace", ip, "lladdr", STALE, "dev", "eth0", "nud", "stale")

    async def story() -> None:
        await driver.prepare(vip(address))
        assert STALE in cable.neighbour_entry(ip), "to ask must not make anybody believe that it is here"
        await driver.start(vip(address), timeout_s=1)
        await until(lambda: cable.mac(cable.here) in cable.neighbour_entry(ip))
        assert await driver.check(vip(address)) == Seen(State.RUNNING)
        await driver.start(vip(address), timeout_s=1)
        await driver.stop(vip(address), timeout_s=1)
        assert ip not in cable.addresses()
        await driver.stop(vip(address), timeout_s=1)

    play(story)


@BOTH
def test_an_address_that_somebody_else_has_is_not_taken(cable: Cable, driver: VirtualIPDriver, address: str) -> None:
    cable.ip(cable.there, "addr", "add", address, "dev", "eth0", *(["nodad"] if ":" in address else []))

    async def story() -> None:
        with pytest.raises(StartFailed, match=f"in use already: {cable.mac(cable.there)} answered"):
            await driver.prepare(vip(address))

    play(story)


@BOTH
def test_an_address_that_vanishes_is_missed_at_once(cable: Cable, driver: VirtualIPDriver, address: str) -> None:
    async def story() -> None:
        await driver.start(vip(address), timeout_s=1)
        async with ear(driver, vip(address)) as change:
            assert (await change()).state is State.RUNNING
            cable.ip(cable.here, "addr", "del", address, "dev", "eth0")
            assert (await change()).state is State.STOPPED

    play(story)


def test_a_link_that_goes_is_told_and_when_it_comes_back_the_address_is_announced_again(
    cable: Cable, driver: VirtualIPDriver
) -> None:
    async def story() -> None:
        await driver.start(vip("192.0.2.10/24"), timeout_s=1)
        async with ear(driver, vip("192.0.2.10/24")) as change:
            assert (await change()).state is State.RUNNING
            cable.ip(cable.there, "link", "set", "eth0", "down")
            seen = await change()
            assert seen == Seen(State.FAILED, "eth0, which has 192.0.2.10, has no link")
            cable.ip(cable.there, "link", "set", "eth0", "up")
            cable.ip(cable.there, "neigh", "replace", "192.0.2.10", "lladdr", STALE, "dev", "eth0", "nud", "stale")
            assert (await change()).state is State.RUNNING
            await until(lambda: cable.mac(cable.here) in cable.neighbour_entry("192.0.2.10"))

    play(story)


@pytest.mark.parametrize(
    ("address", "interface", "why"),
    [
        ("192.0.2.1/24", None, "192.0.2.1 is this host's own address on eth0"),
        ("192.0.2.254/24", None, "192.0.2.254 is a gateway of this host"),
        ("192.0.2.255/24", None, "192.0.2.255 is the broadcast address of 192.0.2.0/24"),
        ("192.0.2.0/24", None, "192.0.2.0 is the address of the network 192.0.2.0/24 itself"),
        ("198.51.100.7/24", None, "no interface of this host has an address in 198.51.100.0/24"),
        ("192.0.2.10/24", "eth7", "this host has no interface eth7"),
        ("224.0.0.9/24", "eth0", "no address that a host can have"),
        ("fe80::7/64", None, "name one with `interface`"),
    ],
)
def test_addresses_that_cannot_be_here(
    cable: Cable, driver: VirtualIPDriver, address: str, interface: str | None, why: str
) -> None:
    before = cable.addresses()

    async def story() -> None:
        assert why in (await driver.not_ready(vip(address, interface)) or "ready")
        with pytest.raises(StartFailed, match=why):
            await driver.start(vip(address, interface), timeout_s=1)
        await driver.stop(vip(address, interface), timeout_s=1)

    play(story)
    assert cable.addresses() == before, "what is not ours must stay"


def test_a_host_without_a_link_is_not_ready(cable: Cable, driver: VirtualIPDriver) -> None:
    cable.ip(cable.there, "link", "set", "eth0", "down")

    async def story() -> None:
        assert await driver.not_ready(vip("192.0.2.10/24")) == "eth0, where 192.0.2.10 would go, has no link"

    play(story)


def test_what_is_ours_is_recognised_without_any_memory(cable: Cable, driver: VirtualIPDriver, tmp_path: Path) -> None:
    async def story() -> None:
        await driver.start(vip("192.0.2.10/24"), timeout_s=1)
        await driver.start(vip("2001:db8::10/64"), timeout_s=1)
        forgetful = VirtualIPDriver(notes=tmp_path / "emptied")
        left = [resource.virtual_ip for resource in await forgetful.leftovers()]
        assert left == [VirtualIP(address="192.0.2.10/24"), VirtualIP(address="2001:db8::10/64")]
        await forgetful.stop(vip("192.0.2.10/24"), timeout_s=1)
        await forgetful.stop(vip("2001:db8::10/64"), timeout_s=1)
        assert await driver.leftovers() == []

    play(story)


def test_a_host_does_not_use_a_v6_address_that_may_move_for_its_own_connections(
    cable: Cable, driver: VirtualIPDriver
) -> None:
    async def story() -> None:
        await driver.start(vip("2001:db8::ffff/64"), timeout_s=1)
        assert "src 2001:db8::1 " in cable.ip(cable.here, "-6", "route", "get", "2001:db8::2") + " "

    play(story)


def test_the_subnets_route_stays_when_the_address_goes(cable: Cable, driver: VirtualIPDriver) -> None:
    before = cable.ip(cable.here, "route"), cable.ip(cable.here, "-6", "route")

    async def story() -> None:
        for address in ("192.0.2.10/24", "2001:db8::10/64"):
            await driver.start(vip(address), timeout_s=1)
            await driver.stop(vip(address), timeout_s=1)

    play(story)
    assert (cable.ip(cable.here, "route"), cable.ip(cable.here, "-6", "route")) == before
