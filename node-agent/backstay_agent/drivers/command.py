"""Programs that start, stop and check something. What they started lives in a unit of its own, which outlives the agent.

The unit of the start command remembers that it succeeded (RemainAfterExit) and holds whatever it left running, so that a
stop can be proven. Where a `check` is given, it decides: 0 is up, 7 is cleanly down; of an init script its `status` as the LSB has it.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Final

from backstay_api.objects.commands import Commands, Words, commands_of, live
from backstay_api.objects.durations import seconds
from backstay_api.objects.plain import RenderedResource

from .base import Seen, StartFailed, State, StopFailed
from .tools import cgroups, execution, lsb, start_units
from .tools.bus import BusError
from .tools.dpkg import STATUS, left_of
from .tools.file_system_looks import NoAnswer, look
from .tools.journal_tail import with_last_words
from .tools.lsb import CheckAnswer
from .tools.sentences import late, may_still_run, not_told, why_down
from .tools.start_unit_driver import StartUnitDriver
from .tools.transient import Ended, Setting, argv_refusal, lasting, missing, run_once
from .tools.typed_settings import typed
from .tools.verified_stop import DOWN, bring_down, state_words
from .tools.watch import Watch

if TYPE_CHECKING:
    from backstay_api.objects.plain import Command

DEFAULT_CHECK_S: Final = 20.0
# A check is the only one who sees a program that lives and does not work.
CHECK_PERIOD_S: Final = 10.0
# How soon a check that said "not yet" is asked again: at first often, then once a second.
_FIRST_WAIT_S: Final = 0.05
_LONGEST_WAIT_S: Final = 1.0
PREFIX: Final = "backstay-cmd-"
# Debian's helpers of init scripts would otherwise have systemd start the unit that it makes of the script.
_NO_DETOUR: Final = "SYSTEMCTL_SKIP_REDIRECT=1"


def unit_name(command: Command) -> str:
    """Unit of the start command. What is started by the same command is the same thing on the machine."""
    return _unit_of(commands_of(command))


def _unit_of(command: Commands) -> str:
    digest = hashlib.sha256("\0".join(command.start).encode()).hexdigest()[:12]
    program = re.sub(r"[^A-Za-z0-9]+", "-", command.start[0].rpartition("/")[2])[:40].strip("-") or "program"
    return f"{PREFIX}{program}-{digest}.service"


class CommandDriver(StartUnitDriver):
    """The driver for resources of kind `command`. A transient unit does not outlive a boot; what a command starts by other ways is
    beyond us."""

    prefix = PREFIX

    async def not_ready(self, resource: RenderedResource) -> str | None:
        try:
            return await self._unfit(resource) or await self._not_as_whom(resource)
        except (NoAnswer, BusError, OSError) as error:
            return str(error)

    async def _unfit(self, resource: RenderedResource) -> str | None:
        """Why its programs cannot be run by anybody. Raises NoAnswer."""
        if (why := cgroups.obstacle()) is not None:
            return why
        for argv in _commands(resource):
            if (why := argv_refusal(argv) or await _missing(argv)) is not None:
                return why
        return None

    async def _not_as_whom(self, resource: RenderedResource) -> str | None:
        command, start = _spec(resource), _command(resource).start
        return await execution.obstacle(self._manager, command, start[0], _stem(unit_name(command), "look"))

    def waits_for(self, resource: RenderedResource) -> str:
        check = _command(resource).check
        if not check or not self._asked[_unit_of(_command(resource))]:
            return ""
        return f"its check {' '.join(check)} has not ended yet; it is given {_check_limit_s(resource):g} s"

    async def start(self, resource: RenderedResource, *, timeout_s: float) -> None:
        # Its turn first: what was seen of it before a long wait may be true no more.
        with start_units.as_start_failed(_unit_of(_command(resource))):
            async with self._manager.starts:
                await self._start(resource, timeout_s)

    async def secure(self, resource: RenderedResource) -> None:
        if why := await self.starts_by_itself(resource):
            raise StartFailed(why)

    async def starts_by_itself(self, resource: RenderedResource) -> str | None:
        """systemd makes a unit of each init script, and starts it at a boot where the script's links say so."""
        command, script = _command(resource), _command(resource).start[0]
        if not command.is_lsb or not script.startswith("/etc/init.d/"):
            return None
        name = script.rpartition("/")[2].removesuffix(".sh")
        with start_units.as_start_failed(script):
            made = await self._manager.properties(f"{name}.service")
        # A package that has a unit of its own beside its script is started by that one.
        is_native = bool(made.get("FragmentPath")) and made.get("SourcePath") != script
        if not made.get("WantedBy") or not (is_native or made.get("SourcePath") == script):
            return None
        what = f"{name}.service, which does the same as {script}," if is_native else script
        return f"{what} starts by itself at a boot (for {made['WantedBy'][0]}): systemctl disable {name}"

    async def apply(self, resource: RenderedResource, before: RenderedResource, *, timeout_s: float) -> None:
        command, limits = _command(resource), live(_spec(resource))
        with start_units.as_start_failed(command.start[0]):
            if limits != live(_spec(before)):
                await self._manager.set_properties(_unit_of(command), typed(limits))
            if resource.reloaded_at in (None, before.reloaded_at) or not command.reload:
                return
            ended = await self._run(resource, "reload", timeout_s)
        if ended.exit_code != 0:
            raise StartFailed(f"it was not reloaded, and runs on as it was: {ended.why}")

    async def stop(self, resource: RenderedResource, *, timeout_s: float) -> str | None:
        command = _command(resource)
        if any(argv_refusal(argv) for argv in _commands(resource)):
            return None  # such a command is never run
        unit = _unit_of(command)
        try:
            if await self._never_ran(command, unit):
                return None
            ended = await self._run(resource, "stop", timeout_s)
            # Also after a stop that failed: what the start left running is known, and must not stay for ever.
            note = await bring_down(self._manager, unit, timeout_s)
            await start_units.end_escaped(self._manager, unit, timeout_s)
            if command.check:
                note = "; ".join(filter(None, (note, await self._until_down(resource, timeout_s, ended))))
            elif ended.exit_code != 0:
                why = f"{ended.why}; what its start left was killed, and without a `check` nobody can tell whether that was all"
                raise StopFailed(may_still_run(resource.name, why))
        except (BusError, OSError, NoAnswer) as error:
            raise StopFailed(may_still_run(resource.name, error)) from error
        return note or None

    async def check(self, resource: RenderedResource) -> Seen:
        command = _command(resource)
        if any(argv_refusal(argv) for argv in _commands(resource)):
            return Seen(State.STOPPED)
        unit = _unit_of(command)
        try:
            properties = await self._manager.properties(unit)
            seen = start_units.seen_unit(unit, properties, "its start command")
            if not command.check or await _missing(command.check) is not None:
                return seen
            asked = await self._ask(resource)
            check = asked.as_check(_check_limit_s(resource), CHECK_PERIOD_S)
            return replace(_judged(asked, seen, command), check=check)
        except NoAnswer as error:
            return Seen(State.UNKNOWN, str(error))
        except (BusError, OSError) as error:
            return Seen(State.UNKNOWN, not_told(unit, error))

    def unit_of(self, resource: RenderedResource) -> str:
        return _unit_of(_command(resource))

    async def period_s(self, resource: RenderedResource) -> float | None:
        return CHECK_PERIOD_S if _command(resource).check else None

    async def _start(self, resource: RenderedResource, timeout_s: float) -> None:
        # Not as whom it runs: that its start tells by itself, and a failover need not wait for it twice.
        if (why := await self._unfit(resource)) is not None:
            raise StartFailed(why)
        command = _command(resource)
        async with self._manager.watch(unit := _unit_of(command)) as watch:
            try:
                async with asyncio.timeout(timeout_s):
                    await self._up(resource, watch)
            except TimeoutError as error:
                why = f"{late(command.start[0], timeout_s)}: it is {state_words(watch)}"
                why = await with_last_words(why, watch.properties)
                await bring_down(self._manager, unit, 0)
                raise StartFailed(why) from error

    async def _up(self, resource: RenderedResource, watch: Watch) -> None:
        command = _command(resource)
        if watch.active == "active" and command.check and not await self._says_up(resource):
            # It was up once, and is not any more: what is left of it goes, then it is started anew.
            await bring_down(self._manager, watch.unit, _LONGEST_WAIT_S)
            await self._manager.refresh(watch)
        if watch.active in DOWN:
            await self._manager.reset_failed(watch.unit)
            # Longer than we wait ourselves: what systemd has to kill leaves its unit failed, as a stop does that undid nothing.
            stop_s = 2 * max(seconds(resource.timeouts.stop or "20s"), _LONGEST_WAIT_S)
            settings = _settings(resource, watch.unit, stop_s)
            is_wanted = partial(start_units.starts, resource)
            await self._manager.start_transient(watch.unit, settings, is_wanted=is_wanted)
        wait_s = _FIRST_WAIT_S
        while watch.lost or not await self._is_up(resource, watch):
            await watch.changed_within(wait_s if command.check else None)
            wait_s = min(2 * wait_s, _LONGEST_WAIT_S)

    async def _says_up(self, resource: RenderedResource) -> bool:
        return _answer(_command(resource), await self._ask(resource)) is CheckAnswer.UP

    async def _is_up(self, resource: RenderedResource, watch: Watch) -> bool:
        command = _command(resource)
        await self._manager.refresh(watch)
        if watch.active in DOWN and not watch.has_job:
            why = why_down(command.start[0], watch.properties)
            if words := _words(resource, "start", watch.properties.get("ExecMainStatus")):
                why = f"{why} ({words})"
            raise StartFailed(await with_last_words(why, watch.properties))
        if not command.check:
            return watch.active == "active"
        # A start that stays in the foreground never exits: then the check alone can say that it is up.
        return await self._says_up(resource)

    async def _until_down(self, resource: RenderedResource, timeout_s: float, stop: Ended) -> str:
        """Returns what is to be said about it. Raises StopFailed."""
        command, wait_s = _command(resource), _FIRST_WAIT_S
        last = "its check did not answer"
        try:
            async with asyncio.timeout(timeout_s):
                while (said := _answer(command, ended := await self._ask(resource))) not in (
                    CheckAnswer.DOWN,
                    CheckAnswer.DEAD,
                ):
                    last = ended.why
                    await asyncio.sleep(wait_s)
                    wait_s = min(2 * wait_s, _LONGEST_WAIT_S)
        except TimeoutError as error:
            stopped = "" if stop.exit_code == 0 else f"{stop.why}; then "
            why = f"{stopped}{last}, where {3 if command.is_lsb else 7} means cleanly down"
            raise StopFailed(may_still_run(resource.name, why)) from error
        # Nothing that it has started is alive by now, and its own word is that it is dead.
        return f"after its stop {ended.why}" if said is CheckAnswer.DEAD else ""

    async def _never_ran(self, command: Commands, unit: str) -> bool:
        down = start_units.is_gone(unit, await self._manager.properties(unit))
        try:
            gone = [await _missing(argv) is not None for argv in (command.start, command.stop) if argv]
            return down and all(gone)
        except NoAnswer:
            return False  # what cannot be seen may be there, and may have run

    async def _run(self, resource: RenderedResource, what: str, timeout_s: float) -> Ended:
        """One of its programs; what is not there has nothing against it."""
        command, unit = _command(resource), _unit_of(_command(resource))
        argv: Words = getattr(command, what)
        if not argv:
            return Ended(0, command.start[0], "has no such command")
        more = execution.settings_of(_spec(resource), _ours(command), beside=unit)
        ended = await run_once(self._manager, _stem(unit, what), argv, timeout_s, more=more)
        words = _words(resource, argv[-1], ended.exit_code)
        return replace(ended, how=f"{ended.how} ({words})") if words else ended

    async def _ask(self, resource: RenderedResource) -> Ended:
        command = _command(resource)
        assert command.check, f"{resource.name} has no check"
        unit = _unit_of(command)
        self._asked[unit] += 1
        try:
            return await self._run(resource, "check", _check_limit_s(resource))
        finally:
            self._asked[unit] -= 1


