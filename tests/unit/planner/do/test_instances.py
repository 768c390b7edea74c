"""The life of an instance, as tables: granted, held, stopped, closed, granted again; and what stands against each step."""

from __future__ import annotations

import json

import pytest

from backstay_api.objects.kinds import Raw
from backstay_api.objects.models import HAService
from backstay_operator.planner.do.course import Course
from backstay_operator.planner.do.instances import course
from backstay_operator.planner.do.moves import MOVE_ANNOTATION
from backstay_operator.planner.do.rounds import begin
from backstay_operator.planner.judge.acceptance import accept
from backstay_operator.planner.judge.placement import NoHost
from backstay_operator.planner.know.world import World
from backstay_testing.builders import a_host, a_service, address, annotated, being_deleted, marked, session, unit
from backstay_testing.courses import HANDS_OFF, WEB, down, mode, released, told, unordered
from backstay_testing.worlds import (
    Befall,
    a_world,
    all_of,
    hold,
    make_ours,
    nothing,
    own,
    put,
    report,
    running,
    say_ready,
    silence,
    speak,
)


def of(world: World) -> Course:
    service, instance = world.services["shop/web"], world.instances["shop/web-0"]
    return course(begin(world), service, instance, accept(world, service))


# --- nobody holds it -------------------------------------------------------------------------------------------------


def unready(*names: str) -> Befall:
    return lambda world: say_ready(world, world.services["shop/web"], *names, ready=False, why="masked")


def unmarked(world: World) -> None:
    world.put_service(marked(world.services["shop/web"]))


def unmarked_host(name: str) -> Befall:
    return lambda world: world.hosts.update({name: marked(world.hosts[name])})


def recorded(world: World) -> None:
    """Claims record all that the next order will name."""
    own(world, world.services["shop/web"], epoch=9, revision=9)


def unanswered(world: World) -> None:
    raw = world.assignments["n2"].wire()
    raw["status"]["standbys"] = {}
    world.put_assignment(world.assignments["n2"].from_wire(raw))


def runs_ahead(world: World) -> None:
    report(world, WEB, "n2", "Running", epoch=9)


def wish(host: str) -> Befall:
    text = json.dumps({"host": host})
    return lambda world: world.put_service(annotated(world.services["shop/web"], {MOVE_ANNOTATION: text}))


def leaving(world: World) -> None:
    world.put_instance(being_deleted(world.instances["shop/web-0"]))


def failed_on(*names: str) -> Befall:
    def befall(world: World) -> None:
        for name in names:
            report(world, WEB, name, "Failed", epoch=1, released=True, why="exit code 1")

    return befall


PROMOTABLE = a_service(mode="Promotable", replicas=2)
STOPPED = a_service(state="Stopped")


@pytest.mark.parametrize(
    ("service", "epoch", "befall", "expected", "missing"),
    [
        pytest.param(WEB, 0, nothing, "grant n1 1, record, to n1", "", id="the first grant, beside what claims must record"),
        pytest.param(WEB, 0, recorded, "grant n1 1, to n1", "", id="all is recorded"),
        pytest.param(WEB, 4, recorded, "grant n1 5, to n1", "", id="a later grant"),
        pytest.param(WEB, 1, all_of(recorded, unready("n1")), "grant n2 2, to n2", "", id="the first host is not ready"),
        pytest.param(WEB, 1, unready("n1", "n2", "n3"), "", "", id="no host is ready: that is said elsewhere"),
        pytest.param(WEB, 1, all_of(recorded, wish("n3")), "grant n3 2, to n3", "", id="a person's wish"),
        pytest.param(
            WEB, 1, all_of(recorded, wish("n3"), unready("n3")), "grant n1 2, to n1", "", id="a wish that cannot be granted"
        ),
        pytest.param(WEB, 1, all_of(recorded, failed_on("n1")), "grant n2 2, to n2", "", id="it could not be run on one host"),
        pytest.param(PROMOTABLE, 1, nothing, "", "spec.mode", id="the manifest is refused"),
        pytest.param(STOPPED, 1, nothing, "", "spec.state is Stopped", id="it shall not run"),
        pytest.param(WEB, 1, unmarked, "", "its finalizer is being set first", id="it is not marked"),
        pytest.param(
            WEB, 0, unanswered, "", "waiting for n2 to say that nothing of it runs there already", id="before the first epoch"
        ),
        pytest.param(WEB, 1, all_of(recorded, unanswered), "grant n1 2, to n1", "", id="later nobody has to answer"),
        pytest.param(
            WEB, 1, runs_ahead, "", "n2 runs epoch 9 of it, but its HAInstance knows only 1", id="a host runs a later epoch"
        ),
        pytest.param(WEB, 1, unmarked_host("n1"), "", "the finalizer of n1 is being set first", id="the host cannot take it yet"),
        pytest.param(WEB, 1, leaving, "delete", "", id="it is being deleted"),
        # Which reason comes first.
        pytest.param(
            a_service(mode="Promotable", replicas=2, state="Stopped"), 1, nothing, "", "spec.mode", id="a refusal before its state"
        ),
        pytest.param(STOPPED, 1, unmarked, "", "spec.state is Stopped", id="its state before its mark"),
        pytest.param(
            WEB, 1, all_of(unmarked, unready("n1", "n2", "n3")), "", "its finalizer is being set first", id="its mark before the hosts"
        ),
        pytest.param(
            WEB, 1, all_of(unmarked, unmarked_host("n1")), "", "its finalizer is being set first", id="its mark before the host's"
        ),
    ],
)  # fmt: skip
def test_what_nobody_holds(service: HAService, epoch: int, befall: Befall, expected: str, missing: str) -> None:
    world = a_world("n1", "n2", "n3")
    put(world, service, epoch=epoch)
    say_ready(world, service, "n1", "n2", "n3")
    make_ours(world)
    befall(world)
    found = of(world)
    assert told(found) == expected
    assert missing in found.missing and bool(found.missing) == bool(missing)


