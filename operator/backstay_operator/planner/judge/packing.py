"""Where several services wait that need capacity: hosts for all of them, if there is a way at all.

One after the other each would take the best host for itself, and the last might find no room though there was a way. So where that leaves
somebody out, a search looks for another way, up to a number of steps; beyond it, it is one after the other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

MOST_STEPS: Final = 20_000
"""Of one search: some tens of milliseconds."""
Amounts = Mapping[str, Fraction]


@dataclass(frozen=True)
class Item:
    """One that waits."""

    key: str
    needs: Amounts
    hosts: Sequence[str]
    """Those that would take it, the best first."""


def all_of_them(items: Sequence[Item], free: Mapping[str, Amounts], steps: int = MOST_STEPS) -> dict[str, str] | None:
    """A host for each, or None: there is no way, or none was found within so many steps."""
    left = {host: dict(amounts) for host, amounts in free.items()}
    # Who has the fewest hosts, and of those who needs most, is tried first: where there is no way, that is seen soonest.
    ordered = sorted(
        items, key=lambda item: (len(item.hosts), [-much for _, much in sorted(item.needs.items())], item.key)
    )
    return _search(ordered, left, {}, [steps])


def _search(
    items: Sequence[Item], left: dict[str, dict[str, Fraction]], found: dict[str, str], steps: list[int]
) -> dict[str, str] | None:
    if len(found) == len(items):
        return dict(found)
    item, tried = items[len(found)], set()
    for host in item.hosts:
        same = (tuple(sorted(left[host].items())), tuple(host in other.hosts for other in items))
        if same in tried or not _fits(item, left[host]) or steps[0] <= 0:
            continue  # two hosts with as much left, for the same services, are one
        tried.add(same)
        steps[0] -= 1
        _take(item, left[host], 1)
        if answer := _search(items, left, {**found, item.key: host}, steps):
            return answer
        _take(item, left[host], -1)
    return None


def _fits(item: Item, left: Amounts) -> bool:
    return all(much <= left.get(name, 0) for name, much in item.needs.items())


def _take(item: Item, left: dict[str, Fraction], times: int) -> None:
    for name, much in item.needs.items():
        left[name] -= times * much
