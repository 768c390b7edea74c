"""What is given back when nothing needs it any more: claims of an edited service, of one that goes, and of one that is gone, as tables."""

from __future__ import annotations

import pytest

from backstay_api.objects.models import HAService
from backstay_api.objects.object_kinds import Unreadable
from backstay_operator.planner.actions import Assign, DeleteClaim, SetFinalizer, WriteClaim
from backstay_operator.planner.do.finalizers import SERVICE_FINALIZER
from backstay_operator.planner.do.ownership import (
    abandoned,
    give_back_unused,
    let_go,
)
from backstay_operator.planner.know.world import World
from backstay_operator.planner.plan import plan
from backstay_operator.planner.preconditions import Gone, NoInstances, Still
from backstay_testing.belongings import VIP, claim, has, leaving, noting, said
from backstay_testing.builders import (
    a_service,
    an_instance,
    an_order,
    claims,
    marked,
    session,
    unit,
)
from backstay_testing.worlds import Befall, a_world, all_of, make_ours, nothing, put, report, seal, silence, speak, tell

# --- an edit, or the labels of hosts -------------------------------------------------------------------------------------

BEFORE = a_service("web", unit(), VIP)
NOW = a_service("web", unit(), generation=2)
"""The address is no longer wanted."""


def running(*, revision: int = 2, phase: str = "Running", epoch: int = 1) -> Befall:
    def befall(world: World) -> None:
        put(world, NOW, epoch=1, host="n1")
        report(world, NOW, "n1", phase, epoch=epoch, revision=revision)

    return befall


def has_noted(instance: str = "uid-web-0", epoch: int = 1, revision: int = 1) -> Befall:
    return lambda world: claim(world, *noting(BEFORE, instance, epoch, revision))


def recreated(world: World) -> None:
    """The instance is there, and its last epoch was closed."""
    put(world, NOW, epoch=1)


def left_on(host: str) -> Befall:
    """The host says that it still runs there."""
    return lambda world: report(world, NOW, host, "Running", epoch=1)


@pytest.mark.parametrize(
    ("befall", "expected"),
    [
        pytest.param(all_of(has(NOW, "n1", "n2"), running()), [], id="all of it is still wanted"),
        pytest.param(all_of(has_noted(), running()), ["give back Address"], id="what runs does without it"),
        pytest.param(all_of(has_noted(), running(revision=1)), [], id="the earlier manifest runs"),
        pytest.param(all_of(has_noted(), running(phase="Starting")), [], id="the present one only starts"),
        pytest.param(all_of(has_noted(epoch=0), running(epoch=2)), [], id="what is reported is another epoch"),
        pytest.param(has_noted(), ["give back Address"], id="there is no instance"),
        pytest.param(all_of(has_noted(), recreated), ["give back Address"], id="it runs nowhere, and that is proven"),
        pytest.param(
            all_of(has_noted(epoch=2), running()), [], id="an order of a later epoch may be on its way"
        ),
        pytest.param(
            all_of(has_noted("gone", epoch=2), running()), ["give back Address"], id="epochs of another instance"
        ),
        pytest.param(all_of(has_noted(revision=2), running()), [], id="an order of this manifest may name it"),
        pytest.param(all_of(has_noted(revision=3), running()), [], id="somebody has recorded a newer manifest"),
        pytest.param(
            all_of(has_noted(), running(), leaving("n2")),
            ["write Unit: n1 web", "give back Address"],
            id="a host may not run it any more",
        ),
        pytest.param(
            all_of(has_noted(), running(), leaving("n1")), ["give back Address"], id="its holder may not run it any more"
        ),
        pytest.param(
            all_of(has_noted(epoch=2), running(), leaving("n2")), [], id="an order may be on its way to that host"
        ),
        pytest.param(
            all_of(has_noted(), running(), leaving("n2"), left_on("n2")),
            ["give back Address"],
            id="something of it is left on that host",
        ),
        pytest.param(
            all_of(has_noted(), leaving("n1"), leaving("n2")), ["give back Unit", "give back Address"], id="no host may run it"
        ),
    ],
)  # fmt: skip
def test_what_is_no_longer_wanted_is_given_back(befall: Befall, expected: list[str]) -> None:
    world = a_world("n1", "n2")
    befall(world)
    names = sorted(world.claims, key=lambda name: world.claims[name].spec.type, reverse=True)
    found = give_back_unused(world, NOW, list(world.instances.values()), names)
    assert [said(one) for one in found] == expected


def test_an_address_that_is_still_wanted_is_not_given_back() -> None:
    world, edited = a_world("n1"), a_service("web", unit(), VIP, generation=2)
    running()(world)
    claim(world, *claims(BEFORE, "n1"))
    assert give_back_unused(world, edited, list(world.instances.values()), sorted(world.claims)) == []


