"""How often what fails is restarted where it is, and when: the same numbers for the agent that does it and for whoever explains it.

Standard library only, and looked at by its fields alone, so that the models and the agent's plain classes are both understood.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, Literal

from .durations import seconds

ErrorType = Literal["Soft", "Hard", "Fatal"]
"""Of a failure, as OCF and Pacemaker have them. Soft: the next try may succeed. Hard: none on this host, until somebody mends something there.
Fatal: none anywhere."""
_BY_GRAVITY: Final[tuple[ErrorType, ...]] = ("Soft", "Hard", "Fatal")

_DOUBLINGS_MOST: Final = 64
"""Longer than any `max` by then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Three restarts in place in ten minutes, if nobody says otherwise; then another host shall try."""

    restarts: int = 3
    window: str = "10m"
    """As the manifest has it."""
    first_s: float = 1.0
    longest_s: float = 30.0

    @property
    def window_s(self) -> float:
        return seconds(self.window)

    @property
    def used_up(self) -> str:
        """What is said when one more would be too many."""
        times = "once" if self.restarts == 1 else f"{self.restarts} times"
        return f"restarted in place {times} within {self.window}" if self.restarts else "recovery.restarts is 0"

    def pause_s(self, tried: int) -> float:
        """After so many tries within the window: 1 s, 2 s, 4 s …"""
        return min(self.first_s * 2.0 ** min(tried - 1, _DOUBLINGS_MOST), self.longest_s)

    def lasts_s(self) -> float:
        """From the first restart to the last, where each fails at once."""
        return sum(map(self.pause_s, range(1, self.restarts)))


def policy_of(recovery: Any) -> Policy:
    """What a manifest or an order says, with the default of what it does not say. None: nothing."""
    default, backoff = Policy(), getattr(recovery, "backoff", None)
    if recovery is None:
        return default
    first_s = default.first_s if backoff is None or backoff.initial is None else seconds(backoff.initial)
    longest_s = max(default.longest_s, first_s) if backoff is None or backoff.max is None else seconds(backoff.max)
    return Policy(
        restarts=default.restarts if recovery.restarts is None else recovery.restarts,
        window=recovery.window or default.window,
        first_s=first_s,
        longest_s=longest_s,
    )


def worst(found: Iterable[ErrorType]) -> ErrorType:
    """Of what has gone wrong together, what stands against a next try the most."""
    return max(found, key=_BY_GRAVITY.index, default="Soft")
