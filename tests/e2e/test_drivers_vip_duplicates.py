"""Somebody else takes an address while it is in use: who it is, is said; ours stays and is defended, or goes, as the manifest has it."""

from ipaddress import ip_address, ip_interface

import pytest

from backstay_agent.drivers.address.driver import VirtualIPDriver
from backstay_agent.drivers.address.frames import announcements
from backstay_agent.drivers.base import Seen, StartFailed, State
from backstay_testing.cable import BOTH, STALE, Cable, play, until, vip, watching

pytestmark = pytest.mark.hosts


def says_it_has(cable: Cable, address: str, mac: str = STALE) -> None:
    """A machine on that cable, with a MAC of its own, announces it."""
    cable.says(announcements(ip_interface(address).ip, bytes.fromhex(mac.replace(":", ""))))


def believes(cable: Cable) -> bool:
    """Until its own first v6 address is proven, a neighbour answers nobody and believes nobody."""
    addresses = cable.ip(cable.there, "addr")
    return "fe80" in addresses and "tentative" not in addresses


def twice(address: str, mac: str) -> str:
    return f"{address.split('/')[0]} is in use twice: {mac} answered for it on eth0 as well"


@BOTH
def test_who_announces_an_address_that_is_in_use_is_named_by_its_mac_and_ours_is_defended(
    cable: Cable, driver: VirtualIPDriver, address: str
) -> None:
    ip = address.split("/")[0]

    async def story() -> None:
        await driver.start(vip(address), timeout_s=5)
        async with watching(driver, vip(address)) as change:
            assert await change() == Seen(State.RUNNING)
            driver._announcer.stop(ip_interface(address))  # what its start still says
            await until(lambda: believes(cable))
            cable.ip(cable.there, "neigh", "replace", ip, "lladdr", STALE, "dev", "eth0", "nud", "stale")
            says_it_has(cable, address)
            assert await change() == Seen(State.RUNNING, twice(address, STALE))
            await until(lambda: cable.mac(cable.here) in cable.neighbour_entry(ip))
            assert ip in cable.addresses()

    play(story)


@BOTH
def test_who_only_answers_is_found_by_the_question_with_which_a_watch_begins(
    cable: Cable, driver: VirtualIPDriver, address: str
) -> None:
    cable.ip(cable.there, "addr", "add", address, "dev", "eth0", *(["nodad"] if ":" in address else []))

    async def story() -> None:
        await until(lambda: believes(cable))
        await driver.start(vip(address), timeout_s=5)
        async with watching(driver, vip(address)) as change:
            assert await change() == Seen(State.RUNNING)
            assert await change() == Seen(State.RUNNING, twice(address, cable.mac(cable.there)))
        assert await driver.check(vip(address)) == Seen(State.RUNNING)
        await driver.stop(vip(address), timeout_s=5)
        assert address.split("/")[0] in cable.ip(cable.there, "addr"), "theirs stays theirs"

    play(story)


def test_where_the_manifest_says_so_it_counts_as_a_failure_and_comes_back_only_when_nobody_else_has_it(
    cable: Cable, driver: VirtualIPDriver
) -> None:
    ours = vip("192.0.2.10/24", on_duplicate="Restart")

    async def story() -> None:
        await driver.start(ours, timeout_s=5)
        cable.ip(cable.there, "addr", "add", "192.0.2.10/24", "dev", "eth0")
        async with watching(driver, ours) as change:
            assert await change() == Seen(State.RUNNING)
            mac = cable.mac(cable.there)
            assert await change() == Seen(State.FAILED, twice("192.0.2.10", mac))
        await driver.stop(ours, timeout_s=5)
        with pytest.raises(StartFailed, match=f"in use already: {mac} answered"):
            await driver.prepare(ours)
        cable.ip(cable.there, "addr", "del", "192.0.2.10/24", "dev", "eth0")
        await driver.prepare(ours)
        await driver.start(ours, timeout_s=5)
        async with watching(driver, ours) as change:
            assert await change() == Seen(State.RUNNING), "who had it before is asked anew"

    play(story)


def test_what_our_own_host_says_of_its_address_is_no_duplicate(cable: Cable, driver: VirtualIPDriver) -> None:
    async def story() -> None:
        await driver.start(vip("192.0.2.10/24"), timeout_s=5)
        async with watching(driver, vip("192.0.2.10/24")) as change:
            assert await change() == Seen(State.RUNNING)
            says_it_has(cable, "192.0.2.10/24", cable.mac(cable.here))  # as it comes back over a second interface
            says_it_has(cable, "192.0.2.11/24")
            cable.ip(cable.here, "addr", "del", "192.0.2.10/32", "dev", "eth0")
            assert (await change()).state is State.STOPPED

    play(story)


@BOTH
def test_nodad_asks_nobody_and_notices_nobody(cable: Cable, driver: VirtualIPDriver, address: str) -> None:
    """A router that answers for every address would keep each of them from starting."""
    ours = vip(address, nodad=True)
    cable.ip(cable.there, "addr", "add", address, "dev", "eth0", *(["nodad"] if ":" in address else []))

    async def story() -> None:
        await driver.prepare(ours)
        await driver.start(ours, timeout_s=5)
        async with watching(driver, ours) as change:
            assert await change() == Seen(State.RUNNING)
            says_it_has(cable, address)
            cable.ip(cable.here, "addr", "del", address.split("/")[0], "dev", "eth0")
            assert (await change()).state is State.STOPPED

    play(story)


def test_one_socket_a_family_receives_for_all_addresses_and_goes_with_the_last(
    cable: Cable, driver: VirtualIPDriver
) -> None:
    async def story() -> None:
        receiving = driver._receiving
        told: list[tuple[str, str]] = []
        ips = [ip_address(f"192.0.2.{number}") for number in (10, 11)]
        with receiving.of(ips[0], lambda link, mac: told.append((link, "first"))):
            with receiving.of(ips[1], lambda link, mac: told.append((link, "second"))):
                assert receiving.sockets == 1
                says_it_has(cable, "192.0.2.11/24")
                await until(lambda: ("eth0", "second") in told)
            says_it_has(cable, "192.0.2.11/24")
            says_it_has(cable, "192.0.2.10/24")
            await until(lambda: ("eth0", "first") in told)
            assert told.count(("eth0", "second")) == len(announcements(ips[1], bytes(6)))
        assert receiving.sockets == 0

    play(story)
