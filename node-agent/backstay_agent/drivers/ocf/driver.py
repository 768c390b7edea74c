"""Resources of kind `ocf`: started, asked and stopped by an agent that is installed on the host, which is never taken at its word alone.

What its start leaves running lives in a unit of its own, which outlives us. Stopped is what its own monitor calls cleanly down (7) once
that unit, and whatever has left it, is gone.

A promotion is started and stopped as any resource, by other words: `promote` runs in a unit of its own too, which remembers that we have
promoted it here; up is what the monitor calls promoted (8, 191), and stopped what it calls anything else that is known.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Final, Literal

from backstay_agent.drivers.base import NoScore, Notification, ReloadFailed, Seen, StartFailed, State, StopFailed
from backstay_agent.drivers.tools import cgroups, start_units
from backstay_agent.drivers.tools.bus import BusError
from backstay_agent.drivers.tools.file_system_looks import NoAnswer, look
from backstay_agent.drivers.tools.journal_tail import last_words, with_last_words
from backstay_agent.drivers.tools.manager import Manager
from backstay_agent.drivers.tools.programs import may_come
from backstay_agent.drivers.tools.sentences import late, may_still_run, not_told, why_down
from backstay_agent.drivers.tools.start_unit_driver import StartUnitDriver
from backstay_agent.drivers.tools.transient import CLEANLY_DOWN, Ended, Setting, environment_list, lasting
from backstay_agent.drivers.tools.verified_stop import DOWN, bring_down, state_words
from backstay_agent.drivers.tools.watch import Watch
from backstay_api.objects.ocf_names import ocf_agent
from backstay_api.process.waiting import clock_s

from . import helpers, metadata, notifying, outcomes, shared
from .agents import AS_IT_IS, Agents, installed, missing, told_to
from .environment import instance, name_of, program
from .metadata import Metadata, Unreadable
from .outcomes import NOT_PROMOTED, Meaning, meaning

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from backstay_api.objects.plain import Attribute, Ocf, Probe, RenderedResource, RoleOrder

PREFIX: Final = "backstay-ocf-"
VALID_S: Final = 60.0
"""For so long an agent that has found nothing wrong is not asked again."""
LEFT_S: Final = 5.0
"""Between SIGTERM and SIGKILL for what an agent's own stop has left."""
_FIRST_WAIT_S: Final = 0.05
_LONGEST_WAIT_S: Final = 1.0
_MICRO: Final = 1_000_000
_NOTHING: Final = (BusError, OSError, NoAnswer)
"""What says that nothing is known."""


def unit_name(ocf: Ocf) -> str:
    """Unit of the start. What is one thing on the host has one; its promotion has another."""
    return f"{PREFIX}{name_of(ocf)}{'-promoted' if ocf.role else ''}.service"


def verbs(ocf: Ocf) -> tuple[str, str]:
    """What brings it up, and what brings it down."""
    return ("promote", "demote") if ocf.role else ("start", "stop")


