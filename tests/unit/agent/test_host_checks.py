"""The host looked at, in virtual time: who is told what of its clock and its memory, and when."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from backstay_agent.host_checks import follow, stalled_percent
from backstay_api.objects.plain import HostProblem
from backstay_dev.simulator.virtualtime import in_virtual_time

CALM = "some avg10=0.00 avg60=0.00 avg300=0.00 total=0\nfull avg10=0.00 avg60=%s avg300=0.00 total=0\n"


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
            await follow(note, (), wall_s=wall_s, pressure=tmp_path / "none")
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
            await follow(note, (), wall_s=asyncio.get_running_loop().time, pressure=pressure)
    assert told == [[], [], ["Memory"], ["Memory"], [], []]


def test_a_kernel_that_does_not_say_is_not_judged(tmp_path: Path) -> None:
    (tmp_path / "odd").write_text("nothing of this\n")
    assert stalled_percent(tmp_path / "none") is stalled_percent(tmp_path / "odd") is None
