"""Two agents on one host, and what an agent does with answers and disks that nobody should meet."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from backstay_agent.drivers.tools.units import UnitFiles
from backstay_agent.remove import remove
from backstay_agent.single_instance import AnotherAgent, alone
from backstay_agent.store.disk import RealDisk
from backstay_api.objects import lease as leases
from backstay_dev.simulator.virtualtime import in_virtual_time
from backstay_testing.agent_world import address, running, unit

# --- two agents ---------------------------------------------------------------------------------------------------


def test_a_second_agent_waits_also_when_someone_has_emptied_run(tmp_path: Path) -> None:
    run, state = tmp_path / "run", tmp_path / "state"
    with alone(run, state, wait=False):
        (run / "agent.lock").unlink()
        run.rmdir()
        with pytest.raises(AnotherAgent), alone(run, state, wait=False):
            pass
    with alone(run, state, wait=False):
        pass


def test_units_are_not_given_back_while_an_agent_runs(tmp_path: Path) -> None:
    files = UnitFiles(tmp_path / "etc", tmp_path / "gates")
    with alone(tmp_path / "run", tmp_path / "state", wait=False):
        assert "the agent runs" in remove(tmp_path / "run", tmp_path / "state", files)


# --- disk ---------------------------------------------------------------------------------------------------------


def test_a_cancelled_write_neither_mixes_with_a_later_one_nor_undoes_it(tmp_path: Path) -> None:
    disk = RealDisk(run_dir=tmp_path / "run", state_dir=tmp_path / "state")

    async def once(number: int) -> None:
        # Large enough for the first to be still on its way when the second begins.
        first = asyncio.create_task(disk.write("state/inventory", "old" * 1_000_000))
        await asyncio.sleep(0.001)
        first.cancel()
        await asyncio.wait([first])
        await disk.write("state/inventory", f"new {number}")
        assert await disk.read("state/inventory") == f"new {number}"

    async def story() -> None:
        for number in range(10):
            await once(number)

    asyncio.run(story())


def test_a_removed_run_directory_is_made_again(tmp_path: Path) -> None:
    disk = RealDisk(run_dir=tmp_path / "run", state_dir=tmp_path / "state")
    (tmp_path / "run").rmdir()
    asyncio.run(disk.write("run/journal", "a"))
    assert asyncio.run(disk.read("run/journal")) == "a"


# --- garbage ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "raw",
    [
        {},
        {"metadata": None},
        {"metadata": []},
        {"metadata": {"name": "n1", "annotations": "x"}},
        {"metadata": {"name": "n1", "annotations": {"backstay.dev/contract": "null"}}},
        {"metadata": {"name": "n1", "annotations": {"backstay.dev/contract": "[1]"}}},
        {"metadata": {"name": "n1", "annotations": {"backstay.dev/contract": '{"renewS": NaN}'}}},
        {"metadata": {"name": "n1", "annotations": {"backstay.dev/renewal": "9" * 5000}}},
        {"metadata": {"name": "n1", "annotations": {"backstay.dev/session-seq": 7}}},
        {"metadata": {"name": "n1"}, "spec": "x"},
    ],
)
def test_what_is_no_lease_is_no_crash(raw: Any) -> None:
    with pytest.raises(ValueError, match=r"."):
        leases.read(raw)


# --- one thing, many spellings ----------------------------------------------------------------------------------


@pytest.mark.parametrize("spelling", ["2001:db8:0:0::10/64", "2001:DB8::10/128", "2001:0db8::0010/64"])
@in_virtual_time
async def test_an_address_that_is_spelt_differently_is_still_the_same(spelling: str) -> None:
    world = await running(resources=(address(address="2001:db8::10/64"),))
    await world.order(uid="u2", resources=(address(address=spelling),))

    async def refused() -> bool:
        report = await world.report("u2")
        return report is not None and "belongs to shop/web-u1" in report.why

    await world.until(refused)
    assert [line for line in world.machine.log if line.startswith("start")] == ["start address 2001:db8::10"]


@in_virtual_time
async def test_a_unit_that_is_spelt_differently_is_still_the_same() -> None:
    world = await running(resources=(unit(unit=r"db\x2dmain.service"),))
    await world.order(uid="u2", resources=(unit(unit=r"d\x62\x2Dmain.service"),))

    async def refused() -> bool:
        report = await world.report("u2")
        return report is not None and r"unit db\x2dmain.service belongs to shop/web-u1" in report.why

    await world.until(refused)
    assert [line for line in world.machine.log if line.startswith("start")] == [r"start unit db\x2dmain.service"]
