"""The commands as the people of each role run them, on a real API server with the chart in it: done whole, or not begun."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from backstay_api.objects.models import ALL_OBJECTS
from backstay_api.objects.names import LEADER_LEASE, SYSTEM_NAMESPACE
from backstay_dev.lab.controlplane import ControlPlane, free_port
from backstay_dev.lab.shell import LabError, wait_until
from backstay_testing.instances import GRANT_1, instance
from contract.chart_scene import OPERATOR, As, Json, installed_in

pytestmark = pytest.mark.api

ROLES = ("clusterrole", "role")
WEB: Json = {
    "apiVersion": "backstay.dev/v1alpha1",
    "kind": "HAService",
    "metadata": {"name": "web", "namespace": "shop"},
    "spec": {"resources": [{"name": "web", "systemd": {"unit": "web.service"}}]},
}


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """People are ServiceAccounts here: each has a kubeconfig of his own."""
    with installed_in(tmp_path_factory.mktemp("people")) as plane:
        plane.kubectl("create", "namespace", "shop")
        for person in ("admin", "half", "tenant", "nobody", "confirmer", "enroller", "policies"):
            plane.kubectl("-n", "shop", "create", "serviceaccount", person)
        cluster_wide = {
            "admin": ("backstay:host-admins",),
            "half": ("hosts-only",),
            "confirmer": ("backstay:fence-confirmers",),
            "enroller": ("backstay:enrollers",),
            "policies": ("backstay:policy-admins",),
        }
        hosts_only = ["--verb=get,list,create,patch,delete", "--resource=hosts.backstay.dev"]
        plane.kubectl("create", "clusterrole", "hosts-only", *hosts_only)
        for person, roles in cluster_wide.items():
            for role in roles:
                binding = (f"--clusterrole={role}", f"--serviceaccount=shop:{person}")
                plane.kubectl("create", "clusterrolebinding", f"{person}-{role.replace(':', '-')}", *binding)
        for namespace in ("backstay-hosts", "backstay-fencing"):
            binding = ("--role=backstay:host-admins", "--serviceaccount=shop:admin")
            plane.kubectl("-n", namespace, "create", "rolebinding", "admin", *binding)
        binding = ("--role=backstay:enrollers", "--serviceaccount=shop:enroller")
        plane.kubectl("-n", "backstay-hosts", "create", "rolebinding", "enroller", *binding)
        for role in ("backstay:view", "backstay:edit"):
            binding = (f"--clusterrole={role}", "--serviceaccount=shop:tenant")
            plane.kubectl("-n", "shop", "create", "rolebinding", f"tenant-{role[9:]}", *binding)
        plane.kubectl("create", "-f", "-", stdin=json.dumps(WEB))
        yield plane


def backstay(plane: ControlPlane, person: str, *words: str, code: int = 0) -> str:
    config = plane.kubeconfig_for("shop", person) if person else plane.admin_kubeconfig
    env = {**os.environ, "KUBECONFIG": str(config)}
    command = [sys.executable, "-m", "backstay_cli.main", *words]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=90, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def everything_of(plane: ControlPlane, host: str) -> set[str]:
    kinds = "host,clusterrole,clusterrolebinding"
    found = plane.kubectl("get", kinds, "-o", "name") + plane.kubectl(
        "-n", "backstay-hosts", "get", "serviceaccount,secret,role,rolebinding", "-o", "name"
    )
    return {line for line in found.split() if line.endswith((f"/{host}", f":{host}", f"-{host}"))}


def test_a_host_with_a_long_name_is_added_whole_or_not_at_all(plane: ControlPlane) -> None:
    """A full name with its domain is longer than the 63 characters of a label's value."""
    name = "db-01.rack-17.hall-3.frankfurt.datacenters.example-corporation.internal"
    assert len(name) > 63 and backstay(plane, "admin", "host", "add", name).count("created") == 8
    assert len(everything_of(plane, name)) == 8
    assert "deleted" in backstay(plane, "admin", "host", "remove", name)
    too_long = ".".join(["a" * 60] * 4)
    said = backstay(plane, "admin", "host", "add", too_long, code=2)
    assert "236" in said and everything_of(plane, too_long) == set()


