"""What it means that a unit which is followed changed: it has failed, has ended by itself, or somebody asked the host for it."""

from __future__ import annotations

from dataclasses import replace

from backstay_agent.drivers.base import Seen, State
from backstay_agent.drivers.tools.jobs import admins_act
from backstay_agent.drivers.tools.manager import Manager
from backstay_agent.drivers.tools.sentences import ended_by_itself, how_lost
from backstay_agent.drivers.tools.verified_stop import DOWN
from backstay_agent.drivers.tools.watch import Watch

from . import unit_state


async def after_change(manager: Manager, watch: Watch, *, asked: bool, was_up: bool) -> Seen:
    """What a unit is that is followed, and by whom it is down. `asked`: a probe says whether it works; `was_up`: it ran before.

    Raises BusError.
    """
    seen = await unit_state.settled(watch, asked=asked, wait_s=unit_state.SETTLE_S if was_up else 0.0)
    if was_up and seen.state in (State.STOPPED, State.FAILED, State.STOPPING):
        # Its answer comes after every signal before it: so we know by now whether a job was behind it.
        await manager.refresh(watch)
        seen = unit_state.seen(watch.unit, watch.properties, asked=asked)
    is_down, has_job = watch.active in DOWN, watch.has_job
    by = admins_act(watch.unit, watch.asked, active=watch.active, has_job=has_job, was_up=was_up)
    if by and seen.state is not State.RUNNING:
        if is_down and has_job:
            return Seen(State.STARTING, seen.why, by)
        return await _asked_for(manager, watch, seen, by, is_down)
    if was_up and seen.state is State.STOPPED:
        return Seen(State.STOPPED, ended_by_itself(watch.unit, watch.properties))
    return seen


async def _asked_for(manager: Manager, watch: Watch, seen: Seen, by: str, is_down: bool) -> Seen:
    """Somebody asked systemd for this."""
    if await manager.is_shutting_down():
        return replace(seen, by_admin="this machine is being shut down")
    if is_down and "restart" in by:
        return replace(seen, why=f"{seen.why or watch.unit + ' is down'}, after a restart by an admin")
    if is_down and (why := await _what_it_lost(manager, watch)):
        return Seen(State.FAILED, why)
    return replace(seen, by_admin=by)


async def _what_it_lost(manager: Manager, watch: Watch) -> str:
    """systemd also asks for a stop when something that the unit needs has failed, or (by some settings) has only ended."""
    for kind in ("BindsTo", "StopPropagatedFrom", "Requires", "Requisite"):
        for name in map(str, watch.properties.get(kind, [])):
            if why := how_lost(watch.properties, kind, await manager.properties(name)):
                return f"{watch.unit} was stopped because {name}, which it needs ({kind}=), {why}"
    return ""
