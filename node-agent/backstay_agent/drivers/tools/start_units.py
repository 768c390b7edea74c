"""What a start program has left in a unit of its own, which stays for as long as what was started does: who it was, what lives there.

The unit remembers by its state that the program succeeded, and in its environment the resource as it was started.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from backstay_agent.drivers.base import Seen, StartFailed, State, StopFailed
from backstay_api.objects.edits import same_work
from backstay_api.objects.plain import RenderedResource

from . import escaped_processes
from .bus import BusError
from .file_system_looks import NoAnswer
from .manager import Manager
from .sentences import why_down
from .units import MARK_VARIABLE
from .verified_stop import DOWN, group_names, left_in
from .watch import Properties

MEMORY: Final = "BACKSTAY_RESOURCE"
"""In the start unit's environment: the resource as it was started, for an agent that lost its memory."""


def memory(resource: RenderedResource, unit: str) -> list[str]:
    """What belongs into the environment of a unit that keeps a resource."""
    return [f"{MEMORY}={json.dumps(resource.to_wire(), separators=(',', ':'))}", f"{MARK_VARIABLE}={unit}"]


async def remembered(manager: Manager, prefix: str) -> dict[str, RenderedResource]:
    """By unit, the resource of every start here that is not verifiably stopped. Raises BusError."""
    found: dict[str, RenderedResource] = {}
    for unit in await manager.loaded(f"{prefix}*.service"):
        properties = await manager.properties(unit)
        if not is_gone(unit, properties) and (resource := _remembered(properties)):
            found[unit] = resource
    return found


def starts(resource: RenderedResource, properties: Properties) -> bool:
    """Whether a unit that is there still would start this, and not what somebody has edited since, be it only to be reloaded."""
    known = _remembered(properties)
    return known is not None and same_work([known], [resource]) and known.ocf == resource.ocf


def _remembered(properties: Properties) -> RenderedResource | None:
    for word in properties.get("Environment", []):
        if word.startswith(f"{MEMORY}="):
            return RenderedResource.from_wire(json.loads(word.partition("=")[2]))
    return None


def is_gone(unit: str, properties: Properties) -> bool:
    """Whether the unit is down and nothing that was started in it lives there."""
    return properties["ActiveState"] in DOWN and not left_in(unit, properties)


def seen_unit(unit: str, properties: Mapping[str, Any], what: str) -> Seen:
    """As the unit of the start tells; `what` started it, in words."""
    match properties.get("ActiveState"):
        case "active":
            return Seen(State.RUNNING)
        case "activating":
            return Seen(State.STARTING, f"{what} is under way")
        case "deactivating":
            return Seen(State.STOPPING)
    left = left_in(unit, dict(properties))
    if left:
        why = f"{what} is over, but these of its processes still run: {', '.join(left)}"
        return Seen(State.UNKNOWN, why, left=True)
    if properties.get("ActiveState") == "failed":
        return Seen(State.FAILED, why_down(what, properties))
    return Seen(State.STOPPED)


async def end_escaped(manager: Manager, unit: str, timeout_s: float) -> None:
    """End what the start has left outside of its unit's control group. Raises StopFailed, BusError."""
    groups = group_names(unit, await manager.properties(unit))
    if left := await escaped_processes.end([], [unit], groups, min(timeout_s, escaped_processes.TERM_S)):
        raise StopFailed(
            f"what its start left elsewhere could not be stopped: {', '.join(one.words for one in left[:5])}"
        )


@contextmanager
def as_start_failed(unit: str) -> Iterator[None]:
    """What systemd or the host does not answer, or will not stop, is a start that failed."""
    try:
        yield
    except (BusError, OSError, NoAnswer, StopFailed) as error:
        raise StartFailed(f"{unit}: {error}") from error
