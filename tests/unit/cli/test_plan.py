"""`backstay plan --offline`: what would come of it, from files alone, by the operator's own planner."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from backstay_cli.session import FAILED, WELL
from backstay_testing.cli_scene import Cluster, a_cluster

Raw = dict[str, Any]
CHANGES = 2


def host(name: str, **spec: Any) -> Raw:
    return {"apiVersion": "backstay.dev/v1alpha1", "kind": "Host", "metadata": {"name": name}, "spec": spec}


def service(name: str, **spec: Any) -> Raw:
    resources = [{"name": "main", "systemd": {"unit": f"{name}.service"}}]
    body = {"resources": resources, **spec}
    meta = {"name": name, "namespace": "shop"}
    return {"apiVersion": "backstay.dev/v1alpha1", "kind": "HAService", "metadata": meta, "spec": body}


def instance(name: str, on: str, epoch: int = 3) -> Raw:
    session = {"bootID": "b", "nonce": "n", "seq": 1}
    grant = {"host": on, "session": session, "machineUUID": "m"}
    closed = {"epoch": epoch - 1, "evidence": "Released"}
    spec = {"service": {"name": name, "uid": "u"}, "exclusive": True, "epoch": epoch, "grant": grant, "closed": closed}
    return {"kind": "HAInstance", "metadata": {"name": f"{name}-0", "namespace": "shop"}, "spec": spec}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three hosts; db on n1, web on n2; and something of another kind."""
    known = tmp_path / "known"
    known.mkdir()
    hosts = {"kind": "List", "items": [host(name, capacity={"memory": "4Gi"}) for name in ("n1", "n2", "n3")]}
    (known / "hosts.json").write_text(json.dumps(hosts))
    (known / "services.yaml").write_text(
        yaml.safe_dump_all([service("db"), service("web"), instance("db", "n1"), instance("web", "n2")])
    )
    (known / "more.yml").write_text(yaml.safe_dump({"kind": "ConfigMap", "metadata": {"name": "x"}}))
    return tmp_path


def told(folder: Path, *words: str) -> tuple[int, Raw]:
    answer = a_cluster().run("plan", "--offline", str(folder / "known"), "-o", "json", *words)
    return answer.exit_code, json.loads(answer.stdout)


def apply(folder: Path, *documents: Raw) -> tuple[int, Raw]:
    (folder / "new.yaml").write_text(yaml.safe_dump_all(documents))
    return told(folder, "-f", str(folder / "new.yaml"))


def test_nothing_changes_where_nothing_is_asked(folder: Path) -> None:
    code, said = told(folder)
    assert (code, said["actions"], said["unplaced"]) == (WELL, [], [])
    assert [(one["name"], one["service"], one["slot"], one["host"], one["role"]) for one in said["instances"]] == [
        ("db-0", "db", "0", "n1", "Started"),
        ("web-0", "web", "0", "n2", "Started"),
    ]


def test_a_host_that_is_lost(folder: Path) -> None:
    code, said = told(folder, "--lose", "n1")
    assert code == CHANGES
    assert [(one["verb"], one["instance"], one["from"], one["to"]) for one in said["actions"]] == [
        ("move", "db-0", "n1", "n3")
    ]
    assert said["actions"][0]["why"] == "n1 is lost; n3, runs 0 others; n2 could run it too"


def test_all_but_one_are_lost(folder: Path) -> None:
    _, said = told(folder, "--lose", "n1,n2")
    assert {one["name"]: one["host"] for one in said["instances"]} == {"db-0": "n3", "web-0": "n3"}


def test_a_host_that_is_drained(folder: Path) -> None:
    code, said = told(folder, "--drain", "n2")
    assert code == CHANGES
    (one,) = said["actions"]
    assert (one["verb"], one["from"], one["to"]) == ("move", "n2", "n3")
    assert one["why"].startswith("n2 is being drained; n2 has stopped it verifiably")


