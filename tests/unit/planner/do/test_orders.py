"""What each host is told, as tables: an entry only moves forward, what an order says, and what makes a write of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final, Literal

import pytest

from backstay_api.objects.models import HAInstance, HAService
from backstay_api.objects.models.assignment import HostAssignmentSpec, InstanceOrder, StandbyOrder
from backstay_api.objects.models.host import Heartbeat, HostChecks
from backstay_api.objects.object_kinds import Unreadable
from backstay_operator.planner.do.orders import Wanted, assign, merge_forward, order
from backstay_operator.planner.know.world import World
from backstay_operator.planner.preconditions import HoldsNothing
from backstay_testing.builders import (
    a_host,
    a_service,
    an_assignment,
    an_instance,
    an_order,
    being_deleted,
    session,
    unit,
)
from backstay_testing.worlds import Befall, a_world, all_of, nothing, put, report, tell

WEB = a_service()
NEWER = a_service("web", unit(), unit("log"), generation=2)


def entry(epoch: int, want: Literal["Up", "Down"] = "Up", *, revision: int = 1, seq: int = 1) -> InstanceOrder:
    """An order for an epoch of web, granted to session `seq` of n1."""
    return an_order(an_instance(WEB, epoch=epoch, host="n1", seq=seq), want, revision=revision)


UP, DOWN = entry(2), entry(2, "Down")


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        pytest.param("Running", (False, "Running", False), id="ours"),
        pytest.param("Unmanaged", (True, "Unmanaged", True), id="not ours to touch"),
    ],
)
def test_an_order_says_by_a_word_of_its_own_whether_anything_of_it_is_touched(
    state: str, expected: tuple[bool, str, bool]
) -> None:
    service = a_service(state=state)
    made = order(a_world("n1"), service, an_instance(service, epoch=2, host="n1"), "Up", "because")
    assert (made.is_unmanaged, made.state, bool(made.hands_off)) == expected
    assert made.model_copy(update={"hands_off": "", "why": "Unmanaged"}).is_unmanaged is expected[0], (
        "no sentence decides"
    )
    assert made.model_copy(update={"state": None}).is_unmanaged is expected[0], "as an earlier release said it"


# --- an entry only moves forward -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stored", "wanted", "over", "expected"),
    [
        pytest.param(None, UP, None, UP, id="a new entry"),
        pytest.param(UP, None, None, UP, id="absence is no information"),
        pytest.param(UP, None, 2, None, id="its epoch is over, and nothing is left"),
        pytest.param(UP, None, 1, UP, id="only an earlier epoch is over"),
        pytest.param(UP, UP, 2, UP, id="what is wanted stays, whatever is over"),
        pytest.param(UP, entry(3), None, entry(3), id="a later epoch"),
        pytest.param(entry(3), UP, None, entry(3), id="an earlier epoch"),
        pytest.param(DOWN, entry(3), None, entry(3), id="the next grant after a Down"),
        pytest.param(UP, DOWN, None, DOWN, id="from Up to Down"),
        pytest.param(DOWN, UP, None, DOWN, id="never from Down to Up"),
        pytest.param(DOWN, entry(2, revision=5), None, DOWN, id="never from Down to Up, however new the manifest"),
        pytest.param(UP, entry(2, revision=2), None, entry(2, revision=2), id="a later revision"),
        pytest.param(entry(2, revision=2), UP, None, entry(2, revision=2), id="an earlier revision"),
        pytest.param(
            entry(2, revision=9, seq=7), UP, None, UP, id="an epoch has one session: somebody else's hand is undone"
        ),
        pytest.param(
            entry(2, "Down", seq=7), UP, None, DOWN, id="somebody else's hand is undone, and a Down stays a Down"
        ),
        pytest.param(entry(3, seq=7), UP, None, entry(3, seq=7), id="an earlier epoch of another session"),
        pytest.param(UP, entry(3, seq=7), None, entry(3, seq=7), id="the next epoch has its own session"),
    ],
)
def test_of_two_entries_the_later_wins(
    stored: InstanceOrder | None, wanted: InstanceOrder | None, over: int | None, expected: InstanceOrder | None
) -> None:
    before, news = (HostAssignmentSpec(instances={"u": one} if one is not None else {}) for one in (stored, wanted))
    merged = merge_forward(before, news, [("u", over)] if over is not None else [])
    assert merged.instances.get("u") == expected


def test_what_is_not_changed_is_the_very_same() -> None:
    """By which it is seen that nothing is to be written."""
    stored = HostAssignmentSpec(instances={"u": UP}, standbys={"s": standby(1)})
    merged = merge_forward(stored, HostAssignmentSpec(instances={"u": entry(2)}, standbys={"s": standby(1)}))
    assert merged.instances["u"] is UP and merged.standbys["s"] is stored.standbys["s"]


def standby(revision: int) -> StandbyOrder:
    return StandbyOrder(namespace="shop", name="web-0", revision=revision)


@pytest.mark.parametrize(
    ("stored", "wanted", "expected"),
    [
        pytest.param(None, 1, 1, id="a new one"),
        pytest.param(1, None, None, id="one that nobody wants goes"),
        pytest.param(1, 2, 2, id="a later revision"),
        pytest.param(2, 1, 2, id="an earlier revision"),
    ],
)
def test_standbys_are_as_wanted_but_never_older(stored: int | None, wanted: int | None, expected: int | None) -> None:
    before, news = (
        HostAssignmentSpec(standbys={"u": standby(one)} if one is not None else {}) for one in (stored, wanted)
    )
    merged = merge_forward(before, news)
    assert [one.revision for one in merged.standbys.values()] == ([] if expected is None else [expected])


def test_what_is_not_merged_is_as_it_is_wanted() -> None:
    stored = HostAssignmentSpec(secured=["a.service"], hands_off="HandsOff")
    wanted = HostAssignmentSpec(heartbeat=Heartbeat(profile="fast"), secured=["b.service"])
    assert merge_forward(stored, wanted) == wanted


# --- what an order says ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stored", "service", "want", "expected"),
    [
        pytest.param(None, WEB, "Up", ("Up", 1, 1, "because"), id="the first order of an epoch"),
        pytest.param(None, WEB, "Down", ("Down", 1, 1, "because"), id="it is never to run there"),
        pytest.param(None, None, "Down", ("Down", 0, 0, "because"), id="there is no service any more"),
        pytest.param(UP, WEB, "Up", ("Up", 1, 0, "it was"), id="as it is stored"),
        pytest.param(UP, NEWER, "Up", ("Up", 2, 2, "because"), id="an edit"),
        pytest.param(entry(2, revision=3), NEWER, "Up", ("Up", 3, 0, "it was"), id="an edit that we have not seen"),
        pytest.param(UP, WEB, "Down", ("Down", 1, 0, "because"), id="it is to stop"),
        pytest.param(
            UP, NEWER, "Down", ("Down", 1, 0, "because"), id="what is to stop is what runs, not what was edited"
        ),
        pytest.param(
            UP, None, "Down", ("Down", 1, 0, "because"), id="its service is gone: what runs is known all the same"
        ),
        pytest.param(DOWN, WEB, "Up", ("Down", 1, 0, "it was"), id="what was ordered Down is never Up again"),
        pytest.param(DOWN, WEB, "Down", ("Down", 1, 0, "it was"), id="a Down keeps its reason"),
        pytest.param(entry(1), WEB, "Up", ("Up", 1, 1, "because"), id="what is stored is of an earlier epoch"),
        pytest.param(entry(2, seq=7), WEB, "Up", ("Up", 1, 1, "because"), id="what is stored is of another session"),
    ],
)
def test_what_the_holder_is_told(
    stored: InstanceOrder | None,
    service: HAService | None,
    want: Literal["Up", "Down"],
    expected: tuple[str, int, int, str],
) -> None:
    world, instance = a_world("n1"), an_instance(WEB, epoch=2, host="n1")
    if stored is not None:
        tell(world, "n1", instance, stored.model_copy(update={"why": "it was"}))
    found = order(world, service, instance, want, "because", to="n2" if want == "Down" else "")
    assert (found.want, found.revision, len(found.resources), found.why) == expected
    assert (found.epoch, found.session, found.name) == (2, session("n1"), "web-0")
    assert found.to == ("n2" if want == "Down" and found.why == "because" else "")


@pytest.mark.parametrize(
    ("service", "instance", "want", "said"),
    [
        pytest.param(WEB, an_instance(WEB, epoch=2), "Up", "an order needs a grant", id="nobody holds it"),
        pytest.param(None, an_instance(WEB, epoch=2, host="n1"), "Up", "nothing to run", id="no service"),
    ],
)
def test_what_is_never_ordered(
    service: HAService | None, instance: HAInstance, want: Literal["Up", "Down"], said: str
) -> None:
    with pytest.raises(AssertionError, match=said):
        order(a_world("n1"), service, instance, want, "because")


# --- what makes a write of it ----------------------------------------------------------------------------------------


def unassigned(world: World) -> None:
    world.drop_assignment("n1")


def host_gone(world: World) -> None:
    world.drop_host("n1")


def leaving(world: World) -> None:
    world.hosts["n1"] = being_deleted(world.hosts["n1"])


def unreadable(world: World) -> None:
    world.unreadable["HostAssignment", "n1"] = Unreadable("HostAssignment", "n1", "nonsense")


def holds(world: World) -> None:
    put(world, WEB, epoch=2, host="n1")


def stored(**spec: object) -> Befall:
    """What the host has been told, and its session as before."""

    def befall(world: World) -> None:
        world.put_assignment(an_assignment("n1", speaks=world.assignments["n1"].status.session, **spec))

    return befall


def told(one: InstanceOrder) -> Befall:
    return stored(instances={"uid-web-0": one.wire()})


def mode(name: str, reason: str = "new disks") -> Befall:
    return lambda world: world.hosts.update(n1=a_host("n1", mode=name, reason=reason))


def fast(world: World) -> None:
    world.hosts["n1"] = a_host("n1", profile="fast")


CHECKS: Final = {"interfaces": ["eth1"], "names": [], "reach": [], "onFailure": "Drain"}


def looks_at(checks: dict[str, Any]) -> Befall:
    def befall(world: World) -> None:
        spec = world.hosts["n1"].spec.model_copy(update={"checks": HostChecks.model_validate(checks)})
        world.hosts["n1"] = world.hosts["n1"].model_copy(update={"spec": spec})

    return befall


def gone_there(world: World) -> None:
    """The host has stopped it, and says that its epoch is over."""
    report(world, WEB, "n1", "Stopped", epoch=2, released=True)


def closed(world: World) -> None:
    put(world, WEB, epoch=2)


NOTHING = Wanted({}, {})
RUN = Wanted({"uid-web-0": UP.model_copy(update={"why": "it is granted here"})}, {})
NO_ASSIGNMENT = "the host has no HostAssignment yet"
OTHER = "other standbys, other units to secure, or another heartbeat"
STANDBY = Wanted({}, {"uid-web-0": standby(1)})


@pytest.mark.parametrize(
    ("befall", "wanted", "why"),
    [
        pytest.param(nothing, NOTHING, None, id="nothing is wanted"),
        pytest.param(unassigned, NOTHING, NO_ASSIGNMENT, id="there is none yet"),
        pytest.param(all_of(unassigned, leaving), NOTHING, None, id="none, and its host is being removed"),
        pytest.param(all_of(unassigned, host_gone), NOTHING, None, id="none, and its host is gone"),
        pytest.param(
            all_of(unassigned, host_gone, holds), RUN, NO_ASSIGNMENT, id="none, its host is gone, and it holds something"
        ),
        pytest.param(all_of(unassigned, unreadable), NOTHING, None, id="it only cannot be read"),
        pytest.param(holds, RUN, "shop/web-0 epoch 2 Up: it is granted here", id="an order"),
        pytest.param(all_of(holds, told(UP)), RUN, None, id="the same order"),
        pytest.param(all_of(holds, told(DOWN)), RUN, None, id="an Up after a Down"),
        pytest.param(all_of(holds, told(UP)), NOTHING, None, id="nobody wants an order, but nothing says that it is over"),
        pytest.param(all_of(closed, told(DOWN)), NOTHING, None, id="its epoch is over, and the host has not said so"),
        pytest.param(
            all_of(closed, told(DOWN), gone_there), NOTHING, "entries of epochs that are over are removed", id="nothing is left of it"
        ),
        pytest.param(nothing, STANDBY, OTHER, id="a standby"),
        pytest.param(stored(standbys={"uid-web-0": standby(1).wire()}), STANDBY, None, id="the same standby"),
        pytest.param(stored(standbys={"uid-web-0": standby(1).wire()}), NOTHING, OTHER, id="a standby no more"),
        pytest.param(fast, NOTHING, OTHER, id="another heartbeat"),
        pytest.param(looks_at(CHECKS), NOTHING, OTHER, id="other checks"),
        pytest.param(all_of(looks_at(CHECKS), stored(checks=CHECKS)), NOTHING, None, id="the same checks"),
        pytest.param(stored(checks=CHECKS), NOTHING, OTHER, id="no checks any more"),
        pytest.param(mode("HandsOff"), NOTHING, OTHER, id="hands off"),
        pytest.param(all_of(mode("HandsOff"), stored(handsOff="HandsOff: new disks")), NOTHING, None, id="hands off still"),
        pytest.param(stored(handsOff="HandsOff"), NOTHING, OTHER, id="hands off no more"),
        pytest.param(all_of(stored(handsOff="HandsOff"), host_gone), NOTHING, None, id="a host that is gone: as it was told"),
        pytest.param(mode("Cordon"), NOTHING, None, id="a cordon is nothing to the host"),
    ],
)  # fmt: skip
def test_what_is_brought_to_a_host_and_why(befall: Befall, wanted: Wanted, why: str | None) -> None:
    world = a_world("n1")
    befall(world)
    made = assign(world, "n1", wanted)
    assert (made.why if made is not None else None) == why


@pytest.mark.parametrize(
    ("befall", "said"),
    [
        pytest.param(nothing, "", id="none"),
        pytest.param(mode("HandsOff"), "HandsOff: new disks", id="with its reason"),
        pytest.param(mode("HandsOff", ""), "HandsOff", id="without a reason"),
        pytest.param(mode("Drain"), "", id="another maintenance"),
    ],
)
def test_what_a_host_is_told_of_maintenance(befall: Befall, said: str) -> None:
    world = a_world("n1")
    befall(world)
    made = assign(world, "n1", STANDBY)
    assert made is not None and made.spec.hands_off == said


def still_held(world: World, **more: object) -> None:
    raw = world.assignments["n1"].wire()
    raw["status"]["held"] = [{"unit": "a.service", "why": "enabled, and by hand", **more}]
    world.put_assignment(world.assignments["n1"].from_wire(raw))


def held_unknown(world: World) -> None:
    still_held(world, askAgain=True)


HAS_A = stored(secured=["a.service"])


@pytest.mark.parametrize(
    ("befall", "wanted", "secured"),
    [
        pytest.param(nothing, replace(NOTHING, secured=frozenset({"b.service", "a.service"})), ["a.service", "b.service"],
                     id="units of candidates, in a fixed order"),
        pytest.param(HAS_A, STANDBY, [], id="what is no candidate's any more is given back"),
        pytest.param(HAS_A, replace(STANDBY, keep_secured=True), ["a.service"], id="while something cannot be planned nothing is"),
        pytest.param(all_of(HAS_A, still_held), STANDBY, [], id="what the host still holds, and no service names"),
        pytest.param(all_of(HAS_A, still_held), replace(STANDBY, named=frozenset({"a.service"})), ["a.service"],
                     id="what the host still holds stays while a service names it"),
        pytest.param(held_unknown, STANDBY, ["a.service"], id="what was given back before it was known to be held, and no service names"),
        pytest.param(all_of(HAS_A, held_unknown), replace(STANDBY, secured=frozenset({"b.service"})), ["a.service", "b.service"],
                     id="until the host has read that it is asked for again"),
        pytest.param(HAS_A, replace(STANDBY, named=frozenset({"a.service"})), [], id="what it holds no more is given back"),
        pytest.param(holds, Wanted({"uid-web-0": an_order(an_instance(WEB, epoch=2, host="n1"), resources=[unit()])}, {}),
                     ["web.service"], id="units of what is ordered"),
    ],
)  # fmt: skip
def test_which_units_may_not_start_by_themselves(befall: Befall, wanted: Wanted, secured: list[str]) -> None:
    world = a_world("n1")
    befall(world)
    made = assign(world, "n1", wanted)
    assert made is not None and made.spec.secured == secured


NEED = HoldsNothing("n9")


@pytest.mark.parametrize(
    ("befall", "is_asked"),
    [
        pytest.param(holds, True, id="a new order"),
        pytest.param(all_of(holds, told(entry(1))), True, id="a later order"),
        pytest.param(all_of(holds, told(UP), fast), False, id="the order as it is stored"),
    ],
)
def test_what_an_order_stands_on_is_asked_once_more_only_for_news(befall: Befall, is_asked: bool) -> None:
    world = a_world("n1")
    befall(world)
    made = assign(world, "n1", replace(RUN, needs={"uid-web-0": (NEED, NEED)}))
    assert made is not None and made.needs == ((NEED,) if is_asked else ())


def test_of_many_orders_the_first_are_told() -> None:
    world = a_world("n1")
    many = {f"u{number}": entry(number + 1) for number in range(5)}
    made = assign(world, "n1", Wanted(many, {}))
    assert made is not None and made.why.count("shop/web-0 epoch") == 3