async def _missing(argv: Words) -> str | None:
    """As `missing`. What dpkg leaves of a package that was removed ends at once with 0, whatever it is asked."""
    if (why := await missing(argv)) is not None or not argv[0].startswith("/etc/init.d/"):
        return why
    package = await look(f"{STATUS} ({argv[0]})", partial(left_of, STATUS, argv[0]))
    return (
        f"{argv[0]} is what package {package} has left, which is removed: install it, or purge it" if package else None
    )


def _check_limit_s(resource: RenderedResource) -> float:
    return seconds(resource.timeouts.check) if resource.timeouts.check else DEFAULT_CHECK_S


def _spec(resource: RenderedResource) -> Command:
    assert resource.command is not None, f"{resource.name} is no command resource"
    return resource.command


def _command(resource: RenderedResource) -> Commands:
    return commands_of(_spec(resource))


def _commands(resource: RenderedResource) -> list[Words]:
    return _command(resource).all


def _stem(unit: str, what: str) -> str:
    # Not below PREFIX: what only asks or stops is never a leftover.
    return f"backstay-{what}-{unit.removeprefix(PREFIX).removesuffix('.service')}"


def _settings(resource: RenderedResource, unit: str, stop_s: float) -> list[Setting]:
    """Of the unit of the start: what it is depends on what the start command is."""
    command = _command(resource)
    told = [*start_units.memory(resource, unit), *_ours(command)]
    common = [
        *lasting(command.start, f"Backstay: {resource.name}", (), stop_s),
        *execution.settings_of(_spec(resource), told),
        *typed(_spec(resource).overrides or {}),
    ]
    kind = {"simple": "exec", "forking": "forking"}.get(command.type)
    return [*common, ("Type", ("s", kind)), ("RemainAfterExit", ("b", False))] if kind else common