class OcfDriver(StartUnitDriver):
    """The driver for resources of kind `ocf`."""

    prefix = PREFIX

    def __init__(self, manager: Manager) -> None:
        super().__init__(manager)
        self._agents = Agents(manager)
        self._valid_until_s: dict[str, float] = {}
        self._came_up: set[str] = set()
        """Units of what was up when a stop of it began that has not succeeded yet."""

    async def not_ready(self, resource: RenderedResource) -> str | None:
        try:
            return await self._unfit(resource) or await self._invalid(_ocf(resource))
        except _NOTHING as error:
            return str(error)

    async def _unfit(self, resource: RenderedResource) -> str | None:
        """Why it cannot be started as it is described. Asks the agent for its metadata only."""
        if (why := cgroups.obstacle()) is not None:
            return why
        ocf = _ocf(resource)
        if (why := await missing(ocf)) is not None:
            return f"agent {ocf_agent(ocf.agent)} cannot be used: {why}"
        known = await self._agents.read(ocf)
        if isinstance(known, Unreadable):
            return f"the metadata of {ocf_agent(ocf.agent)} cannot be used: {known.why}"
        whys = [*metadata.faults(ocf.parameters or {}, known), *_depths(resource, known), *_roles(ocf, known)]
        return f"{ocf_agent(ocf.agent)}: {'; '.join(whys)}" if whys else None

    async def _invalid(self, ocf: Ocf) -> str | None:
        """What the agent itself has to say against it."""
        now_s, asked = clock_s(), str(ocf)
        if self._valid_until_s.get(asked, 0.0) > now_s:
            return None
        known = await self._agents.known(ocf)
        ended = await self._agents.operate(ocf, "validate-all", known.limit_s("validate-all"))
        if meaning("validate-all", ended.exit_code) is Meaning.DONE:
            still = {one: until_s for one, until_s in self._valid_until_s.items() if until_s > now_s}
            self._valid_until_s = {**still, asked: now_s + VALID_S}
            return None
        why = outcomes.reason(ended.words)
        # Files on a disk that comes with the service are missed too early: a start will say so, if they do not come.
        for value in known.values(ocf.parameters or {}):
            if value.startswith("/") and (not why or value in why) and await look(value, partial(may_come, value)):
                return None
        return _sentence(ocf, "validate-all", ended)

    def waits_for(self, resource: RenderedResource) -> str:
        is_asked = self._asked[unit_name(_ocf(resource))]
        return f"the monitor of {ocf_agent(_ocf(resource).agent)} has not ended yet" if is_asked else ""

    async def start_limit_s(self, resource: RenderedResource) -> float | None:
        return (await self._agents.known(_ocf(resource))).limit_s(verbs(_ocf(resource))[0])

    async def start(self, resource: RenderedResource, *, timeout_s: float) -> None:
        # Its turn first: what was seen of it before a long wait may be true no more.
        with start_units.as_start_failed(unit_name(_ocf(resource))):
            async with self._manager.starts:
                await self._start(resource)

    async def _start(self, resource: RenderedResource) -> None:
        ocf = _ocf(resource)
        if (why := await self._unfit(resource) or await self._same_unique(ocf)) is not None:
            raise StartFailed(why)
        up, _ = verbs(ocf)
        limit_s = (await self._agents.known(ocf)).limit_s(up, resource.timeouts.start)
        async with self._manager.watch(unit := unit_name(ocf)) as watch:
            try:
                async with asyncio.timeout(limit_s) as limit:
                    await self._up(resource, watch, limit_s, limit)
            except TimeoutError as error:
                why = f"{late(f'{ocf_agent(ocf.agent)} {up}', limit_s)}: its unit is {state_words(watch)}"
                why = await with_last_words(why, watch.properties)
                self._came_up |= {unit} if ocf.role else set()  # it may have been promoted all the same
                await bring_down(self._manager, unit, 0)
                raise StartFailed(why) from error

    async def _same_unique(self, ocf: Ocf) -> str | None:
        """Something else of this agent that runs here with a value that no two may have."""
        known = await self._agents.known(ocf)
        for unit, other in (await start_units.remembered(self._manager, PREFIX)).items():
            theirs = other.ocf
            if theirs is None or name_of(theirs) == name_of(ocf) or ocf_agent(theirs.agent) != ocf_agent(ocf.agent):
                continue
            if name := metadata.same_unique(ocf.parameters or {}, theirs.parameters or {}, known):
                return f"{name} must be another for each resource of {ocf_agent(ocf.agent)}: {unit} has the same here"
        return None

    async def _up(self, resource: RenderedResource, watch: Watch, limit_s: float, limit: asyncio.Timeout) -> None:
        if watch.active == "active" and (await self.check(resource)).state is not State.RUNNING:
            # It was up once, and is not any more: an agent may rely on a stop before the next start.
            await self.stop(resource, timeout_s=limit_s)
            await self._manager.refresh(watch)
        if watch.active in DOWN:
            await self._manager.reset_failed(watch.unit)
            limit.reschedule(None)  # a notification has a limit of its own, often a longer one
            await self._announce(ocf := _ocf(resource), "promote", limit_s)
            limit.reschedule(asyncio.get_running_loop().time() + limit_s)
            settings = await self._start_settings(resource, limit_s)
            async with self._agents.turn(ocf):
                is_wanted = partial(start_units.starts, resource)
                await self._manager.start_transient(watch.unit, settings, is_wanted=is_wanted)
                await self._until_ended(watch)
        wait_s = _FIRST_WAIT_S
        while watch.lost or not await self._is_up(resource, watch):
            await watch.changed_within(wait_s)
            wait_s = min(2 * wait_s, _LONGEST_WAIT_S)

    async def _announce(self, ocf: Ocf, operation: Literal["promote", "demote"], most_s: float) -> None:
        """What is to be done waits for no notification of what others did, and for its own."""
        self._agents.cut_notify(ocf)
        if ocf.role:
            await notifying.before(self._agents, ocf, operation, most_s)
            self._agents.cut_notify(ocf)  # of what others did meanwhile

    async def _until_ended(self, watch: Watch) -> None:
        """Until the agent's start has ended, well or not."""
        while True:
            if not watch.lost:
                await self._manager.refresh(watch)
                if watch.active in ("active", *DOWN) and not watch.has_job:
                    return
            await watch.changed_within(_LONGEST_WAIT_S)

    async def _is_up(self, resource: RenderedResource, watch: Watch) -> bool:
        await self._manager.refresh(watch)
        if watch.active in DOWN and not watch.has_job:
            raise await _start_failed(_ocf(resource), watch)
        return watch.active == "active" and (await self.check(resource)).state is State.RUNNING

    async def _start_settings(self, resource: RenderedResource, limit_s: float) -> list[Setting]:
        ocf = _ocf(resource)
        up, _ = verbs(ocf)
        told = [*environment_list(told_to(ocf, up, limit_s)), *start_units.memory(resource, unit_name(ocf))]
        return [
            # Longer than we wait ourselves: what systemd has to kill leaves its unit failed.
            *lasting((program(ocf), up), f"Backstay: {resource.name}", told, 2 * LEFT_S),
            *AS_IT_IS,
            # Also if we die: an adopted start ends one day.
            ("TimeoutStartUSec", ("t", round((limit_s + LEFT_S) * _MICRO))),
        ]

    async def apply(self, resource: RenderedResource, before: RenderedResource, *, timeout_s: float) -> None:
        ocf = _ocf(resource)
        if not (changed := metadata.changed(_ocf(before).parameters or {}, ocf.parameters or {})):
            return
        with start_units.as_start_failed(unit_name(ocf)):
            if (why := await self.not_ready(resource)) is not None:
                raise StartFailed(f"not reloaded: {why}")
            known = await self._agents.known(ocf)
            if rest := sorted(changed - known.reloadable):
                raise ReloadFailed(f"{ocf_agent(ocf.agent)} cannot reload {', '.join(rest)}")
            limit_s = known.limit_s("reload-agent", resource.timeouts.start)
            ended = await self._agents.operate(ocf, "reload-agent", limit_s)
        if ended.exit_code != 0:
            raise ReloadFailed(_sentence(ocf, "reload-agent", ended))

    async def stop(self, resource: RenderedResource, *, timeout_s: float) -> str | None:
        ocf = _ocf(resource)
        unit = unit_name(ocf)
        try:
            if (why := await missing(ocf)) is not None:
                if unit not in self._came_up and start_units.is_gone(unit, await self._manager.properties(unit)):
                    return None  # what is not installed was not started
                # Its unit stays: by it the next try knows as well that there is something to stop.
                why = f"{why}; put that back, or stop it by hand, then: systemctl stop {unit}"
                raise StopFailed(may_still_run(resource.name, why))
            return await self._down(resource) or None
        except _NOTHING as error:
            raise StopFailed(may_still_run(resource.name, error)) from error

    async def _down(self, resource: RenderedResource) -> str:
        """Its own stop, then the end of all that its start has left, then its monitor."""
        ocf = _ocf(resource)
        known, unit, (_, down) = await self._agents.known(ocf), unit_name(ocf), verbs(ocf)
        is_down, words = (
            (NOT_PROMOTED, "0, 190 and 7 mean not promoted") if ocf.role else ({CLEANLY_DOWN}, "7 means cleanly down")
        )
        if (await self._manager.properties(unit))["ActiveState"] == "active":
            self._came_up.add(unit)
        notes: list[str] = []
        for is_last in (False, True):
            limit_s = known.limit_s(down, resource.timeouts.stop)
            await self._announce(ocf, "demote", limit_s)
            ended = await self._agents.operate(ocf, down, limit_s)
            notes += [_sentence(ocf, down, ended)] if ended.exit_code != 0 else []
            # By the unit of a promotion the next try, and the next agent, know that there is something to demote: it ends last.
            notes += [] if ocf.role else await self._ended(unit)
            asked = await self._agents.operate(ocf, "monitor", known.limit_s("monitor", resource.timeouts.check))
            if asked.exit_code in is_down:
                notes += await self._ended(unit) if ocf.role else []
                break
            # Of what has never come up an agent may have nothing to say but that it cannot be configured so.
            if unit not in self._came_up and (
                asked.exit_code == 5 or (asked.exit_code in (2, 6) and ended.exit_code == 0)
            ):
                break
            # What has just been killed may have left files, which a second stop tidies away.
            if is_last:
                found = f"{_sentence(ocf, down, ended)}; then {_sentence(ocf, 'monitor', asked)}"
                raise StopFailed(may_still_run(resource.name, f"{found}, where {words}"))
        self._came_up.discard(unit)
        return "; ".join(dict.fromkeys(notes))

    async def _ended(self, unit: str) -> list[str]:
        """What is to be said of the end of all that a start has left."""
        said = await bring_down(self._manager, unit, LEFT_S)
        await start_units.end_escaped(self._manager, unit, LEFT_S)
        return [said] if said else []

    async def score(self, resource: RenderedResource) -> int:
        """As its agent says it of its copy here (`crm_master`)."""
        said = helpers.promotion_score(instance(_ocf(resource)))
        if isinstance(said, str):
            raise NoScore(f"{ocf_agent(_ocf(resource).agent)} {said}")
        return said

    def noted(self, resource: RenderedResource) -> Sequence[Attribute]:
        ocf = _ocf(resource)
        return shared.noted(instance(ocf)) if ocf.copies else ()

    def learn(self, resource: RenderedResource, told: RoleOrder) -> None:
        shared.learn(instance(_ocf(resource)), told)

    async def notify(self, resource: RenderedResource, of: Notification) -> str:
        try:
            return await notifying.notify(self._agents, _ocf(resource), of)
        except _NOTHING as error:
            return str(error)

    async def check(self, resource: RenderedResource) -> Seen:
        return await self._look(resource, depth=0)

    async def ask(self, resource: RenderedResource, probe: Probe) -> str | None:
        """Whether it works, asked at a depth: what is degraded works. Raises TimeoutError."""
        assert probe.ocf is not None, f"probe {probe.name} asks something else"
        seen = await self._look(resource, depth=probe.ocf.depth)
        if seen.check and not seen.check.in_time:
            raise TimeoutError(seen.why)
        return None if seen.state is State.RUNNING else seen.why or f"it is {seen.state.value.lower()}"

    async def _look(self, resource: RenderedResource, *, depth: int) -> Seen:
        ocf = _ocf(resource)
        unit = unit_name(ocf)
        try:
            properties = await self._manager.properties(unit)
            started = start_units.seen_unit(unit, properties, f"the start of {ocf_agent(ocf.agent)}")
            why, version = await installed(ocf)
            if started.state is State.STARTING or why:
                return started
            known = await self._agents.known(ocf, version)
            limit_s = known.limit_s("monitor", resource.timeouts.check, depth=depth)
            interval_s = known.period_s(depth) if await self._is_ours(ocf, started) else 0.0
            was_promoted = await self._is_promoted(ocf)
            self._asked[unit] += 1
            try:
                ended = await self._agents.operate(ocf, "monitor", limit_s, interval_s=interval_s, depth=depth)
            finally:
                self._asked[unit] -= 1
            said = _sentence(ocf, "monitor", ended)
            if ocf.role:
                seen = outcomes.seen_promoted(ended.exit_code, said, started)
            else:
                # Promoted or demoted while the question was under way, it was asked for all the same.
                is_promoted = was_promoted or await self._is_promoted(ocf)
                seen = outcomes.seen(ended.exit_code, said, started, is_promoted=is_promoted)
            reloadable = known.reloadable if ocf.instance and not ocf.role else None
            return replace(seen, check=ended.as_check(limit_s, known.period_s(depth)), reloadable=reloadable)
        except NoAnswer as error:
            return Seen(State.UNKNOWN, str(error))
        except BusError as error:
            return Seen(State.UNKNOWN, not_told(unit, error))
        except OSError as error:
            return Seen(State.UNKNOWN, f"{ocf_agent(ocf.agent)} cannot be asked: {error}")

    async def _is_ours(self, ocf: Ocf, started: Seen) -> bool:
        """Whether we have started it, or the copy that is asked whether it is promoted. What nobody has started begins anew: asked so,
        `pgsql` sets its promotion score back. Raises BusError."""
        if started.state is State.RUNNING or not ocf.role:
            return started.state is State.RUNNING
        copy = await self._manager.properties(unit_name(replace(ocf, role=None)))
        return bool(copy["ActiveState"] == "active")

    async def _is_promoted(self, ocf: Ocf) -> bool:
        """Whether its promotion here is ours: begun, and not ended yet. Raises BusError."""
        if ocf.role or not ocf.copies:
            return False
        properties = await self._manager.properties(unit_name(replace(ocf, role="Promoted")))
        return properties["ActiveState"] not in DOWN

    async def leftovers(self, *, run_is_intact: bool = False) -> list[RenderedResource]:
        # What is stopped first comes last: a copy is demoted before it is stopped.
        found = await super().leftovers(run_is_intact=run_is_intact)
        return sorted(found, key=lambda resource: bool(_ocf(resource).role))

    def unit_of(self, resource: RenderedResource) -> str:
        return unit_name(_ocf(resource))

    async def period_s(self, resource: RenderedResource) -> float:
        return (await self._agents.known(_ocf(resource))).period_s()


