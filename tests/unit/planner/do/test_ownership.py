"""What must be ours before anything runs, and is given back when nothing does any more: finalizers and claims, as tables."""

from __future__ import annotations

import pytest

from backstay_api.objects.models import HAInstance, HAService, ResourceClaim
from backstay_api.objects.object_kinds import Unreadable
from backstay_operator.planner.actions import Action, CreateClaim, DeleteClaim, SetFinalizer, WriteClaim
from backstay_operator.planner.do.finalizers import HOST_FINALIZER, INSTANCE_FINALIZER, SERVICE_FINALIZER
from backstay_operator.planner.do.ownership import (
    abandoned,
    give_back_unused,
    let_go,
    marks,
    needs_to_run,
    not_yet_ours,
    owned,
    record,
    take,
)
from backstay_operator.planner.know.world import World
from backstay_operator.planner.preconditions import Gone, NoInstances, Owned, Still
from backstay_testing.builders import (
    a_service,
    address,
    an_instance,
    an_order,
    being_deleted,
    claims,
    marked,
    session,
    unit,
)
from backstay_testing.worlds import Befall, a_world, all_of, make_ours, nothing, put, report, seal, silence, speak, tell

VIP = address("192.0.2.10/24")
BOTH = a_service("web", unit(), VIP)
IN_POOL = {"hosts": {"matchLabels": {"pool": "db"}}}


def claim(world: World, *some: ResourceClaim) -> None:
    world.claims.update({one.key: one for one in some})


def owners(claim: ResourceClaim) -> str:
    """Whose it is: `web`, or host by host `n1 web, n2 other`."""
    if claim.spec.owner is not None:
        return claim.spec.owner.name
    return ", ".join(f"{one.host} {one.name}" for one in claim.spec.hosts or ())


def said(action: Action) -> str:
    match action:
        case CreateClaim(claim=made):
            return f"claim {made.spec.type}: {owners(made)}"
        case WriteClaim(before=before, spec=spec):
            return f"write {spec.type}: {owners(before.model_copy(update={'spec': spec}))}"
        case DeleteClaim(before=before):
            return f"give back {before.spec.type}"
        case SetFinalizer(before=before, present=present):
            return f"{'mark' if present else 'unmark'} {type(before).__name__}"
        case _:
            return type(action).__name__


# --- what is whose ---------------------------------------------------------------------------------------------------


def test_claims_are_found_by_all_who_have_them_somewhere() -> None:
    world = a_world("n1", "n2")
    (shared,) = claims(a_service("web"), "n1")
    (others,) = claims(a_service("other", unit()), "n2")
    hosts = [*(shared.spec.hosts or ()), *(others.spec.hosts or ())]
    claim(world, shared.model_copy(update={"spec": shared.spec.model_copy(update={"hosts": hosts})}))
    assert owned(world) == {"uid-web": [shared.key], "uid-other": [shared.key]}


# --- taking ----------------------------------------------------------------------------------------------------------


def has(service: HAService, *hosts: str) -> Befall:
    """Claims for all that this service names are there."""
    return lambda world: claim(world, *claims(service, *hosts))


def runs_on(host: str, *, epoch: int = 1) -> Befall:
    return lambda world: put(world, BOTH, epoch=epoch, host=host)


def unreadable(world: World) -> None:
    for one in claims(BOTH, "n1"):
        world.unreadable["ResourceClaim", one.key] = Unreadable("ResourceClaim", one.key, "nonsense")


def leaving(name: str) -> Befall:
    return lambda world: world.hosts.update({name: being_deleted(world.hosts[name])})


@pytest.mark.parametrize(
    ("befall", "service", "expected"),
    [
        pytest.param(nothing, BOTH, ["claim Unit: n1 web, n2 web", "claim Address: web"], id="nobody has anything of it"),
        pytest.param(has(BOTH, "n1", "n2"), BOTH, [], id="all of it is its own"),
        pytest.param(has(BOTH, "n1"), BOTH, ["write Unit: n1 web, n2 web"], id="another host may run it now"),
        pytest.param(
            has(a_service("other", unit()), "n2"),
            BOTH,
            ["write Unit: n1 web, n2 other", "claim Address: web"],
            id="the unit is another's on one host",
        ),
        pytest.param(
            has(a_service("other", VIP)), BOTH, ["claim Unit: n1 web, n2 web"], id="the address is another's"
        ),
        pytest.param(unreadable, BOTH, [], id="claims that cannot be read"),
        pytest.param(leaving("n2"), BOTH, ["claim Unit: n1 web", "claim Address: web"], id="a host that is being removed"),
        pytest.param(
            all_of(runs_on("n2"), leaving("n2")),
            BOTH,
            ["claim Unit: n1 web, n2 web", "claim Address: web"],
            id="a host that is being removed, and runs it",
        ),
        pytest.param(
            nothing, a_service("web", unit(), VIP, placement=IN_POOL), ["claim Address: web"], id="no host may run it"
        ),
        pytest.param(
            runs_on("n1"),
            a_service("web", unit(), placement=IN_POOL),
            ["claim Unit: n1 web"],
            id="it runs where it may not any more",
        ),
    ],
)  # fmt: skip
def test_what_is_claimed(befall: Befall, service: HAService, expected: list[str]) -> None:
    world = a_world("n1", "n2")
    befall(world)
    assert [said(one) for one in take(world, service, world.instances.get("shop/web-0"))] == expected


