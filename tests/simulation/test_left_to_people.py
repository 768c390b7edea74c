"""Written worlds in which the simulator's judge leaves something to people, as docs/explanation/limits.md does."""

import asyncio
import random

from backstay_api.objects.object_kinds import HA_INSTANCES, HA_SERVICES, HOST_ASSIGNMENTS, HOSTS
from backstay_dev.simulator.faults import Chaos, FaultRates
from backstay_dev.simulator.network import Rates
from backstay_dev.simulator.shapes import NAMESPACE, Shape
from backstay_dev.simulator.world import World
from backstay_testing.builders import unit
from backstay_testing.stories import TWO, WEB, edit, holder, rest, tell


def test_an_enabled_unit_that_starts_when_the_last_instance_of_a_deleted_service_is_gone_belongs_to_its_admin() -> None:
    """Seed 57291221464: every mark is given back by then, though somebody else's finalizer still keeps the service."""

    async def story(world: World) -> None:
        key = (NAMESPACE, "web")
        body = world.get(HA_SERVICES, key)
        assert body is not None
        kept = [*body["metadata"]["finalizers"], "example.org/keeps-it"]
        world.patch(HA_SERVICES, key, {"metadata": {"finalizers": kept}})
        world.delete(HA_SERVICES, key)
        await asyncio.sleep(100)
        assert world.get(HA_SERVICES, key) is not None
        assert world.get(HA_INSTANCES, (NAMESPACE, "web-0")) is None
        for machine in world.machines.values():
            machine.lose_power("it reboots")
            machine.gain_power("it has rebooted")
        assert all(machine.by_hand for machine in world.machines.values())

    tell(Shape(TWO, 1, (WEB,), is_packaged=True), story)


def test_an_enabled_unit_that_an_edit_names_again_while_a_host_is_off_starts_there_and_is_its_admins_to_stop() -> None:
    """Seed 777000049: given back when the manifest had let go of it, and nobody can mark it on a machine that is off."""

    async def story(world: World) -> None:
        other = next(machine for machine in world.machines.values() if machine.name != holder(world, "web-0"))
        edit(world, "web", unit("web"), unit("web-extra"))
        await asyncio.sleep(20)
        edit(world, "web", unit("web"))
        await asyncio.sleep(100)
        other.lose_power("power is lost")
        edit(world, "web", unit("web"), unit("web-extra"))
        await asyncio.sleep(5)
        other.gain_power("power is back")
        assert other.by_hand == {"unit web-extra.service"}
        await asyncio.sleep(10)
        other.stop_by_hand()
        await rest(world)

    tell(Shape(TWO, 1, (WEB,), is_packaged=True), story)


def test_whoever_switches_one_host_on_in_the_end_takes_one_that_is_to_stay() -> None:
    """Seed 57291221413: the only host that was on was being removed, and waited for another to take over what it held."""

    async def story(world: World) -> None:
        leaving = holder(world, "web-0")
        other = next(machine for machine in world.machines.values() if machine.name != leaving)
        other.lose_power("its devices were told to", by_device=True)
        await asyncio.sleep(15)
        world.delete(HOSTS, ("", leaving))
        await asyncio.sleep(5)
        Chaos(world, FaultRates({"crash": 1.0}, 1.0, 1.0, Rates()), random.Random(1)).heal()
        await rest(world, within_s=120)
        assert other.is_on

    tell(Shape(TWO, 1, (WEB,), stays_dark=True), story)


def test_a_stop_that_hangs_goes_on_though_a_person_leaves_the_service_to_others_and_deletes_the_order() -> None:
    """Seed 2611271643: the epoch has been told to stop, and so it ends."""

    async def story(world: World) -> None:
        host = holder(world, "web-0")
        script = world.machines[host].state.scripts["unit web.service"]
        script.stop_fails = "812 is in D state (nfs_wait)"
        world.patch(HOSTS, ("", host), {"spec": {"maintenance": {"mode": "Drain"}}})
        await asyncio.sleep(5)
        world.patch(HA_SERVICES, (NAMESPACE, "web"), {"spec": {"state": "Unmanaged"}})
        await asyncio.sleep(5)
        world.delete(HOST_ASSIGNMENTS, ("", host))
        await asyncio.sleep(10)
        script.stop_fails = ""
        await asyncio.sleep(60)
        assert "unit web.service" not in world.machines[host].state.running

    tell(Shape(TWO, 1, (WEB,)), story)


