"""Probes `from: Standby`: while a service runs elsewhere, a host that could take over asks after it through the network, as its clients do.

What is found tells of the way between two hosts as much as of the service: it is reported, and nothing here acts on it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from backstay_agent.core.health import Verdict
from backstay_agent.host_system import OnVerdict
from backstay_agent.tasks import end_tasks
from backstay_api.objects.plain import RenderedResource, StandbyOrder, StandbyReport
from backstay_api.objects.probe_kinds import asked_by_others
from backstay_api.objects.texts import clip

Probing = Callable[[RenderedResource, OnVerdict], Coroutine[Any, Any, None]]
"""`HostSystem.probe`."""
_Asked = tuple[int, Sequence[RenderedResource]]
"""Epoch, and the resources with those probes alone that are asked here."""


async def no_probing(resource: RenderedResource, on_verdict: OnVerdict) -> None:
    """Of a host that asks nobody."""


@dataclass
class _Service:
    """One that runs elsewhere, and what is known of it."""

    asked: _Asked
    tasks: list[asyncio.Task[None]] = field(default_factory=list)
    whys: dict[str, str] = field(default_factory=dict)
    """By name of the resource."""

    @property
    def why(self) -> str:
        return clip("; ".join(f"{name}: {why}" for name, why in sorted(self.whys.items()) if why))


class ClientProbes:
    """By UID of the HAInstance."""

    def __init__(self, probe: Probing, on_news: Callable[[], None]) -> None:
        self._probe, self._on_news = probe, on_news
        self._services: dict[str, _Service] = {}

    async def follow(self, orders: Mapping[str, StandbyOrder], reports: Mapping[str, StandbyReport]) -> None:
        """Ask these from now on, and no others. A host asks only while it is ready: what is missing here would say nothing of the
        service, and what the host's policy refuses is not run."""
        ready = {uid: order for uid, order in orders.items() if uid in reports and reports[uid].ready}
        wanted = {uid: asked for uid, order in ready.items() if (asked := _asked(order))}
        await self._end([uid for uid, one in self._services.items() if wanted.get(uid) != one.asked])
        for uid, asked in wanted.items():
            if uid not in self._services:
                self._services[uid] = one = _Service(asked)
                one.tasks = [self._begun(one, resource) for resource in asked[1]]

    def raise_if_broken(self) -> None:
        """What no probe may raise is a broken program, and ends the process: else its last word would stand for ever."""
        for task in (task for one in self._services.values() for task in one.tasks):
            if task.done() and not task.cancelled():
                task.result()

    async def end(self) -> None:
        await self._end(list(self._services))

    def added(self, reports: Mapping[str, StandbyReport]) -> dict[str, StandbyReport]:
        """The reports with what gets no good answer."""
        whys = {uid: (one.asked[0], why) for uid, one in self._services.items() if (why := one.why)}
        return {
            uid: replace(report, no_answer_epoch=whys[uid][0], no_answer=whys[uid][1]) if uid in whys else report
            for uid, report in reports.items()
        }

    def _begun(self, service: _Service, resource: RenderedResource) -> asyncio.Task[None]:
        asking = self._probe(resource, partial(self._note, service, resource.name))
        return asyncio.create_task(asking, name=f"probe {resource.name} as a client")

    def _note(self, service: _Service, resource: str, verdict: Verdict, why: str) -> None:
        service.whys[resource] = why
        self._on_news()

    async def _end(self, uids: Sequence[str]) -> None:
        await end_tasks([task for uid in uids for task in self._services.pop(uid).tasks])


def _asked(order: StandbyOrder) -> _Asked | None:
    resources = tuple(one for one in map(asked_by_others, order.resources) if one.probes)
    return (order.ask_epoch, resources) if order.ask_epoch and resources else None
