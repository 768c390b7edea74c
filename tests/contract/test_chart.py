"""The chart: what it renders, and that nothing in it is wider than it must be."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from backstay_api.generate.files import CHART, REPOSITORY
from backstay_api.objects import lease
from backstay_api.objects.models import ALL_OBJECTS
from backstay_api.objects.names import SYSTEM_NAMESPACE
from backstay_api.objects.rbac import FENCING_NAMESPACE, agent_account
from backstay_dev.lab.shell import LabError
from backstay_testing.chart_scenarios import OURS, SCENARIOS, pods, with_values
from contract.chart_scene import REGISTRY, helm, of_kind, rendered

pytestmark = pytest.mark.api


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda path: path.stem if path else "defaults")
def test_lint_has_nothing_to_say(scenario: Path | None) -> None:
    helm("lint", "--strict", REPOSITORY / CHART, *REGISTRY, *with_values(scenario))


@pytest.mark.parametrize(
    "typo",
    [
        "operator.replcas=3",
        "fencer.image.digest=latest",
        "operator.replicas=many",
        "crds.keap=false",
        "image.registri=x",
        "oprator.x=1",
    ],
)
def test_a_typo_in_values_fails(typo: str) -> None:
    with pytest.raises(LabError, match=r"(?i)schema"):
        rendered("--set", typo)


KEEP = "metadata:\n  annotations:\n    helm.sh/resource-policy: keep\n"


@pytest.mark.parametrize("kind", ALL_OBJECTS)
def test_definitions_are_the_generators_byte_by_byte_and_kept(kind: Any) -> None:
    text = helm("template", "backstay", REPOSITORY / CHART, *REGISTRY)
    assert (REPOSITORY / f"crds/{kind.plural}.yaml").read_text().replace("metadata:\n", KEEP, 1) in text


def test_nobody_can_ask_for_definitions_that_go_with_the_chart() -> None:
    """Half of them would go, the others and all services' objects would hang for ever."""
    with pytest.raises(LabError, match=r"crds.*keep"):
        rendered("--set", "crds.keep=false")
    definitions = of_kind(rendered("--set", "crds.keep=true"), "CustomResourceDefinition")
    assert len(definitions) == len(ALL_OBJECTS), "values of before still render"


def test_without_definitions() -> None:
    assert of_kind(rendered("--set", "crds.enabled=false"), "CustomResourceDefinition") == {}


def test_the_names_in_the_templates_are_those_in_the_code() -> None:
    documents = rendered()
    assert set(of_kind(documents, "Namespace")) == {lease.NAMESPACE, FENCING_NAMESPACE}
    policy = of_kind(documents, "ValidatingAdmissionPolicy")["backstay-agents"]
    assert (
        f"system:serviceaccount:{lease.NAMESPACE}:{agent_account('')}'"
        in policy["spec"]["validations"][0]["expression"]
    )


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda path: path.stem if path else "defaults")
def test_pods_are_as_tight_as_they_can_be(scenario: Path | None) -> None:
    for name, pod in pods(rendered(*with_values(scenario))).items():
        assert pod["enableServiceLinks"] is False
        assert pod["securityContext"]["runAsNonRoot"] and pod["securityContext"]["runAsUser"] > 1000
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        (container,) = pod["containers"]
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "runAsNonRoot": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert {"cpu", "memory"} <= container["resources"]["requests"].keys()
        assert container["resources"]["limits"].keys() == {"memory"}, "a CPU limit makes failover slow"
        assert {"startupProbe", "livenessProbe", "readinessProbe"} <= container.keys(), name


