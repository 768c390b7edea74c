"""Numbers and reasons as people read them, in words that do not change with every second.

A status that said "since 4.1 s" would be another status in the next round, and so a write, an event and a round of its own.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from typing import Final

from backstay_api.objects.texts import clip

_RFC3339: Final = re.compile(r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d(?:\.\d+)?)(?:Z|\+00:00)")
_STEPS: Final = (1, 2, 3, 4, 5, 7, 10, 15, 20, 30, 45, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 6 * 3600, 24 * 3600)

UNMANAGED: Final = "spec.state is Unmanaged: it is watched, and nothing of it is touched"

WORKS_PARTLY: Final = "WorksPartly"
"""Reason of the condition Degraded: it runs and works, and its host says what is not as it should be."""

SUSPECT: Final = "Suspect"
"""Reason too: its checks get no answer in time, and its host says why that may be slowness, and how long it waits."""

SECOND_COPY: Final = "SecondCopy"
"""Reason too: a host says that it runs something of a service which was granted to another, and which two must not run."""

NOT_REACHABLE: Final = "NotReachable"
"""Reason too: it works where it runs, and hosts that ask as its clients do (probes `from: Standby`) get no good answer."""

UNCLEAR: Final = "cannot say whether it runs there"
"""Of hosts where nothing of a service is seen to run, but it could not be told either."""


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


def clipped(text: str) -> str:
    """No longer than a status may hold."""
    return clip(text, 4000)


def and_(names: Sequence[str]) -> str:
    """`n1`, `n1 and n2`, `n1, n2 and n3`: all of them, however many."""
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def elapsed_s(start: str, end: str) -> float | None:
    """Seconds between two RFC 3339 times in UTC, for people's eyes; none where one of them is unreadable."""
    one, other = _seconds(start), _seconds(end)
    return None if one is None or other is None else other - one


def _seconds(wall: str) -> float | None:
    found = _RFC3339.fullmatch(wall)
    if not found:
        return None
    year, month, day, hour, minute, second = (float(part) for part in found.groups())
    # Days since the beginning of an era, with years that begin in March so that the leap day comes last.
    year, month = (year - 1, month + 9) if month < 3 else (year, month - 3)
    days = 365 * year + year // 4 - year // 100 + year // 400 + (153 * month + 2) // 5 + day
    return days * 86400 + hour * 3600 + minute * 60 + second


def joined(*sentences: str) -> str:
    """Those that say anything, one after the other."""
    return "; ".join(filter(None, sentences))


def listed(names: Sequence[str], most: int = 5) -> str:
    """`n1, n2 and 3 more`."""
    if len(names) <= most:
        return ", ".join(names)
    return f"{', '.join(names[: most - 1])} and {len(names) - most + 1} more"


def within_a_sentence(text: str) -> str:
    """The beginning of a text, as part of another sentence."""
    said = first_words(text)
    return said[:1].lower() + said[1:]
