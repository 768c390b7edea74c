"""Which orders are taken, what may be started and what must stop, as PROTOCOL 3 and 6 say."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from backstay_agent.core.checkpoint import Checkpoint, Record
from backstay_agent.core.rules import (
    Ignored,
    NotToStart,
    above,
    beneath,
    hands_off,
    may_start,
    must_stop,
    take,
    take_aside,
)
from backstay_api.objects.edits import same_work
from backstay_api.objects.plain import InstanceOrder, Probe, SessionRef, TcpSocket, Timeouts
from backstay_testing.agent_world import address, unit
from backstay_testing.journalled import CARRIED, CLOSED, MINE, RUNNING, a_record, an_order, checkpoint


@pytest.mark.parametrize(
    ("record", "order", "expected"),
    [
        pytest.param(None, an_order(), a_record(), id="a new grant is recorded"),
        pytest.param(None, an_order(role="Promoted"), a_record(role="Promoted"), id="…with its role"),
        pytest.param(None, an_order("Down"), CLOSED, id="an epoch never started is over as soon as it is recorded"),
        pytest.param(None, an_order(session=replace(MINE, nonce="x")), Ignored, id="another session's is not ours"),
        pytest.param(None, an_order(session=replace(MINE, boot_id="x")), Ignored, id="another boot's is not ours"),
        pytest.param(None, an_order(session=replace(MINE, seq=4)), Ignored, id="another seq's is not ours"),
        pytest.param(RUNNING, an_order(), Ignored, id="known"),
        pytest.param(
            RUNNING,
            an_order(role="Promoted"),
            replace(RUNNING, role="Promoted"),
            id="an agent of the release before knew of no role",
        ),
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
            replace(RUNNING, gave_up="it fails", restarted_at_s=(1.0,), cleared=1),
            an_order(cleared=2),
            replace(RUNNING, cleared=2),
            id="a person has cleared it",
        ),
        pytest.param(replace(RUNNING, cleared=2), an_order(cleared=2), Ignored, id="…which is told once"),
        pytest.param(
            RUNNING,
            an_order(revision=2, resources=(unit(unit="b.service"),)),
            replace(RUNNING, revision=2, wanted=(unit(unit="b.service"),)),
            id="an edit keeps what runs in mind",
        ),
    ],
)
def test_what_an_order_makes_of_what_is_journalled(record: Record | None, order: InstanceOrder, expected: Any) -> None:
    taken = take("u1", order, checkpoint(*([record] if record else [])))
    if expected is Ignored:
        assert isinstance(taken, Ignored)
    else:
        assert taken == expected


@pytest.mark.parametrize(
    ("record", "order", "expected"),
    [
        pytest.param(RUNNING, an_order(hands_off="disks"), replace(RUNNING, hands_off="disks"), id="hands are off it"),
        pytest.param(replace(RUNNING, hands_off="disks"), an_order(), RUNNING, id="and on it again"),
        pytest.param(
            replace(RUNNING, gave_up="it fails"), an_order(cleared=1), replace(RUNNING, cleared=1), id="cleared"
        ),
        pytest.param(
            RUNNING,
            an_order(revision=2, resources=(unit(unit="b.service"),)),
            RUNNING,
            id="of the edit nothing is taken",
        ),
        pytest.param(replace(RUNNING, revision=2), an_order(hands_off="x"), Ignored, id="an older word"),
        pytest.param(None, an_order(hands_off="x"), Ignored, id="unknown"),
        pytest.param(RUNNING, an_order(epoch=4, hands_off="x"), Ignored, id="another epoch"),
        pytest.param(CLOSED, an_order(hands_off="x"), Ignored, id="over"),
        pytest.param(
            RUNNING, an_order(hands_off="x", session=replace(MINE, nonce="x")), Ignored, id="another session's"
        ),
        pytest.param(CARRIED, an_order(hands_off="x"), Ignored, id="carried over from the session before"),
        pytest.param(replace(RUNNING, want="Down"), an_order(hands_off="x"), Ignored, id="it is to stop"),
    ],
)
def test_what_is_taken_of_an_order_that_this_host_does_not_carry_out(
    record: Record | None, order: InstanceOrder, expected: Any
) -> None:
    """Its admin's policy refuses it, or its agent does not know a word of it; what goes on under it goes on."""
    found = take_aside("u1", order, checkpoint(*([record] if record else [])))
    assert isinstance(found, Ignored) if expected is Ignored else found == expected


