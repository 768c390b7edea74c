"""Written worlds: faults that were found once, each as the shortest story that shows it, on production's own loops."""

import asyncio
import random
from typing import Any

import pytest

from backstay_api.memory.server import Fate, Request
from backstay_api.objects.kinds import LEASES, Kind
from backstay_api.objects.object_kinds import HA_SERVICES, HOST_ASSIGNMENTS, HOSTS
from backstay_dev.simulator.admins import clean_reboot
from backstay_dev.simulator.faults import Chaos, FaultRates
from backstay_dev.simulator.network import Rates
from backstay_dev.simulator.shapes import NAMESPACE, HostShape, ServiceShape, Shape
from backstay_dev.simulator.world import World
from backstay_testing.builders import unit
from backstay_testing.stories import ADDRESS, ADDRESSED, LOG, THREE, TWO, WEB, edit, holder, rest, tell


def test_an_address_that_is_edited_away_and_back_is_never_up_twice() -> None:
    """The follower learns of claims late; every other kind it sees at once (F4)."""

    async def story(world: World) -> None:
        world.launch("operator-b")
        await asyncio.sleep(5)
        thief = ServiceShape("thief", addresses=("192.0.2.10",))
        world.know(thief)
        world.create_service(thief)
        await asyncio.sleep(5)
        world.network.lag_s["operator-b", "resourceclaims.backstay.dev"] = 25.0
        edit(world, "web", unit("web"))
        await asyncio.sleep(1.2)
        edit(world, "web", unit("web"), ADDRESS)
        await asyncio.sleep(40)

    tell(Shape(TWO, 1, (ADDRESSED,)), story)


def test_a_service_that_is_edited_to_name_anothers_unit_does_not_get_it() -> None:
    """F10: the older service names the unit that the younger one runs."""

    async def story(world: World) -> None:
        db = ServiceShape("db")
        world.know(db)
        world.create_service(db)
        await asyncio.sleep(8)
        edit(world, "web", unit("web"), unit("db"))
        await asyncio.sleep(10)
        assert len(world.monitor.active["db"]) == 1

    tell(Shape(TWO, 2, (WEB,)), story)


def test_a_unit_is_not_given_on_while_a_lost_host_may_run_it() -> None:
    """F10b: the holder is cut off and has no device; its service then names another unit, and the next one wants the old."""

    async def story(world: World) -> None:
        young = ServiceShape("young")
        world.know(young)
        world.create_service(young)
        edit(world, "young", unit("web"))
        await asyncio.sleep(5)
        world.cut(holder(world, "web-0"), "silent")
        await asyncio.sleep(5)
        edit(world, "web", unit("web-extra"))
        await asyncio.sleep(20)

    tell(Shape((HostShape(devices="none"),) * 2, 2, (WEB,)), story)


def test_a_host_that_leaves_the_pool_does_not_start_its_enabled_unit_at_its_next_boot() -> None:
    """F20."""

    async def story(world: World) -> None:
        others = [name for name in world.machines if name != holder(world, "web-0")]
        world.patch(HA_SERVICES, (NAMESPACE, "web"), {"spec": {"placement": {"hosts": {"matchLabels": {"pool": "a"}}}}})
        await asyncio.sleep(5)
        world.patch(HOSTS, ("", others[0]), {"metadata": {"labels": {"pool": "b"}}})
        await asyncio.sleep(15)
        machine = world.machines[others[0]]
        machine.lose_power("it reboots")
        await asyncio.sleep(1)
        machine.gain_power("it has rebooted")
        await asyncio.sleep(30)

    tell(Shape(THREE, 1, (WEB,), is_packaged=True), story)


