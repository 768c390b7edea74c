"""Where several services wait: hosts for all of them, if there is a way at all.

One after the other each would take the best host for itself, and the last might find no room though there was a way. So where that leaves
somebody out, a search looks for another way, up to a number of steps; beyond it, it is one after the other. Amounts it adds up itself; what
else may stand against a host, as rules about others do, it asks about.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Final

MOST_STEPS: Final = 20_000
"""Of one search: some tens of milliseconds."""
_STEPS_TO_ASK: Final = 60
"""What a question costs beside a step of arithmetic."""
Amounts = Mapping[str, Fraction]
Found = Mapping[str, str]
"""By key of an item: its host."""


@dataclass(frozen=True)
class Item:
    """One that waits."""

    key: str
    needs: Amounts
    hosts: Sequence[str]
    """Those that would take it, the best first."""
    may: Callable[[str, Found], bool] | None = None
    """Whether it may go to a host, where others have gone already; None: only amounts count."""


@dataclass
class Search:
    """Steps that are left, and how much is left on each host."""

    left: dict[str, dict[str, Fraction]]
    steps: int = MOST_STEPS
    found: dict[str, str] = field(default_factory=dict)

    @property
    def has_ended_early(self) -> bool:
        """Whether there may be a way that it has not come to."""
        return self.steps <= 0

    def through(self, items: Sequence[Item]) -> bool:
        """Whether there is a host for each of these, beside what is found already; then `found` has it."""
        return self._through(items, {item.key: frozenset(item.hosts) for item in items})

    def _through(self, items: Sequence[Item], able: Mapping[str, Collection[str]]) -> bool:
        if not items:
            return True
        item, tried = items[0], set()
        for host in item.hosts:
            if self.has_ended_early:
                return False
            if not self._fits(item, host):
                continue
            if item.may is None:
                same = (tuple(sorted(self.left[host].items())), tuple(host in able[other.key] for other in items))
                if same in tried:
                    continue  # two hosts with as much left, for the same services, are one
                tried.add(same)
            self.steps -= 1
            self._take(item, host, 1)
            self.found[item.key] = host
            if self._through(items[1:], able):
                return True
            del self.found[item.key]
            self._take(item, host, -1)
        return False

    def _fits(self, item: Item, host: str) -> bool:
        if any(much > self.left[host].get(name, 0) for name, much in item.needs.items()):
            return False
        if item.may is None:
            return True
        self.steps -= _STEPS_TO_ASK
        return item.may(host, self.found)

    def _take(self, item: Item, host: str, times: int) -> None:
        for name, much in item.needs.items():
            self.left[host][name] -= times * much


def search(items: Sequence[Item], free: Mapping[str, Amounts], steps: int = MOST_STEPS) -> Search:
    """Look for a host for each: `found` has all of them, or none."""
    looking = Search({host: dict(amounts) for host, amounts in free.items()}, steps)
    # Who is asked about others is asked in turn. Of the rest who has the fewest hosts, and of those who needs most, is tried first: where
    # there is no way, that is seen soonest.
    asked, rest = [one for one in items if one.may is not None], [one for one in items if one.may is None]
    looking.through([*asked, *sorted(rest, key=_hardest_first)])
    return looking


def as_many(items: Sequence[Item], free: Mapping[str, Amounts], steps: int = MOST_STEPS) -> Found:
    """Hosts for as many as there is a way for, each in its turn: who comes later gives up nobody's place."""
    looking = search((), free)
    for item in items:
        looking.steps = steps // len(items)
        if not looking.through([item]):
            again = search([one for one in items if one.key in looking.found or one is item], free, steps // len(items))
            looking = again if again.found else looking
    return looking.found


def _hardest_first(item: Item) -> tuple[int, list[Fraction], str]:
    return len(item.hosts), [-much for _, much in sorted(item.needs.items())], item.key
