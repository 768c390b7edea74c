"""What an agent remembers: from one session to the next, when the disk is full, and across its own restarts."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backstay_agent.core.checkpoint import Checkpoint, Record, only_ends
from backstay_api.objects.plain import Ocf, RenderedResource
from backstay_testing.agent_world import address, unit
from backstay_testing.journalled import CARRIED, CLOSED, RUNNING, a_record, checkpoint

COPY = RenderedResource(name="db", ocf=Ocf(agent="heartbeat:db", instance="db", copies=2))


def test_a_new_session_takes_along_only_what_is_not_exclusive() -> None:
    after = checkpoint(replace(RUNNING, may_run=False), replace(CARRIED, uid="u2")).next_session("new")
    assert (after.nonce, after.seq, after.seal_seen, list(after.records)) == ("new", 0, "", ["u2"])


def test_a_new_session_remembers_those_before_it_their_highest_seq_and_that_hands_are_off() -> None:
    """The HostAssignment, which tells all of that, may be deleted; and hands are off until somebody says otherwise."""
    after = checkpoint(earlier=("first",), earlier_seq=4, hands_off="new disks").next_session("new")
    assert (after.earlier, after.earlier_seq, after.hands_off) == (("first", "mine"), 5, "new disks")
    assert checkpoint(seq=0, earlier_seq=4).next_session("new").earlier_seq == 4


def test_a_new_session_while_something_exclusive_may_run_is_a_broken_program() -> None:
    with pytest.raises(AssertionError, match="may still run"):
        checkpoint(RUNNING).next_session("new")


def test_an_epoch_is_not_over_while_it_may_run() -> None:
    with pytest.raises(AssertionError, match="may run"):
        RUNNING.over()


@pytest.mark.parametrize(
    ("record", "written_as"),
    [
        pytest.param(RUNNING, 1, id="as ever"),
        pytest.param(replace(RUNNING, role="Promoted"), 2, id="a promoted role"),
        pytest.param(replace(RUNNING, resources=(COPY,)), 2, id="a copy whose agent is told of roles"),
        pytest.param(replace(RUNNING, wanted=(COPY,)), 2, id="…or is to be"),
    ],
)
def test_a_checkpoint_with_roles_is_not_for_an_agent_that_would_read_past_them(record: Record, written_as: int) -> None:
    kept = checkpoint(record)
    assert kept.to_wire()["format"] == written_as and Checkpoint.from_wire(kept.to_wire()) == kept


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
    assert only_ends(checkpoint(*([before] if before else [])), checkpoint(after)) is is_end


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
def test_a_checkpoint_survives_its_way_to_disk_and_back(record: Record) -> None:
    kept = checkpoint(record, earlier=("x", "y"), earlier_seq=4, hands_off="new disks")
    assert Checkpoint.from_wire(kept.to_wire()) == kept


def test_a_checkpoint_of_the_first_release_is_read() -> None:
    wire = checkpoint(RUNNING).to_wire()
    for name in ("earlier", "earlierSeq", "handsOff"):
        del wire[name]
    del wire["records"][0]["begun_at_s"]
    assert Checkpoint.from_wire(wire) == checkpoint(RUNNING)


def test_one_new_grant_among_many_ends_is_no_end() -> None:
    other = replace(RUNNING, uid="u2")
    after = checkpoint(STOPPED_AGAIN, replace(other, epoch=4))
    assert not only_ends(checkpoint(RUNNING, other), after)
    assert only_ends(checkpoint(RUNNING, other), checkpoint(STOPPED_AGAIN, replace(other, want="Down")))


def test_a_restart_counts_once_and_those_that_are_long_past_are_forgotten() -> None:
    long_ago = replace(RUNNING, restarts=7, restarted_at_s=(10.0, 5000.0))
    after = long_ago.restarted(5001.0)
    assert (after.restarts, after.restarted_at_s) == (8, (5000.0, 5001.0))
    assert long_ago.restarted(None) == long_ago


def test_the_first_seal_that_was_seen_is_the_one_that_is_told() -> None:
    assert checkpoint().sealed("sealed").seal_seen == "sealed"
    assert checkpoint(seal_seen="sealed").sealed("held by another").seal_seen == "sealed"


@pytest.mark.parametrize(
    "change",
    [{"format": 999}, {"seq": "5"}, {"seq": True}, {"nonce": None}],
    ids=["another format", "a text for a number", "a truth for a number", "nothing for a text"],
)
def test_a_checkpoint_that_is_not_as_we_write_it_is_not_trusted(change: dict[str, object]) -> None:
    with pytest.raises((ValueError, TypeError)):
        Checkpoint.from_wire({**checkpoint(RUNNING).to_wire(), **change})