@pytest.mark.parametrize("kind", [HA_SERVICES, HOSTS], ids=lambda kind: kind.kind)
def test_what_a_stale_read_does_not_find_has_not_gone(kind: Kind[Any]) -> None:
    """Seeds 910000000200047 and 9200000003011: every mark was given back, and a former candidate started its enabled unit at its next boot."""

    async def story(world: World) -> None:
        world.patch(HA_SERVICES, (NAMESPACE, "web"), {"spec": {"placement": {"hosts": {"matchLabels": {"pool": "a"}}}}})
        holding = holder(world, "web-0")
        former, other = (world.machines[name] for name in world.machines if name != holding)
        world.patch(HOSTS, ("", former.name), {"metadata": {"labels": {"pool": "b"}}})
        await asyncio.sleep(15)
        way = world.network.request

        def stale(request: Request) -> Fate:
            is_read = request.verb == "get" and request.resource == kind.resource
            return Fate(as_of=1) if is_read else way(request)

        world.network.request = stale  # type: ignore[method-assign]
        world.patch(HOSTS, ("", holding), {"spec": {"maintenance": {"mode": "Drain", "reason": "new disks"}}})
        await asyncio.sleep(0.7)
        former.lose_power("it reboots")
        world.network.request = way  # type: ignore[method-assign]
        await asyncio.sleep(2)
        former.gain_power("it has rebooted")
        await asyncio.sleep(20)
        assert holder(world, "web-0") == other.name
        await rest(world)

    tell(Shape(THREE, 1, (WEB,), is_packaged=True), story)


@pytest.mark.parametrize("kind", [HA_SERVICES, HOSTS], ids=lambda kind: kind.kind)
def test_an_operator_that_begins_with_an_old_list_gives_nothing_back(kind: Kind[Any]) -> None:
    """Its list is from before the service and its hosts were made, its watch is late, and all that it asks is answered as of then."""

    async def story(world: World) -> None:
        holding = holder(world, "web-0")
        other = next(machine for name, machine in world.machines.items() if name != holding)
        way = world.network.request

        def old(request: Request) -> Fate:
            is_old = request.actor == "operator-b" and request.verb in ("get", "list")
            return Fate(as_of=1) if is_old and request.resource == kind.resource else way(request)

        world.network.request = old  # type: ignore[method-assign]
        world.network.lag_s["operator-b", kind.resource] = 60.0
        world.wanted.discard("operator-a")
        world.kill("operator-a")
        world.launch("operator-b")
        await asyncio.sleep(25)
        if not world.monitor.active["web"]:
            world.accuse("web was stopped")
        for name in world.machines:
            orders = world.get(HOST_ASSIGNMENTS, ("", name))
            if orders is None or orders["spec"]["secured"] != ["web.service"]:
                world.accuse(f"the mark on {name} was given back")
        other.lose_power("it reboots")
        await asyncio.sleep(1)
        other.gain_power("it has rebooted")
        await asyncio.sleep(15)
        world.network.request = way  # type: ignore[method-assign]
        world.launch("operator-a")
        await rest(world, within_s=120)

    tell(Shape(THREE, 1, (WEB,), is_packaged=True), story)


def test_what_may_run_twice_is_stopped_where_it_runs_on_after_its_service_was_deleted() -> None:
    """F22: deleted while its host is silent; the host comes back in the same session."""

    async def story(world: World) -> None:
        host = holder(world, "log-0")
        world.cut(host, "silent")
        await asyncio.sleep(8)
        world.delete(HA_SERVICES, (NAMESPACE, "log"))
        await asyncio.sleep(10)
        world.heal(host)
        await rest(world)
        world.create_service(LOG)
        await rest(world)

    tell(Shape(TWO, 2, (LOG,)), story)


def test_a_host_that_is_removed_and_added_again_still_gets_what_it_was_told_to_stop() -> None:
    """F23: the order Down stands in an object that goes with its host."""

    async def story(world: World) -> None:
        host = holder(world, "log-0")
        world.freeze(f"agent-{host}")
        await asyncio.sleep(8)
        world.delete(HOSTS, ("", host))
        await asyncio.sleep(5)
        if world.get(HOSTS, ("", host)) is None:
            world.add_host(host)
        await asyncio.sleep(5)
        world.thaw(f"agent-{host}")
        await asyncio.sleep(5)
        if world.get(HOSTS, ("", host)) is None:
            world.add_host(host)
        await rest(world)

    tell(Shape(TWO, 2, (LOG,)), story)


