"""What is done with the resources of one instance, in order: up from top to bottom, down from bottom to top; or as `after` says.

Up means that it works: what has probes is up when they have given a good answer, and only then the next one is started.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Sequence
from functools import partial
from typing import Final

from backstay_agent.core.health import Verdict
from backstay_agent.drivers.base import Driver, StartFailed, StopFailed
from backstay_agent.host_system import HostSystem
from backstay_agent.tasks import end_tasks
from backstay_api.objects.durations import seconds
from backstay_api.objects.edits import restarted
from backstay_api.objects.plain import Probe, RenderedResource
from backstay_api.objects.probe_kinds import is_asked, may_fail, only_degrades
from backstay_api.objects.resource_kinds import is_address
from backstay_api.objects.sequence import needs, stops
from backstay_api.process.waiting import clock_s

from .still_up import StillUp

log = logging.getLogger(__name__)

DEFAULT_TIMEOUT_S: Final = 20.0
"""Where neither the manifest nor the kind's own means say how long something may take."""


async def bring_up(
    system: HostSystem,
    resources: Sequence[RenderedResource],
    *,
    only: Collection[str] | None = None,
    unproven: Collection[str] = (),
    tell: Callable[[str], None] = lambda why: None,
) -> None:
    """Each after what it needs. What can be prepared meanwhile (the search for a duplicate address) is. Raises StartFailed.

    Before the first start everything is made unable to start without us; `only` some of them says that this was done.
    Before something is started, everything that it needs must have answered its probes: those that are started now, and
    those among the rest that are `unproven`. What stands on something that has died meanwhile is left down: whoever watches
    all of them next brings both back. `tell` is told what is being waited for.
    """
    mine = [at for at, one in enumerate(resources) if only is None or one.name in only]
    starts = _Starts(system, resources, mine, unproven, tell)
    try:
        for resource in resources if only is None else ():
            await system.driver(resource).secure(resource)
        await _each(range(len(resources)), starts.before, starts.up)
    finally:
        await starts.end()


class _Starts:
    """The resources of one service on their way up, by position."""

    def __init__(
        self, system: HostSystem, resources: Sequence[RenderedResource], mine: Sequence[int],
        unproven: Collection[str], tell: Callable[[str], None],
    ) -> None:  # fmt: skip
        self._system, self._resources, self._mine, self._tell = system, resources, mine, tell
        self.before = needs(resources)
        self._prepared = {at: asyncio.create_task(self._driver(at).prepare(resources[at])) for at in mine}
        below = {under for at in mine for under in self.before[at]}
        self._pending = {at for at, one in enumerate(resources) if at in mine or (one.name in unproven and at in below)}
        self._still_up = StillUp(system, resources)
        self._said: dict[int, str] = {}

    async def up(self, at: int) -> None:
        """All that it needs has been up. Raises StartFailed."""
        resource, say = self._resources[at], partial(self._say, at)
        if at in self._mine:
            prepared = self._prepared[at]
            await asyncio.wait([prepared])
            if why := self._still_up.why_not(self.before[at]):
                log.warning("not started, what it needs is down", extra={"resource": resource.name, "why": why})
                return
            await (_leave if may_fail(resource) else _start)(self._system, resource, self._driver(at), prepared, say)
        elif at in self._pending:
            await _first_answer(self._system, resource, limit_s(resource.timeouts.start), say)
        self._pending.discard(at)
        if not may_fail(resource) and any(map(self._waits, self._needing(at))):
            self._still_up.watch(at)

    async def end(self) -> None:
        await self._still_up.end()
        await end_tasks(list(self._prepared.values()))

    def _driver(self, at: int) -> Driver:
        return self._system.driver(self._resources[at])

    def _needing(self, at: int) -> list[int]:
        return [other for other in self._mine if at in self.before[other]]

    def _waits(self, at: int) -> bool:
        """Whether it is not started at once."""
        return not self._pending.isdisjoint(self.before[at]) or not self._prepared[at].done()

    def _say(self, at: int, why: str) -> None:
        self._said[at] = why
        self._tell("; ".join(filter(None, self._said.values())))


async def _each(order: Sequence[int], before: Sequence[Sequence[int]], step: Callable[[int], Awaitable[None]]) -> None:
    """One step for each, as soon as those before it have had theirs. Raises what the first raises that fails."""
    done = [asyncio.Event() for _ in order]

    async def one(at: int) -> None:
        for other in before[at]:
            await done[other].wait()
        await step(at)
        done[at].set()

    tasks = [asyncio.create_task(one(at)) for at in order]
    try:
        await asyncio.gather(*tasks)
    finally:
        await end_tasks(tasks)


