"""Why a service that runs should run elsewhere, as tables: each reason, what stands against it, and which reason comes first."""

from __future__ import annotations

import json

import pytest

from backstay_api.objects.models import HAService
from backstay_api.objects.object_kinds import Unreadable
from backstay_operator.planner.do.finalizers import HOST_FINALIZER
from backstay_operator.planner.do.moves import (
    MOVE_ANNOTATION,
    Move,
    Stay,
    Wish,
    cannot_take,
    consider,
    spent_wish,
    wish_of,
)
from backstay_operator.planner.do.rounds import Round, begin
from backstay_operator.planner.know.world import Failed, World
from backstay_testing.builders import (
    a_host,
    a_service,
    address,
    an_order,
    annotated,
    being_deleted,
    claims,
    marked,
    session,
)
from backstay_testing.worlds import (
    Befall,
    a_world,
    all_of,
    hold,
    nothing,
    put,
    report,
    running,
    say_ready,
    seal,
    silence,
    speak,
    tell,
)

ALWAYS = {"failback": "Always", "prefer": [{"hosts": {"matchLabels": {"rack": "a"}}, "weight": 500}]}
IN_POOL = {"hosts": {"matchLabels": {"pool": "db"}}}


def wish(host: str = "n2", **more: object) -> str:
    return json.dumps({"host": host, **more})


# --- the wish of a person --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("", None, id="none"),
        pytest.param('{"host": "n2"}', Wish("n2", None, ""), id="a host, and nothing else"),
        pytest.param(
            '{"host": "n2", "generation": 3, "expires": "2026-03-01T12:00:00Z"}',
            Wish("n2", 3, "2026-03-01T12:00:00Z"),
            id="as `backstay move` writes it",
        ),
        pytest.param('{"host": "n2", "generation": "4"}', Wish("n2", 4, ""), id="a number as text"),
        pytest.param("n2", "cannot be read (JSONDecodeError", id="no JSON"),
        pytest.param("[]", "cannot be read (AttributeError", id="no object"),
        pytest.param("{}", "cannot be read (KeyError('host')", id="no host"),
        pytest.param('{"host": "n2", "generation": "x"}', "cannot be read (ValueError", id="a generation that is none"),
        pytest.param('{"host": "n2", "generation": 1e999}', "1e999 is no number", id="a number without bounds"),
        pytest.param("[" * 100_000, "it is nested too deeply", id="lists without end"),
        pytest.param('{"host": "\\ud800"}', "cannot be read (UnicodeEncodeError", id="half a character"),
        pytest.param(
            '{"host": "n2", "generation": []}', "cannot be read (TypeError", id="a generation of another type"
        ),
    ],
)
def test_what_a_wish_says(text: str, expected: Wish | str | None) -> None:
    found = wish_of(annotated(a_service(), {MOVE_ANNOTATION: text}))
    if isinstance(expected, str):
        assert isinstance(found, str) and expected in found and "use `backstay move`" in found
    else:
        assert found == expected


def down(world: World) -> None:
    """It has been ordered Down where it runs: the move is under way."""
    instance = world.instances["shop/web-0"]
    tell(world, "n1", instance, an_order(instance, "Down", to="n2"))


def never_granted(world: World) -> None:
    put(world, world.services["shop/web"])


EARLIER, LATER = "2026-03-01T11:59:59Z", "2026-03-01T12:00:00.000001Z"