def test_what_cannot_leave_a_drained_host_stays_and_says_why(folder: Path) -> None:
    code, said = told(folder, "--drain", "n1,n2,n3")
    assert (code, said["actions"]) == (WELL, [])
    assert [(one["instance"], one["host"]) for one in said["staying"]] == [("db-0", "n1"), ("web-0", "n2")]
    assert said["staying"][0]["why"].startswith("n1 is being drained, but it stays: 0/3 hosts can run it:")


def test_on_a_host_that_is_full_nothing_more_fits(folder: Path) -> None:
    _, said = told(folder, "--lose", "n1", "--host-full", "n3")
    assert {one["name"]: one["host"] for one in said["instances"]} == {"db-0": "n2", "web-0": "n2"}
    assert next(one["why"] for one in said["verdicts"] if one["host"] == "n3") == "is cordoned (full, as is supposed)"


def test_what_would_survive_no_further_loss_is_told_and_nothing_that_would_not_have_before(folder: Path) -> None:
    pinned = service("pinned", placement={"hosts": {"matchLabels": {"disk": "one"}}})
    (folder / "known" / "pinned.yaml").write_text(yaml.safe_dump_all([pinned]))
    one = host("n1", capacity={"memory": "4Gi"})
    one["metadata"]["labels"] = {"disk": "one"}
    (folder / "known" / "hosts.json").write_text(json.dumps({"kind": "List", "items": [one, host("n2"), host("n3")]}))
    (folder / "known" / "more.json").write_text(json.dumps(instance("pinned", "n1")))
    assert told(folder)[1]["redundancyLost"] == []
    _, said = told(folder, "--lose", "n2", "--host-full", "n3")
    lost = [(one["instance"], one["lost"]) for one in said["redundancyLost"]]
    assert lost == [("db-0", "n1"), ("web-0", "n1")], "the pinned one had no other host before"
    answer = a_cluster().run("plan", "--offline", str(folder / "known"), "--lose", "n2", "--host-full", "n3")
    assert "NO LONGER SURVIVES   THE LOSS OF" in answer.stdout


def test_a_cluster_or_a_folder(folder: Path) -> None:
    answer = a_cluster().run("plan", "--live", "--offline", str(folder / "known"))
    assert answer.exit_code == 2 and "give one of them" in answer.stderr


def test_what_is_new_starts_and_each_host_has_its_verdict(folder: Path) -> None:
    apart = {"services": {"matchLabels": {}}, "required": True}
    code, said = apply(
        folder,
        service("a", placement={"apart": [apart]}),
        service("z", placement={"capacity": {"memory": "5Gi"}}),
    )
    assert code == CHANGES
    assert [(one["verb"], one["instance"], one["from"], one["to"]) for one in said["actions"]] == [
        ("start", "a-0", "", "n3")
    ]
    assert said["unplaced"] == [
        {"instance": "z-0", "why": "0/3 hosts can run it: 3 have too little memory: 5Gi asked for"}
    ]
    verdicts = {(one["instance"], one["host"]): (one["rejectedBy"], one["why"]) for one in said["verdicts"]}
    assert verdicts["z-0", "n1"] == ("Capacity", "has 4Gi memory; 5Gi asked for")
    assert verdicts["a-0", "n3"] == ("", "it runs here")
    assert verdicts["a-0", "n1"][0] == "Apart"


def test_an_edit_that_is_refused_is_told_and_what_runs_goes_on(folder: Path) -> None:
    rule = {"service": "db", "required": True}
    code, said = apply(folder, service("web", placement={"together": [rule], "apart": [rule]}))
    assert (code, said["actions"]) == (WELL, [])
    assert {one["name"]: one["host"] for one in said["instances"]} == {"db-0": "n1", "web-0": "n2"}


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(["--lose", "n9"], id="no such host"),
        pytest.param(["-f", "/nowhere.yaml"], id="no such file"),
    ],
)
def test_an_error_has_a_sentence_and_exit_code_1(folder: Path, words: list[str]) -> None:
    answer = a_cluster().run("plan", "--offline", str(folder / "known"), *words)
    assert answer.exit_code == FAILED and answer.stderr.startswith("backstay: ")


