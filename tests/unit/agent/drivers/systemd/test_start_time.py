"""A start is waited for as the manifest says; where it says nothing, for as long as systemd itself goes on with it."""

from __future__ import annotations

import asyncio

import pytest

from backstay_agent.drivers.systemd.limits import CEILING_S
from backstay_agent.drivers.systemd.start_time import start_time
from backstay_agent.drivers.tools.watch import Watch
from backstay_dev.simulator.virtualtime import in_virtual_time

LIMIT_S = 91.0


def starting(invocation: bytes = b"a", sub: str = "start") -> Watch:
    return Watch("db.service", properties={"ActiveState": "activating", "SubState": sub, "InvocationID": invocation})


async def waited_s(watch: Watch, *, is_own: bool = True, up_after_s: float = 1e9) -> float:
    """How long it was waited for; negative: it came up."""
    loop = asyncio.get_running_loop()
    begun_s = loop.time()
    try:
        async with start_time(LIMIT_S, watch, is_own=is_own):
            await asyncio.sleep(up_after_s)
    except TimeoutError:
        return loop.time() - begun_s
    return begun_s - loop.time()


@in_virtual_time
async def test_a_start_that_systemd_gives_more_time_is_waited_for() -> None:
    assert await waited_s(starting(), up_after_s=1000) == -1000
    assert await waited_s(starting(sub="start-pre"), up_after_s=30) == -30


@in_virtual_time
async def test_what_the_manifest_says_is_kept() -> None:
    assert await waited_s(starting(), is_own=False) == LIMIT_S


@pytest.mark.parametrize("sub", ["auto-restart", "dead", "running"])
@in_virtual_time
async def test_where_systemd_does_not_go_on_the_limit_is_kept(sub: str) -> None:
    assert await waited_s(starting(sub=sub)) == LIMIT_S


@in_virtual_time
async def test_when_nobody_knows_what_systemd_does_the_limit_is_kept() -> None:
    watch = starting()
    watch.lost = "D-Bus is away"
    assert await waited_s(watch) == LIMIT_S


@in_virtual_time
async def test_a_restart_by_systemd_is_another_start() -> None:
    watch = starting()
    asyncio.get_running_loop().call_later(200, watch.properties.update, {"InvocationID": b"b"})
    assert 200 <= await waited_s(watch) <= 202


@in_virtual_time
async def test_nobody_waits_without_end() -> None:
    assert CEILING_S <= await waited_s(starting()) <= CEILING_S + 2
