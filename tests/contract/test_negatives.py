"""What a host, a tenant, a host-admin and an operator with an error are refused by a real API server, each with a token of its own.

The numbers are those of docs/explanation/security.md, which names the test of each.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from backstay_api.objects import lease
from backstay_api.objects.names import NAMING_SECRET, SYSTEM_NAMESPACE, files_secret
from backstay_api.objects.promise import Contract
from backstay_api.objects.rbac import FENCING_NAMESPACE, agent_account
from backstay_cli.enrol import wanted_for
from backstay_dev.lab.controlplane import ControlPlane
from backstay_testing.agreement import Server
from backstay_testing.instances import GRANT_1, GRANT_2, instance
from contract.chart_scene import Json, installed_in

pytestmark = pytest.mark.api

OURS = "/apis/backstay.dev/v1alpha1"
ASSIGNMENTS = f"{OURS}/hostassignments"
SURVEYS = f"{OURS}/hostsurveys"
LEASES = f"/apis/coordination.k8s.io/v1/namespaces/{lease.NAMESPACE}/leases"
CORE = "/api/v1/namespaces"
SERVICES = f"{OURS}/namespaces/shop/haservices"
INSTANCES = f"{OURS}/namespaces/shop/hainstances"
HELD = replace(lease.new("n1"), holder="b1/x", seq=2)


class Identity:
    """Somebody with a token of his own, and nothing else."""

    def __init__(self, plane: ControlPlane, token: str) -> None:
        self.server = Server(plane)
        self.server.headers = {"Authorization": f"Bearer {token}"}

    def __call__(self, method: str, path: str, body: Json | None = None) -> tuple[int, str]:
        code, answer = self.server.send(method, path, body)
        return code, answer.get("message", "")


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """With two hosts as `host add` makes them, of which n1 has a session, and people who are ServiceAccounts here."""
    with installed_in(tmp_path_factory.mktemp("negatives")) as plane:
        for host in ("n1", "n2"):
            for one in wanted_for(host, labels={"pool": "a"}):
                plane.kubectl("create", "-f", "-", stdin=json.dumps(one.kind.to_wire(one.body)))
            plane.kubectl("create", "-f", "-", stdin=json.dumps(lease.write(replace(HELD, host=host))))
        plane.kubectl("create", "-f", "-", stdin=json.dumps(of_ours("HostAssignment", "n2", {})))
        plane.kubectl("create", "namespace", "shop")
        for person in ("tenant", "admin", "enroller"):
            plane.kubectl("-n", "shop", "create", "serviceaccount", person)
        for role in ("backstay:view", "backstay:edit"):
            plane.kubectl(
                *("-n", "shop", "create", "rolebinding", f"tenant-{role[9:]}"),
                *(f"--clusterrole={role}", "--serviceaccount=shop:tenant"),
            )
        for person, role in (("admin", "backstay:host-admins"), ("enroller", "backstay:enrollers")):
            account = f"--serviceaccount=shop:{person}"
            plane.kubectl("create", "clusterrolebinding", person, f"--clusterrole={role}", account)
            plane.kubectl("-n", lease.NAMESPACE, "create", "rolebinding", person, f"--role={role}", account)
        yield plane


@pytest.fixture(scope="module")
def n1(plane: ControlPlane) -> Identity:
    """Its agent, with a token as a join gives it."""
    return Identity(plane, plane.token_for(lease.NAMESPACE, agent_account("n1"), secret=agent_account("n1")))


@pytest.fixture(scope="module")
def tenant(plane: ControlPlane) -> Identity:
    return Identity(plane, plane.token_for("shop", "tenant"))


@pytest.fixture(scope="module")
def admin(plane: ControlPlane) -> Identity:
    """A host-admin."""
    return Identity(plane, plane.token_for("shop", "admin"))


@pytest.fixture(scope="module")
def enroller(plane: ControlPlane) -> Identity:
    return Identity(plane, plane.token_for("shop", "enroller"))


@pytest.fixture(scope="module")
def operator(plane: ControlPlane) -> Identity:
    return Identity(plane, plane.token_for(SYSTEM_NAMESPACE, "backstay-operator"))


def of_ours(kind: str, name: str, spec: Json) -> Json:
    return {"apiVersion": "backstay.dev/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": spec}


def stored(plane: ControlPlane, path: str) -> Json:
    return plane.request("GET", path)


FENCE = of_ours("FenceRequest", "n2-x", {"host": "n2", "session": GRANT_2["session"], "want": "Off"})
WEB = of_ours("HAService", "web", {"resources": [{"name": "web", "systemd": {"unit": "web.service"}}]})


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        pytest.param("GET", f"{ASSIGNMENTS}/n2", None, id="1 reads another's assignment"),
        pytest.param("GET", ASSIGNMENTS, None, id="1 or all of them"),
        pytest.param("PUT", f"{ASSIGNMENTS}/n2/status", of_ours("HostAssignment", "n2", {}), id="1 writes another's"),
        pytest.param("GET", f"{SURVEYS}?fieldSelector=metadata.name%3Dn2", None, id="1 reads what another is asked"),
        pytest.param("GET", SURVEYS, None, id="1 or all are"),
        pytest.param("PUT", f"{SURVEYS}/n2/status", of_ours("HostSurvey", "n2", {}), id="1 answers for another"),
        pytest.param("POST", SURVEYS, of_ours("HostSurvey", "n1", {}), id="1 or asks"),
        pytest.param("PUT", f"{LEASES}/n2", lease.write(replace(HELD, host="n2", renewal=9)), id="2 renews another's"),
        pytest.param("PUT", f"{LEASES}/n2", lease.write(replace(HELD, host="n2", sealed=True)), id="3 seals another"),
        pytest.param("POST", INSTANCES, of_ours("HAInstance", "web-0", instance(0, None, None)), id="5 makes a lock"),
        pytest.param("PATCH", f"{INSTANCES}/web-0", {"spec": {"epoch": 2}}, id="5 or writes one"),
        pytest.param("POST", SERVICES, WEB, id="6 makes a service"),
        pytest.param("GET", f"{CORE}/{FENCING_NAMESPACE}/secrets", None, id="7 lists passwords"),
        pytest.param("GET", f"{CORE}/{FENCING_NAMESPACE}/secrets/n1-bmc", None, id="7 or reads its own"),
        pytest.param("GET", f"{CORE}/{lease.NAMESPACE}/secrets", None, id="7 lists identities"),
        pytest.param("GET", "/api/v1/secrets", None, id="7 or everything"),
        pytest.param("GET", f"{CORE}/{lease.NAMESPACE}/secrets/{files_secret('n2')}", None, id="7 or another's files"),
        pytest.param(
            "GET", f"{CORE}/{SYSTEM_NAMESPACE}/secrets/{NAMING_SECRET}", None, id="7 or the key of their names"
        ),
        pytest.param(
            "PATCH", f"{CORE}/{lease.NAMESPACE}/secrets/{files_secret('n1')}", {"data": {}}, id="7 or writes its own"
        ),
        pytest.param("DELETE", f"{LEASES}/n1", None, id="8 deletes its Lease"),
        pytest.param("DELETE", f"{ASSIGNMENTS}/n1", None, id="8 its assignment"),
        pytest.param("DELETE", f"{OURS}/hosts/n1", None, id="8 its Host"),
        pytest.param("DELETE", f"{CORE}/{lease.NAMESPACE}/secrets/{agent_account('n2')}", None, id="8 an identity"),
        pytest.param("DELETE", f"{OURS}/fencerequests/n1-x", None, id="8 the request to switch it off"),
        pytest.param("PATCH", f"{OURS}/hosts/n1", {"metadata": {"labels": {"pool": "b"}}}, id="16 labels itself"),
        pytest.param("PATCH", f"{OURS}/hosts/n1", {"spec": {"fencing": None}}, id="16 or loses its device"),
        pytest.param("POST", f"{OURS}/fencerequests", FENCE, id="17 asks for another's power"),
        pytest.param(
            "POST",
            f"{CORE}/{lease.NAMESPACE}/serviceaccounts/{agent_account('n2')}/token",
            {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}},
            id="12 makes another's token",
        ),
        pytest.param(
            "POST",
            "/apis/certificates.k8s.io/v1/certificatesigningrequests",
            {
                "apiVersion": "certificates.k8s.io/v1",
                "kind": "CertificateSigningRequest",
                "metadata": {"name": "n1"},
                "spec": {"request": "", "signerName": "kubernetes.io/kube-apiserver-client", "usages": []},
            },
            id="13 asks for a certificate",
        ),
    ],
)
def test_a_host_is_refused(n1: Identity, method: str, path: str, body: Json | None) -> None:
    code, said = n1(method, path, body)
    assert (code, "orbidden" in said) == (403, True), said


def test_a_host_reads_and_renews_what_is_its_own(plane: ControlPlane, n1: Identity) -> None:
    """Without this, every refusal above could be that of a dead token."""
    assert n1("GET", f"{ASSIGNMENTS}/n1")[0] == 200
    body = stored(plane, f"{LEASES}/n1")
    body["metadata"]["annotations"]["backstay.dev/renewal"] = "2"
    assert n1("PUT", f"{LEASES}/n1", body)[0] == 200


ASKED = {"unit": "web.service", "by": "system:serviceaccount:shop:admin", "until": "2027-01-01T00:00:00Z"}


def test_what_a_unit_uses_is_asked_by_host_admins_in_their_own_names_and_answered_by_that_host(
    plane: ControlPlane, n1: Identity, tenant: Identity, admin: Identity, enroller: Identity
) -> None:
    asked = of_ours("HostSurvey", "n1", ASKED)
    for somebody in (tenant, enroller):
        assert somebody("POST", SURVEYS, asked)[0] == 403
    code, said = admin("POST", SURVEYS, of_ours("HostSurvey", "n1", {**ASKED, "by": "bob"}))
    assert (code, "spec.by must be system:serviceaccount:shop:admin" in said) == (403, True), said
    assert admin("POST", SURVEYS, asked)[0] == 201
    assert tenant("GET", f"{SURVEYS}/n1")[0] == 403, "it names paths and users of the host"
    found = stored(plane, f"{SURVEYS}/n1")
    code, said = admin("PUT", f"{SURVEYS}/n1/status", {**found, "status": {"phase": "Failed"}})
    assert code == 403, said
    assert n1("GET", f"{SURVEYS}?fieldSelector=metadata.name%3Dn1")[0] == 200
    assert n1("PUT", f"{SURVEYS}/n1", {**found, "spec": {**ASKED, "unit": "ssh.service"}})[0] == 403
    assert n1("PUT", f"{SURVEYS}/n1/status", {**found, "status": {"phase": "Done", "document": "{}"}})[0] == 200
    found = stored(plane, f"{SURVEYS}/n1")
    assert found["status"] == {"phase": "Done", "document": "{}"}
    answer = plane.kubectl("get", "hsv", "n1")
    assert "web.service" in answer and "Done" in answer
    assert admin("DELETE", f"{SURVEYS}/n1")[0] == 200


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda sealed: replace(sealed, sealed=False), id="4 unseals itself"),
        pytest.param(lambda sealed: replace(sealed, renewal=99), id="4 renews all the same"),
        pytest.param(lambda sealed: replace(sealed, contract=Contract(renew_s=0.1)), id="10 a shorter contract"),
    ],
)
def test_a_sealed_host_is_refused(
    plane: ControlPlane, n1: Identity, change: Callable[[lease.HostLease], lease.HostLease]
) -> None:
    sealed = replace(lease.read(stored(plane, f"{LEASES}/n1")), sealed=True)
    stored_sealed = plane.request("PUT", f"{LEASES}/n1", lease.write(sealed))
    code, said = n1("PUT", f"{LEASES}/n1", lease.write(change(lease.read(stored_sealed))))
    assert (code, "reopened by Backstay's operator only" in said) == (403, True), said
    plane.request("PUT", f"{LEASES}/n1", lease.write(replace(lease.read(stored_sealed), sealed=False)))


@pytest.mark.parametrize(
    ("later", "why"),
    [
        pytest.param({"seq": 1}, "session.seq only grows", id="9 a lower seq"),
        pytest.param({"nonce": "another"}, "another session needs a higher seq", id="9 another session of that seq"),
        pytest.param({"seq": 3, "machineUUID": "m2"}, "machineUUID never changes", id="14 another machine"),
    ],
)
def test_a_session_never_goes_back_nor_to_another_machine(
    plane: ControlPlane, n1: Identity, later: Json, why: str
) -> None:
    session = {"bootID": "b1", "nonce": "x", "seq": 2, "machineUUID": "m1"}

    def told(session: Json) -> tuple[int, str]:
        body = stored(plane, f"{ASSIGNMENTS}/n1")
        return n1("PUT", f"{ASSIGNMENTS}/n1/status", {**body, "status": {"session": session}})

    assert told(session)[0] == 200
    code, said = told(session | later)
    assert (code, why in said) == (422, True), said


# --- the lock, in the operator's own hands ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "steps", "why"),
    [
        (19, [instance(3, GRANT_2, 2)], "epoch grows by one"),
        (19, [instance(1, GRANT_2, None)], "a grant never changes within its epoch"),
        (20, [instance(2, GRANT_2, None)], "a new epoch needs the evidence"),
        (20, [instance(2, GRANT_2, 1, "NotExclusive")], "an exclusive instance needs real evidence"),
        (19, [instance(1, None, 1), instance(1, GRANT_2, None)], "evidence is never taken back"),
    ],
)
def test_not_even_the_operator_grants_twice(operator: Identity, number: int, steps: list[Json], why: str) -> None:
    lock = of_ours("HAInstance", "lock-0", instance(0, None, None))
    operator("DELETE", f"{INSTANCES}/lock-0")
    assert operator("POST", INSTANCES, lock)[0] == 201

    def written(spec: Json) -> tuple[int, str]:
        _, body = operator.server.send("GET", f"{INSTANCES}/lock-0")
        return operator("PUT", f"{INSTANCES}/lock-0", {**body, "spec": spec})

    assert written(instance(1, GRANT_1, None))[0] == 200
    *before, last = map(written, steps)
    code, said = last
    assert [good for good, _ in before] == [200] * len(before) and (code, why in said) == (422, True), (number, said)


# --- tenants ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        pytest.param("POST", INSTANCES, of_ours("HAInstance", "web-0", instance(0, None, None)), id="17 makes a lock"),
        pytest.param("DELETE", f"{INSTANCES}/lock-0", None, id="17 or deletes one"),
        pytest.param("POST", f"{OURS}/fencerequests", FENCE, id="17 asks for a host's power"),
        pytest.param("PATCH", f"{OURS}/fencerequests/n2-x", {"spec": {"confirm": {"by": "x"}}}, id="23 confirms"),
        pytest.param("POST", f"{OURS}/namespaces/default/haservices", WEB, id="18 in a namespace that is not his"),
        pytest.param("PATCH", f"{OURS}/hosts/n1", {"metadata": {"labels": {"pool": "b"}}}, id="16 labels a host"),
        pytest.param("PATCH", f"{SERVICES}/web/status", {"status": {}}, id="17 says what is true"),
        pytest.param("PUT", f"{LEASES}/n1", lease.write(HELD), id="3 seals"),
        pytest.param("POST", f"{OURS}/resourceclaims", of_ours("ResourceClaim", "x", {}), id="17 claims"),
        pytest.param("GET", f"{CORE}/{FENCING_NAMESPACE}/secrets/n1-bmc", None, id="7 reads a password"),
    ],
)
def test_a_tenant_is_refused(tenant: Identity, method: str, path: str, body: Json | None) -> None:
    code, said = tenant(method, path, body)
    assert (code, "orbidden" in said) == (403, True), said


def nested(depth: int) -> Json:
    return {"resources": [{"name": "a", "systemd": {"unit": "a.service"}, "deep": nested(depth - 1)}]} if depth else {}


UNIT = {"systemd": {"unit": "a.service"}}


@pytest.mark.parametrize(
    "resources",
    [
        pytest.param([{"name": f"r{number}", **UNIT} for number in range(10_000)], id="32 10,000 resources"),
        pytest.param([{"name": "a", "command": {"start": ["/bin/true", "x" * 65536], "stop": ["/b"]}}], id="32 64 KiB"),
        pytest.param([{"name": "a", **UNIT, "probes": [{"name": "p", "tcpSocket": {"port": 10**30}}]}], id="32 huge"),
        pytest.param([{"name": "a", "systemd": {"unit": "../../x.service"}}], id="26 a path"),
        pytest.param([{"name": "a", "systemd": {"unit": "a;$(id).service"}}], id="25 a shell's words"),
        pytest.param([{"name": "a", "virtualIP": {"address": "::ffff:192.0.2.9/120"}}], id="42 mapped"),
        pytest.param([{"name": "a", "mount": {"device": "/dev/sdb", "path": "/srv/../etc"}}], id="33 climbs"),
    ],
)
def test_what_a_tenant_smuggles_is_refused_by_the_server(tenant: Identity, resources: list[Any]) -> None:
    code, said = tenant("POST", SERVICES, of_ours("HAService", "bad", {"resources": resources}))
    assert code in (400, 413, 422), said


def test_what_the_schema_does_not_know_is_not_stored(tenant: Identity) -> None:
    """32: nesting without an end."""
    code, answer = tenant.server.send("POST", f"{SERVICES}?dryRun=All", of_ours("HAService", "deep", nested(60)))
    assert code == 201 and "deep" not in answer["spec"]["resources"][0]


@pytest.mark.parametrize("agent", ["/bin/sh", "fence_../sh", "../../tmp/fence_x", "sh", "fence_x\n"])
def test_a_host_admin_names_no_other_program_than_a_fence_agent(admin: Identity, agent: str) -> None:
    """31"""
    levels = [{"name": "bmc", "devices": [{"name": "bmc", "agent": agent}]}]
    code, said = admin("POST", f"{OURS}/hosts", of_ours("Host", "n7", {"fencing": {"levels": levels}}))
    assert (code, "agent" in said) == (422, True), said


RBAC = "/apis/rbac.authorization.k8s.io/v1"
MINE: Json = {"kind": "ServiceAccount", "name": "enroller", "namespace": "shop"}


def binding(name: str, kind: str, role: str) -> Json:
    ref = {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": role}
    return {"metadata": {"name": name}, "roleRef": ref, "subjects": [MINE]}


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", f"{CORE}/{FENCING_NAMESPACE}/secrets", None),
        ("GET", f"{CORE}/{FENCING_NAMESPACE}/secrets/n1-bmc", None),
        ("POST", f"{CORE}/{FENCING_NAMESPACE}/secrets", {"metadata": {"name": "n1-bmc"}}),
        ("PATCH", f"{OURS}/hosts/n1", {"spec": {"fencing": None}}),
        ("DELETE", f"{OURS}/hosts/n1", None),
        ("DELETE", f"{ASSIGNMENTS}/n1", None),
        ("POST", f"{OURS}/fencerequests", FENCE),
        ("POST", SERVICES, WEB),
        ("PATCH", f"{LEASES}/n1", {"metadata": {"labels": {"a": "b"}}}),
        ("GET", f"{CORE}/{SYSTEM_NAMESPACE}/secrets", None),
        ("POST", f"{CORE}/{SYSTEM_NAMESPACE}/serviceaccounts/backstay-fencer/token", {"spec": {}}),
        ("DELETE", f"{RBAC}/clusterroles/backstay:host:n1", None),
        ("PATCH", f"{RBAC}/clusterroles/backstay:view", {"metadata": {"labels": {"a": "b"}}}),
        ("POST", f"{RBAC}/clusterrolebindings", binding("backstay:host:n99", "ClusterRole", "cluster-admin")),
        ("POST", f"{RBAC}/clusterrolebindings", binding("mine", "ClusterRole", "backstay:enrollers")),
        ("POST", f"{RBAC}/namespaces/{lease.NAMESPACE}/rolebindings", binding("x", "Role", "backstay:host-admins")),
        ("POST", f"{RBAC}/namespaces/{FENCING_NAMESPACE}/rolebindings", binding("x", "ClusterRole", "backstay:view")),
    ],
)
def test_an_enroller_is_refused_all_but_new_hosts_and_tokens(
    enroller: Identity, method: str, path: str, body: Json | None
) -> None:
    code, said = enroller(method, path, body)
    assert (code, "orbidden" in said) == (403, True), said
    assert enroller("GET", f"{OURS}/hosts/n1")[0] == 200, "it is alive"


def test_an_enroller_uses_none_of_the_rights_that_it_hands_on(plane: ControlPlane, enroller: Identity) -> None:
    held = stored(plane, f"{LEASES}/n2")
    sealed = lease.write(replace(lease.read(held), sealed=True))
    told = {**stored(plane, f"{ASSIGNMENTS}/n2"), "status": {"facts": {}}}
    for path, body in ((f"{LEASES}/n2", sealed), (f"{ASSIGNMENTS}/n2/status", told)):
        code, said = enroller("PUT", path, body)
        assert (code, "only Backstay's own programs" in said) == (403, True), said


def test_a_tenants_flood_and_a_hosts_renewals_do_not_stand_in_one_queue(
    plane: ControlPlane, n1: Identity, tenant: Identity
) -> None:
    """24: the API server says in which it had put a request."""
    name = "backstay-heartbeats"
    mine = stored(plane, f"/apis/flowcontrol.apiserver.k8s.io/v1/prioritylevelconfigurations/{name}")["metadata"]["uid"]

    assert n1.server.queue_of("GET", f"{LEASES}/n1") == mine
    assert tenant.server.queue_of("GET", SERVICES) not in (None, mine)