def test_where_no_host_will_do_it_says_why_of_each_and_when_to_look_again() -> None:
    world = a_world("n1", "n2", "n3")
    put(world, WEB, epoch=1)
    say_ready(world, WEB, "n1", "n2", "n3")
    make_ours(world)
    failed_on("n1", "n2", "n3")(world)
    found = of(world)
    assert isinstance(found.placed, NoHost) and found.placed.why.startswith(
        "0/3 hosts can run it: 3 failed to start it lately"
    )
    assert found.look_again_s == world.now_s + world.settings.start_retry_s


def test_two_that_start_at_once_do_not_both_choose_one_host() -> None:
    world = a_world("n1", "n2")
    for name in ("a", "b"):
        service = a_service(name, unit(name))
        put(world, service, epoch=1)
        say_ready(world, service, "n1", "n2")
    make_ours(world)
    round_ = begin(world)
    found = [
        course(round_, world.services[key], world.instances[f"{key}-0"], accept(world, world.services[key]))
        for key in ("shop/a", "shop/b")
    ]
    assert [one.to for one in found] == ["n1", "n2"]


def edit(*resources: Raw, state: str = "Running", mode: str = "Single") -> Befall:
    """The manifest is another, and the hosts have answered for it."""

    def befall(world: World) -> None:
        before = world.services["shop/web"]
        edited = marked(
            a_service("web", *resources, generation=2, state=state, mode=mode), *(before.metadata.finalizers or ())
        )
        world.put_service(edited)
        say_ready(world, edited, "n2", "n3")

    return befall


def claimed(world: World) -> None:
    own(world, world.services["shop/web"], epoch=9, revision=9)


def recorded_less(world: World) -> None:
    """Somebody has restored the claims as they were before the present epoch."""
    own(world, world.services["shop/web"], epoch=1, revision=1)


def stuck(world: World) -> None:
    report(world, WEB, "n1", "Stuck", epoch=2, why="a process is left")


def overtaken(world: World) -> None:
    hold(world, "n1", session("n1", 2))
    speak(world, "n1", session("n1", 2))


NO_PROOF = "n1 is silent: nothing can prove that it is off"
TO_N2 = all_of(mode("Drain"), down("n2"))


