"""The kernel's mount table, fstab and /proc as they are found on hosts: what is read from them, and who is named."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import aclosing
from pathlib import Path

import pytest

from backstay_agent.drivers.mount.holders import elsewhere, holders
from backstay_agent.drivers.mount.places import HostFiles, in_fstab, unfit, units_for
from backstay_agent.drivers.mount.readiness import has_type
from backstay_agent.drivers.mount.sources import Source, is_ext, other_user, path_of
from backstay_agent.drivers.mount.table import below, follow, over, parse
from backstay_testing.disks import a_disk, sh

TABLE = r"""
21 1 254:0 / / rw,relatime - ext4 /dev/vda rw
22 21 0:5 / /dev rw,nosuid - devtmpfs dev rw,size=1k
30 21 8:16 / /srv/db rw,noatime shared:7 master:1 - ext4 /dev/sdb rw,errors=remount-ro
31 30 8:32 / /srv/db/wal rw - xfs /dev/sdc rw
32 21 8:48 / /mnt/a\040b\011c\134d rw - ext4 /dev/sdd ro
33 21 254:0 /srv/shared /export/web rw - ext4 /dev/vda rw
34 21 0:40 / /media/nas rw - nfs4 nas.example:/pg rw,vers=4.2
40 21 0:50 / /data rw - tmpfs tmpfs rw
41 40 8:64 / /data/x rw - ext4 /dev/sde rw
42 21 8:80 / /opt/y rw - ext4 /dev/sdf rw
43 42 0:51 / /opt/y rw - tmpfs over-it rw
44 21 8:96 / /var/lib/z/deep rw - ext4 /dev/sdg rw
45 21 0:52 / /var/lib/z rw - tmpfs hides-it rw
46 21 0:53 / /mnt/none rw - tmpfs  rw
half a line
"""


@pytest.mark.parametrize(
    ("path", "id_"),
    [
        pytest.param("/srv/db", 30, id="a disk"),
        pytest.param("/srv/db/base/1", 30, id="a file on it"),
        pytest.param("/srv/db/wal", 31, id="one in the other"),
        pytest.param("/srv/dbx", 21, id="a name that only begins alike"),
        pytest.param("/mnt/a b\tc\\d", 32, id="blanks and backslashes are codes"),
        pytest.param("/data/x/y", 41, id="on what is mounted itself"),
        pytest.param("/opt/y", 43, id="the topmost of two"),
        pytest.param("/var/lib/z/deep", 45, id="hidden by what is mounted above it later"),
        pytest.param("/mnt/none/x", 46, id="a source without a name"),
        pytest.param("/", 21, id="the root"),
    ],
)
def test_who_opens_a_path_is_led_to(path: str, id_: int) -> None:
    found = over(parse(TABLE), path)
    assert found is not None and found.id == id_


def test_without_a_root_the_last_at_the_very_path_counts() -> None:
    """As in a chroot, whose root is no mount."""
    table = parse("\n".join(TABLE.splitlines()[2:]))
    (by_id,) = [one for one in table if one.id == 43]
    assert over(table, "/opt/y") == by_id and over(table, "/nowhere") is None


def test_what_is_mounted_below_is_named() -> None:
    assert [one.point for one in below(parse(TABLE), "/srv/db")] == ["/srv/db/wal"]
    assert below(parse(TABLE), "/srv/d") == []


@pytest.mark.parametrize(
    ("line", "read_only"),
    [
        ("rw - ext4 /dev/sdb rw,errors=remount-ro", False),
        ("ro - ext4 /dev/sdb rw", True),
        ("rw - ext4 /dev/sdb ro,errors=remount-ro", True),
        ("rw - ext4 /dev/sdb rw,emergency_ro", True),
        ("rw - xfs /dev/sdb rw,shutdown", True),
    ],
)
def test_read_only_is_said_in_two_places(line: str, read_only: bool) -> None:
    (found,) = parse(f"30 21 8:16 / /srv/db {line}")
    assert found.is_read_only is read_only


@pytest.mark.parametrize(
    ("source", "ids"),
    [
        pytest.param(Source("/dev/disk/by-id/x", "8:16"), [30], id="a disk, by its number"),
        pytest.param(Source("/srv/shared", "254:0", "/srv/shared"), [33], id="a bind, by file system and folder"),
        pytest.param(Source("NAS.example:/pg"), [34], id="an export, however its server is spelled"),
        pytest.param(Source("nas.example:/other"), [], id="another export"),
        pytest.param(Source("/dev/vda", "254:0"), [21, 33], id="the disk is where a folder of it is bound, too"),
    ],
)
def test_what_is_mounted_is_known_by_what_the_kernel_says_of_it(source: Source, ids: list[int]) -> None:
    assert [one.id for one in parse(TABLE) if source.is_in(one)] == ids


@pytest.mark.parametrize(
    ("device", "path"),
    [
        ("/dev/disk/by-id/wwn-0x5", "/dev/disk/by-id/wwn-0x5"),
        ("UUID=AB12-cd", "/dev/disk/by-uuid/AB12-cd"),
        ("LABEL=my data", r"/dev/disk/by-label/my\x20data"),
        ("PARTUUID=0b-1", "/dev/disk/by-partuuid/0b-1"),
        ("PARTLABEL=grün", "/dev/disk/by-partlabel/grün"),
    ],
)
def test_where_udev_keeps_it(device: str, path: str) -> None:
    assert path_of(device) == path


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("/srv/db", ""),
        ("/srv", ""),
        ("/var/lib/postgresql", ""),
        ("/srvx", "is in none of the folders"),
        ("/etc", "mount_roots of agent.json"),
        ("/", "is in none of the folders"),
        ("/srv/../etc", "is in none of the folders"),
        ("/var/lib", "would hide /var/lib/backstay"),
        ("/var/lib/backstay/x", "would hide /var/lib/backstay"),
    ],
)
def test_where_a_host_lets_filesystems_be_mounted(path: str, why: str) -> None:
    said = HostFiles(own=[Path("/var/lib/backstay")]).outside(path)
    assert why in said and bool(said) is bool(why)


def test_a_path_over_a_link_and_one_that_is_no_folder_are_refused(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert unfit(str(tmp_path / "real")) == unfit(str(tmp_path / "later/and/deeper")) == ""
    assert f"leads over a symbolic link to {tmp_path}/real/db" in unfit(str(tmp_path / "link/db"))
    assert "is no folder" in unfit(str(tmp_path / "file"))


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("UUID=ab /srv/db ext4 defaults 0 2", True),
        ("UUID=ab /elsewhere ext4", True),
        ('UUID="AB" /elsewhere ext4 rw', True),
        ("/dev/sdz /srv/db/ ext4 defaults", True),
        (r"/dev/sdz /srv/d\142 ext4 defaults", True),
        ("UUID=ab /srv/db ext4 noauto,user 0 0", False),
        ("UUID=ab /srv/db ext4 noauto,x-systemd.automount", True),
        ("#UUID=ab /srv/db ext4 defaults", False),
        ("  # UUID=ab /srv/db ext4 defaults", False),
        ("UUID=cd /srv/dbx ext4 defaults", False),
        ("UUID=ab", False),
    ],
)
def test_what_fstab_would_mount_at_a_boot(line: str, found: bool) -> None:
    assert bool(in_fstab(f"\n{line}\n", "/srv/db", Source("/dev/disk/by-uuid/ab").is_named)) is found


def test_an_export_that_fstab_mounts_elsewhere_is_no_ones_business() -> None:
    assert not in_fstab("nas:/pg /mnt/pg nfs defaults", "/srv/db", Source("nas:/pg").is_named)


def test_units_are_called_as_systemd_calls_them() -> None:
    """A dot is coded only at the beginning of the whole: `systemd-escape -p /srv/.data`."""
    assert list(units_for("/srv/a-b/.c d")) == [r"srv-a\x2db-.c\x20d.mount", r"srv-a\x2db-.c\x20d.automount"]
    assert next(units_for("/.srv/a.b")) == r"\x2esrv-a.b.mount"


def test_the_kernel_knows_a_type_by_itself_or_by_a_module(tmp_path: Path) -> None:
    (tmp_path / "filesystems").write_text("nodev\ttmpfs\n\text4\n")
    modules = tmp_path / os.uname().release
    modules.mkdir()
    (modules / "modules.alias").write_text("alias fs-xfs xfs\nalias pci:x y\n")
    known = [
        one for one in ("ext4", "tmpfs", "xfs", "xf", "btrfs") if has_type(one, tmp_path / "filesystems", tmp_path)
    ]
    assert known == ["ext4", "tmpfs", "xfs"]


def test_ext4_says_itself_who_has_it_mounted(tmp_path: Path) -> None:
    (tmp_path / "on").mkdir()
    with a_disk(tmp_path / "disk", "-O", "mmp") as device:
        sh("mount", device, tmp_path / "on")
        assert is_ext(device) and other_user(device) == f"{os.uname().nodename} ({device[5:]})"
        sh("umount", device)
        assert other_user(device) == "", "he has let go of it"
    with a_disk(tmp_path / "plain") as device:
        assert is_ext(device) and other_user(device) == ""
    with a_disk(tmp_path / "empty", fs_type="") as device:
        assert not is_ext(device) and other_user(device) == ""


# Who uses it


@pytest.fixture
def user_of(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    (tmp_path / "db").mkdir()
    (tmp_path / "dbx").mkdir()
    code = f"import os; os.chdir({str(tmp_path / 'dbx')!r}); f = open({str(tmp_path / 'db/file')!r}, 'w'); print(flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout and process.stdin
        process.stdout.readline()
        yield process
        process.stdin.close()


def test_who_has_a_file_open_is_named_with_its_command(tmp_path: Path, user_of: subprocess.Popen[bytes]) -> None:
    (found,) = [one for one in holders(str(tmp_path / "db"), "") if one.pid == user_of.pid]
    assert found.words.startswith(f"{user_of.pid} ({sys.executable} -c") and found.how == f"has open {tmp_path}/db/file"
    (stands,) = [one for one in holders(str(tmp_path / "dbx"), "") if one.pid == user_of.pid]
    assert stands.how == f"stands in {tmp_path}/dbx"
    assert not [one for one in holders(str(tmp_path / "d"), "") if one.pid == user_of.pid]


def test_what_is_only_in_memory_is_found_by_the_number_of_the_device(tmp_path: Path) -> None:
    process = tmp_path / "77"
    (process / "fd").mkdir(parents=True)
    (process / "maps").write_text(
        "7f00-7f01 r-xp 00000000 08:10 1234  /srv/db/plug in.so\n7f02-7f03 rw-p 00000000 00:00 0\n"
    )
    (process / "cmdline").write_bytes(b"postgres\0-D\0/x\n")
    (found,) = holders("/srv/db", "8:16", tmp_path)
    assert found.words == "77 (postgres -D /x: has in memory /srv/db/plug in.so)"
    assert holders("/srv/db", "8:17", tmp_path) == []


def test_a_disk_that_another_mount_namespace_still_has_is_found(tmp_path: Path) -> None:
    for pid, namespace, table in (("1", "mnt:[1]", ""), ("5", "mnt:[2]", TABLE), ("6", "mnt:[2]", TABLE)):
        (tmp_path / pid / "ns").mkdir(parents=True)
        (tmp_path / pid / "ns/mnt").symlink_to(namespace)
        (tmp_path / pid / "mountinfo").write_text(table)
        (tmp_path / pid / "cmdline").write_bytes(b"dockerd\0")
    assert [one.words for one in elsewhere("8:16", tmp_path)] == ["5 (dockerd: mounted at /srv/db in its namespace)"]
    assert elsewhere("8:17", tmp_path) == []


def test_a_change_of_the_mount_table_is_told_by_the_kernel(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("mounting needs root")

    async def story() -> None:
        async with asyncio.timeout(20), aclosing(follow(3600.0, Path("/proc/self/mountinfo"))) as told:
            await anext(told)
            sh("mount", "-t", "tmpfs", "tmpfs", tmp_path)
            try:
                await anext(told)
            finally:
                sh("umount", tmp_path)
            await anext(told)

    asyncio.run(story())
