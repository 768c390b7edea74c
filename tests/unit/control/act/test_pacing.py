"""Which actions are begun in a round: each object one at a time, the same attempt ever more slowly, a follower late."""

from __future__ import annotations

import itertools
import random

import pytest

from backstay_api.objects.kinds import Ref
from backstay_api.objects.models import FenceRequest
from backstay_api.objects.models.assignment import HostAssignmentSpec
from backstay_api.objects.object_kinds import FENCE_REQUESTS, KINDS
from backstay_operator.control.act.pacing import FOLLOWER_WAIT_S, Turns
from backstay_operator.planner import actions
from backstay_operator.planner.actions import Action, Assign, CreateLease, UpdateFence, WriteServiceStatus
from backstay_operator.planner.rows import Rank
from backstay_testing.builders import a_service, an_instance

SEAL_SOON = CreateLease("n1", "it has none")
NOTHING = HostAssignmentSpec()


class Versions:
    """The versions of objects, as a test sets them."""

    def __init__(self) -> None:
        self.known: dict[str, str] = {}

    def __call__(self, subject: Ref) -> str:
        return self.known.get(subject.key, "1")


@pytest.fixture
def versions() -> Versions:
    return Versions()


@pytest.fixture
def turns(versions: Versions) -> Turns:
    return Turns(version=versions, rng=random.Random(1))


def take(turns: Turns, *wanted: Action, now_s: float = 0.0, leads: bool = True) -> tuple[Action, ...]:
    return turns.take(wanted, now_s=now_s, leads=leads).actions


def fail(turns: Turns, action: Action, *, now_s: float = 0.0, version: str = "1", trouble: bool = False) -> None:
    turns.done(action, decided_at=version, in_trouble=trouble, now_s=now_s)


def a_request(want: str = "Observe") -> FenceRequest:
    spec = {"host": "n1", "session": {"bootID": "b", "nonce": "n", "seq": 1}, "want": want}
    found = FENCE_REQUESTS.read({"metadata": {"name": "n1-x", "uid": "r", "resourceVersion": "1"}, "spec": spec})
    assert isinstance(found, FenceRequest)
    return found


def test_one_object_has_one_write_under_way(turns: Turns) -> None:
    first = WriteServiceStatus(a_service(), a_service().status)
    other = CreateLease("n2", "it has none")
    assert take(turns, SEAL_SOON, other) == (SEAL_SOON, other)
    assert take(turns, SEAL_SOON, first) == (first,)


def test_two_writes_to_one_object_in_one_plan_are_done_one_after_the_other(turns: Turns, versions: Versions) -> None:
    observe, off = UpdateFence(a_request(), "Observe", "late"), UpdateFence(a_request(), "Off", "silent")
    assert take(turns, observe, off) == (observe,)
    versions.known["n1-x"] = "2"
    turns.done(observe, decided_at="1", in_trouble=False, now_s=0.1)
    assert take(turns, off, now_s=0.1) == (off,)


def test_the_same_attempt_waits_ever_longer_but_never_more_than_five_seconds(turns: Turns) -> None:
    now_s, pauses = 0.0, []
    for _ in range(12):
        assert take(turns, SEAL_SOON, now_s=now_s) == (SEAL_SOON,)
        fail(turns, SEAL_SOON, now_s=now_s)
        wake_at_s = turns.take([SEAL_SOON], now_s=now_s, leads=True).wake_at_s
        assert wake_at_s is not None
        pauses.append(wake_at_s - now_s)
        now_s = wake_at_s
    assert pauses[0] <= 0.05 and 2.5 <= pauses[-1] <= 5.0
    assert all(later > earlier / 2 for earlier, later in itertools.pairwise(pauses))


def test_a_write_that_succeeds_without_effect_does_not_spin(turns: Turns) -> None:
    take(turns, SEAL_SOON)
    turns.done(SEAL_SOON, decided_at="1", in_trouble=False, now_s=0.0)
    assert take(turns, SEAL_SOON, now_s=0.001) == ()


def test_a_version_that_moved_makes_it_another_attempt(turns: Turns, versions: Versions) -> None:
    take(turns, SEAL_SOON)
    fail(turns, SEAL_SOON)
    versions.known["n1"] = "2"
    assert take(turns, SEAL_SOON, now_s=0.001) == (SEAL_SOON,)


def test_while_the_api_is_in_trouble_another_version_helps_nobody(turns: Turns, versions: Versions) -> None:
    take(turns, SEAL_SOON)
    fail(turns, SEAL_SOON, trouble=True)
    versions.known["n1"] = "2"
    assert take(turns, SEAL_SOON, now_s=0.001) == ()
    turns.retry_now()
    assert take(turns, SEAL_SOON, now_s=0.002) == (SEAL_SOON,)


def test_other_orders_for_a_host_do_not_wait_for_the_failed_ones(turns: Turns) -> None:
    old, new = Assign("n1", NOTHING, "because"), Assign("n1", NOTHING, "because")
    changed = Assign("n1", HostAssignmentSpec.model_validate({"heartbeat": {"profile": "lab"}}), "because")
    take(turns, old)
    fail(turns, old)
    assert take(turns, new, now_s=0.001) == ()
    assert take(turns, changed, now_s=0.001) == (changed,)


def test_a_follower_waits_until_the_action_has_stood_unchanged(turns: Turns, versions: Versions) -> None:
    assert take(turns, SEAL_SOON, leads=False) == ()
    assert take(turns, SEAL_SOON, now_s=FOLLOWER_WAIT_S - 0.1, leads=False) == ()
    versions.known["n1"] = "2"
    assert take(turns, SEAL_SOON, now_s=FOLLOWER_WAIT_S, leads=False) == (), "somebody is at work on it"
    assert take(turns, SEAL_SOON, now_s=2 * FOLLOWER_WAIT_S, leads=False) == (SEAL_SOON,)


def test_what_was_not_wanted_for_a_moment_has_not_stood(turns: Turns) -> None:
    take(turns, SEAL_SOON, leads=False)
    take(turns, now_s=1.0, leads=False)
    assert take(turns, SEAL_SOON, now_s=FOLLOWER_WAIT_S, leads=False) == ()


def test_every_action_names_the_object_it_writes() -> None:
    service = a_service()
    examples: dict[type, Action] = {
        actions.WriteInstance: actions.WriteInstance(an_instance(service), an_instance(service).spec, ""),
        actions.ReportUnreadable: actions.ReportUnreadable("HAService", "shop/web", 3, ()),
        actions.UpdateFence: UpdateFence(a_request(), "Off", ""),
        actions.Assign: Assign("n1", NOTHING, ""),
    }
    ids = {kind.__name__: action.ref.id for kind, action in examples.items()}
    assert ids == {
        "WriteInstance": ("HAInstance", "shop/web-0"),
        "ReportUnreadable": ("HAService", "shop/web"),
        "UpdateFence": ("FenceRequest", "n1-x"),
        "Assign": ("HostAssignment", "n1"),
    }
    assert {examples[UpdateFence].intent, "HAService" in KINDS} == {"Off", True}
    assert examples[actions.ReportUnreadable].rank is Rank.PEOPLE is not SEAL_SOON.rank
