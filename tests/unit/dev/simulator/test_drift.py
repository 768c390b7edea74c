"""The simulator's judge of a file that differs: grants go where it is as it ran, first starts go by what their host was chosen by."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from backstay_agent.drivers.base import Observed
from backstay_api.client.api import EventType
from backstay_api.memory.server import Change
from backstay_api.objects.kinds import Raw
from backstay_api.objects.object_kinds import HA_INSTANCES, HA_SERVICES, HOST_ASSIGNMENTS
from backstay_dev.simulator.drift import FILE, LATE_S, DriftWatch
from backstay_dev.simulator.machines import Machine
from backstay_dev.simulator.processes import SimulationLoop

ONE: Raw = {"name": FILE, "facts": {"content": "one"}}
TWO: Raw = {"name": FILE, "facts": {"content": "two"}}
GONE: Raw = {"name": FILE, "why": "it does not exist"}


def service(gate: str = "Block", **ran: Any) -> Change:
    """web, and what it ran well with on n1."""
    told = [{**ONE, "host": "n1", **ran}]
    body: Raw = {"spec": {"resources": [{"name": FILE, "gate": gate}]}, "status": {"lastRanWith": told}}
    return Change(1, EventType.MODIFIED, HA_SERVICES.resource, ("shop", "web"), body, None, "operator")


def seen(host: str, finding: Raw) -> Change:
    body: Raw = {"status": {"prerequisites": {"uid-web": {"findings": [finding]}}}}
    return Change(1, EventType.MODIFIED, HOST_ASSIGNMENTS.resource, ("", host), body, None, "agent")


def granted(host: str, epoch: int = 2) -> Change:
    spec: Raw = {"service": {"name": "web"}, "epoch": epoch, "grant": {"host": host}}
    body: Raw = {"metadata": {"uid": "uid-web"}, "spec": spec}
    return Change(1, EventType.MODIFIED, HA_INSTANCES.resource, ("shop", "web-0"), body, None, "operator")


def ordered(host: str, *findings: Raw, epoch: int = 2) -> Change:
    """The order to start it there; if several are given, the last takes the place of the first."""
    orders = [{"service": "web", "want": "Up", "epoch": epoch, "expects": [one]} for one in findings]
    before: Raw = {"spec": {"instances": {"uid-web": orders[0]} if len(orders) > 1 else {}}}
    body: Raw = {"spec": {"instances": {"uid-web": orders[-1]}}}
    return Change(1, EventType.MODIFIED, HOST_ASSIGNMENTS.resource, ("", host), body, before, "operator")


def said(*steps: Change | float | Callable[[DriftWatch], object]) -> list[str]:
    """Of what somebody is accused: changes, seconds that pass, and what machines do."""
    accusations: list[str] = []
    loop = SimulationLoop(seed=1, limit_s=3600)
    watch = DriftWatch(accusations.append, lambda host: "its agent")

    async def live() -> None:
        for step in steps:
            if isinstance(step, Change):
                watch.observe(step)
            elif isinstance(step, float):
                await asyncio.sleep(step)
            else:
                step(watch)

    loop.run_until_complete(live())
    loop.close()
    return accusations


LATER = LATE_S + 1.0


@pytest.mark.parametrize(
    ("steps", "is_accused"),
    [
        pytest.param((service(), seen("n1", ONE), seen("n2", ONE)), False, id="as where it ran"),
        pytest.param((service(), seen("n1", ONE), seen("n2", TWO)), True, id="another"),
        pytest.param((service("Warn"), seen("n1", ONE), seen("n2", TWO)), False, id="another, and its gate only warns"),
        pytest.param((service(), seen("n1", ONE), seen("n2", GONE)), True, id="it is gone"),
        pytest.param((service(), seen("n1", ONE)), True, id="nobody has looked"),
        pytest.param(
            (service(), seen("n1", ONE), seen("n2", ONE), seen("n2", TWO)), False, id="another since a moment"
        ),
        pytest.param((service(), seen("n1", ONE), seen("n2", ONE), seen("n2", TWO), LATER), True, id="and since long"),
        pytest.param((service(), seen("n1", TWO), seen("n2", TWO)), False, id="both were edited"),
        pytest.param(
            (service(before={"content": "two"}), seen("n1", ONE), seen("n2", TWO)), False, id="it ran well with that"
        ),
        pytest.param(
            (service("Strict", before={"content": "two"}), seen("n1", ONE), seen("n2", TWO)), True, id="strictly"
        ),
    ],
)
def test_a_grant_goes_where_the_file_is_as_it_ran(steps: tuple[Change | float, ...], is_accused: bool) -> None:
    assert bool(said(*steps, granted("n2"))) is is_accused


def starts(content: str, *, edited_s: float = float("-inf")) -> Callable[[DriftWatch], None]:
    """n2 starts web, having that."""
    machine = Machine("n2", lambda who, what: None, edited_s=edited_s)
    machine.state.looks[FILE] = Observed("", {"content": content})
    return lambda watch: watch.on_act(machine, "web", "start")


def test_the_first_start_of_an_epoch_goes_by_what_its_host_was_chosen_by() -> None:
    assert said(ordered("n2", ONE), starts("one")) == []
    assert said(ordered("n2", ONE), starts("two")) == [
        "n2 starts web epoch 2 with {'content': 'two'}, chosen by {'content': 'one'}"
    ]
    assert said(ordered("n2", ONE), starts("one"), starts("two")) == [], "what ran there may run there"
    assert said(ordered("n2", ONE), starts("two", edited_s=float("inf"))) == [], "it was edited this moment"


def test_what_a_host_was_chosen_by_does_not_change_within_an_epoch() -> None:
    assert said(ordered("n2", ONE), ordered("n2", TWO, epoch=3)) == []
    assert said(ordered("n2", ONE), ordered("n2", TWO)) == [], (
        "it was gone meanwhile: an operator of late writes it anew"
    )
    assert len(said(ordered("n2", ONE, TWO))) == 1
