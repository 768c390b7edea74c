"""Renews the agent's bearer token: once a day, or at two thirds of its life, a new one is asked for, by the token itself.

Each new one lives as long as the one before, and is bound to the host's identity, an empty Secret: whoever deletes that ends them
all. A host that was cut off for longer than its token lives has lost its password: then a person must bring a new one.
"""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from backstay_agent.store.disk import replace_file
from backstay_api.client.api import Api
from backstay_api.client.errors import ApiError, NotFound
from backstay_api.objects.kinds import token_requests
from backstay_api.objects.names import LONGEST_TOKEN_S

log = logging.getLogger(__name__)

SHARE: Final = 2 / 3
SHORTEST_S: Final = 600
"""What Kubernetes grants at least."""
OFTEN_S: Final = 24 * 3600.0
"""However long it lives: a month away from home should begin with almost a month of life."""
RETRY_S: Final = (5.0, 60.0)


@dataclass(frozen=True)
class Token:
    """What a ServiceAccount's token says of itself."""

    namespace: str
    account: str
    issued_at_s: float
    expires_at_s: float

    @property
    def life_s(self) -> float:
        return self.expires_at_s - self.issued_at_s


def read_token(text: str) -> Token | None:
    """What a token says of itself; None if it is not of a ServiceAccount, or lives for ever."""
    try:
        payload = text.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        who, kind, namespace, account = claims["sub"].split(":")
        if (who, kind) != ("system", "serviceaccount"):
            return None
        return Token(namespace, account, float(claims["iat"]), float(claims["exp"]))
    except (IndexError, KeyError, TypeError, ValueError):
        return None


async def renew_token(api: Api, path: Path, *, now_s: Callable[[], float], rng: random.Random) -> None:
    """Renew the token in this file until cancelled. `now_s`: seconds since 1970, as the token counts."""
    while True:
        token = read_token(_text(path))
        if token is None:
            log.info(
                "token is not renewed",
                extra={"file": str(path), "why": "it is not a ServiceAccount's token, or never expires"},
            )
            return
        after_s = min(SHARE * token.life_s, OFTEN_S)
        due_s = token.issued_at_s + after_s - now_s()
        # A clock that is wrong by hours must neither make us ask without pause nor never.
        await asyncio.sleep(min(max(due_s, 0.0), after_s))
        while not await _renewed(api, path, token):
            await asyncio.sleep(rng.uniform(*RETRY_S))


async def _renewed(api: Api, path: Path, token: Token) -> bool:
    identity = {"kind": "Secret", "apiVersion": "v1", "name": token.account}
    life_s = min(LONGEST_TOKEN_S, max(SHORTEST_S, round(token.life_s)))
    wanted = {"spec": {"expirationSeconds": life_s, "boundObjectRef": identity}}
    try:
        answer = await api.create(token_requests(token.account), wanted, token.namespace)
        new = str(answer["status"]["token"])
        replace_file(path, new)
    except NotFound as error:
        why = f"{error}: its identity is gone; `backstay host add` makes it again"
        log.warning("token not renewed", extra={"file": str(path), "why": why})
        return False
    except (ApiError, OSError, KeyError) as error:
        log.warning("token not renewed", extra={"file": str(path), "why": str(error)})
        return False
    log.info("token renewed", extra={"file": str(path)})
    return True


def _text(path: Path) -> str:
    return path.read_text().strip()