def test_orders_mean_nothing_before_the_session_is_published() -> None:
    assert isinstance(take("u1", an_order(session=replace(MINE, seq=0)), checkpoint(seq=0)), Ignored)


OLD, ELDEST = SessionRef(boot_id="b", nonce="old", seq=4), SessionRef(boot_id="b", nonce="eldest", seq=3)


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
        pytest.param(replace(CARRIED, want="Down"), {"session": OLD}, None, id="it was told so already"),
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
    taken = take("u1", an_order("Down", exclusive=False, **order), checkpoint(record, earlier=("eldest", "old")))
    assert isinstance(taken, Ignored) if expected is None else taken == replace(record, want="Down", **expected)


@pytest.mark.parametrize(
    "order",
    [{"session": OLD}, {"session": OLD, "epoch": 4}, {"revision": 2}],
    ids=["its own session", "…under another epoch", "the present one: an epoch has one session for ever"],
)
def test_a_copy_carried_over_obeys_nothing_else_than_to_stop(order: dict[str, Any]) -> None:
    taken = take("u1", an_order(exclusive=False, **order), checkpoint(CARRIED, earlier=("eldest", "old")))
    assert isinstance(taken, Ignored)


def test_a_copy_carried_over_is_adopted_by_its_next_grant() -> None:
    taken = take("u1", an_order(epoch=4, exclusive=False), checkpoint(CARRIED))
    assert taken == replace(CARRIED, epoch=4, nonce="mine")


ELSEWHERE = a_record(uid="u0", name="other-0")


@pytest.mark.parametrize(
    ("record", "checkpoint", "obstacle", "sentence"),
    [
        pytest.param(a_record(), checkpoint(a_record()), "", None, id="granted to this session, not closed, want Up"),
        pytest.param(a_record(), checkpoint(a_record(), seq=0), "", "not published", id="no session yet"),
        pytest.param(a_record(nonce="old"), checkpoint(a_record()), "", "earlier session", id="another session's"),
        pytest.param(CLOSED, checkpoint(CLOSED), "", "over on this host", id="closed"),
        pytest.param(a_record(want="Down"), checkpoint(), "", "told to stop", id="the last want was Down"),
        pytest.param(a_record(), checkpoint(seal_seen="sealed"), "", "nothing any more: sealed", id="a seal was seen"),
        pytest.param(
            a_record(exclusive=False),
            checkpoint(seal_seen="x"),
            "",
            "nothing any more",
            id="…not even what is not exclusive",
        ),
        pytest.param(
            a_record(), checkpoint(), "it may sleep", "it may sleep", id="a host that may run nothing exclusive"
        ),
        pytest.param(a_record(exclusive=False), checkpoint(), "it may sleep", None, id="…may run the rest"),
        pytest.param(
            a_record(),
            checkpoint(ELSEWHERE, a_record()),
            "",
            "unit web.service belongs to shop/other-0",
            id="granted first",
        ),
        pytest.param(a_record(), checkpoint(a_record(), ELSEWHERE), "", None, id="granted later and not running"),
        pytest.param(
            a_record(),
            checkpoint(a_record(), replace(ELSEWHERE, may_run=True, resources=(unit(),))),
            "",
            "belongs to shop/other-0",
            id="what runs has it, whoever was first",
        ),
        pytest.param(a_record(), checkpoint(ELSEWHERE.over(), a_record()), "", None, id="what is over has nothing"),
        pytest.param(
            a_record(wanted=(address(address="192.0.2.10/32"),)),
            checkpoint(replace(ELSEWHERE, wanted=(address(),)), a_record()),
            "",
            "address 192.0.2.10 belongs",
            id="one address under two prefixes",
        ),
    ],
)
def test_may_start(record: Record, checkpoint: Checkpoint, obstacle: str, sentence: str | None) -> None:
    refused = may_start(record, checkpoint, obstacle=obstacle)
    assert (refused is None) if sentence is None else (isinstance(refused, NotToStart) and sentence in refused.why)


