"""Stories about commands by their type, and about init scripts, told by `test_drivers_host.py` inside a host."""

from __future__ import annotations

import os
import signal
from contextlib import aclosing
from pathlib import Path
from typing import Literal

from drivers_scene import STORIES, commands, main, program, read, refused, runs, sh, story

from backstay_agent.drivers.base import Seen, StartFailed, State, StopFailed
from backstay_api.objects.plain import Command, RenderedResource, Timeouts

# As a package of the nineties has it, with the helpers that Debian's own scripts use.
INIT = """#!/bin/sh
### BEGIN INIT INFO
# Provides:          d-legacy
# Required-Start:    $remote_fs
# Required-Stop:     $remote_fs
# Default-Start:     2 3 4 5
# Default-Stop:      0 1 6
# Short-Description: a daemon of the nineties
### END INIT INFO
PIDFILE=/run/d-legacy.pid
[ -r /lib/lsb/init-functions ] && . /lib/lsb/init-functions
case "$1" in
start) start-stop-daemon --start --quiet --oknodo --background --make-pidfile --pidfile $PIDFILE --exec /bin/sleep -- 100041;;
stop) start-stop-daemon --stop --quiet --oknodo --retry 5 --pidfile $PIDFILE; rm -f $PIDFILE;;
reload) echo again >>/run/d-legacy-reloads; [ ! -e /run/d-legacy-bad ] || exit 6;;
status) [ -e $PIDFILE ] || exit 3; kill -0 $(cat $PIDFILE) 2>/dev/null || exit 1;;
*) exit 2;;
esac
"""
LEGACY = "/etc/init.d/d-legacy"


def legacy(text: str = INIT, *, reloaded_at: str | None = None, script: str = LEGACY) -> RenderedResource:
    Path(script).parent.mkdir(exist_ok=True)
    Path(script).write_text(text)
    Path(script).chmod(0o755)
    spec = Command(convention="lsb", program=(script,))
    return RenderedResource(
        name="legacy", command=spec, reloaded_at=reloaded_at, timeouts=Timeouts(stop="3s", check="3s")
    )


def typed(
    kind: Literal["simple", "forking", "oneshot"], start: str, *, stop: tuple[str, ...] | None = ("/bin/true",)
) -> RenderedResource:
    argv = (program(f"typed-{kind}", start),)
    return RenderedResource(name="app", command=Command(start=argv, stop=stop, type=kind))


@story
async def an_init_script_is_used_as_it_is() -> None:
    server, later, third = (legacy(reloaded_at=at) for at in ("1", "2", "3"))
    async with commands() as driver:
        assert await driver.not_ready(server) is None and await driver.check(server) == Seen(State.STOPPED)
        await driver.secure(server)
        await driver.start(server, timeout_s=9)
        await driver.start(server, timeout_s=9)
        await driver.apply(later, server, timeout_s=5)
        assert read("/run/d-legacy-reloads") == "again\n"
        Path("/run/d-legacy-bad").touch()
        await refused(driver.apply(third, later, timeout_s=5), StartFailed, "exited with 6 (it is not configured)")
    async with commands() as driver:  # another life of the agent
        assert await driver.check(server) == Seen(State.RUNNING) and await driver.leftovers() == [server]
        async with aclosing(driver.changes(server)) as changes:
            assert await anext(changes) == Seen(State.RUNNING)
            os.kill(int(read("/run/d-legacy.pid")), signal.SIGKILL)
            seen = await anext(changes)
            assert seen.state is State.FAILED and "it is dead, and its PID file is left" in seen.why, seen
        await driver.start(server, timeout_s=9)
        assert await driver.check(server) == Seen(State.RUNNING)
        assert await driver.stop(server, timeout_s=5) is None
        assert await driver.stop(server, timeout_s=5) is None
        assert await driver.check(server) == Seen(State.STOPPED) and not runs("sleep 100041")


