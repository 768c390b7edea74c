"""What comes in an agent's way while it brings a file: it waits, says why, and goes on by itself; and what it must not touch it leaves."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

import pytest

from backstay_agent.cluster.link import ASSIGNMENTS
from backstay_agent.core.editions import Edition
from backstay_agent.core.health import Verdict
from backstay_agent.fake_files import FakeInstaller
from backstay_api.objects.editions import EDITION, REFUSED, TRIAL
from backstay_api.objects.plain import ExpectedCopy
from backstay_dev.simulator.virtualtime import in_virtual_time
from backstay_testing.agent_world import World, enrolled
from backstay_testing.editions import PATH, PROBED, A, B, bring, said, there, until_says


@in_virtual_time
async def test_what_cannot_be_put_on_a_standby_is_tried_again_and_not_called_wrong() -> None:
    world = await enrolled()
    await bring(world, A, A)
    await until_says(world, EDITION, A.id)
    world.machine.unwritable[PATH] = "No space left on device"
    await bring(world, B, B, revision=2)
    await asyncio.sleep(25)
    found = await said(world)
    assert "No space left" in found.facts["why"]
    assert (found.facts[EDITION], REFUSED in found.facts, found.why) == (A.id, False, "")
    world.machine.unwritable.clear()
    await until_says(world, EDITION, B.id)


@in_virtual_time
async def test_a_host_that_cannot_have_its_first_edition_is_not_ready() -> None:
    world = await enrolled()
    world.machine.unwritable[PATH] = "Read-only file system"
    await bring(world, A, A)
    await asyncio.sleep(15)
    assert (await said(world)).why == "/etc/web.conf is not in place yet"


@in_virtual_time
async def test_a_host_is_not_ready_before_its_first_edition_is_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    world = await enrolled()
    checked, check = asyncio.Event(), FakeInstaller.check

    async def slow(self: FakeInstaller, argv: Sequence[str], editions: Mapping[str, Edition]) -> str:
        await checked.wait()
        return await check(self, argv, editions)

    monkeypatch.setattr(FakeInstaller, "check", slow)
    await bring(world, A, A)
    await asyncio.sleep(15)
    assert (await said(world)).why == "/etc/web.conf is not in place yet"
    checked.set()
    assert (await until_says(world, EDITION, A.id)).why == ""


@in_virtual_time
async def test_what_nobody_has_thought_of_is_said_and_does_not_end_it(monkeypatch: pytest.MonkeyPatch) -> None:
    world, put = await enrolled(), FakeInstaller.put

    async def odd(self: FakeInstaller, path: str, edition: Edition) -> None:
        raise ValueError("words of the file")

    monkeypatch.setattr(FakeInstaller, "put", odd)
    await bring(world, A, A)
    await asyncio.sleep(15)
    assert (await said(world)).facts["why"] == "it could not be brought: ValueError"
    monkeypatch.setattr(FakeInstaller, "put", put)
    await until_says(world, EDITION, A.id)


@in_virtual_time
async def test_a_policy_that_refuses_it_since_keeps_a_start_from_writing_it_too() -> None:
    world = await enrolled()
    await bring(world, A, A)
    await until_says(world, EDITION, A.id)
    await bring(world, B, B, revision=2)
    await until_says(world, EDITION, B.id)
    world.machine.refused[f"file {PATH}"] = "file /etc/web.conf: add it to `files`"
    await world.order(resources=PROBED, expects=[ExpectedCopy(name="config", facts={EDITION: A.id}).to_wire()])
    await world.phase_is("Failed")
    assert there(world) == "b"


async def _hands_off(world: World, why: str) -> None:
    await world.operator.patch(ASSIGNMENTS, "n1", {"spec": {"handsOff": why}})

    async def known() -> bool:
        return (await world.assignment()).status.hands_off is bool(why)

    await world.until(known)


@in_virtual_time
async def test_hands_off_nothing_is_written_and_a_trial_stays_as_it_is() -> None:
    world = await enrolled()
    await bring(world, A, A)
    await until_says(world, EDITION, A.id)
    await world.order(resources=PROBED)
    await world.phase_is("Running")
    await bring(world, B, B, revision=2)
    await until_says(world, TRIAL, B.id)
    await asyncio.sleep(1)
    await _hands_off(world, "a new kernel")
    world.machine.log.clear()
    world.system.judges["server"](Verdict.FAILS, "probe alive: connection refused")
    await asyncio.sleep(60)
    assert (world.machine.log, there(world)) == ([], "b")


@in_virtual_time
async def test_hands_off_a_standby_is_not_written_to_either() -> None:
    world = await enrolled()
    await bring(world, A, A)
    await until_says(world, EDITION, A.id)
    await _hands_off(world, "a new kernel")
    world.machine.log.clear()
    await bring(world, B, B, revision=2)
    await asyncio.sleep(15)
    assert (world.machine.log, there(world)) == ([], "a")
    await _hands_off(world, "")
    await until_says(world, EDITION, B.id)
