"""Plans of services that are new and wait are kept, and equal those from nothing, whatever is written, answered or changed meanwhile."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from typing import Final

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from backstay_api.objects.models import HostAssignment
from backstay_api.objects.models.assignment import StandbyReport
from backstay_api.objects.models.instance import Grant, SessionRef
from backstay_operator.planner import rest
from backstay_operator.planner.actions import Action, Assign, CreateClaim, WriteInstance, WriteServiceStatus
from backstay_operator.planner.know import fitting
from backstay_operator.planner.know.world import World
from backstay_operator.planner.plan import plan
from backstay_operator.planner.preconditions import Silent
from backstay_testing.resting import from_nothing, put_known
from backstay_testing.starting import STEPS, carry_out, name_is_taken, new_services, passes


@pytest.fixture(autouse=True)
def hosts_have_little_room(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that some services wait until a host may be asked about one more."""
    monkeypatch.setattr(fitting, "MOST_INSTANCES", 5)


# --- one fact at a time ----------------------------------------------------------------------------------------------


def all_written(world: World, *, but: type[Action] | None = None, rounds: int = 4) -> World:
    """As far as nobody has to answer."""
    for _ in range(rounds):
        for action in plan(world).actions:
            if but is None or not isinstance(action, but):
                carry_out(world, action)
    return world


def waiting() -> World:
    """All hosts are asked, and none has answered."""
    return all_written(new_services())


def answered(world: World, *names: str) -> World:
    """By all hosts that were asked about these, that they are ready."""
    for known in list(world.assignments.values()):
        of = {uid: one.revision for uid, one in known.spec.standbys.items() if one.service in names}
        said = {uid: StandbyReport(ready=True, revision=revision) for uid, revision in of.items()}
        news = known.status.model_copy(update={"standbys": {**known.status.standbys, **said}})
        put_known(world, known.model_copy(update={"status": news}))
    return world


def about_to_be_granted() -> World:
    return answered(waiting(), "a")


def no_host_can_take_it_yet() -> World:
    """Their finalizers are to be set first."""
    world = about_to_be_granted()
    for known in list(world.hosts.values()):
        world.put_host(known.model_copy(update={"metadata": known.metadata.model_copy(update={"finalizers": None})}))
    return world


def granted() -> World:
    """And not ordered yet: four hosts are asked to be ready, where two would do."""
    world = about_to_be_granted()
    for action in plan(world).actions:
        if not isinstance(action, Assign):
            carry_out(world, action)
    assert world.instances["default/a-0"].holder
    return world


def many_come_to(world: World, host: str) -> None:
    """Three that are other services' are granted to a host."""
    held = world.instances["default/a-0"]
    grant = Grant(host=host, session=SessionRef(boot_id="b", nonce="n", seq=1), machine_uuid="m")
    for number in range(3):
        ref = held.spec.service.model_copy(update={"name": "x", "uid": f"x{number}"})
        spec = held.spec.model_copy(update={"service": ref, "epoch": 1, "grant": grant})
        meta = held.metadata.model_copy(update={"name": f"x{number}-0", "uid": f"x{number}-0"})
        world.put_instance(held.model_copy(update={"metadata": meta, "spec": spec}))


def its_host_has_more(world: World) -> None:
    made = next(one for one in plan(world).actions if isinstance(one, WriteInstance))
    assert made.spec.grant is not None
    many_come_to(world, made.spec.grant.host)


def its_standbys_have_more(world: World) -> None:
    for host in ("n0001", "n0002"):
        many_come_to(world, host)


FACTS: Final[Mapping[str, tuple[Callable[[], World], Callable[[World], object]]]] = {
    "the name of its instance is taken": (new_services, lambda w: name_is_taken(w, "a")),
    "an older service wants the same": (new_services, lambda w: STEPS["a service more wants what one has"](w, 0)),
    "an older service wants what it has not claimed": (
        lambda: all_written(new_services(), but=CreateClaim),
        lambda w: STEPS["a service more wants what one has"](w, 0),
    ),
    "it has the claim of another": (waiting, lambda w: STEPS["a claim is another's"](w, 0)),
    "something of its name is left": (waiting, lambda w: STEPS["something of its name is left somewhere"](w, 0)),
    "a host has answered": (waiting, lambda w: answered(w, "a")),
    "the host that it is granted to has more services": (about_to_be_granted, its_host_has_more),
    "another is ready beside it": (about_to_be_granted, lambda w: answered(w, "b")),
    "a host that cannot take it yet has more services": (no_host_can_take_it_yet, lambda w: many_come_to(w, "n0000")),
    "hosts that are asked have more services": (granted, its_standbys_have_more),
    "its host has no device any more": (granted, lambda w: STEPS["a host loses its device"](w, 0)),
}


@pytest.mark.parametrize("name", FACTS)
def test_each_fact_that_a_plan_was_made_from_is_seen(name: str) -> None:
    make, change = FACTS[name]
    world = make()
    plan(world)
    is_kept = rest._TOPIC in world.kept["default/a"]
    assert is_kept is (make is not no_host_can_take_it_yet)
    before = plan(world)
    change(world)
    made = plan(world)
    assert made == from_nothing(world) and made.actions != before.actions


