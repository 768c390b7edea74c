"""What the properties of a unit say to who watches it."""

import asyncio

import pytest

from backstay_agent.drivers.tools.watch import UNIT, Watch, waits_for_pid_file
from backstay_dev.simulator.virtualtime import in_virtual_time


@pytest.mark.parametrize(
    ("properties", "waits"),
    [
        ({"Type": "forking", "PIDFile": "/run/x.pid", "SubState": "start", "ControlPID": 0}, True),
        ({"Type": "forking", "PIDFile": "/run/x.pid", "SubState": "start", "ControlPID": 7}, False),
        ({"Type": "forking", "PIDFile": "", "SubState": "start", "ControlPID": 0}, False),
        ({"Type": "notify", "PIDFile": "/run/x.pid", "SubState": "start", "ControlPID": 0}, False),
        ({"Type": "forking", "PIDFile": "/run/x.pid", "SubState": "running", "ControlPID": 0}, False),
    ],
)
def test_which_start_a_reload_would_break(properties: dict[str, object], waits: bool) -> None:
    assert waits_for_pid_file(properties) is waits


@in_virtual_time
async def test_who_watches_is_woken_when_all_of_one_change_is_there() -> None:
    """Its main process is told of first: with the old state beside it a restart would look like a death."""
    watch = Watch("web.service", properties={"ActiveState": "active", "MainPID": 7})
    news = asyncio.create_task(watch.changed())
    watch.on_signal(("org.freedesktop.systemd1.Service", {"MainPID": ("u", 0)}, []))
    await asyncio.sleep(1)
    assert not news.done() and watch.properties == {"ActiveState": "active", "MainPID": 0}
    watch.on_signal((UNIT, {"ActiveState": ("s", "failed")}, []))
    await asyncio.wait_for(news, 1)
    assert watch.active == "failed" and watch.signals == 2
