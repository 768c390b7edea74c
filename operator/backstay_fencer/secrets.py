"""The fencing Secrets: read by name, from the one namespace that only the fencer may read."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Final

from backstay_api.client.api import Api
from backstay_api.client.errors import ApiError, NotFound
from backstay_api.objects.kinds import SECRETS
from backstay_api.objects.models.host import FenceDevice

NAMESPACE: Final = "backstay-fencing"


class NoSecret(Exception):
    """The credentials of a device cannot be had; the text is a sentence for people."""


async def read(api: Api, device: FenceDevice) -> Mapping[str, str]:
    """User name, password and whatever else the Secret holds, as options of the fence agent.

    Raises NoSecret.
    """
    if device.secret_ref is None:
        return {}
    name = device.secret_ref.name
    try:
        secret = await api.get(SECRETS, name, NAMESPACE)
    except NotFound as error:
        raise NoSecret(
            f"Secret {NAMESPACE}/{name} does not exist: create it with the keys username and password"
        ) from error
    except ApiError as error:
        raise NoSecret(f"Secret {NAMESPACE}/{name} cannot be read: {error}") from error
    data = secret.get("data") or {}
    return {key: _decode(name, key, value) for key, value in data.items() if key != "action"}


def _decode(name: str, key: str, value: str) -> str:
    try:
        text = base64.b64decode(value, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError) as error:
        raise NoSecret(f"Secret {NAMESPACE}/{name}: the value of {key} is not text") from error
    # `echo pass | kubectl create secret --from-file` leaves a line break at the end; one inside would be a second option.
    text = text.removesuffix("\n")
    if "\n" in text or "\r" in text or "\0" in text:
        raise NoSecret(f"Secret {NAMESPACE}/{name}: the value of {key} has a line break in it")
    return text
