"""Events for people: what was decided and refused, and why, beside the object that it is about.

events.k8s.io/v1, with a series for what repeats. Telling is never allowed to delay doing: `record` only puts into a bounded
queue, one task posts, and what is too much for an object or cannot be posted is counted and dropped.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Literal

from backstay_api.client.api import Api
from backstay_api.client.errors import ApiError
from backstay_api.objects.durations import to_the_microsecond
from backstay_api.objects.kinds import EVENTS, Raw, Ref
from backstay_operator.control.act.apply import Outcome, Result
from backstay_operator.control.counters import Counters
from backstay_operator.planner.actions import Action
from backstay_operator.planner.events import REFUSED

log = logging.getLogger(__name__)

QUEUE: Final = 256
BURST: Final = 20
"""Events of one reason that an object may have at once…"""
REFILL_S: Final = 20.0
"""…and then one in so long."""
SERIES_S: Final = 300.0
"""The same sentence within this time is one Event with a count."""
_REMEMBERED: Final = 2048
_NOTE_LIMIT_BYTES: Final = 1024
_POST_TIMEOUT_S: Final = 5.0
_NO_REASON: Final = "the plan says so"

Type = Literal["Normal", "Warning"]


@dataclass(frozen=True)
class Posting:
    """One Event that is to be posted."""

    regarding: Ref
    uid: str
    type: Type
    reason: str
    action: str
    note: str


@dataclass
class _Series:
    namespace: str
    name: str
    count: int
    last_s: float


class Recorder:
    """Posts Events, one at a time, never in anybody's way."""

    def __init__(
        self, api: Api, counters: Counters, *, identity: str, clock: Callable[[], float], wall: Callable[[], str]
    ) -> None:
        self._api = api.lane("telling")
        self._counters = counters
        self._identity = identity
        self._clock = clock
        self._wall = wall
        self._queue: deque[Posting] = deque()
        self._some = asyncio.Event()
        self._allowance: dict[tuple[str, str], tuple[float, float]] = {}
        """By UID and reason: Events it may still have, and as of when. What comes often never silences what comes once."""
        self._series: dict[Posting, _Series] = {}

    def record(self, posting: Posting) -> None:
        """Put it into the queue, if there is room and the same has not been recorded of the object too often."""
        if len(self._queue) >= QUEUE or not self._may(posting):
            self._counters.events_lost += 1
            return
        self._queue.append(posting)
        self._some.set()

    async def run(self) -> None:
        while True:
            await self._some.wait()
            self._some.clear()
            while self._queue:
                posting = self._queue.popleft()
                try:
                    await self._post(posting)
                except ApiError as error:
                    self._counters.events_lost += 1
                    log.debug("event not posted", extra={"reason": posting.reason, "why": str(error)})

    def _may(self, posting: Posting) -> bool:
        now_s, key = self._clock(), (posting.uid, posting.reason)
        left, since_s = self._allowance.get(key, (float(BURST), now_s))
        left = min(float(BURST), left + (now_s - since_s) / REFILL_S)
        _trim(self._allowance)
        self._allowance[key] = (max(0.0, left - 1), now_s)
        return left >= 1

    async def _post(self, posting: Posting) -> None:
        now_s, now = self._clock(), to_the_microsecond(self._wall())
        series = self._series.get(posting)
        if series is not None and now_s - series.last_s < SERIES_S:
            series.count, series.last_s = series.count + 1, now_s
            body: Raw = {"series": {"count": series.count, "lastObservedTime": now}}
            await self._api.patch(EVENTS, series.name, body, series.namespace, timeout_s=_POST_TIMEOUT_S)
            return
        namespace = posting.regarding.namespace or "default"
        written = await self._api.create(
            EVENTS, self._event(posting, namespace, now), namespace, timeout_s=_POST_TIMEOUT_S
        )
        _trim(self._series)
        self._series[posting] = _Series(namespace, written["metadata"]["name"], 1, now_s)

    def _event(self, posting: Posting, namespace: str, now: str) -> Raw:
        kind = posting.regarding.kind
        regarding = {
            "apiVersion": kind.api_version,
            "kind": kind.kind,
            "namespace": posting.regarding.namespace,
            "name": posting.regarding.name,
            "uid": posting.uid,
        }
        return {
            "metadata": {"generateName": f"{posting.regarding.name[:200]}-", "namespace": namespace},
            "eventTime": now,
            "reportingController": "backstay.dev/operator",
            "reportingInstance": self._identity[:128],
            "regarding": {name: value for name, value in regarding.items() if value},
            "type": posting.type,
            "reason": posting.reason,
            "action": posting.action,
            "note": posting.note.encode("utf-8", "replace")[:_NOTE_LIMIT_BYTES].decode(errors="ignore"),
        }


def posting_of(action: Action, result: Result, uid_of: Callable[[Ref], str]) -> Posting | None:
    """The Event for what was done or refused; None where it is no news for people."""
    name = type(action).__name__
    if result.outcome is Outcome.REFUSED:
        note = f"{name} was refused: {result.why} (it was wanted because {action.why or _NO_REASON})"
        return Posting(action.ref, uid_of(action.ref), REFUSED.type, REFUSED.reason, name, note)
    event = action.event() if result.outcome is Outcome.DONE else None
    if event is None:
        return None
    return Posting(event.about, uid_of(event.about), event.type, event.reason, name, event.note or _NO_REASON)


def _trim(memory: dict[Any, Any]) -> None:
    """Forget the oldest."""
    while len(memory) >= _REMEMBERED:
        del memory[next(iter(memory))]