def test_a_host_admin_adds_drains_and_removes_a_host(plane: ControlPlane) -> None:
    assert backstay(plane, "admin", "host", "add", "n5").count("created") == 8
    assert len(everything_of(plane, "n5")) == 8
    assert "unchanged" in backstay(plane, "admin", "host", "add", "n5"), "and again"
    bound = ("--bound-object-kind=Secret", "--bound-object-name=backstay-host-n5")
    config = ("--kubeconfig", plane.kubeconfig_for("shop", "admin"))
    token = ("-n", "backstay-hosts", "create", "token", "backstay-host-n5", "--duration=720h")
    assert plane.kubectl(*config, *token, *bound)
    backstay(plane, "admin", "drain", "n5", "--wait")
    backstay(plane, "admin", "undrain", "n5")
    assert "n5" in backstay(plane, "admin", "status", "-A")
    backstay(plane, "admin", "host", "remove", "n5")
    assert everything_of(plane, "n5") == set()


def test_an_enroller_makes_a_new_host_its_tokens_and_their_end(plane: ControlPlane) -> None:
    bmc = ("--bmc", "fence_redfish", "--bmc-secret", "n7")
    assert backstay(plane, "enroller", "host", "add", "n7", *bmc).count("created") == 8
    assert "unchanged" in backstay(plane, "enroller", "host", "add", "n7"), "and again"
    line = ("host", "join-token", "n7", "--server", "https://192.0.2.1:6443")
    assert backstay(plane, "enroller", *line).startswith("bs1.")
    assert "valid" in backstay(plane, "enroller", "host", "list")
    assert "dead within 10 s" in backstay(plane, "enroller", "host", "revoke", "n7", "--yes")
    assert backstay(plane, "enroller", *line).startswith("bs1."), "and a new one"


def test_a_policy_admin_asks_whom_a_class_would_refuse_before_he_writes_it(plane: ControlPlane, tmp_path: Path) -> None:
    file = tmp_path / "class.yaml"
    spec = {"namespaces": ["db"], "allow": [{"units": ["*"]}]}
    body = {"apiVersion": "backstay.dev/v1alpha1", "kind": "ServiceClass", "metadata": {"name": "db"}, "spec": spec}
    file.write_text(json.dumps(body))
    assert "1 of 1 services may bring all" in backstay(plane, "policies", "policy", "test", "-A")
    said = backstay(plane, "policies", "policy", "test", "-A", "--classes", str(file), code=4)
    assert "shop/web: namespace shop: refused: no ServiceClass names it" in said
    config = ("--kubeconfig", plane.kubeconfig_for("shop", "policies"))
    assert "created" in plane.kubectl(*config, "create", "-f", str(file))
    plane.kubectl(*config, "delete", "-f", str(file))
    assert "you may not list serviceclasses" in backstay(plane, "tenant", "policy", "test", "-n", "shop", code=1)


def test_an_enroller_changes_no_host_that_is_there(plane: ControlPlane) -> None:
    backstay(plane, "admin", "host", "add", "n71")
    for words in (
        ("host", "add", "n71", "--bmc", "fence_redfish", "--bmc-secret", "n2"),
        ("drain", "n71"),
        ("host", "remove", "n71"),
    ):
        said = backstay(plane, "enroller", *words, code=1)
        assert "Nothing was changed. The role backstay:host-admins" in said, said
    assert json.loads(plane.kubectl("get", "host", "n71", "-o", "json"))["spec"]["fencing"] == {"after": "On"}
    backstay(plane, "admin", "host", "remove", "n71")


