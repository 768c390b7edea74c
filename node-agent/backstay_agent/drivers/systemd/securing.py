"""Keeping everything that a unit stands for from starting by itself, and finding out what that is."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Final

from backstay_agent.drivers.base import StartFailed, StopFailed
from backstay_agent.drivers.tools.bus import BusError
from backstay_agent.drivers.tools.file_system_looks import NoAnswer, look
from backstay_agent.drivers.tools.manager import Manager
from backstay_agent.drivers.tools.sentences import not_loadable, of_the_host
from backstay_agent.drivers.tools.units import MARK_VARIABLE, UnitFiles, belongs_to_host, refusal
from backstay_agent.drivers.tools.verified_stop import DOWN, group_names
from backstay_agent.drivers.tools.watch import Properties
from backstay_agent.threads import in_thread
from backstay_api.process.waiting import clock_s

from .closure import GATED, MOST, closure, neighbours, outside_wishes, pulled_in_by
from .fitness import not_fit, scripts_of
from .needs import occupied

_MOST_KNOWN: Final = 512
_MOST_LOOKS: Final = 16
# Each look at a unit costs a client some 5 ms of a move: one does for what is secured, or stopped, and then started at once.
_JUST_NOW_S: Final = 0.2
_SCRIPT_BYTES: Final = 1 << 16
_ALWAYS_THERE: Final = frozenset({"-.slice", "system.slice"})
_CHECKED: Final = ("BindsTo", "Requires", "Requisite", "Conflicts", "ConflictedBy")
_CHECKED_OF_PARTS: Final = ("Conflicts", "ConflictedBy")


@dataclass(frozen=True)
class Standing:
    """A unit, and everything that starts and stops with it."""

    unit: str
    members: tuple[str, ...]
    """The unit itself first."""
    known: dict[str, Properties]
    at_s: float
    """When it was looked at."""

    @property
    def gated(self) -> tuple[str, ...]:
        return tuple(member for member in self.members if member == self.unit or member.endswith(GATED))

    @property
    def triggers(self) -> tuple[str, ...]:
        """What could start the rest: down first."""
        return tuple(member for member in self.members if member.endswith((".socket", ".timer", ".path")))

    @property
    def wanted_by_others(self) -> tuple[str, ...]:
        """Parts that systemd would start by themselves if they did not wait for us: the unit does not pull them in."""
        parts = (member for member in self.gated if member != self.unit)
        return tuple(part for part in parts if outside_wishes(part, self.known, self.members))

    @property
    def is_up(self) -> bool:
        return any(self.known[member].get("ActiveState") not in DOWN for member in self.members)

    @property
    def groups(self) -> list[str]:
        """The control groups of all of it."""
        return [name for member in self.members for name in group_names(member, self.known[member])]


class Securing:
    """Drop-ins and gates of whole units."""

    def __init__(self, manager: Manager, files: UnitFiles) -> None:
        self._manager = manager
        self.files = files
        self._read_anew: set[str] = set()
        self._seen: dict[str, Standing] = {}
        """What was secured or stopped just now."""
        self.parts: dict[str, Sequence[str]] = {}
        """What else each unit stood for when it was looked at last."""
        self._looks = asyncio.Semaphore(_MOST_LOOKS)

    async def standing(self, unit: str) -> Standing:
        """What the unit stands for now, and what once was secured as a part of it. Raises BusError."""
        known, at_s = dict[str, Properties](), clock_s()
        while missing := sorted(neighbours(unit, known) - known.keys()):
            if len(known) + len(missing) > _MOST_KNOWN:
                raise BusError("closure", f"{unit} pulls in more than {_MOST_KNOWN} units: name those that do the work")
            await self._learn(known, missing)
        members = closure(unit, known)
        self.parts[unit] = members[1:]
        once = [part for part in await self._parts_of(unit) if part not in members]
        await self._learn(known, [part for part in once if part not in known])
        return Standing(unit, (*members, *once), known, at_s)

    async def secure(self, unit: str) -> Standing:
        """What it stands for, all of it secured. Raises StartFailed, BusError, OSError."""
        if (why := refusal(unit)) is not None:
            raise StartFailed(why)
        if (why := await self._not_ours(unit)) is not None:
            raise StartFailed(why)
        # Also for a unit that is not installed: many packages start their service as soon as they are.
        await self._write(unit, "")
        standing = await self.standing(unit)
        await self._give_back_the_hosts(standing)
        if (why := _too_many(standing)) is not None:
            raise StartFailed(why)
        for part in standing.gated[1:]:
            await self._write(part, unit)
        if await self._manager.reloads.read(standing.gated):
            standing = await self.standing(unit)
        in_force = [await self._must_be_in_force(member, standing) for member in standing.gated]
        standing = standing if all(in_force) else await self.standing(unit)
        self.remember(standing)
        return standing

    async def _not_ours(self, unit: str) -> str | None:
        """Why nothing is to wait for our word under this name: asked before the host does, with what it mounts or starts for itself."""
        if not unit.endswith(".mount") and await in_thread(self.files.has_drop_in, unit):
            return None  # what it is called by now is seen with the rest
        return of_the_host(unit, await self._manager.properties(unit))

    async def _give_back_the_hosts(self, standing: Standing) -> None:
        """systemd reads a drop-in under each name of a unit, and it may have got another since ours was laid. Raises StartFailed."""
        unit = standing.unit
        if (why := of_the_host(unit, standing.known[unit])) is not None:
            await self.unsecure(unit)
            raise StartFailed(why)

    def remember(self, standing: Standing) -> None:
        """It has just been looked at, and a start may follow."""
        self._seen = {unit: seen for unit, seen in self._seen.items() if _is_fresh(seen)} | {standing.unit: standing}

    async def just_seen(self, unit: str) -> Standing:
        """As `standing`, or what it was a moment ago, when it was secured or stopped for the start that follows."""
        standing = self._seen.pop(unit, None)
        return standing if standing and _is_fresh(standing) else await self.standing(unit)

    def waits_for(self, unit: str) -> str:
        """What keeps it from being secured at the moment, in a sentence; empty if nothing does."""
        parts = self.files.parts(unit) if self.files.are_known else ()
        whys = (self._manager.reloads.waits_for(member) for member in (unit, *parts))
        return next(filter(None, whys), "")

    async def unsecure(self, unit: str) -> None:
        """Give it back, with all that was secured for its sake."""
        self.parts.pop(unit, None)
        members = list(dict.fromkeys((unit, *await self._parts_of(unit))))
        for member in members:
            self.files.shut_gate(member)
            if await in_thread(self.files.remove_drop_in, member):
                self._manager.reloads.changed(member)
        await self._manager.reloads.read(members)

    async def _parts_of(self, unit: str) -> list[str]:
        return self.files.parts(unit) if self.files.are_known else await in_thread(self.files.parts, unit)

    async def not_ready(self, unit: str, *, asked: bool) -> str | None:
        """Why it could not be started here as a whole, in a sentence; None if it could. Raises BusError."""
        standing = await self.standing(unit)
        if (why := not_loadable(unit, standing.known[unit])) is not None:
            return why
        if (why := await self.not_fit(standing, asked=asked) or _too_many(standing)) is not None:
            return why
        for name in standing.known[unit].get("Triggers", []):
            if (why := _not_there(str(name), standing.known.get(str(name), {}))) is not None:
                return why
        for member in standing.gated:
            if (why := self.unsecured(member, unit, standing.known[member])) is not None:
                return why
        for member in () if standing.is_up else standing.triggers:
            if (why := await occupied(member, standing.known[member])) is not None:
                return why
        return None

    async def not_fit(self, standing: Standing, *, asked: bool) -> str | None:
        """Why its state would say too little, or it would not stay up."""
        unit, known = standing.unit, dict(standing.known)
        named = {str(name) for kind in _CHECKED for name in known[unit].get(kind, [])}
        named |= {
            str(name)
            for part in standing.members[1:]
            for kind in _CHECKED_OF_PARTS
            for name in known[part].get(kind, [])
        }
        await self._learn(
            known, sorted(name for name in named - known.keys() - _ALWAYS_THERE if not belongs_to_host(name))
        )
        scripts = dict[str, list[str]]()
        for member in standing.members:
            try:
                scripts[member] = await self._scripts(known[member])
            except NoAnswer as error:
                return f"{member}: {error}"
        parts = {member: texts for member, texts in scripts.items() if member != unit}
        pulled_in = pulled_in_by(unit, known)
        return not_fit(unit, known, pulled_in, asked=asked, scripts=scripts[unit], scripts_of_parts=parts)

    async def _scripts(self, properties: Properties) -> list[str]:
        """Text of what it starts by. Raises NoAnswer; not for data that a program is told of: whoever needs it finds that out."""
        programs = {str(command[0]) for command in properties.get("ExecStart", [])}
        scripts: list[str] = []
        for path, is_one in scripts_of(properties).items():
            try:
                # Many units may start at once, and so many looks are taken for a disk that hangs.
                async with self._looks:
                    text = await look(f"{path} (a script?)", partial(_script, path, is_one=is_one), asked=is_one)
                scripts.append(text)
            except NoAnswer:
                if is_one or path in programs:
                    raise
        return scripts

    def unsecured(self, member: str, unit: str, properties: Properties) -> str | None:
        """Why this member of the unit could start by itself; None if it cannot."""
        gate = ("ConditionPathExists", False, False, str(self.files.gate(member)))
        conditions = [tuple(condition[:4]) for condition in properties.get("Conditions", [])]
        if gate not in conditions:
            return f"{member} could start by itself: the Backstay drop-in is not in force (another drop-in may reset Condition…=)"
        if _lacks_mark(member, properties):
            return (
                f"what {member} starts elsewhere could not be found: a drop-in after ours resets Environment=, or it has"
                f" UnsetEnvironment={MARK_VARIABLE}"
            )
        if member == unit and properties.get("Restart", "no") != "no":
            return f"{member} could start by itself: a drop-in sets Restart={properties['Restart']} after ours"
        if member == unit and any(properties.get("RestartForceExitStatus", ())):
            return f"{member} could start by itself: a drop-in sets RestartForceExitStatus= after ours"
        return None

    async def starts_by_itself(self, unit: str) -> str | None:
        """Why it, or a part of it, would start at the next boot if it were given back now; None if it would not."""
        standing = await self.standing(unit)
        for member in standing.gated:
            state = str(standing.known[member].get("UnitFileState", ""))
            if state.startswith("enabled"):
                return f"{member} is enabled and would start by itself at the next boot: systemctl disable {member}"
            for other in sorted(outside_wishes(member, standing.known, standing.members)):
                if await self._comes_up(other, depth=4):
                    return f"{member} would start by itself at the next boot, with {other}: systemctl mask {member}"
        return None

    async def _comes_up(self, unit: str, *, depth: int) -> bool:
        """Whether this is up, or will be after a boot, as far as can be seen."""
        properties = await self._manager.properties(unit)
        if properties.get("ActiveState") in ("active", "activating"):
            return True
        if str(properties.get("UnitFileState", "")).startswith(("enabled", "generated")):
            return True
        for other in sorted(outside_wishes(unit, {unit: properties}, ()))[:16] if depth else ():
            if await self._comes_up(other, depth=depth - 1):
                return True
        return False

    async def _learn(self, known: dict[str, Properties], units: Iterable[str]) -> None:
        for unit in units:
            known[unit] = await self._manager.properties(unit)

    async def _write(self, unit: str, owner: str) -> None:
        if await in_thread(self.files.write_drop_in, unit, owner):
            self._manager.reloads.changed(unit)

    async def _must_be_in_force(self, member: str, standing: Standing) -> bool:
        """Whether it was already as `standing` knows it. Raises StartFailed."""
        unit, properties = standing.unit, standing.known[member]
        is_known = self.unsecured(member, unit, properties) is None or member in self._read_anew
        if not is_known:
            # The file is right and systemd does not know it: an earlier life of ours died between the two.
            self._read_anew.add(member)
            self._manager.reloads.changed(member)
            await self._manager.reloads.read([member])
            properties = await self._manager.properties(member)
        unloadable = not_loadable(member, properties) if member == unit else None
        if (why := unloadable or self.unsecured(member, unit, properties)) is not None:
            raise StartFailed(why)
        return is_known


@contextmanager
def as_start_failed(unit: str) -> Iterator[None]:
    """What goes wrong inside means that the unit was not started, or not secured for it."""
    try:
        yield
    except (BusError, StopFailed) as error:
        raise StartFailed(f"{unit}: {error}") from error
    except OSError as error:
        raise StartFailed(f"{unit} cannot be kept from starting by itself: {error}") from error


def _is_fresh(standing: Standing) -> bool:
    return clock_s() - standing.at_s <= _JUST_NOW_S


def _too_many(standing: Standing) -> str | None:
    if len(standing.members) <= MOST:
        return None
    return f"{standing.unit} stands for {len(standing.members)} units, more than {MOST}: name those that do the work"


def _lacks_mark(unit: str, properties: Properties) -> bool:
    """Whether what this service starts would not bear our mark."""
    if not unit.endswith(".service"):
        return False
    words = [word for word in properties.get("Environment", ()) if word.startswith(f"{MARK_VARIABLE}=")]
    unset = any(word.partition("=")[0] == MARK_VARIABLE for word in properties.get("UnsetEnvironment", ()))
    return unset or words[-1:] != [f"{MARK_VARIABLE}={unit}"]


def _not_there(unit: str, properties: Properties) -> str | None:
    if properties.get("LoadState") == "loaded" and properties.get("Id", unit) == unit:
        return refusal(unit)
    return refusal(unit) or not_loadable(unit, properties)


def _script(path: str, *, is_one: bool) -> str:
    """The text of a script; empty for whatever is none, or cannot be read. A device is not opened: some do something then."""
    try:
        if not os.path.isfile(path):
            return ""
        with open(path, "rb") as file:
            text = file.read(_SCRIPT_BYTES)
    except OSError:
        return ""
    return text.decode(errors="replace") if text.startswith(b"#!") or (is_one and b"\0" not in text) else ""
