"""Logical volumes: known by name, refused with a sentence, taken over, activated and let go of; LVM's answers are recorded ones."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from backstay_agent.drivers.base import StartFailed, StopFailed
from backstay_agent.drivers.mount.driver import MountDriver
from backstay_agent.drivers.mount.lvm import Lvm
from backstay_agent.drivers.mount.places import HostFiles
from backstay_agent.drivers.mount.sources import NoSource
from backstay_agent.drivers.mount.volumes import LvmOfHost, Volume, active, leads_to, refusal, rows, volume_of
from backstay_agent.drivers.tools.transient import Ended
from backstay_api.objects.plain import Mount, RenderedResource

DATA = Volume("vg1", "my-data")
ROW: dict[str, Any] = {
    "vg_name": "vg1", "lv_name": "my-data", "vg_systemid": "n2", "vg_lock_type": "", "vg_clustered": "",
    "vg_partial": "", "vg_exported": "", "vg_autoactivation": "", "vg_tags": "backstay=n2", "lv_role": "public",
    "lv_autoactivation": "enabled", "lv_skip_activation": "",
}  # fmt: skip


def report(*said: dict[str, Any], warns: str = "") -> str:
    """As lvs 2.03.16 prints it: warnings come between."""
    lines = ",\n".join(f"                  {json.dumps(one, separators=(',', ':'))}" for one in said)
    return f'  {{\n      "report": [\n{warns}          {{\n              "lv": [\n{lines}\n              ]\n          }}\n      ]\n  }}\n'


@pytest.mark.parametrize(
    ("device", "volume"),
    [
        ("/dev/vg1/my-data", DATA),
        ("/dev/mapper/vg1-my--data", None),
        ("/dev/md/0", None),
        ("vg1/my-data", DATA),
        ("/dev/mapper/mpatha", None),
        ("/dev/sda1", None),
        ("/dev/disk/by-id/wwn-0x5", None),
        ("UUID=ab", None),
        ("nas:/pg", None),
    ],
)
def test_a_volume_is_known_by_each_of_its_names(device: str, volume: Volume | None) -> None:
    assert volume_of(device) == volume


def test_a_report_is_read_between_its_warnings() -> None:
    warns = "  WARNING: Couldn't find device with uuid 3L99w6.\n  WARNING: VG vg1 is missing PV 3L99w6.\n"
    assert rows(report(ROW, ROW, warns=warns)) == [ROW, ROW]
    assert rows('  {\n      "report": [\n  Volume group "vg9" not found\n') == []


@pytest.mark.parametrize(
    ("change", "host", "why"),
    [
        pytest.param({}, LvmOfHost("n2"), "", id="ours"),
        pytest.param({}, LvmOfHost("n1"), "", id="another host's, which had it for Backstay"),
        pytest.param({"vg_tags": "x"}, LvmOfHost("n1"), "belongs to n2 by its system ID, which had it not", id="foreign"),
        pytest.param({"vg_tags": "x"}, LvmOfHost("n2"), "", id="ours, for the first time"),
        pytest.param({}, LvmOfHost(""), "LVM on this host has none: set system_id_source", id="a host without system ID"),
        pytest.param({"vg_systemid": ""}, LvmOfHost(""), "", id="nobody's"),
        pytest.param({"vg_lock_type": "sanlock"}, LvmOfHost("n2"), "shared by a lock manager (sanlock)", id="lvmlockd"),
        pytest.param({"vg_partial": "partial"}, LvmOfHost("n2"), "vg1 is not complete", id="a disk is missing"),
        pytest.param({"vg_exported": "exported"}, LvmOfHost("n2"), "vgimport vg1", id="exported"),
        pytest.param({"vg_autoactivation": "enabled"}, LvmOfHost("n2"), "vgchange --setautoactivation n vg1", id="at a boot"),
        pytest.param(
            {"vg_systemid": "", "vg_autoactivation": "enabled"}, LvmOfHost("n2"), "by itself on each host", id="of nobody's, too"
        ),
        pytest.param({"vg_autoactivation": "enabled"}, LvmOfHost("n2", "[]"), "", id="nothing is, at a boot"),
        pytest.param({"vg_autoactivation": "enabled"}, LvmOfHost("n2", '["root"]'), "", id="others are"),
        pytest.param({"vg_autoactivation": "enabled"}, LvmOfHost("n2", '["vg1"]'), "by itself", id="it is among them"),
        pytest.param({"vg_autoactivation": "enabled", "lv_autoactivation": ""}, LvmOfHost("n2"), "", id="not this volume"),
        pytest.param({"lv_role": "public,snapshot,thicksnapshot"}, LvmOfHost("n2"), "with another volume", id="snapshot"),
        pytest.param({"lv_role": "private,thin,pool"}, LvmOfHost("n2"), "with another volume", id="a pool"),
        pytest.param({"lv_skip_activation": "skip activation"}, LvmOfHost("n2"), "setactivationskip n", id="skipped"),
    ],
)  # fmt: skip
def test_which_volume_a_host_may_activate(change: dict[str, Any], host: LvmOfHost, why: str) -> None:
    said = refusal(DATA, {**ROW, **change}, host)
    assert why in said and bool(said) is bool(why), said


@dataclass
class FakeLvm:
    """Programs, LVM's answers and /sys of a host: `lvchange` makes and removes the mapping."""

    block: Path
    row: dict[str, Any] = field(default_factory=lambda: dict(ROW))
    host: str = "n2"
    refuses: Sequence[str] = ()
    ran: list[str] = field(default_factory=list)

    async def __call__(self, argv: Sequence[str]) -> tuple[int, str]:
        if argv[1] == "lvs":
            assert {"--readonly", "--foreign", "--shared", "--nohints"} <= set(argv)
            return (0, report(self.row)) if self.row else (5, '{\n  Volume group "vg1" not found\n')
        return 0, f"  system ID: {self.host}\n" if argv[1] == "systemid" else ""

    async def run(self, path: str, argv: Sequence[str], timeout_s: float) -> Ended:
        self.ran.append(" ".join((Path(argv[0]).name, *argv[1:])))
        if any(word in self.ran[-1] for word in self.refuses):
            return Ended(5, argv[0], "exited with 5; it said: no")
        if "lvchange -ay" in self.ran[-1]:
            self.appear()
        if "lvchange -an" in self.ran[-1] or argv[1] == "remove":
            (self.block / "dm-7/dm/uuid").write_text("")
        return Ended(0, argv[0], "exited with 0")

    def appear(self) -> None:
        (self.block / "dm-7/dm").mkdir(parents=True, exist_ok=True)
        for name, text in (("dm/name", "vg1-my--data\n"), ("dm/uuid", "LVM-nusjm8\n"), ("dev", "254:7\n")):
            (self.block / "dm-7" / name).write_text(text)

    async def end(self, path: str, timeout_s: float) -> None:
        return

    async def wanting(self, unit: str) -> str:
        return ""


