"""The operator's facts as Prometheus metrics, made when they are asked for. Imported with the first scrape only."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from itertools import accumulate

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from backstay_api import VERSION
from backstay_operator.control.counters import Histogram
from backstay_operator.control.replica import Operator
from backstay_operator.control.serve.health import State
from backstay_operator.control.serve.told import told_of_hosts, told_of_services


class Metrics(Collector):
    """Renders one replica."""

    def __init__(self, operator: Operator, state: Callable[[], State]) -> None:
        self._operator = operator
        self._state = state
        self._registry = CollectorRegistry()
        self._registry.register(self)
        ProcessCollector(registry=self._registry)

    def render(self) -> bytes:
        return generate_latest(self._registry)

    def collect(self) -> Iterator[Metric]:
        yield from self._health()
        yield from self._plans()
        yield from self._watches()
        yield from self._hosts()
        yield from self._services()

    def _health(self) -> Iterator[Metric]:
        state = self._state()
        yield _gauge("leader", "1 while this replica leads", float(state.leads))
        yield _gauge(
            "own_path_healthy",
            "1 while this replica's path to the API server is healthy",
            float(not state.path_trouble),
        )
        if state.ages.plan_s is not None:
            yield _gauge("last_plan_age_seconds", "Since the last plan", state.ages.plan_s)
        if state.ages.heartbeats_s is not None:
            yield _gauge(
                "heartbeats_age_seconds", "Since the Lease watch last received anything", state.ages.heartbeats_s
            )
        yield _by("watch_age_seconds", "Since a watch of the kind last received anything", "kind", state.ages.watches_s)
        yield _by("resync_age_seconds", "Since a kind was last held against a list", "kind", state.ages.resync_s)

    def _plans(self) -> Iterator[Metric]:
        counters = self._operator.counters
        duration = HistogramMetricFamily("backstay_plan_duration_seconds", "How long plans took")
        duration.add_metric([], _buckets(counters.plan), counters.plan.sum_s)
        yield duration
        yield _gauge("plan_actions", "Actions in the last plan", counters.plan_actions)
        writes = CounterMetricFamily("backstay_writes", "Writes by action and result", labels=["action", "result"])
        for (action, result), count in sorted(counters.writes.items()):
            writes.add_metric([action, result], count)
        yield writes
        what = "Epochs that were granted because the host of the previous one was lost"
        failovers = CounterMetricFamily("backstay_failovers", what, labels=["evidence"])
        for evidence, count in sorted(counters.failovers.items()):
            failovers.add_metric([evidence], count)
        yield failovers
        what = "From what went wrong until the service answered again, by cause"
        recovered = HistogramMetricFamily("backstay_failover_duration_seconds", what, labels=["cause"])
        for cause, histogram in sorted(counters.recovered.items()):
            recovered.add_metric([cause], _buckets(histogram), histogram.sum_s)
        yield recovered

    def _watches(self) -> Iterator[Metric]:
        counts, counters = self._operator.cache.counts, self._operator.counters
        yield _counter("stale_entries", "Cached objects that a list showed to be gone", counts["stale_dropped"])
        yield _counter("late_events", "Events of objects that were known to be gone", counts["late"])
        yield _counter("older_events", "Events of versions that were known already", counts["older"])
        yield _counter("repaired", "Objects that a list knew newer", counts["repaired"])
        yield _counter("kopf_restarts", "How often kopf ended and was started again", counters.kopf_restarts)
        yield _counter("events_lost", "Events for people that were not posted", counters.events_lost)

    def _hosts(self) -> Iterator[Metric]:
        world = self._operator.cache.world
        now_s = self._operator.clock()
        ages = {host: now_s - seen.first_seen_s for host, seen in world.leases.items() if seen.lease.holder}
        yield _by("lease_age_seconds", "Since a host's renewal count last moved", "host", ages)
        unreadable: dict[str, float] = {}
        for kind, _ in world.unreadable:
            unreadable[kind] = unreadable.get(kind, 0) + 1
        yield _by("unreadable_objects", "Objects that cannot be read", "kind", unreadable)

    def _services(self) -> Iterator[Metric]:
        conditions = (
            one for service in self._operator.cache.world.services.values() for one in service.status.conditions
        )
        degraded = Counter(one.reason for one in conditions if (one.type, one.status) == ("Degraded", "True"))
        yield _by("degraded_services", "Services whose condition Degraded is True, by its reason", "reason", degraded)
        yield from told_of_services(self._operator.cache.world)
        yield from told_of_hosts(self._operator.cache.world)
        build = GaugeMetricFamily(
            "backstay_build_info", "1, with the version of this program", labels=["version", "part"]
        )
        build.add_metric([VERSION, "operator"], 1.0)
        yield build


def _buckets(histogram: Histogram) -> list[tuple[str, float]]:
    """Each bound with how many were not above it."""
    bounds = [*map(str, histogram.bounds_s), "+Inf"]
    return list(zip(bounds, map(float, accumulate(histogram.counts)), strict=True))


def _gauge(name: str, help_: str, value: float) -> Metric:
    return GaugeMetricFamily(f"backstay_{name}", help_, value=value)


def _counter(name: str, help_: str, value: float) -> Metric:
    return CounterMetricFamily(f"backstay_{name}", help_, value=value)


def _by(name: str, help_: str, label: str, values: Mapping[str, float]) -> Metric:
    family = GaugeMetricFamily(f"backstay_{name}", help_, labels=[label])
    for key, value in sorted(values.items()):
        family.add_metric([key], value)
    return family
