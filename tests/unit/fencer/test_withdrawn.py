"""An `off` of ours that comes through when nobody wants it any more is made good."""

import asyncio

import pytest

from backstay_api.objects.object_kinds import FENCE_REQUESTS
from backstay_dev.simulator.virtualtime import in_virtual_time
from backstay_testing.fencer_scene import Scene, is_true
from backstay_testing.slow_boards import Moody, Slow

# --- withdrawn while an `off` of ours was under way -------------------------------------------------------------------


async def withdrawn_after_the_off(scene: Scene) -> None:
    await scene.seal()
    await scene.ask("Off")
    await scene.until(lambda: is_true(scene.sent("off") == 1))
    await scene.want("Withdrawn")


@in_virtual_time
async def test_an_off_that_comes_through_after_the_request_was_withdrawn_is_made_good() -> None:
    scene = Scene()
    await scene.prepare()
    Slow(scene, 8.0)
    async with scene.fencer():
        await withdrawn_after_the_off(scene)
        await asyncio.sleep(7)
        assert "an off that was sent may still take effect" in (await scene.request()).status.message
        await scene.until(lambda: is_true(not scene.is_on))
        await scene.until(lambda: is_true(scene.is_on))
        await asyncio.sleep(30)
        request = await scene.request()
        assert [one.action for one in request.status.attempts if one.ours] == ["on"], "it is settled"
        assert request.status.evidence is None and request.status.power == "Unknown"
        reads = scene.sent("status")
        await asyncio.sleep(600)
    assert (scene.sent("off"), scene.sent("on")) == (1, 1) and scene.is_on
    assert scene.sent("status") - reads < 60, "and then only the path tests read"


@in_virtual_time
async def test_a_plug_pulled_after_a_withdrawn_off_was_seen_to_do_nothing_stays_pulled() -> None:
    scene = Scene(ignores_off=True)
    await scene.prepare()
    async with scene.fencer():
        await withdrawn_after_the_off(scene)
        await asyncio.sleep(40)
        scene.is_on = False
        await asyncio.sleep(600)
        request = await scene.request()
    assert not any(one.ours for one in request.status.attempts)
    assert (scene.sent("off"), scene.sent("on"), scene.is_on) == (1, 0, False)


@in_virtual_time
async def test_what_our_withdrawn_off_has_switched_off_waits_while_hands_are_on_the_machine() -> None:
    scene = Scene()
    await scene.prepare()
    Slow(scene, 4.0)
    async with scene.fencer():
        await withdrawn_after_the_off(scene)
        await scene.edit_host({"maintenance": {"mode": "HandsOff", "reason": "new board"}})
        await asyncio.sleep(120)
        assert (scene.sent("on"), scene.is_on) == (0, False)
        await scene.edit_host({"maintenance": None})
        await scene.until(lambda: is_true(scene.is_on))
    assert scene.sent("off") == 1


@in_virtual_time
async def test_a_fencer_that_starts_right_after_the_off_does_not_take_the_first_read_for_its_failure() -> None:
    scene = Scene()
    await scene.prepare()
    Slow(scene, 8.0)
    async with scene.fencer():
        await withdrawn_after_the_off(scene)
    async with scene.fencer():
        await scene.until(lambda: is_true(not scene.is_on))
        await scene.until(lambda: is_true(scene.is_on))
    assert (scene.sent("off"), scene.sent("on")) == (1, 1)


# --- proven by somebody else's hand while an `off` of ours was under way ------------------------------------------------


@pytest.mark.parametrize("after_s", [3.0, 9.0, 25.0])
@in_virtual_time
async def test_an_off_that_comes_through_after_the_host_was_switched_on_again_is_made_good(after_s: float) -> None:
    """Somebody pulls the plug while our `off` waits in a slow BMC: proven at once, on again, and then off by us."""
    scene = Scene()
    await scene.prepare()
    Slow(scene, after_s)
    async with scene.fencer():
        await scene.seal()
        await scene.ask("Off")
        await scene.until(lambda: is_true(scene.sent("off") == 1))
        scene.is_on = False
        await scene.until(scene.proven)
        await scene.until(lambda: is_true(scene.is_on))
        await scene.until(lambda: is_true(not scene.is_on))
        assert not (await scene.request()).status.powered_on, "it may yet go off"
        await scene.until(lambda: is_true(scene.is_on))
        await scene.until(scene.switched_on)
        await asyncio.sleep(60)
        assert scene.is_on
    assert scene.sent("off") == 1


@in_virtual_time
async def test_a_request_is_not_kept_by_the_fencer_that_is_gone_from_the_server() -> None:
    scene = Scene()
    await scene.prepare()
    Moody(scene, fails=10_000)
    async with scene.fencer() as executor:
        await scene.ask("Off")
        await scene.seal()
        await scene.until(lambda: is_true(scene.sent("on") == 1))
        await scene.api.delete(FENCE_REQUESTS, "n1-x")
        await asyncio.sleep(5)
        assert executor.requests == 0
        sent = scene.sent("on")
        await asyncio.sleep(3600)
        assert scene.sent("on") == sent
