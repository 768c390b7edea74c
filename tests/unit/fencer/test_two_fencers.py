"""Of two fencers one works and the other waits: which one a Lease says, on each one's own clock."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from backstay_api import VERSION
from backstay_api.client.errors import Unreachable
from backstay_api.objects.kinds import LEASES
from backstay_api.objects.names import FENCER_LEASE, RELEASE, SYSTEM_NAMESPACE
from backstay_dev.simulator.virtualtime import in_virtual_time
from backstay_fencer.replica import Replica
from backstay_testing.fake_bmc import FakeAgents
from backstay_testing.fencer_scene import HeldUpApi, Scene, is_true

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


def wall() -> str:
    """A renewal that says the same as the one before would be none: the API server makes no version of it."""
    return (BEGIN + timedelta(seconds=asyncio.get_running_loop().time())).strftime("%Y-%m-%dT%H:%M:%SZ")


class CutOff(HeldUpApi):
    """A way to the API server on which the Lease of fencers can be out of reach, and nothing else."""

    is_cut = False

    async def get(self, kind: Any, name: str, namespace: str = "", *, timeout_s: float | None = None) -> Any:
        if self.is_cut and kind is LEASES:
            raise Unreachable("cut off")
        return await super().get(kind, name, namespace, timeout_s=timeout_s)


class Two(Scene):
    """Two fencers at one BMC, each with a way to the API server of its own. `a` begins first, and so leads."""

    @asynccontextmanager
    async def both(self) -> AsyncIterator[None]:
        cluster = self.api.cluster
        self.ways = {name: CutOff(cluster) for name in "ab"}
        self.hands = {name: FakeAgents({"192.0.2.101": self.bmc}) for name in "ab"}
        self.fencers = {
            name: Replica(
                self.ways[name],
                self.hands[name],
                rng=random.Random(name),
                wall=wall,
                identity=name,
            )
            for name in "ab"
        }
        self.lives: dict[str, asyncio.Task[None]] = {}
        for name, fencer in self.fencers.items():
            self.lives[name] = asyncio.create_task(fencer.run())
            await asyncio.sleep(1)
        try:
            yield
        finally:
            for name in self.lives:
                await self.stop(name)

    async def stop(self, name: str) -> None:
        self.lives[name].cancel()
        await asyncio.gather(self.lives[name], return_exceptions=True)

    def by(self, name: str) -> list[str]:
        """What this one has asked devices for."""
        return [action for _, action in self.hands[name].calls]

    def leaders(self) -> list[str]:
        return [name for name, fencer in self.fencers.items() if fencer.leads()]

    async def lost(self) -> None:
        await self.ask("Off")
        await self.seal()


@in_virtual_time
async def test_one_works_and_the_other_asks_no_device_anything() -> None:
    scene = Two()
    await scene.prepare()
    async with scene.both():
        assert scene.leaders() == ["a"]
        await scene.lost()
        await scene.until(scene.switched_on, limit_s=90)
        assert (scene.by("a").count("off"), scene.by("a").count("on"), scene.by("b")) == (1, 1, [])
        request = await scene.request()
        assert {one.by for one in request.status.attempts} == {scene.fencers["a"].executor._ports.identity}


@in_virtual_time
async def test_one_that_ends_gives_the_work_to_the_other_at_once() -> None:
    scene = Two()
    await scene.prepare()
    async with scene.both():
        await scene.ask("Observe")
        await asyncio.sleep(1)
        await scene.stop("a")
        await scene.seal()
        await scene.want("Off")
        await scene.until(scene.proven, limit_s=15)
        assert "off" not in scene.by("a") and (scene.by("b").count("off"), scene.leaders()) == (1, ["b"])


@in_virtual_time
async def test_one_that_loses_its_lease_lets_its_off_end_and_begins_nothing_more() -> None:
    """Its `off` takes longer than the Lease does: the other switches on what it has switched off."""
    scene = Two()
    await scene.prepare()
    async with scene.both():

        async def slow(kind: Any, body: Any) -> None:
            if "sent; no answer yet" in str(body):
                scene.bmc.takes_s = 9.0

        scene.ways["a"].on_patch = slow
        await scene.lost()
        await scene.until(lambda: is_true("off" in scene.by("a")))
        scene.bmc.takes_s = 0.2
        scene.ways["a"].is_cut = True
        await scene.until(lambda: is_true(scene.leaders() == []), limit_s=15)
        begun = len(scene.by("a"))
        await scene.until(scene.switched_on, limit_s=90)
        assert scene.leaders() == ["b"] and len(scene.by("a")) == begun
        assert not scene.fencers["a"].executor._workers
        offs = [one for one in (await scene.request()).status.attempts if one.action == "off"]
        assert offs and all(one.result.startswith("exit 0") for one in offs)


@in_virtual_time
async def test_who_lost_it_for_a_moment_and_has_it_again_works_again() -> None:
    scene = Two()
    await scene.prepare()
    async with scene.both():
        await scene.stop("b")
        await scene.ask("Observe")
        scene.ways["a"].is_cut = True
        await scene.until(lambda: is_true(scene.leaders() == []), limit_s=15)
        await scene.until(lambda: is_true(not scene.fencers["a"].executor._workers), limit_s=15)
        scene.ways["a"].is_cut = False
        await scene.seal()
        await scene.want("Off")
        await scene.until(scene.proven, limit_s=30)


@in_virtual_time
async def test_between_decision_and_off_the_lead_may_be_lost_and_then_nothing_is_sent() -> None:
    scene = Two()
    await scene.prepare()
    async with scene.both():
        fencer = scene.fencers["a"]

        async def lose_it(kind: Any, body: Any) -> None:
            if "sent; no answer yet" in str(body):
                fencer.leader._leads_until_s = float("-inf")

        scene.ways["a"].on_patch = lose_it
        scene.ways["a"].is_cut = True
        await scene.lost()
        await scene.until(scene.proven, limit_s=90)
        assert "off" not in scene.by("a") and scene.by("b").count("off") == 1
        await scene.until(scene.switched_on, limit_s=90)


@in_virtual_time
async def test_the_lease_says_of_which_release_its_holder_is_and_keeps_what_others_have_noted_there() -> None:
    two = Two()
    async with two.both():
        lease = await two.ways["a"].get(LEASES, FENCER_LEASE, SYSTEM_NAMESPACE)
        assert lease["metadata"]["annotations"] == {RELEASE: VERSION}
        theirs = {"metadata": {"annotations": {"theirs": "1", RELEASE: "0.0.1"}}}
        await two.ways["a"].patch(LEASES, FENCER_LEASE, theirs, SYSTEM_NAMESPACE)
        await asyncio.sleep(5)
        lease = await two.ways["a"].get(LEASES, FENCER_LEASE, SYSTEM_NAMESPACE)
        assert lease["metadata"]["annotations"] == {"theirs": "1", RELEASE: VERSION}


@in_virtual_time
async def test_who_lost_it_and_has_it_again_while_its_off_is_under_way_begins_anew() -> None:
    """What another has sent meanwhile is known only to a worker that begins anew, under a name of its own."""
    scene = Two()
    await scene.prepare()
    async with scene.both():
        await scene.stop("b")
        executor, way = scene.fencers["a"].executor, scene.ways["a"]
        before = executor._ports.identity

        async def slow(kind: Any, body: Any) -> None:
            if "sent; no answer yet" in str(body):
                scene.bmc.takes_s = 20.0

        way.on_patch = slow
        await scene.lost()
        await scene.until(lambda: is_true("off" in scene.by("a")))
        way.is_cut = True
        await scene.until(lambda: is_true(scene.leaders() == []), limit_s=15)
        [(worker, _)] = executor._workers.values()
        worker.poke()
        await asyncio.sleep(0.1)
        way.is_cut = False
        await scene.until(lambda: is_true(scene.leaders() == ["a"]), limit_s=15)
        assert executor._ports.identity == before, "its off is still under way"
        scene.bmc.takes_s = 0.2
        await scene.until(scene.switched_on, limit_s=120)
        assert executor._ports.identity != before
