"""Stories about drivers on a real systemd, told inside a lab's host by `test_drivers_host.py`: `python3 - NAME`.

Standard library, agent and contract only: that is all a host has.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

from backstay_agent.drivers.base import Seen, StartFailed, State, StopFailed
from backstay_agent.drivers.command import CommandDriver, unit_name
from backstay_agent.drivers.manager import Manager
from backstay_agent.drivers.systemd import SystemdDriver
from backstay_agent.drivers.units import DROP_IN
from backstay_api.plain import Command, RenderedResource, Systemd, Timeouts

ETC = Path("/etc/systemd/system")
SLEEPER = "[Service]\nExecStart=/bin/sleep 100000\nRestart=always\n[Install]\nWantedBy=multi-user.target\n"

Story = Callable[[], Coroutine[Any, Any, None]]
STORIES: dict[str, Story] = {}


def story(tell: Story) -> Story:
    STORIES[tell.__name__] = tell
    return tell


def sh(*argv: str) -> str:
    return subprocess.run(argv, capture_output=True, text=True, check=False).stdout.strip()


def install(name: str, text: str = SLEEPER) -> RenderedResource:
    (ETC / name).write_text(text)
    sh("systemctl", "daemon-reload")
    return unit(name)


def unit(name: str) -> RenderedResource:
    return RenderedResource(name="server", systemd=Systemd(unit=name))


def program(name: str, text: str) -> str:
    path = Path("/opt/drivers") / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


def command(path: str, *, check: bool = True, **timeouts: str) -> RenderedResource:
    argv = Command(start=(path, "start"), stop=(path, "stop"), check=(path, "check") if check else None)
    return RenderedResource(name="app", command=argv, timeouts=Timeouts(**timeouts))


@asynccontextmanager
async def systemd() -> AsyncIterator[tuple[SystemdDriver, Manager]]:
    manager = Manager()
    try:
        yield SystemdDriver(manager), manager
    finally:
        await manager.close()


@asynccontextmanager
async def commands() -> AsyncIterator[CommandDriver]:
    manager = Manager()
    try:
        yield CommandDriver(manager)
    finally:
        await manager.close()


async def refused(doing: Awaitable[object], error: type[Exception], why: str) -> None:
    try:
        await doing
    except error as refusal:
        assert why in str(refusal), f"it said: {refusal}"
    else:
        raise AssertionError(f"nothing was refused; expected: {why}")


def main_pid(name: str) -> int:
    return int(sh("systemctl", "show", "--value", "--property=MainPID", name))


def lives(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def runs(program: str) -> bool:
    return program in sh("ps", "axo", "args")


def read(path: str) -> str:
    return Path(path).read_text()


def active(name: str) -> str:
    return sh("systemctl", "is-active", name)


# Units


@story
async def a_unit_is_started_and_verifiably_stopped() -> None:
    web = install("d-web.service")
    async with systemd() as (driver, _):
        await driver.start(web, timeout_s=5)
        await driver.start(web, timeout_s=5)
        assert await driver.check(web) == Seen(State.RUNNING)
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
        await _until(lambda: active("d-gated.service") == "failed")
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
async def a_oneshot_that_remains_counts_as_up() -> None:
    once = install("d-remain.service", "[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/true\n")
    async with systemd() as (driver, _):
        await driver.start(once, timeout_s=5)
        assert await driver.check(once) == Seen(State.RUNNING)
        await driver.stop(once, timeout_s=5)
        assert await driver.check(once) == Seen(State.STOPPED)


@story
async def a_unit_that_fails_says_its_last_words() -> None:
    text = "[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/sh -c 'echo the disk is full; exit 3'\n"
    sad = install("d-sad.service", text)
    async with systemd() as (driver, _):
        why = "d-sad.service failed: its main process exited with 3; it said: the disk is full"
        await refused(driver.start(sad, timeout_s=5), StartFailed, why)
        await driver.stop(sad, timeout_s=5)
        assert await driver.check(sad) == Seen(State.STOPPED)


@story
async def a_start_that_takes_too_long_is_given_up_and_stopped() -> None:
    slow = install("d-slow.service", "[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/sleep 1000\n")
    async with systemd() as (driver, _):
        await refused(
            driver.start(slow, timeout_s=0.2), StartFailed, "was not up within 0.2 s: it is activating (start)"
        )
        await driver.stop(slow, timeout_s=5)
        assert await driver.check(slow) == Seen(State.STOPPED)


@story
async def a_unit_that_will_not_go_is_killed() -> None:
    script = "trap '' TERM; touch /run/d-deaf; while :; do sleep 1; done"
    stubborn = install("d-stubborn.service", f'[Service]\nExecStart=/bin/sh -c "{script}"\n')
    async with systemd() as (driver, _):
        await driver.start(stubborn, timeout_s=5)
        pid = main_pid("d-stubborn.service")
        await _until(Path("/run/d-deaf").exists)
        await driver.stop(stubborn, timeout_s=0.3)
        assert not lives(pid)


@story
async def what_a_unit_leaves_behind_goes_too() -> None:
    text = "[Service]\nKillMode=process\nExecStart=/bin/sh -c 'setsid sleep 100001 & exec sleep 100002'\n"
    messy = install("d-messy.service", text)
    async with systemd() as (driver, _):
        await driver.start(messy, timeout_s=5)
        await _until(lambda: runs("sleep 100001"))
        sh("systemctl", "stop", "d-messy.service")
        seen = await driver.check(messy)
        assert seen.state is State.UNKNOWN and "there still run" in seen.why, seen
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
        await _until(lambda: active("d-act.service") == "active")
        await driver.stop(door, timeout_s=5)
        assert (active("d-act.service"), active("d-act.socket")) == ("inactive", "inactive")


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


# Commands

DAEMON = """case $1 in
start) [ -e /run/d-app ] && kill -0 $(cat /run/d-app) 2>/dev/null && exit 0; setsid sleep 100004 & echo $! > /run/d-app;;
stop) [ -e /run/d-app ] && kill $(cat /run/d-app); rm -f /run/d-app; exit 0;;
check) [ -e /run/d-app ] || exit 7; kill -0 $(cat /run/d-app) || { echo it is dead; exit 1; };;
esac"""


@story
async def a_command_is_started_checked_and_verifiably_stopped() -> None:
    app = command(program("app", DAEMON))
    async with commands() as driver:
        assert await driver.check(app) == Seen(State.STOPPED)
        await driver.start(app, timeout_s=5)
        await driver.start(app, timeout_s=5)
    async with commands() as driver:  # another life of the agent
        assert await driver.check(app) == Seen(State.RUNNING)
        assert await driver.leftovers() == [app]
        async with aclosing(driver.changes(app)) as changes:
            assert await anext(changes) == Seen(State.RUNNING)
            os.kill(int(read("/run/d-app")), signal.SIGKILL)
            seen = await anext(changes)
            assert seen.state is State.FAILED and "it is dead" in seen.why, seen
        await driver.start(app, timeout_s=5)
        assert await driver.check(app) == Seen(State.RUNNING)
        await driver.stop(app, timeout_s=5)
        await driver.stop(app, timeout_s=5)
        assert await driver.check(app) == Seen(State.STOPPED)
        assert await driver.leftovers() == []
    assert not runs("sleep 100004")


@story
async def without_a_check_a_start_is_remembered_until_the_stop() -> None:
    app = command(program("plain", "exit 0"), check=False)
    async with commands() as driver:
        await driver.start(app, timeout_s=5)
    sh("systemctl", "daemon-reload")
    async with commands() as driver:
        assert await driver.check(app) == Seen(State.RUNNING)
        await driver.stop(app, timeout_s=5)
        assert await driver.check(app) == Seen(State.STOPPED)


@story
async def a_start_that_stays_in_the_foreground_is_up_when_its_check_says_so() -> None:
    text = "case $1 in start) touch /run/d-fg; exec sleep 100005;; check) [ -e /run/d-fg ] || exit 7;; stop) rm -f /run/d-fg;; esac"
    app = command(program("foreground", text))
    async with commands() as driver:
        await driver.start(app, timeout_s=5)
        await driver.stop(app, timeout_s=5)
    assert not runs("sleep 100005")
    deaf = command(program("deaf", "exec sleep 100006"), check=False)
    async with commands() as driver:
        await refused(driver.start(deaf, timeout_s=0.3), StartFailed, "did not bring it up within 0.3 s")
    assert not runs("sleep 100006")


@story
async def a_stop_is_believed_only_with_proof() -> None:
    sad = command(program("sadstop", "case $1 in stop) echo no way; exit 3;; esac"), check=False)
    liar = command(program("liar", "case $1 in check) echo still here; exit 0;; esac"))
    hang = command(program("hangstop", "case $1 in stop) sleep 100007 & sleep 100007;; esac"), check=False)
    async with commands() as driver:
        for app, why in ((sad, "no way"), (liar, "where 7 means cleanly down"), (hang, "was killed after 0.5 s")):
            await driver.start(app, timeout_s=5)
            await refused(driver.stop(app, timeout_s=0.5), StopFailed, why)
    assert not runs("sleep 100007")
    sh("systemctl", "stop", "backstay-cmd-*.service")


@story
async def words_of_a_command_are_data() -> None:
    words = ("$HOME", "${PATH}", "$$", "%n", "$(id)", "`id`", "a b", "\n", "'", '"', "\\x41", "é", "; reboot", "-x", "")
    echo = program("echo", 'for word in "$@"; do printf "[%s]" "$word"; done > /run/d-words')
    app = RenderedResource(name="app", command=Command(start=(echo, *words), stop=("/bin/true",)))
    async with commands() as driver:
        await driver.start(app, timeout_s=5)
        assert read("/run/d-words") == "".join(f"[{word}]" for word in words)
        assert unit_name(app.command or Command(start=(), stop=())).startswith("backstay-cmd-echo-")
        await driver.stop(app, timeout_s=5)
        for argv, why in (
            (("relative",), "absolute path"),
            (("/opt/../bin/true",), "must not climb"),
            (("/bin/true", "a\0b"), "must not contain NUL"),
            (("/nowhere",), "/nowhere is not installed"),
            (("/etc/passwd",), "/etc/passwd is not executable"),
        ):
            bad = RenderedResource(name="app", command=Command(start=argv, stop=argv))
            assert why in (await driver.not_ready(bad) or "ready")
            await refused(driver.start(bad, timeout_s=5), StartFailed, why)


async def _until(fact: Callable[[], bool]) -> None:
    """Another process makes it true, and tells us nothing."""
    while not fact():
        await asyncio.sleep(0.01)


async def _limited(tell: Story) -> None:
    async with asyncio.timeout(25):
        await tell()


if __name__ == "__main__":
    asyncio.run(_limited(STORIES[sys.argv[1]]))
    print("told")
