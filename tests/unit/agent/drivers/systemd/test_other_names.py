"""A unit with several names: systemd reads drop-ins of all of them, so nothing of the host's own is secured under any."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from pathlib import Path
from typing import Any, cast

import pytest

from backstay_agent.drivers.base import StartFailed
from backstay_agent.drivers.systemd.securing import Securing
from backstay_agent.drivers.tools.manager import Manager
from backstay_agent.drivers.tools.units import UnitFiles
from backstay_agent.drivers.tools.watch import Properties


class Reloads:
    """Nothing waits, and nothing is read anew."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def changed(self, unit: str) -> None:
        self.told.append(unit)

    async def read(self, units: Collection[str]) -> bool:
        return False


class Units:
    """A manager of one unit."""

    def __init__(self, **properties: Any) -> None:
        self._properties = {"LoadState": "loaded", **properties}
        self.reloads = Reloads()

    async def properties(self, unit: str) -> Properties:
        return self._properties


def secured(folder: Path, unit: str, *, before: bool = False, **properties: Any) -> tuple[str, list[str]]:
    """Why not, and which units wait for our word afterwards. What never waited has not been touched."""
    units = Units(**properties)
    files = UnitFiles(folder / "etc", folder / "gates")
    (folder / "etc").mkdir()
    if before:
        files.write_drop_in(unit)
    try:
        asyncio.run(Securing(cast(Manager, units), files).secure(unit))
    except StartFailed as error:
        assert bool(units.reloads.told) is (before or bool(files.with_drop_in()))
        return str(error), files.with_drop_in()
    return "", files.with_drop_in()


@pytest.mark.parametrize("before", [False, True], ids=["never secured", "by an agent of before"])
def test_another_name_of_a_unit_of_the_host_never_waits_for_our_word(tmp_path: Path, *, before: bool) -> None:
    """`udev.service`: at the next boot the host would have no devices."""
    why, waiting = secured(tmp_path, "udev.service", before=before, Id="systemd-udevd.service")
    assert (why, waiting) == (
        "udev.service is also called systemd-udevd.service, which belongs to the host itself and is never handed to a service",
        [],
    )


def test_a_unit_that_is_the_hosts_by_another_of_its_names_does_not_wait_either(tmp_path: Path) -> None:
    names = ["logind.service", "systemd-logind.service"]
    why, waiting = secured(tmp_path, "logind.service", Id="logind.service", Names=names)
    assert (why, waiting) == (
        "logind.service is also called systemd-logind.service, which belongs to the host itself and is never handed to a service",
        [],
    )


def test_another_name_of_somebodys_unit_is_refused_and_waits_all_the_same(tmp_path: Path) -> None:
    """`mysql.service` where MariaDB has come in its place: it must not start here at a boot, beside the service elsewhere."""
    why, waiting = secured(tmp_path, "mysql.service", Id="mariadb.service", Names=["mariadb.service", "mysql.service"])
    assert why.startswith("mysql.service is another name of mariadb.service: name that one") and waiting == [
        "mysql.service"
    ]


def test_the_name_by_which_dbus_asks_for_it_makes_it_nobodys(tmp_path: Path) -> None:
    names = ["avahi-daemon.service", "dbus-org.freedesktop.Avahi.service"]
    why, waiting = secured(tmp_path, "avahi-daemon.service", Id="avahi-daemon.service", Names=names)
    assert "is also called" not in why and waiting == ["avahi-daemon.service"]


def test_what_is_not_installed_waits_for_our_word_before_it_comes(tmp_path: Path) -> None:
    why, waiting = secured(tmp_path, "web.service", LoadState="not-found", Id="web.service")
    assert "not installed" in why and waiting == ["web.service"]
