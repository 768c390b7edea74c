"""What an agent sees of how its host is set up: accounts, settings of the kernel, modules, and the files of units."""

from __future__ import annotations

import asyncio
import grp
import os
import pwd
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from backstay_agent.drivers.base import Observed
from backstay_agent.drivers.setting import SettingLooks, unseen
from backstay_agent.drivers.tools.bus import BusError
from backstay_api.objects.plain import HostSetting
from backstay_api.objects.prerequisites import sysctl_file
from backstay_dev.simulator.virtualtime import run

UNIT = "web.service"


class FakeUnits:
    """A systemd that says of each unit what it was told to, and how often it was asked."""

    def __init__(self, **known: Any) -> None:
        self.known: list[Mapping[str, Any]] = [{"LoadState": "loaded", **known}]
        self.asked = 0

    async def __call__(self, unit: str) -> Mapping[str, Any]:
        self.asked += 1
        return self.known[min(self.asked, len(self.known)) - 1]


def setting(properties: Any = unseen, root: Path = Path("/nowhere"), salt: str = "uid-web", **spec: Any) -> Observed:
    return asyncio.run(SettingLooks(properties, proc=root / "proc", sys=root / "sys")(HostSetting(**spec), salt))


# --- accounts --------------------------------------------------------------------------------------------------------


def test_an_account_is_told_by_its_numbers_its_home_and_all_its_groups() -> None:
    me = pwd.getpwuid(os.getuid())
    seen = setting(user=me.pw_name)
    assert seen.why == "" and seen.facts.keys() == {"uid", "gid", "home", "shell", "groups"}
    assert (seen.facts["uid"], seen.facts["gid"], seen.facts["home"]) == (str(me.pw_uid), str(me.pw_gid), me.pw_dir)


def test_who_is_not_there_or_not_in_a_group_is_said() -> None:
    me = pwd.getpwuid(os.getuid())
    own = grp.getgrgid(me.pw_gid).gr_name
    assert setting(user="nobody-here").why == "there is no user nobody-here"
    assert setting(group="nobody-here").why == "there is no group nobody-here"
    assert setting(group=own).facts == {"gid": str(me.pw_gid)}
    assert setting(user=me.pw_name, groups=(own,)).why == ""
    assert setting(user=me.pw_name, groups=("ssl-none",)).why == f"user {me.pw_name} is not in ssl-none"


# --- the kernel ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("vm.nr_hugepages", "vm/nr_hugepages"),
        ("vm/nr_hugepages", "vm/nr_hugepages"),
        ("net.ipv4.conf.eth0/100.forwarding", "net/ipv4/conf/eth0.100/forwarding"),
        ("net/ipv4/conf/eth0.100/forwarding", "net/ipv4/conf/eth0.100/forwarding"),
    ],
)
def test_a_setting_of_the_kernel_has_the_names_that_sysctl_knows(name: str, path: str) -> None:
    assert sysctl_file(name) == f"/proc/sys/{path}"


def test_a_setting_of_the_kernel_is_told_by_its_value_and_held_against_what_is_declared(tmp_path: Path) -> None:
    (tmp_path / "proc/sys/net").mkdir(parents=True)
    (tmp_path / "proc/sys/net/range").write_text("32768\t60999\n")
    (tmp_path / "proc/sys/net/long").write_text("7," * 400)
    assert setting(root=tmp_path, sysctl="net.range") == Observed("", {"value": "32768 60999"})
    assert setting(root=tmp_path, sysctl="net.range", value="32768 60999").why == ""
    assert (
        setting(root=tmp_path, sysctl="net.range", value="1 2").why
        == "sysctl net.range is 32768 60999, and shall be 1 2"
    )
    assert len(setting(root=tmp_path, sysctl="net.long").facts["value"]) == 32
    assert setting(root=tmp_path, sysctl="net.none").why == (
        "the kernel of this host has no setting net.none that can be read"
    )


