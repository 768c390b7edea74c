"""Renews the agent's bearer token: once a day, or at two thirds of its life, a new one is asked for, by the token itself.

Each new one lives as long as the one before, and is bound to the host's identity, an empty Secret: whoever deletes that ends them
all. A host that was cut off for longer than its token lives has lost its password: then a person must bring a new one.
"""

from __future__ import annotations

import asyncio
import base64
import logging
import random
from collections.abc import Callable
from pathlib import Path
from typing import Final

from backstay_api.client.api import Api
from backstay_api.client.errors import ApiError, NotFound
from backstay_api.objects.names import LONGEST_TOKEN_S
from backstay_api.objects.texts import read_json

from . import rotation
from .rotation import Token

log = logging.getLogger(__name__)

SHARE: Final = 2 / 3
SHORTEST_S: Final = 600
"""What Kubernetes grants at least."""
OFTEN_S: Final = 24 * 3600.0
"""However long it lives: a month away from home should begin with almost a month of life."""
RETRY_S: Final = (5.0, 60.0)
LOOK_S: Final = 15.0
"""How often it is looked whether the host is to get another identity: a person waits for two looks, and nothing else does."""


def read_token(text: str) -> Token | None:
    """What a token says of itself; None if it is not of a ServiceAccount, or lives for ever."""
    try:
        payload = text.split(".")[1]
        claims = read_json(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        who, kind, namespace, account = claims["sub"].split(":")
        if (who, kind) != ("system", "serviceaccount"):
            return None
        identity = (claims.get("kubernetes.io") or {}).get("secret") or {}
        return Token(namespace, account, float(claims["iat"]), float(claims["exp"]), str(identity.get("name") or ""))
    except (IndexError, KeyError, TypeError, ValueError, AttributeError):
        return None


async def renew_token(
    api: Api,
    path: Path,
    *,
    now_s: Callable[[], float],
    rng: random.Random,
    told: Callable[[float], None] = lambda until_s: None,
    look_s: float = LOOK_S,
) -> None:
    """Renew the token in this file until cancelled. `now_s`, `told` (when the present one ends): seconds since 1970, as the token counts."""
    while True:
        token = read_token(_text(path))
        if token is None:
            log.info(
                "token is not renewed",
                extra={"file": str(path), "why": "it is not a ServiceAccount's token, or never expires"},
            )
            return
        told(token.expires_at_s)
        after_s = min(SHARE * token.life_s, OFTEN_S)
        due_s = token.issued_at_s + after_s - now_s()
        # A clock that is wrong by hours must neither make us ask without pause nor never.
        if not await _is_replaced(api, path, token, within_s=min(max(due_s, 0.0), after_s), look_s=look_s):
            while not await _renewed(api, path, token):
                await asyncio.sleep(rng.uniform(*RETRY_S))


async def _is_replaced(api: Api, path: Path, token: Token, *, within_s: float, look_s: float) -> bool:
    """Wait so long, and look now and then whether the host is to be carried over to another identity; True: it was."""
    loop = asyncio.get_running_loop()
    until_s = loop.time() + within_s
    while (left_s := until_s - loop.time()) > 0:
        if await rotation.followed(api, path, token):
            return True
        await asyncio.sleep(min(look_s, left_s))
    return False


async def _renewed(api: Api, path: Path, token: Token) -> bool:
    identity = token.identity or token.account
    try:
        longest_s = rotation.CARRIED_S if identity != token.account else LONGEST_TOKEN_S
        await rotation.bind(api, path, token, identity, life_s=min(longest_s, max(SHORTEST_S, round(token.life_s))))
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
