"""Stories about as whom, where, with what and kept from what commands run, told by `test_drivers_host.py` inside a host."""

from __future__ import annotations

import os
import shutil
import signal
import socket
from collections.abc import Iterator
from contextlib import aclosing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from drivers_scene import STORIES, commands, main, program, read, refused, runs, sh, story

from backstay_agent.drivers.base import Seen, StartFailed, State
from backstay_agent.drivers.command import unit_name
from backstay_api.objects.plain import Command, RenderedResource, Sandbox, Timeouts

PLACE = Path("/run/d-box")
# Each of the four programs leaves what it saw of itself, and can leave it nowhere else.
TELLS = f"""
out={PLACE}/said-$1
{{ id -un; id -gn; pwd; printf '%s\\n' "$ODD" "$SYSTEMCTL_SKIP_REDIRECT" "$HOME"; grep NoNewPrivs /proc/self/status; }} >$out
"""
APP = f"""{TELLS}
S={PLACE}/pid
alive() {{ [ -e $S ] && kill -0 $(cat $S) 2>/dev/null; }}
case $1 in
start) alive && exit 0; sleep 100051 & echo $! >$S;;
stop) [ -e $S ] && kill $(cat $S); rm -f $S;;
check|status) [ -e $S ] || exit ${{DOWN:-7}}; alive || exit 1;;
esac
exit 0
"""
ODD = "50% of $HOME %n ${PATH} \\ \" ' x=y"
FOUR = ("start", "stop", "check", "reload")


def place(owner: str) -> None:
    shutil.rmtree(PLACE, ignore_errors=True)
    PLACE.mkdir()
    shutil.chown(PLACE, owner, owner)


def app(text: str = APP, **more: Any) -> RenderedResource:
    path = program("boxed", text)
    argvs = {word: (path, word) for word in FOUR}
    spec = Command(**{**argvs, **more})
    return RenderedResource(name="app", command=spec, timeouts=Timeouts(stop="3s", check="3s"))


def edited(resource: RenderedResource, **more: Any) -> RenderedResource:
    assert resource.command is not None
    return replace(resource, command=replace(resource.command, **more))


@story
async def all_four_programs_run_as_that_user_there_and_with_these_variables() -> None:
    place("games")
    folder = Path("/run/d-box/a 50% place $HOME")
    folder.mkdir()
    server = app(user="games", environment={"ODD": ODD}, working_directory=str(folder))
    later = replace(server, reloaded_at="1")
    async with commands() as driver:
        assert await driver.not_ready(server) is None
        await driver.start(server, timeout_s=5)
        assert sh("ps", "-o", "user=", "-p", read(f"{PLACE}/pid").strip()) == "games"
        sh("systemctl", "daemon-reload")  # systemd reads again what it has written
        assert await driver.check(server) == Seen(State.RUNNING)
        await driver.apply(later, server, timeout_s=5)
    async with commands() as driver:  # another life of the agent
        assert await driver.leftovers() == [server]
        assert await driver.stop(server, timeout_s=5) is None
        assert await driver.check(server) == Seen(State.STOPPED) and not runs("sleep 100051")
    for word in FOUR:
        said = read(f"{PLACE}/said-{word}").splitlines()
        assert said == ["games", "games", str(folder), ODD, "", "/usr/games", "NoNewPrivs:\t1"], (word, said)


@story
async def a_group_and_numbers_are_names_as_well_and_of_variables_ours_win() -> None:
    place("games")
    script = program("boxed-lsb", APP)
    lsb = Command(
        convention="lsb",
        program=(script,),
        user="5",
        group="daemon",
        environment={"SYSTEMCTL_SKIP_REDIRECT": "0", "ODD": "", "DOWN": "3"},
    )
    server = RenderedResource(name="app", command=lsb, timeouts=Timeouts(stop="3s", check="3s"))
    async with commands() as driver:
        assert await driver.not_ready(server) is None
        await driver.start(server, timeout_s=5)
        assert await driver.stop(server, timeout_s=5) is None
    for word in ("start", "stop", "status"):
        assert read(f"{PLACE}/said-{word}").splitlines()[:5] == ["games", "daemon", "/", "", "1"], word


