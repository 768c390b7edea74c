"""What a start and the probes will need, looked for on this very machine."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from backstay_agent.drivers.systemd.conditions import for_certain
from backstay_agent.drivers.systemd.needs import lacking
from backstay_agent.drivers.tools.disk_space import no_room
from backstay_agent.drivers.tools.ports import Listener, listeners, owner
from backstay_agent.drivers.tools.programs import may_come, not_runnable
from backstay_agent.drivers.tools.service_mounts import mounted_by
from backstay_agent.drivers.tools.transient import missing
from backstay_agent.standby.needs import NoNeeds, RealNeeds, without_room
from backstay_api.objects.plain import Exec, Grpc, HttpGet, Mount, Probe, RenderedResource, TcpSocket, Tls
from backstay_testing.agent_world import address, unit

# What a start and the probes will need: on this very machine.


def script(path: Path, first_line: str, mode: int = 0o755) -> str:
    path.write_text(f"{first_line}\nexit 0\n")
    path.chmod(mode)
    return str(path)


def test_programs_that_could_not_be_run(tmp_path: Path) -> None:
    good = script(tmp_path / "good", "#!/bin/sh")
    assert [not_runnable(path) for path in ("/bin/sh", good)] == [None, None]
    assert not_runnable(script(tmp_path / "env", "#!/usr/bin/env -S sh -e")) is None
    assert not_runnable("/nowhere/is-well") == "/nowhere/is-well is not installed"
    assert not_runnable(str(tmp_path)) == f"{tmp_path} is not installed"
    odd = script(tmp_path / "odd", "#!/opt/perl5/bin/perl -w")
    assert not_runnable(odd) == f"{odd} needs /opt/perl5/bin/perl, which is not installed"
    odd = script(tmp_path / "odd", "#!/usr/bin/env ruby3000")
    assert not_runnable(odd) == f"{odd} needs ruby3000, which is not installed"
    odd = script(tmp_path / "plain", "#!/bin/sh", 0o644)
    assert not_runnable(odd) == f"{odd} is not executable"


def test_programs_on_a_disk_that_comes_with_the_service(tmp_path: Path) -> None:
    """Its mount point is empty as long as it is elsewhere: nothing can be said, so nothing is."""
    disk = tmp_path / "disk"
    disk.mkdir()
    (tmp_path / "app").symlink_to(disk / "bin" / "app")
    for program in (f"{disk}/bin/app", f"{tmp_path}/app"):
        assert not_runnable(program) is None
        assert asyncio.run(missing([program])) is None
    (disk / "lost+found").mkdir()
    for program in (f"{disk}/bin/app", f"{tmp_path}/app"):
        assert not_runnable(program) == f"{program} is not installed"
        assert asyncio.run(missing([program])) == f"{program} is not installed"


def test_conditions_on_a_disk_that_comes_with_the_service_are_not_judged_before_it_comes(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    there = [f"ConditionPathExists={disk}/conf", f"ConditionDirectoryNotEmpty={disk}", f"AssertPathIsMountPoint={disk}"]
    missing = f"ConditionPathExists={tmp_path}/missing"
    assert for_certain([*there, missing, "ConditionHost=other"]) == [missing, "ConditionHost=other"]
    assert for_certain([f"ConditionPathExists=!{disk}"]) == [f"ConditionPathExists=!{disk}"]
    either = ["ConditionPathExists=|/etc/backstay-nowhere", f"ConditionPathExists=|{disk}/conf"]
    assert for_certain(either) == [], "one of them is enough"
    (disk / "data").touch()
    assert for_certain(there) == there


def test_variables_on_a_disk_that_comes_with_the_service() -> None:
    with tempfile.TemporaryDirectory(dir="/var/tmp") as disk:
        asked = properties(EnvironmentFiles=[(f"{disk}/env", False)])
        assert asyncio.run(lacking("web.service", asked)) is None
        Path(disk, "data").touch()
        assert "is missing" in (asyncio.run(lacking("web.service", asked)) or "ready")


@pytest.mark.parametrize("path", ["/opt/backstay-nowhere/x", "/usr/local/backstay-nowhere", "/etc/backstay-nowhere/x"])
def test_what_is_missing_where_programs_are_installed_is_missing(path: str) -> None:
    assert not may_come(path)


def needs_of(resource: RenderedResource, *, is_down: bool = True) -> list[str]:
    return asyncio.run(RealNeeds().of(resource, is_down=is_down))


def test_the_program_of_a_probe_is_asked_for_before_it_is_needed() -> None:
    probes = tuple(
        Probe(name=name, exec=Exec(command=(program,)))
        for name, program in (("well", "/usr/local/bin/is-well"), ("good", "/bin/true"), ("odd", "true"))
    )
    assert needs_of(address(probes=probes)) == [
        "probe well could not be asked: /usr/local/bin/is-well is not installed",
        "probe odd could not be asked: a command must begin with an absolute path, not with 'true'",
    ]
    assert asyncio.run(NoNeeds().of(unit(probes=probes), is_down=True)) == []


def test_the_files_of_a_probe_are_asked_for_before_they_are_needed(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("")
    there, folder = str(tmp_path / "ca.pem"), str(tmp_path)
    probes = (
        Probe(
            name="web", http_get=HttpGet(port=1, scheme="HTTPS", tls=Tls(ca_file=there, cert_file="/etc/nowhere.pem"))
        ),
        Probe(name="rpc", grpc=Grpc(port=1, tls=Tls(ca_file=folder))),
    )
    assert needs_of(address(probes=probes)) == [
        "probe web could not be asked: /etc/nowhere.pem does not exist",
        f"probe rpc could not be asked: {folder} is no file that can be read",
    ]


@pytest.mark.parametrize("where", ["0.0.0.0", "127.0.0.1", "::", "::1"])
def test_a_port_that_somebody_else_holds_is_said_with_his_name(where: str) -> None:
    with socket.socket(socket.AF_INET6 if ":" in where else socket.AF_INET) as door:
        door.bind((where, 0))
        door.listen()
        port = door.getsockname()[1]
        host = "::1" if where == "::1" else None
        probe = Probe(name="web", http_get=HttpGet(port=port, host=host))
        (why,) = needs_of(unit(unit="never.service", probes=(probe,)))
        assert why.startswith(f"port {port}, which probe web asks, is held by ") and f"(PID {os.getpid()}" in why
        assert needs_of(unit(unit="never.service", probes=(probe,)), is_down=False) == [], "it may be its own"
        assert needs_of(address(probes=(probe,))) == [], "an address listens nowhere: somebody else must"
        far = replace(probe, http_get=HttpGet(port=port, host="192.0.2.77"))
        assert needs_of(unit(unit="never.service", probes=(far,))) == [], "that is another host"
    assert needs_of(unit(unit="never.service", probes=(Probe(name="web", tcp_socket=TcpSocket(port=port)),))) == []


def test_a_listener_on_one_address_answers_for_no_other() -> None:
    with socket.socket() as door:
        door.bind(("127.0.0.2", 0))
        door.listen()
        (found,) = listeners(door.getsockname()[1])
        assert isinstance(found, Listener) and found.answers("127.0.0.2") and not found.answers("127.0.0.1")
        assert f"PID {os.getpid()}" in owner(found.inode)
    assert owner(0) == "a process that cannot be seen"


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    if os.geteuid() != 0:
        pytest.skip("mounting needs root")
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m,nr_inodes=200", "tmpfs", tmp_path], check=True)
    try:
        yield tmp_path
    finally:
        subprocess.run(["umount", tmp_path], check=True)


def test_a_file_system_that_is_full_or_read_only_is_no_place_to_start(disk: Path) -> None:
    folder = disk / "backstay"
    assert asyncio.run(without_room([folder])) == []
    (disk / "fill").write_bytes(bytes(3 * 1024 * 1024 + 512 * 1024))
    assert (no_room(folder) or "").endswith("KiB free, of 1024 that are needed: make room there")
    (disk / "fill").unlink()
    for number in range(170):
        (disk / f"file-{number}").touch()
    assert "files more" in (no_room(folder) or "")
    for number in range(170):
        (disk / f"file-{number}").unlink()
    assert no_room(folder) is None
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
    assert asyncio.run(without_room([folder])) == [f"{folder} cannot be written: its file system is read-only"]


def properties(**changed: Any) -> dict[str, Any]:
    start = [("/bin/sh", ["/bin/sh"], False, 0, 0, 0, 0, 0, 0, 0)]
    return {"ExecStart": start, "User": "root", "Group": "", "EnvironmentFiles": [], **changed}


def command_line(program: str, *, may_fail: bool = False) -> tuple[Any, ...]:
    return (program, [program], may_fail, 0, 0, 0, 0, 0, 0, 0)


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({}, None),
        ({"ExecStartPre": [command_line("/usr/bin/none-such")]}, "web.service cannot be started: /usr/bin/none-such is not installed"),
        ({"ExecStartPre": [command_line("/usr/bin/none-such", may_fail=True)]}, None),
        ({"ExecStart": [command_line("/opt/none-such/server")]}, "web.service cannot be started: /opt/none-such/server is not installed"),
        ({"WorkingDirectory": "/opt/none-such"}, "web.service cannot be started: its WorkingDirectory /opt/none-such is missing"),
        ({"WorkingDirectory": "!/opt/none-such"}, None),
        ({"WorkingDirectory": "/run/none-such"}, None),
        ({"WorkingDirectory": "/var/lib/none-such/a", "StateDirectory": ["none-such"]}, None),
        ({"ReadWritePaths": ["-/opt/no", "+/opt/none-such"]}, "web.service cannot be started: its ReadWritePaths /opt/none-such is missing"),
        ({"BindPaths": [("/p", "/x", True, 0), ("/o", "/x", False, 0)]}, "web.service cannot be started: its BindPaths /o is missing"),
        ({"ReadWritePaths": ["/opt/no"], "ExecStartPre": [command_line("/bin/mkdir")]}, None),
        ({"User": "none-such"}, "web.service cannot be started: this host has no user none-such"),
        ({"User": "none-such", "DynamicUser": True}, None),
        ({"User": "4711"}, None),
        ({"Group": "none-such"}, "web.service cannot be started: this host has no group none-such"),
        ({"EnvironmentFiles": [("/etc/none", False)]}, "web.service cannot be started: its EnvironmentFile /etc/none is missing"),
        ({"EnvironmentFiles": [("/etc/default/none-such", True), ("/run/x", False), ("/etc/x/*.env", False)]}, None),
        ({"User": "none-such", "RootImage": "/srv/image"}, None),
    ],
)  # fmt: skip
def test_what_a_unit_will_need(changed: dict[str, Any], why: str | None) -> None:
    assert asyncio.run(lacking("web.service", properties(**changed))) == why


def test_what_a_unit_needs_of_a_disk_that_comes_with_it_waits_for_that() -> None:
    with tempfile.TemporaryDirectory(dir="/var/tmp") as disk:  # what lies in /tmp is never judged
        wanted = properties(ExecStart=[command_line(f"{disk}/bin/server")], WorkingDirectory=f"{disk}/data")
        assert asyncio.run(lacking("web.service", wanted)) is None
        Path(disk, "lost+found").mkdir()
        why = f"web.service cannot be started: {disk}/bin/server is not installed"
        assert asyncio.run(lacking("web.service", wanted)) == why


def test_what_lies_on_a_mount_of_the_service_itself_is_not_missed_on_a_standby() -> None:
    """The mount point is made at the start, so it need not be there."""
    mount = RenderedResource(name="disk", mount=Mount(path="/opt/shop", device="/dev/vg/shop"))
    probe = Probe(name="well", exec=Exec(command=("/opt/shop/bin/is-well",)))
    wanted = properties(ExecStart=[command_line("/opt/shop/bin/server")], WorkingDirectory="/opt/shop/data")

    async def missed(*resources: RenderedResource) -> list[object]:
        with mounted_by(resources):
            at_start = await lacking("web.service", wanted), await missing(["/opt/shop/bin/server"])
            return [one for one in (*at_start, *await RealNeeds().of(address(probes=(probe,)), is_down=True)) if one]

    assert len(asyncio.run(missed())) == 3
    assert asyncio.run(missed(mount)) == []
    assert asyncio.run(missed(unit(unit="opt-shop.mount"))) == []
    assert len(asyncio.run(missed(unit(unit="opt-shop\\x2d2.mount")))) == 3
    assert (
        for_certain(["ConditionPathExists=|/opt/shop/a", "ConditionHost=|x"], ["ConditionPathExists=|/opt/shop/a"])
        == []
    )


def test_this_python_is_a_program() -> None:
    assert not_runnable(sys.executable) is None
