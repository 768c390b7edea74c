"""Who must have answered before the first grant, or before an edit brings a unit, and whose end is waited for."""

import pytest

from backstay_operator.planner.judge import first_epoch
from backstay_operator.planner.know.world import OwnPath, World
from backstay_operator.planner.preconditions import Silent
from backstay_testing.builders import (
    PROVEN,
    a_request,
    a_service,
    agent_session,
    an_assignment,
    an_order,
    claims,
    machine,
    session,
    unit,
)
from backstay_testing.worlds import Befall, a_world, all_of, nothing, put, report, say_ready, seal, silence, tell

# --- who must answer before the first grant --------------------------------------------------------------------------

WEB = a_service(generation=2)
ALL = ("n1", "n2", "n3")


def answers(*hosts: str, revision: int = 2, ready: bool = True, active: bool = False) -> Befall:
    def befall(world: World) -> None:
        say_ready(world, a_service(generation=revision), *hosts, ready=ready, active=active)

    return befall


def earlier(host: str, *, released: bool = False) -> Befall:
    """It says that an instance of this name that is gone runs there."""
    return lambda world: report(world, WEB, host, "Running", epoch=3, uid="uid-gone", released=released)


def forgotten(world: World) -> None:
    """Somebody has deleted its HostAssignment, and it is made again."""
    world.put_assignment(an_assignment("n3"))


def unheld(world: World) -> None:
    del world.leases["n3"]


def untrusted(world: World) -> None:
    silence(world, "n3")
    world.own_path = OwnPath(healthy=False)


def proven(host: str) -> Befall:
    return lambda world: world.put_request(a_request(host, status=PROVEN))


def somebody_elses(world: World) -> None:
    """The unit belongs to another service on n3."""
    (claim,) = claims(a_service("other", unit()), "n3")
    world.claims[claim.key] = claim


def full(world: World) -> None:
    for number in range(512):
        say_ready(world, WEB, "n3", uid=f"uid-{number}")


def back(world: World) -> None:
    """It was sealed, and has booted since: its Lease is reopened for the session that speaks now."""
    seal(world, "n3")
    again = agent_session(session("n3", 2), machine("n3"))
    world.put_assignment(an_assignment("n3", speaks=again))


def late(world: World) -> None:
    silence(world, "n3", 1.0)


def silent(world: World) -> None:
    silence(world, "n3")


MOST = answers("n1", "n2")
RAN_ON_N3 = (
    "n3 ran something of it, not started by Backstay, when it reported last, and reports nothing now: bring it back;"
    " or make sure that it is powered off and say so: `backstay fence n3 --confirm`"
)
WAITS_FOR_N3 = "waiting for n3 to say that nothing of it runs there already"
RUNS_ON_N3 = "n3 runs web.service already, not started by Backstay: systemctl stop web.service there"
EARLIER_LIVES = "n3 has not reported yet that an earlier shop/web-0 is stopped there: it has been told to stop it"
EARLIER_SILENT = (
    "n3 was running shop/web-0 for an HAInstance that is gone, and reports nothing: bring it back, and it reports what is left;"
    " or make sure that it is powered off and say so: `backstay fence n3 --confirm`"
)


