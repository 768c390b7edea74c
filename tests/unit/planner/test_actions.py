"""Whose status says that the API server refuses something: for each action, the service or the host that it is about."""

from __future__ import annotations

from typing import Any, get_args

import pytest

from backstay_api.objects import lease as leases
from backstay_api.objects.models import (
    FenceRequest,
    HAInstance,
    HAService,
    Host,
    HostAssignment,
    ResourceClaim,
    ServiceClass,
)
from backstay_api.objects.models.assignment import HostAssignmentSpec
from backstay_api.objects.models.base import Meta
from backstay_api.objects.models.claim import ClaimOwner, HostOwner, ResourceClaimSpec
from backstay_api.objects.models.fencing import FenceRequestSpec
from backstay_api.objects.models.instance import HAInstanceSpec, ServiceRef, SessionRef
from backstay_api.objects.models.service import HAServiceSpec, HAServiceStatus
from backstay_api.objects.models.service_class import ServiceClassSpec, ServiceClassStatus
from backstay_operator.planner import actions as act
from backstay_operator.planner.rows import Rank

WEB, N1 = ("HAService", "shop/web"), ("Host", "n1")
SESSION = SessionRef(boot_id="b", nonce="x", seq=1)
INSTANCE = HAInstanceSpec(service=ServiceRef(name="web", uid="u"), exclusive=True)
RESOURCES = [{"name": "server", "systemd": {"unit": "web.service"}}]


def named(name: str, namespace: str | None = None) -> Meta:
    return Meta(name=name, namespace=namespace, uid="u")


def owner(name: str) -> ClaimOwner:
    return ClaimOwner(namespace="shop", name=name, uid=name)


def unit(*names: str) -> ResourceClaimSpec:
    hosts = [HostOwner(host=f"n{at}", **owner(name).model_dump()) for at, name in enumerate(names)]
    return ResourceClaimSpec(type="Unit", key="web.service", hosts=hosts)


service = HAService(metadata=named("web", "shop"), spec=HAServiceSpec.model_validate({"resources": RESOURCES}))
instance = HAInstance(metadata=named("web-0", "shop"), spec=INSTANCE)
host = Host(metadata=named("n1"))
class_ = ServiceClass(metadata=named("shop"), spec=ServiceClassSpec(namespaces=["shop"]))
lease = leases.new("n1")
request_spec = FenceRequestSpec(host="n1", session=SESSION, machine_uuid="m", want="Off")
request = FenceRequest(metadata=named("n1-abc"), spec=request_spec)
address = ResourceClaim(
    metadata=named("address-1"), spec=ResourceClaimSpec(type="Address", key="192.0.2.1", owner=owner("web"))
)
claim = ResourceClaim(metadata=named("unit-1"), spec=unit("web", "db"))
assignment = HostAssignment(metadata=named("n1"))
ordered: Any = {
    "u": {
        "namespace": "shop",
        "name": "web-0",
        "service": "web",
        "epoch": 1,
        "session": SESSION,
        "want": "Up",
        "exclusive": True,
    }
}
asked: Any = {"v": {"namespace": "shop", "name": "my-db-0", "service": "my-db"}}

TABLE = [
    (act.CreateInstance("shop", "web-0", INSTANCE, ""), [WEB]),
    (act.WriteInstance(instance, INSTANCE, ""), [WEB]),
    (act.WriteRequired(instance, (), ""), [WEB]),
    (act.DeleteInstance(instance, ""), [WEB]),
    (act.SetFinalizer(instance, True, ""), [WEB]),
    (act.SetFinalizer(service, True, ""), [WEB]),
    (act.SetFinalizer(host, True, ""), [N1]),
    (act.RemoveMoveWish(service, ""), [WEB]),
    (act.RemoveClear(service, ""), [WEB]),
    (act.WriteServiceStatus(service, HAServiceStatus()), [WEB]),
    (act.WriteHostStatus(host, {}), [N1]),
    (act.WriteClassStatus(class_, ServiceClassStatus()), [("ServiceClass", "shop")]),
    (act.ReportUnreadable("HAService", "shop/web", 1, ()), [WEB]),
    (act.ReportUnreadable("Host", "n1", 1, ()), [N1]),
    (act.CreateLease("n1", ""), [N1]),
    (act.SealLease(lease, ""), [N1]),
    (act.ReopenLease(lease, SESSION, ""), [N1]),
    (act.DeleteLease(lease, ""), [N1]),
    (act.RequestFence("n1-abc", request_spec, ""), [N1]),
    (act.UpdateFence(request, "Off", ""), [N1]),
    (act.DeleteFence(request, ""), [N1]),
    (act.DeleteAssignment(assignment, ""), [N1]),
    (
        act.Assign("n1", HostAssignmentSpec(instances=ordered, standbys=asked), ""),
        [N1, WEB, ("HAService", "shop/my-db")],
    ),
    (act.CreateClaim(address, ""), [WEB]),
    (act.DeleteClaim(claim, ""), [WEB, ("HAService", "shop/db")]),
    (act.WriteClaim(claim, unit("web", "db", "new"), ""), [WEB, ("HAService", "shop/db"), ("HAService", "shop/new")]),
    (act.WriteClaim(claim, unit("db"), ""), [WEB, ("HAService", "shop/db")]),
    (act.WriteClaim(address, address.spec, ""), [WEB]),
]


@pytest.mark.parametrize(("action", "about"), TABLE, ids=lambda one: type(one).__name__)
def test_it_is_said_where_people_look(action: act.Action, about: list[tuple[str, str]]) -> None:
    assert list(dict.fromkeys(ref.id for ref in action.concerns)) == about


def test_no_kind_of_action_is_forgotten_and_each_says_how_urgent_it_is() -> None:
    assert {type(action) for action, _ in TABLE} == set(get_args(act.Action))
    assert [type(action).__name__ for action, _ in TABLE if not isinstance(getattr(action, "rank", None), Rank)] == []
