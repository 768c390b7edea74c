"""Stories about units that stand for others, or whose word means less than it seems. Told by `test_drivers_host.py` inside a host."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import aclosing
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
    program,
    refused,
    runs,
    sh,
    story,
    systemd,
    unit,
    until,
)

from backstay_agent.drivers.base import Seen, StartFailed, State, StopFailed
from backstay_agent.drivers.tools.units import UnitFiles
from backstay_api.objects.plain import Exec, Probe

UMBRELLA = ONCE + "ExecStart=/bin/true\nExecReload=/bin/true\n[Install]\nWantedBy=multi-user.target\n"
# As Debian's postgresql@.service: PartOf and Before the umbrella; a fast shutdown takes as long as its checkpoint.
CLUSTER = (
    "[Unit]\nPartOf=d-pg.service\nReloadPropagatedFrom=d-pg.service\nBefore=d-pg.service\n"
    "[Service]\nExecStart=/bin/sleep 100000\nExecStop=/bin/sleep 2\nTimeoutStopSec=1h\n"
)
WORKER = "d-pg@15-main.service"
NAME_IT = f"name {WORKER}: d-pg.service only pulls it in"


def debian_like() -> None:
    (ETC / "d-pg@.service").write_text(CLUSTER)
    wants = ETC / "d-pg.service.wants"  # what postgresql-generator makes at each boot and daemon-reload
    wants.mkdir(exist_ok=True)
    if not (wants / WORKER).is_symlink():
        (wants / WORKER).symlink_to(ETC / "d-pg@.service")
    install("d-pg.service", UMBRELLA)
    sh("systemctl", "enable", "d-pg.service")


@story
async def an_umbrella_is_not_ready_and_names_who_does_the_work() -> None:
    debian_like()
    umbrella = unit("d-pg.service")
    async with systemd() as (driver, _):
        await driver.secure(umbrella)
        assert await driver.not_ready(umbrella) == NAME_IT
        await refused(driver.start(umbrella, timeout_s=10), StartFailed, NAME_IT)
        sh("systemctl", "start", "d-pg.service")
        assert (active("d-pg.service"), active(WORKER)) == ("inactive", "inactive"), (
            "wants are pulled in before conditions"
        )


@story
async def what_an_umbrella_runs_is_seen_and_stopped_with_it() -> None:
    debian_like()
    sh("systemctl", "start", "d-pg.service")
    pid = main_pid(WORKER)
    assert lives(pid)
    umbrella = unit("d-pg.service")
    async with systemd() as (driver, _):
        await driver.secure(umbrella)
        left = await driver.leftovers()
        assert [one.systemd.unit for one in left if one.systemd] == ["d-pg.service"], left
        sh("systemctl", "stop", "--no-block", "d-pg.service")
        await until(lambda: active("d-pg.service") == "inactive")
        left = await driver.leftovers()
        assert [one.systemd.unit for one in left if one.systemd] == ["d-pg.service"], (
            "the worker lives, and is a part of it"
        )
        seen = await driver.check(umbrella)
        assert seen.state is State.UNKNOWN and WORKER in seen.why, seen
        await driver.stop(umbrella, timeout_s=20)
        assert not lives(pid)
        assert await driver.leftovers() == []
        assert await driver.check(umbrella) == Seen(State.STOPPED)


@story
async def a_worker_named_itself_is_gated_whoever_pulls_it_in() -> None:
    debian_like()
    worker = unit(WORKER)
    async with systemd() as (driver, _):
        await driver.secure(worker)
        assert await driver.not_ready(worker) is None
        sh("systemctl", "start", "d-pg.service")
        assert (active("d-pg.service"), active(WORKER)) == ("active", "inactive")
        await driver.start(worker, timeout_s=10)
        assert (await driver.check(worker)).state is State.RUNNING
        async with aclosing(driver.changes(worker)) as changes:
            assert (await anext(changes)).state is State.RUNNING
            sh("systemctl", "stop", "d-pg.service")
            told = [await anext(changes)]
            while told[-1].state is State.STOPPING:
                told.append(await anext(changes))
        assert told[-1].state is State.STOPPED, told
        assert {seen.by_admin for seen in told} == {f"stopped by an admin: systemctl stop {WORKER}"}
        why = await driver.starts_by_itself(worker)
        assert why is not None and WORKER in why
        await driver.stop(worker, timeout_s=5)


@story
async def an_umbrella_and_its_worker_are_secured_for_the_next_boot() -> None:
    debian_like()
    async with systemd() as (driver, _):
        await driver.secure(unit("d-pg.service"))


@story
async def a_target_names_its_members() -> None:
    install("d-one.service", SLEEPER)
    install("d-two.service", SLEEPER)
    group = install("d-group.target", "[Unit]\nWants=d-one.service d-two.service\n")
    async with systemd() as (driver, _):
        await driver.secure(group)
        assert (
            await driver.not_ready(group) == "name d-one.service and d-two.service: d-group.target only pulls them in"
        )
        sh("systemctl", "start", "d-group.target")
        assert (active("d-one.service"), active("d-two.service")) == ("inactive", "inactive")
        await driver.unsecure(group)
    assert UnitFiles().with_drop_in() == []


@story
async def what_a_server_alone_pulls_in_starts_and_stops_with_it() -> None:
    install("d-helper.service", SLEEPER)
    install("d-shared.service", SLEEPER)
    install("d-stranger.service", "[Unit]\nWants=d-shared.service\n" + SLEEPER)
    sh("systemctl", "start", "d-stranger.service")
    serves = SLEEPER.replace("/bin/sleep 100000", "/usr/bin/tail -f /etc/hostname")  # what only sleeps is no server
    web = install("d-front.service", "[Unit]\nWants=d-helper.service d-shared.service\n" + serves)
    install("d-part.service", "[Unit]\nPartOf=d-front.service\n" + SLEEPER)
    sh("systemctl", "enable", "d-part.service")
    async with systemd() as (driver, _):
        await driver.secure(web)
        assert await driver.not_ready(web) is None
        sh("systemctl", "start", "d-helper.service", "d-part.service")
        assert (active("d-helper.service"), active("d-part.service")) == ("inactive", "inactive")
        await driver.start(web, timeout_s=5)
        await until(lambda: active("d-helper.service") == "active")
        assert active("d-part.service") == "active", "enabled here, so it runs where the service runs"
        await driver.stop(web, timeout_s=5)
        units = ("d-helper.service", "d-part.service", "d-shared.service")
        assert [active(name) for name in units] == ["inactive", "inactive", "active"]
    sh("systemctl", "disable", "--now", "d-part.service", "d-shared.service", "d-stranger.service")


@story
async def who_is_called_at_its_end_does_not_come_when_we_stop_it() -> None:
    install("d-next.service", SLEEPER)
    install("d-mail@.service", SLEEPER)
    calls = "[Unit]\nOnSuccess=d-next.service\nOnFailure=d-mail@%n.service\n"
    web = install("d-calls.service", calls + "[Service]\nExecStart=/bin/sleep 100000\n")
    mail = "d-mail@d-calls.service.service"
    async with systemd() as (driver, _):
        await driver.start(web, timeout_s=5)
        assert (active("d-next.service"), active(mail)) == ("inactive", "inactive")
        await driver.stop(web, timeout_s=5)
        assert (active("d-next.service"), active(mail)) == ("inactive", "inactive")
        await driver.start(web, timeout_s=5)
        os.kill(main_pid("d-calls.service"), signal.SIGKILL)
        await until(lambda: active(mail) == "active")  # as long as it may run here, it may call
        await driver.stop(web, timeout_s=5)
        assert (active("d-next.service"), active(mail)) == ("inactive", "inactive")


@story
async def what_a_timer_starts_is_named_by_its_timer() -> None:
    job = install("d-job.service", "[Service]\nType=oneshot\nExecStart=/bin/sleep 100000\n")
    timer = install("d-job.timer", "[Timer]\nOnActiveSec=100ms\n[Install]\nWantedBy=timers.target\n")
    async with systemd() as (driver, _):
        await driver.start(timer, timeout_s=5)
        assert "name d-job.timer, which starts it" in (await driver.not_ready(job) or "ready")
        await until(lambda: active("d-job.service") == "activating")
        await driver.stop(timer, timeout_s=5)
        assert (active("d-job.timer"), active("d-job.service")) == ("inactive", "inactive")


@story
async def conditions_on_a_disk_that_comes_with_the_service_wait_for_it() -> None:
    disk = Path("/srv/d-disk")
    disk.mkdir(parents=True, exist_ok=True)
    text = f"[Unit]\nConditionPathIsMountPoint={disk}\nConditionPathExists={disk}/conf\n" + SLEEPER
    app = install("d-onadisk.service", text)
    async with systemd() as (driver, _):
        await driver.secure(app)
        assert await driver.not_ready(app) is None
        await refused(driver.start(app, timeout_s=5), StartFailed, f"={disk}")
        (disk / "other").touch()
        assert "does not hold on this host" in (await driver.not_ready(app) or "ready")
        (disk / "other").unlink()
    disk.rmdir()


@story
async def a_stop_that_failed_is_no_verified_stop_of_what_has_no_process() -> None:
    text = ONCE + (
        "ExecStart=/bin/touch /run/d-export\nExecStop=/bin/sh -c 'echo umount: /srv: target is busy >&2; exit 32'\n"
    )
    probe = Probe(name="there", exec=Exec(command=("/usr/bin/test", "-e", "/run/d-export")))
    # Whatever its Type: what RemainAfterExit= keeps up has no process either.
    for kind in ("oneshot", "simple", "exec"):
        export = replace(install("d-export.service", text.replace("oneshot", kind)), probes=(probe,))
        async with systemd() as (driver, _):
            await driver.start(export, timeout_s=5)
            await until(lambda: sh("systemctl", "show", "-P", "SubState", "d-export.service") == "exited")
            for _again in range(2):
                await refused(driver.stop(export, timeout_s=5), StopFailed, "systemctl reset-failed d-export.service")
                sh("systemctl", "daemon-reload")
            assert (await driver.check(export)).state is State.UNKNOWN
            assert [one.systemd.unit for one in await driver.leftovers() if one.systemd] == ["d-export.service"]
            sh("systemctl", "reset-failed", "d-export.service")
            await driver.stop(export, timeout_s=5)


@story
async def stop_commands_that_fail_do_not_hold_what_is_gone() -> None:
    text = (
        "[Service]\nKillMode=process\nExecStart=/bin/sh -c 'sleep 4321 & exec sleep 100000'\n"
        "ExecStop=/bin/false\nExecStopPost=/bin/false\n"
    )
    bad = install("d-badstop.service", text)
    async with systemd() as (driver, _):
        await driver.start(bad, timeout_s=5)
        await until(lambda: runs("sleep 4321"))
        await driver.stop(bad, timeout_s=5)
        assert not runs("sleep 4321")


@story
async def a_unit_whose_daemon_is_dead_is_not_running() -> None:
    daemon = program(
        "sysv",
        'case $1 in start) sleep 5432101 & echo $! >/run/d-sysv.pid;; stop) kill "$(cat /run/d-sysv.pid)";; esac',
    )
    text = (
        "[Service]\nType=forking\nRemainAfterExit=yes\nGuessMainPID=no\nKillMode=process\n"
        f"ExecStart={daemon} start\nExecStop={daemon} stop\n"
    )
    sysv = install("d-sysv.service", text)
    async with systemd() as (driver, _):
        await driver.start(sysv, timeout_s=5)
        async with aclosing(driver.changes(sysv)) as changes:
            assert (await anext(changes)).state is State.RUNNING
            os.kill(int(Path("/run/d-sysv.pid").read_text()), signal.SIGKILL)
            why = "d-sysv.service is active (exited), but none of its processes runs any more"
            assert await anext(changes) == Seen(State.FAILED, why)
        await driver.stop(sysv, timeout_s=5)
        await driver.start(sysv, timeout_s=5)
        assert (await driver.check(sysv)).state is State.RUNNING
        await driver.stop(sysv, timeout_s=5)


@story
async def a_reload_waits_for_a_start_that_waits_for_its_pid_file() -> None:
    forker = program("forker", "sh -c 'sleep 3; echo $$ >/run/d-forker.pid; exec sleep 100000' &")
    slow = install("d-forker.service", f"[Service]\nType=forking\nPIDFile=/run/d-forker.pid\nExecStart={forker}\n")
    other = install("d-quick.service")
    async with systemd() as (driver, _):
        await driver.secure(slow)
        starting = asyncio.create_task(driver.start(slow, timeout_s=15))
        await until(lambda: runs("sleep 3"))
        await asyncio.sleep(0.3)
        securing = asyncio.create_task(driver.secure(other))
        await until(lambda: "while d-forker.service starts: it waits for its PID file" in driver.waits_for(other))
        await driver.secure(slow)  # its file is read: it waits for nothing
        assert not securing.done()
        await securing
        assert driver.waits_for(other) == ""
        await starting
        await driver.unsecure(other)
        await driver.stop(slow, timeout_s=5)


@story
async def a_unit_without_limits_gets_those_of_systemd() -> None:
    text = (
        "trap 'sleep 3; touch /run/d-clean; exit 0' TERM; sleep 3; systemd-notify --ready; while :; do sleep 0.1; done"
    )
    slow = install("d-db.service", f"[Service]\nType=notify\nNotifyAccess=all\nExecStart={program('slowdb', text)}\n")
    async with systemd() as (driver, _):
        await driver.start(slow, timeout_s=1)
        assert await driver.stop(slow, timeout_s=1) is None
        assert Path("/run/d-clean").exists()


@story
async def settings_that_would_take_it_down_are_named() -> None:
    cases = {
        "[Unit]\nStopWhenUnneeded=yes\n" + SLEEPER: "StopWhenUnneeded=yes",
        "[Unit]\nSuccessAction=reboot\n" + SLEEPER: "SuccessAction=reboot",
        "[Unit]\nBindsTo=d-nowhere.service\n"
        + SLEEPER: "needs d-nowhere.service (BindsTo=), which this host does not have",
        "[Unit]\nBindsTo=dev-nothing.device\n" + SLEEPER: "needs dev-nothing.device (BindsTo=), which is inactive",
        "[Unit]\nRequisite=d-down.service\n" + SLEEPER: "needs d-down.service (Requisite=), which is inactive",
        "[Unit]\nConflicts=d-up.service\n" + SLEEPER: "Conflicts=d-up.service, which is active here",
        "[Unit]\nConditionPathExists=/nowhere\n" + SLEEPER: "ConditionPathExists=/nowhere does not hold on this host",
        "[Service]\nRuntimeMaxSec=60\nExecStart=/bin/sleep 100000\n": "RuntimeMaxSec=",
    }
    install("d-down.service")
    install("d-up.service")
    sh("systemctl", "start", "d-up.service")
    async with systemd() as (driver, _):
        for text, why in cases.items():
            picky = install("d-picky.service", text)
            await driver.secure(picky)
            assert why in (await driver.not_ready(picky) or "ready"), (why, await driver.not_ready(picky))
    sh("systemctl", "stop", "d-up.service")


if __name__ == "__main__":
    main(STORIES)