@pytest.fixture
def lvm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeLvm:
    async def installed(program: str) -> str:
        return f"/sbin/{program}"

    monkeypatch.setattr("backstay_agent.drivers.mount.lvm.found", installed)
    (tmp_path / "block").mkdir()
    return FakeLvm(tmp_path / "block")


def up(lvm: FakeLvm) -> None:
    asyncio.run(Lvm(lvm, lvm, lvm.block).activate(DATA, "/srv/db", 9))


def down(lvm: FakeLvm) -> None:
    asyncio.run(Lvm(lvm, lvm, lvm.block).let_go(DATA, "/srv/db"))


def test_its_own_is_activated_and_nothing_else_changed(lvm: FakeLvm) -> None:
    up(lvm)
    assert lvm.ran == ["lvm lvchange -ay --activationmode complete vg1/my-data"]
    assert active(DATA, lvm.block) == "254:7" and leads_to("254:7", lvm.block) == "/dev/vg1/my-data"
    assert active(Volume("vg1", "data"), lvm.block) == "" == leads_to("8:1", lvm.block)


def test_who_held_it_before_is_succeeded_by_name_before_it_is_activated(lvm: FakeLvm) -> None:
    lvm.host = "n1"
    up(lvm)
    owner = 'local/extra_system_ids=["n2"]'
    assert lvm.ran == [
        f"lvm vgchange --config {owner} --addtag backstay=n1 vg1",
        f"lvm vgchange -y --config {owner} --systemid n1 vg1",
        "lvm lvchange -ay --activationmode complete vg1/my-data",
    ]


