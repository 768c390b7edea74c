"""Addresses on a real link: two network namespaces, a cable between them, and a neighbour who has to notice."""

import asyncio
import ctypes
import os
import re
import socket
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import aclosing, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from ipaddress import ip_interface
from pathlib import Path
from uuid import uuid4

import pytest

from backstay_agent.addresses import follow, own_addresses
from backstay_agent.drivers.address.driver import VirtualIPDriver
from backstay_agent.drivers.address.link_flaps import GRACE_S
from backstay_agent.drivers.address.netlink import OURS, RTM_DELADDR, Address, Netlink, decode, read_address
from backstay_agent.drivers.address.records import Notes
from backstay_agent.drivers.base import Seen, StartFailed, State
from backstay_api.objects.plain import RenderedResource, VirtualIP

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

    def sysctl(self, name: str, value: str = "") -> str:
        """Read it here, or write it."""
        do = f"echo {value} >/proc/sys/net/{name}" if value else f"cat /proc/sys/net/{name}"
        return subprocess.run(
            ["ip", "netns", "exec", self.here, "sh", "-c", do], capture_output=True, text=True, check=True
        ).stdout.strip()

    def answers(self, ip: str, *, by: str) -> bool:
        """Somebody at that address answers to this one of ours, be it only that there is nothing on that port."""
        with socket.socket(socket.AF_INET6 if ":" in ip else socket.AF_INET) as door:
            door.settimeout(0.3)
            try:
                door.bind((by, 0))
                door.connect((ip, 9))
            except ConnectionRefusedError:
                return True
            except OSError:
                return False
        return True

    @contextmanager
    def monitor(self) -> Iterator[Callable[[], str]]:
        """The addresses that were taken away from here on. The kernel tells before the change is over."""
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as ear:
            ear.bind((0, 0x10 | 0x100))
            ear.setblocking(False)

            def told() -> str:
                heard: list[str] = []
                with suppress(BlockingIOError):
                    while True:
                        messages = [one for one in decode(ear.recv(65536)) if one.type == RTM_DELADDR]
                        heard += [str(read_address(message.body)) for message in messages]
                return "\n".join(heard)

            yield told


SEEN: list[Seen] = []


async def gather(change: Callable[[], Awaitable[Seen]]) -> None:
    """All that is told, into `SEEN`."""
    SEEN.clear()
    while True:
        SEEN.append(await change())


def routes(cable: Cable) -> str:
    return cable.ip(cable.here, "route") + "\n" + cable.ip(cable.here, "-6", "route")


def make(cable: Cable) -> None:
    """A second interface, as network scripts make it."""
    cable.ip(cable.here, "link", "add", "svc0", "link", "eth0", "type", "macvlan", "mode", "bridge")
    cable.ip(cable.here, "link", "set", "svc0", "up")


def now_s() -> float:
    return asyncio.get_running_loop().time()


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

            cable.ip(cable.here, "addr", "del", address.split("/")[0], "dev", "eth0")
            assert (await change()).state is State.STOPPED

    play(story)


def test_a_link_that_goes_for_good_is_told_and_when_it_comes_back_the_address_is_announced_again(
    cable: Cable, driver: VirtualIPDriver
) -> None:
    async def story() -> None:
        await driver.start(vip("192.0.2.10/24"), timeout_s=1)
        async with ear(driver, vip("192.0.2.10/24")) as change:
            assert (await change()).state is State.RUNNING
            cable.ip(cable.there, "link", "set", "eth0", "down")
            down_s = now_s()
            seen = await change()
            assert seen.state is State.UNKNOWN and "the link of eth0, which has 192.0.2.10, is down" in seen.why
            assert await change() == Seen(State.FAILED, "eth0, which has 192.0.2.10, has no link")
            assert GRACE_S - 0.1 < now_s() - down_s < GRACE_S + 1
            with pytest.raises(StartFailed, match=r"where 192\.0\.2\.11 would go, has no link"):
                await driver.start(vip("192.0.2.11/24"), timeout_s=1)
            cable.ip(cable.there, "link", "set", "eth0", "up")
            cable.ip(cable.there, "neigh", "replace", "192.0.2.10", "lladdr", STALE, "dev", "eth0", "nud", "stale")
            assert (await change()).state is State.RUNNING
            await until(lambda: cable.mac(cable.here) in cable.neighbour_entry("192.0.2.10"))

    play(story)