@pytest.mark.parametrize("person", ["half", "tenant", "nobody"])
def test_who_may_do_half_of_it_begins_nothing(plane: ControlPlane, person: str) -> None:
    said = backstay(plane, person, "host", "add", "n6", code=1)
    assert "Nothing was changed. The role backstay:host-admins" in said
    assert "create serviceaccounts in namespace backstay-hosts" in said
    assert everything_of(plane, "n6") == set()


def test_no_half_drain_and_no_half_removal(plane: ControlPlane) -> None:
    backstay(plane, "admin", "host", "add", "n8")
    said = backstay(plane, "half", "drain", "n8", "--wait", code=1)
    assert "list hainstances.backstay.dev in the whole cluster" in said
    assert "maintenance" not in json.loads(plane.kubectl("get", "host", "n8", "-o", "json"))["spec"]
    backstay(plane, "half", "host", "remove", "n8", code=1)
    assert len(everything_of(plane, "n8")) == 8
    backstay(plane, "admin", "host", "remove", "n8")


def test_a_tenant_sees_what_is_his_and_is_told_what_he_may_not_see(plane: ControlPlane) -> None:
    said = backstay(plane, "tenant", "status")
    assert "shop/web" in said and "You may not see hosts.backstay.dev" in said and "backstay:view" in said
    told = json.loads(backstay(plane, "tenant", "status", "-o", "json").partition("\n\n")[0])
    assert [one["metadata"]["name"] for one in told["services"]] == ["web"]
    assert "hosts.backstay.dev" in told["unseen"] and "whether an operator is running" in told["unseen"]
    assert "you may see neither services nor hosts" in backstay(plane, "nobody", "status", code=1)
    assert "The role backstay:view" in backstay(plane, "tenant", "explain", "web", code=1)


def test_a_confirmer_may_look_before_he_confirms(plane: ControlPlane) -> None:
    backstay(plane, "admin", "host", "add", "n9")
    assert "Nobody has asked about the power" in backstay(plane, "confirmer", "fence", "n9")
    assert "nothing to confirm" in backstay(plane, "confirmer", "fence", "n9", "--confirm", "--yes", code=4)
    said = backstay(plane, "admin", "fence", "n9", "--confirm", "--yes", code=1)
    assert "confirm fencerequests.backstay.dev" in said and "backstay:fence-confirmers" in said
    backstay(plane, "admin", "host", "remove", "n9")


# --- without an operator ---------------------------------------------------------------------------------------------


def leader_lease(plane: ControlPlane, renewed: str) -> None:
    spec = {"holderIdentity": "gone", "leaseDurationSeconds": 6, "renewTime": renewed}
    meta = {"name": LEADER_LEASE, "namespace": SYSTEM_NAMESPACE}
    body = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": meta, "spec": spec}
    plane.kubectl("apply", "-f", "-", stdin=json.dumps(body))


@contextmanager
def an_operator(plane: ControlPlane) -> Iterator[None]:
    port = str(free_port())
    command = [sys.executable, "-m", "backstay_operator.main", "--health-host", "127.0.0.1", "--health-port", port]
    env = {**os.environ, "KUBECONFIG": str(plane.kubeconfig_for(SYSTEM_NAMESPACE, "backstay-operator"))}
    program = subprocess.Popen([*command, "--without-kopf"], env=env)
    try:
        yield
    finally:
        program.kill()
        program.wait()


# The years: an operator's clock may be wrong in both directions, and ours is not asked.
@pytest.mark.parametrize("renewed", ["2020-01-01T00:00:00.000000Z", "2060-01-01T00:00:00.000000Z"])
def test_status_says_that_no_operator_lives(plane: ControlPlane, renewed: str) -> None:
    leader_lease(plane, renewed)
    said = backstay(plane, "", "status", "-A", code=5)
    assert "no operator has renewed its Lease" in said and "nobody moves them" in said
    with an_operator(plane):
        wait_until(lambda: "no operator" not in _status(plane), timeout_s=30, what="a living operator in status")


