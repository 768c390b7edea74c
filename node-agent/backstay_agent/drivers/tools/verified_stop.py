"""A stop that is proven: the unit is inactive, and nothing lives in its control group. Shared by all that runs in units.

It is a ladder: the unit's own stop; SIGTERM to whatever nobody has asked yet; SIGKILL to all of the control group; then it could not be
stopped. Each rung has its time, and what is said names those that were needed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from backstay_agent.drivers.base import StopFailed
from backstay_agent.drivers.tools import shutdown_order

from . import cgroups
from .journal_tail import with_last_words
from .manager import Manager
from .sentences import killed_by_systemd, stop_failed
from .watch import Properties, Watch

# SIGKILL takes effect at once, except in a process that hangs in the kernel (dead disk, dead NFS): that one is not waited for.
KILL_WAIT_S: Final = 5.0
TERM_WAIT_S: Final = 5.0
# Someone else's job took the place of ours: ask again, but not in a busy loop.
_ASK_AGAIN_S: Final = 0.1

DOWN: Final = ("inactive", "failed")
# A unit that is still busy with its ExecStop= (or a start, or a reload): systemd has sent its processes no signal yet.
_NOT_ASKED: Final = frozenset({"stop", "start-pre", "start", "start-post", "condition", "reload", "running"})


async def bring_down(manager: Manager, unit: str, timeout_s: float) -> str:
    """Stop the unit as it wants to be stopped; when the time is over, kill all of it. Raises StopFailed, BusError.

    Returns what is to be said about the stop, in a sentence: that it did not end by itself.
    """
    note = ""
    async with manager.stops, manager.watch(unit) as watch:
        groups = groups_of(unit, watch.properties)
        # What has died is restarted in place within milliseconds: nothing to ask systemd for, then.
        if not _is_down(watch, groups):
            try:
                async with asyncio.timeout(timeout_s):
                    await _until_down(manager, watch)
                    note = killed_by_systemd(unit, watch.properties)
                    note = "; ".join(filter(None, (note, await _until_empty(groups))))
            except TimeoutError:
                note = await _by_signals(manager, watch, groups, timeout_s)
        if why := stop_failed(unit, watch.properties):
            raise StopFailed(await with_last_words(why, watch.properties))
        if watch.active == "failed":
            await manager.reset_failed(unit)  # it ended because we wanted it to
    return note


async def bring_all_down(manager: Manager, units: Sequence[str], timeout_s: float) -> list[str]:
    """Stop these at once, in the order that systemd has for them. Raises StopFailed with all that could not be stopped."""
    stops = [asyncio.create_task(bring_down(manager, unit, timeout_s)) for unit in units]
    try:
        await asyncio.gather(*stops, return_exceptions=True)
    finally:
        for stop in stops:
            stop.cancel()
    errors = [error for stop in stops if (error := stop.exception()) is not None]
    for error in errors:
        if not isinstance(error, StopFailed):
            raise error
    if errors:
        raise StopFailed("; ".join(str(error) for error in errors))
    return [note for stop in stops if (note := stop.result())]


def _is_down(watch: Watch, groups: list[Path]) -> bool:
    """As systemd has just told: down, nothing under way, nothing left alive."""
    down = not watch.lost and watch.active in DOWN and not watch.has_job
    return down and not any(cgroups.populated(group) for group in groups)


def group_names(unit: str, properties: Properties) -> list[str]:
    """Where the unit's processes are, and where systemd would have put them if it does not say."""
    names = {str(properties.get("ControlGroup", "")), cgroups.expected_group(str(properties.get("Slice", "")), unit)}
    # Only ever a group of this very unit: what stands here may be killed as a whole.
    return [name for name in sorted(names) if name.endswith(unit) and "Slice" in properties]


def groups_of(unit: str, properties: Properties) -> list[Path]:
    return [cgroups.folder(name) for name in group_names(unit, properties)]


def left_in(unit: str, properties: Properties) -> list[str]:
    """Some of the processes that live in the unit, for people."""
    return [process for group in groups_of(unit, properties) for process in cgroups.processes(group)]


def state_words(watch: Watch) -> str:
    return watch.lost or f"{watch.active} ({watch.properties.get('SubState', '?')})"


async def _until_down(manager: Manager, watch: Watch) -> None:
    await manager.stop(watch.unit)
    while True:
        if not watch.lost:
            await manager.refresh(watch)
            if watch.active in DOWN and not watch.has_job:
                return
            if not watch.has_job and watch.active != "deactivating":
                await asyncio.sleep(_ASK_AGAIN_S)
                await manager.stop(watch.unit)
                continue
            if watch.active != "deactivating" and await shutdown_order.waits_for_us(manager, watch):
                await manager.stop(watch.unit, in_turn=False)
        await _changed(watch)


async def _changed(watch: Watch) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(
            shutdown_order.LOOK_AGAIN_S if watch.has_job and watch.active != "deactivating" else None
        ):
            await watch.changed()


async def _until_empty(groups: list[Path]) -> str:
    """systemd is through with it: what is left was left on purpose (KillMode=process), and nobody has asked it. What is to be said of it."""
    notes = [await _ended(group) for group in groups if cgroups.populated(group)]
    return "; ".join(filter(None, notes))


async def _ended(group: Path) -> str:
    left = ", ".join(cgroups.processes(group))
    cgroups.terminate(group)
    with suppress(TimeoutError):
        async with asyncio.timeout(TERM_WAIT_S):
            await cgroups.until_empty(group)
            return ""
    cgroups.kill(group)
    await cgroups.until_empty(group)
    return f"what its stop had left ({left}) did not end within {TERM_WAIT_S:g} s of SIGTERM and was killed by SIGKILL"


async def _by_signals(manager: Manager, watch: Watch, groups: list[Path], after_s: float) -> str:
    """Its own stop was not enough. What is to be said of it. Raises StopFailed, with every rung and its time."""
    rungs, kill_after_s = "", after_s
    if watch.properties.get("SubState") in _NOT_ASKED:
        if await _is_down_after(manager.terminate(watch.unit), TERM_WAIT_S, manager, watch, groups):
            return f"{watch.unit} did not stop within {after_s:g} s and was ended by SIGTERM"
        rungs, kill_after_s = f"SIGTERM after {after_s:g} s, ", after_s + TERM_WAIT_S
    for group in groups:
        cgroups.kill(group)
    if await _is_down_after(manager.kill(watch.unit), KILL_WAIT_S, manager, watch, groups):
        return f"{watch.unit} did not stop within {kill_after_s:g} s and was killed by SIGKILL"
    left = [process for group in groups for process in cgroups.processes(group)]
    what = f"still there: {', '.join(left)}" if left else f"it is {state_words(watch)}"
    raise StopFailed(f"{watch.unit} could not be stopped ({rungs}SIGKILL after {kill_after_s:g} s); {what}")


async def _is_down_after(
    rung: Awaitable[None], limit_s: float, manager: Manager, watch: Watch, groups: list[Path]
) -> bool:
    with suppress(TimeoutError):
        async with asyncio.timeout(limit_s):
            await rung
            await _until_down(manager, watch)
            await _until_empty(groups)
            return True
    return False