@story
async def every_exit_code_of_an_init_script_means_what_the_lsb_says() -> None:
    server = legacy("#!/bin/sh\nexit $(cat /run/d-code-$1)\n", script="/etc/init.d/d-codes")

    def says(action: str, code: int) -> None:
        Path(f"/run/d-code-{action}").write_text(str(code))

    async with commands() as driver:
        for code, state in (
            (0, State.RUNNING),
            (1, State.FAILED),
            (2, State.FAILED),
            (3, State.STOPPED),
            (4, State.UNKNOWN),
        ):
            says("status", code)
            assert (await driver.check(server)).state is state, code
        says("status", 3)
        for code, why in ((5, "the program is not installed"), (6, "it is not configured"), (1, "no reason is given")):
            says("start", code)
            await refused(driver.start(server, timeout_s=5), StartFailed, f"exited with {code} ({why})")
        says("start", 0)
        says("status", 0)
        await driver.start(server, timeout_s=5)
        for stop, status, note in (
            (0, 3, None),
            (7, 3, None),
            (0, 1, "its PID file is left"),
            (1, 2, "its lock file is left"),
        ):
            says("stop", stop)
            says("status", status)
            said = await driver.stop(server, timeout_s=3)
            assert said is None if note is None else note in (said or ""), said
        for status, why in ((0, "exited with 0"), (4, "it does not know whether it runs"), (7, "exited with 7")):
            says("status", status)
            await refused(driver.stop(server, timeout_s=1), StopFailed, why)


@story
async def an_init_script_that_a_boot_would_start_makes_its_host_not_ready() -> None:
    server = legacy()
    link = Path("/etc/rc2.d/S01d-legacy")
    link.parent.mkdir(exist_ok=True)
    link.symlink_to(LEGACY)
    sh("systemctl", "daemon-reload")
    async with commands() as driver:
        await refused(driver.secure(server), StartFailed, "/etc/init.d/d-legacy starts by itself at a boot")
        link.unlink()
        sh("systemctl", "daemon-reload")
        await driver.secure(server)


@story
async def a_simple_command_is_what_runs() -> None:
    server = typed("simple", "exec sleep 100042", stop=None)
    async with commands() as driver:
        await driver.start(server, timeout_s=5)
        assert await driver.check(server) == Seen(State.RUNNING)
        async with aclosing(driver.changes(server)) as changes:
            assert await anext(changes) == Seen(State.RUNNING)
            os.kill(int(sh("pgrep", "-f", "[s]leep 100042")), signal.SIGKILL)
            assert (await anext(changes)).state in (State.FAILED, State.STOPPED)
        await driver.start(server, timeout_s=5)
    async with commands() as driver:  # another life of the agent
        assert await driver.leftovers() == [server]
        assert await driver.stop(server, timeout_s=5) is None
        assert await driver.check(server) == Seen(State.STOPPED) and not runs("sleep 100042")
    at_once = typed("simple", "echo no config; exit 3", stop=None)
    async with commands() as driver:
        try:
            await driver.start(at_once, timeout_s=5)
        except StartFailed as error:  # it may be over before systemd calls it up
            assert "exited with 3; it said: no config" in str(error), error
        async with aclosing(driver.changes(at_once)) as changes:
            while (await anext(changes)).state is State.RUNNING:
                pass
        await driver.stop(at_once, timeout_s=5)


@story
async def a_forking_command_is_what_it_leaves() -> None:
    server = typed("forking", "sleep 100043 &")
    async with commands() as driver:
        await driver.start(server, timeout_s=5)
        async with aclosing(driver.changes(server)) as changes:
            assert await anext(changes) == Seen(State.RUNNING)
            os.kill(int(sh("pgrep", "-f", "[s]leep 100043")), signal.SIGKILL)
            assert (await anext(changes)).state in (State.FAILED, State.STOPPED)
        await driver.stop(server, timeout_s=5)
        await refused(driver.start(typed("forking", "exit 0"), timeout_s=5), StartFailed, "typed-forking")


@story
async def a_oneshot_command_holds_until_its_stop() -> None:
    server = typed("oneshot", "touch /run/d-once", stop=("/bin/rm", "/run/d-once"))
    async with commands() as driver:
        await driver.start(server, timeout_s=5)
        assert await driver.check(server) == Seen(State.RUNNING)
        await driver.stop(server, timeout_s=5)
        assert not Path("/run/d-once").exists() and await driver.check(server) == Seen(State.STOPPED)


if __name__ == "__main__":
    main(STORIES)
