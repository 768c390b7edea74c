"""How a session begins, is published, and what it does about its Lease."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import Any

import pytest

from backstay_agent.core.checkpoint import Checkpoint
from backstay_agent.core.sessions import (
    AT_START,
    Hold,
    Inventory,
    JournalState,
    Overtaken,
    Publish,
    Start,
    WrongMachine,
    at_start,
    on_lease,
    to_publish,
    why_lost,
)
from backstay_api.objects.lease import HostLease
from backstay_api.objects.plain import AgentSession, SessionRef
from backstay_api.objects.promise import Contract
from backstay_testing.journalled import MINE, checkpoint


def test_every_state_an_agent_can_find_is_decided() -> None:
    assert set(AT_START) == set(product(JournalState, Inventory))


@pytest.mark.parametrize("inventory", Inventory)
def test_without_a_trustworthy_journal_a_session_opens_only_where_nothing_of_ours_can_run(inventory: Inventory) -> None:
    assert at_start(JournalState.BROKEN, inventory, leftovers=False) is Start.STOP_ALL
    assert at_start(JournalState.ABSENT, inventory, leftovers=True) is Start.STOP_ALL
    assert at_start(JournalState.INTACT, inventory, leftovers=True) is Start.ADOPT, (
        "what is found is what the journal tells of"
    )
    nothing = inventory in (Inventory.EMPTY, Inventory.OTHER_BOOT)
    assert at_start(JournalState.ABSENT, inventory, leftovers=False) is (Start.OPEN if nothing else Start.STOP_ALL)


def a_session(nonce: str = "old", *, seq: int = 4, boot_id: str = "b", **more: Any) -> AgentSession:
    return AgentSession(boot_id=boot_id, nonce=nonce, seq=seq, machine_uuid=more.pop("machine_uuid", "m"), **more)


FRESH = checkpoint(seq=0)


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
        pytest.param(
            FRESH, a_session("mine", seq=7), Publish(a_session("mine", seq=7)), id="a write whose answer was lost"
        ),
        pytest.param(checkpoint(), a_session("mine", seq=5), Publish(a_session("mine", seq=5)), id="known"),
        pytest.param(checkpoint(), a_session("other", seq=6), Overtaken, id="somebody opened a newer one"),
        pytest.param(checkpoint(), a_session("other", seq=5), Overtaken, id="…or one as new"),
        pytest.param(
            checkpoint(),
            a_session("old", seq=4),
            Publish(a_session("mine", seq=5, supersedes=("old",))),
            id="an older one stands there again",
        ),
        pytest.param(checkpoint(), None, Publish(a_session("mine", seq=5)), id="the assignment was made again"),
        pytest.param(
            checkpoint(earlier=("x", "y")),
            None,
            Publish(a_session("mine", seq=5, supersedes=("x", "y"))),
            id="…and we remember which sessions it had named",
        ),
        pytest.param(
            checkpoint(seq=0, earlier=("x",), earlier_seq=7),
            None,
            Publish(a_session("mine", seq=8, supersedes=("x",))),
            id="…and how far they had counted",
        ),
        pytest.param(
            checkpoint(seq=0, earlier=("x", "y"), earlier_seq=2),
            a_session("y", seq=4, supersedes=("w", "x")),
            Publish(a_session("mine", seq=5, supersedes=("x", "y", "w"))),
            id="what either of us knows",
        ),
        pytest.param(FRESH, a_session(machine_uuid="m2"), WrongMachine, id="another machine has this name"),
    ],
)
def test_how_a_session_is_published(mine: Checkpoint, stored: AgentSession | None, expected: Any) -> None:
    found = to_publish(mine, stored, (), machine_uuid="m")
    assert isinstance(found, expected) if isinstance(expected, type) else found == expected


FORGOTTEN = SessionRef(boot_id="b", nonce="forgotten", seq=4)


@pytest.mark.parametrize(
    ("mine", "stored", "expected"),
    [
        pytest.param(FRESH, None, a_session("mine", seq=5, supersedes=("forgotten",)), id="nobody else knows of it"),
        pytest.param(
            FRESH,
            a_session("x", seq=2),
            a_session("mine", seq=5, supersedes=("x", "forgotten")),
            id="the stored session did not know of it either",
        ),
        pytest.param(
            checkpoint(seq=5),
            a_session("mine", seq=5, supersedes=("x",)),
            a_session("mine", seq=5, supersedes=("x", "forgotten")),
            id="the order comes after the session was published",
        ),
        pytest.param(checkpoint(seq=4), None, a_session("mine", seq=4), id="it may be newer than ours"),
        pytest.param(checkpoint(nonce="forgotten", seq=4), None, a_session("forgotten", seq=4), id="it is ours"),
        pytest.param(
            replace(FRESH, boot_id="c"), None, a_session("mine", seq=5, boot_id="c"), id="it was of another boot"
        ),
    ],
)
def test_a_session_of_this_boot_that_only_orders_name_is_superseded(
    mine: Checkpoint, stored: AgentSession | None, expected: AgentSession
) -> None:
    """What holds a grant is named by an order, and by nothing else where the HostAssignment was made again and the disk is lost."""
    assert to_publish(mine, stored, (FORGOTTEN,), machine_uuid="m") == Publish(expected)


def a_lease(holder: str, *, seq: int, sealed: bool = False) -> HostLease:
    return HostLease(
        host="n1", resource_version="1", holder=holder, seq=seq, renewal=1, sealed=sealed, contract=Contract()
    )


@pytest.mark.parametrize(
    ("lease", "expected"),
    [
        pytest.param(a_lease("", seq=0), Hold.TAKE, id="nobody has held it yet"),
        pytest.param(a_lease("b/old", seq=4), Hold.TAKE, id="an older session's, unsealed"),
        pytest.param(a_lease("b/other", seq=5), Hold.LOST, id="another session's of our number, unsealed"),
        pytest.param(a_lease("b/other", seq=5, sealed=True), Hold.LOST, id="another session's of our number, sealed"),
        pytest.param(a_lease("b/old", seq=4, sealed=True), Hold.WAIT, id="an older session's, sealed"),
        pytest.param(a_lease("b/mine", seq=5), Hold.RENEW, id="ours"),
        pytest.param(a_lease("b/mine", seq=5, sealed=True), Hold.LOST, id="ours, sealed"),
        pytest.param(a_lease("b/new", seq=6), Hold.LOST, id="a newer session's"),
        pytest.param(a_lease("b/new", seq=6, sealed=True), Hold.LOST, id="a newer session's, sealed"),
    ],
)
def test_what_a_session_does_about_its_lease(lease: HostLease, expected: Hold) -> None:
    assert on_lease(lease, MINE) is expected


def test_why_a_session_is_over_is_said() -> None:
    assert why_lost(a_lease("b/mine", seq=5, sealed=True), MINE) == "the operator has sealed this host's lease"
    held = "this host's lease is held by b/new of seq 6, which is not older than ours"
    assert why_lost(a_lease("b/new", seq=6, sealed=True), MINE) == held
