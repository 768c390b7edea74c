"""Stories about units, told by `test_drivers_host.py` inside a host."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import AsyncExitStack, aclosing, suppress
from dataclasses import replace
from pathlib import Path

from drivers_scene import (
    ETC,
    ONCE,
    SLEEPER,
    STORIES,
    active,
    install,
    lives,
    main,
    main_pid,
    refused,
    runs,
    sh,
    story,
    systemd,
    unit,
    until,
)

from backstay_agent.drivers.base import Seen, StartFailed, State
from backstay_agent.drivers.tools.units import DROP_IN
from backstay_api.objects.plain import Exec, Probe, Timeouts


@story
async def a_unit_is_started_and_verifiably_stopped() -> None:
    web = install("d-web.service")
    async with systemd() as (driver, _):
        await driver.start(web, timeout_s=5)
        await driver.start(web, timeout_s=5)
        assert await driver.check(web) == Seen(State.RUNNING, "d-web.service is active")
        pid = main_pid("d-web.service")
        await driver.stop(web, timeout_s=5)
        await driver.stop(web, timeout_s=5)
        assert not lives(pid)
        assert await driver.check(web) == Seen(State.STOPPED)


@story
async def a_secured_unit_starts_by_nobody_but_us() -> None:
    web = install("d-gated.service")
    override = ETC / "d-gated.service.d" / "override.conf"
    override.parent.mkdir(exist_ok=True)
    override.write_text(
        "[Unit]\nConditionPathExists=\nConditionPathExists=/\n[Service]\nRestart=always\nRestartSec=0\n"
    )
    async with systemd() as (driver, _):
        assert "could start by itself" in (await driver.not_ready(web) or "")
        await driver.secure(web)
        assert await driver.not_ready(web) is None
        sh("systemctl", "start", "d-gated.service")
        assert active("d-gated.service") == "inactive"
        await driver.start(web, timeout_s=5)
        os.kill(main_pid("d-gated.service"), signal.SIGKILL)
        await until(lambda: active("d-gated.service") == "failed")
        await driver.stop(web, timeout_s=5)
        sh("systemctl", "start", "d-gated.service")
        assert active("d-gated.service") == "inactive", "the gate must be shut after a stop"
        await driver.unsecure(web)
        assert not (override.parent / DROP_IN).exists() and override.exists()
        sh("systemctl", "start", "d-gated.service")
        assert active("d-gated.service") == "active"
    sh("systemctl", "stop", "d-gated.service")


@story
async def a_unit_is_secured_and_enabled_for_the_next_boot() -> None:
    web = install("d-boot.service")
    sh("systemctl", "enable", "d-boot.service")
    async with systemd() as (driver, _):
        await driver.secure(web)
        await driver.start(web, timeout_s=5)
    assert active("d-boot.service") == "active"


@story
async def a_drop_in_that_defeats_ours_is_found_out() -> None:
    web = install("d-defeated.service")
    async with systemd() as (driver, _):
        await driver.secure(web)
        (ETC / "d-defeated.service.d" / "zzz.conf").write_text("[Service]\nRestart=always\n")
        sh("systemctl", "daemon-reload")
        await refused(driver.secure(web), StartFailed, "a drop-in sets Restart=always after ours")
        assert "Restart=always" in (await driver.not_ready(web) or "")
        for setting, why in (
            ("RestartForceExitStatus=7", "a drop-in sets RestartForceExitStatus= after ours"),
            ("Environment=", "a drop-in after ours resets Environment="),
            ("UnsetEnvironment=BACKSTAY_UNIT", "UnsetEnvironment=BACKSTAY_UNIT"),
        ):
            (ETC / "d-defeated.service.d" / "zzz.conf").write_text(f"[Service]\n{setting}\n")
            sh("systemctl", "daemon-reload")
            assert why in (await driver.not_ready(web) or ""), setting


@story
async def a_killed_main_process_is_told_by_event() -> None:
    web = install("d-killed.service")
    async with systemd() as (driver, _):
        await driver.start(web, timeout_s=5)
        async with aclosing(driver.changes(web)) as changes:
            assert await anext(changes) == Seen(State.RUNNING)
            os.kill(main_pid("d-killed.service"), signal.SIGKILL)
            why = "d-killed.service failed: its main process was killed by SIGKILL"
            assert await anext(changes) == Seen(State.FAILED, why)
            await driver.start(web, timeout_s=5)
        await driver.stop(web, timeout_s=5)


@story
async def news_survive_a_restart_of_systemd_and_of_dbus() -> None:
    web = install("d-news.service")
    async with systemd() as (driver, manager):
        await driver.start(web, timeout_s=5)
        for upset in (("daemon-reload",), ("daemon-reexec",), ("restart", "dbus.service")):
            async with aclosing(driver.changes(web)) as changes:
                assert await anext(changes) == Seen(State.RUNNING)
                told = asyncio.ensure_future(anext(changes))
                async with manager.watch("d-news.service") as watch:
                    process = await asyncio.create_subprocess_exec("systemctl", *upset)
                    await process.wait()
                    while watch.lost:
                        await watch.changed()
                assert not told.done(), f"{upset} is no news of the unit: {told}"
                os.kill(main_pid("d-news.service"), signal.SIGKILL)
                assert (await told).state is State.FAILED
                await driver.start(web, timeout_s=5)
        await driver.stop(web, timeout_s=5)


@story
async def a_start_that_a_condition_skipped_has_failed() -> None:
    web = install("d-cond.service", "[Unit]\nConditionPathExists=/nowhere\n" + SLEEPER)
    async with systemd() as (driver, _):
        await refused(driver.start(web, timeout_s=5), StartFailed, "ConditionPathExists=/nowhere does not hold")
        await driver.stop(web, timeout_s=5)


@story
async def units_that_cannot_be_started_say_why() -> None:
    sh("systemctl", "mask", "d-masked.service")
    bare = "[Service]\nExecStart=\n"
    once = "[Service]\nType=oneshot\nExecStart=/bin/true\n"
    cases = {
        unit("d-masked.service"): "is masked: systemctl unmask d-masked.service",
        unit("d-missing.service"): "unit d-missing.service is not installed",
        install("d-bad.service", bare): "cannot be loaded",
        install("d-once.service", once): "without RemainAfterExit=yes",
        unit("ssh.service"): "belongs to the host itself",
        unit("../../etc/x.service"): "is not the name",
        unit("d@.service"): "is a template",
    }
    (ETC / "d-alias.service").symlink_to(ETC / "d-web.service")
    install("d-web.service")
    cases[unit("d-alias.service")] = "is another name of d-web.service"
    async with systemd() as (driver, _):
        for resource, why in cases.items():
            await refused(driver.secure(resource), StartFailed, why)
            assert why in (await driver.not_ready(resource) or "ready")
            await refused(driver.start(resource, timeout_s=5), StartFailed, why)
            await driver.stop(resource, timeout_s=5)
            assert (await driver.check(resource)).state is State.STOPPED
            await driver.unsecure(resource)


@story
async def a_oneshot_that_remains_is_up_only_where_a_probe_says_so() -> None:
    once = install("d-remain.service", ONCE + "ExecStart=/bin/touch /run/d-remain\nExecStop=/bin/rm /run/d-remain\n")
    probed = replace(once, probes=(Probe(name="alive", exec=Exec(command=("/usr/bin/test", "-e", "/run/d-remain"))),))
    async with systemd() as (driver, _):
        await refused(driver.start(once, timeout_s=5), StartFailed, "give the resource a probe (exec)")
        await driver.start(probed, timeout_s=5)
        assert (await driver.check(probed)).state is State.RUNNING
        assert (await driver.check(once)).state is State.UNKNOWN
        partly = replace(once, probes=tuple(replace(one, on_failure="Degrade") for one in probed.probes))
        assert (await driver.check(partly)).state is State.UNKNOWN, "what only degrades proves nothing"
        await driver.stop(probed, timeout_s=5)
        assert await driver.check(probed) == Seen(State.STOPPED)


@story
async def a_unit_that_fails_says_its_last_words() -> None:
    text = "[Service]\nType=forking\nExecStart=/bin/sh -c 'echo the disk is full; exit 3'\n"
    sad = install("d-sad.service", text)
    async with systemd() as (driver, _):
        why = "d-sad.service failed: one of its helper processes (exit-code); it said: the disk is full"
        await refused(driver.start(sad, timeout_s=5), StartFailed, why)
        await driver.stop(sad, timeout_s=5)
        assert await driver.check(sad) == Seen(State.STOPPED)


@story
async def a_start_that_takes_too_long_is_given_up_and_stopped() -> None:
    slow = install("d-slow.service", "[Service]\nType=notify\nExecStart=/bin/sleep 1000\n")
    slow = replace(slow, timeouts=Timeouts(start="200ms"))
    async with systemd() as (driver, _):
        await refused(
            driver.start(slow, timeout_s=0.2), StartFailed, "was not up within 0.2 s: it is activating (start)"
        )
        await driver.stop(slow, timeout_s=5)
        assert await driver.check(slow) == Seen(State.STOPPED)


@story
async def a_units_own_time_limit_holds_where_the_manifest_has_none() -> None:
    text = "[Service]\nType=notify\nExecStart=/bin/sleep 1000\nTimeoutStartSec=1\n"
    slow = install("d-own.service", text)
    async with systemd() as (driver, _):
        await refused(driver.start(slow, timeout_s=100), StartFailed, "d-own.service failed: it took too long")
        await driver.stop(slow, timeout_s=5)


@story
async def a_unit_that_will_not_go_is_killed() -> None:
    script = "trap '' TERM; touch /run/d-stubborn; while :; do sleep 1; done"
    stubborn = install("d-stubborn.service", f'[Service]\nExecStart=/bin/sh -c "{script}"\n')
    async with systemd() as (driver, _):
        await driver.start(stubborn, timeout_s=5)
        pid = main_pid("d-stubborn.service")
        await until(Path("/run/d-stubborn").exists)
        note = await driver.stop(replace(stubborn, timeouts=Timeouts(stop="300ms")), timeout_s=0.3)
        assert note == "d-stubborn.service did not stop within 0.3 s and was killed by SIGKILL"
        assert not lives(pid)


@story
async def a_unit_that_hangs_in_its_own_stop_is_asked_by_a_signal_before_it_is_killed() -> None:
    script = "trap 'echo asked >/run/d-polite; exit 0' TERM; touch /run/d-polite-up; while :; do sleep 0.1; done"
    text = f'[Service]\nExecStart=/bin/sh -c "{script}"\nExecStop=/bin/sleep 1000\n'
    polite = install("d-polite.service", text)
    async with systemd() as (driver, _):
        await driver.start(polite, timeout_s=5)
        await until(Path("/run/d-polite-up").exists)
        note = await driver.stop(replace(polite, timeouts=Timeouts(stop="300ms")), timeout_s=0.3)
        assert note == "d-polite.service did not stop within 0.3 s and was ended by SIGTERM"
        assert Path("/run/d-polite").read_text() == "asked\n"


@story
async def what_a_unit_leaves_behind_goes_too() -> None:
    text = "[Service]\nKillMode=process\nExecStart=/bin/sh -c 'setsid sleep 100001 & exec sleep 100002'\n"
    messy = install("d-messy.service", text)
    async with systemd() as (driver, _):
        await driver.start(messy, timeout_s=5)
        await until(lambda: runs("sleep 100001"))
        sh("systemctl", "stop", "d-messy.service")
        seen = await driver.check(messy)
        assert seen.state is State.UNKNOWN and "still run" in seen.why, seen
        await driver.stop(messy, timeout_s=5)
        assert not runs("sleep 100001")
        assert await driver.check(messy) == Seen(State.STOPPED)


@story
async def what_a_socket_starts_belongs_to_it() -> None:
    install("d-act.service", "[Service]\nExecStart=/bin/sleep 100003\n")
    door = install("d-act.socket", "[Socket]\nListenStream=/run/d-act.sock\n")
    async with systemd() as (driver, _):
        await driver.secure(door)
        sh("systemctl", "start", "d-act.service")
        assert active("d-act.service") == "inactive"
        await driver.start(door, timeout_s=5)
        sh("busybox", "timeout", "1", "python3", "-c", "import socket; socket.socket(1, 1).connect('/run/d-act.sock')")
        await until(lambda: active("d-act.service") == "active")
        await driver.stop(door, timeout_s=5)
        assert (active("d-act.service"), active("d-act.socket")) == ("inactive", "inactive")


@story
async def a_port_that_somebody_else_has_is_named_before_a_socket_is_started_there() -> None:
    install("d-port.service", "[Service]\nExecStart=/bin/sleep 100004\n")
    door = install("d-port.socket", "[Socket]\nListenStream=48211\n")
    squatter = "import socket, time; it = socket.create_server(('127.0.0.1', 48211)); time.sleep(60)"
    async with systemd() as (driver, _):
        await driver.secure(door)
        assert await driver.not_ready(door) is None
        sh("systemd-run", "--quiet", "--unit=d-squatter", "python3", "-c", squatter)
        await until(lambda: ":48211" in sh("ss", "-ltn"))
        why = await driver.not_ready(door)
        assert why and why.startswith(
            "d-port.socket cannot listen on [::]:48211: port 48211 is held by python3 (PID "
        ), why
        assert why.endswith(", d-squatter.service) already")
        sh("systemctl", "stop", "d-squatter.service")
        await driver.start(door, timeout_s=5)
        assert await driver.not_ready(door) is None, "what runs here itself is nobody else's"
        await driver.stop(door, timeout_s=5)


@story
async def three_hundred_units_start_are_watched_and_stop_at_once() -> None:
    """The bus takes 128 calls of a connection at a time; and systemd itself fell off the bus: it listens for the end of whoever keeps a
    unit in its memory, or has queued a job, and is allowed 512 such rules."""
    slow = "[Service]\nExecStartPre=/bin/sleep 1\nExecStart=/bin/sleep infinity\n"
    units = [install(f"d-many-{number}.service", slow, reload=False) for number in range(300)]
    sh("systemctl", "daemon-reload")
    lost = _times_off_the_bus()
    async with systemd() as (driver, _), AsyncExitStack() as watches:
        for unit in units:
            await anext(await watches.enter_async_context(aclosing(driver.changes(unit))))
        await asyncio.gather(*(driver.start(unit, timeout_s=60) for unit in units))
        seen = await asyncio.gather(*(driver.check(unit) for unit in units))
        assert {one.state for one in seen} == {State.RUNNING}
        await asyncio.gather(*(driver.stop(unit, timeout_s=60) for unit in units))
        assert await driver.leftovers() == []
    assert _times_off_the_bus() == lost


def _times_off_the_bus() -> int:
    return sh("journalctl", "--no-pager", "-o", "cat", "_PID=1").count("Got disconnect on API bus")


@story
async def what_is_down_while_its_gate_stands_open_is_left_over_too() -> None:
    """Seed 120000000366: a person had stopped it while no agent ran, and could have started it again, whoever had it meanwhile."""
    web = install("d-open.service")
    async with systemd() as (driver, _):
        await driver.start(web, timeout_s=5)
        sh("systemctl", "stop", "d-open.service")
    async with systemd() as (driver, _):
        for intact in (True, False):
            left = await driver.leftovers(run_is_intact=intact)
            assert "d-open.service" in [one.systemd.unit for one in left if one.systemd]
        await driver.stop(web, timeout_s=5)
        assert "d-open.service" not in [one.systemd.unit for one in await driver.leftovers() if one.systemd]
        sh("systemctl", "start", "d-open.service")
        assert active("d-open.service") == "inactive"


@story
async def what_runs_is_recognised_without_memory() -> None:
    web = install("d-left.service")
    async with systemd() as (driver, _):
        await driver.start(web, timeout_s=5)
    sh("rm", "-rf", "/run/backstay")
    async with systemd() as (driver, _):
        assert "d-left.service" in [left.systemd.unit for left in await driver.leftovers() if left.systemd]
        await driver.stop(web, timeout_s=5)
        assert "d-left.service" not in [left.systemd.unit for left in await driver.leftovers() if left.systemd]


@story
async def a_failed_start_that_systemd_calls_a_success_is_no_start() -> None:
    """A `-` before a program says that its failure is none."""
    forks = install("d-dash-forks.service", "[Service]\nType=forking\nExecStart=-/bin/sh -c 'echo no config; exit 3'\n")
    runs_out = install("d-dash-runs.service", "[Service]\nType=exec\nExecStart=-/bin/sh -c 'echo no config; exit 3'\n")
    async with systemd() as (driver, _):
        await refused(driver.start(forks, timeout_s=5), StartFailed, "it said: no config")
        # This one is up for as long as its program takes to fail: a look within that time is no lie.
        with suppress(StartFailed):
            await driver.start(runs_out, timeout_s=5)
        async with aclosing(driver.changes(runs_out)) as changes:
            async for seen in changes:
                if seen.state is State.STOPPED:
                    break
        for bad in (forks, runs_out):
            assert await driver.stop(bad, timeout_s=5) is None
            assert (await driver.check(bad)).state is State.STOPPED


@story
async def a_pid_file_that_comes_late_or_names_somebody_else_is_no_start_of_that() -> None:
    late = "(sleep 1; sleep 100051 & echo $! >/run/d-late.pid) &"
    one = install(
        "d-late.service", f"[Service]\nType=forking\nPIDFile=/run/d-late.pid\nExecStart=/bin/sh -c '{late}'\n"
    )
    wrong = "echo 1 >/run/d-wrong.pid; sleep 100052 &"
    other = install(
        "d-wrong.service", f"[Service]\nType=forking\nPIDFile=/run/d-wrong.pid\nExecStart=/bin/sh -c '{wrong}'\n"
    )
    async with systemd() as (driver, _):
        await driver.start(one, timeout_s=10)
        assert main_pid("d-late.service") == int(Path("/run/d-late.pid").read_text())
        await driver.stop(one, timeout_s=5)
        limited = replace(other, timeouts=Timeouts(start="2s"))
        await refused(driver.start(limited, timeout_s=2), StartFailed, "d-wrong.service")
        await driver.stop(limited, timeout_s=5)
        assert not runs("sleep 100051") and not runs("sleep 100052") and lives(1)


if __name__ == "__main__":
    main(STORIES)
