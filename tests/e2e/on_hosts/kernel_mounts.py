"""Filesystems and disks that fail, as only a kernel with device-mapper and XFS shows them. Told by `test_kernel_machine.py`."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from drivers_scene import limited, until

from backstay_agent.drivers.base import Seen, StartFailed, State
from backstay_agent.drivers.mount.acts import UnitPrograms
from backstay_agent.drivers.mount.driver import MountDriver
from backstay_agent.drivers.tools.manager import Manager
from backstay_api.objects.plain import Mount, RenderedResource, Timeouts
from backstay_testing.disks import sh

AT = "/srv/d-disk"
WHY = "the kernel's log (dmesg) says why"


@dataclass(frozen=True)
class Disk:
    """One of device-mapper, that does what it is told."""

    name: str
    behind: str
    sectors: int

    @property
    def path(self) -> str:
        return f"/dev/mapper/{self.name}"

    def is_now(self, target: str) -> None:
        """`linear`: a disk like any; `error`: nothing can be read or written; `flakey … error_writes`: nothing can be written."""
        tables = {
            "well": f"0 {self.sectors} linear {self.behind} 0",
            "gone": f"0 {self.sectors} error",
            "unwritable": f"0 {self.sectors} flakey {self.behind} 0 0 1000 1 error_writes",
        }
        sh("dmsetup", "suspend", "--noflush", "--nolockfs", self.name)
        sh("dmsetup", "load", self.name, "--table", tables[target])
        sh("dmsetup", "resume", self.name)


@contextmanager
def a_disk(folder: Path, *mkfs: str, mib: int) -> Iterator[Disk]:
    image = folder / "disk.img"
    sh("truncate", "-s", f"{mib}M", image)
    loop = sh("losetup", "-f", "--show", image)
    disk = Disk("d-disk", loop, mib * 2048)
    try:
        sh("dmsetup", "create", disk.name, "--table", f"0 {disk.sectors} linear {loop} 0")
        sh(*mkfs, disk.path)
        yield disk
    finally:
        sh("umount", AT, check=False)
        sh("dmsetup", "remove", "--retry", disk.name, check=False)
        sh("losetup", "-d", loop)


def xfs(folder: Path) -> AbstractContextManager[Disk]:
    """XFS takes no less than 300 MiB."""
    return a_disk(folder, "mkfs.xfs", "-q", "-f", mib=320)


def mounted(disk: Disk, *options: str, fs_type: str | None = None) -> RenderedResource:
    spec = Mount(device=disk.path, path=AT, fs_type=fs_type, options=options)
    return RenderedResource(name="disk", mount=spec, timeouts=Timeouts(start="30s", stop="30s"))


def play(tell: Callable[[MountDriver], Awaitable[None]]) -> None:
    async def told() -> None:
        manager = Manager()
        try:
            await tell(MountDriver(UnitPrograms(manager)))
        finally:
            await manager.close()

    asyncio.run(limited(told))


def spoil() -> None:
    """Servers write, and the kernel brings it to the disk, until it says that it cannot."""
    for number in range(100):
        try:
            (Path(AT) / f"row{number}").mkdir()
        except OSError:
            return
        os.sync()
    raise AssertionError("the kernel has noticed nothing")


async def mended(driver: MountDriver, ours: RenderedResource) -> None:
    """As the agent does with what has failed."""
    await driver.stop(ours, timeout_s=30)
    await driver.start(ours, timeout_s=30)
    assert await driver.check(ours) == Seen(State.RUNNING)
    assert (Path(AT) / "kept").read_text() == "kept"
    await driver.stop(ours, timeout_s=30)


def shown() -> list[str]:
    """Its options in the mount table."""
    return sh("findmnt", "-no", "OPTIONS", AT).split(",")


def keep() -> None:
    (Path(AT) / "kept").write_text("kept")
    os.sync()


def test_xfs_is_mounted_with_its_options_adopted_and_unmounted(tmp_path: Path) -> None:
    with xfs(tmp_path) as disk:
        ours = mounted(disk, "noatime", "logbsize=64k", fs_type="xfs")

        async def story(driver: MountDriver) -> None:
            assert await driver.not_ready(ours) is None
            await driver.start(ours, timeout_s=30)
            assert await driver.check(ours) == Seen(State.RUNNING)
            assert {"noatime", "nosuid", "nodev", "logbsize=64k"} <= set(shown()), shown()
            assert [one.mount for one in await driver.leftovers()] == [ours.mount]
            await driver.start(ours, timeout_s=30)
            assert len(sh("findmnt", "-rno", "TARGET", "-S", disk.path).splitlines()) == 1
            await driver.stop(ours, timeout_s=30)
            assert (await driver.check(ours)).state is State.STOPPED

        play(story)


def test_what_xfs_had_written_is_there_after_a_power_loss(tmp_path: Path) -> None:
    """Its log is played by the kernel at the mount: nothing has to be checked before."""
    with xfs(tmp_path) as disk:
        ours = mounted(disk, fs_type="xfs")

        async def story(driver: MountDriver) -> None:
            await driver.start(ours, timeout_s=30)
            keep()
            sh("xfs_io", "-x", "-c", "shutdown -f", AT)
            await mended(driver, ours)

        play(story)


@pytest.mark.parametrize(
    ("fs_type", "is_now", "words", "refused"),
    [
        pytest.param("xfs", "gone", "cannot be used (Input/output error)", "can't read superblock", id="XFS shuts itself down"),
        pytest.param("ext4", "unwritable", "has become read-only", None, id="ext4, as the table no longer says since Linux 6.1.113"),
    ],
)  # fmt: skip
def test_what_takes_nothing_more_has_failed_though_the_mount_table_says_nothing_and_is_mounted_again(
    tmp_path: Path, fs_type: str, is_now: str, words: str, refused: str | None
) -> None:
    with xfs(tmp_path) if fs_type == "xfs" else a_disk(tmp_path, "mkfs.ext4", "-q", mib=32) as disk:
        ours = mounted(disk, fs_type=fs_type)

        async def story(driver: MountDriver) -> None:
            await driver.start(ours, timeout_s=30)
            keep()
            disk.is_now(is_now)
            spoil()
            assert "rw" in shown(), "the mount table says nothing"
            assert await driver.check(ours) == Seen(State.FAILED, f"{AT} {words}: {WHY}")
            if refused:
                await driver.stop(ours, timeout_s=30)
                with pytest.raises(StartFailed, match=refused):
                    await driver.start(ours, timeout_s=30)
                assert (await driver.check(ours)).state is State.STOPPED
            disk.is_now("well")
            if refused:
                await driver.start(ours, timeout_s=30)
            await mended(driver, ours)

        play(story)


async def scsi_disk() -> str:
    """The one that is here; it is found some time after its driver."""
    await until(lambda: any(Path("/sys/block").glob("sd*")))
    sh("udevadm", "settle")
    return f"/dev/{next(Path('/sys/block').glob('sd*')).name}"


def test_a_disk_that_goes_under_a_mount_has_vanished_and_what_is_left_of_it_is_unmounted(tmp_path: Path) -> None:
    """As a SAN's does: the kernel forgets the disk, and keeps what is mounted of it."""
    sh("modprobe", "sd_mod")
    sh("modprobe", "scsi_debug", "dev_size_mb=320")
    device = asyncio.run(scsi_disk())
    sh("mkfs.xfs", "-q", "-f", device)
    ours = RenderedResource(
        name="disk", mount=Mount(device=device, path=AT), timeouts=Timeouts(start="30s", stop="30s")
    )

    async def story(driver: MountDriver) -> None:
        await driver.start(ours, timeout_s=30)
        Path(f"/sys/block/{device.removeprefix('/dev/')}/device/delete").write_text("1")
        assert await driver.check(ours) == Seen(State.FAILED, f"the device of {AT} ({device}) has vanished")
        await driver.stop(ours, timeout_s=30)
        assert (await driver.check(ours)).state is State.STOPPED
        with pytest.raises(StartFailed, match="this host has no device"):
            await driver.start(ours, timeout_s=30)

    try:
        play(story)
    finally:
        sh("umount", AT, check=False)


