"""Durations as people write them ("500ms", "1m30s") and as we count them (seconds). Standard library only."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Final

_UNITS_S: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h)")


def seconds(text: str) -> float:
    """Read a duration.

    Raises ValueError with a sentence where the text is none.
    """
    parts = _PART.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise ValueError(f"{text!r} is not a duration: write for example 500ms, 3s or 1m30s")
    return sum(float(number) * _UNITS_S[unit] for number, unit in parts)


def later(wall: str, seconds_: float) -> str:
    """A time for people, so long after another, to the second."""
    at = datetime.fromisoformat(wall) + timedelta(seconds=seconds_)
    return f"{at.replace(tzinfo=None).isoformat(timespec='seconds')}Z"


def between_s(earlier: str, wall: str) -> float:
    """Seconds from one time for people to another, in whatever zones they are told. Raises ValueError where one is none: 30 February."""
    return (datetime.fromisoformat(wall) - datetime.fromisoformat(earlier)).total_seconds()


def shifted(wall: str, seconds_: float = 0.0) -> str:
    """A time for people, so long after another, or before it, to the millisecond."""
    at = datetime.fromisoformat(wall) + timedelta(seconds=seconds_)
    return f"{at.replace(tzinfo=None).isoformat(timespec='milliseconds')}Z"


def to_the_second(wall: str) -> str:
    """A time in UTC without its fraction, as Kubernetes writes it."""
    return f"{wall.partition('.')[0].removesuffix('Z')}Z"


def to_the_microsecond(wall: str) -> str:
    """A time in UTC as a Lease and an Event need it (`metav1.MicroTime`)."""
    whole, _, fraction = wall.removesuffix("Z").partition(".")
    return f"{whole}.{fraction[:6]:0<6}Z"
