"""`backstay move`: the wish that it writes, and moves that cannot be."""

from __future__ import annotations

import json

import pytest

from backstay_api.objects.models import HAService
from backstay_cli.session import NO_SUCH_THING, NOT_NOW, WELL
from backstay_operator.planner.do.moves import MOVE_ANNOTATION
from backstay_testing.cli_scene import NOW, Cluster, a_cluster, kind_of


@pytest.mark.parametrize(("words", "target"), [([], "n2"), (["--to", "n2"], "n2")])
def test_move_writes_a_wish_with_its_end(words: list[str], target: str) -> None:
    cluster = a_cluster()
    assert cluster.run("move", "web", *words).exit_code == WELL
    wish = json.loads(cluster.get(HAService, "web", "shop")["metadata"]["annotations"][MOVE_ANNOTATION])
    assert wish == {"host": target, "generation": 1, "expires": "2026-03-01T12:10:00Z"}


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        pytest.param(["--to", "n3"], NOT_NOW, "n3 is cordoned", id="a cordoned host"),
        pytest.param(["--to", "n9"], NO_SUCH_THING, "there is no host n9; there are: n1, n2, n3", id="no such host"),
        pytest.param(["--to", "n1"], WELL, "is on n1 already", id="where it is"),
    ],
)
def test_moves_that_cannot_be_are_refused_before_anything_is_written(words: list[str], code: int, said: str) -> None:
    cluster = a_cluster()
    answer = cluster.run("move", "web", *words)
    assert answer.exit_code == code and said in answer.output
    assert "annotations" not in cluster.get(HAService, "web", "shop")["metadata"]


def test_a_host_that_has_yet_to_become_ready_may_be_wished_for() -> None:
    cluster = a_cluster(ready=())
    assert cluster.run("move", "web", "--to", "n2").exit_code == WELL


def test_a_move_with_nowhere_to_go_says_why() -> None:
    answer = a_cluster(ready=()).run("move", "web")
    assert answer.exit_code == NOT_NOW and "stays where it is: 0/3 hosts can run it" in answer.stderr


@pytest.mark.parametrize("state", ["Unmanaged", "Stopped"])
def test_what_shall_not_be_run_by_us_moves_nowhere(state: str) -> None:
    answer = a_cluster(state=state).run("move", "web", "--to", "n2")
    assert answer.exit_code == NOT_NOW and f"spec.state is {state}" in answer.output


def a_pair() -> Cluster:
    """web-0 on n1, and web-1 that is not there yet."""
    return a_cluster(mode="Replicated", replicas=2)


def test_of_several_copies_a_move_says_which_and_the_wish_names_it() -> None:
    cluster = a_pair()
    answer = cluster.run("move", "web", "--to", "n2")
    assert answer.exit_code == NOT_NOW and "say which by --instance: web-0 (n1), web-1 (nowhere)" in answer.output
    for named in ("web-0", "n1"):
        answer = cluster.run("move", "web", "--to", "n2", "--instance", named)
        assert answer.exit_code == WELL and "web-0 is to move to n2" in answer.output
    wish = json.loads(cluster.get(HAService, "web", "shop")["metadata"]["annotations"][MOVE_ANNOTATION])
    assert (wish["host"], wish["instance"]) == ("n2", "web-0")


def test_a_copy_that_is_not_there_is_not_moved() -> None:
    answer = a_pair().run("move", "web", "--to", "n2", "--instance", "web-7")
    assert answer.exit_code == NO_SUCH_THING and "has no instance web-7; there are: web-0 (n1), web-1" in answer.output


def moved(cluster: Cluster, ready: str, **status: object) -> None:
    """What the operator tells when it is done."""
    condition = {
        "type": "Ready",
        "status": ready,
        "reason": "Running",
        "message": "so it is",
        "lastTransitionTime": NOW,
    }
    told = {"status": {"conditions": [condition], **status}}
    cluster.store.patch(kind_of(HAService), ("shop", "web"), told, subresource="status")


@pytest.mark.parametrize(
    ("ready", "host", "code", "said"),
    [
        pytest.param("True", "n2", WELL, "shop/web runs on n2.", id="it is there"),
        pytest.param("False", "n2", NOT_NOW, "after 30 s shop/web is not on n2", id="there, and does not work"),
        pytest.param("True", "n1", NOT_NOW, "after 30 s shop/web is not on n2; it is still to move", id="not yet"),
    ],
)
def test_a_move_that_waits_ends_when_it_works_there(ready: str, host: str, code: int, said: str) -> None:
    cluster = a_cluster()
    moved(cluster, ready, host=host)
    answer = cluster.run("move", "web", "--to", "n2", "--wait", "--timeout", "30s")
    assert answer.exit_code == code and said in answer.output


def test_a_move_that_the_operator_has_given_up_is_waited_for_no_longer() -> None:
    cluster = a_cluster()

    def give_up(*_: object) -> None:
        cluster.store.patch(kind_of(HAService), ("shop", "web"), {"metadata": {"annotations": {MOVE_ANNOTATION: None}}})

    cluster.meanwhile = give_up
    answer = cluster.run("move", "web", "--to", "n2", "--wait", "--timeout", "30s")
    assert answer.exit_code == NOT_NOW and "shop/web has not moved to n2: " in answer.stderr
