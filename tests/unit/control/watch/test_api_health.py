"""Own trouble first: silence of hosts counts only while something that we sent lately has been answered."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from backstay_api.memory.server import MemoryApi, MemoryCluster
from backstay_api.objects import lease as leases
from backstay_api.objects.lease import HostLease
from backstay_api.objects.promise import PROFILES, Silence, judge_silence
from backstay_dev.simulator.virtualtime import in_virtual_time
from backstay_operator.control.watch.api_health import Asked, OwnPathWatch, limit_s, trouble
from backstay_operator.control.watch.cache import Cache
from backstay_operator.planner.know.world import World
from backstay_operator.planner.plan import Plan
from backstay_testing.control_scene import Scene, until


def holder(profile: str) -> HostLease:
    return replace(leases.new(profile), holder="boot/nonce", contract=PROFILES[profile])


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        pytest.param(Asked(None, 1.0, ""), "not answered yet", id="at the start nothing is known"),
        pytest.param(Asked(99.2, 1.0, ""), "", id="an answer to what was sent just now"),
        pytest.param(Asked(98.9, 1.0, ""), "answered nothing", id="too long ago: hung, or we were frozen"),
        pytest.param(Asked(98.9, 4.0, ""), "", id="slow hosts leave more time for the same answer"),
        pytest.param(Asked(99.2, 1.0, "cut"), "heartbeats are not received", id="it answers, but no event comes"),
    ],
)
def test_own_path(asked: Asked, says: str) -> None:
    found = trouble(asked, now_s=100.0)
    assert (says in found) if says else not found


@pytest.mark.parametrize("profile", sorted(PROFILES))
def test_we_doubt_ourselves_before_we_could_call_a_host_silent(profile: str) -> None:
    limit = limit_s([holder(profile), holder("tolerant")])
    assert judge_silence(age_s=limit, contract=PROFILES[profile]) is not Silence.SILENT


class Judge:
    """A planner that only remembers who was silent while our own path was healthy."""

    def __init__(self) -> None:
        self.suspected: set[str] = set()

    def __call__(self, world: World) -> Plan:
        wakes = []
        for host, seen in world.leases.items():
            age_s = world.now_s - seen.first_seen_s
            if world.own_path.healthy and judge_silence(age_s=age_s, contract=seen.lease.contract) is Silence.SILENT:
                self.suspected.add(host)
            wakes.append(seen.first_seen_s + 1.5 * seen.lease.contract.renew_s)
            wakes.append(seen.first_seen_s + 3 * seen.lease.contract.renew_s + 0.001)
        return Plan((), min((at_s for at_s in wakes if at_s > world.now_s), default=None))


@in_virtual_time
async def test_a_host_that_falls_silent_while_others_renew_is_found_in_three_renewals() -> None:
    scene, judge = Scene(), Judge()
    for name in ("n1", "n2"):
        scene.add_host(name)
    async with scene.operator(plan=judge), asyncio.TaskGroup() as hosts:
        living = [hosts.create_task(scene.keep_renewing(name)) for name in ("n1", "n2")]
        await asyncio.sleep(20)
        assert not judge.suspected
        living[0].cancel()
        assert 1.4 < await until(lambda: judge.suspected == {"n1"}) < 2.1
        living[1].cancel()


@pytest.mark.parametrize("how", ["outage", "hang"])
@pytest.mark.parametrize("lasts_s", [0.3, 1.2, 2.5, 20.0, 60.0])
def test_nobody_is_called_silent_because_of_our_own_outage(how: str, lasts_s: float) -> None:
    @in_virtual_time
    async def story() -> None:
        scene, judge = Scene(), Judge()
        for name in ("n1", "n2", "n3"):
            scene.add_host(name)
        async with scene.operator(plan=judge) as operator, asyncio.TaskGroup() as hosts:
            await asyncio.sleep(1)
            living = [hosts.create_task(scene.keep_renewing(name)) for name in ("n1", "n2", "n3")]
            await asyncio.sleep(5.3)
            weather = scene.weather_of("op")
            setattr(weather, how, True)
            weather.blind = True
            scene.cut_streams()
            await asyncio.sleep(lasts_s)
            # The hosts learn of the API's return later than we do.
            for task in living:
                task.cancel()
            setattr(weather, how, False)
            weather.blind = False
            await asyncio.sleep(0.8)
            again = [hosts.create_task(scene.keep_renewing(name)) for name in ("n1", "n2", "n3")]
            await asyncio.sleep(10)
            assert operator.cache.world.own_path.healthy and not judge.suspected
            for task in again:
                task.cancel()

    story()


@in_virtual_time
async def test_a_time_in_which_we_were_frozen_is_noticed_though_the_first_thing_we_get_is_a_good_answer() -> None:
    frozen_s = 0.0

    def clock() -> float:
        return asyncio.get_running_loop().time() + frozen_s

    cache = Cache(clock=clock, wall=lambda: "2026-01-01T00:00:00Z")
    watch = OwnPathWatch(MemoryApi(MemoryCluster()), cache, namespace="", watch_trouble=lambda: "", clock=clock)
    asking = asyncio.create_task(watch.run())
    await asyncio.sleep(5)
    frozen_s, thawed_s = 20.0, clock() + 20.0
    await asyncio.sleep(5)
    asking.cancel()
    assert cache.world.own_path.healthy and cache.world.own_path.recovered_s >= thawed_s


@in_virtual_time
async def test_a_watch_that_gets_no_events_is_found_out_by_asking_for_the_very_lease() -> None:
    scene, judge = Scene(), Judge()
    scene.add_host("n1")
    async with scene.operator(plan=judge), asyncio.TaskGroup() as hosts:
        living = hosts.create_task(scene.keep_renewing("n1"))
        await asyncio.sleep(2)
        scene.weather_of("op").blind = True
        await asyncio.sleep(20)
        assert not judge.suspected
        living.cancel()


@in_virtual_time
async def test_the_path_is_healthy_again_within_two_seconds_of_the_api_and_remembers_who_lived() -> None:
    scene, judge = Scene(), Judge()
    scene.add_host("n1")
    async with scene.operator(plan=judge) as operator, asyncio.TaskGroup() as hosts:
        living = hosts.create_task(scene.keep_renewing("n1"))
        await asyncio.sleep(5)
        scene.weather_of("op").outage = True
        scene.cut_streams()
        assert await until(lambda: not operator.cache.world.own_path.healthy) <= 1.1
        await asyncio.sleep(60)
        scene.weather_of("op").outage = False
        assert await until(lambda: operator.cache.world.own_path.healthy) < 2
        assert operator.cache.world.own_path.lived_before == {"n1"}
        assert await until(lambda: operator.cache.world.own_path.renewed_since == {"n1"}) < 1
        living.cancel()
