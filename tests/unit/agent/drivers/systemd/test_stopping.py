"""What a stop is: of all that a unit stands for when it is over, and of all that it has started elsewhere."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, cast

import pytest

from backstay_agent.drivers.base import StopFailed
from backstay_agent.drivers.systemd import driver as drivers
from backstay_agent.drivers.systemd.driver import SystemdDriver
from backstay_agent.drivers.systemd.securing import Securing, Standing
from backstay_agent.drivers.tools import escaped_processes
from backstay_agent.drivers.tools.escaped_processes import Escaped, Process
from backstay_agent.drivers.tools.manager import Manager
from backstay_agent.drivers.tools.units import UnitFiles
from backstay_agent.drivers.tools.watch import Properties
from backstay_dev.simulator.virtualtime import in_virtual_time

PAYLOAD = Escaped(77, "1234", "payload", "/system.slice/payload.scope")
UP = {"ActiveState": "active"}


class Stop:
    """A stop of box.service, with everything that it asks of others: systemd, and the table of processes."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, folder: Path, *, left: list[Escaped], late: bool) -> None:
        self.stopped: list[str] = []
        self._left = left
        self.driver = SystemdDriver(Manager(), UnitFiles(folder / "etc", folder / "gates"))
        members = ("box.service", "late.service") if late else ("box.service",)
        self._now = Standing("box.service", members, dict.fromkeys(members, UP), 0.0)
        monkeypatch.setattr(drivers, "bring_all_down", self._bring_all_down)
        monkeypatch.setattr(self.driver._securing, "standing", self._standing)
        monkeypatch.setattr(escaped_processes, "find", self._find)
        monkeypatch.setattr(escaped_processes, "end", self._end)

    async def __call__(self) -> list[str]:
        before = Standing("box.service", ("box.service",), {"box.service": UP}, 0.0)
        return await self.driver._stop_all(before, 5.0)

    async def _bring_all_down(self, _: Manager, units: list[str], __: float) -> list[str]:
        self.stopped += units
        return []

    async def _standing(self, _: str) -> Standing:
        return self._now

    async def _find(self, *_: object) -> list[Escaped]:
        return [PAYLOAD]

    async def _end(self, *_: object) -> list[Escaped]:
        return self._left


@in_virtual_time
async def stop(monkeypatch: pytest.MonkeyPatch, folder: Path, *, left: list[Escaped], late: bool = False) -> Any:
    one = Stop(monkeypatch, folder, left=left, late=late)
    return await one(), one.stopped


