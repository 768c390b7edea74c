"""What is asked of a filesystem's mount, and what nobody would mount. Standard library only: the operator and the agent read it alike."""

from __future__ import annotations

import re
from typing import Any, Final


def is_bind(mount: Any) -> bool:
    """Whether it shows a folder of the host at another place."""
    return "bind" in (mount.options or ())


_NOT_OPTIONS: Final = re.compile(
    r"(suid|dev|remount|move|rbind|loop|offset|sizelimit|nofail|r?shared|r?private|r?slave|r?unbindable|u?helper)(=.*)?"
)
"""Options that ask for something else than this one mount, hide that there is none, or let files on it change rights on the host."""


def senseless_mount(mount: Any) -> str:
    """The field, a colon, and why no driver would mount that; empty if one does."""
    if odd := next((option for option in mount.options or () if _NOT_OPTIONS.fullmatch(option)), None):
        return f"options: {odd} is not to be given: leave it out"
    if (mount.fs_type or "").startswith("fuse"):
        return f"fsType: {mount.fs_type} lives in a process, which a mount does not keep: use a unit or a command"
    return ""
