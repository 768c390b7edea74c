"""The agent's thought: what the machine's table decides, and that the rules say what PROTOCOL 3 and 6 say."""

from __future__ import annotations

from dataclasses import fields, replace
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backstay_agent.core.books import Books, Record, only_ends
from backstay_agent.core.machine import TABLE, Effect, Outcome, Phase, Situation, decide
from backstay_agent.core.patience import due_at_s, is_free_for_addresses, may_restart, try_again
from backstay_agent.core.rules import Ignored, Refused, may_start, must_stop, same_work, take
from backstay_agent.core.sessions import (
    AT_START,
    Hold,
    Inventory,
    Kept,
    Overtaken,
    Publish,
    Published,
    Start,
    WrongMachine,
    at_start,
    on_lease,
    to_publish,
)
from backstay_api.objects.lease import HostLease
from backstay_api.objects.plain import AgentSession, InstanceOrder, Probe, SessionRef, TcpSocket, Timeouts
from backstay_api.objects.promise import Contract
from backstay_testing.agent_world import address, unit

# --- the machine --------------------------------------------------------------------------------------------------

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
            is_(Phase.RUNNING, down=True, edited=True, may_restart=False),
            Phase.STOPPING,
            Effect.STOP,
            id="an edit is worth a try of its own",
        ),
        pytest.param(
            is_(Phase.RECOVERING, outcome=Outcome.MISSED),
            Phase.RUNNING,
            Effect.WATCH,
            id="what stands below an address",
        ),
        pytest.param(
            is_(Phase.RECOVERING, outcome=Outcome.FAILED), Phase.STOPPING, Effect.STOP, id="a restart that fails"
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
    started = [now for now, row in DECIDED if row.effect in (Effect.START, Effect.RESTART)]
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
            assert row.effect not in (Effect.START, Effect.RESTART, Effect.GIVE_UP), now
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


# --- restarts -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("restarted_at_s", "now_s", "may"),
    [
        pytest.param([], 0, True, id="the first"),
        pytest.param([0, 1], 2, True, id="the third"),
        pytest.param([0, 1, 2], 3, False, id="the fourth within ten minutes"),
        pytest.param([0, 1, 2], 599.9, False, id="still within"),
        pytest.param([0, 1, 2], 600, True, id="ten minutes after the first of three"),
        pytest.param([0, 500, 550], 700, True, id="two count"),
    ],
)
def test_three_restarts_in_ten_minutes(restarted_at_s: list[float], now_s: float, may: bool) -> None:
    assert may_restart(restarted_at_s, now_s=now_s) is may


@pytest.mark.parametrize(
    ("restarted_at_s", "again"),
    [
        pytest.param([], False, id="a first start that fails is for another host"),
        pytest.param([0], True, id="one that stands for a restart is tried again"),
        pytest.param([0, 1, 2], False, id="until the limit"),
    ],
)
def test_after_a_failed_start(restarted_at_s: list[float], again: bool) -> None:
    assert try_again(restarted_at_s, now_s=10) is again


@pytest.mark.parametrize(
    ("tried_at_s", "due_at"),
    [
        pytest.param([], 0, id="the first at once"),
        pytest.param([100], 101, id="a second later"),
        pytest.param([98, 100], 102, id="then two"),
        pytest.param([90, 95, 100], 104, id="then four"),
        pytest.param(list(range(80, 101)), 130, id="at last every half minute"),
        pytest.param([-600, 100], 101, id="what lies ten minutes back is forgotten"),
    ],
)
def test_time_between_tries(tried_at_s: list[float], due_at: float) -> None:
    assert due_at_s(tried_at_s, now_s=100) == due_at


@pytest.mark.parametrize(
    ("free_at_s", "down_since_s", "free"),
    [
        pytest.param([], 98, True, id="a blink"),
        pytest.param([], 97, False, id="no blink any more"),
        pytest.param([4.0 * n for n in range(20)], 100, False, id="the twenty-first in ten minutes"),
    ],
)
def test_putting_back_an_address_costs_nothing_for_a_while(
    free_at_s: list[float], down_since_s: float, free: bool
) -> None:
    assert is_free_for_addresses(free_at_s, down_since_s=down_since_s, now_s=100) is free


