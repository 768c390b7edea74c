"""Numbers and reasons as people read them, in words that do not change with every second.

A status that said "since 4.1 s" would be another status in the next round, and so a write, an event and a round of its own.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import Final

_STEPS: Final = (1, 2, 3, 4, 5, 7, 10, 15, 20, 30, 45, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 6 * 3600, 24 * 3600)


def roughly(seconds: float) -> str:
    """An age, rounded down to one of a few steps: `4 s`, `30 s`, `2 min`."""
    if seconds < _STEPS[0]:
        return "less than 1 s"
    step = _STEPS[bisect_right(_STEPS, seconds) - 1]
    if step < 60:
        return f"{step} s"
    return f"{step // 60} min" if step < 3600 else f"{step // 3600} h"


def first_words(text: str, limit: int = 160) -> str:
    """The beginning of what somebody else has said, on one line."""
    line = " ".join(text.split())
    return line if len(line) <= limit else f"{line[: limit - 1]}…"


def listed(names: Sequence[str], most: int = 5) -> str:
    """`n1, n2 and 3 more`."""
    if len(names) <= most:
        return ", ".join(names)
    return f"{', '.join(names[: most - 1])} and {len(names) - most + 1} more"
