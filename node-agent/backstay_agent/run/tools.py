"""What all runners of an agent share."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from backstay_agent.core.machine import Outcome
from backstay_agent.drivers.base import StartFailed, StopFailed
from backstay_agent.host_system import HostSystem
from backstay_agent.store.disk import DiskTrouble
from backstay_agent.store.journal import Journal
from backstay_api.objects.recovery import ErrorType

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


def outcome_of(effect: asyncio.Task[None], *, only_addresses: bool) -> Outcome:
    """How an effect has ended; `only_addresses`: nothing else was to be started."""
    match failure_of(effect):
        case None:
            return Outcome.SUCCEEDED
        case MayNot():
            return Outcome.REFUSED
        case StartFailed(error_type="Hard" | "Fatal"):
            return Outcome.HOPELESS
        case StartFailed():
            return Outcome.MISSED if only_addresses else Outcome.FAILED
        case _:
            return Outcome.BLOCKED


def error_type_of(effect: asyncio.Task[None] | None) -> ErrorType:
    """Of an effect that has failed: whether another try could help."""
    error = failure_of(effect) if effect else None
    return error.error_type if isinstance(error, StartFailed) else "Soft"


def failure_of(effect: asyncio.Task[None]) -> Exception | None:
    """Why an effect failed, if it did. What no driver and no disk may raise is a broken program, and ends the process."""
    error = effect.exception()
    if error is None:
        return None
    if not isinstance(error, StartFailed | StopFailed | DiskTrouble | MayNot):
        raise error
    return error
