"""Walls: what a host, a tenant with `edit` in the whole cluster, and a host-admin are refused by the chart's policies."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from backstay_agent.cluster.tokens import _renewed, read_token
from backstay_api.client.http import HttpApi
from backstay_api.client.transport import ApiConfig
from backstay_api.objects import lease
from backstay_api.objects.kinds import SECRETS as SECRET
from backstay_api.objects.names import SYSTEM_NAMESPACE
from backstay_api.objects.rbac import (
    FENCING_NAMESPACE,
    IDENTITY_TYPE,
    JOIN_TYPE,
    agent_account,
    join_secret,
    next_identity,
)
from backstay_cli.enrol import wanted_for
from backstay_dev.lab.controlplane import ControlPlane
from backstay_dev.lab.shell import wait_until
from backstay_fencer.parameters import names
from backstay_testing.instances import GRANT_1, instance
from contract.chart_scene import FENCER, OPERATOR, As, Json, installed_in

pytestmark = pytest.mark.api

DAY_S = 86_400
HOSTS = "/apis/backstay.dev/v1alpha1/hosts"
LEASES = f"/apis/coordination.k8s.io/v1/namespaces/{lease.NAMESPACE}/leases"
SECRETS = f"/api/v1/namespaces/{lease.NAMESPACE}/secrets"
CLUSTER_ROLES = "/apis/rbac.authorization.k8s.io/v1/clusterroles"
OPERATORS = f"system:serviceaccounts:{SYSTEM_NAMESPACE}"
HOST_ADMINS = "backstay:host-admins"
EDITORS = "editors-of-everything"


@pytest.fixture(scope="module")
def walls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """With the hosts n1 and n2, and a group that has Kubernetes' own `edit` in the whole cluster."""
    with installed_in(tmp_path_factory.mktemp("walls")) as plane:
        for host in ("n1", "n2"):
            for one in wanted_for(host):
                plane.kubectl("create", "-f", "-", stdin=json.dumps(one.kind.to_wire(one.body)))
            plane.kubectl("create", "-f", "-", stdin=json.dumps(lease.write(lease.new(host))))
            waiting = {"metadata": {"name": join_secret(host), "namespace": lease.NAMESPACE}, "type": JOIN_TYPE}
            plane.kubectl("create", "-f", "-", stdin=json.dumps(SECRET.to_wire(waiting)))
            anew = {"metadata": {"name": next_identity(host), "namespace": lease.NAMESPACE}, "type": IDENTITY_TYPE}
            plane.kubectl("create", "-f", "-", stdin=json.dumps(SECRET.to_wire(anew)))
        # Nobody fills aggregated roles here (that is a controller's work): the part of `edit` is bound itself.
        for role in ("system:aggregate-to-edit", "system:aggregate-to-view", "backstay:edit", "backstay:view"):
            name = f"{EDITORS}-{role.replace(':', '-')}"
            plane.kubectl("create", "clusterrolebinding", name, f"--clusterrole={role}", f"--group={EDITORS}")
        loosen_the_schema(plane)
        yield plane


def loosen_the_schema(plane: ControlPlane) -> None:
    """As of a version before, or edited by somebody: here the second lock on fence devices stands alone."""

    def without_rules(value: Any) -> Any:
        if isinstance(value, dict):
            gone = ("x-kubernetes-validations", "pattern")
            return {name: without_rules(inner) for name, inner in value.items() if name not in gone}
        return [without_rules(one) for one in value] if isinstance(value, list) else value

    definition = json.loads(plane.kubectl("get", "crd", "hosts.backstay.dev", "-o", "json"))
    for version in definition["spec"]["versions"]:
        version["schema"] = without_rules(version["schema"])
    plane.kubectl("replace", "-f", "-", stdin=json.dumps(definition))
    root = As(plane, "root")

    def is_loose() -> bool:
        return "may not begin" in root.send("POST", f"{HOSTS}?dryRun=All", a_host({"ip": "-x"}))[1]

    wait_until(is_loose, timeout_s=30, what="the looser schema")


def agent(plane: ControlPlane, host: str) -> As:
    user = f"system:serviceaccount:{lease.NAMESPACE}:{agent_account(host)}"
    return As(plane, user, f"system:serviceaccounts:{lease.NAMESPACE}")


def token_path(host: str) -> str:
    return f"/api/v1/namespaces/{lease.NAMESPACE}/serviceaccounts/{agent_account(host)}/token"