@pytest.mark.parametrize("pause_s", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("address", ["198.51.100.7/24", "2001:db8:1::7/64"])
def test_a_blink_of_the_link_is_no_failure_and_all_that_it_took_is_put_back(
    cable: Cable, driver: VirtualIPDriver, address: str, pause_s: float
) -> None:
    """The host itself has no address there: also the way to the subnet is ours to keep."""
    ip, far = address.split("/")[0], "198.51.100.1/24" if "." in address else "2001:db8:1::1/64"
    cable.ip(cable.there, "addr", "add", far, "dev", "eth0", *(["nodad"] if ":" in far else []))

    async def story() -> None:
        await driver.start(vip(address, "eth0"), timeout_s=1)
        async with ear(driver, vip(address, "eth0")) as change:
            assert (await change()).state is State.RUNNING
            following = asyncio.create_task(gather(change))
            await asyncio.sleep(0)
            cable.ip(cable.here, "link", "set", "eth0", "down")
            await asyncio.sleep(pause_s)
            cable.ip(cable.here, "link", "set", "eth0", "up")
            await until(lambda: cable.answers(far.split("/")[0], by=ip))
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)
            assert {seen.state for seen in SEEN} <= {State.UNKNOWN, State.RUNNING}

    play(story)


def test_an_interface_that_is_made_anew_at_once_has_its_addresses_again(cable: Cable, driver: VirtualIPDriver) -> None:
    make(cable)

    async def story() -> None:
        for address in ("198.51.100.7/24", "2001:db8:1::7/64"):
            await driver.start(vip(address, "svc0"), timeout_s=1)
        async with (
            ear(driver, vip("198.51.100.7/24", "svc0")) as four,
            ear(driver, vip("2001:db8:1::7/64", "svc0")) as six,
        ):
            assert [(await four()).state, (await six()).state] == [State.RUNNING, State.RUNNING]
            cable.ip(cable.here, "link", "del", "svc0")
            assert [(await four()).state, (await six()).state] == [State.UNKNOWN, State.UNKNOWN]
            make(cable)
            assert [(await four()).state, (await six()).state] == [State.RUNNING, State.RUNNING]
        cable.ip(cable.here, "link", "del", "svc0")
        async with ear(driver, vip("198.51.100.7/24", "svc0")) as four:
            assert (await four()).state is State.UNKNOWN
            assert (await four()).state is State.FAILED, "gone for good"

    play(story)


def test_an_address_that_an_admin_takes_away_is_not_put_back(cable: Cable, driver: VirtualIPDriver) -> None:
    async def story() -> None:
        await driver.start(vip("192.0.2.10/24"), timeout_s=1)
        async with ear(driver, vip("192.0.2.10/24")) as change:
            assert (await change()).state is State.RUNNING
            cable.ip(cable.here, "addr", "del", "192.0.2.10/32", "dev", "eth0")
            assert (await change()).state is State.STOPPED
            assert "192.0.2.10" not in cable.addresses()

    play(story)


def test_a_start_waits_out_a_blink_of_the_link(cable: Cable, driver: VirtualIPDriver) -> None:
    cable.ip(cable.there, "link", "set", "eth0", "down")

    async def story() -> None:
        starting = asyncio.create_task(driver.start(vip("192.0.2.10/24"), timeout_s=5))
        await asyncio.sleep(0.2)
        cable.ip(cable.there, "link", "set", "eth0", "up")
        await starting
        assert await driver.check(vip("192.0.2.10/24")) == Seen(State.RUNNING)

    play(story)


# What is not ours, and what is another service's, stays as it was (`promote_secondaries` is 0, the kernel's default)


