"""The end of an agent: alone it goes at once, with its machine it releases first; and what an admin is told who wants to stop it."""

from __future__ import annotations

import asyncio
import json
import socket
from pathlib import Path
from typing import Any

import pytest

from backstay_agent import config, main, shutdown
from backstay_agent.core.leaving import GoingDown, how_it_goes_down, stop_that_is_over, why_not_stop
from backstay_agent.shutdown import leave
from backstay_agent.store.journal import JOURNAL
from backstay_dev.simulator.virtualtime import in_virtual_time
from backstay_testing.agent_world import ADDRESS, UNIT, World, enrolled, running, unit

REBOOT = [("web.service", "stop"), ("shutdown.target", "start"), ("reboot.target", "start")]
RESTART = [("backstay-agent.service", "restart")]
AGENT = "backstay-agent.service"
ISOLATE = [("field.target", "start"), (AGENT, "stop"), (UNIT, "stop")]
WITH_OTHERS = GoingDown("systemd stops its agent and other units with it (isolate?)", "Other")


@pytest.mark.parametrize(
    ("jobs", "end"),
    [
        pytest.param(REBOOT, GoingDown("it reboots", "Reboot"), id="reboot"),
        pytest.param([("poweroff.target", "start")], GoingDown("it powers off", "PowerOff"), id="power-off"),
        pytest.param([("rescue.target", "start")], GoingDown("it goes into rescue mode", "Other"), id="rescue"),
        pytest.param([("shutdown.target", "start")], GoingDown("it shuts down", "Other"), id="whatever else"),
        pytest.param(RESTART, None, id="only the agent is restarted"),
        pytest.param([("reboot.target", "stop")], None, id="a reboot that is called off"),
        pytest.param([], None, id="nothing is known"),
        pytest.param([(AGENT, "stop")], None, id="only the agent is stopped"),
        pytest.param([("soft-reboot.target", "start")], GoingDown("its user space is restarted", "Reboot"), id="soft"),
        pytest.param([("kexec.target", "start")], GoingDown("it boots another kernel", "Reboot"), id="kexec"),
        pytest.param([("halt.target", "start")], GoingDown("it halts", "PowerOff"), id="halt"),
        pytest.param([("exit.target", "start")], GoingDown("its container ends", "PowerOff"), id="exit"),
        pytest.param(
            [("emergency.target", "start")], GoingDown("it goes into emergency mode", "Other"), id="emergency"
        ),
        pytest.param([*ISOLATE, *REBOOT], GoingDown("it reboots", "Reboot"), id="what is said in more words is so"),
        pytest.param(ISOLATE, WITH_OTHERS, id="isolate"),
        pytest.param([(AGENT, "stop"), ("cron.service", "stop")], WITH_OTHERS, id="isolate, its target is there"),
        pytest.param([(AGENT, "stop"), ("srv.mount", "stop")], WITH_OTHERS, id="with a mount"),
        pytest.param([("field.target", "start"), (UNIT, "stop")], None, id="isolate without the agent"),
        pytest.param([(AGENT, "stop"), (UNIT, "start")], None, id="another is started"),
        pytest.param([(AGENT, "restart"), (UNIT, "stop")], None, id="another is stopped while it is restarted"),
        pytest.param(
            [
                *((AGENT, "stop"), ("session-4.scope", "stop"), ("user@0.service", "stop"), ("user-0.slice", "stop")),
                *(("user-runtime-dir@0.service", "stop"), ("run-user-0.mount", "stop")),
            ],
            None,
            id="who has stopped it logs out",
        ),
    ],
)
def test_by_its_jobs_systemd_tells_whether_the_machine_goes_down(
    jobs: list[tuple[str, str]], end: GoingDown | None
) -> None:
    assert how_it_goes_down(jobs) == end