def test_an_option_that_xfs_does_not_take_is_a_refusal_that_leaves_nothing(tmp_path: Path) -> None:
    """`norecovery` it takes only with `ro`."""
    with xfs(tmp_path) as disk:

        async def story(driver: MountDriver) -> None:
            for option in ("data=ordered", "norecovery"):
                ours = mounted(disk, option, fs_type="xfs")
                with pytest.raises(StartFailed, match="wrong fs type, bad option"):
                    await driver.start(ours, timeout_s=30)
                assert (await driver.check(ours)).state is State.STOPPED and await driver.leftovers() == []
            read_only = mounted(disk, "norecovery", "ro", fs_type="xfs")
            await driver.start(read_only, timeout_s=30)
            assert await driver.check(read_only) == Seen(State.RUNNING)
            await driver.stop(read_only, timeout_s=30)

        play(story)


def test_a_copy_of_a_disk_beside_it_is_refused_by_xfs_itself(tmp_path: Path) -> None:
    """A snapshot that a storage shows to the same host has the same UUID; with `nouuid` the manifest says that it is meant."""
    with xfs(tmp_path) as disk:
        ours = mounted(disk, fs_type="xfs")
        sh("cp", "--sparse=always", tmp_path / "disk.img", tmp_path / "copy.img")
        copy = sh("losetup", "-f", "--show", tmp_path / "copy.img")
        aside = RenderedResource(name="copy", mount=Mount(device=copy, path="/srv/d-copy", fs_type="xfs"))

        async def story(driver: MountDriver) -> None:
            await driver.start(ours, timeout_s=30)
            with pytest.raises(StartFailed, match="wrong fs type, bad option"):
                await driver.start(aside, timeout_s=30)
            meant = replace(aside, mount=Mount(device=copy, path="/srv/d-copy", fs_type="xfs", options=("nouuid",)))
            await driver.start(meant, timeout_s=30)
            await driver.stop(meant, timeout_s=30)
            assert await driver.check(ours) == Seen(State.RUNNING)
            await driver.stop(ours, timeout_s=30)

        try:
            play(story)
        finally:
            sh("losetup", "-d", copy)
