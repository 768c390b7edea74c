"""Why a host could not mount a disk, or would mount it by itself, on real disks of this machine."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from backstay_agent.drivers.base import StartFailed
from backstay_agent.drivers.tools.transient import Ended
from backstay_testing.disks import Host, a_disk, sh
from backstay_testing.mounts import mounts, play


def test_another_who_has_it_mounted_is_named_by_ext4_itself(host: Host) -> None:
    """MMP, whose wait is some twenty seconds: what the programs then say is given; the end-to-end test waits."""
    with a_disk(host.folder / "disk.img", "-O", "mmp") as first:
        sh("mount", first, host.folder / "srv/state")
        second = sh("losetup", "-f", "--show", host.folder / "disk.img")
        one = host.mount(second)
        busy = Ended(32, "mount", "exited with 32", "/dev/x ist bereits eingehängt.")

        async def story() -> None:
            for says in ({"e2fsck": Ended(8, "e2fsck", "exited with 8")}, {"e2fsck": Ended(0, "", ""), "mount": busy}):
                host.shell.says = says
                with pytest.raises(
                    StartFailed, match=rf"is in use: .*MMP.* says that \S+ \({first[5:]}\) has it mounted"
                ):
                    await host.driver().start(one, timeout_s=9)
            assert mounts(second) == []

        try:
            play(story())
        finally:
            sh("losetup", "-d", second)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        pytest.param({"path": "/etc/x"}, "in none of the folders", id="outside"),
        pytest.param({"path": "{srv}/state/db"}, "where this agent keeps", id="what is the agent's"),
        pytest.param({"path": "{srv}/link/db"}, "leads over a symbolic link", id="a link"),
        pytest.param({"path": "{srv}/file"}, "is no folder", id="a file"),
        pytest.param({"device": "/dev/nowhere"}, "this host has no device /dev/nowhere", id="no such device"),
        pytest.param({"device": "UUID=0-0"}, "this host has no device UUID=0-0 (/dev/disk/by-uuid/0-0", id="no such tag"),
        pytest.param({"device": "/dev/null"}, "is no block device", id="no block device"),
        pytest.param({"device": "/etc", "options": ["rw"]}, "add the option bind", id="a folder without bind"),
        pytest.param({"device": "/nowhere/at/all", "options": ["bind"]}, "this host has no folder", id="no folder"),
        pytest.param({"fsType": "of-such-type-x"}, "has no filesystem of type of-such-type-x", id="a type nobody knows"),
        pytest.param({"device": "127.0.0.1:/pg"}, "", id="a server that does not answer"),
    ],
)  # fmt: skip
def test_what_a_host_could_not_mount_makes_it_not_ready(
    host: Host, disk: str, change: dict[str, Any], why: str
) -> None:
    srv = host.folder / "srv"
    (srv / "file").touch()
    (srv / "link").symlink_to("/etc")
    given = {"path": str(host.target), "device": disk, **change}
    one = host.mount(given["device"], *given.get("options", ()), path=Path(given["path"].format(srv=srv)))
    if "fsType" in given:
        assert one.mount
        one = replace(one, mount=replace(one.mount, fs_type=given["fsType"]))

    async def story() -> None:
        assert why in (await host.driver().not_ready(one) or "ready")
        with pytest.raises(StartFailed):
            await host.driver().start(one, timeout_s=5)

    play(story())


def test_what_would_mount_it_at_a_boot_is_named_and_makes_the_host_not_ready(host: Host, disk: str) -> None:
    one = host.mount(disk)
    unit = f"{str(host.target)[1:].replace('-', chr(92) + 'x2d').replace('/', '-')}.mount"

    async def story() -> None:
        driver = host.driver()
        await driver.secure(one)
        assert await driver.starts_by_itself(one) is None
        (host.folder / "fstab").write_text(f"{disk} /elsewhere ext4 defaults 0 0\n")
        with pytest.raises(StartFailed, match=rf"fstab mounts it at the next boot .{disk} /elsewhere ext4.: remove"):
            await driver.secure(one)
        assert await driver.starts_by_itself(one)
        (host.folder / "fstab").write_text(f"{disk} /elsewhere ext4 noauto 0 0\n")
        await driver.secure(one)
        host.shell.wanted[unit] = "multi-user.target"
        with pytest.raises(StartFailed, match=r"mounts it at the next boot .for multi-user.target.: systemctl disable"):
            await driver.secure(one)

    play(story())
