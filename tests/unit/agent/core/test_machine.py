"""What the machine's table decides, in every situation that there is, and what no situation leads to."""

from __future__ import annotations

from dataclasses import fields, replace
from itertools import product
from typing import Any

import pytest

from backstay_agent.core.machine import TABLE, Effect, Outcome, Phase, Situation, decide

NOTHING_RUNS = (Phase.STOPPED, Phase.FAILED)

_FACTS = [field.name for field in fields(Situation) if field.name not in ("phase", "outcome")]
DECIDED = [
    (now, decide(now))
    for phase, outcome in product(Phase, (None, *Outcome))
    for values in product((False, True), repeat=len(_FACTS))
    for now in [Situation(phase=phase, outcome=outcome, **dict(zip(_FACTS, values, strict=True)))]
]
"""Every situation that there is, those too that no host will ever see."""


def is_(phase: Phase, **facts: Any) -> Situation:
    return Situation(phase=phase, **facts)


@pytest.mark.parametrize(
    ("now", "to", "effect"),
    [
        pytest.param(is_(Phase.STOPPED), None, None, id="what may not be started waits"),
        pytest.param(is_(Phase.STOPPED, may_start=True), Phase.STARTING, Effect.START, id="what may be is started"),
        pytest.param(is_(Phase.STOPPED, may_start=True, try_due=False), None, None, id="…when it is time"),
        pytest.param(is_(Phase.STOPPED, may_start=True, gave_up=True), Phase.FAILED, None, id="…unless given up"),
        pytest.param(is_(Phase.STOPPED, gave_up=True, must_stop=True), Phase.STOPPED, Effect.CLOSE, id="the end of it"),
        pytest.param(is_(Phase.STOPPED, gave_up=True, hands_off=True), None, None, id="hands off, it stays stopped"),
        pytest.param(
            is_(Phase.STOPPED, may_start=True, hands_off=True, try_due=False),
            Phase.LEFT,
            Effect.PERMIT,
            id="…or is an admin's to start",
        ),
        pytest.param(is_(Phase.STARTING), None, None, id="a start goes on"),
        pytest.param(is_(Phase.STARTING, down=True), None, None, id="…and what is down meanwhile is its affair"),
        pytest.param(
            is_(Phase.STARTING, outcome=Outcome.SUCCEEDED), Phase.RUNNING, Effect.WATCH, id="a start that succeeds"
        ),
        pytest.param(
            is_(Phase.STARTING, outcome=Outcome.SUCCEEDED, edited=True),
            Phase.STOPPING,
            Effect.STOP,
            id="…with work that is wanted no more",
        ),
        pytest.param(
            is_(Phase.STARTING, outcome=Outcome.FAILED), Phase.STOPPING, Effect.GIVE_UP, id="a first start that fails"
        ),
        pytest.param(
            is_(Phase.STARTING, outcome=Outcome.FAILED, may_retry=True),
            Phase.STOPPING,
            Effect.STOP,
            id="one that may be tried again",
        ),
        pytest.param(
            is_(Phase.STARTING, outcome=Outcome.REFUSED), Phase.STOPPING, Effect.STOP, id="one that was refused at last"
        ),
        pytest.param(
            is_(Phase.STARTING, outcome=Outcome.BLOCKED, may_retry=True),
            Phase.STOPPING,
            Effect.GIVE_UP,
            id="one that cannot be recorded is for another host",
        ),
        pytest.param(
            is_(Phase.STARTING, outcome=Outcome.FAILED, must_stop=True),
            Phase.STOPPING,
            Effect.STOP,
            id="what must stop is not given up",
        ),
        pytest.param(is_(Phase.RUNNING, may_restart=False), None, None, id="what is well goes on"),
        pytest.param(
            is_(Phase.RUNNING, down=True, may_start=True),
            Phase.RECOVERING,
            Effect.RESTART,
            id="what is down is restarted",
        ),
        pytest.param(is_(Phase.RUNNING, down=True, may_start=True, try_due=False), None, None, id="…when it is time"),
        pytest.param(
            is_(Phase.RUNNING, down=True, may_start=True, may_restart=False, try_due=False),
            Phase.STOPPING,
            Effect.GIVE_UP,
            id="…and at the limit given up at once",
        ),
        pytest.param(
            is_(Phase.RUNNING, down=True), Phase.STOPPING, Effect.STOP, id="what may not start is stopped whole"
        ),
        pytest.param(
            is_(Phase.RUNNING, down=True, edited=True, may_start=True, may_restart=False),
            Phase.RECOVERING,
            Effect.CHANGE,
            id="an edit is worth a try of its own",
        ),
        pytest.param(
            is_(Phase.RUNNING, edited=True), Phase.STOPPING, Effect.STOP, id="…and what may not start is stopped whole"
        ),
        pytest.param(
            is_(Phase.RECOVERING, edited=True, may_start=True),
            Phase.STOPPING,
            Effect.STOP,
            id="…as is what another edit meets in pieces",
        ),
        pytest.param(
            is_(Phase.RECOVERING, outcome=Outcome.MISSED),
            Phase.RUNNING,
            Effect.WATCH,
            id="what stands below an address",
        ),
        pytest.param(
            is_(Phase.STARTING, outcome=Outcome.HOPELESS, may_retry=True),
            Phase.STOPPING,
            Effect.GIVE_UP,
            id="a start that cannot work here",
        ),
        pytest.param(
            is_(Phase.RECOVERING, outcome=Outcome.HOPELESS), Phase.STOPPING, Effect.GIVE_UP, id="a restart that cannot"
        ),
        pytest.param(
            is_(Phase.RECOVERING, outcome=Outcome.FAILED), Phase.STOPPING, Effect.STOP, id="a restart that fails"
        ),
        pytest.param(
            is_(Phase.RUNNING, role_failed=True, edited=True, may_start=True),
            Phase.STOPPING,
            Effect.STOP,
            id="a copy that could not be demoted is stopped",
        ),
        pytest.param(
            is_(Phase.RUNNING, role_failed=True, hands_off=True), Phase.LEFT, Effect.PERMIT, id="…unless left alone"
        ),
        pytest.param(is_(Phase.STOPPING, must_stop=True, retry_due=True), None, None, id="a stop goes on"),
        pytest.param(is_(Phase.STOPPING, outcome=Outcome.SUCCEEDED), Phase.STOPPED, None, id="a verified stop"),
        pytest.param(is_(Phase.STOPPING, outcome=Outcome.BLOCKED), Phase.STUCK, None, id="one that is not verified"),
        pytest.param(is_(Phase.STUCK, must_stop=True), None, None, id="what is stuck waits"),
        pytest.param(is_(Phase.STUCK, retry_due=True), Phase.STOPPING, Effect.STOP, id="…and is stopped again"),
        pytest.param(
            is_(Phase.STUCK, hands_off=True, retry_due=True), Phase.LEFT, Effect.PERMIT, id="…unless left alone"
        ),
        pytest.param(
            is_(Phase.STUCK, hands_off=True, must_stop=True, retry_due=True),
            Phase.STOPPING,
            Effect.STOP,
            id="…which what must stop is not",
        ),
        pytest.param(is_(Phase.FAILED, gave_up=True, may_start=True), None, None, id="what failed is not tried again"),
        pytest.param(is_(Phase.FAILED, gave_up=True, edited=True), Phase.STOPPED, None, id="…unless edited"),
        pytest.param(is_(Phase.FAILED), Phase.STOPPED, None, id="…or in another epoch"),
        pytest.param(is_(Phase.FAILED, must_stop=True), Phase.STOPPED, Effect.CLOSE, id="…and can be over"),
        pytest.param(is_(Phase.LEFT, hands_off=True, down=True, edited=True), None, None, id="hands off"),
        pytest.param(is_(Phase.LEFT, down=True), Phase.RUNNING, Effect.WATCH, id="hands on"),
        pytest.param(is_(Phase.LEFT, hands_off=True, over=True), Phase.STOPPING, Effect.STOP, id="its epoch is over"),
    ],
)
def test_the_first_row_that_fits_decides(now: Situation, to: Phase | None, effect: Effect | None) -> None:
    row = decide(now)
    assert (row.to, row.effect) == (to, effect)


