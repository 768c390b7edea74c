"""When to try again what was tried already, and which tries count against the limit of restarts in place."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from backstay_api.objects.recovery import Policy

DEFAULT: Final = Policy()
LINK_S: Final = 3.0
"""For so long an address that alone is missing is put back without counting: links blink, and interfaces are made anew."""
LINK_TRY_S: Final = 0.5
"""How often it is tried meanwhile."""
STOPS: Final = 2
"""A stop that has failed so often, each time with all that its driver can do, will not succeed by being asked again. Not once: systemd may
have been away for a moment."""
FREE_MOST: Final = 20
"""So many such tries in ten minutes; what blinks all the time is broken."""


def may_restart(restarted_at_s: Sequence[float], *, now_s: float, by: Policy = DEFAULT) -> bool:
    """Whether one more restart in place is within the limit."""
    return len(recent(restarted_at_s, now_s=now_s, by=by)) < by.restarts


def try_again(restarted_at_s: Sequence[float], *, now_s: float, by: Policy = DEFAULT) -> bool:
    """Whether to start again after a start failed and all was stopped.

    Not after the first start: another host may do better, and choosing is the operator's. A start that stands for a
    restart in place counts as one.
    """
    return bool(restarted_at_s) and may_restart(restarted_at_s, now_s=now_s, by=by)


def due_at_s(tried_at_s: Sequence[float], *, now_s: float, by: Policy = DEFAULT) -> float:
    """When the next try may begin: the first at once (0), then 1 s, 2 s, 4 s … after the one before."""
    counted = recent(tried_at_s, now_s=now_s, by=by)
    if not counted:
        return 0.0  # not "now": whoever has read the clock a moment before would still wait
    return max(counted) + by.pause_s(len(counted))


def is_free_for_addresses(free_at_s: Sequence[float], *, down_since_s: float, now_s: float) -> bool:
    """Whether putting back an address, and nothing else, costs nothing."""
    return now_s - down_since_s < LINK_S and len(recent(free_at_s, now_s=now_s)) < FREE_MOST


def recent(at_s: Sequence[float], *, now_s: float, by: Policy = DEFAULT) -> list[float]:
    """Those that still count: they are forgotten one by one."""
    return [one for one in at_s if now_s - one < by.window_s]
