"""What is in files from Secrets: asked for by name, from the one Secret that the operator fills for this host and only its agent may read."""

from __future__ import annotations

import base64
import binascii
import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from backstay_agent.drivers.base import NotInstalled
from backstay_api.client.api import Api
from backstay_api.client.errors import ApiError, Forbidden, NotFound
from backstay_api.objects.editions import LEFT_OUT
from backstay_api.objects.kinds import SECRETS
from backstay_api.objects.lease import NAMESPACE
from backstay_api.objects.names import files_secret

ASK_AGAIN_S: Final = 5.0
_TIMEOUT_S: Final = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """What came of asking for one."""

    name: str = ""
    text: str | None = None
    why: str = ""
    """Why it was not had, in a sentence."""
    at_s: float = 0.0

    def is_due(self, name: str, now_s: float) -> bool:
        """Whether this one is to be asked for now."""
        return self.name != name or (self.text is None and now_s - self.at_s >= ASK_AGAIN_S)


class SecretFiles:
    """Reads them for one host."""

    def __init__(self, api: Api, host: str, rng: random.Random) -> None:
        self._api, self.host, self._rng = api, host, rng

    def another_name(self) -> str:
        """For an edition, each time another: nothing about what is in it."""
        return f"{self._rng.getrandbits(128):032x}"

    async def text(self, name: str) -> str:
        """What is called so. Raises NotInstalled; its words quote nothing."""
        secret = f"Secret {NAMESPACE}/{files_secret(self.host)}"
        anew = f"`backstay host add {self.host}` makes it"
        try:
            body = await self._api.get(SECRETS, files_secret(self.host), NAMESPACE, timeout_s=_TIMEOUT_S)
        except NotFound as error:
            raise NotInstalled(f"there is no {secret} for what is in it: {anew}") from error
        except Forbidden as error:
            raise NotInstalled(f"this host's agent may not read {secret}: {anew}, with the right to it") from error
        except ApiError as error:
            raise NotInstalled(f"{secret} could not be read now: {type(error).__name__}") from error
        return _text_in(body, name, secret)


def _text_in(body: Mapping[str, Any], name: str, secret: str) -> str:
    raw = (body.get("data") or {}).get(name)
    if raw is None:
        left_out = str(((body.get("metadata") or {}).get("annotations") or {}).get(LEFT_OUT, "")).split()
        if name in left_out:
            raise NotInstalled(
                f"there is no room for it in {secret}, which holds 768 KiB: make this host's files from Secrets shorter or fewer"
            )
        raise NotInstalled(f"what is in it has not come to {secret} yet")
    try:
        return base64.b64decode(str(raw), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        raise NotInstalled(f"what {secret} has of it is no text") from None