# --- orders -------------------------------------------------------------------------------------------------------

MINE = SessionRef(boot_id="b", nonce="mine", seq=5)


def an_order(want: str = "Up", **more: Any) -> InstanceOrder:
    values: dict[str, Any] = {
        "namespace": "shop",
        "name": "web-0",
        "epoch": 3,
        "session": MINE,
        "want": want,
        "exclusive": True,
        "revision": 1,
        "resources": (unit(),),
    }
    return InstanceOrder(**{**values, **more})


def a_record(**more: Any) -> Record:
    values: dict[str, Any] = {
        "uid": "u1",
        "namespace": "shop",
        "name": "web-0",
        "epoch": 3,
        "nonce": "mine",
        "want": "Up",
        "exclusive": True,
        "revision": 1,
        "wanted": (unit(),),
    }
    return Record(**{**values, **more})


def books(*records: Record, **more: Any) -> Books:
    values: dict[str, Any] = {"boot_id": "b", "nonce": "mine", "seq": 5}
    return Books(**{**values, **more}, records={record.uid: record for record in records})


RUNNING = a_record(may_run=True, resources=(unit(),), running_revision=1)
CLOSED = a_record().over()


@pytest.mark.parametrize(
    ("record", "order", "expected"),
    [
        pytest.param(None, an_order(), a_record(), id="a new grant is recorded"),
        pytest.param(None, an_order("Down"), CLOSED, id="an epoch never started is over as soon as it is recorded"),
        pytest.param(None, an_order(session=replace(MINE, nonce="x")), Ignored, id="another session's is not ours"),
        pytest.param(None, an_order(session=replace(MINE, boot_id="x")), Ignored, id="another boot's is not ours"),
        pytest.param(None, an_order(session=replace(MINE, seq=4)), Ignored, id="another seq's is not ours"),
        pytest.param(RUNNING, an_order(), Ignored, id="known"),
        pytest.param(RUNNING, an_order(epoch=2, want="Down"), Ignored, id="an older epoch is not obeyed"),
        pytest.param(
            RUNNING, an_order("Down"), replace(RUNNING, want="Down"), id="what may run is to be stopped first"
        ),
        pytest.param(a_record(), an_order("Down"), CLOSED, id="what never ran is over"),
        pytest.param(CLOSED, an_order(), Ignored, id="a closed epoch never starts again"),
        pytest.param(CLOSED, an_order(revision=2), Ignored, id="…whatever its next edit says"),
        pytest.param(replace(RUNNING, want="Down"), an_order(), Ignored, id="down is not taken back"),
        pytest.param(replace(RUNNING, want="Down"), an_order(revision=2), Ignored, id="…by no edit either"),
        pytest.param(CLOSED, an_order(epoch=4), a_record(epoch=4), id="the next epoch is another matter"),
        pytest.param(
            replace(RUNNING, restarts=2),
            an_order(epoch=4),
            replace(RUNNING, epoch=4),
            id="what runs goes on in a newer epoch",
        ),
        pytest.param(
            RUNNING,
            an_order(epoch=4, want="Down"),
            replace(RUNNING, epoch=4, want="Down"),
            id="what runs is not over because a newer epoch says so",
        ),
        pytest.param(
            RUNNING,
            an_order(revision=2, resources=(unit(unit="b.service"),)),
            replace(RUNNING, revision=2, wanted=(unit(unit="b.service"),)),
            id="an edit keeps what runs in mind",
        ),
    ],
)
def test_what_an_order_makes_of_what_is_journalled(record: Record | None, order: InstanceOrder, expected: Any) -> None:
    taken = take("u1", order, books(*([record] if record else [])))
    if expected is Ignored:
        assert isinstance(taken, Ignored)
    else:
        assert taken == expected