def test_a_stop_does_not_count_while_something_lives_that_was_started_elsewhere(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The next host would start a second copy beside it."""
    with pytest.raises(StopFailed, match=r"started elsewhere could not be: 77 \(payload, in payload.scope\)"):
        stop(monkeypatch, tmp_path, left=[PAYLOAD])
    notes, _ = stop(monkeypatch, tmp_path, left=[])
    assert notes == ["box.service had work outside of its control group: 77 (payload, in payload.scope)"]


def test_what_it_has_been_given_while_it_stopped_is_stopped_too(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert stop(monkeypatch, tmp_path, left=[], late=True)[1] == ["box.service", "late.service"]
    assert stop(monkeypatch, tmp_path, left=[])[1] == ["box.service"]


class Table:
    """Processes of a host, of which one may outlive SIGTERM, and may be followed by another under its number."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, born: str, dies_of: int) -> None:
        self.sent: list[tuple[float, int]] = []
        self._born, self._dies_of = born, dies_of
        self._began_s = asyncio.get_running_loop().time()
        monkeypatch.setattr(escaped_processes, "find", self._nothing)
        monkeypatch.setattr(escaped_processes, "_process", self._process)
        monkeypatch.setattr(escaped_processes, "_send", self._send)

    async def _nothing(self, *_: object) -> list[Escaped]:
        """The parents that told whose it is are gone, and it bears no mark."""
        return []

    def _process(self, folder: str) -> Process | None:
        is_gone = any(number == self._dies_of for _, number in self.sent)
        return None if is_gone or folder != "/proc/77" else Process(1, self._born, PAYLOAD.group, "")

    def _send(self, process: Escaped, number: int) -> None:
        assert process == PAYLOAD
        self.sent.append((round(asyncio.get_running_loop().time() - self._began_s, 1), int(number)))


@pytest.mark.parametrize(
    ("born", "dies_of", "sent", "left"),
    [
        pytest.param("1234", 15, [(0.0, 15)], 0, id="it ends when it is asked to"),
        pytest.param("1234", 9, [(0.0, 15), (2.0, 9)], 0, id="it does not listen"),
        pytest.param("1234", 0, [(0.0, 15), (2.0, 9)], 1, id="it hangs in the kernel"),
        pytest.param("9999", 0, [], 0, id="another has its number"),
    ],
)
def test_what_was_seen_elsewhere_is_ended_though_nothing_leads_to_it_any_more(
    monkeypatch: pytest.MonkeyPatch, born: str, dies_of: int, sent: list[tuple[float, int]], left: int
) -> None:
    @in_virtual_time
    async def told() -> None:
        table = Table(monkeypatch, born=born, dies_of=dies_of)
        still = await escaped_processes.end([PAYLOAD], ["box.service"], ["/box"], 2.0)
        assert (table.sent, len(still)) == (sent, left)

    told()


class Units:
    """A manager that knows units by their properties."""

    def __init__(self, **known: dict[str, Any]) -> None:
        self._known = {name.replace("_", "."): {"LoadState": "loaded", **more} for name, more in known.items()}

    async def properties(self, unit: str) -> Properties:
        return self._known.get(unit, {"LoadState": "not-found"})


def wanted_by(*units: str, **more: Any) -> dict[str, Any]:
    return {"WantedBy": list(units), **more}


@pytest.mark.parametrize("state", ["enabled", "enabled-runtime"])
def test_what_is_enabled_in_whichever_way_starts_by_itself(tmp_path: Path, state: str) -> None:
    why = starts_by_itself(tmp_path, web_service={"UnitFileState": state})
    assert why == "web.service is enabled and would start by itself at the next boot: systemctl disable web.service"
    assert starts_by_itself(tmp_path, web_service={"UnitFileState": "static"}) is None


def test_what_is_wanted_by_what_another_wants_that_comes_up_starts_by_itself(tmp_path: Path) -> None:
    chain = {
        "web_service": wanted_by("a.service"),
        "a_service": wanted_by("b.service", ActiveState="inactive"),
        "b_service": wanted_by("c.service", ActiveState="inactive"),
    }
    why = starts_by_itself(tmp_path, **chain, c_service={"UnitFileState": "enabled", "ActiveState": "inactive"})
    assert why == "web.service would start by itself at the next boot, with a.service: systemctl mask web.service"
    assert starts_by_itself(tmp_path, **chain, c_service={"UnitFileState": "static"}) is None


def test_scripts_are_read_of_a_unit_and_of_its_parts(tmp_path: Path) -> None:
    script = tmp_path / "start"
    script.write_text("#!/bin/sh\ndocker run db\n")
    by_script = {"Type": "simple", "ExecStart": [(str(script), [str(script)])]}
    server = {"Type": "simple", "ExecStart": [("/opt/db", ["/opt/db"])], "Wants": ["part.service"]}
    units = Units(web_service=server, part_service=by_script | wanted_by("web.service"), own_service=by_script)

    async def why(unit: str) -> str | None:
        securing = Securing(cast(Manager, units), UnitFiles(tmp_path / "etc", tmp_path / "gates"))
        return await securing.not_fit(await securing.standing(unit), asked=False)

    for unit, by in (("web.service", "part.service"), ("own.service", "own.service")):
        assert (asyncio.run(why(unit)) or "").startswith(f"{by} has its work done by docker,")


def starts_by_itself(folder: Path, **known: dict[str, Any]) -> str | None:
    files = UnitFiles(folder / "etc", folder / "gates")

    async def ask() -> str | None:
        return await Securing(cast(Manager, Units(**known)), files).starts_by_itself("web.service")

    return asyncio.run(ask())
