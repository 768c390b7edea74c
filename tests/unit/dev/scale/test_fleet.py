"""A machine of the fleet runs while its power does, and no longer; the fencer's devices switch that very power."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path

from backstay_api.memory.server import MemoryApi, MemoryCluster
from backstay_api.objects.models import Host
from backstay_api.objects.plain import RenderedResource, Systemd
from backstay_dev.scale.fleet import LOOK_EVERY_S, FleetHost, live
from backstay_dev.scale.lives import Line
from backstay_dev.scale.power import FolderAgents, Power, device, uuid_of
from backstay_dev.scale.site import Size, services
from backstay_dev.simulator.virtualtime import run
from backstay_testing.builders import a_host

WEB = RenderedResource(name="web", systemd=Systemd(unit="web.service"))


def test_power_that_goes_takes_all_that_runs_and_the_agent_with_it(tmp_path: Path) -> None:
    power, lines = Power(tmp_path), list[Line]()
    cluster = MemoryCluster()
    hosts = [FleetHost(name, lambda: MemoryApi(cluster), lines.append) for name in ("n1", "n2")]

    async def story() -> None:
        fleet = asyncio.create_task(live(hosts, power))
        await asyncio.sleep(1)
        first = hosts[0].life
        hosts[0].machine.up(WEB)
        power.cut("n1")
        await asyncio.sleep(2 * LOOK_EVERY_S)
        assert first is not None and first.cancelled() and not hosts[0].is_on and hosts[1].is_on
        power.give("n1")
        await asyncio.sleep(2 * LOOK_EVERY_S)
        assert (hosts[0].is_on, hosts[0].boots, hosts[1].boots) == (True, 2, 1)
        assert hosts[0].machine.running == {}, "a boot is a new machine"
        fleet.cancel()
        with suppress(asyncio.CancelledError):
            await fleet

    run(story())
    assert [(one.host, one.runs) for one in lines] == [("n1", True), ("n1", False)]


def test_a_device_says_and_switches_the_power_of_its_machine(tmp_path: Path) -> None:
    power = Power(tmp_path)
    agents, host = FolderAgents(power), Host.from_wire({**a_host("n1").wire(), "spec": {"fencing": device("n1")}})
    bmc = host.spec.fencing.levels[0].devices[0]

    async def story() -> list[int | None]:
        codes = [
            (await agents.run(bmc, action, {})).exit_code for action in ("status", "off", "status", "on", "status")
        ]
        assert await agents.machine_uuid(bmc, {}) == uuid_of("n1") != uuid_of("n2")
        return codes

    assert run(story()) == [0, 0, 2, 0, 0]
    assert power.off() == set()


def test_every_pool_has_as_many_services() -> None:
    size = Size(hosts=25, services=9, pool=10)
    pools = [one["spec"]["placement"]["hosts"]["matchLabels"]["pool"] for one in services(size)]
    assert (size.pools, pools.count("p0"), pools.count("p1"), pools.count("p2")) == (3, 3, 3, 3)
