"""What a write stands on elsewhere is asked of the API server just before it: what is not so stops it, is said, and is known from then on."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from backstay_api.client.errors import ApiError, Forbidden, Invalid, ServerError
from backstay_api.memory.server import Fate
from backstay_api.objects.kinds import Raw
from backstay_api.objects.models import ResourceClaim
from backstay_api.objects.object_kinds import (
    HA_INSTANCES,
    HA_SERVICES,
)
from backstay_api.objects.resource_kinds import Claim
from backstay_dev.simulator.virtualtime import in_virtual_time
from backstay_operator.control.act.apply import Outcome
from backstay_operator.planner.actions import DeleteClaim, SetFinalizer
from backstay_operator.planner.do.finalizers import HOST_FINALIZER, SERVICE_FINALIZER
from backstay_operator.planner.do.ownership import let_go
from backstay_operator.planner.plan import plan
from backstay_operator.planner.preconditions import (
    Alone,
    Gone,
    HoldsNothing,
    NoInstances,
    Owned,
    Precondition,
    Still,
    Unnamed,
)
from backstay_testing.apply_bench import ADDRESS, UNIT, Asked
from backstay_testing.control_scene import Scene, until


def still(bench: Asked, **more: Any) -> Still:
    return Still("HAService", "shop", "web", bench.service.uid, **more)


def owned(bench: Asked, key: Claim) -> Owned:
    return Owned(key.name, key.text, bench.service.uid, "n1" if key.is_on_hosts else "")


@in_virtual_time
async def test_what_is_as_it_was_believed_lets_the_write_pass() -> None:
    bench = Asked()
    needs = (
        still(bench, finalizer=SERVICE_FINALIZER, generation=1),
        Still("Host", "", "n1", bench.cache.world.hosts["n1"].uid, finalizer=HOST_FINALIZER),
        owned(bench, ADDRESS),
        owned(bench, UNIT),
        Gone("HAService", "shop", "web", "another"),
        Gone("HAService", "shop", "db", ""),
        NoInstances("shop", "another"),
        NoInstances("shop", "s", but=(bench.instance.uid,)),
        Alone("shop", "s", "n1", bench.instance.uid),
        Alone("shop", "s", "n2", "another"),
        HoldsNothing("n2"),
        Unnamed(("web.service",), frozenset({(bench.service.uid, 1)})),
        Unnamed(("db.service",), frozenset()),
    )
    assert (await bench.grant(*needs)).outcome is Outcome.DONE
    assert bench.epoch == 1


Change = Callable[[Asked], object]
Need = Callable[[Asked], Precondition]


@pytest.mark.parametrize(
    ("change", "need", "said"),
    [
        pytest.param(
            lambda b: b.take_claim_away(ADDRESS), lambda b: owned(b, ADDRESS), "is not claimed", id="the claim is gone"
        ),
        pytest.param(
            lambda b: b.give_claim_to_another(ADDRESS),
            lambda b: owned(b, ADDRESS),
            "address 192.0.2.10 belongs to the HAService shop/thief",
            id="the address is another's",
        ),
        pytest.param(
            lambda b: b.give_claim_to_another(UNIT),
            lambda b: owned(b, UNIT),
            "unit web.service belongs to the HAService shop/thief on n1",
            id="the unit is another's on this host",
        ),
        pytest.param(
            lambda b: b.cluster.patch(HA_SERVICES, ("shop", "web"), {"metadata": {"finalizers": None}}, actor="admin"),
            lambda b: still(b, finalizer=SERVICE_FINALIZER),
            "does not carry our finalizer",
            id="our finalizer is gone",
        ),
        pytest.param(
            lambda b: b.cluster.delete(HA_SERVICES, ("shop", "web"), actor="admin"),
            lambda b: still(b, finalizer=SERVICE_FINALIZER),
            "is being deleted",
            id="it is being deleted",
        ),
        pytest.param(
            lambda b: b.cluster.patch(HA_SERVICES, ("shop", "web"), {"spec": {"state": "Stopped"}}, actor="admin"),
            lambda b: still(b, generation=1),
            "has been edited",
            id="it has been edited",
        ),
        pytest.param(
            lambda b: b.cluster.patch(
                HA_SERVICES, ("shop", "web"), {"metadata": {"labels": {"a": "b"}}}, actor="admin"
            ),
            lambda b: still(b, version=b.service.metadata.resource_version or ""),
            "has changed",
            id="it is another version",
        ),
        pytest.param(
            lambda b: None,
            lambda b: Still("HAService", "shop", "web", "former"),
            "made again under the same name",
            id="it is another one",
        ),
        pytest.param(
            lambda b: None, lambda b: Still("HAService", "shop", "db", "u"), "HAService db is gone", id="it is gone"
        ),
        pytest.param(
            lambda b: None,
            lambda b: Gone("HAService", "shop", "web", b.service.uid),
            "HAService web is there",
            id="what was believed gone is there",
        ),
        pytest.param(
            lambda b: None, lambda b: NoInstances("shop", "s"), "shop/web-0 is there", id="there is an instance"
        ),
        pytest.param(
            lambda b: None,
            lambda b: NoInstances("shop", "s", but=("uid-web-7",)),
            "shop/web-0 is there",
            id="an instance that nobody knew of",
        ),
        pytest.param(
            lambda b: None,
            lambda b: Unnamed(("web.service",), frozenset()),
            "HAService shop/web names web.service",
            id="a service names the unit",
        ),
        pytest.param(
            lambda b: b.cluster.patch(HA_SERVICES, ("shop", "web"), {"spec": {"state": "Stopped"}}, actor="admin"),
            lambda b: Unnamed(("web.service",), frozenset({(b.service.uid, 1)})),
            "HAService shop/web names web.service",
            id="a service names the unit, and has been edited",
        ),
        pytest.param(
            lambda b: b.cluster.patch(HA_SERVICES, ("shop", "web"), {"spec": {"resources": "none"}}, actor="admin"),
            lambda b: Unnamed(("db.service",), frozenset()),
            "nobody knows what it names",
            id="what a service names cannot be read",
        ),
    ],
)
@in_virtual_time
async def test_what_is_not_so_stops_the_write_and_says_so(change: Change, need: Need, said: str) -> None:
    bench = Asked()
    change(bench)
    result = await bench.grant(need(bench))
    assert result.outcome is Outcome.LOOK_AGAIN
    assert said in result.why
    assert bench.epoch == 0


@pytest.mark.parametrize(
    "need",
    [
        pytest.param(lambda b: Gone("HAService", "shop", "db", ""), id="gone"),
        pytest.param(lambda b: NoInstances("shop", "s"), id="no instances"),
        pytest.param(lambda b: HoldsNothing("n2"), id="holds nothing"),
        pytest.param(lambda b: Unnamed(("db.service",), frozenset()), id="unnamed"),
        pytest.param(lambda b: still(b, version=b.service.metadata.resource_version or ""), id="the same version"),
    ],
)
@in_virtual_time
async def test_an_answer_from_before_what_is_known_says_nothing_of_what_is_not_there(need: Need) -> None:
    bench = Asked()
    bench.weather.fates.append((lambda request: not request.is_write, Fate(as_of=1)))
    result = await bench.grant(need(bench))
    assert result.outcome is Outcome.LOOK_AGAIN and "answered from the past: as of 1" in result.why
    assert bench.epoch == 0


@in_virtual_time
async def test_a_host_that_holds_something_we_have_not_seen_keeps_its_objects() -> None:
    bench = Asked()
    raw = copy.deepcopy(bench.body(HA_INSTANCES, "web-0", "shop"))
    session = {"bootID": "boot-n1", "nonce": "nonce-1", "seq": 1}
    raw["spec"] |= {"epoch": 1, "grant": {"host": "n1", "session": session, "machineUUID": "m"}}
    bench.cluster.replace(HA_INSTANCES, "shop", raw, actor="another replica")
    claim = next(iter(bench.cache.world.claims.values()))
    result = await bench.writer.apply(DeleteClaim(claim, "it holds nothing", (HoldsNothing("n1"),)))
    assert result.outcome is Outcome.LOOK_AGAIN and "shop/web-0 is granted to n1" in result.why
    assert bench.cache.world.held_by["n1"] == {"shop/web-0"}, "and from now on it is known"


@in_virtual_time
async def test_a_copy_is_not_granted_to_the_host_of_another_that_we_have_not_seen() -> None:
    bench = Asked()
    raw = copy.deepcopy(bench.body(HA_INSTANCES, "web-0", "shop"))
    session = {"bootID": "boot-n1", "nonce": "nonce-1", "seq": 1}
    raw["spec"] |= {"epoch": 1, "grant": {"host": "n1", "session": session, "machineUUID": "m"}}
    bench.cluster.replace(HA_INSTANCES, "shop", raw, actor="another replica")
    claim, owner = next(iter(bench.cache.world.claims.values())), bench.instance.spec.service.uid
    result = await bench.writer.apply(DeleteClaim(claim, "a write", (Alone("shop", owner, "n1", "uid-web-1"),)))
    assert result.outcome is Outcome.LOOK_AGAIN and "shop/web-0 is granted to n1" in result.why


@in_virtual_time
async def test_what_was_read_is_known_from_then_on() -> None:
    bench = Asked()
    bench.give_claim_to_another(ADDRESS)
    await bench.grant(owned(bench, ADDRESS))
    claim: ResourceClaim = bench.cache.world.claims[ADDRESS.name]
    assert claim.spec.owner is not None and claim.spec.owner.name == "thief"


@in_virtual_time
async def test_where_nobody_can_tell_nothing_is_written() -> None:
    bench = Asked()
    away = Fate(error=ServerError("the API server is away"))
    bench.weather.fates.append((lambda request: request.verb == "get", away))
    result = await bench.grant(owned(bench, ADDRESS))
    assert result.outcome is Outcome.TROUBLE
    assert bench.epoch == 0


@in_virtual_time
async def test_a_service_goes_only_when_the_api_server_says_that_no_instance_is_left() -> None:
    bench = Asked()
    bench.cluster.delete(HA_SERVICES, ("shop", "web"), actor="admin")
    bench.look()
    world = bench.cache.world
    service = world.services["shop/web"]
    ref = {"service": {"name": "web", "uid": service.uid}}
    bench.cluster.patch(HA_INSTANCES, ("shop", "web-0"), {"spec": ref}, actor="another replica")
    actions = [*let_go(world, service, sorted(world.claims)), *let_go(world, service, ())]
    assert [type(action) for action in actions] == [DeleteClaim, DeleteClaim, SetFinalizer]
    for action in actions:  # decided from a picture without the instance; the API server still has it
        result = await bench.writer.apply(action)
        assert result.outcome is Outcome.LOOK_AGAIN and "shop/web-0 is there" in result.why


@in_virtual_time
async def test_no_grant_without_our_finalizer_on_the_instance() -> None:
    bench = Asked()
    bench.cluster.patch(HA_INSTANCES, ("shop", "web-0"), {"metadata": {"finalizers": None}}, actor="admin")
    bench.look()
    bench.instance = bench.cache.world.instances["shop/web-0"]
    result = await bench.grant()
    assert result.outcome is Outcome.REFUSED and "does not carry our finalizer" in result.why
    assert bench.epoch == 0


# --- refusals reach the status of what they are about ----------------------------------------------------------------


def _conditions(scene: Scene) -> dict[str, Raw]:
    raw = scene.cluster.get(HA_SERVICES, "shop", "web")
    return {one["type"]: one for one in (raw.get("status") or {}).get("conditions", ())}


@pytest.mark.parametrize(
    ("resource", "error"),
    [
        pytest.param("hainstances", Forbidden("hainstances is forbidden: User cannot create"), id="403, an instance"),
        pytest.param("resourceclaims", Invalid("spec.hosts: Too many: 2000"), id="422, a claim"),
        pytest.param("haservices", Invalid("metadata.finalizers: a webhook says no", code=400), id="400, a finalizer"),
    ],
)
@in_virtual_time
async def test_a_refused_write_is_told_in_the_status_of_its_service_and_forgotten_when_it_succeeds(
    resource: str, error: ApiError
) -> None:
    scene = Scene()
    scene.add_host("n1")
    weather = scene.weather_of("op")

    def is_it(request: Any) -> bool:
        is_create = request.verb == ("patch" if resource == "haservices" else "create")
        return bool(request.resource.startswith(resource) and is_create and request.subresource != "status")

    for _ in range(40):
        weather.fates.append((is_it, Fate(error=error)))
    scene.add_service("web")
    async with scene.operator(plan=plan):
        await until(lambda: _conditions(scene).get("Progressing", {}).get("reason") == "RefusedByAPI")
        told = _conditions(scene)["Progressing"]
        assert str(error).partition(": ")[2] in told["message"]
        weather.fates.clear()
        await until(lambda: _conditions(scene).get("Progressing", {}).get("reason") != "RefusedByAPI", limit_s=60)
