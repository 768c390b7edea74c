"""Programs in transient units: a control group and a journal of their own, a deadline that holds even if we die, no shell."""

from __future__ import annotations

import asyncio
import itertools
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

from backstay_agent.drivers.base import Check
from backstay_agent.drivers.tools.programs import absent
from backstay_api.process.waiting import clock_s

from .bus import BusError
from .file_system_looks import look
from .journal_tail import last_words, with_words
from .manager import Manager
from .service_mounts import comes_with_it
from .verified_stop import DOWN
from .watch import Properties, Watch

SLICE: Final = "backstay.slice"
CLEANLY_DOWN: Final = 7
"""A check's answer (OCF's too): it is down, and nothing is wrong with that."""
_MICRO: Final = 1_000_000
_FOREVER: Final = (1 << 64) - 1
_NOTICE: Final = 5

_numbers = itertools.count(1)

Setting = tuple[str, tuple[str, Any]]


@dataclass(frozen=True)
class Ended:
    """How a program ended."""

    exit_code: int | None
    """None if it did not exit by itself."""
    program: str
    how: str
    """What happened, as the end of a sentence: `exited with 3`."""
    words: str = ""
    """The last of what it said."""
    took_s: float = 0.0
    in_time: bool = True
    """False: it was killed because its time was over."""

    @property
    def what(self) -> str:
        """What happened, and what it said: `exited with 3; it said: no space left`."""
        return with_words(self.how, self.words)

    @property
    def why(self) -> str:
        return f"{self.program} {self.what}"

    def as_check(self, limit_s: float, every_s: float) -> Check:
        """What is to be known of it where it was asked whether something runs."""
        return Check(self.took_s, limit_s, every_s, self.in_time)


def argv_refusal(argv: Sequence[str]) -> str | None:
    """Why this cannot be run, in a sentence; None if it can."""
    if not argv or not argv[0].startswith("/"):
        return (
            f"a command must begin with an absolute path, not with {argv[0][:80]!r}" if argv else "a command is empty"
        )
    if ".." in argv[0].split("/"):
        return f"{argv[0][:80]!r} must not contain .."
    if any("\0" in word for word in argv):
        return "a command must not contain NUL"
    return None


async def missing(argv: Sequence[str]) -> str | None:
    """Why this host has no such program, in a sentence; None if it has, or it may come. Raises NoAnswer where its file system hangs."""
    return None if comes_with_it(argv[0]) else await look(argv[0], partial(absent, argv[0]))


def settings(argv: Sequence[str], description: str) -> list[Setting]:
    """What all our transient units have in common."""
    # systemd would replace $WORDS in arguments, which are data. (ExecStartEx could say so, but systemd 252 writes it
    # into a file that it cannot read at the next daemon-reload.)
    literal = [word.replace("$", "$$") for word in argv]
    return [
        ("Description", ("s", "".join(char for char in description if char.isprintable())[:200])),
        ("Type", ("s", "oneshot")),
        ("ExecStart", ("a(sasb)", [(argv[0], literal, False)])),
        ("NoNewPrivileges", ("b", True)),
    ]


def lasting(argv: Sequence[str], description: str, environment: Sequence[str], stop_s: float) -> list[Setting]:
    """A unit that stays, once its program has exited well, until it is stopped: it remembers for us that it did."""
    return [
        *settings(argv, description),
        ("Slice", ("s", SLICE)),
        ("RemainAfterExit", ("b", True)),
        ("Environment", ("as", list(environment))),
        ("TimeoutStartUSec", ("t", _FOREVER)),
        ("TimeoutStopUSec", ("t", round(stop_s * _MICRO))),
    ]


def environment_list(environment: Mapping[str, str]) -> list[str]:
    """An environment as systemd takes it."""
    return [f"{name}={value}" for name, value in environment.items()]


def passing(argv: Sequence[str], description: str, timeout_s: float) -> list[Setting]:
    """A unit that is forgotten when its program ends, and killed as a whole when its time is over."""
    return [
        *settings(argv, description),
        # While the machine goes down systemd starts nothing that it would have to stop again: neither what shutdown.target
        # ends, nor what lies in a slice that it ends. But what was started by a command is stopped by one, also then.
        ("DefaultDependencies", ("b", False)),
        ("Slice", ("s", "system.slice")),
        ("CollectMode", ("s", "inactive-or-failed")),
        ("TimeoutStartUSec", ("t", round(timeout_s * _MICRO))),
        ("TimeoutStartFailureMode", ("s", "kill")),
        # The journal need not tell of each run, only what the program says.
        ("SuccessExitStatus", ("(aiai)", ([CLEANLY_DOWN], []))),
        ("SyslogLevel", ("i", _NOTICE)),
        ("LogLevelMax", ("i", _NOTICE)),
    ]


async def run_once(
    manager: Manager,
    name: str,
    argv: Sequence[str],
    timeout_s: float,
    *,
    more: Sequence[Setting] = (),
    wait_s: float | None = None,
) -> Ended:
    """Run a program to its end in a unit of its own; its whole control group is gone after that. Raises BusError, TimeoutError.

    `more`: settings that come after the usual ones, and replace them; `wait_s`: what has not ended then, not even killed, is not
    waited for.
    """
    unit = f"{name}-{os.getpid()}-{next(_numbers)}.service"
    async with manager.programs, manager.watch(unit) as watch:
        begun_s = clock_s()
        try:
            async with asyncio.timeout(wait_s):
                await manager.start_transient(unit, [*passing(argv, f"Backstay: {argv[0]}", timeout_s), *more])
                properties = await _until_ended(manager, watch)
                return replace(await _ended(argv, properties, timeout_s), took_s=clock_s() - begun_s)
        except BaseException:
            manager.kill_soon(unit)
            raise


async def _until_ended(manager: Manager, watch: Watch) -> Properties:
    while True:
        if not watch.lost:
            await manager.refresh(watch)
            if watch.active in DOWN and not watch.has_job:
                if not watch.properties.get("ExecMainCode") and watch.properties.get("Result") == "success":
                    raise BusError("forgotten", f"systemd does not know any more how {watch.unit} has ended")
                return watch.properties
        await watch.changed()


async def _ended(argv: Sequence[str], properties: Properties, timeout_s: float) -> Ended:
    code, status = properties.get("ExecMainCode", 0), properties.get("ExecMainStatus", 0)
    if properties.get("Result") == "timeout":
        how, exit_code = f"was killed after {timeout_s:g} s", None
    elif code == 1:
        how, exit_code = f"exited with {status}", int(status)
    else:
        how, exit_code = f"ended with {properties.get('Result')} (signal {status})", None
    said = "" if exit_code in (0, CLEANLY_DOWN) else await last_words(properties)
    return Ended(exit_code, argv[0], how, said, in_time=properties.get("Result") != "timeout")
