"""Written worlds in which a person deletes one of our own objects: what stood in it is said again, or is not lost with it."""

import asyncio

import pytest

from backstay_api.objects.object_kinds import FENCE_REQUESTS, HA_SERVICES, HOST_ASSIGNMENTS, HOSTS
from backstay_dev.simulator.shapes import NAMESPACE, Shape
from backstay_dev.simulator.world import World
from backstay_testing.stories import LOG, THREE, TWO, WEB, holder, rest, tell


def test_a_host_that_is_being_removed_gives_back_what_it_holds_though_its_hostassignment_is_deleted() -> None:
    """Seeds 39313224732, …822 and …999: nobody made one again for a host that was to go, and it had no place to say Released."""

    async def story(world: World) -> None:
        host = holder(world, "web-0")
        other = next(name for name in world.machines if name != host)
        world.patch(HOSTS, ("", other), {"spec": {"maintenance": {"mode": "Cordon", "reason": "later"}}})
        await asyncio.sleep(2)
        world.delete(HOSTS, ("", host))
        await asyncio.sleep(2)
        world.delete(HOST_ASSIGNMENTS, ("", host))
        await asyncio.sleep(2)
        world.patch(HOSTS, ("", other), {"spec": {"maintenance": None}})
        await asyncio.sleep(20)
        assert holder(world, "web-0") == other
        assert world.get(HOSTS, ("", host)) is None
        world.add_host(host)
        await rest(world)

    tell(Shape(TWO, 1, (WEB,)), story)


def test_a_host_that_has_left_the_pool_keeps_its_enabled_unit_marked_though_its_hostassignment_is_deleted() -> None:
    """Seed 39313224732: the new one did not name the unit, since nobody had read in it yet that the host holds it."""

    async def story(world: World) -> None:
        world.patch(HA_SERVICES, (NAMESPACE, "web"), {"spec": {"placement": {"hosts": {"matchLabels": {"pool": "a"}}}}})
        await asyncio.sleep(5)
        other = next(name for name in world.machines if name != holder(world, "web-0"))
        world.patch(HOSTS, ("", other), {"metadata": {"labels": {"pool": "b"}}})
        await asyncio.sleep(15)
        world.delete(HOST_ASSIGNMENTS, ("", other))
        await asyncio.sleep(90)
        machine = world.machines[other]
        machine.lose_power("it reboots")
        await asyncio.sleep(1)
        machine.gain_power("it has rebooted")
        await rest(world)

    tell(Shape(THREE, 1, (WEB,), is_packaged=True), story)


@pytest.mark.parametrize("fencers", [1, 2])
def test_a_host_that_we_have_switched_off_is_switched_on_again_though_its_fencerequest_is_deleted(fencers: int) -> None:
    """Seeds 72673111355 and 57291221401: the `off`, and so the `on` that is owed for it, stands nowhere else."""

    async def story(world: World) -> None:
        host = holder(world, "web-0")
        machine = world.machines[host]
        world.freeze(f"agent-{host}")
        while machine.is_on:
            await asyncio.sleep(0.1)
        for body in world.cluster.bodies(FENCE_REQUESTS):
            world.delete(FENCE_REQUESTS, ("", body["metadata"]["name"]))
        await rest(world)
        assert machine.is_on

    tell(Shape(TWO, 1, (WEB,), fencers=fencers), story)


def test_a_copy_that_its_host_has_carried_over_is_stopped_though_the_order_to_stop_it_was_deleted() -> None:
    """Another order follows, to a session that was never granted this epoch: nobody else's could reach the copy."""

    async def story(world: World) -> None:
        host = holder(world, "log-0")
        assert holder(world, "web-0") == host, "for this it is sealed"
        for bmc in world.bmcs_of(world.machines[host]):
            bmc.is_reachable = False
        world.cut(host, "refused")
        while holder(world, "log-0") == host:
            await asyncio.sleep(0.1)
        world.delete(HOST_ASSIGNMENTS, ("", host))
        await asyncio.sleep(5)
        world.cluster.compact()  # the host is told what there is, and not what there was
        world.freeze("operator-a")  # until the host has another session
        world.heal(host)
        await asyncio.sleep(5)
        world.thaw("operator-a")
        await rest(world)

    tell(Shape(TWO, 1, (WEB, LOG)), story)
