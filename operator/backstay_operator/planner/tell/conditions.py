"""Conditions: what is found now, with the time since when it has been so."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

from backstay_api.objects.models.base import Condition, Model
from backstay_operator.planner.words import clipped

M = TypeVar("M", bound=Model)


@dataclass(frozen=True)
class Finding:
    """One condition, but for its time."""

    type: str
    is_true: bool | None
    """None: nobody knows."""
    reason: str
    message: str

    @property
    def status(self) -> str:
        return {True: "True", False: "False", None: "Unknown"}[self.is_true]


def updated(before: M, **wanted: Any) -> M:
    """The status with these fields: the very one from before, as nearly always; then nothing is made, nor checked once more."""
    is_same = all(getattr(before, name) == value for name, value in wanted.items())
    return before if is_same else type(before)(**wanted)


def settled(
    before: Iterable[Condition], findings: Iterable[Finding], generation: int | None, wall: str
) -> list[Condition]:
    """The findings as conditions. One whose status is as before keeps its time."""
    known = {condition.type: condition for condition in before}
    return [_condition(known.get(finding.type), finding, generation, wall) for finding in findings]


def _condition(before: Condition | None, finding: Finding, generation: int | None, wall: str) -> Condition:
    message = clipped(finding.message)
    is_same = before is not None and before.status == finding.status
    if before is not None and is_same:
        known_as = (before.reason, before.message, before.observed_generation)
        if known_as == (finding.reason, message, generation):
            return before  # as nearly always
    return Condition(
        type=finding.type,
        status=finding.status,
        reason=finding.reason,
        message=message,
        last_transition_time=before.last_transition_time if before is not None and is_same else wall,
        observed_generation=generation,
    )
