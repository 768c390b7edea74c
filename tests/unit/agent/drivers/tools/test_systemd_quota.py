"""Our share of what systemd can keep track of: what is kept in its memory, and what is queued."""

from __future__ import annotations

import asyncio

from backstay_agent.drivers.tools.systemd_quota import (
    LINGER_S,
    MOST_KEPT,
    MOST_STARTS,
    MOST_STOPS,
    MOST_WATCHED,
    STOP_WAIT_S,
    Jobs,
    Kept,
)
from backstay_api.process.waiting import clock_s
from backstay_dev.simulator.virtualtime import in_virtual_time

RULES_OF_A_CONNECTION = 512
"""dbus-daemon's max_match_rules_per_connection."""


def test_the_limits_together_leave_room_for_others() -> None:
    assert MOST_KEPT + MOST_STARTS + MOST_STOPS <= 0.75 * RULES_OF_A_CONNECTION


def test_what_is_only_watched_leaves_room_for_what_is_started() -> None:
    posted: list[tuple[str, str]] = []
    kept = Kept(lambda path, method: posted.append((path, method)))
    watched = [kept.keep(f"/w/{number}", only_watched=True) for number in range(300)]
    started = [kept.keep(f"/s/{number}", only_watched=False) for number in range(300)]
    assert (watched.count(True), started.count(True)) == (MOST_WATCHED, MOST_KEPT - MOST_WATCHED)
    assert len(posted) == kept.count == MOST_KEPT


@in_virtual_time
async def test_a_unit_is_kept_a_moment_longer_than_it_is_used() -> None:
    posted: list[tuple[str, str]] = []
    kept = Kept(lambda path, method: posted.append((path, method)), most=3)
    for number in range(2):
        assert kept.keep(f"/{number}", only_watched=False)
    kept.release("/0", at_once=False)
    await asyncio.sleep(LINGER_S / 2)
    assert kept.count == 2
    kept.release("/1", at_once=True)
    assert posted[-1] == ("/1", "Unref")
    await asyncio.sleep(LINGER_S)
    assert posted[-1] == ("/0", "Unref") and kept.count == 0


@in_virtual_time
async def test_where_there_is_no_room_nothing_is_kept_longer() -> None:
    posted: list[tuple[str, str]] = []
    kept = Kept(lambda path, method: posted.append((path, method)), most=1)
    assert kept.keep("/0", only_watched=False) and not kept.keep("/1", only_watched=False)
    kept.release("/0", at_once=False)
    assert posted == [("/0", "Ref"), ("/0", "Unref")] and kept.keep("/1", only_watched=False)


@in_virtual_time
async def test_jobs_wait_for_room_and_stops_not_for_ever() -> None:
    starts, stops = Jobs(2), Jobs(2, STOP_WAIT_S)
    for unit in ("a", "b", "a"):  # a second job of a unit takes the place of the first
        await starts.turn(unit)
        await stops.turn(unit)
    waiting, begun_s = asyncio.create_task(starts.turn("c")), clock_s()
    await stops.turn("c")
    assert clock_s() - begun_s == STOP_WAIT_S and not waiting.done()
    starts.over("b")
    await waiting
    another = asyncio.create_task(starts.turn("d"))
    await asyncio.sleep(60)
    assert not another.done()
    starts.forget()
    await another