@pytest.mark.parametrize(
    ("text", "befall", "why"),
    [
        pytest.param("", nothing, "", id="there is none"),
        pytest.param(wish(), nothing, "", id="it is to come"),
        pytest.param(wish(), never_granted, "", id="it runs nowhere yet"),
        pytest.param("n2", nothing, "cannot be read", id="it cannot be read"),
        pytest.param(wish("n1"), nothing, "it is on n1", id="it is done"),
        pytest.param(wish("n9"), nothing, "there is no host n9", id="no such host"),
        pytest.param(wish(generation=2), nothing, "", id="for this manifest"),
        pytest.param(wish(generation=1), nothing, "the service has been edited since", id="for an earlier manifest"),
        pytest.param(wish(expires=EARLIER), nothing, f"it has expired ({EARLIER})", id="it has expired"),
        pytest.param(wish(expires=LATER), nothing, "", id="it ends within this second"),
        pytest.param(wish(expires=EARLIER), down, "", id="it ran out on the way, and is carried to its end"),
        pytest.param(wish(generation=1), down, "", id="the service was edited on the way"),
        pytest.param(wish("n9"), down, "there is no host n9", id="its host went on the way"),
        pytest.param(wish(expires=EARLIER), never_granted, "it has expired", id="it ran out before the first grant"),
        pytest.param(wish("n1", expires=EARLIER), nothing, "it is on n1", id="it is done, and that comes first"),
        pytest.param(
            wish(generation=1, expires=EARLIER), nothing, "the service has been edited", id="an edit is told first"
        ),
    ],
)
def test_a_wish_goes_when_it_is_done_or_cannot_be_granted(text: str, befall: Befall, why: str) -> None:
    world = a_world("n1", "n2")
    service = annotated(a_service(generation=2), {MOVE_ANNOTATION: text})
    running(world, service)
    befall(world)
    actions = spent_wish(world, service)
    assert [why in str(action.why) for action in actions] == ([True] if why else [])


# --- whether it moves ------------------------------------------------------------------------------------------------


def drain(world: World) -> None:
    set_host(world, "n1", mode="Drain")


def set_host(world: World, name: str, *, mode: str = "", labels: dict[str, str] | None = None) -> None:
    """Its admins say something else of the host."""
    world.hosts[name] = marked(a_host(name, mode=mode, labels=labels), HOST_FINALIZER)


def unready(*names: str) -> Befall:
    return lambda world: say_ready(world, world.services["shop/web"], *names, ready=False, why="masked")


def failed(why: str = "", *, epoch: int = 2, revision: int = 2, ago_s: float = 0.0) -> Befall:
    def befall(world: World) -> None:
        report(world, world.services["shop/web"], "n1", "Failed", epoch=epoch, revision=revision, why=why)
        world.failed_s["uid-web-0", Failed("web-0", "n1", epoch)] = world.now_s - ago_s

    return befall


def unreadable(world: World) -> None:
    world.unreadable["Host", "n1"] = Unreadable("Host", "n1", "nonsense")


def another_session(world: World) -> None:
    hold(world, "n1", session("n1", 2))
    speak(world, "n1", session("n1", 2))


def removed(world: World) -> None:
    del world.hosts["n1"]


def unmarked(name: str) -> Befall:
    return lambda world: world.hosts.update({name: marked(world.hosts[name])})


def in_rack_a(name: str) -> Befall:
    return lambda world: set_host(world, name, labels={"rack": "a"})


def fenced(world: World) -> None:
    world.fenced_s["r"], world.fenced_host["r"] = world.now_s - 10.0, "n3"


def said(found: Move | Stay) -> str:
    if isinstance(found, Move):
        return f"to {found.host}: {found.why}"
    return f"stays: {found.why}" if found.why else "stays"