async def _leave(
    _: HostSystem, resource: RenderedResource, driver: Driver, prepared: Awaitable[None], tell: Callable[[str], None]
) -> None:
    """What may fail: no good answer is waited for, and what has come of its start its watch tells."""
    try:
        await prepared
        await driver.start(resource, timeout_s=limit_s(resource.timeouts.start))
    except StartFailed as error:
        log.warning("not started, and not needed", extra={"resource": resource.name, "why": str(error)})


async def _start(
    system: HostSystem,
    resource: RenderedResource,
    driver: Driver,
    prepared: Awaitable[None],
    tell: Callable[[str], None],
) -> None:
    await prepared
    begun_s = clock_s()
    await driver.start(resource, timeout_s=limit_s(resource.timeouts.start))
    if is_asked(resource):
        allowance_s = await start_allowance_s(driver, resource)
        left_s = begun_s + allowance_s - clock_s()
        await _first_answer(system, resource, max(left_s, _first_answers_take_s(resource)), tell)


async def longest_start_s(system: HostSystem, resources: Sequence[RenderedResource]) -> float:
    """The longest that one of them may take until its probes have given a good answer."""
    allowances_s = [await start_allowance_s(system.driver(one), one) for one in resources if is_asked(one)]
    return max(allowances_s, default=0.0)


async def start_allowance_s(driver: Driver, resource: RenderedResource) -> float:
    """How long after the begin of its start a resource may take until its probes have given a good answer."""
    own_s = limit_s(resource.timeouts.start)
    if resource.timeouts.start is None:
        own_s = await driver.start_limit_s(resource) or own_s
    return max(own_s, _first_answers_take_s(resource))


def _first_answers_take_s(resource: RenderedResource) -> float:
    """No start waits for the probes that only degrade."""
    return max((_first_answer_takes_s(probe) for probe in resource.probes if not only_degrades(probe)), default=0.0)


def _first_answer_takes_s(probe: Probe) -> float:
    """A limit that a probe cannot keep, because it is to be asked only later, is none."""
    again_s = seconds(probe.period) * (probe.success_threshold - 1)
    return seconds(probe.initial_delay) + again_s + 2 * seconds(probe.timeout)


async def _first_answer(
    system: HostSystem, resource: RenderedResource, wait_s: float, tell: Callable[[str], None]
) -> None:
    """Wait until all its probes have given a good answer. Raises StartFailed."""
    told = ["no probe has been answered yet"]
    works = asyncio.Event()

    def judge(verdict: Verdict, why: str) -> None:
        if verdict is Verdict.WORKS:
            works.set()
        else:
            told[0] = why
            tell(f"{resource.name}: it is up and does not work yet: {why}")

    tell(f"{resource.name}: it is up; its probes have not answered yet")
    asking = asyncio.create_task(system.probe(resource, judge, starting=True))
    asking.add_done_callback(lambda _: works.set())
    try:
        async with asyncio.timeout(wait_s):
            await works.wait()
        if asking.done():
            asking.result()
    except TimeoutError as error:
        raise StartFailed(f"{resource.name} was started and did not work in time: {told[0]}") from error
    finally:
        await end_tasks([asking])
    tell("")


async def take_down(
    system: HostSystem, resources: Sequence[RenderedResource], *, of: Sequence[RenderedResource] = ()
) -> str:
    """Bottom to top; all of them, even if one cannot be stopped. Raises StopFailed with everything that could not.

    `of`: what they are a part of, if they are. Returns what is to be said about the stops, if anything.
    """
    failures: dict[int, str] = {}
    notes: dict[int, str] = {}
    whole = of or resources
    downwards = range(len(whole))[::-1]

    async def down(at: int) -> None:
        resource = whole[at]
        if resource not in resources:
            return
        try:
            note = await system.driver(resource).stop(resource, timeout_s=limit_s(resource.timeouts.stop))
            notes.update({at: f"{resource.name}: {note}"} if note else {})
        except StopFailed as error:
            failures[at] = f"{resource.name}: {error}"

    await _each(downwards, stops(whole), down)
    said = "; ".join(told[at] for told in (failures, notes) for at in downwards if at in told)
    if failures:
        raise StopFailed(said, [whole[at] for at in failures])
    return said


def to_restart(resources: Sequence[RenderedResource], bad: Collection[str]) -> list[RenderedResource]:
    """What is down, and what stands on it, as after an edit."""
    names = restarted(resources, resources, also=bad)
    return [resource for resource in resources if resource.name in names]


def only_addresses(resources: Sequence[RenderedResource]) -> bool:
    """Whether these are addresses and nothing else: what serves under them is well."""
    return bool(resources) and all(map(is_address, resources))


def limit_s(text: str | None) -> float:
    """A time limit as the manifest says it."""
    return DEFAULT_TIMEOUT_S if text is None else seconds(text)