@pytest.mark.parametrize(
    ("record", "checkpoint", "leaving", "stops"),
    [
        pytest.param(RUNNING, checkpoint(), "", False, id="wanted up"),
        pytest.param(replace(RUNNING, want="Down"), checkpoint(), "", True, id="told to stop"),
        pytest.param(
            replace(RUNNING, want="Down"), checkpoint(hands_off="x"), "", False, id="…which waits for hands on"
        ),
        pytest.param(a_record(want="Down"), checkpoint(hands_off="x"), "", True, id="…unless nothing of it runs"),
        pytest.param(RUNNING, checkpoint(seal_seen="x"), "", True, id="sealed"),
        pytest.param(RUNNING, checkpoint(seal_seen="x", hands_off="x"), "", True, id="a seal does not wait"),
        pytest.param(
            replace(RUNNING, exclusive=False), checkpoint(seal_seen="x"), "", False, id="sealed, not exclusive"
        ),
        pytest.param(RUNNING, checkpoint(), "reboot", True, id="the machine reboots"),
        pytest.param(replace(RUNNING, exclusive=False), checkpoint(), "reboot", True, id="…whatever it is"),
        pytest.param(RUNNING, checkpoint(hands_off="x"), "reboot", False, id="…under HandsOff it is not ours to stop"),
        pytest.param(a_record(), checkpoint(hands_off="x"), "reboot", False, id="…nor ours to close, be it not begun"),
        pytest.param(CLOSED, checkpoint(seal_seen="x"), "reboot", False, id="over"),
    ],
)
def test_must_stop(record: Record, checkpoint: Checkpoint, leaving: str, stops: bool) -> None:
    assert must_stop(record, checkpoint, leaving=leaving) is stops


@pytest.mark.parametrize(
    ("record", "checkpoint", "why"),
    [
        pytest.param(RUNNING, checkpoint(), "", id="nobody has taken hands off"),
        pytest.param(RUNNING, checkpoint(hands_off="new disks"), "new disks", id="its host"),
        pytest.param(replace(RUNNING, hands_off="Unmanaged"), checkpoint(), "Unmanaged", id="its manifest"),
        pytest.param(
            replace(RUNNING, hands_off="Unmanaged"), checkpoint(hands_off="new disks"), "new disks", id="both"
        ),
    ],
)
def test_why_hands_are_off(record: Record, checkpoint: Checkpoint, why: str) -> None:
    assert hands_off(record, checkpoint) == why


def test_on_a_machine_that_goes_down_nothing_is_started() -> None:
    refused = may_start(a_record(), checkpoint(a_record()), leaving="reboot")
    assert isinstance(refused, NotToStart) and "going down (reboot)" in refused.why


def test_probes_and_time_limits_need_no_restart_and_everything_else_does() -> None:
    probe = Probe(name="alive", tcp_socket=TcpSocket(port=80))
    assert same_work((unit(),), (unit(probes=(probe,), timeouts=Timeouts(stop="3s")),))
    assert not same_work((unit(),), (unit(unit="b.service"),))
    assert not same_work((unit(), address()), (address(), unit()))


COPY = replace(RUNNING, uid="copy")
PROMOTED = replace(RUNNING, uid="promoted", role="Promoted")


@pytest.mark.parametrize(
    ("copy", "stands"),
    [
        pytest.param(COPY, True, id="a copy of its service runs here"),
        pytest.param(replace(COPY, service="log"), False, id="a copy of another service"),
        pytest.param(replace(COPY, namespace="bank"), False, id="a copy of a service of this name elsewhere"),
    ],
)
def test_what_a_promoted_one_stands_on(copy: Record, stands: bool) -> None:
    here = checkpoint(PROMOTED, copy)
    assert (beneath(PROMOTED, here), above(copy, here)) == ((copy, PROMOTED) if stands else (None, None))


def test_what_has_not_begun_or_has_ended_carries_nothing_and_stands_on_nothing() -> None:
    assert beneath(PROMOTED, checkpoint(PROMOTED, replace(COPY, may_run=False))) is None
    assert above(COPY, checkpoint(COPY, replace(PROMOTED, may_run=False))) is None
    assert above(PROMOTED, checkpoint(COPY, PROMOTED, replace(PROMOTED, uid="other"))) is None
