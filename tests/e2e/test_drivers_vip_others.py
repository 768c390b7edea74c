"""Addresses of ours beside those of the host and of other services: what goes takes nothing along, and what may not be is said."""

import asyncio
import re
from ipaddress import ip_interface
from pathlib import Path

import pytest

from backstay_agent.addresses import follow, own_addresses
from backstay_agent.drivers.address.driver import VirtualIPDriver
from backstay_agent.drivers.address.netlink import OURS, Address, Netlink
from backstay_agent.drivers.address.records import Notes
from backstay_agent.drivers.base import Seen, StartFailed, State
from backstay_api.objects.plain import VirtualIP
from backstay_testing.cable import BOTH, Cable, play, routes, until, vip

pytestmark = pytest.mark.hosts


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
        await driver.start(vip(ours, "eth0"), timeout_s=5)
        if order == "ours first":
            add_theirs()
        with cable.monitor() as told:
            await driver.stop(vip(ours, "eth0"), timeout_s=5)
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
        await driver.start(vip(first, "eth0"), timeout_s=5)
        await driver.start(vip(second, "eth0"), timeout_s=5)
        with cable.monitor() as told:
            await driver.stop(vip(first, "eth0"), timeout_s=5)
            assert second.split("/")[0] not in told()
        await until(lambda: cable.answers(far.split("/")[0], by=second.split("/")[0]))
        await driver.stop(vip(second, "eth0"), timeout_s=5)

    before = routes(cable)
    play(story)
    assert routes(cable) == before


def test_the_hosts_own_address_that_goes_takes_nothing_of_ours(cable: Cable, driver: VirtualIPDriver) -> None:
    async def story() -> None:
        await driver.start(vip("192.0.2.10/24"), timeout_s=5)
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
        await driver.stop(vip("198.51.100.101/24", "eth0"), timeout_s=5)

    play(story)
    assert "198.51.100.12/24" in cable.addresses() and "198.51.100.101" not in cable.addresses()
    assert cable.sysctl("ipv4/conf/eth0/promote_secondaries") == "0"


@BOTH
def test_an_address_of_the_host_itself_is_named_and_never_withdrawn(
    cable: Cable, driver: VirtualIPDriver, address: str, tmp_path: Path
) -> None:
    ip = address.split("/")[0]

    async def story() -> None:
        await driver.start(vip(address), timeout_s=5)
        await driver.stop(vip(address), timeout_s=5)
        (tmp_path / "notes" / ip.replace(":", "-")).touch()  # the note of a life that died
        cable.ip(cable.here, "addr", "add", address, "dev", "eth0", *(["nodad"] if ":" in address else []))
        why = f"{ip} is an address of this host itself (eth0): choose another"
        assert await driver.not_ready(vip(address)) == why
        assert await driver.check(vip(address)) == Seen(State.UNKNOWN, why)
        with pytest.raises(StartFailed, match="of this host itself"):
            await driver.start(vip(address), timeout_s=5)
        await driver.stop(vip(address), timeout_s=5)
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
        await driver.start(vip("192.0.2.10/24"), timeout_s=5)
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
            await driver.start(vip(address, interface), timeout_s=5)
        await driver.stop(vip(address, interface), timeout_s=5)

    play(story)
    assert cable.addresses() == before, "what is not ours must stay"


def test_a_host_without_a_link_is_not_ready(cable: Cable, driver: VirtualIPDriver) -> None:
    cable.ip(cable.there, "link", "set", "eth0", "down")

    async def story() -> None:
        assert await driver.not_ready(vip("192.0.2.10/24")) == "eth0, where 192.0.2.10 would go, has no link"

    play(story)


def test_what_is_ours_is_recognised_without_any_memory(cable: Cable, driver: VirtualIPDriver, tmp_path: Path) -> None:
    async def story() -> None:
        await driver.start(vip("192.0.2.10/24"), timeout_s=5)
        await driver.start(vip("2001:db8::10/64"), timeout_s=5)
        forgetful = VirtualIPDriver(notes=tmp_path / "emptied")
        left = [resource.virtual_ip for resource in await forgetful.leftovers()]
        assert left == [VirtualIP(address="192.0.2.10/32"), VirtualIP(address="2001:db8::10/128")]
        await forgetful.stop(vip("192.0.2.10/24"), timeout_s=5)
        await forgetful.stop(vip("2001:db8::10/64"), timeout_s=5)
        assert await driver.leftovers() == []

    play(story)


def test_a_host_does_not_use_a_v6_address_that_may_move_for_its_own_connections(
    cable: Cable, driver: VirtualIPDriver
) -> None:
    async def story() -> None:
        await driver.start(vip("2001:db8::ffff/64"), timeout_s=5)
        assert "src 2001:db8::1 " in cable.ip(cable.here, "-6", "route", "get", "2001:db8::2") + " "

    play(story)


def test_the_subnets_route_stays_when_the_address_goes(cable: Cable, driver: VirtualIPDriver) -> None:
    before = cable.ip(cable.here, "route"), cable.ip(cable.here, "-6", "route")

    async def story() -> None:
        for address in ("192.0.2.10/24", "2001:db8::10/64"):
            await driver.start(vip(address), timeout_s=5)
            await driver.stop(vip(address), timeout_s=5)

    play(story)
    assert (cable.ip(cable.here, "route"), cable.ip(cable.here, "-6", "route")) == before
