"""What an OCF agent with roles is notified of, and when: before its own promote and demote, and of others' once they are done."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import pytest

from backstay_agent.drivers.base import Notification
from backstay_agent.drivers.ocf import helpers, notifying
from backstay_agent.drivers.ocf.agents import Agents
from backstay_agent.drivers.ocf.metadata import Action, Metadata
from backstay_agent.drivers.tools.transient import Ended
from backstay_api.objects.plain import Ocf

HOST = os.uname().nodename
COPY = Ocf(agent="d:x", instance="db", copies=3)
PROMOTION = Ocf(agent="d:x", instance="db", copies=3, role="Promoted")


class Notified:
    """An agent that answers so, and keeps what it was told; a fake of `Agents`."""

    def __init__(self, *codes: int | None, has_notify: bool = True) -> None:
        self.codes, self.said, self.limits_s = list(codes), list[str](), list[float]()
        self.metadata = Metadata({}, (Action("notify", 3.0),) if has_notify else ())

    async def known(self, ocf: Ocf) -> Metadata:
        await asyncio.sleep(0)
        return self.metadata

    async def notify(self, ocf: Ocf, limit_s: float, about: Mapping[str, str]) -> Ended | None:
        await asyncio.sleep(0)
        self.limits_s.append(limit_s)
        operation = about["notify_operation"]
        told = (about["notify_active_uname"], about["notify_promoted_uname"], about[f"notify_{operation}_uname"])
        self.said.append(f"{about['notify_type']}-{operation}: {' | '.join(told)}")
        code = self.codes.pop(0) if self.codes else 0
        return None if code is None else Ended(code, "d:x", f"exited with {code}", "no room" if code else "")

    @property
    def agents(self) -> Agents:
        return cast(Agents, self)


@pytest.fixture(autouse=True)
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> helpers.Shared:
    shared = helpers.Shared("db", (tmp_path / "run", tmp_path / "var"))
    monkeypatch.setattr(helpers, "Shared", lambda resource: shared)
    shared.tell("n2", ["n2", "n3"], {})
    return shared


def test_of_what_happens_elsewhere_it_is_told_both_before_and_after_once_it_has_happened() -> None:
    agent = Notified()
    assert asyncio.run(notifying.notify(agent.agents, COPY, Notification("promote", ("n2",), (HOST, "n2")))) == ""
    lists = f"{' '.join(sorted((HOST, 'n2')))} |   | n2"
    assert agent.said == [f"pre-promote: {lists}", f"post-promote: {lists}"]


def test_of_what_was_done_here_it_was_told_before() -> None:
    agent = Notified()
    assert asyncio.run(notifying.notify(agent.agents, COPY, Notification("promote", (HOST,), (HOST, "n2")))) == ""
    assert [said.partition(":")[0] for said in agent.said] == ["post-promote"]


@pytest.mark.parametrize(("operation", "promoted"), [("promote", "n2"), ("demote", HOST)])
def test_before_its_own_it_is_told_where_copies_are_and_which_is_promoted(operation: Any, promoted: str) -> None:
    agent = Notified()
    asyncio.run(notifying.before(agent.agents, PROMOTION, operation, 30.0))
    assert agent.said == [f"pre-{operation}: {' '.join(sorted((HOST, 'n2', 'n3')))} | {promoted} | {HOST}"]


@pytest.mark.parametrize(("most_s", "limit_s"), [(30.0, 3.0), (2.0, 2.0)])
def test_no_notification_of_its_own_takes_longer_than_its_operation_may(most_s: float, limit_s: float) -> None:
    agent = Notified()
    asyncio.run(notifying.before(agent.agents, PROMOTION, "demote", most_s))
    assert agent.limits_s == [limit_s]


def test_what_failed_is_said_and_holds_nothing_up(caplog: pytest.LogCaptureFixture) -> None:
    agent = Notified(1, 1)
    why = asyncio.run(notifying.notify(agent.agents, COPY, Notification("stop", ("n2",))))
    assert why.count("no room") == 2 and "pre-stop: " in why and "; post-stop: " in why
    asyncio.run(notifying.before(Notified(1).agents, PROMOTION, "demote", 30.0))
    assert "an agent with roles was notified, and failed" in caplog.text


def test_that_its_agent_cannot_be_run_keeps_nothing_from_being_demoted(caplog: pytest.LogCaptureFixture) -> None:
    """A demote runs in a unit of its own: what keeps us from asking need not keep systemd from that."""

    class NoProcess(Notified):
        async def notify(self, ocf: Ocf, limit_s: float, about: Mapping[str, str]) -> Ended | None:
            await asyncio.sleep(0)
            raise BlockingIOError("Resource temporarily unavailable")

    asyncio.run(notifying.before(NoProcess().agents, PROMOTION, "demote", 30.0))
    assert "an agent with roles was notified, and failed" in caplog.text


def test_what_is_cut_short_is_told_no_further() -> None:
    agent = Notified(None)
    assert asyncio.run(notifying.notify(agent.agents, COPY, Notification("promote", ("n2",)))) == ""
    assert len(agent.said) == 1


def test_an_agent_without_notify_is_told_nothing() -> None:
    agent = Notified(has_notify=False)
    asyncio.run(notifying.before(agent.agents, PROMOTION, "promote", 30.0))
    assert (
        asyncio.run(notifying.notify(agent.agents, COPY, Notification("promote", ("n2",)))) == "" and agent.said == []
    )
