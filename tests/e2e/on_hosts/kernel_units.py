"""Units whose settings Backstay overrides, on a kernel whose control groups have controllers. Told by `test_kernel_machine.py`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any

from drivers_scene import install, limited, main_pid, sh, systemd, until

from backstay_agent.drivers.base import State
from backstay_agent.drivers.tools.pressure import of_group
from backstay_api.objects.plain import RenderedResource, Systemd

SLICE = Path("/sys/fs/cgroup/system.slice")
MIB = 1 << 20
# What a manifest says, and the kernel's file that has it.
FILES = {
    "MemoryMin": ("8M", "memory.min", str(8 * MIB)),
    "MemoryLow": ("16M", "memory.low", str(16 * MIB)),
    "MemoryHigh": ("48M", "memory.high", str(48 * MIB)),
    "MemoryMax": ("64M", "memory.max", str(64 * MIB)),
    "MemorySwapMax": ("0", "memory.swap.max", "0"),
    "CPUWeight": ("500", "cpu.weight", "500"),
    "CPUQuota": ("150%", "cpu.max", "150000 100000"),
    "TasksMax": ("50", "pids.max", "50"),
}


def with_(name: str, overrides: Mapping[str, str] | None = None) -> RenderedResource:
    return RenderedResource(name="server", systemd=Systemd(unit=name, overrides=dict(overrides) if overrides else None))


def play(tell: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(limited(tell))


def held(name: str, *files: str) -> list[str]:
    """As the kernel has it; empty where nothing asks for the controller."""
    paths = [SLICE / name / file for file in files]
    return [path.read_text().strip() if path.exists() else "" for path in paths]


def test_what_a_manifest_overrides_holds_in_the_control_group_and_stays_at_a_daemon_reload() -> None:
    name = "d-over.service"
    install(name)
    server = with_(name, {setting: value for setting, (value, _, _) in FILES.items()})
    files, kernels = [file for _, file, _ in FILES.values()], [kernel for _, _, kernel in FILES.values()]

    async def story() -> None:
        async with systemd() as (driver, _):
            await driver.start(server, timeout_s=20)
            assert held(name, *files) == kernels
            sh("systemctl", "daemon-reload")
            assert held(name, *files) == kernels, "somebody else's daemon-reload takes nothing away"
            await driver.stop(server, timeout_s=20)
            await driver.start(with_(name), timeout_s=20)
            after = zip(kernels, held(name, *files), strict=True)
            assert all(kernel != now for kernel, now in after), "without overrides it is as its own file says"
            await driver.stop(with_(name), timeout_s=20)

    play(story)


def test_an_edit_of_a_live_setting_reaches_what_runs_and_one_that_goes_is_taken_back() -> None:
    name = "d-edit.service"
    install(name, "[Service]\nExecStart=/bin/sleep 100000\nMemoryMax=200M\n")
    before, after = (
        with_(name, {"MemoryMax": "64M", "CPUWeight": "300"}),
        with_(name, {"MemoryMax": "96M", "TasksMax": "40"}),
    )

    async def story() -> None:
        async with systemd() as (driver, _):
            await driver.start(before, timeout_s=20)
            pid = main_pid(name)
            assert held(name, "memory.max", "cpu.weight") == [str(64 * MIB), "300"]
            await driver.apply(after, before, timeout_s=20)
            assert held(name, "memory.max", "cpu.weight", "pids.max") == [str(96 * MIB), "", "40"]
            await driver.apply(with_(name), after, timeout_s=20)
            assert held(name, "memory.max") == [str(200 * MIB)], "its own file says so"
            assert main_pid(name) == pid
            await driver.stop(with_(name), timeout_s=20)

    play(story)


def test_a_limit_below_what_is_in_use_is_told_as_what_it_did() -> None:
    """The kernel ends what does not fit; whoever reads of the death has to learn why."""
    name = "d-fat.service"
    fat = 'import time; x = bytearray(40 << 20); open("/run/d-fat", "w"); time.sleep(100000)'
    install(name, f"[Service]\nExecStart=/usr/bin/python3 -c '{fat}'\n")
    server, less = with_(name, {"MemoryMax": "100M"}), with_(name, {"MemoryMax": "16M"})

    async def story() -> None:
        async with systemd() as (driver, _):
            await driver.start(server, timeout_s=20)
            await until(Path("/run/d-fat").exists)
            await driver.apply(less, server, timeout_s=20)
            await until(lambda: main_pid(name) == 0)
            seen = await driver.check(less)
            assert seen.state is State.FAILED and "memory ran out" in seen.why, seen
            await driver.stop(less, timeout_s=20)

    play(story)


def test_how_much_a_unit_waits_is_read_of_its_own_group() -> None:
    name = "d-busy.service"
    install(name, "[Service]\nCPUQuota=5%\nExecStart=/bin/sh -c 'while :; do :; done'\n")

    async def story() -> None:
        async with systemd() as (driver, _):
            await driver.start(with_(name), timeout_s=20)
            await until(lambda: of_group(SLICE / name).get("cpu", 0.0) > 10)
            assert of_group(SLICE / name)["memory"] < 10
            await driver.stop(with_(name), timeout_s=20)

    play(story)
