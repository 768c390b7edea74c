"""What is believed of a unit whose last process is gone while systemd still calls it active."""

from __future__ import annotations

import asyncio

from backstay_agent.drivers.base import State
from backstay_agent.drivers.systemd.driver import SystemdDriver
from backstay_agent.drivers.systemd.securing import Standing
from backstay_agent.drivers.systemd.unit_state import SETTLE_S, settled
from backstay_agent.drivers.tools.manager import Manager
from backstay_agent.drivers.tools.watch import UNIT, Watch
from backstay_api.process.waiting import clock_s
from backstay_dev.simulator.virtualtime import in_virtual_time

HOLLOW = {"ActiveState": "active", "SubState": "running", "Type": "simple", "MainPID": 0}


@in_virtual_time
async def test_systemds_word_ends_the_wait() -> None:
    """It was waited out: of each five restarts one took 0.2 s longer."""
    watch, begun_s = Watch("web.service", properties=dict(HOLLOW)), clock_s()
    failed = ("ActiveState", ("s", "failed")), ("Result", ("s", "signal"))
    asyncio.get_running_loop().call_later(0.01, watch.on_signal, (UNIT, dict(failed), []))
    assert (await settled(watch, asked=False)).state is State.FAILED
    assert clock_s() - begun_s < SETTLE_S


@in_virtual_time
async def test_no_word_is_waited_for_longer() -> None:
    watch, begun_s = Watch("web.service", properties=dict(HOLLOW)), clock_s()
    seen = await settled(watch, asked=False)
    assert seen.state is State.FAILED and "none of its processes runs any more" in seen.why
    assert clock_s() - begun_s >= SETTLE_S


def test_of_a_part_whose_stop_has_failed_it_is_said_how_that_is_mended() -> None:
    """`systemctl stop` of what has failed does nothing."""
    part = {"ActiveState": "failed", "Type": "oneshot", "Result": "exit-code"}
    known = {"web.service": {"ActiveState": "inactive"}, "net.service": part}
    standing = Standing("web.service", ("web.service", "net.service"), known, 0.0)
    seen = asyncio.run(SystemdDriver(Manager())._look(standing, asked=False))
    assert seen.why.startswith("web.service is stopped, but net.service may not be undone: its stop failed (exit-code)")
    assert seen.why.endswith("systemctl reset-failed net.service")
    known["net.service"] = {"ActiveState": "activating"}
    seen = asyncio.run(SystemdDriver(Manager())._look(standing, asked=False))
    assert seen.why == "web.service is stopped, but net.service, a part of it, is not: systemctl stop net.service"
