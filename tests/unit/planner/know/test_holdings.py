"""Who has what, as tables: in the whole cluster or host by host; what another has, what is still to become one's own, and who lives."""

from __future__ import annotations

import pytest

from backstay_api.objects.models import HAService, ResourceClaim
from backstay_api.objects.object_kinds import Unreadable
from backstay_api.objects.resource_kinds import Claim
from backstay_operator.planner.know.claims import owner_of
from backstay_operator.planner.know.holdings import contested, is_alive, keys, needs, not_ours, on_hosts, owner
from backstay_operator.planner.know.world import World
from backstay_operator.planner.preconditions import Owned
from backstay_testing.builders import a_service, address, claims, unit
from backstay_testing.worlds import Befall, a_world, all_of, nothing

VIP = address("192.0.2.10/24")
UNIT, ADDRESS = Claim("Unit", "web.service"), Claim("Address", "192.0.2.10")
WEB, OTHER = a_service("web", unit(), VIP), a_service("other", unit("web"), VIP)


def has(service: HAService, *hosts: str) -> Befall:
    """Claims for all that this service names are there, beside what others have on other hosts."""

    def befall(world: World) -> None:
        for claim in claims(service, *hosts):
            world.claims[claim.key] = _beside(world.claims.get(claim.key), claim)

    return befall


def _beside(before: ResourceClaim | None, claim: ResourceClaim) -> ResourceClaim:
    others = (before.spec.hosts if before else None) or []
    hosts = [*others, *(claim.spec.hosts or [])] if claim.spec.hosts is not None else None
    return claim.model_copy(update={"spec": claim.spec.model_copy(update={"hosts": hosts})})


def unreadable(world: World) -> None:
    for key in (UNIT, ADDRESS):
        world.unreadable["ResourceClaim", key.name] = Unreadable("ResourceClaim", key.name, "nonsense")


SHARED = all_of(has(a_service("web"), "n1"), has(a_service("other", unit("web")), "n2"))


@pytest.mark.parametrize(
    ("befall", "of_unit", "of_address"),
    [
        pytest.param(nothing, {}, "", id="nobody has anything"),
        pytest.param(has(WEB, "n1", "n2"), {"n1": "web", "n2": "web"}, "web", id="all of it is one's own"),
        pytest.param(has(WEB, "n1"), {"n1": "web"}, "web", id="on one host"),
        pytest.param(SHARED, {"n1": "web", "n2": "other"}, "", id="two services have one unit, each on its own host"),
        pytest.param(all_of(has(WEB, "n1"), unreadable), {}, "", id="what cannot be read is nobody's"),
    ],
)
def test_who_has_it(befall: Befall, of_unit: dict[str, str], of_address: str) -> None:
    world = a_world("n1", "n2")
    befall(world)
    there = {host: found.name for host in ("n1", "n2") if (found := owner(world, UNIT, host)) is not None}
    everywhere = {found.name for host in ("", "n1", "n2") if (found := owner(world, ADDRESS, host)) is not None}
    assert (there, everywhere) == (of_unit, {of_address} - {""})
    if UNIT.name in world.claims and not world.unreadable:
        assert {host: one.name for host, one in on_hosts(world, world.claims[UNIT.name]).items()} == of_unit


@pytest.mark.parametrize(
    ("befall", "expected"),
    [
        pytest.param(nothing, {}, id="nobody has anything"),
        pytest.param(has(WEB, "n1", "n2"), {}, id="all of it is its own"),
        pytest.param(has(OTHER, "n2"), {"n2": "unit web.service of shop/other"}, id="another has its unit on one host"),
        pytest.param(SHARED, {"n2": "unit web.service of shop/other"}, id="another has its unit on another host"),
        pytest.param(
            has(a_service("other", VIP)), {}, id="an address is contested on no host: it is refused as a whole"
        ),
    ],
)
def test_where_another_has_what_it_names(befall: Befall, expected: dict[str, str]) -> None:
    world = a_world("n1", "n2")
    befall(world)
    found = contested(world, WEB)
    assert {host: f"{key.text} of {one.key}" for host, (key, one) in found.items()} == expected


def test_of_two_things_that_others_have_on_a_host_the_first_that_it_names_is_told() -> None:
    world = a_world("n1")
    has(a_service("other", unit("b"), unit("a")), "n1")(world)
    ((key, _),) = contested(world, a_service("web", unit("a"), unit("b"))).values()
    assert key == Claim("Unit", "a.service")


def test_what_is_contested_is_worked_out_anew_when_a_claim_has_changed() -> None:
    world = a_world("n1")
    assert contested(world, WEB) == {}
    has(OTHER, "n1")(world)
    assert contested(world, WEB).keys() == {"n1"}


NO_UNIT = "unit web.service is being claimed on n1 first"
NO_ADDRESS = "address 192.0.2.10 is being claimed first"


@pytest.mark.parametrize(
    ("befall", "on_n1", "anywhere"),
    [
        pytest.param(nothing, NO_UNIT, NO_ADDRESS, id="nobody has anything"),
        pytest.param(has(WEB, "n1"), None, None, id="all of it is its own"),
        pytest.param(has(a_service("web"), "n1"), NO_ADDRESS, NO_ADDRESS, id="the address is not"),
        pytest.param(has(WEB, "n2"), NO_UNIT, None, id="the unit is not, on this host"),
        pytest.param(
            has(OTHER, "n1"), "unit web.service belongs to the HAService shop/other on n1",
            "address 192.0.2.10 belongs to the HAService shop/other", id="another has all of it",
        ),
        pytest.param(all_of(has(WEB, "n1"), unreadable), NO_UNIT, NO_ADDRESS, id="what cannot be read is not its own"),
    ],
)  # fmt: skip
def test_what_must_still_become_its_own(befall: Befall, on_n1: str | None, anywhere: str | None) -> None:
    world = a_world("n1", "n2")
    befall(world)
    assert (not_ours(world, WEB, "n1"), not_ours(world, WEB, None)) == (on_n1, anywhere)


def test_a_grant_asks_for_each_thing_once_more_a_unit_on_that_host_and_an_address_anywhere() -> None:
    assert needs(a_world("n1"), WEB, "n1") == (
        Owned(UNIT.name, "unit web.service", "uid-web", "n1"),
        Owned(ADDRESS.name, "address 192.0.2.10", "uid-web", ""),
    )


@pytest.mark.parametrize(
    ("befall", "lives"),
    [
        pytest.param(nothing, False, id="it is gone"),
        pytest.param(lambda w: w.put_service(WEB), True, id="it is there"),
        pytest.param(
            lambda w: w.put_service(WEB.model_copy(update={"metadata": WEB.metadata.model_copy(update={"uid": "uid-new"})})),
            False, id="another one has its name",
        ),
        pytest.param(
            lambda w: w.unreadable.update({("HAService", "shop/web"): Unreadable("HAService", "shop/web", "nonsense")}),
            True, id="it only cannot be read",
        ),
    ],
)  # fmt: skip
def test_whether_an_owner_lives(befall: Befall, lives: bool) -> None:
    world = a_world()
    befall(world)
    assert is_alive(world, owner_of(WEB)) is lives


def test_its_keys_are_kept_while_its_manifest_is_the_same() -> None:
    world = a_world()
    before = keys(world, WEB)
    assert before == (UNIT, ADDRESS) and keys(world, WEB) is before
    assert keys(world, a_service("web", VIP)) == (ADDRESS,)
