"""Keeps this host ready for what it may have to run: secures it, looks whether it could be started, and says so.

Looked at when an order or something of ours changes, and regularly, because an admin may remove a unit at any time.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal

from backstay_agent.drivers.base import Driver, StartFailed
from backstay_agent.policy.asking import HostPolicy, NoPolicy
from backstay_api.objects.plain import (
    HeldUnit,
    HostAssignment,
    HostAssignmentStatus,
    RenderedResource,
    StandbyOrder,
    StandbyReport,
    Systemd,
)
from backstay_api.objects.resource_kinds import units_of
from backstay_api.process.waiting import clock_s, within

from .client_probes import ClientProbes, Probing, no_probing
from .common_units import CommonUnits
from .needs import Needs, NoNeeds
from .readiness import AT_ONCE, PATIENCE_S, Examiner
from .scores import Ask, Scores, Service, no_score, question

LOOK_AGAIN_S: Final = 10.0
GIVE_WAY_S: Final = 0.05
"""Until another order is looked at."""
MOST_HELD: Final = 256
MOST_AHEAD: Final = 32
"""Units of which is looked in one round whether they would start by themselves: those that were looked at longest ago."""
MARKED_AT_ONCE: Final = 64
"""Units that are secured together: one reload of systemd serves all whose files have changed before it."""

log = logging.getLogger(__name__)


@dataclass
class Held:
    """A unit that cannot simply be given back: it would start by itself at the next boot."""

    why: str
    is_known: bool = False
    """It was read that a HostAssignment which asks for the unit says so too. Who gives it back after that, by a write that names a version,
    knew it: its service is gone."""
    ask_again: bool = False
    """It is asked for no more, by somebody who may not have known."""


class Keeper:
    """`host_system.Standbys` on any drivers."""

    def __init__(
        self,
        driver: Callable[[RenderedResource], Driver],
        obstacle: Callable[[], str],
        on_change: Callable[[], None],
        marked: Callable[[], Sequence[str]],
        needs: Needs | None = None,
        policy: HostPolicy | None = None,
        score: Ask = no_score,
        probe: Probing = no_probing,
    ) -> None:
        """`marked`: the units on this host that carry our mark and cannot start by themselves."""
        self._driver = driver
        self._marked = marked
        self._on_change = on_change
        self._wake = asyncio.Event()
        self._policy: HostPolicy = policy or NoPolicy()
        self._common = CommonUnits(lambda unit: driver(_unit(unit)).parts(_unit(unit)))
        self._examiner = Examiner(driver, obstacle, needs or NoNeeds(), self._wake.set, self._policy, self._common)
        self._scores = Scores(score, lambda one: driver(one).score(one), self._tell, self._policy.score_refusal)
        self._client_probes = ClientProbes(probe, self._tell)
        self._found: Mapping[str, StandbyReport] = {}
        self._orders: Mapping[str, StandbyOrder] = {}
        self._ours: Mapping[str, Sequence[RenderedResource]] = {}
        self._up: Collection[Service] = frozenset()
        """Services of which a copy is up here, where their scores are asked."""
        self._secured: frozenset[str] | None = None
        """Units to secure, ready or not; None: we have not been told yet, so nothing is given back."""
        self._tried: set[str] = set()
        """To secure together with others, since the units to secure have changed."""
        self._secured_in_this_life: set[str] = set()
        """Its file alone does not say so: an earlier life may have died before systemd had read it."""
        self.reports: dict[str, StandbyReport] = {}
        self._held: dict[str, Held] = {}
        self._looked_at_s: dict[str, float] = {}
        """When a marked unit was looked at last."""

    @property
    def held(self) -> tuple[HeldUnit, ...]:
        # Where there is no room for all, those go first that somebody has to be asked about.
        most = sorted(self._held, key=lambda unit: (not self._held[unit].ask_again, unit))[:MOST_HELD]
        found = ((unit, self._held[unit]) for unit in sorted(most))
        return tuple(HeldUnit(unit=unit, why=held.why, ask_again=held.ask_again) for unit, held in found)

    def update(
        self,
        orders: Mapping[str, StandbyOrder],
        *,
        ours: Mapping[str, Sequence[RenderedResource]],
        secured: frozenset[str] | None,
        up: Collection[Service] = (),
        over: Mapping[str, int] = MappingProxyType({}),
        services: Mapping[str, Service] = MappingProxyType({}),
    ) -> None:
        self._common.update(orders, ours, secured or frozenset(), services)
        self._scores.know_over(over)
        scored = {(one.namespace, one.service) for one in orders.values() if question(one)}
        if (orders, ours, secured, up_ := scored.intersection(up)) != (
            self._orders,
            self._ours,
            self._secured,
            self._up,
        ):
            # What is ordered comes first: a client may wait for that, and both ask the same systemd.
            wait_s = 0.0 if self._secured is None else GIVE_WAY_S
            self._tried = self._tried if secured == self._secured else set()
            self._orders, self._ours, self._secured, self._up = orders, ours, secured, up_
            asyncio.get_running_loop().call_later(wait_s, self._wake.set)

    def read(self, stored: HostAssignment) -> None:
        before = self.held
        for unit in {*stored.spec.secured} & {one.unit for one in stored.status.held} & self._held.keys():
            self._held[unit] = Held(self._held[unit].why, is_known=True)
        if self.held != before:
            self._on_change()

    def says(self, status: HostAssignmentStatus) -> None:
        for unit in self._held.keys() - {one.unit for one in status.held}:
            self._held[unit].is_known = False

    def forget_who_has_read(self) -> None:
        """What is held must be read in the new HostAssignment before its silence means that a service is gone."""
        self._held = {unit: Held(held.why) for unit, held in self._held.items()}

    async def run(self) -> None:
        try:
            await self._look_for_ever()
        finally:
            await self._examiner.end()
            await self._scores.end()
            await self._client_probes.end()

    async def _look_for_ever(self) -> None:
        while True:
            self._wake.clear()
            await self._secure_many()
            await self._scores.follow(self._orders, self._up)
            self._found = await self._examiner.round(self._orders, self._ours)
            self._client_probes.raise_if_broken()
            await self._client_probes.follow(self._orders, self._found)
            self._tell()
            await self._secure_the_rest()
            await within(self._wake, LOOK_AGAIN_S)

    def _tell(self) -> None:
        found = self._client_probes.added(self._scores.added(self._found))
        if found != self.reports:
            self.reports = found
            self._on_change()

    async def _secure_the_rest(self) -> None:
        """Candidates' units wait for our word though nobody asks whether they are ready; what is nobody's is given back."""
        if self._secured is None:
            return
        needed = self._needed()
        marked = frozenset(self._marked())
        await self._secure(sorted(self._secured - (marked & self._secured_in_this_life)))
        before = self.held
        for unit in sorted(self._held.keys() - marked):
            del self._held[unit]
        for unit in self._longest_ago(marked & needed):
            await self._look_ahead(unit)
        for unit in sorted(marked - needed):
            await self._give_back(unit)
        if self.held != before:
            self._on_change()

    def _needed(self) -> frozenset[str]:
        """Units that must wait for our word, as we have been told by now."""
        ordered = (r for order in self._orders.values() for r in order.resources)
        running = (r for resources in self._ours.values() for r in resources)
        return frozenset(units_of((*ordered, *running))) | (self._secured or frozenset())

    async def _secure_many(self) -> None:
        """Few are secured as they are examined; of many, a few at a time, each few would cost a reload."""
        fresh = (self._secured or frozenset()) - self._secured_in_this_life - self._tried
        if len(fresh) > AT_ONCE:
            self._tried |= fresh
            with suppress(TimeoutError):
                async with asyncio.timeout(PATIENCE_S):
                    await self._secure(sorted(fresh))

    async def _secure(self, units: Sequence[str]) -> None:
        turns = asyncio.Semaphore(MARKED_AT_ONCE)

        async def one(unit: str) -> None:
            async with turns:
                await self._mark(_unit(unit), "secure")

        # Whoever may bring a unit says so himself: of these only the names are told.
        await asyncio.gather(*(one(unit) for unit in units if not self._policy.unit_refusal(unit)))

    def _longest_ago(self, units: Collection[str]) -> list[str]:
        """Those whose turn it is."""
        before_s = clock_s() - LOOK_AGAIN_S
        self._looked_at_s = {unit: self._looked_at_s.get(unit, -math.inf) for unit in units}
        due = [unit for unit, at_s in self._looked_at_s.items() if at_s <= before_s]
        return sorted(due, key=lambda unit: (self._looked_at_s[unit], unit))[:MOST_AHEAD]

    async def _look_ahead(self, unit: str) -> None:
        """Say early that it would have to be held: the operator then asks for it for as long as its service exists, and
        when it does so no more, the service is gone."""
        self._looked_at_s[unit] = clock_s()
        why = await self._starts_by_itself(unit)
        if why is None:
            self._held.pop(unit, None)
        else:
            self._held[unit] = Held(why, self._is_known(unit))

    def _is_known(self, unit: str) -> bool:
        return unit in self._held and self._held[unit].is_known

    async def _give_back(self, unit: str) -> None:
        """Not asked for any more. What would start by itself at the next boot is held, if the operator may not know that:
        its service may run elsewhere."""
        why = None if self._is_known(unit) else await self._starts_by_itself(unit)
        if unit in self._needed():
            return  # it is asked for again since this round began
        if why is not None:
            self._held[unit] = Held(why, ask_again=True)
        elif await self._mark(_unit(unit), "unsecure"):
            self._held.pop(unit, None)

    async def _starts_by_itself(self, unit: str) -> str | None:
        try:
            why = await self._driver(_unit(unit)).starts_by_itself(_unit(unit))
        except StartFailed as error:
            return f"it cannot be seen whether it would start by itself: {error}"
        return why and f"{why}; or delete the service"

    async def _mark(self, unit: RenderedResource, what: Literal["secure", "unsecure"]) -> bool:
        driver = self._driver(unit)
        try:
            await (driver.secure(unit) if what == "secure" else driver.unsecure(unit))
            (self._secured_in_this_life.add if what == "secure" else self._secured_in_this_life.discard)(unit.name)
        except StartFailed as error:
            # A candidate that lacks the unit is not ready, and says so when it is asked.
            log.debug("unit not secured", extra={"unit": unit.name, "what": what, "why": str(error)})
            return False
        return True


def _unit(unit: str) -> RenderedResource:
    return RenderedResource(name=unit, systemd=Systemd(unit=unit))
