"""Work that has left its control group, looks that hang, and whose act a stop was."""

import asyncio
import socket
import threading
from pathlib import Path

import pytest

from backstay_agent.drivers.tools import file_system_looks
from backstay_agent.drivers.tools.bus import _Sdbus
from backstay_agent.drivers.tools.escaped_processes import among, snapshot
from backstay_agent.drivers.tools.file_system_looks import NoAnswer, look
from backstay_agent.drivers.tools.jobs import Acts, Asked, words
from backstay_agent.drivers.tools.watch import waits_for_pid_file

GROUP = "/system.slice/box.service"


def process(proc: Path, pid: int, parent: int, group: str, environment: str = "", state: str = "S") -> None:
    folder = proc / str(pid)
    folder.mkdir()
    rest = " ".join(str(number) for number in range(5, 22))
    (folder / "stat").write_text(f"{pid} (a ) b) {state} {parent} {rest} {rest}\n")
    (folder / "cgroup").write_text(f"0::{group}\n")
    (folder / "environ").write_bytes(environment.replace(" ", "\0").encode())
    (folder / "comm").write_text("sleep\n")


def found(proc: Path) -> list[int]:
    return sorted(one.pid for one in among(["box.service"], [GROUP], snapshot(proc), proc=proc))


def test_escaped_processes_are_known_by_their_mark_or_their_parents(tmp_path: Path) -> None:
    mark = "A=1 BACKSTAY_UNIT=box.service"
    process(tmp_path, 1, 0, "/init.scope")
    process(tmp_path, 10, 1, GROUP, mark)
    process(tmp_path, 11, 10, f"{GROUP}/payload", mark)
    process(tmp_path, 20, 1, "/system.slice/payload.scope", mark)  # its parent is gone: the mark tells
    process(tmp_path, 30, 10, "/machine.slice/box.scope")  # a container: its environment is new, its parent tells
    process(tmp_path, 31, 30, "/machine.slice/box.scope")
    process(tmp_path, 40, 1, "/system.slice/other.service", "BACKSTAY_UNIT=box.service.other")
    process(tmp_path, 50, 1, "/system.slice/boxer.service")
    process(tmp_path, 60, 10, "/x", mark, state="Z")
    assert found(tmp_path) == [20, 30, 31]


def test_a_group_whose_name_only_begins_the_same_is_another(tmp_path: Path) -> None:
    process(tmp_path, 10, 1, f"{GROUP}d", "BACKSTAY_UNIT=box.service")
    assert found(tmp_path) == [10]


def test_a_look_that_hangs_is_given_up_and_not_tried_twice_at_once() -> None:
    hangs, tries = threading.Event(), []

    def how() -> bool:
        tries.append(1)
        hangs.wait()
        return True

    async def story() -> None:
        for _again in range(3):
            with pytest.raises(NoAnswer, match=r"/mnt/dead does not answer within 0\.05 s"):
                await look("/mnt/dead", how, limit_s=0.05)
        assert len(tries) == 1
        assert await look("/usr/bin/true", lambda: "seen") == "seen", "others go on"
        hangs.set()
        assert await look("/mnt/dead", how, limit_s=5)

    asyncio.run(story())


def test_looks_that_hang_do_not_hold_up_the_event_loop_nor_grow_without_end() -> None:
    hangs = threading.Event()

    async def story() -> None:
        began_s = asyncio.get_running_loop().time()
        waiting = [
            look(f"/mnt/{number}", hangs.wait, limit_s=0.1) for number in range(file_system_looks.MOST_AT_ONCE + 5)
        ]
        answers = await asyncio.gather(*waiting, return_exceptions=True)
        assert all(isinstance(answer, NoAnswer) for answer in answers)
        assert asyncio.get_running_loop().time() - began_s < 2
        assert (
            sum(thread.name.startswith("look at /mnt/") for thread in threading.enumerate())
            <= file_system_looks.MOST_AT_ONCE
        )
        hangs.set()

    asyncio.run(story())
    for thread in threading.enumerate():
        if thread.name.startswith("look at /mnt/"):
            thread.join(5)  # the next test finds them gone


