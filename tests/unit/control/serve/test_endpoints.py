"""What probes and Prometheus are told of the operator: health judged by facts, what is missing, and every metric."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import Any

import pytest

from backstay_api.memory.server import Fate
from backstay_api.process.endpoints import _answered
from backstay_dev.simulator.virtualtime import in_virtual_time
from backstay_operator.control.counters import FAILOVER_BUCKETS_S, Histogram
from backstay_operator.control.serve.endpoints import Endpoints
from backstay_operator.control.serve.health import Ages, State, ill, not_ready
from backstay_testing.builders import a_service
from backstay_testing.control_scene import Scene
from backstay_testing.degraded import PARTLY

HEALTHY = State(
    Ages(plan_s=1.0, answer_s=0.3, heartbeats_s=0.2, watches_s={}, resync_s={}),
    leads=True,
    waiting_for="",
    path_trouble="",
)


@pytest.mark.parametrize(
    ("state", "is_ill", "is_ready"),
    [
        pytest.param(HEALTHY, False, True, id="all is well"),
        pytest.param(replace(HEALTHY, leads=False), False, True, id="a follower is as ready as a leader"),
        pytest.param(replace(HEALTHY, waiting_for="the first list of Host"), False, False, id="not listed yet"),
        pytest.param(
            replace(HEALTHY, ages=replace(HEALTHY.ages, answer_s=500.0, heartbeats_s=500.0), path_trouble="away"),
            False,
            False,
            id="without the API a new process would see no more",
        ),
        pytest.param(replace(HEALTHY, ages=replace(HEALTHY.ages, plan_s=31.0)), True, False, id="the loop hangs"),
        pytest.param(
            replace(HEALTHY, ages=replace(HEALTHY.ages, heartbeats_s=181.0)), True, False, id="silent beyond repair"
        ),
    ],
)
def test_health_is_judged_by_facts(state: State, is_ill: bool, is_ready: bool) -> None:
    assert (bool(ill(state)), not not_ready(state)) == (is_ill, is_ready)


@in_virtual_time
async def test_endpoints_tell_what_is_missing_and_then_the_facts() -> None:
    scene = Scene()
    scene.add_host("n1")
    scene.weather_of("op").fates = [(lambda request: request.resource.startswith("hosts."), Fate(request_lost=True))]
    async with scene.operator() as operator:
        endpoints = Endpoints(operator)
        await asyncio.sleep(1)
        code, _, body = await endpoints.answer("GET", "/readyz")
        assert code == 503 and "Host" in json.loads(body)["why"]
        assert (await endpoints.answer("GET", "/healthz"))[0] == 200, "starting it again would not help"
        await asyncio.sleep(20)
        code, _, body = await endpoints.answer("GET", "/readyz?verbose")
        assert code == 200 and json.loads(body)["leads"] is True
        assert (await _answered(endpoints.answer, "POST", "/readyz"))[0] == 405
        assert (await endpoints.answer("GET", "/secrets"))[0] == 404


def test_metrics_render_every_fact() -> None:
    from backstay_operator.control.serve.metrics import Metrics

    async def story() -> str:
        scene = Scene()
        scene.add_host("n1")
        scene.add_service()
        scene.add_service("broken", resources="none")
        async with scene.operator() as operator:
            await asyncio.sleep(1)
            operator.counters.failovers["Device"] += 1
            operator.counters.recovered["HostLost"] = Histogram(FAILOVER_BUCKETS_S)
            operator.counters.recovered["HostLost"].add(3.0)
            operator.cache.world.put_service(a_service("partly").model_copy(update={"status": PARTLY}))
            return Metrics(operator, Endpoints(operator).state).render().decode()

    lines: list[str] = []
    in_virtual_time(lambda: _collect(story, lines))()
    text = lines[0]
    for expected in (
        "backstay_leader 1.0",
        'backstay_failovers_total{evidence="Device"} 1.0',
        'backstay_writes_total{action="WriteInstance",result="done"} 1.0',
        'backstay_unreadable_objects{kind="HAService"} 1.0',
        'backstay_lease_age_seconds{host="n1"}',
        'backstay_degraded_services{reason="WorksPartly"} 1.0',
        'backstay_plan_duration_seconds_bucket{le="+Inf"}',
        "backstay_stale_entries_total 0.0",
        'backstay_failover_duration_seconds_bucket{cause="HostLost",le="2.0"} 0.0',
        'backstay_failover_duration_seconds_bucket{cause="HostLost",le="4.0"} 1.0',
        'backstay_service_standbys_ready{name="web",namespace="shop"} 0.0',
        'backstay_host_instances{host="n1"} 0.0',
        'backstay_build_info{part="operator",version="',
    ):
        assert expected in text, text


async def _collect(story: Any, lines: list[str]) -> None:
    lines.append(await story())
