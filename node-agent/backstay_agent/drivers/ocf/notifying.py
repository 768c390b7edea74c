"""An OCF agent with roles is notified: of its own promote and demote before them, and of what happens on other hosts once it has.

Some do in a `pre` what the operation itself needs: `mariadb` is read-only from its `pre-demote` on. What happens elsewhere waits for
nobody here, so both are told of it then, one after the other: what an agent does in its `pre` is late, and done.
"""

from __future__ import annotations

import logging
import math
import os
from typing import Final, Literal

from backstay_agent.drivers.base import Notification
from backstay_agent.drivers.tools.bus import BusError
from backstay_agent.drivers.tools.file_system_looks import NoAnswer
from backstay_api.objects.ocf_names import ocf_agent
from backstay_api.objects.plain import Ocf

from . import helpers, outcomes
from .agents import Agents
from .environment import instance
from .roles import copies_of, notify_metas

log = logging.getLogger(__name__)

WHEN: Final[tuple[Literal["pre"], Literal["post"]]] = ("pre", "post")


async def notify(agents: Agents, ocf: Ocf, of: Notification) -> str:
    """Why the agent could not be told, in a sentence; empty where it was, or was cut short. Raises BusError, OSError, NoAnswer."""
    is_own = os.uname().nodename in of.hosts
    return await _notify(agents, ocf, of, WHEN[1:] if is_own else WHEN)


async def before(agents: Agents, ocf: Ocf, operation: Literal["promote", "demote"], most_s: float) -> None:
    """Of its own copy, for no longer than the operation itself may take. That it failed, or could not be told, holds nothing up, as with
    Pacemaker."""
    try:
        why = await _notify(agents, ocf, _of_its_own(ocf, operation), WHEN[:1], most_s)
    except (BusError, OSError, NoAnswer) as error:
        why = str(error)
    if why:
        log.warning("an agent with roles was notified, and failed", extra={"operation": operation, "why": why})


def _of_its_own(ocf: Ocf, operation: Literal["promote", "demote"]) -> Notification:
    host, told = os.uname().nodename, helpers.Shared(instance(ocf)).told
    promoted = host if operation == "demote" else told.get("promoted", "")
    return Notification(operation, (host,), tuple(sorted({host, *told.get("copies", ())})), promoted)


async def _notify(
    agents: Agents, ocf: Ocf, of: Notification, when: tuple[Literal["pre", "post"], ...], most_s: float = math.inf
) -> str:
    known = await agents.known(ocf)
    if known.action("notify") is None:
        return ""
    copies = copies_of(of.copies, of.promoted, of.operation, of.hosts)
    failed: list[str] = []
    for one in when:
        about = notify_metas(one, of.operation, instance(ocf), copies)
        ended = await agents.notify(ocf, min(known.limit_s("notify"), most_s), about)
        if ended is None:
            break
        if ended.exit_code != 0:
            failed.append(f"{one}-{of.operation}: {outcomes.sentence(ocf_agent(ocf.agent), 'notify', ended)}")
    return "; ".join(failed)
