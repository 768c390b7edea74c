"""The values with which the chart is rendered by tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from backstay_api.generate.files import CHART, REPOSITORY
from contract.chart_scene import of_kind

Json = dict[str, Any]
SCENARIOS = [None, *sorted((REPOSITORY / CHART / "ci").glob("*.yaml"))]


def with_values(scenario: Path | None) -> list[str | Path]:
    return ["--values", scenario] if scenario else []


def pods(documents: list[Json]) -> dict[str, Json]:
    return {name: one["spec"]["template"]["spec"] for name, one in of_kind(documents, "Deployment").items()}


OURS = "registry.example/backstay"
