"""What was sent for one request, as we count it and as the request tells it: by us, by an earlier life of the fencer, or by another
fencer beside us (there should be one; a cluster may start a second before it has lost the first).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal

from backstay_api.objects.models.fencing import Attempt
from backstay_api.objects.texts import clip

from . import core
from .facts import Read, Slot, Tried

ATTEMPTS_KEPT: Final = 32
RESULT_CHARS: Final = 1024
_NAMES: Final = ("level", "device", "action", "at", "by")


@dataclass
class Record:
    """One `off` or `on`: as we count it, and as the request tells it."""

    tried: Tried
    attempt: dict[str, Any]
    stored: dict[str, Any] | None = None
    """As another has told it last, if it is not ours."""

    def end(self, now_s: float, *, result: str, ours: bool, failed: str = "", unsent: bool = False) -> None:
        self.tried = replace(self.tried, ended_s=now_s, ours=ours, unsent=unsent, failed=failed)
        self.attempt |= {"result": clip(result, RESULT_CHARS), "ours": ours}

    def sends(self) -> None:
        """It stands in the request from now on, and is sent next."""
        self.tried = replace(self.tried, ours=True)
        self.attempt |= {"ours": True, "result": "sent; no answer yet"}


@dataclass
class Records:
    """All of one request, told by the fencer of this name."""

    by: str
    all: list[Record] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.all)

    def tried(self) -> tuple[Tried, ...]:
        """As we count them."""
        return tuple(record.tried for record in self.all)

    def begin(self, slot: Slot, action: Literal["off", "on"], *, at: str, now_s: float) -> Record:
        """One more, which has been decided and not been sent yet."""
        fields: dict[str, Any] = {"level": slot[0], "device": slot[1], "action": action, "at": at, "by": self.by}
        fields |= {"ours": False, "result": f"{core.UNSENT} yet"}
        record = Record(Tried(slot, action, now_s, None, ours=False), fields)
        self.all.append(record)
        self._forget()
        return record

    def observe(self, attempts: Iterable[Attempt], *, now_s: float, at_s: float) -> None:
        """What the request tells of others counts as sent: it decides who may switch on again. `at_s`: when it shall count as tried."""
        known = {_name(record.attempt): record for record in self.all}
        for attempt in attempts:
            fields = {**attempt.wire(), "ours": attempt.ours}
            record = known.get(_name(fields))
            if record is None:
                record = Record(_as_tried(attempt, at_s, now_s), dict(fields), fields)
                self.all.append(record)
            elif record.attempt == record.stored != fields:
                record.tried = replace(record.tried, ours=attempt.ours)
                record.attempt, record.stored = dict(fields), fields
        self._forget()

    def _forget(self) -> None:
        """Of a board that says on for months only those tries are kept that anything is decided by: of each device and action the first and
        the latest, what has not ended, and the last `off` that is ours."""
        of = defaultdict[tuple[Slot, str], list[Record]](list)
        for record in self.all:
            of[record.tried.slot, record.tried.action].append(record)
        old = {id(one) for each in of.values() for one in each[1:-ATTEMPTS_KEPT] if one.tried.ended_s is not None}
        old -= {id(one) for each in of.values() for one in [one for one in each if one.tried.ours][-1:]}
        self.all = [one for one in self.all if id(one) not in old]

    def see(self, slot: Slot, read: Read) -> None:
        """A read may show that an `off` did nothing."""
        for record in self.all:
            if core.without_effect(record.tried, slot, read):
                record.tried = replace(record.tried, ours=False)
                record.attempt |= {"ours": False, "result": f"{record.attempt['result']}; read on afterwards"}

    def wire(self) -> list[dict[str, Any]]:
        """The latest, and before them the last `off` of each device that is ours: it decides who may switch on again."""
        latest = [dict(record.attempt) for record in self.all[-ATTEMPTS_KEPT:]]
        older = self.all[:-ATTEMPTS_KEPT]
        offs = {record.tried.slot: record for record in older if record.tried.action == "off" and record.tried.ours}
        kept = [dict(record.attempt) for record in offs.values()]
        return [*kept, *latest[len(kept) :]]


def _name(told: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(told.get(name, "") for name in _NAMES)


def _as_tried(attempt: Attempt, at_s: float, now_s: float) -> Tried:
    slot, failed = (attempt.level, attempt.device), "" if attempt.ours else core.UNSENT
    ours = attempt.ours
    return Tried(slot, attempt.action, at_s, at_s, ours=ours, unsent=not ours, failed=failed, known_s=now_s)
