"""How long systemd itself gives a unit to start and to stop. Pure."""

from __future__ import annotations

from typing import Final

from backstay_agent.drivers.tools.watch import Properties

from .fitness import FOREVER_US
from .securing import Standing

# A unit with a time limit of its own is given up by systemd first, which says why.
SLACK_S: Final = 1.0
CEILING_S: Final = 3600.0
"""How long a unit is waited for that wants to be waited for without end."""


def own_limit_s(of: str, standing: Standing) -> float | None:
    """How long systemd itself would wait for it, with all that starts and stops with it; None if there is no such limit."""
    limits = {member: _limit_us(of, standing.known[member]) for member in standing.members}
    if of == "Start":  # what a timer starts may take for ever: nobody waits for it
        limits = {member: limit for member, limit in limits.items() if member == standing.unit or limit != FOREVER_US}
    found = [limit for limit in limits.values() if limit is not None]
    if not found:
        return None
    return CEILING_S if FOREVER_US in found else min(sum(found) / 1_000_000 + SLACK_S, CEILING_S + SLACK_S)


def _limit_us(of: str, properties: Properties) -> int | None:
    limit = properties.get(f"Timeout{of}USec", properties.get("TimeoutUSec"))
    return None if limit is None else int(limit)
