"""Is this replica alive, and is it ready? Pure judgements of facts; a probe that only shows that a port is open shows nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

PLAN_TOO_OLD_S: Final = 30.0
"""A plan is made at least every 5 s."""
STALE_WATCH_S: Final = 180.0
"""Bookmarks come every minute: three missed while the server answers otherwise means that our stream is beyond repair."""


@dataclass(frozen=True)
class Ages:
    """Seconds since; None: never."""

    plan_s: float | None
    answer_s: float | None
    """The API server last answered a question of ours."""
    heartbeats_s: float | None
    """The Lease watch last received anything."""
    watches_s: Mapping[str, float]
    resync_s: Mapping[str, float]


@dataclass(frozen=True)
class State:
    ages: Ages
    leads: bool
    waiting_for: str
    path_trouble: str
    kopf_trouble: str = ""
    """Why kopf does not run; the informers beside it are."""


def ill(state: State) -> str:
    """Why the process should be started again; empty if that would not help, or nothing is wrong."""
    ages = state.ages
    if ages.plan_s is not None and ages.plan_s > PLAN_TOO_OLD_S:
        return f"the last plan is {ages.plan_s:.0f} s old"
    answers = ages.answer_s is not None and ages.answer_s < STALE_WATCH_S / 10
    if answers and ages.heartbeats_s is not None and ages.heartbeats_s > STALE_WATCH_S:
        return f"the API server answers, but its Lease watch has been silent for {ages.heartbeats_s:.0f} s"
    return ""


def not_ready(state: State) -> str:
    """Why this replica cannot act now; empty if it can."""
    if state.waiting_for:
        return f"waiting for {state.waiting_for}"
    return ill(state) or state.path_trouble or state.kopf_trouble


def facts_of(state: State) -> dict[str, Any]:
    """The facts, for whoever asks."""
    ages = state.ages
    return {
        "lastPlanAgeSeconds": _rounded(ages.plan_s),
        "lastAnswerAgeSeconds": _rounded(ages.answer_s),
        "heartbeatsAgeSeconds": _rounded(ages.heartbeats_s),
        "watchAgeSeconds": {kind: _rounded(age_s) for kind, age_s in sorted(ages.watches_s.items())},
        "resyncAgeSeconds": {kind: _rounded(age_s) for kind, age_s in sorted(ages.resync_s.items())},
        "leads": state.leads,
        "waitingFor": state.waiting_for,
        "ownPath": state.path_trouble or "healthy",
        "kopf": state.kopf_trouble or "well",
    }


def _rounded(age_s: float | None) -> float | None:
    return None if age_s is None else round(age_s, 3)
