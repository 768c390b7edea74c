"""Does an operator live? Without one everything that objects say is as old as its last word.

The leader's Lease tells, by the API server's own clock; ours may be wrong by hours. An operator's may be too, so what looks
old is watched for two renewals before anybody is alarmed.
"""

from __future__ import annotations

import asyncio
from typing import Final

from backstay_api.client.errors import Forbidden, NotFound
from backstay_api.objects.kinds import LEASES, Raw
from backstay_api.objects.names import LEADER_LEASE, SYSTEM_NAMESPACE
from backstay_api.process.leader import RENEW_S
from backstay_operator.planner.words import elapsed_s

from .session import Session

SILENT_S: Final = 180.0
NEVER: Final = (
    f"there is no Lease {SYSTEM_NAMESPACE}/{LEADER_LEASE}: no operator has run in namespace {SYSTEM_NAMESPACE} yet"
)


async def operator_trouble(session: Session) -> str | None:
    """Why nobody moves services; empty if an operator runs, None if this user may not see that."""
    try:
        lease = await _lease(session)
    except Forbidden:
        return None
    except NotFound:
        return NEVER
    age_s = elapsed_s(lease["spec"].get("renewTime") or "", await session.tools.server_time(session.api))
    if age_s is not None and abs(age_s) <= SILENT_S:
        return ""
    await asyncio.sleep(2.5 * RENEW_S)
    if (await _lease(session))["metadata"]["resourceVersion"] != lease["metadata"]["resourceVersion"]:
        return ""
    since = f"for {age_s / 60:.0f} min" if age_s is not None and age_s > 0 else "while it was watched"
    return (
        f"no operator has renewed its Lease {since}: services run on and are restarted in place, but nobody moves them, and"
        f" all that is said here is as old as that. `kubectl -n {SYSTEM_NAMESPACE} get pods` says why"
    )


async def _lease(session: Session) -> Raw:
    return await session.api.get(LEASES, LEADER_LEASE, SYSTEM_NAMESPACE)
