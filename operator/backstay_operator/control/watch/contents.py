"""ConfigMaps and Secrets that services name, read one by one: at once when a service comes to name one, then again and again.

Only `get` is needed for that, of those names alone: a watch would want the right to see all that there are, and a list of names for it a
label that people forget. Nothing is asked while no service names any.
"""

from __future__ import annotations

import asyncio
import logging
import math
from typing import Final

from backstay_api.client.api import Api
from backstay_api.client.errors import ApiError, ApiTrouble, Forbidden, NotFound
from backstay_api.objects import lease
from backstay_api.objects.kinds import CONFIG_MAPS, SECRETS
from backstay_api.objects.rbac import CONTENTS_ROLE
from backstay_api.process.waiting import clock_s, within
from backstay_operator.control.watch.cache import Cache
from backstay_operator.control.watch.secrets import NotNamed, SecretTexts
from backstay_operator.planner.know.contents import (
    MISSING,
    SECRET_MISSING,
    ConfigMapSeen,
    SecretSeen,
    Seen,
    is_of_secret,
    object_key,
    object_told,
    seen_in,
)

log = logging.getLogger(__name__)

EACH_S: Final = 10.0
"""Each is read so often."""
PAUSE_S: Final = 0.05
"""Between two reads: thousands take longer than `EACH_S` rather than more than 20 requests a second."""
_TIMEOUT_S: Final = 10.0
FORBIDDEN: Final = ConfigMapSeen(
    why="cannot be read by the operator: give it the right to get ConfigMaps there, as its chart does"
)


class ContentReader:
    """Reads them into the cache, from `run` until it is cancelled."""

    def __init__(self, api: Api, cache: Cache, texts: SecretTexts, *, account: str) -> None:
        """`account`: the operator's ServiceAccount, `namespace:name`."""
        self._api, self._cache, self._texts, self._account = api, cache, texts, account
        self._named = asyncio.Event()
        self._read_s: dict[str, float] = {}
        """By ConfigMap: when it was last read, or tried to be."""
        cache.on_named = self._named.set

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            self._named.clear()
            self._forget_unnamed()
            key = min(sorted(self._cache.world.named_by), key=self._due_s, default="")
            if not key:
                await self._named.wait()
            elif (wait_s := self._due_s(key) - clock_s()) > 0:
                await within(self._named, wait_s)
            else:
                await self._read(key)
                self._read_s[key] = clock_s()
                await asyncio.sleep(PAUSE_S)

    def _due_s(self, key: str) -> float:
        return self._read_s.get(key, -math.inf) + EACH_S

    def _forget_unnamed(self) -> None:
        named = self._cache.world.named_by
        self._read_s = {key: at_s for key, at_s in self._read_s.items() if key in named}
        for key in [key for key in self._cache.world.contents if key not in named]:
            self._cache.forget_content(key)
        self._texts.keep_only(named)

    async def _read(self, key: str) -> None:
        """What cannot be known now stays as it was."""
        try:
            seen = await (self._secret(key) if is_of_secret(key) else self._config_map(key))
        except ApiError as error:
            # That the API server is away is said once, by the watch of our own path.
            level = logging.DEBUG if isinstance(error, ApiTrouble) else logging.WARNING
            log.log(level, "content could not be read", extra={"object": object_told(key), "why": type(error).__name__})
            return
        self._cache.put_content(key, seen)

    async def _config_map(self, key: str) -> Seen:
        namespace, _, name = object_key(key).partition("/")
        try:
            body = await self._api.get(CONFIG_MAPS, name, namespace, timeout_s=_TIMEOUT_S)
        except NotFound:
            return MISSING
        except Forbidden:
            return FORBIDDEN
        return seen_in(body)

    async def _secret(self, key: str) -> Seen:
        self._texts.are_named.set()
        namespace, _, name = object_key(key).partition("/")
        if namespace in (lease.NAMESPACE, self._texts.namespace):
            # There the operator has rights of its own, by which nobody shall have anything brought to a host.
            return SecretSeen(why="stands in a namespace of Backstay's own, and none of those is brought to hosts")
        try:
            body = await self._api.get(SECRETS, name, namespace, timeout_s=_TIMEOUT_S)
        except NotFound:
            self._texts.forget(key)
            return SECRET_MISSING
        except Forbidden:
            self._texts.forget(key)
            return SecretSeen(why=no_access(namespace, self._account), is_forbidden=True)
        try:
            return await self._texts.take(key, namespace, body)
        except NotNamed as error:
            return SecretSeen(why=str(error))


def no_access(namespace: str, account: str) -> str:
    """With the command of an admin of that namespace: what it binds lets the operator get Secrets there, and do nothing else."""
    return (
        "may not be read by the operator; an admin of that namespace lets it: kubectl create rolebinding backstay-contents"
        f" --namespace={namespace} --clusterrole={CONTENTS_ROLE} --serviceaccount={account}"
    )
