"""What one object tells by itself, and what keeps an index: for the world, which takes objects in one by one."""

from __future__ import annotations

from collections.abc import Iterable

from backstay_api.objects.models import FenceRequest, Host, HostAssignment


def was_told_to_stop(assignment: HostAssignment, uid: str) -> bool:
    """By an order of ours: it would have been released without any reboot."""
    order = assignment.spec.instances.get(uid)
    return order is not None and order.want == "Down"


def checked_at(host: Host) -> str | None:
    """When the fencer has tested its fence path, on its own clock."""
    return host.status.fencing.checked_at if host.status.fencing else None


def discard(index: dict[str, set[str]], names: Iterable[str], key: str) -> None:
    """Take a key away under each of these names, and the names under which there is none left."""
    for name in names:
        index[name].discard(key)
        if not index[name]:
            del index[name]


def has_cost(request: FenceRequest) -> bool:
    """Whether it wanted Off for a host that was not off anyway, and that nobody answers for."""
    was_off_anyway = request.status.evidence is not None and not any(a.action == "off" for a in request.status.attempts)
    return request.spec.confirm is None and not was_off_anyway
