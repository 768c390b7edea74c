"""What the fencer knows of its own work, as plain numbers: kept where things happen, rendered by `metrics.py`. Of this life of it alone."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Final, Literal

BOUNDS_S: Final = (1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 60.0, 120.0, 300.0)
"""From a second (a power strip) to five minutes (a person is looking for the machine)."""
Outcome = Literal["Proven", "Withdrawn"]


@dataclass
class Counters:
    """Since this process began."""

    fences: Counter[Outcome] = field(default_factory=Counter)
    """Requests for `off` that came to an end. Withdrawn: the host came back, or a person confirmed, before a device proved anything."""
    counts: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS_S) + 1))
    """Of the proven: by the first bound that they took no longer than, the rest last."""
    sum_s: float = 0.0
    runs: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Of fence agents, those of the regular tests too: by action, and `Done` or `Failed`."""

    def ran(self, action: str, *, exit_code: int | None) -> None:
        """A fence agent has ended, or was ended (None). Off is what exit 2 of a status says, no failure."""
        is_done = exit_code == 0 or (action == "status" and exit_code == 2)
        self.runs[action, "Done" if is_done else "Failed"] += 1


class FenceTime:
    """From when a request wanted `off` until that was proven, or withdrawn: counted once."""

    def __init__(self, counters: Counters) -> None:
        self._counters = counters
        self._asked_at_s: float | None = None

    def see(self, *, want: str, is_proven: bool, now_s: float) -> None:
        """The request as it is now. What was proven before anybody looked is nobody's number."""
        if self._asked_at_s is None:
            self._asked_at_s = now_s if want == "Off" and not is_proven else None
        elif is_proven:
            self._end("Proven", now_s - self._asked_at_s)
        elif want == "Withdrawn":
            self._end("Withdrawn", None)

    def _end(self, outcome: Outcome, took_s: float | None) -> None:
        self._asked_at_s = None
        self._counters.fences[outcome] += 1
        if took_s is not None:
            at = next((index for index, bound_s in enumerate(BOUNDS_S) if took_s <= bound_s), len(BOUNDS_S))
            self._counters.counts[at] += 1
            self._counters.sum_s += took_s