@pytest.mark.parametrize("is_there", [True, False])
def test_a_claim_goes_only_while_the_manifest_and_the_instance_are_as_they_were_read(is_there: bool) -> None:
    world = a_world("n1")
    all_of(has_noted(), *([running()] if is_there else []))(world)
    found = give_back_unused(world, NOW, list(world.instances.values()), sorted(world.claims))
    (gone,) = (one for one in found if isinstance(one, DeleteClaim))
    unedited, other = gone.needs
    assert isinstance(unedited, Still) and (unedited.kind, unedited.generation) == ("HAService", 2)
    if is_there:
        assert isinstance(other, Still) and (other.kind, other.version) == ("HAInstance", "1")
    else:
        assert isinstance(other, NoInstances) and other.service_uid == "uid-web"


@pytest.mark.parametrize("is_known", [True, False])
def test_a_host_s_claim_goes_only_while_the_host_is_as_it_was_read(is_known: bool) -> None:
    """Seed 80000002672: an operator that had just started read an old list, in which there were no hosts."""
    world = a_world("n1", "n2")
    all_of(has_noted(), running(), leaving("n2"))(world)
    if not is_known:
        del world.hosts["n2"]
    found = give_back_unused(world, NOW, list(world.instances.values()), sorted(world.claims))
    (written,) = (one for one in found if isinstance(one, WriteClaim))
    host = written.needs[-1]
    assert (host.kind, host.name) == ("Host", "n2")  # type: ignore[union-attr]
    assert isinstance(host, Still if is_known else Gone)


# --- a service that goes, or is gone ---------------------------------------------------------------------------------

TWICE = a_service("web", unit(), exclusive=False)
OTHER = a_service("other", unit(), exclusive=False)


def may_still_run(on: str, service: HAService = TWICE, *, want_down: bool = False) -> Befall:
    """The host was told to run it, and has not said that it is over."""

    def befall(world: World) -> None:
        instance = an_instance(service, epoch=1, host=on)
        tell(world, on, instance, an_order(instance, "Down" if want_down else "Up"))
        report(world, service, on, "Running", epoch=1)

    return befall


def is_over(on: str) -> Befall:
    return lambda world: report(world, TWICE, on, "Stopped", epoch=1, released=True)


def came_back(world: World) -> None:
    """Another session reports, and does not list it."""
    speak(world, "n1", session("n1", 2))
    raw = world.assignments["n1"].wire()
    raw["status"]["instances"] = {}
    world.put_assignment(world.assignments["n1"].from_wire(raw))


GOING = [
    pytest.param(nothing, TWICE, ["unmark HAService"], id="nothing is its own any more"),
    pytest.param(has(BEFORE, "n1"), BEFORE, ["give back Unit", "give back Address"], id="claims go first"),
    pytest.param(has(TWICE, "n1", "n2"), TWICE, ["give back Unit"], id="nothing of it may run anywhere"),
    pytest.param(
        all_of(has(TWICE, "n1", "n2"), may_still_run("n1")),
        TWICE,
        ["write Unit: n1 web"],
        id="a unit stays claimed where a copy may run",
    ),
    pytest.param(
        all_of(has(TWICE, "n1"), may_still_run("n1")), TWICE, ["unmark HAService"], id="that is no reason to wait"
    ),
    pytest.param(
        all_of(has(TWICE, "n1", "n2"), may_still_run("n1"), is_over("n1")),
        TWICE,
        ["give back Unit"],
        id="it has stopped there",
    ),
    pytest.param(
        all_of(has(TWICE, "n1", "n2"), may_still_run("n1"), came_back),
        TWICE,
        ["give back Unit"],
        id="its host came back without it",
    ),
    pytest.param(
        all_of(has(BEFORE, "n1"), may_still_run("n1", BEFORE)),
        BEFORE,
        ["give back Unit", "give back Address"],
        id="what is exclusive has been proven to be over",
    ),
]


@pytest.mark.parametrize(("befall", "service", "expected"), GOING)
def test_what_a_service_that_is_deleted_gives_back(befall: Befall, service: HAService, expected: list[str]) -> None:
    world = a_world("n1", "n2")
    befall(world)
    names = sorted(world.claims, key=lambda name: world.claims[name].spec.type, reverse=True)
    found = let_go(world, marked(service, SERVICE_FINALIZER), names)
    assert [said(one) for one in found] == expected
    for one in found:
        assert isinstance(one, DeleteClaim | WriteClaim | SetFinalizer)
        assert [type(need) for need in one.needs] == [NoInstances]


def test_a_service_without_our_mark_is_let_go_of() -> None:
    assert let_go(a_world("n1"), TWICE, []) == []


def is_there(world: World) -> None:
    world.put_service(TWICE)


def is_another(world: World) -> None:
    """A service of this name is there, but it is another one."""
    world.put_service(TWICE.model_copy(update={"metadata": TWICE.metadata.model_copy(update={"uid": "another"})}))


def cannot_be_read(world: World) -> None:
    world.unreadable["HAService", "shop/web"] = Unreadable("HAService", "shop/web", "nonsense")


def has_an_instance(world: World) -> None:
    world.put_instance(an_instance(TWICE, epoch=1))


