"""The agents of this host as programs, each operation with its deadline and never two of one resource at once; what an agent says of itself.

What acts (a stop) runs in a unit of its own, which has its deadline also if we die. What only asks (a monitor) runs in a group below
our own: it ends with us, and a unit that is made and forgotten for each would cost more than most agents take.
"""

from __future__ import annotations

import asyncio
import itertools
import os
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final
from weakref import WeakValueDictionary

from backstay_agent.drivers.tools.bus import BusError
from backstay_agent.drivers.tools.contained_programs import Questions
from backstay_agent.drivers.tools.file_system_looks import NoAnswer, look
from backstay_agent.drivers.tools.manager import Manager
from backstay_agent.drivers.tools.programs import not_runnable
from backstay_agent.drivers.tools.transient import CLEANLY_DOWN, Ended, Setting, environment_list, run_once
from backstay_api.process.waiting import clock_s

from . import helpers, metadata
from .environment import SCRATCH, environment, instance, metas, name_of, program
from .metadata import Metadata, Unreadable
from .roles import clone_metas, copies_of, copy_metas

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from backstay_agent.drivers.tools.contained_programs import Answer
    from backstay_api.objects.plain import Ocf

Version = tuple[int, int, int] | None
FOLDER: Final = Path("/run/backstay/ocf")
METADATA_S: Final = 10.0
# Agents are written for a plain root: they change users, and some of what they start has to.
AS_IT_IS: Final[Sequence[Setting]] = [("NoNewPrivileges", ("b", False))]
_PASSING: Final[Sequence[Setting]] = [
    *AS_IT_IS,
    # A flood is cut off; the sentence that is wanted of it is short.
    ("LogRateLimitIntervalUSec", ("t", 10_000_000)),
    ("LogRateLimitBurst", ("u", 500)),
]
_ASKS: Final = frozenset(("monitor", "validate-all", "notify"))
_numbers = itertools.count(1)


class Agents:
    """Runs agents, and remembers their metadata."""

    def __init__(self, manager: Manager) -> None:
        self._manager = manager
        self._metadata: dict[str, tuple[Version, Metadata]] = {}
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._questions = Questions()
        self._notifies: dict[str, asyncio.Task[Ended]] = {}
        """Under way, or about to be, by what is notified."""

    def turn(self, ocf: Ocf) -> asyncio.Lock:
        """Whoever holds it is the only one who runs an operation of this resource. No agent expects another beside it."""
        return self._turns.setdefault(name_of(ocf), asyncio.Lock())

    async def operate(
        self, ocf: Ocf, operation: str, limit_s: float, *, interval_s: float = 0.0, depth: int = 0
    ) -> Ended:
        """Run one operation to its end; whatever it has started is gone after that. Raises BusError, OSError."""
        told = told_to(ocf, operation, limit_s, interval_s=interval_s, depth=depth)
        async with self.turn(ocf):
            if operation in _ASKS:
                return await self._ask(ocf, operation, limit_s, told)
            return await self._run(ocf, operation, limit_s, [("Environment", ("as", environment_list(told)))])

    async def notify(self, ocf: Ocf, limit_s: float, about: Mapping[str, str]) -> Ended | None:
        """None: it was cut short, for something else is to be done with the resource. Raises BusError, OSError."""
        told = {**told_to(ocf, "notify", limit_s), **metas(about)}
        task = self._notifies[name_of(ocf)] = asyncio.create_task(self._notify(ocf, limit_s, told))
        try:
            await asyncio.wait([task])
            return None if task.cancelled() else task.result()
        finally:
            task.cancel()
            if self._notifies.get(name_of(ocf)) is task:
                del self._notifies[name_of(ocf)]

    async def _notify(self, ocf: Ocf, limit_s: float, told: Mapping[str, str]) -> Ended:
        async with self.turn(ocf):
            return await self._ask(ocf, "notify", limit_s, told)

    def cut_notify(self, ocf: Ocf) -> None:
        """Nothing that acts waits for an agent that is being notified: that may itself wait for another host."""
        if task := self._notifies.get(name_of(ocf)):
            task.cancel()

    async def _ask(self, ocf: Ocf, operation: str, limit_s: float, told: Mapping[str, str]) -> Ended:
        path, begun_s = program(ocf), clock_s()
        answer = await self._questions.ask(name_of(ocf), (path, operation), told=told, limit_s=limit_s)
        if answer is None:
            why = "was not run: the one before hangs in the kernel and cannot be killed"
            return Ended(None, path, why, in_time=False)
        return replace(_ended(path, answer, limit_s), took_s=clock_s() - begun_s)

    async def known(self, ocf: Ocf, version: Version = None) -> Metadata:
        """Its metadata; nothing is known where it cannot be read."""
        try:
            found = await self.read(ocf, version)
        except (BusError, OSError, NoAnswer):
            return Metadata()
        return found if isinstance(found, Metadata) else Metadata()

    async def read(self, ocf: Ocf, version: Version = None) -> Metadata | Unreadable:
        """Its metadata, read anew when the program has changed; `version`: as it was seen just now. Raises BusError, OSError, NoAnswer."""
        path = program(ocf)
        version = version or await look(f"{path} (version)", partial(_version, path))
        if path in self._metadata and self._metadata[path][0] == version:
            return self._metadata[path][1]
        found = await self._print(ocf)
        if isinstance(found, Metadata):
            self._metadata[path] = (version, found)
        return found

    async def _print(self, ocf: Ocf) -> Metadata | Unreadable:
        FOLDER.mkdir(mode=0o755, parents=True, exist_ok=True)
        file = FOLDER / f"metadata-{os.getpid()}-{next(_numbers)}.xml"
        more: list[Setting] = [
            ("Environment", ("as", environment_list(told_to(ocf, "meta-data", METADATA_S)))),
            ("StandardOutputFileToTruncate", ("s", str(file))),
            ("StandardError", ("s", "journal")),
            ("LimitFSIZE", ("t", metadata.MOST_BYTES + 1)),
        ]
        try:
            ended = await self._run(ocf, "meta-data", METADATA_S, more)
            printed = file.read_bytes() if file.exists() else b""
        finally:
            file.unlink(missing_ok=True)
        if ended.exit_code != 0 and len(printed) <= metadata.MOST_BYTES:
            return Unreadable(f"meta-data {ended.what}")
        return metadata.read(printed)

    async def _run(self, ocf: Ocf, operation: str, limit_s: float, more: Sequence[Setting]) -> Ended:
        # Not below the prefix of what stays: what only asks or stops is never a leftover.
        stem = f"backstay-{operation}-{name_of(ocf)}"
        argv = (program(ocf), operation)
        return await run_once(self._manager, stem, argv, limit_s, more=[*_PASSING, *more])


