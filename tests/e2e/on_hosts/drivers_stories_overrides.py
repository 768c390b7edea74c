"""Stories about overrides and reloads of units, told by `test_drivers_host.py` inside a host."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

from drivers_scene import (
    SLEEPER,
    STORIES,
    active,
    install,
    lives,
    main,
    main_pid,
    read,
    refused,
    sh,
    story,
    systemd,
    until,
)

from backstay_agent.drivers.base import StartFailed, State
from backstay_agent.drivers.systemd.overrides import FILE, text
from backstay_api.objects.plain import RenderedResource, Systemd

ODD = 'a b"c\\d%n$HOME\té\nend'
RELOADS = (
    "[Service]\nType=exec\nExecStart=/bin/sh -c 'trap \"\" HUP; while :; do sleep 1; done'\n"
    "ExecReload=/bin/sh -c 'echo again >>/run/d-reloads; [ ! -e /run/d-reload-fails ] || { echo bad config; exit 4; }'\n"
)


def with_(
    name: str, *, reloaded_at: str | None = None, environment: dict[str, str] | None = None, **overrides: str
) -> RenderedResource:
    spec = Systemd(unit=name, overrides=overrides or None, environment=environment)
    return RenderedResource(name="server", systemd=spec, reloaded_at=reloaded_at)


def drop_in(name: str) -> Path:
    return Path(f"/run/systemd/system/{name}.d/{FILE}")


def limits(pid: int) -> str:
    (line,) = [line for line in read(f"/proc/{pid}/limits").splitlines() if line.startswith("Max open files")]
    return line.split()[3]


def memory_max(name: str) -> str:
    """As systemd has it: in a lab whose control groups have no controllers, nobody could see more."""
    return sh("systemctl", "show", "--value", "--property=MemoryMax", name)


@story
async def what_is_stopped_is_stopped_though_its_overrides_cannot_be_taken_away() -> None:
    name = "d-stays.service"
    install(name)
    server, folder = with_(name, Nice="5"), str(drop_in(name).parent)
    async with systemd() as (driver, _):
        await driver.secure(server)
        await driver.start(server, timeout_s=5)
        sh("mount", "--bind", folder, folder)
        sh("mount", "-o", "remount,bind,ro", folder)
        try:
            note = await driver.stop(server, timeout_s=5)
        finally:
            sh("umount", folder)
        assert active(name) == "inactive" and "Read-only file system" in (note or "")
        await driver.start(server, timeout_s=5)
        await driver.stop(server, timeout_s=5)
        assert not drop_in(name).exists()


@story
async def overrides_hold_from_the_start_on_and_go_with_the_stop() -> None:
    name = "d-over.service"
    install(name)
    server = with_(name, LimitNOFILE="4321", Nice="5", environment={"D_ODD": ODD, "D_PLAIN": "x"})
    async with systemd() as (driver, _):
        await driver.secure(server)
        assert not drop_in(name).exists(), "a standby is as its own file says"
        await driver.start(server, timeout_s=5)
        pid = main_pid(name)
        # Started is what systemd has forked: the program itself may come a moment later.
        async with asyncio.timeout(5):
            while b"D_PLAIN" not in (said := Path(f"/proc/{pid}/environ").read_bytes()):
                await asyncio.sleep(0.01)
        words = said.decode().split("\0")
        assert limits(pid) == "4321" and f"D_ODD={ODD}" in words and "D_PLAIN=x" in words, words
        assert read(f"/proc/{pid}/stat").rpartition(")")[2].split()[16] == "5"
        await driver.start(server, timeout_s=5)
        assert main_pid(name) == pid
    async with systemd() as (driver, _):  # another life of the agent
        assert (await driver.check(server)).state is State.RUNNING
        await driver.stop(server, timeout_s=5)
        assert not drop_in(name).exists() and str(drop_in(name)) not in sh("systemctl", "show", name), (
            "it went with the stop"
        )
        await driver.start(with_(name), timeout_s=5)
        assert limits(main_pid(name)) != "4321"
        await driver.stop(with_(name), timeout_s=5)
        await driver.start(server, timeout_s=5)
        await driver.unsecure(server)
        assert not drop_in(name).exists(), "what is given back is as it was"
        await driver.stop(server, timeout_s=5)


@story
async def what_a_dead_agent_has_left_of_overrides_counts_for_nothing() -> None:
    name = "d-left.service"
    install(name)
    plain, limited = with_(name), with_(name, LimitNOFILE="4321")
    async with systemd() as (driver, _):
        await driver.start(limited, timeout_s=5)
        await driver.stop(limited, timeout_s=5)
        drop_in(name).parent.mkdir(parents=True, exist_ok=True)
        drop_in(name).write_text("[Service]\nLimitNOFILE=99\n")  # written, and not read: it died between the two
        await driver.start(limited, timeout_s=5)
        assert limits(main_pid(name)) == "4321"
        await driver.stop(limited, timeout_s=5)
        drop_in(name).parent.mkdir(parents=True, exist_ok=True)
        drop_in(name).write_text("[Service]\nLimitNOFILE=99\n")
        sh("systemctl", "daemon-reload")
        drop_in(name).unlink()  # taken away, and systemd does not know
        await driver.start(plain, timeout_s=5)
        assert limits(main_pid(name)) != "99"
        await driver.stop(plain, timeout_s=5)


@story
async def a_live_override_reaches_what_runs() -> None:
    name = "d-live.service"
    install(name)
    async with systemd() as (driver, _):
        before, after = with_(name, MemoryMax="64M"), with_(name, MemoryMax="96M", TasksMax="50")
        await driver.start(before, timeout_s=5)
        pid = main_pid(name)
        assert memory_max(name) == str(64 << 20)
        await driver.apply(after, before, timeout_s=5)
        assert memory_max(name) == str(96 << 20)
        again = with_(name, MemoryMax="128M")
        assert again.systemd
        drop_in(name).write_text(text(again.systemd))  # written, and not read: an agent died between the two
        await driver.apply(again, after, timeout_s=5)
        assert memory_max(name) == str(128 << 20)
        await driver.apply(with_(name), again, timeout_s=5)
        assert memory_max(name) == "infinity"
        assert main_pid(name) == pid
        await driver.stop(with_(name), timeout_s=5)


@story
async def what_would_defeat_the_gate_is_refused_by_the_agent_too() -> None:
    name = "d-bad.service"
    install(name)
    async with systemd() as (driver, _):
        await driver.secure(with_(name))
        for bad, why in (
            (with_(name, Restart="always"), "Restart cannot be overridden"),
            (with_(name, ExecStart="/bin/true"), "ExecStart cannot be overridden"),
            (with_(name, MemoryMax="64M\nRestart=always"), "is not understood"),
            (with_(name, environment={"BACKSTAY_UNIT": "x"}), "cannot be the name of a variable"),
            (with_(name, environment={"A=b\n[Unit]": "x"}), "cannot be the name of a variable"),
        ):
            await refused(driver.start(bad, timeout_s=5), StartFailed, why)
            assert active(name) != "active" and not drop_in(name).exists()


@story
async def a_unit_is_reloaded_where_it_runs() -> None:
    name = "d-reload.service"
    install(name, RELOADS)
    first, second, third = (with_(name, reloaded_at=at) for at in ("1", "2", "3"))
    Path("/run/d-reloads").write_text("")
    async with systemd() as (driver, _):
        await driver.start(first, timeout_s=5)
        pid = main_pid(name)
        await driver.apply(second, first, timeout_s=5)
        assert read("/run/d-reloads") == "again\n" and main_pid(name) == pid
        await driver.apply(second, second, timeout_s=5)
        await driver.apply(with_(name), second, timeout_s=5)
        assert read("/run/d-reloads") == "again\n", "nothing has changed, or nothing is asked for any more"
        Path("/run/d-reload-fails").touch()
        await refused(
            driver.apply(third, second, timeout_s=5),
            StartFailed,
            "runs on as it was: its ExecReload= has failed (exit-code); it said: bad config",
        )
        assert lives(pid) and (await driver.check(third)).state is State.RUNNING
        await driver.stop(third, timeout_s=5)


@story
async def what_has_no_reload_is_not_ready_for_one() -> None:
    server = replace(install("d-stiff.service"), reloaded_at="1")
    async with systemd() as (driver, _):
        await driver.secure(server)
        assert "has no ExecReload=: leave reloadedAt out" in (await driver.not_ready(server) or "ready")
        assert await driver.not_ready(replace(server, reloaded_at=None)) is None


@story
async def overrides_wait_for_a_start_that_a_daemon_reload_would_break() -> None:
    install("d-pid.service", "[Service]\nType=forking\nPIDFile=/run/d-pid\nExecStart=/bin/sh -c 'sleep 100031 &'\n")
    install("d-waits.service", SLEEPER)
    server = with_("d-waits.service", LimitNOFILE="4321")
    async with systemd() as (driver, _):
        await driver.secure(server)
        sh("systemctl", "start", "--no-block", "d-pid.service")
        await until(
            lambda: (
                "SubState=start\n" in sh("systemctl", "show", "d-pid.service") + "\n"
                and bool(sh("pgrep", "-f", "[s]leep 100031"))
            )
        )
        starting = asyncio.create_task(driver.start(server, timeout_s=20))
        await until(lambda: drop_in("d-waits.service").exists() and bool(driver.waits_for(server)))
        Path("/run/d-pid").write_text(sh("pgrep", "-f", "[s]leep 100031"))
        await starting
        assert limits(main_pid("d-waits.service")) == "4321" and active("d-pid.service") == "active"
        await driver.stop(server, timeout_s=5)
    sh("systemctl", "stop", "d-pid.service")


@story
async def a_start_that_systemd_gives_more_time_is_waited_for() -> None:
    asks = "for i in 1 2 3 4 5 6; do systemd-notify EXTEND_TIMEOUT_USEC=3000000; sleep 1; done; systemd-notify --ready; exec sleep 100005"
    text = f"[Service]\nType=notify\nNotifyAccess=all\nTimeoutStartSec=2\nExecStart=/bin/sh -c '{asks}'\n"
    recovers = install("d-recovers.service", text)
    async with systemd() as (driver, _):
        await driver.start(recovers, timeout_s=20)
        assert active("d-recovers.service") == "active"
        await driver.stop(recovers, timeout_s=5)


if __name__ == "__main__":
    main(STORIES)
