"""Other people's bug reports about disks: full, and read-only."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from backstay_dev.lab.hosts import LabHost
from backstay_dev.show.fault_lab import FaultLab
from backstay_testing.cases import case, explain, kill_main, until_not_ready, until_standby

pytestmark = [pytest.mark.api, pytest.mark.hosts]


def test_03_a_service_that_needs_room_in_run_leaves_the_host_whose_run_is_full(fault_lab: FaultLab) -> None:
    unit = "[Service]\nExecStartPre=/bin/sh -c 'head -c 65536 /dev/zero >/run/case03.$$$$'\nExecStart={tick}\n"
    with case(fault_lab, "case03", unit=unit, on="n1") as play:
        with full_run(fault_lab.lab["n1"]):
            kill_main(fault_lab.lab["n1"], "case03.service")
            play.until_running(other_than="n1", timeout_s=30)
            assert play.evidence == "Released" and not fault_lab.lab.bmcs["n1"].presses
            until_not_ready(play, ["n1"], "/run")
            until_sane(fault_lab, "n1", "False Disk", "/run")
        until_sane(fault_lab, "n1", "True")
        until_standby(play, "n1")


def until_sane(fault_lab: FaultLab, host: str, *words: str) -> None:
    """What the host's own checks say of it."""

    def told() -> bool:
        return all(word in fault_lab.host_says(host, "Healthy") for word in words)

    fault_lab.until(told, f"Healthy of {host} to say {words}", also=lambda: fault_lab.host_says(host, "Healthy"))


@contextmanager
def full_run(host: LabHost) -> Iterator[None]:
    """Not one more block in /run, as whoever writes there finds out."""
    size = next(word for word in mount_options(host, "/run") if word.startswith("size="))
    host.run("mount", "-o", "remount,size=24m", "/run")
    host.run(
        "sh",
        "-c",
        "dd if=/dev/zero of=/run/fill bs=64k; n=0; while echo x >/run/fill.$n; do n=$((n+1)); done; :",
        check=False,
    )
    assert "No space left" in host.run(
        "sh",
        "-c",
        "head -c 8192 /dev/zero 2>&1 >/run/probe; dd if=/dev/zero of=/run/probe bs=8k count=1 2>&1; rm -f /run/probe",
        check=False,
    )
    try:
        yield
    finally:
        host.run("sh", "-c", "rm -f /run/fill /run/fill.*")
        host.run("mount", "-o", f"remount,{size}", "/run")


def mount_options(host: LabHost, place: str) -> list[str]:
    line = next(line for line in host.run("cat", "/proc/mounts").splitlines() if line.split()[1] == place)
    return line.split()[3].split(",")


def test_04_a_service_leaves_the_host_whose_root_has_become_read_only_and_that_host_is_not_chosen(
    fault_lab: FaultLab,
) -> None:
    unit = "[Service]\nExecStartPre=/bin/sh -c 'date >/srv/case04.state'\nExecStart={tick}\n"
    with case(fault_lab, "case04", unit=unit, on="n1") as play:
        fault_lab.lab["n1"].run("mount", "-o", "remount,bind,ro", "/")
        try:
            kill_main(fault_lab.lab["n1"], "case04.service")
            play.until_running(other_than="n1")
            assert play.evidence == "Released"
            with case(fault_lab, "case04-new") as new:
                until_not_ready(new, ["n1"], "Read-only file system")
                assert new.host != "n1" and "Read-only file system" in explain(new)
        finally:
            fault_lab.lab["n1"].run("mount", "-o", "remount,bind,rw", "/")
