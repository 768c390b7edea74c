"""How long an agent with roles is notified of its own promote and demote, and that what others do is waited for by neither."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, Final, cast

import pytest

from backstay_agent.drivers.base import Notification, StartFailed
from backstay_agent.drivers.ocf import agents as agents_module
from backstay_agent.drivers.ocf import driver as driver_module
from backstay_agent.drivers.ocf import helpers
from backstay_agent.drivers.ocf.agents import Agents
from backstay_agent.drivers.ocf.driver import OcfDriver
from backstay_agent.drivers.ocf.metadata import Action, Metadata
from backstay_agent.drivers.tools import start_units
from backstay_agent.drivers.tools.transient import Ended
from backstay_agent.drivers.tools.watch import Properties
from backstay_api.objects.plain import Ocf, RenderedResource
from backstay_api.process.waiting import clock_s
from backstay_dev.simulator.virtualtime import in_virtual_time

COPY: Final = Ocf(agent="d:x", instance="db", copies=2)
PROMOTION: Final = Ocf(agent="d:x", instance="db", copies=2, role="Promoted")
METADATA: Final = Metadata({}, (Action("notify", 90.0), Action("promote", 30.0)))
"""As with `pgsql`, a notification may take longer than what it is about."""


def answering(value: object) -> Callable[..., Any]:
    async def answer(*asked: object, **more: object) -> object:
        await asyncio.sleep(0)
        return value

    return answer


class Scene:
    """A driver of agents that take their time; a fake of systemd and of the programs."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, notify_s: float, promote_s: float = 0.0) -> None:
        self.ended: list[str] = []
        self._notify_s, self._promote_s = notify_s, promote_s
        monkeypatch.setattr(helpers, "Shared", lambda resource: SimpleNamespace(told={}))
        monkeypatch.setattr(agents_module, "told_to", lambda *told, **more: {})
        self.agents = Agents(cast(Any, None))
        monkeypatch.setattr(self.agents, "known", answering(METADATA))
        monkeypatch.setattr(self.agents, "_ask", self._notified)
        self.is_wanted: Callable[[Properties], bool] | None = None
        manager = {name: answering(None) for name in ("reset_failed", "refresh")}
        manager["start_transient"] = self._start_transient
        self.driver = OcfDriver(cast(Any, SimpleNamespace(watch=self._watch, **manager)))
        self.driver._agents = self.agents
        for name, value in (("_unfit", None), ("_same_unique", None), ("_start_settings", []), ("_is_up", True)):
            monkeypatch.setattr(self.driver, name, answering(value))
        monkeypatch.setattr(self.driver, "_until_ended", self._promoted)
        monkeypatch.setattr(driver_module, "with_last_words", answering("late"))
        monkeypatch.setattr(driver_module, "state_words", lambda watch: "activating")
        monkeypatch.setattr(driver_module, "bring_down", answering(""))

    @asynccontextmanager
    async def _watch(self, unit: str) -> AsyncIterator[Any]:
        yield SimpleNamespace(active="inactive", unit=unit, lost=False, properties={})

    async def _start_transient(self, *_: object, is_wanted: Callable[[Properties], bool]) -> None:
        await asyncio.sleep(0)
        self.is_wanted = is_wanted

    async def _notified(self, ocf: Ocf, operation: str, limit_s: float, told: Mapping[str, str]) -> Ended:
        await asyncio.sleep(self._notify_s)
        self.ended.append("-".join(told[f"OCF_RESKEY_CRM_meta_notify_{part}"] for part in ("type", "operation")))
        return Ended(0, "d:x", "exited with 0")

    async def _promoted(self, watch: object) -> None:
        await asyncio.sleep(self._promote_s)
        self.ended.append("promote")

    async def promote(self) -> None:
        await self.driver._start(thing(PROMOTION))


def thing(ocf: Ocf) -> RenderedResource:
    return RenderedResource(name="db", ocf=ocf)


@in_virtual_time
async def test_before_its_own_promote_an_agent_is_notified_which_takes_nothing_of_its_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    scene, begun_s = Scene(monkeypatch, notify_s=25, promote_s=20), clock_s()
    await scene.promote()
    assert scene.ended == ["pre-promote", "promote"] and clock_s() - begun_s == pytest.approx(45)


@in_virtual_time
async def test_a_unit_that_systemd_has_kept_is_not_started_with_what_somebody_has_edited_since(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    scene = Scene(monkeypatch, notify_s=1)
    await scene.promote()
    assert scene.is_wanted
    kept = {"Environment": start_units.memory(thing(PROMOTION), "backstay-ocf-x.service")}
    before = {
        "Environment": start_units.memory(thing(replace(PROMOTION, parameters={"port": "1"})), "backstay-ocf-x.service")
    }
    assert scene.is_wanted(kept) and not scene.is_wanted(before)


@in_virtual_time
async def test_a_promote_has_its_own_time_after_the_notification_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    scene, begun_s = Scene(monkeypatch, notify_s=25, promote_s=1000), clock_s()
    with pytest.raises(StartFailed):
        await scene.promote()
    assert scene.ended == ["pre-promote"] and clock_s() - begun_s == pytest.approx(55)


@in_virtual_time
async def test_what_others_do_while_it_is_notified_of_its_own_is_waited_for_no_more_than_before_that(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    scene = Scene(monkeypatch, notify_s=5)
    own = asyncio.create_task(scene.driver._announce(PROMOTION, "demote", 30.0))
    await asyncio.sleep(1)
    others = asyncio.create_task(scene.driver.notify(thing(COPY), Notification("start", ("n2",))))
    await own
    await asyncio.sleep(1)
    assert others.done() and not scene.agents.turn(PROMOTION).locked() and scene.ended == ["pre-demote"]
