"""What a cluster's people may set of our Pods: where they live, what is mounted, whose certificates they trust; and whose token they have."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from backstay_api.generate.files import CHART, REPOSITORY
from backstay_api.objects.models import ALL_OBJECTS, HAService, Host
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


FULL = ("--values", REPOSITORY / CHART / "ci/full-values.yaml")


def test_replicas_are_spread_and_replaced_as_the_values_say_or_as_ever() -> None:
    deployments = of_kind(rendered(*FULL), "Deployment")
    said, plain = deployments["ha-operator"]["spec"], deployments["ha-fencer"]["spec"]
    (constraint,) = said["template"]["spec"]["topologySpreadConstraints"]
    assert constraint["labelSelector"] == {"matchLabels": said["selector"]["matchLabels"]}, "its own Pods are meant"
    assert (constraint["topologyKey"], constraint["whenUnsatisfiable"]) == ("example.org/room", "DoNotSchedule")
    assert said["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}
    assert (said["revisionHistoryLimit"], plain["revisionHistoryLimit"]) == (2, 10)
    assert plain["strategy"]["rollingUpdate"] == {"maxUnavailable": 1, "maxSurge": 0}
    (constraint,) = plain["template"]["spec"]["topologySpreadConstraints"]
    assert constraint["topologyKey"] == "topology.kubernetes.io/zone"
    dns = [one["template"]["spec"]["dnsPolicy"] for one in (said, plain)]
    assert dns == ["Default", "ClusterFirstWithHostNet"]


def test_a_value_changes_one_thing_of_a_probe() -> None:
    (container,) = pods(rendered(*FULL))["ha-operator"]["containers"]
    expected = {"httpGet": {"path": "/healthz", "port": "http"}, "periodSeconds": 10, "timeoutSeconds": 5}
    assert container["livenessProbe"] == expected
    assert container["readinessProbe"]["timeoutSeconds"] == 3


def test_another_service_account_is_meant_by_roles_policies_and_queues_too(tmp_path: Path) -> None:
    """And one that is there already is not made."""
    values = tmp_path / "values.yaml"
    values.write_text(
        "operator: {serviceAccount: {name: decides, annotations: {a: b}}}\n"
        "fencer: {serviceAccount: {name: cuts, create: false}}\ncommonAnnotations: {c: d}\n"
    )
    documents = rendered("--values", values)
    (account,) = of_kind(documents, "ServiceAccount").values()
    assert (account["metadata"]["name"], account["metadata"]["annotations"]) == ("decides", {"a": "b", "c": "d"})
    text, plain = (json.dumps(one) for one in (documents, rendered()))
    for before, name in (("backstay-operator", "decides"), ("backstay-fencer", "cuts")):
        user = f"system:serviceaccount:backstay-system:{before}"
        assert plain.count(user) == text.count(user.replace(before, name)) > 0 and user not in text
        was, now = ({"kind": "ServiceAccount", "name": one, "namespace": "backstay-system"} for one in (before, name))
        assert plain.count(json.dumps(was)) == text.count(json.dumps(now)) > 0 and json.dumps(was) not in text
        assert f'"serviceAccountName": "{name}"' in text


def test_an_annotation_is_on_every_object_of_ours_but_three_kinds() -> None:
    bare = {
        f"{one['kind']} {one['metadata']['name']}"
        for one in rendered("--set", "commonAnnotations.c=d")
        if one["kind"] != "CustomResourceDefinition" and one["metadata"].get("annotations", {}).get("c") != "d"
    }
    assert bare == {"Namespace backstay-hosts", "Namespace backstay-fencing", "Pod backstay-test"}


def test_the_chart_says_which_kinds_it_brings() -> None:
    """To whoever looks for charts (Artifact Hub), with an example of what people write."""
    head = yaml.safe_load((REPOSITORY / CHART / "Chart.yaml").read_text())["annotations"]
    listed = yaml.safe_load(head["artifacthub.io/crds"])
    ours = {kind.__name__: f"{kind.plural}.backstay.dev" for kind in ALL_OBJECTS}
    assert {one["kind"]: one["name"] for one in listed} == ours and len(listed) == len(ours)
    service, host = yaml.safe_load(head["artifacthub.io/crdsExamples"])
    assert HAService.model_validate(service).metadata.name == "web" and Host.model_validate(host).spec.fencing
