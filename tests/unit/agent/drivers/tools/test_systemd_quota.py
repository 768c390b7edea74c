"""Our share of what systemd can keep track of."""

from __future__ import annotations

import asyncio

from backstay_agent.drivers.tools.systemd_quota import (
    LINGER_S,
    MOST_LINGERING,
    MOST_PROGRAMS,
    MOST_STARTS,
    MOST_STOPS,
    MOST_WATCHED,
    Kept,
)
from backstay_dev.simulator.virtualtime import in_virtual_time

RULES_OF_A_CONNECTION = 512
"""dbus-daemon's max_match_rules_per_connection."""
Posted = list[tuple[str, str]]


def keeping(posted: Posted) -> Kept:
    return Kept(lambda path, method: posted.append((path, method)))


def test_all_together_leave_room_for_others() -> None:
    at_once = MOST_STARTS + MOST_PROGRAMS + MOST_STOPS
    assert max(MOST_LINGERING, MOST_WATCHED) + 2 * at_once < 0.9 * RULES_OF_A_CONNECTION


def test_what_is_only_watched_is_bounded_and_what_is_started_is_kept() -> None:
    posted: Posted = []
    kept = keeping(posted)
    watched = [kept.keep(f"/w/{number}", only_watched=True) for number in range(300)]
    started = [kept.keep(f"/s/{number}", only_watched=False) for number in range(50)]
    assert (watched.count(True), started.count(True)) == (MOST_WATCHED, 50)
    assert kept.keep("/w/0", only_watched=True) and kept.count == MOST_WATCHED + 50, "one unit is one rule"


@in_virtual_time
async def test_a_unit_is_kept_a_moment_longer_than_it_is_used() -> None:
    posted: Posted = []
    kept = keeping(posted)
    for number in (0, 0, 1):
        assert kept.keep(f"/{number}", only_watched=False)
    kept.release("/0", at_once=False)
    await asyncio.sleep(LINGER_S / 2)
    assert kept.count == 2
    kept.release("/1", at_once=True)
    assert posted[-1] == ("/1", "Unref") and kept.count == 1
    await asyncio.sleep(LINGER_S)
    assert posted[-1] == ("/0", "Unref") and kept.count == 1, "somebody else uses it still"
    kept.release("/0", at_once=True)
    assert kept.count == 0


@in_virtual_time
async def test_where_there_is_no_room_nothing_is_kept_longer() -> None:
    kept = keeping([])
    for number in range(MOST_LINGERING + 1):
        kept.keep(f"/{number}", only_watched=False)
    kept.release("/0", at_once=False)
    assert kept.count == MOST_LINGERING
    kept.release("/1", at_once=False)
    assert kept.count == MOST_LINGERING