@pytest.mark.parametrize(
    ("befall", "why"),
    [
        pytest.param(nothing, "waiting for n1, n2, n3 to say that nothing of it runs there already", id="nobody has answered"),
        pytest.param(answers(*ALL), None, id="all have answered"),
        pytest.param(MOST, WAITS_FOR_N3, id="one has not"),
        pytest.param(all_of(MOST, answers("n3", revision=1)), WAITS_FOR_N3, id="one has answered for an older manifest"),
        pytest.param(all_of(MOST, answers("n3", revision=3)), None, id="one has answered for a later manifest"),
        pytest.param(all_of(MOST, answers("n3", ready=False)), None, id="one is not ready, and nothing runs there"),
        pytest.param(all_of(MOST, late), WAITS_FOR_N3, id="one is late: it will be one or the other in a moment"),
        pytest.param(all_of(MOST, untrusted), WAITS_FOR_N3, id="one is late, and that may be our own trouble"),
        pytest.param(all_of(MOST, silent), None, id="one is silent"),
        pytest.param(all_of(MOST, lambda w: seal(w, "n3")), None, id="one is sealed"),
        pytest.param(all_of(MOST, back), WAITS_FOR_N3, id="one was sealed, and is back"),
        pytest.param(all_of(MOST, forgotten), WAITS_FOR_N3, id="what one has said was deleted: it says it again"),
        pytest.param(all_of(MOST, forgotten, unheld), None, id="one has never had a session"),
        pytest.param(all_of(MOST, answers("n3", active=True), unheld), RAN_ON_N3, id="it ran when its Lease was deleted"),
        pytest.param(all_of(MOST, somebody_elses), None, id="one can never run it"),
        pytest.param(
            all_of(MOST, full),
            f"{WAITS_FOR_N3} (n3 keeps itself ready for 512 services already, and can be asked about no more at a time:"
            " it waits for its turn)",
            id="one cannot be asked about more",
        ),
        # Something of it runs.
        pytest.param(all_of(MOST, answers("n3", active=True)), RUNS_ON_N3, id="something of it runs already"),
        pytest.param(all_of(MOST, answers("n3", active=True), silent), RAN_ON_N3, id="it ran when the host reported last"),
        pytest.param(all_of(MOST, answers("n3", active=True), proven("n3")), None, id="that host is proven to be off"),
        pytest.param(all_of(MOST, earlier("n3"), answers("n3")), EARLIER_LIVES, id="an earlier one is not over"),
        pytest.param(all_of(MOST, earlier("n3", released=True), answers("n3")), None, id="an earlier one is over"),
        pytest.param(all_of(MOST, earlier("n3"), somebody_elses), EARLIER_LIVES, id="an earlier one where it can never run now"),
        pytest.param(all_of(MOST, earlier("n3"), late), EARLIER_LIVES, id="an earlier one on a host that is late"),
        pytest.param(all_of(MOST, earlier("n3"), silent), EARLIER_SILENT, id="an earlier one on a silent host"),
        pytest.param(all_of(MOST, earlier("n3"), silent, proven("n3")), None, id="an earlier one on a host that is proven off"),
        # Which is said first.
        pytest.param(all_of(earlier("n3"), answers("n2", active=True)), EARLIER_LIVES, id="an earlier one before what runs"),
        pytest.param(answers("n3", active=True), RUNS_ON_N3, id="what runs before who has not answered"),
    ],
)  # fmt: skip
def test_who_must_have_answered_before_the_first_grant(befall: Befall, why: str | None) -> None:
    world = a_world(*ALL)
    instance = put(world, WEB)
    befall(world)
    assert first_epoch.blocked(world, WEB, instance) == why


def test_what_may_run_twice_waits_for_nobody() -> None:
    world, service = a_world(*ALL), a_service(exclusive=False)
    silent(world)
    instance = put(world, service)
    assert first_epoch.blocked(world, service, instance) is None
    assert first_epoch.passed_over(world, service, instance) == ()


@pytest.mark.parametrize(
    ("befall", "why"),
    [
        pytest.param(answers("n2", "n3"), None, id="all but the holder have answered"),
        pytest.param(answers("n2"), WAITS_FOR_N3, id="one has not"),
        pytest.param(all_of(answers("n2"), silent), None, id="one is silent"),
        pytest.param(all_of(answers("n2"), answers("n3", active=True)), RUNS_ON_N3, id="something of it runs already"),
        pytest.param(all_of(answers("n2"), answers("n3", active=True), silent), RAN_ON_N3, id="it ran on a host that is silent now"),
        pytest.param(all_of(answers("n2"), answers("n3", active=True), proven("n3")), None, id="that host is proven to be off"),
        pytest.param(answers("n2", active=True), WAITS_FOR_N3, id="who has not answered comes before what runs"),
        pytest.param(all_of(answers("n2"), somebody_elses), None, id="one can never run it"),
    ],
)  # fmt: skip
def test_who_must_have_answered_before_an_edit_brings_a_unit(befall: Befall, why: str | None) -> None:
    world = a_world(*ALL)
    instance = put(world, WEB, epoch=1, host="n1")
    befall(world)
    assert first_epoch.edit_blocked(world, WEB, instance, "n1") == why


