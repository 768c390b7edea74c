"""What an agent remembers: from one session to the next, when the disk is full, and across its own restarts."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backstay_agent.core.books import Books, Record, only_ends
from backstay_testing.agent_world import address, unit
from backstay_testing.journalled import CARRIED, CLOSED, RUNNING, a_record, books


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
        pytest.param(replace(STOPPED_AGAIN, closed=True), STOPPED_AGAIN, False, id="…whatever it wants"),
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


def test_one_new_grant_among_many_ends_is_no_end() -> None:
    other = replace(RUNNING, uid="u2")
    after = books(STOPPED_AGAIN, replace(other, epoch=4))
    assert not only_ends(books(RUNNING, other), after)
    assert only_ends(books(RUNNING, other), books(STOPPED_AGAIN, replace(other, want="Down")))


def test_a_restart_counts_once_and_those_that_are_long_past_are_forgotten() -> None:
    long_ago = replace(RUNNING, restarts=7, restarted_at_s=(10.0, 5000.0))
    after = long_ago.restarted(5001.0)
    assert (after.restarts, after.restarted_at_s) == (8, (5000.0, 5001.0))
    assert long_ago.restarted(None) == long_ago


def test_the_first_seal_that_was_seen_is_the_one_that_is_told() -> None:
    assert books().sealed("sealed").seal_seen == "sealed"
    assert books(seal_seen="sealed").sealed("held by another").seal_seen == "sealed"


@pytest.mark.parametrize(
    "change",
    [{"format": 999}, {"seq": "5"}, {"seq": True}, {"nonce": None}],
    ids=["another format", "a text for a number", "a truth for a number", "nothing for a text"],
)
def test_books_that_are_not_as_we_write_them_are_not_trusted(change: dict[str, object]) -> None:
    with pytest.raises((ValueError, TypeError)):
        Books.from_wire({**books(RUNNING).to_wire(), **change})