def _ocf(resource: RenderedResource) -> Ocf:
    assert resource.ocf is not None, f"{resource.name} is no OCF resource"
    return resource.ocf


def _sentence(ocf: Ocf, operation: str, ended: Ended) -> str:
    return outcomes.sentence(ocf_agent(ocf.agent), operation, ended)


def _depths(resource: RenderedResource, known: Metadata) -> Iterator[str]:
    """A monitor that is asked at a depth that it does not know answers as at 0: nobody would learn that."""
    has = ", ".join(map(str, known.depths))
    for probe in resource.probes:
        if probe.ocf is not None and probe.ocf.depth not in known.depths:
            yield f"it has no monitor of depth {probe.ocf.depth}, which probe {probe.name} asks; it has {has}"


def _roles(ocf: Ocf, known: Metadata) -> Iterator[str]:
    """Told of roles, an agent that has none would answer that it is up where it should say promoted."""
    missing = [operation for operation in ("promote", "demote") if ocf.copies and known.action(operation) is None]
    if missing:
        yield f"it has no {' and no '.join(missing)}, so that it is not promotable"


async def _start_failed(ocf: Ocf, watch: Watch) -> StartFailed:
    properties, (up, _) = watch.properties, verbs(ocf)
    if properties.get("ExecMainCode") != 1 or properties.get("Result") == "timeout":
        return StartFailed(await with_last_words(why_down(f"{ocf_agent(ocf.agent)} {up}", properties), properties))
    code = int(properties.get("ExecMainStatus", 0))
    ended = Ended(code, ocf_agent(ocf.agent), f"exited with {code}", await last_words(properties))
    return StartFailed(_sentence(ocf, up, ended), outcomes.error_type(up, code))
