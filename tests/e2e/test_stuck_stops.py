"""A process that no signal ends: what its host says, and what its manifest has done about it, on real machines."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from backstay_dev.show.fault_lab import FaultLab, Play
from backstay_testing.cases import case, move, presses, report_of, running_on, until_not_ready

pytestmark = [pytest.mark.api, pytest.mark.hosts]

HANGS = """\
# A file system that answers its mount and nothing else: who looks into it waits in the kernel, and no signal ends that.
import ctypes, os, struct, sys
device, where = os.open("/dev/fuse", os.O_RDWR), sys.argv[1].encode()
libc = ctypes.CDLL(None, use_errno=True)
options = f"fd={device},rootmode=40000,user_id=0,group_id=0".encode()
assert libc.mount(b"hangs", where, b"fuse", 0, options) == 0, os.strerror(ctypes.get_errno())
_, _, unique = struct.unpack_from("<IIQ", os.read(device, 1 << 20))
os.write(device, struct.pack("<IiQ", 80, 0, unique) + struct.pack("<IIIIHHI", 7, 31, 0, 0, 1, 1, 4096) + bytes(40))
while True:
    os.read(device, 1 << 20)
"""
UNIT = "[Service]\nExecStart={tick}\nExecStartPost=/bin/sh -c 'stat /srv/hangs/file >/dev/null 2>&1 &'\n"


@contextmanager
def never_answering(fault_lab: FaultLab, host: str) -> Iterator[None]:
    """A host with a file system in which everybody who looks there hangs in the kernel."""
    machine = fault_lab.lab[host]
    machine.write_file("/usr/local/lib/hangs.py", HANGS)
    machine.run("sh", "-c", "test -e /dev/fuse || mknod /dev/fuse c 10 229; mkdir -p /srv/hangs")
    machine.run("systemd-run", "--unit=never-answers", "/usr/bin/python3", "/usr/local/lib/hangs.py", "/srv/hangs")
    fault_lab.until(lambda: "/srv/hangs" in machine.run("cat", "/proc/mounts"), "the file system that hangs")
    try:
        yield
    finally:
        # With whoever answers for it, what waits for an answer goes.
        machine.run("systemctl", "stop", "never-answers.service", check=False)
        machine.run("umount", "-l", "/srv/hangs", check=False)


@contextmanager
def unkillable(fault_lab: FaultLab, name: str, host: str, **spec: Any) -> Iterator[Play]:
    """A service on a host where one of its processes hangs in the kernel."""
    with (
        never_answering(fault_lab, host),
        case(fault_lab, name, on=host, unit=UNIT, server={"timeouts": {"stop": "1s"}}, **spec) as play,
    ):
        yield play


def test_a_host_is_fenced_for_what_no_signal_ends_and_the_service_runs_elsewhere_once(fault_lab: FaultLab) -> None:
    with unkillable(fault_lab, "stuck", "n1", recovery={"onStopFailure": "Fence"}) as play:
        boot, before = fault_lab.lab["n1"].boot_id, len(presses(fault_lab, "n1"))
        move(play, "n2")
        play.until_running(other_than="n1", timeout_s=120)
        assert play.evidence == "Device" and "off" in presses(fault_lab, "n1")[before:]
        fault_lab.until(lambda: fault_lab.lab["n1"].is_on, "n1 to be powered on again")
        fault_lab.lab["n1"].wait_booted(after=boot)
        assert running_on(fault_lab, "stuck.service") == [play.host]


def test_without_that_it_stays_says_what_is_left_and_goes_on_when_the_process_is_gone(fault_lab: FaultLab) -> None:
    with unkillable(fault_lab, "stays", "n1") as play:
        before = presses(fault_lab, "n1")
        move(play, "n2")
        fault_lab.until(
            lambda: bool(report_of(play, "n1").get("unstoppable")), "n1 to say that it cannot be stopped",
            also=lambda: str(report_of(play, "n1")), timeout_s=60,
        )  # fmt: skip
        play.until_says("Ready", "False", "SIGKILL after 1 s", "(stat) in D state (request_wait_answer)", "by hand")
        assert play.epoch == 1 and presses(fault_lab, "n1") == before
        fault_lab.lab["n1"].run("systemctl", "kill", "--signal=KILL", "never-answers.service")
        play.until_running(other_than="n1")
        assert play.evidence == "Released"


def test_an_agent_ends_and_the_next_one_begins_though_looks_at_a_file_system_hang(fault_lab: FaultLab) -> None:
    asks = [{"name": "asks", "exec": {"command": ["/srv/hangs/asks"]}}]
    programs = {"/srv/hangs/asks": "#!/bin/sh\nexit 0\n"}
    machine, before = fault_lab.lab["n2"], presses(fault_lab, "n2")

    def looking(state: str) -> int:
        lines = machine.run("ps", "-eLo", "stat=,unit=").splitlines()
        return sum(line.startswith(state) and "backstay-looks-" in line for line in lines)

    with (
        case(fault_lab, "looks", on="n1", server={"probes": asks}, programs=programs) as play,
        never_answering(fault_lab, "n2"),
    ):
        until_not_ready(play, ["n2"], "/srv/hangs/asks does not answer within 2 s")
        assert looking("D") >= 1
        machine.run("systemctl", "restart", "backstay-agent.service", timeout_s=10)
        assert machine.run("systemctl", "is-active", "backstay-agent.service").strip() == "active"
        said = machine.run("journalctl", "--unit=backstay-agent.service", "--boot", "--output=cat")
        assert "still around after" not in said and "another agent runs on this host" not in said
        until_not_ready(play, ["n2"], "/srv/hangs/asks does not answer within 2 s")
        assert presses(fault_lab, "n2") == before
        machine.run("systemctl", "kill", "--signal=KILL", "never-answers.service")
        fault_lab.until(lambda: not looking("D"), "what hung to be gone")
