"""What stories about drivers on a real systemd need. Told inside a lab's host, which has the standard library and the agent only."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from backstay_agent.drivers.command import CommandDriver
from backstay_agent.drivers.systemd.driver import SystemdDriver
from backstay_agent.drivers.tools.manager import Manager
from backstay_api.objects.plain import Command, RenderedResource, Systemd, Timeouts

ETC = Path("/etc/systemd/system")
SLEEPER = "[Service]\nExecStart=/bin/sleep 100000\nRestart=always\n[Install]\nWantedBy=multi-user.target\n"
ONCE = "[Service]\nType=oneshot\nRemainAfterExit=yes\n"

Story = Callable[[], Coroutine[Any, Any, None]]
STORIES: dict[str, Story] = {}


def story(tell: Story) -> Story:
    STORIES[tell.__name__] = tell
    return tell


def sh(*argv: str) -> str:
    return subprocess.run(argv, capture_output=True, text=True, check=False).stdout.strip()


def install(name: str, text: str = SLEEPER, *, reload: bool = True) -> RenderedResource:
    (ETC / name).write_text(text)
    if reload:
        sh("systemctl", "daemon-reload")
    return unit(name)


def unit(name: str) -> RenderedResource:
    return RenderedResource(name="server", systemd=Systemd(unit=name))


def program(name: str, text: str) -> str:
    path = Path("/opt/drivers") / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


def command(path: str, *, check: bool = True, **timeouts: str) -> RenderedResource:
    argv = Command(start=(path, "start"), stop=(path, "stop"), check=(path, "check") if check else None)
    return RenderedResource(name="app", command=argv, timeouts=Timeouts(**timeouts))


@asynccontextmanager
async def systemd() -> AsyncIterator[tuple[SystemdDriver, Manager]]:
    manager = Manager()
    try:
        yield SystemdDriver(manager), manager
    finally:
        await manager.close()


@asynccontextmanager
async def commands() -> AsyncIterator[CommandDriver]:
    manager = Manager()
    try:
        yield CommandDriver(manager)
    finally:
        await manager.close()


async def refused(doing: Awaitable[object], error: type[Exception], why: str) -> None:
    try:
        await doing
    except error as refusal:
        assert why in str(refusal), f"it said: {refusal}"
    else:
        raise AssertionError(f"nothing was refused; expected: {why}")


def main_pid(name: str) -> int:
    return int(sh("systemctl", "show", "--value", "--property=MainPID", name))


def lives(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def runs(program: str) -> bool:
    return program in sh("ps", "axo", "args")


def read(path: str) -> str:
    return Path(path).read_text()


def active(name: str) -> str:
    return sh("systemctl", "is-active", name)


async def until(fact: Callable[[], bool]) -> None:
    """Another process makes it true, and tells us nothing."""
    while not fact():
        await asyncio.sleep(0.01)


async def limited(tell: Story) -> None:
    async with asyncio.timeout(100):
        await tell()


def main(stories: dict[str, Story]) -> None:
    """Tell the story that the command line names."""
    asyncio.run(limited(stories[sys.argv[1]]))
    print("told")
