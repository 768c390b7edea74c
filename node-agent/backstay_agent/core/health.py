"""When a check has seen enough: thresholds, as in Kubernetes, and what is slow rather than dead. Pure functions.

What answers that it fails, fails. What does not answer in time may only be slow: then it is suspected, and asked some times more, once
an episode, where its host (or its own control group) is under pressure, or where its answers took long before they ceased to come.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from typing import Final

HIGH_PERCENT: Final = 40.0
"""Pressure from here on explains a missing answer. An idle host is near 0, a busy one that keeps up below 20; systemd-oomd acts at 60."""
RECENT: Final = 5
"""So many answers are remembered; and so many good ones in a row end an episode."""
SLOW: Final = 2
"""So many of the last answers have to be slow: one alone is chance."""
SLOW_SHARE: Final = 0.5
"""Slow is what took this part of its time limit or more."""
LEAST_MORE_S: Final = 10.0
"""PSI looks back ten seconds: what is over within that is worth waiting for."""
MOST_MORE_S: Final = 60.0


class Verdict(Enum):
    """What a check thinks of its resource."""

    UNKNOWN = "Unknown"
    WORKS = "Works"
    SUSPECT = "Suspect"
    """It does not answer in time, and that may be slowness: nothing is done about it yet."""
    FAILS = "Fails"


@dataclass(frozen=True, slots=True)
class Pressure:
    """Part of the last ten seconds in which something had to wait (PSI, `some avg10`)."""

    whose: str
    what: str
    percent: float

    @property
    def words(self) -> str:
        return f"{self.whose} {self.what} pressure is {self.percent:.0f} %"


@dataclass(frozen=True, slots=True)
class Signs:
    """What was seen around a question that got no answer."""

    pressures: tuple[Pressure, ...] = ()
    hanging: tuple[str, ...] = ()
    """Processes of the resource that wait in the kernel (D state), where nothing ends them: for people."""


CALM: Final = Signs()


@dataclass(frozen=True, slots=True)
class Look:
    """One question."""

    good: bool
    took_s: float = 0.0
    in_time: bool = True
    """False: there was no answer."""


@dataclass(frozen=True)
class Thresholds:
    """How many answers in a row it takes to change a verdict, and how long more one is waited for that may be slow."""

    failures: int
    successes: int
    limit_s: float = 1.0
    """How long an answer may take."""
    every_s: float = 0.0
    """From one question to the next, if the first is answered at once."""
    more: int = 0
    """How often what may be slow is asked beyond `failures`."""

    @property
    def more_s(self) -> float:
        return self.more * max(self.every_s, self.limit_s)


def patient(by: Thresholds) -> Thresholds:
    """With the extension: as long again as `failures` take, within bounds; in any case one question."""
    step_s = max(by.every_s, by.limit_s)
    wait_s = min(max(by.failures * step_s, LEAST_MORE_S), MOST_MORE_S)
    return replace(by, more=max(1, int(wait_s / step_s)))


@dataclass(frozen=True)
class Health:
    """The verdict, and what it stands on."""

    verdict: Verdict = Verdict.UNKNOWN
    row: int = 0
    """Answers in a row that were as the last one, good or not."""
    last_was_good: bool | None = None
    refused: bool = False
    """One of the present row of bad ones was an answer: it does not work, and is not slow."""
    took_s: tuple[float, ...] = ()
    """Of the last good answers."""
    spent: int = 0
    """Questions beyond the threshold in this episode."""
    why: str = ""
    """Why it is suspected; or that it was, if that is why it failed only now."""


def judge(health: Health, look: Look, by: Thresholds, signs: Signs = CALM) -> Health:
    """Take one more answer into account."""
    now = _counted(health, look)
    if look.good:
        return replace(now, verdict=Verdict.WORKS, why="") if now.row >= by.successes else now
    if now.verdict is Verdict.FAILS or (now.verdict is not Verdict.SUSPECT and now.row < by.failures):
        return now
    if now.refused:
        return replace(now, verdict=Verdict.FAILS, why="")
    if now.verdict is Verdict.SUSPECT:
        return _suspected_on(now, by)
    why = _why_slow(now, by, signs) if now.spent < by.more else ""
    return replace(now, verdict=Verdict.SUSPECT if why else Verdict.FAILS, why=why)


def _counted(health: Health, look: Look) -> Health:
    row = health.row + 1 if health.last_was_good is look.good else 1
    return replace(
        health,
        row=row,
        last_was_good=look.good,
        refused=not look.good and (look.in_time or health.refused),
        took_s=(*health.took_s, look.took_s)[-RECENT:] if look.good else health.took_s,
        spent=0 if look.good and row >= RECENT else health.spent,
    )


def _suspected_on(now: Health, by: Thresholds) -> Health:
    spent = now.spent + 1
    if spent < by.more:
        return replace(now, spent=spent)
    why = f"it was given {by.more_s:g} s more, for it might only have been slow"
    return replace(now, spent=spent, verdict=Verdict.FAILS, why=why)


def no_answer(limit_s: float, signs: Signs) -> str:
    """What is said of a question without an answer."""
    return joined(f"no answer within {limit_s:g} s", hanging(signs))


def hanging(signs: Signs) -> str:
    """What hangs, for people; empty if nothing does."""
    return f"it hangs in the kernel (D state): {', '.join(signs.hanging)}" if signs.hanging else ""


def joined(*sentences: str) -> str:
    return "; ".join(filter(None, sentences))


def _why_slow(now: Health, by: Thresholds, signs: Signs) -> str:
    """Why a missing answer may be late, in a sentence; empty if nothing speaks for that."""
    slow = len(now.took_s) >= SLOW and min(now.took_s[-SLOW:]) >= SLOW_SHARE * by.limit_s
    high = [one.words for one in signs.pressures if one.percent >= HIGH_PERCENT]
    if not slow and not high:
        return ""
    waits = f"waiting up to {(by.more - now.spent) * max(by.every_s, by.limit_s):g} s more before it counts as failed"
    return joined(f"answers slowly: {_took(now, by)}", *high, hanging(signs), waits)


def _took(now: Health, by: Thresholds) -> str:
    if not now.took_s:
        return f"no answer within {by.limit_s:g} s"
    low, high, count = f"{min(now.took_s):.1f}", f"{max(now.took_s):.1f}", len(now.took_s)
    took = high if low == high else f"{low}-{high}"
    which = f"last {count} answers" if count > 1 else "last answer"
    return f"its {which} took {took} s of {by.limit_s:g} s, and then none came"
