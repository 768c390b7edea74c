"""What all runners of an agent share."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

from backstay_agent.core.checkpoint import Record
from backstay_agent.core.machine import Outcome
from backstay_agent.drivers.base import StartFailed, StopFailed
from backstay_agent.host_system import HostSystem
from backstay_agent.policy.asking import NotTold
from backstay_agent.store.disk import DiskTrouble
from backstay_agent.store.journal import Journal
from backstay_api.objects.plain import RenderedResource
from backstay_api.objects.recovery import ErrorType

from .stopping import Stops

ALLOWED_TRIES: Final = 3
ALLOWED_AGAIN_S: Final = 1.0
"""Until it is asked again whether something is allowed that the host could not tell."""


class MayNot(Exception):
    """A start was refused when it was its turn. Nothing was touched."""


async def _nothing(record: Record) -> str:
    return ""


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
    drifted: Callable[[Record], Awaitable[str]] = _nothing
    """What this host does not have (any more) as it was when it was chosen for this epoch, in a sentence; empty: it has all."""
    take_back: Callable[[Record], Awaitable[str]] = _nothing
    """Before what has run here is started anew: takes back what has failed of what was brought here. What is in the way; empty: nothing."""
    is_up: Callable[[str], bool] = bool
    """Whether what has this UID is up, as far as this host's runners know."""
    stops: Callable[[str], Stops | None] = lambda _: None
    """What has come of its stops, as far as they know."""


Say = Callable[[str], None]
"""Is told what is waited for."""


async def must_be_allowed(
    tools: Tools, record: Record, resources: Sequence[RenderedResource], say: Say, *, is_known: bool = False
) -> None:
    """Raises StartFailed where the host's admin does not allow it (any more): no other try here could help. Nothing was touched.

    Whether he does may not be known now. Then it is asked again: a few times where nothing runs, for another host may know; for as long as
    that takes where an edit waits for it, and what runs goes on.
    """
    for tried in itertools.count(1):
        try:
            why = await tools.system.policy.refused(record.namespace, resources, is_known=is_known)
            break
        except NotTold as error:
            if tried >= ALLOWED_TRIES and not record.may_run:
                raise StartFailed(str(error)) from error
            say(f"{error}; it is asked again")
            await asyncio.sleep(ALLOWED_AGAIN_S)
    if why:
        raise StartFailed(why, "Hard")


async def must_be_fit(tools: Tools, record: Record, resources: Sequence[RenderedResource], say: Say) -> None:
    """Raises StartFailed where it is not allowed; and, before anything of this epoch was started here, where what it needs has changed
    since the host was chosen. What has run here goes on as it is: no edit keeps it from being restarted, but it begins with no file
    that has just failed here.
    """
    await must_be_allowed(tools, record, resources, say)
    if record.may_run:
        return
    if why := await (tools.take_back(record) if record.begun_at_s else tools.drifted(record)):
        raise StartFailed(why)


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