@pytest.mark.parametrize(
    ("befall", "expected"),
    [
        pytest.param(is_there, [], id="its service is there"),
        pytest.param(cannot_be_read, [], id="its service only cannot be read"),
        pytest.param(nothing, ["give back Unit"], id="its service is gone"),
        pytest.param(is_another, ["give back Unit"], id="another service has its name"),
        pytest.param(has_an_instance, [], id="an instance of it is left"),
        pytest.param(may_still_run("n1"), ["write Unit: n1 web"], id="a copy may run on one host"),
        pytest.param(
            all_of(may_still_run("n1", BEFORE), lambda w: silence(w, "n1"), lambda w: seal(w, "n1")),
            ["write Unit: n1 web"],
            id="a silent host may run what it was told last",
        ),
        pytest.param(may_still_run("n1", OTHER), ["give back Unit"], id="what may run is another service's"),
        pytest.param(all_of(may_still_run("n1"), may_still_run("n2")), [], id="copies may run on every host"),
    ],
)
def test_what_a_service_that_is_gone_had(befall: Befall, expected: list[str]) -> None:
    world = a_world("n1", "n2")
    claim(world, *claims(TWICE, "n1", "n2"))
    befall(world)
    found = abandoned(world)
    assert [said(one) for one in found] == expected
    for one in found:
        assert isinstance(one, DeleteClaim | WriteClaim)
        assert [type(need) for need in one.needs] == [Gone, NoInstances]


def test_of_two_owners_that_are_gone_one_goes_at_a_time() -> None:
    world = a_world("n1", "n2")
    (mine,), (other,) = claims(a_service("web"), "n1"), claims(a_service("other", unit()), "n2")
    hosts = [*(mine.spec.hosts or ()), *(other.spec.hosts or ())]
    claim(world, mine.model_copy(update={"spec": mine.spec.model_copy(update={"hosts": hosts})}))
    assert [said(one) for one in abandoned(world)] == ["write Unit: n2 other"]


# --- units of hosts ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["", "HAService", "Host", "HAInstance"])
def test_what_waits_for_our_word_is_given_back_unless_nobody_knows_who_may_need_it(kind: str) -> None:
    """While a service or a host cannot be read, nobody knows which units must wait where."""
    world = a_world("n1")
    make_ours(world)
    assignment = world.assignments["n1"]
    spec = assignment.spec.model_copy(update={"secured": ["old.service"]})
    world.put_assignment(assignment.model_copy(update={"spec": spec}))
    if kind:
        world.unreadable[kind, "shop/other"] = Unreadable(kind, "shop/other", "nonsense")
    wanted = [action.spec.secured for action in plan(world).actions if isinstance(action, Assign)]
    assert wanted == ([] if kind in ("HAService", "Host") else [[]])


# --- several copies --------------------------------------------------------------------------------------------------

PAIR_BEFORE = a_service("web", unit(), unit("log"), mode="Replicated", replicas=2)
PAIR_NOW = a_service("web", unit(), mode="Replicated", replicas=2, generation=2)


def pair(world: World, *revisions: int) -> None:
    """Each copy runs, by the manifest of this generation."""
    world.put_service(PAIR_NOW)
    for slot, revision in enumerate(revisions):
        host = f"n{slot + 1}"
        world.put_instance(an_instance(PAIR_NOW, epoch=1, host=host, slot=slot))
        report(world, PAIR_NOW, host, "Running", epoch=1, revision=revision, slot=slot)
    claim(world, *claims(PAIR_BEFORE, "n1", "n2", "n3", epoch=1, revision=1))


@pytest.mark.parametrize(
    ("revisions", "expected"),
    [
        pytest.param((2, 2), ["give back Unit"], id="both do without it"),
        pytest.param((2, 1), [], id="the other runs by the earlier manifest"),
        pytest.param((1, 2), [], id="or the first does"),
    ],
)
def test_an_edit_gives_nothing_back_while_another_copy_runs_by_the_earlier_manifest(
    revisions: tuple[int, int], expected: list[str]
) -> None:
    world = a_world("n1", "n2", "n3")
    pair(world, *revisions)
    found = give_back_unused(world, PAIR_NOW, list(world.instances.values()), sorted(world.claims))
    assert [said(one) for one in found] == expected


def test_of_several_copies_nothing_is_given_back_while_there_may_be_one_that_nobody_has_seen() -> None:
    world = a_world("n1", "n2", "n3")
    pair(world, 2, 2)
    (gone,) = give_back_unused(world, PAIR_NOW, list(world.instances.values()), sorted(world.claims))
    assert isinstance(gone, DeleteClaim)
    (none,) = (one for one in gone.needs if isinstance(one, NoInstances))
    assert none.but == ("uid-web-0", "uid-web-1")
    assert [one.name for one in gone.needs if isinstance(one, Still) and one.version] == ["web-0", "web-1"]


def test_a_host_stays_claimed_for_whichever_copy_is_there() -> None:
    world = a_world("n1", "n2", "n3")
    pair(world, 2, 2)
    for name in ("n1", "n2", "n3"):
        leaving(name)(world)
    found = give_back_unused(world, PAIR_NOW, list(world.instances.values()), sorted(world.claims))
    assert "write Unit: n1 web, n2 web" in [said(one) for one in found]