def test_orders_mean_nothing_before_the_session_is_published() -> None:
    assert isinstance(take("u1", an_order(session=replace(MINE, seq=0)), books(seq=0)), Ignored)


OLD, ELDEST = SessionRef(boot_id="b", nonce="old", seq=4), SessionRef(boot_id="b", nonce="eldest", seq=3)
CARRIED = a_record(nonce="old", exclusive=False, may_run=True, resources=(unit(),), running_revision=1)


@pytest.mark.parametrize(
    ("record", "order", "expected"),
    [
        pytest.param(CARRIED, {"session": OLD}, {"epoch": 3, "nonce": "old"}, id="by its own session"),
        pytest.param(
            CARRIED, {"session": OLD, "epoch": 4}, {"epoch": 4, "nonce": "old"}, id="an epoch that never came"
        ),
        pytest.param(CARRIED, {"session": ELDEST}, {"epoch": 3, "nonce": "eldest"}, id="by any session of this boot"),
        pytest.param(
            CARRIED, {}, {"epoch": 3, "nonce": "mine"}, id="by the present session, its own orders being lost"
        ),
        pytest.param(
            replace(CARRIED, want="Down"),
            {"session": OLD, "epoch": 4},
            {"epoch": 4, "nonce": "old"},
            id="while it stops",
        ),
        pytest.param(
            replace(CARRIED, may_run=False).over(),
            {"session": OLD, "epoch": 4},
            {"epoch": 4, "nonce": "old"},
            id="stopped",
        ),
        pytest.param(CARRIED, {"session": OLD, "epoch": 2}, None, id="not by an older epoch"),
        pytest.param(CARRIED, {"session": replace(OLD, boot_id="x")}, None, id="not by another boot's session"),
        pytest.param(CARRIED, {"session": replace(OLD, nonce="x")}, None, id="not by a session that is not known"),
        pytest.param(
            replace(CARRIED, nonce="mine"), {"session": OLD, "epoch": 4}, None, id="not when it is ours again"
        ),
    ],
)
def test_a_copy_carried_over_stops_when_any_session_of_this_boot_is_told_so(
    record: Record, order: dict[str, Any], expected: dict[str, Any] | None
) -> None:
    """Seed 59765151046: it was told to stop under an epoch that had been granted to the session before, and had never come."""
    taken = take("u1", an_order("Down", exclusive=False, **order), books(record, earlier=("eldest", "old")))
    assert isinstance(taken, Ignored) if expected is None else taken == replace(record, want="Down", **expected)


@pytest.mark.parametrize(
    "order",
    [{"session": OLD}, {"session": OLD, "epoch": 4}, {"revision": 2}],
    ids=["its own session", "…under another epoch", "the present one: an epoch has one session for ever"],
)
def test_a_copy_carried_over_obeys_nothing_else_than_to_stop(order: dict[str, Any]) -> None:
    taken = take("u1", an_order(exclusive=False, **order), books(CARRIED, earlier=("eldest", "old")))
    assert isinstance(taken, Ignored)


def test_a_copy_carried_over_is_adopted_by_its_next_grant() -> None:
    taken = take("u1", an_order(epoch=4, exclusive=False), books(CARRIED))
    assert taken == replace(CARRIED, epoch=4, nonce="mine")


ELSEWHERE = a_record(uid="u0", name="other-0")


