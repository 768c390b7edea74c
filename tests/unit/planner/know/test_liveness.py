"""What silence says, as tables: the edges of each state, and own trouble first."""

from __future__ import annotations

import pytest

from backstay_api.objects.kinds import Raw
from backstay_operator.planner.know.liveness import (
    FENCER_SILENT_S,
    Liveness,
    has_device,
    has_silence_counted,
    holds_exclusively,
    is_hands_off,
    next_look_s,
    of_host,
    shutting_down,
    unfit,
    untested_s,
    untouched,
)
from backstay_operator.planner.know.world import OwnPath, World
from backstay_testing.builders import a_service, an_assignment, an_instance, session
from backstay_testing.worlds import (
    NOW_S,
    Befall,
    a_world,
    add_host,
    all_of,
    find,
    hold,
    hold_by_nobody,
    nothing,
    seal,
    shut_down,
)

ALL = frozenset({"n1", "n2", "n3", "n4"})


@pytest.mark.parametrize(
    ("age_s", "expected"),
    [
        pytest.param(0.0, Liveness.LIVE, id="just renewed"),
        pytest.param(0.75, Liveness.LIVE, id="one and a half renewals: not late yet"),
        pytest.param(0.751, Liveness.SUSPECT, id="late"),
        pytest.param(1.5, Liveness.SUSPECT, id="three renewals: not silent yet"),
        pytest.param(1.501, Liveness.SILENT, id="silent"),
    ],
)
def test_the_edges_are_those_of_the_contract_that_the_host_published(age_s: float, expected: Liveness) -> None:
    world = a_world()
    add_host(world, "n1", silent_s=age_s)
    assert of_host(world, "n1") is expected


def test_a_lease_that_nobody_ever_held_says_nothing() -> None:
    world = a_world("n1")
    hold_by_nobody(world, "n1")
    assert of_host(world, "n1") is Liveness.UNKNOWN
    assert of_host(world, "n9") is Liveness.UNKNOWN


@pytest.mark.parametrize(
    ("own_path", "expected"),
    [
        pytest.param(OwnPath(), Liveness.SILENT, id="a healthy path: silence is the host's own"),
        pytest.param(OwnPath(healthy=False), Liveness.UNSURE, id="a broken path: it may be ours"),
        pytest.param(
            OwnPath(recovered_s=NOW_S - 1.0), Liveness.SUSPECT, id="what passed before it came back counts for nothing"
        ),
        pytest.param(OwnPath(recovered_s=NOW_S - 5, lived_before=ALL), Liveness.UNSURE, id="nobody has renewed since"),
        pytest.param(
            OwnPath(recovered_s=NOW_S - 5, lived_before=ALL, renewed_since=frozenset({"n2", "n3"})),
            Liveness.UNSURE,
            id="half have: not more than half",
        ),
        pytest.param(
            OwnPath(recovered_s=NOW_S - 5, lived_before=ALL, renewed_since=ALL - {"n1"}),
            Liveness.SILENT,
            id="most have",
        ),
        pytest.param(OwnPath(recovered_s=NOW_S - 10, lived_before=ALL), Liveness.SILENT, id="ten seconds have passed"),
        pytest.param(
            OwnPath(recovered_s=NOW_S - 5, lived_before=ALL, renewed_since=frozenset({"n7", "n8", "n9"})),
            Liveness.UNSURE,
            id="hosts that were dead before do not count",
        ),
    ],
)
def test_own_trouble_first(own_path: OwnPath, expected: Liveness) -> None:
    world = a_world()
    add_host(world, "n1", silent_s=100.0)
    world.own_path = own_path
    assert of_host(world, "n1") is expected


# --- when to look again ----------------------------------------------------------------------------------------------


def looks(world: World) -> list[float]:
    """When there is something new to say although nothing happens, in seconds from now."""
    found = []
    while (at_s := next_look_s(world)) is not None:
        found.append(round(at_s - NOW_S, 2))
        world.now_s = at_s
    return found


def sealed(world: World) -> None:
    add_host(world, "n1")
    seal(world, "n1", ago_s=5.0)


def out_of_touch(world: World) -> None:
    """It renewed before we came back, and has not since."""
    add_host(world, "n1", silent_s=8.0)
    world.own_path = OwnPath(recovered_s=NOW_S - 3.0)


def was_tested(world: World) -> None:
    world.checked_s["n1"] = NOW_S - 1.0


