"""Probes from: Standby: asked by a host that is ready while the service runs elsewhere, and only reported."""

from __future__ import annotations

import asyncio

import pytest

from backstay_agent.core.health import Verdict
from backstay_agent.host_system import OnVerdict
from backstay_agent.standby.client_probes import ClientProbes
from backstay_api.objects.plain import HttpGet, Probe, RenderedResource, StandbyOrder, StandbyReport, Systemd, TcpSocket
from backstay_dev.simulator.virtualtime import in_virtual_time

EYE = Probe(name="eye", http_get=HttpGet(port=80, host="192.0.2.10"), from_="Standby")
OWN = Probe(name="own", tcp_socket=TcpSocket(port=80))
WEB = RenderedResource(name="web", systemd=Systemd(unit="web.service"), probes=(OWN, EYE))
PLAIN = RenderedResource(name="plain", systemd=Systemd(unit="plain.service"), probes=(OWN,))
READY = {"uid": StandbyReport(ready=True)}
REFUSED = "probe eye: connection refused"


class Asked:
    """What is being asked now; a fake of what asks."""

    def __init__(self) -> None:
        self.now: dict[str, tuple[tuple[str, ...], OnVerdict]] = {}
        self.begun, self.news = 0, 0

    async def __call__(self, resource: RenderedResource, on_verdict: OnVerdict) -> None:
        self.begun += 1
        self.now[resource.name] = (tuple(probe.name for probe in resource.probes), on_verdict)
        try:
            await asyncio.Event().wait()
        finally:
            del self.now[resource.name]

    def note(self) -> None:
        self.news += 1


def order(*, epoch: int | None = 3, resources: tuple[RenderedResource, ...] = (WEB, PLAIN)) -> dict[str, StandbyOrder]:
    return {"uid": StandbyOrder(namespace="shop", name="web-0", ask_epoch=epoch, resources=resources)}


async def following(asked: Asked) -> ClientProbes:
    probes = ClientProbes(asked, asked.note)
    await probes.follow(order(), READY)
    await asyncio.sleep(0)
    return probes


def told(probes: ClientProbes) -> tuple[int | None, str]:
    report = probes.added(READY)["uid"]
    return report.no_answer_epoch, report.no_answer


@in_virtual_time
async def test_only_those_of_its_probes_that_others_ask_are_asked_here() -> None:
    asked = Asked()
    probes = await following(asked)
    assert {name: names for name, (names, _) in asked.now.items()} == {"web": ("eye",)}
    assert told(probes) == (None, "")
    await probes.end()
    assert asked.now == {}


@in_virtual_time
async def test_what_gets_no_good_answer_is_told_with_its_epoch_until_it_does() -> None:
    asked = Asked()
    probes = await following(asked)
    say = asked.now["web"][1]
    say(Verdict.WORKS, REFUSED)
    assert told(probes) == (3, f"web: {REFUSED}") and asked.news == 1
    await probes.follow(order(), READY)
    assert told(probes) == (3, f"web: {REFUSED}") and asked.begun == 1, "what is asked as before goes on"
    say(Verdict.WORKS, "")
    assert told(probes) == (None, "") and asked.news == 2
    await probes.end()


@in_virtual_time
async def test_a_new_epoch_begins_anew() -> None:
    asked = Asked()
    probes = await following(asked)
    asked.now["web"][1](Verdict.WORKS, REFUSED)
    await probes.follow(order(epoch=4), READY)
    await asyncio.sleep(0)
    assert told(probes) == (None, "") and asked.begun == 2
    await probes.end()


@in_virtual_time
async def test_who_is_not_ready_or_not_asked_asks_nothing() -> None:
    asked = Asked()
    probes = await following(asked)
    for orders, reports in (
        (order(), {"uid": StandbyReport(ready=False, why="unit web.service is masked")}),
        (order(), {}),
        (order(epoch=None), READY),
        (order(resources=(PLAIN,)), READY),
        ({}, READY),
    ):
        await probes.follow(orders, reports)
        assert asked.now == {} and told(probes) == (None, "")
        await probes.follow(order(), READY)
        await asyncio.sleep(0)
        asked.now["web"][1](Verdict.WORKS, REFUSED)
    await probes.end()


@in_virtual_time
async def test_a_probe_that_is_broken_ends_the_agent_and_its_last_word_with_it() -> None:
    async def broken(resource: RenderedResource, on_verdict: OnVerdict) -> None:
        on_verdict(Verdict.WORKS, REFUSED)
        raise ZeroDivisionError

    probes = ClientProbes(broken, lambda: None)
    await probes.follow(order(), READY)
    probes.raise_if_broken()
    await asyncio.sleep(0)
    with pytest.raises(ZeroDivisionError):
        probes.raise_if_broken()
    await probes.end()