def request_of(host: str, **spec: Any) -> Json:
    bound = {"kind": "Secret", "apiVersion": "v1", "name": agent_account(host)}
    wanted = {"expirationSeconds": 30 * DAY_S, "boundObjectRef": bound, **spec}
    return {
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenRequest",
        "spec": {name: value for name, value in wanted.items() if value is not None},
    }


def to_join(host: str, **spec: Any) -> Json:
    return {"boundObjectRef": {"kind": "Secret", "apiVersion": "v1", "name": join_secret(host)}, **spec}


def to_next(host: str, **spec: Any) -> Json:
    return {"boundObjectRef": {"kind": "Secret", "apiVersion": "v1", "name": next_identity(host)}, **spec}


# --- tokens ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spec", "why"),
    [
        pytest.param({}, "", id="bound, 30 days"),
        pytest.param({"audiences": ["https://kubernetes.default.svc"]}, "", id="its audience by name"),
        pytest.param({"expirationSeconds": 3650 * DAY_S}, "30 days at most", id="10 years"),
        pytest.param({"expirationSeconds": 30 * DAY_S + 1}, "30 days at most", id="a second too long"),
        pytest.param({"audiences": ["vault"]}, "for this API server only, not for vault", id="foreign"),
        pytest.param({"audiences": ["https://kubernetes.default.svc", "vault"]}, "not for", id="foreign as well"),
        pytest.param({"boundObjectRef": None}, "bound to its identity", id="unbound"),
        pytest.param({"boundObjectRef": None, "expirationSeconds": 600}, "bound to its identity", id="unbound, short"),
        pytest.param(
            {"boundObjectRef": {"kind": "Secret", "apiVersion": "v1", "name": agent_account("n2")}},
            "bound to its identity",
            id="bound to another's",
        ),
        pytest.param(to_join("n1", expirationSeconds=900), "bound to its identity", id="a join token of its own"),
        pytest.param(to_next("n1", expirationSeconds=3600), "", id="while its identity is made anew"),
        pytest.param(to_next("n1", expirationSeconds=3601), "bound to its identity", id="and no longer than that"),
        pytest.param(to_next("n2", expirationSeconds=3600), "bound to its identity", id="not by another's"),
        pytest.param(
            {"boundObjectRef": {"kind": "Pod", "apiVersion": "v1", "name": agent_account("n1")}},
            "bound to its identity",
            id="bound to a Pod",
        ),
    ],
)
def test_a_host_makes_itself_no_token_but_the_right_one(walls: ControlPlane, spec: Json, why: str) -> None:
    code, said = agent(walls, "n1").send("POST", token_path("n1"), request_of("n1", **spec))
    assert (code, why in said) == (403 if why else 201, True), said


def test_a_host_makes_no_token_of_another_whatever_its_role_says(walls: ControlPlane) -> None:
    assert agent(walls, "n1").send("POST", token_path("n2"), request_of("n2"))[0] == 403, "its role"
    role = ["--clusterrole=cluster-admin", f"--group=system:serviceaccounts:{lease.NAMESPACE}"]
    walls.kubectl("create", "clusterrolebinding", "far-too-much", *role)
    code, said = agent(walls, "n1").send("POST", token_path("n2"), request_of("n2"))
    walls.kubectl("delete", "clusterrolebinding", "far-too-much")
    assert (code, "only for its own token" in said) == (403, True), said


def test_the_agents_own_renewal_is_granted_and_dies_with_its_identity(walls: ControlPlane, tmp_path: Path) -> None:
    file, account = tmp_path / "token", agent_account("n2")
    file.write_text(walls.token_for(lease.NAMESPACE, account, secret=account))

    async def renew() -> bool:
        api = HttpApi(
            ApiConfig(servers=(walls.url,), ca_file=str(walls.ca_file), token_file=str(file)), rng=random.Random(1)
        )
        present = read_token(file.read_text())
        assert present
        try:
            return await _renewed(api, file, present)
        finally:
            await api.close()

    before = file.read_text()
    assert asyncio.run(renew()) and file.read_text() != before
    walls.kubectl("-n", lease.NAMESPACE, "delete", "secret", account)
    assert not asyncio.run(renew()), "a person has taken its identity away"
    identity = next(one for one in wanted_for("n2") if one.kind.kind == "Secret")
    walls.kubectl("create", "-f", "-", stdin=json.dumps(identity.kind.to_wire(identity.body)))