@story
async def a_host_that_cannot_run_it_so_says_why_before_and_at_a_start() -> None:
    place("games")
    shut, script = Path("/run/d-box-shut"), program("boxed-own", "exit 0")
    shut.mkdir(mode=0o700, exist_ok=True)
    Path(script).chmod(0o700)
    for said, more in (
        ("there is no user nobody-here on this host", {"user": "nobody-here"}),
        ("there is no user 4711 on this host", {"user": "4711"}),
        ("there is no group no-group-here on this host", {"user": "games", "group": "no-group-here"}),
        ("there is no group no-group-here on this host", {"group": "no-group-here"}),
        ("user games cannot enter its workingDirectory /run/d-box-shut", {"user": "games", "working_directory": str(shut)}),
        ("root cannot enter its workingDirectory /run/d-none", {"working_directory": "/run/d-none"}),
        ("its sandbox cannot be set up", {"sandbox": Sandbox(protect_system="Strict", read_write_paths=("/run/d-none",))}),
    ):  # fmt: skip
        async with commands() as driver:
            why = await driver.not_ready(app(**more))
            assert why and said in why, (said, why)
            await refused(driver.start(app(**more), timeout_s=5), StartFailed, said)
            await driver.stop(app(), timeout_s=5)
    async with commands() as driver:
        assert await driver.not_ready(app(start=(script,), user="games")) == f"user games may not run {script}"
        Path("/srv/d-disk").mkdir(exist_ok=True)  # a disk that moves with the service is mounted there
        assert await driver.not_ready(app(user="games", working_directory="/srv/d-disk/app")) is None
        box = Sandbox(protect_system="Strict", read_write_paths=("/srv/d-disk/app",))
        assert await driver.not_ready(app(user="games", sandbox=box)) is None


@contextmanager
def a_directory_that_does_not_answer() -> Iterator[None]:
    """Users are asked for over the network as well (Hesiod, which libc has by itself), and nobody is there."""
    texts = {
        "/etc/nsswitch.conf": "passwd: files hesiod\ngroup: files\n",
        "/etc/hesiod.conf": "lhs=.ns\nrhs=.example.test\n",
        "/etc/resolv.conf": "nameserver 127.0.0.99\n",
    }
    before = {name: Path(name).read_bytes() if Path(name).exists() else b"" for name in texts}
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.99", 53))
        try:
            for name, text in texts.items():
                Path(name).write_text(text)
            yield
        finally:
            for name, old in before.items():
                Path(name).write_bytes(old)


@story
async def who_is_looked_up_for_long_holds_up_nobody() -> None:
    async with commands() as driver:
        with a_directory_that_does_not_answer():
            why = await driver.not_ready(app(user="nobody-here"))
            assert (
                why and "user nobody-here may run /opt/drivers/boxed gets no answer within 2 s: who is asked" in why
            ), why
            assert await driver.not_ready(app(user="games")) is None


@story
async def a_sandbox_denies_what_is_outside_of_it() -> None:
    place("root")
    Path("/root/d-secret").write_text("secret\n")
    tries = f"""
    (echo x >/run/d-outside) 2>/dev/null; (echo x >/etc/d-outside) 2>/dev/null; (echo x >/tmp/d-$1) 2>/dev/null
    cat /root/d-secret >{PLACE}/secret-$1 2>/dev/null
    """
    full = Sandbox(protect_system="Full")
    strict = Sandbox(
        protect_system="Strict", protect_home="Inaccessible", private_tmp=True, read_write_paths=(str(PLACE),)
    )
    for box, outside in ((None, {"/run", "/etc", "/tmp"}), (full, {"/run", "/tmp"}), (strict, set[str]())):
        server = app(tries + APP, sandbox=box)
        async with commands() as driver:
            assert await driver.not_ready(server) is None
            await driver.start(server, timeout_s=5)
            assert await driver.check(server) == Seen(State.RUNNING)
            assert await driver.stop(server, timeout_s=5) is None
        left = ("/run/d-outside", "/etc/d-outside", *(f"/tmp/d-{word}" for word in ("start", "check", "stop")))
        assert {str(Path(one).parent) for one in left if Path(one).exists()} == outside, box
        assert read(f"{PLACE}/secret-stop") == ("" if box is strict else "secret\n")
        for one in left:
            Path(one).unlink(missing_ok=True)
    Path("/root/d-secret").unlink()


@story
async def what_a_start_leaves_in_its_own_tmp_the_others_see() -> None:
    text = """
S=/tmp/d-boxed.pid
case $1 in
start) sleep 100053 & echo $! >$S;;
stop) [ ! -e $S ] || kill $(cat $S); rm -f $S;;
check) [ -e $S ] || exit 7; kill -0 $(cat $S);;
esac
"""
    server = app(text, sandbox=Sandbox(private_tmp=True), user="games")
    async with commands() as driver:
        await driver.start(server, timeout_s=5)
        assert await driver.check(server) == Seen(State.RUNNING) and not Path("/tmp/d-boxed.pid").exists()
    async with commands() as driver:
        assert await driver.check(server) == Seen(State.RUNNING)
        assert await driver.stop(server, timeout_s=5) is None
        assert await driver.check(server) == Seen(State.STOPPED) and not runs("sleep 100053")


