"""Stories about commands, told by `test_drivers_host.py` inside a host."""

from __future__ import annotations

import asyncio
import glob
import os
import signal
from contextlib import aclosing

from drivers_scene import STORIES, command, commands, main, program, read, refused, runs, sh, story, until

from backstay_agent.drivers.base import Seen, StartFailed, State, StopFailed
from backstay_agent.drivers.command import unit_name
from backstay_api.objects.plain import Command, RenderedResource

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
    slow = command(program("slow", "exec sleep 100006"), check=False)
    async with commands() as driver:
        await refused(driver.start(slow, timeout_s=0.3), StartFailed, "did not bring it up within 0.3 s")
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
async def after_a_stop_that_failed_what_the_start_left_is_killed_and_the_check_decides() -> None:
    text = "case $1 in start) setsid sleep 100008 & ;; check) pgrep -f '[s]leep 100008' && exit 0; exit 7;; stop) exit 3;; esac"
    app = command(program("badstop", text))
    sad = command(program("badstop2", "case $1 in start) setsid sleep 100009 & ;; stop) exit 3;; esac"), check=False)
    async with commands() as driver:
        await driver.start(app, timeout_s=5)
        await driver.stop(app, timeout_s=5)
        assert await driver.check(app) == Seen(State.STOPPED)
        await driver.start(sad, timeout_s=5)
        await refused(driver.stop(sad, timeout_s=5), StopFailed, "without a `check` nobody can tell")
    assert not runs("sleep 100008") and not runs("sleep 100009")


@story
async def a_check_that_takes_long_is_what_is_waited_for() -> None:
    text = "case $1 in check) [ -e /run/d-asked ] && exit 7; touch /run/d-asked; sleep 2; exit 7;; esac"
    app = command(program("slowcheck", text))
    async with commands() as driver:
        assert driver.waits_for(app) == ""
        checking = asyncio.create_task(driver.check(app))
        await until(lambda: bool(glob.glob("/run/d-asked")))
        assert "slowcheck check has not ended yet; it is given 20 s" in driver.waits_for(app), driver.waits_for(app)
        await checking
        assert driver.waits_for(app) == ""


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
            (("/opt/../bin/true",), "must not contain .."),
            (("/bin/true", "a\0b"), "must not contain NUL"),
            (("/nowhere",), "/nowhere is not installed"),
            (("/etc/passwd",), "/etc/passwd is not executable"),
        ):
            bad = RenderedResource(name="app", command=Command(start=argv, stop=argv))
            assert why in (await driver.not_ready(bad) or "ready")
            await refused(driver.start(bad, timeout_s=5), StartFailed, why)


if __name__ == "__main__":
    main(STORIES)
