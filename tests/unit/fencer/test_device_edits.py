"""A device that was edited is another one: what was read of the one before proves nothing."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from backstay_api.objects.kinds import Kind
from backstay_api.objects.object_kinds import FENCE_REQUESTS
from backstay_dev.simulator.virtualtime import in_virtual_time
from backstay_testing.fake_bmc import FakeAgents, FakeBmc
from backstay_testing.fencer_scene import UUID, Scene

edited_in = pytest.mark.parametrize("secret", [pytest.param(True, id="Secret"), pytest.param(False, id="Host")])
"""Wherever its address stands."""


@edited_in
@in_virtual_time
async def test_a_device_that_was_edited_is_another_one_and_must_be_read_off_twice_itself(secret: bool) -> None:
    scene = Scene()
    await scene.prepare(secret=secret)
    scene.is_on = False
    loop, edited_s = asyncio.get_running_loop(), float("inf")
    other = FakeBmc(lambda: loop.time() > edited_s + 1.1, scene.switch, uuid=UUID)  # off for one read, and then on
    scene.agents = FakeAgents({"192.0.2.101": scene.bmc, "192.0.2.102": other})
    async with scene.fencer():
        await scene.ask("Observe")
        await asyncio.sleep(3)
        await scene.lead_to("192.0.2.102")
        edited_s = loop.time()
        await scene.seal()
        await asyncio.sleep(10)
        assert not await scene.proven(), "the reads of another device say nothing of this one"
        assert (await scene.request()).status.power == "On"


@edited_in
@in_virtual_time
async def test_what_a_board_of_another_machine_has_said_is_no_proof_once_the_device_is_corrected(secret: bool) -> None:
    scene = Scene(ignores_off=True)
    await scene.prepare(secret=secret)
    other = FakeBmc(lambda: False, lambda on: None, uuid="another machine's")
    scene.agents = FakeAgents({"192.0.2.101": scene.bmc, "192.0.2.102": other})
    async with scene.fencer():
        await asyncio.sleep(5)  # the path tests have learnt which machine the right one powers
        await scene.lead_to("192.0.2.102")
        await scene.seal()
        await scene.ask("Off")
        await asyncio.sleep(10)
        assert "another machine" in (await scene.request()).status.message
        await scene.lead_to("192.0.2.101")
        await asyncio.sleep(30)
        assert scene.is_on and not await scene.proven()


@edited_in
@in_virtual_time
async def test_a_device_that_is_edited_between_the_decision_and_the_off_is_not_switched(secret: bool) -> None:
    scene = Scene()
    await scene.prepare(secret=secret)
    other = FakeBmc(lambda: True, lambda on: None, uuid="another machine's")
    scene.agents = FakeAgents({"192.0.2.101": scene.bmc, "192.0.2.102": other})
    written = asyncio.Event()

    async def edited_meanwhile(kind: Kind[Any], body: Mapping[str, Any]) -> None:
        attempts = body.get("status", {}).get("attempts", []) if kind is FENCE_REQUESTS else []
        if not written.is_set() and any(one["action"] == "off" and one.get("ours") for one in attempts):
            written.set()
            await scene.lead_to("192.0.2.102")
            await asyncio.sleep(1)

    scene.api.on_patch = edited_meanwhile
    async with scene.fencer():
        await asyncio.sleep(5)  # the path tests have learnt which machine the right one powers
        await scene.seal()
        await scene.ask("Off")
        await asyncio.sleep(20)
        assert written.is_set() and scene.sent("off") == 0, scene.agents.calls
        assert "another machine" in (await scene.request()).status.message
