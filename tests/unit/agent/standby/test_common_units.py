"""Two services of which one names a unit, and the other one what starts and stops with it: never ready beside each other."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

import pytest

from backstay_agent.fake import FakeDriver, FakeMachine
from backstay_agent.standby.common_units import CommonUnits
from backstay_agent.standby.standbys import Keeper
from backstay_api.objects.plain import RenderedResource, StandbyOrder, Systemd
from backstay_dev.simulator.virtualtime import in_virtual_time

PARTS: dict[str, tuple[str, ...]] = {"app.service": ("app.socket", "helper.service")}
MEND = "name both in one service, or leave the part out"
APP, HELPER = ("shop", "app"), ("shop", "helper")


def named(unit: str) -> RenderedResource:
    return RenderedResource(name="server", systemd=Systemd(unit=unit))


def order(*units: str, service: str = "") -> StandbyOrder:
    return StandbyOrder(namespace="shop", name=f"{service}-0", service=service, resources=tuple(map(named, units)))


def common(
    orders: Mapping[str, StandbyOrder],
    *,
    ours: Mapping[str, Sequence[RenderedResource]] | None = None,
    secured: Sequence[str] = (),
    services: Mapping[str, tuple[str, str]] | None = None,
) -> CommonUnits:
    found = CommonUnits(lambda unit: PARTS.get(unit, ()))
    told = {uid: ("shop", one.service) for uid, one in orders.items()}
    found.update(orders, ours or {}, set(secured), told if services is None else services)
    return found


A, B = order("app.service", service="app"), order("helper.service", service="helper")


def test_neither_is_ready_and_each_says_who_names_what() -> None:
    both = common({"a": A, "b": B})
    why = "server: helper.service starts and stops with app.service, and the HAService"
    assert list(both.against("a", A.resources)) == [f"{why} shop/helper names helper.service: {MEND}"]
    assert list(both.against("b", B.resources)) == [f"{why} shop/app names app.service: {MEND}"]


@pytest.mark.parametrize(
    ("ours", "secured", "who"),
    [
        ({"b": B.resources}, (), "the HAService shop/helper"),
        ({}, ("helper.service",), "another HAService"),
        ({}, ("app.service",), ""),
        ({}, (), ""),
    ],
)
def test_what_runs_here_or_is_only_secured_counts_as_well(
    ours: Mapping[str, Sequence[RenderedResource]], secured: Sequence[str], who: str
) -> None:
    found = common({"a": A}, ours=ours, secured=secured, services={"a": APP, "b": HELPER})
    whys = list(found.against("a", A.resources))
    assert [f"and {who} names" in why for why in whys] == ([True] if who else [])


def test_one_service_may_name_the_whole_and_its_parts() -> None:
    one = order("helper.service", "app.service", service="app")
    assert not list(common({"a": one}).against("a", one.resources))


def test_the_copies_and_the_promoted_role_of_one_service_may_share() -> None:
    both = common({"a": A, "b": order("helper.service", service="app")})
    assert not [*both.against("a", A.resources), *both.against("b", B.resources)]


def test_without_a_word_of_the_operator_two_instances_are_two_services() -> None:
    found = common({"a": A, "b": B}, services={})
    assert list(found.against("a", A.resources)) and list(found.against("b", B.resources))


@in_virtual_time
async def test_a_host_says_so_from_its_first_look_on() -> None:
    machine = FakeMachine(stands_for=PARTS)
    keeper = Keeper(lambda _: FakeDriver(machine), lambda: "", lambda: None, list)
    life = asyncio.create_task(keeper.run())
    keeper.update({"a": A, "b": B}, ours={}, secured=frozenset(), services={"a": APP, "b": HELPER})
    while len(keeper.reports) < 2:
        await asyncio.sleep(0.01)
    assert [(one.ready, MEND in one.why) for one in keeper.reports.values()] == [(False, True)] * 2
    keeper.update({"a": A}, ours={}, secured=frozenset(), services={"a": APP})
    while not keeper.reports["a"].ready:
        await asyncio.sleep(0.01)
    life.cancel()