def test_every_row_decides_in_each_of_its_phases() -> None:
    """A row that never is the first one says something that cannot happen, and so would the drawing."""
    used = {(now.phase, TABLE.index(row)) for now, row in DECIDED}
    assert used == {(phase, place) for place, row in enumerate(TABLE) for phase in row.phases}


def test_every_phase_is_entered_and_left() -> None:
    ways = {(now.phase, row.to) for now, row in DECIDED if row.to not in (None, now.phase)}
    assert {phase for phase, _ in ways} == {phase for _, phase in ways} == set(Phase)


def test_what_changes_nothing_does_nothing() -> None:
    """Or it would be done again and again."""
    assert [row for row in TABLE if row.to is None and row.effect] == []
    assert {row.effect for now, row in DECIDED if row.to is now.phase} == {Effect.CLOSE}


def test_only_a_stop_that_succeeded_leads_from_what_may_run_to_what_does_not() -> None:
    down = [now for now, row in DECIDED if now.phase not in NOTHING_RUNS and row.to in NOTHING_RUNS]
    assert {(now.phase, now.outcome) for now in down} == {(Phase.STOPPING, Outcome.SUCCEEDED)}


def test_an_epoch_is_closed_only_from_where_nothing_runs() -> None:
    assert {now.phase for now, row in DECIDED if row.effect is Effect.CLOSE} == set(NOTHING_RUNS)