@pytest.mark.parametrize(
    ("who", "group", "spec", "why"),
    [
        pytest.param("ann", HOST_ADMINS, {}, "", id="a host-admin, bound"),
        pytest.param("ann", HOST_ADMINS, {"boundObjectRef": None, "expirationSeconds": DAY_S}, "", id="a day, unbound"),
        pytest.param("ann", HOST_ADMINS, {"boundObjectRef": None}, "bound to its identity", id="a month, unbound"),
        pytest.param("ann", HOST_ADMINS, {"expirationSeconds": 3650 * DAY_S}, "30 days at most", id="10 years"),
        pytest.param("ann", HOST_ADMINS, to_join("n1", expirationSeconds=900), "", id="a join token"),
        pytest.param(
            "ann", HOST_ADMINS, to_join("n1", expirationSeconds=3601), "bound to its identity", id="a long one"
        ),
        pytest.param(
            "ann", HOST_ADMINS, to_join("n2", expirationSeconds=900), "bound to its", id="another's join token"
        ),
        pytest.param("bob", EDITORS, {}, "backstay:host-admins", id="edit in the whole cluster"),
        pytest.param(OPERATOR, OPERATORS, {}, "", id="not even the operator"),
    ],
)
def test_who_makes_a_hosts_token(walls: ControlPlane, who: str, group: str, spec: Json, why: str) -> None:
    code, said = As(walls, who, group).send("POST", token_path("n1"), request_of("n1", **spec))
    assert (code, why in said) == (201 if group == HOST_ADMINS and not why else 403, True), said


def test_no_secret_of_a_host_is_a_token_without_an_end(walls: ControlPlane) -> None:
    endless = {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "kubernetes.io/service-account-token",
        "metadata": {"name": "x", "annotations": {"kubernetes.io/service-account.name": agent_account("n1")}},
    }
    for who in (As(walls, "ann", HOST_ADMINS), As(walls, "bob", EDITORS), As(walls, "root")):
        code, said = who.send("POST", f"{SECRETS}?dryRun=All", endless)
        assert (code, IDENTITY_TYPE in said) == (403, True), said


@pytest.mark.parametrize("kind", [IDENTITY_TYPE, JOIN_TYPE])
def test_an_identity_holds_nothing(walls: ControlPlane, kind: str) -> None:
    """Whoever may read that Secret learns that there is one."""
    body = {"apiVersion": "v1", "kind": "Secret", "type": kind, "metadata": {"name": "n8"}}
    for who in (As(walls, "ann", HOST_ADMINS), As(walls, "root")):
        assert who.send("POST", f"{SECRETS}?dryRun=All", body)[0] == 201
        for more in ({"stringData": {"token": "x"}}, {"data": {"token": "eA=="}}):
            code, said = who.send("POST", f"{SECRETS}?dryRun=All", {**body, **more})
            assert (code, "without data" in said) == (403, True), said


# --- what is ours ----------------------------------------------------------------------------------------------------

SEAL: Json = {"metadata": {"annotations": {"backstay.dev/sealed": "true"}}}


@pytest.mark.parametrize("group", [EDITORS, HOST_ADMINS])
def test_nobody_but_its_host_and_the_operator_touches_a_hosts_lease(walls: ControlPlane, group: str) -> None:
    person = As(walls, "bob", group)
    for method, path, body in (
        ("PATCH", f"{LEASES}/n1?dryRun=All", SEAL),
        ("DELETE", f"{LEASES}/n1?dryRun=All", {}),
        ("POST", f"{LEASES}?dryRun=All", lease.write(lease.new("n9"))),
    ):
        code, said = person.send(method, path, body)
        assert code == 403, (method, said)
        assert group != EDITORS or "only Backstay's own programs" in said, said
    assert As(walls, OPERATOR, OPERATORS).send("DELETE", f"{LEASES}/n1?dryRun=All", {})[0] == 200
    assert As(walls, "root").send("PATCH", f"{LEASES}/n1?dryRun=All", SEAL)[0] == 200, "cluster-admin may break glass"