CRASH = "exit code 1"
NOBODY = all_of(unready("n2", "n3"))
PREFERRED = "n3 is preferred by 500, n1 by 0: more than the stickiness of 100 apart"
DRAINED = "n1 is being drained (new disks)"
CONSIDERED = [
    (nothing, {}, "", "stays", "nothing asks for a move"),
    (all_of(another_session, drain), {}, "", "stays", "its session is over: that is no move"),
    (all_of(drain, lambda w: silence(w, "n1", 1.0)), {}, "", "stays", "its host is late"),
    (all_of(drain, lambda w: seal(w, "n1")), {}, "", "stays", "its host is sealed"),
    # A person's wish.
    (nothing, {}, wish(), "to n2: a move to n2 was asked for", "a person wants it elsewhere"),
    (nothing, {}, wish("n1"), "stays", "a person wants it where it is"),
    (nothing, {}, wish("n9"), "stays", "a person wants it on a host that is not there"),
    (nothing, {}, wish(expires=EARLIER), "stays", "the wish has expired"),
    (nothing, {}, "n2", "stays", "the wish cannot be read"),
    (
        unready("n2"),
        {},
        wish(),
        "stays: a move to n2 was asked for, but it stays: 0/3 hosts can run it:"
        " 2 are not n2, which was asked for, 1 is not ready: masked",
        "the wish waits until its host is ready",
    ),
    # It must leave.
    (drain, {}, "", f"to n2: {DRAINED}", "its host is drained"),
    (removed, {}, "", "to n2: n1 has no Host object any more", "its host was removed"),
    (all_of(removed, unreadable), {}, "", "stays", "its Host only cannot be read"),
    (
        all_of(lambda w: set_host(w, "n3", labels={"pool": "db"})),
        IN_POOL,
        "",
        "to n3: n1 is not selected: has no label pool, not db",
        "its host is not selected any more",
    ),
    (
        all_of(drain, NOBODY),
        {},
        "",
        f"stays: {DRAINED}, but it stays: 0/3 hosts can run it: 2 are not ready: masked, 1 is the host that it leaves",
        "no target that is ready, no stop",
    ),
    # It failed there.
    (failed(CRASH), {}, "", "to n2: n1 could not run it: exit code 1", "its host could not run it"),
    (failed(), {}, "", "to n2: n1 could not run it", "its host does not say why"),
    (failed(CRASH, epoch=1), {}, "", "stays", "that was an earlier epoch"),
    (failed(CRASH, revision=1), {}, "", "stays", "that was an earlier manifest"),
    (
        all_of(failed(CRASH), NOBODY),
        {},
        "",
        "stays: n1 could not run it: exit code 1, but it stays: 0/3 hosts can run it: 2 are not ready: masked,"
        " 1 failed to start it less than 1 s ago (tried again 15 s after the last failure): exit code 1",
        "nowhere else, and it has only just failed",
    ),
    (
        all_of(failed(CRASH, ago_s=15.0), NOBODY),
        {},
        "",
        "to n1: n1 could not run it: exit code 1; it is time to try again",
        "nowhere else, and it is time to try again",
    ),
    # Another host is better.
    (in_rack_a("n3"), ALWAYS, "", f"to n3: {PREFERRED}", "another host is preferred by more than the stickiness"),
    (in_rack_a("n3"), {**ALWAYS, "failback": "Never"}, "", "stays", "it does not fail back"),
    (in_rack_a("n3"), {**ALWAYS, "stickiness": 500}, "", "stays", "it sticks as much as that"),
    (
        all_of(in_rack_a("n3"), fenced),
        ALWAYS,
        "",
        f"stays: {PREFERRED}; but it was fenced lately, and is moved back to only when it has been stable for some minutes",
        "the better host was fenced lately",
    ),
    # Which comes first.
    (drain, {}, wish("n3"), "to n3: a move to n3 was asked for", "a wish comes before a drain"),
    (failed(CRASH), {}, wish("n3"), "to n3: a move to n3 was asked for", "a wish comes before a failure"),
    (all_of(failed(CRASH), drain), {}, "", f"to n2: {DRAINED}", "a drain comes before a failure"),
    (all_of(in_rack_a("n3"), drain), ALWAYS, "", f"to n3: {DRAINED}", "a drain comes before a better host"),
    (
        all_of(in_rack_a("n3"), failed(CRASH)),
        ALWAYS,
        "",
        "to n3: n1 could not run it: exit code 1",
        "a failure comes before a better host",
    ),
    # The target once more.
    (
        all_of(drain, unmarked("n2")),
        {},
        "",
        f"stays: {DRAINED}, but it stays: the finalizer of n2 is being set first",
        "the target could not be given the grant at once",
    ),
]


