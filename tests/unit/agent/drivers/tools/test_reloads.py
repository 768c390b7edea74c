"""systemd is made to read changed unit files once for many changes, and never while that would break somebody's start."""

from __future__ import annotations

import asyncio

import pytest

from backstay_agent.drivers.tools.bus import BusError
from backstay_agent.drivers.tools.reloads import RELOAD_PATIENCE_S, Reloads
from backstay_dev.simulator.virtualtime import in_virtual_time

OBSTACLE = "systemd is not made to read unit files anew while slow.service starts: it waits for its PID file"


class Systemd:
    """Reads unit files, and waits for PID files, as a fake."""

    def __init__(self) -> None:
        self.starting: list[str] = []
        self.read = 0
        self.takes_s = 0.0
        self.fails = False
        self.reloads = Reloads(self.reload, self.waiting)

    async def reload(self) -> None:
        await asyncio.sleep(self.takes_s)
        if self.fails:
            raise BusError("reload", "it is busy")
        self.read += 1

    async def waiting(self) -> list[str]:
        await asyncio.sleep(0)
        return self.starting

    def wanted(self, unit: str) -> asyncio.Task[bool]:
        """This unit's file has changed, and is to be read."""
        self.reloads.changed(unit)
        return asyncio.create_task(self.reloads.read([unit]))


@in_virtual_time
async def test_many_changes_cost_one_reload() -> None:
    systemd = Systemd()
    async with asyncio.timeout(5):
        await asyncio.gather(*(systemd.wanted(f"{number}.service") for number in range(20)))
    assert systemd.read == 1


@in_virtual_time
async def test_whose_files_have_not_changed_waits_for_nobody() -> None:
    systemd = Systemd()
    systemd.starting = ["slow.service"]
    held_up = systemd.wanted("new.service")
    await asyncio.sleep(1)
    async with asyncio.timeout(0.01):
        await systemd.reloads.read(["old.service"])
    assert not held_up.done() and systemd.read == 0
    systemd.starting = []
    async with asyncio.timeout(1):
        await held_up
    assert systemd.read == 1


@in_virtual_time
async def test_who_changed_it_is_told_what_it_waits_for_and_nobody_else() -> None:
    systemd = Systemd()
    systemd.starting = ["slow.service"]
    held_up = systemd.wanted("new.service")
    await asyncio.sleep(1)
    assert systemd.reloads.waits_for("new.service") == OBSTACLE
    assert systemd.reloads.waits_for("old.service") == ""
    systemd.starting = []
    await held_up
    assert systemd.reloads.waits_for("new.service") == ""


@in_virtual_time
async def test_a_start_that_takes_for_ever_is_not_broken_and_said() -> None:
    systemd = Systemd()
    systemd.starting = ["slow.service"]
    held_up = systemd.wanted("new.service")
    await asyncio.sleep(RELOAD_PATIENCE_S + 1)
    with pytest.raises(BusError, match=OBSTACLE):
        await held_up
    assert systemd.read == 0
    systemd.starting = []
    await systemd.reloads.read(["new.service"])
    assert systemd.read == 1, "it is still to be read"


@in_virtual_time
async def test_what_is_being_read_is_waited_for() -> None:
    systemd = Systemd()
    systemd.takes_s = 2.0
    first = systemd.wanted("web.service")
    await asyncio.sleep(1)
    await systemd.reloads.read(["web.service"])
    assert first.done() and systemd.read == 1


@in_virtual_time
async def test_what_changes_while_others_are_read_is_read_once_more() -> None:
    systemd = Systemd()
    systemd.takes_s = 2.0
    first = systemd.wanted("web.service")
    await asyncio.sleep(1)
    await systemd.wanted("db.service")
    assert first.done() and systemd.read == 2


@pytest.mark.parametrize("cancelled", [False, True], ids=["refused", "cancelled"])
@in_virtual_time
async def test_a_reload_that_did_not_succeed_is_still_owed(cancelled: bool) -> None:
    systemd = Systemd()
    systemd.takes_s, systemd.fails = 2.0, not cancelled
    first = systemd.wanted("web.service")
    await asyncio.sleep(1)
    if cancelled:
        first.cancel()
    with pytest.raises((BusError, asyncio.CancelledError)):
        await first
    systemd.fails = False
    await systemd.reloads.read(["web.service"])
    assert systemd.read == 1