@pytest.mark.parametrize(
    ("befall", "hosts"),
    [
        pytest.param(nothing, [], id="all live"),
        pytest.param(silent, ["n3"], id="one is silent"),
        pytest.param(lambda w: seal(w, "n3"), ["n3"], id="one is sealed"),
        pytest.param(unheld, ["n3"], id="one has never had a session"),
        pytest.param(back, [], id="one was sealed, and is back: it is waited for"),
        pytest.param(late, [], id="one is late: it is waited for"),
        pytest.param(untrusted, [], id="one is late, and that may be our own trouble"),
        pytest.param(all_of(silent, somebody_elses), [], id="one can never run it"),
    ],
)
def test_whoever_is_passed_over_is_looked_at_once_more(befall: Befall, hosts: list[str]) -> None:
    world = a_world(*ALL)
    instance = put(world, WEB)
    befall(world)
    needs = first_epoch.passed_over(world, WEB, instance)
    leases = [world.leases[host].lease.resource_version if host in world.leases else "" for host in hosts]
    what_for = "something of shop/web may run there already"
    assert needs == tuple(Silent(host, lease, None, what_for) for host, lease in zip(hosts, leases, strict=True))
    assert [need.assignment for need in needs] == [world.assignments[host] for host in hosts]
    assert first_epoch.passed_over(world, WEB, instance, holder="n3") == ()


def runs_epoch(epoch: int, *, released: bool = False) -> Befall:
    return lambda world: report(world, WEB, "n3", "Running", epoch=epoch, released=released)


@pytest.mark.parametrize(
    ("befall", "is_held_up"),
    [
        pytest.param(nothing, False, id="nobody speaks of it"),
        pytest.param(runs_epoch(2), False, id="the epoch that is known"),
        pytest.param(runs_epoch(3), True, id="a later epoch"),
        pytest.param(runs_epoch(3, released=True), False, id="a later epoch that is over"),
        pytest.param(all_of(runs_epoch(3), silent), True, id="a later epoch on a silent host"),
        pytest.param(all_of(runs_epoch(3), proven("n3")), False, id="a later epoch on a host that is proven off"),
        pytest.param(all_of(runs_epoch(3), somebody_elses), True, id="a later epoch where it could not run now"),
        pytest.param(
            all_of(runs_epoch(3), lambda w: w.drop_host("n3")), False, id="a later epoch on a host that was removed"
        ),
    ],
)
def test_nothing_is_granted_while_a_host_runs_a_later_epoch(befall: Befall, is_held_up: bool) -> None:
    world = a_world(*ALL)
    instance = put(world, WEB, epoch=2)
    befall(world)
    found = first_epoch.ahead(world, instance)
    assert (found is not None) is is_held_up
    assert found is None or found.startswith(
        "n3 runs epoch 3 of it, but its HAInstance knows only 2 (restored from a backup?)"
    )


@pytest.mark.parametrize(
    ("befall", "has_command"), [(nothing, False), (silent, True)], ids=["it lives", "it is silent"]
)
def test_whoever_runs_a_later_epoch_and_is_silent_may_be_off_already(befall: Befall, has_command: bool) -> None:
    world = a_world(*ALL)
    instance = put(world, WEB, epoch=2)
    all_of(runs_epoch(3), befall)(world)
    assert (
        "(`backstay fence n3 --confirm`, where it is off already)" in str(first_epoch.ahead(world, instance))
    ) is has_command


