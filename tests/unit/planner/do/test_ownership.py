"""What must be ours before anything runs, and what of it is recorded: finalizers and claims, as tables."""

from __future__ import annotations

import pytest

from backstay_api.objects.models import HAInstance, HAService
from backstay_api.objects.object_kinds import Unreadable
from backstay_operator.planner.actions import CreateClaim
from backstay_operator.planner.do.finalizers import HOST_FINALIZER, INSTANCE_FINALIZER, SERVICE_FINALIZER
from backstay_operator.planner.do.ownership import (
    marks,
    needs_to_run,
    not_yet_ours,
    owned,
    record,
    take,
)
from backstay_operator.planner.judge.copies import recorded_for_another
from backstay_operator.planner.know.world import World
from backstay_operator.planner.preconditions import Alone, Owned, Still
from backstay_testing.belongings import VIP, claim, has, leaving, noting, said
from backstay_testing.builders import (
    a_service,
    an_instance,
    being_deleted,
    claims,
    marked,
    unit,
)
from backstay_testing.worlds import Befall, a_world, all_of, make_ours, nothing, put

BOTH = a_service("web", unit(), VIP)
IN_POOL = {"hosts": {"matchLabels": {"pool": "db"}}}


# --- what is whose ---------------------------------------------------------------------------------------------------


def test_claims_are_found_by_all_who_have_them_somewhere() -> None:
    world = a_world("n1", "n2")
    (shared,) = claims(a_service("web"), "n1")
    (others,) = claims(a_service("other", unit()), "n2")
    hosts = [*(shared.spec.hosts or ()), *(others.spec.hosts or ())]
    claim(world, shared.model_copy(update={"spec": shared.spec.model_copy(update={"hosts": hosts})}))
    assert owned(world) == {"uid-web": [shared.key], "uid-other": [shared.key]}


# --- taking ----------------------------------------------------------------------------------------------------------


def runs_on(host: str, *, epoch: int = 1) -> Befall:
    return lambda world: put(world, BOTH, epoch=epoch, host=host)


def unreadable(world: World) -> None:
    for one in claims(BOTH, "n1"):
        world.unreadable["ResourceClaim", one.key] = Unreadable("ResourceClaim", one.key, "nonsense")


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
    assert [said(one) for one in take(world, service, list(world.instances.values()))] == expected


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
    assert [said(one) for one in marks(service, [instance] if instance else [])] == expected


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
    there, stays, *rest = needs_to_run(world, MARKED, HELD, "n1")
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


def test_what_is_another_services_is_not_recorded() -> None:
    world = a_world("n1")
    instance = put(world, BOTH)
    claim(world, *claims(a_service("other", unit(), VIP), "n1"))
    assert record(world, BOTH, instance, 1, "n1") == []


# --- several copies --------------------------------------------------------------------------------------------------

PAIR = a_service("web", unit(), mode="Replicated", replicas=2)


def a_pair(world: World, *hosts: str) -> list[HAInstance]:
    world.put_service(PAIR)
    for slot, host in enumerate(hosts):
        world.put_instance(an_instance(PAIR, epoch=1, host=host, slot=slot))
    return list(world.instances.values())


def test_claims_of_several_copies_cover_all_their_hosts_and_name_none_of_them_at_first() -> None:
    world = a_world("n1", "n2")
    (created,) = take(world, PAIR, a_pair(world, "n1", "n9"))
    assert isinstance(created, CreateClaim)
    hosts = created.claim.spec.hosts or []
    assert [(one.host, one.instance) for one in hosts] == [("n1", ""), ("n2", ""), ("n9", "")]


def test_a_grant_of_one_of_several_copies_asks_whether_another_was_granted_there() -> None:
    world = a_world("n1")
    one, _ = a_pair(world, "n1", "n2")
    (alone,) = (need for need in needs_to_run(world, PAIR, one, "n1") if isinstance(need, Alone))
    assert (alone.service_uid, alone.host, alone.but) == ("uid-web", "n1", "uid-web-0")


@pytest.mark.parametrize(
    ("recorded", "expected"),
    [
        pytest.param("uid-web-1", "web-1", id="the other has its claims"),
        pytest.param("uid-web-0", "", id="it has them itself"),
        pytest.param("", "", id="nobody has"),
    ],
)
def test_of_two_copies_that_were_granted_to_one_host_the_claims_say_which_it_is(recorded: str, expected: str) -> None:
    world = a_world("n1")
    one, _ = a_pair(world, "n1", "n1")
    (known,) = claims(PAIR, "n1")
    hosts = [each.model_copy(update={"instance": recorded, "epoch": 1}) for each in known.spec.hosts or ()]
    claim(world, known.model_copy(update={"spec": known.spec.model_copy(update={"hosts": hosts})}))
    assert recorded_for_another(world, PAIR, one, "n1") == expected
