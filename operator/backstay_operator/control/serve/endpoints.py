"""/healthz, /readyz and /metrics of the operator: facts, and what follows from them."""

from __future__ import annotations

import asyncio
import importlib
from typing import Any, Final

from backstay_api.process.endpoints import JSON, Answered, judged
from backstay_operator.control.replica import Operator
from backstay_operator.control.serve.health import Ages, State, facts_of, ill, not_ready

_METRICS: Final = "text/plain; version=0.0.4; charset=utf-8"


class Endpoints:
    """Serves one replica's facts."""

    def __init__(self, operator: Operator) -> None:
        self._operator = operator
        self._metrics: Any = None

    def state(self) -> State:
        operator = self._operator
        now_s = operator.clock()
        planned_s = operator.counters.planned_at_s
        answered_s = operator.path.last_ok_sent_s
        heartbeats_s = operator.heartbeats.seen_at_s().get("Lease")
        return State(
            Ages(
                plan_s=None if planned_s is None else now_s - planned_s,
                answer_s=None if answered_s is None else now_s - answered_s,
                heartbeats_s=None if heartbeats_s is None else now_s - heartbeats_s,
                watches_s={kind: now_s - at_s for kind, at_s in operator.source.seen_at_s().items()},
                resync_s={kind: now_s - at_s for kind, at_s in operator.resync.done_at_s.items()},
            ),
            leads=operator.leads(),
            waiting_for=operator.counters.waiting_for,
            path_trouble=operator.path.trouble,
            kopf_trouble=operator.counters.kopf_trouble,
        )

    async def answer(self, method: str, path: str) -> Answered:
        """Code, content type and body for one request."""
        state = self.state()
        match path.partition("?")[0]:
            case "/healthz" | "/livez":
                return judged(ill(state), facts_of(state))
            case "/readyz":
                return judged(not_ready(state), facts_of(state))
            case "/metrics":
                return 200, _METRICS, await self._render()
            case _:
                return 404, JSON, b'{"see": ["/healthz", "/readyz", "/metrics"]}'

    async def _render(self) -> bytes:
        if self._metrics is None:
            loop = asyncio.get_running_loop()
            module = await loop.run_in_executor(
                None, importlib.import_module, "backstay_operator.control.serve.metrics"
            )
            self._metrics = module.Metrics(self._operator, self.state)
        rendered: bytes = self._metrics.render()
        return rendered
