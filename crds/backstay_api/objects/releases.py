"""Which releases go with each other: an operator serves agents of its own, and of some before it. Standard library only."""

from __future__ import annotations

import re
from typing import Final, Literal

SERVED: Final = 2
"""An operator serves agents of its own release, and of so many before it."""

Skew = Literal["", "Other", "Newer", "TooOld"]
"""Of an agent beside its operator. Other: they go with each other all the same."""


def skew(agent: str, operator: str) -> Skew:
    """By the first two numbers of their versions. Nothing is said of what is not known."""
    if not agent or not operator or agent == operator:
        return ""
    (major, minor), (its_major, its_minor) = _release(operator), _release(agent)
    if (its_major, its_minor) > (major, minor):
        return "Newer"
    return "TooOld" if its_major < major or minor - its_minor > SERVED else "Other"


def _release(version: str) -> tuple[int, int]:
    numbers = re.match(r"v?([0-9]+)\.([0-9]+)", version)
    return (int(numbers[1]), int(numbers[2])) if numbers else (0, 0)