def _ours(command: Commands) -> list[str]:
    """Variables of all of its programs."""
    return [_NO_DETOUR] if command.is_lsb else []


def _words(resource: RenderedResource, action: str, exit_code: int | None) -> str:
    """What an exit code means, where somebody has said so."""
    by_lsb = lsb.meaning(action, exit_code) if _command(resource).is_lsb else ""
    return by_lsb or execution.words_of(_spec(resource), exit_code)


def _answer(command: Commands, ended: Ended) -> CheckAnswer:
    return lsb.answer(ended.exit_code, is_lsb=command.is_lsb)


def _judged(ended: Ended, unit: Seen, command: Commands) -> Seen:
    """What a check's answer means, given what the start command's unit tells."""
    said = _answer(command, ended)
    if said is CheckAnswer.UP:
        return Seen(State.RUNNING)
    if unit.state in (State.STARTING, State.STOPPING, State.UNKNOWN):
        return unit
    if said is CheckAnswer.DOWN:
        return Seen(State.STOPPED)
    why = f"command {' '.join(command.check)} {ended.what}"
    if said is CheckAnswer.DEAD:
        return Seen(State.FAILED, why)
    # Neither up nor cleanly down. Where we have not started it, nobody knows what runs.
    why += f": wanted 0 (running) or {3 if command.is_lsb else 7} (stopped)"
    return Seen(State.FAILED if unit.state is State.RUNNING else State.UNKNOWN, why)
