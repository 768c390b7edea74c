"""What a cluster's people may set of our Pods: where they live, what is mounted, whose certificates they trust; and whose token they have."""

from __future__ import annotations

from typing import Any

import pytest

from backstay_testing.chart_scenarios import pods
from contract.chart_scene import of_kind, rendered

pytestmark = pytest.mark.api
TOKENS = "/var/run/secrets/kubernetes.io/serviceaccount"


def mounts(pod: dict[str, Any]) -> dict[str, dict[str, Any]]:
    (container,) = pod["containers"]
    return {one["mountPath"]: one for one in container["volumeMounts"]}


def volumes(pod: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {one["name"]: one for one in pod["volumes"]}


@pytest.mark.parametrize("part", ["operator", "fencer"])
def test_a_pods_token_lives_an_hour_and_stands_where_clients_look(part: str) -> None:
    pod = pods(rendered())[f"backstay-{part}"]
    assert pod["automountServiceAccountToken"] is False
    mount = mounts(pod)[TOKENS]
    assert mount["readOnly"] is True
    sources = volumes(pod)[mount["name"]]["projected"]["sources"]
    assert sources[0] == {"serviceAccountToken": {"path": "token", "expirationSeconds": 3600}}
    assert [next(iter(one)) for one in sources] == ["serviceAccountToken", "configMap", "downwardAPI"]


@pytest.mark.parametrize("part", ["operator", "fencer"])
def test_more_volumes_and_labels(part: str) -> None:
    given = [f"{part}.extraVolumes[0].name=v", f"{part}.extraVolumeMounts[0].name=v"]
    given += [f"{part}.extraVolumeMounts[0].mountPath=/v", f"{part}.podLabels.cost=high"]
    documents = rendered(*(word for one in given for word in ("--set", one)))
    deployment = of_kind(documents, "Deployment")[f"backstay-{part}"]
    pod = deployment["spec"]["template"]["spec"]
    assert "v" in volumes(pod) and mounts(pod)["/v"] == {"name": "v", "mountPath": "/v"}
    assert deployment["spec"]["template"]["metadata"]["labels"]["cost"] == "high"
    assert "cost" not in deployment["spec"]["selector"]["matchLabels"]


def test_certificates_of_bmcs_are_judged_by_a_secret() -> None:
    bundle = "/etc/ssl/certs/ca-certificates.crt"
    assert bundle not in mounts(pods(rendered())["backstay-fencer"])
    all_pods = pods(rendered("--set", "fencer.bmcCA.secretName=ca", "--set", "fencer.bmcCA.key=bundle.pem"))
    fencer = all_pods["backstay-fencer"]
    assert mounts(fencer)[bundle]["subPath"] == "ca.crt" and mounts(fencer)[bundle]["readOnly"] is True
    assert volumes(fencer)["bmc-ca"]["secret"]["items"] == [{"key": "bundle.pem", "path": "ca.crt"}]
    assert bundle not in mounts(all_pods["backstay-operator"])


def test_a_fencer_in_the_nodes_network_is_found_at_its_own_port() -> None:
    documents = rendered("--set", "fencer.hostNetwork=true", "--set", "fencer.healthPort=18080")
    pod = pods(documents)["backstay-fencer"]
    assert (pod["hostNetwork"], pod["dnsPolicy"]) == (True, "ClusterFirstWithHostNet")
    (container,) = pod["containers"]
    assert container["ports"] == [{"name": "http", "containerPort": 18080, "protocol": "TCP"}]
    assert {"name": "BACKSTAY_HEALTH_PORT", "value": "18080"} in container["env"]
    assert of_kind(documents, "Service")["backstay-fencer"]["spec"]["ports"][0]["port"] == 18080
    (test,) = of_kind(documents, "Pod").values()
    assert test["spec"]["containers"][0]["command"][3:] == [
        "backstay-operator.backstay-system.svc:8080",
        "backstay-fencer.backstay-system.svc:18080",
    ]


def test_another_namespace_than_the_releases_is_meant_everywhere() -> None:
    def told(value: object) -> bool:
        if isinstance(value, dict):
            return any(told(one) for one in value.values())
        return any(told(one) for one in value) if isinstance(value, list) else "backstay-system" in str(value)

    documents = rendered(
        "--set", "namespaceOverride=ha", "--set", "metrics.dashboard=true", "--set", "networkPolicy.enabled=true"
    )
    # Descriptions of our own definitions name the default.
    left = [one["metadata"]["name"] for one in documents if one["kind"] != "CustomResourceDefinition" and told(one)]
    assert left == []
    assert {one["metadata"]["namespace"] for one in of_kind(documents, "Deployment").values()} == {"ha"}


@pytest.mark.parametrize(
    "typo", ["fencer.bmcCA.secret=x", "fencer.healthPort=0", "operator.hostNetwork=true", "fencer.podLabel.a=b"]
)
def test_a_typo_in_these_fails_too(typo: str) -> None:
    with pytest.raises(Exception, match=r"(?i)schema|additional"):
        rendered("--set", typo)


def test_two_fencers_are_upgraded_and_drained_one_at_a_time() -> None:
    fencer = of_kind(rendered(), "Deployment")["backstay-fencer"]["spec"]
    assert (fencer["replicas"], fencer["strategy"]["rollingUpdate"]) == (2, {"maxUnavailable": 1, "maxSurge": 1})
    assert of_kind(rendered(), "PodDisruptionBudget")["backstay-fencer"]["spec"]["maxUnavailable"] == 1
    in_the_nodes = ("--set", "fencer.hostNetwork=true", "--set", "fencer.replicas=1")
    fencer = of_kind(rendered(*in_the_nodes), "Deployment")["backstay-fencer"]["spec"]
    assert (fencer["replicas"], fencer["strategy"]["rollingUpdate"]["maxSurge"]) == (1, 0)
