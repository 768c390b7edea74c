"""In which order the resources of a service go up: each after all above it, or after those that it names. Down is the other way round.

Standard library only, and looked at by their fields alone. Resources are told apart by position: what is found on a host may share a name.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any


def needs(resources: Sequence[Any]) -> list[tuple[int, ...]]:
    """Of each, all that must be up before it, directly or not. What `fault` finds fault with has no such order."""
    direct = _direct(resources)
    found: dict[int, set[int]] = {}

    def reach(one: int) -> set[int]:
        if one not in found:
            found[one] = set(direct[one]).union(*map(reach, direct[one]))
        return found[one]

    return [tuple(sorted(reach(one))) for one in range(len(resources))]


def stops(resources: Sequence[Any]) -> list[tuple[int, ...]]:
    """Of each, all that must be down before it."""
    ups = needs(resources)
    return [tuple(up for up, under in enumerate(ups) if one in under) for one in range(len(resources))]


def fault(resources: Sequence[Any]) -> str:
    """Why there is no such order, in a sentence; empty if there is one."""
    names = [one.name for one in resources]
    for one in resources:
        for name in one.after or ():
            if name not in names:
                return f"{one.name} comes after {name}, and there is no resource of that name"
    circle = _circle(_direct(resources))
    waits = ", ".join(f"{names[one]} waits for {names[other]}" for one, other in pairwise([*circle, *circle[:1]]))
    return (
        f"{waits}: none of them could ever start (without `after` a resource waits for all above it)" if waits else ""
    )


def _direct(resources: Sequence[Any]) -> list[tuple[int, ...]]:
    at = {one.name: position for position, one in enumerate(resources)}
    return [
        tuple(range(position)) if one.after is None else tuple(at[name] for name in one.after if name in at)
        for position, one in enumerate(resources)
    ]


def _circle(direct: Sequence[Sequence[int]]) -> list[int]:
    left = set(range(len(direct)))
    while free := [one for one in left if left.isdisjoint(direct[one])]:
        left.difference_update(free)
    path = [min(left)] if left else []
    while path:
        following = min(left.intersection(direct[path[-1]]))
        if following in path:
            return path[path.index(following) :]
        path.append(following)
    return []