@pytest.mark.parametrize(
    ("befall", "expected"),
    [
        pytest.param(nothing, [], id="nobody is there"),
        pytest.param(lambda w: add_host(w, "n1"), [0.75, 1.5, 60.75], id="late, silent, and silent for a minute"),
        pytest.param(sealed, [15.0, 55.0], id="time for an orderly stop, and then no more part of a storm"),
        pytest.param(out_of_touch, [7.0, 57.75], id="own trouble first: counted from when we came back"),
        pytest.param(lambda w: w.gone_sealed_s.update(n1=NOW_S - 10), [50.0], id="one that was lost and is removed"),
        pytest.param(
            lambda w: w.fenced_s.update(r=NOW_S - 10),
            [290.0, 590.0, 1190.0, 2390.0, 3590.0],
            id="pauses after fences, and their hour",
        ),
        pytest.param(was_tested, [FENCER_SILENT_S - 1.0], id="the fencer has said nothing more"),
        pytest.param(
            all_of(was_tested, lambda w: setattr(w, "own_path", OwnPath(recovered_s=NOW_S))),
            [10.0, FENCER_SILENT_S],
            id="nor could it",
        ),
    ],
)
def test_when_silence_alone_changes_what_there_is_to_say(befall: Befall, expected: list[float]) -> None:
    world = a_world()
    befall(world)
    assert looks(world) == pytest.approx(expected, abs=0.02)


def test_silence_has_counted_from_the_moment_on_when_it_is_looked_at_and_once() -> None:
    world = a_world("n1")
    at_s = next_look_s(world)
    assert at_s is not None
    found = []
    for now_s, since_s in ((at_s - 0.001, NOW_S), (at_s, NOW_S), (at_s + 0.1, NOW_S), (at_s + 0.1, at_s)):
        world.now_s = now_s
        found.append(has_silence_counted(world, since_s=since_s))
    assert found == [False, True, True, False]


def test_how_long_the_fencer_has_said_nothing_while_it_could_have_reached_us() -> None:
    world = a_world("n1")
    assert untested_s(world, "n1") == 0.0
    world.checked_s["n1"] = NOW_S - 30.0
    assert untested_s(world, "n1") == 30.0
    world.own_path = OwnPath(recovered_s=NOW_S - 7.0)
    assert untested_s(world, "n1") == 7.0


# --- what a host said, is and holds ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("befall", "said"),
    [
        pytest.param(nothing, "reboot", id="the session that holds the Lease"),
        pytest.param(lambda w: w.drop_assignment("n1"), "", id="nobody has said anything"),
        pytest.param(lambda w: w.leases.clear(), "", id="there is no Lease"),
        pytest.param(lambda w: w.put_assignment(an_assignment("n1")), "", id="its agent has never reported"),
        pytest.param(lambda w: hold(w, "n1", session("n1", 2)), "", id="another session holds the Lease"),
    ],
)
def test_what_is_said_of_a_shutdown_counts_while_who_said_it_holds_the_lease(befall: Befall, said: str) -> None:
    world = a_world("n1")
    shut_down(world, "n1")
    befall(world)
    assert shutting_down(world, "n1") == said


@pytest.mark.parametrize(
    ("exclusive", "seq", "holds"),
    [
        pytest.param(True, 1, True, id="what must not run twice"),
        pytest.param(False, 1, False, id="what may"),
        pytest.param(True, 2, False, id="another session's"),
    ],
)
def test_what_a_session_holds(exclusive: bool, seq: int, holds: bool) -> None:
    world = a_world("n1")
    world.put_instance(an_instance(a_service(exclusive=exclusive), epoch=1, host="n1", seq=seq))
    assert holds_exclusively(world, "n1", session("n1", 1).text) is holds


@pytest.mark.parametrize(
    ("checks", "problems", "said"),
    [
        pytest.param(
            {"onFailure": "Drain"}, [{"check": "Disk", "why": "is full"}], "is full", id="its admin wants it left"
        ),
        pytest.param({"onFailure": "Stay"}, [{"check": "Disk", "why": "is full"}], "", id="it is only told"),
        pytest.param(None, [{"check": "Disk", "why": "is full"}], "", id="nobody said what to do"),
        pytest.param({"onFailure": "Drain"}, [], "", id="nothing is wrong"),
    ],
)
def test_what_makes_a_host_unfit(checks: Raw | None, problems: list[Raw], said: str) -> None:
    world = a_world("n1")
    find(world, "n1", *problems)
    raw = world.hosts["n1"].wire()
    host = world.hosts["n1"].from_wire({**raw, "spec": {**raw["spec"], **({"checks": checks} if checks else {})}})
    assert unfit(host, world.assignments["n1"].status) == said
    assert unfit(host, world.assignments["n1"].status.model_copy(update={"problems": None})) == ""


def test_of_a_host_that_nobody_knows_nothing_is_said() -> None:
    world = a_world("n1")
    add_host(world, "n2", mode="HandsOff", has_device=True)
    names = ("n1", "n2", "n9")
    assert [is_hands_off(world, name) for name in names] == [False, True, False]
    assert [bool(untouched(world, name)) for name in names] == [False, True, False]
    assert [has_device(world, name) for name in names] == [False, True, False]
