"""How late an agent sees what happens on its host, as its metrics tell it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from backstay_agent.core.health import Verdict
from backstay_agent.detection import BOUNDS_S, CGROUP, DBUS, POLL, PROBE, SOURCES, Detection, metrics
from backstay_agent.drivers.base import Seen, State
from backstay_agent.drivers.tools.wakeups import looked_at
from backstay_agent.drivers.tools.watch import UNIT, Watch
from backstay_agent.health import HealthEndpoint
from backstay_agent.run.probes import run_probes
from backstay_api.objects.plain import Probe, RenderedResource, TcpSocket
from backstay_dev.simulator.virtualtime import in_virtual_time
from backstay_testing.agent_world import running

DEBUGGING = Path(__file__).parents[3] / "docs/how-to/debugging.md"


def test_a_histogram_for_each_source_that_tells_a_time_and_a_count_for_each_that_does_not() -> None:
    detection = Detection()
    for latency_s in (0.001, 0.003, 99.0, -0.5):
        detection.saw(DBUS, latency_s)
    detection.told(CGROUP)
    text = metrics(detection.facts())
    name = "backstay_agent_detection_seconds"
    found = re.findall(rf'{name}_bucket{{source="dbus",le="(.*)"}} (\d+)', text)
    assert found == [*((f"{bound:g}", "2" if bound == BOUNDS_S[0] else "3") for bound in BOUNDS_S), ("+Inf", "4")]
    assert f'{name}_count{{source="dbus"}} 4\n' in text and f'{name}_sum{{source="dbus"}} 99.004\n' in text
    assert 'backstay_agent_events_total{source="cgroup"} 1\n' in text
    assert f'{name}_count{{source="cgroup"}}' not in text


def test_no_time_is_invented_for_a_source_that_tells_none() -> None:
    with pytest.raises(AssertionError, match="cgroup tells no time"):
        Detection().saw(CGROUP, 0.1)


def test_the_page_says_of_each_source_what_is_measured() -> None:
    page = DEBUGGING.read_text()
    for source in SOURCES:
        assert (f"| `{source.name}` | {source.latency} |" if source.latency else f"`{source.name}`") in page


@in_virtual_time
async def test_an_agent_tells_them() -> None:
    world = await running()
    assert world.agent
    _, _, body = await HealthEndpoint(world.agent).answer("GET", "/metrics")
    for source in SOURCES:
        assert f'source="{source.name}"'.encode() in body


@in_virtual_time
async def test_systemds_own_time_counts_and_only_once() -> None:
    detection = Detection()
    watch = Watch("a.service", detection=detection)
    await asyncio.sleep(50)
    now_us = int(asyncio.get_running_loop().time() * 1_000_000)
    for at_us in (now_us - 250_000, now_us - 250_000):
        watch.on_signal((UNIT, {"StateChangeTimestampMonotonic": ("t", at_us)}, []))
    watch.properties["StateChangeTimestampMonotonic"] = now_us  # it was asked for before the signal came
    watch.on_signal((UNIT, {"StateChangeTimestampMonotonic": ("t", now_us)}, []))
    assert detection.facts()["dbus"] | {"count": 1, "sum": 0.25} == detection.facts()["dbus"]


class AskerOfOneThatDies:
    """An asker of what works for 10 s, as a fake."""

    async def ask(self, probe: Probe) -> str | None:
        await asyncio.sleep(0.5)
        return None if asyncio.get_running_loop().time() < self.ends_at_s else "connection refused"

    def __init__(self) -> None:
        self.ends_at_s = asyncio.get_running_loop().time() + 10


@in_virtual_time
async def test_a_probe_counts_from_its_first_bad_question_to_the_verdict() -> None:
    detection, verdicts = Detection(), list[Verdict]()
    probe = Probe(name="p", tcp_socket=TcpSocket(port=1), period="2s", failure_threshold=3)
    resource = RenderedResource(name="r", probes=(probe,))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(30):
            await run_probes(
                resource, lambda verdict, _: verdicts.append(verdict), AskerOfOneThatDies(), detection=detection
            )
    assert verdicts == [Verdict.WORKS, Verdict.FAILS]
    # The first good answer after 0.5 s; the third bad one two periods after the first.
    assert detection.facts()["probe"]["sum"] == pytest.approx(0.5 + 4.5)
    assert detection.facts()["probe"]["count"] == 2


@in_virtual_time
async def test_a_look_without_an_event_may_be_late_by_the_time_since_the_one_before() -> None:
    detection = Detection()
    states = iter([State.RUNNING, State.RUNNING, State.FAILED, State.STOPPED])

    async def woken() -> AsyncGenerator[bool, None]:
        for wait_s, by_event in ((0, False), (5, False), (5, False), (1, True)):
            await asyncio.sleep(wait_s)
            yield by_event

    async def look() -> Seen:
        await asyncio.sleep(1)
        return Seen(next(states))

    seen = [one.state async for one in looked_at(woken(), look, detection)]
    assert seen == [State.RUNNING, State.FAILED, State.STOPPED]
    # One period, and two looks of a second; what an event told counts elsewhere.
    assert (detection.facts()["poll"]["count"], detection.facts()["poll"]["sum"]) == (1, 7)
    assert (POLL.latency, PROBE.latency) != ("", "")
