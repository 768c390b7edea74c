"""What we say to systemd, over a bus that is a fake: watches over a lost connection, questions that systemd went away with, turns."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest

from backstay_agent.drivers.tools.bus import CALL_LIMIT_S, SYSTEMD, BusError, Member, OnSignal
from backstay_agent.drivers.tools.manager import Manager
from backstay_agent.drivers.tools.systemd_quota import LINGER_S, MOST_PROGRAMS, MOST_WATCHED
from backstay_agent.drivers.tools.transient import run_once
from backstay_agent.drivers.tools.verified_stop import bring_down
from backstay_agent.drivers.tools.watch import UNIT
from backstay_dev.simulator.virtualtime import in_virtual_time

ENDED_WELL = {"ActiveState": "inactive", "ExecMainCode": 1, "Result": "success", "Transient": True}
NO_REPLY = BusError("org.freedesktop.DBus.Error.NoReply", "Message recipient disconnected without replying")


class FakeBus:
    """One connection. Each answer says what is so when it is asked, and arrives after 10 ms."""

    def __init__(self, systemd: FakeSystemd) -> None:
        self.systemd, self.listeners = systemd, dict[str, OnSignal]()
        self.kept, self.most_kept = Counter[str](), 0

    async def call(
        self, member: Member, signature: str = "", *args: object, limit_s: float = CALL_LIMIT_S
    ) -> tuple[Any, ...]:
        said = await self.systemd.answer(member, *args)
        await asyncio.sleep(0.01)
        return said

    async def listen(self, member: Member, callback: OnSignal, *, sender: str = SYSTEMD) -> None:
        self.listeners[member.name] = callback

    def post(self, member: Member, signature: str = "", *args: object) -> None:
        self.kept[member.path] += {"Ref": 1, "Unref": -1}.get(member.name, 0)
        self.most_kept = max(self.most_kept, len(+self.kept))

    def signal(self, unit: str, **properties: object) -> None:
        changed = {name: ("v", value) for name, value in properties.items()}
        self.listeners["PropertiesChanged"](f"/unit/{unit}", lambda: (UNIT, changed, []))

    def close(self) -> None:
        pass


class FakeSystemd:
    """Knows each unit by the same properties."""

    def __init__(self, **properties: object) -> None:
        self.properties = properties
        self.asked: list[str] = []
        self.fails: dict[str, list[BusError]] = {}
        self.start_takes_s = 0.0
        self.buses: list[FakeBus] = []
        self.lose: Callable[[], None] = lambda: None

    async def connect(self, on_lost: Callable[[], None]) -> FakeBus:
        self.lose = on_lost
        self.buses.append(FakeBus(self))
        return self.buses[-1]

    async def answer(self, member: Member, *args: object) -> tuple[Any, ...]:
        self.asked.append(member.name)
        if errors := self.fails.get(member.name):
            raise errors.pop(0)
        match member.name:
            case "LoadUnit":
                return (f"/unit/{args[0]}",)
            case "GetAll":
                return ({name: ("v", value) for name, value in self.properties.items()},)
            case "GetBefore":
                return ([],)
            case "StartTransientUnit":
                await asyncio.sleep(self.start_takes_s)
        return ()


@in_virtual_time
async def test_watches_that_end_while_a_connection_is_made_anew_keep_nothing() -> None:
    systemd = FakeSystemd(ActiveState="active")
    manager = Manager(systemd.connect)
    async with AsyncExitStack() as watches:
        for number in range(20):
            await watches.enter_async_context(manager.watch(f"web-{number}.service", for_long=True))
        systemd.lose()
        await asyncio.sleep(0.1)  # some are watched anew by now
    await asyncio.sleep(2 * LINGER_S)
    assert 0 < systemd.buses[1].most_kept < 20
    assert +systemd.buses[1].kept == Counter()
    await manager.close()


@in_virtual_time
async def test_what_is_watched_beyond_our_share_is_watched_all_the_same() -> None:
    systemd = FakeSystemd(ActiveState="active")
    manager = Manager(systemd.connect)
    async with AsyncExitStack() as watches:
        names = [f"web-{number}.service" for number in range(MOST_WATCHED + 10)]
        found = [await watches.enter_async_context(manager.watch(name, for_long=True)) for name in names]
        assert systemd.buses[0].most_kept == MOST_WATCHED
        systemd.buses[0].signal(names[-1], ActiveState="failed")
        assert [watch.active for watch in found].count("failed") == 1 and found[-1].active == "failed"
    await manager.close()


@in_virtual_time
async def test_systemd_is_asked_again_what_it_went_away_with_and_nothing_else_is() -> None:
    """A start failed because a package upgrade made systemd restart itself at that moment."""
    systemd = FakeSystemd(ActiveState="active")
    manager = Manager(systemd.connect)
    systemd.fails = {"StartUnit": [NO_REPLY, NO_REPLY], "LoadUnit": [NO_REPLY], "ReloadUnit": [BusError("x", "no")]}
    await manager.start("web.service")
    async with manager.watch("web.service") as watch:
        assert watch.active == "active"
    with pytest.raises(BusError, match="no"):
        await manager.reload_unit("web.service")
    assert Counter(systemd.asked)["StartUnit"] == 3 and Counter(systemd.asked)["ReloadUnit"] == 1
    systemd.fails["StartUnit"] = [NO_REPLY] * 1000
    with pytest.raises(BusError, match="disconnected"):
        await manager.start("web.service")
    await manager.close()


@in_virtual_time
async def test_an_answer_that_is_older_than_a_signal_is_asked_for_again() -> None:
    """One look at the bus brings both: the signal was told first, and the answer overwrote it."""
    systemd = FakeSystemd(ActiveState="active")
    manager = Manager(systemd.connect)
    async with manager.watch("web.service") as watch:
        looking = asyncio.create_task(manager.refresh(watch))
        await asyncio.sleep(0.005)  # the answer is on its way
        systemd.properties["ActiveState"] = "failed"
        systemd.buses[0].signal("web.service", ActiveState="failed")
        await looking
        assert watch.active == "failed"
    await manager.close()


@in_virtual_time
async def test_a_unit_for_which_a_start_is_queued_is_not_down() -> None:
    systemd = FakeSystemd(ActiveState="inactive", Job=(7, "/job/7"))
    manager = Manager(systemd.connect)
    stop = asyncio.create_task(bring_down(manager, "web.service", 20.0))
    await asyncio.sleep(2.0)
    assert not stop.done() and "StopUnit" in systemd.asked
    systemd.properties["Job"] = (0, "/")
    systemd.buses[0].signal("web.service", Job=(0, "/"))
    assert await stop == ""
    await manager.close()


@in_virtual_time
async def test_programs_take_turns_and_each_of_them_is_kept() -> None:
    systemd = FakeSystemd(**ENDED_WELL)
    systemd.start_takes_s = 1.0
    manager = Manager(systemd.connect)
    runs = (run_once(manager, f"check-{number}", ["/bin/true"], 5.0) for number in range(3 * MOST_PROGRAMS))
    ended = await asyncio.gather(*runs)
    assert {one.exit_code for one in ended} == {None} or {one.exit_code for one in ended} == {0}
    assert systemd.buses[0].most_kept == MOST_PROGRAMS and +systemd.buses[0].kept == Counter()
    assert max(one.took_s for one in ended) < 2, "its turn is not its time"
    await manager.close()


@in_virtual_time
async def test_a_program_of_which_systemd_knows_nothing_any_more_has_not_answered() -> None:
    systemd = FakeSystemd(**{**ENDED_WELL, "ExecMainCode": 0})
    manager = Manager(systemd.connect)
    with pytest.raises(BusError, match="does not know any more how check"):
        await run_once(manager, "check", ["/bin/true"], 5.0)
    await manager.close()