@pytest.mark.parametrize(
    ("befall", "placement", "text", "expected"), [pytest.param(*row[:4], id=row[4]) for row in CONSIDERED]
)
def test_whether_what_runs_moves_and_why(
    befall: Befall, placement: dict[str, object], text: str, expected: str
) -> None:
    world, service, round_ = considered(befall, placement, text)
    found = consider(round_, service, world.instances["shop/web-0"])
    assert said(found) == expected
    on_its_way = [host for host, keys in round_.planned.items() if "shop/web-0" in keys]
    assert on_its_way == ([found.host] if isinstance(found, Move) else [])


def considered(befall: Befall, placement: dict[str, object], text: str) -> tuple[World, HAService, Round]:
    """It runs on n1 by its second manifest; n2 and n3 are ready."""
    world = a_world("n1", "n2", "n3")
    service = annotated(a_service(generation=2, placement=placement), {MOVE_ANNOTATION: text})
    running(world, service)
    befall(world)
    return world, world.services["shop/web"], begin(world)


def test_two_that_leave_a_host_at_once_do_not_both_choose_one() -> None:
    world = a_world("n1", "n2", "n3")
    for name in ("a", "b"):
        running(world, a_service(name, {"name": "x", "systemd": {"unit": f"{name}.service"}}))
    drain(world)
    round_ = begin(world)
    found = [consider(round_, world.services[f"shop/{name}"], world.instances[f"shop/{name}-0"]) for name in ("a", "b")]
    assert [said(one) for one in found] == [f"to n2: {DRAINED}", f"to n3: {DRAINED}"]


# --- what a target must have -----------------------------------------------------------------------------------------


def somebody_elses(world: World) -> None:
    (claim,) = claims(a_service("other", address("192.0.2.10/24")), "n2")
    world.claims[claim.key] = claim


def leaving(world: World) -> None:
    world.hosts["n2"] = being_deleted(world.hosts["n2"])


def unclaimed(world: World) -> None:
    world.claims.clear()


def unit_elsewhere(world: World) -> None:
    """The unit is its own on n1 only."""
    world.claims.update({claim.key: claim for claim in claims(a_service(), "n1")})


@pytest.mark.parametrize(
    ("befall", "why"),
    [
        pytest.param(nothing, None, id="it can be granted at once"),
        pytest.param(
            lambda w: silence(w, "n2", 1.0),
            "n2 is late with its heartbeat",
            id="it is late",
        ),
        pytest.param(
            lambda w: hold(w, "n2", session("n2", 2)),
            "n2 has not opened a session yet",
            id="another session holds its Lease",
        ),
        pytest.param(leaving, "n2 is being removed", id="it is being removed"),
        pytest.param(unmarked("n2"), "the finalizer of n2 is being set first", id="it could vanish with what it holds"),
        pytest.param(
            somebody_elses, "address 192.0.2.10 belongs to the HAService shop/other", id="an address is another's"
        ),
        pytest.param(
            unit_elsewhere, "unit web.service is being claimed on n2 first", id="a unit is not its own there yet"
        ),
        pytest.param(unclaimed, "unit web.service is being claimed on n2 first", id="nothing is its own yet"),
        pytest.param(
            all_of(leaving, lambda w: seal(w, "n2")),
            "n2 is sealed: it was silent and has not come back yet",
            id="the session comes first",
        ),
        pytest.param(all_of(unmarked("n2"), leaving), "n2 is being removed", id="a removal comes before its mark"),
        pytest.param(
            all_of(unmarked("n2"), unclaimed),
            "the finalizer of n2 is being set first",
            id="its mark comes before claims",
        ),
    ],
)
def test_what_a_host_lacks_for_a_grant(befall: Befall, why: str | None) -> None:
    world = a_world("n1", "n2")
    service = a_service("web", {"name": "web", "systemd": {"unit": "web.service"}}, address("192.0.2.10/24"))
    instance = running(world, service)
    befall(world)
    assert cannot_take(world, world.services["shop/web"], instance, "n2") == why