@pytest.mark.parametrize(
    ("record", "all_books", "obstacle", "sentence"),
    [
        pytest.param(a_record(), books(a_record()), "", None, id="granted to this session, not closed, want Up"),
        pytest.param(a_record(), books(a_record(), seq=0), "", "not published", id="no session yet"),
        pytest.param(a_record(nonce="old"), books(a_record()), "", "earlier session", id="another session's"),
        pytest.param(CLOSED, books(CLOSED), "", "over on this host", id="closed"),
        pytest.param(a_record(want="Down"), books(), "", "told to stop", id="the last want was Down"),
        pytest.param(a_record(), books(seal_seen="sealed"), "", "nothing any more: sealed", id="a seal was seen"),
        pytest.param(
            a_record(exclusive=False),
            books(seal_seen="x"),
            "",
            "nothing any more",
            id="…not even what is not exclusive",
        ),
        pytest.param(a_record(), books(), "it may sleep", "it may sleep", id="a host that may run nothing exclusive"),
        pytest.param(a_record(exclusive=False), books(), "it may sleep", None, id="…may run the rest"),
        pytest.param(
            a_record(), books(ELSEWHERE, a_record()), "", "unit web.service belongs to shop/other-0", id="granted first"
        ),
        pytest.param(a_record(), books(a_record(), ELSEWHERE), "", None, id="granted later and not running"),
        pytest.param(
            a_record(),
            books(a_record(), replace(ELSEWHERE, may_run=True, resources=(unit(),))),
            "",
            "belongs to shop/other-0",
            id="what runs has it, whoever was first",
        ),
        pytest.param(a_record(), books(ELSEWHERE.over(), a_record()), "", None, id="what is over has nothing"),
        pytest.param(
            a_record(wanted=(address(address="192.0.2.10/32"),)),
            books(replace(ELSEWHERE, wanted=(address(),)), a_record()),
            "",
            "address 192.0.2.10 belongs",
            id="one address under two prefixes",
        ),
    ],
)
def test_may_start(record: Record, all_books: Books, obstacle: str, sentence: str | None) -> None:
    refused = may_start(record, all_books, obstacle=obstacle)
    assert (refused is None) if sentence is None else (isinstance(refused, Refused) and sentence in refused.why)


@pytest.mark.parametrize(
    ("record", "all_books", "leaving", "stops"),
    [
        pytest.param(RUNNING, books(), "", False, id="wanted up"),
        pytest.param(replace(RUNNING, want="Down"), books(), "", True, id="told to stop"),
        pytest.param(replace(RUNNING, want="Down"), books(hands_off="x"), "", False, id="…which waits for hands on"),
        pytest.param(a_record(want="Down"), books(hands_off="x"), "", True, id="…unless nothing of it runs"),
        pytest.param(RUNNING, books(seal_seen="x"), "", True, id="sealed"),
        pytest.param(RUNNING, books(seal_seen="x", hands_off="x"), "", True, id="a seal does not wait"),
        pytest.param(replace(RUNNING, exclusive=False), books(seal_seen="x"), "", False, id="sealed, not exclusive"),
        pytest.param(RUNNING, books(), "reboot", True, id="the machine reboots"),
        pytest.param(replace(RUNNING, exclusive=False), books(), "reboot", True, id="…whatever it is"),
        pytest.param(RUNNING, books(hands_off="x"), "reboot", False, id="…under HandsOff it is not ours to stop"),
        pytest.param(a_record(), books(hands_off="x"), "reboot", False, id="…nor ours to close, be it not begun"),
        pytest.param(CLOSED, books(seal_seen="x"), "reboot", False, id="over"),
    ],
)
def test_must_stop(record: Record, all_books: Books, leaving: str, stops: bool) -> None:
    assert must_stop(record, all_books, leaving=leaving) is stops


def test_on_a_machine_that_goes_down_nothing_is_started() -> None:
    refused = may_start(a_record(), books(a_record()), leaving="reboot")
    assert isinstance(refused, Refused) and "going down (reboot)" in refused.why


def test_probes_and_time_limits_need_no_restart_and_everything_else_does() -> None:
    probe = Probe(name="alive", tcp_socket=TcpSocket(port=80))
    assert same_work((unit(),), (unit(probes=(probe,), timeouts=Timeouts(stop="3s")),))
    assert not same_work((unit(),), (unit(unit="b.service"),))
    assert not same_work((unit(), address()), (address(), unit()))


