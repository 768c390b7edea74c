"""What the statuses of services and hosts say, as metrics: a series for each. Every replica tells the same, so take the largest."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Final

from prometheus_client.core import GaugeMetricFamily, Metric

from backstay_api.objects.models import HAService, Host
from backstay_api.objects.models.base import Condition
from backstay_operator.planner.know.world import World
from backstay_operator.planner.words import elapsed_s

_OF_SERVICES: Final = {
    "ready": ("Ready", "1 while it runs and works"),
    "degraded": ("Degraded", "1 while something is not as wanted, whether or not it runs"),
    "survives_host_loss": ("SurvivesHostLoss", "1 while the loss of its host would be mended without a person"),
}
_OF_HOSTS: Final = {
    "ready": ("Ready", "1 while its agent renews its Lease"),
    "fencing_ready": ("FencingReady", "1 while a level of its fence devices works; absent: nobody knows"),
    "schedulable": ("Schedulable", "1 while services may be placed there"),
    "healthy": ("Healthy", "1 while its own checks find nothing wrong"),
    "agent_supported": ("AgentSupported", "1 while its agent is of a release that the operator serves"),
    "capacity_sufficient": (
        "CapacitySufficient",
        "1 while it offers all that is asked of it; absent: nobody has declared any",
    ),
}
_Rows = Iterable[tuple[Sequence[str], float | None]]


def told_of_services(world: World) -> Iterator[Metric]:
    """Of each service that is wanted: what its owner has stopped is no loss, and has no `ready`."""
    services = [(_labels(one), one) for _, one in sorted(world.services.items())]
    wanted = [(labels, one) for labels, one in services if one.spec.state != "Stopped"]
    names = ("namespace", "name")
    for name, (condition, what) in _OF_SERVICES.items():
        rows = ((labels, _is(one.status.conditions, condition)) for labels, one in wanted)
        yield _family(f"service_{name}", what, names, rows)
    ready = ((labels, float(sum(each.ready for each in one.status.standbys))) for labels, one in wanted)
    yield _family("service_standbys_ready", "Hosts that could take it over now", names, ready)
    promoted = ((labels, float(bool(one.status.promoted))) for labels, one in wanted if one.spec.mode == "Promotable")
    yield _family(
        "service_promoted", "1 while one of its copies is promoted; of mode Promotable alone", names, promoted
    )
    holders = (
        ((*labels, each.name, each.host), 1.0) for labels, one in services for each in one.status.instances if each.host
    )
    what = "1, with the host that may run each instance"
    yield _family("service_holder_info", what, (*names, "instance", "host"), holders)
    yield from _last_failovers(services)


def _last_failovers(services: Sequence[tuple[tuple[str, str], HAService]]) -> Iterator[Metric]:
    names = ("namespace", "name", "cause")
    last = [(labels, one.status.failovers[0]) for labels, one in services if one.status.failovers]
    told = [((*labels, one.cause), one) for labels, one in last if one.steps]
    at = ((labels, _timestamp(one.steps[0].at)) for labels, one in told)
    yield _family("service_last_failover_timestamp_seconds", "When its last failover or move began", names, at)
    took = (
        (labels, elapsed_s(one.steps[0].at, answered.at)) for labels, one in told if (answered := one.step("Answered"))
    )
    yield _family("service_last_failover_duration_seconds", "How long that took until it answered", names, took)


def told_of_hosts(world: World) -> Iterator[Metric]:
    """Of each Host."""
    hosts = [((name,), world.hosts[name]) for name in sorted(world.hosts)]
    for name, (condition, what) in _OF_HOSTS.items():
        rows = ((labels, _is(one.status.conditions, condition)) for labels, one in hosts)
        yield _family(f"host_{name}", what, ("host",), rows)
    tested = ((labels, _tested_at(one)) for labels, one in hosts)
    yield _family("host_fence_test_timestamp_seconds", "When the fencer last tested its devices", ("host",), tested)
    held = ((labels, float(one.status.instances)) for labels, one in hosts)
    yield _family("host_instances", "Instances that are granted to it", ("host",), held)
    agents = (((*labels, one.status.agent_version), 1.0) for labels, one in hosts if one.status.agent_version)
    yield _family("host_agent_info", "1, with the version of its agent", ("host", "version"), agents)
    ends = ((labels, _timestamp(one.status.credential_until)) for labels, one in hosts)
    what = "When the token ends that its agent has; it is renewed every day"
    yield _family("host_credential_expiry_timestamp_seconds", what, ("host",), ends)
    attempts = ((labels, float(_attempts(world, labels[0]))) for labels, _ in hosts)
    what = "Times that its devices were told to switch it off or on, by requests that are still there"
    yield _family("host_fence_attempts", what, ("host",), attempts)
    waiting = ((labels, float(_waits_for_proof(world, labels[0]))) for labels, _ in hosts)
    yield _family("host_fencing_waits", "1 while it is to be off and nothing proves that yet", ("host",), waiting)


def _attempts(world: World, host: str) -> int:
    return sum(len(world.requests[name].status.attempts) for name in world.requests_of.get(host, ()))


def _waits_for_proof(world: World, host: str) -> bool:
    requests = (world.requests[name] for name in world.requests_of.get(host, ()))
    return any(one.spec.want == "Off" and not one.status.evidence and not one.spec.confirm for one in requests)


def _tested_at(host: Host) -> float | None:
    return _timestamp(host.status.fencing.checked_at or "") if host.status.fencing else None


def _labels(service: HAService) -> tuple[str, str]:
    return service.metadata.namespace or "", service.metadata.name


def _is(conditions: Sequence[Condition], kind: str) -> float | None:
    found = next((one.status for one in conditions if one.type == kind), "Unknown")
    return None if found == "Unknown" else float(found == "True")


def _timestamp(wall: str) -> float | None:
    with suppress(ValueError):
        return datetime.fromisoformat(wall).timestamp()
    return None


def _family(name: str, what: str, labels: Sequence[str], rows: _Rows) -> Metric:
    family = GaugeMetricFamily(f"backstay_{name}", what, labels=labels)
    for values, value in rows:
        if value is not None:
            family.add_metric(values, value)
    return family