def test_a_look_tells_what_it_met() -> None:
    def how() -> None:
        raise PermissionError("no")

    with pytest.raises(PermissionError):
        asyncio.run(look("/root/x", how))


@pytest.mark.parametrize(
    ("asked", "active", "has_job", "was_up", "told"),
    [
        (None, "inactive", False, True, ""),
        (Asked("stop"), "deactivating", True, True, "stopped by an admin: systemctl stop x.service"),
        (Asked("stop"), "inactive", False, True, "stopped by an admin: systemctl stop x.service"),
        (Asked("restart"), "deactivating", True, True, "restarted by an admin: systemctl restart x.service"),
        (Asked("try-restart"), "inactive", True, True, "restarted by an admin: systemctl restart x.service"),
        (Asked("start"), "inactive", True, True, "restarted by an admin: systemctl restart x.service"),
        (Asked("start"), "activating", True, False, "started by an admin: systemctl start x.service"),
        (Asked("start"), "failed", False, True, ""),
        (Asked("reload"), "failed", False, True, ""),
        (Asked("verify-active"), "inactive", False, True, ""),
        (Asked(""), "inactive", False, True, "stopped by an admin: systemctl stop x.service"),
        (Asked(""), "inactive", True, True, "restarted by an admin: systemctl restart x.service"),
    ],
)
def test_whose_act_it_was(asked: Asked | None, active: str, has_job: bool, was_up: bool, told: str) -> None:
    assert words("x.service", asked, active=active, has_job=has_job, was_up=was_up) == told


def test_what_we_act_on_is_ours_until_the_last_of_us_is_through() -> None:
    acts = Acts()
    with acts.on(["a.service", "b.service"]):
        with acts.on(["a.service"]):
            pass
        assert "a.service" in acts
    assert "a.service" not in acts


@pytest.mark.parametrize(
    ("properties", "waits"),
    [
        ({"Type": "forking", "PIDFile": "/run/x.pid", "SubState": "start", "ControlPID": 0}, True),
        ({"Type": "forking", "PIDFile": "/run/x.pid", "SubState": "start", "ControlPID": 7}, False),
        ({"Type": "forking", "PIDFile": "", "SubState": "start", "ControlPID": 0}, False),
        ({"Type": "notify", "PIDFile": "/run/x.pid", "SubState": "start", "ControlPID": 0}, False),
        ({"Type": "forking", "PIDFile": "/run/x.pid", "SubState": "running", "ControlPID": 0}, False),
    ],
)
def test_which_start_a_reload_would_break(properties: dict[str, object], waits: bool) -> None:
    assert waits_for_pid_file(properties) is waits


class SilentBus:
    """As sdbus was seen under many signals: it has taken its reader away, and reads only when it is told to."""

    def __init__(self, ours: socket.socket) -> None:
        self._ours = ours
        self.read = b""

    def get_fd(self) -> int:
        return self._ours.fileno()

    def process(self) -> None:
        self.read += self._ours.recv(100)
        if b"broken" in self.read:
            raise ValueError("cannot be parsed")

    def close(self) -> None:
        self._ours.close()


def test_what_comes_in_is_read_though_sdbus_does_not_listen_and_a_hang_up_is_noticed() -> None:
    async def story() -> None:
        ours, theirs = socket.socketpair()
        lost = asyncio.Event()
        bus = SilentBus(ours)
        _Sdbus(bus, lost.set)
        theirs.send(b"an answer")
        async with asyncio.timeout(5):
            while bus.read != b"an answer":
                await asyncio.sleep(0)
            assert not lost.is_set()
            theirs.send(b"broken")
            await lost.wait()

    asyncio.run(story())
