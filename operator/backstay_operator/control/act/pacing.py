"""Which of a plan's actions are carried out in this round. Pure: times and plans in, actions out; nothing is awaited here.

Three reasons to wait: the object has a write of ours under way; the very same attempt was made a moment ago (it failed,
or had no effect); this replica does not lead, and the action has not yet stood long enough (PROTOCOL 1).
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from backstay_api.objects.kinds import Ref
from backstay_operator.planner.actions import Action, ReportUnreadable

FOLLOWER_WAIT_S: Final = 1.5
"""An action that has stood unchanged for so long in the plan of a replica that does not lead is carried out by it."""
FIRST_PAUSE_S: Final = 0.05
LONGEST_PAUSE_S: Final = 5.0

_Id = tuple[str, str, str]
"""Type of action, kind and key of its object."""


@dataclass(frozen=True)
class _Decision:
    """An action as it is recognised when it is decided again."""

    version: str
    intent: object


@dataclass
class _Attempts:
    decision: _Decision
    count: int
    not_before_s: float
    whatever: bool
    """The way to the API server was in trouble: another decision about the same object would fare no better."""


@dataclass
class _Standing:
    decision: _Decision
    since_s: float


@dataclass(frozen=True)
class Turn:
    """What is to be done in this round, and when waiting ends for the first of those that wait."""

    actions: tuple[Action, ...]
    wake_at_s: float | None


class Turns:
    """Keeps what was tried and what stands."""

    def __init__(self, *, version: Callable[[Ref], str], rng: random.Random) -> None:
        """`version`: the newest version that is known of an object."""
        self._version = version
        self._rng = rng
        self._tried: dict[_Id, _Attempts] = {}
        self._standing: dict[_Id, _Standing] = {}
        self._under_way: set[tuple[str, str]] = set()
        self._reported: dict[tuple[str, str], object] = {}
        """What was last told of an object that cannot be read: its status cannot be read either, to see that it says so."""

    def take(self, actions: Iterable[Action], *, now_s: float, leads: bool) -> Turn:
        """Choose what is begun now; it counts as under way until `done`."""
        chosen: list[Action] = []
        waits: list[float] = []
        seen: set[_Id] = set()
        for action in actions:
            ref = action.ref
            if isinstance(action, ReportUnreadable) and self._reported.get(ref.id) == action.intent:
                continue
            id_ = _id(action, ref)
            seen.add(id_)
            due_s = self._due_s(id_, _Decision(self._version(ref), action.intent), now_s=now_s, leads=leads)
            if due_s > now_s:
                waits.append(due_s)
            elif ref.id not in self._under_way:
                self._under_way.add(ref.id)
                chosen.append(action)
        self._forget_all_but(seen)
        return Turn(tuple(chosen), min(waits, default=None))

    def done(
        self, action: Action, *, decided_at: str, now_s: float, in_trouble: bool = False, in_effect: bool = False
    ) -> None:
        """The write has ended, well or not. If it is decided again from the same version, it has to wait."""
        ref = action.ref
        self._under_way.discard(ref.id)
        if in_effect and isinstance(action, ReportUnreadable):
            self._reported[ref.id] = action.intent
        id_ = _id(action, ref)
        decision = _Decision(decided_at, action.intent)
        before = self._tried.get(id_)
        is_again = before is not None and (before.decision == decision or (in_trouble and before.whatever))
        count = before.count + 1 if before is not None and is_again else 1
        self._tried[id_] = _Attempts(decision, count, now_s + self._pause_s(count), in_trouble)

    def retry_now(self) -> None:
        """The API server is back: nobody waits for what went wrong without it."""
        self._tried.clear()

    @property
    def under_way(self) -> int:
        return len(self._under_way)

    def _due_s(self, id_: _Id, decision: _Decision, *, now_s: float, leads: bool) -> float:
        tried = self._tried.get(id_)
        due_s = now_s
        if tried is not None and (tried.whatever or tried.decision == decision):
            due_s = tried.not_before_s
        if leads:
            return due_s
        standing = self._standing.get(id_)
        if standing is None or standing.decision != decision:
            standing = self._standing[id_] = _Standing(decision, now_s)
        return max(due_s, standing.since_s + FOLLOWER_WAIT_S)

    def _pause_s(self, count: int) -> float:
        bound_s: float = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2.0 ** min(count - 1, 20))
        return bound_s * self._rng.uniform(0.5, 1.0)

    def _forget_all_but(self, seen: set[_Id]) -> None:
        """What is no longer decided starts afresh if it ever is again; except while its write is under way."""
        for memory in (self._tried, self._standing):
            for id_ in [id_ for id_ in memory if id_ not in seen and id_[1:] not in self._under_way]:
                del memory[id_]


def _id(action: Action, ref: Ref) -> _Id:
    return (type(action).__name__, *ref.id)
