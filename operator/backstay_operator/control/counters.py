"""What the operator knows of itself, as plain numbers: kept where things happen, rendered by `endpoints`."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Final

PLAN_BUCKETS_S: Final = (0.001, 0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0)
FAILOVER_BUCKETS_S: Final = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 60.0, 300.0)


@dataclass
class Histogram:
    """Durations counted into buckets."""

    bounds_s: tuple[float, ...] = PLAN_BUCKETS_S
    counts: list[int] = field(default_factory=list)
    sum_s: float = 0.0

    def __post_init__(self) -> None:
        self.counts = self.counts or [0] * (len(self.bounds_s) + 1)

    def add(self, value_s: float) -> None:
        at = next((index for index, bound_s in enumerate(self.bounds_s) if value_s <= bound_s), len(self.bounds_s))
        self.counts[at] += 1
        self.sum_s += value_s


@dataclass
class Counters:
    """Times are on the loop's clock."""

    started_at_s: float = 0.0
    planned_at_s: float | None = None
    """When the last plan was made."""
    waiting_for: str = "the first lists"
    """Why no plan is made; empty while plans are made."""
    plan: Histogram = field(default_factory=Histogram)
    plan_actions: int = 0
    """Actions in the last plan."""
    writes: Counter[tuple[str, str]] = field(default_factory=Counter)
    """By type of action and outcome."""
    failovers: Counter[str] = field(default_factory=Counter)
    """Grants that followed an epoch which was closed by this evidence."""
    recovered: dict[str, Histogram] = field(default_factory=dict)
    """How long failovers and moves took until the service answered again, by cause."""
    events_lost: int = 0
    """Events for people that could not be posted or were too many."""
    kopf_restarts: int = 0
    """How often kopf died and was started again."""
    kopf_trouble: str = ""
    """Why kopf does not run, when that is no longer a matter of starting; our own informers watch instead."""