def test_an_agent_renews_its_lease_and_never_makes_or_deletes_one_whatever_its_role_says(walls: ControlPlane) -> None:
    """A Lease that is gone would come back unsealed."""
    role = ["--verb=create,delete,patch", "--resource=leases.coordination.k8s.io"]
    walls.kubectl("create", "clusterrole", "leases-of-all", *role)
    group = f"--group=system:serviceaccounts:{lease.NAMESPACE}"
    walls.kubectl("create", "clusterrolebinding", "leases-of-all", "--clusterrole=leases-of-all", group)
    n1, renewal = agent(walls, "n1"), {"spec": {"renewTime": "2026-01-01T00:00:00.000000Z"}}
    assert n1.send("PATCH", f"{LEASES}/n1?dryRun=All", renewal)[0] == 200
    for method, path, body in (
        ("DELETE", f"{LEASES}/n1?dryRun=All", {}),
        ("DELETE", f"{LEASES}/n2?dryRun=All", {}),
        ("POST", f"{LEASES}?dryRun=All", lease.write(lease.new("n1"))),
    ):
        code, said = n1.send(method, path, body)
        assert (code, "only Backstay's own programs" in said) == (403, True), (method, path, said)
    walls.kubectl("delete", "clusterrole,clusterrolebinding", "leases-of-all")


def test_a_lease_elsewhere_is_not_our_business(walls: ControlPlane) -> None:
    path = "/apis/coordination.k8s.io/v1/namespaces/default/leases?dryRun=All"
    body = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "theirs"}}
    assert As(walls, "bob", EDITORS).send("POST", path, body)[0] == 201


def test_statuses_are_written_by_programs_only(walls: ControlPlane) -> None:
    status = {"status": {"liveness": "Live"}}
    assert As(walls, FENCER, OPERATORS).send("PATCH", f"{HOSTS}/n1/status?dryRun=All", status)[0] == 200
    assert As(walls, OPERATOR, OPERATORS).send("PATCH", f"{HOSTS}/n1/status?dryRun=All", status)[0] == 200
    path = "/apis/backstay.dev/v1alpha1/hostassignments/n1/status"
    lie = {**json.loads(walls.kubectl("get", "hostassignment", "n1", "-o", "json")), "status": {"facts": {}}}
    code, said = As(walls, "ann", HOST_ADMINS).send("PUT", f"{path}?dryRun=All", lie)
    assert (code, "only Backstay's own programs" in said) == (403, True), "its role has the verb, to hand it on"


def test_a_finalizer_can_be_taken_off_the_lock_by_who_breaks_the_glass(walls: ControlPlane) -> None:
    path = "/apis/backstay.dev/v1alpha1/namespaces/default/hainstances"
    body = {
        "apiVersion": "backstay.dev/v1alpha1",
        "kind": "HAInstance",
        "metadata": {"name": "web-0", "finalizers": ["backstay.dev/instance"]},
        "spec": instance(0, None, None),
    }
    assert As(walls, OPERATOR, OPERATORS).send("POST", path, body)[0] == 201
    root = As(walls, "root")
    # A step that the schema takes from the operator: who refuses it here is the policy.
    granted = {"spec": instance(1, GRANT_1, None)}
    more = {"metadata": {"finalizers": ["backstay.dev/instance", "mine/one"]}}
    for change in (granted, more, {**granted, "metadata": {"finalizers": None}}):
        code, said = root.send("PATCH", f"{path}/web-0?dryRun=All", change)
        assert (code, "only Backstay's operator writes HAInstances" in said) == (403, True), said
    assert As(walls, OPERATOR, OPERATORS).send("PATCH", f"{path}/web-0?dryRun=All", granted)[0] == 200
    assert As(walls, "root").send("PATCH", f"{path}/web-0?dryRun=All", {"metadata": {"finalizers": None}})[0] == 200


# --- host-admins -----------------------------------------------------------------------------------------------------