def _status(plane: ControlPlane) -> str:
    env = {**os.environ, "KUBECONFIG": str(plane.admin_kubeconfig)}
    command = [sys.executable, "-m", "backstay_cli.main", "status", "-A"]
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=90, check=False).stdout


def is_there(plane: ControlPlane, *what: str) -> bool:
    try:
        plane.kubectl("get", *what)
    except LabError:
        return False
    return True


def test_nothing_hangs_for_ever_after_an_uninstall(plane: ControlPlane) -> None:
    """Last: it takes the chart away. The objects are as an operator has left them that is gone for good."""
    backstay(plane, "admin", "host", "add", "n3")
    for what, name in (("haservice", "web"), ("host", "n3")):
        marks = {"metadata": {"finalizers": [f"backstay.dev/{what.removeprefix('ha')}"]}}
        plane.kubectl("-n", "shop", "patch", what, name, "--type=merge", "-p", json.dumps(marks))
    said = backstay(plane, "", "uninstall", "--check", code=5)
    assert "service shop/web" in said and "host n3" in said and "kubectl delete haservices" in said
    uid = json.loads(plane.kubectl("-n", "shop", "get", "haservice", "web", "-o", "json"))["metadata"]["uid"]
    lock = {**instance(0, None, None), "service": {"name": "web", "uid": uid}}
    body = {
        "apiVersion": "backstay.dev/v1alpha1",
        "kind": "HAInstance",
        "metadata": {"name": "web-1", "namespace": "shop", "finalizers": ["backstay.dev/instance"]},
        "spec": lock,
    }
    path = "/apis/backstay.dev/v1alpha1/namespaces/shop/hainstances"
    operator = As(plane, OPERATOR, f"system:serviceaccounts:{SYSTEM_NAMESPACE}")
    code, why = operator.send("POST", path, body)
    assert code == 201, why
    granted = {"spec": {"epoch": 1, "grant": {**GRANT_1, "host": "n3"}}}
    code, why = operator.send("PATCH", f"{path}/web-1", granted)
    assert code == 200, why
    fence = {
        "apiVersion": "backstay.dev/v1alpha1",
        "kind": "FenceRequest",
        "metadata": {"name": "n3-x", "finalizers": ["backstay.dev/fence"]},
        "spec": {"host": "n3", "session": GRANT_1["session"], "want": "Off"},
    }
    code, why = operator.send("POST", "/apis/backstay.dev/v1alpha1/fencerequests", fence)
    assert code == 201, why
    leader_lease(plane, "2020-01-01T00:00:00.000000Z")
    plane.kubectl("delete", "fencerequest", "n3-x", "--wait=false")
    plane.kubectl("-n", "shop", "delete", "haservice", "web", "--wait=false")
    plane.kubectl("delete", "host", "n3", "--wait=false")
    said = backstay(plane, "", "uninstall", "--release", "--yes", code=4)
    assert "nobody has verified that these are stopped: shop/web-1 on n3" in said
    assert "nor break-glass" in backstay(plane, "confirmer", "uninstall", "--release", "--force", "--yes", code=1)
    assert is_there(plane, "haservice", "web", "-n", "shop")
    # With the policies in force: the lock is released by who may break the glass.
    backstay(plane, "", "uninstall", "--release", "--force", "--yes")
    gone: tuple[tuple[str, ...], ...] = (
        ("haservice", "web", "-n", "shop"),
        ("hainstance", "web-1", "-n", "shop"),
        ("host", "n3"),
        ("fencerequest", "n3-x"),
    )
    for words in gone:
        assert not is_there(plane, *words), words
    plane.helm("uninstall", "backstay", "--namespace", SYSTEM_NAMESPACE, "--cascade", "background")
    for kind in ALL_OBJECTS:
        left = json.loads(plane.kubectl("get", f"{kind.plural}.backstay.dev", "-A", "-o", "json"))["items"]
        assert [one["metadata"]["name"] for one in left if one["metadata"].get("finalizers")] == [], kind.plural
