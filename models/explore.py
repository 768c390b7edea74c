"""Breadth-first search through every state of a small model, for the models that are written in Python.

A model is an initial state (hashable), a function that yields `(what happens, next state)` for each step anybody may take, and a
question that no reachable state may answer with yes. The search is exhaustive, so "safe" means: in no order of these steps.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from typing import TypeVar

S = TypeVar("S", bound=Hashable)

MOST_STATES = 3_000_000
"""More would not fit into a test's memory: make the model smaller."""


@dataclass(frozen=True)
class Result:
    """What a search has found."""

    states: int
    trace: tuple[str, ...] = ()
    """The steps to the first bad state; empty if there is none."""

    @property
    def safe(self) -> bool:
        return not self.trace


def explore(initial: S, steps: Callable[[S], Iterable[tuple[str, S]]], is_bad: Callable[[S], bool]) -> Result:
    """Every state that can be reached, or the shortest way to a bad one."""
    came_from: dict[S, tuple[S, str] | None] = {initial: None}
    border = [initial]
    while border:
        reached: list[S] = []
        for state in border:
            for what, after in steps(state):
                if after in came_from:
                    continue
                came_from[after] = (state, what)
                if is_bad(after):
                    return Result(len(came_from), _trace(came_from, after))
                reached.append(after)
        assert len(came_from) <= MOST_STATES, "the model is too large to be searched"
        border = reached
    return Result(len(came_from))


def stuck(
    initial: S,
    steps: Callable[[S], Iterable[tuple[str, S]]],
    healthy: Callable[[S], Iterable[tuple[str, S]]],
    is_good: Callable[[S], bool],
) -> Result:
    """The first reachable state from which no healthy steps lead to a good one, if there is such a state."""
    came_from: dict[S, tuple[S, str] | None] = {initial: None}
    order = [initial]
    for state in order:
        for what, after in steps(state):
            if after not in came_from:
                came_from[after] = (state, what)
                order.append(after)
        assert len(order) <= MOST_STATES, "the model is too large to be searched"
    leads_here: dict[S, list[S]] = {}
    for state in order:
        for _, after in healthy(state):
            leads_here.setdefault(after, []).append(state)
    fine = {state for state in order if is_good(state)}
    todo = list(fine)
    while todo:
        for before in leads_here.get(todo.pop(), ()):
            if before not in fine:
                fine.add(before)
                todo.append(before)
    bad = next((state for state in order if state not in fine), None)
    return Result(len(order)) if bad is None else Result(len(order), _trace(came_from, bad) or ("at once",))


def _trace(came_from: dict[S, tuple[S, str] | None], state: S) -> tuple[str, ...]:
    told: list[str] = []
    step = came_from[state]
    while step is not None:
        told.append(step[1])
        step = came_from[step[0]]
    return tuple(reversed(told))


@dataclass(frozen=True)
class Row:
    """One variant of a model: its name, how its rules differ, and whether it is safe."""

    name: str
    result: Callable[[], Result]
    safe: bool


def report(rows: Iterable[Row]) -> int:
    """Search every variant and print what was found; the number of surprises."""
    surprises = 0
    for row in rows:
        result = row.result()
        as_expected = result.safe == row.safe
        surprises += not as_expected
        verdict = "safe" if result.safe else "BAD"
        print(f"{row.name:76} {verdict:5} {result.states:9}{'' if as_expected else '   <<< UNEXPECTED'}", flush=True)
        if result.trace:
            print(f"      {'; '.join(result.trace)}")
    return surprises
