"""`backstay host join-token`, `list` and `revoke`."""

from __future__ import annotations

import json

import pytest

from backstay_api.objects.durations import later
from backstay_api.objects.join_tokens import CLAIMED_BY, ENDS, read_line
from backstay_api.objects.kinds import NAMESPACES, SECRETS
from backstay_api.objects.lease import NAMESPACE
from backstay_api.objects.rbac import FILES_TYPE
from backstay_cli.session import NOT_NOW, WELL
from backstay_testing.cli_scene import NOW, Cluster, a_cluster


def secrets(cluster: Cluster) -> dict[str, str]:
    """Those that tokens are bound to."""
    found = {body["metadata"]["name"]: body["type"] for body in cluster.store.bodies(SECRETS)}
    return {name: type_ for name, type_ in found.items() if type_ != FILES_TYPE}


def test_a_line_names_the_host_and_where_its_servers_are() -> None:
    cluster = a_cluster()
    answer = cluster.run("host", "join-token", "n1")
    assert answer.exit_code == WELL, answer.stderr
    assert len(answer.stdout.splitlines()) == 1, "a pipe gets nothing else"
    token = read_line(answer.stdout)
    assert (token.host, token.servers, token.ca) == ("n1", ("https://api.example:6443",), "")
    assert token.cluster == cluster.store.get(NAMESPACES, "", "kube-system")["metadata"]["uid"] != ""
    asked = json.loads(token.token)
    assert asked == {
        "account": "backstay-host-n1",
        "expirationSeconds": 900,
        "boundObjectRef": {"kind": "Secret", "apiVersion": "v1", "name": "backstay-join-n1"},
    }
    assert secrets(cluster) == {
        "backstay-host-n1": "backstay.dev/host-identity",
        "backstay-join-n1": "backstay.dev/host-join",
    }, "the identity, which was missing, is made too"


def test_a_second_line_ends_the_first() -> None:
    cluster = a_cluster()
    uids = []
    for _ in range(2):
        cluster.run("host", "join-token", "n1")
        uids.append(cluster.store.get(SECRETS, NAMESPACE, "backstay-join-n1")["metadata"]["uid"])
    assert uids[0] != uids[1]


def test_the_next_line_takes_away_what_join_tokens_have_left_that_nobody_used() -> None:
    cluster = a_cluster()
    made = {"backstay-join-n7": "2026-03-01T11:59:59Z", "backstay-join-n8": "2026-03-01T12:00:01Z"}
    for name, ends in {**made, "backstay-host-n7": "2026-01-01T00:00:00Z"}.items():
        kind = "backstay.dev/host-join" if "join" in name else "backstay.dev/host-identity"
        cluster.create(SECRETS, {"metadata": {"name": name, "annotations": {ENDS: ends}}, "type": kind}, NAMESPACE)
    answer = cluster.run("host", "join-token", "n1")
    left = ["backstay-host-n1", "backstay-host-n7", "backstay-join-n1", "backstay-join-n8"]
    assert sorted(secrets(cluster)) == left, "n8's may still be used"
    assert "backstay-join-n7: its join token has ended unused; deleted" in answer.stderr
    assert len(answer.stdout.splitlines()) == 1
    ours = cluster.store.get(SECRETS, NAMESPACE, "backstay-join-n1")["metadata"]["annotations"]
    assert ours[ENDS] == "2026-03-01T12:15:00Z", "quarter of an hour"


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        pytest.param(["--ttl", "5m"], 2, "lives 10m to 1h", id="shorter than Kubernetes grants"),
        pytest.param(["--ttl", "2h"], 2, "lives 10m to 1h", id="longer than the policy grants"),
        pytest.param(["--ttl", "soon"], 2, "--ttl", id="no time"),
        pytest.param(["--server", "http://api:6443"], 2, "https://host:port", id="in clear"),
        pytest.param(
            ["--server", "https://127.0.0.1:6443"], NOT_NOW, "another machine on every host", id="this machine"
        ),
    ],
)
def test_nonsense_makes_no_token(words: list[str], code: int, said: str) -> None:
    cluster = a_cluster()
    answer = cluster.run("host", "join-token", "n1", *words)
    assert (answer.exit_code, said in answer.output) == (code, True), answer.output
    assert secrets(cluster) == {}


def test_a_host_that_nobody_added_gets_none() -> None:
    cluster = a_cluster()
    assert cluster.run("host", "join-token", "n9").exit_code == 3
    assert secrets(cluster) == {}


def test_a_list_says_who_has_an_identity_and_which_machine_is_joining() -> None:
    cluster = a_cluster()
    cluster.run("host", "join-token", "n1")
    cluster.run("host", "join-token", "n2")
    claim = {"metadata": {"annotations": {CLAIMED_BY: "some-uuid"}}}
    cluster.store.patch(SECRETS, (NAMESPACE, "backstay-join-n2"), claim)
    rows = json.loads(cluster.run("host", "list", "-o", "json").stdout)
    assert [(row["host"], row["identity"], row["joining"]) for row in rows] == [
        ("n1", "valid", "waits to be used"),
        ("n2", "valid", "claimed by some-uuid"),
        ("n3", "none (revoked, or never made)", ""),
    ]
    assert "IDENTITY" in cluster.run("host", "list").stdout


def test_a_list_says_when_tokens_end() -> None:
    cluster = a_cluster()
    cluster.tell_host("n1", credentialUntil=later(NOW, 29.5 * 86400))
    cluster.tell_host("n2", credentialUntil=later(NOW, -60))
    rows = {row["host"]: row["until"] for row in json.loads(cluster.run("host", "list", "-o", "json").stdout)}
    assert rows == {"n1": later(NOW, 29.5 * 86400), "n2": later(NOW, -60), "n3": ""}
    shown = {line.split()[0]: line for line in cluster.run("host", "list").stdout.splitlines()[1:]}
    assert "in 29d" in shown["n1"] and "has ended" in shown["n2"] and "in " not in shown["n3"].partition("-")[0]


def test_a_host_that_holds_something_is_revoked_by_a_yes_only() -> None:
    cluster = a_cluster()
    cluster.run("host", "join-token", "n1")
    answer = cluster.run("host", "revoke", "n1")
    assert answer.exit_code == NOT_NOW and "drain n1 --wait" in answer.stderr
    assert cluster.asked == ["n1 holds shop/web-0: without its identity it is taken for dead and powered off. Go on?"]
    assert len(secrets(cluster)) == 2
    assert cluster.run("host", "revoke", "n1", "--yes").exit_code == WELL
    assert secrets(cluster) == {}, "what waits to be used ends too"


def test_a_host_that_holds_nothing_is_revoked_at_once_and_once() -> None:
    cluster = a_cluster()
    cluster.run("host", "join-token", "n2")
    answer = cluster.run("host", "revoke", "n2")
    assert answer.exit_code == WELL and cluster.asked == []
    assert "backstay host join-token n2 | ssh n2 backstay-agent join -" in answer.stdout
    assert "revoked before, or never made" in cluster.run("host", "revoke", "n2").stderr


def test_a_host_that_is_removed_leaves_no_token() -> None:
    cluster = a_cluster()
    cluster.run("host", "join-token", "n2")
    assert cluster.run("host", "remove", "n2").exit_code == WELL
    assert secrets(cluster) == {}
