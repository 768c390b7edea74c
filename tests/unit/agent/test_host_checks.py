"""The host looked at, in virtual time: who is told what of its clock and its memory, and when."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from backstay_agent.drivers.address.netlink import IFF_LOWER_UP, IFF_UP, Link
from backstay_agent.host_checks import follow, stalled_percent, unresolved, without_link
from backstay_agent.reach import unreached
from backstay_api.objects.plain import HostChecks, HostProblem, Reach
from backstay_dev.simulator.virtualtime import in_virtual_time

CALM = "some avg10=0.00 avg60=0.00 avg300=0.00 total=0\nfull avg10=0.00 avg60=%s avg300=0.00 total=0\n"


async def all_found(names: Sequence[str]) -> dict[str, str]:
    return {}


@in_virtual_time
async def test_a_clock_that_jumps_is_told_for_a_minute_and_one_that_drifts_is_not(tmp_path: Path) -> None:
    clock = asyncio.get_running_loop()
    begun_s, told = clock.time(), list[tuple[float, list[str]]]()

    def wall_s() -> float:
        age_s = clock.time() - begun_s
        return 1_000_000 + age_s * 1.0005 + (3600 if age_s >= 102 else 0)

    def note(found: tuple[HostProblem, ...]) -> None:
        told.append((clock.time() - begun_s, [one.check for one in found]))

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(200):
            await follow(note, (), wall_s=wall_s, pressure=tmp_path / "none", look_up=all_found)
    wrong = [at_s for at_s, checks in told if checks]
    assert (wrong[0], wrong[-1], len(wrong)) == (105, 160, 12) and told[-1][1] == []


@in_virtual_time
async def test_memory_that_runs_short_is_told_until_it_is_well_below(tmp_path: Path) -> None:
    pressure, told = tmp_path / "memory", list[list[str]]()
    shortage = iter(("0.00", "41.50", "25.00", "19.00", "25.00"))

    def note(found: tuple[HostProblem, ...]) -> None:
        told.append([one.check for one in found])
        pressure.write_text(CALM % next(shortage, "0.00"))

    pressure.write_text(CALM % "0.00")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(27):
            await follow(note, (), wall_s=asyncio.get_running_loop().time, pressure=pressure, look_up=all_found)
    assert told == [[], [], ["Memory"], ["Memory"], [], []]


def test_a_kernel_that_does_not_say_is_not_judged(tmp_path: Path) -> None:
    (tmp_path / "odd").write_text("nothing of this\n")
    assert stalled_percent(tmp_path / "none") is stalled_percent(tmp_path / "odd") is None


def links(**flags: int) -> dict[int, Link]:
    return {index: Link(index, name, flags=flag) for index, (name, flag) in enumerate(flags.items())}


def test_an_interface_that_is_needed_must_be_there_switched_on_and_linked() -> None:
    found = links(eth0=IFF_UP | IFF_LOWER_UP, eth1=IFF_UP, eth2=0)
    assert without_link(("eth0", "eth1", "eth2", "eth3"), found.values()) == {
        "eth1": "interface eth1, which this host needs, has no link",
        "eth2": "interface eth2, which this host needs, is switched off: ip link set eth2 up",
        "eth3": "interface eth3, which this host needs, is not there",
    }


@in_virtual_time
async def test_what_is_needed_is_told_when_two_looks_in_a_row_miss_it(tmp_path: Path) -> None:
    clock, told = asyncio.get_running_loop(), list[tuple[float, list[tuple[str, str]]]]()
    begun_s, asked = clock.time(), list[tuple[str, ...]]()

    async def look_up(names: Sequence[str]) -> dict[str, str]:
        asked.append(tuple(names))
        return {"db": "db does not resolve"} if 10 <= clock.time() - begun_s < 20 else {}

    def note(found: tuple[HostProblem, ...]) -> None:
        at_s = clock.time() - begun_s
        told.append((at_s, [(one.check, one.why) for one in found]))

    async def seen() -> dict[int, Link]:
        # It blinks at the second look, and is away from the fourth to the sixth.
        at_s = clock.time() - begun_s
        return links(eth1=IFF_UP | (0 if at_s in (5, 15, 20, 25) else IFF_LOWER_UP))

    checks = HostChecks(interfaces=("eth1",), names=("db",))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(33):
            await follow(
                note,
                (),
                wall_s=clock.time,
                pressure=tmp_path / "none",
                asked=lambda: checks,
                links=seen,
                look_up=look_up,
            )
    link, name = ("Network", "interface eth1, which this host needs, has no link"), ("Names", "db does not resolve")
    assert told == [(0, []), (5, []), (10, []), (15, [name]), (20, [link]), (25, [link]), (30, [])]
    assert set(asked) == {("db",)}


@in_virtual_time
async def test_what_must_be_reached_is_told_after_two_looks_and_holds_back_for_ten_minutes(tmp_path: Path) -> None:
    clock, told = asyncio.get_running_loop(), list[tuple[float, bool]]()
    begun_s, gateway = clock.time(), Reach(address="192.0.2.1")

    async def reach(wanted: Sequence[Reach]) -> dict[str, str]:
        assert wanted == (gateway,)
        at_s = clock.time() - begun_s
        return {"192.0.2.1": "no answer"} if at_s in (0, 10) or 20 <= at_s < 700 else {}

    def note(found: tuple[HostProblem, ...]) -> None:
        told.extend((clock.time() - begun_s, one.tolerated) for one in found if one.check == "Reach")

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(720):
            await follow(
                note,
                (),
                wall_s=clock.time,
                pressure=tmp_path / "none",
                asked=lambda: HostChecks(reach=(gateway,)),
                look_up=all_found,
                reach=reach,
            )
    held = [at_s for at_s, is_tolerated in told if not is_tolerated]
    assert (held[0], held[-1], told[-1]) == (25, 615, (695, True)), told


def test_what_is_reached_answers_be_it_by_refusing() -> None:
    async def story() -> dict[str, str]:
        server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
        open_port = server.sockets[0].getsockname()[1]
        wanted = [
            Reach(address="127.0.0.1", port=open_port),
            Reach(address="127.0.0.1", port=1),
            Reach(address="192.0.2.77", port=9),
            Reach(address="feed"),
        ]
        wanted += [Reach(address="127.0.0.1"), Reach(address="::1")] if os.geteuid() == 0 else []
        found = await unreached(wanted, limit_s=0.3)
        server.close()
        return found

    found = asyncio.run(story())
    assert found.keys() == {"192.0.2.77:9", "feed"} and found["feed"].endswith("that is not an address")
    assert found["192.0.2.77:9"].startswith("this host does not reach 192.0.2.77:9: ")


def looked_up(*names: str) -> dict[str, str]:
    return asyncio.run(unresolved(names))


def test_names_are_looked_up_as_this_host_does_it() -> None:
    assert looked_up("localhost") == {}
    (why,) = looked_up("nowhere.invalid").values()
    assert why.startswith("nowhere.invalid does not resolve: ")


def test_a_look_up_without_an_answer_is_told_and_is_never_under_way_twice() -> None:
    asked, answer = list[str](), threading.Event()

    def hangs(user: str) -> str:
        asked.append(user)
        answer.wait()
        return ""

    async def twice() -> list[dict[str, str]]:
        return [await unresolved((), user=hangs, limit_s=0.05) for _ in range(2)]

    why = "looking up a user gets no answer within 0.05 s: /etc/nsswitch.conf says who is asked"
    try:
        assert asyncio.run(twice()) == [{"a user": why}] * 2 and len(asked) == 1
    finally:
        answer.set()