def test_a_new_session_takes_along_only_what_is_not_exclusive() -> None:
    after = books(replace(RUNNING, may_run=False), replace(CARRIED, uid="u2")).next_session("new")
    assert (after.nonce, after.seq, after.seal_seen, list(after.records)) == ("new", 0, "", ["u2"])


def test_a_new_session_remembers_those_before_it_their_highest_seq_and_that_hands_are_off() -> None:
    """The HostAssignment, which tells all of that, may be deleted; and hands are off until somebody says otherwise."""
    after = books(earlier=("first",), earlier_seq=4, hands_off="new disks").next_session("new")
    assert (after.earlier, after.earlier_seq, after.hands_off) == (("first", "mine"), 5, "new disks")
    assert books(seq=0, earlier_seq=4).next_session("new").earlier_seq == 4


def test_a_new_session_while_something_exclusive_may_run_is_a_broken_program() -> None:
    with pytest.raises(AssertionError, match="may still run"):
        books(RUNNING).next_session("new")


def test_an_epoch_is_not_over_while_it_may_run() -> None:
    with pytest.raises(AssertionError, match="may run"):
        RUNNING.over()


STOPPED_AGAIN = replace(RUNNING, may_run=False)


@pytest.mark.parametrize(
    ("before", "after", "is_end"),
    [
        pytest.param(RUNNING, STOPPED_AGAIN, True, id="it was stopped"),
        pytest.param(STOPPED_AGAIN, STOPPED_AGAIN.over(), True, id="its epoch is over"),
        pytest.param(RUNNING, replace(RUNNING, want="Down"), True, id="it is told to stop"),
        pytest.param(STOPPED_AGAIN, RUNNING, False, id="the same is started again"),
        pytest.param(STOPPED_AGAIN.over(), STOPPED_AGAIN, False, id="an epoch that was over is not"),
        pytest.param(None, a_record(), False, id="a new grant"),
        pytest.param(RUNNING, replace(RUNNING, epoch=4), False, id="the next epoch"),
        pytest.param(RUNNING, replace(RUNNING, wanted=(unit(), address())), False, id="an edit"),
        pytest.param(RUNNING, replace(RUNNING, resources=(unit(), address())), False, id="more of it may run"),
    ],
)
def test_what_may_be_written_in_the_room_that_is_kept_for_what_has_ended(
    before: Record | None, after: Record, is_end: bool
) -> None:
    assert only_ends(books(*([before] if before else [])), books(after)) is is_end


@given(
    st.builds(
        replace,
        st.sampled_from([RUNNING, CLOSED, CARRIED, a_record(wanted=(unit(), address()))]),
        epoch=st.integers(1, 9),
        gave_up=st.text(),
        begun_at_s=st.floats(0, 1e6),
        restarted_at_s=st.lists(st.floats(0, 1e6), max_size=3).map(tuple),
    )
)
def test_books_survive_their_way_to_disk_and_back(record: Record) -> None:
    kept = books(record, earlier=("x", "y"), earlier_seq=4, hands_off="new disks")
    assert Books.from_wire(kept.to_wire()) == kept


def test_books_of_the_first_release_are_read() -> None:
    wire = books(RUNNING).to_wire()
    for name in ("earlier", "earlierSeq", "handsOff"):
        del wire[name]
    del wire["records"][0]["begun_at_s"]
    assert Books.from_wire(wire) == books(RUNNING)


# --- sessions -----------------------------------------------------------------------------------------------------


def test_every_state_an_agent_can_find_is_decided() -> None:
    assert set(AT_START) == set(product(Kept, Inventory))


@pytest.mark.parametrize("inventory", Inventory)
def test_without_a_trustworthy_journal_a_session_opens_only_where_nothing_of_ours_can_run(inventory: Inventory) -> None:
    assert at_start(Kept.BROKEN, inventory, leftovers=False) is Start.STOP_ALL
    assert at_start(Kept.ABSENT, inventory, leftovers=True) is Start.STOP_ALL
    nothing = inventory in (Inventory.EMPTY, Inventory.OTHER_BOOT)
    assert at_start(Kept.ABSENT, inventory, leftovers=False) is (Start.OPEN if nothing else Start.STOP_ALL)


