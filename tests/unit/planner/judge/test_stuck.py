"""Whether a host that lives is fenced for what cannot be stopped there, as a table: who says so, what comes first, and what is said."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from backstay_api.objects.models import ServiceClass
from backstay_operator.planner.actions import RequestFence, SealLease
from backstay_operator.planner.do.fence_guard import about_stop, fence_guard
from backstay_operator.planner.do.fences import fence_actions
from backstay_operator.planner.judge.stuck import stops_in_order, unstoppable
from backstay_operator.planner.know.liveness import FENCER_SILENT_S
from backstay_operator.planner.know.reading import put as put_object
from backstay_operator.planner.know.world import World
from backstay_testing.builders import a_host, a_lease, a_service, session, unit
from backstay_testing.worlds import (
    Befall,
    a_world,
    add_host,
    all_of,
    hold,
    nothing,
    put,
    report,
    say_ready,
    seal,
    shut_down,
    silence,
    speak,
)

FENCE = {"onStopFailure": "Fence"}
WEB = a_service(recovery=FENCE)
TESTED = {"fencing": {"ready": True, "checkedAt": "2026-01-01T00:00:00Z"}}
UNTESTED = {"fencing": {"ready": False, "checkedAt": "2026-01-01T00:00:00Z", "message": "bmc: no answer"}}


def stuck(world: World, name: str = "web", host: str = "n1", **more: object) -> None:
    said: Any = {"epoch": 2, "why": "812 is in D state", "unstoppable": True, **more}
    report(world, a_service(name), host, "Stuck", **said)


def scene() -> World:
    """n1 can be fenced and cannot stop web; n2 and n3 could take over."""
    world = a_world("n2", "n3")
    add_host(world, "n1", has_device=True)
    world.hosts["n1"] = a_host("n1", has_device=True, status=TESTED)
    put(world, WEB, epoch=2, host="n1")
    stuck(world)
    say_ready(world, WEB, "n2", "n3")
    return world


def manifest(**spec: Any) -> Befall:
    return lambda world: world.put_service(a_service(**spec))


def says(**status: object) -> Befall:
    def befall(world: World) -> None:
        world.hosts["n1"] = a_host("n1", has_device=True, status=status)

    return befall


def may_run_twice(world: World) -> None:
    put(world, a_service(exclusive=False), epoch=2, host="n1")
    world.put_service(WEB)


def granted_to_another_session(world: World) -> None:
    speak(world, "n1", session("n1", 2))
    hold(world, "n1", session("n1", 2))


def speaks_without_lease(world: World) -> None:
    hold(world, "n1", session("n1", 2))


def classes_forbid(world: World) -> None:
    """A class came later that lets no stop of its namespace power a host off."""
    spec = {"namespaces": ["shop"], "allow": [{"units": ["*"]}]}
    put_object(world, ServiceClass.from_wire({"metadata": {"name": "shop"}, "spec": spec}))


def another_service(world: World) -> None:
    """Of this name, made anew since."""
    made = a_service(recovery=FENCE)
    world.put_service(made.model_copy(update={"metadata": made.metadata.model_copy(update={"uid": "uid-later"})}))


@pytest.mark.parametrize(
    ("befall", "is_found"),
    [
        pytest.param(nothing, True, id="it says so, and the manifest says Fence"),
        pytest.param(manifest(), False, id="the manifest says nothing"),
        pytest.param(manifest(recovery={"onStopFailure": "Block"}), False, id="the manifest says Block"),
        pytest.param(manifest(recovery=FENCE, state="Stopped"), True, id="it shall not run at all"),
        pytest.param(classes_forbid, False, id="no class allows it"),
        pytest.param(lambda w: stuck(w, unstoppable=False), False, id="one stop has failed, and it is tried again"),
        pytest.param(lambda w: stuck(w, released=True), False, id="it was stopped since"),
        pytest.param(lambda w: stuck(w, epoch=1), False, id="that was an earlier epoch"),
        pytest.param(may_run_twice, False, id="it may run twice"),
        pytest.param(granted_to_another_session, False, id="it is another session's"),
        pytest.param(speaks_without_lease, False, id="who says so does not hold the Lease"),
        pytest.param(another_service, False, id="its service is gone, and another has its name"),
        pytest.param(lambda w: w.services.clear(), False, id="its service is gone"),
        pytest.param(lambda w: w.leases.clear(), False, id="its host has no Lease"),
    ],
)
def test_what_a_host_is_to_be_fenced_for(befall: Befall, is_found: bool) -> None:
    world = scene()
    befall(world)
    assert [one.key for one in unstoppable(world, "n1")] == (["shop/web-0"] if is_found else [])


def test_what_is_still_tried_beside_it_is_not_what_its_host_is_fenced_for() -> None:
    world, other = scene(), a_service("db", unit("db"), recovery=FENCE)
    put(world, other, epoch=2, host="n1")
    stuck(world, "db", unstoppable=False)
    assert [one.key for one in unstoppable(world, "n1")] == ["shop/web-0"]
    stuck(world, "db")
    assert {one.key for one in unstoppable(world, "n1")} == {"shop/web-0", "shop/db-0"}


def ready_nowhere(world: World) -> None:
    say_ready(world, WEB, "n2", "n3", ready=False, why="masked")


def spent(count: int) -> Befall:
    def befall(world: World) -> None:
        for number in range(count):
            world.fenced_s[f"r{number}"], world.fenced_host[f"r{number}"] = world.now_s - 700.0, f"n{4 + number}"

    return befall


def fenced_itself(world: World) -> None:
    world.fenced_s["r"], world.fenced_host["r"] = world.now_s - 60.0, "n1"


def lose(world: World, *, mode: str = "") -> None:
    """n2 is silent, with something that it holds."""
    world.hosts["n2"] = a_host("n2", has_device=True, mode=mode)
    put(world, a_service("db", unit("db")), epoch=1, host="n2")
    silence(world, "n2", 600.0)
    say_ready(world, a_service("db", unit("db")), "n3")


def sealed_alive(world: World, host: str, ago_s: float) -> None:
    seen = world.leases[host]
    world.leases[host] = replace(seen, lease=seen.lease.sealed_(alive=True), sealed_seen_s=world.now_s - ago_s)


def untrusted(world: World) -> None:
    world.own_path = replace(world.own_path, healthy=False)


def untold(world: World) -> None:
    world.checked_s["n1"] = world.now_s - FENCER_SILENT_S - 1


def n0_too(world: World) -> None:
    """Another host cannot stop something either."""
    db = a_service("db", unit("db"), recovery=FENCE)
    add_host(world, "n0", has_device=True)
    world.hosts["n0"] = a_host("n0", has_device=True, status=TESTED)
    put(world, db, epoch=2, host="n0")
    stuck(world, "db", "n0")
    say_ready(world, db, "n3")


MIGHT_FAIL = "n1 is not fenced for it, because that might not succeed"


@pytest.mark.parametrize(
    ("befall", "said"),
    [
        pytest.param(nothing, "n1 is fenced for that, as recovery.onStopFailure asks", id="it is fenced"),
        pytest.param(manifest(), "", id="it is not to be"),
        # It has more to lose than a host that is gone.
        pytest.param(says(), f"{MIGHT_FAIL} (the fencer has not tested its devices yet", id="nobody knows its fence path"),
        pytest.param(says(**UNTESTED), f"{MIGHT_FAIL} (bmc: no answer)", id="its fence path does not work"),
        pytest.param(untold, f"{MIGHT_FAIL} (the fencer has not said for 10 min", id="nobody has tested it for long"),
        pytest.param(
            lambda w: w.hosts.update(n1=a_host("n1")), f"{MIGHT_FAIL} (n1 has no fencing device)", id="it has no device"
        ),
        # Power only where it helps: of the stuck service alone.
        pytest.param(ready_nowhere, "no other host could take over (shop/web: n2 is not ready: masked, n3", id="nobody could"),
        pytest.param(
            manifest(recovery=FENCE, state="Stopped"), "no other host could take over (shop/web: spec.state is Stopped)",
            id="it shall not run any more",
        ),
        pytest.param(
            all_of(ready_nowhere, lambda w: put(w, a_service("db", unit("db")), epoch=1, host="n1"),
                   lambda w: say_ready(w, a_service("db", unit("db")), "n2")),
            "no other host could take over (shop/web", id="that another of its services could go is no reason",
        ),
        # It gives way.
        pytest.param(lambda w: shut_down(w, "n1"), "while it is shutting down (reboot)", id="its machine goes down"),
        pytest.param(
            lambda w: w.hosts.update(n1=a_host("n1", has_device=True, mode="HandsOff", status=TESTED)), "in maintenance (HandsOff)",
            id="hands off",
        ),
        pytest.param(untrusted, "itself only just reached the API server again", id="our own trouble"),
        pytest.param(lambda w: silence(w, "n3", 1.0), "n3 is lost, or was fenced less than a minute ago", id="another is late"),
        pytest.param(lose, "n2 is lost, or was fenced less than a minute ago, and comes first", id="another is lost"),
        pytest.param(lambda w: lose(w, mode="HandsOff"), "n1 is fenced for that", id="… which nobody would fence anyway"),
        pytest.param(lambda w: sealed_alive(w, "n2", 59.0), "n2 is lost, or was fenced", id="another was fenced for the same"),
        pytest.param(lambda w: sealed_alive(w, "n2", 60.0), "n1 is fenced for that", id="… a minute ago"),
        pytest.param(n0_too, "n1 is not fenced for it yet: n0 is first", id="two at once"),
        # The budget.
        pytest.param(spent(1), "n1 is fenced for that", id="one fence in this hour"),
        pytest.param(spent(2), "n1 lives, and the last place in the budget of 3 fences an hour is kept", id="the last place"),
        pytest.param(spent(3), "the budget of 3 fences an hour is used up", id="no place"),
        pytest.param(fenced_itself, "n1 was fenced 1 time within the hour, and is left alone", id="it was fenced lately"),
    ],
)  # fmt: skip
def test_whether_a_host_that_lives_is_fenced(befall: Befall, said: str) -> None:
    world = scene()
    befall(world)
    found = about_stop(fence_guard(world), world.instances["shop/web-0"])
    assert said in found and bool(said) == bool(found)


DB = a_service("db", unit("db"))


def db_says(phase: str, **more: Any) -> Befall:
    def befall(world: World) -> None:
        put(world, DB, epoch=1, host="n1")
        report(world, DB, "n1", phase, epoch=1, **more)

    return befall


@pytest.mark.parametrize(
    ("befall", "sealed_ago_s", "waits"),
    [
        pytest.param(nothing, 1.0, False, id="nothing else runs there"),
        pytest.param(db_says("Stopping"), 1.0, True, id="another is being stopped"),
        pytest.param(db_says("Running"), 1.0, True, id="another has yet to be"),
        pytest.param(db_says("Stopped", released=True), 1.0, False, id="another is over"),
        pytest.param(db_says("Stuck"), 1.0, False, id="another is stuck as well"),
        pytest.param(db_says("Stopping"), 19.9, True, id="for twenty seconds"),
        pytest.param(db_says("Stopping"), 20.0, False, id="and no longer"),
    ],
)
def test_whether_its_off_waits_for_what_is_stopped_in_order(befall: Befall, sealed_ago_s: float, waits: bool) -> None:
    world = scene()
    befall(world)
    sealed_alive(world, "n1", sealed_ago_s)
    assert stops_in_order(world, "n1") is waits
    actions = [one for one in fence_actions(world, fence_guard(world), "n1") if isinstance(one, RequestFence)]
    assert [one.spec.want for one in actions] == (["Observe"] if waits else ["Off"])


def test_the_off_of_one_that_was_silent_waits_for_nothing() -> None:
    world = scene()
    db_says("Running")(world)
    seal(world, "n1", ago_s=1.0)
    assert not stops_in_order(world, "n1")


@pytest.mark.parametrize("befall", [lambda w: silence(w, "n1"), lambda w: seal(w, "n1", ago_s=1.0)])
def test_one_that_is_silent_or_sealed_is_as_any_other(befall: Befall) -> None:
    world = scene()
    befall(world)
    assert fence_guard(world).stuck == {}


def test_a_seal_of_who_lives_is_marked_until_it_is_opened_again() -> None:
    lease = a_lease("n1").sealed_(alive=True)
    assert lease.sealed_alive and not lease.reopened("boot/next", 2).sealed_alive


def test_of_what_can_be_stopped_on_that_host_nothing_is_said() -> None:
    world = scene()
    other = put(world, a_service("log", unit("log")), epoch=1, host="n1")
    found = fence_guard(world)
    assert (bool(about_stop(found, world.instances["shop/web-0"])), about_stop(found, other)) == (True, "")


def test_a_host_that_lives_and_is_not_fenced_anyway_is_not_held_against_the_budget() -> None:
    world = scene()
    world.settings = replace(world.settings, fence_budget=0)
    assert list(fence_guard(world).budget.refused) == ["n1"]
    ready_nowhere(world)
    assert list(fence_guard(world).budget.refused) == []


@pytest.mark.parametrize(
    ("befall", "expected"),
    [
        pytest.param(nothing, [("shop/web cannot be stopped on n1", True)], id="nothing stands against it"),
        pytest.param(ready_nowhere, [], id="nobody could take over"),
    ],
)
def test_a_host_that_lives_is_sealed_only_where_nothing_stands_against_it(
    befall: Befall, expected: list[tuple[str, bool]]
) -> None:
    world = scene()
    befall(world)
    done = fence_actions(world, fence_guard(world), "n1")
    assert [(one.why, one.alive) for one in done if isinstance(one, SealLease)] == expected
