"""Addresses on every kind of interface that this kernel makes; routes that come and go with them; interfaces that are renamed."""

import asyncio
import subprocess
from ipaddress import ip_interface

import pytest

from backstay_agent.drivers.address.driver import VirtualIPDriver
from backstay_agent.drivers.base import Seen, State
from backstay_agent.tasks import end_tasks
from backstay_api.objects.plain import AddressRoute
from backstay_testing.cable import BOTH, ON_ANY_LINK, SEEN, Cable, gather, play, routes, until, vip, watching

pytestmark = pytest.mark.hosts

PARENTS = {
    "veth": ["link add svc0 type veth peer name far0 netns {there}"],
    "macvlan": ["link add svc0 link eth0 type macvlan mode bridge"],
    "bridge": [
        "link add svc0 type bridge",
        "link add port0 type veth peer name far0 netns {there}",
        "link set port0 master svc0 up",
    ],
    "bond": [
        "link add svc0 type bond mode active-backup",
        "link add port0 type veth peer name far0 netns {there}",
        "link set port0 master svc0",
    ],
    "vlan": ["link add svc0 link eth0 type vlan id 7"],
    "dummy": ["link add svc0 type dummy"],
}
FAMILIES = pytest.mark.parametrize("address", ON_ANY_LINK)


def lay(cable: Cable, parent: str) -> None:
    for words in PARENTS[parent]:
        try:
            cable.ip(cable.here, *words.format(there=cable.there).split())
        except subprocess.CalledProcessError as error:
            if "Unknown device type" not in error.stderr:
                raise
            pytest.skip(f"this kernel makes no {parent}: told by test_kernel_machine.py")
    cable.ip(cable.here, "link", "set", "svc0", "up")
    if any("far0" in words for words in PARENTS[parent]):
        cable.ip(cable.there, "link", "set", "far0", "up")


@FAMILIES
@pytest.mark.parametrize("parent", PARENTS)
def test_an_address_lives_on_any_interface_and_through_its_blinks_without_a_default_route(
    cable: Cable, driver: VirtualIPDriver, parent: str, address: str
) -> None:
    cable.ip(cable.here, "route", "del", "default")
    lay(cable, parent)
    ip = address.split("/")[0]

    async def story() -> None:
        # Its own v6 address comes a little after its carrier.
        await until(lambda: "LOWER_UP" in cable.ip(cable.here, "link", "show", "svc0") and "dev svc0" in routes(cable))
        before = routes(cable)
        await driver.prepare(vip(address, "svc0"))
        await driver.start(vip(address, "svc0"), timeout_s=5)
        async with watching(driver, vip(address, "svc0")) as change:
            assert (await change()).state is State.RUNNING
            cable.ip(cable.here, "link", "set", "svc0", "down")
            assert (await change()).state is State.UNKNOWN
            cable.ip(cable.here, "link", "set", "svc0", "up")
            while (await change()).state is not State.RUNNING:
                pass
        await driver.stop(vip(address, "svc0"), timeout_s=5)
        assert ip not in cable.ip(cable.here, "addr") and ip not in routes(cable)
        await until(lambda: routes(cable) == before)

    play(story)


def test_the_port_of_a_bridge_is_no_place_for_an_address_and_the_bridge_is_named(
    cable: Cable, driver: VirtualIPDriver
) -> None:
    lay(cable, "bridge")
    cable.ip(cable.here, "addr", "add", "198.51.100.1/24", "dev", "port0")

    async def story() -> None:
        why = "port0 is a port of svc0, where all that arrives on it goes: name svc0"
        assert await driver.not_ready(vip("198.51.100.7/24", "port0")) == why
        assert "no interface of this host" in (await driver.not_ready(vip("198.51.100.7/24")) or "ready")
        assert await driver.not_ready(vip("198.51.100.7/24", "svc0")) is None

    play(story)