@pytest.mark.parametrize(
    ("jobs", "shown", "end"),
    [
        pytest.param([(AGENT, "stop")], "inactive", WITH_OTHERS, id="isolate, and all but the agent has stopped"),
        pytest.param([(AGENT, "stop")], "deactivating", WITH_OTHERS, id="it goes down"),
        pytest.param([(AGENT, "stop")], "active", None, id="only the agent is stopped"),
        pytest.param([(AGENT, "stop"), ("multi-user.target", "start")], "inactive", None, id="while the host boots"),
        pytest.param([(AGENT, "restart")], "inactive", None, id="the agent is restarted"),
        pytest.param([(AGENT, "stop")], "", None, id="systemd does not say"),
    ],
)
def test_a_host_that_has_left_its_target_has_stopped_more_than_its_agent(
    jobs: list[tuple[str, str]], shown: str, end: GoingDown | None
) -> None:
    """Each stop may be over before the agent can ask for jobs; a target is stopped before its services are."""
    text = f"Id=multi-user.target\nActiveState={shown}\n" if shown else ""
    assert how_it_goes_down([*jobs, *stop_that_is_over(jobs, text)]) == end


def ending(world: World, jobs: list[tuple[str, str]], told: list[str]) -> Any:
    async def systemd() -> list[tuple[str, str]]:
        await asyncio.sleep(0)
        return jobs

    assert world.agent
    return leave(world.agent, systemd, told.append)


@in_virtual_time
async def test_an_agent_that_is_restarted_leaves_everything_as_it_is() -> None:
    world, told = await running(), list[str]()
    await ending(world, RESTART, told)
    await world.kill_agent()
    assert world.runs(UNIT, ADDRESS) and not told
    report = await world.report()
    assert report and not report.released and not (await world.assignment()).status.shutting_down


@in_virtual_time
async def test_an_agent_whose_machine_goes_down_stops_in_order_releases_and_says_how() -> None:
    world, told = await running(), list[str]()
    await world.order(uid="u2", exclusive=False, resources=(unit(unit="cache.service"),))
    await world.phase_is("Running", "u2")
    world.machine.scripts[UNIT].stop_takes_s = 15
    before = await world.lease()
    await ending(world, REBOOT, told)
    status = (await world.assignment()).status
    assert (status.shutting_down, status.shutdown_type) == ("it reboots", "Reboot")
    assert {uid: report.released for uid, report in status.instances.items()} == {"u1": True, "u2": True}
    assert not world.machine.running
    stops = [line for line in world.machine.log if line.startswith("stop")]
    assert stops.index(f"stop {ADDRESS}") < stops.index(f"stop {UNIT}")
    assert (await world.lease()).renewal >= before.renewal + 25, "the heartbeat goes on until all is said"
    assert any("EXTEND_TIMEOUT_USEC" in line for line in told)


@in_virtual_time
async def test_an_agent_that_is_stopped_with_what_it_runs_releases_it_instead_of_falling_silent_with_it() -> None:
    """Or `systemctl isolate`, an orderly act, would be answered by a power-off."""
    world = await running()
    await ending(world, ISOLATE, [])
    status = (await world.assignment()).status
    assert (status.shutting_down, status.shutdown_type) == (WITH_OTHERS.how, "Other")
    assert status.instances["u1"].released and not world.machine.running
    await world.kill_agent()
    world.start_agent()
    await world.until(lambda: is_back(world))
    assert not world.machine.running


async def is_back(world: World) -> bool:
    return not (await world.assignment()).status.shutting_down


@in_virtual_time
async def test_on_a_machine_that_goes_down_nothing_new_is_started_and_a_grant_is_given_back() -> None:
    world = await running()
    world.machine.scripts[UNIT].stop_takes_s = 15
    end = asyncio.create_task(ending(world, REBOOT, []))
    await asyncio.sleep(1)
    await world.order(uid="u2", resources=(unit(unit="late.service"),))
    await world.released("u2")
    await end
    assert "start unit late.service" not in world.machine.log


@in_virtual_time
async def test_hands_off_a_machine_that_goes_down_takes_along_what_runs_and_nothing_is_said_to_be_over() -> None:
    from backstay_agent.cluster.link import ASSIGNMENTS
    from backstay_testing.agent_world import HOST

    world = await running()
    await world.operator.patch(ASSIGNMENTS, HOST, {"spec": {"handsOff": "firmware"}})

    async def known() -> bool:
        return (await world.assignment()).status.hands_off

    await world.until(known)
    await ending(world, REBOOT, [])
    status = (await world.assignment()).status
    assert status.shutting_down and not status.instances["u1"].released
    assert world.runs(UNIT, ADDRESS)