@pytest.mark.parametrize(("refuses", "ran"), [("--addtag", 1), ("--systemid", 2), ("-ay", 3)])
def test_what_lvm_refuses_ends_the_start(lvm: FakeLvm, refuses: str, ran: int) -> None:
    lvm.host, lvm.refuses = "n1", (refuses,)
    with pytest.raises(StartFailed, match=r"exited with 5; it said: no"):
        up(lvm)
    assert len(lvm.ran) == ran


def test_a_strangers_is_refused_before_anything_is_run(lvm: FakeLvm) -> None:
    lvm.row["vg_systemid"] = "elsewhere"
    with pytest.raises(StartFailed, match=r"belongs to elsewhere"):
        up(lvm)
    lvm.row = {}
    with pytest.raises(NoSource, match=r'no logical volume vg1/my-data: Volume group "vg1" not found'):
        up(lvm)
    assert lvm.ran == []


def test_it_is_let_go_of_by_the_kernel_where_lvm_cannot_and_else_the_stop_has_failed(lvm: FakeLvm) -> None:
    down(lvm)
    assert lvm.ran == [], "it was not active"
    lvm.appear()
    down(lvm)
    assert lvm.ran == ["lvm lvchange -an vg1/my-data"] and not active(DATA, lvm.block)
    lvm.appear()
    lvm.refuses = ("lvchange",)
    down(lvm)
    assert lvm.ran[2:] == ["dmsetup remove --retry vg1-my--data"] and not active(DATA, lvm.block)
    lvm.appear()
    lvm.refuses = ("lvchange", "dmsetup")
    with pytest.raises(StopFailed, match=r"vg1/my-data is still active on this host: .*lvm exited with 5"):
        down(lvm)


def test_a_volume_that_others_have_activated_is_left_alone_and_one_of_ours_is_found_and_let_go(
    lvm: FakeLvm, tmp_path: Path
) -> None:
    (tmp_path / "table").write_text("21 1 254:0 / / rw - ext4 /dev/vda rw\n")
    files = HostFiles(roots=[tmp_path], notes=tmp_path / "notes", table=tmp_path / "table", fstab=tmp_path / "fstab")
    driver = MountDriver(lvm, files, lvm=Lvm(lvm, lvm, lvm.block))
    one = RenderedResource(name="disk", mount=Mount(device="/dev/vg1/my-data", path=str(tmp_path / "db")))

    async def story() -> None:
        lvm.appear()
        assert "Backstay has not activated it: lvchange -an vg1/my-data" in (await driver.not_ready(one) or "")
        with pytest.raises(StartFailed, match=r"has not activated it"):
            await driver.start(one, timeout_s=5)
        await driver.stop(one, timeout_s=5)
        assert lvm.ran == [] and await driver.leftovers() == []

        await asyncio.to_thread((lvm.block / "dm-7/dm/uuid").write_text, "")
        lvm.refuses = ("/mount ", "mount -o")
        with pytest.raises(StartFailed):
            await driver.start(one, timeout_s=5)
        assert active(DATA, lvm.block), "activated, and not mounted"
        assert await driver.leftovers() == [one]
        lvm.ran.clear()
        await driver.stop(one, timeout_s=5)
        assert lvm.ran == ["lvm lvchange -an vg1/my-data"] and await driver.leftovers() == []

    asyncio.run(story())