MARKED = marked(BOTH, SERVICE_FINALIZER)
HELD = an_instance(BOTH, epoch=1, host="n1")


@pytest.mark.parametrize(
    ("service", "instance", "expected"),
    [
        pytest.param(BOTH, None, ["mark HAService"], id="a new service"),
        pytest.param(BOTH, HELD, ["mark HAService", "mark HAInstance"], id="somebody took both away"),
        pytest.param(MARKED, HELD, ["mark HAInstance"], id="the instance is not marked"),
        pytest.param(MARKED, marked(HELD, INSTANCE_FINALIZER), [], id="both are"),
        pytest.param(being_deleted(BOTH), being_deleted(HELD), [], id="on what is being deleted none can be put"),
        pytest.param(marked(BOTH, "other/one"), None, ["mark HAService"], id="it has another's mark"),
    ],
)
def test_what_is_marked(service: HAService, instance: HAInstance | None, expected: list[str]) -> None:
    assert [said(one) for one in marks(service, instance)] == expected


IS_MARKED_FIRST, INSTANCE_FIRST = (
    "its finalizer is being set first",
    "the finalizer of its HAInstance web-0 is being set first",
)
ADDRESS_FIRST, UNIT_FIRST = "address 192.0.2.10 is being claimed first", "unit web.service is being claimed on n1 first"


@pytest.mark.parametrize(
    ("service", "instance", "befall", "host", "why"),
    [
        pytest.param(MARKED, None, has(BOTH, "n1"), "n1", None, id="all of it is its own"),
        pytest.param(BOTH, None, has(BOTH, "n1"), "n1", IS_MARKED_FIRST, id="the service is not marked"),
        pytest.param(MARKED, HELD, has(BOTH, "n1"), "n1", INSTANCE_FIRST, id="the instance is not"),
        pytest.param(MARKED, marked(HELD, "other/one"), has(BOTH, "n1"), "n1", INSTANCE_FIRST, id="it has another's mark"),
        pytest.param(MARKED, None, nothing, None, ADDRESS_FIRST, id="the address is nobody's"),
        pytest.param(MARKED, None, nothing, "n1", UNIT_FIRST, id="nothing is its own there"),
        pytest.param(MARKED, None, has(BOTH, "n2"), "n1", UNIT_FIRST, id="the unit is its own elsewhere"),
        pytest.param(MARKED, None, has(BOTH, "n2"), None, None, id="a unit does not matter where no host is meant"),
        pytest.param(
            MARKED, None, has(a_service("other", VIP)), None, "address 192.0.2.10 belongs to the HAService shop/other",
            id="the address is another's",
        ),
        pytest.param(
            MARKED, None, has(a_service("other", unit()), "n1"), "n1",
            "unit web.service belongs to the HAService shop/other on n1", id="the unit is another's there",
        ),
        pytest.param(MARKED, None, all_of(has(BOTH, "n1"), unreadable), "n1", UNIT_FIRST, id="claims that cannot be read"),
        pytest.param(BOTH, HELD, nothing, "n1", IS_MARKED_FIRST, id="the service comes first"),
        pytest.param(MARKED, HELD, nothing, "n1", INSTANCE_FIRST, id="the instance comes before claims"),
    ],
)  # fmt: skip
def test_what_must_still_become_its_own(
    service: HAService, instance: HAInstance | None, befall: Befall, host: str | None, why: str | None
) -> None:
    world = a_world("n1", "n2")
    befall(world)
    assert not_yet_ours(world, service, instance, host) == why


