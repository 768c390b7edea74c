"""Which machine does this device power? Asked of the device itself, so that a wrong address never powers off a neighbour.

Redfish tells `UUID` in its system resource, IPMI a GUID. Other agents cannot tell: their devices need a drill.
"""

from __future__ import annotations

import asyncio
import base64
import re
import ssl
from collections.abc import Awaitable, Callable, Mapping
from contextlib import closing
from functools import lru_cache
from http.client import HTTPSConnection
from typing import Any, Final, Literal

from backstay_api.objects.texts import read_json

Runner = Callable[..., Awaitable[Any]]
Ask = Callable[[Mapping[str, str], Runner, str], Awaitable[str | None]]
"""What Host and Secret say, how to run a program, and where the password can be read as a file."""

ANSWER_LIMIT: Final = 1 << 20
_PLACEHOLDERS: Final = (
    "03000200040005000006000700080009",
    "123456781234567890abcddeefaabbcc",
    "12345678123412341234123456789012",
    "00112233445566778899aabbccddeeff",
)


async def ask_redfish(parameters: Mapping[str, str], run: Runner, password_file: str) -> str | None:
    """The UUID in the system's own resource. Blocking HTTP in a thread: it is asked for once in minutes."""
    return await asyncio.to_thread(_get_redfish, parameters)


async def ask_ipmi(parameters: Mapping[str, str], run: Runner, password_file: str) -> str | None:
    """The BMC's GUID, by ipmitool; the password is neither in its arguments nor in its environment."""
    argv = ["/usr/bin/ipmitool", "-I", "lanplus" if _is_on(parameters.get("lanplus", "1")) else "lan"]
    argv += ["-f", password_file] if password_file else ["-P", ""]
    argv += ["-H", _address(parameters), "-p", parameters.get("ipport", "623"), "-U", _user(parameters)]
    if "target" in parameters:
        argv += ["-t", parameters["target"]]  # the one behind it, which the agent switches
    if "cipher" in parameters:
        argv += ["-C", parameters["cipher"]]
    done = await run([*argv, "mc", "guid"], "", timeout_s=20.0)
    found = re.search(r"System GUID\s*:\s*([0-9a-fA-F-]{36})", done.output)
    return found.group(1) if done.exit_code == 0 and found else None


ASK: Final[Mapping[str, Ask]] = {
    "fence_redfish": ask_redfish,
    "fence_ipmilan": ask_ipmi,
    "fence_ipmilanplus": ask_ipmi,
    "fence_idrac": ask_ipmi,
    "fence_ilo4": ask_ipmi,
    "fence_ilo5": ask_ipmi,
}


def compare(said: str | None, machine_uuid: str) -> Literal["Match", "Mismatch", "Unverified"]:
    """Whether a device's answer names this machine.

    Firmware stores the first three fields of a UUID in either byte order; both are the same machine.
    """
    if said is None or not machine_uuid or is_placeholder(said):
        return "Unverified"
    return "Match" if is_same(said, machine_uuid) else "Mismatch"


@lru_cache(maxsize=65536)
def is_same(one: str, other: str) -> bool:
    """Whether two UUIDs are of one machine."""
    return spelling(other) in spellings(one)


def spellings(uuid: str) -> frozenset[str]:
    """The ways in which firmware may write it, byte order apart from all that means nothing: `spelling` says in which another is written."""
    return frozenset((_plain(uuid), _swapped(_plain(uuid))))


def spelling(uuid: str) -> str:
    """It, without what means nothing."""
    return _plain(uuid)


@lru_cache(maxsize=65536)
def is_placeholder(uuid: str) -> bool:
    """What boards say whose maker has left the UUID as it came: a whole series of them has the same."""
    plain = _plain(uuid)
    return len(set(plain)) <= 2 or any(plain in (one, _swapped(one)) for one in _PLACEHOLDERS)


def _get_redfish(parameters: Mapping[str, str]) -> str | None:
    context = ssl.create_default_context()
    if _is_on(parameters.get("ssl_insecure", "0")) or not _is_on(parameters.get("ssl_secure", "1")):
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    login = base64.b64encode(f"{_user(parameters)}:{parameters.get('password', '')}".encode()).decode()
    # Straight to the BMC and no further: neither a proxy nor a redirect has any business with its password.
    port = int(parameters.get("ipport", "443"))
    with closing(HTTPSConnection(_address(parameters), port, timeout=10.0, context=context)) as bmc:
        headers = {"Authorization": f"Basic {login}", "Accept": "application/json"}
        bmc.request("GET", parameters["systems_uri"], headers=headers)
        answer = bmc.getresponse()
        said = read_json(answer.read(ANSWER_LIMIT)) if answer.status == 200 else None
    return str(said["UUID"]) if isinstance(said, dict) and said.get("UUID") else None


def _address(parameters: Mapping[str, str]) -> str:
    return parameters.get("ip") or parameters["ipaddr"]


def _user(parameters: Mapping[str, str]) -> str:
    return parameters.get("username") or parameters.get("login") or ""


def _is_on(text: str) -> bool:
    return text.lower() in ("1", "yes", "on", "true")


def _plain(uuid: str) -> str:
    return uuid.lower().replace("-", "").strip()


def _swapped(plain: str) -> str:
    head = [plain[0:8], plain[8:12], plain[12:16]]
    turned = ["".join(reversed([part[i : i + 2] for i in range(0, len(part), 2)])) for part in head]
    return "".join(turned) + plain[16:]
