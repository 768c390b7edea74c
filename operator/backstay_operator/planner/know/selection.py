"""Which hosts a service may ever run on, as things are declared: labels and selectors, nothing else."""

from __future__ import annotations

from backstay_api.objects.models import HAService, Host

from .world import World


def selects(service: HAService, host: Host) -> bool:
    """Whether the service selects this host, be it to stay or not."""
    labels = host.metadata.labels or {}
    return all(labels.get(key) == value for key, value in _labels_wanted(service))


def is_declared(service: HAService, host: Host) -> bool:
    """Whether the service selects this host, and the host is to stay."""
    return host.metadata.deletion_timestamp is None and selects(service, host)


def declared(world: World, service: HAService) -> tuple[str, ...]:
    """The hosts that the service selects and that are to stay, in a fixed order."""
    return tuple(name for name in sorted(world.hosts) if is_declared(service, world.hosts[name]))


def share_a_host(world: World, one: HAService, other: HAService) -> bool:
    """Whether any host is selected by both."""
    wanted = [*_labels_wanted(one), *_labels_wanted(other)]
    if len(dict(wanted)) < len(set(wanted)):
        return False  # they want different values of the same label
    return any(is_declared(one, host) and is_declared(other, host) for host in world.hosts.values())


def _labels_wanted(service: HAService) -> list[tuple[str, str]]:
    hosts = service.spec.placement.hosts
    return list(hosts.match_labels.items()) if hosts else []
