"""What is believed of a unit whose last process is gone while systemd still calls it active."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from backstay_agent.drivers.base import State
from backstay_agent.drivers.systemd import unit_state
from backstay_agent.drivers.systemd.conditions import _failed, for_certain
from backstay_agent.drivers.systemd.driver import SystemdDriver
from backstay_agent.drivers.systemd.securing import Standing
from backstay_agent.drivers.systemd.unit_state import SETTLE_S, seen, settled
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
    told = await settled(watch, asked=False)
    assert told.state is State.FAILED and "none of its processes runs any more" in told.why
    assert clock_s() - begun_s >= SETTLE_S


def test_of_a_part_whose_stop_has_failed_it_is_said_how_that_is_mended() -> None:
    """`systemctl stop` of what has failed does nothing."""
    part = {"ActiveState": "failed", "Type": "oneshot", "Result": "exit-code"}
    known = {"web.service": {"ActiveState": "inactive"}, "net.service": part}
    standing = Standing("web.service", ("web.service", "net.service"), known, 0.0)
    told = asyncio.run(SystemdDriver(Manager())._look(standing, asked=False))
    assert told.why.startswith("web.service is stopped, but net.service may not be undone: its stop failed (exit-code)")
    assert told.why.endswith("systemctl reset-failed net.service")
    known["net.service"] = {"ActiveState": "activating"}
    told = asyncio.run(SystemdDriver(Manager())._look(standing, asked=False))
    assert told.why == "web.service is stopped, but net.service, a part of it, is not: systemctl stop net.service"


@pytest.mark.parametrize("active", ["inactive", "failed"])
def test_what_left_processes_behind_is_not_stopped_whatever_systemd_calls_it(
    active: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unit_state, "left_in", lambda unit, properties: ["812 (cp)"])
    told = seen("web.service", {"ActiveState": active}, asked=False)
    assert (told.state, told.left) == (State.UNKNOWN, True) and "still run: 812 (cp)" in told.why


@pytest.mark.parametrize("asked", [False, True])
def test_what_has_no_process_and_failed_to_stop_is_not_known_to_be_undone(asked: bool) -> None:
    failed = {"ActiveState": "failed", "Type": "oneshot", "Result": "exit-code"}
    told = seen("net.service", failed, asked=asked)
    assert told.state is State.UNKNOWN and "its stop failed (exit-code)" in told.why


EXITED: dict[str, Any] = {"ActiveState": "active", "SubState": "exited", "Type": "oneshot", "MainPID": 0}


@pytest.mark.parametrize(
    ("changed", "asked", "state"),
    [
        pytest.param({}, True, State.RUNNING, id="a probe says whether what it did still holds"),
        pytest.param({}, False, State.UNKNOWN, id="nothing says that"),
        pytest.param({"Type": "forking"}, True, State.FAILED, id="a daemon that has ended"),
        pytest.param({"Type": "simple", "ExecMainStatus": 3}, True, State.FAILED, id="it did not do it"),
        pytest.param({"Type": "simple", "SubState": "running"}, True, State.FAILED, id="nothing of it lives"),
    ],
)
def test_what_is_active_and_has_no_process_is_believed_only_where_a_probe_is_asked(
    changed: dict[str, Any], asked: bool, state: State
) -> None:
    assert seen("web.service", {**EXITED, **changed}, asked=asked).state is state


@pytest.mark.parametrize("kind", ["Condition", "Assert"])
def test_what_systemd_says_does_not_hold_is_named(kind: str) -> None:
    asked = [f"{kind}PathExists=/there", f"{kind}PathExists=/not-there"]
    assert _failed(f"{asked[1]} failed.\n{kind}s failed.\n", asked) == asked[1:]
    assert _failed(f"{kind}s failed.\n", asked) == asked, "one of them, whichever"
    assert _failed(f"{kind}s succeeded.\n", asked) == []


def test_one_of_several_that_may_come_excuses_no_other_condition(tmp_path: Any) -> None:
    either = ["ConditionPathExists=|/etc/backstay-nowhere", f"ConditionPathExists=|{tmp_path}/disk/conf"]
    (tmp_path / "disk").mkdir()
    assert for_certain([*either, "ConditionHost=other"]) == ["ConditionHost=other"]


def test_a_oneshot_that_systemd_calls_well_is_believed_by_its_probe_whatever_its_program_exited_with() -> None:
    """ExecStart=-/sbin/modprobe x, or SuccessExitStatus=3: the sentence asked for the probe that it had."""
    ended = {"ActiveState": "active", "SubState": "exited", "Type": "oneshot", "MainPID": 0, "ExecMainStatus": 3}
    assert seen("web.service", ended, asked=True).state is State.RUNNING
    assert seen("web.service", ended, asked=False).state is State.UNKNOWN
    assert seen("web.service", ended | {"Type": "simple"}, asked=True).state is State.FAILED
