"""`backstay policy test`: what classes say of manifests, and what a new class would say of what is there."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from backstay_api.objects.models import HAService, ServiceClass
from backstay_cli.session import FAILED, NOT_NOW, WELL
from backstay_testing.builders import a_service, unit
from backstay_testing.cli_scene import Cluster, a_cluster


@pytest.fixture
def cluster() -> Cluster:
    return a_cluster()


def a_class(name: str = "shop", *units: str, namespaces: tuple[str, ...] = ("shop",)) -> dict[str, Any]:
    spec = {"namespaces": list(namespaces), "allow": [{"units": list(units)}]}
    return {"apiVersion": "backstay.dev/v1alpha1", "kind": "ServiceClass", "metadata": {"name": name}, "spec": spec}


def written(folder: Path, *documents: Any, name: str = "given.yaml") -> str:
    file = folder / name
    file.write_text(yaml.safe_dump_all([one.wire() if isinstance(one, HAService) else one for one in documents]))
    return str(file)


def test_a_manifest_is_judged_item_by_item(cluster: Cluster, tmp_path: Path) -> None:
    cluster.put(ServiceClass.from_wire(a_class("shop", "web.service")))
    file = written(tmp_path, a_service("shop", unit(), unit("ssh")))
    answer = cluster.run("policy", "test", "-f", file)
    assert answer.exit_code == NOT_NOW
    assert answer.stdout.splitlines() == [
        "shop/shop: spec.placement.hosts: allowed (ServiceClass shop)",
        "shop/shop: spec.resources: allowed (ServiceClass shop)",
        "shop/shop: web: allowed (ServiceClass shop)",
        "shop/shop: ssh: refused: ServiceClass shop does not allow namespace shop the unit ssh.service:"
        ' add "ssh.service" to `units` of one entry of spec.allow there',
    ]
    told = json.loads(cluster.run("policy", "test", "-f", file, "-o", "json").stdout)
    assert [(one["item"], one["allowed"]) for one in told] == [
        ("spec.placement.hosts", True),
        ("spec.resources", True),
        ("web", True),
        ("ssh", False),
    ]
    assert cluster.run("policy", "test", "-f", written(tmp_path, a_service())).exit_code == WELL


def test_without_a_class_everything_is_allowed_and_that_is_said(cluster: Cluster, tmp_path: Path) -> None:
    answer = cluster.run("policy", "test", "-f", written(tmp_path, a_service()))
    assert (answer.exit_code, answer.stdout) == (
        WELL,
        "shop/web: web: allowed (no ServiceClass: services may bring whatever they like)\n",
    )


def test_what_a_class_would_refuse_is_told_before_it_is_there(cluster: Cluster, tmp_path: Path) -> None:
    """The first class refuses all namespaces that it does not name: what runs there would be started nowhere else."""
    there = len(json.loads(cluster.run("status", "-A", "-o", "json").stdout)["services"])
    first = written(tmp_path, a_class("db", "*", namespaces=("db",)))
    answer = cluster.run("policy", "test", "--classes", first, "-A")
    assert (
        answer.exit_code == NOT_NOW and "shop/web: namespace shop: refused: no ServiceClass names it" in answer.stdout
    )
    assert answer.stdout.splitlines()[-1] == f"0 of {there} services may bring all that they bring"
    good = written(tmp_path, a_class("db", "*", namespaces=("db",)), a_class("all", "*", namespaces=("*",)))
    assert cluster.run("policy", "test", "--classes", good, "-n", "shop").exit_code in (WELL, NOT_NOW)
    assert cluster.run("policy", "test", "-A").exit_code == WELL, "nothing was written"


@pytest.mark.parametrize(
    ("document", "why"),
    [
        pytest.param({"kind": "Pod"}, "holds no HAService", id="something else"),
        pytest.param({**a_class(), "kind": "HAService"}, "resources", id="a class under another name"),
    ],
)
def test_what_is_no_manifest_is_said(cluster: Cluster, tmp_path: Path, document: Any, why: str) -> None:
    answer = cluster.run("policy", "test", "-f", written(tmp_path, document))
    assert answer.exit_code == FAILED and why in answer.output


def test_a_class_that_cannot_be_one_is_said(cluster: Cluster, tmp_path: Path) -> None:
    bad = a_class("shop", "a.service")
    bad["spec"]["unit"] = ["a"]
    answer = cluster.run("policy", "test", "--classes", written(tmp_path, bad))
    assert answer.exit_code == FAILED and "shop: spec.unit: there is no such field" in answer.output
