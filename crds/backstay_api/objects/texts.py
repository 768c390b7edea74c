"""Sentences for people, as long as an object may carry them. Whoever makes a text clips it: a refused write says nothing at all."""

from __future__ import annotations

import json
from math import isfinite
from typing import Any, Final

MOST: Final = 4096
"""What the schema takes for a `Text`."""
_MORE: Final = "…"


def clip(text: str, most: int = MOST) -> str:
    """The text, or as much of it as fits, with "…" at the end; and only what can be written at all."""
    if not text.isascii():
        # Half a character, as the name of a file may hold one: no JSON can carry it.
        text = text.encode("utf-8", "replace").decode("utf-8")
    return text if len(text) <= most else text[: most - len(_MORE)] + _MORE


def read_json(text: str | bytes) -> Any:
    """What a person, a host or a device has written. Raises ValueError for all that is not JSON, or that Python alone reads: numbers
    without bounds, half characters, lists within lists without end."""
    try:
        value = json.loads(text, parse_float=_finite, parse_constant=_finite)
        json.dumps(value, ensure_ascii=False).encode()
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    return value


def _finite(text: str) -> float:
    number = float(text)
    if not isfinite(number):
        raise ValueError(f"{text[:32]} is no number")
    return number


def confirm_by_hand(host: str) -> str:
    """How a person says that they have seen a machine powered off."""
    return f"`backstay fence {host} --confirm`"
