"""`backstay host add` and `host remove`: the objects of a host, its agent's rights, and nonsense on the line."""

from __future__ import annotations

import json

import pytest
import yaml

from backstay_api.objects import rbac
from backstay_api.objects.kinds import raw
from backstay_api.objects.models import Host
from backstay_cli.session import NOT_NOW, WELL
from backstay_testing.cli_scene import Cluster, a_cluster, kind_of


def test_an_agent_may_do_what_it_needs_and_nothing_else() -> None:
    assert rbac.agent("n1") == [
        {
            "apiGroups": ["backstay.dev"],
            "resources": ["hostassignments"],
            "resourceNames": ["n1"],
            "verbs": ["get", "list", "watch"],
        },
        {
            "apiGroups": ["backstay.dev"],
            "resources": ["hostassignments/status"],
            "resourceNames": ["n1"],
            "verbs": ["update"],
        },
        {
            "apiGroups": ["backstay.dev"],
            "resources": ["hostsurveys"],
            "resourceNames": ["n1"],
            "verbs": ["list", "watch"],
        },
        {
            "apiGroups": ["backstay.dev"],
            "resources": ["hostsurveys/status"],
            "resourceNames": ["n1"],
            "verbs": ["update"],
        },
        {"apiGroups": [""], "resources": ["namespaces"], "resourceNames": ["kube-system"], "verbs": ["get"]},
    ]
    assert rbac.agent_in_hosts("n1") == [
        {"apiGroups": [""], "resources": ["secrets"], "resourceNames": ["backstay-files-n1"], "verbs": ["get"]},
        {
            "apiGroups": [""],
            "resources": ["secrets"],
            "resourceNames": ["backstay-join-n1"],
            "verbs": ["get", "patch", "delete"],
        },
        {
            "apiGroups": [""],
            "resources": ["secrets"],
            "resourceNames": ["backstay-next-n1"],
            "verbs": ["get", "patch", "delete"],
        },
        {
            "apiGroups": ["coordination.k8s.io"],
            "resources": ["leases"],
            "resourceNames": ["n1"],
            "verbs": ["get", "update"],
        },
        {
            "apiGroups": [""],
            "resources": ["serviceaccounts/token"],
            "resourceNames": ["backstay-host-n1"],
            "verbs": ["create"],
        },
    ]


def test_adding_a_host_twice_changes_nothing_and_repairs_what_was_changed() -> None:
    cluster = Cluster()
    first = json.loads(cluster.run("host", "add", "n4", "-o", "json", "--labels", "rack=a").stdout)
    assert {one["result"] for one in first} == {"created"} and len(first) == 8
    again = json.loads(cluster.run("host", "add", "n4", "-o", "json").stdout)
    assert {one["result"] for one in again} == {"unchanged"}
    roles = raw("rbac.authorization.k8s.io", "v1", "clusterroles", "ClusterRole", False)
    cluster.store.patch(roles, ("", "backstay:host:n4"), {"rules": []})
    repaired = json.loads(cluster.run("host", "add", "n4", "-o", "json").stdout)
    assert [one["object"] for one in repaired if one["result"] == "updated"] == ["ClusterRole backstay:host:n4"]
    assert cluster.get(Host, "n4")["metadata"]["labels"] == {"rack": "a"}


def test_a_bmc_is_added_without_losing_anything_else() -> None:
    cluster = a_cluster()
    words = ["--bmc", "fence_redfish", "--bmc-parameter", "ip=192.0.2.101", "--bmc-secret", "n3-bmc"]
    answer = cluster.run("host", "add", "n3", *words)
    assert answer.exit_code == WELL
    assert "Secret backstay-fencing/n3-bmc must hold ip, username, password" in answer.stdout
    spec = cluster.get(Host, "n3")["spec"]
    assert spec["maintenance"]["mode"] == "Cordon"
    (device,) = spec["fencing"]["levels"][0]["devices"]
    assert (device["agent"], device["parameters"], device["secretRef"]) == (
        "fence_redfish",
        {"ip": "192.0.2.101"},
        {"name": "n3-bmc"},
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        pytest.param(["n4", "--labels", "rack"], "not key=value", id="labels"),
        pytest.param(["n4", "--bmc-secret", "x"], "belong to --bmc", id="a secret without a BMC"),
        pytest.param(
            ["n4", "--bmc", "fence_x", "--bmc-parameter", "password=x"], "password", id="a password on the line"
        ),
        pytest.param(["n4", "--heartbeat", "quick"], "heartbeat", id="no such profile"),
        pytest.param(["n4", "--bmc", "ipmi"], "agent", id="no fence agent"),
        pytest.param(["n4", "--bmc", "fence_sbd"], "prove nothing of what runs there", id="no power"),
    ],
)
def test_nonsense_is_told_before_anything_is_written(words: list[str], said: str) -> None:
    cluster = Cluster()
    answer = cluster.run("host", "add", *words)
    assert answer.exit_code == 2 and said in answer.output
    assert not cluster.store.bodies(kind_of(Host))


def test_a_dry_run_prints_manifests_and_writes_nothing() -> None:
    cluster = Cluster()
    bodies = list(yaml.safe_load_all(cluster.run("host", "add", "n4", "--dry-run=client", "-o", "yaml").stdout))
    assert [body["kind"] for body in bodies] == [
        "Host",
        "ServiceAccount",
        "Secret",
        "Secret",
        "ClusterRole",
        "ClusterRoleBinding",
        "Role",
        "RoleBinding",
    ]
    assert not cluster.store.bodies(kind_of(Host))


def test_a_host_that_holds_something_is_not_removed() -> None:
    cluster = a_cluster()
    answer = cluster.run("host", "remove", "n1")
    assert (
        answer.exit_code == NOT_NOW and "n1 still holds shop/web-0: `backstay drain n1 --wait` first" in answer.stderr
    )
    assert cluster.get(Host, "n1")
    assert cluster.run("host", "remove", "n2").exit_code == WELL
    assert [body["metadata"]["name"] for body in cluster.store.bodies(kind_of(Host))] == ["n1", "n3"]