@pytest.mark.parametrize(
    ("befall", "expected", "missing"),
    [
        pytest.param(nothing, "Up 1", "", id="it runs"),
        pytest.param(unordered, "Up 1", "", id="it was granted, and not ordered yet"),
        pytest.param(leaving, "Down 1", "its HAInstance is being deleted", id="it is being deleted"),
        pytest.param(edit(unit(), state="Stopped"), "Down 1", "", id="it shall not run any more"),
        pytest.param(mode("Drain"), "Down 1, to n2", "", id="it moves"),
        pytest.param(
            all_of(mode("Drain"), unready("n2", "n3")), "Up 1", "n1 is being drained (new disks), but it stays: 0/3 hosts can",
            id="it should move, and no host is ready",
        ),
        # It was ordered to stop.
        pytest.param(TO_N2, "Down 1, to n2", "", id="stopped for a move"),
        pytest.param(all_of(TO_N2, unready("n2")), "Down 1", "", id="stopped for a move to what is not ready any more"),
        pytest.param(all_of(TO_N2, edit(unit(), state="Stopped")), "Down 1", "", id="stopped for a move, and then for good"),
        pytest.param(all_of(TO_N2, edit(unit(), mode="Promotable")), "Down 1", "", id="stopped for a move, then refused"),
        pytest.param(down(), "Down 1", "", id="what was ordered Down stays Down"),
        pytest.param(all_of(down(), mode("HandsOff")), "Down 1", "", id="what was ordered Down stays so in HandsOff"),
        # It is not touched.
        pytest.param(mode("HandsOff"), "Up 1", HANDS_OFF, id="hands off"),
        pytest.param(all_of(mode("HandsOff"), unordered), "", HANDS_OFF, id="hands off: not even what was granted is ordered"),
        pytest.param(
            all_of(mode("HandsOff"), edit(unit(), state="Stopped")), "Up 1", HANDS_OFF, id="hands off: not stopped either"
        ),
        pytest.param(edit(unit(), mode="Promotable"), "Up 1", "", id="a refused manifest stops nothing"),
        pytest.param(
            all_of(unordered, edit(unit(), mode="Promotable")), "", "", id="what was never ordered waits for a good manifest"
        ),
        # It is edited.
        pytest.param(edit(unit()), "record, Up 1", "", id="an edit is recorded before it is ordered"),
        pytest.param(all_of(edit(unit()), claimed), "Up 2", "", id="an edit that is recorded"),
        pytest.param(recorded_less, "Up 1", "", id="what is ordered already is not recorded once more"),
        pytest.param(
            edit(unit(), address("192.0.2.10/24")), "Up 1", "address 192.0.2.10 is being claimed first", id="an edit that names more"
        ),
        pytest.param(
            all_of(edit(unit(), unit("log")), claimed), "Up 2", "", id="an edit that brings a unit, for which all have answered"
        ),
        pytest.param(
            all_of(edit(unit(), unit("log")), claimed, unanswered), "Up 1",
            "waiting for n2 to say that nothing of it runs there already", id="an edit that brings a unit waits for answers",
        ),
        pytest.param(all_of(edit(unit()), claimed, unanswered), "Up 2", "", id="an edit that brings none waits for nobody"),
        # Its epoch may be over.
        pytest.param(released, "grant n2 3 by Released, record, to n2", "", id="its holder has stopped it"),
        pytest.param(all_of(released, claimed), "grant n2 3 by Released, to n2", "", id="all is recorded"),
        pytest.param(
            all_of(released, down("n3"), claimed), "grant n3 3 by Released, to n3", "", id="it goes where people were told"
        ),
        pytest.param(all_of(released, unready("n2", "n3")), "close 2 by Released", "", id="it is closed, and goes nowhere"),
        pytest.param(
            all_of(released, edit(unit(), state="Stopped")), "close 2 by Released", "spec.state is Stopped", id="it is closed for good"
        ),
        pytest.param(
            all_of(released, edit(unit(), mode="Promotable")), "close 2 by Released", "spec.mode",
            id="it is closed, and its manifest is refused",
        ),
        pytest.param(all_of(released, leaving), "close 2 by Released", "", id="it is closed, and will be deleted"),
        # It may not be over.
        pytest.param(lambda w: silence(w, "n1"), "Up 1", NO_PROOF, id="its host is silent"),
        pytest.param(lambda w: silence(w, "n1", 1.0), "Up 1", "", id="its host is merely late"),
        pytest.param(stuck, "Up 1", "n1 could not prove that it has stopped (a process is left)", id="it is stuck"),
        pytest.param(
            overtaken, "Up 1", "n1 is running another session, which has not reported that the old one is over",
            id="another session holds the Lease",
        ),
        pytest.param(
            all_of(overtaken, lambda w: silence(w, "n1", 1.0)), "Up 1", "n1 is late: nothing can prove that it is off",
            id="another session holds the Lease, and that is late",
        ),
        pytest.param(
            lambda w: report(w, WEB, "n1", "Stuck", epoch=1), "Up 1", "", id="it was stuck in an earlier epoch"
        ),
        pytest.param(
            all_of(mode("HandsOff"), lambda w: silence(w, "n1")), "Up 1", "n1 is silent: it is in maintenance (HandsOff)",
            id="what proof is missing is said before hands off",
        ),
    ],
)  # fmt: skip
def test_what_somebody_holds(befall: Befall, expected: str, missing: str) -> None:
    world = a_world("n1", "n2", "n3")
    running(world, WEB)
    say_ready(world, WEB, "n1", ready=False, why="it runs here")
    befall(world)
    found = of(world)
    assert told(found) == expected
    assert missing in found.missing and bool(found.missing) == bool(missing)


@pytest.mark.parametrize(
    ("befall", "refused"),
    [
        pytest.param(nothing, "", id="nothing stands against a fence"),
        pytest.param(
            lambda w: silence(w, "n2"), "2 of 3 hosts fell silent together (n1, n2)", id="why the guard holds it back is said too"
        ),
    ],
)  # fmt: skip
def test_a_lost_holder_is_told_of_with_what_the_guard_holds_against_fencing_it(befall: Befall, refused: str) -> None:
    world = a_world("n1", "n2", "n3")
    running(world, WEB)
    world.hosts["n1"] = a_host("n1", has_device=True)
    silence(world, "n1")
    befall(world)
    missing = of(world).missing
    assert missing.startswith("n1 is silent: it is not proven to be off yet") and refused in missing
    assert ("fell silent together" in missing) == bool(refused)
