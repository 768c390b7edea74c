"""Watches one running instance: looks at every resource once, then follows its driver and its probes.

Nothing is polled here. A driver tells the present state first and every change after it; a probe tells when it changes its mind.
What has not answered its probes yet is not well; for as long as a start may take it is not down either.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import aclosing
from typing import Any, Final, cast

from backstay_agent.core.health import Verdict
from backstay_agent.drivers.base import Seen, StartFailed, State, StopFailed
from backstay_agent.host_system import HostSystem
from backstay_agent.tasks import end_tasks
from backstay_api.objects.edits import Reloadable, same_watch
from backstay_api.objects.plain import RenderedResource
from backstay_api.objects.probe_kinds import asked_by_holder, is_asked
from backstay_api.objects.recovery import ErrorType, worst
from backstay_api.process.waiting import clock_s

from .checks import Checks

log = logging.getLogger(__name__)

FOLLOW_AGAIN_S: Final = 1.0
"""Until a driver that tells no more (D-Bus restarted) is followed again."""
SHUT_DOWN: Final = "this machine is being shut down"
"""As a driver says it of what systemd stops then."""


class Monitor:
    """What is known to be wrong with the resources of one instance."""

    def __init__(self, system: HostSystem, notice: Callable[[], None]) -> None:
        self._system = system
        self._notice = notice
        self._watches: dict[str, tuple[RenderedResource, asyncio.Task[None]]] = {}
        self._probes: list[asyncio.Task[None]] = []
        self._states: dict[str, State] = {}
        self._error_types: dict[str, ErrorType] = {}
        """Of what is down, as its driver says."""
        self._down: dict[str, str] = {}
        self._unwell: dict[str, str] = {}
        self._unclear: dict[str, str] = {}
        """Resources that are neither plainly up nor plainly down."""
        self._degraded: dict[str, str] = {}
        """Up, and its driver has something to say about it."""
        self._works_partly: dict[str, str] = {}
        """It works, though a probe that only degrades fails."""
        self._suspect: dict[str, str] = {}
        """Its probes get no answer in time, and that may be slowness."""
        self._checks = Checks(system)
        self._unseen: dict[str, str] = {}
        """Not looked at yet."""
        self._unproven: dict[str, str] = {}
        """No good answer of a probe yet."""
        self._by_admin: dict[str, str] = {}
        self._on_failure: Mapping[str, str | None] = {}
        """As the manifest says it of each."""
        self._patience_until_s = 0.0
        self._reloadable: dict[str, frozenset[str]] = {}

    @property
    def troubles(self) -> dict[str, str]:
        """Resources that are down or do not work, and why, but for those that may."""
        return {name: why for name, why in self._failed.items() if not self._may_fail(name)}

    @property
    def tolerated(self) -> dict[str, str]:
        """Those that may: their service works without them."""
        return {name: why for name, why in self._failed.items() if self._may_fail(name)}

    @property
    def moves_at_once(self) -> bool:
        """Whether for one that is down or does not work another host is tried rather than a restart."""
        return any(self._on_failure.get(name) == "Move" for name in self.troubles)

    @property
    def _failed(self) -> dict[str, str]:
        return {**self._unwell, **self._down}

    def _may_fail(self, name: str) -> bool:
        return self._on_failure.get(name) in ("Degrade", "Ignore")

    @property
    def error_type(self) -> ErrorType:
        """Of what is down: whether a restart in place could help."""
        return worst(found for name, found in self._error_types.items() if name in self._down and name in self.troubles)

    @property
    def is_looking(self) -> bool:
        """Not every resource was looked at yet."""
        return bool(self._unseen)

    @property
    def is_well(self) -> bool:
        """Every resource was looked at, is up and works."""
        waited_for = {**self._unclear, **self._unproven}
        return not (self._unseen or self.troubles or any(not self._may_fail(name) for name in waited_for))

    @property
    def unproven(self) -> frozenset[str]:
        """Resources whose probes have not given a good answer yet."""
        return frozenset(self._unproven)

    @property
    def unclear(self) -> Mapping[str, str]:
        """Resources that nobody can tell of whether they are up, and why."""
        return self._unclear

    @property
    def states(self) -> Mapping[str, State]:
        """As their drivers saw them last."""
        return self._states

    @property
    def reloadable(self) -> Reloadable:
        """What agents of resources can reload, as they said last."""
        return self._reloadable

    @property
    def is_going_down(self) -> bool:
        """Its resources are stopped because the whole machine goes down."""
        return SHUT_DOWN in self._by_admin.values()

    @property
    def by_admin(self) -> Mapping[str, str]:
        """What somebody has done on the host itself to resources that are not up because of it."""
        return self._by_admin

    @property
    def degraded(self) -> Mapping[str, str]:
        """Resources that are up and work, though not as they should, and why."""
        lost = {name: why for name, why in self.tolerated.items() if self._on_failure.get(name) == "Degrade"}
        whys = {
            name: [known.get(name) for known in (lost, self._degraded, self._works_partly)] for name in self._watches
        }
        return {name: "; ".join(filter(None, each)) for name, each in whys.items() if any(each)}

    @property
    def suspect(self) -> Mapping[str, str]:
        """Resources that do not answer in time, and why nothing is done about that yet."""
        found = {**self._checks.suspect, **self._suspect}
        return {name: why for name, why in found.items() if name not in self._failed}

    @property
    def sentence(self) -> str:
        found = {**self.degraded, **self._unseen, **self._unproven, **self.suspect, **self._unclear, **self._failed}
        return "; ".join(f"{name}: {why}" for name, why in found.items())

    def begin(
        self, resources: Sequence[RenderedResource], *, works: Collection[str], patience_until_s: float = 0.0
    ) -> None:
        """Begin anew with these. `works`: their probes have given good answers; until `patience_until_s` the others
        may take their time to give the first. Watches that `end` has left go on, and what they know is known."""
        assert not self._probes, "it is watched already"
        self._forget_but(self._watches)
        self._unseen = {
            one.name: self._unseen.get(one.name, "not looked at yet")
            for one in resources
            if one.name not in self._watches or one.name in self._unseen
        }
        self._on_failure = {one.name: one.on_failure for one in resources}
        probed = [mine for resource in resources if (mine := asked_by_holder(resource)).probes]
        unproven = [one.name for one in probed if is_asked(one) and one.name not in works]
        self._unproven = dict.fromkeys(unproven, "no probe has been answered yet")
        self._patience_until_s = patience_until_s
        # Of what is edited once more before it was looked at again, its agent has said it already.
        names = {resource.name for resource in resources}
        self._reloadable = {name: known for name, known in self._reloadable.items() if name in names}
        for resource in resources:
            if resource.name not in self._watches:
                watch = asyncio.create_task(self._watch(resource), name=f"watch {resource.name}")
                self._watches[resource.name] = (resource, watch)
        for resource in probed:
            self._probes.append(asyncio.create_task(self._probe(resource), name=f"probe {resource.name}"))

    async def end(self, *, but: Collection[RenderedResource] = ()) -> None:
        """Watch no more. What is known is kept until it is watched anew.

        `but`: what will be watched next. A watch for one of these stays, for systemd tells only once who stops a
        unit: what falls between two watches is lost."""
        watches = {
            name: (one, watch)
            for name, (one, watch) in self._watches.items()
            if not watch.done() and any(_is_watched_alike(one, other) for other in but)
        }
        gone = [watch for name, (_, watch) in self._watches.items() if name not in watches]
        tasks, self._watches, self._probes = [*self._probes, *gone], watches, []
        await end_tasks(tasks)

    def _forget_but(self, names: Collection[str]) -> None:
        self._states = {name: state for name, state in self._states.items() if name in names}
        self._unwell, self._works_partly, self._suspect = {}, {}, {}
        self._checks.forget_but(names)
        self._down, self._unclear, self._by_admin, self._degraded = (
            {name: why for name, why in known.items() if name in names}
            for known in (self._down, self._unclear, self._by_admin, self._degraded)
        )

    def raise_if_broken(self) -> None:
        """What no driver may raise is a broken program, and ends the process."""
        for task in (*self._probes, *(watch for _, watch in self._watches.values())):
            if task.done() and not task.cancelled():
                task.result()

    async def _watch(self, resource: RenderedResource) -> None:
        try:
            while True:
                why = await self._follow(resource)
                log.warning("driver events lost", extra={"resource": resource.name, "why": why})
                if self._unseen.pop(resource.name, None):
                    self._unclear[resource.name] = why
                    self._notice()
                await asyncio.sleep(FOLLOW_AGAIN_S)
        finally:
            self._notice()

    async def _follow(self, resource: RenderedResource) -> str:
        """Until its driver tells no more; why."""
        try:
            changes: Any = self._system.driver(resource).changes(resource)
            async with aclosing(cast(Any, changes)):
                async for seen in changes:
                    was_suspect = self._checks.suspect.get(resource.name)
                    self._saw(resource.name, await self._checks.weighed(resource, seen))
                    if was_suspect != self._checks.suspect.get(resource.name):
                        self._notice()
        except (OSError, StartFailed, StopFailed) as error:
            return str(error)
        return "its driver reports no more changes"

    def _saw(self, name: str, seen: Seen) -> None:
        before = (
            name in self._unseen,
            self._down.pop(name, ""),
            self._unclear.pop(name, ""),
            self._by_admin.pop(name, ""),
            self._degraded.pop(name, ""),
        )
        self._unseen.pop(name, None)
        self._states[name], self._error_types[name] = seen.state, seen.error_type
        is_news = seen.reloadable is not None and seen.reloadable != self._reloadable.get(name)
        if seen.reloadable is not None:
            self._reloadable[name] = seen.reloadable
        why = seen.by_admin or seen.why or f"is {seen.state.value.lower()}"
        if seen.by_admin:
            self._by_admin[name] = seen.by_admin
        if seen.state in (State.STOPPED, State.FAILED):
            self._down[name] = why
        elif seen.state is not State.RUNNING:
            # It may be running, so it is not restarted; it is not known to be, so it is not called healthy.
            self._unclear[name] = why
        elif seen.why:
            self._degraded[name] = seen.why
        kept = (self._down, self._unclear, self._by_admin, self._degraded)
        if is_news or before != (False, *(known.get(name, "") for known in kept)):
            self._notice()

    async def _probe(self, resource: RenderedResource) -> None:
        try:
            await self._system.probe(resource, lambda verdict, why: self._judge(resource.name, verdict, why))
        finally:
            self._notice()

    def _judge(self, name: str, verdict: Verdict, why: str) -> None:
        before = self._judged(name)
        self._suspect.pop(name, None)
        self._works_partly.pop(name, None)
        if verdict is Verdict.SUSPECT:
            # What works counts as working; what has not been proven to work yet is not proven by that.
            self._suspect[name] = why
        elif verdict is Verdict.WORKS:
            self._works_partly.update({name: why} if why else {})
            self._unwell.pop(name, None)
            self._unproven.pop(name, None)
        elif name in self._unproven and (wait_s := self._patience_until_s - clock_s()) > 0:
            self._unproven[name] = why
            asyncio.get_running_loop().call_later(wait_s, self._lose_patience, name)
        else:
            self._unwell[name] = why
        if before != self._judged(name):
            self._notice()

    def _judged(self, name: str) -> tuple[str | None, ...]:
        return tuple(known.get(name) for known in (self._unwell, self._unproven, self._works_partly, self._suspect))

    def _lose_patience(self, name: str) -> None:
        if self._probes and name in self._unproven and clock_s() >= self._patience_until_s:
            self._unwell[name] = self._unproven[name]
            self._notice()


def _is_watched_alike(one: RenderedResource, other: RenderedResource) -> bool:
    """Whether a driver tells the same of both: of probes it looks only at whether some say that it works."""
    return same_watch(one, other) and is_asked(one) is is_asked(other)
