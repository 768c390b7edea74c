"""Alerts and dashboard: they ask for what exists, say what to do, and fire when they should, by Prometheus' own judgement."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from backstay_api.generate.files import CHART, REPOSITORY
from backstay_dev.lab.shell import call
from backstay_dev.simulator.virtualtime import in_virtual_time
from backstay_fencer.health import Health
from backstay_operator.control.serve.endpoints import Endpoints
from backstay_operator.control.serve.metrics import Metrics
from backstay_testing import fencer_scene
from backstay_testing.control_scene import Scene
from backstay_testing.promtool import promtool
from contract.chart_scene import of_kind, rendered

FILES = REPOSITORY / CHART / "files"
RULES: list[dict[str, Any]] = yaml.safe_load((FILES / "alerts.yaml").read_text())["groups"][0]["rules"]
PANELS: list[dict[str, Any]] = json.loads((FILES / "dashboard.json").read_text())["panels"]
QUERIES = [
    *((one["alert"], one["expr"]) for one in RULES),
    *((one["title"], target["expr"]) for one in PANELS for target in one["targets"]),
]
_KINDS = "PodMonitor", "ServiceMonitor", "PrometheusRule"
_KNOWN = [word for kind in _KINDS for word in ("--api-versions", f"monitoring.coreos.com/v1/{kind}")]


@pytest.fixture(scope="module")
def series() -> set[str]:
    """Names of all that operator and fencer tell of, as Prometheus stores them."""
    found: set[str] = set()

    async def story() -> None:
        scene = Scene()
        scene.add_host("n1")
        async with scene.operator() as operator:
            await asyncio.sleep(1)
            found.update(_names(Metrics(operator, Endpoints(operator).state).render().decode()))
        async with fencer_scene.Scene().fencer() as fencer:
            health = Health(fencer)
            found.update(_names(health.metrics(health.facts())))

    in_virtual_time(story)()
    return found


def _names(text: str) -> Iterator[str]:
    for name, kind in re.findall(r"^# TYPE (\S+) (\S+)$", text, re.MULTILINE):
        yield name
        if kind == "histogram":
            yield from (f"{name}_{suffix}" for suffix in ("bucket", "count", "sum"))


@pytest.mark.parametrize(("title", "query"), QUERIES, ids=[title for title, _ in QUERIES])
def test_a_query_asks_for_series_that_exist(series: set[str], title: str, query: str) -> None:
    asked = set(re.findall(r"\bbackstay_\w+", query))
    assert asked and asked <= series, f"{title}: {asked - series}"


def test_each_alert_has_its_runbook_and_each_runbook_its_alert() -> None:
    told = re.findall(r"^## (Backstay\w+)$", (REPOSITORY / "docs/how-to/alerts.md").read_text(), re.MULTILINE)
    assert told == [one["alert"] for one in RULES]
    assert all(one["annotations"]["summary"] and one["labels"]["severity"] for one in RULES)


@pytest.mark.api
def test_alerts_fire_when_they_should(tmp_path: Path) -> None:
    for path in (FILES / "alerts.yaml", Path(__file__).with_name("alerts_test.yaml")):
        shutil.copy(path, tmp_path)
    assert "SUCCESS" in call(promtool(), "test", "rules", tmp_path / "alerts_test.yaml", timeout_s=60)
    assert f"SUCCESS: {len(RULES)} rules found" in call(promtool(), "check", "rules", tmp_path / "alerts.yaml")


@pytest.mark.api
def test_the_chart_installs_them_where_they_are_asked_for_and_the_kinds_are_known() -> None:
    on = ["metrics.podMonitor", "metrics.serviceMonitor", "metrics.prometheusRule", "metrics.dashboard"]
    values = [word for one in on for word in ("--set", f"{one}=true")]
    everything = rendered(
        *values, *_KNOWN, "--set", "metrics.labels.release=kps", "--set", "metrics.runbooks=https://x/y"
    )
    (rule,) = of_kind(everything, "PrometheusRule").values()
    urls = [one["annotations"].pop("runbook_url") for one in rule["spec"]["groups"][0]["rules"]]
    assert urls == [f"https://x/y#{one['alert'].lower()}" for one in RULES]
    assert rule["spec"]["groups"][0]["rules"] == RULES
    (board,) = (one for name, one in of_kind(everything, "ConfigMap").items() if name.endswith("-dashboard"))
    assert json.loads(board["data"]["backstay.json"])["panels"] == PANELS
    for kind in ("PodMonitor", "ServiceMonitor"):
        monitors = of_kind(everything, kind)
        assert sorted(monitors) == ["backstay-fencer", "backstay-operator"]
        for name, monitor in monitors.items():
            assert monitor["metadata"]["labels"]["release"] == "kps"
            wanted = monitor["spec"]["selector"]["matchLabels"]
            chosen = of_kind(everything, "Service" if kind == "ServiceMonitor" else "Deployment")[name]
            assert wanted.items() <= chosen["metadata"]["labels"].items()
    there = {one["kind"] for one in rendered(*_KNOWN)}
    assert there.isdisjoint({*_KINDS, "ConfigMap"}), "nothing of it by default"
    assert {one["kind"] for one in rendered(*values)}.isdisjoint(_KINDS), "nor where nobody knows the kinds"
