"""`python -m backstay_operator.selftest`: what `helm test` runs. Creates nothing; asks whether our kinds are served to the operator."""

from __future__ import annotations

import asyncio
import random
import sys
from typing import Any, Final

from backstay_api import kubeconfig
from backstay_api.errors import ApiError
from backstay_api.http import HttpApi
from backstay_api.kinds import Kind
from backstay_api.object_kinds import (
    FENCE_REQUESTS,
    HA_INSTANCES,
    HA_SERVICES,
    HOST_ASSIGNMENTS,
    HOSTS,
    RESOURCE_CLAIMS,
)

_KINDS: Final[tuple[Kind[Any], ...]] = (
    *(HA_SERVICES, HA_INSTANCES, HOSTS),
    *(HOST_ASSIGNMENTS, FENCE_REQUESTS, RESOURCE_CLAIMS),
)


async def faults() -> list[str]:
    """What is wrong, a sentence each."""
    api = HttpApi(kubeconfig.load(user_agent="backstay-selftest"), rng=random.Random())
    found = []
    for kind in _KINDS:
        try:
            await api.list(kind)
        except ApiError as error:
            found.append(f"{kind.resource} cannot be listed: {error}")
    await api.close()
    return found


if __name__ == "__main__":
    sys.exit("\n".join(asyncio.run(faults())) or 0)
