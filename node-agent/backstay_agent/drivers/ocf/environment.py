"""What an agent finds in its environment: its parameters, who it is, and what Pacemaker would tell it. Pure."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Final

from backstay_agent.drivers.tools.programs import PATH
from backstay_api.objects.ocf_names import ocf_agent, ocf_key
from backstay_api.objects.plain import Ocf

ROOT: Final = PurePosixPath("/usr/lib/ocf")
HELPERS: Final = PurePosixPath("/run/backstay/ocf/bin")
SCRATCH: Final = PurePosixPath("/run/resource-agents")
_NAME: Final = re.compile(r"[A-Za-z0-9_-]+")


def program(ocf: Ocf) -> str:
    """Where the agent must be installed."""
    provider, type_ = ocf_agent(ocf.agent).split(":")
    assert _NAME.fullmatch(provider) and _NAME.fullmatch(type_), f"an unchecked agent was named: {ocf.agent!r}"
    return str(ROOT / "resource.d" / provider / type_)


def name_of(ocf: Ocf) -> str:
    """The name of what is one thing on a host: in the names of units, and by default of files that the agent makes."""
    return f"{ocf_agent(ocf.agent).partition(':')[2]}-{hashlib.sha256(ocf_key(ocf).encode()).hexdigest()[:12]}"


def instance(ocf: Ocf) -> str:
    """What the agent calls this resource in the names of its own files: the same on every host, and in every life of ours."""
    return ocf.instance or name_of(ocf)


def environment(
    ocf: Ocf,
    operation: str,
    *,
    host: str,
    timeout_s: float,
    interval_s: float = 0.0,
    depth: int = 0,
    roles: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """`interval_s` 0: it is asked once, as before a start; agents then call a missing disk "not running". `roles`: see there."""
    provider, type_ = ocf_agent(ocf.agent).split(":")
    meta = {
        "name": operation,
        "timeout": str(round(timeout_s * 1000)),
        "interval": str(round(interval_s * 1000)),
        "on_node": host,
        "on_node_uuid": host,
        **(roles or {}),
    }
    return {
        **_parameters(ocf.parameters or {}),
        **metas(meta),
        # By it agents choose between old and new words for roles.
        "OCF_RESKEY_crm_feature_set": "3.16.2",
        "OCF_ROOT": str(ROOT),
        "OCF_RA_VERSION_MAJOR": "1",
        "OCF_RA_VERSION_MINOR": "1",
        "OCF_RESOURCE_INSTANCE": instance(ocf),
        "OCF_RESOURCE_PROVIDER": provider,
        "OCF_RESOURCE_TYPE": type_,
        "__OCF_ACTION": operation,
        **({"OCF_CHECK_LEVEL": str(depth)} if operation == "monitor" else {}),
        "HA_RSCTMP": str(SCRATCH),
        "HA_SBIN_DIR": str(HELPERS),
        "HA_debug": "0",
        "HA_LOGFACILITY": "none",
        "PATH": f"{HELPERS}:{PATH}",
        "LANG": "C.UTF-8",
    }


def metas(said: Mapping[str, str]) -> dict[str, str]:
    """Of what Pacemaker calls meta attributes."""
    return {f"OCF_RESKEY_CRM_meta_{name}": value for name, value in said.items()}


def _parameters(given: Mapping[str, str]) -> dict[str, str]:
    return {f"OCF_RESKEY_{name}": value for name, value in given.items()}
