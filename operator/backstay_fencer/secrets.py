"""The fencing Secrets: read by name, from the one namespace that only the fencer may read, and sent where they say only.

Whoever may edit a Host may name any Secret and any address in it, but may read no password. So each Secret says itself
where its password goes; a Host may repeat that, and never change it (docs/adr/0012).
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Final

from backstay_api.client.api import Api
from backstay_api.client.errors import ApiError, NotFound
from backstay_api.objects.kinds import SECRETS
from backstay_api.objects.models.host import FenceDevice
from backstay_api.objects.rbac import FENCING_NAMESPACE as NAMESPACE

from .parameters import names, plain

# What says where a password goes, by its names in all agents.
_WAYS: Final = names("auth_url ip ipport proxy proxyhost proxyport session_url")
_OLD: Final = {"ipaddr": "ip"}
_ADDRESS: Final = {"fence_ironic": "auth_url", "fence_openstack": "auth_url", "fence_xenapi": "session_url"}
"""The parameter that is the address, where it is not `ip`."""
_NO_ADDRESS: Final = names(
    """
    fence_aliyun fence_aws fence_azure_arm fence_ecloud fence_gce fence_ibm_powervs fence_ibm_vpc fence_kubevirt
    fence_ovh fence_rcd_serial
    """
)
"""Agents that know themselves where to go: to their vendor's cloud, or to a line of this machine."""


class NoSecret(Exception):
    """The credentials of a device cannot be had; the text is a sentence for people."""


async def read(api: Api, device: FenceDevice) -> Mapping[str, str]:
    """Address, user name, password and whatever else the Secret holds, as options of the fence agent.

    Raises NoSecret, also where the device would lead them elsewhere than the Secret says.
    """
    if device.secret_ref is None:
        return {}
    name = device.secret_ref.name
    try:
        secret = await api.get(SECRETS, name, NAMESPACE)
    except NotFound as error:
        raise NoSecret(
            f"Secret {NAMESPACE}/{name} does not exist: create it with the keys ip, username and password"
        ) from error
    except ApiError as error:
        raise NoSecret(f"Secret {NAMESPACE}/{name} cannot be read: {error}") from error
    data = secret.get("data") or {}
    told = {plain(key): _decode(name, key, value) for key, value in data.items() if plain(key) != "action"}
    if refused := _led_elsewhere(device, told, name):
        raise NoSecret(f"Secret {NAMESPACE}/{name} {refused}")
    return told


def ways(told: Mapping[str, str]) -> frozenset[tuple[str, str]]:
    """What in these parameters says where a password goes."""
    named = [(_OLD.get(plain(key), plain(key)), value) for key, value in told.items()]
    return frozenset((name, value) for name, value in named if name in _WAYS or _changes_url(name, value))


def _led_elsewhere(device: FenceDevice, secret: Mapping[str, str], name: str) -> str:
    if not secret:
        return ""
    said, address = ways(secret), _ADDRESS.get(device.agent, "ip")
    if device.agent not in _NO_ADDRESS and not any(key == address and value for key, value in said):
        return (
            f"does not say where its password goes: add the device's address as {address}: kubectl create secret generic"
            f" {name} --from-literal={address}=… --dry-run=client -o yaml | kubectl -n {NAMESPACE} apply --server-side -f -"
        )
    changed = sorted(key for key, value in (device.parameters or {}).items() if not ways({key: value}) <= said)
    said_where = f"says where its password goes: leave {', '.join(changed)} out of {device.name}'s parameters"
    return f"{said_where}, or put the same there" if changed else ""


def _changes_url(name: str, value: str) -> bool:
    """Agents put a path behind address and port, and a region before their cloud's own name: it must not end or begin a host."""
    if name == "region":
        return not value.replace("-", "").isalnum()
    return name.endswith("uri") and not value.startswith("/")


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
