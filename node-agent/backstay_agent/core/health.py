"""When a probe has seen enough: thresholds, as in Kubernetes, as a pure function."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Verdict(Enum):
    """What a probe thinks of its resource."""

    UNKNOWN = "Unknown"
    WORKS = "Works"
    FAILS = "Fails"


@dataclass(frozen=True)
class Thresholds:
    """How many answers in a row it takes to change a verdict."""

    failures: int
    successes: int


@dataclass(frozen=True)
class Health:
    """The verdict, and how many answers in a row spoke against it."""

    verdict: Verdict = Verdict.UNKNOWN
    against: int = 0
    last_was_good: bool | None = None


def judge(health: Health, good: bool, thresholds: Thresholds) -> Health:
    """Take one more answer into account."""
    wanted = Verdict.WORKS if good else Verdict.FAILS
    if health.verdict is wanted:
        return Health(wanted, 0, good)
    in_a_row = health.against + 1 if health.last_was_good is good else 1
    if in_a_row >= (thresholds.successes if good else thresholds.failures):
        return Health(wanted, 0, good)
    return Health(health.verdict, in_a_row, good)
