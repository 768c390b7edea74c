"""The fence agents that this machine has from Debian's package."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from backstay_api.objects.models.host import NOT_POWER

_NO_AGENTS: Final = {"fence_ack_manual", "fence_legacy", "fence_watchdog"}
"""The first asks a person; the others come with Pacemaker, and only inside it they are any use."""


def power_agents() -> dict[str, Path]:
    """Name → program, of all that can say whether a machine is on; none where the package is not there."""
    found = {path.name: path for path in sorted(Path("/usr/sbin").glob("fence_*"))}
    return {name: path for name, path in found.items() if name not in _NO_AGENTS and name not in NOT_POWER}