# --- for whose end something waits --------------------------------------------------------------------------------------

BOTH = a_service("web", unit("web"), unit("extra"), generation=3)


def held(*resources: dict[str, object], host: str = "n1") -> Befall:
    """Its holder was ordered to run these, of an earlier revision."""

    def befall(world: World) -> None:
        instance = put(world, BOTH, epoch=2, host=host)
        tell(world, host, instance, an_order(instance, revision=2, resources=resources))

    return befall


def said(host: str = "n3", *, active: bool = True) -> Befall:
    return lambda world: say_ready(world, BOTH, host, active=active)


FOR_LEFT = "shop/web-0 waits for what n3 was running for an HAInstance that is gone"
FOR_WORD = "shop/web-0 waits for what n3 said of it last"
WEB_ONLY, WITH_EXTRA = (unit("web"),), (unit("web"), unit("extra"))


@pytest.mark.parametrize(
    ("befall", "waits"),
    [
        pytest.param(lambda w: put(w, BOTH), "", id="a first epoch, and it says nothing"),
        pytest.param(all_of(lambda w: put(w, BOTH), earlier("n3")), FOR_LEFT, id="a first epoch: an earlier one is there"),
        pytest.param(all_of(lambda w: put(w, BOTH), said()), FOR_WORD, id="a first epoch: it runs by itself"),
        pytest.param(all_of(lambda w: put(w, BOTH), said(active=False)), "", id="a first epoch: nothing runs"),
        pytest.param(all_of(lambda w: put(w, BOTH), said(), somebody_elses), "", id="a first epoch: it can never run it"),
        pytest.param(all_of(lambda w: put(w, BOTH), said(), proven("n3")), "", id="a first epoch: it is proven to be off"),
        pytest.param(all_of(lambda w: put(w, BOTH), earlier("n3"), said()), f"{FOR_LEFT}; {FOR_WORD}", id="a first epoch: both"),
        pytest.param(all_of(held(*WEB_ONLY), said()), FOR_WORD, id="an edit brings a unit"),
        pytest.param(all_of(held(*WITH_EXTRA), said()), "", id="an edit brings none"),
        pytest.param(all_of(held(*WEB_ONLY), said(active=False)), "", id="an edit brings a unit, and nothing runs"),
        pytest.param(all_of(held(*WEB_ONLY, host="n3"), said()), "", id="it is the holder itself"),
        pytest.param(all_of(lambda w: put(w, BOTH, epoch=2), said()), "", id="a later grant asks nobody what runs by itself"),
        pytest.param(all_of(lambda w: put(w, WEB, epoch=2), runs_epoch(3)), FOR_WORD, id="a later epoch"),
        pytest.param(all_of(lambda w: put(w, WEB, epoch=3), runs_epoch(3)), "", id="the epoch that is known"),
        pytest.param(all_of(lambda w: put(w, WEB, epoch=2, host="n1"), runs_epoch(3)), "", id="a later epoch, but somebody holds it"),
        pytest.param(lambda w: w.assignments.pop("n3"), "", id="it has no HostAssignment"),
        pytest.param(all_of(held(*WEB_ONLY), said(), lambda w: w.services.clear()), "", id="its service is gone"),
    ],
)  # fmt: skip
def test_what_waits_for_the_end_of_a_silent_hosts_session(befall: Befall, waits: str) -> None:
    world = a_world(*ALL)
    befall(world)
    silence(world, "n3")
    assert first_epoch.awaited(world, "n3") == waits


def test_what_may_run_twice_waits_for_no_hosts_end() -> None:
    world, service = a_world(*ALL), a_service(exclusive=False)
    put(world, service)
    say_ready(world, service, "n3", active=True)
    silence(world, "n3")
    assert first_epoch.awaited(world, "n3") == ""
