"""Stories about what an admin does on the host itself. Told by `test_drivers_host.py` inside a host."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

from drivers_scene import ETC, SLEEPER, STORIES, install, main, main_pid, program, runs, sh, story, systemd, unit, until

from backstay_agent.drivers.base import Seen, State
from backstay_agent.drivers.systemd.driver import SystemdDriver

CONF = "d-conf.service"
BY_RESTART = f"restarted by an admin: systemctl restart {CONF}"


@asynccontextmanager
async def watched(text: str = SLEEPER) -> AsyncIterator[tuple[SystemdDriver, AsyncIterator[Seen]]]:
    """It runs by us, and the first that is told was watched."""
    conf = install(CONF, text)
    async with systemd() as (driver, _):
        await driver.start(conf, timeout_s=5)
        async with aclosing(driver.changes(conf)) as changes:
            assert await anext(changes) == Seen(State.RUNNING)
            yield driver, changes
        await driver.stop(conf, timeout_s=5)


async def systemctl(*argv: str) -> None:
    process = await asyncio.create_subprocess_exec("systemctl", *argv)
    await process.wait()


async def until_told(changes: AsyncIterator[Seen], state: State) -> list[Seen]:
    told = [await anext(changes)]
    while told[-1].state is not state:
        told.append(await anext(changes))
    return told


@story
async def a_restart_by_an_admin_is_no_failure() -> None:
    """One that is over before anybody looked is not even told."""
    async with watched() as (_, changes):
        for _again in range(4):
            await systemctl("restart", CONF)
        os.kill(main_pid(CONF), signal.SIGKILL)
        told = await until_told(changes, State.FAILED)
        assert not told[-1].by_admin
        for seen in told[:-1]:
            assert seen.state in (State.STOPPING, State.STARTING, State.RUNNING), told
            assert seen.state is State.RUNNING or seen.by_admin == BY_RESTART, told


@story
async def how_often_an_admin_has_restarted_it_is_not_held_against_our_start() -> None:
    """systemd refuses a sixth start within ten seconds, whoever asked for the five before it (a package's scripts, a tool)."""
    async with watched() as (
        driver,
        _,
    ):  # what is listened to is not forgotten by systemd, nor how often it was started
        for _again in range(4):
            await systemctl("restart", CONF)
        await systemctl("stop", CONF)
        await driver.start(unit(CONF), timeout_s=5)


@story
async def a_package_that_brings_another_unit_file_and_restarts_what_runs_is_an_admin() -> None:
    """As Debian's scripts do it: the file is replaced, systemd reads it, what runs is restarted, and our gate stays in force."""
    async with watched() as (driver, changes):
        (ETC / CONF).write_text(SLEEPER.replace("100000", "100099"))
        sh("systemctl", "daemon-reload")
        await systemctl("try-restart", CONF)
        assert runs("sleep 100099") and await driver.not_ready(unit(CONF)) is None
        os.kill(main_pid(CONF), signal.SIGKILL)
        told = await until_told(changes, State.FAILED)
        assert not told[-1].by_admin
        assert all(seen.state is State.RUNNING or seen.by_admin == BY_RESTART for seen in told[:-1]), told


@story
async def what_pings_its_watchdog_no_more_is_killed_by_systemd_and_told_as_that() -> None:
    pings = "while [ ! -e /run/d-hangs ]; do systemd-notify WATCHDOG=1; sleep 0.2; done"
    server = program("pings", f"systemd-notify --ready; {pings}; exec sleep 100000")
    text = f"[Service]\nType=notify\nNotifyAccess=all\nWatchdogSec=3\nExecStart={server}\n"
    async with watched(text) as (driver, changes):
        Path("/run/d-hangs").touch()
        told = await until_told(changes, State.FAILED)
        assert told[-1] == Seen(State.FAILED, f"{CONF} failed: its watchdog timed out") and not runs("sleep 100000")
        Path("/run/d-hangs").unlink()
        await driver.start(unit(CONF), timeout_s=20)
        await until_told(changes, State.RUNNING)


@story
async def a_slow_restart_by_an_admin_is_told_as_one() -> None:
    slow = "[Service]\nExecStart=/bin/sleep 100000\nExecStop=/bin/sleep 0.5\nExecStartPre=/bin/sleep 0.5\n"
    async with watched(slow) as (_, changes):
        restart = asyncio.create_task(systemctl("try-restart", CONF))
        told = await until_told(changes, State.RUNNING)
        await restart
        assert {seen.state for seen in told} == {State.STOPPING, State.STARTING, State.RUNNING}, told
        assert {seen.by_admin for seen in told[:-1]} == {BY_RESTART}, told


@story
async def a_stop_by_an_admin_a_crash_and_an_end_by_itself_are_told_apart() -> None:
    async with watched() as (driver, changes):
        sh("systemctl", "stop", CONF)
        told = await until_told(changes, State.STOPPED)
        assert told[-1].by_admin == f"stopped by an admin: systemctl stop {CONF}"
        await driver.start(unit(CONF), timeout_s=5)
        await until_told(changes, State.RUNNING)
        os.kill(main_pid(CONF), signal.SIGKILL)
        told = await until_told(changes, State.FAILED)
        assert told[-1] == Seen(State.FAILED, f"{CONF} failed: its main process was killed by SIGKILL")
        await driver.start(unit(CONF), timeout_s=5)
        await until_told(changes, State.RUNNING)
        os.kill(main_pid(CONF), signal.SIGTERM)
        told = await until_told(changes, State.STOPPED)
        assert told[-1] == Seen(State.STOPPED, f"{CONF} ended by itself: its main process was killed by SIGTERM")
        await driver.start(unit(CONF), timeout_s=5)
        await until_told(changes, State.RUNNING)


@story
async def a_stop_that_ends_badly_is_an_admins_all_the_same() -> None:
    stubborn = (
        "[Service]\nExecStart=/bin/sh -c \"trap 'exit 3' TERM; touch /run/d-ready; while :; do sleep 0.05; done\"\n"
    )
    async with watched(stubborn) as (_, changes):
        await until(lambda: os.path.exists("/run/d-ready"))
        sh("systemctl", "stop", CONF)
        told = await until_told(changes, State.FAILED)
        assert told[-1].by_admin == f"stopped by an admin: systemctl stop {CONF}", told


@story
async def a_reload_and_a_start_of_what_runs_are_nothing() -> None:
    text = "[Service]\nExecStart=/bin/sleep 100000\nExecReload=/bin/true\n"
    async with watched(text) as (_, changes):
        for act in (
            ("reload", CONF),
            ("start", CONF),
            ("daemon-reload",),
            ("reload-or-restart", "--no-block", "d-x.service"),
        ):
            sh("systemctl", *act)
        os.kill(main_pid(CONF), signal.SIGKILL)
        told = await anext(changes)
        assert told.state is State.FAILED and not told.by_admin, "a crash after all that is a crash"


@story
async def what_stops_because_something_it_needs_has_failed_was_stopped_by_nobody() -> None:
    install("d-need.service", "[Service]\nExecStart=/bin/sleep 100000\n[Install]\nWantedBy=multi-user.target\n")
    sh("systemctl", "enable", "d-need.service")
    async with watched("[Unit]\nBindsTo=d-need.service\nAfter=d-need.service\n" + SLEEPER) as (_, changes):
        os.kill(main_pid("d-need.service"), signal.SIGKILL)
        told = await until_told(changes, State.FAILED)
        assert told[-1].why == f"{CONF} was stopped because d-need.service, which it needs (BindsTo=), has failed"
        assert not told[-1].by_admin
        sh("systemctl", "disable", "d-need.service")


@story
async def what_stops_because_something_it_is_bound_to_has_only_ended_was_stopped_by_nobody() -> None:
    """It would be started again for ever and count for nothing, while no other host is tried."""
    bound = {"BindsTo": "BindsTo=d-ends.service", "StopPropagatedFrom": "Requires=d-ends.service"}
    for kind, line in bound.items():
        install(
            "d-ends.service",
            "[Unit]\nPropagatesStopTo=d-conf.service\n[Service]\nExecStart=/bin/sleep 1\n",
            reload=False,
        )
        async with watched(f"[Unit]\n{line}\nAfter=d-ends.service\n" + SLEEPER) as (_, changes):
            told = await until_told(changes, State.FAILED)
            assert (
                told[-1].why
                == f"{CONF} was stopped because d-ends.service, which it needs ({kind}=), is not up any more"
            )
            assert not told[-1].by_admin


@story
async def an_exit_that_shall_bring_a_restart_is_told_as_an_end() -> None:
    """systemd would start it again for ever, and nobody would count that."""
    web = install("d-forced.service", "[Service]\nExecStart=/bin/sh -c 'sleep 1; exit 7'\nRestartForceExitStatus=7\n")
    async with systemd() as (driver, _):
        await driver.start(web, timeout_s=5)
        async with aclosing(driver.changes(web)) as changes:
            assert [(await anext(changes)).state, (await anext(changes)).state] == [State.RUNNING, State.FAILED]


@story
async def an_admin_may_start_what_is_permitted() -> None:
    conf = install(CONF)
    async with systemd() as (driver, _):
        await driver.start(conf, timeout_s=5)
        await driver.stop(conf, timeout_s=5)
        await driver.permit(conf)
        async with aclosing(driver.changes(conf)) as changes:
            assert (await anext(changes)).state is State.STOPPED
            sh("systemctl", "start", CONF)
            assert (await until_told(changes, State.RUNNING))[-1].state is State.RUNNING
        await driver.stop(conf, timeout_s=5)
        sh("systemctl", "start", CONF)
        assert (await driver.check(conf)).state is State.STOPPED


@story
async def what_would_start_at_a_boot_is_found() -> None:
    conf = install(CONF)
    async with systemd() as (driver, _):
        await driver.secure(conf)
        assert await driver.starts_by_itself(conf) is None
        sh("systemctl", "enable", CONF)
        assert "systemctl disable d-conf.service" in (await driver.starts_by_itself(conf) or "")
        sh("systemctl", "disable", CONF)
        assert await driver.starts_by_itself(conf) is None
        install("d-conf.socket", "[Socket]\nListenStream=/run/d-conf.sock\n[Install]\nWantedBy=sockets.target\n")
        sh("systemctl", "enable", "d-conf.socket")
        assert "systemctl disable d-conf.socket" in (await driver.starts_by_itself(conf) or "")
        sh("systemctl", "disable", "d-conf.socket")
        await driver.unsecure(conf)


if __name__ == "__main__":
    main(STORIES)
