"""What Secrets have in them, under the names by which everybody else speaks of it.

A name is made with a key that the operator alone has: the same content has the same name as long as the key is there, and whoever sees the
name has nothing to try passwords against. What is in them is kept here and given to hosts alone; the picture has the names.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hmac
import secrets
from collections.abc import Collection, Mapping
from typing import Any, Final

from backstay_api.client.api import Api
from backstay_api.client.errors import ApiError, Conflict, Forbidden, NotFound
from backstay_api.objects.editions import fault_of_text, name_of_secret, told_bytes
from backstay_api.objects.kinds import SECRETS
from backstay_api.objects.names import NAMING_SECRET, key_of
from backstay_operator.planner.know.contents import SecretSeen

_FIELD: Final = "key"
_LEAST_BYTES: Final = 32
_TIMEOUT_S: Final = 10.0


class NotNamed(Exception):
    """There is no key to name contents with. The text follows the name of a Secret that shall be named."""


class SecretTexts:
    """What was read last, by source and name."""

    def __init__(self, api: Api, *, namespace: str) -> None:
        """`namespace`: the operator's, where the key is."""
        self._api, self.namespace = api, namespace
        self._key = b""
        self._read: dict[str, Mapping[str, str]] = {}
        self.are_named = asyncio.Event()
        """Some service names a Secret, or has since this replica began."""

    def text(self, name: str) -> str | None:
        """What is called so, if a Secret that is named says it now."""
        return next((texts[name] for texts in self._read.values() if name in texts), None)

    async def is_ready(self) -> bool:
        """Whether it is known by which key contents are named."""
        try:
            return bool(await self._naming_key())
        except (NotNamed, ApiError):
            return False

    def is_called(self, name: str, namespace: str, text: str) -> bool:
        """Whether that is the name of this, for services of a namespace: only then was it we who have put it where it was found."""
        return bool(self._key) and hmac.compare_digest(
            name_of_secret(self._key, namespace, text).encode(), name.encode()
        )

    def keep_only(self, named: Collection[str]) -> None:
        """Forget all but these sources."""
        self._read = {key: texts for key, texts in self._read.items() if key in named}

    def forget(self, source: str) -> None:
        """It cannot be had any more: what it said is given to no host that does not have it."""
        self._read.pop(source, None)

    async def take(self, source: str, namespace: str, body: Mapping[str, Any]) -> SecretSeen:
        """What a Secret says, without what it says. Raises NotNamed, ApiError."""
        key = await self._naming_key()
        texts = {one: text for one, raw in (body.get("data") or {}).items() if (text := text_of(raw)) is not None}
        names = {one: name_of_secret(key, namespace, text) for one, text in texts.items()}
        self._read[source] = {names[one]: text for one, text in texts.items()}
        return SecretSeen(
            data=names,
            binary=frozenset(body.get("data") or ()) - texts.keys(),
            sizes={one: told_bytes([text]) for one, text in texts.items()},
            faults={one: why for one, text in texts.items() if (why := fault_of_text(text))},
        )

    async def _naming_key(self) -> bytes:
        """Made by whoever comes first, and never again: another key would be another edition of each file."""
        while not self._key:
            where = key_of(self.namespace, NAMING_SECRET)
            try:
                stored = await self._api.get(SECRETS, NAMING_SECRET, self.namespace, timeout_s=_TIMEOUT_S)
                self._key = _bytes_of((stored.get("data") or {}).get(_FIELD, "")) or await self._made(stored)
            except Conflict:
                continue
            except (NotFound, Forbidden) as error:
                raise NotNamed(
                    f"cannot be given a name: Secret {where} is made by the chart, with the right to it"
                ) from error
            if len(self._key) < _LEAST_BYTES:
                self._key = b""
                raise NotNamed(f"cannot be given a name: {_FIELD} of Secret {where} is too short: remove it from there")
        return self._key

    async def _made(self, stored: Mapping[str, Any]) -> bytes:
        key = secrets.token_bytes(_LEAST_BYTES)
        version = {"metadata": {"resourceVersion": stored["metadata"]["resourceVersion"]}}
        body = {**version, "data": {_FIELD: base64.b64encode(key).decode()}}
        await self._api.patch(SECRETS, NAMING_SECRET, body, self.namespace, timeout_s=_TIMEOUT_S)
        return key


def text_of(raw: object) -> str | None:
    """What stands in the data of a Secret; None: it is no text."""
    try:
        return base64.b64decode(str(raw), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return None


def _bytes_of(raw: object) -> bytes:
    try:
        return base64.b64decode(str(raw), validate=True)
    except binascii.Error:
        return b""
