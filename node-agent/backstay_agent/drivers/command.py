"""Programs that start, stop and check something. What they started lives in a unit of its own, which outlives the agent.

The unit of the start command remembers that it succeeded (RemainAfterExit) and holds whatever it left running, so that a
stop can be proven. Where a `check` is given, it decides: 0 is up, 7 is cleanly down.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections import Counter
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from functools import partial
from typing import TYPE_CHECKING, Final

from backstay_api.objects.durations import seconds
from backstay_api.objects.plain import RenderedResource

from .base import Plain, Seen, StartFailed, State, StopFailed
from .tools import cgroups, kept
from .tools.bus import BusError
from .tools.down import DOWN, bring_down, state_words
from .tools.journal_tail import with_last_words
from .tools.looks import NoAnswer
from .tools.manager import Manager, Watch
from .tools.sentences import why_down
from .tools.transient import CLEANLY_DOWN, Ended, argv_refusal, lasting, missing, run_once
from .tools.wakeups import changes_of

if TYPE_CHECKING:
    from backstay_api.objects.plain import Command

DEFAULT_CHECK_S: Final = 20.0
# A check is the only one who sees a program that lives and does not work.
CHECK_PERIOD_S: Final = 10.0
# How soon a check that said "not yet" is asked again: at first often, then once a second.
_FIRST_WAIT_S: Final = 0.05
_LONGEST_WAIT_S: Final = 1.0
PREFIX: Final = "backstay-cmd-"


def unit_name(command: Command) -> str:
    """Unit of the start command. What is started by the same command is the same thing on the machine."""
    digest = hashlib.sha256("\0".join(command.start).encode()).hexdigest()[:12]
    program = re.sub(r"[^A-Za-z0-9]+", "-", command.start[0].rpartition("/")[2])[:40].strip("-") or "program"
    return f"{PREFIX}{program}-{digest}.service"


class CommandDriver(Plain):
    """The driver for resources of kind `command`. A transient unit does not outlive a boot; what a command starts by other ways is
    beyond us."""

    def __init__(self, manager: Manager) -> None:
        self._manager = manager
        self._asked: Counter[str] = Counter()
        """Checks that have not answered yet, by the unit of the start command."""

    async def not_ready(self, resource: RenderedResource) -> str | None:
        if cgroups.root() is None:
            return "this host has no unified control groups (cgroup v2), so a stop could not be verified"
        try:
            for argv in _commands(resource):
                if (why := argv_refusal(argv) or await missing(argv)) is not None:
                    return why
        except NoAnswer as error:
            return str(error)
        return None

    def waits_for(self, resource: RenderedResource) -> str:
        check = _command(resource).check
        if check is None or not self._asked[unit_name(_command(resource))]:
            return ""
        return f"its check {' '.join(check)} has not ended yet; it is given {_check_limit_s(resource):g} s"

    async def start(self, resource: RenderedResource, *, timeout_s: float) -> None:
        if (why := await self.not_ready(resource)) is not None:
            raise StartFailed(why)
        command = _command(resource)
        unit = unit_name(command)
        with kept.as_start_failed(unit):
            async with self._manager.watch(unit) as watch:
                try:
                    async with asyncio.timeout(timeout_s):
                        await self._up(resource, watch)
                except TimeoutError as error:
                    why = f"{command.start[0]} did not bring it up within {timeout_s:g} s: it is {state_words(watch)}"
                    why = await with_last_words(why, watch.properties)
                    await bring_down(self._manager, unit, 0)
                    raise StartFailed(why) from error

    async def stop(self, resource: RenderedResource, *, timeout_s: float) -> str | None:
        command = _command(resource)
        if any(argv_refusal(argv) for argv in _commands(resource)):
            return None  # such a command is never run
        unit = unit_name(command)
        try:
            if await self._never_ran(command, unit):
                return None
            ended = await run_once(self._manager, _stem(unit, "stop"), command.stop, timeout_s)
            # Also after a stop that failed: what the start left running is known, and must not stay for ever.
            note = await bring_down(self._manager, unit, timeout_s)
            await kept.end_escaped(self._manager, unit, timeout_s)
            if command.check is not None:
                await self._until_cleanly_down(resource, timeout_s, ended)
            elif ended.exit_code != 0:
                raise StopFailed(
                    f"{resource.name} may still be running: {ended.why}; what its start left was killed, and without"
                    " a `check` nobody can tell whether that was all"
                )
        except (BusError, OSError, NoAnswer) as error:
            raise StopFailed(f"{resource.name} may still be running: {error}") from error
        return note or None

    async def check(self, resource: RenderedResource) -> Seen:
        command = _command(resource)
        if any(argv_refusal(argv) for argv in _commands(resource)):
            return Seen(State.STOPPED)
        unit = unit_name(command)
        try:
            properties = await self._manager.properties(unit)
            seen = kept.seen_unit(unit, properties, "its start command")
            if command.check is None or await missing(command.check) is not None:
                return seen
            return _judged(await self._ask(resource), seen, command.check)
        except NoAnswer as error:
            return Seen(State.UNKNOWN, str(error))
        except (BusError, OSError) as error:
            return Seen(State.UNKNOWN, f"systemd cannot be asked about {unit}: {error}")

    async def changes(self, resource: RenderedResource) -> AsyncGenerator[Seen, None]:
        """First what it is now, then every change: its unit and its control group tell, and its check is asked regularly."""
        unit = unit_name(_command(resource))
        with kept.as_start_failed(unit):
            period_s = CHECK_PERIOD_S if _command(resource).check else None
            look = partial(self.check, resource)
            async with aclosing(changes_of(self._manager, unit, look, period_s)) as seen:
                async for one in seen:
                    yield one

    async def leftovers(self, *, run_is_intact: bool = False) -> list[RenderedResource]:
        """The resources of every start command here that is not verifiably stopped, as they were when it was started."""
        return [*(await kept.remembered(self._manager, PREFIX)).values()]

    async def _up(self, resource: RenderedResource, watch: Watch) -> None:
        command = _command(resource)
        if watch.active == "active" and command.check and (await self._ask(resource)).exit_code != 0:
            # It was up once, and is not any more: what is left of it goes, then it is started anew.
            await bring_down(self._manager, watch.unit, _LONGEST_WAIT_S)
            await self._manager.refresh(watch)
        if watch.active in DOWN:
            await self._manager.reset_failed(watch.unit)
            # Longer than we wait ourselves: what systemd has to kill leaves its unit failed, as a stop does that undid nothing.
            stop_s = 2 * max(seconds(resource.timeouts.stop or "20s"), _LONGEST_WAIT_S)
            await self._manager.start_transient(
                watch.unit,
                lasting(command.start, f"Backstay: {resource.name}", kept.memory(resource, watch.unit), stop_s),
            )
        wait_s = _FIRST_WAIT_S
        while watch.lost or not await self._is_up(resource, watch):
            await watch.changed_within(wait_s if command.check else None)
            wait_s = min(2 * wait_s, _LONGEST_WAIT_S)

    async def _is_up(self, resource: RenderedResource, watch: Watch) -> bool:
        command = _command(resource)
        await self._manager.refresh(watch)
        if watch.active in DOWN and not watch.has_job:
            raise StartFailed(await with_last_words(why_down(command.start[0], watch.properties), watch.properties))
        if command.check is None:
            return watch.active == "active"
        # A start that stays in the foreground never exits: then the check alone can say that it is up.
        return (await self._ask(resource)).exit_code == 0

    async def _until_cleanly_down(self, resource: RenderedResource, timeout_s: float, stop: Ended) -> None:
        wait_s = _FIRST_WAIT_S
        ended: Ended | None = None
        try:
            async with asyncio.timeout(timeout_s):
                while (ended := await self._ask(resource)).exit_code != CLEANLY_DOWN:
                    await asyncio.sleep(wait_s)
                    wait_s = min(2 * wait_s, _LONGEST_WAIT_S)
        except TimeoutError as error:
            said = ended.why if ended else "its check did not answer"
            stopped = "" if stop.exit_code == 0 else f"{stop.why}; then "
            why = f"{resource.name} may still be running: {stopped}{said}, where 7 means cleanly down"
            raise StopFailed(why) from error

    async def _never_ran(self, command: Command, unit: str) -> bool:
        down = kept.is_gone(unit, await self._manager.properties(unit))
        try:
            return down and await missing(command.start) is not None and await missing(command.stop) is not None
        except NoAnswer:
            return False  # what cannot be seen may be there, and may have run

    async def _ask(self, resource: RenderedResource) -> Ended:
        command = _command(resource)
        assert command.check is not None
        unit = unit_name(command)
        self._asked[unit] += 1
        try:
            return await run_once(self._manager, _stem(unit, "check"), command.check, _check_limit_s(resource))
        finally:
            self._asked[unit] -= 1


def _check_limit_s(resource: RenderedResource) -> float:
    return seconds(resource.timeouts.check) if resource.timeouts.check else DEFAULT_CHECK_S


def _command(resource: RenderedResource) -> Command:
    assert resource.command is not None, f"{resource.name} is no command resource"
    return resource.command


def _commands(resource: RenderedResource) -> list[Sequence[str]]:
    command = _command(resource)
    return [argv for argv in (command.start, command.stop, command.check) if argv is not None]


def _stem(unit: str, what: str) -> str:
    # Not below PREFIX: what only asks or stops is never a leftover.
    return f"backstay-{what}-{unit.removeprefix(PREFIX).removesuffix('.service')}"


def _judged(ended: Ended, unit: Seen, check: Sequence[str]) -> Seen:
    """What a check's answer means, given what the start command's unit tells."""
    if ended.exit_code == 0:
        return Seen(State.RUNNING)
    if unit.state in (State.STARTING, State.STOPPING, State.UNKNOWN):
        return unit
    if ended.exit_code == CLEANLY_DOWN:
        return Seen(State.STOPPED)
    # Neither up nor cleanly down. Where we have not started it, nobody knows what runs.
    why = f"command {' '.join(check)} {ended.what}: wanted 0 (running) or 7 (stopped)"
    return Seen(State.FAILED if unit.state is State.RUNNING else State.UNKNOWN, why)
