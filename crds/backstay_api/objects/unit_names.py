"""A unit's name in its one form, however a manifest spells it. Standard library only: the operator and the agent read a name alike."""

from __future__ import annotations

import re
import string
from functools import lru_cache
from typing import Final

_ESCAPE: Final = re.compile(r"\\x([0-9a-fA-F]{2})")
_UNESCAPED: Final = frozenset(string.ascii_letters + string.digits + ":_.")


_SUFFIXES: Final = (
    ".service",
    ".socket",
    ".target",
    ".timer",
    ".path",
    ".mount",
    ".automount",
    ".slice",
    ".scope",
    ".device",
    ".swap",
)


def unit_as_typed(name: str) -> str:
    """What people leave out of it added, as `systemctl` does: `php8.2-fpm` is a service, dots and all."""
    return name if name.endswith(_SUFFIXES) else f"{name}.service"


@lru_cache(maxsize=16384)
def canonical_unit(unit: str) -> str:
    r"""The unit's name in its one form: what systemd writes as `\x2d` and the like is one name, however many ways it is spelled.

    Aliases are another matter: they are known on the host alone, which refuses them (the agent says not ready).
    """
    stem, dot, suffix = unit.rpartition(".")
    return f"{re.sub(_ESCAPE, _plain, stem)}{dot}{suffix}"


def _plain(found: re.Match[str]) -> str:
    letter = chr(int(found[1], 16))
    return letter if letter in _UNESCAPED else f"\\x{found[1].lower()}"