def test_only_what_is_stopped_is_started() -> None:
    assert {now.phase for now, row in DECIDED if row.effect is Effect.START} == {Phase.STOPPED}


def test_no_situation_leads_in_circles() -> None:
    """Where nothing is to be done, it is decided again at once: a circle of those would be an agent that does nothing else."""
    for situation, row in DECIDED:
        now, been = situation, set[Phase]()
        if now.edited and now.gave_up:
            continue  # no runner says both: what was given up is other work
        while row.to is not None and row.effect is None:
            assert row.to not in been, situation
            been.add(row.to)
            now = replace(now, phase=row.to, outcome=None)
            row = decide(now)


def test_in_no_situation_is_anything_started_that_may_not_be() -> None:
    started = [now for now, row in DECIDED if row.effect in (Effect.START, Effect.RESTART, Effect.CHANGE)]
    assert all(now.may_start and not now.must_stop for now in started)


def test_in_every_situation_in_which_it_must_stop_it_is_on_its_way() -> None:
    for now, row in DECIDED:
        if now.must_stop and now.phase in NOTHING_RUNS:
            assert row.effect is Effect.CLOSE, now
        elif now.must_stop:
            assert (row.to or now.phase) in (Phase.STOPPING, Phase.STUCK, *NOTHING_RUNS), now


def test_hands_off_nothing_is_started_and_nothing_stopped_that_safety_does_not_demand() -> None:
    for now, row in DECIDED:
        if now.hands_off:
            assert row.effect not in (Effect.START, Effect.RESTART, Effect.CHANGE, Effect.GIVE_UP), now
            assert row.effect is not Effect.STOP or now.must_stop or now.over, now


def test_an_admin_may_start_only_what_may_be_started_or_may_run_already() -> None:
    permitted = [now for now, row in DECIDED if row.effect is Effect.PERMIT]
    assert all(now.may_start or now.phase not in NOTHING_RUNS for now in permitted)


def test_when_hands_are_on_again_what_runs_is_only_watched() -> None:
    left = [row for now, row in DECIDED if now.phase is Phase.LEFT and not (now.hands_off or now.must_stop or now.over)]
    assert {(row.to, row.effect) for row in left} == {(Phase.RUNNING, Effect.WATCH)}


def test_what_is_given_up_has_failed_or_is_down_and_is_stopped_first() -> None:
    given_up = [(now, row) for now, row in DECIDED if row.effect is Effect.GIVE_UP]
    assert {row.to for _, row in given_up} == {Phase.STOPPING}
    assert all(now.down if now.phase is Phase.RUNNING else now.outcome for now, _ in given_up)
