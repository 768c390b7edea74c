"""Who is switched on again after a fence, how often that is tried, and what is said of it (F6)."""

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest

from backstay_api.client.errors import OutcomeUnknown
from backstay_api.objects.kinds import Kind
from backstay_api.objects.models.host import FenceDevice
from backstay_api.objects.object_kinds import FENCE_REQUESTS, HOSTS
from backstay_dev.simulator.virtualtime import in_virtual_time
from backstay_fencer.agents import Action
from backstay_fencer.processes import AgentRun
from backstay_testing.fake_bmc import FakeAgents
from backstay_testing.fencer_scene import Scene, is_true, nothing_before
from backstay_testing.slow_boards import Moody, Slow

TROUBLE = OutcomeUnknown("etcdserver: request timed out", code=500)


@in_virtual_time
async def test_one_hiccup_of_the_api_after_the_proof_does_not_leave_the_host_off() -> None:
    scene = Scene()
    await scene.prepare()
    left = {"trouble": 1}

    async def flaky(kind: Kind[Any], body: Mapping[str, Any]) -> None:
        attempts = (body.get("status") or {}).get("attempts") or []
        if left["trouble"] and "evidence" not in body["status"] and any(one["action"] == "on" for one in attempts):
            left["trouble"] -= 1
            raise TROUBLE

    scene.api.on_patch = flaky
    async with scene.fencer():
        await scene.ask("Off")
        await scene.seal()
        await scene.until(lambda: is_true(scene.is_on and scene.sent("on") == 1))
        await asyncio.sleep(60)
        assert (await scene.request()).status.powered_on
    assert scene.sent("on") == 1


@pytest.mark.parametrize("moods", [{"fails": 3}, {"ignores": 3}], ids=["it fails", "it does nothing and says success"])
@in_virtual_time
async def test_an_on_is_tried_again_until_the_host_is_read_on_and_the_message_says_so(moods: dict[str, int]) -> None:
    scene = Scene()
    await scene.prepare()
    Moody(scene, **moods)
    async with scene.fencer():
        await scene.ask("Off")
        await scene.seal()
        await scene.until(scene.proven)
        await asyncio.sleep(10)
        request = await scene.request()
        assert not request.status.powered_on and request.status.stays_off
        assert "read off twice" in request.status.message and "not on again yet: bmc" in request.status.message
        assert ("Connection timed out" in request.status.message) is ("fails" in moods)
        await scene.until(lambda: is_true(scene.is_on), limit_s=300)
        await asyncio.sleep(5)
        request = await scene.request()
        assert request.status.powered_on and not request.status.stays_off
        assert "switched on again" in request.status.message
        await asyncio.sleep(3600)
    assert scene.sent("on") == 4, "and then no more"


@in_virtual_time
async def test_the_pauses_between_tries_grow_and_a_bmc_is_not_kept_busy_for_ever() -> None:
    scene = Scene()
    await scene.prepare()
    Moody(scene, fails=10_000)
    async with scene.fencer():
        await scene.ask("Off")
        await scene.seal()
        await scene.until(scene.proven)
        reads = scene.sent("status")
        await asyncio.sleep(3600)
    assert 10 <= scene.sent("on") <= 20
    assert scene.sent("status") - reads < 700


@pytest.mark.parametrize(
    "spec",
    [{"fencing": {"after": "StayOff"}}, {"maintenance": {"mode": "HandsOff", "reason": "new board"}}],
    ids=["it shall stay off", "somebody is at work on it"],
)
@in_virtual_time
async def test_no_further_on_is_sent_to_a_host_that_somebody_has_taken_in_hand(spec: dict[str, Any]) -> None:
    scene = Scene()
    await scene.prepare()
    Moody(scene, fails=10_000)
    async with scene.fencer():
        await scene.ask("Off")
        await scene.seal()
        await scene.until(lambda: is_true(scene.sent("on") == 1))
        await scene.edit_host(spec)
        await asyncio.sleep(3600)
    assert scene.sent("on") <= 2


@contextmanager
def no_lease_read(scene: Scene) -> Iterator[None]:
    """The API server does not answer whoever reads a Lease."""

    async def blind(kind: Kind[Any]) -> None:
        if kind.plural == "leases":
            raise TROUBLE

    scene.api.on_read = blind
    try:
        yield
    finally:
        scene.api.on_read = nothing_before


@in_virtual_time
async def test_what_was_decided_and_not_sent_is_not_ours_to_switch_on() -> None:
    """The Lease cannot be read, so no `off` is sent; then somebody pulls the plug. They have their hands in the machine."""
    scene = Scene()
    await scene.prepare()
    async with scene.fencer():
        await scene.seal()
        with no_lease_read(scene):
            await scene.ask("Off")
            await asyncio.sleep(5)
            assert scene.sent("off") == 0 and scene.is_on
            scene.is_on = False
        await scene.until(scene.proven)
        await asyncio.sleep(600)
        attempts = (await scene.request()).status.attempts
    assert (scene.sent("off"), scene.sent("on"), scene.is_on) == (0, 0, False)
    assert attempts and all("not sent" in one.result and not one.ours for one in attempts)


@in_virtual_time
async def test_an_off_that_could_not_be_sent_is_tried_again_at_once_and_not_after_half_a_minute() -> None:
    scene = Scene()
    await scene.prepare()
    async with scene.fencer():
        await scene.seal()
        with no_lease_read(scene):
            await scene.ask("Off")
            await asyncio.sleep(3)
        await scene.until(lambda: is_true(scene.sent("off") == 1), limit_s=3)