@pytest.mark.parametrize("order", ["ours first", "theirs first"])
@pytest.mark.parametrize(
    ("ours", "theirs"), [("198.51.100.101/24", "198.51.100.12/24"), ("2001:db8:1::101/64", "2001:db8:1::12/64")]
)
def test_taking_ours_away_takes_nothing_of_the_hosts(
    cable: Cable, driver: VirtualIPDriver, ours: str, theirs: str, order: str
) -> None:
    def add_theirs() -> None:
        more = ["nodad"] if ":" in theirs else ["label", "eth0:own", "valid_lft", "3600", "preferred_lft", "3600"]
        cable.ip(cable.here, "addr", "add", theirs, "dev", "eth0", *more)

    def state() -> tuple[list[str], str]:
        kept = [line.split(" valid_lft")[0] for line in cable.addresses().splitlines() if theirs.split("/")[0] in line]
        return kept, routes(cable)

    async def story() -> None:
        add_theirs()
        wanted = state()
        if order == "ours first":
            cable.ip(cable.here, "addr", "del", theirs, "dev", "eth0")
        await driver.start(vip(ours, "eth0"), timeout_s=1)
        if order == "ours first":
            add_theirs()
        with cable.monitor() as told:
            await driver.stop(vip(ours, "eth0"), timeout_s=1)
            assert theirs.split("/")[0] not in told(), "not even for a moment"
        assert state() == wanted

    play(story)


@pytest.mark.parametrize(
    ("first", "second"), [("198.51.100.101/24", "198.51.100.102/24"), ("2001:db8:1::101/64", "2001:db8:1::102/64")]
)
def test_one_service_that_leaves_takes_nothing_of_anothers(
    cable: Cable, driver: VirtualIPDriver, first: str, second: str
) -> None:
    far = "198.51.100.1/24" if "." in first else "2001:db8:1::1/64"
    cable.ip(cable.there, "addr", "add", far, "dev", "eth0", *(["nodad"] if ":" in far else []))

    async def story() -> None:
        await driver.start(vip(first, "eth0"), timeout_s=1)
        await driver.start(vip(second, "eth0"), timeout_s=1)
        with cable.monitor() as told:
            await driver.stop(vip(first, "eth0"), timeout_s=1)
            assert second.split("/")[0] not in told()
        await until(lambda: cable.answers(far.split("/")[0], by=second.split("/")[0]))
        await driver.stop(vip(second, "eth0"), timeout_s=1)

    before = routes(cable)
    play(story)
    assert routes(cable) == before


def test_the_hosts_own_address_that_goes_takes_nothing_of_ours(cable: Cable, driver: VirtualIPDriver) -> None:
    async def story() -> None:
        await driver.start(vip("192.0.2.10/24"), timeout_s=1)
        cable.ip(cable.here, "addr", "del", "192.0.2.1/24", "dev", "eth0")
        assert await driver.check(vip("192.0.2.10/24")) == Seen(State.RUNNING)
        await until(lambda: cable.answers("192.0.2.2", by="192.0.2.10"))

    play(story)


def test_an_address_that_an_older_agent_added_goes_alone_too(cable: Cable, driver: VirtualIPDriver) -> None:
    index = int(cable.ip(cable.here, "-oneline", "link", "show", "eth0").partition(":")[0])
    old = Address(index, ip_interface("198.51.100.101/24"), OURS)

    async def story() -> None:
        await Netlink().add(old, old.interface)
        cable.ip(cable.here, "addr", "add", "198.51.100.12/24", "dev", "eth0")
        assert "secondary" in cable.addresses()
        await driver.stop(vip("198.51.100.101/24", "eth0"), timeout_s=1)

    play(story)
    assert "198.51.100.12/24" in cable.addresses() and "198.51.100.101" not in cable.addresses()
    assert cable.sysctl("ipv4/conf/eth0/promote_secondaries") == "0"


@BOTH
def test_an_address_of_the_host_itself_is_named_and_never_withdrawn(
    cable: Cable, driver: VirtualIPDriver, address: str, tmp_path: Path
) -> None:
    ip = address.split("/")[0]

    async def story() -> None:
        await driver.start(vip(address), timeout_s=1)
        await driver.stop(vip(address), timeout_s=1)
        (tmp_path / "notes" / ip.replace(":", "-")).touch()  # the note of a life that died
        cable.ip(cable.here, "addr", "add", address, "dev", "eth0", *(["nodad"] if ":" in address else []))
        why = f"{ip} is an address of this host itself (eth0): choose another"
        assert await driver.not_ready(vip(address)) == why
        assert await driver.check(vip(address)) == Seen(State.UNKNOWN, why)
        with pytest.raises(StartFailed, match="of this host itself"):
            await driver.start(vip(address), timeout_s=1)
        await driver.stop(vip(address), timeout_s=1)
        assert ip in cable.addresses()
        assert ip in " ".join(await own_addresses()), "so that the operator can refuse it by name"

    play(story)


