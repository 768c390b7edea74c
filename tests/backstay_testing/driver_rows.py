"""A row for each driver: how a test makes a thing of its kind that behaves well or badly, and sees without the driver whether it runs.

Told inside a lab's host as well, which has the standard library and the agent only. `driver_contracts.py` has what all of them must do.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import Any, Final

from backstay_agent.drivers.base import Driver
from backstay_agent.fake import FakeDriver, FakeMachine, recognised
from backstay_api.objects.plain import Command, Mount, Ocf, RenderedResource, Sandbox, Systemd, Timeouts, VirtualIP
from backstay_api.objects.resource_kinds import identity

from .driver_lives import OnHost, Row, Thing
from .driver_scripts import Case, kill, pids_of, script_of

_FIRST_NUMBER: Final = 900001
_numbers = count(_FIRST_NUMBER)


def _sh(*argv: str) -> str:
    return subprocess.run(argv, capture_output=True, text=True, check=False).stdout


@dataclass
class Scripted(OnHost):
    """A kind whose things are started and stopped by programs."""

    not_for: Mapping[str, str]
    install: Callable[[Path, str], dict[str, Any]]
    """What the resource says in its field, once the script is there."""
    folder: Path = Path("/opt/drivers")
    stride: int = 1

    def thing(self, case: Case = Case.GOOD, *, start: str = "30s", stop: str = "30s") -> Thing:
        number = next(_numbers)
        self.folder.mkdir(parents=True, exist_ok=True)
        script = self.folder / f"contract-{number}"
        script.write_text(script_of(case, number))
        script.chmod(0o755)
        said = self.install(script, f"d-contract-{number}")
        resource = RenderedResource(name="thing", timeouts=Timeouts(start=start, stop=stop), **said)
        return Thing(resource, lambda: len(pids_of(number)), lambda: kill(number))

    def tidy(self) -> None:
        for number in range(_FIRST_NUMBER, next(_numbers)):
            kill(number)
        _sh("sh", "-c", "systemctl stop 'd-contract-*' 'backstay-cmd-*' 'backstay-ocf-*'; systemctl reset-failed")
        _sh("sh", "-c", "rm -rf /etc/systemd/system/d-contract-* /run/d-contract*; systemctl daemon-reload")


def _unit(script: Path, name: str) -> dict[str, Any]:
    text = f"[Service]\nType=forking\nExecStart={script} start\nExecStop={script} stop\n"
    Path(f"/etc/systemd/system/{name}.service").write_text(text)
    _sh("systemctl", "daemon-reload")
    return {"systemd": Systemd(unit=f"{name}.service")}


def _command(script: Path, name: str) -> dict[str, Any]:
    path = str(script)
    return {"command": Command(start=(path, "start"), stop=(path, "stop"), check=(path, "check"))}


def _plain_command(script: Path, name: str) -> dict[str, Any]:
    return {"command": Command(start=(str(script), "start"), stop=(str(script), "stop"))}


def _forking_command(script: Path, name: str) -> dict[str, Any]:
    return {"command": Command(start=(str(script), "start"), stop=(str(script), "stop"), type="forking")}


def _command_of_a_user(script: Path, name: str) -> dict[str, Any]:
    place = Path("/run/d-contracts-of-games")
    place.mkdir(exist_ok=True)
    shutil.chown(place, "games", "games")
    box = Sandbox(
        protect_system="Strict", protect_home="Inaccessible", private_tmp=True, read_write_paths=(str(place),)
    )
    who = {"user": "games", "environment": {"PLACE": str(place)}, "working_directory": str(place), "sandbox": box}
    return {"command": replace(_command(script, name)["command"], **who)}


def _simple_unit(script: Path, name: str) -> dict[str, Any]:
    Path(f"/etc/systemd/system/{name}.service").write_text(f"[Service]\nType=simple\nExecStart={script} run\n")
    _sh("systemctl", "daemon-reload")
    return {"systemd": Systemd(unit=f"{name}.service")}


def _simple_command(script: Path, name: str) -> dict[str, Any]:
    return {"command": Command(start=(str(script), "run"), type="simple")}


def _oneshot_command(script: Path, name: str) -> dict[str, Any]:
    path = str(script)
    return {"command": Command(start=(path, "put"), stop=(path, "take"), check=(path, "has"), type="oneshot")}


def _init_script(script: Path, name: str) -> dict[str, Any]:
    return {"command": Command(convention="lsb", program=(str(script),))}


class Oneshots(Scripted):
    """What stays of these is no process."""

    def thing(self, case: Case = Case.GOOD, *, start: str = "30s", stop: str = "30s") -> Thing:
        thing = super().thing(case, start=start, stop=stop)
        assert thing.resource.command is not None
        name = Path(thing.resource.command.start[0]).name  # type: ignore[index]
        put = Path(f"/run/d-{name}")
        return Thing(thing.resource, lambda: int(put.exists() or thing.copies() > 0), put.unlink)


_METADATA: Final = """<?xml version="1.0"?>
<resource-agent name="x" version="1.0"><parameters/><actions><action name="start" timeout="30s"/><action name="stop" timeout="30s"/>
<action name="monitor" timeout="30s" interval="1s" depth="0"/><action name="validate-all" timeout="5s"/></actions></resource-agent>"""


def _agent(script: Path, name: str) -> dict[str, Any]:
    script.with_name(f"{script.name}.xml").write_text(_METADATA)
    return {"ocf": Ocf(agent=f"d-contract:{script.name}")}


@dataclass
class Mounts(OnHost):
    """A disk that the test session has given to this host (`CONTRACT_DISK`)."""

    not_for: Mapping[str, str]
    path: str = "/srv/d-contract"

    def thing(self, case: Case = Case.GOOD, *, start: str = "30s", stop: str = "30s") -> Thing:
        device = os.environ["CONTRACT_DISK"] if case is not Case.FAILING else "/dev/disk/by-id/no-space-left"
        spec = Mount(device=device, path=self.path)
        resource = RenderedResource(name="thing", mount=spec, timeouts=Timeouts(start=start, stop=stop))
        return Thing(resource, self._copies, self._unmount, self._held)

    def _copies(self) -> int:
        lines = Path("/proc/self/mountinfo").read_text().splitlines()
        return len([line for line in lines if line.split()[4] == self.path])

    def _unmount(self) -> None:
        subprocess.run(("umount", self.path), check=True)

    def _held(self) -> None:
        subprocess.Popen(("sleep", "900000"), cwd=self.path)

    def tidy(self) -> None:
        kill(900000)
        _sh("umount", self.path)


@dataclass
class Addresses(OnHost):
    """An address on a link that is made for it."""

    not_for: Mapping[str, str]
    link: str = "d-here"

    def thing(self, case: Case = Case.GOOD, *, start: str = "30s", stop: str = "30s") -> Thing:
        self.tidy()
        for words in ("link add d-here type veth peer name d-there", "link set d-there up", "link set d-here up"):
            _sh("ip", *words.split())
        _sh("ip", "addr", "add", "198.51.100.1/24", "dev", self.link)
        address = "198.51.100.10" if case is not Case.FAILING else "203.0.113.10"
        ip = VirtualIP(address=f"{address}/24")
        resource = RenderedResource(name="thing", virtual_ip=ip, timeouts=Timeouts(start=start, stop=stop))

        def copies() -> int:
            return len(_sh("ip", "-o", "addr", "show", "to", f"{address}/32").splitlines())

        def withdraw() -> None:
            _sh("ip", "addr", "del", f"{address}/32", "dev", self.link)

        return Thing(resource, copies, withdraw)

    def tidy(self) -> None:
        _sh("ip", "link", "del", self.link)


# --- the fake ---------------------------------------------------------------------------------------------------------


class Fake:
    """The driver of the simulator, in virtual time."""

    stride = 1

    def __init__(self, play: Callable[[Coroutine[Any, Any, None]], None]) -> None:
        self.machine = FakeMachine()
        self._play = play
        self.not_for: Mapping[str, str] = {
            "megabytes_of_output_hold_up_nobody": "it prints nothing",
            "what_has_left_its_control_group_is_found_and_ended": "it has no control groups: what runs is in one table",
        }

    def thing(self, case: Case = Case.GOOD, *, start: str = "30s", stop: str = "30s") -> Thing:
        resource = RenderedResource(name="thing", command=Command(start=("/bin/up",), stop=("/bin/down",)))
        name, machine = identity(resource), self.machine
        script = machine.scripts[name]
        script.start_takes_s = 3600.0 if case is Case.SLOW else 0.2
        script.stop_takes_s = 3600.0 if case is Case.STUBBORN else 0.2
        script.start_fails = "there is no space left" if case is Case.FAILING else ""
        return Thing(resource, lambda: int(name in machine.running), lambda: machine.kill(name))

    @asynccontextmanager
    async def life(self) -> AsyncIterator[Driver]:
        yield FakeDriver(self.machine)

    async def leftovers(self, driver: Driver) -> list[RenderedResource]:
        await asyncio.sleep(0)
        return recognised(self.machine, run_is_intact=False)

    def play(self, story: Coroutine[Any, Any, None]) -> None:
        self._play(story)

    def dies_at(self, step: int, act: Callable[[Driver], Awaitable[object]]) -> bool:
        died = []

        async def life() -> None:
            async def do() -> None:
                await act(FakeDriver(self.machine))

            doing = asyncio.create_task(do())
            for _ in range(step):
                await asyncio.sleep(0.05)  # virtual
            died.append(not doing.done())
            doing.cancel()
            await asyncio.gather(doing, return_exceptions=True)

        self.play(life())
        return died[0]

    def tidy(self) -> None:
        self.machine = FakeMachine()


# --- the table --------------------------------------------------------------------------------------------------------

_NO_PROCESS: Final = "nothing of it is a process of ours: the kernel has it"
_UP_AT_ONCE: Final = {
    "a_start_that_fails_says_why_and_can_be_stopped": "it is up as soon as it runs; that it ends is told as of any that runs",
    "a_start_that_takes_too_long_is_given_up": "it is up as soon as it runs",
    "a_stop_during_a_start_leaves_nothing": "it is up as soon as it runs; killed at each step it is",
}
ROWS: Final[Mapping[str, Callable[[], Row]]] = {
    "systemd": lambda: Scripted("systemd", {}, _unit),
    "command": lambda: Scripted("command", {}, _command),
    "command without check": lambda: Scripted(
        "command",
        {"what_ends_by_itself_is_told_and_starts_again": "nobody can ask it: that is what a check is for"},
        _plain_command,
    ),
    "command of type forking": lambda: Scripted("command", {}, _forking_command, stride=3),
    "command of a user": lambda: Scripted(
        "command",
        {"what_has_left_its_control_group_is_found_and_ended": "no user but root leaves it"},
        _command_of_a_user,
        stride=3,
    ),
    "systemd of Type=simple": lambda: Scripted("systemd", _UP_AT_ONCE, _simple_unit),
    "command of type simple": lambda: Scripted("command", _UP_AT_ONCE, _simple_command, stride=3),
    "command of type oneshot": lambda: Oneshots(
        "command",
        {
            "what_has_left_its_control_group_is_found_and_ended": "what stays of it is no process",
            "what_does_not_go_is_not_called_stopped": "the unit of its start is gone then: no other life finds it (docs/next.md)",
        },
        _oneshot_command,
        stride=3,
    ),
    "command by lsb": lambda: Scripted("command", {}, _init_script, stride=3),
    "ocf": lambda: Scripted("ocf", {}, _agent, Path("/usr/lib/ocf/resource.d/d-contract"), stride=3),
    "mount": lambda: Mounts(
        "mount",
        {
            "a_start_that_takes_too_long_is_given_up": "nothing of this host makes a mount slow",
            "a_stop_during_a_start_leaves_nothing": "nothing of this host makes a mount slow; killed at each step it is",
            "megabytes_of_output_hold_up_nobody": _NO_PROCESS,
            "what_has_left_its_control_group_is_found_and_ended": _NO_PROCESS,
        },
    ),
    "virtual_ip": lambda: Addresses(
        "virtual_ip",
        {
            "a_start_that_takes_too_long_is_given_up": "the kernel adds an address at once",
            "a_stop_during_a_start_leaves_nothing": "the kernel adds an address at once; killed at each step it is",
            "what_does_not_go_is_not_called_stopped": "no address refuses to go",
            "megabytes_of_output_hold_up_nobody": _NO_PROCESS,
            "what_has_left_its_control_group_is_found_and_ended": _NO_PROCESS,
        },
    ),
}
"""By kind of resource; the fake has its place beside them (`Fake`), for it needs a loop with virtual time."""