def test_host_admins_write_the_cluster_roles_of_hosts_and_no_others(walls: ControlPlane) -> None:
    admin = As(walls, "ann", HOST_ADMINS)
    for method, path, body in (
        ("DELETE", f"{CLUSTER_ROLES}/cluster-admin?dryRun=All", {}),
        ("DELETE", f"{CLUSTER_ROLES}/backstay:view?dryRun=All", {}),
        ("PATCH", f"{CLUSTER_ROLES}/backstay:view?dryRun=All", {"metadata": {"labels": {"a": "b"}}}),
        ("POST", f"{CLUSTER_ROLES}?dryRun=All", {"metadata": {"name": "mine"}, "rules": []}),
    ):
        code, said = admin.send(method, path, body)
        assert (code, "of hosts only" in said) == (403, True), (method, path, said)
    assert admin.send("DELETE", f"{CLUSTER_ROLES}/backstay:host:n1?dryRun=All", {})[0] == 200
    escalation = {
        "metadata": {"name": "backstay:host:n9"},
        "rules": [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}],
    }
    assert admin.send("POST", f"{CLUSTER_ROLES}?dryRun=All", escalation)[0] == 403, "no right that it does not have"
    binding = {
        "metadata": {"name": "backstay:host:n9"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": [{"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": "ann"}],
    }
    path = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings?dryRun=All"
    assert admin.send("POST", path, binding)[0] == 403, "nor for itself"
    assert As(walls, "root").send("DELETE", f"{CLUSTER_ROLES}/view?dryRun=All", {})[0] == 200, "others as ever"


def test_who_reads_what(walls: ControlPlane) -> None:
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "n1-bmc"}, "stringData": {"password": "x"}}
    path = f"/api/v1/namespaces/{FENCING_NAMESPACE}/secrets"
    assert As(walls, "ann", HOST_ADMINS).send("POST", path, secret)[0] == 201, "gives"
    assert As(walls, "ann", HOST_ADMINS).send("GET", f"{path}/n1-bmc", {})[0] == 403, "and never reads"
    assert As(walls, FENCER, OPERATORS).send("GET", f"{path}/n1-bmc", {})[0] == 200


# --- fence devices ---------------------------------------------------------------------------------------------------


def a_host(parameters: dict[str, str]) -> Json:
    device = {"name": "bmc", "agent": "fence_x", "parameters": parameters}
    return {
        "apiVersion": "backstay.dev/v1alpha1",
        "kind": "Host",
        "metadata": {"name": "n7"},
        "spec": {"fencing": {"levels": [{"name": "bmc", "devices": [device]}]}},
    }


REFUSED = sorted(
    names(
        """
        ipmitool_path ipmitool-path snmpget_path sudo_path path openstack-path password_script password-script
        passwd-script snmp_priv_passwd_script login-script use_sudo use-sudo sudo ssh_options ssh-options options exec
        identity_file identity-file debug_file debug verbose verbose-level port-as-ip logfile token_file cookie-file
        status_file tlscert tlskey tlscacert cacert kubeconfig openrc serviceaccount option action password store_path
        """
    )
)


@pytest.mark.parametrize("key", REFUSED)
def test_a_fence_device_names_no_program_and_no_file(walls: ControlPlane, key: str) -> None:
    code, said = As(walls, "ann", HOST_ADMINS).send("POST", f"{HOSTS}?dryRun=All", a_host({key: "1"}))
    assert (code, "parameters may not" in said) == (422, True), said


@pytest.mark.parametrize("value", ["-oProxyCommand=x", "192.0.2.1 -f /etc/passwd", "192.0.2.1 exec /tmp/x", "a\t-b"])
def test_a_value_is_no_option(walls: ControlPlane, value: str) -> None:
    code, said = As(walls, "ann", HOST_ADMINS).send("POST", f"{HOSTS}?dryRun=All", a_host({"ip": value}))
    assert (code, "may not begin with - nor hold a space" in said) == (422, True), said


def test_a_device_that_had_bad_parameters_before_keeps_none_at_the_next_change(walls: ControlPlane) -> None:
    change = {"spec": {"fencing": a_host({"use_sudo": "1"})["spec"]["fencing"]}}
    code, said = As(walls, "ann", HOST_ADMINS).send("PATCH", f"{HOSTS}/n1?dryRun=All", change)
    assert (code, "parameters may not" in said) == (422, True), said


@pytest.mark.parametrize(
    "parameters",
    [
        {"ip": "192.0.2.201", "systems_uri": "/redfish/v1/Systems/1", "ssl_insecure": "1"},
        {
            "ip": "2001:db8::1",
            "ipport": "623",
            "lanplus": "1",
            "cipher": "17",
            "privlvl": "operator",
            "method": "onoff",
        },
        {"ip": "192.0.2.210", "plug": "3", "community": "private", "snmp_version": "2c", "power_timeout": "20"},
        {"ip": "192.0.2.9", "port": "web-2nd", "delay": "5"},
    ],
)
def test_ordinary_devices_are_taken(walls: ControlPlane, parameters: dict[str, str]) -> None:
    code, said = As(walls, "ann", HOST_ADMINS).send("POST", f"{HOSTS}?dryRun=All", a_host(parameters))
    assert code == 201, said
