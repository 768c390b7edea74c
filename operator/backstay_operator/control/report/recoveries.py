"""Failovers that have just ended, for the metrics: told once, by the replica that wrote so."""

from __future__ import annotations

from collections.abc import Iterator

from backstay_operator.planner.actions import Action, WriteServiceStatus
from backstay_operator.planner.words import elapsed_s


def answered(action: Action) -> Iterator[tuple[str, float]]:
    """Cause, and seconds from what went wrong to the first answer, of each record that this status completes."""
    if not isinstance(action, WriteServiceStatus):
        return
    over = {(one.slot, one.epoch) for one in action.before.status.failovers if one.is_over}
    for record in action.status.failovers:
        last = record.step("Answered")
        took_s = elapsed_s(record.steps[0].at, last.at) if last else None
        if took_s is not None and (record.slot, record.epoch) not in over:
            yield record.cause, took_s