def told_to(ocf: Ocf, operation: str, limit_s: float, *, interval_s: float = 0.0, depth: int = 0) -> dict[str, str]:
    """The environment of an operation; what it names is there. Raises OSError."""
    helpers.install()
    Path(SCRATCH).mkdir(mode=0o755, exist_ok=True)
    host = os.uname().nodename
    roles = {**clone_metas(copies=ocf.copies), **_copies(ocf)} if ocf.copies else None
    return environment(ocf, operation, host=host, timeout_s=limit_s, interval_s=interval_s, depth=depth, roles=roles)


def _copies(ocf: Ocf) -> dict[str, str]:
    """Where the copies are, as far as this host was told. Raises OSError."""
    told = helpers.Shared(instance(ocf)).told
    return copy_metas(instance(ocf), copies_of(told.get("copies", ()), told.get("promoted", "")))


def _ended(path: str, answer: Answer, limit_s: float) -> Ended:
    match answer.code:
        case None:
            exit_code, how = None, f"was killed after {limit_s:g} s"
        case code if code < 0:
            exit_code, how = None, f"ended with signal {-code}"
        case code:
            exit_code, how = code, f"exited with {code}"
    said = "" if exit_code in (0, CLEANLY_DOWN) else answer.words
    return Ended(exit_code, path, how, said, in_time=answer.code is not None)


async def missing(ocf: Ocf) -> str | None:
    """Why this host has no such agent, or not what the agent is written in. Raises NoAnswer."""
    return (await installed(ocf))[0]


async def installed(ocf: Ocf) -> tuple[str | None, Version]:
    """The same, and which version it is, in one look. Raises NoAnswer."""
    path = program(ocf)
    return await look(path, partial(_installed, path))


def _installed(path: str) -> tuple[str | None, Version]:
    why = not_runnable(path)
    return why, None if why else _version(path)


def _version(path: str) -> Version:
    found = os.stat(path)
    return found.st_mtime_ns, found.st_size, found.st_ino