def a_session(nonce: str = "old", *, seq: int = 4, boot_id: str = "b", **more: Any) -> AgentSession:
    return AgentSession(boot_id=boot_id, nonce=nonce, seq=seq, machine_uuid=more.pop("machine_uuid", "m"), **more)


FRESH = books(seq=0)


@pytest.mark.parametrize(
    ("mine", "stored", "expected"),
    [
        pytest.param(FRESH, None, Publish(a_session("mine", seq=1)), id="the first session of a host"),
        pytest.param(
            FRESH, a_session(boot_id="a", supersedes=("x",)), Publish(a_session("mine", seq=5)), id="after a boot"
        ),
        pytest.param(
            FRESH,
            a_session(supersedes=("x", "y")),
            Publish(a_session("mine", seq=5, supersedes=("x", "y", "old"))),
            id="in the same boot it supersedes the stored list and the stored session",
        ),
        pytest.param(FRESH, a_session("mine", seq=7), Published(7), id="a write whose answer was lost"),
        pytest.param(books(), a_session("mine", seq=5), Published(5), id="known"),
        pytest.param(books(), a_session("other", seq=6), Overtaken, id="somebody opened a newer one"),
        pytest.param(books(), a_session("other", seq=5), Overtaken, id="…or one as new"),
        pytest.param(books(), None, Publish(a_session("mine", seq=5)), id="the assignment was made again"),
        pytest.param(
            books(earlier=("x", "y")),
            None,
            Publish(a_session("mine", seq=5, supersedes=("x", "y"))),
            id="…and we remember which sessions it had named",
        ),
        pytest.param(
            books(seq=0, earlier=("x",), earlier_seq=7),
            None,
            Publish(a_session("mine", seq=8, supersedes=("x",))),
            id="…and how far they had counted",
        ),
        pytest.param(
            books(seq=0, earlier=("x", "y"), earlier_seq=2),
            a_session("y", seq=4, supersedes=("w", "x")),
            Publish(a_session("mine", seq=5, supersedes=("x", "y", "w"))),
            id="what either of us knows",
        ),
        pytest.param(FRESH, a_session(machine_uuid="m2"), WrongMachine, id="another machine has this name"),
    ],
)
def test_how_a_session_is_published(mine: Books, stored: AgentSession | None, expected: Any) -> None:
    found = to_publish(mine, stored, machine_uuid="m")
    assert isinstance(found, expected) if isinstance(expected, type) else found == expected


def a_lease(holder: str, *, seq: int, sealed: bool = False) -> HostLease:
    return HostLease(
        host="n1", resource_version="1", holder=holder, seq=seq, renewal=1, sealed=sealed, contract=Contract()
    )


@pytest.mark.parametrize(
    ("lease", "expected"),
    [
        pytest.param(a_lease("", seq=0), Hold.TAKE, id="nobody has held it yet"),
        pytest.param(a_lease("b/old", seq=4), Hold.TAKE, id="an older session's, unsealed"),
        pytest.param(a_lease("b/old", seq=4, sealed=True), Hold.WAIT, id="an older session's, sealed"),
        pytest.param(a_lease("b/mine", seq=5), Hold.RENEW, id="ours"),
        pytest.param(a_lease("b/mine", seq=5, sealed=True), Hold.LOST, id="ours, sealed"),
        pytest.param(a_lease("b/new", seq=6), Hold.LOST, id="a newer session's"),
        pytest.param(a_lease("b/new", seq=6, sealed=True), Hold.LOST, id="a newer session's, sealed"),
    ],
)
def test_what_a_session_does_about_its_lease(lease: HostLease, expected: Hold) -> None:
    assert on_lease(lease, MINE) is expected
