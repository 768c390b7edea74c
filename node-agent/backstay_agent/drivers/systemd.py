"""Units of this host's systemd: started, verifiably stopped, watched by signals, and kept from starting by themselves.

`units.py` says how a unit is kept from starting, `manager.py` how systemd is spoken to. Here stands what a start and a
stop mean: a start has succeeded when the unit *is* active (a start that a condition skipped is a successful job), a stop
when it is inactive *and* nothing lives in its control group.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Final

from backstay_api.plain import RenderedResource, Systemd

from . import cgroups
from .base import Seen, StartFailed, State, StopFailed
from .bus import BusError
from .down import DOWN, bring_down, left_in, state_words
from .lastwords import last_words, with_words
from .manager import Manager, Properties, Watch
from .needs import lacking
from .sentences import not_loadable, why_down, why_skipped
from .units import UnitFiles, refusal

# A restart of systemd or D-Bus is over within a second or two; only then "unknown" is news.
LOST_GRACE_S: Final = 5.0
# A unit with a time limit of its own is given up by systemd first, which says why.
SLACK_S: Final = 1.0
FOREVER_US: Final = (1 << 64) - 1

_STATES: Final = {
    "active": State.RUNNING,
    "reloading": State.RUNNING,
    "refreshing": State.RUNNING,
    "activating": State.STARTING,
    "deactivating": State.STOPPING,
    "inactive": State.STOPPED,
    "failed": State.FAILED,
}


class SystemdDriver:
    """The driver for resources of kind `systemd`."""

    def __init__(self, manager: Manager, files: UnitFiles | None = None) -> None:
        self._manager = manager
        self._files = files or UnitFiles()
        self._read_anew: set[str] = set()

    async def secure(self, resource: RenderedResource) -> None:
        """Raises StartFailed, with a sentence, where the unit cannot be kept from starting by itself."""
        unit = _checked(resource)
        with _as_start_failed(unit):
            for member in await self._members(unit):
                await self._secure_one(member)

    async def unsecure(self, resource: RenderedResource) -> None:
        unit = _unit(resource)
        if refusal(unit) is not None:
            return
        with _as_start_failed(unit):
            for member in await self._members(unit):
                self._files.shut_gate(member)
                if await asyncio.to_thread(self._files.remove_drop_in, member):
                    self._manager.needs_reload()
            await self._manager.reload()

    async def not_ready(self, resource: RenderedResource) -> str | None:
        unit = _unit(resource)
        if (why := refusal(unit)) is not None:
            return why
        if cgroups.root() is None:
            return "this host has no unified control groups (cgroup v2), so a stop could not be verified"
        try:
            members = await self._members(unit)
            found = {member: await self._manager.properties(member) for member in members}
        except BusError as error:
            return f"systemd cannot be asked about {unit}: {error}"
        for member, properties in found.items():
            why = refusal(member) or not_loadable(member, properties) or self._unsecured(member, properties)
            why = why or await lacking(member, properties)
            if why is not None:
                return why
        return None

    async def prepare(self, resource: RenderedResource) -> None:
        """Nothing can be done ahead for a unit."""

    async def start(self, resource: RenderedResource, *, timeout_s: float) -> None:
        unit = _checked(resource)
        with _as_start_failed(unit):
            async with self._manager.watch(unit) as watch:
                for member in _members(unit, watch.properties):
                    await self._make_startable(member, watch.properties if member == unit else None)
                    self._files.open_gate(member)
                if resource.timeouts.start is None:
                    timeout_s = await self._own_limit_s("Start", watch.properties) or timeout_s
                try:
                    async with asyncio.timeout(timeout_s):
                        await self._up(watch)
                except TimeoutError as error:
                    why = f"{unit} was not up within {timeout_s:g} s: it is {state_words(watch)}"
                    raise StartFailed(await self._with_words(why, watch)) from error

    async def start_limit_s(self, resource: RenderedResource) -> float | None:
        try:
            return await self._own_limit_s("Start", await self._manager.properties(_checked(resource)))
        except (BusError, StartFailed):
            return None

    async def stop(self, resource: RenderedResource, *, timeout_s: float) -> None:
        unit = _unit(resource)
        if refusal(unit) is not None:
            return  # such a unit is never started, so nothing of it is ours to stop
        try:
            members = await self._members(unit)
            for member in members:
                self._files.shut_gate(member)
            own_limit_s = self._own_stop_limit_s if resource.timeouts.stop is None else None
            for member in members:
                await bring_down(self._manager, member, timeout_s, own_limit_s)
        except (BusError, OSError) as error:
            raise StopFailed(f"{unit} may still be running: {error}") from error

    async def permit(self, resource: RenderedResource) -> None:
        unit = _checked(resource)
        with _as_start_failed(unit):
            for member in await self._members(unit):
                self._files.open_gate(member)

    async def check(self, resource: RenderedResource) -> Seen:
        unit = _unit(resource)
        if (why := refusal(unit)) is not None:
            return Seen(State.STOPPED, why)
        try:
            return self._seen(unit, await self._manager.properties(unit))
        except (BusError, OSError) as error:
            return Seen(State.UNKNOWN, f"systemd cannot be asked about {unit}: {error}")

    async def changes(self, resource: RenderedResource) -> AsyncGenerator[Seen, None]:
        """First what it is now, then every change."""
        unit = _checked(resource)
        last: Seen | None = None
        while True:
            try:
                async with self._manager.watch(unit) as watch:
                    async for seen in self._follow(watch):
                        if seen != last:
                            yield (last := seen)
            except BusError as error:
                lost = Seen(State.UNKNOWN, f"systemd cannot be asked about {unit}: {error}")
                if lost != last:
                    yield (last := lost)
                await asyncio.sleep(LOST_GRACE_S)

    async def leftovers(self, *, run_is_intact: bool = False) -> list[RenderedResource]:
        """Every unit here that is kept from starting by itself and is not verifiably down: only we can have started it,
        unless it ran already when it was made to wait for us. Then its gate is shut, as long as nobody empties `/run`."""
        found: list[RenderedResource] = []
        for unit in self._files.with_drop_in():
            if run_is_intact and not self._files.is_open(unit):
                continue
            seen = self._seen(unit, await self._manager.properties(unit))
            if seen.state not in (State.STOPPED, State.FAILED):
                found.append(RenderedResource(name=f"leftover-{len(found)}", systemd=Systemd(unit=unit)))
        return found

    # Keeping it from starting by itself

    async def _members(self, unit: str) -> list[str]:
        if unit.endswith((".service", ".target")):
            return [unit]
        return _members(unit, await self._manager.properties(unit))

    async def _secure_one(self, unit: str) -> None:
        if (why := refusal(unit)) is not None:
            raise StartFailed(why)
        # Also for a unit that is not installed: many packages start their service as soon as they are.
        if await asyncio.to_thread(self._files.write_drop_in, unit):
            self._manager.needs_reload()
        await self._manager.reload()
        properties = await self._manager.properties(unit)
        if self._unsecured(unit, properties) is not None and unit not in self._read_anew:
            # The file is right and systemd does not know it: an earlier life of ours died between the two.
            self._read_anew.add(unit)
            self._manager.needs_reload()
            await self._manager.reload()
            properties = await self._manager.properties(unit)
        if (why := not_loadable(unit, properties) or self._unsecured(unit, properties)) is not None:
            raise StartFailed(why)

    def _unsecured(self, unit: str, properties: Properties) -> str | None:
        gate = ("ConditionPathExists", False, False, str(self._files.gate(unit)))
        conditions = [tuple(condition[:4]) for condition in properties.get("Conditions", [])]
        if gate not in conditions:
            return f"{unit} could start by itself: the Backstay drop-in is not in force (another drop-in may reset Condition…=)"
        if properties.get("Restart", "no") != "no":
            return f"{unit} could start by itself: a drop-in sets Restart={properties['Restart']} after ours"
        return None

    # Starting

    async def _make_startable(self, unit: str, properties: Properties | None) -> None:
        if properties is None:
            properties = await self._manager.properties(unit)
        if (why := refusal(unit) or not_loadable(unit, properties)) is not None:
            raise StartFailed(why)
        if self._unsecured(unit, properties) is not None:
            await self._secure_one(unit)

    async def _up(self, watch: Watch) -> None:
        if watch.active == "active" and not watch.has_job:
            return
        if watch.active == "failed":
            await self._manager.reset_failed(watch.unit)
        await self._manager.start(watch.unit)
        while True:
            if not watch.lost:
                await self._manager.refresh(watch)
                if watch.active == "active":
                    return
                if watch.active in DOWN and not watch.has_job:
                    why = why_skipped(watch.unit, watch.properties) or why_down(watch.unit, watch.properties)
                    raise StartFailed(await self._with_words(why, watch))
            await watch.changed()

    async def _own_stop_limit_s(self, properties: Properties) -> float | None:
        return await self._own_limit_s("Stop", properties)

    async def _own_limit_s(self, of: str, properties: Properties) -> float | None:
        """How long the unit itself wants to be waited for; None if it says nothing, or for ever."""
        own_us = int(properties.get(f"Timeout{of}USec", FOREVER_US))
        if own_us == FOREVER_US or own_us == await self._manager.default_timeout_us(of):
            return None
        return own_us / 1_000_000 + SLACK_S

    async def _with_words(self, why: str, watch: Watch) -> str:
        return with_words(why, await last_words(watch.properties))

    # Looking

    def _seen(self, unit: str, properties: Properties) -> Seen:
        state = _STATES.get(str(properties.get("ActiveState")), State.UNKNOWN)
        left = left_in(unit, properties)
        if state in (State.STOPPED, State.FAILED) and left:
            return Seen(
                State.UNKNOWN, f"{unit} is {properties['ActiveState']}, but of it there still run: {', '.join(left)}"
            )
        if state is State.FAILED:
            return Seen(state, why_down(unit, properties))
        if state in (State.STARTING, State.STOPPING, State.UNKNOWN):
            return Seen(state, f"{unit} is {properties.get('ActiveState')} ({properties.get('SubState')})")
        return Seen(state)

    async def _follow(self, watch: Watch) -> AsyncIterator[Seen]:
        yield self._seen(watch.unit, watch.properties)
        while True:
            await watch.changed()
            if watch.lost:
                try:
                    async with asyncio.timeout(LOST_GRACE_S):
                        while watch.lost:
                            await watch.changed()
                except TimeoutError:
                    yield Seen(State.UNKNOWN, watch.lost)
                    continue
            yield self._seen(watch.unit, watch.properties)


def _unit(resource: RenderedResource) -> str:
    assert resource.systemd is not None, f"{resource.name} is no systemd resource"
    return resource.systemd.unit


def _members(unit: str, properties: Properties) -> list[str]:
    """The unit, and what it starts on its own when something happens: all of that is the service's."""
    if unit.endswith((".service", ".target")):
        return [unit]
    return [unit, *(str(name) for name in properties.get("Triggers", []))]


def _checked(resource: RenderedResource) -> str:
    unit = _unit(resource)
    if (why := refusal(unit)) is not None:
        raise StartFailed(why)
    return unit


@contextmanager
def _as_start_failed(unit: str) -> Iterator[None]:
    try:
        yield
    except BusError as error:
        raise StartFailed(f"{unit}: {error}") from error
    except OSError as error:
        raise StartFailed(f"{unit} cannot be kept from starting by itself: {error}") from error
