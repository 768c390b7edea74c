"""Examines the resources of each standby: could they be started here, does something of them run here already, and why (not).

One that does not answer stands in nobody's way: the others are told of, and it is not ready for as long as it is silent.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Final

from backstay_agent.drivers.base import Driver, Seen, StartFailed, State, StopFailed
from backstay_agent.drivers.tools.service_mounts import mounted_by
from backstay_agent.policy.asking import HostPolicy, NotTold
from backstay_agent.tasks import end_tasks
from backstay_api.objects.names import key_of
from backstay_api.objects.plain import RenderedResource, StandbyOrder, StandbyReport
from backstay_api.objects.policies import runs_programs
from backstay_api.objects.resource_kinds import kinds_in, units_of
from backstay_api.objects.texts import clip
from backstay_api.process.waiting import clock_s

from .common_units import CommonUnits
from .needs import Needs

PATIENCE_S: Final = 5.0
"""Until what is still being examined counts as not ready. It is examined to its end all the same."""
AT_ONCE: Final = 8
"""Examinations that look at the host together: enough for quick answers, and few beside the host's own work."""
DOWN: Final = (State.STOPPED, State.FAILED)

log = logging.getLogger(__name__)

Ours = Sequence[RenderedResource]


@dataclass(frozen=True)
class Finding:
    """What was found about one resource."""

    resource: str
    whys: tuple[str, ...] = ()
    active: str = ""
    """What of it runs here that we have not started, or why nobody can say; empty if nothing does."""
    unclear: bool = False
    """Nobody can say."""
    may_look: bool = True
    """A look at it runs nothing that the host's policy refuses."""


@dataclass
class _Examination:
    """One under way, or waiting for its turn."""

    order: StandbyOrder
    ours: Ours
    task: asyncio.Task[StandbyReport]
    begun_at_s: float | None = None
    at: RenderedResource | None = None
    """What is looked at now."""

    def hangs(self, now_s: float) -> bool:
        return (
            self.begun_at_s is not None and now_s - self.begun_at_s > PATIENCE_S / 2
        )  # the round has waited for all of it