@pytest.mark.parametrize("what", ["lease", "host"])
def test_a_seal_is_never_undone_whatever_is_deleted(what: str) -> None:
    """F19, F23: the session that was sealed wakes after a person has deleted its Lease, or its Host."""

    async def story(world: World) -> None:
        host = holder(world, "web-0")
        for bmc in world.bmcs_of(world.machines[host]):
            bmc.ignores_off = True  # so that it lives to see its seal
        world.cut(host, "silent")
        await asyncio.sleep(10)
        assert any(session.startswith(f"boot-{host}-") for session in world.monitor.leases.sealed)
        world.delete(*((LEASES, ("backstay-hosts", host)) if what == "lease" else (HOSTS, ("", host))))
        await asyncio.sleep(5)
        if world.get(HOSTS, ("", host)) is None:
            world.add_host(host)
        await asyncio.sleep(5)
        world.heal(host)
        for bmc in world.bmcs_of(world.machines[host]):
            bmc.mend()
        await asyncio.sleep(20)

    tell(Shape(THREE, 1, (WEB,)), story)


def test_a_host_that_is_removed_while_it_is_cut_off_is_switched_on_again() -> None:
    """Seed 4002769."""

    async def story(world: World) -> None:
        host = holder(world, "web-0")
        world.cut(host, "silent")
        while world.machines[host].is_on:
            await asyncio.sleep(0.1)
        world.delete(HOSTS, ("", host))
        await asyncio.sleep(40)  # until the `off` can have no effect any more
        if world.get(HOSTS, ("", host)) is None:
            world.add_host(host)
        world.heal(host)
        await rest(world)

    tell(Shape(THREE, 1, (WEB,)), story)


def test_orders_that_a_person_deletes_and_a_lost_run_leave_nobody_stuck() -> None:
    """F12 and F18."""

    async def story(world: World) -> None:
        host = holder(world, "web-0")
        world.delete(HOST_ASSIGNMENTS, ("", host))
        world.kill(f"agent-{host}")
        world.machines[host].lose_run()
        await rest(world, within_s=120)

    tell(Shape(TWO, 1, (WEB, LOG)), story)


def test_nobody_is_cut_off_where_nobody_could_take_over() -> None:
    """F16: one host, and only its way to the API server is away."""

    async def story(world: World) -> None:
        world.cut("n1", "silent")
        await asyncio.sleep(30)
        assert world.machines["n1"].is_on
        world.heal("n1")
        await rest(world)

    tell(Shape((HostShape(),), 1, (WEB,)), story)


def test_boards_that_share_a_name_switch_off_nobody() -> None:
    """F13: n3's device says n3's name, and feeds n1."""

    async def story(world: World) -> None:
        assert holder(world, "web-0") == "n3"
        world.cut("n3", "silent")
        await asyncio.sleep(30)
        assert world.machines["n1"].is_on

    tell(Shape((HostShape(), HostShape(), HostShape(names="twin")), 1, (WEB,)), story)


@pytest.mark.parametrize("forgotten", ["n3", "n4"])
def test_boards_that_share_a_name_switch_off_nobody_though_a_hostassignment_is_deleted(forgotten: str) -> None:
    """Its agent is silent, and so cannot say again which machine it is on."""

    async def story(world: World) -> None:
        assert holder(world, "web-0") == "n3"
        world.freeze(f"agent-{forgotten}")
        world.cut("n3", "silent")
        world.delete(HOST_ASSIGNMENTS, ("", forgotten))
        await asyncio.sleep(30)
        assert world.machines["n4"].is_on

    # Five, so that two silent hosts are no storm.
    tell(Shape((*TWO, HostShape(names="twin"), *TWO), 1, (WEB,)), story)


