"""What a unit's properties and its control group say about it together: neither alone is believed."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from backstay_agent.drivers.base import Seen, State
from backstay_agent.drivers.tools import cgroups
from backstay_agent.drivers.tools.sentences import stop_failed, why_down
from backstay_agent.drivers.tools.verified_stop import groups_of, left_in
from backstay_agent.drivers.tools.watch import Properties, Watch
from backstay_api.process.waiting import clock_s

SETTLE_S: Final = 0.2
"""Its last process is gone, and systemd has not said yet what that means."""
_STATES: Final = {
    "active": State.RUNNING,
    "reloading": State.RUNNING,
    "refreshing": State.RUNNING,
    "activating": State.STARTING,
    "deactivating": State.STOPPING,
    "inactive": State.STOPPED,
    "failed": State.FAILED,
}


def seen(unit: str, properties: Properties, *, asked: bool) -> Seen:
    """The state of this one unit; `asked`: a probe says whether it works, also where nothing of it lives."""
    state = _STATES.get(str(properties.get("ActiveState")), State.UNKNOWN)
    left = left_in(unit, properties)
    if state in (State.STOPPED, State.FAILED) and left:
        runs = f"{unit} is {properties['ActiveState']}, but these of its processes still run: {', '.join(left)}"
        return Seen(State.UNKNOWN, runs, left=True)
    if why := stop_failed(unit, properties):
        return Seen(State.UNKNOWN, why)
    if state is State.FAILED:
        return Seen(state, why_down(unit, properties))
    if state in (State.STARTING, State.STOPPING, State.UNKNOWN):
        return Seen(state, f"{unit} is {properties.get('ActiveState')} ({properties.get('SubState')})")
    if state is State.RUNNING:
        return _alive(unit, properties, asked=asked)
    return Seen(state)


def _alive(unit: str, properties: Properties, *, asked: bool) -> Seen:
    """systemd calls it active. That means little where nothing of it lives."""
    if not unit.endswith(".service") or any(cgroups.populated(group) for group in groups_of(unit, properties)):
        return Seen(State.RUNNING)
    pid = properties.get("MainPID", 0)
    if (pid and Path(f"/proc/{pid}").exists()) or properties.get("ActiveState") != "active":
        return Seen(State.RUNNING)
    kind, sub = properties.get("Type"), properties.get("SubState")
    # Of a oneshot systemd has judged that already: SuccessExitStatus=, or a hyphen before the program.
    ended_well = kind == "oneshot" or not properties.get("ExecMainStatus")
    if asked and sub == "exited" and kind != "forking" and ended_well:
        return Seen(State.RUNNING)
    if kind == "oneshot":
        return Seen(
            State.UNKNOWN, f"{unit} has run, and nothing tells whether what it did still holds: give it a probe (exec)"
        )
    return Seen(State.FAILED, f"{unit} is active ({sub}), but none of its processes runs any more")


def is_hollow(told: Seen, properties: Properties) -> bool:
    """Whether it counts as failed only because nothing lives in it, while systemd calls it active."""
    return told.state is State.FAILED and properties.get("ActiveState") == "active"


async def settled(watch: Watch, *, asked: bool, wait_s: float = SETTLE_S) -> Seen:
    """What it is, once systemd has said what it means that its last process is gone; that word is not waited for longer."""
    until_s = clock_s() + wait_s
    while True:
        told = seen(watch.unit, watch.properties, asked=asked)
        if not is_hollow(told, watch.properties) or (left_s := until_s - clock_s()) <= 0:
            return told
        await watch.changed_within(left_s)
