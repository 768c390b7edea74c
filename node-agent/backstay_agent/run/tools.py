"""What all runners of an agent share."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from backstay_agent.drivers.base import StartFailed, StopFailed
from backstay_agent.host_system import HostSystem
from backstay_agent.store.disk import DiskTrouble
from backstay_agent.store.journal import Journal

RETRY_S: Final = 5.0
"""Until what could not be stopped, or recorded, is tried again."""


class MayNot(Exception):
    """A start was refused when it was its turn. Nothing was touched."""


class NotRecorded(StopFailed):
    """It is verifiably stopped, and only the disk is in the way."""

    def __init__(self, error: DiskTrouble) -> None:
        super().__init__(f"stopped verifiably, but that cannot be recorded: {error}")


@dataclass(frozen=True)
class Tools:
    """What all runners of an agent share."""

    journal: Journal
    system: HostSystem
    tell: Callable[[], None]
    """Something that the status shows, or that others wait for, has changed."""
    wall: Callable[[], str]
    """RFC 3339 time, for people's eyes."""
    leaving: Callable[[], str] = str
    """How this machine is going down; empty while it is not."""


def failure_of(effect: asyncio.Task[None]) -> Exception | None:
    """Why an effect failed, if it did. What no driver and no disk may raise is a broken program, and ends the process."""
    error = effect.exception()
    if error is None:
        return None
    if not isinstance(error, StartFailed | StopFailed | DiskTrouble | MayNot):
        raise error
    return error