def test_what_waits_a_moment_for_a_better_host_waits_no_longer() -> None:
    world = waiting()
    for known in list(world.assignments.values()):
        if (world.hosts[known.key].metadata.labels or {}).get("rack") == "r0":
            said = {uid: StandbyReport(ready=True, revision=1) for uid in known.spec.standbys}
            put_known(world, known.model_copy(update={"status": known.status.model_copy(update={"standbys": said})}))
    before = plan(world)
    passes(1.5)(world, 0)
    made = plan(world)
    assert made == from_nothing(world)
    assert before.actions


def test_a_grant_that_passes_over_a_silent_host_names_its_lease_as_it_is() -> None:
    """Kept, it would name for ever the version that somebody has edited since, and be refused for ever."""
    world = waiting()
    STEPS["a host falls silent"](world, 4)
    plan(answered(world, "a"))
    STEPS["a Lease is edited"](world, 4)
    grant = next(one for one in plan(world).actions if isinstance(one, WriteInstance))
    leases = [need.lease for need in grant.needs if isinstance(need, Silent)]
    assert leases == [world.leases["n0004"].lease.resource_version]


def left_by_a_gone_copy(world: World, *, released: bool) -> None:
    """A host has stopped what a copy of `e` that is gone had there, and says so, or not yet: meanwhile no other comes there."""
    known = world.assignments["n0001"]
    assert known.status.session is not None
    told = {"namespace": "default", "name": "e-7", "service": "e", "epoch": 1}
    raw = known.wire()
    order = {**told, "session": known.status.session.ref.wire(), "want": "Down", "exclusive": False}
    report = {**told, "phase": "Stopped" if released else "Stopping", "released": released}
    raw["spec"].setdefault("instances", {})["gone"] = order
    raw["status"].setdefault("instances", {})["gone"] = report
    put_known(world, HostAssignment.from_wire(raw))


def test_that_a_copy_which_is_gone_has_left_a_host_is_seen_by_those_that_wait() -> None:
    world = waiting()
    for key, claim in list(world.claims.items()):
        hosts = [
            one.model_copy(update={"instance": "gone"}) if (one.uid, one.host) == ("uid-e", "n0001") else one
            for one in claim.spec.hosts or ()
        ]
        world.claims[key] = claim.model_copy(update={"spec": claim.spec.model_copy(update={"hosts": hosts})})
    left_by_a_gone_copy(world, released=False)
    before = plan(all_written(world))
    assert rest._TOPIC in world.kept["default/e"]
    left_by_a_gone_copy(world, released=True)
    made = plan(world)
    assert made == from_nothing(world) and made.actions != before.actions


# --- round after round -----------------------------------------------------------------------------------------------


def rounds(world: World) -> Iterator[tuple[World, list[str]]]:
    """Round by round, three writes each, until all run: what was planned anew."""
    for number in range(90):
        before = {key: world.kept[key].get(rest._TOPIC) for key in world.services}
        made = plan(world)
        yield world, [key for key, one in before.items() if one is None or world.kept[key].get(rest._TOPIC) is not one]
        for action in made.actions[:3]:
            carry_out(world, action)
        STEPS["all hosts answer" if number % 10 == 0 else "a host runs what it was told"](world, number)


def test_each_round_of_a_start_is_as_from_nothing_and_most_plans_of_it_are_kept() -> None:
    planned = services = 0
    for world, anew in rounds(new_services()):
        assert plan(world) == from_nothing(world)
        planned, services = planned + len(anew), services + len(world.services)
    assert all(one.holder for one in world.instances.values() if one.metadata.name not in ("d-0", "g-0"))
    assert planned < services / 2, (planned, services)


def test_what_is_told_late_bears_the_time_at_which_it_was_decided() -> None:
    world = new_services()
    world.wall = "2026-01-01T00:00:00Z"
    first = {one.ref: one for one in plan(world).actions if isinstance(one, WriteServiceStatus)}
    world.wall = "2026-01-01T00:00:09Z"
    passes(9.0)(world, 0)
    kept = {one.ref: one for one in plan(world).actions if isinstance(one, WriteServiceStatus)}
    assert kept.keys() == first.keys()
    is_kept = [key for key in world.services if rest._TOPIC in world.kept[key]]
    assert len(is_kept) >= 4 and all(kept[ref] is one for ref, one in first.items() if ref.key in is_kept)


# --- whatever happens ------------------------------------------------------------------------------------------------


# Without the search for the smallest example, which takes minutes: the steps are told, and each can be left out by hand.
@settings(
    max_examples=40, deadline=None, suppress_health_check=list(HealthCheck), phases=(Phase.explicit, Phase.generate)
)
@given(
    st.lists(st.tuples(st.sampled_from(sorted(STEPS)), st.integers(0, 30)), min_size=1, max_size=14),
    st.randoms(use_true_random=False),
    st.sampled_from([0.1, 0.5, 1.0]),
)
def test_whatever_happens_while_services_wait(steps: list[tuple[str, int]], rng: random.Random, share: float) -> None:
    world = new_services()
    for name, number in steps:
        begun = [one for one in plan(world).actions if rng.random() < share]
        for action in begun:
            carry_out(world, action)
            assert share < 1.0 or plan(world) == from_nothing(world)
        plan(world)
        STEPS[name](world, number)
        assert plan(world) == from_nothing(world)