@in_virtual_time
async def test_what_does_not_stop_holds_a_machine_that_goes_down_only_for_a_while() -> None:
    world = await running()
    world.machine.scripts[UNIT].stop_fails = "it hangs in the kernel"
    begun_s = asyncio.get_running_loop().time()
    await ending(world, REBOOT, [])
    assert 60 <= asyncio.get_running_loop().time() - begun_s < 90
    report = await world.report()
    assert report and not report.released


@in_virtual_time
async def test_a_systemd_that_does_not_answer_is_no_shutdown() -> None:
    world = await running()

    async def silent() -> list[tuple[str, str]]:
        await asyncio.Event().wait()
        return []

    assert world.agent
    await leave(world.agent, silent, lambda line: None)
    assert world.runs(UNIT, ADDRESS)


# --- stopped by hand ----------------------------------------------------------------------------------------------


@in_virtual_time
async def test_who_stops_the_agent_of_a_host_that_holds_something_is_told_what_comes_of_it() -> None:
    world = await running()
    assert world.agent
    why = why_not_stop(world.agent.journal.checkpoint)
    assert "shop/web-u1" in why and "backstay drain" in why and "HandsOff" in why and "restart" in why
    assert why in world.agent.why_not_stop()
    await world.order("Down")
    await world.released()
    assert why_not_stop(world.agent.journal.checkpoint) == world.agent.why_not_stop() == ""


@in_virtual_time
async def test_it_may_be_stopped_where_nobody_would_miss_it() -> None:
    world = await enrolled()
    assert world.agent
    await world.order(exclusive=False)
    await world.phase_is("Running")
    assert why_not_stop(world.agent.journal.checkpoint) == ""
    await world.order(uid="u2", resources=(unit(unit="other.service"),))
    await world.phase_is("Running", "u2")
    checkpoint = world.agent.journal.checkpoint
    assert why_not_stop(checkpoint) and not why_not_stop(checkpoint.handed_off("firmware")) and not why_not_stop(None)


def test_the_scripts_of_a_package_are_told_by_an_exit_code(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    text: list[str] = []

    @in_virtual_time
    async def story() -> None:
        world = await running()
        text.append(world.disk.files[JOURNAL])

    assert main._may_stop(tmp_path / "run", tmp_path / "lib") == 0
    story()
    (tmp_path / "run" / "journal").write_text(text[0])
    (boot,) = {json.loads(text[0].splitlines()[0])["bootID"]}
    monkeypatch.setattr(main, "boot_id", lambda: boot)
    assert main._may_stop(tmp_path / "run", tmp_path / "lib") == 1
    # Where the agent itself keeps it, not where most do.
    monkeypatch.setattr("backstay_api.process.logs.set_up", lambda **_: None)
    given = write_config(tmp_path / "agent.json", run_dir=str(tmp_path / "run"))
    assert main.main(["--config", str(given), "--may-stop"]) == 1
    monkeypatch.undo()
    assert "this host holds shop/web-u1" in capsys.readouterr().out
    (tmp_path / "run" / "journal").write_text("scribble")
    assert main._may_stop(tmp_path / "run", tmp_path / "lib") == 1


# --- the name of the host -----------------------------------------------------------------------------------------


@in_virtual_time
async def test_the_name_is_kept_once_the_host_is_enrolled() -> None:
    world = await enrolled()
    await world.until(lambda: world.disk.files.get("state/host") == "n1\n")


def write_config(path: Path, **more: str) -> Path:
    config = {"servers": ["https://192.0.2.1:6443"], "token_file": "/etc/backstay/token", "state_dir": str(path.parent)}
    path.write_text(json.dumps({**config, **more}))
    return path


def test_a_machine_that_is_renamed_is_still_its_host_and_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: "renamed")
    path = write_config(tmp_path / "agent.json")
    assert config.read_config(path).host == "renamed"
    (tmp_path / "host").write_text("n1\n")
    assert config.read_config(path).host == "n1"
    assert "still the Host" in caplog.text
    assert config.read_config(write_config(path, host="n7")).host == "n7"


def test_a_second_question_never_loses_the_answer_to_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """While a machine reboots systemd may answer one question and no more."""

    async def answers(*words: str) -> str:
        if words[0] != "list-jobs":
            raise OSError("no more processes")
        return "1 reboot.target start waiting\n2 web.service stop running\n"

    monkeypatch.setattr(shutdown, "_systemctl", answers)
    assert asyncio.run(shutdown.going_down(shutdown.systemd_jobs)) == GoingDown("it reboots", "Reboot")