def test_what_the_api_server_is_asked_once_more_before_a_grant() -> None:
    world = a_world("n1", "n2")
    make_ours(world)
    there, stays, *rest = needs_to_run(world, MARKED, "n1")
    assert isinstance(there, Still) and (there.kind, there.uid, there.finalizer) == (
        "HAService",
        "uid-web",
        SERVICE_FINALIZER,
    )
    assert isinstance(stays, Still) and (stays.kind, stays.name, stays.finalizer) == ("Host", "n1", HOST_FINALIZER)
    assert [(one.text, one.uid, one.host) for one in rest if isinstance(one, Owned)] == [
        ("unit web.service", "uid-web", "n1"),
        ("address 192.0.2.10", "uid-web", ""),
    ]


# --- recording -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("recorded", "needed"),
    [
        pytest.param(("uid-web-0", 1, 1), None, id="it is recorded"),
        pytest.param(("uid-web-0", 2, 3), None, id="more than that is recorded"),
        pytest.param(("uid-web-0", 0, 1), ("uid-web-0", 1, 1), id="an older epoch"),
        pytest.param(("uid-web-0", 1, 0), ("uid-web-0", 1, 1), id="an older revision"),
        pytest.param(("uid-web-0", 0, 7), ("uid-web-0", 1, 7), id="what is recorded only grows: the revision"),
        pytest.param(("uid-web-0", 7, 0), ("uid-web-0", 7, 1), id="what is recorded only grows: the epoch"),
        pytest.param(("gone", 7, 1), ("uid-web-0", 1, 1), id="epochs of another instance count for nothing"),
        pytest.param(("", 0, 0), ("uid-web-0", 1, 1), id="it was claimed before there was an instance"),
    ],
)
@pytest.mark.parametrize("resource", [pytest.param(VIP, id="an address"), pytest.param(unit(), id="a unit")])
def test_an_order_is_recorded_with_the_instance_whose_epochs_it_counts(
    recorded: tuple[str, int, int], needed: tuple[str, int, int] | None, resource: dict[str, object]
) -> None:
    world, service = a_world("n1", "n2"), a_service("web", resource)
    instance = put(world, service)
    claim(world, *noting(service, *recorded))
    writes = record(world, service, instance, 1, "n1")
    found = [one for write in writes for one in (write.spec.owner, *(write.spec.hosts or ())) if one is not None]
    of_n1 = [one for one in found if getattr(one, "host", "n1") == "n1"]
    assert [(one.instance, one.epoch, one.revision) for one in of_n1] == ([needed] if needed is not None else [])
    assert [one.host for write in writes for one in write.spec.hosts or ()] in ([], ["n1", "n2"])


def noting(service: HAService, instance: str, epoch: int, revision: int) -> list[ResourceClaim]:
    """Claims on n1 and n2 that record this."""
    made = []
    for one in claims(service, "n1", "n2"):
        news = {"instance": instance, "epoch": epoch, "revision": revision}
        owner, hosts = one.spec.owner, one.spec.hosts
        parts = {
            "owner": owner.model_copy(update=news) if owner is not None else None,
            "hosts": [each.model_copy(update=news) for each in hosts] if hosts is not None else None,
        }
        made.append(one.model_copy(update={"spec": one.spec.model_copy(update=parts)}))
    return made


def test_what_is_another_services_is_not_recorded() -> None:
    world = a_world("n1")
    instance = put(world, BOTH)
    claim(world, *claims(a_service("other", unit(), VIP), "n1"))
    assert record(world, BOTH, instance, 1, "n1") == []


# --- giving back -----------------------------------------------------------------------------------------------------

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
    found = give_back_unused(world, NOW, world.instances.get("shop/web-0"), names)
    assert [said(one) for one in found] == expected


def test_an_address_that_is_still_wanted_is_not_given_back() -> None:
    world, edited = a_world("n1"), a_service("web", unit(), VIP, generation=2)
    running()(world)
    claim(world, *claims(BEFORE, "n1"))
    assert give_back_unused(world, edited, world.instances["shop/web-0"], sorted(world.claims)) == []


@pytest.mark.parametrize("is_there", [True, False])
def test_a_claim_goes_only_while_the_manifest_and_the_instance_are_as_they_were_read(is_there: bool) -> None:
    world = a_world("n1")
    all_of(has_noted(), *([running()] if is_there else []))(world)
    found = give_back_unused(world, NOW, world.instances.get("shop/web-0"), sorted(world.claims))
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
    found = give_back_unused(world, NOW, world.instances["shop/web-0"], sorted(world.claims))
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
    pytest.param(has(BOTH, "n1"), BOTH, ["give back Unit", "give back Address"], id="claims go first"),
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
        all_of(has(BOTH, "n1"), may_still_run("n1", BOTH)),
        BOTH,
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
            all_of(may_still_run("n1", BOTH), lambda w: silence(w, "n1"), lambda w: seal(w, "n1")),
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