def test_a_fifo_or_a_link_where_the_kernel_should_be_is_neither_waited_for_nor_followed(tmp_path: Path) -> None:
    (tmp_path / "proc/sys/vm").mkdir(parents=True)
    os.mkfifo(tmp_path / "proc/sys/vm/fifo")
    (tmp_path / "proc/sys/vm/link").symlink_to("/etc/passwd")
    assert setting(root=tmp_path, sysctl="vm.fifo").facts.get("value", "") == ""
    assert "that can be read" in setting(root=tmp_path, sysctl="vm.link").why


def test_a_module_is_loaded_or_not(tmp_path: Path) -> None:
    (tmp_path / "sys/module/drbd").mkdir(parents=True)
    (tmp_path / "sys/module/drbd/version").write_text("9.2.4\n")
    (tmp_path / "sys/module/br_netfilter").mkdir()
    assert setting(root=tmp_path, module="drbd") == Observed("", {"version": "9.2.4"})
    assert setting(root=tmp_path, module="br-netfilter") == Observed("", {"version": "none"})
    assert setting(root=tmp_path, module="dummy9").why == "module dummy9 is not loaded"


# --- units -----------------------------------------------------------------------------------------------------------


def unit_files(folder: Path, limit: str, *, ours: str = "") -> FakeUnits:
    (folder / "web.service.d").mkdir(parents=True)
    (folder / UNIT).write_text("[Service]\nExecStart=/bin/true\n")
    (folder / "web.service.d/limits.conf").write_text(f"[Service]\nLimitNOFILE={limit}\n")
    (folder / "web.service.d/zz-backstay.conf").write_text(ours)
    drop_ins = [str(folder / "web.service.d" / name) for name in ("limits.conf", "zz-backstay.conf")]
    return FakeUnits(FragmentPath=str(folder / UNIT), DropInPaths=drop_ins, NeedDaemonReload=False)


def test_the_files_of_a_unit_are_told_in_a_fingerprint_and_ours_do_not_count(tmp_path: Path) -> None:
    a = setting(unit_files(tmp_path / "a", "1024", ours="ours\n"), units=(UNIT,))
    b = setting(unit_files(tmp_path / "b", "1024"), units=(UNIT,))
    c = setting(unit_files(tmp_path / "c", "4096"), units=(UNIT,))
    assert a.why == "" and a.facts == b.facts != c.facts and a.facts.keys() == {UNIT}
    assert setting(unit_files(tmp_path / "d", "1024"), salt="uid-other", units=(UNIT,)).facts != a.facts


def test_a_drop_in_that_is_missing_makes_a_difference(tmp_path: Path) -> None:
    whole, less = (unit_files(tmp_path / name, "1024") for name in "ab")
    less.known = [{**less.known[0], "DropInPaths": []}]
    assert setting(whole, units=(UNIT,)).facts != setting(less, units=(UNIT,)).facts


@pytest.mark.parametrize(
    ("known", "why"),
    [
        ({"LoadState": "not-found"}, "unit web.service does not exist"),
        ({"LoadState": "masked"}, "unit web.service is masked"),
        (
            {"LoadState": "loaded", "NeedDaemonReload": True},
            "systemd has not read the files of web.service since they were edited: systemctl daemon-reload",
        ),
    ],
)
def test_a_unit_that_systemd_does_not_have_as_it_lies_there_is_said(known: Mapping[str, Any], why: str) -> None:
    units = FakeUnits()
    units.known = [known]
    found = run(SettingLooks(units)(HostSetting(units=(UNIT,)), "uid"))
    assert found == Observed(why)


def test_what_systemd_is_about_to_read_is_waited_for(tmp_path: Path) -> None:
    units = unit_files(tmp_path, "1024")
    units.known = [{**units.known[0], "NeedDaemonReload": True}, units.known[0]]
    found = asyncio.run(SettingLooks(units)(HostSetting(units=(UNIT,)), "uid"))
    assert found.why == "" and units.asked == 2


def test_a_systemd_that_cannot_be_asked_is_said() -> None:
    async def gone(unit: str) -> Mapping[str, Any]:
        raise BusError("x", "the connection is gone")

    assert setting(gone, units=(UNIT,)).why == "the connection is gone"