def test_boards_that_share_a_name_switch_off_nobody_though_the_other_host_is_removed() -> None:
    """Its machine stands where it stood, and n3's device still feeds it."""

    async def story(world: World) -> None:
        assert holder(world, "web-0") == "n3"
        world.cut("n3", "silent")
        await asyncio.sleep(10)
        world.delete(HOSTS, ("", "n4"))
        await asyncio.sleep(30)
        assert world.get(HOST_ASSIGNMENTS, ("", "n4")) is None
        assert world.machines["n4"].is_on

    tell(Shape((*TWO, HostShape(names="twin"), *TWO), 1, (WEB,)), story)


def test_both_outlets_are_off_before_anybody_takes_over_and_on_again_after() -> None:
    async def story(world: World) -> None:
        host = holder(world, "web-0")
        world.cut(host, "silent")
        while world.machines[host].is_on:
            await asyncio.sleep(0.1)
        world.heal(host)
        await rest(world)
        assert all(world.machines[host].outlets.values())

    tell(Shape((HostShape(devices="outlets"),) * 3, 1, (WEB,), fencers=2), story)


def test_a_host_that_shall_stay_off_is_left_so() -> None:
    async def story(world: World) -> None:
        host = holder(world, "web-0")
        world.cut(host, "silent")
        await asyncio.sleep(90)
        assert not world.machines[host].is_on
        await rest(world)

    tell(Shape((HostShape(after="StayOff"),) * 3, 1, (WEB,)), story)


def test_a_storm_seals_nobody_and_ends_by_itself() -> None:
    async def story(world: World) -> None:
        for name in ("n1", "n2", "n3"):
            world.cut(name, "silent")
        await asyncio.sleep(30)
        assert not world.monitor.leases.sealed
        for name in ("n1", "n2", "n3"):
            world.heal(name)
        await rest(world)

    tell(Shape((HostShape(),) * 4, 2, (WEB,)), story)


def test_the_seal_of_a_host_in_maintenance_is_not_undone_though_its_lease_is_deleted() -> None:
    """Its FenceRequest is withdrawn, and says nothing of the seal any more."""

    async def story(world: World) -> None:
        host = holder(world, "web-0")
        for bmc in world.bmcs_of(world.machines[host]):
            bmc.ignores_off = True
        world.cut(host, "silent")
        while not is_sealed(world, host):
            await asyncio.sleep(0.1)
        await asyncio.sleep(1)
        world.patch(HOSTS, ("", host), {"spec": {"maintenance": {"mode": "HandsOff", "reason": "new disks"}}})
        await asyncio.sleep(2)
        world.delete(LEASES, ("backstay-hosts", host))
        await asyncio.sleep(2)
        assert is_sealed(world, host)
        world.patch(HOSTS, ("", host), {"spec": {"maintenance": None}})
        world.heal(host)
        await rest(world)

    tell(Shape(THREE, 1, (WEB,)), story)


def test_what_a_new_session_has_been_granted_may_run_when_its_hostassignment_is_made_again() -> None:
    """The list of earlier sessions is said again with it, and is no new claim."""

    async def story(world: World) -> None:
        world.kill("agent-n1")
        world.machines["n1"].lose_run()
        await rest(world, within_s=120)
        world.delete(HOST_ASSIGNMENTS, ("", "n1"))
        await rest(world)

    tell(Shape(TWO[:1], 1, (WEB,)), story)


def is_sealed(world: World, host: str) -> bool:
    body = world.get(LEASES, ("backstay-hosts", host))
    return body is not None and body["metadata"]["annotations"].get("backstay.dev/sealed") == "true"


def test_a_machine_that_is_still_shutting_down_when_all_is_healed_comes_up_again() -> None:
    """Its reboot began before, and ends after somebody has gone round and switched everything on."""

    async def story(world: World) -> None:
        chaos = Chaos(world, FaultRates({}, 1.0, 1.0, Rates()), random.Random(1))
        clean_reboot(chaos)
        chaos.heal()
        assert world.machines["n1"].is_on
        await rest(world)
        assert world.machines["n1"].boots == 2

    tell(Shape(TWO[:1], 1, (WEB,)), story)
