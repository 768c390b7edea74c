"""How answers are written, as whom the API server is asked, and what is not written: `-o`, `--as`, `--dry-run`."""

from __future__ import annotations

import json

import pytest

from backstay_api.client.api import Call
from backstay_api.client.http import _request
from backstay_api.client.transport import ApiConfig
from backstay_api.objects.models import Host
from backstay_api.objects.models.service import HAServiceStatus
from backstay_api.objects.object_kinds import HOSTS
from backstay_cli.jsonpath import rendered
from backstay_cli.session import WELL
from backstay_testing.builders import a_service, promotable
from backstay_testing.cli_scene import a_cluster

DATA = {
    "hosts": [{"name": "n1", "well": True, "taints": ["a"]}, {"name": "n2", "well": False, "taints": ["b", "c"]}],
    "labels": {"a.b/c": "x"},
}


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{.hosts[*].name}", "n1 n2"),
        ("{.hosts[0].name}, {.hosts[-1].name}", "n1, n2"),
        (".hosts[0].well", "true"),
        ("{$.hosts[1].taints}", '["b", "c"]'),
        ("{.labels['a.b/c']}{.nothing.at.all}", "x"),
        ('{.hosts[?(@.name=="n2")].taints[1]}', "c"),
        ("{range .hosts[*]}{.name}{'='}{range .taints[*]}{@}{end}{\"\\n\"}{end}done", "n1=a\nn2=bc\ndone"),
        ("{.labels.*}", "x"),
    ],
)
def test_jsonpath_reads_as_kubectl_does(template: str, text: str) -> None:
    assert rendered(template, DATA) == text


@pytest.mark.parametrize("template", ["", "{.a", "{.a[}", "{range .a[*]}x", "{end}", "{.a[?(@.b>1)]}"])
def test_a_template_that_cannot_be_read_is_wrong_usage(template: str) -> None:
    with pytest.raises(ValueError, match="jsonpath: "):
        rendered(template, {"a": [1]})
    assert a_cluster().run("status", "-o", f"jsonpath={template}").exit_code == 2


def test_status_takes_every_format() -> None:
    cluster = a_cluster()
    assert cluster.run("status", "-o", "name").stdout.split() == [
        "haservices.backstay.dev/web",
        *(f"hosts.backstay.dev/n{number}" for number in (1, 2, 3)),
    ]
    assert cluster.run("status", "-o", "jsonpath={.services[*].status.host}").stdout == "n1\n"
    wide = [" ".join(line.split()) for line in cluster.run("status", "-o", "wide").stdout.splitlines()]
    assert "SERVICE READY COPIES HOST STATE SINCE STANDBYS EPOCH LAST FAILOVER REASON" in wide
    assert any(line.startswith("shop/web True 1/1 n1 Running 0s 1/2 ready 1 - Runs on n1") for line in wide)


@pytest.mark.parametrize(("promoted", "shown"), [("n2", "n2"), ("", "-")])
def test_status_says_who_is_promoted_where_somebody_should_be(promoted: str, shown: str) -> None:
    cluster = a_cluster()
    assert "PROMOTED" not in cluster.run("status").stdout
    wanted = a_service("db", promotable(), mode="Promotable")
    status = HAServiceStatus(host="n1", promoted=promoted, state="Running")
    cluster.put(wanted.model_copy(update={"status": status}))
    lines = [line.split() for line in cluster.run("status").stdout.splitlines()]
    assert lines[0] == ["SERVICE", "READY", "COPIES", "HOST", "PROMOTED", "STATE", "SINCE", "STANDBYS"]
    rows = {line[0]: line[4] for line in lines[1:] if line and line[0].startswith("shop/")}
    assert rows == {"shop/db": shown, "shop/web": "-"}


@pytest.mark.parametrize("output", ["yml", "name", "wide"])
def test_what_cannot_be_written_so_is_not_begun(output: str) -> None:
    cluster = a_cluster()
    assert cluster.run("cordon", "n1", "-o", output).exit_code == 2
    assert "maintenance" not in cluster.get(Host, "n1")["spec"]


def test_as_somebody_else() -> None:
    cluster = a_cluster()
    cluster.run("status", "--as", "bob", "--as-group", "dev", "--as-group", "ops")
    assert (cluster.opened[0].as_user, cluster.opened[0].as_group) == ("bob", ("dev", "ops"))
    config = ApiConfig(("https://k",), as_user="bob", as_groups=("dev", "ops"))
    names = [("Impersonate-User", "bob"), ("Impersonate-Group", "dev"), ("Impersonate-Group", "ops")]
    assert config.impersonation() == names and ApiConfig(("https://k",)).impersonation() == []


WRITES = (
    ("move", "web"),
    ("clear", "web", "--reason", "mended"),
    ("drain", "n1", "--wait"),
    ("cordon", "n1"),
    ("handsoff", "n1"),
    ("host", "remove", "n2"),
)


@pytest.mark.parametrize("who", ["client", "server"])
@pytest.mark.parametrize("words", WRITES, ids=lambda words: " ".join(words))
def test_a_dry_run_writes_nothing_and_says_what_it_would(words: tuple[str, ...], who: str) -> None:
    cluster = a_cluster()
    before = cluster.store.revision
    answer = cluster.run(*words, f"--dry-run={who}")
    assert answer.exit_code == WELL, answer.output
    said = answer.stdout.splitlines()
    assert said[0].startswith(("would patch", "would delete")) and all(f"({who} dry run)" in line for line in said[:2])
    assert cluster.store.revision == before


def test_a_dry_run_of_the_server_is_asked_for_in_each_write() -> None:
    call = Call("patch", HOSTS, "", "n1", body={"spec": {}})
    assert _request(call).url == "/apis/backstay.dev/v1alpha1/hosts/n1"
    dry = Call("delete", HOSTS, "", "n1", dry_run=True)
    assert _request(dry).url == "/apis/backstay.dev/v1alpha1/hosts/n1?dryRun=All"


def test_a_program_reads_only_the_answer_of_a_dry_run() -> None:
    answer = a_cluster().run("cordon", "n1", "--dry-run=client", "-o", "json")
    assert json.loads(answer.stdout)["maintenance"]["mode"] == "Cordon" and "would patch" in answer.stderr


def test_what_only_reads_knows_no_dry_run() -> None:
    assert a_cluster().run("status", "--dry-run=client").exit_code == 2
