"""Addresses on what this machine may not make: a VLAN on a bond, links that lose frames. Told by `test_kernel_machine.py`."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from ipaddress import ip_interface

import pytest

from backstay_agent.drivers.address.driver import VirtualIPDriver
from backstay_agent.drivers.address.frames import announcements
from backstay_agent.drivers.base import Seen, StartFailed, State
from backstay_agent.tasks import end_tasks
from backstay_testing import cable as cables
from backstay_testing.cable import SEEN, STALE, Cable, gather, until, vip, watching

# Emulated, and beside others.
play = partial(cables.play, limit_s=60)
FOUR, SIX = "198.51.100.7/24", "2001:db8:1::7/64"
BOTH = pytest.mark.parametrize("address", [FOUR, SIX])


def lay(cable: Cable, bond: str = "") -> None:
    """`svc0` is VLAN 7 on a bond of two ports; the neighbour is a switch, with an interface in that VLAN."""
    for where, words in (
        ("there", "link add sw0 type bridge"),
        ("here", f"link add bond0 type bond mode active-backup miimon 50 {bond}"),
        *((side, line) for port in "01" for side, line in _port(cable, port)),
        ("there", "link set sw0 up"),
        ("there", "link add svc0 link sw0 type vlan id 7"),
        ("there", "link set svc0 up"),
        ("there", "addr add 198.51.100.1/24 dev svc0"),
        ("there", "addr add 2001:db8:1::1/64 dev svc0 nodad"),
        ("here", "link set bond0 up"),
        ("here", "link add svc0 link bond0 type vlan id 7"),
        ("here", "link set svc0 up"),
    ):
        cable.ip(getattr(cable, where), *words.split())


def _port(cable: Cable, number: str) -> Iterator[tuple[str, str]]:
    yield "here", f"link add port{number} type veth peer name far{number} netns {cable.there}"
    yield "here", f"link set port{number} master bond0"
    yield "there", f"link set far{number} master sw0"
    yield "there", f"link set far{number} up"


def far(address: str) -> str:
    return "198.51.100.1" if "." in address else "2001:db8:1::1"


def is_up(cable: Cable) -> bool:
    return "LOWER_UP" in cable.ip(cable.here, "link", "show", "svc0")


def pull(cable: Cable, *ports: str, back: bool = False) -> None:
    for port in ports:
        cable.ip(cable.there, "link", "set", port, "up" if back else "down")


def claim(mac: str) -> list[bytes]:
    """Another machine says that it has our address."""
    return announcements(ip_interface("192.0.2.10").ip, bytes.fromhex(mac.replace(":", "")))


def active_port(cable: Cable) -> str:
    words = cable.ip(cable.here, "-details", "link", "show", "bond0").split()
    return words[words.index("active_slave") + 1] if "active_slave" in words else ""


@contextmanager
def poor(cable: Cable, *how: str) -> Iterator[None]:
    """The cable treats what we send so."""
    qdisc = ["tc", "-n", cable.here, "qdisc"]
    subprocess.run([*qdisc, "add", "dev", "eth0", "root", "netem", *how], check=True)
    try:
        yield
    finally:
        subprocess.run([*qdisc, "del", "dev", "eth0", "root"], check=True)


@pytest.mark.parametrize(("address", "bond"), [(SIX, ""), (FOUR, "fail_over_mac active")])
def test_a_bond_that_changes_its_port_takes_nothing_from_an_address_on_a_vlan_of_it(
    cable: Cable, driver: VirtualIPDriver, address: str, bond: str
) -> None:
    """Where the bond takes the MAC of its port, neighbours have to learn that one, though the start has just told them another."""
    lay(cable, bond)
    ip = address.split("/")[0]

    async def story() -> None:
        await until(lambda: is_up(cable) and active_port(cable) == "port0")
        await driver.prepare(vip(address, "svc0"))
        await driver.start(vip(address, "svc0"), timeout_s=20)
        async with watching(driver, vip(address, "svc0")) as change:
            assert await change() == Seen(State.RUNNING)
            following = asyncio.create_task(gather(change))
            await until(lambda: cable.answers(far(address), by=ip))
            pull(cable, "far0")
            await until(lambda: active_port(cable) == "port1")
            await until(lambda: all(series.done() for series in driver._announcer._tasks.values()))
            await until(lambda: cable.answers(far(address), by=ip))
            assert SEEN == [], "there was nothing to be said"
            await end_tasks([following])
        await driver.stop(vip(address, "svc0"), timeout_s=20)

    play(story)


@BOTH
def test_a_bond_without_any_port_is_waited_out_a_moment_and_then_told(
    cable: Cable, driver: VirtualIPDriver, address: str
) -> None:
    lay(cable)
    ip = address.split("/")[0]

    async def story() -> None:
        await until(lambda: is_up(cable))
        await driver.start(vip(address, "svc0"), timeout_s=20)
        async with watching(driver, vip(address, "svc0")) as change:
            assert await change() == Seen(State.RUNNING)
            pull(cable, "far0", "far1")
            seen = await change()
            assert seen.state is State.UNKNOWN and f"the link of svc0, which has {ip}, is down" in seen.why, seen
            assert await change() == Seen(State.FAILED, f"svc0, which has {ip}, has no link")
            with pytest.raises(StartFailed, match="would go, has no link"):
                await driver.start(vip("198.51.100.8/24", "svc0"), timeout_s=20)
            cable.ip(cable.there, "neigh", "replace", ip, "lladdr", STALE, "dev", "svc0", "nud", "stale")
            pull(cable, "far1", back=True)
            assert await change() == Seen(State.RUNNING)
            await until(lambda: STALE not in cable.neighbour_entry(ip) and bool(cable.neighbour_entry(ip)))
        await driver.stop(vip(address, "svc0"), timeout_s=20)

    play(story)


def test_a_blink_of_what_a_vlan_stands_on_is_no_failure_and_all_that_it_took_is_put_back(
    cable: Cable, driver: VirtualIPDriver
) -> None:
    """The kernel takes the VLAN down and up with it: the routes are gone, and with v6 the address."""
    lay(cable)

    async def story() -> None:
        await until(lambda: is_up(cable))
        for address in (FOUR, SIX):
            await driver.start(vip(address, "svc0"), timeout_s=20)
        async with watching(driver, vip(FOUR, "svc0")) as four, watching(driver, vip(SIX, "svc0")) as six:
            assert [await four(), await six()] == [Seen(State.RUNNING)] * 2
            following = [asyncio.create_task(gather(change)) for change in (four, six)]
            await asyncio.sleep(0)
            cable.ip(cable.here, "link", "set", "bond0", "down")
            await until(lambda: [seen.state for seen in SEEN].count(State.UNKNOWN) == 2)
            cable.ip(cable.here, "link", "set", "bond0", "up")
            for address in (FOUR, SIX):
                await until(lambda: cable.answers(far(address), by=address.split("/")[0]))  # noqa: B023
            await end_tasks(following)
            assert {seen.state for seen in SEEN} == {State.UNKNOWN, State.RUNNING}, SEEN
        for address in (FOUR, SIX):
            await driver.stop(vip(address, "svc0"), timeout_s=20)
        assert not {"198.51.100.7", "2001:db8:1::7"} & set(cables.routes(cable).split())

    play(story)


def test_who_has_an_address_in_the_vlan_is_found_before_it_is_taken(cable: Cable, driver: VirtualIPDriver) -> None:
    lay(cable)
    cable.ip(cable.there, "addr", "add", FOUR, "dev", "svc0")

    async def story() -> None:
        await until(lambda: is_up(cable) and cables.routes(cable) != "")
        cable.ip(cable.here, "addr", "add", "198.51.100.2/24", "dev", "svc0")
        await until(lambda: cable.answers(far(FOUR), by="198.51.100.2"))
        with pytest.raises(StartFailed, match=r"in use already: .* answered for it on svc0"):
            await driver.prepare(vip(FOUR))

    play(story)


def test_what_is_said_in_a_vlan_that_is_not_of_this_host_is_about_another_network(
    cable: Cable, driver: VirtualIPDriver
) -> None:
    """A trunk: many VLANs, each with the same private addresses."""
    cable.ip(cable.there, "link", "add", "other0", "link", "eth0", "type", "vlan", "id", "8")
    cable.ip(cable.there, "link", "set", "other0", "up")

    async def story() -> None:
        await driver.start(vip("192.0.2.10/24"), timeout_s=20)
        async with watching(driver, vip("192.0.2.10/24")) as change:
            assert await change() == Seen(State.RUNNING)
            cable.says(claim(STALE), "other0")
            cable.says(claim("02:00:00:00:00:77"), "eth0")
            why = "192.0.2.10 is in use twice: 02:00:00:00:00:77 answered for it on eth0 as well"
            assert await change() == Seen(State.RUNNING, why)

    play(story)


def test_who_answers_late_over_a_slow_link_is_found_while_the_address_is_in_use(
    cable: Cable, driver: VirtualIPDriver
) -> None:
    cable.ip(cable.there, "addr", "add", "192.0.2.10/24", "dev", "eth0")
    mac = cable.mac(cable.there)

    async def story() -> None:
        with poor(cable, "delay", "300ms"):
            await driver.prepare(vip("192.0.2.10/24"))
            await driver.start(vip("192.0.2.10/24"), timeout_s=20)
            async with watching(driver, vip("192.0.2.10/24")) as change:
                first = await change()
                # On a busy machine the answer may be there before the first look.
                found = first if first.why else await change()
                assert (first.state, found.state) == (State.RUNNING, State.RUNNING)
                assert found.why == f"192.0.2.10 is in use twice: {mac} answered for it on eth0 as well"

    play(story)


def test_who_could_not_be_asked_at_first_is_asked_again_soon(cable: Cable, driver: VirtualIPDriver) -> None:
    """A switch port that has just come up forwards nothing for a while, and says nothing of it."""
    cable.ip(cable.there, "addr", "add", "192.0.2.10/24", "dev", "eth0")
    mac = cable.mac(cable.there)

    async def story() -> None:
        async with watching(driver, vip("192.0.2.10/24")) as change:
            with poor(cable, "loss", "100%"):
                await driver.prepare(vip("192.0.2.10/24"))
                await driver.start(vip("192.0.2.10/24"), timeout_s=20)
                assert await change() == Seen(State.RUNNING)
            async with asyncio.timeout(15):  # long before it is asked regularly
                assert (await change()).why == f"192.0.2.10 is in use twice: {mac} answered for it on eth0 as well"

    play(story)


def test_a_link_that_loses_half_and_doubles_the_rest_makes_no_duplicate_and_the_neighbour_learns(
    cable: Cable, driver: VirtualIPDriver
) -> None:
    cable.ip(cable.there, "neigh", "replace", "192.0.2.10", "lladdr", STALE, "dev", "eth0", "nud", "stale")

    async def story() -> None:
        with poor(cable, "loss", "50%", "duplicate", "100%", "delay", "20ms", "20ms"):
            await driver.prepare(vip("192.0.2.10/24"))
            await driver.start(vip("192.0.2.10/24"), timeout_s=20)
            async with watching(driver, vip("192.0.2.10/24")) as change:
                assert await change() == Seen(State.RUNNING)
                await until(lambda: cable.mac(cable.here) in cable.neighbour_entry("192.0.2.10"))
                cable.ip(cable.here, "addr", "del", "192.0.2.10/32", "dev", "eth0")
                assert (await change()).state is State.STOPPED

    play(story)
