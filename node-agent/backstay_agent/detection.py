"""How late this agent sees what happens on its host, source by source: counted in buckets, for its `/metrics`. Pure.

A source that tells no time of its own is only counted: when it happened is not known, and is not guessed.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass, field
from typing import Final

BOUNDS_S: Final = (0.001, 0.005, 0.02, 0.1, 0.5, 2.0, 10.0, 60.0)
"""From what an event costs, over a planned move's gap, to several periods of a probe."""


@dataclass(frozen=True)
class EventSource:
    """Where news of the host come from."""

    name: str
    latency: str
    """From when to when; empty where the source tells no time."""


DBUS: Final = EventSource(
    "dbus", "from the time that systemd gives the change of the unit's state, to the receipt of its signal"
)
PROBE: Final = EventSource(
    "probe", "from asking the first question that had this answer, to the verdict that it changed"
)
POLL: Final = EventSource(
    "poll", "from the look before, to the end of the one that saw the change without an event: at most so late"
)
CGROUP: Final = EventSource("cgroup", "")
NETLINK: Final = EventSource("netlink", "")
MOUNTS: Final = EventSource("mounts", "")
SOURCES: Final = (DBUS, PROBE, POLL, CGROUP, NETLINK, MOUNTS)


@dataclass
class Latencies:
    """Of one source."""

    count: int = 0
    sum_s: float = 0.0
    by_bound: Counter[int] = field(default_factory=Counter)
    """How many were within each of `BOUNDS_S` and not within the one before, by its index."""


class Detection:
    """What was seen by which source, and how late."""

    def __init__(self) -> None:
        self._seen = {source: Latencies() for source in SOURCES}

    def saw(self, source: EventSource, latency_s: float) -> None:
        """Something happened so long before it was known."""
        assert source.latency, f"{source.name} tells no time"
        seen, latency_s = self._seen[source], max(latency_s, 0.0)
        seen.count += 1
        seen.sum_s += latency_s
        seen.by_bound[bisect_left(BOUNDS_S, latency_s)] += 1

    def told(self, source: EventSource) -> None:
        """There was news from a source that tells no time."""
        self._seen[source].count += 1

    def facts(self) -> dict[str, dict[str, float]]:
        """By source: how many, and where it tells the time, their sum in seconds and how many were at most so late."""
        return {source.name: _numbers(source, self._seen[source]) for source in SOURCES}


def _numbers(source: EventSource, seen: Latencies) -> dict[str, float]:
    if not source.latency:
        return {"count": seen.count}
    within = {f"{bound:g}": sum(seen.by_bound[at] for at in range(index + 1)) for index, bound in enumerate(BOUNDS_S)}
    return {"count": seen.count, "sum": round(seen.sum_s, 6), **within}


def metrics(facts: dict[str, dict[str, float]]) -> str:
    """What `Detection.facts` says, as Prometheus reads it."""
    lines = ["# TYPE backstay_agent_detection_seconds histogram"]
    for source in (source for source in SOURCES if source.latency):
        seen, label = facts[source.name], f'source="{source.name}"'
        buckets = {**{f"{bound:g}": seen[f"{bound:g}"] for bound in BOUNDS_S}, "+Inf": seen["count"]}
        lines += [f'backstay_agent_detection_seconds_bucket{{{label},le="{le}"}} {n:g}' for le, n in buckets.items()]
        lines += [f"backstay_agent_detection_seconds_{what}{{{label}}} {seen[what]:g}" for what in ("sum", "count")]
    lines.append("# TYPE backstay_agent_events_total counter")
    for source in (source for source in SOURCES if not source.latency):
        lines.append(f'backstay_agent_events_total{{source="{source.name}"}} {facts[source.name]["count"]:g}')
    return "\n".join(lines) + "\n"
