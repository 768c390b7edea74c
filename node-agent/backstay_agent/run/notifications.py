"""What the agent of a copy is to be notified of, between what it was told of its like and what it is told now."""

from __future__ import annotations

from collections.abc import Iterator

from backstay_agent.drivers.base import Notification
from backstay_api.objects.plain import RoleOrder


def came_up(told: RoleOrder) -> RoleOrder:
    """What a copy that has just come up is taken to know: all but which is promoted. It may have started before it was told that."""
    return RoleOrder(copies=told.copies)


def nothing_happened(one: RoleOrder, other: RoleOrder) -> bool:
    """Whether nothing has happened to any copy; what was noted is nothing to be notified of."""
    return _which(one) == _which(other) and one.copies == other.copies


def news(before: RoleOrder, now: RoleOrder) -> Iterator[Notification]:
    """In Pacemaker's order. Each says where copies were before, as Pacemaker does."""
    copies, promoted = before.copies, before.promoted
    is_another = _which(before) != _which(now)
    if promoted and is_another:
        yield Notification("demote", (promoted,), copies, promoted)
        promoted = ""
    if gone := tuple(host for host in before.copies if host not in now.copies):
        yield Notification("stop", gone, copies, promoted)
        copies = tuple(host for host in copies if host not in gone)
    if fresh := tuple(host for host in now.copies if host not in before.copies):
        yield Notification("start", fresh, copies, promoted)
        copies = now.copies
    if now.promoted and is_another:
        yield Notification("promote", (now.promoted,), copies, promoted)


def _which(told: RoleOrder) -> tuple[str, int]:
    """Which copy is promoted: the same one that was promoted anew is another."""
    return told.promoted, told.epoch