def test_what_is_left_to_others_is_stopped_once_its_instance_is_gone() -> None:
    """A person has taken its HAInstance's finalizers away: nobody will ever know of that epoch again."""

    async def story(world: World) -> None:
        key, host = (NAMESPACE, "web-0"), holder(world, "web-0")
        world.patch(HA_SERVICES, (NAMESPACE, "web"), {"spec": {"state": "Unmanaged"}})
        await asyncio.sleep(5)
        instance = world.get(HA_INSTANCES, key)
        assert instance is not None
        world.monitor.stripped.add(instance["metadata"]["uid"])
        world.patch(HA_INSTANCES, key, {"metadata": {"finalizers": None}})
        world.delete(HA_INSTANCES, key)
        await asyncio.sleep(30)
        assert "unit web.service" not in world.machines[host].state.running

    tell(Shape(TWO, 1, (WEB,)), story)


def test_what_runs_on_a_machine_whose_host_was_removed_is_nobodys_copy() -> None:
    """Seed 99001005 of the profile `people`: nobody can ask a machine that has no Host object."""

    async def story(world: World) -> None:
        world.delete(HA_SERVICES, (NAMESPACE, "web"))
        await asyncio.sleep(10)
        machine = world.machines["n1"]
        world.delete(HOSTS, ("", "n1"))
        await asyncio.sleep(0.5)  # its Lease was renewed a moment ago
        assert world.get(HOSTS, ("", "n1")) is None
        machine.start_by_hand("web.service")
        await asyncio.sleep(0.1)
        world.create_service(WEB)
        await asyncio.sleep(10)
        assert holder(world, "web-0") == "n2"
        machine.stop_by_hand()
        world.add_host("n1")
        await rest(world)

    tell(Shape(TWO, 1, (WEB,)), story)


def test_what_runs_on_a_machine_whose_host_was_added_in_that_moment_is_nobodys_copy() -> None:
    """Seed 660000211 of the profile `people`: its agent has not taken its Lease yet, so nobody knows that it lives."""

    async def story(world: World) -> None:
        world.delete(HA_SERVICES, (NAMESPACE, "web"))
        await asyncio.sleep(10)
        machine = world.machines["n1"]
        world.delete(HOSTS, ("", "n1"))
        machine.start_by_hand("web.service")
        await asyncio.sleep(0.15)
        world.add_host("n1")
        await asyncio.sleep(0.05)
        world.create_service(WEB)
        await asyncio.sleep(10)
        machine.stop_by_hand()
        await rest(world)

    tell(Shape(TWO, 1, (WEB,)), story)


def test_what_runs_by_hand_of_a_unit_that_a_service_made_anew_does_not_name_is_its_admins() -> None:
    """Seed 33411075000: an earlier service of that name had been edited to name it. An edit that names it again waits for its end."""

    async def story(world: World) -> None:
        world.delete(HA_SERVICES, (NAMESPACE, "web"))
        await asyncio.sleep(10)
        machine = world.machines["n2"]
        machine.start_by_hand("web-extra.service")
        await asyncio.sleep(10)
        world.create_service(WEB)
        await asyncio.sleep(5)
        edit(world, "web", unit("web"), unit("web-extra"))
        await asyncio.sleep(5)
        assert world.monitor.active["web"] == {holder(world, "web-0"): {"unit web.service"}}
        machine.stop_by_hand()
        await rest(world)
        assert world.monitor.active["web"] == {holder(world, "web-0"): {"unit web.service", "unit web-extra.service"}}

    tell(Shape(TWO, 1, (WEB,)), story)