@pytest.mark.parametrize(
    ("address", "to", "via"),
    [
        ("192.0.2.10/24", "203.0.113.0/24", "192.0.2.2"),
        ("198.51.100.7/32", "203.0.113.0/24", "10.99.0.1"),
        ("198.51.100.7/32", "203.0.113.0/24", None),
        ("2001:db8::10/64", "2001:db8:9::/48", "2001:db8::2"),
        ("2001:db8:1::7/128", "2001:db8:9::/48", "fe80::1"),
        ("2001:db8:1::7/128", "2001:db8:9::/48", None),
    ],
)
def test_a_route_of_the_manifest_has_the_address_as_its_source_and_goes_with_it(
    cable: Cable, driver: VirtualIPDriver, address: str, to: str, via: str | None
) -> None:
    before = routes(cable)
    ours = vip(address, "eth0", routes=(AddressRoute(to=to, via=via),))
    far = str(ip_interface(to).network[5])

    async def story() -> None:
        await driver.start(ours, timeout_s=5)
        taken = cable.ip(cable.here, "route", "get", far)
        assert f"src {address.split('/')[0]} " in f"{taken} " and (via is None or f"via {via} " in taken), taken
        await driver.start(ours, timeout_s=5)
        cable.ip(cable.here, "route", "del", to, "dev", "eth0")
        async with watching(driver, ours) as change:
            assert (await change()).state is State.RUNNING
            assert f"src {address.split('/')[0]} " in f"{cable.ip(cable.here, 'route', 'get', far)} ", "it is put back"
        await driver.stop(vip(address, "eth0"), timeout_s=5)  # as one does who has lost all memory of the routes

    play(story)
    assert routes(cable) == before


def test_a_route_goes_though_somebody_has_taken_its_address_away_before(cable: Cable, driver: VirtualIPDriver) -> None:
    """Then the kernel takes the address out of the v6 route, and nothing but the manifest tells that it was ours."""
    before = routes(cable)
    ours = vip("2001:db8::10/64", routes=(AddressRoute(to="2001:db8:9::/48", via="2001:db8::2"),))

    async def story() -> None:
        await driver.start(ours, timeout_s=5)
        cable.ip(cable.here, "addr", "del", "2001:db8::10/128", "dev", "eth0")
        await driver.stop(ours, timeout_s=5)

    play(story)
    assert routes(cable) == before


@pytest.mark.parametrize(("lifetime", "source"), [(None, "2001:db8::1"), ("Forever", "2001:db8::ffff")])
def test_the_host_has_a_v6_address_as_its_own_source_only_where_the_manifest_says_so(
    cable: Cable, driver: VirtualIPDriver, lifetime: str | None, source: str
) -> None:
    async def story() -> None:
        await driver.start(vip("2001:db8::ffff/64"), timeout_s=5)
        await driver.start(vip("2001:db8::ffff/64", preferred_lifetime=lifetime), timeout_s=5)
        assert ("deprecated" in cable.addresses()) is (lifetime is None)
        assert f"src {source} " in cable.ip(cable.here, "-6", "route", "get", "2001:db8::fffe") + " "

    play(story)


@BOTH
def test_an_address_follows_its_interface_when_that_is_renamed(
    cable: Cable, driver: VirtualIPDriver, address: str
) -> None:
    """A v6 address goes with each blink: what comes back must know where it was."""

    async def story() -> None:
        await driver.start(vip(address), timeout_s=5)
        async with watching(driver, vip(address)) as change:
            assert await change() == Seen(State.RUNNING)
            following = asyncio.create_task(gather(change))
            cable.ip(cable.here, "link", "set", "eth0", "name", "lan0")
            await until(lambda: driver._notes.link_of(ip_interface(address)) == "lan0")
            cable.ip(cable.here, "link", "set", "lan0", "down")
            await until(lambda: State.UNKNOWN in [seen.state for seen in SEEN])
            cable.ip(cable.here, "link", "set", "lan0", "up")
            await until(lambda: SEEN[-1].state is State.RUNNING)
            assert address.split("/")[0] in cable.ip(cable.here, "addr", "show", "dev", "lan0")
            await end_tasks([following])
        await driver.stop(vip(address), timeout_s=5)

    play(story)
