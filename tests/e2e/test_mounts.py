"""A disk of the outer machine (a loop device, ext4) that all hosts reach, mounted by a service on one of them: written, moved, out of power,
held by others, and never mounted where it is not to be."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from backstay_dev.lab.disks import give
from backstay_dev.lab.hosts import LabHost
from backstay_dev.show.fault_lab import NAMESPACE, FaultLab, Play
from backstay_testing.cases import ALL, applied, free_address, move, report_of, unit_of, until_not_ready, until_ready
from backstay_testing.disks import a_disk, sh

pytestmark = [pytest.mark.api, pytest.mark.hosts]

AT = "/srv/disk"
LINK = "/dev/disk/by-id/shared"


@pytest.fixture
def image(tmp_path: Path) -> Path:
    return tmp_path / "disk.img"


@pytest.fixture
def disk(fault_lab: FaultLab, image: Path) -> Iterator[str]:
    with a_disk(image, mib=32) as device:
        for host in fault_lab.lab.hosts.values():
            give(host, device, LINK)
        yield device


@contextmanager
def playing(
    fault_lab: FaultLab, name: str, *, mount: dict[str, Any] | None = None, stop: str = "30s", wait: bool = True
) -> Iterator[Play]:
    play = Play(name, fault_lab, free_address(fault_lab))
    for host in fault_lab.lab.hosts.values():
        host.install_unit(f"{name}.service", unit_of(name, f"[Service]\nWorkingDirectory={AT}\nExecStart={{tick}}\n"))
    spec = {
        "resources": [
            {"name": "disk", "mount": {"device": LINK, "path": AT, **(mount or {})}, "timeouts": {"stop": stop}},
            {"name": "server", "systemd": {"unit": f"{name}.service"}},
            {"name": "address", "virtualIP": {"address": f"{play.address}/24"}},
        ]
    }
    with applied(fault_lab, name, spec):
        if wait:
            until_ready(play)
        yield play


def mounted(host: LabHost) -> list[str]:
    """What stands in its mount table at the path."""
    return (
        [line for line in host.read_file("/proc/1/mountinfo").splitlines() if line.split()[4] == AT]
        if host.is_on
        else []
    )


def mounted_on(fault_lab: FaultLab) -> list[str]:
    return [host.name for host in fault_lab.lab.hosts.values() for _ in mounted(host)]


def write(play: Play, row: str) -> None:
    play.fault_lab.lab[play.host].run("sh", "-c", f"echo {row} >>{AT}/rows && sync {AT}/rows")


def rows(play: Play) -> list[str]:
    return play.fault_lab.lab[play.host].run("cat", f"{AT}/rows").split()


def test_what_was_written_is_there_after_a_move_an_agents_death_and_a_loss_of_power(
    fault_lab: FaultLab, disk: str
) -> None:
    with playing(fault_lab, "mounts") as play:
        first = play.host
        assert mounted_on(fault_lab) == [first] and "nosuid" in mounted(fault_lab.lab[first])[0]
        write(play, "first")

        lives = len(play.lives)
        fault_lab.kill_agent(first)
        play.let_live(20)
        assert mounted_on(fault_lab) == [first] and len(play.lives) == lives, "adopted, and mounted once"

        second = next(name for name in ALL if name != first)
        move(play, second)
        play.until_running(on=second)
        assert mounted_on(fault_lab) == [second] and rows(play) == ["first"] and play.evidence == "Released"
        write(play, "second")

        fault_lab.lab[second].power_off()
        third = play.until_running(other_than=second)
        assert mounted_on(fault_lab) == [third] and rows(play) == ["first", "second"] and play.evidence == "Device"

        fault_lab.lab[third].run("umount", "--lazy", AT)
        fault_lab.until(
            lambda: mounted_on(fault_lab) == [third] and len(play.lives) > lives + 2, "it to be mounted again"
        )
        play.until_running(on=third)
        fault_lab.lab[second].power_on()
    assert mounted_on(fault_lab) == []


def test_who_keeps_it_busy_is_named_and_it_moves_when_he_has_gone(fault_lab: FaultLab, disk: str) -> None:
    with playing(fault_lab, "busy", stop="2s") as play:
        first = fault_lab.lab[play.host]
        write(play, "one")
        first.run("systemd-run", "--unit=holder", "tail", "-f", f"{AT}/rows")
        second = next(name for name in ALL if name != first.name)
        fault_lab.backstay("move", "busy", "--to", second, "-n", NAMESPACE)
        fault_lab.until(
            lambda: f"has open {AT}/rows" in report_of(play, first.name).get("why", ""),
            "the holder's name",
            also=lambda: report_of(play, first.name),
        )
        said = report_of(play, first.name)["why"]
        assert "tail -f" in said and mounted_on(fault_lab) == [first.name] and play.epoch == 1, said
        first.run("systemctl", "stop", "holder.service")
        play.until_running(on=second)
        assert mounted_on(fault_lab) == [second] and rows(play) == ["one"]


def test_nothing_is_mounted_before_no_host_would_mount_it_by_itself_at_a_boot(fault_lab: FaultLab, disk: str) -> None:
    hosts = fault_lab.lab.hosts
    fstab = "/etc/fstab"
    before = hosts["n3"].read_file(fstab) if hosts["n3"].path(fstab).exists() else ""
    unit = f"[Mount]\nWhat={LINK}\nWhere={AT}\n[Install]\nWantedBy=multi-user.target\n"
    try:
        hosts["n3"].write_file(fstab, f"{before}{LINK} /mnt/elsewhere ext4 defaults,nofail 0 0\n")
        hosts["n2"].install_unit("srv-disk.mount", unit)
        hosts["n2"].run("systemctl", "enable", "srv-disk.mount")
        with playing(fault_lab, "fstab", wait=False) as play:
            until_not_ready(play, ["n3"], "/etc/fstab mounts it at the next boot", "/mnt/elsewhere", "noauto")
            until_not_ready(
                play, ["n2"], "srv-disk.mount mounts it at the next boot", "systemctl disable srv-disk.mount"
            )
            play.until_says("Ready", "False", "n3")
            assert mounted_on(fault_lab) == []
            hosts["n2"].run("systemctl", "disable", "srv-disk.mount")
            hosts["n3"].write_file(fstab, before)
            assert until_ready(play) in mounted_on(fault_lab)
    finally:
        hosts["n3"].write_file(fstab, before)
        hosts["n2"].run("sh", "-c", "rm -f /etc/systemd/system/srv-disk.mount; systemctl daemon-reload")


def test_what_another_machine_has_mounted_is_refused_by_ext4_itself_and_a_start_given_up_leaves_nothing(
    fault_lab: FaultLab, image: Path, tmp_path: Path
) -> None:
    """The other machine is the outer one, by a second loop device on the same file."""
    with a_disk(image, "-O", "mmp", mib=32) as device:
        (tmp_path / "on").mkdir()
        sh("mount", device, tmp_path / "on")
        second = sh("losetup", "-f", "--show", image)
        try:
            for host in fault_lab.lab.hosts.values():
                give(host, second, LINK)
            with playing(fault_lab, "mmp", wait=False) as play:
                fault_lab.until(
                    lambda: any("ext4 MMP" in str(report_of(play, name).get("why", "")) for name in ALL),
                    "ext4 to say who has it",
                    also=lambda: [report_of(play, name) for name in ALL],
                    timeout_s=90,
                )
                assert mounted_on(fault_lab) == []
            for host in fault_lab.lab.hosts.values():
                assert "backstay-mount-" not in host.run(
                    "systemctl", "list-units", "--all", "--plain", "backstay-mount-*"
                )
        finally:
            sh("losetup", "-d", second)
