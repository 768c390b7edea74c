"""A host that is no candidate any more gives a unit back only if that cannot start a second copy at its next boot (F20)."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import pairwise

import pytest

from backstay_agent.drivers.base import StartFailed
from backstay_agent.fake import FakeDriver, FakeMachine, recognised
from backstay_agent.standby.standbys import LOOK_AGAIN_S, MARKED_AT_ONCE, MOST_AHEAD, MOST_HELD, Keeper
from backstay_api.objects.plain import (
    HeldUnit,
    HostAssignment,
    HostAssignmentSpec,
    HostAssignmentStatus,
    Meta,
    RenderedResource,
)
from backstay_api.process.waiting import clock_s
from backstay_dev.simulator.virtualtime import in_virtual_time
from backstay_testing.agent_world import UNIT, unit

WEB = "web.service"
LONG_S = 600.0
ENABLED = f"{UNIT} is enabled and would start by itself at the next boot; or delete the service"


@asynccontextmanager
async def keeping(
    machine: FakeMachine, driver: type[FakeDriver] = FakeDriver, told: Callable[[], None] = lambda: None
) -> AsyncIterator[Keeper]:
    """`told`: called whenever the status is to be written anew."""
    keeper = Keeper(lambda _: driver(machine), lambda: "", told, lambda: marked(machine))
    life = asyncio.create_task(keeper.run())
    try:
        yield keeper
    finally:
        life.cancel()


def marked(machine: FakeMachine) -> list[str]:
    return sorted(machine.units[name] for name in machine.secured - machine.part_of.keys())


def is_free(machine: FakeMachine, keeper: Keeper) -> bool:
    return not machine.secured and not keeper.held


async def told(keeper: Keeper, *secured: str) -> None:
    keeper.update({}, ours={}, secured=frozenset(secured))
    await asyncio.sleep(LOOK_AGAIN_S + 1)


def stored(keeper: Keeper, *secured: str) -> None:
    """What the host says is in its HostAssignment, which asks for these units."""
    spec, status = HostAssignmentSpec(secured=secured), HostAssignmentStatus(held=keeper.held)
    keeper.read(HostAssignment(metadata=Meta(name="n1"), spec=spec, status=status))


@in_virtual_time
async def test_a_unit_that_would_not_start_by_itself_is_given_back_at_once() -> None:
    machine = FakeMachine()
    async with keeping(machine) as keeper:
        await told(keeper, WEB)
        await told(keeper)
        assert is_free(machine, keeper)


@in_virtual_time
async def test_nothing_is_given_back_before_the_operators_orders_were_received() -> None:
    machine = FakeMachine(units={UNIT: WEB}, secured={UNIT})
    async with keeping(machine) as keeper:
        keeper.update({}, ours={}, secured=None)
        await asyncio.sleep(LONG_S)
        assert machine.secured == {UNIT}
        await told(keeper)
        assert machine.secured == set()


@in_virtual_time
async def test_what_runs_here_keeps_its_mark_though_the_orders_name_it_no_more() -> None:
    machine = FakeMachine(units={UNIT: WEB}, secured={UNIT})
    async with keeping(machine) as keeper:
        keeper.update({}, ours={"u1": (unit(),)}, secured=frozenset())
        await asyncio.sleep(LONG_S)
        assert machine.secured == {UNIT}


@in_virtual_time
async def test_an_enabled_unit_is_held_with_a_sentence_for_as_long_as_the_operator_wants_it() -> None:
    machine = FakeMachine(units={UNIT: WEB}, enabled={UNIT})
    async with keeping(machine) as keeper:
        await told(keeper, WEB)
        assert keeper.held == (HeldUnit(unit=WEB, why=ENABLED),)
        stored(keeper, WEB)
        await told(keeper, WEB)  # no candidate's any more: the operator has read that it would have to be held
        await asyncio.sleep(LONG_S)
        machine.boot()
        assert not machine.running
        keeper.update({}, ours={}, secured=frozenset())  # the service is gone
        await asyncio.sleep(0.1)
        assert is_free(machine, keeper)


@in_virtual_time
async def test_what_is_disabled_meanwhile_is_told_so_that_the_operator_can_let_go() -> None:
    machine = FakeMachine(units={UNIT: WEB}, enabled={UNIT})
    async with keeping(machine) as keeper:
        await told(keeper, WEB)
        assert [one.unit for one in keeper.held] == [WEB]
        machine.enabled.clear()
        await told(keeper, WEB)
        assert keeper.held == ()
        await told(keeper)
        assert machine.secured == set()


@in_virtual_time
async def test_what_the_operator_could_not_know_is_held_until_it_has_asked_for_it_once_more() -> None:
    machine = FakeMachine()
    async with keeping(machine) as keeper:
        await told(keeper, WEB)
        machine.enabled.add(UNIT)  # just now, and its order was under way
        await told(keeper)
        assert UNIT in machine.secured
        assert keeper.held == (HeldUnit(unit=WEB, why=ENABLED, ask_again=True),)
        stored(keeper)  # it says so, but nobody has asked for it since
        await asyncio.sleep(LONG_S)
        assert UNIT in machine.secured, "however long nobody asks: no operator may live"
        keeper.update({}, ours={}, secured=frozenset({WEB}))
        stored(keeper, WEB)
        assert keeper.held == (HeldUnit(unit=WEB, why=ENABLED),)
        await told(keeper, WEB)
        assert UNIT in machine.secured
        await told(keeper)
        assert machine.secured == set(), "asked for, and asked for no more: its service is gone"


@in_virtual_time
async def test_what_was_never_stored_is_held_however_long_it_has_been_seen() -> None:
    """The session waited for its Lease, so that nothing of its status was written (seed 3300008524)."""
    machine = FakeMachine(units={UNIT: WEB}, enabled={UNIT})
    async with keeping(machine) as keeper:
        await told(keeper, WEB)
        await asyncio.sleep(LONG_S)
        await told(keeper)  # it was given back by somebody who did not know that it would start by itself
        await asyncio.sleep(LONG_S)
        machine.boot()
        assert not machine.running and UNIT in machine.secured


@in_virtual_time
async def test_what_was_said_in_a_hostassignment_before_is_said_anew() -> None:
    machine = FakeMachine(units={UNIT: WEB}, enabled={UNIT})
    async with keeping(machine) as keeper:
        await told(keeper, WEB)
        stored(keeper, WEB)
        keeper.forget_who_has_read()
        await told(keeper)
        assert UNIT in machine.secured and [one.ask_again for one in keeper.held] == [True]


@in_virtual_time
async def test_what_would_no_longer_start_by_itself_is_given_back_though_nobody_knew() -> None:
    machine = FakeMachine()
    async with keeping(machine) as keeper:
        await told(keeper, WEB)
        machine.enabled.add(UNIT)
        await told(keeper)
        machine.enabled.clear()
        await asyncio.sleep(LOOK_AGAIN_S + 1)
        assert is_free(machine, keeper)


@in_virtual_time
async def test_what_is_left_out_of_the_next_status_is_known_to_nobody() -> None:
    """A status that the API server refuses as a whole is written without this; one has room for so many."""
    machine = FakeMachine(units={UNIT: WEB}, enabled={UNIT})
    async with keeping(machine) as keeper:
        await told(keeper, WEB)
        stored(keeper, WEB)
        keeper.says(HostAssignmentStatus())
        await told(keeper)
        assert UNIT in machine.secured and [one.ask_again for one in keeper.held] == [True]


class Sticky(FakeDriver):
    """A host whose `/etc` is read-only."""

    async def unsecure(self, resource: RenderedResource) -> None:
        raise StartFailed("Read-only file system")


@in_virtual_time
async def test_what_cannot_be_given_back_now_is_tried_again_and_nobody_is_asked_for_it_on_and_on() -> None:
    machine, said = FakeMachine(units={UNIT: WEB}, enabled={UNIT}), list[str]()
    async with keeping(machine, Sticky, lambda: said.append("news")) as keeper:
        await told(keeper, WEB)
        stored(keeper, WEB)
        said.clear()
        await told(keeper)
        await asyncio.sleep(LONG_S)
        assert [one.ask_again for one in keeper.held] == [False] and said == []


class Pondering(FakeDriver):
    """A host on which systemd takes a second to say what would start by itself."""

    async def starts_by_itself(self, resource: RenderedResource) -> str | None:
        await asyncio.sleep(1)
        return await super().starts_by_itself(resource)

    async def unsecure(self, resource: RenderedResource) -> None:
        pytest.fail("it is asked for")


@in_virtual_time
async def test_what_is_asked_for_while_it_is_looked_at_is_not_given_back() -> None:
    machine = FakeMachine()
    keeper = Keeper(lambda _: Pondering(machine), lambda: "", lambda: None, lambda: marked(machine))
    life = asyncio.create_task(keeper.run())
    await told(keeper, WEB)
    await asyncio.sleep(3)  # between two rounds
    keeper.update({}, ours={}, secured=frozenset())
    await asyncio.sleep(0.5)
    keeper.update({}, ours={}, secured=frozenset({WEB}))
    await asyncio.wait([life], timeout=LOOK_AGAIN_S)
    assert not life.done() and UNIT in machine.secured
    life.cancel()


@in_virtual_time
async def test_what_has_to_be_asked_about_is_told_first_and_who_reads_of_it_tells_that() -> None:
    machine, news = FakeMachine(), list[str]()
    async with keeping(machine, told=lambda: news.append("news")) as keeper:
        many = frozenset(f"a-{number}.service" for number in range(MOST_HELD))
        for name in (*many, WEB):
            machine.enabled.add(machine.unit(name))
        keeper.update({}, ours={}, secured=many | {WEB})
        await asyncio.sleep(LONG_S)
        assert WEB not in [one.unit for one in keeper.held]
        keeper.update({}, ours={}, secured=many)
        await asyncio.sleep(LOOK_AGAIN_S + 1)
        assert [one.unit for one in keeper.held if one.ask_again] == [WEB] and len(keeper.held) == MOST_HELD
        news.clear()
        stored(keeper, WEB)
        assert news == ["news"] and not any(one.ask_again for one in keeper.held)


@in_virtual_time
async def test_an_umbrella_on_a_fake_machine_behaves_as_on_a_real_one() -> None:
    machine = FakeMachine()
    worker = machine.unit("worker.service")
    machine.enabled, machine.pulls_in = {machine.unit(WEB)}, {UNIT: (worker,)}
    driver, umbrella = FakeDriver(machine), unit()
    machine.boot()
    assert set(machine.running) == {UNIT, worker}
    assert recognised(machine, run_is_intact=False) == [], "without a mark nothing is recognised"
    await driver.secure(umbrella)
    assert machine.secured == {UNIT, worker}
    assert "name worker.service" in (await driver.not_ready(umbrella) or "")
    await driver.stop(umbrella, timeout_s=1)
    machine.boot()
    assert not machine.running
    await driver.unsecure(umbrella)
    assert machine.secured == set()


class Slow(FakeDriver):
    """A host on which systemd takes a second to read its files anew."""

    async def secure(self, resource: RenderedResource) -> None:
        await asyncio.sleep(1)
        await super().secure(resource)


@in_virtual_time
async def test_many_units_are_secured_together() -> None:
    machine = FakeMachine()
    keeper = Keeper(lambda _: Slow(machine), lambda: "", lambda: None, lambda: marked(machine))
    life = asyncio.create_task(keeper.run())
    many = [f"web-{number}.service" for number in range(2 * MARKED_AT_ONCE)]
    keeper.update({}, ours={}, secured=frozenset(many))
    await asyncio.sleep(3)
    assert sorted(machine.units[name] for name in machine.secured) == sorted(many)
    life.cancel()


@in_virtual_time
async def test_of_many_units_those_are_looked_at_first_that_were_looked_at_longest_ago() -> None:
    machine, looks = FakeMachine(), defaultdict[str, list[float]](list)

    class Watched(FakeDriver):
        async def starts_by_itself(self, resource: RenderedResource) -> str | None:
            looks[resource.name].append(clock_s())
            return await super().starts_by_itself(resource)

    keeper = Keeper(lambda _: Watched(machine), lambda: "", lambda: None, lambda: marked(machine))
    life = asyncio.create_task(keeper.run())
    many = frozenset(f"web-{number}.service" for number in range(3 * MOST_AHEAD))
    for _ in range(2):
        keeper.update({}, ours={}, secured=many)
        await asyncio.sleep(3.5 * LOOK_AGAIN_S)
        keeper.update({}, ours={}, secured=many | {"another.service"})  # another round, and no look before its time
        await asyncio.sleep(0.1)
    counts = [len(looks[unit]) for unit in many]
    assert max(counts) - min(counts) <= 1 and min(counts) >= 2, looks
    assert all(later - sooner >= LOOK_AGAIN_S for times in looks.values() for sooner, later in pairwise(times))
    life.cancel()
