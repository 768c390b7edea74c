"""The fence agents of Debian, unchanged, as processes: options on stdin only, our own deadline, the whole group killed."""

from __future__ import annotations

import asyncio
import http.client
import os
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, Protocol

from backstay_api.durations import seconds
from backstay_api.models.host import FenceDevice

from . import identity

Action = Literal["status", "off", "on"]

DIRECTORIES: Final = (Path("/usr/sbin"), Path("/usr/local/sbin"))
"""Agents are found by name in here and nowhere else: a Host object must not be able to name another program."""
OUTPUT_LIMIT: Final = 64 * 1024


@dataclass(frozen=True)
class AgentRun:
    """How one run of an agent ended."""

    exit_code: int | None
    """None: our own deadline ended it."""
    output: str
    """stdout and stderr, capped, without the secret's values."""


class FenceAgents(Protocol):
    """Whatever can run a fence agent: real processes, or `fake.FakeAgents`."""

    async def run(self, device: FenceDevice, action: Action, secret: Mapping[str, str]) -> AgentRun:
        """Run the agent once. Never raises for what the agent does."""

    async def machine_uuid(self, device: FenceDevice, secret: Mapping[str, str]) -> str | None:
        """What the device says is the UUID of the machine it powers; None where it cannot tell or did not answer."""


class RealAgents:
    """Runs the agents that are installed on this machine."""

    async def run(self, device: FenceDevice, action: Action, secret: Mapping[str, str]) -> AgentRun:
        program = find(device.agent)
        if program is None:
            return AgentRun(127, f"{device.agent} is not installed where the fencer runs (Debian: fence-agents)")
        options = {**(device.parameters or {}), **secret, "action": action}
        if bad := [key for key, value in options.items() if "\n" in value or "\n" in key or "\0" in value]:
            return AgentRun(126, f"the value of {', '.join(bad)} has a line break in it: refused")
        stdin = "".join(f"{key}={value}\n" for key, value in options.items())
        run = await run_process([str(program)], stdin, timeout_s=seconds(device.timeout))
        return AgentRun(run.exit_code, redact(run.output, secret))

    async def machine_uuid(self, device: FenceDevice, secret: Mapping[str, str]) -> str | None:
        ask = identity.ASK.get(device.agent)
        if ask is None:
            return None
        try:
            async with asyncio.timeout(seconds(device.timeout)):
                return await ask(device.parameters or {}, secret, run_process)
        except (TimeoutError, OSError, ValueError, LookupError, http.client.HTTPException):
            # A parameter that is missing or odd, or a device that talks nonsense: it did not name its machine.
            return None


def find(agent: str) -> Path | None:
    """The installed program of this name."""
    return next((path for folder in DIRECTORIES if (path := folder / agent).is_file()), None)


def redact(output: str, secret: Mapping[str, str]) -> str:
    """Nobody reads a password in a status, whatever the agent prints."""
    for value in secret.values():
        if len(value) >= 3:
            output = output.replace(value, "***")
    return output


async def run_process(
    argv: list[str], stdin: str, *, timeout_s: float, environment: Mapping[str, str] | None = None
) -> AgentRun:
    """Run a program in a process group of its own, to its end or to our deadline, whichever is first."""
    process = await asyncio.create_subprocess_exec(
        *argv,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,
        env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8", **(environment or {})},
    )
    try:
        async with asyncio.timeout(timeout_s):
            output, _ = await process.communicate(stdin.encode())
    except TimeoutError:
        return AgentRun(None, f"ended by our deadline of {timeout_s:g} s")
    finally:
        _kill_group(process.pid)
        # Reaped in every case: a zombie for each failed read would end in a full process table.
        await asyncio.shield(process.wait())
    return AgentRun(process.returncode, output[:OUTPUT_LIMIT].decode(errors="replace"))


def _kill_group(pid: int) -> None:
    try:
        os.killpg(pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return
