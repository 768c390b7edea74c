"""Units of this host's systemd: started, verifiably stopped, watched by signals, and kept from starting by themselves.

`closure.py` says what a unit stands for, `securing.py` keeps all of it from starting, `manager.py` speaks to systemd. Here
stands what a start and a stop mean: a start has succeeded when the unit *is* active (a start that a condition skipped is a
successful job) and lives, a stop when everything the unit stands for is inactive *and* nothing that it started is alive.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from typing import Final

from backstay_agent.drivers.base import Plain, Seen, StartFailed, State, StopFailed
from backstay_agent.drivers.tools import cgroups, escaped_processes
from backstay_agent.drivers.tools.bus import BusError
from backstay_agent.drivers.tools.file_system_looks import NoAnswer
from backstay_agent.drivers.tools.journal_tail import with_last_words
from backstay_agent.drivers.tools.manager import Manager
from backstay_agent.drivers.tools.reloading import cannot_reload, reload
from backstay_agent.drivers.tools.sentences import (
    may_still_run,
    not_loadable,
    not_told,
    stop_failed,
    why_down,
    why_skipped,
)
from backstay_agent.drivers.tools.units import UnitFiles, refusal
from backstay_agent.drivers.tools.verified_stop import (
    DOWN,
    bring_all_down,
    bring_down,
    group_names,
    groups_of,
    state_words,
)
from backstay_agent.drivers.tools.wakeups import wakeups
from backstay_agent.drivers.tools.watch import Watch
from backstay_api.objects.plain import RenderedResource, Systemd
from backstay_api.objects.probe_kinds import is_asked
from backstay_api.process.waiting import clock_s

from . import unit_state
from .changes import after_change
from .conditions import failing, written
from .limits import CEILING_S, SLACK_S, own_limit_s
from .needs import lacking
from .overrides import Overrides
from .securing import Securing, Standing, as_start_failed
from .start_time import start_time

# A restart of systemd or D-Bus is over within a second or two; only then "unknown" is news.
LOST_GRACE_S: Final = 5.0
# All standbys of a host are looked at in one go, and one look at its processes does for all.
_SCAN_AGE_S: Final = 3.0


class SystemdDriver(Plain):
    """The driver for resources of kind `systemd`."""

    def __init__(self, manager: Manager, files: UnitFiles | None = None) -> None:
        self._manager = manager
        self._files = files or UnitFiles()
        self._securing = Securing(manager, self._files)
        self._overrides = Overrides(manager)
        self._sight = escaped_processes.Sight()

    async def secure(self, resource: RenderedResource) -> None:
        """Raises StartFailed, with a sentence, where the unit cannot be kept from starting by itself."""
        unit = _checked(resource)
        with as_start_failed(unit):
            await self._securing.secure(unit)

    async def unsecure(self, resource: RenderedResource) -> None:
        unit = _unit(resource)
        if refusal(unit) is None:
            with as_start_failed(unit):
                await self._overrides.take_away(unit)
                await self._securing.unsecure(unit)

    async def starts_by_itself(self, resource: RenderedResource) -> str | None:
        unit = _unit(resource)
        if refusal(unit) is not None:
            return None
        with as_start_failed(unit):
            return await self._securing.starts_by_itself(unit)

    def parts(self, resource: RenderedResource) -> Sequence[str]:
        return self._securing.parts.get(_unit(resource), ())

    def waits_for(self, resource: RenderedResource) -> str:
        unit = _unit(resource)
        return "" if refusal(unit) else self._securing.waits_for(unit)

    async def not_ready(self, resource: RenderedResource) -> str | None:
        unit = _unit(resource)
        if (why := refusal(unit) or cgroups.obstacle()) is not None:
            return why
        try:
            if (why := await self._securing.not_ready(unit, asked=is_asked(resource))) is not None:
                return why
            properties = await self._manager.properties(unit)
        except BusError as error:
            return not_told(unit, error)
        if resource.reloaded_at and (why := cannot_reload(unit, properties)):
            return why
        conditions = written(properties, without=str(self._files.gate(unit)))
        return await lacking(unit, properties) or await failing(unit, conditions)

    async def start(self, resource: RenderedResource, *, timeout_s: float) -> None:
        unit = _checked(resource)
        # Its turn first: what was seen of it before a long wait may be true no more.
        with as_start_failed(unit):
            async with self._manager.starts:
                await self._start(resource, timeout_s)

    async def start_limit_s(self, resource: RenderedResource) -> float | None:
        try:
            return own_limit_s("Start", await self._securing.standing(_checked(resource)))
        except (BusError, StartFailed):
            return None

    async def apply(self, resource: RenderedResource, before: RenderedResource, *, timeout_s: float) -> None:
        unit = _checked(resource)
        with as_start_failed(unit):
            await self._overrides.lay(_spec(resource))
            if resource.reloaded_at not in (None, before.reloaded_at):
                await reload(self._manager, unit, timeout_s)

    async def stop(self, resource: RenderedResource, *, timeout_s: float) -> str | None:
        unit = _unit(resource)
        if refusal(unit) is not None:
            return None  # such a unit is never started, so nothing of it is ours to stop
        try:
            standing = await self._securing.standing(unit)
            if resource.timeouts.stop is None:
                timeout_s = own_limit_s("Stop", standing) or timeout_s
            notes = await self._stop_all(standing, timeout_s)
        except (BusError, OSError, NoAnswer) as error:
            raise StopFailed(may_still_run(unit, error)) from error
        try:
            await self._overrides.take_away(unit)
        except OSError as error:  # it is verifiably stopped, whatever becomes of a file
            notes = [*notes, f"its overrides could not be taken away, and stay until a boot: {error}"]
        return "; ".join(notes) or None

    async def permit(self, resource: RenderedResource) -> None:
        unit = _checked(resource)
        with as_start_failed(unit):
            for member in (await self._securing.standing(unit)).gated:
                self._files.open_gate(member)

    async def check(self, resource: RenderedResource) -> Seen:
        unit = _unit(resource)
        if (why := refusal(unit)) is not None:
            return Seen(State.STOPPED, why)
        try:
            return await self._look(await self._securing.standing(unit), asked=is_asked(resource))
        except (BusError, OSError, NoAnswer) as error:
            return Seen(State.UNKNOWN, not_told(unit, error))

    async def changes(self, resource: RenderedResource) -> AsyncGenerator[Seen, None]:
        """First what it is now, then every change."""
        unit = _checked(resource)
        last: Seen | None = None
        while True:
            try:
                async with self._manager.watch(unit, for_long=True) as watch:
                    async for seen in self._follow(watch, asked=is_asked(resource)):
                        if seen != last:
                            yield (last := seen)
            except BusError as error:
                lost = Seen(State.UNKNOWN, not_told(unit, error))
                if lost != last:
                    yield (last := lost)
                await asyncio.sleep(LOST_GRACE_S)

    async def groups(self, resource: RenderedResource) -> list[Path]:
        return groups_of(_unit(resource), await self._manager.properties(_checked(resource)))

    async def own_unit(self, resource: RenderedResource) -> str:
        return str((await self._manager.properties(_checked(resource))).get("Id", _unit(resource)))

    async def leftovers(self, *, run_is_intact: bool = False) -> list[RenderedResource]:
        """Every unit here that is kept from starting by itself and is not verifiably down: only we can have started it,
        unless it ran already when it was made to wait for us. Then its gate is shut, as long as nobody empties `/run`.

        So is one that is down while its gate stands open: anybody may start it. A part is told as the unit that it is a part of."""
        units = [unit for unit in self._files.with_drop_in() if not run_is_intact or self._files.is_open(unit)]
        found: dict[str, RenderedResource] = {}
        processes = await escaped_processes.running() if units else {}
        for unit in units:
            properties = await self._manager.properties(unit)
            down = unit_state.seen(unit, properties, asked=True).state in (State.STOPPED, State.FAILED)
            stays_down = down and not self._files.is_open(unit)
            groups = group_names(unit, properties)
            if not stays_down or await escaped_processes.find([unit], groups, processes=processes):
                owner = self._files.owner(unit)
                found.setdefault(owner, RenderedResource(name=f"leftover-{len(found)}", systemd=Systemd(unit=owner)))
        return list(found.values())

    # Starting

    async def _start(self, resource: RenderedResource, timeout_s: float) -> None:
        unit = _unit(resource)
        standing = await self._startable(resource)
        await self._overrides.lay(_spec(resource), standing.known[unit])
        own_s = own_limit_s("Start", standing) if resource.timeouts.start is None else None
        timeout_s, begun_s = own_s or timeout_s, clock_s()
        for member in standing.gated:
            self._files.open_gate(member)
        with self._manager.acts.on(standing.members):
            async with self._manager.watch(unit) as watch:
                try:
                    async with start_time(timeout_s, watch, is_own=own_s is not None):
                        await self._all_up(resource, standing, watch)
                except TimeoutError as error:
                    without_end = " (it sets no limit, and none is given more)" if timeout_s == CEILING_S else ""
                    within_s = max(timeout_s, int(clock_s() - begun_s))
                    why = f"{unit} was not up within {within_s:g} s{without_end}: it is {state_words(watch)}"
                    raise StartFailed(await with_last_words(why, watch.properties)) from error

    async def _startable(self, resource: RenderedResource) -> Standing:
        unit = _unit(resource)
        standing = await self._securing.just_seen(unit)
        if (why := not_loadable(unit, standing.known[unit])) is not None:
            raise StartFailed(why)
        if any(self._securing.unsecured(member, unit, standing.known[member]) for member in standing.gated):
            standing = await self._securing.secure(unit)
        why = await self._securing.not_fit(standing, asked=is_asked(resource))
        if why is not None:
            raise StartFailed(why)
        return standing

    async def _all_up(self, resource: RenderedResource, standing: Standing, watch: Watch) -> None:
        """Its own sockets first, so that it gets them; what waits for it last."""
        others = standing.wanted_by_others
        for part in (part for part in others if part.endswith(".socket")):
            await self._part_up(part)
        await self._up(watch, asked=is_asked(resource))
        for part in (part for part in others if not part.endswith(".socket")):
            await self._part_up(part)

    async def _part_up(self, part: str) -> None:
        async with self._manager.watch(part) as watch:
            # Parts may end at once and well (what a timer starts); only one that fails fails the whole.
            await self._manager.reset_failed(part)
            await self._manager.start(part)
            while True:
                await self._manager.refresh(watch)
                if watch.active == "failed":
                    raise StartFailed(await with_last_words(why_down(part, watch.properties), watch.properties))
                if not watch.has_job:
                    return
                await watch.changed()

    async def _up(self, watch: Watch, *, asked: bool) -> None:
        if watch.active == "active" and not watch.has_job:
            if unit_state.seen(watch.unit, watch.properties, asked=asked).state is not State.FAILED:
                return
            await bring_down(self._manager, watch.unit, SLACK_S)
            await self._manager.refresh(watch)
        # Also where it has not failed: systemd counts the starts that admins and packages asked for, and refuses the sixth.
        self._manager.reset_failed_before(watch.unit)
        await self._manager.start(watch.unit)
        while True:
            if not watch.lost:
                await self._manager.refresh(watch)
                if watch.active == "active":
                    await self._must_live(watch, asked=asked)
                    return
                if watch.active in DOWN and not watch.has_job:
                    why = why_skipped(watch.unit, watch.properties) or why_down(watch.unit, watch.properties)
                    raise StartFailed(await with_last_words(why, watch.properties))
            await watch.changed()

    async def _must_live(self, watch: Watch, *, asked: bool) -> None:
        seen = await unit_state.settled(watch, asked=asked)
        if seen.state in (State.FAILED, State.STOPPED):
            raise StartFailed(
                await with_last_words(seen.why or why_down(watch.unit, watch.properties), watch.properties)
            )

    # Stopping

    async def _stop_all(self, standing: Standing, timeout_s: float) -> list[str]:
        """Everything that it stands for, and then everything that it has started elsewhere."""
        for member in standing.gated:
            self._files.shut_gate(member)
        known = await escaped_processes.find(standing.members, standing.groups) if standing.is_up else []
        with self._manager.acts.on(standing.members):
            notes = await bring_all_down(self._manager, standing.triggers, timeout_s)
            rest = [member for member in standing.members if member not in standing.triggers]
            notes += await bring_all_down(self._manager, rest, timeout_s)
        # A generator, or an admin, may have given it another part meanwhile.
        now = await self._securing.standing(standing.unit)
        if late := [member for member in now.members if member not in standing.members]:
            with self._manager.acts.on(late):
                notes += await bring_all_down(self._manager, late, timeout_s)
        notes += await self._end_escaped(known, now, timeout_s)
        self._securing.remember(now)
        return notes

    async def _end_escaped(
        self, known: list[escaped_processes.Escaped], standing: Standing, timeout_s: float
    ) -> list[str]:
        groups = standing.groups
        left = await escaped_processes.end(known, standing.members, groups, min(timeout_s, escaped_processes.TERM_S))
        if left:
            raise StopFailed(
                f"{standing.unit} is stopped, but what it had started elsewhere could not be:"
                f" {', '.join(one.words for one in left[:5])}"
            )
        found = ", ".join(one.words for one in known[:5])
        return [f"{standing.unit} had work outside of its control group: {found}"] if known else []

    # Looking

    async def _look(self, standing: Standing, *, asked: bool) -> Seen:
        unit = standing.unit
        seen = unit_state.seen(unit, standing.known[unit], asked=asked)
        if seen.state is State.RUNNING:
            return replace(seen, why=f"{unit} is {standing.known[unit].get('ActiveState')}")
        if seen.state not in (State.STOPPED, State.FAILED):
            return seen
        for part in standing.members[1:]:
            state = unit_state.seen(part, standing.known[part], asked=True)
            # A socket that listens or a timer that waits runs nothing: that is what the gates are for.
            if state.state not in (State.STOPPED, State.FAILED) and part not in standing.triggers:
                why = stop_failed(part, standing.known[part]) or f"{part}, a part of it, is not: systemctl stop {part}"
                return Seen(State.UNKNOWN, f"{unit} is stopped, but {why}", left=True)
        processes = await self._sight.running(max_age_s=_SCAN_AGE_S)
        if left := await escaped_processes.find(standing.members, standing.groups, processes=processes):
            return Seen(State.UNKNOWN, f"{unit} is stopped, but what it has started runs: {left[0].words}", left=True)
        return seen

    async def _follow(self, watch: Watch, *, asked: bool) -> AsyncGenerator[Seen, None]:
        lost_at_s, was_up = 0.0, False
        async with aclosing(wakeups(watch.unit, watch, lambda: LOST_GRACE_S if watch.lost else None)) as woken:
            async for _ in woken:
                if watch.lost:
                    lost_at_s = lost_at_s or clock_s()
                    if clock_s() - lost_at_s >= LOST_GRACE_S:
                        yield Seen(State.UNKNOWN, watch.lost)
                    continue
                lost_at_s = 0.0
                seen = await after_change(self._manager, watch, asked=asked, was_up=was_up)
                was_up = (was_up or seen.state is State.RUNNING) and seen.state is not State.STOPPED
                yield seen


def _spec(resource: RenderedResource) -> Systemd:
    assert resource.systemd is not None, f"{resource.name} is no systemd resource"
    return resource.systemd


def _unit(resource: RenderedResource) -> str:
    return _spec(resource).unit


def _checked(resource: RenderedResource) -> str:
    unit = _unit(resource)
    if (why := refusal(unit)) is not None:
        raise StartFailed(why)
    return unit
