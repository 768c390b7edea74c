"""The fence agents of Debian, unchanged, as processes: options on stdin only, our own deadline, the whole group killed."""

from __future__ import annotations

import asyncio
import http.client
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, contextmanager
from pathlib import Path
from typing import Final, Literal, Protocol

from backstay_api.objects.durations import seconds
from backstay_api.objects.models.host import FenceDevice

from . import identity, parameters
from .parameters import Metadata
from .processes import AgentRun, Waiting, finish, run_process

Action = Literal["status", "off", "on"]

DIRECTORIES: Final = (Path("/usr/sbin"), Path("/usr/local/sbin"))
"""Agents are found by name in here and nowhere else: a Host object must not be able to name another program."""
METADATA_TIMEOUT_S: Final = 20.0
REFUSED: Final = 126
"""Exit code of what was not run at all; the output is our own sentence."""


class FenceAgents(Protocol):
    """Whatever can run a fence agent: real processes, or `fake.FakeAgents`."""

    async def run(self, device: FenceDevice, action: Action, secret: Mapping[str, str]) -> AgentRun:
        """Run the agent once. Never raises for what the agent does."""

    def expecting(self, devices: Iterable[FenceDevice]) -> AbstractAsyncContextManager[None]:
        """Within this, these devices will be asked soon, and every tenth of a second counts."""

    async def machine_uuid(self, device: FenceDevice, secret: Mapping[str, str]) -> str | None:
        """What the device says is the UUID of the machine it powers; None where it cannot tell or did not answer."""


class RealAgents:
    """Runs the agents that are installed on this machine."""

    def __init__(self) -> None:
        self._waiting = Waiting()
        self._metadata: dict[tuple[str, int], Metadata] = {}
        """By program and when it was installed."""

    def expecting(self, devices: Iterable[FenceDevice]) -> AbstractAsyncContextManager[None]:
        programs = (find(device.agent) for device in devices)
        return self._waiting.expecting(frozenset(str(program) for program in programs if program is not None))

    async def run(self, device: FenceDevice, action: Action, secret: Mapping[str, str]) -> AgentRun:
        program = find(device.agent)
        if program is None:
            return AgentRun(127, f"{device.agent} is not installed where the fencer runs (Debian: fence-agents)")
        try:
            return await self._run(device, program, action, secret)
        except OSError as error:  # no right to run it, or no process, no descriptor, no memory left here
            return AgentRun(REFUSED, f"{device.agent} could not be started where the fencer runs: {error}")

    async def _run(self, device: FenceDevice, program: Path, action: Action, secret: Mapping[str, str]) -> AgentRun:
        """Raises OSError."""
        metadata = await self._metadata_of(device.agent, program)
        if refused := metadata if isinstance(metadata, str) else parameters.refusal(device, secret, metadata):
            return AgentRun(REFUSED, refused)
        with in_memory(secret) as password_file:
            told = {**parameters.options(device, secret, password_file=password_file), "action": action}
            if bad := [key for key, value in told.items() if "\n" in value or "\n" in key or "\0" in value]:
                return AgentRun(REFUSED, f"the value of {', '.join(bad)} has a line break in it: refused")
            stdin = "".join(f"{key}={value}\n" for key, value in told.items())
            run = await finish(await self._waiting.take(str(program)), stdin, timeout_s=seconds(device.timeout))
        return AgentRun(run.exit_code, redact(run.output, secret))

    async def machine_uuid(self, device: FenceDevice, secret: Mapping[str, str]) -> str | None:
        ask = identity.ASK.get(device.agent)
        if ask is None:
            return None
        try:
            async with asyncio.timeout(seconds(device.timeout)):
                with in_memory(secret) as password_file:
                    return await ask(parameters.merged(device, secret), run_process, password_file)
        except (TimeoutError, OSError, ValueError, LookupError, http.client.HTTPException):
            # A parameter that is missing or odd, or a device that talks nonsense: it did not name its machine.
            return None

    async def _metadata_of(self, agent: str, program: Path) -> Metadata | str:
        """Asked once of each installed program: which parameters it takes."""
        version = str(program), os.stat(program).st_mtime_ns
        if version not in self._metadata:
            told = await run_process([str(program)], "action=metadata\n", timeout_s=METADATA_TIMEOUT_S)
            found = parameters.read_metadata(agent, told.output)
            if isinstance(found, str):
                return found
            self._metadata[version] = found
        return self._metadata[version]


@contextmanager
def in_memory(secret: Mapping[str, str]) -> Iterator[str]:
    """The password as a file that has no name on any disk: only processes of our own user can open it, and only while we run."""
    password = secret.get("password") or secret.get("passwd")
    if not password:
        yield ""
        return
    number = os.memfd_create("password")
    try:
        os.write(number, password.encode() + b"\n")
        yield f"/proc/{os.getpid()}/fd/{number}"
    finally:
        os.close(number)


def find(agent: str) -> Path | None:
    """The installed program of this name."""
    return next((path for folder in DIRECTORIES if (path := folder / agent).is_file()), None)


def redact(output: str, secret: Mapping[str, str]) -> str:
    """Nobody reads a password in a status, whatever the agent prints."""
    for value in secret.values():
        if len(value) >= 3:
            output = output.replace(value, "***")
    return output
