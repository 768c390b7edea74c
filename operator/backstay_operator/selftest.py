"""`python -m backstay_operator.selftest HOST:PORT…`: what `helm test` runs. Creates nothing.

Asks whether our kinds are served to the operator, and each Pod behind the given names whether it is ready, and if not, why.
"""

from __future__ import annotations

import asyncio
import json
import random
import socket
import sys
from collections.abc import Sequence
from typing import Final

from backstay_api.client import kubeconfig
from backstay_api.client.errors import ApiError
from backstay_api.client.http import HttpApi
from backstay_api.objects.object_kinds import OWN_KINDS

_TIMEOUT_S: Final = 5.0


async def faults(places: Sequence[str]) -> list[str]:
    """What is wrong, a sentence each."""
    found = await _unserved()
    for place in places:
        found += await unready(place)
    return found


async def _unserved() -> list[str]:
    api = HttpApi(kubeconfig.load(user_agent="backstay-selftest"), rng=random.Random())
    found = []
    for kind in OWN_KINDS:
        try:
            await api.list(kind)
        except ApiError as error:
            found.append(f"{kind.resource} cannot be listed: {error}")
    await api.close()
    return found


async def unready(place: str) -> list[str]:
    """Which of the Pods behind this name are not ready, and why; or that there is none."""
    name, _, port = place.rpartition(":")
    try:
        known = await asyncio.get_running_loop().getaddrinfo(name, int(port), type=socket.SOCK_STREAM)
    except OSError as error:
        return [f"{name}: no Pod of it runs ({error.strerror})"]
    addresses = sorted({str(one[4][0]) for one in known})
    answers = [(address, await _why_not_ready(address, int(port))) for address in addresses]
    return [f"{name} at {address} is not ready: {why}" for address, why in answers if why]


async def _why_not_ready(address: str, port: int) -> str:
    try:
        async with asyncio.timeout(_TIMEOUT_S):
            reader, writer = await asyncio.open_connection(address, port)
            writer.write(b"GET /readyz HTTP/1.1\r\nHost: backstay\r\nConnection: close\r\n\r\n")
            head, _, body = (await reader.read()).partition(b"\r\n\r\n")
            writer.close()
        if head.split()[1] == b"200":
            return ""
        return str(json.loads(body)["why"])
    except (OSError, TimeoutError) as error:
        return f"it does not answer ({error or 'in time'})"
    except (IndexError, KeyError, ValueError):
        return f"it answers something else: {head[:100]!r}"


if __name__ == "__main__":
    sys.exit("\n".join(asyncio.run(faults(sys.argv[1:]))) or 0)
