"""What each kind of action says of itself: a table, and nothing beside it."""

from __future__ import annotations

from dataclasses import fields
from typing import get_args

import pytest

from backstay_operator.planner import actions
from backstay_operator.planner.rows import Row

KINDS = sorted(get_args(actions.Action), key=lambda kind: kind.__name__)
EVENTS = {
    "CreateClaim": ("Normal", "Claimed"),
    "RemoveClear": ("Normal", "FailuresForgotten"),
    "RemoveMoveWish": ("Normal", "MoveEnded"),
    "ReopenLease": ("Normal", "Reopened"),
    "SealLease": ("Warning", "Sealed"),
}
"""The others are no news for people, or say what is in `event`."""


def kind_of(annotated: type) -> type[Row]:
    return getattr(annotated, "__origin__", annotated)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_it_says_nothing_that_nobody_reads(kind: type[Row]) -> None:
    """RemoveClear said `told` where `as_event` was meant: an Event that was documented was never sent."""
    known = {"rank", "as_event", "by", *(field.name for field in fields(kind))}  # type: ignore[arg-type]
    said = {name for name, value in vars(kind).items() if not name.startswith("_") and not callable(value)}
    assert {name for name in said if not isinstance(vars(kind)[name], property)} <= known


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_its_event_is_the_one_in_the_table(kind: type[Row]) -> None:
    told = kind.as_event
    assert (told and (told.type, told.reason)) == EVENTS.get(kind.__name__)
