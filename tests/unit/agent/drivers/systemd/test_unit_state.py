"""What is believed of a unit whose last process is gone while systemd still calls it active."""

from __future__ import annotations

import asyncio

from backstay_agent.drivers.base import State
from backstay_agent.drivers.systemd.unit_state import SETTLE_S, settled
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