@in_virtual_time
async def test_an_off_that_cannot_be_recorded_as_ours_is_not_sent() -> None:
    """Whoever comes after a fencer that died then would owe nothing, and the host would stay off."""
    scene = Scene()
    await scene.prepare()
    mute = {"on": True}

    async def sometimes(kind: Kind[Any], body: Mapping[str, Any]) -> None:
        if mute["on"] and kind is FENCE_REQUESTS:
            raise TROUBLE

    async with scene.fencer():
        await scene.seal()
        await scene.ask("Off")
        scene.api.on_patch = sometimes
        await asyncio.sleep(30)
        assert scene.sent("off") == 0 and scene.is_on
        mute["on"] = False
        await scene.until(lambda: is_true(scene.sent("off") == 1))


class LateWord(FakeAgents):
    """A device that switches off, and goes on saying on for a while."""

    def __init__(self, scene: Scene, for_s: float) -> None:
        super().__init__(scene.agents.bmcs)
        self._scene, self._for_s = scene, for_s
        self._says_off_at_s = float("inf")
        scene.agents = self

    async def run(self, device: FenceDevice, action: Action, secret: Mapping[str, str]) -> AgentRun:
        run, now_s = await super().run(device, action, secret), asyncio.get_running_loop().time()
        if action == "off":
            self._says_off_at_s = now_s + self._for_s
        is_late = action == "status" and not self._scene.is_on and now_s < self._says_off_at_s
        return AgentRun(0, "Status: ON") if is_late else run


@pytest.mark.parametrize("how", [LateWord, Slow], ids=["says so late", "switches late"])
@in_virtual_time
async def test_what_a_slow_board_has_switched_off_or_says_so_late_is_switched_on_again(how: Any) -> None:
    """Seed 59765150901: read on 10 s after the `off`, and off before it was asked again."""
    scene = Scene()
    await scene.prepare()
    how(scene, 22.0)
    async with scene.fencer():
        await scene.seal()
        await scene.ask("Off")
        await scene.until(scene.proven)
        await scene.until(lambda: is_true(scene.is_on))
        await scene.until(scene.switched_on)
    assert (scene.sent("off"), scene.sent("on")) == (1, 1)


@in_virtual_time
async def test_a_plug_pulled_after_an_off_that_did_nothing_stays_pulled() -> None:
    """No other could be sent since: the Lease could not be read."""
    scene = Scene(ignores_off=True)
    await scene.prepare()
    async with scene.fencer():
        await scene.seal()
        await scene.ask("Off")
        await scene.until(lambda: is_true(scene.sent("off") == 1))
        with no_lease_read(scene):
            await asyncio.sleep(40)
            scene.is_on = False
            await scene.until(scene.proven)
        await asyncio.sleep(600)
        request = await scene.request()
    assert (scene.sent("off"), scene.sent("on"), scene.is_on) == (1, 0, False)
    assert "read on afterwards" in request.status.attempts[0].result
    assert "bmc said on after our off" in request.status.message and "switch it on by hand" in request.status.message


@in_virtual_time
async def test_a_fencer_that_died_before_its_on_was_read_goes_on_in_its_next_life() -> None:
    scene = Scene()
    await scene.prepare()
    moody = Moody(scene, fails=10_000)
    async with scene.fencer():
        await scene.ask("Off")
        await scene.seal()
        await scene.until(lambda: is_true(scene.sent("on") == 2))
    moody.fails = 0
    async with scene.fencer():
        await scene.until(lambda: is_true(scene.is_on), limit_s=400)
        await scene.until(scene.switched_on)


@in_virtual_time
async def test_what_one_fencer_has_switched_off_another_does_not_write_over_and_switches_on() -> None:
    """Seed 57291221401: two fencers lived, and the one that had sent nothing wrote a list of attempts without the other's `off`."""
    scene = Scene()
    await scene.prepare()
    off = {"level": "bmc", "device": "bmc", "action": "off", "at": "2026-01-01T00:00:00Z", "result": "sent"}
    async with scene.fencer():
        await scene.ask("Observe")
        await asyncio.sleep(3)
        await scene.api.patch(FENCE_REQUESTS, "n1-x", {"status": {"attempts": [off]}}, subresource="status")
        await scene.seal()
        scene.switch(False)
        await scene.until(scene.proven)
        assert [one.action for one in (await scene.request()).status.attempts if one.ours][:1] == ["off"]
        await scene.until(lambda: is_true(scene.is_on))
    assert scene.sent("off") == 0


@in_virtual_time
async def test_a_host_that_is_removed_before_it_is_on_again_is_switched_on_all_the_same() -> None:
    scene = Scene()
    await scene.prepare()
    Moody(scene, fails=2)
    async with scene.fencer():
        await scene.ask("Off")
        await scene.seal()
        await scene.until(lambda: is_true(scene.sent("on") == 1))
        await scene.api.delete(HOSTS, "n1")
        await scene.until(lambda: is_true(scene.is_on), limit_s=400)


@in_virtual_time
async def test_after_hours_of_tries_the_request_still_says_that_the_off_was_ours() -> None:
    scene = Scene()
    await scene.prepare()
    Moody(scene, fails=10_000)
    async with scene.fencer():
        await scene.ask("Off")
        await scene.seal()
        await asyncio.sleep(5 * 3600)
        attempts = (await scene.request()).status.attempts
    assert len(attempts) == 32 and (attempts[0].action, attempts[0].ours) == ("off", True)
    assert {one.action for one in attempts[1:]} == {"on"}
