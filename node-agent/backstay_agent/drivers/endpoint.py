"""Looks whether something elsewhere answers from this host: a connection is made and closed, and nothing is sent."""

from __future__ import annotations

import asyncio
import socket
from dataclasses import dataclass
from functools import partial
from typing import Final

from backstay_api.objects.plain import Endpoint
from backstay_api.objects.prerequisites import host_and_port, key_of_endpoint

from .base import Observed
from .tools.file_system_looks import NoAnswer, look

ANSWER_S: Final = 2.0
TRIES: Final = 3
"""One that gave no answer once may only have been busy."""


@dataclass(frozen=True)
class EndpointLooks:
    """`base.Looker` at endpoints."""

    answer_s: float = ANSWER_S

    async def __call__(self, spec: Endpoint, salt: str) -> Observed:
        why = ""
        for _ in range(TRIES):
            try:
                if spec.unix is not None:
                    # The kernel looks for its path while it connects, however long that takes.
                    await look(
                        f"{spec.unix} (socket)", partial(connect, spec.unix, self.answer_s), limit_s=self.answer_s
                    )
                    return Observed()
                async with asyncio.timeout(self.answer_s):
                    return await _connect(spec)
            except NoAnswer as error:
                return Observed(str(error))
            except TimeoutError:
                why = f"nothing within {self.answer_s:g} s"
            except OSError as error:
                why = error.strerror or str(error)
        return Observed(f"{key_of_endpoint(spec)} does not answer: {why}")


async def _connect(spec: Endpoint) -> Observed:
    assert spec.tcp is not None, "an endpoint is a port or a socket"
    _, writer = await asyncio.open_connection(*host_and_port(spec.tcp))
    writer.transport.abort()
    return Observed()


def connect(path: str, within_s: float) -> None:
    """To a socket in the file system, by the process that looks. Raises OSError."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(within_s)
        client.connect(path)
