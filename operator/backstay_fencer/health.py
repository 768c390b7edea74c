"""/healthz, /readyz and /metrics of the fencer: does it see what it must know, and does it test the fence paths? Facts, not an open port."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from backstay_api.process.endpoints import JSON, Answered, judged
from backstay_api.process.waiting import clock_s

from . import metrics
from .executor import Executor

STALE_WATCH_S: Final = 180.0
"""Bookmarks come every minute: three missed while another watch gets events means that this stream is beyond repair."""


@dataclass(frozen=True)
class SelfReport:
    """What the fencer knows of itself."""

    watches_s: Mapping[str, float | None]
    """By what is watched: seconds since the server last told anything; None: never."""
    troubles: Mapping[str, str]
    """By what is watched: why it is not watched now; empty while it is."""
    leads: bool
    """Whether it is the one that works; the others know all that it knows."""
    requests: int
    """Those that it carries out."""
    hosts: int
    tested_s: float | None
    """Seconds since a fence path was last tested; None: none was."""

    def as_json(self) -> dict[str, Any]:
        """For whoever asks."""
        ages = {name: None if age_s is None else round(age_s, 3) for name, age_s in self.watches_s.items()}
        tested = None if self.tested_s is None else round(self.tested_s, 3)
        return {
            "watchAgeSeconds": ages,
            "leads": self.leads,
            "fenceRequests": self.requests,
            "hosts": self.hosts,
            "lastFenceTestAgeSeconds": tested,
        }


def ill(facts: SelfReport) -> str:
    """Why the process should be started again; empty if that would not help, or nothing is wrong."""
    ages_s = [age_s for age_s in facts.watches_s.values() if age_s is not None]
    answers = min(ages_s, default=STALE_WATCH_S) < STALE_WATCH_S / 2
    stale = sorted(name for name, age_s in facts.watches_s.items() if age_s is not None and age_s > STALE_WATCH_S)
    if answers and stale:
        return f"the API server answers, but the watch on {', '.join(stale)} has been silent for {STALE_WATCH_S:.0f} s"
    return ""


def not_ready(facts: SelfReport) -> str:
    """Why it could not carry out a request now; empty if it could."""
    unwatched = "; ".join(f"{name}: {why}" for name, why in sorted(facts.troubles.items()) if why)
    return ill(facts) or unwatched


class Health:
    """Answers probes."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor

    def facts(self) -> SelfReport:
        executor, now_s = self._executor, clock_s()
        watches = executor.watches.all()
        ages = {name: None if at_s is None else now_s - at_s for name, (at_s, _) in watches.items()}
        tested_at_s = executor.path_tests.tested_at_s
        return SelfReport(
            watches_s=ages,
            troubles={name: trouble for name, (_, trouble) in watches.items()},
            leads=executor.leads(),
            requests=executor.requests,
            hosts=len(executor.watches.host_names()),
            tested_s=None if tested_at_s is None else now_s - tested_at_s,
        )

    async def answer(self, method: str, path: str) -> Answered:
        facts = self.facts()
        match path.partition("?")[0]:
            case "/healthz" | "/livez":
                return judged(ill(facts), facts.as_json())
            case "/readyz":
                return judged(not_ready(facts), facts.as_json())
            case "/metrics":
                return 200, metrics.KIND, self.metrics(facts).encode()
            case _:
                return 404, JSON, b'{"see": ["/healthz", "/readyz", "/metrics"]}'

    def metrics(self, facts: SelfReport) -> str:
        """As Prometheus reads them."""
        numbers = {
            "leads": float(facts.leads),
            "requests": float(facts.requests),
            "waiting": float(self._executor.waiting),
            "hosts": float(facts.hosts),
            **({} if facts.tested_s is None else {"last_test_age_seconds": facts.tested_s}),
        }
        return metrics.rendered(self._executor.counters, numbers, facts.watches_s)
