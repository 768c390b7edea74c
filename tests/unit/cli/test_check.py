"""`backstay check`: what is missing after an installation, each in a sentence."""

from __future__ import annotations

import json
import re

import pytest

from backstay_api import VERSION
from backstay_api.objects.kinds import LEASES, Raw
from backstay_cli.check import _BINDINGS, _DEPLOYMENTS, _POLICIES, POLICIES
from backstay_cli.session import NOT_WELL, WELL
from backstay_testing.cli_scene import NOW, Cluster, a_cluster
from backstay_testing.documents import ROOT

SYSTEM = "backstay-system"


def a_deployment(part: str, ready: int = 1, version: str = VERSION) -> Raw:
    labels = {
        "app.kubernetes.io/part-of": "backstay",
        "app.kubernetes.io/component": part,
        "app.kubernetes.io/version": version,
    }
    return {
        "metadata": {"name": part, "namespace": SYSTEM, "labels": labels},
        "spec": {"replicas": 1},
        "status": {"readyReplicas": ready},
    }


def installed(*, without_policy: str = "", unbound: str = "", fencers: int = 1, version: str = VERSION) -> Cluster:
    cluster = a_cluster()
    for part, ready in (("operator", 1), ("fencer", fencers)):
        cluster.create(_DEPLOYMENTS, a_deployment(part, ready, version), SYSTEM)
    for name in POLICIES:
        if name != without_policy:
            cluster.create(_POLICIES, {"metadata": {"name": name}})
        if name != unbound:
            cluster.create(_BINDINGS, {"metadata": {"name": name}, "spec": {"policyName": name}})
    lease = {"metadata": {"name": "backstay-operator"}, "spec": {"renewTime": NOW, "holderIdentity": "a"}}
    cluster.create(LEASES, lease, SYSTEM)
    return cluster


def looked_at(cluster: Cluster, *words: str) -> tuple[int, dict[str, str]]:
    answer = cluster.run("check", *words, "-o", "json")
    return answer.exit_code, {one["what"]: f"{one['status']}: {one['message']}" for one in json.loads(answer.stdout)}


def test_the_policies_are_those_of_the_chart() -> None:
    told = "".join(path.read_text() for path in (ROOT / "charts/backstay/templates").glob("admission*.yaml"))
    named = re.findall(r"kind: ValidatingAdmissionPolicy\nmetadata:\n(?:  \{\{.*\n)?  name: (\S+)", told)
    assert sorted(named) == sorted(POLICIES)


@pytest.mark.parametrize(
    ("broken", "what", "said"),
    [
        pytest.param({"fencers": 0}, "deployment of the fencer", "Missing: 0 of 1 ready", id="no fencer"),
        pytest.param(
            {"without_policy": "backstay-ours"}, "policies", "missing, or not bound: backstay-ours", id="no policy"
        ),
        pytest.param(
            {"unbound": "backstay-tokens"}, "policies", "missing, or not bound: backstay-tokens", id="unbound"
        ),
    ],
)
def test_what_is_missing_is_told(broken: dict[str, object], what: str, said: str) -> None:
    code, found = looked_at(installed(**broken))  # type: ignore[arg-type]
    assert code == NOT_WELL and said in found[what]


def test_all_is_there() -> None:
    code, found = looked_at(installed())
    assert code == WELL, found
    assert [told.partition(":")[0] for told in found.values()] == ["OK"] * 7
    assert found["service classes"] == "OK: none, so services may bring whatever they like"
    assert found["agents"] == "OK: none that has reported: n1, n2, n3"


def test_another_version_is_told_and_is_no_fault() -> None:
    code, found = looked_at(installed(version="0.0.9"))
    assert code == WELL
    assert found["deployment of the operator"] == f"OK: 1 of 1 ready, version 0.0.9; this program is {VERSION}"


def test_it_waits_until_everything_is_there() -> None:
    cluster = installed(fencers=0)
    ready = {"status": {"readyReplicas": 1}}
    cluster.meanwhile = lambda: cluster.store.patch(_DEPLOYMENTS, (SYSTEM, "fencer"), ready)
    answer = cluster.run("check", "--wait", "-o", "json")
    assert answer.exit_code == WELL
    assert "Waiting for deployment of the fencer: 0 of 1 ready" in answer.stderr
    assert looked_at(installed(fencers=0), "--wait", "--timeout", "5s")[0] == NOT_WELL


def test_without_a_chart_it_says_so() -> None:
    code, found = looked_at(a_cluster())
    assert code == NOT_WELL
    assert found["deployment of the operator"] == "Missing: none in backstay-system"
    assert "no operator has run" in found["operator"]
