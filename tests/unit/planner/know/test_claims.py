"""By which object a service claims a thing, as tables: its name, its key, its owners, and what an owner records."""

from __future__ import annotations

import pytest

from backstay_api.objects.models import HAService
from backstay_api.objects.models.claim import ResourceClaim
from backstay_api.objects.resource_kinds import Claim, claims_of
from backstay_operator.planner.know.claims import claim_for, owner_of, things
from backstay_testing.builders import a_service, address, an_instance, command, unit

MOST = 1024
UNIT, ADDRESS = Claim("Unit", "web.service"), Claim("Address", "192.0.2.10")
WEB = a_service("web", generation=3)
GRANTED = an_instance(WEB, epoch=2, host="n1")


def whose(claim: ResourceClaim) -> list[str]:
    """Each owner: where, instance, epoch, revision."""
    return [
        f"{getattr(one, 'host', 'everywhere')}: {one.instance or 'no instance'} {one.epoch} {one.revision}"
        for one in claim.owners
    ]


@pytest.mark.parametrize(
    ("key", "hosts", "instance", "expected"),
    [
        pytest.param(ADDRESS, (), None, ["everywhere: no instance 0 3"], id="an address, before there is an instance"),
        pytest.param(ADDRESS, (), GRANTED, ["everywhere: uid-web-0 2 3"], id="an address, for the present epoch"),
        pytest.param(ADDRESS, ("n1", "n2"), GRANTED, ["everywhere: uid-web-0 2 3"], id="an address is owned once, whatever hosts there are"),
        pytest.param(UNIT, ("n1", "n2"), GRANTED, ["n1: uid-web-0 2 3", "n2: uid-web-0 2 3"], id="a unit, host by host"),
        pytest.param(UNIT, (), GRANTED, [], id="a unit, where no host may run it"),
    ],
)  # fmt: skip
def test_who_has_it(key: Claim, hosts: tuple[str, ...], instance: object, expected: list[str]) -> None:
    claim = claim_for(key, WEB, hosts, GRANTED if instance else None)
    assert whose(claim) == expected
    assert (claim.spec.owner is None) == key.is_on_hosts == (claim.spec.hosts is not None)
    assert (claim.metadata.name, claim.spec.type, claim.spec.key) == (key.name, key.type, key.key)


@pytest.mark.parametrize(
    ("chars", "is_whole"),
    [
        pytest.param(MOST, True, id="as much as the schema takes"),
        pytest.param(MOST + 1, False, id="one character more"),
        pytest.param(9 * MOST, False, id="far too long"),
    ],
)
def test_a_key_is_stored_as_far_as_the_schema_takes_it_and_stays_a_name_of_its_own(chars: int, is_whole: bool) -> None:
    one, other = (claim_for(Claim("Command", "x" * (chars - 1) + last), WEB).spec.key for last in "ab")
    assert one != other and len(one) == len(other) <= MOST
    assert (one == "x" * (chars - 1) + "a") == is_whole


@pytest.mark.parametrize(
    ("instance", "epoch", "expected"),
    [
        pytest.param(None, None, ("", 0), id="of what has no instance"),
        pytest.param(GRANTED, None, ("uid-web-0", 2), id="of the present epoch"),
        pytest.param(GRANTED, 3, ("uid-web-0", 3), id="of the next epoch, which is about to be granted"),
        pytest.param(GRANTED, 0, ("uid-web-0", 0), id="of epoch 0, where that is said"),
    ],
)
def test_for_which_orders_it_owns_it(instance: object, epoch: int | None, expected: tuple[str, int]) -> None:
    owner = owner_of(WEB, GRANTED if instance else None, epoch=epoch)
    assert (owner.instance, owner.epoch) == expected
    assert (owner.key, owner.uid, owner.revision) == ("shop/web", "uid-web", 3)


@pytest.mark.parametrize(
    ("one", "other", "are_the_same"),
    [
        pytest.param(unit("a", "web.service"), unit("b", "web.service"), True, id="one unit under two names"),
        pytest.param(address("192.0.2.10/24"), address("192.0.2.10/32"), True, id="one address with two prefixes"),
        pytest.param(address("192.0.2.10/24"), address("192.0.2.11/24"), False, id="two addresses"),
        pytest.param(
            command("a", start=["/bin/x", "1"], stop=["/bin/y"]), command("b", start=["/bin/x", "1"], stop=["/bin/z"]), True,
            id="commands that start the same",
        ),
        pytest.param(
            command("a", start=["/bin/x", "1"], stop=["/bin/y"]), command("a", start=["/bin/x", "2"], stop=["/bin/y"]), False,
            id="commands that start otherwise",
        ),
    ],
)  # fmt: skip
def test_two_services_that_mean_one_thing_want_one_claim(one: object, other: object, are_the_same: bool) -> None:
    wanted, wanted_too = (things(_naming(each)) for each in (one, other))
    assert (wanted == wanted_too) == are_the_same


def _naming(resource: object) -> HAService:
    assert isinstance(resource, dict)
    return a_service("web", resource)


def test_things_are_the_names_of_all_its_claims_each_once() -> None:
    twice = a_service("web", unit("a", "web.service"), unit("b", "web.service"), address("192.0.2.10/24"))
    assert things(twice) == tuple(key.name for key in claims_of(twice.spec.resources)) == (UNIT.name, ADDRESS.name)