@pytest.mark.parametrize(
    ("values", "operator", "fencer"),
    [
        pytest.param([], f"{OURS}/operator:0.1.0", f"{OURS}/fencer:0.1.0", id="the version of the chart"),
        pytest.param(["image.tag=1.2"], f"{OURS}/operator:1.2", f"{OURS}/fencer:1.2", id="a tag for both"),
        pytest.param(["operator.image.tag=1.2"], f"{OURS}/operator:1.2", f"{OURS}/fencer:1.2", id="the fencer follows"),
        pytest.param(["fencer.image.tag=1.2"], f"{OURS}/operator:0.1.0", f"{OURS}/fencer:1.2", id="its own tag"),
        pytest.param(
            ["image.registry=", "operator.image.registry=here:5000"],
            "here:5000/backstay/operator:0.1.0",
            "here:5000/backstay/fencer:0.1.0",
            id="the operator's registry, and the fencer follows",
        ),
        pytest.param(
            ["image.registry=", "global.imageRegistry=here.example/mirror"],
            "here.example/mirror/backstay/operator:0.1.0",
            "here.example/mirror/backstay/fencer:0.1.0",
            id="one registry for all charts",
        ),
        pytest.param(
            ["operator.image.tag=1.2", f"operator.image.digest=sha256:{'a' * 64}"],
            f"{OURS}/operator@sha256:{'a' * 64}",
            f"{OURS}/fencer:1.2",
            id="a digest wins",
        ),
    ],
)
def test_images(values: list[str], operator: str, fencer: str) -> None:
    arguments = [word for value in values for word in ("--set", value)]
    found = {name: pod["containers"][0]["image"] for name, pod in pods(rendered(*arguments)).items()}
    assert found == {"backstay-operator": operator, "backstay-fencer": fencer}


@pytest.mark.parametrize(
    "values",
    [
        pytest.param([], id="nothing"),
        pytest.param(["operator.image.tag=1.2"], id="only a tag"),
        pytest.param(["image.registry=somebody"], id="a name without a host"),
        pytest.param(["fencer.image.registry=registry.example"], id="only the fencer's"),
    ],
)
def test_no_image_is_named_that_could_be_anybodys(values: list[str]) -> None:
    arguments = [word for value in values for word in ("--set", value)]
    with pytest.raises(LabError, match=r"(?s)Which registry holds the image.*--reset-then-reuse-values"):
        helm("template", "backstay", REPOSITORY / CHART, *arguments)


def test_values_of_the_version_before_still_render(tmp_path: Path) -> None:
    """As `--reuse-values` brings them: what is new has no default then."""
    old = tmp_path / "backstay"
    shutil.copytree(REPOSITORY / CHART, old)
    values = yaml.safe_load((old / "values.yaml").read_text())
    for new in ("image", "global", "hostAdmins", "enrollers", "hostTokens"):
        del values[new]
    values["crds"]["keep"] = True
    values["operator"]["image"]["registry"] = "registry.example"
    (old / "values.yaml").write_text(yaml.safe_dump(values))
    text = helm("template", "backstay", old, "--namespace", SYSTEM_NAMESPACE)
    documents = [document for document in yaml.safe_load_all(text) if document]
    assert pods(documents)["backstay-fencer"]["containers"][0]["image"] == f"{OURS}/fencer:0.1.0"
    assert "https://kubernetes.default.svc" in json.dumps(
        of_kind(documents, "ValidatingAdmissionPolicy")["backstay-tokens"]
    )


def bound_by(documents: Sequence[Any]) -> set[str]:
    """Names of roles that the chart binds to somebody."""
    return {one["roleRef"]["name"] for one in documents if one["kind"] in ("RoleBinding", "ClusterRoleBinding")}


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda path: path.stem if path else "defaults")
def test_no_role_has_a_wildcard_and_only_the_fencer_reads_passwords(scenario: Path | None) -> None:
    documents = rendered(*with_values(scenario))
    for role in (*of_kind(documents, "ClusterRole").values(), *(one for one in documents if one["kind"] == "Role")):
        name, namespace = role["metadata"]["name"], role["metadata"].get("namespace", "")
        for rule in role["rules"]:
            assert "*" not in (*rule["apiGroups"], *rule["resources"], *rule["verbs"])
            if "secrets" not in rule["resources"]:
                continue
            if name.endswith("-fencer"):
                assert (namespace, rule["verbs"]) == (FENCING_NAMESPACE, ["get"])
            elif name == "backstay:contents":
                # Bound by nobody here: people do that, in their namespaces.
                assert rule["verbs"] == ["get"] and name not in bound_by(documents)
            elif name.endswith("-operator"):
                # What is in files of hosts, and its own key. It makes none: one could be a token.
                assert namespace in (SYSTEM_NAMESPACE, lease.NAMESPACE) and rule["verbs"] == ["get", "patch"]
                assert namespace == lease.NAMESPACE or rule["resourceNames"] == ["backstay-contents"]
            else:
                assert name == "backstay:host-admins" or (name, namespace) == ("backstay:enrollers", lease.NAMESPACE)
                assert namespace in (FENCING_NAMESPACE, lease.NAMESPACE)
                assert namespace == lease.NAMESPACE or not {"get", "list", "watch"} & set(rule["verbs"])