def test_config_maps_come_from_files_too(folder: Path) -> None:
    """One that lacks what a new service wants of it keeps that from starting; of one that is in no file nothing is known."""
    conf = {"name": "conf", "file": {"path": "/etc/news.conf", "configMapKeyRef": {"name": "news", "key": "conf"}}}
    fresh = service("news")
    fresh["spec"]["resources"].append(conf)
    wanted = {"kind": "ConfigMap", "metadata": {"name": "news", "namespace": "shop"}}
    _, said = apply(folder, fresh, {**wanted, "data": {"other": "x"}})
    assert [one["why"] for one in said["unplaced"]] == [
        "ConfigMap shop/news has no key conf but other: add it; or name another in spec.resources[conf].file.configMapKeyRef"
    ]
    (folder / "known" / "contents.yaml").write_text(yaml.safe_dump({**wanted, "data": {"conf": "x"}}))
    _, said = apply(folder, fresh)
    assert not any("ConfigMap" in one["why"] for one in said["unplaced"])
    _, said = apply(folder, fresh, {**wanted, "data": {"other": "x"}})
    assert "has no key conf but other" in said["unplaced"][0]["why"], "what is applied counts"


def test_a_table_for_people(folder: Path) -> None:
    answer = a_cluster().run("plan", "--offline", str(folder / "known"), "--lose", "n1", "-o", "table")
    assert answer.stdout.splitlines()[0].split() == ["VERB", "INSTANCE", "FROM", "TO", "WHY"]
    assert answer.stdout.splitlines()[1].split()[:4] == ["move", "shop/db-0", "n1", "n3"]


def test_the_order_of_files_and_objects_decides_nothing(folder: Path) -> None:
    _, one = told(folder, "--lose", "n1,n2")
    file = folder / "known" / "services.yaml"
    file.write_text(yaml.safe_dump_all(list(yaml.safe_load_all(file.read_text()))[::-1]))
    file.rename(folder / "known" / "a.yaml")
    _, other = told(folder, "--lose", "n1,n2")
    assert one == other


def test_a_live_cluster_is_asked_the_same_way() -> None:
    cluster: Cluster = a_cluster()
    answer = cluster.run("plan", "-o", "json")
    assert answer.exit_code in (WELL, CHANGES) and json.loads(answer.stdout).keys() == {
        "instances",
        "actions",
        "unplaced",
        "verdicts",
        "staying",
        "redundancyLost",
    }


def test_what_would_never_come_to_rest_is_told_as_that(tmp_path: Path) -> None:
    """`b` must be with `a`, and `a` never near `b`: each follows or flees the other."""
    apart = [{"services": {"matchLabels": {"app": "b"}}, "required": True, "mutual": False}]
    together = [{"services": {"matchLabels": {"app": "a"}}, "required": True}]
    a, b = (
        labelled(service("a", placement={"apart": apart})),
        labelled(service("b", placement={"together": together})),
    )
    hosts = [host(name) for name in ("n1", "n2", "n3")]
    (tmp_path / "known").mkdir()
    (tmp_path / "known/all.yaml").write_text(
        yaml.safe_dump_all([*hosts, a, b, service("calm"), instance("a", "n1"), instance("b", "n1")])
    )
    code, found = told(tmp_path)
    assert code == CHANGES and found["restless"] == ["a-0", "b-0"]
    said = a_cluster().run("plan", "--offline", str(tmp_path / "known")).stderr
    assert "This never comes to rest by itself: shop/a-0, shop/b-0 would be stopped and started on and on" in " ".join(
        said.split()
    )


def labelled(one: Raw) -> Raw:
    return {**one, "metadata": {**one["metadata"], "labels": {"app": one["metadata"]["name"]}}}
