"""Addresses on a real link: laid, told to a neighbour, watched, and through blinks of the link."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from backstay_agent.drivers.address.driver import VirtualIPDriver
from backstay_agent.drivers.address.link_flaps import GRACE_S
from backstay_agent.drivers.address.netlink import Address, Netlink
from backstay_agent.drivers.base import Seen, StartFailed, State
from backstay_agent.tasks import end_tasks
from backstay_testing.cable import BOTH, SEEN, STALE, Cable, gather, make, now_s, play, until, vip, watching

pytestmark = pytest.mark.hosts


@BOTH
def test_a_neighbour_that_knew_it_elsewhere_learns_that_it_is_here(
    cable: Cable, driver: VirtualIPDriver, address: str
) -> None:
    ip = address.split("/")[0]
    cable.ip(cable.there, "neigh", "replace", ip, "lladdr", STALE, "dev", "eth0", "nud", "stale")

    async def story() -> None:
        await driver.prepare(vip(address))
        assert STALE in cable.neighbour_entry(ip), "to ask must not make anybody believe that it is here"
        await driver.start(vip(address), timeout_s=5)
        await until(lambda: cable.mac(cable.here) in cable.neighbour_entry(ip))
        assert await driver.check(vip(address)) == Seen(State.RUNNING)
        await driver.start(vip(address), timeout_s=5)
        await driver.stop(vip(address), timeout_s=5)
        assert ip not in cable.addresses()
        await driver.stop(vip(address), timeout_s=5)

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
        await driver.start(vip(address), timeout_s=5)
        async with watching(driver, vip(address)) as change:
            assert (await change()).state is State.RUNNING

            cable.ip(cable.here, "addr", "del", address.split("/")[0], "dev", "eth0")
            assert (await change()).state is State.STOPPED

    play(story)


def test_a_link_that_goes_for_good_is_told_and_when_it_comes_back_the_address_is_announced_again(
    cable: Cable, driver: VirtualIPDriver
) -> None:
    async def story() -> None:
        await driver.start(vip("192.0.2.10/24"), timeout_s=5)
        async with watching(driver, vip("192.0.2.10/24")) as change:
            assert (await change()).state is State.RUNNING
            cable.ip(cable.there, "link", "set", "eth0", "down")
            down_s = now_s()
            seen = await change()
            assert seen.state is State.UNKNOWN and "the link of eth0, which has 192.0.2.10, is down" in seen.why
            assert await change() == Seen(State.FAILED, "eth0, which has 192.0.2.10, has no link")
            assert GRACE_S - 0.1 < now_s() - down_s < GRACE_S + 1
            with pytest.raises(StartFailed, match=r"where 192\.0\.2\.11 would go, has no link"):
                await driver.start(vip("192.0.2.11/24"), timeout_s=5)
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
        await driver.start(vip(address, "eth0"), timeout_s=5)
        async with watching(driver, vip(address, "eth0")) as change:
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
            await driver.start(vip(address, "svc0"), timeout_s=5)
        async with (
            watching(driver, vip("198.51.100.7/24", "svc0")) as four,
            watching(driver, vip("2001:db8:1::7/64", "svc0")) as six,
        ):
            assert [(await four()).state, (await six()).state] == [State.RUNNING, State.RUNNING]
            cable.ip(cable.here, "link", "del", "svc0")
            assert [(await four()).state, (await six()).state] == [State.UNKNOWN, State.UNKNOWN]
            make(cable)
            assert [(await four()).state, (await six()).state] == [State.RUNNING, State.RUNNING]
        cable.ip(cable.here, "link", "del", "svc0")
        async with watching(driver, vip("198.51.100.7/24", "svc0")) as four:
            assert (await four()).state is State.UNKNOWN
            assert (await four()).state is State.FAILED, "gone for good"

    play(story)


class Counted(Netlink):
    """How often all addresses of this host were read."""

    reads = 0

    async def addresses(self) -> list[Address]:
        self.reads += 1
        return await super().addresses()


def test_one_look_does_for_all_addresses_when_their_link_changes(cable: Cable, tmp_path: Path) -> None:
    netlink = Counted()
    driver = VirtualIPDriver(netlink, notes=tmp_path / "notes")
    ours = [vip(f"192.0.2.{number}/24") for number in range(10, 30)]

    async def story() -> None:
        async with AsyncExitStack() as watches:
            changes = []
            for one in ours:
                await driver.start(one, timeout_s=5)
                changes.append(await watches.enter_async_context(watching(driver, one)))
                assert (await changes[-1]()).state is State.RUNNING
            waiting = [asyncio.create_task(gather_one(change)) for change in changes]
            await asyncio.sleep(0)
            netlink.reads = 0
            cable.ip(cable.there, "link", "set", "eth0", "down")
            assert {seen.state for seen in await asyncio.gather(*waiting)} == {State.UNKNOWN}
            assert netlink.reads < len(ours) / 2

    play(story)


async def gather_one(change: Callable[[], Awaitable[Seen]]) -> Seen:
    return await change()


def test_an_address_that_an_admin_takes_away_is_not_put_back(cable: Cable, driver: VirtualIPDriver) -> None:
    async def story() -> None:
        await driver.start(vip("192.0.2.10/24"), timeout_s=5)
        async with watching(driver, vip("192.0.2.10/24")) as change:
            assert (await change()).state is State.RUNNING
            cable.ip(cable.here, "addr", "del", "192.0.2.10/32", "dev", "eth0")
            assert (await change()).state is State.STOPPED
            assert "192.0.2.10" not in cable.addresses()

    play(story)


@BOTH
def test_an_interface_that_gets_another_mac_is_announced_with_that_and_not_with_the_old_one_any_more(
    cable: Cable, driver: VirtualIPDriver, address: str
) -> None:
    """As a bond does that changes its port (`fail_over_mac=active`), while the start is still announced."""
    ip, fresh = address.split("/")[0], "02:00:00:00:00:55"

    async def story() -> None:
        await driver.start(vip(address), timeout_s=5)
        async with watching(driver, vip(address)) as change:
            assert await change() == Seen(State.RUNNING)
            cable.ip(cable.there, "neigh", "replace", ip, "lladdr", STALE, "dev", "eth0", "nud", "stale")
            following = asyncio.create_task(gather(change))
            cable.ip(cable.here, "link", "set", "eth0", "address", fresh)
            await until(lambda: fresh in cable.neighbour_entry(ip))
            await until(lambda: all(series.done() for series in driver._announcer._tasks.values()))
            assert fresh in cable.neighbour_entry(ip)
            await end_tasks([following])

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
