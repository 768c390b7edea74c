"""Looks at what services need and nobody starts (files, packages, certificates, endpoints), and says what is seen of it.

Where a service runs as well as where it may run: what is compared with what, and what follows from it, the operator decides. Looked at
when an order changes, and regularly.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final

from backstay_agent.drivers.base import Observed
from backstay_api.objects.names import key_of
from backstay_api.objects.plain import (
    ExpectedCopy,
    PrerequisiteFinding,
    PrerequisiteOrder,
    PrerequisiteReport,
    RenderedPrerequisite,
)
from backstay_api.objects.prerequisites import differences
from backstay_api.objects.resource_kinds import identity
from backstay_api.objects.texts import clip
from backstay_api.process.waiting import within

LOOK_AGAIN_S: Final = 10.0
AT_ONCE: Final = 4
"""Looks at a time: few beside the host's own work, and enough that one that hangs keeps no other waiting."""
MOST_CHARS: Final = 300
"""Of each sentence and fact: a host reports of hundreds of services in one object."""

log = logging.getLogger(__name__)


class Verifier:
    """What is seen, by UID of the HAInstance; what was not looked at yet is missing."""

    def __init__(
        self,
        look: Callable[[RenderedPrerequisite, str], Awaitable[Observed]],
        on_change: Callable[[], None],
        refusal: Callable[[str, Sequence[RenderedPrerequisite]], str] = lambda namespace, resources: "",
    ) -> None:
        """`refusal`: why the host's policy does not let services of a namespace have these looked at; empty if it does."""
        self._look, self._refusal = look, refusal
        self._on_change = on_change
        self._orders: Mapping[str, PrerequisiteOrder] = {}
        self._wake = asyncio.Event()
        self._turns, self._turns_of_starts = asyncio.Semaphore(AT_ONCE), asyncio.Semaphore(AT_ONCE)
        """A start does not wait for what only stands by to be looked at."""
        self.reports: dict[str, PrerequisiteReport] = {}

    def update(self, orders: Mapping[str, PrerequisiteOrder]) -> None:
        """What to look at from now on."""
        if orders != self._orders:
            self._orders = orders
            self._wake.set()

    def look_again(self) -> None:
        """Something is known to be otherwise."""
        self._wake.set()

    async def drifted(self, uid: str, expects: Sequence[ExpectedCopy]) -> str:
        """What is not (any more) as it was when this host was chosen, in a sentence: looked at now. Empty: all is."""
        order = self._orders.get(uid)
        wanted = {one.name: one for one in order.resources} if order else {}
        known = [one for one in expects if order and one.name in wanted]
        looks = (self._seen(uid, order.namespace, wanted[one.name], self._turns_of_starts) for one in known if order)
        found = await asyncio.gather(*looks)
        pairs = zip(known, found, strict=True)
        whys = [f"{one.name}: {why}" for one, seen in pairs if (why := _change(wanted[one.name], one, seen))]
        return "; ".join(whys)

    async def run(self) -> None:
        """Look, and look again, until cancelled."""
        while True:
            self._wake.clear()
            await self._round()
            if self._orders:
                await within(self._wake, LOOK_AGAIN_S)
            else:
                await self._wake.wait()

    async def _round(self) -> None:
        orders = self._orders
        self._told({uid: report for uid, report in self.reports.items() if uid in orders})
        async with asyncio.TaskGroup() as tasks:
            for uid, order in orders.items():
                tasks.create_task(
                    self._report(uid, order), name=f"prerequisites of {key_of(order.namespace, order.name)}"
                )

    async def _report(self, uid: str, order: PrerequisiteOrder) -> None:
        looks = (self._seen(uid, order.namespace, one, self._turns) for one in order.resources)
        findings = await asyncio.gather(*looks)
        self._told({**self.reports, uid: PrerequisiteReport(revision=order.revision, findings=tuple(findings))})

    def _told(self, reports: dict[str, PrerequisiteReport]) -> None:
        if reports != self.reports:
            self.reports = reports
            self._on_change()

    async def _seen(
        self, uid: str, namespace: str, resource: RenderedPrerequisite, turns: asyncio.Semaphore
    ) -> PrerequisiteFinding:
        async with turns:
            try:
                refused = self._refusal(namespace, [resource])
                seen = Observed(refused) if refused else await self._look(resource, uid)
            except Exception as error:
                # Whatever it is, it is this one's: the others are looked at. Its words might quote what was read.
                log.warning("prerequisite not seen", extra={"resource": resource.name, "error": type(error).__name__})
                seen = Observed(f"it could not be looked at: {type(error).__name__}")
        facts = {name: clip(fact, MOST_CHARS) for name, fact in seen.facts.items()}
        return PrerequisiteFinding(name=resource.name, why=clip(seen.why, MOST_CHARS), facts=facts)


def _change(resource: RenderedPrerequisite, expected: ExpectedCopy, seen: PrerequisiteFinding) -> str:
    # Alone what it was chosen by: what could be in its place counts no more.
    here = {name: fact for name, fact in seen.facts.items() if name in expected.facts}
    how = differences(here, expected.facts, ())
    return seen.why or (f"{identity(resource)} is not as when this host was chosen: {', '.join(how)}" if how else "")
