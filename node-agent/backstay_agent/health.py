"""Facts of one agent for those who ask on its host: `/healthz` as JSON, `/metrics` for Prometheus. Tells what is true, judges nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

from backstay_api.process.endpoints import JSON, Answered, serve

from . import detection
from .drivers.tools.file_system_looks import left_behind

if TYPE_CHECKING:
    from .agent import Agent


class HealthEndpoint:
    """Answers one agent's host."""

    def __init__(self, agent: Agent) -> None:
        self._agent = agent

    async def serve(self, address: str) -> None:
        host, _, port = address.rpartition(":")
        await serve(self.answer, host=host.strip("[]") or "127.0.0.1", port=int(port))

    async def answer(self, method: str, path: str) -> Answered:
        """Code, content type and body for one request."""
        facts = {**self._agent.facts(), "looks_left_behind": left_behind()}
        match path:
            case "/healthz":
                return 200, JSON, json.dumps(facts).encode()
            case "/metrics":
                told = metrics(facts) + detection.metrics(self._agent.detection.facts())
                return 200, "text/plain; version=0.0.4", told.encode()
            case _:
                return 404, "text/plain", b"there are /healthz and /metrics\n"


def metrics(facts: Mapping[str, object]) -> str:
    """Every number among the facts as a gauge."""
    numbers = {name: float(value) for name, value in facts.items() if isinstance(value, int | float)}
    return "".join(
        f"# TYPE backstay_agent_{name} gauge\nbackstay_agent_{name} {value:g}\n" for name, value in numbers.items()
    )