@story
async def limits_hold_for_what_runs_and_another_value_reaches_it() -> None:
    place("games")
    limits = {
        "LimitNOFILE": "77:88",
        "Nice": "5",
        "OOMScoreAdjust": "7",
        "MemoryMax": "1G",
        "TasksMax": "50",
        "CPUQuota": "150%",
    }
    server = app(user="games", overrides=limits)
    more = edited(server, overrides={**limits, "MemoryMax": "2G", "CPUWeight": "50"})
    assert server.command is not None
    unit = unit_name(server.command)

    def told(name: str) -> str:
        return sh("systemctl", "show", "--value", f"--property={name}", unit)

    async with commands() as driver:
        await driver.start(server, timeout_s=5)
        pid = read(f"{PLACE}/pid").strip()
        assert sh("ps", "-o", "ni=", "-p", pid).strip() == "5" and read(f"/proc/{pid}/oom_score_adj") == "7\n"
        (files,) = [line for line in read(f"/proc/{pid}/limits").splitlines() if line.startswith("Max open files")]
        assert files.split()[3:5] == ["77", "88"]
        said = [told(name) for name in ("MemoryMax", "TasksMax", "CPUQuotaPerSecUSec")]
        assert said == [f"{1 << 30}", "50", "1.500000s"], said
        await driver.apply(more, server, timeout_s=5)
        assert told("MemoryMax") == f"{2 << 30}" and read(f"{PLACE}/pid").strip() == pid
        sh("systemctl", "daemon-reload")
        assert told("MemoryMax") == f"{2 << 30}" and told("CPUWeight") == "50"
        assert await driver.check(more) == Seen(State.RUNNING)
        await driver.stop(more, timeout_s=5)
        await driver.start(server, timeout_s=5)  # nothing of before is left
        assert told("MemoryMax") == f"{1 << 30}"
        await driver.stop(server, timeout_s=5)


@story
async def what_systemd_has_not_forgotten_is_never_started_as_another_user() -> None:
    """Somebody's unit names ours, so systemd keeps it as it was, and would start it so."""
    place("games")
    server = app()
    assert server.command is not None
    async with commands() as driver:
        await driver.start(server, timeout_s=5)
        sh("systemd-run", "--unit=d-names-it", f"--property=After={unit_name(server.command)}", "sleep", "100054")
        await driver.stop(server, timeout_s=5)
        await driver.start(replace(server, timeouts=Timeouts(stop="4s")), timeout_s=5)  # the same to a start
        await driver.stop(server, timeout_s=5)
        other = edited(server, user="games")
        await refused(driver.start(other, timeout_s=0.5), StartFailed, "did not bring it up within 0.5 s")
        assert not runs("sleep 100051")
        sh("systemctl", "stop", "d-names-it")
        await driver.start(other, timeout_s=5)
        assert sh("ps", "-o", "user=", "-p", read(f"{PLACE}/pid").strip()) == "games"
        await driver.stop(other, timeout_s=5)


@story
async def a_stop_and_a_check_that_were_edited_count_without_a_restart() -> None:
    place("root")
    server = app()
    better = edited(
        server,
        check=(program("boxed-check", f"touch {PLACE}/asked-anew; exec /opt/drivers/boxed check"),),
        stop=(program("boxed-stop", f"touch {PLACE}/stopped-anew; exec /opt/drivers/boxed stop"),),
    )
    async with commands() as driver:
        await driver.start(server, timeout_s=5)
        pid = read(f"{PLACE}/pid").strip()
    async with commands() as driver:  # another life of the agent, whose journal has the edit
        async with aclosing(driver.changes(better)) as changes:
            assert await anext(changes) == Seen(State.RUNNING) and Path(f"{PLACE}/asked-anew").exists()
            assert read(f"{PLACE}/pid").strip() == pid
            os.kill(int(pid), signal.SIGKILL)
            assert (await anext(changes)).state is State.FAILED
        assert await driver.stop(better, timeout_s=5) is None
    assert Path(f"{PLACE}/stopped-anew").exists()


if __name__ == "__main__":
    main(STORIES)