class Examiner:
    """Examinations under way, by UID of the HAInstance."""

    def __init__(
        self,
        driver: Callable[[RenderedResource], Driver],
        obstacle: Callable[[], str],
        needs: Needs,
        on_news: Callable[[], None],
        policy: HostPolicy,
        common: CommonUnits,
    ) -> None:
        self._policy, self._common = policy, common
        self._driver = driver
        self._obstacle = obstacle
        self._needs = needs
        self._on_news = on_news
        self._under_way: dict[str, _Examination] = {}
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._last: dict[str, StandbyReport] = {}
        self._watches: dict[tuple[str, str], asyncio.Task[None]] = {}

    async def round(self, orders: Mapping[str, StandbyOrder], ours: Mapping[str, Ours]) -> dict[str, StandbyReport]:
        """Examine all of them, or go on with those that have not answered yet."""
        await self._forget(orders, ours)
        for uid, order in orders.items():
            if uid not in self._under_way:
                mine = tuple(ours.get(uid, ()))
                task = asyncio.create_task(
                    self._in_turn(uid, order, mine), name=f"examine {key_of(order.namespace, order.name)}"
                )
                self._under_way[uid] = _Examination(order, mine, task)
        if self._under_way:
            await asyncio.wait([one.task for one in self._under_way.values()], timeout=PATIENCE_S)
        answers = {uid: self._answer(uid, order) for uid, order in orders.items()}
        self._last = {uid: report for uid, report in answers.items() if report is not None}
        return self._last

    async def end(self) -> None:
        under_way, self._under_way = self._under_way, {}
        watches, self._watches = self._watches, {}
        await end_tasks([*(one.task for one in under_way.values()), *watches.values()])

    async def _forget(self, orders: Mapping[str, StandbyOrder], ours: Mapping[str, Ours]) -> None:
        """What nobody asks for any more, or asks otherwise."""
        old = [
            uid
            for uid, one in self._under_way.items()
            if orders.get(uid) != one.order or tuple(ours.get(uid, ())) != one.ours
        ]
        ended = [key for key in self._watches if key[0] not in orders or self._watches[key].done()]
        await end_tasks([self._under_way.pop(uid).task for uid in old] + [self._watches.pop(key) for key in ended])

    async def _in_turn(self, uid: str, order: StandbyOrder, ours: Ours) -> StandbyReport:
        async with self._turns:
            self._under_way[uid].begun_at_s = clock_s()
            examining = asyncio.create_task(
                self._examine(uid, order, ours), name=f"look {key_of(order.namespace, order.name)}"
            )
            try:
                # One that hangs keeps nobody from his turn.
                await asyncio.wait([examining], timeout=PATIENCE_S)
            except asyncio.CancelledError:
                await end_tasks([examining])
                raise
        try:
            return await examining
        finally:
            await end_tasks([examining])

    def _answer(self, uid: str, order: StandbyOrder) -> StandbyReport | None:
        """None: it has not been its turn yet, and nothing is known of this revision."""
        one = self._under_way[uid]
        if one.task.done():
            del self._under_way[uid]
            return one.task.result()
        one.task.add_done_callback(lambda _: self._on_news())
        if not one.hangs(clock_s()):
            last = self._last.get(uid)
            return last if last is not None and last.revision == order.revision else None
        # UNKNOWN counts as running, but for what runs here by us.
        unclear, why = any(resource not in one.ours for resource in order.resources), self._not_yet(one)
        return StandbyReport(ready=False, active=unclear, unclear=unclear, revision=order.revision, why=why)

    def _not_yet(self, one: _Examination) -> str:
        """Why nobody can say yet: the same question may have its answer in a moment."""
        waits_for = self._driver(one.at).waits_for(one.at) if one.at else ""
        because = waits_for or f"something on this host does not answer within {PATIENCE_S:g} s"
        return f"{f'{one.at.name}: ' if one.at else ''}not examined yet, because {because}"

    async def _examine(self, uid: str, order: StandbyOrder, ours: Ours) -> StandbyReport:
        obstacle = self._obstacle()
        whys = [obstacle] if obstacle else []
        findings: list[Finding] = []
        with mounted_by(order.resources):
            for resource in order.resources:
                self._under_way[uid].at = resource
                findings.append(await self._find(resource, order.namespace, is_ours=resource in ours))
        for resource, found in zip(order.resources, findings, strict=True):
            if found.active and found.may_look and (uid, resource.name) not in self._watches:
                self._watches[uid, resource.name] = asyncio.create_task(self._until_down(resource))
            whys += found.whys
        whys += self._common.against(uid, order.resources)
        active = [found for found in findings if found.active]
        text = clip("; ".join(dict.fromkeys([*(found.active for found in active), *whys])))
        # One that plainly runs is enough: it is to be stopped, whatever else cannot be seen.
        unclear = bool(active) and all(found.unclear for found in active)
        return StandbyReport(
            ready=not whys,
            active=bool(active),
            running=tuple(found.resource for found in active if not found.unclear),
            unclear=unclear,
            revision=order.revision,
            why=text,
        )

    async def _find(self, resource: RenderedResource, namespace: str, *, is_ours: bool) -> Finding:
        try:
            refused = (await self._policy.refused(namespace, [resource])).removeprefix(f"{resource.name}: ")
            if refused and runs_programs(resource):
                said = f"{resource.name}: {refused}; so nobody may look whether it runs here either"
                return Finding(resource.name, (said,), "" if is_ours else said, unclear=not is_ours, may_look=False)
            whys, loose = await self._why_not(resource, refused)
            # Only when it cannot start by itself any more: what is down now stays down.
            seen = Seen(State.STOPPED) if is_ours else await self._driver(resource).check(resource)
            active = active_words(resource, seen)
            whys += [] if refused else await self._needs.of(resource, is_down=not is_ours and not active)
            if loose and not is_ours and not active:
                return Finding(resource.name, (f"{resource.name}: {loose}",), f"{resource.name}: {loose}", unclear=True)
        except Exception as error:
            # Whatever it is, it is this resource's: the others are examined, and this host is not ready for it.
            if not isinstance(error, StartFailed | StopFailed | NotTold | OSError):
                log.exception("resource could not be examined", extra={"resource": resource.name})
            why = f"it could not be examined: {error or type(error).__name__}"
            said = f"{resource.name}: {why}"
            return Finding(resource.name, (said,), "" if is_ours else said, unclear=not is_ours)
        named = tuple(f"{resource.name}: {why}" for why in whys)
        unclear = seen.state is State.UNKNOWN and not seen.left
        return Finding(resource.name, named, active and f"{resource.name}: {active}", unclear)

    async def _why_not(self, resource: RenderedResource, refused: str) -> tuple[list[str], str]:
        """Why it could not be started here; and why it would be at the next boot, without us, where nothing keeps it from that.

        The first epoch waits for the latter (PROTOCOL 6): granted elsewhere meanwhile, it would run twice after that boot.
        """
        driver = self._driver(resource)
        try:
            if refused:
                raise StartFailed(refused)
            await driver.secure(resource)
        except StartFailed as error:
            by_itself = await driver.starts_by_itself(resource)
            return [str(error)], f"{error}; {by_itself}" if by_itself else ""
        why = await driver.not_ready(resource)
        return [why] if why else [], ""

    async def _until_down(self, resource: RenderedResource) -> None:
        """Somebody will stop it, as the status asks: that is noticed at once, and not only at the next look."""
        was_up = False
        try:
            changes: Any = self._driver(resource).changes(resource)
            async with aclosing(changes):
                async for seen in changes:
                    if seen.state in DOWN:
                        break
                    was_up = True
        except (StartFailed, StopFailed, OSError) as error:
            log.debug("driver events lost", extra={"resource": resource.name, "why": str(error)})
            return
        if was_up:  # else it is for the next look to settle: nothing has changed
            self._on_news()


def active_words(resource: RenderedResource, seen: Seen) -> str:
    """What of it runs here, and how it is stopped; empty if nothing does. UNKNOWN counts as running: the first epoch waits for it."""
    if seen.state in DOWN:
        return ""
    said = seen.by_admin or seen.why
    stop = next((kind.stop_by_hand(spec) for kind, spec in kinds_in([resource])), "")
    if stop and seen.state is not State.UNKNOWN:
        up = next((f"{unit} is active" for unit in units_of([resource])), "it is up")
        return f"{said or up} and was not started by Backstay: {stop}"
    return said or f"it is {seen.state.value.lower()}, not started by Backstay"