def test_the_hosts_own_addresses_are_told_whenever_they_change_and_never_ours(
    cable: Cable, driver: VirtualIPDriver, tmp_path: Path
) -> None:
    async def story() -> None:
        told: asyncio.Queue[tuple[str, ...]] = asyncio.Queue()
        following = asyncio.create_task(follow(told.put_nowait, notes=tmp_path / "notes"))
        assert await told.get() == ("192.0.2.1/24", "2001:db8::1/64")
        await driver.start(vip("192.0.2.10/24"), timeout_s=1)
        cable.ip(cable.here, "addr", "add", "192.0.2.12/24", "dev", "eth0")
        assert await told.get() == ("192.0.2.1/24", "192.0.2.12/24", "2001:db8::1/64")
        cable.ip(cable.here, "addr", "del", "192.0.2.12/24", "dev", "eth0")
        assert await told.get() == ("192.0.2.1/24", "2001:db8::1/64")
        following.cancel()

    play(story)


def test_a_kernel_without_marks_is_helped_by_notes(tmp_path: Path) -> None:
    """RHEL 9's: without them our own addresses would be taken for the host's, and refused by name."""
    address = Address(2, ip_interface("192.0.2.10/24"))
    old, new = (Notes(tmp_path, kernel=release) for release in ("5.14.0-503.el9.x86_64", "6.1.0-25-amd64"))
    assert not old.is_ours(address)
    old.write(address.interface, "eth0")
    assert old.is_ours(address) and not new.is_ours(address) and old.link_of(address.interface) == "eth0"


@pytest.mark.parametrize(
    ("setting", "value", "address", "why"),
    [
        ("ipv6/conf/eth0/disable_ipv6", "1", "2001:db8::10/64", "IPv6 is disabled on eth0"),
        ("ipv4/conf/eth0/arp_ignore", "8", "192.0.2.10/24", "arp_ignore=8"),
        ("ipv4/conf/all/arp_ignore", "2", "192.0.2.10/24", "arp_ignore=2"),
    ],
)
def test_settings_that_forbid_an_address_are_said_before_it_is_needed(
    cable: Cable, driver: VirtualIPDriver, setting: str, value: str, address: str, why: str
) -> None:
    async def story() -> None:
        assert await driver.not_ready(vip(address, "eth0")) is None
        cable.sysctl(setting, value)
        assert why in (await driver.not_ready(vip(address, "eth0")) or "ready")

    play(story)


@pytest.mark.parametrize(
    ("address", "interface", "why"),
    [
        ("192.0.2.1/24", None, "192.0.2.1 is an address of this host itself (eth0): choose another"),
        ("192.0.2.254/24", None, "192.0.2.254 is a gateway of this host"),
        ("192.0.2.255/24", None, "192.0.2.255/24 is the broadcast address of its subnet: choose one inside it"),
        ("192.0.2.0/24", None, "192.0.2.0/24 is the address of the subnet itself: choose one inside it"),
        ("198.51.100.7/24", None, "no interface of this host has an address in 198.51.100.0/24"),
        ("192.0.2.10/24", "eth7", "this host has no interface eth7"),
        ("224.0.0.9/24", "eth0", "is not a unicast address that can move between hosts"),
        ("fe80::7/64", None, "name one with `interface`"),
    ],
)
def test_addresses_that_cannot_be_here(
    cable: Cable, driver: VirtualIPDriver, address: str, interface: str | None, why: str
) -> None:
    before = cable.addresses()

    async def story() -> None:
        assert why in (await driver.not_ready(vip(address, interface)) or "ready")
        with pytest.raises(StartFailed, match=re.escape(why)):
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
        assert left == [VirtualIP(address="192.0.2.10/32"), VirtualIP(address="2001:db8::10/128")]
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
