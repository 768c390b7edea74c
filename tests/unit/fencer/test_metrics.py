"""What the fencer tells Prometheus of its work: a story with each outcome, and a table of agents' exits."""

from __future__ import annotations

import asyncio
import re

import pytest

from backstay_dev.simulator.virtualtime import in_virtual_time
from backstay_fencer.counters import Counters, FenceTime
from backstay_fencer.health import Health
from backstay_fencer.metrics import KIND
from backstay_testing.fencer_scene import Scene


async def told(health: Health) -> dict[str, float]:
    """By series."""
    code, kind, body = await health.answer("GET", "/metrics")
    assert (code, kind) == (200, KIND)
    return {name: float(value) for name, value in re.findall(r"^([^# ]\S*) (\S+)$", body.decode(), re.MULTILINE)}


@in_virtual_time
async def test_a_fence_is_counted_once_with_its_time_and_who_waits_is_told_meanwhile() -> None:
    scene = Scene()
    await scene.prepare()
    async with scene.fencer() as executor:
        health = Health(executor)
        await scene.ask("Observe")
        await asyncio.sleep(1)
        before = await told(health)
        assert (before["backstay_fencer_waiting"], before["backstay_fencer_requests"]) == (0, 1)
        assert before['backstay_fences_total{outcome="Proven"}'] == before["backstay_fence_duration_seconds_count"] == 0
        await scene.want("Off")
        await asyncio.sleep(1)
        assert (await told(health))["backstay_fencer_waiting"] == 1, "it is not sealed yet"
        await scene.seal()
        await scene.until(scene.proven)
        await scene.until(scene.switched_on)
        after = await told(health)
    assert after['backstay_fences_total{outcome="Proven"}'] == after["backstay_fence_duration_seconds_count"] == 1
    assert after['backstay_fence_duration_seconds_bucket{le="+Inf"}'] == 1
    assert 1 <= after["backstay_fence_duration_seconds_sum"] < 60
    assert (after["backstay_fencer_waiting"], after["backstay_fencer_leads"], after["backstay_fencer_hosts"]) == (
        0,
        1,
        1,
    )
    assert after['backstay_fence_agent_runs_total{action="off",result="Done"}'] == 1
    assert after['backstay_fencer_watch_age_seconds{watch="hosts"}'] >= 0


@in_virtual_time
async def test_what_was_withdrawn_before_anything_was_proven_is_another_outcome() -> None:
    scene = Scene()
    await scene.prepare()
    async with scene.fencer() as executor:
        await scene.ask("Off")
        await asyncio.sleep(1)
        await scene.want("Withdrawn")
        await asyncio.sleep(1)
        after = await told(Health(executor))
    assert after['backstay_fences_total{outcome="Withdrawn"}'] == 1
    assert after['backstay_fences_total{outcome="Proven"}'] == after["backstay_fence_duration_seconds_count"] == 0


def test_what_was_proven_before_it_was_looked_at_counts_for_nobody() -> None:
    """A fencer that begins anew finds requests of the one before it."""
    counters = Counters()
    time = FenceTime(counters)
    time.see(want="Off", is_proven=True, now_s=1.0)
    time.see(want="Withdrawn", is_proven=True, now_s=2.0)
    assert not counters.fences
    time = FenceTime(counters)
    for at_s in (10.0, 13.0, 14.0):
        time.see(want="Off", is_proven=at_s >= 13.0, now_s=at_s)
    assert (counters.fences, counters.sum_s, counters.counts[2]) == ({"Proven": 1}, 3.0, 1)


@pytest.mark.parametrize(
    ("action", "exit_code", "result"),
    [
        pytest.param("status", 0, "Done", id="on"),
        pytest.param("status", 2, "Done", id="off"),
        pytest.param("status", 1, "Failed", id="it could not say"),
        pytest.param("status", None, "Failed", id="it was ended"),
        pytest.param("off", 0, "Done", id="switched"),
        pytest.param("off", 2, "Failed", id="of any other action 2 is no answer"),
    ],
)
def test_what_an_agent_has_done(action: str, exit_code: int | None, result: str) -> None:
    counters = Counters()
    counters.ran(action, exit_code=exit_code)
    assert counters.runs == {(action, result): 1}
