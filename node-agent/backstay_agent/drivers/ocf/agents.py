"""The agents of this host as programs: each operation in a unit of its own, with its deadline, and what an agent says of itself."""

from __future__ import annotations

import itertools
import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from backstay_agent.drivers.tools.bus import BusError
from backstay_agent.drivers.tools.looks import NoAnswer, look
from backstay_agent.drivers.tools.manager import Manager
from backstay_agent.drivers.tools.programs import not_runnable
from backstay_agent.drivers.tools.transient import CLEANLY_DOWN, Ended, Setting, run_once, words

from . import helpers, metadata
from .environment import SCRATCH, environment, name_of, program
from .metadata import Metadata, Unreadable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from backstay_api.objects.plain import Ocf

FOLDER: Final = Path("/run/backstay/ocf")
METADATA_S: Final = 10.0
# Agents are written for a plain root: they change users, and some of what they start has to.
AS_IT_IS: Final[Sequence[Setting]] = [("NoNewPrivileges", ("b", False))]
_PASSING: Final[Sequence[Setting]] = [
    *AS_IT_IS,
    ("SuccessExitStatus", ("(aiai)", ([CLEANLY_DOWN, 8, 190, 191], []))),
    # A flood is cut off; the sentence that is wanted of it is short.
    ("LogRateLimitIntervalUSec", ("t", 10_000_000)),
    ("LogRateLimitBurst", ("u", 500)),
]
_numbers = itertools.count(1)


class Agents:
    """Runs agents, and remembers their metadata."""

    def __init__(self, manager: Manager) -> None:
        self._manager = manager
        self._metadata: dict[str, tuple[object, Metadata]] = {}

    async def operate(
        self, ocf: Ocf, operation: str, limit_s: float, *, interval_s: float = 0.0, depth: int = 0
    ) -> Ended:
        """Run one operation to its end; whatever it has started is gone after that. Raises BusError, OSError."""
        told = told_to(ocf, operation, limit_s, interval_s=interval_s, depth=depth)
        return await self._run(ocf, operation, limit_s, [("Environment", ("as", told))])

    async def known(self, ocf: Ocf) -> Metadata:
        """Its metadata; nothing is known where it cannot be read."""
        try:
            found = await self.read(ocf)
        except (BusError, OSError, NoAnswer):
            return Metadata()
        return found if isinstance(found, Metadata) else Metadata()

    async def read(self, ocf: Ocf) -> Metadata | Unreadable:
        """Its metadata, read anew when the program has changed. Raises BusError, OSError, NoAnswer."""
        path = program(ocf)
        version = await look(f"{path} (version)", partial(_version, path))
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
            ("Environment", ("as", told_to(ocf, "meta-data", METADATA_S))),
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


def told_to(ocf: Ocf, operation: str, limit_s: float, *, interval_s: float = 0.0, depth: int = 0) -> list[str]:
    """The environment of an operation; what it names is there. Raises OSError."""
    helpers.install()
    Path(SCRATCH).mkdir(mode=0o755, exist_ok=True)
    host = os.uname().nodename
    return words(environment(ocf, operation, host=host, timeout_s=limit_s, interval_s=interval_s, depth=depth))


async def missing(ocf: Ocf) -> str | None:
    """Why this host has no such agent, or not what the agent is written in. Raises NoAnswer."""
    path = program(ocf)
    return await look(path, partial(not_runnable, path))


def _version(path: str) -> object:
    found = os.stat(path)
    return found.st_mtime_ns, found.st_size, found.st_ino
