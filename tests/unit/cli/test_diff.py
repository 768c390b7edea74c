"""`backstay diff`: what would change, what would be restarted, where it would go; and nothing is written."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from backstay_api.objects.kinds import CONFIG_MAPS, SECRETS
from backstay_api.objects.models import HAService, HostAssignment
from backstay_cli.diff import edits_of_a_copy
from backstay_cli.session import FAILED, NO_SUCH_THING, NOT_NOW, WELL
from backstay_testing.builders import a_service, promotable, unit
from backstay_testing.cli_scene import Cluster, a_cluster, kind_of

Raw = dict[str, Any]


@pytest.fixture
def cluster() -> Cluster:
    return a_cluster()


def manifest(cluster: Cluster, **changes: Any) -> Raw:
    """What people have in their file."""
    spec = json.loads(json.dumps(cluster.get(HAService, "web", "shop")["spec"]))
    return {
        "apiVersion": "backstay.dev/v1alpha1",
        "kind": "HAService",
        "metadata": {"name": "web", "namespace": "shop"},
        "spec": {**spec, **changes},
    }


def told(cluster: Cluster, folder: Path, *documents: Raw) -> tuple[int, Any]:
    file = folder / "web.yaml"
    file.write_text(yaml.safe_dump_all(documents))
    before = cluster.get(HAService, "web", "shop")
    answer = cluster.run("diff", "-f", str(file), "-o", "json")
    assert cluster.get(HAService, "web", "shop") == before, "nothing is written"
    return answer.exit_code, json.loads(answer.stdout) if answer.stdout.startswith("[") else answer.output


def with_resource(cluster: Cluster, **changes: Any) -> Raw:
    wanted = manifest(cluster)
    wanted["spec"]["resources"][0] |= changes
    return wanted


def test_the_same_manifest_changes_nothing(cluster: Cluster, tmp_path: Path) -> None:
    code, (one,) = told(cluster, tmp_path, manifest(cluster))
    assert code == WELL and (one["change"], one["fields"], one["resources"]) == ("Unchanged", [], [])


@pytest.mark.parametrize(
    ("changes", "effect", "path"),
    [
        pytest.param({"systemd": {"unit": "other.service"}}, "Restart", ".systemd.unit", id="another unit"),
        pytest.param(
            {"systemd": {"unit": "web.service", "overrides": {"MemoryMax": "1G"}}},
            "Apply",
            ".systemd.overrides",
            id="a limit that reaches what runs",
        ),
        pytest.param({"reloadedAt": "today"}, "Apply", ".reloadedAt", id="a reload"),
        pytest.param({"probes": [{"name": "alive", "tcpSocket": {"port": 80}}]}, "None", ".probes", id="a new probe"),
        pytest.param({"timeouts": {"stop": "90s"}}, "None", ".timeouts.stop", id="a time limit"),
    ],
)
def test_it_says_of_each_resource_what_becomes_of_it(
    cluster: Cluster, tmp_path: Path, changes: Raw, effect: str, path: str
) -> None:
    wanted = with_resource(cluster, **changes)
    name = wanted["spec"]["resources"][0]["name"]
    code, (one,) = told(cluster, tmp_path, wanted)
    assert code == WELL and one["change"] == "Edited"
    assert [(edit["resource"], edit["effect"]) for edit in one["resources"]] == [(name, effect)]
    assert any(field["path"].startswith(f"spec.resources[{name}]{path}") for field in one["fields"])
    assert one["summary"] == "it stays on n1"


def test_a_manifest_that_stops_it_says_so(cluster: Cluster, tmp_path: Path) -> None:
    code, (one,) = told(cluster, tmp_path, manifest(cluster, state="Stopped"))
    assert code == WELL and one["fields"] == [{"path": "spec.state", "before": "Running", "after": "Stopped"}]
    assert one["summary"].startswith("it stops on n1: ")


def test_a_new_service_says_where_it_would_start(cluster: Cluster, tmp_path: Path) -> None:
    fresh = manifest(cluster)
    fresh["metadata"]["name"] = "news"
    fresh["spec"]["resources"] = [{"name": "server", "systemd": {"unit": "news.service"}}]
    code, (one,) = told(cluster, tmp_path, {"kind": "ConfigMap"}, {"kind": "List", "items": [fresh]})
    assert code == WELL and (one["service"], one["change"]) == ("shop/news", "New") and one["summary"]


def test_what_the_operator_would_refuse_is_refused_with_its_sentence(cluster: Cluster, tmp_path: Path) -> None:
    code, (one,) = told(cluster, tmp_path, manifest(cluster, mode="Promotable"))
    assert code == NOT_NOW and "Promotable" in one["refused"] and one["resources"] == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("kind: ConfigMap", "holds no HAService", id="another kind"),
        pytest.param("{", "cannot be read", id="no YAML"),
        pytest.param(
            "kind: HAService\nmetadata: {name: web}\nspec: {resources: [{name: a, systemd: {unit: a.service}}], stat: x}",
            "spec.stat: there is no",
            id="unknown field",
        ),
        pytest.param("kind: HAService\nmetadata: 3\nspec: {}", "shop/?", id="no metadata"),
    ],
)
def test_a_file_that_makes_no_sense_is_told(cluster: Cluster, tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "x.yaml"
    file.write_text(text)
    answer = cluster.run("diff", "-f", str(file))
    assert answer.exit_code == FAILED and said in answer.output


def test_a_service_that_is_being_deleted_and_has_nothing_left_is_told(cluster: Cluster, tmp_path: Path) -> None:
    old = a_service(name="old").wire()
    old["metadata"]["finalizers"] = ["example.org/slow"]
    cluster.put(HAService.from_wire(old))
    cluster.store.delete(kind_of(HAService), ("shop", "old"))
    wanted = manifest(cluster, state="Stopped")
    wanted["metadata"]["name"] = "old"
    file = tmp_path / "old.yaml"
    file.write_text(yaml.safe_dump(wanted))
    answer = cluster.run("diff", "-f", str(file))
    assert answer.exit_code == NO_SUCH_THING and "is being deleted, and nothing of it is left" in answer.output


def test_people_read_what_becomes_of_it(cluster: Cluster, tmp_path: Path) -> None:
    file = tmp_path / "web.yaml"
    file.write_text(yaml.safe_dump(with_resource(cluster, systemd={"unit": "other.service"})))
    text = cluster.run("diff", "-f", str(file)).output
    assert "systemd.unit: web.service -> other.service" in text
    assert "it is stopped and started again where it runs" in text


CONF = {"name": "conf", "file": {"path": "/etc/web.conf", "configMapKeyRef": {"name": "web", "key": "conf"}}}


def config_map(**data: str) -> Raw:
    return {"kind": "ConfigMap", "metadata": {"name": "web"}, "data": data}


def with_conf(cluster: Cluster) -> Raw:
    wanted = manifest(cluster)
    wanted["spec"]["resources"].append(CONF)
    return wanted


def test_a_service_and_the_config_map_beside_it_are_judged_together(cluster: Cluster, tmp_path: Path) -> None:
    code, (one,) = told(cluster, tmp_path, with_conf(cluster), config_map(conf="a"))
    assert (code, one["refused"]) == (WELL, "")
    assert {"path": "ConfigMap shop/web data[conf]", "before": None, "after": "a"} in one["fields"]
    code, (one,) = told(cluster, tmp_path, with_conf(cluster))
    assert code == NOT_NOW and one["refused"].startswith("ContentMissing: ConfigMap shop/web is not there")
    code, (one,) = told(cluster, tmp_path, with_conf(cluster), config_map(other="a"))
    assert code == NOT_NOW and one["refused"].startswith("ContentMissing: ConfigMap shop/web has no key conf but other")


def test_of_a_config_map_alone_the_services_are_told_that_name_it(tmp_path: Path) -> None:
    cluster = a_cluster(resources=[unit("server"), CONF])
    cluster.create(CONFIG_MAPS, config_map(conf="a"), "shop")
    code, (one,) = told(cluster, tmp_path, config_map(conf="b", other="x"))
    assert (code, one["service"], one["change"]) == (WELL, "shop/web", "Edited")
    assert one["fields"] == [{"path": "ConfigMap shop/web data[conf]", "before": "a", "after": "b"}]
    code, (one,) = told(cluster, tmp_path, config_map(conf="a"))
    assert (code, one["change"]) == (WELL, "Unchanged")
    code, why = told(cluster, tmp_path, {**config_map(conf="a"), "metadata": {"name": "nobodys"}})
    assert code == FAILED and "holds no HAService, and no ConfigMap that one names" in why


PASSWORD = {"name": "conf", "file": {"path": "/etc/web.pass", "secretKeyRef": {"name": "web", "key": "password"}}}


def test_of_a_secret_nothing_is_asked_and_nothing_is_shown(cluster: Cluster, tmp_path: Path) -> None:
    cluster.create(SECRETS, a_secret("hunter2"), "shop")
    wanted = manifest(cluster)
    wanted["spec"]["resources"].append(PASSWORD)
    code, found = told(cluster, tmp_path, wanted, a_secret("hunter3"))
    (one,) = found
    assert (code, one["refused"], one["change"]) == (WELL, "", "Edited")
    shown = json.dumps(found)
    assert "/etc/web.pass" in shown
    for text in ("hunter2", "hunter3"):
        assert text not in shown and base64.b64encode(text.encode()).decode() not in shown
    file = tmp_path / "one.json"
    file.write_text(json.dumps({"kind": "List", "items": [wanted, a_secret("hunter3")]}))
    for verb in ("plan", "diff"):
        assert "hunter" not in cluster.run(verb, "-f", str(file)).output


def a_secret(password: str) -> Raw:
    data = {"password": base64.b64encode(password.encode()).decode()}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "web"}, "data": data}


DATABASE = {"name": "db", "ocf": {"agent": "d:x", "instance": "db", "parameters": {"level": "1"}}}


@pytest.mark.parametrize(
    ("said", "effect", "why"),
    [
        pytest.param([{"name": "db", "parameters": ["level"]}], "Apply", "its agent reloads that", id="it can"),
        pytest.param([{"name": "db", "parameters": ["mode"]}], "Restart", "is another", id="it cannot"),
        pytest.param([], "Restart", "unless its agent can reload that: no host has said so yet", id="nobody has said"),
    ],
)
def test_what_an_agent_can_reload_is_what_the_host_says_that_runs_it(
    tmp_path: Path, said: list[Raw], effect: str, why: str
) -> None:
    cluster = a_cluster(resources=[DATABASE])
    (uid,) = cluster.get(HostAssignment, "n1")["status"]["instances"]
    told_of_it = {"status": {"instances": {uid: {"reloadable": said}}}}
    cluster.store.patch(kind_of(HostAssignment), ("", "n1"), told_of_it, subresource="status")
    wanted = with_resource(cluster, ocf={**DATABASE["ocf"], "parameters": {"level": "2"}})  # type: ignore[dict-item]
    code, (one,) = told(cluster, tmp_path, wanted)
    ((resource, found, sentence),) = (edit.values() for edit in one["resources"])
    assert (code, resource, found) == (WELL, "db", effect) and why in sentence


def test_a_copy_that_becomes_promotable_is_restarted() -> None:
    """An agent starts otherwise where it is told of roles."""
    writer = unit("writer", role="Promoted")
    known, edited = (
        a_service("web", {"name": "db", "ocf": {**promotable()["ocf"], "promotable": said}}, writer, mode="Promotable")
        for said in (False, True)
    )
    assert [(one.resource, one.effect) for one in edits_of_a_copy(known, edited, {})] == [
        ("db", "Restart"),
        ("writer", "Restart"),
    ]
