"""How long links are down: a blink of one is waited out, and only what lasts counts as a failure. Told the time, so pure."""

from __future__ import annotations

from typing import Final

GRACE_S: Final = 3.0
"""A switch port that was configured anew, `ip link set … down` and `up`, a bond that changes its port: back within one or two
seconds. Longer than a detour through another host takes (stop, release, grant, start), waiting costs more than moving."""


class Blinks:
    """What was seen of each link, by name: an interface that is made anew has another index."""

    def __init__(self) -> None:
        self._down_since_s: dict[str, float] = {}
        self._last_down_s: dict[str, float] = {}

    def saw(self, name: str, *, is_up: bool, now_s: float) -> None:
        """It is up or down (or not there) now."""
        if is_up:
            if self._down_since_s.pop(name, None) is not None:
                self._last_down_s[name] = now_s
            return
        self._down_since_s.setdefault(name, now_s)
        self._last_down_s[name] = now_s

    def left_s(self, name: str, now_s: float) -> float:
        """How long it may stay down before that counts; nothing where it is up."""
        since_s = self._down_since_s.get(name)
        return 0.0 if since_s is None else max(0.0, since_s + GRACE_S - now_s)

    def blinked(self, name: str, now_s: float) -> bool:
        """It was down a moment ago: what is missing now was taken by that, and not by a person."""
        last_s = self._last_down_s.get(name)
        return last_s is not None and now_s - last_s < GRACE_S
