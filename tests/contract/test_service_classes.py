"""What a tenant may bring, asked of a real API server with his own token: by admission, and by who may say what is allowed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from backstay_api.objects.models import HAService, ServiceClass
from backstay_dev.lab.controlplane import ControlPlane
from backstay_dev.lab.shell import LabError, wait_until
from backstay_operator.planner.judge import service_classes
from backstay_operator.planner.know.reading import put
from backstay_operator.planner.know.world import World
from contract.chart_scene import As, Json, installed_in
from contract.test_negatives import Identity, of_ours

pytestmark = pytest.mark.api

OURS = "/apis/backstay.dev/v1alpha1"
CLASSES = f"{OURS}/serviceclasses"
SERVICES = f"{OURS}/namespaces/shop/haservices"
POOL: Json = {"hosts": {"matchLabels": {"pool": "shop"}}}
UNIT: Json = {"systemd": {"unit": "shop-web.service"}}
BASE: Json = {
    "namespaces": ["shop", "shop-*"],
    "hosts": {"matchLabels": {"pool": "shop"}},
    "allow": [
        {
            "kinds": ["systemd"],
            "units": ["shop-*.service", "a.b@?.service"],
            "environment": ["SHOP_*"],
            "overrides": ["Memory*"],
        },
        {"commands": ["/usr/bin/shopctl ..."], "users": ["shop", "svc-?$"], "groups": ["shop"]},
        {"kinds": ["virtualIP"], "networks": ["192.0.2.0/24"]},
    ],
    "maxPriority": 10,
    "maxReplicas": 3,
    "maxResources": 2,
    "maxCapacity": {"memory": "8Gi"},
}


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """With a class for the namespace `shop`, and its tenant, who is a ServiceAccount here."""
    with installed_in(tmp_path_factory.mktemp("classes")) as plane:
        for namespace in ("shop", "other"):
            plane.kubectl("create", "namespace", namespace)
            plane.kubectl("-n", namespace, "create", "serviceaccount", "tenant")
            for role in ("backstay:view", "backstay:edit"):
                account = (f"--clusterrole={role}", f"--serviceaccount={namespace}:tenant")
                plane.kubectl("-n", namespace, "create", "rolebinding", f"tenant-{role[9:]}", *account)
        plane.kubectl("create", "-f", "-", stdin=json.dumps(of_ours("ServiceClass", "shop", BASE)))
        tenant = Identity(plane, plane.token_for("shop", "tenant"))
        bad = a_service([{"name": "web", "systemd": {"unit": "ssh.service"}}])
        wait_until(lambda: tenant("POST", f"{SERVICES}?dryRun=All", bad)[0] == 403, timeout_s=30, what="the policy")
        yield plane


@pytest.fixture(scope="module")
def tenant(plane: ControlPlane) -> Identity:
    return Identity(plane, plane.token_for("shop", "tenant"))


def a_service(resources: list[Json], name: str = "web", placement: Json | None = POOL, **spec: Any) -> Json:
    placed = {"placement": placement} if placement is not None else {}
    return of_ours("HAService", name, {"resources": resources, **placed, **spec})


def one(**resource: Any) -> list[Json]:
    return [{"name": "web", **resource}]


def command(**more: Any) -> list[Json]:
    return one(command={"start": ["/usr/bin/shopctl", "up"], "stop": ["/usr/bin/shopctl", "down"], **more})


def asking(resources: list[Json] | None = None, **placement: Any) -> Json:
    return a_service(resources or one(**UNIT), placement={**POOL, **placement})


def operator_says(*classes: Json, service: Json, namespace: str = "shop") -> str:
    """What the operator decides about the same."""
    world = World()
    for found in classes:
        put(world, ServiceClass.from_wire(found))
    body = {**service, "metadata": {**service["metadata"], "namespace": namespace, "uid": "u"}}
    return service_classes.refusal(world, HAService.from_wire(body))


ALLOWED = [
    pytest.param(a_service(one(**UNIT)), id="a unit"),
    pytest.param(a_service(one(systemd={"unit": "a.b@1.service"})), id="a dot, and one character"),
    pytest.param(a_service(one(systemd={"unit": "shop-a.service", "environment": {"SHOP_A": "1"}})), id="a variable"),
    pytest.param(a_service(command(user="shop", group="shop")), id="a command as a user, with a group"),
    pytest.param(a_service(command(user="svc-a$")), id="a user with a dollar"),
    pytest.param(a_service(one(virtualIP={"address": "192.0.2.7/24"})), id="an address"),
    pytest.param(
        a_service(one(**UNIT), placement={"hosts": {"matchLabels": {"pool": "shop", "rack": "7"}}}),
        id="fewer hosts than the pool has",
    ),
    pytest.param(
        a_service(
            one(**UNIT),
            placement={"hosts": {"matchExpressions": [{"key": "pool", "operator": "In", "values": ["shop"]}]}},
        ),
        id="the pool by an expression",
    ),
    pytest.param(a_service(one(systemd={"unit": "shop-a.service", "overrides": {"MemoryMax": "1G"}})), id="a setting"),
    pytest.param(asking(priority=10), id="a priority"),
    pytest.param(a_service(one(**UNIT), mode="Replicated", replicas=3), id="copies"),
    pytest.param(asking(capacity={"memory": "8Gi", "cpu": 64}), id="as much as is allowed"),
    pytest.param(a_service(one(**UNIT), recovery={"onStopFailure": "Block"}), id="a stop that fails is left alone"),
]
REFUSED = [
    pytest.param(a_service(one(systemd={"unit": "ssh.service"})), "resources web asks for", id="18 another unit"),
    pytest.param(a_service(one(systemd={"unit": "axb@1.service"})), "resources web", id="18 a dot is a dot"),
    pytest.param(a_service(one(systemd={"unit": "a.b@12.service"})), "resources web", id="18 two characters for one"),
    pytest.param(
        a_service(one(systemd={"unit": "shop-a.service", "environment": {"LD_PRELOAD": "/tmp/x.so"}})),
        "resources web",
        id="27 a variable that runs other code",
    ),
    pytest.param(a_service(command()), "resources web", id="18 a command as root"),
    pytest.param(a_service(command(user="root")), "resources web", id="18 or by its name"),
    pytest.param(a_service(command(user="0")), "resources web", id="18 or by its number"),
    pytest.param(a_service(command(user="shop", group="disk")), "resources web", id="18 another group"),
    pytest.param(a_service(command(user="shop", environment={"SHOP_A": "1"})), "resources web", id="18 of another row"),
    pytest.param(
        a_service([{"name": "a", **UNIT}, {"name": "b", "systemd": {"unit": "b.service"}}]),
        "resources b asks for",
        id="18 the second of two",
    ),
    pytest.param(
        a_service(one(systemd={"unit": "shop-a.service", "overrides": {"MemoryMax": "1G", "Nice": "-20"}})),
        "resources web",
        id="18 before all others",
    ),
    pytest.param(
        a_service(command(user="shop", overrides={"MemoryMax": "1G"})), "resources web", id="18 settings of a command"
    ),
    pytest.param(asking(priority=11), "only a priority up to 10", id="18 others are stopped for it"),
    pytest.param(
        a_service(one(**UNIT), recovery={"onStopFailure": "Fence"}), "Fence, which powers", id="18 a host goes off"
    ),
    pytest.param(a_service(one(**UNIT), mode="Replicated", replicas=4), "only up to 3 copies", id="18 too many copies"),
    pytest.param(a_service(one(**UNIT), mode="EveryHost"), "only up to 3 copies", id="18 as many as hosts"),
    pytest.param(
        a_service([{"name": name, "systemd": {"unit": f"shop-{name}.service"}} for name in ("a", "b", "c")]),
        "only up to 2 resources",
        id="18 too many resources",
    ),
    pytest.param(a_service(one(**UNIT), placement=None), "only hosts with pool=shop", id="18 anywhere"),
    pytest.param(
        a_service(one(**UNIT), placement={"hosts": {"matchLabels": {"pool": "db"}}}),
        "only hosts with pool=shop",
        id="18 on hosts of others",
    ),
]


@pytest.mark.parametrize("service", ALLOWED)
def test_what_a_class_allows_is_taken_and_accepted(tenant: Identity, service: Json) -> None:
    code, said = tenant("POST", f"{SERVICES}?dryRun=All", service)
    assert (code, operator_says(of_ours("ServiceClass", "shop", BASE), service=service)) == (201, ""), said


@pytest.mark.parametrize(("service", "why"), REFUSED)
def test_what_no_entry_allows_is_refused_to_the_tenant_and_by_the_operator(
    tenant: Identity, service: Json, why: str
) -> None:
    code, said = tenant("POST", f"{SERVICES}?dryRun=All", service)
    assert (code, why in said, "ServiceClass shop" in said) == (403, True, True), said
    assert "ServiceClass shop" in operator_says(of_ours("ServiceClass", "shop", BASE), service=service)


LEFT = [
    pytest.param(command(user="shop", start=["/bin/sh", "-c", "id"]), "the command /bin/sh -c id", id="a program"),
    pytest.param(one(virtualIP={"address": "198.51.100.7/24"}), "the address 198.51.100.7", id="a network"),
    pytest.param(
        one(**UNIT, probes=[{"name": "alive", "exec": {"command": ["/bin/true"]}}]), "probe alive", id="a probe"
    ),
    pytest.param(
        one(virtualIP={"address": "192.0.2.7/24", "interface": "eth9"}), "the interface eth9", id="an interface"
    ),
]


@pytest.mark.parametrize(("resources", "why"), LEFT)
def test_what_no_expression_can_say_is_refused_by_the_operator_alone(
    tenant: Identity, resources: list[Json], why: str
) -> None:
    _is_left_to_the_operator(tenant, a_service(resources), why)


def test_amounts_are_compared_by_the_operator_alone(tenant: Identity) -> None:
    _is_left_to_the_operator(tenant, asking(capacity={"memory": "9Gi"}), "only up to 8Gi of memory")


def _is_left_to_the_operator(tenant: Identity, service: Json, why: str) -> None:
    assert tenant("POST", f"{SERVICES}?dryRun=All", service)[0] == 201
    assert why in operator_says(of_ours("ServiceClass", "shop", BASE), service=service)


def test_a_namespace_that_no_class_names_is_the_operators_matter(plane: ControlPlane) -> None:
    other, service = Identity(plane, plane.token_for("other", "tenant")), a_service(one(**UNIT))
    assert other("POST", f"{OURS}/namespaces/other/haservices?dryRun=All", service)[0] == 201
    said = operator_says(of_ours("ServiceClass", "shop", BASE), service=service, namespace="other")
    assert said.startswith("namespace other: no ServiceClass names it")


def test_what_brings_nothing_new_is_never_in_the_way(plane: ControlPlane, tenant: Identity) -> None:
    """A class that comes later keeps nobody from stopping, moving or deleting what is there."""
    root = As(plane, "root")
    plane.kubectl("delete", "serviceclass", "shop")
    old = a_service(one(systemd={"unit": "old.service"}), name="old", recovery={"onStopFailure": "Fence"})
    old["spec"]["placement"] = {**POOL, "priority": 100}
    wait_until(lambda: tenant("POST", f"{SERVICES}?dryRun=All", old)[0] == 201, timeout_s=30, what="no class")
    assert tenant("POST", SERVICES, old)[0] == 201
    assert root.send("POST", CLASSES, of_ours("ServiceClass", "shop", BASE))[0] == 201
    fresh = a_service(one(systemd={"unit": "old.service"}), name="fresh")
    wait_until(lambda: tenant("POST", f"{SERVICES}?dryRun=All", fresh)[0] == 403, timeout_s=30, what="the class")
    for patch in (
        {"spec": {"state": "Stopped"}},
        {"metadata": {"annotations": {"a": "b"}}},
        {"spec": {"recovery": {"restarts": 1}}},
        {"spec": {"placement": {"priority": 50}}},
        {"spec": {"recovery": {"onStopFailure": "Block"}}},
    ):
        code, said = tenant("PATCH", f"{SERVICES}/old", patch)
        assert code == 200, said
    worse = {"spec": {"resources": one(systemd={"unit": "ssh.service"})}}
    assert tenant("PATCH", f"{SERVICES}/old", worse)[0] == 403
    assert tenant("PATCH", f"{SERVICES}/old", {"spec": {"placement": {"hosts": None}}})[0] == 403
    assert tenant("PATCH", f"{SERVICES}/old", {"spec": {"placement": {"priority": 51}}})[0] == 403
    assert tenant("PATCH", f"{SERVICES}/old", {"spec": {"recovery": {"onStopFailure": "Fence"}}})[0] == 403
    assert tenant("DELETE", f"{SERVICES}/old")[0] == 200


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", CLASSES, of_ours("ServiceClass", "mine", {"namespaces": ["*"], "allow": [{"units": ["*"]}]})),
        ("PATCH", f"{CLASSES}/shop", {"spec": {"allow": [{"units": ["*"]}]}}),
        ("DELETE", f"{CLASSES}/shop", None),
    ],
)
def test_a_tenant_writes_no_class_whatever_his_role_in_the_cluster(
    plane: ControlPlane, tenant: Identity, method: str, path: str, body: Json | None
) -> None:
    code, said = tenant(method, path, body)
    assert (code, "orbidden" in said) == (403, True), said
    plane.kubectl("create", "clusterrolebinding", "all", "--clusterrole=backstay:edit", "--serviceaccount=shop:tenant")
    try:
        assert tenant(method, path, body)[0] == 403
    finally:
        plane.kubectl("delete", "clusterrolebinding", "all")


def test_people_of_policy_admins_write_classes_and_no_services(plane: ControlPlane) -> None:
    admin = As(plane, "eve", "backstay:policy-admins")
    assert admin.send("POST", f"{CLASSES}?dryRun=All", of_ours("ServiceClass", "db", BASE))[0] == 201
    assert admin.send("POST", f"{SERVICES}?dryRun=All", a_service(one(**UNIT)))[0] == 403
    host_admin = As(plane, "bob", "backstay:host-admins")
    assert host_admin.send("POST", f"{CLASSES}?dryRun=All", of_ours("ServiceClass", "db", BASE))[0] == 403


@pytest.mark.parametrize(
    "spec",
    [
        {"namespaces": []},
        {"namespaces": ["[a-z]*"]},
        {"namespaces": ["a"], "allow": [{"units": ["a(b|c).service"]}]},
        {"namespaces": ["a"], "allow": [{"kinds": ["unit"]}]},
        {"namespaces": ["a"], "allow": [{"commands": ["sh -c ..."]}]},
        {"namespaces": ["a"], "allow": [{"commands": ["/bin/sh -c 'x"]}]},
        {"namespaces": ["a"], "allow": [{"paths": ["srv/**"]}]},
    ],
)
def test_a_pattern_that_could_mean_something_else_is_no_class(plane: ControlPlane, spec: Json) -> None:
    assert As(plane, "root").send("POST", f"{CLASSES}?dryRun=All", of_ours("ServiceClass", "odd", spec))[0] == 422


def test_a_tenant_scales_within_what_his_class_allows_and_only_what_has_copies(plane: ControlPlane) -> None:
    """With his own token, and by the subresource, which no policy about the service itself sees."""
    tenant = Identity(plane, plane.token_for("shop", "tenant"))
    for name, mode, replicas in (("many", "Replicated", 2), ("single", "Single", 1)):
        assert tenant("POST", SERVICES, a_service(one(**UNIT), name=name, mode=mode, replicas=replicas))[0] == 201
    many, single = ([scale(tenant, name, number) for number in (3, 4, 0)] for name in ("many", "single"))
    assert [code for code, _ in many] == [200, 403, 422] and [code for code, _ in single] == [422, 422, 422]
    assert "ServiceClass shop allows namespace shop only up to 3 copies" in many[1][1]
    assert "replicas belongs to mode Replicated or Promotable" in single[0][1]
    assert tenant("POST", SERVICES, a_service(one(**UNIT), name="unsaid", mode="Replicated"))[0] == 201
    scales = ("-n", "shop", "--as=system:serviceaccount:shop:tenant", "scale", "hasvc/unsaid")
    with pytest.raises(LabError, match="only up to 3 copies"):
        plane.kubectl(*scales, "--replicas=9")
    assert plane.kubectl(*scales, "--replicas=2") == "haservice.backstay.dev/unsaid scaled\n"
    assert tenant.server.send("GET", f"{SERVICES}/unsaid")[1]["spec"]["replicas"] == 2


def scale(who: Identity, name: str, replicas: int) -> tuple[int, str]:
    """The code, and what is said of it."""
    path = f"{SERVICES}/{name}/scale"
    known = who.server.send("GET", path)[1]
    return who("PUT", path, {**known, "spec": {"replicas": replicas}})
